//! `drydock apply`: carry out a plan.

use std::sync::Arc;

use super::resume;
use crate::apply::Holds;
use crate::build::Build;
use crate::cli::args::{Apply, Format, PlanOptions, Resume, RunOptions, Sources, View};
use crate::cli::exit::Exit;
use crate::cli::ops::design::{self, Design};
use crate::cli::ops::drivers::Drivers;
use crate::cli::ops::run::{self, Work};
use crate::cli::ops::stale::Watch;
use crate::cli::ops::{approvals, approve, control, discover, hours, plan, state};
use crate::cli::output::Printer;
use crate::cli::problem::Problem;
use crate::cli::signals::Interrupts;
use crate::plan::{Goal, Plan, design_digest};
use crate::report::Next;

/// Runs the command.
pub async fn run(args: &Apply, from: &Sources, printer: &Printer, interrupts: &Interrupts) -> anyhow::Result<Exit> {
    match &args.plan {
        Some(file) => {
            let plan = plan::read(file)?;
            if let Some(preview) = &plan.preview {
                let (base, commit) = (&preview.base, preview.commit_shown());
                let message =
                    format!("this is a preview of what {commit} changes against `{base}`, made without the site; it cannot be applied");
                let help =
                    "when the change is merged: `drydock plan --out FILE` where the site can be reached, review, `drydock apply FILE`";
                return Err(Problem::refused(message).at(file.display().to_string()).help(help).into());
            }
            let design = design::load(from, printer).await?;
            if plan.site != design.site.name.value {
                let message = format!("the plan is for site `{}`, and the design is of `{}`", plan.site, design.site.name.value);
                return Err(Problem::refused(message).at(file.display().to_string()).help("use the plan in the folder of its site").into());
            }
            if plan.digests.design != design_digest(&design.site) {
                printer.note("the design was changed since the plan was made; the plan is applied as it is");
            }
            if plan.actions.is_empty() {
                printer.stdout(&plan::render(&plan, printer, Next::Plan, None, &View::default()))?;
                return Ok(plan::exit(&plan, false));
            }
            let by = approvals::enforce(&plan, &plan, Some(file), &design, printer).await?;
            if let Some(exit) = settle(&design, &args.run, printer, interrupts).await? {
                return Ok(exit);
            }
            hours::warn(&plan, &design.settings, printer);
            let drivers = Drivers::for_plan(&design, &plan, printer).await?;
            let design = Arc::new(design);
            let holds = interrupts.unless(moved(&plan, &design, &drivers, args.strict, printer)).await;
            let Some((holds, drivers)) = kept(holds, drivers).await? else { return Ok(Exit::Interrupted) };
            finish((plan, by), &design, drivers, Some(holds), &args.run, printer, interrupts).await
        }
        None if args.options.goal == Some(Goal::DestroyNodes) => {
            Err(Problem::usage("--goal destroy_nodes: nodes are released by `drydock destroy`, or by a plan file").into())
        }
        None => planned(&args.options, &args.run, "Apply this plan?", None, from, printer, interrupts).await,
    }
}

/// Plans now, shows the plan, asks, and carries it out. `typed` has to be typed instead of `yes`.
pub(super) async fn planned(
    options: &PlanOptions,
    run: &RunOptions,
    question: &str,
    typed: Option<&str>,
    from: &Sources,
    printer: &Printer,
    interrupts: &Interrupts,
) -> anyhow::Result<Exit> {
    let approved = run.approved.as_deref().map(approvals::approved).transpose()?;
    let options = &match &approved {
        Some(approved) => approvals::as_approved(options, approved),
        None => options.clone(),
    };
    // Whoever reviewed the approved plan has answered.
    let ask = approved.is_none() && (typed.is_some() || !run.auto_approve);
    if ask && !approve::can_ask() {
        return Err(if typed.is_some() { approve::nobody_types() } else { approve::nobody() });
    }
    let design = design::load(from, printer).await?;
    if let Some(exit) = settle(&design, run, printer, interrupts).await? {
        return Ok(exit);
    }
    let drivers = Drivers::connect(&design, printer).await?;
    let plan = interrupts.unless(make(&design, &drivers, options)).await;
    let Some((plan, drivers)) = kept(plan, drivers).await? else { return Ok(Exit::Interrupted) };
    let shown = plan::render(&plan, printer, Next::Answer, None, &View::default());
    // With --json and --format json stdout has one kind of thing and nothing else.
    if run.json || (printer.format() == Format::Json && !plan.actions.is_empty()) {
        printer.note(&shown);
    } else {
        printer.stdout(&shown)?;
    }
    if plan.actions.is_empty() {
        drivers.close().await?;
        return Ok(plan::exit(&plan, false));
    }
    let by = permitted(&plan, approved.as_ref(), run, &design, printer).await;
    let Some((by, drivers)) = kept(Some(by), drivers).await? else { return Ok(Exit::Interrupted) };
    hours::warn(&plan, &design.settings, printer);
    if ask && !approve::ask(question, typed.unwrap_or("yes"), printer, interrupts).await? {
        drivers.close().await?;
        if interrupts.graceful.is_cancelled() {
            // The prompt's line is still open.
            printer.stderr("");
            return Ok(Exit::Interrupted);
        }
        return Err(Problem::refused("not approved; nothing was done").into());
    }
    finish((plan, by), &design, drivers, None, run, printer, interrupts).await
}

