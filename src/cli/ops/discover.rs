//! Everything that is there.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::task::JoinSet;

use super::build_file;
use super::design::Design;
use super::drivers::Drivers;
use crate::build::{Build, Fact};
use crate::cli::output::Printer;
use crate::driver::{DriverError, NodeDriver as _};

/// The build model, and the error if the provisioner could not be read at all.
#[derive(Debug)]
pub struct Discovered {
    /// What is there.
    pub build: Build,
    /// Why the provisioner is unknown.
    pub provisioner: Option<DriverError>,
    /// Why BMCs are unknown, by node.
    pub bmcs: BTreeMap<String, DriverError>,
    /// Why the parts of a node's machine are unknown, where its BMC answered.
    pub parts: BTreeMap<String, String>,
}

/// What is asked of BMCs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What tells which machine it is, and how it would boot.
    Identity,
    /// Also its parts, their health, and the event log.
    Parts,
}

/// Asks the provisioner and all BMCs (reads only). What does not answer is an unknown fact.
pub async fn discover(design: &Design, drivers: &Drivers, depth: Depth) -> Discovered {
    let mut reads = JoinSet::new();
    for node in design.site.nodes.keys() {
        let Some(driver) = drivers.bmc(node).cloned() else { continue };
        let node = node.clone();
        reads.spawn(async move {
            let mut bmc = driver.interrogate(&node).await;
            let mut parts = None;
            if let (Depth::Parts, Ok(bmc)) = (depth, &mut bmc) {
                match driver.inventory(&node).await {
                    Ok(inventory) => bmc.inventory = inventory,
                    Err(e) => parts = Some(e.to_string()),
                }
            }
            (node, bmc, parts)
        });
    }
    let mut parts = BTreeMap::new();
    let (endpoint, provisioner) = tokio::join!(drivers.maas.endpoint(), drivers.maas.discover());
    let mut bmcs: BTreeMap<_, _> = drivers.without_oob().iter().map(|(node, why)| (node.clone(), Fact::Unknown(why.clone()))).collect();
    let mut silent = BTreeMap::new();
    while let Some(read) = reads.join_next().await {
        // A task that panicked has ended the process already.
        let Ok((node, bmc, failed)) = read else { continue };
        if let Some(why) = failed {
            parts.insert(node.clone(), why);
        }
        let fact = match bmc {
            Ok(bmc) => Fact::Known(bmc),
            Err(error) => {
                let fact = Fact::Unknown(error.to_string());
                silent.insert(node.clone(), error);
                fact
            }
        };
        bmcs.insert(node, fact);
    }
    let (endpoints, failed) = match endpoint {
        Ok(endpoint) => (vec![endpoint], None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let (provisioner, failed) = match (provisioner, failed) {
        (Ok(facts), None) => (Fact::Known(facts), None),
        (_, Some(error)) | (Err(error), None) => (Fact::Unknown(error.to_string()), Some(error)),
    };
    let observed_at = now();
    let build = Build { format: build_file::FORMAT, endpoints, provisioner, bmcs, observed_at };
    Discovered { build, provisioner: failed, bmcs: silent, parts }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// As [`discover`], where nothing can be done without the provisioner.
pub async fn complete(design: &Design, drivers: &Drivers) -> anyhow::Result<Build> {
    let found = discover(design, drivers, Depth::Identity).await;
    match found.provisioner {
        Some(error) => Err(error.into()),
        None => Ok(found.build),
    }
}

/// Says what is not known.
pub fn notes(build: &Build, printer: &Printer) {
    if let Fact::Unknown(why) = &build.provisioner {
        printer.note(&format!("provisioner: unknown: {why}"));
    }
    for (node, fact) in &build.bmcs {
        if let Fact::Unknown(why) = fact {
            printer.note(&format!("node.{node}: BMC unknown: {why}"));
        }
    }
}
