//! The live view on real pseudo-terminals, read back by an emulator of a terminal; and lines of a log.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Arc, Mutex};

use rustix::termios::tcgetwinsize;

use super::super::plan_tests::golden;
use super::super::run_samples::{self as samples, Journal};
use super::canvas::Canvas;
use super::screen::Screen;
use super::{Expected, Lines, Reporter, Terminal, Watched};
use crate::action::ActionKind;
use crate::run::{AttemptOutcome, EventKind};

#[path = "../../../tests/it/pty.rs"]
mod pty;
use pty::Pty;

/// A terminal view that draws there.
fn view(pty: &Pty, watched: &Watched) -> Terminal {
    let asked = pty.slave.try_clone().unwrap();
    let size = move || tcgetwinsize(&asked).map(|s| (s.ws_row, s.ws_col)).unwrap();
    Terminal::on(Box::new(pty.slave.try_clone().unwrap()), Box::new(size), false, watched).unwrap()
}

/// Ten minutes of hardware configuration, four of deployment, half a minute of everything else, as former runs showed.
fn measured(journal: &Journal) -> Expected {
    let length = |kind| match kind {
        ActionKind::ConfigureHardware => 600_000,
        ActionKind::DeployNode => 240_000,
        _ => 30_000,
    };
    let lengths_ms = journal.actions.iter().map(|a| length(a.kind)).collect();
    Expected { lengths_ms, measured: vec![true; journal.actions.len()], makespan_ms: Some(36_000_000) }
}

/// What a terminal of that size shows some time after the last event.
fn shown(journal: &Journal, expected: &Expected, rows: u16, columns: u16, color: bool, later_ms: u64) -> String {
    let pty = Pty::open(rows, columns);
    let watched = Watched { actions: &journal.actions, prior: None, expected };
    let mut screen = Screen::new(color, &watched).unwrap();
    let mut canvas = Canvas::default();
    let mut out = pty.slave.try_clone().unwrap();
    for event in &journal.events {
        let text = screen.event(event);
        if !text.is_empty() {
            let frame = screen.frame(event.at_ms, rows.into(), columns.into());
            out.write_all(canvas.draw(&text, frame, columns.into()).as_bytes()).unwrap();
        }
    }
    let now_ms = journal.events.last().unwrap().at_ms + later_ms;
    let frame = screen.frame(now_ms, rows.into(), columns.into());
    assert!(frame.len() < usize::from(rows), "{} lines on {rows} rows", frame.len());
    out.write_all(canvas.draw("", frame, columns.into()).as_bytes()).unwrap();
    out.write_all(b"the end\n").unwrap();
    pty.wait("all was drawn", |screen| screen.contains("the end"))
}

#[test]
fn screens_of_any_size_show_what_matters_first() {
    let mut text = String::new();
    for nodes in [2, 2000] {
        let journal = samples::under_way(nodes);
        for (rows, columns) in [(24, 80), (50, 200)] {
            let screen = shown(&journal, &measured(&journal), rows, columns, false, 400_000);
            // What was printed before may be wrapped, the live lines are not.
            let live: Vec<&str> = screen.lines().skip_while(|line| !line.starts_with("  r0")).collect();
            assert!(live.len() >= 4 && live.iter().all(|line| line.chars().count() < columns.into()), "{screen}");
            let _ = writeln!(text, "---- {nodes} nodes, {columns}x{rows}\n{screen}");
        }
    }
    golden("progress_screens.txt", &text);
    // As many branches as there is room for, and the others counted.
    let many = shown(&samples::under_way(2000), &Expected::default(), 24, 80, false, 0);
    assert!(many.contains("… and "), "{many}");
    assert_eq!(shown(&samples::under_way(2000), &Expected::default(), 24, 80, true, 0), many, "colour carries nothing of its own");
    // However small.
    for (rows, columns) in [(2, 80), (3, 10), (5, 40)] {
        shown(&samples::under_way(40), &Expected::default(), rows, columns, false, 0);
    }
}

#[test]
fn a_view_is_drawn_in_place_and_leaves_only_what_is_to_be_read() {
    let journal = samples::partial();
    let pty = Pty::open(24, 80);
    let expected = measured(&journal);
    let mut live = view(&pty, &Watched { actions: &journal.actions, prior: None, expected: &expected });
    let last = journal.events.iter().position(|e| matches!(e.event, EventKind::RetryScheduled { .. })).unwrap();
    for event in &journal.events[..=last] {
        live.event(event);
    }
    // Redrawn by itself: the time goes on without an event.
    let bar = |screen: &str| screen.lines().filter(|l| l.starts_with('[')).count();
    let first = pty.wait("the bar", |s| bar(s) == 1 && s.contains("n02  10/11 deploy_node") && s.contains("failed; again at"));
    let so_far = |screen: &str| screen.lines().find(|l| l.contains(" so far")).map(str::to_owned);
    let before = so_far(&first);
    let later = pty.wait("time goes on", |s| so_far(s).is_some() && so_far(s) != before);
    assert_eq!((bar(&later), later.matches("n02  10/11").count()), (1, 1), "drawn in place:\n{later}");
    // Somebody else says something.
    live.say("a question");
    let said = pty.wait("what was said", |s| s.contains("a question") && bar(s) == 1);
    assert!(said.find("a question") < said.find('['), "above the live lines:\n{said}");
    for event in &journal.events[last + 1..] {
        live.event(event);
    }
    live.finish();
    pty.slave.try_clone().unwrap().write_all(b"$ ").unwrap();
    let end = pty.wait("the prompt", |s| s.trim_end().ends_with('$'));
    assert_eq!(bar(&end), 0, "no live line stays:\n{end}");
    assert!(!pty.written().contains("\u{1b}[?25l"), "the cursor is never hidden: nobody would show it again after a kill");
    for expected in [
        "node.n02 deploy_node FAILED after 3m12s (failed at the site, attempt 2)",
        "no such disk",
        "node.n01 is done: 11 actions in",
        "a question",
    ] {
        assert!(end.contains(expected), "{expected} in:\n{end}");
    }
    assert!(!end.contains("fabric.default was done already"), "steps are not printed above the live lines:\n{end}");
}

