//! Address ranges of a network do not overlap.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Range;
use crate::model::Site;

pub(super) static RULE: Rule =
    Rule { code: Code("DD2208"), original: None, title: "address ranges overlap", severity: Severity::Warning, check: Some(check) };

fn check(site: &Site, findings: &mut Findings<'_>) {
    for network in site.networks.values() {
        let mut ranges: Vec<&Range> = network.ranges.iter().filter(|range| range.start.value <= range.end.value).collect();
        ranges.sort_by_key(|range| (range.start.value, range.end.value));
        let mut furthest: Option<&Range> = None;
        for range in ranges {
            if let Some(before) = furthest
                && range.start.value <= before.end.value
            {
                let message = format!("range {} to {} overlaps {} to {}", range.start, range.end, before.start, before.end);
                let found = findings.finding(message).at(range.start.span).label(before.start.span, "the other range");
                findings.push(found.help("shorten one of them").resource(format!("network.{}", network.name)));
            }
            if furthest.is_none_or(|before| range.end.value > before.end.value) {
                furthest = Some(range);
            }
        }
    }
}
