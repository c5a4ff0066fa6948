//! What every state promises, whatever it is kept in: each test is made with a file and with a database.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::build::Binding;
use crate::diff::{Memory, Origin};
use crate::run::{EVENT_VERSION, Event, EventKind, RunOutcome, Severity};

use super::*;

pub(super) fn holder() -> Holder {
    Holder { host: "h".to_owned(), user: "u".to_owned(), pid: 7 }
}

pub(super) fn request(run: &str) -> LockRequest {
    LockRequest {
        provisioner: "p".to_owned(),
        run: run.to_owned(),
        holder: holder(),
        now_ms: 1_795_375_800_000,
        lease: Duration::from_mins(1),
    }
}

pub(super) fn message(seq: u64) -> Event {
    Event {
        v: EVENT_VERSION,
        seq,
        at_ms: seq,
        event: EventKind::Message { severity: Severity::Info, action: None, text: format!("m{seq}") },
    }
}

pub(super) fn record(seq: u64) -> Record {
    Record { event: message(seq), writes: Vec::new() }
}

pub(super) fn new_run(id: &str) -> NewRun {
    NewRun {
        id: id.to_owned(),
        plan_digest: "d".to_owned(),
        plan: vec![0, 1, 2],
        goal: "deploy_nodes".to_owned(),
        selection: None,
        command: "drydock apply".to_owned(),
        holder: holder(),
        started_ms: 5,
    }
}

/// A state that a test opens as often as it wants.
pub(super) enum Site {
    /// In a file.
    File(tempfile::TempDir),
    /// In a database.
    #[cfg(feature = "postgres")]
    Database(PostgresOptions),
}

impl Site {
    pub(super) fn in_a_file() -> Self {
        Self::File(tempfile::tempdir().unwrap())
    }

    /// In a database of its own; `None` where there is no server, and that was said.
    #[cfg(feature = "postgres")]
    pub(super) fn in_a_database() -> Option<Self> {
        let server = server()?;
        Some(Self::at(&server.url()))
    }

    #[cfg(feature = "postgres")]
    pub(super) fn at(url: &str) -> Self {
        let mut options = PostgresOptions::new(crate::config::PostgresUrl::parse(url).unwrap());
        options.patience = Duration::from_secs(20);
        Self::Database(options)
    }

    pub(super) fn open(&self) -> Arc<dyn Store> {
        self.open_site("s")
    }

    pub(super) fn open_site(&self, site: &str) -> Arc<dyn Store> {
        match self {
            Self::File(folder) => Arc::new(SqliteStore::open(&folder.path().join("state.db"), site).unwrap()),
            #[cfg(feature = "postgres")]
            Self::Database(options) => Arc::new(PostgresStore::open(options, site).unwrap()),
        }
    }
}

/// The server of this process's tests; without one they say why they skip, and fail in CI.
#[cfg(feature = "postgres")]
#[allow(clippy::print_stderr)] // A test that skips says so.
pub(super) fn server() -> Option<&'static postgres_server::Server> {
    match postgres_server::Server::shared() {
        Ok(server) => Some(server),
        Err(why) => {
            assert!(!std::env::var("CI").is_ok_and(|v| v == "true"), "in CI this test must run: {why}");
            eprintln!("skipped: {why}");
            None
        }
    }
}

macro_rules! for_every_store {
    ($($name:ident,)*) => {
        mod file {
            $(#[test]
            fn $name() {
                super::$name(&super::Site::in_a_file());
            })*
        }

        #[cfg(feature = "postgres")]
        mod database {
            $(#[test]
            fn $name() {
                if let Some(site) = super::Site::in_a_database() {
                    super::$name(&site);
                }
            })*
        }
    };
}

for_every_store! {
    a_run_is_kept_with_its_events,
    a_batch_is_all_or_nothing,
    what_was_applied_is_remembered_and_forgotten,
    what_becomes_true_with_events_is_there_after_a_crash,
    build_data_have_a_history,
    the_journal_answers_when_records_are_durable,
    after_an_error_the_journal_writes_nothing_more,
    the_first_confirmation_counts,
    a_run_that_was_given_up_ended_incomplete,
    requests_are_kept_in_order_and_say_whether_a_run_is_paused,
    a_lock_is_held_once,
    without_its_lock_a_run_writes_nothing,
    what_belongs_to_no_run_is_not_written_while_one_may_be_under_way,
    sites_and_provisioners_have_locks_of_their_own,
    two_processes_never_both_hold_the_lock,
    a_run_is_followed_while_it_goes_on,
    a_copy_holds_what_the_state_does_and_is_made_once,
}

