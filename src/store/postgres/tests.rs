//! What a state in a database promises beside what every state does.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use super::super::postgres_server::{PASSWORD, Server};
use super::super::suite::{self, Site, message, new_run, record, request, server};
use super::super::{Holder, LockRequest, Record, Store, StoreError, Write};
use super::schema::{self, statements_for_tests};
use super::{PostgresOptions, PostgresStore};
use crate::config::PostgresUrl;
use crate::driver::http::ClientCertificate;
use crate::redact::Secret;

/// A database of its own on the shared server.
fn database() -> Option<(&'static Server, String, PostgresOptions)> {
    let server = server()?;
    let name = server.database();
    let options = options(&format!("postgres://drydock@127.0.0.1:{}/{name}", server.port()));
    Some((server, name, options))
}

fn options(url: &str) -> PostgresOptions {
    PostgresOptions { patience: Duration::from_secs(20), ..PostgresOptions::new(PostgresUrl::parse(url).unwrap()) }
}

#[test]
fn a_lock_whose_lease_has_ended_is_taken_over_and_its_holder_writes_nothing_more() {
    let Some((server, name, options)) = database() else { return };
    let first = PostgresStore::open(&options, "s").unwrap();
    let own = LockRequest { holder: Holder::current(), ..request("r1") };
    let lock = first.lock(&own).unwrap().lock;
    first.create_run(&new_run("r1"), &lock.id, &record(1)).unwrap();
    let second = PostgresStore::open(&options, "s").unwrap();
    for run in ["r1", "r2"] {
        let error = second.lock(&request(run)).unwrap_err();
        assert!(error.to_string().ends_with("it is running; wait until it ends"), "{error}");
    }
    server.sql(&name, "UPDATE drydock.locks SET lease_until_ms = 1").unwrap();
    assert!(second.locks().unwrap()[0].ended);
    let grant = second.lock(&request("r2")).unwrap();
    assert_eq!(grant.from.map(|from| (from.id, from.run)), Some((lock.id.clone(), "r1".to_owned())));
    assert_eq!(first.append("r1", &lock.id, &[record(2)]).unwrap_err(), StoreError::LockLost);
    assert_eq!(first.refresh_lock(&lock.id, Duration::from_mins(1)).unwrap_err(), StoreError::LockLost);
    assert_eq!(first.events("r1", 0).unwrap(), [message(1)]);
    first.release_lock(&lock.id).unwrap();
    assert_eq!(second.locks().unwrap()[0].id, grant.lock.id, "it gives back what it has, not what another has");
}

#[test]
fn the_lock_of_a_process_that_is_gone_goes_to_its_own_run_at_once() {
    let Some((server, name, options)) = database() else { return };
    let store = PostgresStore::open(&options, "s").unwrap();
    // There is a process 7, or none; it is not the one that took the lock.
    let lock = store.lock(&request("r1")).unwrap().lock;
    // Its run was never written down, so nothing can be in the middle of it.
    let other = store.lock(&request("r0")).unwrap();
    assert!(other.lock.id != lock.id && other.from.is_none());
    let lock = store.lock(&request("r1")).unwrap().lock;
    store.create_run(&new_run("r1"), &lock.id, &record(1)).unwrap();
    let error = store.lock(&request("r2")).unwrap_err().to_string();
    assert!(error.contains("that process is gone; its lease ends at 20") && error.contains("`drydock resume r1`"), "{error}");
    let grant = store.lock(&request("r1")).unwrap();
    assert!(grant.lock.id != lock.id && grant.from.is_none());
    server.sql(&name, "UPDATE drydock.locks SET process = 'another-boot pid:[1] 5'").unwrap();
    let error = store.lock(&request("r1")).unwrap_err().to_string();
    assert!(error.contains("it cannot be seen from here whether it still runs"), "{error}");
}

#[test]
fn leases_go_by_the_clock_of_the_server() {
    let Some((server, name, options)) = database() else { return };
    let store = PostgresStore::open(&options, "s").unwrap();
    let long_ago = LockRequest { now_ms: 5, ..request("r1") };
    let lock = store.lock(&long_ago).unwrap().lock;
    assert!(lock.lease_until_ms - lock.since_ms == 60_000 && lock.since_ms > 1_000_000_000_000, "{lock:?}");
    server.sql(&name, "UPDATE drydock.locks SET lease_until_ms = 1").unwrap();
    store.refresh_lock(&lock.id, Duration::from_hours(1)).unwrap();
    assert!(!store.locks().unwrap()[0].ended);
}

