//! A plan as one page for a browser: nothing is fetched, and the page forbids itself to.
//!
//! In: a plan and its rehearsal. Out: HTML with style, script and data inside. A content security policy admits this very style and script, by their hashes, and
//! nothing else, so text of a design could not run even if it became markup; and it never does: the script puts it in as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::RunInfo;
use super::plan_head::{impact_pieces, open};
use super::plan_text::count;
use super::time::{about, instant, took};
use super::values::{self, Mark, inline};
use super::view::{self, Verdict};
use super::{clean, names, policy, rollout, svg};
use crate::action::Effect;
use crate::diff::{AttributeChange, Change};
use crate::plan::{Plan, Standing, Wave};
use crate::run::{Rehearsal, RunState, Status};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Characters of a value on the page.
const VALUE: usize = 2_000;
/// Pieces of a folded list of names on the page.
const NAMES: usize = 40;
/// Lines of a text's difference on the page.
const LINES: usize = 400;

/// When actions run, or ran.
#[derive(Debug, Clone, Copy)]
pub enum Times<'a> {
    /// As a rehearsal shows.
    Expected(&'a Rehearsal),
    /// As they did in a run.
    Happened(&'a RunInfo, &'a RunState),
}

/// The plan as a page, with what is expected or what happened; `approvals` say how its approvals stand, if that is known.
pub fn plan_html(plan: &Plan, times: Times<'_>, approvals: &[Standing]) -> String {
    let timing = Timing::of(plan, times);
    let data = clean_data(&data(plan, &timing).to_string());
    let source = |text: &str| format!("'sha256-{}'", base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text.as_bytes())));
    let title = svg::text(&match times {
        Times::Expected(_) if plan.preview.is_some() => format!("Preview for {}", plan.site),
        Times::Expected(_) => format!("Plan for {}", plan.site),
        Times::Happened(info, _) => format!("Run {} for {}", info.id, plan.site),
    });
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src {}; script-src {}; img-src data:; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n",
        source(STYLE),
        source(SCRIPT),
    );
    out.push_str(&head(plan, times, &timing));
    out.push_str(&deciding(plan, approvals, matches!(times, Times::Happened(..))));
    out.push_str("</header>\n<main>\n");
    out.push_str(FILTERS);
    out.push_str(&lists(plan));
    out.push_str("</main>\n<script type=\"application/json\" id=\"plan\">");
    out.push_str(&data);
    out.push_str("</script>\n<script>");
    out.push_str(SCRIPT);
    out.push_str("</script>\n</body>\n</html>\n");
    out
}

/// Filters, the table of changes, and the lanes; the script fills them.
const FILTERS: &str = r#"<form id="filters" role="search" aria-label="Filter changes and lanes">
<label>Query, as of drydock show --query<input id="query" type="text" spellcheck="false" autocomplete="off" placeholder='effect&gt;=reboot &amp;&amp; rack=="r12"'></label>
<label>Text<input id="search" type="text" autocomplete="off"></label>
<label>Rack<select id="rack"><option value="">all</option></select></label>
<label>Profile<select id="profile"><option value="">all</option></select></label>
<label>Effect<select id="effect"></select></label>
<label class="check"><input id="group" type="checkbox">Like changes in one row</label>
<button type="button" id="clear">Clear</button>
<span id="count" role="status" aria-live="polite"></span>
<span id="wrong" role="alert"></span>
</form>
<noscript><p class="notice">The changes are listed by a script, which this browser does not run; <code>drydock show</code> has them as text.</p></noscript>
<h2 id="h-changes">Changes</h2>
<table aria-labelledby="h-changes"><thead><tr><th scope="col" class="resource">resource</th><th scope="col">effect</th><th scope="col">rack</th><th scope="col"></th><th scope="col">attributes</th></tr></thead><tbody id="changes"></tbody></table>
<p class="more"><button type="button" id="more" hidden>Show more</button></p>
<h2 id="h-lanes">Actions</h2>
<p class="lanes-help">A lane for each node. <label for="axis">Across</label> <select id="axis"><option value="time">expected time</option><option value="steps">steps</option></select>
<span id="lane-count" role="status"></span> <span class="dim">Outlined: the longest chain. Arrow keys choose a lane, Enter lists its actions; a click on an action shows what it waits for.</span></p>
<div id="lanes" role="listbox" tabindex="0" aria-labelledby="h-lanes"><div></div></div>
<div id="detail" role="status" aria-live="polite"></div>
"#;

