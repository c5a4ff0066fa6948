//! The head of a plan as text: what it comes to, in counts.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use console::measure_text_width;

use super::escape::clean;
use super::names;
use super::paint::{Look, Page};
use super::plan_text::{count, look};
use super::rollout;
use super::view::{self, Verdict};
use crate::action::Effect;
use crate::plan::Plan;

/// Column at which facts of the headline start.
const FACTS: usize = 15;

pub(super) fn headline(page: &mut Page, plan: &Plan, verdict: Verdict) {
    let title = if plan.preview.is_some() { "Preview for " } else { "Plan for " };
    page.put(Look::Bold, title).put(Look::Bold, &plan.site).put(Look::Bold, ": ").put(Look::Bold, plan.goal.name());
    if let Some(selection) = &plan.selection {
        page.text("  ").words(Look::Yellow, &format!("partial: only {selection}"), 2);
    }
    if plan.endpoints.iter().any(|e| e.simulated) {
        page.put(Look::Cyan, "  SIMULATED");
    }
    page.end();
    if let Some(preview) = &plan.preview {
        page.to(2).words(Look::Cyan, &format!("PREVIEW of {}: {}", view::compared(preview), view::NO_SITE), 2).end();
    }
    page.gap();

    page.to(2);
    match verdict {
        Verdict::Changes => {
            impact(page, plan);
        }
        Verdict::NoChanges if plan.preview.is_some() => {
            page.words(Look::Green, &format!("{}.", view::unchanged(plan)), 2).end();
        }
        Verdict::NoChanges => {
            let sentence = match plan.selection {
                Some(_) => "No changes in the selection.".to_owned(),
                None => format!("No changes. {} is as its design says.", plan.site),
            };
            page.put(Look::Green, &sentence).end();
        }
        Verdict::NothingPlanned => {
            let sentence =
                format!("Nothing can be done now{}: {}.", if plan.selection.is_some() { " in the selection" } else { "" }, open(plan));
            page.words(Look::Yellow, &sentence, 2).end();
        }
    }

    if verdict == Verdict::Changes {
        fact(page, "changes");
        let counts = view::changes_by_effect(plan);
        page.text(&count(plan.changes.len(), "resource"));
        for (n, (effect, number)) in counts.iter().enumerate() {
            let text = format!("{number} {effect}");
            page.text(if n == 0 { ": " } else { ", " }).room(text.len() + 1, FACTS).put(look(*effect), &text);
        }
        page.end();
    }
    stages(page, plan);
    if verdict == Verdict::Changes {
        fact(page, "actions");
        let nodes: BTreeSet<&str> = plan.actions.iter().filter_map(|a| a.node.as_deref()).collect();
        let place = if nodes.is_empty() { String::new() } else { format!(" in {} and the site", count(nodes.len(), "node branch")) };
        let pieces =
            [format!("{}{place}", plan.actions.len()), format!("longest path {}", view::longest_path(&plan.actions)), view::takes(plan)];
        page.flow(Look::Plain, pieces, "; ", FACTS).end();
        fact(page, "limits");
        let pieces = rollout::limits(plan);
        page.flow(Look::Plain, pieces, ", ", FACTS).end();
        for words in view::hooks(plan) {
            fact(page, "hook");
            page.words(Look::Yellow, &words, FACTS).end();
        }
        if let Some(words) = view::on_failure(plan) {
            fact(page, "on failure");
            page.words(Look::Yellow, words, FACTS).end();
        }
    }
    if !plan.allow.is_empty() {
        fact(page, "allowed");
        let pieces = plan.allow.iter().map(|a| format!("{}={}", a.effect, a.selector));
        page.flow(Look::Red, pieces, ", ", FACTS).end();
    }
    if !plan.endpoints.is_empty() {
        fact(page, "against");
        let pieces = plan
            .endpoints
            .iter()
            .map(|e| if e.simulated { format!("{} (simulated)", e.driver) } else { format!("{} {}", e.driver, e.url) });
        page.flow(Look::Plain, pieces, ", ", FACTS).end();
    }
    if verdict == Verdict::Changes && !(plan.held_back.is_empty() && plan.blocked.is_empty()) {
        fact(page, "not planned");
        page.words(Look::Yellow, &open(plan), FACTS).end();
    }
    fact(page, "digest");
    page.put(Look::Dim, &plan.digests.plan).end();
}