#[test]
fn many_processes_make_the_schema_once() {
    let Some((server, name, options)) = database() else { return };
    assert_eq!(PostgresStore::inspect(&options).unwrap(), None);
    assert!(PostgresStore::existing(&options, "s").unwrap().is_none());
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| PostgresStore::open(&options, "s").unwrap().runs().unwrap());
        }
    });
    let versions = server.sql(&name, "SELECT version FROM drydock.migrations ORDER BY version").unwrap();
    assert_eq!(versions, (1..=schema::VERSION).map(|v| v.to_string()).collect::<Vec<_>>().join("\n"));
    assert_eq!(PostgresStore::inspect(&options).unwrap(), Some(schema::VERSION));
    assert!(PostgresStore::existing(&options, "s").unwrap().is_some());
}

#[test]
fn an_older_schema_is_migrated_with_what_it_holds() {
    let Some((server, name, options)) = database() else { return };
    let run = "INSERT INTO runs VALUES ('r1', 's', 'd', 'plan', 'deploy_nodes', NULL, 'drydock apply', 'h', 'u', 7, 5, NULL, NULL); \
               INSERT INTO generations VALUES ('s', 'node.n', 3);";
    server.sql(&name, &format!("{} {run}", statements_for_tests(1))).unwrap();
    let store = PostgresStore::open(&options, "s").unwrap();
    assert_eq!(PostgresStore::inspect(&options).unwrap(), Some(schema::VERSION));
    assert_eq!(store.plan("r1").unwrap(), b"plan");
    assert_eq!(store.runs().unwrap()[0].holder, suite::holder());
    assert_eq!(store.memory().unwrap().generations["node.n"], 3);
}

#[test]
fn a_newer_schema_and_that_of_another_program_are_refused_and_untouched() {
    let Some((server, name, options)) = database() else { return };
    drop(PostgresStore::open(&options, "s").unwrap());
    server.sql(&name, "UPDATE drydock.meta SET value = '99'").unwrap();
    let error = PostgresStore::open(&options, "s").unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 99, supported: schema::VERSION, .. }), "{error}");
    assert!(error.to_string().contains("use the newer drydock"), "{error}");
    let other = server.database();
    server.sql(&other, "CREATE SCHEMA drydock; CREATE TABLE drydock.t (x int)").unwrap();
    let url = format!("postgres://drydock@127.0.0.1:{}/{other}", server.port());
    let error = PostgresStore::open(&self::options(&url), "s").unwrap_err();
    assert!(matches!(error, StoreError::ForeignSchema { .. }), "{error}");
    assert_eq!(server.sql(&other, "SELECT count(*) FROM pg_tables WHERE schemaname = 'drydock'").unwrap(), "1");
}

#[test]
fn a_commit_is_on_disk_whatever_the_database_is_set_to() {
    let Some((server, name, options)) = database() else { return };
    for (set, used) in [("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")] {
        server.sql(&name, &format!("ALTER DATABASE {name} SET synchronous_commit = {set}")).unwrap();
        assert_eq!(PostgresStore::open(&options, "s").unwrap().setting_for_tests("synchronous_commit"), used, "{set}");
    }
    let store = PostgresStore::open(&options, "s").unwrap();
    for (name, limit) in [("statement_timeout", "30s"), ("lock_timeout", "10s"), ("idle_in_transaction_session_timeout", "10s")] {
        assert_eq!(store.setting_for_tests(name), limit);
    }
}

#[test]
fn passwords_and_certificates_are_checked() {
    let Some((server, name, _)) = database() else { return };
    let at = |rest: &str| options(&format!("postgres://secured@localhost:{}/{name}{rest}", server.port()));
    let secret = |options: PostgresOptions| PostgresOptions { password: Some(Secret::new(PASSWORD)), ..options };
    let listed = |options: PostgresOptions| PostgresOptions { ca_file: Some(server.certificate()), ..options };
    PostgresStore::open(&secret(listed(at("?sslmode=verify-full"))), "s").unwrap();
    PostgresStore::open(&secret(at("?sslmode=require")), "s").unwrap();
    let by_address = options(&format!("postgres://secured@127.0.0.1:{}/{name}?sslmode=verify-full", server.port()));
    for (options, says) in [
        (secret(at("?sslmode=verify-full")), "`ca_file` or `pinned_sha256` of `state`"),
        (secret(listed(by_address)), "certificate"),
        (secret(at("")), "refuses access"),
        (listed(at("?sslmode=verify-full")), "password"),
        (PostgresOptions { password: Some(Secret::new("wrong")), ..at("?sslmode=require") }, "`password: {env: NAME}`"),
    ] {
        let error = PostgresStore::open(&options, "s").unwrap_err().to_string();
        assert!(error.contains(says) && !error.contains(PASSWORD) && !error.contains("wrong"), "{error}");
    }
}

