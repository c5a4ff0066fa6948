//! Rules over the applied model.
//!
//! In: a [`Site`](crate::model::Site), and for some rules what a build model says about it ([`Known`]). Out: diagnostics. One rule is one file in `rules/`, one
//! line in its table, one page in `docs/rules/` and cases in `testdata/rules/`. Errors are what would make planning unsafe or cannot be carried out; everything else that deserves attention is a warning.
//! What the settings make of them is a [`Policy`].
//! Pure. Imports `yaml`, `diag`, `document`, `design`, `model`, `build`.

mod findings;
mod known;
mod names;
mod pages;
mod policy;
mod reading;
mod registry;
mod rules;
mod secrets;

pub use findings::Findings;
pub use known::{Known, Unverified, run_knowing, unverified};
pub use names::{Named, named, originals};
pub use pages::{page, page_head, stray_pages};
pub use policy::{Adjustment, Level, NotLowered, Policy, Silenced, raise_warnings, silenced_rules};
pub use registry::{Rule, rule, rules, run, run_one};
pub use secrets::secrets;
