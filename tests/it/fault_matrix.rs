//! Each call of the MAAS driver fails once, in every way that a server can fail. Whatever happens, the run can be resumed and ends as it would have ended without
//! the fault, nothing is made twice, and what is said names the call, the answer and what to do.
//!
//! Calls are those of `src/driver/maas/calls.rs`: one that no stage reaches, or that is made and not listed there, fails the test.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use drydock::sim::{FaultRule, Moment};
use serde_json::Value;

use crate::fault_stages::{Case, Stage, all_calls, matches, rule, stages};

/// A way to fail.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    fault: fn() -> FaultRule,
    /// What a message about it says.
    says: &'static str,
    /// Whether a call that may be repeated at once is, and nobody needs to hear of it. Of reads and changes.
    repeated: (bool, bool),
    /// Whether MAAS has refused something.
    refused: bool,
}

impl Way {
    const fn new(name: &'static str, fault: fn() -> FaultRule, says: &'static str) -> Self {
        Self { name, fault, says, repeated: (false, false), refused: false }
    }

    const fn repeated(mut self, reads: bool, changes: bool) -> Self {
        self.repeated = (reads, changes);
        self
    }

    const fn refused(mut self) -> Self {
        self.refused = true;
        self
    }
}

fn answer(status: u16, body: &str) -> FaultRule {
    FaultRule { status: Some(status), body: Some(body.to_owned()), ..FaultRule::default() }
}

const WAYS: [Way; 10] = [
    Way::new("timeout", || FaultRule { hang_ms: Some(9000), ..FaultRule::default() }, "no answer within 1 s"),
    Way::new("reset", || FaultRule { drop: Some(Moment::BeforeEffect), ..FaultRule::default() }, "connection").repeated(true, true),
    Way::new("lost answer", || FaultRule { drop: Some(Moment::AfterEffect), ..FaultRule::default() }, "connection").repeated(true, true),
    Way::new("500", || answer(500, "Traceback (most recent call last)"), "answered 500 Internal Server Error: Traceback")
        .repeated(true, false),
    Way::new(
        "503",
        || FaultRule { retry_after_s: Some(0), ..answer(503, "Unable to connect to any rack controller") },
        "answered 503 Service Unavailable: Unable to connect to any rack controller",
    )
    .repeated(true, true),
    Way::new(
        "409",
        || answer(409, "Conflict error. Try your request again, as it will most likely succeed."),
        "answered 409 Conflict: Conflict error.",
    )
    .repeated(true, false),
    Way::new("404", || answer(404, "No Machine matches the given query."), "answered 404 Not Found: No Machine matches").refused(),
    Way::new("400", || answer(400, "{\"__all__\": [\"not now\"]}"), "answered 400 Bad Request: not now").refused(),
    Way::new("no JSON", || answer(200, "<html>Log in</html>"), "answered 200 with"),
    Way::new("other JSON", || answer(200, "{\"other\": [1]}"), "answered 200 with JSON of another shape"),
];

/// What is never done a second time: what makes something new, or begins something. Disks are laid out from the beginning where that was interrupted; which
/// link has the default gateway may be said twice.
fn is_done_once(call: &str) -> bool {
    call.starts_with("POST ")
        && !call.contains("set_default_gateway")
        && !call.contains("blockdevices")
        && !call.contains("volume-group")
        && !call.contains("set_storage_layout")
}

/// Whether it is a step of a layout of disks: it is made again where the machine does not show it, and nobody needs to hear of it.
fn is_step_of_layout(call: &str) -> bool {
    call.starts_with("POST ") && ["blockdevices", "volume-group", "set_storage_layout"].iter().any(|part| call.contains(part))
}

/// One call that fails once.
struct Cell<'a> {
    stage: &'a Stage,
    call: &'static str,
    /// The first, or the second time that it is made.
    nth: u64,
    way: Way,
}