fn head(plan: &Plan, times: Times<'_>, timing: &Timing) -> String {
    let said = match view::verdict(plan) {
        Verdict::Changes => impact_pieces(plan).into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(", "),
        Verdict::NoChanges if plan.selection.is_some() => "No changes in the selection".to_owned(),
        Verdict::NoChanges if plan.preview.is_some() => view::unchanged(plan).to_owned(),
        Verdict::NoChanges => "No changes".to_owned(),
        Verdict::NothingPlanned => format!("Nothing can be done now: {}", open(plan)),
    };
    let mut out = format!("<p class=\"verdict\">{}.</p>\n", svg::text(&said));
    if let Some(preview) = &plan.preview {
        let _ = writeln!(out, "<p class=\"notice\">Preview of {}: {}.</p>", svg::text(&view::compared(preview)), view::NO_SITE);
    }
    let harmful: usize = view::nodes_by_effect(plan).iter().filter(|(e, _)| *e >= Effect::Reboot).map(|(_, nodes)| nodes.len()).sum();
    if harmful > 0 {
        let _ = writeln!(out, "<p class=\"notice\">This plan interrupts or destroys {}.</p>", count(harmful, "node"));
    }
    let mut facts: Vec<(&str, String)> = Vec::new();
    if let Times::Happened(info, state) = times {
        out.push_str(
            "<h2>What happened</h2>\n<p class=\"dim\">Above: what the plan said. Below: when each action ran, and how it ended.</p>\n",
        );
        let counts = state.counts();
        facts.push((
            "outcome",
            info.outcome.map_or_else(|| if info.running { "running" } else { "killed" }.to_owned(), |o| o.name().to_owned()),
        ));
        facts.push(("by", info.by.clone()));
        if !state.approved_by().is_empty() {
            facts.push(("approved by", state.approved_by().join(", ")));
        }
        facts.push(("began", instant(info.started_ms / 1000)));
        facts.push(("took", took(timing.makespan_ms)));
        let parts = [
            ("done", counts.done),
            ("running", counts.active),
            ("failed", counts.failed),
            ("blocked", counts.blocked),
            ("not begun", counts.waiting),
        ];
        let parts = parts.iter().filter(|(_, n)| *n > 0).map(|(name, n)| format!("{n} {name}"));
        facts.push(("ended", parts.collect::<Vec<_>>().join(", ")));
    }
    facts.extend([("goal", plan.goal.name().to_owned())]);
    facts.extend(plan.selection.as_ref().map(|selection| ("partial", format!("only {selection}"))));
    if plan.endpoints.iter().any(|e| e.simulated) {
        facts.push(("SIMULATED", "no real machine is touched".to_owned()));
    }
    let nodes = view::stages(plan)
        .into_iter()
        .map(|(now, then, n)| if now == then { format!("{n} {}", now.name()) } else { format!("{n} {} → {}", now.name(), then.name()) });
    facts.push(("nodes", format!("{}: {}", plan.nodes.len(), nodes.collect::<Vec<_>>().join(", "))));
    if !plan.actions.is_empty() {
        let time = match times {
            Times::Expected(_) => format!(", about {} in a rehearsal", about(timing.makespan_ms.div_ceil(1000))),
            Times::Happened(..) => String::new(),
        };
        facts.push(("actions", format!("{}, longest path {}{time}", plan.actions.len(), view::longest_path(&plan.actions))));
        facts.push(("limits", rollout::limits(plan).join(", ")));
    }
    facts.extend(view::hooks(plan).into_iter().map(|words| ("hook", words)));
    if let Some(words) = view::on_failure(plan).filter(|_| !plan.actions.is_empty()) {
        facts.push(("on failure", words.to_owned()));
    }
    if !plan.allow.is_empty() {
        facts.push(("allowed", plan.allow.iter().map(|a| format!("{}={}", a.effect, a.selector)).collect::<Vec<_>>().join(", ")));
    }
    if !plan.endpoints.is_empty() {
        facts.push(("against", plan.endpoints.iter().map(|e| format!("{} {}", e.driver, e.url)).collect::<Vec<_>>().join(", ")));
    }
    if !(plan.held_back.is_empty() && plan.blocked.is_empty()) {
        facts.push(("not planned", open(plan)));
    }
    if plan.preview.is_none() {
        facts.push(("facts read", instant(plan.observed_at)));
    }
    facts.push(("digest", plan.digests.plan.clone()));
    out.push_str("<dl>\n");
    for (name, text) in facts {
        let _ = writeln!(out, "<dt>{name}</dt><dd>{}</dd>", svg::text(&text));
    }
    out.push_str("</dl>\n");
    out
}

