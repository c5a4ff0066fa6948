//! An address that the design assigns should not be one that DHCP hands out.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::RangeKind;
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2209"),
    original: None,
    title: "an assigned address is in a DHCP or reserved range",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        for (network, address) in node.addressing.iter().filter_map(|a| Some((site.networks.get(&a.network.value)?, a.address.as_ref()?))) {
            let range = network
                .ranges
                .iter()
                .find(|range| range.kind.value != RangeKind::Static && (range.start.value..=range.end.value).contains(&address.value));
            let Some(range) = range else { continue };
            let what = if range.kind.value == RangeKind::Dhcp { "DHCP" } else { "reserved" };
            let message = format!("address {address} is in a {what} range of network `{}`", network.name);
            let found = findings.finding(message).at(address.span).label(range.start.span, "the range starts here");
            findings.push(found.help("assign an address outside the range, or shorten the range").resource(format!("node.{}", node.name)));
        }
    }
}
