//! What the out-of-band driver needs is there.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::OobType;
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD4101"),
    original: Some("DD4001 (Valid IPMI), DD4002 (Valid Libvirt)"),
    title: "out-of-band settings are incomplete",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values().filter(|node| !node.incomplete) {
        let oob = &node.oob;
        let Some(kind) = &oob.kind else {
            let found = findings.finding(format!("node `{}` has no `oob.type`", node.name)).at(node.name.span);
            findings.push(found.help("set it to `redfish`, `ipmi`, `libvirt` or `manual`").resource(format!("node.{}", node.name)));
            continue;
        };
        let missing: Vec<&str> = match kind.value {
            OobType::Manual => Vec::new(),
            OobType::Libvirt => {
                [("oob.libvirt_uri", oob.libvirt_uri.is_none())].into_iter().filter(|(_, missing)| *missing).map(|(key, _)| key).collect()
            }
            OobType::Ipmi | OobType::Redfish => [
                ("oob.network", oob.network.is_none()),
                ("oob.account", oob.account.is_none()),
                ("oob.credential", oob.credential.is_none()),
            ]
            .into_iter()
            .filter(|(_, missing)| *missing)
            .map(|(key, _)| key)
            .collect(),
        };
        if !missing.is_empty() {
            let keys: Vec<String> = missing.iter().map(|key| format!("`{key}`")).collect();
            let message = format!("management by {} needs {}", kind.name(), keys.join(", "));
            let found = findings.finding(message).at(kind.span).help("set it in the node or in its host profile");
            findings.push(found.resource(format!("node.{}", node.name)));
        }
        if let Some(network) = &oob.network
            && oob.address.is_none()
            && site.networks.contains_key(&network.value)
            && matches!(kind.value, OobType::Ipmi | OobType::Redfish)
        {
            let message = format!("node `{}` has no address on `{network}`, the network of its BMC", node.name);
            let found = findings.finding(message).at(node.name.span).label(network.span, "the network of the BMC");
            let help = format!("add `network: {network}` with the BMC's address to `addressing`");
            findings.push(found.help(help).resource(format!("node.{}", node.name)));
        }
    }
}
