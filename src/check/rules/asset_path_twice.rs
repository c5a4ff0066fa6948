//! Of two files at one path the later wins.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::check::rules::storage::normal;
use crate::diag::{Code, Severity};
use crate::model::Site;
use crate::model::{Asset, AssetKind, BootAction};

pub(super) static RULE: Rule = Rule {
    code: Code("DD4206"),
    original: None,
    title: "two assets have the same path on a node",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    let mut by_path: BTreeMap<String, Vec<(&BootAction, &Asset)>> = BTreeMap::new();
    for action in site.boot_actions.values() {
        for asset in action.assets.iter().filter(|asset| asset.kind != AssetKind::PackageList) {
            if let Some(path) = &asset.path {
                by_path.entry(normal(path)).or_default().push((action, asset));
            }
        }
    }
    for (path, placed) in by_path {
        for (at, (action, asset)) in placed.iter().enumerate().skip(1) {
            // Only the nearest one before it: of many the others are reported with theirs.
            let Some(((first, other), node)) = placed[..at].iter().rev().find_map(|before| Some((*before, common(before.0, action)?)))
            else {
                continue;
            };
            let span = |asset: &Asset| asset.path.as_ref().map_or(asset.span.span, |path| path.span);
            let by = if first.name == action.name { "twice".to_owned() } else { format!("by `{}` and `{}`", first.name, action.name) };
            let found =
                findings.finding(format!("`{path}` is placed {by} on node `{node}`")).at(span(asset)).label(span(other), "here too");
            findings.push(
                found
                    .help("the later one wins; keep one of them, or narrow a `node_filter`")
                    .resource(format!("boot_action.{}", action.name)),
            );
        }
    }
}

/// A node that gets both. Both lists are in order.
fn common<'a>(a: &'a BootAction, b: &BootAction) -> Option<&'a str> {
    let (mut left, mut right) = (a.nodes.iter().peekable(), b.nodes.iter().peekable());
    while let (Some(one), Some(other)) = (left.peek(), right.peek()) {
        match one.cmp(other) {
            Ordering::Equal => return Some(one),
            Ordering::Less => left.next(),
            Ordering::Greater => right.next(),
        };
    }
    None
}
