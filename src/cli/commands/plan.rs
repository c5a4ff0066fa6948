//! `drydock plan`: show what would be done, and write it to a plan file.

use crate::cli::args::{Plan, Sources};
use crate::cli::exit::Exit;
use crate::cli::ops::drivers::Drivers;
use crate::cli::ops::{build_file, design, discover, hours, page, plan, preview, state};
use crate::cli::output::{Printer, write_file};
use crate::cli::problem::Problem;
use crate::plan::Goal;

/// Runs the command.
pub async fn run(args: &Plan, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    // The name of the site cannot be typed into a file, as `destroy` wants it for all nodes.
    if args.options.goal == Some(Goal::DestroyNodes) && args.options.target.is_none() {
        return Err(Problem::usage("--goal destroy_nodes: it is not said which nodes")
            .help("name them: `drydock plan --goal destroy_nodes --target SELECTOR --allow destroy=SELECTOR --out FILE`")
            .into());
    }
    plan::check_view(&args.view, printer)?;
    let plan = match &args.base {
        Some(base) => Box::pin(preview::make(base, &args.options, from, printer)).await?,
        None => of_site(args, from, printer).await?,
    };
    // The file first: a plan that is shown as written must be.
    if let Some(file) = printer.out() {
        write_file(file, crate::plan::write(&plan).as_bytes())?;
    }
    let shown = plan::viewed(&plan, &args.view)?;
    printer.stdout(&match printer.format_name() {
        "html" => page::of_plan(&plan, &[], from, printer).await?,
        _ => plan::render(&shown, printer, plan::next(printer.out(), &args.view), Some(&args.review), &args.view),
    })?;
    if !plan.policy.denied.is_empty() {
        printer.stderr("the policies of this site refuse the plan; no approval lifts this");
    }
    Ok(plan::exit(&plan, args.detailed_exitcode))
}

/// The plan of what is there.
async fn of_site(args: &Plan, from: &Sources, printer: &Printer) -> anyhow::Result<crate::plan::Plan> {
    let design = design::load(from, printer).await?;
    let memory = state::memory(&design.settings, &design.site.name.value).await?;
    let build = if let Some(file) = &args.build {
        build_file::read(file)?
    } else {
        let drivers = Drivers::connect(&design, printer).await?;
        let build = discover::complete(&design, &drivers).await;
        let closed = drivers.close().await;
        let build = build?;
        closed?;
        build
    };
    let plan = plan::make(&design, &build, &memory, &args.options)?;
    hours::warn(&plan, &design.settings, printer);
    Ok(plan)
}
