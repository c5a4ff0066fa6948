//! Runs as people and programs see them.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::plan_tests::golden;
use super::progress::{Expected, JsonLines, Lines, Reporter, Watched};
use super::run_samples::{self as samples, Journal};
use super::{RunInfo, TextOptions, run_json, run_show, run_summary, runs_json, runs_table, under_way};
use crate::run::{EventKind, RunOutcome};

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn lines(journal: &Journal) -> String {
    let (out, expected) = (Shared::default(), Expected::default());
    let watched = Watched { actions: &journal.actions, prior: None, expected: &expected };
    let mut reporter = Lines::new(out.clone(), false, &watched).unwrap();
    journal.events.iter().for_each(|e| reporter.event(e));
    reporter.finish();
    out.text()
}

#[test]
fn plain_lines() {
    let text = lines(&samples::partial());
    golden("run_partial.log", &text);
    assert!(!text.contains('\u{1b}'));
    let told: Vec<&str> = text.lines().filter(|l| l.contains("imported")).collect();
    assert_eq!(told.len(), 2, "eight reports within 72 s, told every 30 s: {told:?}");
    golden("run_interrupted.log", &lines(&samples::interrupted()));
}

#[test]
fn a_stop_lists_what_is_under_way_and_for_how_long() {
    let mut journal = samples::interrupted();
    // Instead of its end.
    let len = journal.events.len();
    journal.events.truncate(len - 2);
    journal.push(10, EventKind::RunPaused { by: "ops@desk".to_owned() });
    journal.push(59_000, EventKind::RunStopping { by: Some("ops@desk".to_owned()), now: false });
    let text = lines(&journal);
    let wanted = "node.n01 configure_hardware for 2m";
    for wanted in [
        "paused by ops@desk: what runs goes on, nothing new is started until `drydock runs continue`",
        "stopping at a safe point: nothing new is started, as ops@desk asked for; under way:",
        wanted,
        ": MAAS shows Commissioning",
    ] {
        assert!(text.contains(wanted), "no {wanted:?} in {text}");
    }
    // From another process it is the same.
    let state = journal.state();
    let listed = under_way(&journal.actions, &state, state.last_at_ms());
    assert!(matches!(&listed[..], [only] if only.starts_with(wanted) && only.ends_with(": MAAS shows Commissioning")), "{listed:?}");
    assert_eq!(state.paused(), Some("ops@desk"));
}

#[test]
fn runs_say_whether_they_are_paused_or_given_up() {
    let journal = samples::interrupted();
    let info = journal.info(Some(RunOutcome::Incomplete));
    let by = Some("ops@desk".to_owned());
    let shown = |info: &RunInfo| run_show(info, &journal.actions, &journal.state(), &TextOptions::default());
    assert!(info.is_unfinished() && shown(&info).contains("drydock resume"));
    let paused = RunInfo { running: true, outcome: None, paused: by.clone(), ..info.clone() };
    let text = shown(&paused);
    assert!(text.contains("running, paused") && text.contains("by ops@desk") && text.contains("next: drydock runs continue"), "{text}");
    assert!(shown(&RunInfo { paused: by, ..info.clone() }).contains("incomplete, paused"));
    let abandoned = RunInfo { abandoned: true, ..info };
    let text = shown(&abandoned);
    assert!(text.contains(": abandoned") && !text.contains("drydock resume"), "{text}");
    assert!(!abandoned.is_unfinished());
}

