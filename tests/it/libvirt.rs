//! The libvirt driver against libvirt's own mock hypervisor (`test:///FILE`), which needs no daemon; its state ends with each connection.

use std::time::Duration;

use drydock::action::ActionKind;
use drydock::action::params::{BootTarget, PowerParams, SetNodeBoot};
use drydock::build::{Binding, PowerState};
use drydock::driver::libvirt::{LibvirtDriver, LibvirtNode, LibvirtOptions};
use drydock::driver::{Begun, Call, Driver, ErrorClass, Observation, OobDriver};

use crate::ipmi_peer::install;

const MACS: [&str; 2] = ["52:54:00:00:07:01", "52:54:00:00:07:02"];

/// Whether `virsh` can be used; says why not.
fn available() -> bool {
    if std::env::var("DRYDOCK_SKIP_PEERS").is_ok_and(|v| v == "1") {
        eprintln!("skipped: DRYDOCK_SKIP_PEERS=1");
        return false;
    }
    match install(&["virsh"], &["libvirt-clients"]) {
        Ok(()) => true,
        Err(why) => {
            assert!(!std::env::var("CI").is_ok_and(|v| v == "true"), "in CI this test must run: {why}");
            eprintln!("skipped: {why}");
            false
        }
    }
}

/// A hypervisor with two running domains, as a file.
fn hypervisor(folder: &std::path::Path) -> String {
    let domain = |i: usize| {
        format!(
            "<domain type='test'><name>vm{i}</name><uuid>6695eb01-f6a4-8304-79aa-97f2502e190{i}</uuid><memory>8192</memory><vcpu>1</vcpu><os><type>hvm</type><boot dev='hd'/></os><devices><disk type='file' device='disk'><source file='/vm{i}'/><target dev='vda' bus='virtio'/></disk><interface type='network'><mac address='{}'/><source network='default'/></interface></devices></domain>",
            MACS[i - 1]
        )
    };
    let file = folder.join("node.xml");
    std::fs::write(&file, format!("<node>{}{}</node>", domain(1), domain(2))).unwrap();
    format!("test://{}", file.display())
}

fn call(kind: ActionKind, params: serde_json::Value) -> Call {
    Call {
        action: format!("{kind}"),
        site: "lab".into(),
        kind,
        resource: "node.n2/power".into(),
        node: Some("n2".into()),
        params,
        binding: Binding::default(),
        begun: false,
        before: None,
    }
}

fn driver(uri: &str, mac: &str) -> LibvirtDriver {
    let node = LibvirtNode { node: "n2".into(), uri: uri.into(), boot_mac: mac.to_uppercase() };
    LibvirtDriver::new(vec![node], &LibvirtOptions { command_limit: Duration::from_secs(20), ..LibvirtOptions::default() }).unwrap()
}

#[tokio::test]
async fn a_domain_is_found_by_its_mac_and_takes_every_order() {
    if !available() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let uri = hypervisor(folder.path());
    let driver = driver(&uri, MACS[1]);
    let bmc = driver.interrogate("n2").await.unwrap();
    assert_eq!((bmc.system.as_str(), bmc.uuid.as_deref()), ("vm2", Some("6695eb01-f6a4-8304-79aa-97f2502e1902")));
    assert_eq!((bmc.macs.as_slice(), bmc.power), ([MACS[1].to_owned()].as_slice(), PowerState::On));
    assert_eq!(bmc.boot.unwrap().target, "None");
    let power = |kind, graceful_s| call(kind, serde_json::to_value(PowerParams { graceful_s }).unwrap());
    let boot = |target| call(ActionKind::SetNodeBoot, serde_json::to_value(SetNodeBoot { target }).unwrap());
    let batch = [power(ActionKind::PowerOnNode, 0), power(ActionKind::PowerOffNode, 0), boot(BootTarget::Pxe), boot(BootTarget::Disk)];
    let seen: Vec<_> = driver.observe(&batch).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(seen, [Observation::done(), Observation::NotStarted, Observation::NotStarted, Observation::done()]);
    // Accepted; the mock forgets it when virsh ends, so it is never confirmed.
    for order in [power(ActionKind::PowerOffNode, 0), boot(BootTarget::Pxe)] {
        assert!(matches!(driver.begin(&order).await.unwrap(), Begun::Wait { .. }), "{}", order.kind);
        assert!(matches!(driver.observe(&[order]).await[0], Ok(Observation::InProgress { .. })));
    }
    // Another domain than the bound one is not touched.
    let mut wrong = power(ActionKind::PowerOffNode, 0);
    wrong.binding.uuid = Some("6695eb01-f6a4-8304-79aa-97f2502e1901".into());
    assert_eq!(driver.begin(&wrong).await.unwrap_err().class, ErrorClass::Precondition);
}

#[tokio::test]
async fn what_does_not_answer_is_said() {
    if !available() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let uri = hypervisor(folder.path());
    let none = driver(&uri, "52:54:00:00:07:09").interrogate("n2").await.unwrap_err();
    assert_eq!(none.class, ErrorClass::Rejected);
    assert!(none.message.contains("none of 2 domains has a NIC with MAC"), "{none}");
    let dead = driver("qemu+unix:///system?socket=/no/such/socket", MACS[0]).interrogate("n2").await.unwrap_err();
    assert_eq!(dead.class, ErrorClass::Transient);
    assert!(dead.message.contains("failed to connect to the hypervisor") && dead.hint.is_some(), "{dead}");
    let node = LibvirtNode { node: "n2".into(), uri, boot_mac: MACS[0].into() };
    let missing = LibvirtDriver::new(vec![node], &LibvirtOptions { program: "no-virsh-here".into(), ..LibvirtOptions::default() }).unwrap();
    let missing = missing.interrogate("n2").await.unwrap_err();
    assert!(missing.hint.unwrap().contains("apt install libvirt-clients"));
}

#[tokio::test]
async fn a_jump_host_is_an_argument_of_ssh() {
    use std::os::unix::fs::PermissionsExt as _;
    if !available() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (ssh, log) = (folder.path().join("ssh"), folder.path().join("log"));
    std::fs::write(&ssh, format!("#!/bin/sh\nprintf '%s|' \"$@\" >> {}\nexit 255\n", log.display())).unwrap();
    std::fs::set_permissions(&ssh, std::fs::Permissions::from_mode(0o755)).unwrap();
    let node = || LibvirtNode { node: "n2".into(), uri: "qemu+ssh://root@kvm.invalid/system".into(), boot_mac: MACS[0].into() };
    for (jump, starts) in [(Some("ops@bastion.invalid:2222"), "-J|ops@bastion.invalid:2222|"), (None, "-")] {
        let options = LibvirtOptions { ssh: ssh.clone(), jump: jump.map(str::to_owned), ..LibvirtOptions::default() };
        let driver = LibvirtDriver::new(vec![node()], &options).unwrap();
        // libvirt may start it while its file is still open in a child of another test.
        let error = driver.interrogate("n2").await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Transient, "{error}");
        let arguments = std::fs::read_to_string(&log).unwrap();
        assert!(arguments.starts_with(starts) && arguments.contains("|kvm.invalid|"), "{arguments}");
        assert_eq!(arguments.contains("|ops@bastion.invalid:2222|"), jump.is_some(), "{arguments}");
        std::fs::remove_file(&log).unwrap();
    }
}