#[test]
fn a_run_that_is_followed_from_its_middle_shows_what_is_in_progress() {
    let journal = samples::under_way(2);
    let (expected, so_far) = (measured(&journal), journal.state());
    let watched = Watched { actions: &journal.actions, prior: Some(&so_far), expected: &expected };
    let mut followed = Screen::new(false, &watched).unwrap();
    let mut seen = Screen::new(false, &Watched { prior: None, ..watched }).unwrap();
    journal.events.iter().for_each(|e| drop(seen.event(e)));
    let now_ms = journal.events.last().unwrap().at_ms + 5_000;
    let rows = |screen: &mut Screen| screen.frame(now_ms, 24, 80).into_iter().take(2).collect::<Vec<_>>();
    assert!(rows(&mut seen)[0].contains("failed; again at"));
    assert!(rows(&mut followed)[1].contains("5/11 configure_hardware") && rows(&mut followed)[1].contains("MAAS shows Commissioning"));
    assert_eq!(rows(&mut followed)[1], rows(&mut seen)[1]);
    assert!(rows(&mut followed)[0].contains("failed; again at"));
    // It draws without waiting for an event.
    let pty = Pty::open(24, 80);
    let mut live = view(&pty, &watched);
    live.tick(now_ms);
    pty.wait("the lines", |s| s.contains("5/11 configure_hardware"));
    live.finish();
}

#[test]
fn a_resized_terminal_is_filled_again() {
    let journal = samples::under_way(2000);
    let pty = Pty::open(24, 80);
    let expected = measured(&journal);
    let mut live = view(&pty, &Watched { actions: &journal.actions, prior: None, expected: &expected });
    journal.events.iter().for_each(|e| live.event(e));
    let rows = |screen: &str| screen.lines().filter(|l| l.starts_with("  r0")).count();
    // A frame may be read while only a part of it is there.
    pty.wait("a small screen", |s| s.contains("more: ") && s.contains(" left (") && rows(s) == 17);
    pty.resize(50, 200);
    let large = pty.wait("a large screen", |s| rows(s) > 24);
    assert!(large.lines().any(|l| l.starts_with('[') && l.contains("2000 nodes")), "{large}");
    pty.resize(12, 60);
    let tiny = pty.wait("a tiny screen", |s| {
        s.lines().rev().take(2).all(|l| l.chars().count() < 60) && s.lines().count() <= 12 && s.contains(" left (")
    });
    assert!(tiny.contains("more: "), "{tiny}");
    live.finish();
}

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
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut self.0.lock().unwrap())).unwrap()
    }
}

#[test]
fn a_log_of_many_nodes_is_summed_up_when_nothing_is_said() {
    let journal = samples::under_way(2000);
    let (out, expected) = (Shared::default(), measured(&journal));
    let mut log = Lines::new(out.clone(), false, &Watched { actions: &journal.actions, prior: None, expected: &expected }).unwrap();
    journal.events.iter().for_each(|e| log.event(e));
    let text = out.take();
    let of_nodes = text.lines().filter(|l| l.contains(" node.r")).count();
    // Forty are done, one failed, another one, too, and is tried again; the hundreds of steps are not told.
    assert_eq!(of_nodes, 43, "{text}");
    assert!(text.contains("2000 nodes: their steps are summed up here"), "{text}");
    let last = journal.events.last().unwrap().at_ms;
    for second in 1..=95 {
        log.tick(last + second * 1000);
    }
    let sums = out.take();
    // Nothing was said for minutes: at once, and then every half minute.
    assert_eq!(sums.lines().count(), 4, "{sums}");
    let first = sums.lines().next().unwrap();
    for part in
        ["40 of 2000 nodes done, 100 in progress, 1 failed; in progress: 40 configure_hardware, 40 deploy_node; about ", " left (by "]
    {
        assert!(first.contains(part), "{part} in {first}");
    }
    // One that takes ten times as long as it did before is named.
    log.tick(last + 2_400_000);
    assert!(out.take().contains("; slowest: node.r02-n"));
    // Whatever is said puts the next sum off.
    let next = journal.actions.iter().rfind(|a| a.node.is_some()).unwrap().id.clone();
    let outcome = AttemptOutcome::Refused { message: "x".to_owned(), hint: None };
    let mut said = journal.events.last().unwrap().clone();
    said.at_ms = last + 2_425_000;
    said.event = EventKind::AttemptOutcome { action: next, attempt: 1, outcome, outputs: std::collections::BTreeMap::new() };
    log.event(&said);
    assert!(out.take().contains("REFUSED"));
    log.tick(last + 2_440_000);
    assert_eq!(out.take(), "");
}
