//! Making, reading and showing plans.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::design::Design;
use super::{build_file, links, repository};
use crate::action::params::RunHook;
use crate::action::{Action, ActionKind, Effect, Selectable, Selector};
use crate::build::{Binding, Build, Fact};
use crate::cli::args::{PlanOptions, Review, View};
use crate::cli::exit::Exit;
use crate::cli::output::Printer;
use crate::cli::problem::Problem;
use crate::config::MachineRule;
use crate::diff::{self, Goal, Memory, Policy, Stage};
use crate::model::{Node, OobType};
use crate::plan::{self, Inputs, Plan, Preview, PreviewInputs, Standing, Version};
use crate::report::{self, Next, TextOptions, Verdict};

/// The largest plan file that is read.
const MAX_BYTES: u64 = 1 << 30;

/// Makes a plan: a pure function of its arguments.
pub fn make(design: &Design, build: &Build, memory: &Memory, options: &PlanOptions) -> anyhow::Result<Plan> {
    let policy = policy(&Known { design, build, memory }, options)?;
    Ok(plan::assemble(&Inputs {
        site: &design.site,
        sources: &design.map,
        design_digest: &plan::design_digest(&design.site),
        build,
        memory,
        policy: &policy,
        limits: &design.settings.plan_limits(design.site.nodes.len()),
        rollout: &design.settings.rollout_rules(),
        hooks: &hooks(design),
        failures: &design.settings.failure_rules(),
        timeouts_s: &timeouts(design),
        warnings: &design.warnings,
        policies: &design.settings.policies,
    })?)
}

/// Makes a preview: what a design changes against a base that is taken as applied. A pure function of its arguments.
pub fn preview(base: &Design, head: &Design, origin: &Preview, options: &PlanOptions) -> anyhow::Result<Plan> {
    // Nodes of the base may be named, too; nothing else is known of any machine.
    let build = Build {
        format: build_file::FORMAT,
        endpoints: Vec::new(),
        provisioner: Fact::Unknown(String::new()),
        bmcs: BTreeMap::new(),
        observed_at: 0,
    };
    let bindings = base.site.nodes.keys().map(|name| (name.clone(), Binding::default())).collect();
    let memory = Memory { bindings, ..Memory::default() };
    let asked = policy(&Known { design: head, build: &build, memory: &memory }, options)?;
    let applied = policy(&Known { design: base, build: &build, memory: &memory }, &PlanOptions::default())?;
    Ok(plan::preview(&PreviewInputs {
        base: Version { site: &base.site, sources: &base.map, policy: &applied },
        head: Version { site: &head.site, sources: &head.map, policy: &asked },
        origin,
        design_digest: &plan::design_digest(&head.site),
        oob_driver: head.settings.drivers.oob.override_with.map(|_| OobType::Redfish.name()),
        limits: &head.settings.plan_limits(head.site.nodes.len()),
        rollout: &head.settings.rollout_rules(),
        hooks: &hooks(head),
        failures: &head.settings.failure_rules(),
        timeouts_s: &timeouts(head),
        warnings: &head.warnings,
        policies: &head.settings.policies,
    })?)
}

/// Time limits in seconds that the settings say.
fn timeouts(design: &Design) -> BTreeMap<ActionKind, u32> {
    design.settings.timeouts.iter().map(|(kind, t)| (*kind, u32::try_from(t.as_secs().max(1)).unwrap_or(u32::MAX))).collect()
}

/// What is asked for and allowed, by options and settings.
fn policy(known: &Known<'_>, options: &PlanOptions) -> anyhow::Result<Policy> {
    let design = known.design;
    let target = options.target.as_deref().map(|text| known.selector("--target", text)).transpose()?;
    if let Some(target) = &target {
        known.can_match("--target", target)?;
    }
    let mut allow: Vec<(Effect, Selector)> = Vec::new();
    for allowance in &options.allow {
        allow.push((allowance.effect, known.selector("--allow", &allowance.selector)?));
    }
    let goal = options.goal.unwrap_or(Goal::DeployNodes);
    let replace = options.replace.as_deref().map(|text| known.selector("--replace", text)).transpose()?;
    if let Some(replace) = &replace {
        known.can_match("--replace", replace)?;
        if matches!(goal, Goal::VerifySite | Goal::PrepareSite) {
            return Err(Problem::usage(format!("--replace: goal {} does nothing to nodes", goal.name())).into());
        }
        // Asking for it is the permission, for what was asked for; the plan shows it.
        allow.push((Effect::Destroy, replace.clone()));
    }
    Ok(Policy { target, allow, replace, ..by_settings(design, goal, options.erase)? })
}

