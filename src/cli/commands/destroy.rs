//! `drydock destroy`: release nodes. Their operating systems are given up.

use super::apply;
use crate::action::Effect;
use crate::cli::args::{Destroy, PlanOptions, Sources};
use crate::cli::exit::Exit;
use crate::cli::ops::design;
use crate::cli::output::Printer;
use crate::cli::signals::Interrupts;
use crate::plan::{Allowance, Goal};

/// Runs the command.
pub async fn run(args: &Destroy, from: &Sources, printer: &Printer, interrupts: &Interrupts) -> anyhow::Result<Exit> {
    // Asking for it is the permission, for what was asked for.
    let allow = vec![Allowance { effect: Effect::Destroy, selector: args.target.clone().unwrap_or_else(|| "*".to_owned()) }];
    let options = PlanOptions { target: args.target.clone(), allow, replace: None, erase: args.erase, goal: Some(Goal::DestroyNodes) };
    let typed = if args.target.is_none() { Some(design::load(from, printer).await?.site.name.value) } else { None };
    let question =
        if typed.is_some() { "All nodes of the site are released. Type the site's name to do it." } else { "Release these nodes?" };
    apply::planned(&options, &args.run, question, typed.as_deref(), from, printer, interrupts).await
}
