//! Delays of a bond are at least its monitoring interval.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::BondMode;
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2314"),
    original: Some("DD1006 (Network Bond Rationality)"),
    title: "a bond's delay is below its monitoring interval",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for link in site.links.values() {
        let bonding = &link.bonding;
        let Some(interval) = &bonding.mon_rate else { continue };
        if interval.value == 0 && bonding.mode.value != BondMode::Disabled {
            let mut found = findings.finding(format!("link `{}` does not look whether its members work", link.name)).at(interval.span);
            found.severity = Severity::Warning;
            let help = "give an interval in milliseconds, such as 100: with 0 a failed member is used on";
            findings.push(found.help(help).resource(format!("link.{}", link.name)));
            continue;
        }
        for (key, delay) in [("up_delay", &bonding.up_delay), ("down_delay", &bonding.down_delay)] {
            let Some(delay) = delay else { continue };
            if delay.value >= interval.value || bonding.mode.value == BondMode::Disabled {
                continue;
            }
            let span = if delay.span.is_somewhere() { delay.span } else { interval.span };
            let message = format!("`{key}` of link `{}` is {delay} ms, below the monitoring interval of {interval} ms", link.name);
            let mut found = findings.finding(message).at(span).label(interval.span, "the monitoring interval");
            if bonding.mode.value != BondMode::Lacp {
                found.severity = Severity::Warning;
            }
            findings.push(found.help("give a multiple of `mon_rate`").resource(format!("link.{}", link.name)));
        }
    }
}
