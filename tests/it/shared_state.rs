//! The state of a team, in PostgreSQL: every command works with it, and of two processes only one works on a site.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::cli_endpoints;
use super::cli_support::{Folder, end};
use super::peers::usable;
use super::postgres_server::Server;

/// A simulated site whose state is in a database of its own; the server, and the name of the database.
fn hello() -> Option<(Folder, &'static Server, String)> {
    let server = usable(Server::shared)?;
    let (folder, database) = (Folder::hello(), server.database());
    let settings = folder.read("drydock.yaml");
    let settings: String = settings.lines().filter(|line| !line.starts_with("state:")).map(|line| format!("{line}\n")).collect();
    folder.write("drydock.yaml", &format!("{settings}{}", state(server, &database)));
    Some((folder, server, database))
}

fn state(server: &Server, database: &str) -> String {
    format!("state: postgres://drydock@127.0.0.1:{}/{database}\n", server.port())
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_site_is_applied_killed_and_resumed_with_its_state_in_a_database() {
    let Some((site, server, database)) = hello() else { return };
    site.run(&["runs"]).expect(0).shows(&["no runs"]);
    site.run(&["plan"]).expect(0).shows(&["3 nodes installed for the first time"]);
    // Reading makes nothing.
    assert_eq!(server.sql(&database, "SELECT count(*) FROM pg_namespace WHERE nspname = 'drydock'").unwrap(), "0");
    for at in ["after_begin:3", "before_event:40", "after_intent:9"] {
        let arguments: &[&str] = if at == "after_begin:3" { &["apply", "--auto-approve"] } else { &["resume"] };
        let killed = end(site.command(arguments).env("DRYDOCK_FAILPOINT", at));
        assert_eq!(killed.code, -1, "did not die at {at}: {killed:?}");
        site.run(&["runs"]).expect(0).shows(&["killed"]);
    }
    let refused = site.run(&["apply", "--auto-approve"]).expect(6).says(&["is not finished", "drydock resume"]);
    let run = refused.stderr.split("drydock resume ").nth(1).unwrap().split('`').next().unwrap().to_owned();
    site.run(&["resume", &run]).expect(0).says(&["the run goes on"]).shows(&["hello-site: success"]);
    site.run(&["plan", "--detailed-exitcode"]).expect(0).shows(&["No changes"]);
    site.run(&["runs", "show"]).expect(0).shows(&["3 nodes done: compute01, compute02, control01"]);
    site.run(&["state", "show"]).expect(0).shows(&["node.compute01: bound to machine", "subnet.mgmt: created, generation 1"]);
    site.run(&["state", "hardware", "node.compute01"]).expect(0).shows(&["lshw"]);
    site.run(&["verify", "site"]).reads(&["writable, schema version"]);
    assert!(!site.path().join(".drydock/state.db").exists());
    let dump = server
        .sql(&database, "SELECT string_agg(json, '') FROM drydock.events; SELECT string_agg(encode(plan, 'escape'), '') FROM drydock.runs")
        .unwrap();
    assert!(dump.contains("attempt_intent") && !dump.contains("hello-bmc-password"));
}

#[test]
fn a_lock_in_a_database_is_removed_by_hand() {
    let Some((site, _, _)) = hello() else { return };
    let killed = end(site.command(&["apply", "--auto-approve"]).env("DRYDOCK_FAILPOINT", "after_event:30"));
    assert_eq!(killed.code, -1);
    let refused = site.run(&["unlock", "l-none"]).expect(1).says(&["there is no lock `l-none`"]);
    let id = refused.stderr.split("held: ").nth(1).unwrap().trim().to_owned();
    site.run(&["unlock", &id]).expect(0).shows(&["is removed"]);
    let listed = site.run(&["runs"]).expect(0);
    let run = listed.stdout.lines().nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    site.run(&["runs", "pause", &run]).expect(0).shows(&["is paused when it is resumed"]);
    site.run(&["runs", "abandon", &run]).expect(0);
    site.run(&["apply", "--auto-approve"]).expect(0).shows(&["hello-site: success"]);
}

#[test]
fn what_is_wrong_with_the_database_is_said_with_a_remedy() {
    let folder = Folder::hello();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let with = |state: &str| folder.write("drydock.yaml", &format!("site: hello-site\nsimulate: {{}}\nstate: {state}\n"));
    with("postgres://ops:canary@db.example.net/d");
    let refused = folder.run(&["plan"]).expect(1).says(&["`state` has a password in it\n  at: drydock.yaml:3:1", "password: {env: NAME}"]);
    assert!(!refused.stderr.contains("canary"), "{}", refused.stderr);
    with("{url: {env: DRYDOCK_TEST_STATE_URL}, password: {env: DRYDOCK_TEST_NO_PASSWORD}}");
    folder.run(&["runs"]).expect(1).says(&["`state.url`", "environment variable DRYDOCK_TEST_STATE_URL is not set"]);
    let given = end(folder.command(&["runs"]).env("DRYDOCK_TEST_STATE_URL", "postgres://ops:canary@db/d")).expect(1);
    assert!(given.stderr.contains("has a password in it") && !given.stderr.contains("canary"), "{}", given.stderr);
    with("{url: 'postgres://ops@db.example.net/d', lease: 1s}");
    folder.run(&["runs"]).expect(1).says(&["`state.lease` of 1s is shorter than three requests"]);
    with("{url: 'postgres://ops@db.example.net/d', host: x}");
    folder.run(&["runs"]).expect(1).says(&["unknown key `host` in state"]);
    with(&format!("postgres://ops@127.0.0.1:{port}/d"));
    folder
        .run(&["plan"])
        .expect(1)
        .says(&[&format!("the state postgres://127.0.0.1:{port}/d cannot be reached"), "check the server and the way to it"]);
    // What needs no site asks no server.
    folder.run(&["validate"]).expect(0);
}

#[test]
fn a_process_that_slept_past_its_lease_sends_nothing_after_another_took_over() {
    let Some(server) = usable(Server::shared) else { return };
    let (simulated, maas, bmcs) = cli_endpoints::Site::start_with(&[("commission_ms: 600", "commission_ms: 1500")]);
    let database = server.database();
    let folder = || {
        let folder = Folder::hello();
        let limit = "request_timeout: 500ms, ";
        let settings = cli_endpoints::settings(&maas, &bmcs)
            .replace("{url: ", &format!("{{{limit}url: "))
            .replace("redfish: {", &format!("redfish: {{{limit}"));
        let others = settings.replace("\nlimits:", "\n  ipmi: {request_timeout: 500ms}\n  libvirt: {request_timeout: 500ms}\nlimits:");
        let url = format!("postgres://drydock@127.0.0.1:{}/{database}", server.port());
        folder.write("drydock.yaml", &format!("{others}state: {{url: '{url}', lease: 2s}}\n"));
        folder.write("key", &simulated.key());
        folder
    };
    let (one, two) = (folder(), folder());
    let mut first = one.command(&["apply", "--auto-approve"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(first.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("configure_hardware")));
    signal(&first, "STOP");
    let mut refusals = 0;
    let second = loop {
        let second = two.run(&["resume"]);
        if !second.stderr.contains("is locked by run") {
            break second;
        }
        refusals += 1;
        assert!(second.code == 1 && refusals < 100, "{second:?}");
        std::thread::sleep(Duration::from_millis(100));
    };
    let second = second.expect(0).says(&["was taken over: its lease had ended"]).shows(&["hello-site: success"]);
    assert!(second.stderr.contains(&format!("(pid {})", first.id())), "{}", second.stderr);
    let requests = || simulated.folder.read(".drydock/sim/requests.jsonl").lines().map(str::to_owned).collect::<Vec<_>>();
    let before = requests().len();
    signal(&first, "CONT");
    let mut said = String::new();
    for line in lines {
        said.push_str(&line.unwrap());
        said.push('\n');
    }
    assert_eq!(first.wait().unwrap().code(), Some(1), "{said}");
    assert!(said.contains("the lock of this run was taken over by another process, as its lease had ended"), "{said}");
    assert_eq!(requests()[before..], Vec::<String>::new(), "it sent nothing more");
    let runs = two.run(&["runs"]).expect(0);
    assert_eq!(runs.stdout.matches("success").count(), 1, "{}", runs.stdout);
    two.run(&["plan", "--detailed-exitcode"]).expect(0).shows(&["No changes"]);
}

#[test]
fn a_run_is_followed_from_another_process() {
    let Some((site, _, _)) = hello() else { return };
    follow(&site);
    follow(&Folder::hello());
}

fn follow(site: &Folder) {
    site.edit("drydock.yaml", "commission_ms: 600", "commission_ms: 2500");
    let mut run = site.command(&["apply", "--auto-approve", "--json"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut events = BufReader::new(run.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(events.any(|line| line.contains("attempt_waiting")));
    let lines = site.command(&["runs", "show", "--follow", "--format", "json"]).stdout(Stdio::piped()).spawn().unwrap();
    let text = site.run(&["runs", "show", "--follow"]).expect(0).shows(&["hello-site: success"]).says(&["deploy_node"]);
    assert!(!text.stderr.contains("is gone"), "{}", text.stderr);
    let rest: Vec<String> = events.collect();
    assert_eq!(run.wait().unwrap().code(), Some(0));
    let output = lines.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let followed: Vec<serde_json::Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let numbers: Vec<u64> = followed.iter().map(|e| e["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "each event once, from the first on");
    assert_eq!(followed.last().unwrap(), &serde_json::from_str::<serde_json::Value>(rest.last().unwrap()).unwrap());
    // What has ended is shown as it ended.
    site.run(&["runs", "show", "--follow"]).expect(0).shows(&["hello-site: success"]);
    // A process that dies ends it, too.
    site.edit("drydock.yaml", "commission_ms: 2500", "commission_ms: 600");
    let killed = end(site.command(&["destroy", "--target", "node=compute01", "--auto-approve"]).env("DRYDOCK_FAILPOINT", "after_event:3"));
    assert_eq!(killed.code, -1, "{killed:?}");
    site.run(&["runs", "show", "--follow"]).expect(4).says(&["the process that carried it out is gone", "drydock resume"]);
}

#[test]
fn a_copy_of_the_state_is_a_state() {
    let Some((site, _, _)) = hello() else { return };
    copied(&site);
    copied(&Folder::hello());
}

/// A copy is made while the run goes on, and has all that it had at one moment.
fn copied(site: &Folder) {
    site.edit("drydock.yaml", "commission_ms: 600", "commission_ms: 1500");
    let mut run = site.command(&["apply", "--auto-approve"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(run.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("configure_hardware")));
    site.run(&["state", "pull", "during.db"]).expect(0).says(&["1 run"]);
    site.run(&["state", "pull", "during.db"]).expect(1).says(&["during.db", "is there already"]);
    lines.for_each(drop);
    assert_eq!(run.wait().unwrap().code(), Some(0));
    site.run(&["state", "pull", "after.db"]).expect(0);
    let settings = site.read("drydock.yaml");
    let original = (site.run(&["state", "show"]).expect(0).stdout, site.run(&["runs", "show", "--format", "json"]).expect(0).stdout);
    let with = |file: &str| {
        let rest: String = settings.lines().filter(|line| !line.starts_with("state:")).map(|line| format!("{line}\n")).collect();
        site.write("drydock.yaml", &format!("{rest}state: {file}\n"));
    };
    with("after.db");
    assert_eq!(site.run(&["state", "show"]).expect(0).stdout, original.0);
    assert_eq!(site.run(&["runs", "show", "--format", "json"]).expect(0).stdout, original.1);
    with("during.db");
    // It holds the run as it was then, and its lock.
    let shown = site.run(&["runs", "show"]).expect(0);
    assert!(!shown.stdout.contains("hello-site: success"), "{}", shown.stdout);
    let mut byte = [0; 16];
    std::fs::File::open(site.path().join("during.db")).unwrap().read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"SQLite format 3\0");
}