#[test]
fn a_certificate_is_shown_to_a_server_that_asks_for_one() {
    let Some((server, name, _)) = database() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ours.pem");
    let with = |(certificate, key): (&str, &str)| {
        std::fs::write(&file, certificate).unwrap();
        PostgresOptions {
            ca_file: Some(server.certificate()),
            client: Some(ClientCertificate { file: file.clone(), key: Secret::new(key) }),
            ..options(&format!("postgres://certified@localhost:{}/{name}?sslmode=verify-full", server.port()))
        }
    };
    let clients = server.clients();
    let pair = |(certificate, key): &'static (String, String)| (certificate.as_str(), key.as_str());
    let right = pair(&clients.right);
    PostgresStore::open(&with(right), "s").unwrap();
    for (given, says) in [
        (pair(&clients.other_name), "refuses access: certificate authentication failed"),
        (pair(&clients.unknown), "`client_cert_file`"),
        ((right.0, pair(&clients.unknown).1), "is that of another key than the one given"),
        ((right.0, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n"), "without a passphrase"),
        ((right.0, "not a key"), "the key of the client certificate"),
        (("not a certificate", right.1), "ours.pem holds no certificate"),
    ] {
        let error = PostgresStore::open(&with(given), "s").unwrap_err().to_string();
        assert!(error.contains(says), "{says}: {error}");
        assert!(!error.contains("not a key") && !error.contains("MIIB"), "{error}");
    }
    let none = PostgresOptions { client: None, ..with(right) };
    let error = PostgresStore::open(&none, "s").unwrap_err().to_string();
    assert!(error.contains("refuses access: connection requires a valid client certificate"), "{error}");
}

#[test]
fn a_socket_of_this_machine_serves_as_well() {
    let Some((server, name, _)) = database() else { return };
    let folder = server.socket().display().to_string().replace('/', "%2F");
    let url = format!("postgres://drydock@{folder}:{}/{name}", server.port());
    let store = PostgresStore::open(&options(&url), "s");
    // The folder of the tests' server is its own.
    if rustix::process::geteuid().is_root() {
        assert_eq!(store.unwrap().runs().unwrap(), []);
    }
}

#[test]
fn where_no_server_is_it_is_said_at_once() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = PostgresStore::open(&options(&format!("postgres://drydock@127.0.0.1:{port}/d")), "s").unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    assert!(error.to_string().starts_with(&format!("the state postgres://127.0.0.1:{port}/d cannot be reached: ")), "{error}");
}

/// What a wire does with a commit.
const PASS: u8 = 0;
/// The commit does not arrive.
const CUT_BEFORE: u8 = 1;
/// The commit arrives, and its answer does not.
const CUT_AFTER: u8 = 2;
/// As before, and from then on nobody is let through.
const CUT_FOR_GOOD: u8 = 3;

/// A wire to a server that is cut in the middle of a commit, once.
fn wire(to: u16) -> (u16, Arc<AtomicU8>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let plan = Arc::new(AtomicU8::new(PASS));
    let shared = Arc::clone(&plan);
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, plan) = (client.unwrap(), Arc::clone(&shared));
            if plan.load(Ordering::SeqCst) > CUT_FOR_GOOD {
                drop(client);
                continue;
            }
            let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
            let (mut from, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut back);
                let _ = back.shutdown(Shutdown::Both);
            });
            thread::spawn(move || carry(client, server, &plan));
        }
    });
    (port, plan)
}

fn carry(mut client: TcpStream, mut server: TcpStream, plan: &AtomicU8) {
    let mut bytes = vec![0; 65_536];
    while let Ok(n) = client.read(&mut bytes) {
        if n == 0 {
            break;
        }
        let cut = if bytes[..n].windows(7).any(|w| w == b"COMMIT\0") { plan.load(Ordering::SeqCst) } else { PASS };
        match cut {
            CUT_BEFORE => plan.store(PASS, Ordering::SeqCst),
            CUT_AFTER | CUT_FOR_GOOD => {
                // Before the client can come back.
                plan.store(if cut == CUT_AFTER { PASS } else { CUT_FOR_GOOD + 1 }, Ordering::SeqCst);
                // The client hears nothing more, while the server still gets what it sent.
                let _ = client.shutdown(Shutdown::Both);
                let _ = server.write_all(&bytes[..n]);
            }
            _ => {
                if server.write_all(&bytes[..n]).is_err() {
                    break;
                }
                continue;
            }
        }
        break;
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Write);
}

