//! `drydock show`: show a plan file.

use crate::action::Selector;
use crate::cli::args::{Show, Sources};
use crate::cli::exit::Exit;
use crate::cli::ops::{approvals, design, links, page, plan};
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
    let mut standing = Vec::new();
    if !whole.policy.approvals.is_empty() {
        match design::settings(from) {
            Ok(settings) => standing = approvals::standing(whole, &whole.policy.approvals, Some(&args.plan), &settings)?,
            Err(error) => printer.note(&format!("how its approvals stand is not known here: {error:#}")),
        }
    }
    let next = plan::next(Some(&args.plan), &args.view);
    match printer.format_name() {
        "json" => {
            let mut json = report::plan_json(plan);
            json["approvals"] = report::standing_json(&standing);
            Ok(format!("{json:#}\n"))
        }
        "markdown" => {
            let options = MarkdownOptions { approvals: standing, ..links::options(&args.review, Some(&args.plan), plan.preview.as_ref()) };
            Ok(report::plan_markdown(plan, &options))
        }
        "text" => {
            let below = report::standing_text(&standing, &printer.text_options());
            Ok(plan::text(plan, printer, next, &args.view, standing) + &below)
        }
        format => {
            // These say only what is still needed.
            let mut plan = plan.clone();
            if report::missing(&standing) == Some(0) {
                plan.policy.approvals.clear();
            }
            match format {
                "html" => page::of_plan(&plan, from, printer).await,
                _ => Ok(plan::render(&plan, printer, next, Some(&args.review), &args.view)),
            }
        }
    }
}
