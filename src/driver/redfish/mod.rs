//! BMCs over Redfish (DMTF DSP0266).
//!
//! In: endpoints with credentials, and calls for `set_node_boot`, `power_on_node`, `power_off_node`. Out: observations, and facts about a
//! BMC and its system. Resources are found through links from the service root; a BMC gets one request at a time, all BMCs are asked in
//! parallel. May import `http`, the driver types, [`super::level`], `build` and `action`.
//!
//! Power and boot source are levels ([`super::level`]). What a BMC accepts as a task (202) is *in progress* while the task runs, for however long; what its
//! monitor reports as failed has failed, unless the BMC shows the wanted state all the same.

mod boot;
mod connection;
mod discover;
mod driver;
mod fault;
mod inventory;
mod machine;
mod options;
mod service;
mod system;
mod tasks;
mod vendor;

#[cfg(test)]
mod tests;

pub use driver::RedfishDriver;
#[cfg(test)]
pub(super) use fault::refusal;
pub use options::{BootMode, RedfishOptions, Trust};
pub use vendor::{VENDORS, Vendor};
