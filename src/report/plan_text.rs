//! A plan as people review it.
//!
//! In: a plan. Out: text: the counts, what destroys or interrupts first and with reasons, then everything else with like changes of many nodes shown once, the
//! branches, what is held back or blocked, and what to run next.

use std::collections::BTreeMap;

use console::measure_text_width;

use super::fit::{Section, fit};
use super::names;
use super::paint::{Look, Page};
use super::plan_attributes;
use super::plan_head::headline;
use super::plan_open::{blocked, held_back, not_managed, orphans, warnings};
use super::plan_summary;
use super::rollout;
use super::view::{self, Group, Verdict};
use crate::action::Effect;
use crate::diff::{Change, Operation};
use crate::plan::{Plan, Standing};

/// How a plan is shown as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextOptions {
    /// With ANSI colours.
    pub color: bool,
    /// Columns of the terminal.
    pub width: usize,
    /// Fold nothing: every value of every node, every line of a text.
    pub verbose: bool,
    /// Say only what is done to machines, and how much of everything else there is.
    pub summary: bool,
    /// How its approvals stand, if that is known.
    pub approvals: Vec<Standing>,
    /// What the reader can do next.
    pub next: Next,
}

/// Where a shown plan stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Next {
    /// It was only shown.
    #[default]
    Plan,
    /// It is in this file.
    Apply(String),
    /// It is a part of what is in this file.
    Part(String),
    /// It is about to be applied, if the reader agrees.
    Answer,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self { color: false, width: 120, verbose: false, summary: false, approvals: Vec::new(), next: Next::Plan }
    }
}

/// Bytes that the text has at most, unless everything is asked for.
pub const LIMIT: usize = 60_000;

/// The plan as text; at most [`LIMIT`] bytes unless it is verbose.
pub fn plan_text(plan: &Plan, options: &TextOptions) -> String {
    if options.summary {
        return plan_summary::summary(plan, options);
    }
    let mut page = Page::new(options.color, options.width);
    let verdict = view::verdict(plan);
    let verbose = options.verbose;
    let groups = if verdict == Verdict::Changes { view::group(&plan.changes) } else { Vec::new() };
    let (harmful, rest) = view::by_harm(&groups);
    let mut sections: Vec<Section> = Vec::new();
    let mut section = |page: &Page, share: usize, rank: usize| sections.push(Section { start: page.len(), share, rank });
    section(&page, 8_000, 0);
    headline(&mut page, plan, verdict);
    section(&page, 6_000, 1);
    policies(&mut page, plan, &options.approvals);
    section(&page, 14_000, 2);
    interrupts(&mut page, harmful, verbose);
    section(&page, 7_000, 3);
    changes(&mut page, rest, verbose);
    section(&page, 5_000, 6);
    if verdict == Verdict::Changes {
        actions(&mut page, plan, verbose);
        waves(&mut page, plan, verbose);
    }
    section(&page, 6_000, 4);
    held_back(&mut page, plan, verbose);
    section(&page, 5_000, 5);
    blocked(&mut page, plan, verbose);
    section(&page, 5_000, 7);
    orphans(&mut page, plan, verbose);
    not_managed(&mut page, plan, verbose);
    warnings(&mut page, plan, verbose);
    section(&page, 2_000, 0);
    next(&mut page, plan, verdict, options);
    let text = page.finish();
    if verbose {
        return text;
    }
    fit(text, &sections, LIMIT, left_out)
}

/// What is said where lines are left out.
pub(super) fn left_out(lines: usize) -> String {
    format!("  … {lines} more lines; --verbose shows them all; --node, --query: a part")
}

