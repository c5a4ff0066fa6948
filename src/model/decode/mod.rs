//! Trees to the types of the applied model: tolerant in what is written, exact in what is reported.

mod host;
mod reader;
mod site;

pub(super) use host::{Host, Layouts, host};
#[cfg(test)]
pub(super) use reader::key_on_one_line;
pub(super) use reader::{Reader, scalar};
pub(super) use site::{RawFilter, RawFilterSet, RawNetwork, boot_action, hardware_profile, network, network_link, rack, region};
