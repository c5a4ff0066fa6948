//! `drydock rehearse`: carry out a plan in virtual time.

use std::collections::BTreeSet;

use crate::cli::args::{Rehearse, Sources};
use crate::cli::exit::Exit;
use crate::cli::ops::{durations, plan};
use crate::cli::output::Printer;
use crate::cli::problem::Problem;
use crate::plan::Plan;
use crate::report;
use crate::run::rehearse;

/// Runs the command.
pub async fn run(args: &Rehearse, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    let plan = plan::read(&args.plan)?;
    let known = durations::of(&plan, &args.duration, from, printer).await;
    let mut fail = BTreeSet::new();
    for text in &args.fail {
        fail.extend(failing(&plan, text)?);
    }
    let shown = rehearse(&plan, &durations::lengths(&plan, &known), &fail)?;
    printer.result(&match printer.format_name() {
        "json" => format!("{:#}\n", report::rehearsal_json(&plan, &shown, &known)),
        "svg" => report::timeline_svg(&plan, &shown),
        _ => report::rehearsal_text(&plan, &shown, &known, &printer.text_options()),
    })?;
    Ok(Exit::Done)
}

/// The actions that `--fail` names: an id, or the first of a resource's branch, or those of a kind.
fn failing(plan: &Plan, text: &str) -> anyhow::Result<Vec<u32>> {
    let (resource, kind) = match text.split_once(':') {
        Some((resource, kind)) => (resource, Some(kind)),
        None => (text, None),
    };
    let of = |i: &usize| {
        let action = &plan.actions[*i];
        let node = resource.strip_prefix("node.").is_some_and(|node| action.node.as_deref() == Some(node));
        (node || action.resource == resource) && kind.is_none_or(|kind| action.kind.name() == kind)
    };
    if let Some(i) = plan.actions.iter().position(|a| a.id == text) {
        return Ok(vec![i as u32]);
    }
    let mut found = (0..plan.actions.len()).filter(of);
    let Some(first) = found.next() else {
        let kinds: BTreeSet<&str> = plan
            .actions
            .iter()
            .filter(|a| a.resource == resource || resource.strip_prefix("node.") == a.node.as_deref())
            .map(|a| a.kind.name())
            .collect();
        let help = if kinds.is_empty() {
            "give `node.NAME:ACTION`, as in `node.n01:deploy_node`; `drydock show` names what the plan has".to_owned()
        } else {
            format!("{resource} has {}", kinds.into_iter().collect::<Vec<_>>().join(", "))
        };
        return Err(Problem::usage(format!("--fail: the plan has no action `{text}`")).help(help).into());
    };
    let rest = found.filter(|_| kind.is_some());
    Ok(std::iter::once(first).chain(rest).map(|i| i as u32).collect())
}
