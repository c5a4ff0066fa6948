//! The journal alone: actions per second, bytes per action and how both grow, with the state in a file and in a database of PostgreSQL.
//!
//! `cargo bench --bench journal [-- ACTIONS IN_FLIGHT]`. Each action is an intent that has to be durable before its outcome is written, as in a run.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use drydock::diff::Origin;
use drydock::run::{AttemptOutcome, EVENT_VERSION, Event, EventKind};
use drydock::store::{Ack, Holder, Journal, LockRequest, NewRun, Record, SqliteStore, Store, Write};

#[cfg(feature = "postgres")]
#[path = "../tests/it/postgres_server.rs"]
mod postgres_server;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn event(seq: u64, event: EventKind) -> Event {
    Event { v: EVENT_VERSION, seq, at_ms: 1_795_375_800_000 + seq, event }
}

fn intent(seq: u64, action: usize) -> Record {
    Record { event: event(seq, EventKind::AttemptIntent { action: id(action), attempt: 1, before: None }), writes: Vec::new() }
}

fn outcome(seq: u64, action: usize) -> Record {
    // Neighbours in time are not neighbours by name.
    let resource = format!("node.{:08x}/storage", (action as u64).wrapping_mul(2_654_435_761) & 0xffff_ffff);
    let writes = vec![
        Write::Advance { resource: resource.clone() },
        Write::Applied {
            resource: resource.clone(),
            origin: Origin::Created,
            attributes: serde_json::json!({"note": "as long as the parameters of a plain action are in practice"}).into(),
            action: id(action),
        },
        Write::ClearRejection { resource },
        Write::Duration { kind: "deploy_node".to_owned(), ms: 50 },
    ];
    let kind = EventKind::AttemptOutcome {
        action: id(action),
        attempt: 1,
        outcome: AttemptOutcome::Done,
        outputs: std::collections::BTreeMap::new(),
    };
    Record { event: event(seq, kind), writes }
}

fn id(action: usize) -> String {
    format!("{action:020x}")
}

/// Writes what so many actions write, at most so many of them at once. The time it takes.
fn write(store: &Arc<dyn Store>, actions: usize, in_flight: usize) -> Duration {
    let holder = Holder::current();
    let request = LockRequest {
        provisioner: "bench".to_owned(),
        run: "r".to_owned(),
        holder: holder.clone(),
        now_ms: 1_795_375_800_000,
        lease: Duration::from_hours(1),
    };
    let lock = store.lock(&request).expect("the lock").lock;
    let run = NewRun {
        id: "r".to_owned(),
        plan_digest: String::new(),
        plan: Vec::new(),
        goal: "deploy_nodes".to_owned(),
        selection: None,
        command: String::new(),
        holder,
        started_ms: 1,
    };
    store.create_run(&run, &lock.id, &intent(1, 0)).expect("a run");
    let journal = Journal::start(Arc::clone(store), "r".to_owned(), lock.id.clone(), Arc::default(), Box::new(|_| ())).expect("a journal");
    let (sender, durable) = channel();
    let ack = |action: usize, is_outcome: bool| -> Option<Ack> {
        let sender = sender.clone();
        Some(Box::new(move |result| {
            result.expect("it is durable");
            let _ = sender.send((action, is_outcome));
        }))
    };
    let start = Instant::now();
    let (mut seq, mut begun, mut done) = (1, 0, 0);
    while done < actions {
        while begun < actions && begun - done < in_flight {
            seq += 1;
            journal.append(intent(seq, begun), ack(begun, false));
            begun += 1;
        }
        let (action, is_outcome) = durable.recv().expect("an answer");
        if is_outcome {
            done += 1;
        } else {
            seq += 1;
            journal.append(outcome(seq, action), ack(action, true));
        }
    }
    let took = start.elapsed();
    journal.close();
    store.release_lock(&lock.id).expect("given back");
    took
}

#[allow(clippy::print_stdout)]
fn report(what: &str, actions: usize, in_flight: usize, took: Duration, folding: Duration, bytes: u64) {
    println!(
        "{what}: {actions} actions, {in_flight} at once: {:.0} actions/s, {:.0} bytes per action; folded by the next reader in {:.3} s",
        actions as f64 / took.as_secs_f64(),
        bytes as f64 / actions as f64,
        folding.as_secs_f64()
    );
}

fn folded(store: &Arc<dyn Store>, actions: usize) -> Duration {
    let start = Instant::now();
    assert_eq!(store.memory().expect("what is remembered").generations.len(), actions);
    start.elapsed()
}

/// Bytes that this process gave to the disks so far (Linux).
fn written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    io.lines().find_map(|l| l.strip_prefix("write_bytes:")).and_then(|v| v.trim().parse().ok()).unwrap_or(0)
}

fn in_a_file(folder: &Path, actions: usize, in_flight: usize) {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.join(format!("{actions}-{in_flight}.db")), "bench").expect("a state"));
    let before = written();
    let took = write(&store, actions, in_flight);
    let bytes = written() - before;
    report("file", actions, in_flight, took, folded(&store, actions), bytes);
}

#[cfg(feature = "postgres")]
#[allow(clippy::print_stdout)]
fn in_a_database(server: &postgres_server::Server, actions: usize, in_flight: usize) {
    use drydock::config::PostgresUrl;
    use drydock::store::{PostgresOptions, PostgresStore};

    let options = PostgresOptions::new(PostgresUrl::parse(&server.url()).expect("a URL"));
    let store: Arc<dyn Store> = Arc::new(PostgresStore::open(&options, "bench").expect("a state"));
    // What the server writes in order to be able to answer: its log, pages as they were before included.
    let position =
        || server.sql("postgres", "SELECT pg_current_wal_insert_lsn() - '0/0'").ok().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    let before = position();
    let took = write(&store, actions, in_flight);
    let bytes = position() - before;
    report("PostgreSQL", actions, in_flight, took, folded(&store, actions), bytes);
}

#[allow(clippy::print_stdout)]
fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let sizes = if let [actions, in_flight] = numbers[..] {
        vec![(actions, in_flight)]
    } else {
        vec![(10_000, 256), (100_000, 256), (10_000, 1_000), (2_000, 1)]
    };
    let folder = tempfile::tempdir().expect("a folder for the state");
    for &(actions, in_flight) in &sizes {
        in_a_file(folder.path(), actions, in_flight);
    }
    #[cfg(feature = "postgres")]
    match postgres_server::Server::start(true) {
        Ok(server) => sizes.iter().for_each(|&(actions, in_flight)| in_a_database(&server, actions, in_flight)),
        Err(why) => println!("PostgreSQL: skipped: {why}"),
    }
}
