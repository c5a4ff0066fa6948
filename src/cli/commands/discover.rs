//! `drydock discover`: ask the site what is there (reads only).

use std::fmt::Write as _;

use crate::build::{Build, Fact};
use crate::cli::args::{Format, Sources};
use crate::cli::exit::Exit;
use crate::cli::ops::drivers::Drivers;
use crate::cli::ops::{build_file, design, discover};
use crate::cli::output::{Printer, write_file};
use crate::cli::problem::{self, Problem};
use crate::report::machines;

/// Runs the command.
pub async fn run(from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    let design = design::load(from, printer).await?;
    let drivers = Drivers::connect(&design, printer).await?;
    let found = discover::discover(&design, &drivers, discover::Depth::Parts).await;
    drivers.close().await?;
    let file = build_file::to_text(&found.build)?;
    if let Some(path) = printer.out() {
        write_file(path, file.as_bytes())?;
    }
    match printer.format() {
        Format::Json if printer.out().is_none() => printer.stdout(&file)?,
        _ => printer.stdout(&summary(&found.build, printer.width()))?,
    }
    discover::notes(&found.build, printer);
    for (node, why) in &found.parts {
        printer.note(&format!("node.{node}: parts unknown: {why}"));
    }
    Ok(match found.provisioner {
        Some(error) => problem::show(&anyhow::Error::from(Problem::new(error.to_string()).help(error.hint.unwrap_or_default())), printer),
        None => Exit::Done,
    })
}

/// What was found, in a few lines.
fn summary(build: &Build, width: usize) -> String {
    let mut text = String::new();
    for endpoint in &build.endpoints {
        let _ = writeln!(text, "{} {} ({})", endpoint.driver, endpoint.url, endpoint.identity);
    }
    if let Fact::Known(p) = &build.provisioner {
        let _ = writeln!(text, "  version     {}", p.version);
        let mut line = |what: &str, count: Option<usize>| {
            let _ = writeln!(text, "  {what:<11} {}", count.map_or_else(|| "unknown".to_owned(), |n| n.to_string()));
        };
        line("machines", p.machines.known().map(Vec::len));
        line("fabrics", p.fabrics.known().map(Vec::len));
        line("subnets", p.subnets.known().map(Vec::len));
        line("domains", p.domains.known().map(Vec::len));
        line("tags", p.tags.known().map(Vec::len));
        line("images", p.images.known().map(Vec::len));
    }
    let known = build.bmcs.values().filter(|b| b.known().is_some()).count();
    let _ = writeln!(text, "BMCs: {known} of {} answered", build.bmcs.len());
    text.push_str(&machines::table(&build.bmcs, width));
    text
}
