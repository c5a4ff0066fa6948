//! `drydock verify`: is what is there fit for what is planned? Nothing is changed.

use crate::cli::args::{Format, Sources, Verify, VerifyCommand};
use crate::cli::exit::Exit;
use crate::cli::ops::drivers::Drivers;
use crate::cli::ops::{design, discover, plan, state, verify as ops};
use crate::cli::output::Printer;
use crate::report;
use crate::verify::{self, Check, Verdict, worst};

/// Runs the command.
pub async fn run(args: &Verify, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    match &args.command {
        VerifyCommand::Nodes { target, strict } => nodes(target.as_deref(), *strict, from, printer).await,
        VerifyCommand::Site { strict } => site(*strict, from, printer).await,
    }
}

async fn nodes(target: Option<&str>, strict: bool, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    let design = design::load(from, printer).await?;
    let memory = state::memory(&design.settings, &design.site.name.value).await?;
    let drivers = Drivers::connect(&design, printer).await?;
    let found = discover::discover(&design, &drivers, discover::Depth::Parts).await;
    let selector = target.map(|text| plan::selector(&design, &found.build, &memory, "--target", text)).transpose();
    let selector = match selector {
        Ok(selector) => selector,
        Err(error) => {
            drivers.close().await?;
            return Err(error);
        }
    };
    let asked = verify::asked(&design.site, &design.map, &found.build, &memory, selector.as_ref());
    let readings = ops::nodes(&drivers, &found, &asked).await;
    drivers.close().await?;
    let reports = verify::nodes(&design.site, &found.build, &memory, &asked, &readings);
    printer.result(&match printer.format() {
        Format::Json => report::verified_nodes_json(&design.site.name.value, &reports),
        Format::Text => report::verified_nodes_text(&reports, &printer.text_options()),
    })?;
    Ok(exit(reports.iter().flat_map(|r| &r.checks), strict))
}

async fn site(strict: bool, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    let design = design::load(from, printer).await?;
    let drivers = Drivers::connect(&design, printer).await?;
    let found = discover::discover(&design, &drivers, discover::Depth::Identity).await;
    let readings = ops::site(&design, &drivers, &found).await;
    drivers.close().await?;
    let checks = verify::site(&design.site, &found.build, &readings, &ops::tolerances(&design.settings));
    printer.result(&match printer.format() {
        Format::Json => report::verified_site_json(&design.site.name.value, &checks),
        Format::Text => report::verified_site_text(&checks, &printer.text_options()),
    })?;
    Ok(exit(&checks, strict))
}

fn exit<'a>(checks: impl IntoIterator<Item = &'a Check>, strict: bool) -> Exit {
    match worst(checks) {
        Verdict::Failed => Exit::RunFailed,
        Verdict::Warning if strict => Exit::RunFailed,
        _ => Exit::Done,
    }
}
