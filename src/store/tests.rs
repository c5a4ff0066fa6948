//! What the state promises.

use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::build::Binding;
use crate::diff::Origin;
use crate::run::{EVENT_VERSION, Event, EventKind, RunOutcome, Severity};

use super::*;

fn holder() -> Holder {
    Holder { host: "h".to_owned(), user: "u".to_owned(), pid: 7 }
}

fn request(run: &str) -> LockRequest {
    LockRequest {
        provisioner: "p".to_owned(),
        run: run.to_owned(),
        holder: holder(),
        now_ms: 1_795_375_800_000,
        lease_until_ms: 1_795_375_860_000,
    }
}

fn message(seq: u64) -> Event {
    Event {
        v: EVENT_VERSION,
        seq,
        at_ms: seq,
        event: EventKind::Message { severity: Severity::Info, action: None, text: format!("m{seq}") },
    }
}

fn record(seq: u64) -> Record {
    Record { event: message(seq), writes: Vec::new() }
}

fn new_run(id: &str) -> NewRun {
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

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join(".drydock/state.db")
    }

    fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.path(), "s").unwrap()
    }
}

#[test]
fn the_file_is_for_its_owner_only() {
    let place = Place::new();
    let store = place.open();
    store.write(&[Write::Advance { resource: "r".to_owned() }]).unwrap();
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        let mode = std::fs::metadata(place.path().with_file_name(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(std::fs::metadata(place.path().parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_run_is_kept_with_its_events() {
    let place = Place::new();
    let store = place.open();
    let lock = store.lock(&request("r1")).unwrap();
    store.create_run(&new_run("r1"), &lock.id, &record(1)).unwrap();
    store.append("r1", &lock.id, &[record(2), record(3)]).unwrap();
    drop(store);
    let store = place.open();
    assert_eq!(store.events("r1", 1).unwrap(), [message(2), message(3)]);
    assert_eq!(store.plan("r1").unwrap(), [0, 1, 2]);
    assert_eq!(store.plan("r2").unwrap_err().to_string(), "there is no run r2; `drydock runs` lists them");
    let row = store.run("r1").unwrap().unwrap();
    assert_eq!((row.outcome, row.ended_ms, row.started_ms), (None, None, 5));
    store.write(&[Write::RunEnded { run: "r1".to_owned(), outcome: RunOutcome::Failure, at_ms: 9 }]).unwrap();
    assert_eq!(store.runs().unwrap()[0].outcome, Some(RunOutcome::Failure));
    let other = SqliteStore::open(&place.path(), "other site").unwrap();
    assert_eq!(other.runs().unwrap(), []);
}

#[test]
fn a_batch_is_all_or_nothing() {
    let place = Place::new();
    let store = place.open();
    let lock = store.lock(&request("r1")).unwrap();
    store.create_run(&new_run("r1"), &lock.id, &record(1)).unwrap();
    let mut second = record(2);
    second.writes.push(Write::Advance { resource: "r".to_owned() });
    store.append("r1", &lock.id, &[second, record(1)]).unwrap_err();
    assert_eq!(store.events("r1", 0).unwrap(), [message(1)]);
    assert_eq!(store.memory().unwrap().generations.len(), 0);
}

#[test]
fn what_was_applied_is_remembered_and_forgotten() {
    let place = Place::new();
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

#[test]
fn what_becomes_true_with_events_is_there_after_a_crash() {
    let place = Place::new();
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
        let lock = store.lock(&request("r")).unwrap();
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

/// Bytes that a run of so many actions writes, in batches of 64 events. Neighbours in time are not neighbours by name.
fn bytes_written(actions: u64) -> u64 {
    let place = Place::new();
    let store = place.open();
    store.keep_log_for_tests();
    let lock = store.lock(&request("r")).unwrap();
    store.create_run(&new_run("r"), &lock.id, &record(1)).unwrap();
    let outcomes: Vec<Record> = (0..actions)
        .map(|i| {
            let resource = format!("node.{:08x}/storage", i.wrapping_mul(2_654_435_761) & 0xffff_ffff);
            let applied = Write::Applied {
                resource: resource.clone(),
                origin: Origin::Created,
                attributes: json!({"hostname": resource, "tags": ["a", "b"]}).into(),
                action: format!("{i:020}"),
            };
            Record { event: message(i + 2), writes: vec![Write::Advance { resource }, applied] }
        })
        .collect();
    for batch in outcomes.chunks(64) {
        store.append("r", &lock.id, batch).unwrap();
    }
    let ended = Write::RunEnded { run: "r".to_owned(), outcome: RunOutcome::Success, at_ms: 9 };
    store.append("r", &lock.id, &[Record { event: message(actions + 2), writes: vec![ended] }]).unwrap();
    assert_eq!(store.memory().unwrap().last_applied.len() as u64, actions);
    let mut log = place.path().into_os_string();
    log.push("-wal");
    std::fs::metadata(log).unwrap().len()
}

#[test]
fn bytes_grow_as_the_run_does() {
    let (small, large) = (bytes_written(800), bytes_written(8_000));
    assert!(large < small * 11, "{small} bytes for 800 actions, {large} for 8000");
    assert!(large < 8_000 * 2_048, "{large} bytes for 8000 actions");
}

#[test]
fn build_data_have_a_history() {
    let place = Place::new();
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

#[test]
fn a_lock_is_never_taken_from_a_holder() {
    let place = Place::new();
    let store = place.open();
    let lock = store.lock(&request("r1")).unwrap();
    let other = place.open();
    let error = other.lock(&request("r2")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "site s at p is locked by run r1 of u on h (pid 7), since 2026-11-22 19:30:00 UTC: it is running; wait until it ends"
    );
    assert!(matches!(other.lock(&request("r1")), Err(StoreError::Locked(_))), "not even for a resume while its holder lives");
    store.refresh_lock(&lock.id, 42).unwrap();
    assert_eq!(other.locks().unwrap()[0].lease_until_ms, 42);
    store.release_lock(&lock.id).unwrap();
    other.lock(&request("r2")).unwrap();
}

#[test]
fn the_lock_of_a_dead_process_goes_to_its_own_run_or_is_unlocked() {
    let place = Place::new();
    let first = place.open();
    let lock = first.lock(&request("r1")).unwrap();
    first.create_run(&new_run("r1"), &lock.id, &record(1)).unwrap();
    drop(first);
    let store = place.open();
    let error = store.lock(&request("r2")).unwrap_err().to_string();
    assert!(
        error.ends_with(&format!(
            "that process is gone; go on with it by `drydock resume r1`, or, when it is certain that it ended, `drydock unlock {}`",
            lock.id
        )),
        "{error}"
    );
    let mut elsewhere = request("r1");
    elsewhere.holder.host = "other".to_owned();
    assert!(matches!(store.lock(&elsewhere), Err(StoreError::Locked(_))), "a process on another host cannot be seen");
    let taken = store.lock(&request("r1")).unwrap();
    assert_ne!(taken.id, lock.id);
    assert_eq!(store.refresh_lock(&lock.id, 1).unwrap_err(), StoreError::LockLost);
    assert!(store.unlock(&taken.id).unwrap());
    assert!(!store.unlock(&taken.id).unwrap());
    assert_eq!(store.append("r1", &taken.id, &[record(2)]).unwrap_err(), StoreError::LockLost);
}

#[test]
fn the_lock_of_a_dead_process_is_free_if_its_run_never_began_or_has_ended() {
    for ended in [false, true] {
        let place = Place::new();
        let first = place.open();
        let lock = first.lock(&request("r1")).unwrap();
        if ended {
            first.create_run(&new_run("r1"), &lock.id, &record(1)).unwrap();
            let ended = Write::RunEnded { run: "r1".to_owned(), outcome: RunOutcome::Success, at_ms: 5 };
            first.append("r1", &lock.id, &[Record { writes: vec![ended], ..record(2) }]).unwrap();
        }
        drop(first);
        let store = place.open();
        let mut elsewhere = request("r2");
        elsewhere.holder.host = "other".to_owned();
        assert!(matches!(store.lock(&elsewhere), Err(StoreError::Locked(_))), "a process on another host cannot be seen");
        let taken = store.lock(&request("r2")).unwrap();
        assert_eq!((store.locks().unwrap().len(), store.locks().unwrap()[0].id.clone()), (1, taken.id));
    }
}

#[test]
fn a_newer_schema_is_refused_and_untouched() {
    let place = Place::new();
    drop(place.open());
    let raw = rusqlite::Connection::open(place.path()).unwrap();
    raw.execute("UPDATE meta SET value = 99 WHERE key = 'schema_version'", []).unwrap();
    drop(raw);
    let before = std::fs::read(place.path()).unwrap();
    let error = SqliteStore::open(&place.path(), "s").unwrap_err();
    assert_eq!(error, StoreError::Newer { path: place.path(), found: 99, supported: SCHEMA_VERSION });
    assert!(
        error.to_string().contains(&format!("has schema version 99, this drydock knows up to {SCHEMA_VERSION}; use the newer drydock"))
    );
    assert_eq!(std::fs::read(place.path()).unwrap(), before);
}

#[test]
fn what_is_not_ours_or_damaged_is_refused() {
    let place = Place::new();
    std::fs::create_dir_all(place.path().parent().unwrap()).unwrap();
    let raw = rusqlite::Connection::open(place.path()).unwrap();
    raw.execute("CREATE TABLE t (x)", []).unwrap();
    drop(raw);
    assert_eq!(SqliteStore::open(&place.path(), "s").unwrap_err(), StoreError::Foreign { path: place.path() });
    std::fs::write(place.path(), vec![b'x'; 8192]).unwrap();
    let error = SqliteStore::open(&place.path(), "s").unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("is damaged"));
}

#[test]
fn damage_inside_is_an_error_and_no_panic() {
    let place = Place::new();
    let store = place.open();
    let lock = store.lock(&request("r1")).unwrap();
    store.create_run(&new_run("r1"), &lock.id, &record(1)).unwrap();
    drop(store);
    let raw = rusqlite::Connection::open(place.path()).unwrap();
    raw.execute("UPDATE events SET json = '{\"v\":1'", []).unwrap();
    drop(raw);
    let error = place.open().events("r1", 0).unwrap_err();
    assert!(matches!(&error, StoreError::Unreadable { what, .. } if what == "event of run r1"), "{error}");
}

#[test]
fn a_place_that_cannot_be_made_is_named() {
    let place = Place::new();
    std::fs::write(place.folder.path().join("file"), "").unwrap();
    let error = SqliteStore::open(&place.folder.path().join("file/state.db"), "s").unwrap_err();
    assert!(matches!(error, StoreError::Open { .. }), "{error}");
    assert!(error.to_string().contains("file/state.db"), "{error}");
}

#[test]
fn a_full_database_is_said_to_be_full() {
    let place = Place::new();
    let store = place.open();
    let lock = store.lock(&request("r1")).unwrap();
    store.create_run(&new_run("r1"), &lock.id, &record(1)).unwrap();
    store.limit_pages_for_tests(store_pages(&place));
    let mut seq = 2;
    let error = loop {
        let mut big = record(seq);
        big.writes.push(Write::BuildData {
            node: "n".to_owned(),
            name: "x".to_owned(),
            at_ms: 1,
            run: "r1".to_owned(),
            text: "x".repeat(10_000),
        });
        match store.append("r1", &lock.id, &[big]) {
            Ok(()) => seq += 1,
            Err(error) => break error,
        }
        assert!(seq < 1000);
    };
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert!(error.to_string().contains("free some space and do it again; a run that was begun goes on with `drydock resume`"));
    assert_eq!(place.open().events("r1", 0).unwrap().len() as u64, seq - 1, "everything before it is kept");
}

fn store_pages(place: &Place) -> u64 {
    let raw = rusqlite::Connection::open(place.path()).unwrap();
    raw.query_row("PRAGMA page_count", [], |r| r.get::<_, i64>(0)).unwrap() as u64 + 8
}

#[test]
fn the_journal_answers_when_records_are_durable() {
    let place = Place::new();
    let store = Arc::new(place.open());
    let lock = store.lock(&request("r1")).unwrap();
    store.create_run(&new_run("r1"), &lock.id, &record(1)).unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = {
        let heard = Arc::clone(&heard);
        Box::new(move |event: &Event| heard.lock().unwrap().push(event.seq))
    };
    let journal = Journal::start(store.clone(), "r1".to_owned(), lock.id.clone(), Arc::default(), listener).unwrap();
    let (sender, answers) = std::sync::mpsc::channel();
    for seq in 2..500 {
        let (sender, store) = (sender.clone(), store.clone());
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

#[test]
fn after_an_error_the_journal_writes_nothing_more() {
    let place = Place::new();
    let store = Arc::new(place.open());
    let lock = store.lock(&request("r1")).unwrap();
    store.create_run(&new_run("r1"), &lock.id, &record(1)).unwrap();
    let journal = Journal::start(store.clone(), "r1".to_owned(), lock.id.clone(), Arc::default(), Box::new(|_| ())).unwrap();
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

#[test]
fn failpoints_are_read_from_text() {
    assert!("after_intent:3".parse::<Failpoints>().is_ok());
    let points: Failpoints = "before_outcome:2,after_event:attempt_intent:a1,after_begin::a1,before_event:run_finished:".parse().unwrap();
    let nth = |_| points.due(Failpoint::BeforeOutcome, "attempt_outcome", Some("a1"));
    assert_eq!([1, 2, 3].map(nth), [None, Some("before_outcome:2"), None]);
    assert_eq!(points.due(Failpoint::AfterIntent, "attempt_intent", Some("a1")), None);
    let about = |event, action| points.due(Failpoint::AfterEvent, event, action).is_some();
    assert_eq!(
        [about("attempt_intent", Some("a1")), about("attempt_outcome", Some("a1")), about("attempt_intent", None)],
        [true, false, false]
    );
    assert_eq!(points.due(Failpoint::AfterBegin, "", Some("a1")), Some("after_begin::a1"));
    assert!(points.due(Failpoint::BeforeEvent, "run_finished", None).is_some());
    let stops: Failpoints = "stop_after_commit:2".parse().unwrap();
    assert_eq!([1, 2, 3].map(|_| stops.due(Failpoint::StopAfterCommit, "", None).is_some()), [false, true, true]);
    for text in ["x", "after_intent", "after_intent:0", "after_intent:-1", "nowhere:1"] {
        let error = text.parse::<Failpoints>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{text}` names no place to crash at")), "{error}");
    }
}

#[test]
fn requests_are_kept_in_order_and_say_whether_a_run_is_paused() {
    let place = Place::new();
    let store = place.open();
    let lock = store.lock(&request("r1")).unwrap();
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

#[test]
fn a_run_that_was_given_up_ended_incomplete() {
    let place = Place::new();
    let store = place.open();
    let lock = store.lock(&request("r1")).unwrap();
    store.create_run(&new_run("r1"), &lock.id, &record(1)).unwrap();
    let abandoned = Write::RunAbandoned { run: "r1".to_owned(), at_ms: 9 };
    store.append("r1", &lock.id, &[Record { event: message(2), writes: vec![abandoned] }]).unwrap();
    let row = place.open().run("r1").unwrap().unwrap();
    assert_eq!((row.outcome, row.ended_ms, row.abandoned_ms), (Some(RunOutcome::Incomplete), Some(9), Some(9)));
}
