//! What rules may know of hardware and provisioner.

use super::identity::{Match, identify};
use super::memory::Memory;
use super::storage::disk_sizes;
use crate::build::{Build, Fact};
use crate::check::Known;
use crate::model::Site;

/// What the build model says about what the design names: disks of the machines that are the design's nodes, images of the provisioner.
pub fn known<'a>(site: &'a Site, build: &'a Build, memory: &Memory) -> Known<'a> {
    let images = match &build.provisioner {
        Fact::Known(provisioner) => match &provisioner.images {
            Fact::Known(images) => Ok(images.as_slice()),
            Fact::Unknown(why) => Err(why.as_str()),
        },
        Fact::Unknown(why) => Err(why.as_str()),
    };
    let identities = identify(site, build, memory);
    let machines = site.nodes.iter().filter_map(|(name, node)| match identities.get(name)?.found {
        Match::Machine { machine, .. } => Some((name.as_str(), disk_sizes(site, node, machine))),
        Match::Absent | Match::Unknown { .. } => None,
    });
    Known { images, disks: machines.collect() }
}
