//! Shares of a disk or volume group add up to at most the whole.

use super::storage::shared_spaces;
use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;
use crate::model::Size;
use crate::yaml::Span;

pub(super) static RULE: Rule = Rule {
    code: Code("DD3108"),
    original: Some("DD2003 (Storage Sizing)"),
    title: "shares add up to more than 100 %",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        for (what, name, sizes) in shared_spaces(&node.storage) {
            let shares: Vec<(u32, Span)> = sizes
                .into_iter()
                .filter_map(|(_, size)| if let Size::Percent(share) = size.value { Some((share, size.span)) } else { None })
                .collect();
            let sum: u64 = shares.iter().map(|(share, _)| u64::from(*share)).sum();
            if sum <= 10_000 {
                continue;
            }
            let message = format!("shares of {what} `{name}` add up to {}.{:02} %", sum / 100, sum % 100);
            let found =
                findings.finding(message).at(shares.last().map_or(name.span, |(_, span)| *span)).label(name.span, format!("the {what}"));
            findings.push(found.help("lower them to 100 % at most").resource(format!("node.{}", node.name)));
        }
    }
}
