//! `hugepages` and `hugepagesz` come together.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD5105"),
    original: Some("DD1008 (Hugepages)"),
    title: "only one of `hugepages` and `hugepagesz` is set",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values().filter(|node| !node.incomplete) {
        let params = &node.platform.kernel_params;
        for (key, other) in [("hugepages", "hugepagesz"), ("hugepagesz", "hugepages")] {
            let Some(value) = params.get(key).filter(|_| !params.contains_key(other)) else { continue };
            let found = findings.finding(format!("kernel parameter `{key}` without `{other}`")).at(value.span);
            findings.push(found.help(format!("add `{other}`, or remove `{key}`")).resource(format!("node.{}", node.name)));
        }
    }
}
