//! Every asset tried for every node that gets it, with a limit on the whole.

use super::context::{ActionFacts, context, node_value};
use super::data::{Data, Failure};
use super::pipeline::{Runner, prepare};
use super::template::{FUEL, Templates};
use crate::model::{Asset, BootAction, Site};

/// Work after which the remaining templates are not tried.
pub const UNTRIED_AFTER: u64 = 3000 * FUEL;

/// Nodes for which the same asset may fail before it is not tried any more.
const MAX_FAILURES: usize = 20;

/// What was found by trying.
#[derive(Debug)]
pub struct Trial<'s> {
    /// Assets that cannot be made for some nodes.
    pub failures: Vec<Verdict<'s>>,
    /// Assets that were not tried for all nodes, with the number of nodes that are left.
    pub untried: Vec<(&'s BootAction, &'s Asset, usize)>,
}

/// An asset that cannot be made for some nodes.
#[derive(Debug)]
pub struct Verdict<'s> {
    /// Whose.
    pub action: &'s BootAction,
    /// Which.
    pub asset: &'s Asset,
    /// Whether its location or its content.
    pub is_location: bool,
    /// Why, for the first of the nodes.
    pub failure: Failure,
    /// The nodes for which it failed so.
    pub nodes: Vec<&'s str>,
}

/// Tries all assets with templates for all their nodes. What fails whatever the node is left out: [`prepare`] finds it.
pub fn trial(site: &Site) -> Trial<'_> {
    let templates = Templates::default();
    let facts = ActionFacts::unknown();
    let mut trial = Trial { failures: Vec::new(), untried: Vec::new() };
    let mut spent = 0u64;
    for action in site.boot_actions.values() {
        for asset in &action.assets {
            let Ok(prepared) = prepare(asset, &templates) else { continue };
            if !prepared.has_template() {
                continue;
            }
            // They were compiled before.
            let runners: Vec<Runner<'_>> = prepared.lines().filter_map(|line| line.runner(&templates).ok()).collect();
            let mut failures: Vec<Verdict<'_>> = Vec::new();
            let mut untried = 0;
            for node in action.nodes.iter().filter_map(|name| site.nodes.get(name)) {
                if spent > UNTRIED_AFTER || failures.iter().map(|verdict| verdict.nodes.len()).sum::<usize>() >= MAX_FAILURES {
                    untried += 1;
                    continue;
                }
                let context = context(&node_value(site, node, None), &facts);
                for runner in &runners {
                    let line = runner.line();
                    let outcome = runner.run(&context).and_then(|(data, fuel)| match data {
                        Data::Text(made) => line.inspect(&made).map(|()| fuel).map_err(|failure| (failure, fuel)),
                        Data::Bytes(_) => Ok(fuel),
                    });
                    let (fuel, failure) = match outcome {
                        Ok(fuel) => (fuel, None),
                        Err((failure, fuel)) => (fuel, Some(failure)),
                    };
                    spent = spent.saturating_add(fuel);
                    let Some(failure) = failure else { continue };
                    if let Some(known) = failures.iter_mut().find(|known| known.failure == failure) {
                        known.nodes.push(&node.name);
                    } else {
                        let is_location = line.is_location();
                        failures.push(Verdict { action, asset, is_location, failure, nodes: vec![&node.name] });
                    }
                }
            }
            if untried > 0 {
                trial.untried.push((action, asset, untried));
            }
            trial.failures.extend(failures);
        }
    }
    trial
}
