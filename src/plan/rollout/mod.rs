//! From rules of settings and deployment groups of a design to the limits and waves of one plan.
//!
//! In: [`Rules`], the applied model, stages and actions of the plan. Out: sets of nodes with their limits, waves with their gates, and which rules can never be
//! met. A plan leaves no choices, so shares are numbers and selectors are lists of nodes in it.

mod pools;
mod resolve;
mod rules;
#[cfg(test)]
mod tests;
mod waves;

pub(super) use resolve::{Scope, resolve};
pub use rules::{Canaries, Rules, Share, StrategyChoice, Unavailable, UnavailableOf};