fn a_run_is_kept_with_its_events(place: &Site) {
    let store = place.open();
    let lock = store.lock(&request("r1")).unwrap().lock;
    store.create_run(&new_run("r1"), &lock.id, &record(1)).unwrap();
    store.append("r1", &lock.id, &[record(2), record(3)]).unwrap();
    drop(store);
    let store = place.open();
    assert_eq!(store.events("r1", 1).unwrap(), [message(2), message(3)]);
    assert_eq!(store.plan("r1").unwrap(), [0, 1, 2]);
    assert_eq!(store.plan("r2").unwrap_err().to_string(), "there is no run r2; `drydock runs` lists them");
    let row = store.run("r1").unwrap().unwrap();
    assert_eq!((row.outcome, row.ended_ms, row.started_ms), (None, None, 5));
    let mut last = record(4);
    last.writes.push(Write::RunEnded { run: "r1".to_owned(), outcome: RunOutcome::Failure, at_ms: 9 });
    store.append("r1", &lock.id, &[last]).unwrap();
    assert_eq!(store.runs().unwrap()[0].outcome, Some(RunOutcome::Failure));
    let other = place.open_site("other site");
    assert_eq!(other.runs().unwrap(), []);
}

fn a_batch_is_all_or_nothing(place: &Site) {
    let store = place.open();
    let lock = store.lock(&request("r1")).unwrap().lock;
    store.create_run(&new_run("r1"), &lock.id, &record(1)).unwrap();
    let mut second = record(2);
    second.writes.push(Write::Advance { resource: "r".to_owned() });
    store.append("r1", &lock.id, &[second, record(1)]).unwrap_err();
    assert_eq!(store.events("r1", 0).unwrap(), [message(1)]);
    assert_eq!(store.memory().unwrap().generations.len(), 0);
}

fn what_was_applied_is_remembered_and_forgotten(place: &Site) {
    let store = place.open();
    let applied = |resource: &str, origin, value: u32| Write::Applied {
        resource: resource.to_owned(),
        origin,
        attributes: json!({"v": value}).into(),
        action: "a".to_owned(),
    };
    store
        .write(&[
            Write::Binding { node: "n".to_owned(), binding: Binding { uuid: Some("u".to_owned()), ..Binding::default() } },
            Write::Advance { resource: "node.n".to_owned() },
            Write::Advance { resource: "node.n".to_owned() },
            applied("node.n", Origin::Created, 1),
            applied("node.n/storage", Origin::Created, 2),
            applied("node.n2", Origin::Adopted, 3),
            applied("node.n2", Origin::Created, 4),
            Write::Rejected { resource: "tag.t".to_owned(), params: json!({"x": 1}).into(), message: "no XPath".to_owned() },
            Write::Duration { kind: "deploy_node".to_owned(), ms: 10 },
            Write::Duration { kind: "deploy_node".to_owned(), ms: 30 },
        ])
        .unwrap();
    let memory = store.memory().unwrap();
    assert_eq!(memory.bindings["n"].uuid.as_deref(), Some("u"));
    assert_eq!(memory.generations["node.n"], 2);
    assert_eq!(memory.last_applied["node.n2"].origin, Origin::Adopted, "how it became ours is kept");
    assert_eq!(memory.last_applied["node.n2"].attributes, json!({"v": 4}));
    assert_eq!(memory.rejections["tag.t"].message, "no XPath");
    assert_eq!(store.durations().unwrap()["deploy_node"].mean_ms(), Some(20));
    store.write(&[Write::Forget { resource: "node.n".to_owned() }, Write::ClearRejection { resource: "tag.t".to_owned() }]).unwrap();
    let memory = store.memory().unwrap();
    assert_eq!(memory.last_applied.keys().collect::<Vec<_>>(), ["node.n2"]);
    assert_eq!(memory.rejections.len(), 0);
    assert_eq!(memory.generations["node.n"], 2, "generations only advance");
}

