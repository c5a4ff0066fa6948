//! Bad BMCs: every fault with every verb ends as `docs/drivers/redfish.md` says, and with no power action that was not planned.
//!
//! Each cell has a machine of its own in one simulated site. The driver is used as the engine uses it; what was ordered is read from the simulator's own log.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use drydock::action::ActionKind;
use drydock::action::params::{BootTarget, PowerParams, SetNodeBoot};
use drydock::build::Binding;
use drydock::driver::http::HttpOptions;
use drydock::driver::redfish::{RedfishDriver, RedfishOptions};
use drydock::driver::{BmcEndpoint, Call, Driver, DriverError, Observation, OobDriver};
use drydock::redact::Secret;
use drydock::sim::{FaultRule, Hardware, InitialState, MachineFault, Moment, Running, Server, SimOptions, generate};

use crate::{ipmi_bmcs, support};

const DOC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/drivers/redfish.md");
const BEGIN: &str = "<!-- bad BMCs: made by tests/it/redfish_zoo.rs -->\n";
const END: &str = "<!-- end of bad BMCs -->";

/// Rounds of an action: observe, begin where nothing was begun, and again where that may help.
const ROUNDS: usize = 3;

/// Verbs: name, and the limit of a single try by default.
const VERBS: [(&str, &str); 4] = [("discover", "30 s"), ("set_node_boot", "15 s"), ("power_on_node", "15 s"), ("power_off_node", "15 s")];

/// What is wrong, and how the simulator is told.
fn faults() -> Vec<(&'static str, Vec<FaultRule>)> {
    let machine = |fault| vec![FaultRule { machine: Some(fault), ..FaultRule::default() }];
    let request = |rule: FaultRule| vec![FaultRule { server: Some("bmc".into()), count: 0, ..rule }];
    let order = |rule: FaultRule| {
        let with = |method: &str| FaultRule {
            method: Some(method.into()),
            path: Some("/redfish/v1/Systems.*".into()),
            server: Some("bmc".into()),
            ..rule.clone()
        };
        // A login must not be hit, and the first order alone is: what comes after shows what became of it.
        vec![with("POST"), with("PATCH")]
    };
    let systems = || Some("/redfish/v1/Systems.*".to_owned());
    vec![
        ("nothing", Vec::new()),
        ("shows the opposite of the power state", machine(MachineFault::BmcLiesAboutPower)),
        ("keeps `Continuous` when told `Once`", machine(MachineFault::BmcIgnoresOnce)),
        ("accepts power orders without effect", machine(MachineFault::LostPower)),
        ("forgets each session after one request", machine(MachineFault::BmcDropsSessions)),
        (
            "answers with an HTML page",
            request(FaultRule { status: Some(200), body: Some("<html><body>Log in</body></html>".into()), ..FaultRule::default() }),
        ),
        ("closes in the middle of its answers", request(FaultRule { drop: Some(Moment::MidAnswer), ..FaultRule::default() })),
        (
            "answers orders with an HTML page, and does nothing",
            order(FaultRule { status: Some(200), body: Some("<html><body>Log in</body></html>".into()), ..FaultRule::default() }),
        ),
        (
            "drops the connection after it did what it was told",
            order(FaultRule { drop: Some(Moment::AfterEffect), ..FaultRule::default() }),
        ),
        (
            "drops the connection before it does what it is told",
            order(FaultRule { drop: Some(Moment::BeforeEffect), ..FaultRule::default() }),
        ),
        ("takes 90 s for orders", order(FaultRule { hang_ms: Some(HANG_MS), ..FaultRule::default() })),
        ("takes 90 s for each answer", request(FaultRule { hang_ms: Some(HANG_MS), ..FaultRule::default() })),
        ("has a certificate that nobody knows", machine(MachineFault::BmcWrongCertificate)),
        ("lists no system", machine(MachineFault::BmcListsNoSystem)),
        ("lists a second system", machine(MachineFault::BmcListsTwoSystems)),
        ("accepts resets as tasks that fail", machine(MachineFault::BmcTaskFails)),
        (
            "is busy: 503, `Retry-After: 60`",
            request(FaultRule { path: systems(), status: Some(503), retry_after_s: Some(60), ..FaultRule::default() }),
        ),
        (
            "is busy and says so with 500",
            request(FaultRule { path: systems(), status: Some(500), body: Some("\"busy, try again\"".into()), ..FaultRule::default() }),
        ),
        ("refuses the password", machine(MachineFault::WrongCredentials)),
        ("is not there", machine(MachineFault::BmcUnreachable)),
    ]
}

