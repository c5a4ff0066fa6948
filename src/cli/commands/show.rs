//! `drydock show`: show a plan file.

use crate::action::Selector;
use crate::cli::args::{Show, Sources};
use crate::cli::exit::Exit;
use crate::cli::ops::{page, plan};
use crate::cli::output::Printer;
use crate::cli::problem::Problem;
use crate::report::{self, Next};

/// Runs the command.
pub async fn run(args: &Show, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    let plan = plan::read(&args.plan)?;
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
        None if printer.format_name() == "html" => page::of_plan(&plan, from, printer).await?,
        None => plan::render(&plan, printer, Next::Apply(args.plan.display().to_string()), Some(&args.review)),
    };
    printer.result(&text)?;
    Ok(Exit::Done)
}