fn fact<'p>(page: &'p mut Page, name: &str) -> &'p mut Page {
    page.to(2).put(Look::Dim, name).to(FACTS)
}

/// What the plan does to machines: the line that is read first.
fn impact(page: &mut Page, plan: &Plan) {
    let pieces = impact_pieces(plan);
    let last = pieces.len() - 1;
    for (n, (look, text)) in pieces.iter().enumerate() {
        page.room(measure_text_width(&clean(text)) + 1, 2).put(*look, text);
        if n < last {
            page.text(",").space();
        }
    }
    page.end();
}

/// What the plan does to machines, the worst first; at least one piece.
pub(super) fn impact_pieces(plan: &Plan) -> Vec<(Look, String)> {
    let classes = view::nodes_by_effect(plan);
    let mut pieces: Vec<(Look, String)> = Vec::new();
    for (effect, nodes) in &classes {
        let what = match effect {
            Effect::Destroy => "destroyed",
            Effect::Redeploy if nodes.len() == 1 => "redeployed over what it holds",
            Effect::Redeploy => "redeployed over what they hold",
            Effect::Reboot => "rebooted",
            Effect::Install => "installed for the first time",
            Effect::Online => "changed without interruption",
            Effect::None => "only looked at",
        };
        let mut text = format!("{} {what}", count(nodes.len(), "node"));
        if *effect >= Effect::Reboot {
            let racks: BTreeSet<&str> = nodes.iter().filter_map(|n| plan.nodes.get(*n)?.rack.as_deref()).collect();
            if !racks.is_empty() {
                let noun = if racks.len() == 1 { "rack" } else { "racks" };
                let _ = write!(text, " ({noun} {})", names::pieces(racks, "..", 6).join(", "));
            }
        }
        pieces.push((look(*effect), text));
    }
    if classes.is_empty() {
        pieces.push((Look::Plain, "no node is touched".to_owned()));
    }
    let site = plan.changes.iter().filter(|c| c.node.is_none()).count();
    if site > 0 {
        pieces.push((Look::Plain, format!("{} changed", count(site, "site resource"))));
    }
    if plan.changes.iter().map(|c| c.effect).chain(plan.actions.iter().map(|a| a.effect)).all(|e| e < Effect::Reboot) {
        pieces.push((Look::Green, "nothing is interrupted or overwritten".to_owned()));
    }
    pieces
}

fn stages(page: &mut Page, plan: &Plan) {
    if plan.nodes.is_empty() {
        return;
    }
    fact(page, "nodes").text(&plan.nodes.len().to_string());
    let pieces = view::stages(plan)
        .into_iter()
        .map(|(now, then, n)| if now == then { format!("{n} {}", now.name()) } else { format!("{n} {} → {}", now.name(), then.name()) });
    page.text(": ").flow(Look::Plain, pieces, ", ", FACTS).end();
}

/// What stays open: `2 changes are held back, 1 resource is blocked and 1 node is of unknown stage`.
pub(super) fn open(plan: &Plan) -> String {
    let unknown = view::unknown_nodes(plan).count();
    let part =
        |n: usize, noun: &str, what: &str| (n > 0).then(|| format!("{} {} {what}", count(n, noun), if n == 1 { "is" } else { "are" }));
    let parts: Vec<String> = [
        part(plan.held_back.len(), "change", "held back"),
        part(plan.blocked.len(), "resource", "blocked"),
        part(unknown, "node", "of unknown stage"),
    ]
    .into_iter()
    .flatten()
    .collect();
    match parts.as_slice() {
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        _ => parts.concat(),
    }
}
