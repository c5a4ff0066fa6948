//! A NIC is a member of a bond once.

use std::collections::BTreeMap;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;
use crate::yaml::Span;

pub(super) static RULE: Rule =
    Rule { code: Code("DD2319"), original: None, title: "an interface names a NIC twice", severity: Severity::Error, check: Some(check) };

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        for interface in node.interfaces.values() {
            let mut first: BTreeMap<&str, Span> = BTreeMap::new();
            for nic in &interface.slaves {
                if let Some(span) = first.insert(nic, nic.span) {
                    let found = findings.finding(format!("interface `{}` has NIC `{nic}` twice", interface.name)).at(nic.span);
                    let found = found.label(span, "the first");
                    findings.push(found.help("remove one, or name the other NIC").resource(format!("node.{}", node.name)));
                }
            }
        }
    }
}