/// 90 s and the limits of 30 s and 15 s, all a tenth.
const HANG_MS: u64 = 9000;
const SCALE: u32 = 10;

/// Cells at once: all of them are too many for the limits of some.
const AT_ONCE: usize = 8;

fn options(certificate: &std::path::Path) -> RedfishOptions {
    let defaults = RedfishOptions::default();
    RedfishOptions {
        http: HttpOptions { ca_file: Some(certificate.to_owned()), backoff: Duration::from_millis(1), ..defaults.http },
        confirm_pause: Duration::from_millis(1),
        ..RedfishOptions::default()
    }
}

fn hurried(mut options: RedfishOptions) -> RedfishOptions {
    options.http.deadline /= SCALE;
    options.observe_limit /= SCALE;
    options
}

fn call(node: &str, verb: &str) -> Call {
    let (kind, params) = match verb {
        "set_node_boot" => (ActionKind::SetNodeBoot, serde_json::to_value(SetNodeBoot { target: BootTarget::Pxe })),
        "power_on_node" => (ActionKind::PowerOnNode, serde_json::to_value(PowerParams { graceful_s: 0 })),
        _ => (ActionKind::PowerOffNode, serde_json::to_value(PowerParams { graceful_s: 0 })),
    };
    Call {
        action: verb.to_owned(),
        site: "lab".to_owned(),
        kind,
        resource: format!("node.{node}/power"),
        node: Some(node.to_owned()),
        params: params.unwrap(),
        binding: Binding::default(),
        begun: false,
        before: None,
    }
}