/// What the settings allow and ask for.
fn by_settings(design: &Design, goal: Goal, erase: bool) -> anyhow::Result<Policy> {
    let settings = &design.settings;
    let maas = &settings.drivers.maas;
    Ok(Policy {
        timeouts_s: timeouts(design),
        manage_power: maas.manage_power,
        placements: maas.machines.iter().map(MachineRule::placement).collect(),
        spaces: spaces(design)?,
        release: diff::Release { erase, delete_record: maas.delete_released },
        commission: maas.commissioning.parameters(),
        owns_region: settings.drivers.maas.owns_region,
        max_absent_percent: settings.guards.max_absent,
        ..Policy::new(goal)
    })
}

/// What a plan was asked for, so that the site can be compared again. Its selectors were checked when it was made.
pub fn policy_of(design: &Design, plan: &Plan) -> anyhow::Result<Policy> {
    let parsed = |text: &str| Selector::parse(text).map_err(|e| Problem::refused(format!("`{text}`, of the plan: {e}")));
    let target = plan.selection.as_deref().map(parsed).transpose()?;
    let mut allow: Vec<(Effect, Selector)> = Vec::new();
    for allowance in &plan.allow {
        allow.push((allowance.effect, parsed(&allowance.selector)?));
    }
    // Nodes of the design are released only to be replaced, and what is replaced was allowed last.
    let releases = |a: &Action| a.kind == ActionKind::DestroyNode && a.effect == Effect::Destroy;
    let is_replaced = |a: &Action| releases(a) && a.node.as_ref().is_some_and(|n| design.site.nodes.contains_key(n));
    let replace = if plan.goal != Goal::DestroyNodes && plan.actions.iter().any(is_replaced) {
        allow.iter().rev().find(|(class, _)| *class == Effect::Destroy).map(|(_, selector)| selector.clone())
    } else {
        None
    };
    Ok(Policy { target, allow, replace, ..by_settings(design, plan.goal, false)? })
}

/// Hooks by node, from the settings.
fn hooks(design: &Design) -> BTreeMap<String, Vec<RunHook>> {
    let default_s = timeouts(design).get(&ActionKind::RunHook).copied();
    let mut out: BTreeMap<String, Vec<RunHook>> = BTreeMap::new();
    for (phase, hook) in design.settings.hooks.all() {
        for (name, node) in &design.site.nodes {
            // Settings do not select by stage.
            if hook.nodes.as_ref().is_none_or(|selector| selects(&selector.0, node, "")) {
                let rack = node.rack.as_ref().map(|r| r.value.as_str());
                out.entry(name.clone()).or_default().push(hook.parameters(phase, rack, default_s));
            }
        }
    }
    out
}

/// Whether a selector selects a node of the design in a stage.
fn selects(selector: &Selector, node: &Node, stage: &str) -> bool {
    let tags: Vec<String> = node.tags.iter().map(|t| t.value.clone()).collect();
    let labels = node.owner_data.iter().map(|(k, v)| (k.clone(), v.value.clone())).collect();
    let rack = node.rack.as_ref().map(|r| r.value.as_str());
    selector.matches(&Selectable { node: &node.name.value, rack, tags: &tags, labels: &labels, stage })
}

