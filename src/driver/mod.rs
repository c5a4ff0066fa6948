//! What talks to BMCs and provisioners.
//!
//! An action's driver side is *observe* (reads only) and *begin* (starts and returns at once). Waiting is a value and holds no slot: one batch of
//! observations polls for all waiters. Drivers never see a plan, a design or a simulator; they get resolved parameters in a [`Call`].

pub mod evidence;
pub mod hook;
pub mod http;
mod identifier;
pub mod ipmi;
mod level;
pub mod libvirt;
pub mod maas;
pub mod manual;
pub mod permit;
mod power;
mod program;
pub mod redfish;
mod types;

#[cfg(test)]
mod failure_table;

pub use crate::action::ErrorClass;
pub use types::{Begun, BmcEndpoint, Call, Driver, DriverError, NodeDriver, Observation, OobDriver};
