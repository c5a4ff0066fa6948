//! Assigned addresses come from the ranges that are declared for them.

use std::collections::HashMap;

use super::ranges::Ranges;
use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::{Network, Range, RangeKind, Site};

pub(super) static RULE: Rule = Rule {
    code: Code("DD2214"),
    original: None,
    title: "an assigned address is outside the static ranges of its network",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    let mut declared: HashMap<&str, (&Network, Ranges<'_>, &Range)> = HashMap::new();
    for network in site.networks.values() {
        let of_static: Ranges<'_> = network.ranges.iter().filter(|range| range.kind.value == RangeKind::Static).collect();
        if let Some(first) = of_static.first() {
            declared.insert(&network.name, (network, network.ranges.iter().collect(), first));
        }
    }
    for node in site.nodes.values() {
        for (network, address) in node.addressing.iter().filter_map(|a| Some((&a.network, a.address.as_ref()?))) {
            let Some((network, ranges, first)) = declared.get(network.as_str()) else { continue };
            // Outside the network, or inside another range: those have rules of their own.
            if !network.cidr.contains(&address.value) || ranges.holding(address.value).is_some() {
                continue;
            }
            let message = format!("address {address} is in no static range of network `{}`", network.name);
            let found = findings.finding(message).at(address.span).label(first.start.span, "a static range starts here");
            let help = "assign an address from a static range, or widen the range";
            findings.push(found.help(help).resource(format!("node.{}", node.name)));
        }
    }
}
