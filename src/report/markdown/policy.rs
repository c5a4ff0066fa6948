//! What the policies of the site make of the plan, and how its approvals stand. No node is named in what is not folded: the list of those that are interrupted
//! stands above it, and nothing else is to be taken for it.

use std::fmt::Write as _;

use super::escape::{code, sentence};
use crate::plan::{Plan, Standing};
use crate::report::policy::{self, LINES};
use crate::report::values::cut;

/// Characters of a line.
const LINE: usize = 300;

fn line(text: &str) -> String {
    let text = cut(text, LINE);
    sentence(&text).into_owned()
}

fn items(out: &mut String, prefix: &str, lines: impl ExactSizeIterator<Item = String>) {
    let more = lines.len().saturating_sub(LINES);
    for text in lines.take(LINES) {
        let _ = writeln!(out, "{prefix}* {}", line(&text));
    }
    if more > 0 {
        let _ = writeln!(out, "{prefix}* {more} more; `drydock show` shows them");
    }
}

/// What refuses the plan, what it needs, and the rules.
pub(super) fn section(plan: &Plan, standing: &[Standing]) -> String {
    let report = &plan.policy;
    let mut out = String::new();
    if !report.denied.is_empty() {
        out.push_str("> [!WARNING]\n> **Refused by policy**; no approval lifts this\n>\n");
        items(&mut out, "> ", report.denied.iter().map(|d| format!("{}; by {}", d.reason, d.rule)));
        out.push('\n');
    }
    if standing.is_empty() && !report.approvals.is_empty() {
        out.push_str("**Needs approval**\n\n");
        items(&mut out, "", report.approvals.iter().map(policy::need));
        out.push('\n');
    }
    if let Some(missing) = policy::missing(standing) {
        let said = if missing == 0 { "Approved".to_owned() } else { format!("Needs approval: {missing} missing") };
        let _ = writeln!(out, "**{said}**\n");
        items(&mut out, "", standing.iter().map(policy::stands));
        out.push('\n');
    }
    if !report.rules.is_empty() {
        let _ = writeln!(out, "<details><summary>Policies in force: {}</summary>\n", report.rules.len());
        items(&mut out, "", report.rules.iter().cloned());
        out.push('\n');
        for denial in report.denied.iter().take(LINES) {
            let _ = writeln!(out, "* {}: {}", line(&denial.reason), code(&cut(&policy::names(&denial.nodes), LINE)));
        }
        items(&mut out, "", policy::all_rejected(standing).into_iter());
        out.push_str("\n</details>\n\n");
    }
    out
}
