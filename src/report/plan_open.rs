//! What a plan leaves open, as text: held back, blocked, no longer in the design, compared by no driver, warned of.

use super::paint::{Look, Page};
use super::plan_text::{INDENT, addresses, count, one_group, title};
use super::view;
use crate::diff::Change;
use crate::plan::Plan;

pub(super) fn held_back(page: &mut Page, plan: &Plan, verbose: bool) {
    if plan.held_back.is_empty() {
        return;
    }
    title(page, Look::Yellow, "Held back", "not in this plan; the rest does not wait for it");
    // Changes are grouped by what they are, and by why they are held back.
    let mut whys: Vec<((String, String), Vec<&Change>)> = Vec::new();
    for held in &plan.held_back {
        let node = held.change.node.as_deref().unwrap_or("");
        let why = (view::named(&held.reason, node).into_owned(), view::named(&held.hint, node).into_owned());
        match whys.iter_mut().find(|(w, _)| *w == why) {
            Some((_, changes)) => changes.push(&held.change),
            None => whys.push((why, vec![&held.change])),
        }
    }
    for ((reason, hint), changes) in &whys {
        for group in view::group(changes.iter().copied()) {
            one_group(page, &group, verbose, false);
        }
        let mut nodes: Vec<&str> = changes.iter().filter_map(|c| c.node.as_deref()).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let name = |text: &str| match nodes.as_slice() {
            [one] => text.replace("<node>", one),
            _ => text.to_owned(),
        };
        page.to(INDENT).put(Look::Yellow, "held back: ").words(Look::Plain, &name(reason), INDENT + 2).end();
        let hint = for_all(hint, &nodes).unwrap_or_else(|| name(hint));
        page.to(INDENT).put(Look::Cyan, "what to do: ").words(Look::Plain, &hint, INDENT + 2).end();
    }
}

/// Nodes up to which a hint names them all.
const HINTED: usize = 6;

/// `--allow CLASS=node=<node>` for a few nodes at once, as it can be pasted into a shell.
pub(super) fn for_all(hint: &str, nodes: &[&str]) -> Option<String> {
    let start = hint.find("--allow ")? + "--allow ".len();
    let end = hint[start..].find("=node=<node>")? + start;
    let class = hint[start..end].trim_start_matches(['\'', '"']);
    let plain = |n: &&str| n.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if nodes.len() < 2 || nodes.len() > HINTED || !nodes.iter().all(plain) || class.contains(' ') {
        return None;
    }
    let all: Vec<String> = nodes.iter().map(|n| format!("node={n}")).collect();
    let rest = hint[end + "=node=<node>".len()..].trim_start_matches(['\'', '"']);
    Some(format!("{}'{class}={}'{rest}", &hint[..start], all.join(" || ")))
}

pub(super) fn blocked(page: &mut Page, plan: &Plan, verbose: bool) {
    if plan.blocked.is_empty() {
        return;
    }
    title(page, Look::Yellow, "Blocked", "nothing can be planned about these");
    let mut whys: Vec<((String, String), Vec<&str>)> = Vec::new();
    for blocked in &plan.blocked {
        let node = node_of(&blocked.resource);
        let why = (view::named(&blocked.reason, node).into_owned(), view::named(&blocked.hint, node).into_owned());
        match whys.iter_mut().find(|(w, _)| *w == why) {
            Some((_, resources)) => resources.push(&blocked.resource),
            None => whys.push((why, vec![&blocked.resource])),
        }
    }
    for ((reason, hint), resources) in &whys {
        let name = |text: &str| match resources.as_slice() {
            [one] => text.replace("<node>", node_of(one)),
            _ => text.to_owned(),
        };
        page.to(2);
        addresses(page, resources, verbose);
        if resources.len() > 1 {
            page.put(Look::Bold, &format!("  ×{}", resources.len()));
        }
        page.end().to(INDENT).put(Look::Dim, "because ").words(Look::Plain, &name(reason), INDENT + 8).end();
        if !hint.is_empty() {
            page.to(INDENT).put(Look::Cyan, "what to do: ").words(Look::Plain, &name(hint), INDENT + 2).end();
        }
    }
}

/// The node's name in an address; empty for site resources.
fn node_of(resource: &str) -> &str {
    resource.strip_prefix("node.").map_or("", |rest| rest.split('/').next().unwrap_or(rest))
}

pub(super) fn orphans(page: &mut Page, plan: &Plan, verbose: bool) {
    if plan.orphans.is_empty() {
        return;
    }
    title(page, Look::Yellow, "No longer in the design", "nothing is done to these");
    let shown = if verbose { usize::MAX } else { 20 };
    for orphan in plan.orphans.iter().take(shown) {
        page.to(2).put(Look::Bold, &orphan.resource).text("  ").words(Look::Plain, &orphan.detail, INDENT).end();
    }
    if plan.orphans.len() > shown {
        page.to(2).put(Look::Dim, &format!("… {} more; --verbose shows them", plan.orphans.len() - shown)).end();
    }
    if plan.orphans.iter().any(|o| !node_of(&o.resource).is_empty()) {
        page.to(2).words(Look::Dim, "`drydock destroy --target node=NAME` or `plan --allow destroy=node=NAME` releases a node", 4).end();
    }
}

pub(super) fn not_managed(page: &mut Page, plan: &Plan, verbose: bool) {
    if plan.not_managed.is_empty() {
        return;
    }
    page.gap();
    for item in &plan.not_managed {
        page.put(Look::Yellow, "not managed: ").text(&item.what);
        if !item.resources.is_empty() {
            let resources: Vec<&str> = item.resources.iter().map(String::as_str).collect();
            page.text(" (");
            addresses(page, &resources, verbose);
            page.text(")");
        }
        page.end();
    }
}

pub(super) fn warnings(page: &mut Page, plan: &Plan, verbose: bool) {
    if plan.warnings.is_empty() {
        return;
    }
    page.gap().put(Look::Yellow, &count(plan.warnings.len(), "warning")).text(" about the design");
    if verbose {
        page.text(":").end();
        for warning in &plan.warnings {
            page.to(2).words(Look::Plain, warning, 4).end();
        }
    } else {
        page.text("; `drydock validate` shows them").end();
    }
}
