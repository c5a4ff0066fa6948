//! Machines that are not what their hardware profile says: told in the plan, and no hindrance.

use crate::perturbed_support::{Site, node_mut};

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
        }
    });
    let (plan, code) = site.plan(&[]);
    assert_eq!(code, 0, "nothing of it is drydock's to change: {plan:#}");
    let warnings: Vec<&str> = plan["warnings"].as_array().unwrap().iter().filter_map(|w| w.as_str()).collect();
    for part in
        ["compute01, compute02 have BIOS version 0.9", "compute01, compute02 have vendor Another", "have 2 CPUs", "have 1024 MiB of memory"]
    {
        assert!(warnings.iter().any(|w| w.starts_with("hardware profile lab-server says ") && w.contains(part)), "{part}: {warnings:#?}");
    }
}