fn what_becomes_true_with_events_is_there_after_a_crash(place: &Site) {
    let applied = |value: u32| Write::Applied {
        resource: "node.n/storage".to_owned(),
        origin: if value == 1 { Origin::Created } else { Origin::Adopted },
        attributes: json!({"v": value}).into(),
        action: "a".to_owned(),
    };
    let rejected = Write::Rejected { resource: "tag.t".to_owned(), params: json!({"x": 1}).into(), message: "no XPath".to_owned() };
    let steps: Vec<Vec<Write>> = vec![
        vec![Write::Advance { resource: "node.n".to_owned() }, applied(1)],
        vec![rejected.clone(), Write::Duration { kind: "deploy_node".to_owned(), ms: 10 }],
        vec![Write::Forget { resource: "node.n".to_owned() }, applied(2)],
        vec![Write::ClearRejection { resource: "tag.t".to_owned() }, Write::Advance { resource: "node.n".to_owned() }],
        vec![applied(3), Write::Duration { kind: "deploy_node".to_owned(), ms: 30 }],
    ];
    {
        let store = place.open();
        let lock = store.lock(&request("r")).unwrap().lock;
        store.create_run(&new_run("r"), &lock.id, &record(1)).unwrap();
        for (seq, writes) in (2..).zip(&steps) {
            store.append("r", &lock.id, &[Record { event: message(seq), writes: writes.clone() }]).unwrap();
        }
        // The process ends here without ending its run.
    }
    let store = place.open();
    let memory = store.memory().unwrap();
    assert_eq!(memory.generations["node.n"], 2);
    assert_eq!(memory.last_applied["node.n/storage"].attributes, json!({"v": 3}));
    assert_eq!(memory.last_applied["node.n/storage"].origin, Origin::Adopted, "it was forgotten in between");
    assert_eq!(memory.rejections.len(), 0);
    assert_eq!(store.durations().unwrap()["deploy_node"], KindDuration { total_ms: 40, count: 2 });
    assert_eq!(store.memory().unwrap().generations["node.n"], 2, "made once");
}

fn build_data_have_a_history(place: &Site) {
    let store = place.open();
    for at_ms in [1, 2] {
        store
            .write(&[Write::BuildData {
                node: "n".to_owned(),
                name: "lshw".to_owned(),
                at_ms,
                run: "r".to_owned(),
                text: format!("x{at_ms}"),
            }])
            .unwrap();
    }
    let texts: Vec<String> = store.build_data("n").unwrap().into_iter().map(|d| d.text).collect();
    assert_eq!(texts, ["x2", "x1"]);
}

fn the_journal_answers_when_records_are_durable(place: &Site) {
    let store = place.open();
    let lock = store.lock(&request("r1")).unwrap().lock;
    store.create_run(&new_run("r1"), &lock.id, &record(1)).unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = {
        let heard = Arc::clone(&heard);
        Box::new(move |event: &Event| heard.lock().unwrap().push(event.seq))
    };
    let journal = Journal::start(Arc::clone(&store), "r1".to_owned(), lock.id.clone(), Arc::default(), listener).unwrap();
    let (sender, answers) = std::sync::mpsc::channel();
    for seq in 2..500 {
        let (sender, store) = (sender.clone(), Arc::clone(&store));
        let ack: Ack = Box::new(move |result| {
            let durable = store.events("r1", seq - 1).is_ok_and(|events| !events.is_empty());
            sender.send((seq, result.is_ok(), durable)).unwrap();
        });
        journal.append(record(seq), if seq % 50 == 0 { Some(ack) } else { None });
    }
    journal.close();
    assert_eq!(*heard.lock().unwrap(), (2..500).collect::<Vec<u64>>());
    assert_eq!(answers.try_iter().collect::<Vec<_>>(), (1..10).map(|i| (i * 50, true, true)).collect::<Vec<_>>());
    assert_eq!(store.events("r1", 0).unwrap().len(), 499);
}

