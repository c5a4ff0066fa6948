//! A node's rack should exist. Reported once for each rack: whole sites do without Rack documents.

use std::collections::BTreeMap;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Node;
use crate::model::Site;

pub(super) static RULE: Rule =
    Rule { code: Code("DD2107"), original: None, title: "a rack does not exist", severity: Severity::Warning, check: Some(check) };

fn check(site: &Site, findings: &mut Findings<'_>) {
    let mut users: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
    for node in site.nodes.values() {
        if let Some(rack) = node.rack.as_ref().filter(|rack| !site.racks.contains_key(&rack.value)) {
            users.entry(rack).or_default().push(node);
        }
    }
    for (rack, nodes) in users {
        let Some(span) = nodes[0].rack.as_ref().map(|rack| rack.span) else { continue };
        let found = findings.finding(format!("rack `{rack}` does not exist")).at(span).resource(format!("node.{}", nodes[0].name));
        let found = if nodes.len() > 1 { found.note(format!("the rack of {} nodes", nodes.len())) } else { found };
        let help = match findings.similar(rack, site.racks.keys().map(String::as_str)) {
            Some(similar) => format!("did you mean `{similar}`?"),
            None => "add a Rack document of this name; until then the rack has a name and nothing else".to_owned(),
        };
        findings.push(found.help(help));
    }
}
