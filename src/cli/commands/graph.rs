//! `drydock graph`: draw the actions of a plan.

use std::collections::BTreeSet;

use crate::cli::args::{Graph, GraphBy, Sources};
use crate::cli::exit::Exit;
use crate::cli::ops::{durations, plan};
use crate::cli::output::Printer;
use crate::report::{self, By};
use crate::run::rehearse;

/// Runs the command.
pub async fn run(args: &Graph, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    let plan = plan::read(&args.plan)?;
    let known = durations::of(&plan, &[], from, printer).await;
    let shown = rehearse(&plan, &durations::lengths(&plan, &known), &BTreeSet::new())?;
    let nodes: BTreeSet<&str> = plan.actions.iter().filter_map(|a| a.node.as_deref()).collect();
    let by = match args.by {
        Some(GraphBy::Node) => By::Node,
        None if nodes.len() <= report::NODE_LANES => By::Node,
        Some(GraphBy::Rack) | None => By::Rack,
    };
    let graph = report::graph(&plan, by, &shown.critical);
    printer.result(&match printer.format_name() {
        "svg" => report::graph_svg(&graph),
        "mermaid" => report::graph_mermaid(&graph),
        // The text of a graph.
        _ => report::graph_dot(&graph),
    })?;
    Ok(Exit::Done)
}