fn after_an_error_the_journal_writes_nothing_more(place: &Site) {
    let store = place.open();
    let lock = store.lock(&request("r1")).unwrap().lock;
    store.create_run(&new_run("r1"), &lock.id, &record(1)).unwrap();
    let journal = Journal::start(Arc::clone(&store), "r1".to_owned(), lock.id.clone(), Arc::default(), Box::new(|_| ())).unwrap();
    let (sender, answers) = std::sync::mpsc::channel();
    // The second one has the number of the first and cannot be written; what follows it must not be either.
    for (seq, durable) in [(2, true), (2, false), (3, false)] {
        let sender = sender.clone();
        journal.append(record(seq), Some(Box::new(move |result| sender.send(result.is_ok()).unwrap())));
        assert_eq!(answers.recv().unwrap(), durable);
    }
    journal.close();
    assert_eq!(store.events("r1", 0).unwrap().len(), 2);
}

fn the_first_confirmation_counts(place: &Site) {
    let store = place.open();
    let lock = store.lock(&request("r1")).unwrap().lock;
    store.create_run(&new_run("r1"), &lock.id, &record(1)).unwrap();
    store.confirm("r1", "a", "ops@h", 1).unwrap();
    place.open().confirm("r1", "a", "eve@h", 2).unwrap();
    assert_eq!(store.confirmations("r1").unwrap().into_iter().collect::<Vec<_>>(), [("a".to_owned(), "ops@h".to_owned())]);
    assert_eq!(store.confirmations("r2").unwrap().len(), 0);
}

fn requests_are_kept_in_order_and_say_whether_a_run_is_paused(place: &Site) {
    let store = place.open();
    let lock = store.lock(&request("r1")).unwrap().lock;
    for run in ["r1", "r2"] {
        store.create_run(&new_run(run), &lock.id, &record(1)).unwrap();
    }
    assert_eq!(paused_by(&store.requests("r1", 0).unwrap()), None);
    store.request("r1", RunRequest::Pause, "a@h", 1).unwrap();
    store.request("r2", RunRequest::Stop, "b@h", 2).unwrap();
    store.request("r1", RunRequest::StopNow, "c@h", 3).unwrap();
    // Another process reads them.
    let rows = place.open().requests("r1", 0).unwrap();
    let what: Vec<_> = rows.iter().map(|r| (r.request, r.by.as_str(), r.at_ms)).collect();
    assert_eq!(what, [(RunRequest::Pause, "a@h", 1), (RunRequest::StopNow, "c@h", 3)]);
    assert_eq!(paused_by(&rows), Some("a@h"), "a stop is no continue");
    assert_eq!(store.requests("r1", rows[0].id).unwrap(), rows[1..]);
    assert_eq!(store.requests("r1", rows[1].id).unwrap(), []);
    store.request("r1", RunRequest::Continue, "d@h", 4).unwrap();
    assert_eq!(paused_by(&store.requests("r1", 0).unwrap()), None);
}

fn a_run_that_was_given_up_ended_incomplete(place: &Site) {
    let store = place.open();
    let lock = store.lock(&request("r1")).unwrap().lock;
    store.create_run(&new_run("r1"), &lock.id, &record(1)).unwrap();
    let abandoned = Write::RunAbandoned { run: "r1".to_owned(), at_ms: 9 };
    store.append("r1", &lock.id, &[Record { event: message(2), writes: vec![abandoned] }]).unwrap();
    let row = place.open().run("r1").unwrap().unwrap();
    assert_eq!((row.outcome, row.ended_ms, row.abandoned_ms), (Some(RunOutcome::Incomplete), Some(9), Some(9)));
}

fn a_lock_is_held_once(place: &Site) {
    let store = place.open();
    let grant = store.lock(&request("r1")).unwrap();
    assert_eq!(grant.from, None);
    store.create_run(&new_run("r1"), &grant.lock.id, &record(1)).unwrap();
    let other = place.open();
    let error = other.lock(&request("r2")).unwrap_err();
    assert!(matches!(&error, StoreError::Locked(held) if held.id == grant.lock.id && held.run == "r1"), "{error}");
    assert!(error.to_string().starts_with("site s at p is locked by run r1 of u on h (pid 7), since 20"), "{error}");
    let before = store.locks().unwrap().remove(0);
    store.refresh_lock(&grant.lock.id, Duration::from_hours(2)).unwrap();
    let after = other.locks().unwrap().remove(0);
    assert!(after.lease_until_ms >= before.lease_until_ms + 60_000, "{before:?} {after:?}");
    store.release_lock(&grant.lock.id).unwrap();
    store.release_lock(&grant.lock.id).unwrap();
    assert_eq!(other.locks().unwrap(), []);
    other.lock(&request("r2")).unwrap();
}

