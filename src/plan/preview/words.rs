//! What a preview says otherwise than a plan of the site: values and places as the base writes them.

use std::sync::Arc;

use serde_json::Value;

use super::Version;
use super::facts::Facts;
use crate::diff::{AttributeChange, Change, Comparison};
use crate::plan::Preview;

/// Puts the base's own words into a comparison.
pub(super) fn put(comparison: &mut Comparison, facts: &Facts<'_>, base: Version<'_>, origin: &Preview) {
    let words = Words { facts, origin };
    let site = &mut comparison.site;
    let of_site = site.steps.values_mut().map(|s| &mut s.change).chain(site.removals.iter_mut().map(|r| &mut r.step.change));
    let held = site.held_back.iter_mut().chain(&mut comparison.held_back).map(|h| &mut h.change);
    of_site.chain(held).chain(&mut comparison.node_changes).for_each(|change| words.change(change));
    for orphan in &mut comparison.orphans {
        let name = orphan.resource.strip_prefix("node.").unwrap_or_default();
        if let Some(node) = base.site.nodes.get(name) {
            let place =
                Some(base.sources.describe(node.span)).filter(|at| !at.is_empty()).map(|at| format!(", at {}", origin.in_base(&at)));
            orphan.detail = format!(
                "deployed by the base{}: what runs on its machine goes on running there, and nothing drives it any more",
                place.unwrap_or_default()
            );
        }
    }
}

struct Words<'a> {
    facts: &'a Facts<'a>,
    origin: &'a Preview,
}

impl Words<'_> {
    fn change(&self, change: &mut Change) {
        // What is removed beside something new of its address has its kind of distinction behind an `@`.
        let address = change.resource.split_once('@').map_or(change.resource.as_str(), |(resource, _)| resource);
        let machine = change.node.as_ref().and_then(|n| self.facts.machine_of.get(n));
        let of_base = match (&change.node, machine) {
            (Some(node), Some(machine)) if node != machine => address.replacen(node, machine, 1),
            _ => address.to_owned(),
        };
        let sizes = machine.and_then(|m| self.facts.sizes.get(m));
        let said = self.facts.said.get(&of_base).map_or(&[][..], Vec::as_slice);
        for attribute in &mut change.attributes {
            let before = sizes.and_then(|s| s.get(attribute.before.as_ref()?.as_str()?)).filter(|_| is_size(&attribute.path));
            if let Some(before) = before {
                Arc::make_mut(attribute).before = Some(Value::from(before.as_str()));
            }
            if attribute.after.is_none()
                && attribute.source.is_none()
                && let Some(place) = place(said, &attribute.path)
            {
                let place = self.origin.in_base(place);
                Arc::make_mut(attribute).source = Some(place);
            }
        }
    }
}

fn is_size(path: &str) -> bool {
    path.rsplit('.').next() == Some("size")
}

/// Where the base sets an attribute, or something of the same part of its resource.
fn place<'s>(said: &'s [Arc<AttributeChange>], path: &str) -> Option<&'s str> {
    let part = path.split('.').next().unwrap_or(path);
    let same = said.iter().find(|a| a.path == path);
    let near = || said.iter().find(|a| a.path.split('.').next() == Some(part) && a.source.is_some());
    same.or_else(near)?.source.as_deref()
}
