//! Everything that is there.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::task::JoinSet;

use super::design::Design;
use super::drivers::Drivers;
use crate::build::{Build, Fact};
use crate::cli::output::Printer;
use crate::cli::problem::Problem;
use crate::driver::{DriverError, NodeDriver as _, OobDriver as _};

/// Version of the build file.
const FORMAT: u32 = 1;

/// The largest build file that is read.
const MAX_BYTES: u64 = 1 << 30;

/// The build model, and the error if the provisioner could not be read at all.
#[derive(Debug)]
pub struct Discovered {
    /// What is there.
    pub build: Build,
    /// Why the provisioner is unknown.
    pub provisioner: Option<DriverError>,
}

/// Asks the provisioner and all BMCs (reads only). What does not answer is an unknown fact.
pub async fn discover(design: &Design, drivers: &Drivers) -> Discovered {
    let mut reads = JoinSet::new();
    for node in design.site.nodes.keys().filter(|n| !drivers.without_oob.contains_key(*n)) {
        let (redfish, node) = (drivers.redfish.clone(), node.clone());
        reads.spawn(async move {
            let bmc = redfish.interrogate(&node).await;
            (node, bmc)
        });
    }
    let (endpoint, provisioner) = tokio::join!(drivers.maas.endpoint(), drivers.maas.discover());
    let mut bmcs: BTreeMap<_, _> = drivers.without_oob.iter().map(|(node, why)| (node.clone(), Fact::Unknown(why.clone()))).collect();
    while let Some(read) = reads.join_next().await {
        // A task that panicked has ended the process already.
        let Ok((node, bmc)) = read else { continue };
        bmcs.insert(node, bmc.map_or_else(|e| Fact::Unknown(e.to_string()), Fact::Known));
    }
    let (endpoints, failed) = match endpoint {
        Ok(endpoint) => (vec![endpoint], None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let (provisioner, failed) = match (provisioner, failed) {
        (Ok(facts), None) => (Fact::Known(facts), None),
        (_, Some(error)) | (Err(error), None) => (Fact::Unknown(error.to_string()), Some(error)),
    };
    let observed_at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    Discovered { build: Build { format: FORMAT, endpoints, provisioner, bmcs, observed_at }, provisioner: failed }
}

/// The build as a canonical file: one line of JSON with sorted keys.
pub fn to_text(build: &Build) -> anyhow::Result<String> {
    let mut text = serde_json_canonicalizer::to_string(build)?;
    text.push('\n');
    Ok(text)
}

/// Reads a build file.
pub fn read(path: &Path) -> anyhow::Result<Build> {
    let shown = path.display().to_string();
    let help = "write one with `drydock discover -o FILE`";
    let size = std::fs::metadata(path).map_err(|e| Problem::new(format!("cannot read {shown}: {e}")).help(help))?.len();
    if size > MAX_BYTES {
        return Err(Problem::new(format!("{shown} is larger than {} MiB, so it is no build file", MAX_BYTES >> 20)).help(help).into());
    }
    let text = std::fs::read_to_string(path).map_err(|e| Problem::new(format!("cannot read {shown}: {e}")).help(help))?;
    let value: serde_json::Value = serde_json::from_str(&text)
        .map_err(|e| Problem::new(format!("not a build file, or cut off: {e}")).at(format!("{shown}:{}:{}", e.line(), e.column())).help(help))?;
    match value.get("format").and_then(serde_json::Value::as_u64) {
        Some(format) if format == u64::from(FORMAT) => {}
        Some(format) => {
            let message = format!("the build file has format {format}, and this drydock reads format {FORMAT}");
            return Err(Problem::new(message).at(shown).help("discover anew with this version").into());
        }
        None => return Err(Problem::new("not a build file: it has no `format`").at(shown).help(help).into()),
    }
    serde_json::from_value(value).map_err(|e| Problem::new(format!("the build file does not fit this version: {e}")).at(shown).help(help).into())
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
