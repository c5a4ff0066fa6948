//! Of two files at one path the later wins.

use std::collections::{BTreeMap, HashMap};

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
        // The asset that each node got last.
        let mut last: HashMap<&str, usize> = HashMap::new();
        for (at, (action, asset)) in placed.iter().enumerate() {
            // Only the nearest one before it: of many the others are reported with theirs.
            let before = action.nodes.iter().rev().filter_map(|node| Some((*last.get(node.as_str())?, node))).max_by_key(|(at, _)| *at);
            last.extend(action.nodes.iter().map(|node| (node.as_str(), at)));
            let Some(((first, other), node)) = before.map(|(at, node)| (placed[at], node)) else { continue };
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
