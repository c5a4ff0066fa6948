//! `drydock approve`: sign a plan file.

use crate::cli::args::{Approve, Sources};
use crate::cli::exit::Exit;
use crate::cli::ops::{approvals, approve, design, plan};
use crate::cli::output::{Printer, write_file};
use crate::cli::problem::Problem;
use crate::cli::signals::Interrupts;
use crate::plan::{intent_digest, statement};
use crate::report;
use crate::sign;

/// Runs the command.
pub async fn run(args: &Approve, from: &Sources, printer: &Printer, interrupts: &Interrupts) -> anyhow::Result<Exit> {
    let plan = plan::read(&args.plan)?;
    let at = args.plan.display().to_string();
    if intent_digest(&plan) != plan.digests.intent {
        return Err(Problem::refused("the digest of what the plan wants is not that of its content")
            .at(at)
            .help("make a new plan with `drydock plan --out FILE`")
            .into());
    }
    approvals::no_preview(&plan, &args.plan)?;
    if plan.actions.is_empty() {
        return Err(Problem::refused("the plan does nothing, so there is nothing to approve").at(at).into());
    }
    if !plan.policy.denied.is_empty() {
        let message = format!("the policies of its site refuse the plan\n{}", report::denials(&plan.policy.denied).join("\n"));
        return Err(Problem::refused(message)
            .at(at)
            .help("no approval lifts this: change the design or the selection, and plan again")
            .into());
    }
    let statement = statement(&plan);
    let Some(key) = args.key.as_deref().filter(|_| !args.statement) else {
        printer.result(&statement)?;
        return Ok(Exit::Done);
    };
    printer.stderr(&report::plan_to_approve(&plan, &printer.text_options()));
    if !args.yes {
        if !approve::can_ask() {
            return Err(Problem::refused("nothing was signed: there is no terminal to ask at")
                .help("give `--yes` if you have read it")
                .into());
        }
        if !approve::ask("Sign that you approve this?", "yes", printer, interrupts).await? {
            if interrupts.graceful.is_cancelled() {
                printer.stderr("");
                return Ok(Exit::Interrupted);
            }
            return Err(Problem::refused("nothing was signed").into());
        }
    }
    let signature = sign::sign(key, &statement)?;
    let armor = sign::parse(signature.as_bytes()).map_err(Problem::new)?;
    let file = printer.out().map_or_else(|| approvals::file_of(&args.plan, &armor.short()), ToOwned::to_owned);
    write_file(&file, signature.as_bytes())?;
    printer.stdout(&format!("{}\n", file.display()))?;
    printer.note(&format!("signed with {} ({})", armor.fingerprint(), armor.key_type()));
    match design::settings(from) {
        Ok(settings) => {
            for line in report::standing_lines(&approvals::standing(&plan, &plan.policy.approvals, Some(&args.plan), &settings)?) {
                printer.note(&line);
            }
        }
        Err(error) => printer.detail(&format!("how its approvals stand is not known here: {error:#}")),
    }
    Ok(Exit::Done)
}
