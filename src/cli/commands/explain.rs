//! `drydock explain`: say where values of the design come from; needs no site.

use crate::cli::args::{Explain, Format, Sources};
use crate::cli::exit::Exit;
use crate::cli::ops::design::{self, Network};
use crate::cli::output::Printer;
use crate::cli::problem::{DesignInvalid, Problem};
use crate::diag::{Diagnostic, Severity};
use crate::document::Heads;
use crate::report::diagnostics::Style;
use crate::{model, report};

/// Runs the command.
pub async fn run(args: &Explain, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    let settings = design::settings(from)?;
    let checked = design::check(&settings, from, Network::only_if_asked(from)).await?;
    let heads = Heads::read(&checked.map, &checked.files);
    let secret = |span| checked.sensitive.covers(span);
    let explained = model::explain(&checked.documents, &heads, &args.question, &report::is_secret_key, &secret);
    let (resource, values) = match explained {
        Ok(found) => found,
        Err(why) => {
            // A document that is not there may be one that could not be read.
            let errors: Vec<Diagnostic> = checked.diagnostics.into_iter().filter(|d| d.severity == Severity::Error).collect();
            if !errors.is_empty() {
                let style = Style { color: printer.stderr_color(), width: printer.width() };
                printer.stderr(&report::diagnostics::render(&checked.map, &errors, style));
                printer.problem(&Problem::new(why.message).help(why.help));
                return Err(DesignInvalid.into());
            }
            return Err(Problem::new(why.message).help(why.help).into());
        }
    };
    printer.result(&match printer.format() {
        Format::Text => report::explained_text(&resource, &values, &checked.map),
        Format::Json => format!("{:#}\n", report::explained_json(&resource, &values, &checked.map)),
    })?;
    Ok(Exit::Done)
}