fn what_belongs_to_no_run_is_not_written_while_one_may_be_under_way(place: &Site) {
    let (store, other) = (place.open(), place.open());
    let write = [Write::Advance { resource: "r".to_owned() }];
    let own = LockRequest { holder: super::Holder::current(), ..request("r1") };
    let lock = store.lock(&own).unwrap().lock;
    // Also where only its lock is there so far.
    let refused = |store: &dyn Store| matches!(store.write(&write).unwrap_err(), StoreError::Locked(held) if held.id == lock.id);
    assert!(refused(&*other));
    store.create_run(&new_run("r1"), &lock.id, &record(1)).unwrap();
    assert!(refused(&*other) && refused(&*store));
    assert_eq!(store.memory().unwrap(), Memory::default());
    place.open_site("another").write(&write).unwrap();
    store.release_lock(&lock.id).unwrap();
    other.write(&write).unwrap();
    assert_eq!(store.memory().unwrap().generations["r"], 1);
}

fn without_its_lock_a_run_writes_nothing(place: &Site) {
    let store = place.open();
    let lock = store.lock(&request("r1")).unwrap().lock;
    store.create_run(&new_run("r1"), &lock.id, &record(1)).unwrap();
    let other = place.open();
    assert!(other.unlock(&lock.id).unwrap());
    assert!(!other.unlock(&lock.id).unwrap());
    let mut late = record(2);
    late.writes.push(Write::Advance { resource: "r".to_owned() });
    assert_eq!(store.append("r1", &lock.id, &[late]).unwrap_err(), StoreError::LockLost);
    assert_eq!(store.create_run(&new_run("r2"), &lock.id, &record(1)).unwrap_err(), StoreError::LockLost);
    assert_eq!(store.refresh_lock(&lock.id, Duration::from_mins(1)).unwrap_err(), StoreError::LockLost);
    assert_eq!((store.events("r1", 0).unwrap().len(), store.runs().unwrap().len()), (1, 1));
    assert_eq!(store.memory().unwrap(), Memory::default());
}

fn sites_and_provisioners_have_locks_of_their_own(place: &Site) {
    let store = place.open();
    store.lock(&request("r1")).unwrap();
    let elsewhere = LockRequest { provisioner: "q".to_owned(), ..request("r2") };
    place.open().lock(&elsewhere).unwrap();
    place.open_site("t").lock(&request("r3")).unwrap();
    let runs: BTreeSet<String> = store.locks().unwrap().into_iter().map(|lock| lock.run).collect();
    assert_eq!(runs, BTreeSet::from(["r1".to_owned(), "r2".to_owned()]));
}

fn a_run_is_followed_while_it_goes_on(place: &Site) {
    let store = place.open();
    let lock = store.lock(&request("r1")).unwrap().lock;
    store.create_run(&new_run("r1"), &lock.id, &record(1)).unwrap();
    let follower = place.open();
    let mut seen = Vec::new();
    for seq in 2..20 {
        store.append("r1", &lock.id, &[record(seq)]).unwrap();
        let after = seen.last().copied().unwrap_or(0);
        seen.extend(follower.events("r1", after).unwrap().iter().map(|e| e.seq));
        // Reading what a run has changed disturbs neither.
        follower.memory().unwrap();
    }
    assert_eq!(seen, (1..20).collect::<Vec<u64>>());
}