/// Spaces by network, from the settings.
fn spaces(design: &Design) -> anyhow::Result<BTreeMap<String, String>> {
    let mut out = BTreeMap::new();
    for (space, networks) in &design.settings.drivers.maas.spaces {
        for network in networks {
            let at = format!("{}: drivers.maas.spaces.{space}", design.settings.shown);
            if !design.site.networks.contains_key(network) {
                let near = design.site.networks.keys().min_by_key(|n| strsim::osa_distance(n, network));
                let help = near.map_or_else(|| "the design has no networks".to_owned(), |n| format!("did you mean `{n}`?"));
                return Err(Problem::new(format!("the design has no network `{network}`")).at(at).help(help).into());
            }
            if let Some(other) = out.insert(network.clone(), space.clone()) {
                let message = format!("network `{network}` is in two spaces, {other} and {space}");
                return Err(Problem::new(message).at(at).help("name it once; a VLAN is in one space").into());
            }
        }
    }
    Ok(out)
}

/// A selector that a command was given, with names that the site has.
pub fn selector(design: &Design, build: &Build, memory: &Memory, option: &str, text: &str) -> anyhow::Result<Selector> {
    let known = Known { design, build, memory };
    let selector = known.selector(option, text)?;
    known.can_match(option, &selector)?;
    Ok(selector)
}

/// What a selector may name.
struct Known<'a> {
    design: &'a Design,
    build: &'a Build,
    memory: &'a Memory,
}

impl Known<'_> {
    /// Parses a selector, and refuses names that no node has: a typo must not select nothing in silence.
    fn selector(&self, option: &str, text: &str) -> anyhow::Result<Selector> {
        let selector = Selector::parse(text).map_err(|e| Problem::usage(format!("{option}: {e}")))?;
        let nodes = &self.design.site.nodes;
        for name in selector.node_names() {
            if nodes.contains_key(name) || self.memory.bindings.contains_key(name) {
                continue;
            }
            let orphans = diff::orphan_names(&self.design.site, self.build, self.memory);
            if orphans.contains(name) {
                continue;
            }
            let near = nodes.keys().chain(&orphans).min_by_key(|n| strsim::osa_distance(n, name));
            let help = near.map_or_else(|| "the design has no nodes".to_owned(), |n| format!("did you mean `node={n}`?"));
            return Err(Problem::usage(format!("{option}: the design has no node `{name}`, and no orphaned machine has that name"))
                .help(help)
                .into());
        }
        Ok(selector)
    }

    /// Refuses a selection that no node can be in, whatever its stage.
    fn can_match(&self, option: &str, selector: &Selector) -> anyhow::Result<()> {
        let nodes = &self.design.site.nodes;
        let selected = nodes.values().any(|node| Stage::ALL.iter().any(|stage| selects(selector, node, stage.name())));
        let orphan = |name: &String| {
            selector.names(&Selectable { node: name, rack: None, tags: &[], labels: &BTreeMap::new(), stage: Stage::Orphaned.name() })
        };
        // A node that is remembered and gone may be named: there is nothing to do for it, and that is no mistake.
        if selected
            || self.memory.bindings.keys().filter(|name| !nodes.contains_key(*name)).any(orphan)
            || diff::orphan_names(&self.design.site, self.build, self.memory).iter().any(orphan)
        {
            return Ok(());
        }
        let racks = nodes.values().filter_map(|n| n.rack.as_ref()).map(|r| r.value.as_str());
        let tags = nodes.values().flat_map(|n| &n.tags).map(|t| t.value.as_str());
        let help = format!("racks: {}; tags: {}; stages: {}", some(racks), some(tags), some(Stage::ALL.iter().map(|s| s.name())));
        Err(Problem::usage(format!("{option}: no node of the design matches `{selector}`")).help(help).into())
    }
}

/// The first names of many.
fn some<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 15;
    let names: BTreeSet<&str> = names.collect();
    match names.len() {
        0 => "none".to_owned(),
        n if n > SHOWN => format!("{}, …", names.into_iter().take(SHOWN).collect::<Vec<_>>().join(", ")),
        _ => names.into_iter().collect::<Vec<_>>().join(", "),
    }
}

