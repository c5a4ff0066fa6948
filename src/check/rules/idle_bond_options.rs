//! Bond options belong to the bond's mode.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::BondMode;
use crate::model::Site;
use crate::yaml::Span;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2316"),
    original: Some("DD1006 (Network Bond Rationality)"),
    title: "a bond option has no effect in its mode",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for link in site.links.values() {
        let bonding = &link.bonding;
        let mode = bonding.mode.value;
        // Assumed where the written mode could not be read.
        if mode != BondMode::Disabled && !bonding.mode.span.is_somewhere() {
            continue;
        }
        let times = [("mon_rate", &bonding.mon_rate), ("up_delay", &bonding.up_delay), ("down_delay", &bonding.down_delay)];
        let hashing = matches!(mode, BondMode::Lacp | BondMode::BalanceXor | BondMode::BalanceTlb | BondMode::BalanceAlb);
        let idle = times.into_iter().filter_map(|(key, time)| Some((key, time.as_ref()?.span, mode == BondMode::Disabled)));
        let hash = bonding.hash.iter().map(|hash| ("hash", hash.span, !hashing));
        let rate = bonding.peer_rate.iter().map(|rate| ("peer_rate", rate.span, mode != BondMode::Lacp));
        let found: Vec<(&str, Span)> =
            idle.chain(hash).chain(rate).filter(|(_, _, idle)| *idle).map(|(key, span, _)| (key, span)).collect();
        for (key, span) in found.into_iter().filter(|(_, span)| span.is_somewhere()) {
            let message = format!("`bonding.{key}` has no effect in mode `{}`", mode.kernel_name());
            let found = findings.finding(message).at(span).label(bonding.mode.span, "the mode");
            findings.push(found.help("remove it, or set the mode that it belongs to").resource(format!("link.{}", link.name)));
        }
    }
}
