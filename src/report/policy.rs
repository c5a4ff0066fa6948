//! What the policies of a site make of a plan, and how its approvals stand.
//!
//! In: a [`PolicyReport`], a list of [`Standing`]. Out: lines for every format, worst first. Nothing is made safe here; formats do that.

use serde_json::{Value, json};

use super::names;
use super::paint::{Look, Page};
use super::plan_text::TextOptions;
use crate::plan::{Denial, NeededApproval, PolicyReport, Rejected, Standing};

/// Pieces of a folded list of names.
const NAMES: usize = 6;

/// Lines of one kind that are shown.
pub(super) const LINES: usize = 12;

/// Names of nodes, folded, and the first of many.
pub(super) fn names(nodes: &[String]) -> String {
    names::pieces(nodes.iter().map(String::as_str), "..", NAMES).join(", ")
}

fn about(nodes: &[String]) -> String {
    if nodes.is_empty() { String::new() } else { format!(": {}", names(nodes)) }
}

/// Why a plan is refused, one line for each reason.
pub fn denials(denied: &[Denial]) -> Vec<String> {
    some(denied.iter().map(|d| format!("{}{}; by {}", d.reason, about(&d.nodes), d.rule)).collect())
}

/// The first of many lines.
pub(super) fn some(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > LINES {
        let more = lines.len() - LINES;
        lines.truncate(LINES);
        lines.push(format!("… {more} more; `--format json` has them all"));
    }
    lines
}

/// An approval that is needed, without names of nodes.
pub(super) fn need(needed: &NeededApproval) -> String {
    let n = needed.approvers;
    format!("{n} {} of {} for {}", if n == 1 { "approver" } else { "approvers" }, needed.signers, needed.reason)
}

/// The approvals that a plan needs, one line each.
pub(super) fn needs(report: &PolicyReport) -> Vec<String> {
    some(report.approvals.iter().map(|n| format!("{}{}", need(n), about(&n.nodes))).collect())
}

/// The approvals that a plan still needs, one line each; all of them where it is not known how they stand.
pub(super) fn still_needed(report: &PolicyReport, standing: &[Standing]) -> Vec<String> {
    if standing.is_empty() {
        return needs(report);
    }
    some(standing.iter().filter(|s| s.missing() > 0).map(stands).collect())
}

/// How many people are missing, where one may count for several approvals; `None` where it is not known how they stand.
pub(super) fn missing(standing: &[Standing]) -> Option<u32> {
    standing.iter().map(Standing::missing).max()
}

/// How one approval stands, without names of nodes.
pub(super) fn stands(one: &Standing) -> String {
    let by = if one.by.is_empty() { "nobody so far".to_owned() } else { one.by.join(", ") };
    let state = match one.missing() {
        0 => "given".to_owned(),
        n => format!("{n} missing"),
    };
    format!("{}: {state}; approved by {by}", need(&one.needed))
}

/// How approvals stand: what is needed, by whom it was given, which signatures do not count and why.
pub fn standing_lines(standing: &[Standing]) -> Vec<String> {
    let mut out = Vec::new();
    for (place, one) in standing.iter().enumerate() {
        out.push(stands(one));
        if let Some(problem) = &one.problem {
            out.push(format!("  nobody counts: {problem}"));
        }
        if said_first(standing, place) {
            out.extend(one.rejected.iter().map(|r| format!("  {}", rejected(r))));
        }
    }
    out
}

/// The same file of signers is looked at once, and said once.
fn said_first(standing: &[Standing], place: usize) -> bool {
    !standing[..place].iter().any(|before| before.needed.signers == standing[place].needed.signers)
}

fn rejected(rejected: &Rejected) -> String {
    format!("{} does not count: {}", rejected.file, rejected.reason)
}

/// Signatures that do not count, each once.
pub(super) fn all_rejected(standing: &[Standing]) -> Vec<String> {
    let first = (0..standing.len()).filter(|place| said_first(standing, *place));
    first.flat_map(|place| standing[place].rejected.iter().map(rejected)).collect()
}

/// How approvals stand, as text below a plan.
pub fn standing_text(standing: &[Standing], options: &TextOptions) -> String {
    let mut page = Page::new(options.color, options.width);
    if standing.is_empty() {
        return page.finish();
    }
    page.end().put(Look::Bold, "Approvals").end();
    for line in standing_lines(standing) {
        page.to(2).words(Look::Plain, line.trim_start(), 4).end();
    }
    page.finish()
}

/// How approvals stand, for programs.
pub(super) fn standing_json(standing: &[Standing]) -> Value {
    Value::Array(
        standing
            .iter()
            .map(|one| {
                let mut value = json!(one);
                if let Some(map) = value.as_object_mut() {
                    map.insert("missing".to_owned(), json!(one.missing()));
                }
                value
            })
            .collect(),
    )
}
