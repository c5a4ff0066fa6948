//! The IPMI driver against OpenIPMI's `ipmi_sim`: twenty BMCs, every verb, and what goes wrong.

use std::net::UdpSocket;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use drydock::action::ActionKind;
use drydock::action::params::{BootTarget, PowerParams, SetNodeBoot};
use drydock::build::{Binding, PowerState, same_uuid};
use drydock::driver::ipmi::{BootMode, IpmiDriver, IpmiOptions};
use drydock::driver::{Begun, BmcEndpoint, Call, Driver, DriverError, ErrorClass, Observation, OobDriver};
use drydock::redact::Secret;
use drydock::sim::{SimOptions, generate};

use crate::ipmi_peer::{Fleet, available};
use crate::support;

const NODES: usize = 20;

/// Twenty nodes with BMCs and nothing else.
pub(crate) fn design_text(nodes: usize) -> String {
    let mut text = String::from(
        "schema: drydock/Region/v1\nmetadata: {name: lab}\ndata: {tag_definitions: [], authorized_keys: []}\n---\n\
         schema: drydock/NetworkLink/v1\nmetadata: {name: oob}\ndata: {trunking: {mode: disabled}, allowed_networks: [oob]}\n---\n\
         schema: drydock/Network/v1\nmetadata: {name: oob}\ndata: {cidr: 10.77.0.0/24}\n---\n\
         schema: drydock/HostProfile/v1\nmetadata: {name: base}\ndata:\n  oob: {type: ipmi, network: oob, account: root, credential: s3cret-of-bmcs}\n",
    );
    for i in 1..=nodes {
        text.push_str(&format!(
            "---\nschema: drydock/BaremetalNode/v1\nmetadata: {{name: n{i:02}}}\ndata: {{host_profile: base, addressing: [{{network: oob, address: 10.77.0.{i}}}]}}\n"
        ));
    }
    text
}

/// One fleet for the tests that run at the same time; the last one ends it.
fn fleet() -> Arc<Fleet> {
    static SHARED: Mutex<Weak<Fleet>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(fleet) = shared.upgrade() {
        return fleet;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("site.yaml"), design_text(NODES)).unwrap();
    let site = support::loose_design(folder.path(), &["site.yaml"]);
    let fleet = Arc::new(Fleet::start(generate(&site, &SimOptions::default())));
    *shared = Arc::downgrade(&fleet);
    fleet
}

fn options() -> IpmiOptions {
    // Each chassis command is a process on both sides.
    IpmiOptions { confirm_pause: Duration::from_millis(50), parallel: 6, ..IpmiOptions::default() }
}

fn driver(endpoints: Vec<BmcEndpoint>) -> IpmiDriver {
    IpmiDriver::new(endpoints.into_iter().map(|e| (e, BootMode::Uefi)).collect(), &options()).unwrap()
}

fn call(node: &str, kind: ActionKind, params: serde_json::Value) -> Call {
    Call {
        action: format!("{kind}-{node}"),
        site: "lab".to_owned(),
        kind,
        resource: format!("node.{node}/power"),
        node: Some(node.to_owned()),
        params,
        binding: Binding::default(),
        begun: false,
        before: None,
    }
}

fn power(node: &str, kind: ActionKind, graceful_s: u32) -> Call {
    call(node, kind, serde_json::to_value(PowerParams { graceful_s }).unwrap())
}

fn boot(node: &str, target: BootTarget) -> Call {
    call(node, ActionKind::SetNodeBoot, serde_json::to_value(SetNodeBoot { target }).unwrap())
}

async fn see(driver: &IpmiDriver, call: &Call) -> Result<Observation, DriverError> {
    driver.observe(std::slice::from_ref(call)).await.pop().unwrap()
}

