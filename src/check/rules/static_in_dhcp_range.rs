//! An address that the design assigns should not be one that DHCP hands out.

use std::collections::HashMap;

use super::ranges::Ranges;
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
    let taken: HashMap<&str, Ranges<'_>> = site
        .networks
        .values()
        .map(|network| {
            (network.name.as_str(), network.ranges.iter().filter(|range| range.kind.value != RangeKind::Static).collect::<Ranges<'_>>())
        })
        .collect();
    for node in site.nodes.values() {
        for (network, address) in node.addressing.iter().filter_map(|a| Some((&a.network, a.address.as_ref()?))) {
            let Some(range) = taken.get(network.as_str()).and_then(|ranges| ranges.holding(address.value)) else { continue };
            let what = if range.kind.value == RangeKind::Dhcp { "DHCP" } else { "reserved" };
            let message = format!("address {address} is in a {what} range of network `{network}`");
            let found = findings.finding(message).at(address.span).label(range.start.span, "the range starts here");
            findings.push(found.help("assign an address outside the range, or shorten the range").resource(format!("node.{}", node.name)));
        }
    }
}
