//! Trees to the types of the applied model: tolerant in what is written, exact in what is reported.

mod boot_action;
mod host;
mod reader;
mod site;

pub(super) use boot_action::{RawFilter, RawFilterSet, boot_action};
pub(super) use host::{Host, Layouts, hardware_reference, host};
#[cfg(test)]
pub(super) use reader::key_on_one_line;
pub(super) use reader::{Reader, scalar};
pub(super) use site::{RawNetwork, hardware_profile, network, network_link, rack, region};