/// As the engine does: observe, begin, observe until it is done, again where that may help. Returns whether anything was begun.
async fn carry_out(driver: &IpmiDriver, call: &Call) -> bool {
    let mut begun = false;
    for _ in 0..200 {
        let error = match see(driver, call).await {
            Ok(Observation::Done { .. }) => return begun,
            Ok(Observation::NotStarted) => {
                begun = true;
                driver.begin(call).await.err()
            }
            Ok(_) => None,
            Err(error) => Some(error),
        };
        if let Some(error) = error {
            // A loaded machine answers too late at times.
            assert!(error.class.is_retryable(), "{error:?}");
            eprintln!("again: {error}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} never ends", call.action);
}

#[test]
fn twenty_bmcs_do_every_verb() {
    if !available() {
        return;
    }
    let fleet = fleet();
    let world = fleet.world();
    // The last two are for what goes wrong.
    let names: Vec<String> = fleet.names().into_iter().take(NODES - 2).collect();
    let driver = driver(names.iter().map(|n| fleet.endpoint(n)).collect());
    fleet.runtime.block_on(async {
        assert!(driver.tool_version().await.unwrap().starts_with("1."));
        let all = |call: fn(&str) -> Call| {
            let (driver, names) = (&driver, &names);
            async move {
                let mut begun = 0;
                let tasks: Vec<_> = names
                    .iter()
                    .map(|n| {
                        let (driver, call) = (driver.clone(), call(n));
                        tokio::spawn(async move { carry_out(&driver, &call).await })
                    })
                    .collect();
                for task in tasks {
                    begun += usize::from(task.await.unwrap());
                }
                begun
            }
        };
        // Which machine it is: the GUID is the system UUID in another byte order, the FRU has the serial number.
        for name in &names {
            let mut read = driver.interrogate(name).await;
            if read.as_ref().is_err_and(|e| e.class.is_retryable()) {
                read = driver.interrogate(name).await;
            }
            let bmc = read.unwrap();
            let machine = &world.machines[name];
            assert!(same_uuid(bmc.guid.as_deref().unwrap(), &machine.uuid), "{bmc:?} is {}", machine.uuid);
            assert_eq!(bmc.uuid, None, "a GUID is not known to be the system UUID");
            assert_eq!((bmc.serial.as_ref(), bmc.model.as_ref()), (Some(&machine.serial), Some(&machine.model)));
            assert_eq!((bmc.power, bmc.boot.unwrap().target.as_str()), (PowerState::Off, "None"));
        }
        // PXE, on; once more, and nothing is ordered.
        assert_eq!(all(|n| boot(n, BootTarget::Pxe)).await, names.len());
        let targets = |w: &drydock::sim::World| names.iter().filter(|n| w.machines[*n].bmc.as_ref().unwrap().boot_target == "Pxe").count();
        assert_eq!(targets(&fleet.world()), names.len());
        assert_eq!(all(|n| power(n, ActionKind::PowerOnNode, 0)).await, names.len());
        assert!(names.iter().all(|n| fleet.world().machines[n].on));
        assert_eq!(all(|n| power(n, ActionKind::PowerOnNode, 0)).await, 0);
        // A machine without an operating system ignores the shutdown, and is forced off when its second is over.
        assert_eq!(see(&driver, &power(&names[0], ActionKind::PowerOffNode, 1)).await.unwrap(), Observation::NotStarted);
        let off = power(&names[0], ActionKind::PowerOffNode, 1);
        assert!(matches!(driver.begin(&off).await.unwrap(), Begun::Wait { reason } if reason.contains("shutting down")));
        assert!(matches!(see(&driver, &off).await.unwrap(), Observation::InProgress { .. }));
        tokio::time::sleep(Duration::from_millis(1100)).await;
        assert_eq!(see(&driver, &off).await.unwrap(), Observation::NotStarted);
        assert!(carry_out(&driver, &off).await);
        assert_eq!(all(|n| power(n, ActionKind::PowerOffNode, 0)).await, names.len() - 1);
        assert!(names.iter().all(|n| !fleet.world().machines[n].on));
        // Back to the disk.
        all(|n| boot(n, BootTarget::Disk)).await;
        assert_eq!(targets(&fleet.world()), 0);
        let calls = fleet.calls(&names[0]);
        let count = |what: &str| calls.iter().filter(|c| *c == what).count();
        // The tool itself repeats a message whose answer is late.
        assert!(count("set power 1") > 0 && count("set shutdown 1") > 0 && count("set power 0") > 0, "{calls:?}");
        // One batch, answers in the order of the calls.
        let batch = [
            power(&names[1], ActionKind::PowerOnNode, 0),
            power(&names[0], ActionKind::PowerOffNode, 0),
            boot(&names[1], BootTarget::Pxe),
            power("nobody", ActionKind::PowerOnNode, 0),
        ];
        let seen = driver.observe(&batch).await;
        assert_eq!(seen[0].as_ref().unwrap(), &Observation::NotStarted);
        assert_eq!(seen[1].as_ref().unwrap(), &Observation::done());
        assert_eq!(seen[2].as_ref().unwrap(), &Observation::NotStarted);
        assert_eq!(seen[3].as_ref().unwrap_err().class, ErrorClass::Rejected);
        // Firmware, events; the repository of sensors is empty, and stays as it is.
        let health = driver.health(&names[0]).await.unwrap();
        assert_eq!(health.firmware.as_deref(), Some("9.08"));
        assert!(health.sensors.is_empty());
        assert_eq!(health.events.len(), 1, "{health:?}");
        assert!(health.events[0].contains("Upper Critical going high"), "{health:?}");
    });
}

#[test]
fn another_machine_is_not_switched() {
    if !available() {
        return;
    }
    let fleet = fleet();
    let name = fleet.names().pop().unwrap();
    let driver = driver(vec![fleet.endpoint(&name)]);
    fleet.runtime.block_on(async {
        let mut wrong = power(&name, ActionKind::PowerOnNode, 0);
        wrong.binding.guid = Some("6f9a0c00-0000-4000-8000-000000000001".to_owned());
        let error = driver.begin(&wrong).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Precondition);
        assert!(error.message.contains("reports GUID") && error.hint.unwrap().contains("drydock rebind"), "{}", error.message);
        assert!(!fleet.world().machines[&name].on);
    });
}

#[test]
fn what_goes_wrong_is_said_by_class() {
    if !available() {
        return;
    }
    let fleet = fleet();
    let name = fleet.names().pop().unwrap();
    let right = fleet.endpoint(&name);
    let one = |endpoint: BmcEndpoint, options: IpmiOptions| {
        let driver = IpmiDriver::new(vec![(endpoint, BootMode::Bios)], &options).unwrap();
        let name = name.clone();
        fleet.runtime.block_on(async move { driver.interrogate(&name).await })
    };
    let wrong = one(BmcEndpoint { password: Secret::new("not-the-password"), ..right.clone() }, options()).unwrap_err();
    assert_eq!(wrong.class, ErrorClass::Credentials);
    assert!(wrong.message.contains("refuses the credentials of user root: RAKP 2 HMAC is invalid"), "{wrong}");
    assert!(!format!("{wrong:?}").contains("not-the-password") && wrong.hint.is_some());

    let nobody = one(BmcEndpoint { username: "nobody".into(), ..right.clone() }, options()).unwrap_err();
    assert_eq!(nobody.class, ErrorClass::Credentials);
    assert!(nobody.message.contains("unauthorized name"), "{nobody}");

    // A port that nobody has, since it is held without being read.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = BmcEndpoint { url: socket.local_addr().unwrap().to_string(), ..right.clone() };
    let silent = one(silent, options()).unwrap_err();
    assert_eq!(silent.class, ErrorClass::Transient);
    assert!(silent.message.contains("the BMC does not answer") && silent.hint.unwrap().contains("UDP port 623"), "{}", silent.message);

    // ipmi_sim has no suite with SHA-256: alone it is refused, before 3 it is left behind.
    let only = one(right.clone(), IpmiOptions { cipher_suites: vec![17], ..options() }).unwrap_err();
    assert_eq!(only.class, ErrorClass::Settings);
    assert!(only.message.contains("none of the cipher suites 17") && only.message.contains("invalid authentication algorithm"), "{only}");
    assert!(one(right.clone(), IpmiOptions { cipher_suites: vec![17, 3], ..options() }).is_ok());

    let missing = one(right.clone(), IpmiOptions { program: PathBuf::from("no-ipmitool-here"), ..options() }).unwrap_err();
    assert_eq!(missing.class, ErrorClass::Settings);
    assert!(missing.hint.unwrap().contains("apt install ipmitool"));
}

#[test]
fn a_slow_bmc_is_waited_for_and_a_hanging_one_is_not() {
    if !available() {
        return;
    }
    let fleet = fleet();
    let names = fleet.names();
    let name = names[NODES - 2].clone();
    fleet.slow(&name, 1.0);
    let patient = driver(vec![fleet.endpoint(&name)]);
    let limit = Duration::from_secs(2);
    let hasty = IpmiOptions { command_limit: limit, ..options() };
    let hasty = IpmiDriver::new(vec![(fleet.endpoint(&name), BootMode::Uefi)], &hasty).unwrap();
    fleet.runtime.block_on(async {
        assert_eq!(patient.interrogate(&name).await.unwrap().power, PowerState::Off);
        fleet.slow(&name, 20.0);
        let error = see(&hasty, &power(&name, ActionKind::PowerOnNode, 0)).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Transient);
        assert!(error.message.contains("ipmitool was killed after 2 s"), "{error}");
    });
    assert!(!fleet.world().machines[&name].on);
}
