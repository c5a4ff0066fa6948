//! How long actions take: as the user says, as former runs showed, or a guess.

use std::collections::{BTreeMap, BTreeSet};

use super::state;
use crate::action::ActionKind;
use crate::cli::args::Sources;
use crate::cli::output::Printer;
use crate::plan::Plan;
use crate::report::Durations;
use crate::run::guessed_ms;
use crate::store::KindDuration;

/// Durations of the plan's kinds of action. A folder without settings or state knows of no former runs.
pub async fn of(plan: &Plan, given: &[(ActionKind, u64)], from: &Sources, printer: &Printer) -> Durations {
    // A preview is made of two versions of the design, and of nothing else.
    let former = if plan.preview.is_some() { Ok(None) } else { state::of_folder(from).await };
    let measured = match former {
        Ok(Some(store)) => store.durations().unwrap_or_default(),
        Ok(None) => BTreeMap::new(),
        Err(error) => {
            printer.detail(&format!("no durations of former runs: {error:#}"));
            BTreeMap::new()
        }
    };
    known(plan, given, &measured)
}

/// Durations of the plan's kinds of action by former runs, and guesses of the others.
pub fn measured(plan: &Plan, measured: &BTreeMap<String, KindDuration>) -> Durations {
    known(plan, &[], measured)
}

fn known(plan: &Plan, given: &[(ActionKind, u64)], measured: &BTreeMap<String, KindDuration>) -> Durations {
    let given: BTreeMap<ActionKind, u64> = given.iter().copied().collect();
    let mut out = Durations::default();
    for action in &plan.actions {
        let kind = action.kind;
        if out.of.contains_key(&kind) {
            continue;
        }
        let known = measured.get(kind.name()).and_then(|d| d.mean_ms());
        let length = match (given.get(&kind), known) {
            (Some(length), _) => {
                out.given.push(kind);
                *length
            }
            (None, Some(length)) => {
                out.measured.push(kind);
                length
            }
            (None, None) => guessed_ms(kind),
        };
        out.of.insert(kind, length);
    }
    let mut profiles: BTreeMap<ActionKind, BTreeSet<&str>> = BTreeMap::new();
    for action in plan.actions.iter().filter(|a| out.measured.contains(&a.kind)) {
        if let Some(hardware) = action.node.as_ref().and_then(|n| plan.nodes.get(n)?.hardware.as_deref()) {
            profiles.entry(action.kind).or_default().insert(hardware);
        }
    }
    for (kind, hardware) in profiles.into_iter().flat_map(|(kind, all)| all.into_iter().map(move |h| (kind, h))) {
        if let Some(length) = measured.get(&kind.duration_key(Some(hardware))).and_then(|d| d.mean_ms()) {
            out.on_hardware.insert((kind, hardware.to_owned()), length);
        }
    }
    out
}

/// Milliseconds of each action, in plan order.
pub fn lengths(plan: &Plan, known: &Durations) -> Vec<u64> {
    plan.actions.iter().map(|a| known.of_action(plan, a).unwrap_or_else(|| guessed_ms(a.kind))).collect()
}
