//! `drydock rebind`: bind a node to the machine that is there now, after hardware was exchanged.

use anyhow::Context as _;

use crate::build::Binding;
use crate::cli::args::{Rebind, Sources};
use crate::cli::exit::Exit;
use crate::cli::ops::drivers::Drivers;
use crate::cli::ops::{design, discover, state};
use crate::cli::output::Printer;
use crate::cli::problem::Problem;
use crate::diff::fresh_binding;
use crate::store::Write;

/// Runs the command.
pub async fn run(args: &Rebind, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    let design = design::load(from, printer).await?;
    let nodes = &design.site.nodes;
    let name = args.node.strip_prefix("node.").or_else(|| args.node.strip_prefix("node=")).unwrap_or(&args.node);
    if !nodes.contains_key(name) {
        let near = nodes.keys().min_by_key(|n| strsim::osa_distance(n, name));
        let help = near.map_or_else(|| "the design has no nodes".to_owned(), |n| format!("did you mean `node.{n}`?"));
        return Err(Problem::usage(format!("the design has no node `{name}`")).help(help).into());
    }
    let store = state::existing(&design.settings, &design.site.name.value).await?;
    let memory = store.as_ref().map(|s| s.memory()).transpose()?.unwrap_or_default();
    let (Some(store), Some(old)) = (store, memory.bindings.get(name)) else {
        return Err(Problem::new(format!("node.{name} is not bound to a machine yet"))
            .help("the first run that works on it binds it")
            .into());
    };
    let drivers = Drivers::connect(&design, printer).await?;
    let build = discover::complete(&design, &drivers).await;
    drivers.close().await?;
    let new = fresh_binding(&design.site, &build?, &memory, name)
        .map_err(|(reason, hint)| Problem::new(format!("node.{name} cannot be bound anew: {reason}")).help(hint))?;
    if new == *old {
        printer.result(&format!("node.{name} is bound to {} as before\n", shown(&new)))?;
        return Ok(Exit::Done);
    }
    let resource = format!("node.{name}");
    // Plans that were made for the old machine are refused from now on.
    store
        .write(&[Write::Binding { node: name.to_owned(), binding: new.clone() }, Write::Advance { resource }])
        .with_context(|| format!("node.{name} is bound as before"))?;
    printer.result(&format!("node.{name} was bound to {}\n  and is bound to {} now\n", shown(old), shown(&new)))?;
    printer.note("next: drydock plan");
    Ok(Exit::Done)
}

/// A machine in words.
fn shown(binding: &Binding) -> String {
    let part = |what: &str, value: Option<&str>| value.map(|v| format!("{what} {v}"));
    let parts = [
        part("machine", binding.machine.as_deref()),
        part("system UUID", binding.uuid.as_deref()),
        part("BMC GUID", binding.guid.as_deref()),
        part("serial", binding.serial.as_deref()),
        (!binding.macs.is_empty()).then(|| format!("MACs {}", binding.macs.join(" "))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}
