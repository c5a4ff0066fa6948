//! What the design means: the applied model of a site.
//!
//! In: documents. Out: a [`Site`] in which inheritance, references, filters and addresses are resolved, every value with the position that set it,
//! and the diagnostics found on the way. Pure. Imports `yaml`, `diag`, `redact`, `document`, `design`.

pub mod assets;
mod boot_action;
pub mod codes;
mod decode;
mod deployment;
mod explain;
mod filter;
mod inherit;
mod located;
mod origins;
mod profiles;
mod resolve;
mod sink;
mod size;
mod types;

#[cfg(test)]
mod explain_laws;
#[cfg(test)]
mod explain_tests;
#[cfg(test)]
mod inherit_tests;
#[cfg(test)]
mod tests;

pub use boot_action::{Asset, AssetKind, AssetSource, BootAction, Content, Mode, Package, Packages, Segment};
pub use deployment::{Deployment, DeploymentGroup, DeploymentStrategy};
pub use explain::{Explained, Link, Overridden, Role, Unexplained, explain};
pub use located::Located;
pub use resolve::resolve;
pub use sink::Sink;
pub use size::{Size, SizeError};
pub use types::*;
