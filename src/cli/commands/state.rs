//! `drydock state show`: what the state remembers.

use std::fmt::Write as _;

use serde_json::json;

use crate::cli::args::{Format, Sources, State, StateCommand};
use crate::cli::exit::Exit;
use crate::cli::ops::{design, state};
use crate::cli::output::Printer;
use crate::diff::{Memory, Origin};
use crate::report::clean;

/// Runs the command.
pub async fn run(args: &State, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    let StateCommand::Show = args.command;
    let settings = design::settings(from)?;
    let site = design::site_name(&settings, from).await?;
    let memory = state::memory(&settings, &site)?;
    printer.result(&match printer.format() {
        Format::Json => format!("{:#}\n", json!({"site": site, "memory": memory})),
        Format::Text => text(&site, &memory),
    })?;
    Ok(Exit::Done)
}

fn text(site: &str, memory: &Memory) -> String {
    let mut out = format!("site {}\n", clean(site));
    for (node, binding) in &memory.bindings {
        let mut known = Vec::new();
        for (what, value) in [("machine", &binding.machine), ("serial", &binding.serial), ("uuid", &binding.uuid), ("guid", &binding.guid)]
        {
            if let Some(value) = value {
                known.push(format!("{what} {value}"));
            }
        }
        let _ = writeln!(out, "node.{}: bound to {}", clean(node), clean(&known.join(", ")));
    }
    for (resource, applied) in &memory.last_applied {
        let origin = match applied.origin {
            Origin::Created => "created",
            Origin::Adopted => "adopted",
        };
        let generation = memory.generations.get(resource).copied().unwrap_or_default();
        let _ = writeln!(out, "{}: {origin}, generation {generation}", clean(resource));
    }
    for (resource, rejection) in &memory.rejections {
        let _ = writeln!(out, "{}: refused by the provisioner: {}", clean(resource), clean(&rejection.message));
    }
    out
}
