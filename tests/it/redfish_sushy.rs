//! The Redfish driver against sushy-tools, an emulator of BMCs that is not ours.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use drydock::action::ActionKind;
use drydock::action::params::{BootTarget, PowerParams, SetNodeBoot};
use drydock::build::{Binding, PowerState};
use drydock::driver::http::HttpOptions;
use drydock::driver::redfish::{RedfishDriver, RedfishOptions, Trust};
use drydock::driver::{Begun, BmcEndpoint, Call, Driver, ErrorClass, Observation, OobDriver};
use drydock::redact::Secret;

use crate::sushy_peer::{Setup, Sushy, available, uuid};

fn call(node: &str, kind: ActionKind, params: serde_json::Value) -> Call {
    Call {
        action: format!("{kind}-of-{node}"),
        site: "test".to_owned(),
        kind,
        resource: format!("node.{node}"),
        node: Some(node.to_owned()),
        params,
        binding: Binding::default(),
        begun: false,
        before: None,
    }
}

fn boot(node: &str, target: BootTarget) -> Call {
    let mut call = call(node, ActionKind::SetNodeBoot, serde_json::to_value(SetNodeBoot { target }).unwrap());
    call.action = format!("{}-{target:?}", call.action);
    call
}

fn power(node: &str, kind: ActionKind, graceful_s: u32) -> Call {
    call(node, kind, serde_json::to_value(PowerParams { graceful_s }).unwrap())
}

async fn observe(driver: &RedfishDriver, call: &Call) -> Observation {
    driver.observe(std::slice::from_ref(call)).await.remove(0).unwrap()
}

/// Does what an engine does: observe, begin if needed, observe until done. Answers whether it had to begin.
async fn carry_out(driver: &RedfishDriver, call: &Call) -> bool {
    let mut begun = false;
    for _ in 0..200 {
        match observe(driver, call).await {
            Observation::Done { .. } => return begun,
            Observation::NotStarted => {
                assert!(!begun, "{} is not started after it was begun", call.action);
                driver.begin(call).await.unwrap();
                begun = true;
            }
            Observation::InProgress { .. } => tokio::time::sleep(Duration::from_millis(100)).await,
            other => panic!("{}: {other:?}", call.action),
        }
    }
    panic!("{} is never done", call.action);
}

#[tokio::test]
async fn a_node_goes_through_its_life() {
    if !available() {
        return;
    }
    let sushy = Sushy::start(&Setup { systems: 1, ..Setup::default() });
    let driver = RedfishDriver::new(vec![sushy.endpoint("n1", "")], RedfishOptions::default()).unwrap();

    let bmc = driver.interrogate("n1").await.unwrap();
    assert_eq!(bmc.uuid.as_deref(), Some(uuid(0).as_str()), "in lower case, whatever the BMC writes");
    assert_eq!(bmc.macs, ["52:54:00:aa:00:00", "52:54:00:aa:00:01"], "in lower case and sorted");
    assert_eq!(bmc.power, PowerState::Off);
    assert_eq!(bmc.manufacturer.as_deref(), Some("Sushy Emulator"));
    assert_eq!(bmc.health.as_deref(), Some("OK"));
    assert_eq!(bmc.address, "172.22.0.1");
    assert!(bmc.reset_types.contains(&"GracefulShutdown".to_owned()), "{:?}", bmc.reset_types);

    assert!(carry_out(&driver, &boot("n1", BootTarget::Pxe)).await);
    assert!(!carry_out(&driver, &boot("n1", BootTarget::Pxe)).await, "it is set already");
    assert_eq!(driver.interrogate("n1").await.unwrap().boot.unwrap().target, "Pxe");

    assert!(carry_out(&driver, &power("n1", ActionKind::PowerOnNode, 0)).await);
    assert_eq!(driver.interrogate("n1").await.unwrap().power, PowerState::On);
    assert_eq!(
        driver.begin(&power("n1", ActionKind::PowerOnNode, 0)).await,
        Ok(Begun::Complete),
        "nothing is sent to a machine that is on"
    );

    assert!(carry_out(&driver, &boot("n1", BootTarget::Disk)).await, "Disabled is refused by this BMC, Hdd is not");
    assert_eq!(driver.interrogate("n1").await.unwrap().boot.unwrap().target, "Hdd");

    assert!(carry_out(&driver, &power("n1", ActionKind::PowerOffNode, 60)).await);
    assert_eq!(driver.interrogate("n1").await.unwrap().power, PowerState::Off);
    driver.close().await;
}

