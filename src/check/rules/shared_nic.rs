//! A NIC belongs to one interface.

use std::collections::BTreeMap;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;
use crate::model::{Interface, NetworkLink};

pub(super) static RULE: Rule = Rule {
    code: Code("DD2312"),
    original: None,
    title: "two interfaces of a node use the same NIC",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        let mut owners: BTreeMap<&str, &Interface> = BTreeMap::new();
        for interface in node.interfaces.values().filter(|interface| is_configured(interface, site)) {
            for nic in &interface.slaves {
                let other = *owners.entry(nic).or_insert(interface);
                if other.name == interface.name {
                    continue;
                }
                let message = format!("interfaces `{}` and `{}` use the same NIC `{nic}`", other.name, interface.name);
                let found = findings.finding(message).at(nic.span).label(other.name.span, "the other interface");
                let help = "remove it from one of them, or label the one that is only booted from `noconfig: true`";
                findings.push(found.help(help).resource(format!("node.{}", node.name)));
            }
        }
    }
}

fn is_configured(interface: &Interface, site: &Site) -> bool {
    let link = interface.device_link.as_ref().and_then(|link| site.links.get(&link.value));
    !interface.labels.contains_key("noconfig") && !link.is_some_and(NetworkLink::is_noconfig)
}
