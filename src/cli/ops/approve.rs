//! Asking before something is done.

use std::io::{BufRead as _, IsTerminal as _};

use crate::cli::output::Printer;
use crate::cli::problem::Problem;
use crate::cli::signals::Interrupts;

/// Whether somebody can be asked.
pub fn can_ask() -> bool {
    std::io::stdin().is_terminal()
}

/// The refusal where nobody can type what all nodes of a site need to be released.
pub fn nobody_types() -> anyhow::Error {
    Problem::refused("to release all nodes the site's name has to be typed, and there is no terminal to type it at")
        .help("say which nodes: `drydock destroy --target SELECTOR --auto-approve`")
        .into()
}

/// The refusal where nobody can be asked.
pub fn nobody() -> anyhow::Error {
    Problem::refused("nobody approved the plan, and there is no terminal to ask at")
        .help("write the plan with `drydock plan --out FILE`, review it, and `drydock apply FILE`; or give `--auto-approve`")
        .into()
}

/// Asks for exactly this answer; false for any other, for the end of input and for Ctrl-C.
pub async fn ask(question: &str, answer: &str, printer: &Printer, interrupts: &Interrupts) -> anyhow::Result<bool> {
    let line = line(&format!("\n{question}\n  only `{answer}` is accepted: "), printer, interrupts).await?;
    Ok(line.as_deref() == Some(answer))
}

/// Asks for a line; `None` for the end of input and for Ctrl-C.
pub async fn line(question: &str, printer: &Printer, interrupts: &Interrupts) -> anyhow::Result<Option<String>> {
    printer.prompt(question);
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let Some(line) = interrupts.unless(read).await else { return Ok(None) };
    let line = line??;
    Ok((!line.is_empty()).then(|| line.trim().to_owned()))
}