/// What was found out with the drivers, and they; closed, where it failed or (`None`) was interrupted.
async fn kept<T>(found: Option<anyhow::Result<T>>, drivers: Drivers) -> anyhow::Result<Option<(T, Drivers)>> {
    match found {
        Some(Ok(found)) => Ok(Some((found, drivers))),
        other => {
            drivers.close().await?;
            other.map_or(Ok(None), |failed| failed.map(|_| None))
        }
    }
}

/// Most lines about what has moved; a plan made now shows all of it.
const MOST_MOVED: usize = 40;

/// Says what has moved since a plan was made; with `--strict` nothing may have. What rests on it is refused when its turn comes.
async fn moved(plan: &Plan, design: &Arc<Design>, drivers: &Drivers, strict: bool, printer: &Printer) -> anyhow::Result<Arc<dyn Holds>> {
    let watch = Watch::new(plan, design).await?;
    let found = match watch.at_start(drivers).await {
        Err(error) if !strict => {
            printer.note(&format!("what has moved since the plan was made cannot be told yet: {error}"));
            return Ok(Arc::new(watch));
        }
        found => found?,
    };
    if strict && !watch.sees_values() {
        return Err(Problem::refused(
            "the design was changed since the plan was made, so what has moved at the site cannot be told from what was changed",
        )
        .help("apply it with the design that it was made from: `drydock --ref COMMIT apply --strict PLAN`; or plan again")
        .into());
    }
    for line in found.iter().take(MOST_MOVED) {
        printer.note(&format!("moved since the plan was made: {line}"));
    }
    if found.len() > MOST_MOVED {
        printer.note(&format!("and {} more; `drydock plan` shows them", found.len() - MOST_MOVED));
    }
    match found.len() {
        0 => Ok(Arc::new(watch)),
        n if strict => {
            let things = if n == 1 { "1 thing has" } else { &format!("{n} things have") };
            Err(Problem::refused(format!("{things} moved since the plan was made; nothing was done"))
                .help("plan again, and review what is different; without --strict what does not rest on it is carried out")
                .into())
        }
        _ => {
            printer.note("what rests on it is left alone; the rest of the plan is carried out");
            Ok(Arc::new(watch))
        }
    }
}

/// What becomes of a run that did not come to its end: it is gone on with (how that ended), or given up. `None` where there is none any more.
async fn settle(design: &Design, options: &RunOptions, printer: &Printer, interrupts: &Interrupts) -> anyhow::Result<Option<Exit>> {
    let Some(store) = state::existing(&design.settings, &design.site.name.value).await? else { return Ok(None) };
    let Some((run, text)) = control::unfinished(store.as_ref())? else { return Ok(None) };
    let id = &run.id;
    if options.auto_approve || !approve::can_ask() {
        let help = format!(
            "`drydock resume {id}` goes on with it; `drydock runs abandon {id}` gives it up, and a new plan sees what it did; \
             `drydock runs show {id}` shows it"
        );
        return Err(Problem::refused(text).help(help).into());
    }
    let question = "  `resume` goes on with it, `abandon` gives it up and plans anew, `show` shows it, anything else ends: ";
    printer.stderr(&format!("\n{text}"));
    loop {
        match approve::line(question, printer, interrupts).await?.as_deref() {
            Some("resume") => {
                let resume =
                    Resume { run: Some(id.clone()), parallelism: options.parallelism, json: options.json, report: options.report.clone() };
                return Box::pin(resume::go_on(&resume, design, printer, interrupts)).await.map(Some);
            }
            Some("abandon") => {
                printer.note(&control::abandon(store.as_ref(), &run)?);
                return Ok(None);
            }
            Some("show") => printer.stderr(&control::shown(store.as_ref(), &run, printer)?),
            _ if interrupts.graceful.is_cancelled() => {
                printer.stderr("");
                return Ok(Some(Exit::Interrupted));
            }
            _ => return Err(Problem::refused(format!("run {id} stays as it is; nothing was done")).into()),
        }
    }
}

/// Refuses what the policies do not let through, and what goes beyond the approved plan, if one was given. Who approved it.
async fn permitted(
    plan: &Plan,
    approved: Option<&Plan>,
    run: &RunOptions,
    design: &Design,
    printer: &Printer,
) -> anyhow::Result<Vec<String>> {
    match (approved, &run.approved) {
        (Some(approved), Some(file)) => {
            approvals::within(approved, plan, file)?;
            approvals::enforce(plan, approved, Some(file), design, printer).await
        }
        _ => approvals::enforce(plan, plan, None, design, printer).await,
    }
}

async fn make(design: &Design, drivers: &Drivers, options: &PlanOptions) -> anyhow::Result<Plan> {
    let memory = state::memory(&design.settings, &design.site.name.value).await?;
    let build: Build = discover::complete(design, drivers).await?;
    plan::make(design, &build, &memory, options)
}

/// Carries out a plan, and who approved it.
async fn finish(
    (plan, approved_by): (Plan, Vec<String>),
    design: &Design,
    drivers: Drivers,
    holds: Option<Arc<dyn Holds>>,
    options: &RunOptions,
    printer: &Printer,
    interrupts: &Interrupts,
) -> anyhow::Result<Exit> {
    let store = state::open(&design.settings, &design.site.name.value).await?;
    let work = Work {
        plan,
        resume: None,
        approved_by,
        parallelism: options.parallelism,
        holds,
        json: options.json,
        design,
        reports: &options.report,
    };
    run::carry_out(work, store, drivers, printer, interrupts).await
}