/// What an approver signs: the headline, everything that interrupts or destroys, and the policies.
pub fn plan_to_approve(plan: &Plan, options: &TextOptions) -> String {
    let mut page = Page::new(options.color, options.width);
    headline(&mut page, plan, view::verdict(plan));
    policies(&mut page, plan, &options.approvals);
    let groups = view::group(&plan.changes);
    let (harmful, rest) = view::by_harm(&groups);
    interrupts(&mut page, harmful, options.verbose);
    let rest: usize = rest.iter().map(|g| g.changes.len()).sum();
    if rest > 0 {
        let text = format!("and {} without interruption or loss; `drydock show` shows all", count(rest, "change"));
        page.gap().put(Look::Dim, &text).end();
    }
    page.finish()
}

pub(super) fn title(page: &mut Page, look: Look, name: &str, note: &str) {
    page.gap().put(look, name);
    if !note.is_empty() {
        page.put(Look::Dim, "  ").put(Look::Dim, note);
    }
    page.end();
}

fn changes(page: &mut Page, groups: Vec<&Group>, verbose: bool) {
    if groups.is_empty() {
        return;
    }
    title(page, Look::Bold, "Changes", "");
    for group in groups {
        one_group(page, group, verbose, false);
    }
}

fn interrupts(page: &mut Page, groups: Vec<&Group>, verbose: bool) {
    if groups.is_empty() {
        return;
    }
    title(page, Look::BoldRed, "Interrupts or destroys", "");
    for group in groups {
        one_group(page, group, verbose, true);
    }
}

/// What the policies of the site make of it.
pub(super) fn policies(page: &mut Page, plan: &Plan, standing: &[Standing]) {
    let report = &plan.policy;
    if !report.denied.is_empty() {
        title(page, Look::BoldRed, "Refused by policy", "no approval lifts this");
        for line in super::policy::denials(&report.denied) {
            page.to(2).words(Look::Plain, &line, 4).end();
        }
    }
    if !report.approvals.is_empty() {
        match super::policy::missing(standing) {
            Some(0) => title(page, Look::Green, "Approved", ""),
            Some(n) => title(page, Look::Yellow, "Needs approval", &format!("{n} missing")),
            None => title(page, Look::Yellow, "Needs approval", ""),
        }
        for line in super::policy::needs(report) {
            page.to(2).words(Look::Plain, &line, 4).end();
        }
    }
    if !report.rules.is_empty() {
        title(page, Look::Bold, "Policies in force", "");
        for rule in super::policy::some(report.rules.clone()) {
            page.to(2).words(Look::Dim, &rule, 4).end();
        }
    }
}

/// Indent of a resource's attributes.
pub(super) const INDENT: usize = 6;

/// The start of a group's line: what it is, and what is done to it.
pub(super) fn heading(page: &mut Page, group: &Group, name_all: bool) {
    let first = group.first();
    page.to(2).put(sign_look(first.operation), first.operation.sign()).to(INDENT);
    address(page, group.changes.iter().copied(), group.suffix(), name_all);
    let nodes = if group.changes.len() > 1 { format!("  ×{} nodes", group.changes.len()) } else { String::new() };
    let effect = first.effect.name();
    page.room(2 + effect.len() + measure_text_width(&nodes), INDENT).text("  ").put(look(first.effect), effect).put(Look::Bold, &nodes);
}

pub(super) fn one_group(page: &mut Page, group: &Group, verbose: bool, name_all: bool) {
    heading(page, group, verbose || name_all);
    plan_attributes::known_later(page, group, INDENT);
    if let Some(source) = plan_attributes::named_at(group) {
        page.room(measure_text_width(source) + 3, INDENT).text("   ").put(Look::Dim, source);
    }
    page.end();
    if !group.reason.is_empty() {
        page.to(INDENT).put(Look::Dim, "because ").words(Look::Plain, &group.reason, INDENT + 8).end();
    }
    plan_attributes::attributes(page, group, verbose, INDENT);
}

/// The address of one change, or of many nodes with the same suffix: `node.{n01..n98}/storage`.
fn address<'c>(page: &mut Page, changes: impl Iterator<Item = &'c Change>, suffix: &str, all: bool) {
    let changes: Vec<&Change> = changes.collect();
    if let [change] = changes.as_slice() {
        page.wrapped(Look::Bold, &change.resource, INDENT + 2);
        return;
    }
    let nodes = changes.iter().filter_map(|c| c.node.as_deref());
    node_set(page, nodes, suffix, all);
}

