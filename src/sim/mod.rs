//! The simulated site: loopback HTTP servers that speak Redfish (one for each BMC) and the MAAS 2.0 API, over one world.
//!
//! In: a [`model::Site`](crate::model::Site) and [`SimOptions`]. Out: a [`World`] ([`generate`]), and servers over it ([`Server`], [`Running`]).
//! The world is a value; time is an argument of everything but `server`; what lies in the future has a due time and happens when somebody next
//! looks. `physics` is what machines do, `lifecycle` what MAAS does about it, `maas` and `redfish` are the two wire formats, `store` keeps the
//! world in files (`world.json`, `world.N.log`, `requests.jsonl`, `endpoints.json`).
//!
//! Imports [`crate::model`] and [`crate::redact`]; never [`crate::driver`].

mod certificate;
mod clock;
mod core;
mod db;
mod error;
mod fault;
mod generate;
mod http;
mod inventory;
mod lifecycle;
mod listen;
mod maas;
mod names;
mod options;
mod physics;
mod redfish;
mod region;
mod render;
mod server;
mod sizes;
mod store;
mod watcher;
mod world;
mod xpath;

#[cfg(test)]
mod tests;

pub use db::{
    BlockDevice, BootResource, BootSource, Domain, Fabric, Filesystem, Group, Interface, IpRange, Link, LogEvent, MaasSite, Node,
    Partition, Repository, Selection, Space, StaticRoute, Status, Subnet, Tag, Token, Vlan, VolumeGroup,
};
pub use error::SimError;
pub use fault::Target;
pub use generate::generate;
pub use options::{Durability, FaultRule, Hardware, InitialState, MachineFault, Moment, Release, SimOptions, Timing};
pub use server::{Running, Server};
pub use store::{RequestRecord, read_requests};
pub use watcher::Watcher;
pub use world::{
    Account, Bmc, BmcEvent, Disk, Event, Installed, Login, Machine, Meta, Nic, Running as Activity, Task, Timer, WORLD_FORMAT, Wire, World,
};
