//! DNS domains are written as RFC 1035 has them.

use std::collections::BTreeSet;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2217"),
    original: Some("DD3003 (Hostname Validity)"),
    title: "a DNS domain is not valid",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    // The domains of nodes are checked as part of their full names.
    let of_nodes: BTreeSet<&str> = site.nodes.values().filter_map(|node| node.domain.as_ref().map(|domain| domain.as_str())).collect();
    for network in site.networks.values() {
        let Some(domain) = network.dns_domain.as_ref().filter(|domain| !of_nodes.contains(domain.as_str())) else { continue };
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if domain.len() > 253 || !domain.strip_suffix('.').unwrap_or(domain).split('.').all(label) {
            let found = findings.finding(format!("`{domain}` of network `{}` is not a DNS domain", network.name)).at(domain.span);
            let help = "write labels of letters, digits and hyphens, 63 characters each at most, with dots between them";
            findings.push(found.help(help).resource(format!("network.{}", network.name)));
        }
    }
}
