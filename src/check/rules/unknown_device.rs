//! A NIC or disk that is neither an alias nor a kernel name will not be found on the machine.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2109"),
    original: None,
    title: "a device is neither an alias nor a kernel name",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values().filter(|node| !node.incomplete) {
        let profile = node.hardware_profile.as_ref().map(|name| site.hardware_profiles.get(&name.value));
        // A hardware profile that does not exist is reported as that.
        if profile.is_some_and(|profile| profile.is_none()) {
            continue;
        }
        let profile = profile.flatten();
        let nics = node.interfaces.values().flat_map(|interface| &interface.slaves).filter(|name| !is_nic(name));
        let disks = node.storage.physical_devices.values().map(|device| &device.name).filter(|name| !is_disk(name));
        for name in nics.chain(disks) {
            let Some(profile) = profile else {
                let message = format!("`{name}` is no kernel name of a device, and no hardware profile says what it is");
                let found = findings.finding(message).at(name.span).resource(format!("node.{}", node.name));
                findings.push(found.help("set `hardware_profile` of the node or its host profile"));
                continue;
            };
            if profile.device_aliases.contains_key(&name.value) {
                continue;
            }
            let message = format!("hardware profile `{}` has no device `{name}`, and the kernel names no device so", profile.name);
            let found = findings.finding(message).at(name.span).resource(format!("node.{}", node.name));
            if findings.has(&found) {
                findings.push(found);
                continue;
            }
            let help = match findings.similar(name, profile.device_aliases.keys().map(String::as_str)) {
                Some(alias) => format!("did you mean `{alias}`?"),
                None => "add it to `device_aliases` of the hardware profile".to_owned(),
            };
            findings.push(found.help(help));
        }
    }
}

/// Names as the kernel and systemd give them to network interfaces.
pub(super) fn is_nic(name: &str) -> bool {
    let numbered = |prefix: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    ["eth", "eno", "ens", "enp", "enP", "enx", "em", "ib", "ibp", "ibs", "wlp", "p"].into_iter().any(numbered) || name.starts_with("enx")
}

/// Names as the kernel gives them to disks.
fn is_disk(name: &str) -> bool {
    let name = name.strip_prefix("/dev/").unwrap_or(name);
    ["sd", "vd", "xvd", "hd", "nvme", "md", "dm-", "mmcblk", "pmem", "disk/"].into_iter().any(|prefix| name.starts_with(prefix))
}
