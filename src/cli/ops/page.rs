//! Plans as pages.

use std::collections::BTreeSet;

use super::durations;
use crate::cli::args::Sources;
use crate::cli::output::Printer;
use crate::plan::{Plan, Standing};
use crate::report::{self, Times};
use crate::run::rehearse;

/// The page of a plan, with its rehearsal, and how its approvals stand, if that is known.
pub async fn of_plan(plan: &Plan, approvals: &[Standing], from: &Sources, printer: &Printer) -> anyhow::Result<String> {
    let known = durations::of(plan, &[], from, printer).await;
    let shown = rehearse(plan, &durations::lengths(plan, &known), &BTreeSet::new())?;
    Ok(report::plan_html(plan, Times::Expected(&shown), approvals))
}