/// How a verb ended, and how often it was tried.
async fn carry_out(driver: &RedfishDriver, node: &str, verb: &str) -> (usize, Result<String, DriverError>) {
    if verb == "discover" {
        let read = driver.interrogate(node).await;
        return (1, read.map(|bmc| format!("read: power {:?}, {} NIC", bmc.power, bmc.macs.len())));
    }
    let call = call(node, verb);
    let mut last = Ok(String::new());
    for round in 1..=ROUNDS {
        let seen = driver.observe(std::slice::from_ref(&call)).await.remove(0);
        last = match seen {
            Ok(Observation::Done { .. }) => return (round, Ok("done".to_owned())),
            Ok(Observation::NotStarted) => driver.begin(&call).await.map(|_| "begun".to_owned()),
            Ok(Observation::InProgress { detail }) => Ok(detail),
            Ok(Observation::Failed(error)) => return (round, Err(error)),
            Ok(Observation::Unknown(why)) => Ok(why),
            Err(error) => Err(error),
        };
        if last.as_ref().is_err_and(|e| !e.class.is_retryable()) {
            return (round, last);
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    (ROUNDS, last)
}

fn node(fault: usize, verb: usize) -> String {
    format!("n{:02}", fault * VERBS.len() + verb + 1)
}

/// Site, certificate, and endpoints of all nodes.
async fn zoo(count: usize, folder: &std::path::Path) -> (Running, BTreeMap<String, BmcEndpoint>) {
    std::fs::write(folder.join("site.yaml"), ipmi_bmcs::design_text(count * VERBS.len())).unwrap();
    let site = support::loose_design(folder, &["site.yaml"]);
    let mut sim = SimOptions { hardware: Hardware { bmc_tls: true, ..Hardware::default() }, ..SimOptions::default() };
    sim.timing.power_ms = 10;
    for (f, (_, rules)) in faults().into_iter().enumerate() {
        for (v, (verb, _)) in VERBS.iter().enumerate() {
            let name = node(f, v);
            if *verb == "power_off_node" {
                sim.machines.insert(name.clone(), InitialState::OnUnknown);
            }
            sim.faults.extend(rules.iter().map(|rule| FaultRule { node: Some(name.clone()), ..rule.clone() }));
        }
    }
    let running = Server::start(generate(&site, &sim)).await.unwrap();
    std::fs::write(folder.join("bmc.pem"), running.bmc_certificate.as_ref().unwrap()).unwrap();
    let world = running.world().unwrap();
    let endpoint = |name: &String| {
        let bmc = world.machines[name].bmc.as_ref().unwrap();
        BmcEndpoint {
            node: name.clone(),
            address: bmc.address.clone(),
            url: running.bmc_url(name).unwrap().to_owned(),
            username: bmc.user.clone(),
            password: Secret::new(bmc.password.clone()),
        }
    };
    let endpoints = world.machines.keys().map(|n| (n.clone(), endpoint(n))).collect();
    (running, endpoints)
}

/// A message without what differs from run to run.
fn plain(text: &str, endpoint: &BmcEndpoint, uuid: &str) -> String {
    let text = text
        .replace(&endpoint.url, "https://BMC")
        .replace(uuid, "UUID")
        .replace(&format!("node {}, BMC {}: ", endpoint.node, endpoint.address), "");
    let text = text.replace(&format!("node {}", endpoint.node), "node N").replace(&format!("({},", endpoint.node), "(N,");
    text.replace('|', "\\|").replace('<', "&lt;")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_with_every_verb_ends_as_the_table_says() {
    let folder = tempfile::tempdir().unwrap();
    let faults = faults();
    let (running, endpoints) = zoo(faults.len(), folder.path()).await;
    let world = running.world().unwrap();
    let turns = std::sync::Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
    let mut tasks = tokio::task::JoinSet::new();
    for (f, (fault, _)) in faults.iter().enumerate() {
        for (v, (verb, _)) in VERBS.into_iter().enumerate() {
            let endpoint = endpoints[&node(f, v)].clone();
            let mut options = options(&folder.path().join("bmc.pem"));
            if fault.contains("answers orders") || fault.contains("for orders") {
                // An order that had no effect is given again, once it may no longer show late.
                options.settle = Duration::ZERO;
            }
            if fault.starts_with("takes 90 s") {
                options = hurried(options);
            }
            let turn = std::sync::Arc::clone(&turns);
            tasks.spawn(async move {
                let _turn = turn.acquire().await;
                let name = endpoint.node.clone();
                let driver = RedfishDriver::new(vec![endpoint], options).unwrap();
                let ended = carry_out(&driver, &name, verb).await;
                driver.close().await;
                ((f, v), ended)
            });
        }
    }
    let mut cells = BTreeMap::new();
    while let Some(cell) = tasks.join_next().await {
        let (at, ended) = cell.unwrap();
        cells.insert(at, ended);
    }
    let log = running.requests();
    let mut table = String::from(
        "| BMC | verb | ends as | what is said | rounds | requests | limit of a try | orders |\n|---|---|---|---|---|---|---|---|\n",
    );
    for ((f, v), (rounds, ended)) in &cells {
        let ((fault, _), (verb, limit)) = (&faults[*f], VERBS[*v]);
        let name = node(*f, *v);
        let (class, said) = match ended {
            Ok(said) => ("—".to_owned(), said.clone()),
            Err(e) => (format!("{:?}", e.class), e.message.clone()),
        };
        let said = plain(&said, &endpoints[&name], &world.machines[&name].uuid);
        let effects: Vec<&str> =
            log.iter().filter(|r| r.server == format!("bmc:{name}")).flat_map(|r| &r.effects).map(String::as_str).collect();
        // The laws, whatever the table says.
        let planned = match verb {
            "discover" => "",
            "set_node_boot" => "set_boot",
            "power_on_node" => "power_on",
            _ => "power_off",
        };
        assert!(effects.len() <= 1 && effects.iter().all(|e| e.starts_with(&format!("{planned} {name}"))), "{fault}, {verb}: {effects:?}");
        let orders = effects.first().map_or("none", |e| e.split(' ').next().unwrap());
        writeln!(table, "| {fault} | `{verb}` | {class} | {said} | {rounds} | {} | {limit} | {orders} |", running.asked(&name)).unwrap();
    }
    assert_eq!(table.lines().count(), 2 + faults.len() * VERBS.len());
    let world = running.world().unwrap();
    let open: Vec<&String> =
        world.machines.values().filter(|m| m.bmc.as_ref().is_some_and(|b| !b.logins.is_empty())).map(|m| &m.name).collect();
    assert!(open.is_empty(), "sessions are left at {open:?}");
    let text = std::fs::read_to_string(DOC).unwrap();
    let (head, rest) = text.split_once(BEGIN).expect("a begin mark");
    let (found, tail) = rest.split_once(END).expect("an end mark");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(DOC, format!("{head}{BEGIN}{table}{END}{tail}")).unwrap();
    } else {
        assert_eq!(found, table, "run the test with UPDATE_DOCS=1");
    }
    running.shutdown().await.unwrap();
}