/// Pieces of a folded list of names.
const FOLDED: usize = 6;

fn node_set<'n>(page: &mut Page, nodes: impl Iterator<Item = &'n str>, suffix: &str, all: bool) {
    let mut pieces = folded(page, nodes, if all { usize::MAX } else { FOLDED });
    if let [one] = pieces.as_slice()
        && !one.contains("..")
    {
        page.put(Look::Bold, &format!("node.{one}{suffix}"));
        return;
    }
    if let Some(first) = pieces.first_mut() {
        *first = format!("node.{{{first}");
    }
    if let Some(last) = pieces.last_mut() {
        *last = format!("{last}}}{suffix}");
    }
    page.flow(Look::Bold, pieces, ", ", INDENT + 2);
}

/// `4 subnet, 2 vlan`: how many addresses there are of each type.
fn by_type(resources: &[&str]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for resource in resources {
        *counts.entry(resource.split('.').next().unwrap_or(resource)).or_default() += 1;
    }
    counts.into_iter().map(|(kind, n)| format!("{n} {kind}")).collect()
}

/// Names as pieces; remembers whether any are left out.
fn folded<'n>(page: &mut Page, names: impl Iterator<Item = &'n str>, limit: usize) -> Vec<String> {
    let pieces = names::pieces(names, "..", limit);
    if pieces.len() > limit {
        page.fold();
    }
    pieces
}

/// Addresses: many nodes as `node.{n01..n98}`, others as they are.
pub(super) fn addresses(page: &mut Page, resources: &[&str], verbose: bool) {
    let nodes: Option<Vec<&str>> = resources.iter().map(|r| r.strip_prefix("node.").filter(|n| !n.contains('/'))).collect();
    if let Some(nodes) = nodes {
        node_set(page, nodes.into_iter(), "", verbose);
    } else {
        let pieces = folded(page, resources.iter().copied(), if verbose { usize::MAX } else { FOLDED });
        page.flow(Look::Bold, pieces, ", ", INDENT);
    }
}

fn actions(page: &mut Page, plan: &Plan, verbose: bool) {
    if plan.actions.is_empty() {
        return;
    }
    title(page, Look::Bold, "Actions", "branches run side by side, within the limits");
    let site = view::site_actions(&plan.actions);
    if !site.is_empty() {
        page.to(2).put(Look::Bold, "site").end();
        for (kind, resources) in site {
            page.to(4).text(kind.name());
            if resources.len() > 1 {
                page.text(&format!(" ×{}", resources.len()));
            }
            let resources: Vec<&str> = resources.into_iter().filter(|r| *r != "site").collect();
            let pieces =
                if verbose || resources.len() <= FOLDED { names::pieces(resources, "..", usize::MAX) } else { by_type(&resources) };
            page.text("  ").flow(Look::Dim, pieces, ", ", INDENT).end();
        }
    }
    for branches in view::branches(&plan.actions) {
        page.to(2);
        node_set(page, branches.nodes.iter().copied(), "", verbose);
        let each = count(branches.actions, "action");
        let (nodes, each) = match branches.nodes.len() {
            1 => (String::new(), format!("  {each}")),
            n => (format!("  ×{n} nodes"), format!("  {each} each")),
        };
        let effect = branches.effect.name();
        page.room(2 + effect.len() + measure_text_width(&nodes) + each.len(), 4);
        page.text("  ").put(look(branches.effect), effect).put(Look::Bold, &nodes).put(Look::Dim, &each);
        page.end().to(4).flow(Look::Plain, &branches.steps, " → ", INDENT).end();
    }
}