fn a_copy_holds_what_the_state_does_and_is_made_once(place: &Site) {
    let store = place.open();
    let lock = store.lock(&request("r1")).unwrap().lock;
    let mut first = record(1);
    first.writes.push(Write::Binding { node: "n".to_owned(), binding: Binding { uuid: Some("u".to_owned()), ..Binding::default() } });
    store.create_run(&new_run("r1"), &lock.id, &first).unwrap();
    let applied = Write::Applied {
        resource: "node.n".to_owned(),
        origin: Origin::Created,
        attributes: json!({"v": 1}).into(),
        action: "a".to_owned(),
    };
    let data = Write::BuildData { node: "n".to_owned(), name: "lshw".to_owned(), at_ms: 1, run: "r1".to_owned(), text: "x".to_owned() };
    let rejected = Write::Rejected { resource: "tag.t".to_owned(), params: json!({"x": 1}).into(), message: "no XPath".to_owned() };
    let took = Write::Duration { kind: "deploy_node".to_owned(), ms: 10 };
    let writes = vec![Write::Advance { resource: "node.n".to_owned() }, applied, data, rejected, took];
    store.append("r1", &lock.id, &[Record { event: message(2), writes }]).unwrap();
    store.confirm("r1", "a", "ops@h", 1).unwrap();
    let other = place.open_site("t");
    other.write(&[Write::Advance { resource: "r".to_owned() }]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("copy.db");
    store.copy_to(&file).unwrap();
    assert_eq!(store.copy_to(&file).unwrap_err(), StoreError::Exists { path: file.clone() });
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    // It goes on by itself from then on.
    let ended = Write::RunEnded { run: "r1".to_owned(), outcome: RunOutcome::Success, at_ms: 9 };
    store.append("r1", &lock.id, &[Record { event: message(3), writes: vec![ended] }]).unwrap();
    let copy = SqliteStore::open(&file, "s").unwrap();
    assert_eq!(copy.runs().unwrap()[0].outcome, None);
    assert_eq!(copy.events("r1", 0).unwrap(), [message(1), message(2)]);
    assert_eq!(copy.plan("r1").unwrap(), [0, 1, 2]);
    assert_eq!(copy.memory().unwrap(), store.memory().unwrap());
    assert_eq!(copy.build_data("n").unwrap(), store.build_data("n").unwrap());
    assert_eq!(copy.confirmations("r1").unwrap(), store.confirmations("r1").unwrap());
    assert_eq!(copy.locks().unwrap()[0].id, lock.id);
}

/// How often the lock is taken by both processes of a race together.
const ROUNDS: u32 = 1_000;

/// Environment of a process in a race: where the state is, and where it leaves its marks.
const RACE: [&str; 2] = ["DRYDOCK_TEST_RACE_STATE", "DRYDOCK_TEST_RACE_MARKS"];

/// Two processes take the lock as fast as they can. Who has it makes a file that must not be there, and removes it before the lock is given back.
fn two_processes_never_both_hold_the_lock(place: &Site) {
    place.open();
    let marks = tempfile::tempdir().unwrap();
    let state = match place {
        Site::File(folder) => folder.path().join("state.db").display().to_string(),
        #[cfg(feature = "postgres")]
        Site::Database(options) => {
            let url = &options.url;
            format!("postgres://drydock@{}:{}/{}", url.hosts[0], url.port, url.database)
        }
    };
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::suite::a_process_in_a_race", "--nocapture"])
            .env(RACE[0], &state)
            .env(RACE[1], marks.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let outputs = [start(), start()].map(|child| child.wait_with_output().unwrap());
    let mut sums = (0, 0);
    for output in outputs {
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{text}");
        let line = text.lines().find_map(|l| l.split_once("race: ").map(|(_, counts)| counts)).expect(&text);
        let (taken, refused) = line.split_once(' ').unwrap();
        sums.0 += taken.parse::<u32>().unwrap();
        sums.1 += refused.parse::<u32>().unwrap();
    }
    assert_eq!(sums.0, ROUNDS);
    assert!(sums.1 >= 10, "they raced: {} refusals", sums.1);
}

#[test]
#[allow(clippy::print_stdout)]
fn a_process_in_a_race() {
    let [Ok(state), Ok(marks)] = RACE.map(std::env::var) else { return };
    #[cfg(feature = "postgres")]
    let place = state.starts_with("postgres:").then(|| Site::at(&state));
    #[cfg(not(feature = "postgres"))]
    let place: Option<Site> = None;
    let store = place.map_or_else(|| Arc::new(SqliteStore::open(Path::new(&state), "s").unwrap()) as Arc<dyn Store>, |p| p.open());
    let (own, mark) = (std::process::id().to_string(), |name: &str| Path::new(&marks).join(name));
    // Marks of the other process of a kind.
    let others = |kind: &str| -> Vec<std::path::PathBuf> {
        let names = std::fs::read_dir(&marks).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.strip_prefix(kind).is_some_and(|pid| pid != own)).map(|name| mark(&name)).collect()
    };
    std::fs::write(mark(&format!("ready-{own}")), "").unwrap();
    while others("ready-").is_empty() {
        std::thread::yield_now();
    }
    let (mut taken, mut refused) = (0, 0);
    while taken < ROUNDS / 2 {
        let run = format!("r{own}");
        match store.lock(&LockRequest { holder: Holder::current(), ..request(&run) }) {
            Ok(grant) => {
                std::fs::File::options().write(true).create_new(true).open(mark("inside")).expect("the other one holds the lock, too");
                taken += 1;
                if taken % 50 == 0 {
                    // It is held until the other one was seen to want it.
                    for file in others("refused-") {
                        drop(std::fs::remove_file(file));
                    }
                    let until = Instant::now() + Duration::from_secs(60);
                    while others("refused-").is_empty() && others("done-").is_empty() {
                        assert!(Instant::now() < until, "the other one has ended");
                        std::thread::yield_now();
                    }
                }
                std::fs::remove_file(mark("inside")).unwrap();
                store.release_lock(&grant.lock.id).unwrap();
            }
            Err(StoreError::Locked(_)) => {
                refused += 1;
                std::fs::write(mark(&format!("refused-{own}")), "").unwrap();
            }
            Err(error) => panic!("{error}"),
        }
    }
    std::fs::write(mark(&format!("done-{own}")), "").unwrap();
    println!("\nrace: {taken} {refused}");
}

/// Numbers that look like chance, the same each time.
#[cfg(feature = "postgres")]
struct Dice(u64);

#[cfg(feature = "postgres")]
impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn write(&mut self) -> Write {
        let names = ["node.a", "node.a/storage", "node.a/x", "node.a0", "node.ab", "tag.é"];
        let resource = names[self.roll(6) as usize].to_owned();
        match self.roll(7) {
            0 => Write::Binding { node: resource, binding: Binding { uuid: Some(format!("u{}", self.roll(9))), ..Binding::default() } },
            1 => Write::Advance { resource },
            2 => Write::Applied {
                resource,
                origin: if self.roll(2) == 0 { Origin::Created } else { Origin::Adopted },
                attributes: json!({"v": self.roll(100)}).into(),
                action: "a".to_owned(),
            },
            3 => Write::Forget { resource },
            4 => Write::Rejected { resource, params: json!({"p": self.roll(9)}).into(), message: format!("m{}", self.roll(9)) },
            5 => Write::ClearRejection { resource },
            _ => Write::Duration { kind: resource, ms: self.roll(50) },
        }
    }
}