/// Reads a plan file; refuses one that was changed or cut off.
pub fn read(path: &Path) -> anyhow::Result<Plan> {
    let shown = path.display().to_string();
    let help = "write one with `drydock plan --out FILE`";
    let cannot = |e: std::io::Error| Problem::new(format!("cannot read {shown}: {e}")).help(help);
    let metadata = std::fs::metadata(path).map_err(cannot)?;
    if metadata.len() > MAX_BYTES {
        return Err(Problem::refused(format!("{shown} is larger than {} MiB, so it is no plan file", MAX_BYTES >> 20)).help(help).into());
    }
    let bytes = std::fs::read(path).map_err(cannot)?;
    let text = String::from_utf8(bytes).map_err(|_| Problem::refused("not a plan file: it is not UTF-8 text").at(&shown).help(help))?;
    plan::read(&text).map_err(|e| Problem::refused(e.to_string()).at(&shown).help("make a new one with `drydock plan --out FILE`").into())
}

/// The plan as the user asked to see it. `review` is what a comment says beside it, for commands that have that format.
pub fn render(plan: &Plan, printer: &Printer, next: Next, review: Option<&Review>, view: &View) -> String {
    let file = match &next {
        Next::Apply(file) | Next::Part(file) => Some(Path::new(file)),
        Next::Plan | Next::Answer => None,
    };
    match (printer.format_name(), review) {
        ("json", _) => format!("{:#}\n", report::plan_json(plan, None)),
        ("markdown", Some(review)) => report::plan_markdown(plan, &links::options(review, file, plan.preview.as_ref())),
        ("github", Some(_)) => report::plan_github(plan, &repository::paths(None), &[]),
        _ => text(plan, printer, next, view, Vec::new()),
    }
}

/// The plan as text, and what it says of its approvals.
pub fn text(plan: &Plan, printer: &Printer, next: Next, view: &View, approvals: Vec<Standing>) -> String {
    let options = printer.text_options();
    let verbose = options.verbose || view.full;
    report::plan_text(plan, &TextOptions { next, verbose, summary: view.summary, approvals, ..options })
}

/// What the reader of a plan can do next: with the file that it is in, of which only a part may be shown.
pub fn next(file: Option<&Path>, view: &View) -> Next {
    match file.map(|file| file.display().to_string()) {
        None => Next::Plan,
        Some(file) if view.node.is_some() => Next::Part(file),
        Some(file) => Next::Apply(file),
    }
}

/// Refuses a view that a format does not have.
pub fn check_view(view: &View, printer: &Printer) -> Result<(), Problem> {
    let format = printer.format_name();
    if (view.summary || view.full) && format != "text" {
        let message = format!("--summary and --full are about the text, and --format {format} is none");
        return Err(Problem::usage(message).help("leave one of them out"));
    }
    if view.node.is_some() && !matches!(format, "text" | "json" | "name") {
        let message = format!("--node: --format {format} shows a plan as a whole");
        return Err(Problem::usage(message).help("--format text and json show one node"));
    }
    Ok(())
}

/// The part of a plan that is to be shown.
pub fn viewed<'p>(plan: &'p Plan, view: &View) -> anyhow::Result<Cow<'p, Plan>> {
    let Some(node) = &view.node else { return Ok(Cow::Borrowed(plan)) };
    let node = node.strip_prefix("node.").unwrap_or(node);
    let Some(part) = plan.of_node(node) else {
        let near = plan.nodes.keys().min_by_key(|n| strsim::osa_distance(n, node));
        let help = near.map_or_else(|| "the plan has no nodes".to_owned(), |n| format!("did you mean `{n}`?"));
        return Err(Problem::usage(format!("--node: the plan has no node `{node}`")).help(help).into());
    };
    Ok(Cow::Owned(part))
}

/// Exit code of a plan that was only shown.
pub fn exit(plan: &Plan, detailed: bool) -> Exit {
    if !plan.policy.denied.is_empty() {
        return Exit::Refused;
    }
    match report::verdict(plan) {
        Verdict::Changes if detailed => Exit::Changes,
        Verdict::Changes | Verdict::NoChanges => Exit::Done,
        Verdict::NothingPlanned => Exit::Attention,
    }
}