/// Who begins after whom, and which rules can never be met.
fn waves(page: &mut Page, plan: &Plan, verbose: bool) {
    let waves = &plan.rollout.waves;
    if !waves.is_empty() {
        title(page, Look::Bold, "Waves", &rollout::note(plan));
        let shown = if verbose { usize::MAX } else { rollout::SHOWN };
        for wave in waves.iter().take(shown) {
            page.to(2).put(Look::Bold, &wave.name).put(Look::Dim, &format!("  {}  ", rollout::after(plan, wave)));
            page.text(&count(wave.nodes.len(), "node")).text(": ").flow(Look::Plain, rollout::nodes(wave), ", ", INDENT).end();
            let gate = rollout::gate(wave);
            if !gate.is_empty() {
                page.to(INDENT).put(Look::Dim, "through if ").words(Look::Plain, &gate, INDENT + 2).end();
            }
        }
        if waves.len() > shown {
            page.to(2).put(Look::Dim, &format!("… {} more; --verbose shows them", waves.len() - shown)).end();
        }
    }
    if !plan.rollout.warnings.is_empty() {
        title(page, Look::Yellow, "Rollout rules that do not work out", "");
        for warning in &plan.rollout.warnings {
            page.to(2).words(Look::Plain, warning, 4).end();
        }
    }
}

pub(super) fn next(page: &mut Page, plan: &Plan, verdict: Verdict, options: &TextOptions) {
    page.gap();
    match (verdict, &options.next) {
        (Verdict::Changes | Verdict::NothingPlanned, _) if plan.preview.is_some() => {
            page.put(Look::Cyan, "next: ").words(Look::Plain, view::AFTER_PREVIEW, 2).end();
        }
        (_, Next::Part(file)) => {
            page.put(Look::Cyan, "next: ").text("drydock show ").text(file).put(Look::Dim, "  (shows the whole plan)").end();
        }
        (Verdict::Changes, _) if !plan.policy.denied.is_empty() => {
            page.put(Look::Cyan, "next: ").text("change what the policies refuse, then drydock plan again").end();
        }
        (Verdict::Changes, Next::Apply(file))
            if !plan.policy.approvals.is_empty() && super::policy::missing(&options.approvals) != Some(0) =>
        {
            page.put(Look::Cyan, "next: ").text("drydock approve ").text(file).text(" --key FILE, then drydock apply ").text(file).end();
        }
        (Verdict::Changes, Next::Apply(file)) => {
            page.put(Look::Cyan, "next: ").text("drydock apply ").text(file).put(Look::Dim, "  (carries out exactly this plan)").end();
        }
        (Verdict::Changes, Next::Plan) => {
            page.put(Look::Cyan, "next: ").text("drydock plan --out FILE, review, drydock apply FILE").end();
        }
        (Verdict::NothingPlanned, _) => {
            page.put(Look::Cyan, "next: ").text("do what the lines above say, then drydock plan again").end();
        }
        (Verdict::Changes, Next::Answer) | (Verdict::NoChanges, _) => {}
    }
    if page.folded() && !options.verbose {
        page.put(Look::Dim, "something is shown shortened; --verbose shows every value of every node").end();
    }
}

/// `1 node`, `2 nodes`, `3 node branches`.
pub(super) fn count(n: usize, noun: &str) -> String {
    match (n, noun.ends_with("ch")) {
        (1, _) => format!("1 {noun}"),
        (_, true) => format!("{n} {noun}es"),
        _ => format!("{n} {noun}s"),
    }
}

/// How an effect class looks.
pub(super) fn look(effect: Effect) -> Look {
    match effect {
        Effect::None => Look::Dim,
        Effect::Online => Look::Plain,
        Effect::Install => Look::Green,
        Effect::Reboot => Look::Yellow,
        Effect::Redeploy => Look::Red,
        Effect::Destroy => Look::BoldRed,
    }
}

fn sign_look(operation: Operation) -> Look {
    match operation {
        Operation::Create => Look::Green,
        Operation::Update => Look::Yellow,
        Operation::Replace | Operation::Delete => Look::Red,
    }
}