/// The same changes come to the same, whether they are made one by one in a file or added up in a database.
#[cfg(feature = "postgres")]
#[test]
fn a_database_remembers_what_a_file_does() {
    let Some(database) = Site::in_a_database() else { return };
    let file = Site::in_a_file();
    for seed in 0..25 {
        let site = format!("s{seed}");
        let mut memories = Vec::new();
        for place in [&file, &database] {
            let mut dice = Dice(seed);
            let store = place.open_site(&site);
            let run = format!("r{seed}");
            let mut lock = store.lock(&request(&run)).unwrap().lock;
            store.create_run(&new_run(&run), &lock.id, &Record { event: message(1), writes: vec![dice.write(), dice.write()] }).unwrap();
            let mut between = Vec::new();
            for seq in 2..14 {
                let writes = (0..dice.roll(6)).map(|_| dice.write()).collect();
                store.append(&run, &lock.id, &[Record { event: message(seq), writes }]).unwrap();
                if dice.roll(4) == 0 {
                    store.release_lock(&lock.id).unwrap();
                    store.write(&[dice.write()]).unwrap();
                    lock = store.lock(&request(&run)).unwrap().lock;
                }
                if dice.roll(4) == 0 {
                    between.push(store.memory().unwrap());
                }
            }
            between.push(store.memory().unwrap());
            memories.push(between);
        }
        assert_eq!(memories[0], memories[1], "seed {seed}");
    }
}
