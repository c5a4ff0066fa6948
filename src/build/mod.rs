//! What is there: facts that drivers discovered, normalised, serialisable, without any secret.
//!
//! In: answers of drivers, already decoded by them. Out: a [`Build`]. It knows nothing of the design; [`crate::diff`] is where both meet.
//! A listing that failed is [`Fact::Unknown`], never an empty list: absence is claimed only from a complete, successful listing.

mod binding;
mod bmc;
mod inventory;
mod machine;
mod site;

pub(crate) use binding::untied;
pub use binding::{Binding, same_bus_address, same_uuid, uuid_key};
pub use bmc::{Bmc, BmcHealth, BootEnabled, BootOverride, PowerState, Sensor};
pub use inventory::{Drive, Inventory, LogEvent, MemoryModule, NicPort, Processor};
pub use machine::{
    BondParameters, Disk, DiskKind, DiskPartition, FilesystemFacts, Firmware, InterfaceKind, LinkMode, LogicalVolumeFacts, Machine,
    MachineInterface, MachineStatus, Neighbour, SubnetLink, VolumeGroupFacts,
};
pub use site::{
    AddressRange, BootSelection, Build, DomainFacts, Endpoint, Fabric, Fact, Image, PackageRepository, Provisioner, RackController,
    RackInterface, RangeUse, SshKey, StaticRoute, Subnet, TagFacts, Vlan,
};
