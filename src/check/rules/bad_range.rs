//! An address range runs upwards inside its network.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Diagnostic, Severity};
use crate::model::{Range, RangeKind, Site};

pub(super) static RULE: Rule = Rule {
    code: Code("DD2207"),
    original: None,
    title: "an address range is reversed or outside its network",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for network in site.networks.values() {
        for range in &network.ranges {
            let resource = format!("network.{}", network.name);
            if range.start.value > range.end.value {
                let message = format!("range {} to {} runs backwards", range.start, range.end);
                let found = weighed(findings.finding(message), range).at(range.start.span).label(range.end.span, "ends here");
                findings.push(found.help("exchange `start` and `end`").resource(resource));
                continue;
            }
            for (verb, end) in [("starts", &range.start), ("ends", &range.end)] {
                if network.cidr.span.is_somewhere() && !network.cidr.contains(&end.value) {
                    let message = format!("range {verb} at {end}, outside network `{}` ({})", network.name, network.cidr);
                    let found =
                        weighed(findings.finding(message), range).at(end.span).label(network.cidr.span, "the network's address block");
                    findings.push(found.help("correct the range or the address block").resource(resource.clone()));
                }
            }
        }
    }
}

/// A static range is made nowhere: it only says what addresses are for.
fn weighed(mut found: Diagnostic, range: &Range) -> Diagnostic {
    if range.kind.value == RangeKind::Static {
        found.severity = Severity::Warning;
    }
    found
}
