//! Machines that are not what their hardware profile says: told in the plan, and no hindrance.

use crate::perturbed_support::{Site, node_mut, of};

#[test]
fn what_drydock_does_not_change_is_told() {
    let site = Site::applied();
    let (plan, _) = site.plan(&[]);
    assert!(!plan["warnings"].to_string().contains("hardware profile"), "{plan:#}");
    let managed = plan["not_managed"].to_string();
    assert!(!managed.contains("BIOS version"), "it was compared: {managed}");
    site.change(|w| {
        for name in ["compute01", "compute02"] {
            let n = node_mut(w, name);
            n.hardware_info.insert("mainboard_firmware_version".into(), "0.9".into());
            n.hardware_info.insert("system_vendor".into(), "Another".into());
            n.memory = 1024;
            n.cpu_count = 2;
            n.interfaces.values_mut().find(|i| i.product.as_deref() == Some("Gigabit Ethernet Controller")).unwrap().product =
                Some("A card".into());
            n.block_devices.values_mut().find(|d| d.model.as_deref() == Some("SSD 1920")).unwrap().model = Some("SSD 960".into());
        }
    });
    let (plan, code) = site.plan(&[]);
    assert_eq!(code, 0, "nothing of it is drydock's to change: {plan:#}");
    let warnings: Vec<&str> = plan["warnings"].as_array().unwrap().iter().filter_map(|w| w.as_str()).collect();
    for part in [
        "compute01, compute02 have BIOS version 0.9",
        "compute01, compute02 have vendor Another",
        "have 2 CPUs",
        "have 1024 MiB of memory",
        "pxe_nic at pci 0000:02:00.0 is `Gigabit Ethernet Controller`; compute01, compute02 have `A card` there",
        "data_disk at scsi 2:0.1.0 is `SSD 1920`; compute01, compute02 have `SSD 960` there",
    ] {
        assert!(warnings.iter().any(|w| w.starts_with("hardware profile lab-server says ") && w.contains(part)), "{part}: {warnings:#?}");
    }
}

#[test]
fn a_device_that_only_the_hardware_profile_names_is_missed() {
    let site = Site::applied();
    site.folder().edit(
        "design/hardware.yaml",
        "  device_aliases:\n",
        "  device_aliases:\n    third_nic: {address: '0000:af:00.0', dev_type: A card, bus_type: pci}\n",
    );
    let (plan, code) = site.plan(&[]);
    assert_eq!(code, 0, "{plan:#}");
    let warnings = plan["warnings"].to_string();
    assert!(warnings.contains("third_nic is at pci 0000:af:00.0; compute01, compute02, control01 have no NIC or disk there"), "{warnings}");
}

#[test]
fn what_commissioning_found_out_is_kept_with_history() {
    let site = Site::applied();
    let listed = site.run(&["state", "hardware", "node.compute01"]).expect(0).stdout;
    for name in ["lshw", "lldp", "commissioning/20-maas-01-install-lldpd", "testing/smartctl-validate"] {
        assert_eq!(listed.lines().filter(|l| l.contains(&format!("  {name}  "))).count(), 1, "{name}: {listed}");
    }
    site.run(&["apply", "--replace", "node=compute01", "--auto-approve"]).expect(0);
    let listed = site.run(&["state", "hardware", "compute01"]).expect(0).stdout;
    assert_eq!(listed.lines().filter(|l| l.contains("  lshw  ")).count(), 2, "{listed}");
    let newest = site.run(&["state", "hardware", "compute01", "lshw"]).expect(0).stdout;
    assert!(newest.starts_with("<?xml") && newest.matches("<list>").count() == 1, "{newest}");
    site.run(&["state", "hardware", "compute01", "lshv"]).expect(1).says(&["nothing called `lshv`", "lldp, lshw"]);
    site.run(&["state", "hardware", "compute09"]).expect(1).says(&["nothing is kept of the hardware of `compute09`"]);
}

#[test]
fn rack_controllers_that_do_not_work_are_told() {
    let site = Site::applied();
    let body = r#"[{"system_id": "abc123", "hostname": "rack9", "service_set": [{"name": "rackd", "status": "running"}, {"name": "dhcpd", "status": "dead", "status_info": "no route"}]}]"#;
    site.simulate(&format!(
        "  faults: [{{server: maas, method: GET, path: '.*/rackcontrollers/', count: 0, status: 200, body: '{body}'}}]"
    ));
    let (plan, _) = site.plan(&[]);
    assert!(plan["warnings"].to_string().contains("rack controller rack9: dhcpd is dead: no route"), "{plan:#}");
}

#[test]
fn an_image_is_for_the_architecture_of_its_machines() {
    let site = Site::applied();
    site.change(|w| node_mut(w, "compute01").architecture = "arm64/generic".into());
    let (plan, code) = site.plan(&["--out", "arm.plan"]);
    assert_eq!(code, 2, "{plan:#}");
    assert_eq!(of(&plan, "changes", "image.ubuntu/jammy/arm64").len(), 1, "{plan:#}");
    assert_eq!(plan["changes"].as_array().map(Vec::len), Some(1), "{plan:#}");
    assert!(site.folder().read("arm.plan").contains(r#""arch":"arm64""#));
}