impl Cell<'_> {
    fn label(&self) -> String {
        format!("{}|{}|{}|{}", self.stage.name, self.call, self.nth, self.way.name)
    }

    /// What is wrong with how it went.
    fn problems(&self) -> Vec<String> {
        let base = rule(self.call);
        let fault =
            FaultRule { server: base.server, method: base.method, path: base.path, op: base.op, nth: self.nth, ..(self.way.fault)() };
        let case = self.stage.case(&fault);
        let mut said = String::new();
        let mut run = |arguments: &[&str]| {
            let ended = case.run(arguments);
            write!(said, "$ {}\n{}{}", arguments.join(" "), ended.stdout, ended.stderr).unwrap();
            ended.code
        };
        let mut exits = vec![run(self.stage.command)];
        let mut left = run(self.stage.check);
        let at_once = exits[0] == 0 && left == 0;
        for again in [&["resume", "--json"], self.stage.command, self.stage.command] {
            if left == 0 && *exits.last().unwrap() == 0 {
                break;
            }
            exits.push(run(again));
            left = run(self.stage.check);
        }
        let mut problems = Vec::new();
        let mut check = |right: bool, what: String| {
            if !right {
                problems.push(what);
            }
        };
        let world = case.world();
        check(matches(&world, &fault) >= self.nth, "the fault did not hit".to_owned());
        check(left == 0, format!("something is left to do: exits {exits:?}, then {left}"));
        // 6: MAAS could not be read at all, and nothing was planned.
        check(exits.iter().all(|e| [0, 1, 4, 6, 7].contains(e)), format!("exits {exits:?}"));
        check(!said.contains("internal error"), "it broke down".to_owned());
        let differences = Case::differences(&world, &self.stage.reference);
        check(differences.is_empty(), format!("{differences:#?}"));
        for (call, times) in case.changes() {
            let usual = self.stage.reference.changes.get(&call).copied().unwrap_or(0);
            // What failed once and may pass is no reason to clear all disks once more.
            let kept = !self.way.refused && is_step_of_layout(self.call) && call.contains("set_storage_layout") && call != self.call;
            check(!(kept || is_done_once(&call)) || times <= usual, format!("{call} was done {times} times instead of {usual}"));
        }
        self.judge(at_once, &exits, &said, &mut check);
        if !problems.is_empty() {
            problems.push(said);
        }
        problems
    }

    /// Whether it ended as this way of failing is to end, and was told of.
    fn judge(&self, at_once: bool, exits: &[i32], said: &str, check: &mut impl FnMut(bool, String)) {
        let reads = self.call.starts_with("GET ");
        // Wherever its lines break.
        let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
        let told = flat.contains(self.way.says) && flat.contains("MAAS: ");
        let unheard = if reads { self.way.repeated.0 } else { self.way.repeated.1 && !self.call.starts_with("POST ") };
        if unheard {
            check(at_once, format!("it is not repeated at once: exits {exits:?}"));
        } else if at_once && (reads || is_step_of_layout(self.call)) {
            // It was asked again, or nothing rests on it.
        } else {
            check(told, format!("nobody said `{}`: exits {exits:?}", self.way.says));
        }
        if !reads {
            let first = if self.way.refused { 4 } else { 0 };
            check(exits[0] == first, format!("the first run ended with {} instead of {first}", exits[0]));
            check(at_once != self.way.refused, format!("at once: {at_once}"));
        }
        // Whatever failed says what to do.
        for event in said.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok()) {
            let outcome = &event["event"]["outcome"];
            if matches!(outcome["result"].as_str(), Some("failed" | "refused")) {
                check(outcome["hint"].is_string(), format!("no hint: {outcome}"));
            }
        }
    }
}

/// Every call of the table, where it is first reached, in every way. A read that a plan needs and its actions as well fails the first time in half of the
/// ways, and the second time in the others; or in all ways both times.
fn cells(stages: &[Stage], both: bool) -> Vec<Cell<'_>> {
    let mut cells = Vec::new();
    for call in all_calls() {
        let stage = stages.iter().find(|s| s.reference.calls.contains_key(call));
        let stage = stage.unwrap_or_else(|| panic!("no stage makes the call `{call}`: give it one in tests/it/fault_stages.rs"));
        let again = call.starts_with("GET ") && stage.reference.calls[call] > 1;
        for (at, way) in WAYS.into_iter().enumerate() {
            for nth in [1, 2] {
                let chosen = if again { 1 + (cells.len() / WAYS.len() + at) % 2 } else { 1 };
                if (both && again) || nth == chosen {
                    cells.push(Cell { stage, call, nth: nth as u64, way });
                }
            }
        }
    }
    cells
}

fn run(both: bool) {
    let stages = stages();
    for stage in stages {
        assert_eq!(stage.reference.other_reads, 0, "{}: reads that are not in src/driver/maas/calls.rs", stage.name);
        let other: Vec<&String> = stage.reference.changes.keys().filter(|call| !all_calls().contains(&call.as_str())).collect();
        assert!(other.is_empty(), "{}: {other:?}", stage.name);
    }
    let mut cells = cells(stages, both);
    let all = cells.len();
    if let Ok(only) = std::env::var("DRYDOCK_CELLS") {
        cells.retain(|c| c.label().contains(&only));
    }
    let (next, problems) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        // Most of the time a cell waits.
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = cell.problems();
                    if !found.is_empty() {
                        eprintln!("{}: {}", cell.label(), found[0]);
                        problems.lock().unwrap().insert(cell.label(), found);
                    }
                }
            });
        }
    });
    let problems = problems.into_inner().unwrap();
    let calls: BTreeSet<&str> = cells.iter().map(|c| c.call).collect();
    eprintln!("{} calls in {} ways: {} of {all} cells run, {} with problems", calls.len(), WAYS.len(), cells.len(), problems.len());
    let first = problems.values().next().map(|p| p.join("\n")).unwrap_or_default();
    assert!(problems.is_empty(), "the first of them (DRYDOCK_CELLS=… runs some alone):\n{first}");
}

#[test]
fn every_call_fails_once_in_every_way() {
    run(false);
}

#[test]
#[ignore = "takes a quarter of an hour; run alone"]
fn every_call_fails_once_in_every_way_wherever_it_is_made() {
    run(true);
}
