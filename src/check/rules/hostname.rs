//! Host names are as RFC 1035 and RFC 1123 want them.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD5104"),
    original: Some("DD3003 (Hostname Validity)"),
    title: "a name is not a valid host name",
    severity: Severity::Error,
    check: Some(check),
};

/// Bad labels of one name that are reported.
const MOST: usize = 5;

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        let name_span = |bad: &str| match &node.domain {
            Some(domain) if domain.split('.').any(|label| label == bad) => domain.span,
            _ => node.name.span,
        };
        let resource = format!("node.{}", node.name);
        if node.fqdn.len() > 253 {
            let found =
                findings.finding(format!("the full name of node `{}` has {} characters; 253 are allowed", node.name, node.fqdn.len()));
            findings.push(found.at(node.name.span).help("shorten the name or the DNS domain").resource(resource.clone()));
        }
        let problem_of = |label: &str| {
            let problem = if label.is_empty() {
                "has an empty label".to_owned()
            } else if label.len() > 63 {
                format!("has the label `{label}` of {} characters; 63 are allowed", label.len())
            } else if !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
                format!("has the label `{label}` with characters other than letters, digits and hyphens")
            } else if label.starts_with('-') || label.ends_with('-') {
                format!("has the label `{label}` that starts or ends with a hyphen")
            } else {
                return None;
            };
            Some(problem)
        };
        let bad = node.fqdn.split('.').filter_map(|label| Some((label, problem_of(label)?)));
        for (label, problem) in bad.take(MOST) {
            let found = findings.finding(format!("host name `{}` {problem}", node.fqdn)).at(name_span(label));
            findings.push(
                found
                    .help("write letters, digits and hyphens, with a letter or digit at both ends (RFC 1123, section 2.1)")
                    .resource(resource.clone()),
            );
        }
    }
}
