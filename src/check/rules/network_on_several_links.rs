//! A network runs over one link.

use std::collections::HashMap;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::NetworkLink;
use crate::model::Site;
use crate::yaml::Span;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2303"),
    original: Some("DD1007 (Allowed Network Check)"),
    title: "a network is allowed on several links",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    let mut first: HashMap<&str, (&NetworkLink, Span)> = HashMap::new();
    for link in site.links.values() {
        for network in &link.allowed_networks {
            let (other, span) = *first.entry(network.as_str()).or_insert((link, network.span));
            if other.name != link.name {
                let message = format!("network `{network}` is allowed on link `{}` and on link `{}`", other.name, link.name);
                let found = findings.finding(message).at(network.span).label(span, format!("allowed on `{}` here", other.name));
                findings.push(found.help("a network runs over one link; make two networks of it").resource(format!("link.{}", link.name)));
            }
        }
    }
}