#[tokio::test]
async fn of_several_systems_one_must_be_named() {
    if !available() {
        return;
    }
    let sushy = Sushy::start(&Setup { systems: 3, ..Setup::default() });
    let path = |i: usize| format!("/redfish/v1/Systems/{}", uuid(i).to_uppercase());
    let endpoints = vec![sushy.endpoint("any", ""), sushy.endpoint("n1", &path(1)), sushy.endpoint("n2", &path(2))];
    let driver = RedfishDriver::new(endpoints, RedfishOptions::default()).unwrap();

    let error = driver.interrogate("any").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Rejected);
    assert!(error.message.contains("it has 3 systems") && error.message.contains("node02"), "{error}");
    assert_eq!(driver.interrogate("n1").await.unwrap().uuid, Some(uuid(1)));

    // The bound UUID tells as well.
    let mut on = power("any", ActionKind::PowerOnNode, 0);
    on.binding.uuid = Some(uuid(2));
    assert!(carry_out(&driver, &on).await);
    assert_eq!(driver.interrogate("n2").await.unwrap().power, PowerState::On);
    assert_eq!(driver.interrogate("n1").await.unwrap().power, PowerState::Off);

    // One batch, answers in the order of the calls.
    let batch = [power("n2", ActionKind::PowerOnNode, 0), power("n1", ActionKind::PowerOnNode, 0), boot("n2", BootTarget::Pxe)];
    let seen: Vec<_> = driver.observe(&batch).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(seen, [Observation::done(), Observation::NotStarted, Observation::NotStarted]);
}

