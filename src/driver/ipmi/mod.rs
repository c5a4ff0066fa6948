//! BMCs over IPMI 2.0 (RMCP+), through the program `ipmitool`.
//!
//! In: endpoints with credentials, and calls for `set_node_boot`, `power_on_node`, `power_off_node`. Out: observations, and facts about a BMC
//! and its machine. `tool` runs the program, `fault` reads what it says when it fails, `answer` reads what it prints, `machine` is one BMC. What an
//! action means and when it is repeated is that of [`super::level`]. May import the driver types, `build` and `action`.
//!
//! # What IPMI cannot tell
//!
//! A BMC knows no MACs of its machine. It has a GUID, which vendors make the system UUID or not, in one of three byte orders, and perhaps serial
//! numbers in its FRU inventory. So a GUID is evidence for a machine where it equals a system UUID, and never evidence against one; against
//! another GUID of the same BMC it is.
//!
//! # What is never done
//!
//! No command that writes is used for reading: `ipmitool sdr`, `sel elist` and `fru print` without an id erase and rebuild an empty sensor repository
//! (1.8.19). So sensors are read only where there are records, events with `sel list`, and FRU 0 by its id.

mod answer;
mod driver;
mod fault;
mod machine;
mod options;
mod tool;

#[cfg(test)]
mod tests;

pub use driver::IpmiDriver;
#[cfg(test)]
pub(super) use fault::words_by_class;
pub use options::{BootMode, IpmiOptions, Privilege};
