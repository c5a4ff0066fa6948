//! `drydock state show`: what the state remembers; `drydock state hardware`: what commissioning found out; `drydock state pull`: a copy.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;

use crate::cli::args::{Format, Sources, State, StateCommand, StateHardware};
use crate::cli::exit::Exit;
use crate::cli::ops::{design, state};
use crate::cli::output::Printer;
use crate::cli::problem::Problem;
use crate::diff::{Memory, Origin};
use crate::report::clean;
use crate::report::time::instant;
use crate::store::{BuildDatum, Store};

/// Runs the command.
pub async fn run(args: &State, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    let settings = design::settings(from)?;
    let site = design::site_name(&settings, from).await?;
    if let StateCommand::Hardware(wanted) = &args.command {
        return hardware(wanted, state::existing(&settings, &site).await?.as_deref(), printer);
    }
    if let StateCommand::Pull { file } = &args.command {
        let store = state::existing(&settings, &site).await?;
        return pull(file, store.as_deref(), printer);
    }
    let memory = state::memory(&settings, &site).await?;
    printer.result(&match printer.format() {
        Format::Json => format!("{:#}\n", json!({"site": site, "memory": memory})),
        Format::Text => text(&site, &memory),
    })?;
    Ok(Exit::Done)
}

/// A copy of the state.
fn pull(file: &Path, store: Option<&dyn Store>, printer: &Printer) -> anyhow::Result<Exit> {
    let Some(store) = store else {
        return Err(Problem::new("there is no state yet").help("the first run makes it").into());
    };
    store.copy_to(file)?;
    let runs = store.runs()?.len();
    printer.note(&format!("{} holds the state as of now, with {runs} run{}", file.display(), if runs == 1 { "" } else { "s" }));
    Ok(Exit::Done)
}

/// What commissioning found out about a node, newest first.
fn hardware(wanted: &StateHardware, store: Option<&dyn Store>, printer: &Printer) -> anyhow::Result<Exit> {
    let node = wanted.node.strip_prefix("node.").unwrap_or(&wanted.node);
    let mut found = store.map(|s| s.build_data(node)).transpose()?.unwrap_or_default();
    if found.is_empty() {
        return Err(Problem::new(format!("nothing is kept of the hardware of `{node}`"))
            .help("it is collected when a node is commissioned by `drydock apply`; `drydock state show` lists the nodes that are known")
            .into());
    }
    if let Some(name) = &wanted.name {
        let names: BTreeSet<String> = found.iter().map(|d| d.name.clone()).collect();
        found.retain(|d| d.name == *name);
        found.truncate(1);
        if found.is_empty() {
            let known = names.into_iter().collect::<Vec<_>>().join(", ");
            return Err(Problem::new(format!("nothing called `{name}` is kept of `{node}`")).help(format!("there are: {known}")).into());
        }
    }
    let out = match (printer.format(), &wanted.name) {
        (Format::Json, _) => {
            let entry = |d: &BuildDatum| json!({"name": d.name, "at": instant(d.at_ms / 1000), "run": d.run, "text": d.text});
            format!("{:#}\n", json!({"node": node, "data": found.iter().map(entry).collect::<Vec<_>>()}))
        }
        (Format::Text, Some(_)) => found.into_iter().map(|d| d.text).collect(),
        (Format::Text, None) => found.iter().fold(String::new(), |mut out, d| {
            let _ = writeln!(out, "{}  {}  {} bytes  run {}", instant(d.at_ms / 1000), clean(&d.name), d.text.len(), clean(&d.run));
            out
        }),
    };
    printer.result(&out)?;
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