#[test]
fn a_commit_whose_answer_is_lost_is_found_out_and_not_repeated() {
    let Some((server, name, direct)) = database() else { return };
    let (port, plan) = wire(server.port());
    let store = PostgresStore::open(&options(&format!("postgres://drydock@127.0.0.1:{port}/{name}")), "s").unwrap();
    let lock = store.lock(&request("r1")).unwrap().lock;
    store.create_run(&new_run("r1"), &lock.id, &record(1)).unwrap();
    let mut seq = 1;
    for cut in [CUT_BEFORE, CUT_AFTER, CUT_AFTER, CUT_BEFORE] {
        seq += 1;
        plan.store(cut, Ordering::SeqCst);
        let hardware =
            Write::BuildData { node: "n".to_owned(), name: "x".to_owned(), at_ms: seq, run: "r1".to_owned(), text: "a\0b".to_owned() };
        let writes = vec![Write::Advance { resource: "r".to_owned() }, hardware];
        store.append("r1", &lock.id, &[Record { event: message(seq), writes }]).unwrap();
        assert_eq!(plan.load(Ordering::SeqCst), PASS, "it was cut");
        let direct = PostgresStore::open(&direct, "s").unwrap();
        assert_eq!(direct.events("r1", 0).unwrap(), (1..=seq).map(message).collect::<Vec<_>>());
        assert_eq!(direct.memory().unwrap().generations["r"], seq - 1, "made once");
        assert_eq!(direct.build_data("n").unwrap().len() as u64, seq - 1, "made once");
        assert_eq!(direct.build_data("n").unwrap()[0].text, "a\u{fffd}b");
    }
    plan.store(CUT_AFTER, Ordering::SeqCst);
    assert!(store.unlock(&lock.id).unwrap(), "it was there");
    plan.store(CUT_AFTER, Ordering::SeqCst);
    let grant = store.lock(&request("r2")).unwrap();
    assert_eq!(store.locks().unwrap().len(), 1);
    store.refresh_lock(&grant.lock.id, Duration::from_mins(1)).unwrap();
}

#[test]
fn a_commit_that_cannot_be_found_out_is_an_error_that_says_so() {
    let Some((server, name, direct)) = database() else { return };
    let (port, plan) = wire(server.port());
    let mut options = options(&format!("postgres://drydock@127.0.0.1:{port}/{name}"));
    options.patience = Duration::from_millis(300);
    let store = PostgresStore::open(&options, "s").unwrap();
    let lock = store.lock(&request("r1")).unwrap().lock;
    store.create_run(&new_run("r1"), &lock.id, &record(1)).unwrap();
    plan.store(CUT_FOR_GOOD, Ordering::SeqCst);
    let error = store.append("r1", &lock.id, &[record(2)]).unwrap_err();
    assert!(matches!(error, StoreError::Unsettled { .. }), "{error}");
    assert!(error.to_string().contains("`drydock resume` goes on from what is there"), "{error}");
    // What reads has a connection of its own, which was not cut; another one is not to be had.
    let error = PostgresStore::open(&options, "s").map(|_| ()).unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    assert_eq!(PostgresStore::open(&direct, "s").unwrap().events("r1", 0).unwrap().len(), 2);
}

#[test]
fn a_server_that_crashes_loses_nothing_and_is_waited_for() {
    let Some(_) = server() else { return };
    let server = Server::start(true).unwrap();
    let Site::Database(options) = Site::at(&server.url()) else { return };
    let store = PostgresStore::open(&options, "s").unwrap();
    let lock = store.lock(&request("r1")).unwrap().lock;
    store.create_run(&new_run("r1"), &lock.id, &record(1)).unwrap();
    let last = thread::scope(|scope| {
        let appends = scope.spawn(|| {
            let mut seq = 1;
            while !server.socket().join("enough").exists() {
                seq += 1;
                let writes = vec![Write::Advance { resource: "r".to_owned() }];
                store.append("r1", &lock.id, &[Record { event: message(seq), writes }]).unwrap();
            }
            seq
        });
        for _ in 0..3 {
            let before = store.events("r1", 0).unwrap().len();
            while store.events("r1", 0).unwrap().len() < before + 5 {
                thread::yield_now();
            }
            server.crash();
            server.run().unwrap();
        }
        std::fs::write(server.socket().join("enough"), "").unwrap();
        appends.join().unwrap()
    });
    assert_eq!(store.events("r1", 0).unwrap(), (1..=last).map(message).collect::<Vec<_>>());
    assert_eq!(store.memory().unwrap().generations["r"], last - 1, "each was made once");
}

/// Calls block the thread that makes them and nothing else, also where that thread belongs to a runtime of its own.
#[tokio::test]
async fn a_call_can_be_made_from_a_task() {
    let Some((_, _, options)) = database() else { return };
    let store = PostgresStore::open(&options, "s").unwrap();
    for _ in 0..200 {
        // More often than a task may poll without giving others their turn.
        assert_eq!(store.runs().unwrap(), []);
    }
}
