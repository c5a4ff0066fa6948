//! `drydock show`: show a plan file.

use crate::action::Selector;
use crate::cli::args::{Show, Sources};
use crate::cli::exit::Exit;
use crate::cli::ops::{approvals, design, links, page, plan, repository};
use crate::cli::output::Printer;
use crate::cli::problem::Problem;
use crate::plan::Plan;
use crate::report::{self, MarkdownOptions};

/// Runs the command.
pub async fn run(args: &Show, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    plan::check_view(&args.view, printer)?;
    let whole = plan::read(&args.plan)?;
    let plan = plan::viewed(&whole, &args.view)?;
    let text = match &args.query {
        Some(text) => {
            let query = Selector::parse_query(text).map_err(|e| Problem::usage(format!("--query: {e}")))?;
            let selected = report::query(&plan, &query);
            match printer.format_name() {
                "json" => format!("{:#}\n", report::selected_json(&selected)),
                "name" => report::selected_names(&selected),
                _ => report::selected_text(&plan, &selected, &printer.text_options()),
            }
        }
        None => shown(&whole, &plan, args, from, printer).await?,
    };
    printer.result(&text)?;
    Ok(Exit::Done)
}

/// The plan or a part of it, and how the approvals of the whole stand by the signatures beside its file. Without settings nobody is known who could approve.
async fn shown(whole: &Plan, plan: &Plan, args: &Show, from: &Sources, printer: &Printer) -> anyhow::Result<String> {
    let known = if whole.policy.approvals.is_empty() {
        Some(Vec::new())
    } else {
        match design::settings(from) {
            Ok(settings) => Some(approvals::standing(whole, &whole.policy.approvals, Some(&args.plan), &settings)?),
            Err(error) => {
                printer.note(&format!("how its approvals stand is not known here: {error:#}"));
                None
            }
        }
    };
    if printer.format_name() == "json" {
        return Ok(format!("{:#}\n", report::plan_json(plan, known.as_deref())));
    }
    let standing = known.unwrap_or_default();
    Ok(match printer.format_name() {
        "html" => page::of_plan(plan, &standing, from, printer).await?,
        "markdown" => {
            let options = MarkdownOptions { approvals: standing, ..links::options(&args.review, Some(&args.plan), plan.preview.as_ref()) };
            report::plan_markdown(plan, &options)
        }
        "github" => report::plan_github(plan, &repository::paths(None), &standing),
        _ => {
            let below = report::standing_text(&standing, &printer.text_options());
            plan::text(plan, printer, plan::next(Some(&args.plan), &args.view), &args.view, standing) + &below
        }
    })
}
