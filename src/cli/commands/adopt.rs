//! `drydock adopt`: take over machines that were deployed before drydock came. No machine is touched.

use anyhow::Context as _;
use serde_json::json;

use crate::action::Json;
use crate::cli::args::{Adopt, Format, Sources};
use crate::cli::exit::Exit;
use crate::cli::ops::drivers::Drivers;
use crate::cli::ops::{design, discover, plan, state};
use crate::cli::output::Printer;
use crate::diff::{Adoption, NotAdopted, Origin, adoptions};
use crate::store::Write;

/// Runs the command.
pub async fn run(args: &Adopt, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    let design = design::load(from, printer).await?;
    let memory = state::memory(&design.settings, &design.site.name.value).await?;
    let drivers = Drivers::connect(&design, printer).await?;
    let build = discover::complete(&design, &drivers).await;
    drivers.close().await?;
    let build = build?;
    let selector = plan::selector(&design, &build, &memory, "SELECTOR", &args.selector)?;
    let (adopted, others) = adoptions(&design.site, &build, &memory, &selector);
    if !adopted.is_empty() {
        let store = state::open(&design.settings, &design.site.name.value).await?;
        store.write(&adopted.iter().flat_map(writes).collect::<Vec<_>>()).context("no node was taken over")?;
    }
    printer.result(&match printer.format() {
        Format::Json => as_json(&adopted, &others),
        Format::Text => as_text(&adopted, &others),
    })?;
    if !adopted.is_empty() {
        printer.note("next: drydock plan");
    }
    let attention = others.iter().any(|o| o.needs_attention);
    Ok(if attention { Exit::Attention } else { Exit::Done })
}

fn writes(adoption: &Adoption) -> Vec<Write> {
    let mut out = vec![Write::Binding { node: adoption.node.clone(), binding: adoption.binding.clone() }];
    for (resource, attributes) in &adoption.applied {
        let (resource, attributes) = (resource.clone(), Json::from(attributes.clone()));
        out.push(Write::Applied { resource, origin: Origin::Adopted, attributes, action: String::new() });
    }
    // A plan that was made while the machine was somebody else's says something else about it.
    out.push(Write::Advance { resource: format!("node.{}", adoption.node) });
    out
}

fn as_text(adopted: &[Adoption], others: &[NotAdopted]) -> String {
    let mut lines = Vec::new();
    if adopted.is_empty() {
        lines.push("No node was taken over.".to_owned());
    } else {
        lines.push(format!(
            "{} taken over; no machine was touched:",
            if adopted.len() == 1 { "1 node was".to_owned() } else { format!("{} nodes were", adopted.len()) }
        ));
    }
    lines.extend(adopted.iter().map(|a| format!("  node.{}: {}", a.node, a.machine)));
    for other in others {
        lines.push(format!("not taken over: node.{}: {}", other.node, other.reason));
        if !other.hint.is_empty() {
            lines.push(format!("  {}", other.hint));
        }
    }
    clean(&lines.join("\n")) + "\n"
}

/// Names and texts of the site must not control the terminal.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

fn as_json(adopted: &[Adoption], others: &[NotAdopted]) -> String {
    let adopted: Vec<_> = adopted.iter().map(|a| json!({"node": a.node, "machine": a.machine, "binding": a.binding})).collect();
    let others: Vec<_> =
        others.iter().map(|o| json!({"node": o.node, "reason": o.reason, "hint": o.hint, "needs_attention": o.needs_attention})).collect();
    format!("{:#}\n", json!({"adopted": adopted, "not_adopted": others}))
}
