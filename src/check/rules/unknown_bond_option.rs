//! Options of a bond are those of the kernel (Documentation/networking/bonding.rst), as MAAS takes them.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::design::similar;
use crate::diag::{Code, Severity};
use crate::model::{BondMode, Site};

pub(super) static RULE: Rule = Rule {
    code: Code("DD2322"),
    original: Some("DD1006 (Network Bond Rationality)"),
    title: "a bond option has an unknown value",
    severity: Severity::Error,
    check: Some(check),
};

const HASHES: [&str; 6] = ["layer2", "layer2+3", "layer3+4", "encap2+3", "encap3+4", "vlan+srcmac"];
const RATES: [&str; 2] = ["slow", "fast"];

fn check(site: &Site, findings: &mut Findings<'_>) {
    for link in site.links.values().filter(|link| link.bonding.mode.value != BondMode::Disabled) {
        let options = [("hash", &link.bonding.hash, &HASHES[..]), ("peer_rate", &link.bonding.peer_rate, &RATES[..])];
        for (key, value, known) in options {
            let Some(value) = value.as_ref().filter(|value| !known.contains(&value.as_str())) else { continue };
            let found = findings.finding(format!("`{value}` is no value of `bonding.{key}`")).at(value.span);
            let found = found.label(link.bonding.mode.span, "the mode");
            let help = match similar(value, known.iter().copied()) {
                Some(similar) => format!("did you mean `{similar}`?"),
                None => format!("write one of {}", known.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")),
            };
            findings.push(found.help(help).resource(format!("link.{}", link.name)));
        }
    }
}
