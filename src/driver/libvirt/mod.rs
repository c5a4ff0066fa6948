//! Virtual machines of libvirt, through the program `virsh`.
//!
//! In: nodes with the URI of their hypervisor and the MAC they boot from, and calls for `set_node_boot`, `power_on_node`, `power_off_node`. Out:
//! observations, and facts about a domain: its UUID and MACs are the machine's, so identity is as sure as over Redfish. `domain` reads and edits
//! domain XML, `machine` is one domain. What an action means and when it is repeated is that of [`super::level`]. May import the driver types, `build` and
//! `action`.

mod domain;
mod driver;
mod machine;
mod private;

#[cfg(test)]
mod tests;

pub use driver::{LibvirtDriver, LibvirtNode, LibvirtOptions};
#[cfg(test)]
pub(super) use machine::classify;