#[test]
fn json_lines_are_the_events() {
    let journal = samples::partial();
    let out = Shared::default();
    let mut reporter = JsonLines::new(out.clone());
    journal.events.iter().for_each(|e| reporter.event(e));
    let text = out.text();
    assert_eq!(text.lines().count(), journal.events.len());
    for (line, event) in text.lines().zip(&journal.events) {
        assert_eq!(serde_json::from_str::<crate::run::Event>(line).unwrap(), *event);
    }
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn how_a_run_ended() {
    let options = TextOptions { width: 110, ..TextOptions::default() };
    let mut text = String::new();
    for (journal, outcome) in [
        (samples::partial(), Some(RunOutcome::PartialSuccess)),
        (samples::site_failed(), Some(RunOutcome::Failure)),
        (samples::interrupted(), Some(RunOutcome::Incomplete)),
        (samples::interrupted(), None),
    ] {
        text.push_str(&run_summary(&journal.info(outcome), &journal.actions, &journal.state(), &options));
        text.push_str("\n----------------\n");
    }
    golden("run_summaries.txt", &text);
    assert!(text.contains("drydock resume 20261122-190411-7k2m"));
    assert!(text.contains("next: drydock plan, as the site is not as this plan says"), "what was refused is not helped by a resume");
    assert!(!text.contains('\u{1b}'));

    let journal = samples::partial();
    let info = journal.info(Some(RunOutcome::PartialSuccess));
    let verbose = TextOptions { verbose: true, ..options };
    golden("run_show.txt", &run_show(&info, &journal.actions, &journal.state(), &verbose));
    let json = run_json(&info, &journal.actions, &journal.state());
    assert_eq!(json["counts"]["done"], 27);
    assert_eq!(json["nodes"]["n02"]["outcome"], "failure");
    let failed: Vec<&Value> = json["actions"].as_array().unwrap().iter().filter(|a| a["status"] == "failed").collect();
    assert_eq!(failed.len(), 1);
    assert_eq!((&failed[0]["kind"], &failed[0]["attempts"]), (&Value::from("deploy_node"), &Value::from(2)));
}

#[test]
fn a_closed_gate_says_which_wave_why_and_what_to_do() {
    let mut journal = samples::interrupted();
    let name = "canaries".to_owned();
    journal.push(1, EventKind::GateReached { wave: 0, name: name.clone() });
    let shown = |journal: &Journal| {
        let info = journal.info(Some(RunOutcome::PartialSuccess));
        let options = TextOptions { width: 110, ..TextOptions::default() };
        (run_summary(&info, &journal.actions, &journal.state(), &options), run_json(&info, &journal.actions, &journal.state()))
    };
    let (text, json) = shown(&journal);
    assert!(text.contains("the nodes of canaries are watched since 2026-11-22T19:0"), "{text}");
    assert_eq!((&json["gates"][0]["state"], &json["gates"][0]["wave"]), (&Value::from("watched"), &Value::from(0)));
    let (message, hint) = ("its nodes are not healthy: n01: off; not begun: the rest".to_owned(), "look at it".to_owned());
    journal.push(1, EventKind::GateFailed { wave: 0, name, message, hint, critical: false });
    let (text, json) = shown(&journal);
    assert!(
        text.contains("  canaries is not through: its nodes are not healthy: n01: off; not begun: the rest\n    hint: look at it\n"),
        "{text}"
    );
    assert_eq!(json["gates"][0]["state"], "failed");
    let lines = lines(&journal);
    assert!(lines.contains("canaries: NOT through, so what waits for it does not begin") && lines.contains("hint: look at it"), "{lines}");
}

#[test]
fn all_runs() {
    let journal = samples::partial();
    let info = journal.info(Some(RunOutcome::PartialSuccess));
    let killed = RunInfo {
        id: "20261122-180000-aaaa".to_owned(),
        outcome: None,
        ended_ms: None,
        selection: Some("rack=r1\u{1b}".to_owned()),
        ..info.clone()
    };
    let running = RunInfo { id: "20261122-200000-bbbb".to_owned(), outcome: None, ended_ms: None, running: true, ..info.clone() };
    let text = runs_table(&[running, info, killed], &TextOptions::default());
    assert_eq!(
        text,
        "\
RUN                   STARTED               TOOK    GOAL                          OUTCOME          BY
20261122-200000-bbbb  2026-11-22T19:04:11Z          deploy_nodes                  running          ops@deployer
20261122-190411-7k2m  2026-11-22T19:04:11Z  19m20s  deploy_nodes                  partial success  ops@deployer
20261122-180000-aaaa  2026-11-22T19:04:11Z          deploy_nodes (rack=r1\\u{1b})  killed           ops@deployer
"
    );
    assert_eq!(runs_table(&[], &TextOptions::default()), "no runs yet\n");
    assert_eq!(runs_json(&[])["runs"], serde_json::json!([]));
}
