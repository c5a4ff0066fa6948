//! `--json`: every event of real runs fits the published schema and the documentation, and folding the stream gives what the journal gives.

use drydock::plan;
use drydock::report::{RunInfo, run_json};
use drydock::run::{Event, EventKind, RunState, event_schema};
use serde_json::Value;

use super::cli_support::{Ended, Folder};

/// The published schema, with nothing allowed that it does not name.
fn strict() -> jsonschema::Validator {
    fn close(schema: &mut Value) {
        if let Some(object) = schema.as_object_mut() {
            if object.contains_key("properties") {
                object.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            object.values_mut().for_each(close);
        } else if let Some(list) = schema.as_array_mut() {
            list.iter_mut().for_each(close);
        }
    }
    let mut schema: Value = serde_json::from_str(&Folder::empty().run(&["schema", "events"]).expect(0).stdout).unwrap();
    assert_eq!(schema, event_schema());
    close(&mut schema);
    jsonschema::validator_for(&schema).unwrap()
}

/// The lines of a stream, each held against the schema.
fn events(ended: &Ended) -> Vec<Event> {
    let schema = strict();
    let line = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        let problems: Vec<String> = schema.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(problems.is_empty(), "{line}\n{problems:#?}");
        serde_json::from_value(value).unwrap()
    };
    ended.stdout.lines().map(line).collect()
}

/// Folded, they say of every action and node what `runs show` says.
#[track_caller]
fn expect_journal(site: &Folder, plan: &plan::Plan, events: &[Event]) {
    let numbers: Vec<u64> = events.iter().map(|e| e.seq).collect();
    assert_eq!(numbers, (1..=events.len() as u64).collect::<Vec<_>>(), "none is missing or twice");
    let shown: Value = serde_json::from_str(&site.run(&["runs", "show", "--format", "json"]).expect(0).stdout).unwrap();
    let EventKind::RunStarted { run, .. } = &events[0].event else { panic!("{:?}", events[0]) };
    assert_eq!(shown["run"], Value::from(run.as_str()));
    let info = RunInfo {
        id: run.clone(),
        site: String::new(),
        goal: String::new(),
        selection: None,
        plan_digest: String::new(),
        by: String::new(),
        started_ms: 0,
        ended_ms: None,
        outcome: None,
        running: false,
        paused: None,
        abandoned: false,
    };
    let folded = run_json(&info, &plan.actions, &RunState::fold(&plan.actions, events).unwrap());
    for part in ["counts", "nodes", "actions"] {
        assert_eq!(folded[part], shown[part], "{part}");
    }
}

fn read(site: &Folder, file: &str) -> plan::Plan {
    plan::read(&site.read(file)).unwrap()
}

#[test]
fn a_stream_tells_everything_that_the_journal_tells() {
    let site = Folder::hello();
    let faults = "  seed: 1\n  faults: [{node: compute02, machine: deployment_fails}, {server: maas, op: commission, nth: 1, count: 1, status: 503, body: busy}]\n";
    site.edit("drydock.yaml", "  seed: 1\n", faults);
    site.run(&["plan", "--out", "plan.json"]).expect(0);
    let plan = read(&site, "plan.json");
    let mut all = events(&site.run(&["apply", "plan.json", "--json"]).expect(4));
    expect_journal(&site, &plan, &all);
    let first = all.len();
    site.edit("drydock.yaml", faults, "  seed: 1\n");
    all.extend(events(&site.run(&["resume", "--json"]).expect(0)));
    assert!(matches!(all[first].event, EventKind::RunResumed { .. }), "a resume goes on with the stream: {:?}", all[first]);
    expect_journal(&site, &plan, &all);
    let kinds: std::collections::BTreeSet<&str> = all.iter().map(|e| e.event.name()).collect();
    for kind in
        ["run_started", "attempt_resolved", "attempt_intent", "attempt_waiting", "attempt_outcome", "retry_scheduled", "run_finished"]
    {
        assert!(kinds.contains(kind), "{kind} in {kinds:?}");
    }
    let released = events(&site.run(&["destroy", "--target", "node=compute01", "--auto-approve", "--json"]).expect(0));
    assert!(matches!(&released[0].event, EventKind::RunStarted { goal, .. } if goal == "destroy_nodes"), "{:?}", released[0]);
}

#[test]
fn the_documentation_has_every_event_with_its_keys() {
    let docs = include_str!("../../docs/run-json.md");
    let schema = event_schema();
    let variants = schema.pointer("/$defs/EventKind/oneOf").and_then(Value::as_array).expect("kinds of event");
    assert!(variants.len() >= 12);
    for variant in variants {
        let properties = variant["properties"].as_object().unwrap();
        let name = properties["type"]["const"].as_str().unwrap();
        let row = docs
            .lines()
            .find(|l| l.starts_with(&format!("| `{name}` |")))
            .unwrap_or_else(|| panic!("docs/run-json.md has no row of `{name}`"));
        for key in properties.keys().filter(|k| *k != "type") {
            assert!(row.contains(&format!("`{key}`")), "`{key}` of {name}: {row}");
        }
    }
}
