//! What a state in a file promises beside what every state does.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::json;

use crate::diff::Origin;
use crate::run::RunOutcome;

use super::suite::{message, new_run, record, request};
use super::*;

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

/// Bytes that a run of so many actions writes, in batches of 64 events. Neighbours in time are not neighbours by name.
fn bytes_written(actions: u64) -> u64 {
    let place = Place::new();
    let store = place.open();
    store.keep_log_for_tests();
    let lock = store.lock(&request("r")).unwrap().lock;
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
fn a_lock_is_never_taken_from_a_holder() {
    let place = Place::new();
    let store = place.open();
    let lock = store.lock(&request("r1")).unwrap().lock;
    let other = place.open();
    let error = other.lock(&request("r2")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "site s at p is locked by run r1 of u on h (pid 7), since 2026-11-22 19:30:00 UTC: it is running; wait until it ends"
    );
    assert!(matches!(other.lock(&request("r1")), Err(StoreError::Locked(_))), "not even for a resume while its holder lives");
    store.refresh_lock(&lock.id, Duration::from_hours(1)).unwrap();
    assert!(other.locks().unwrap()[0].lease_until_ms > lock.lease_until_ms);
    store.release_lock(&lock.id).unwrap();
    other.lock(&request("r2")).unwrap();
}

#[test]
fn the_lock_of_a_dead_process_goes_to_its_own_run_or_is_unlocked() {
    let place = Place::new();
    let first = place.open();
    let lock = first.lock(&request("r1")).unwrap().lock;
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
    let taken = store.lock(&request("r1")).unwrap().lock;
    assert_ne!(taken.id, lock.id);
    assert_eq!(store.refresh_lock(&lock.id, Duration::from_secs(1)).unwrap_err(), StoreError::LockLost);
    assert!(store.unlock(&taken.id).unwrap());
    assert!(!store.unlock(&taken.id).unwrap());
    assert_eq!(store.append("r1", &taken.id, &[record(2)]).unwrap_err(), StoreError::LockLost);
}

#[test]
fn the_lock_of_a_dead_process_is_free_if_its_run_never_began_or_has_ended() {
    for ended in [false, true] {
        let place = Place::new();
        let first = place.open();
        let lock = first.lock(&request("r1")).unwrap().lock;
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
        let taken = store.lock(&request("r2")).unwrap().lock;
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

/// A state that drydock wrote when its schema had version 3, in the middle of a run that was killed.
#[test]
fn a_state_of_an_older_drydock_is_migrated_with_what_it_holds() {
    let place = Place::new();
    std::fs::create_dir_all(place.path().parent().unwrap()).unwrap();
    let old = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/state/version-3.db");
    std::fs::copy(old, place.path()).unwrap();
    assert_eq!(SqliteStore::inspect(&place.path()).unwrap(), 3);
    let store = SqliteStore::open(&place.path(), "hello-site").unwrap();
    assert_eq!(SqliteStore::inspect(&place.path()).unwrap(), SCHEMA_VERSION);
    let run = store.runs().unwrap().remove(0);
    assert_eq!((run.command.as_str(), run.outcome, run.started_ms), ("drydock apply --auto-approve", None, 1_795_889_813_877));
    assert_eq!(store.plan(&run.id).unwrap().len(), 22_730);
    let numbers: Vec<u64> = store.events(&run.id, 0).unwrap().iter().map(|e| e.seq).collect();
    assert_eq!(numbers, (1..=61).collect::<Vec<u64>>());
    let memory = store.memory().unwrap();
    assert_eq!(memory.bindings.keys().collect::<Vec<_>>(), ["compute01"]);
    assert_eq!(memory.last_applied["tag.virtualization"].origin, Origin::Created);
    assert_eq!(memory.generations["tag.virtualization"], 1);
    assert_eq!(store.locks().unwrap()[0].run, run.id);
    assert_eq!(store.build_data("compute01").unwrap().len(), 5);
    let next = store.lock(&LockRequest { provisioner: "region dqyrmg".to_owned(), ..request(&run.id) }).unwrap().lock;
    store.append(&run.id, &next.id, &[record(62)]).unwrap();
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
    let lock = store.lock(&request("r1")).unwrap().lock;
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
    let lock = store.lock(&request("r1")).unwrap().lock;
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
