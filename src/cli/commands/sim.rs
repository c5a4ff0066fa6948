//! `drydock sim`: run the simulated site until Ctrl-C.

use std::fmt::Write as _;

use crate::cli::args::{Format, Sim, Sources};
use crate::cli::exit::Exit;
use crate::cli::ops::{design, simulated};
use crate::cli::output::Printer;
use crate::cli::problem::Problem;
use crate::cli::signals::Interrupts;

/// Runs the command.
pub async fn run(args: &Sim, from: &Sources, printer: &Printer, interrupts: &Interrupts) -> anyhow::Result<Exit> {
    let design = design::load(from, printer).await?;
    let folder = simulated::folder(&design.settings);
    if args.reset {
        simulated::reset(&folder)?;
    }
    let Some(site) = simulated::start(&design, printer).await? else {
        let help = "add `simulate: {}` and remove the endpoints of the real site, in a copy of this folder";
        return Err(Problem::new("the settings have no `simulate:` section").at(&design.settings.shown).help(help).into());
    };
    if !site.is_own() {
        return Err(Problem::new("the simulated site of this folder is already running").at(folder.display().to_string()).into());
    }
    printer.result(&match printer.format() {
        Format::Json => format!(
            "{:#}\n",
            serde_json::json!({"maas": site.maas_url(), "bmcs": site.bmc_urls().collect::<std::collections::BTreeMap<_, _>>()})
        ),
        Format::Text => {
            let mut text = format!("maas  {}\n", site.maas_url());
            for (node, url) in site.bmc_urls() {
                let _ = writeln!(text, "bmc   {url}  {node}");
            }
            text
        }
    })?;
    printer.note(&format!(
        "the API key is in {}; commands in this folder use these servers; Ctrl-C ends them",
        folder.join("endpoints.json").display()
    ));
    interrupts.graceful.cancelled().await;
    printer.note(&format!("{} requests were answered", site.answered()));
    site.stop().await?;
    Ok(Exit::Done)
}