/// What is not among the changes: blocked, no longer in the design, not managed, warned of.
fn lists(plan: &Plan) -> String {
    let blocked = plan.blocked.iter().map(|b| format!("{}: {}; {}", b.resource, b.reason, b.hint)).collect::<Vec<_>>();
    let orphans = plan.orphans.iter().map(|o| format!("{}: {}", o.resource, o.detail)).collect();
    let folded = |names: &[String]| names::pieces(names.iter().map(String::as_str), "..", NAMES).join(", ");
    let not_managed = plan.not_managed.iter().map(|n| format!("{}: {}", n.what, folded(&n.resources))).collect();
    let line = |w: &Wave| {
        let gate = rollout::gate(w);
        let gate = if gate.is_empty() { gate } else { format!("; through if {gate}") };
        format!("{} ({}): {}{gate}", w.name, rollout::after(plan, w), rollout::nodes(w).join(", "))
    };
    let sections = [
        ("Waves", plan.rollout.waves.iter().map(line).collect()),
        ("Rollout rules that do not work out", plan.rollout.warnings.clone()),
        ("Policies in force", plan.policy.rules.clone()),
        ("Blocked", blocked),
        ("No longer in the design, and left as it is", orphans),
        ("In the design, and compared by no driver", not_managed),
        ("Warnings about the design", plan.warnings.clone()),
    ];
    let filled = sections.into_iter().filter(|(_, lines)| !lines.is_empty());
    filled.map(|(name, lines)| list(&format!("{name}: {}", lines.len()), &lines, false)).collect()
}

/// What decides whether it can be carried out: above all changes, and not folded.
fn deciding(plan: &Plan, approvals: &[Standing], happened: bool) -> String {
    let denied = policy::denials(&plan.policy.denied);
    let mut out = String::new();
    if !denied.is_empty() {
        out.push_str(&list(&format!("Refused by policy: {}", denied.len()), &denied, true));
    }
    match policy::missing(approvals) {
        Some(0) => out.push_str(&list("Approved", &policy::standing_lines(approvals), true)),
        Some(n) => out.push_str(&list(&format!("Needs approval: {n} missing"), &policy::standing_lines(approvals), true)),
        None if plan.policy.approvals.is_empty() => {}
        None => out.push_str(&list(if happened { "Needed approval" } else { "Needs approval" }, &policy::needs(&plan.policy), !happened)),
    }
    out
}

fn list(title: &str, lines: &[String], open: bool) -> String {
    let mut out = format!("<details{}><summary>{}</summary><ul>\n", if open { " open" } else { "" }, svg::text(title));
    for line in lines {
        let _ = writeln!(out, "<li>{}</li>", svg::text(&values::cut(line.trim_start(), VALUE)));
    }
    out.push_str("</ul></details>\n");
    out
}

