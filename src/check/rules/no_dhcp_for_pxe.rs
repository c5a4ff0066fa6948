//! A machine that boots from the network gets an address there.

use std::collections::BTreeMap;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::{Network, Node, OobType, Site, Text};

pub(super) static RULE: Rule = Rule {
    code: Code("DD2215"),
    original: None,
    title: "no DHCP serves the network that nodes boot from",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for (name, (node, nic)) in unserved(site) {
        let has = match site.networks[name].dhcp_relay {
            None => "neither a DHCP range nor a relay",
            Some(_) => "a DHCP relay and no DHCP range",
        };
        let message = format!("network `{name}` has {has}, and node `{}` boots from it", node.name);
        let found = findings.finding(message).at(site.networks[name].name.span).label(nic.span, "the NIC that boots");
        let help = "add a range of type `dhcp`: nothing else is handed out, relayed or not; or correct `pxe_interface`";
        findings.push(found.help(help).resource(format!("network.{name}")));
    }
}

/// Whether somebody hands out addresses of this network, or may: a range that could not be read is reported as that.
pub(super) fn is_served(network: &Network) -> bool {
    network.has_dhcp_range() || network.lacks_ranges || network.dhcp_relay.as_ref().is_some_and(|relay| relay.upstream_target.is_some())
}

/// Networks that nodes boot from and the provisioner does not serve, because it has no range there, each with one of the nodes and its NIC.
pub(super) fn unserved(site: &Site) -> BTreeMap<&str, (&Node, &Text)> {
    let mut unserved = BTreeMap::new();
    for node in site.nodes.values().filter(|node| node.oob.kind.is_some_and(|kind| kind.value != OobType::Manual)) {
        let Some(profile) = node.hardware_profile.as_ref().and_then(|name| site.hardware_profiles.get(&name.value)) else { continue };
        let Some(nic) = &profile.pxe_interface else { continue };
        let interfaces = node.interfaces.values().filter(|interface| interface.name == *nic || interface.slaves.contains(nic));
        // Frames of a machine that boots are untagged.
        let networks = interfaces.filter_map(|interface| {
            let link = site.links.get(&interface.device_link.as_ref()?.value)?;
            site.networks.get(&link.native_network.as_ref()?.value)
        });
        let networks: Vec<&Network> = networks.collect();
        if let Some(network) = networks.first().filter(|_| !networks.iter().any(|network| network.has_dhcp_range() || network.lacks_ranges))
        {
            unserved.entry(network.name.as_str()).or_insert((node, nic));
        }
    }
    unserved
}
