//! A NIC or disk that is neither an alias nor a kernel name will not be found on the machine.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::design::similar;
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
    for node in site.nodes.values() {
        let Some(profile) = node.hardware_profile.as_ref().and_then(|name| site.hardware_profiles.get(&name.value)) else { continue };
        let nics = node.interfaces.values().flat_map(|interface| &interface.slaves).filter(|name| !is_nic(name));
        let disks = node.storage.physical_devices.values().map(|device| &device.name).filter(|name| !is_disk(name));
        for name in nics.chain(disks).filter(|name| !profile.device_aliases.contains_key(&name.value)) {
            let message = format!("hardware profile `{}` has no device `{name}`, and the kernel names no device so", profile.name);
            let found = findings.finding(message).at(name.span).resource(format!("node.{}", node.name));
            findings.push(match similar(name, profile.device_aliases.keys().map(String::as_str)) {
                Some(alias) => found.help(format!("did you mean `{alias}`?")),
                None => found.help("add it to `device_aliases` of the hardware profile"),
            });
        }
    }
}

/// Names as the kernel and systemd give them to network interfaces.
fn is_nic(name: &str) -> bool {
    let numbered = |prefix: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    ["eth", "eno", "ens", "enp", "enP", "enx", "em", "ib", "ibp", "ibs", "wlp", "p"].into_iter().any(numbered) || name.starts_with("enx")
}

/// Names as the kernel gives them to disks.
fn is_disk(name: &str) -> bool {
    let name = name.strip_prefix("/dev/").unwrap_or(name);
    ["sd", "vd", "xvd", "hd", "nvme", "md", "dm-", "mmcblk", "pmem", "disk/"].into_iter().any(|prefix| name.starts_with(prefix))
}