#[tokio::test]
async fn login_and_certificate_are_checked() {
    if !available() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (dir.path().join("bmc.pem"), dir.path().join("bmc.key"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let sushy = Sushy::start(&Setup { systems: 1, tls: Some((certificate.clone(), key)), login: true, delay: false });
    assert!(sushy.url.starts_with("https://"), "{}", sushy.url);
    let with = |endpoint: BmcEndpoint, ca_file: Option<PathBuf>| {
        let defaults = RedfishOptions::default();
        let options = RedfishOptions { http: HttpOptions { ca_file, ..defaults.http }, ..defaults };
        RedfishDriver::new(vec![endpoint], options).unwrap()
    };

    let error = with(sushy.endpoint("n1", ""), None).interrogate("n1").await.unwrap_err();
    assert!(error.message.contains("node n1, BMC 172.22.0.1") && error.message.contains("certificate"), "{error}");
    assert!(error.hint.as_deref().is_some_and(|h| h.contains("`ca_file`")), "{error:?}");

    let trusted = with(sushy.endpoint("n1", ""), Some(certificate.clone()));
    assert_eq!(trusted.interrogate("n1").await.unwrap().uuid, Some(uuid(0)));
    assert!(carry_out(&trusted, &boot("n1", BootTarget::Pxe)).await);

    // Trust of this BMC alone, by its address or its fingerprint.
    let pin = hex_sha256(made.cert.der());
    let one = |trust: Trust| {
        let trust = [("172.22.0.1".to_owned(), trust)].into();
        RedfishDriver::new(vec![sushy.endpoint("n1", "")], RedfishOptions { trust, ..RedfishOptions::default() }).unwrap()
    };
    for trust in
        [Trust { ca_file: Some(certificate.clone()), pinned_sha256: Vec::new() }, Trust { ca_file: None, pinned_sha256: vec![pin.clone()] }]
    {
        assert_eq!(one(trust).interrogate("n1").await.unwrap().uuid, Some(uuid(0)));
    }
    let other = Trust { ca_file: None, pinned_sha256: vec![pin.replace(|c: char| c.is_ascii_digit(), "0")] };
    assert_eq!(one(other).interrogate("n1").await.unwrap_err().class, ErrorClass::Settings);

    let wrong = BmcEndpoint { password: Secret::new("not-the-password"), ..sushy.endpoint("n1", "") };
    let error = with(wrong, Some(certificate)).interrogate("n1").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Credentials);
    assert!(error.message.contains("refuses the credentials of user admin"), "{error}");
    assert!(!format!("{error:?}").contains("not-the-password"));
}

fn hex_sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Fifty systems behind one service, side by side: found, set to boot from the network, switched on, and off again.
async fn fifty(delay: bool) {
    const SYSTEMS: usize = 50;
    let sushy = Sushy::start(&Setup { systems: SYSTEMS, delay, ..Setup::default() });
    let name = |i: usize| format!("n{i:02}");
    let endpoints = (0..SYSTEMS).map(|i| sushy.endpoint(&name(i), &format!("/redfish/v1/Systems/{}", uuid(i).to_uppercase()))).collect();
    let poll = Duration::from_millis(200);
    let driver =
        RedfishDriver::new(endpoints, RedfishOptions { poll, observe_limit: Duration::from_secs(60), ..RedfishOptions::default() })
            .unwrap();
    // All fifty are one BMC, which is asked one thing at a time.
    let mut reads = tokio::task::JoinSet::new();
    for i in 0..SYSTEMS {
        let (driver, name) = (driver.clone(), name(i));
        reads.spawn(async move { (i, driver.interrogate(&name).await) });
    }
    while let Some(read) = reads.join_next().await {
        let (i, bmc) = read.unwrap();
        let bmc = bmc.unwrap();
        assert_eq!((bmc.uuid, bmc.macs.len(), bmc.power), (Some(uuid(i)), 2, PowerState::Off));
    }
    let kinds = [
        |n: &str| boot(n, BootTarget::Pxe),
        |n: &str| power(n, ActionKind::PowerOnNode, 0),
        |n: &str| boot(n, BootTarget::Disk),
        |n: &str| power(n, ActionKind::PowerOffNode, 0),
    ];
    for (step, kind) in kinds.into_iter().enumerate() {
        let calls: Vec<Call> = (0..SYSTEMS).map(|i| kind(&name(i))).collect();
        let (mut begun, mut late) = (0, 0);
        for round in 0.. {
            assert!(round < 300, "step {step} never ends");
            let seen = driver.observe(&calls).await;
            let mut open = 0;
            for (call, seen) in calls.iter().zip(seen) {
                match seen.unwrap() {
                    Observation::Done { .. } => {}
                    Observation::NotStarted => {
                        open += 1;
                        begun += 1;
                        driver.begin(call).await.unwrap();
                    }
                    Observation::InProgress { .. } => (open, late) = (open + 1, late + 1),
                    other => panic!("{other:?}"),
                }
            }
            if open == 0 {
                break;
            }
            tokio::time::sleep(poll).await;
        }
        // An emulated machine boots from its disk unless told otherwise, and each order is given once, however late it shows.
        assert_eq!(begun, SYSTEMS, "step {step}");
        assert!(!delay || step % 2 == 0 || late > 0, "power shows late");
    }
    driver.close().await;
}

#[tokio::test]
async fn fifty_systems_that_do_at_once_what_they_are_told() {
    if available() {
        fifty(false).await;
    }
}

#[tokio::test]
async fn fifty_systems_whose_power_takes_its_time() {
    if available() {
        fifty(true).await;
    }
}
