//! The short text of a plan: what it does to machines, and how much of everything else there is.
//!
//! In: a plan. Out: text of at most [`LIMIT`] bytes: the headline, what the policies say, each group of like changes that interrupts or destroys as one line with
//! all its nodes, and counts.

use super::fit::{Section, fit};
use super::paint::{Look, Page};
use super::plan_head::headline;
use super::plan_text::{LIMIT, TextOptions, count, heading, left_out, next, policies, title};
use super::view::{self, Verdict};
use crate::plan::Plan;

/// The short text.
pub(super) fn summary(plan: &Plan, options: &TextOptions) -> String {
    let mut page = Page::new(options.color, options.width);
    let verdict = view::verdict(plan);
    let groups = if verdict == Verdict::Changes { view::group(&plan.changes) } else { Vec::new() };
    let (harmful, rest) = view::by_harm(&groups);
    let mut sections: Vec<Section> = Vec::new();
    let mut section = |page: &Page, share: usize, rank: usize| sections.push(Section { start: page.len(), share, rank });
    section(&page, 8_000, 0);
    headline(&mut page, plan, verdict);
    section(&page, 6_000, 1);
    policies(&mut page, plan, &options.approvals);
    section(&page, 30_000, 2);
    if !harmful.is_empty() {
        title(&mut page, Look::BoldRed, "Interrupts or destroys", "");
        for group in harmful {
            heading(&mut page, group, true);
            page.end();
        }
    }
    section(&page, 4_000, 0);
    counts(&mut page, plan, rest.iter().map(|g| g.changes.len()).sum());
    next(&mut page, plan, verdict, options);
    let text = page.finish();
    if options.verbose { text } else { fit(text, &sections, LIMIT, left_out) }
}

fn counts(page: &mut Page, plan: &Plan, rest: usize) {
    let counted = [
        (rest, "other change", "nothing is interrupted or lost by them"),
        (plan.held_back.len(), "held-back change", "not in this plan"),
        (plan.blocked.len(), "blocked resource", "nothing can be planned about them"),
        (plan.orphans.len(), "orphan", "no longer in the design, and left as they are"),
        (plan.not_managed.len(), "thing", "in the design, and compared by no driver"),
        (plan.rollout.waves.len(), "wave", "their nodes do not all begin at once"),
        (plan.rollout.warnings.len(), "rollout rule", "that does not work out"),
        (plan.warnings.len(), "warning", "about the design"),
    ];
    page.gap();
    for (n, noun, note) in counted.into_iter().filter(|(n, ..)| *n > 0) {
        page.to(2).text(&count(n, noun)).put(Look::Dim, "  ").put(Look::Dim, note).end();
    }
}
