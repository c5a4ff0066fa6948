//! Verified nodes and sites, as text and JSON.

use serde_json::{Value, json};

use super::escape::clean_json;
use super::paint::{Look, Page};
use super::plan_text::{TextOptions, count};
use super::table::Table;
use crate::verify::{Check, NodeReport, Verdict, worst};

/// Version of the JSON.
const VERSION: u32 = 1;

const VERDICTS: [Verdict; 4] = [Verdict::Ok, Verdict::Skipped, Verdict::Warning, Verdict::Failed];

fn look(verdict: Verdict) -> Look {
    match verdict {
        Verdict::Ok => Look::Green,
        Verdict::Skipped => Look::Dim,
        Verdict::Warning => Look::Yellow,
        Verdict::Failed => Look::BoldRed,
    }
}

/// The nodes: a table of all with every check in a column, then what is not as it should be, node by node. With `-v` everything that was seen.
pub fn verified_nodes_text(reports: &[NodeReport], options: &TextOptions) -> String {
    let mut page = Page::new(options.color, options.width);
    if reports.is_empty() {
        page.text("No node is selected.").end();
        return page.finish();
    }
    let names: Vec<&str> = reports[0].checks.iter().map(|c| c.name.as_str()).collect();
    let mut table = Table::new(["node", "stage"].into_iter().chain(names.iter().copied()));
    for report in reports {
        let mut cells = vec![(Look::Plain, report.node.clone()), (Look::Plain, report.stage.to_owned())];
        cells.extend(report.checks.iter().map(|c| (look(c.verdict), short(c.verdict).to_owned())));
        table.looks(cells);
    }
    table.write(&mut page, 0);
    for report in reports {
        let shown: Vec<&Check> = report.checks.iter().filter(|c| options.verbose || c.verdict >= Verdict::Warning).collect();
        if shown.is_empty() {
            continue;
        }
        page.end();
        let machine = report.machine.as_ref().map(|m| format!(", machine {m}")).unwrap_or_default();
        let rack = report.rack.as_ref().map(|r| format!(", rack {r}")).unwrap_or_default();
        page.put(Look::Bold, &format!("node.{}", report.node)).text(&format!(" ({}{machine}{rack})", report.stage)).end();
        checks(&mut page, &shown, 2);
    }
    page.end();
    let of = |v: Verdict| reports.iter().filter(|r| worst(&r.checks).max(Verdict::Skipped) == v).count();
    let (fine, warned, failed) = (of(Verdict::Skipped), of(Verdict::Warning), of(Verdict::Failed));
    page.text(&format!("{}: {fine} in order, {warned} with warnings, {failed} failed.", count(reports.len(), "node"))).end();
    page.finish()
}

/// The site: one row per check.
pub fn verified_site_text(all: &[Check], options: &TextOptions) -> String {
    let mut page = Page::new(options.color, options.width);
    checks(&mut page, &all.iter().collect::<Vec<_>>(), 0);
    page.end();
    let of = |v: Verdict| all.iter().filter(|c| c.verdict == v).count();
    let [fine, skipped, warned, failed] = VERDICTS.map(of);
    page.text(&format!("{}: {fine} ok, {skipped} skipped, {warned} with warnings, {failed} failed.", count(all.len(), "check"))).end();
    page.finish()
}

fn short(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Skipped => "-",
        Verdict::Warning => "warn",
        Verdict::Failed => "FAIL",
    }
}

/// A row for each check, and what to do below it.
fn checks(page: &mut Page, all: &[&Check], indent: usize) {
    let mut table = Table::default();
    let mut notes = Vec::new();
    for check in all {
        table.looks(vec![
            (look(check.verdict), check.verdict.name().to_owned()),
            (Look::Plain, check.name.clone()),
            (Look::Plain, check.seen.clone()),
        ]);
        if let Some(todo) = &check.todo {
            notes.push((table.rows(), todo.clone()));
        }
    }
    table.write_with_notes(page, indent, &notes);
}

fn check_json(check: &Check) -> Value {
    json!({"check": check.name, "verdict": check.verdict.name(), "seen": check.seen, "todo": check.todo})
}

fn summary(checks: &[&Check]) -> Value {
    VERDICTS
        .iter()
        .map(|v| (v.name().to_owned(), json!(checks.iter().filter(|c| c.verdict == *v).count())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// The nodes for programs (`docs/verify.md`).
pub fn verified_nodes_json(site: &str, reports: &[NodeReport]) -> String {
    let nodes: Vec<Value> = reports
        .iter()
        .map(|r| {
            json!({
                "node": r.node, "rack": r.rack, "stage": r.stage, "machine": r.machine, "verdict": worst(&r.checks).name(),
                "checks": r.checks.iter().map(check_json).collect::<Vec<_>>(),
            })
        })
        .collect();
    let all: Vec<&Check> = reports.iter().flat_map(|r| &r.checks).collect();
    let json =
        json!({"version": VERSION, "site": site, "verdict": worst(all.iter().copied()).name(), "summary": summary(&all), "nodes": nodes});
    clean_json(&format!("{json:#}\n")).into_owned()
}

/// The site for programs (`docs/verify.md`).
pub fn verified_site_json(site: &str, checks: &[Check]) -> String {
    let all: Vec<Value> = checks.iter().map(check_json).collect();
    let json = json!({"version": VERSION, "site": site, "verdict": worst(checks).name(), "summary": summary(&checks.iter().collect::<Vec<_>>()), "checks": all});
    clean_json(&format!("{json:#}\n")).into_owned()
}
