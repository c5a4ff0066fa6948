//! Assigned addresses come from the ranges that are declared for them.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::{RangeKind, Site};

pub(super) static RULE: Rule = Rule {
    code: Code("DD2214"),
    original: None,
    title: "an assigned address is outside the static ranges of its network",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        for (network, address) in node.addressing.iter().filter_map(|a| Some((site.networks.get(&a.network.value)?, a.address.as_ref()?))) {
            let ranged = network.ranges.iter().any(|range| (range.start.value..=range.end.value).contains(&address.value));
            let declared = network.ranges.iter().find(|range| range.kind.value == RangeKind::Static);
            let Some(declared) = declared else { continue };
            // Outside the network, or inside another range: those have rules of their own.
            if !network.cidr.contains(&address.value) || ranged {
                continue;
            }
            let message = format!("address {address} is in no static range of network `{}`", network.name);
            let found = findings.finding(message).at(address.span).label(declared.start.span, "a static range starts here");
            let help = "assign an address from a static range, or widen the range";
            findings.push(found.help(help).resource(format!("node.{}", node.name)));
        }
    }
}