/// What the script works on. Equal attribute changes stand once, as in the plan file.
fn data(plan: &Plan, timing: &Timing) -> Value {
    let effect = |effect: Effect| Effect::ALL.iter().position(|e| *e == effect).unwrap_or(0);
    let nodes: BTreeMap<&str, usize> = plan.nodes.keys().enumerate().map(|(n, name)| (name.as_str(), n)).collect();
    let node = |name: Option<&str>| name.and_then(|n| nodes.get(n)).map_or(-1, |n| *n as i64);
    let mut attributes: Vec<Value> = Vec::new();
    let mut places: BTreeMap<*const AttributeChange, usize> = BTreeMap::new();
    let mut place = |attribute: &Arc<AttributeChange>| {
        *places.entry(Arc::as_ptr(attribute)).or_insert_with(|| {
            attributes.push(attribute_data(attribute, effect(attribute.effect)));
            attributes.len() - 1
        })
    };
    let mut row = |change: &Change, held: Option<(&str, &str)>| {
        let attributes: Vec<usize> = change.attributes.iter().map(&mut place).collect();
        let mut row = json!([
            clean(&change.resource),
            node(change.node.as_deref()),
            change.operation.sign(),
            effect(change.effect),
            clean(&change.reason),
            attributes
        ]);
        if let (Some((reason, hint)), Some(list)) = (held, row.as_array_mut()) {
            list.extend([json!(clean(reason)), json!(clean(hint))]);
        }
        row
    };
    let mut changes: Vec<Value> = plan.changes.iter().map(|c| row(c, None)).collect();
    changes.extend(plan.held_back.iter().map(|h| row(&h.change, Some((&h.reason, &h.hint)))));
    let ids: BTreeMap<&str, usize> = plan.actions.iter().enumerate().map(|(n, a)| (a.id.as_str(), n)).collect();
    let mut steps: Vec<String> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    let actions: Vec<Value> = plan
        .actions
        .iter()
        .zip(&timing.spans)
        .map(|(action, (start, end))| {
            let name = clean(&view::step(action)).into_owned();
            let step = *known.entry(name.clone()).or_insert_with(|| {
                steps.push(name);
                steps.len() - 1
            });
            let after: Vec<usize> = action.after.iter().filter_map(|id| ids.get(id.as_str()).copied()).collect();
            json!([step, clean(&action.resource), node(action.node.as_deref()), effect(action.effect), after, start, end])
        })
        .collect();
    json!({
        "effects": Effect::ALL.map(Effect::name),
        "nodes": plan.nodes.iter().map(|(name, n)| json!([clean(name), n.rack.as_deref().map(clean), n.now.name(), n.then.name(), n.profile.as_deref().map(clean)])).collect::<Vec<_>>(),
        "attributes": attributes,
        "changes": changes,
        "steps": steps,
        "actions": actions,
        "critical": timing.critical,
        "makespan_ms": timing.makespan_ms.max(1),
        "ended": timing.ended,
    })
}

/// Times of a page: of each action from the start, in milliseconds.
struct Timing {
    spans: Vec<(u64, u64)>,
    makespan_ms: u64,
    critical: Vec<u32>,
    /// How each action ended; empty where nothing happened yet.
    ended: Vec<String>,
}

impl Timing {
    fn of(plan: &Plan, times: Times<'_>) -> Self {
        let mut spans = vec![(0, 0); plan.actions.len()];
        match times {
            Times::Expected(rehearsal) => {
                for span in &rehearsal.spans {
                    if let Some(place) = spans.get_mut(span.action as usize) {
                        *place = (span.start_ms, span.end_ms);
                    }
                }
                Self { spans, makespan_ms: rehearsal.makespan_ms, critical: rehearsal.critical.clone(), ended: Vec::new() }
            }
            Times::Happened(info, state) => {
                let since = |ms: u64| ms.saturating_sub(info.started_ms);
                let records = || (0..plan.actions.len()).map(|i| state.task(i));
                let last = records().filter_map(|r| r.ended_ms.max(r.started_ms)).chain(info.ended_ms).max().map_or(0, since);
                for (place, record) in spans.iter_mut().zip(records()) {
                    if let Some(start) = record.started_ms {
                        *place = (since(start), record.ended_ms.map_or(last, since));
                    }
                }
                let said = |status: &Status| match status {
                    Status::Failed { message, .. } | Status::Refused { message, .. } | Status::Retrying { message, .. } => {
                        format!("{}: {}", status.name(), clean(&values::cut(message, VALUE)))
                    }
                    _ => status.name().to_owned(),
                };
                let ended = state.statuses().iter().map(said).collect();
                Self { spans, makespan_ms: last, critical: Vec::new(), ended }
            }
        }
    }
}

