//! A MAC belongs to one node.

use std::collections::HashMap;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;
use crate::yaml::Span;

pub(super) static RULE: Rule =
    Rule { code: Code("DD5107"), original: None, title: "two nodes have the same boot MAC", severity: Severity::Error, check: Some(check) };

fn check(site: &Site, findings: &mut Findings<'_>) {
    let mut owners: HashMap<&str, (&str, Span)> = HashMap::new();
    for node in site.nodes.values() {
        let Some(mac) = &node.boot_mac else { continue };
        let (other, span) = *owners.entry(mac).or_insert((&node.name, mac.span));
        if other != node.name.as_str() {
            let message = format!("nodes `{other}` and `{}` have the same boot MAC {mac}", node.name);
            let found = findings.finding(message).at(mac.span).label(span, format!("the MAC of `{other}`"));
            findings.push(found.help("correct one of them").resource(format!("node.{}", node.name)));
        }
    }
}
