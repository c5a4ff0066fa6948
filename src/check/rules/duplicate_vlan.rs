//! Networks of one link have different VLAN tags.

use std::collections::{HashMap, HashSet};

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Network;
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2307"),
    original: None,
    title: "two networks of a link have the same VLAN",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    // Without trunking, several networks are reported as that.
    for link in site.links.values().filter(|link| link.trunked.value) {
        let mut first: HashMap<u16, &Network> = HashMap::new();
        let mut seen = HashSet::new();
        for name in link.allowed_networks.iter().chain(&link.native_network).filter(|name| seen.insert(name.as_str())) {
            let Some(network) = site.networks.get(&name.value) else { continue };
            let native = link.native_network.as_ref() == Some(name);
            let vlan = if native { 0 } else { network.vlan.as_ref().map_or(0, |vlan| vlan.value) };
            let other = *first.entry(vlan).or_insert(network);
            if other.name == network.name {
                continue;
            }
            let vlan_text = if vlan == 0 { "are both untagged".to_owned() } else { format!("both have VLAN tag {vlan}") };
            let message = format!("networks `{}` and `{}` of link `{}` {vlan_text}", other.name, network.name, link.name);
            let span = network.vlan.as_ref().map_or(network.name.span, |vlan| vlan.span);
            let other_span = other.vlan.as_ref().map_or(other.name.span, |vlan| vlan.span);
            let found = findings.finding(message).at(span).label(other_span, "the other network");
            findings.push(found.help("give each network its own `vlan`").resource(format!("link.{}", link.name)));
        }
    }
}
