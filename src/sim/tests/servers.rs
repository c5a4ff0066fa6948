//! The servers themselves: sockets, files, faults.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::fixture::site;
use crate::sim::options::{FaultRule, Moment, SimOptions};
use crate::sim::{RequestRecord, Running, Server, generate, read_requests};

/// A request over a socket; status and body, or the error.
fn http(url: &str, method: &str, path: &str, header: &str, body: &str) -> std::io::Result<(u16, String)> {
    let host = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let mut s = TcpStream::connect(host)?;
    write!(
        s,
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{header}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut text = String::new();
    s.read_to_string(&mut text)?;
    let status = text.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or(std::io::ErrorKind::UnexpectedEof)?;
    Ok((status, text.split_once("\r\n\r\n").map_or_else(String::new, |p| p.1.to_owned())))
}

fn oauth(r: &Running) -> String {
    let key = r.maas_api_key.expose().to_owned();
    let p: Vec<&str> = key.split(':').collect();
    format!(
        "authorization: OAuth oauth_version=\"1.0\", oauth_signature_method=\"PLAINTEXT\", oauth_consumer_key=\"{}\", oauth_token=\"{}\", oauth_signature=\"%26{}\", oauth_nonce=\"1\", oauth_timestamp=\"2\"",
        p[0], p[1], p[2]
    )
}

async fn maas(r: &Running, method: &str, path: &str, body: &str) -> std::io::Result<(u16, String)> {
    let (url, path, header) = (r.maas_url.clone(), format!("/MAAS/api/2.0/{path}"), oauth(r));
    let (method, body) = (method.to_owned(), body.to_owned());
    tokio::task::spawn_blocking(move || http(&url, &method, &path, &header, &body)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_run_changes_the_next_one_sees() {
    let dir = tempfile::tempdir().unwrap();
    let options = SimOptions::default();
    let r = Server::open(&site(), &options, dir.path()).await.unwrap();
    assert!(r.is_own());
    let (status, _) = maas(&r, "POST", "fabrics/", "name=dc1").await.unwrap();
    assert_eq!(status, 200);
    let second = Server::open(&site(), &options, dir.path()).await.unwrap();
    assert!(!second.is_own(), "the world is open already: its servers are used");
    assert_eq!(second.maas_url, r.maas_url);
    let url = r.maas_url.clone();
    // As after a kill: nothing is shut down, the files are all there is.
    let copy = tempfile::tempdir().unwrap();
    for f in std::fs::read_dir(dir.path()).unwrap() {
        let f = f.unwrap();
        std::fs::copy(f.path(), copy.path().join(f.file_name())).unwrap();
    }
    r.shutdown().await.unwrap();
    let after = Server::open(&site(), &options, copy.path()).await.unwrap();
    assert_eq!(after.maas_url, url, "ports are kept where they are free");
    assert!(after.world().unwrap().site.fabrics.values().any(|f| f.name == "dc1"));
    after.shutdown().await.unwrap();
    let log = read_requests(dir.path()).unwrap();
    assert_eq!(log.len(), 1);
    assert_eq!(
        (log[0].server.as_str(), log[0].status, log[0].effects.as_slice()),
        ("maas", 200, ["create fabric dc1".to_owned()].as_slice())
    );
    let again = Server::open(&site(), &options, dir.path()).await.unwrap();
    assert!(again.world().unwrap().site.fabrics.values().any(|f| f.name == "dc1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_last_line_of_the_log_is_a_request_that_never_was() {
    let dir = tempfile::tempdir().unwrap();
    let r = Server::open(&site(), &SimOptions::default(), dir.path()).await.unwrap();
    maas(&r, "POST", "fabrics/", "name=dc1").await.unwrap();
    maas(&r, "POST", "fabrics/", "name=dc2").await.unwrap();
    let copy = tempfile::tempdir().unwrap();
    for f in std::fs::read_dir(dir.path()).unwrap() {
        let f = f.unwrap();
        let mut bytes = std::fs::read(f.path()).unwrap();
        if f.file_name().to_string_lossy().ends_with(".log") {
            bytes.truncate(bytes.len() - 10);
        }
        std::fs::write(copy.path().join(f.file_name()), bytes).unwrap();
    }
    let world = Server::reopen(copy.path()).await.unwrap().world().unwrap();
    let names: Vec<&str> = world.site.fabrics.values().map(|f| f.name.as_str()).collect();
    assert!(names.contains(&"dc1") && !names.contains(&"dc2"), "{names:?}");
    // Its record was written before, and goes with it.
    let effects = |records: &[RequestRecord]| records.iter().flat_map(|r| r.effects.clone()).collect::<Vec<_>>();
    assert_eq!(effects(&read_requests(copy.path()).unwrap()), ["create fabric dc1"]);
    assert_eq!(effects(&read_requests(dir.path()).unwrap()), ["create fabric dc1", "create fabric dc2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_can_be_refused_and_connections_cut() {
    let rule = |path: &str| FaultRule { path: Some(path.into()), method: Some("POST".into()), ..FaultRule::default() };
    let options = SimOptions {
        faults: vec![
            FaultRule { status: Some(503), body: Some("busy".into()), ..rule(".*/fabrics/") },
            FaultRule { drop: Some(Moment::BeforeEffect), ..rule(".*/domains/") },
            FaultRule { drop: Some(Moment::AfterEffect), ..rule(".*/tags/") },
        ],
        ..SimOptions::default()
    };
    let r = Server::start(generate(&site(), &options)).await.unwrap();
    assert_eq!(maas(&r, "POST", "fabrics/", "name=dc1").await.unwrap(), (503, "busy".to_owned()));
    assert_eq!(maas(&r, "POST", "fabrics/", "name=dc1").await.unwrap().0, 200);
    assert!(maas(&r, "POST", "domains/", "name=example.test").await.is_err());
    assert!(maas(&r, "POST", "tags/", "name=fast").await.is_err());
    let world = r.world().unwrap();
    assert_eq!(world.site.domains.len(), 1, "cut before the effect");
    assert_eq!(world.site.tags.len(), 1, "cut after the effect");
    assert_eq!(r.requests().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bmc_has_its_own_address() {
    let r = Server::start(generate(&site(), &SimOptions::default())).await.unwrap();
    assert_eq!(r.bmc_urls.len(), 3);
    let url = r.bmc_url("10.9.0.12").unwrap().to_owned();
    assert_eq!(Some(url.as_str()), r.bmc_url("node02"));
    let (status, body) =
        tokio::task::spawn_blocking(move || http(&url, "GET", "/redfish/v1/Systems", "authorization: Basic cm9vdDpjYW5hcnktYm1j", ""))
            .await
            .unwrap()
            .unwrap();
    assert_eq!(status, 200);
    assert!(body.contains(&r.world().unwrap().machines["node02"].uuid));
}

/// Not a test of its own: a site in a process that a fault may kill. The folder and the faults come in the environment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the tests of killed processes"]
async fn child() {
    let (Ok(dir), Ok(faults)) = (std::env::var("SIM_CHILD_DIR"), std::env::var("SIM_CHILD_FAULTS")) else { return };
    let options = SimOptions { faults: serde_json::from_str(&faults).unwrap(), ..SimOptions::default() };
    let r = Server::open(&site(), &options, std::path::Path::new(&dir)).await.unwrap();
    std::fs::write(std::path::Path::new(&dir).join("ready"), format!("{}\n{}", r.maas_url, oauth(&r))).unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
}

/// Starts a site in a process of its own with a fault on the creation of fabrics, and sends it one: the answer, and the folder.
fn killed(moment: Moment) -> (std::io::Result<(u16, String)>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let rule = FaultRule { method: Some("POST".into()), path: Some(".*/fabrics/".into()), kill: Some(moment), ..FaultRule::default() };
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sim::tests::servers::child", "--ignored", "--nocapture"])
        .env("SIM_CHILD_DIR", dir.path())
        .env("SIM_CHILD_FAULTS", serde_json::to_string(&[rule]).unwrap())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let ready = dir.path().join("ready");
    let text = loop {
        match std::fs::read_to_string(&ready) {
            Ok(t) if t.contains("authorization") => break t,
            _ => std::thread::sleep(std::time::Duration::from_millis(10)),
        }
    };
    let (url, header) = text.split_once('\n').unwrap();
    let answer = http(url, "POST", "/MAAS/api/2.0/fabrics/", header, "name=dc1");
    assert!(!child.wait().unwrap().success(), "the process was killed");
    (answer, dir)
}

#[tokio::test]
async fn a_process_dies_before_the_effect_after_it_or_after_the_answer() {
    for (moment, answered, done) in
        [(Moment::BeforeEffect, false, false), (Moment::AfterEffect, false, true), (Moment::AfterAnswer, true, true)]
    {
        let (answer, dir) = tokio::task::spawn_blocking(move || killed(moment)).await.unwrap();
        assert_eq!(answer.is_ok(), answered, "{moment:?}: {answer:?}");
        let log = read_requests(dir.path()).unwrap();
        assert_eq!(log.len(), usize::from(done), "{moment:?}");
        // The next process sees what happened, and the rule has had its turn.
        let rule = FaultRule { method: Some("POST".into()), path: Some(".*/fabrics/".into()), kill: Some(moment), ..FaultRule::default() };
        let options = SimOptions { faults: vec![rule], ..SimOptions::default() };
        let r = Server::open(&site(), &options, dir.path()).await.unwrap();
        assert_eq!(r.world().unwrap().site.fabrics.values().any(|f| f.name == "dc1"), done, "{moment:?}");
        assert_eq!(maas(&r, "POST", "fabrics/", "name=dc2").await.unwrap().0, 200);
    }
}
