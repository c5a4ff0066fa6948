//! BMCs over Redfish (DMTF DSP0266).
//!
//! In: endpoints with credentials, and calls for `set_node_boot`, `power_on_node`, `power_off_node`. Out: observations, and facts about a
//! BMC and its system. Resources are found through links from the service root; a BMC gets one request at a time, all BMCs are asked in
//! parallel. May import `http`, the driver types, `build` and `action`.
//!
//! # How power actions are modelled
//!
//! They are level-triggered: done means that the BMC reports the wanted state. What this process has ordered is kept in memory only:
//!
//! * After an order the old state is *in progress* for [`RedfishOptions::settle`], since BMCs confirm late; after that, or in a process
//!   that did not order it, it is *not started*. Beginning again is harmless: the state is read first, and an order that is not needed is
//!   never sent.
//! * A graceful shutdown is *in progress* until its time is over (counted in this process from the order). Then the action is *not started*,
//!   so that the engine begins it again, and that second begin forces the machine off. No slot is held meanwhile.

mod boot;
mod connection;
mod discover;
mod driver;
mod fault;
mod options;
mod power;
mod system;

#[cfg(test)]
mod tests;

pub use driver::RedfishDriver;
pub use options::RedfishOptions;