fn attribute_data(attribute: &AttributeChange, effect: usize) -> Value {
    let side = |value: &Option<Value>| value.as_ref().map(|v| values::cut(&inline(v), VALUE).into_owned());
    let text = |value: &Option<Value>| match value {
        None => Some(None),
        Some(Value::String(text)) => Some(Some(text.clone())),
        Some(_) => None,
    };
    let lines = match (text(&attribute.before), text(&attribute.after)) {
        (Some(before), Some(after)) if values::several_lines(before.as_deref(), after.as_deref()) => {
            let line = |(mark, text): &(Mark, String)| json!([mark.sign(), values::cut(&clean(text), VALUE)]);
            let all = values::text_diff(before.as_deref(), after.as_deref());
            let mut shown: Vec<Value> = all.iter().take(LINES).map(line).collect();
            if all.len() > LINES {
                let more = format!("{} more lines; `drydock show --verbose` has them", all.len() - LINES);
                shown.push(json!([Mark::Note.sign(), more]));
            }
            Some(shown)
        }
        _ => None,
    };
    json!([
        clean(&attribute.path),
        side(&attribute.before).filter(|_| lines.is_none()),
        side(&attribute.after).filter(|_| lines.is_none()),
        attribute.known_after.as_deref().map(|when| format!("({})", clean(when))),
        effect,
        clean(&attribute.reason),
        attribute.source.as_deref().map(clean),
        lines,
    ])
}

/// JSON inside a script element: without the characters that could end it.
fn clean_data(json: &str) -> String {
    super::clean_json(json).replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Times, plan_html};
    use crate::plan::Plan;
    use crate::report::plan_samples as samples;
    use crate::run::{guessed_ms, rehearse};

    fn page(plan: &Plan) -> String {
        let lengths: Vec<u64> = plan.actions.iter().map(|a| guessed_ms(a.kind)).collect();
        plan_html(plan, Times::Expected(&rehearse(plan, &lengths, &BTreeSet::new()).unwrap()), &[])
    }

    fn data(page: &str) -> serde_json::Value {
        let start = page.find("id=\"plan\">").unwrap() + "id=\"plan\">".len();
        let end = page[start..].find("</script>").unwrap() + start;
        serde_json::from_str(&page[start..end]).unwrap()
    }

    #[test]
    fn everything_of_the_plan_is_on_the_page() {
        let plan = samples::destructive();
        let data = data(&page(&plan));
        let rows = data["changes"].as_array().unwrap();
        assert_eq!(rows.len(), plan.changes.len() + plan.held_back.len());
        assert_eq!(data["actions"].as_array().unwrap().len(), plan.actions.len());
        let edges: usize = data["actions"].as_array().unwrap().iter().map(|a| a[4].as_array().unwrap().len()).sum();
        assert_eq!(edges, plan.actions.iter().map(|a| a.after.len()).sum::<usize>());
        for change in &plan.changes {
            let row = rows.iter().find(|r| r[0] == change.resource).unwrap();
            assert_eq!(row[5].as_array().unwrap().len(), change.attributes.len());
        }
    }

    #[test]
    fn text_of_a_design_is_never_markup() {
        let mut plan = samples::hostile();
        let evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&<!--";
        plan.site = evil.to_owned();
        plan.warnings.push(evil.to_owned());
        plan.changes[0].reason = evil.to_owned();
        plan.changes[0].resource = evil.to_owned();
        let page = page(&plan);
        assert_eq!(page.matches("<script").count(), 2, "ours only");
        assert!(!page.contains("<img") && !page.contains("<!--"), "markup of the design");
        assert_eq!(data(&page)["changes"][0][4], evil);
        assert!(!page.contains('\u{1b}') && !page.contains('\u{202e}'));
    }

    #[test]
    fn a_page_grows_linearly() {
        let (small, large) = (page(&samples::fleet(400)).len(), page(&samples::fleet(4_000)).len());
        assert!(large < small * 11, "{small} → {large}");
        assert!(large < 2_000_000, "{large} bytes for 4 000 nodes");
    }
}
