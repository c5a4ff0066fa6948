//! What BMCs report of their machines, a line for each.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::table::Table;
use crate::build::{Bmc, Fact, Inventory};

/// A table of the machines whose BMCs answered, with their parts where those were read; below it what is not well. Empty when none answered.
pub fn table(bmcs: &BTreeMap<String, Fact<Bmc>>, width: usize) -> String {
    let mut table = Table::new(["NODE", "MODEL", "SERIAL", "BIOS", "BMC", "CPUS", "MEMORY", "NICS", "DRIVES", "HEALTH"]);
    let mut alarms = String::new();
    for (node, bmc) in bmcs.iter().filter_map(|(node, bmc)| Some((node, bmc.known()?))) {
        let parts = bmc.inventory.as_ref();
        table.row([
            node.clone(),
            [bmc.manufacturer.as_deref(), bmc.model.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" "),
            text(bmc.serial.as_deref()),
            text(bmc.bios_version.as_deref()),
            text(parts.and_then(|p| p.bmc_firmware.as_deref())),
            parts.map_or_else(unknown, processors),
            parts.and_then(memory).map_or_else(unknown, |mib| size(mib << 20)),
            parts.and_then(|p| p.nics.known()).map_or_else(unknown, |n| n.len().to_string()),
            parts.map_or_else(unknown, drives),
            text(bmc.health.as_deref()),
        ]);
        for alarm in parts.iter().flat_map(|p| &p.alarms) {
            let _ = writeln!(alarms, "{node}: {}", super::clean(alarm));
        }
    }
    if table.is_empty() { String::new() } else { format!("{}{alarms}", table.to_text(width)) }
}

fn unknown() -> String {
    "?".to_owned()
}

fn text(value: Option<&str>) -> String {
    value.map_or_else(unknown, str::to_owned)
}

/// `2 (16 cores)`.
fn processors(parts: &Inventory) -> String {
    let Some(list) = parts.processors.known() else { return unknown() };
    let cores: Option<u32> = list.iter().map(|p| p.cores).sum();
    match cores.filter(|c| *c > 0) {
        Some(cores) => format!("{} ({cores} cores)", list.len()),
        None => list.len().to_string(),
    }
}

/// What the BMC says in all, else the sum of the modules.
fn memory(parts: &Inventory) -> Option<u64> {
    parts.memory_mib.or_else(|| parts.memory.known()?.iter().map(|m| m.size_mib).sum())
}

/// `2 (960 GB)`: as drives are sold.
fn drives(parts: &Inventory) -> String {
    let Some(list) = parts.drives.known() else { return unknown() };
    let bytes: Option<u64> = list.iter().map(|d| d.bytes).sum();
    match bytes.filter(|b| *b > 0) {
        Some(bytes) => format!("{} ({} GB)", list.len(), bytes / 1_000_000_000),
        None => list.len().to_string(),
    }
}

fn size(bytes: u64) -> String {
    format!("{} GiB", bytes >> 30)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::table;
    use crate::build::{Bmc, Drive, Fact, Inventory, Processor};

    #[test]
    fn what_is_unknown_is_no_number() {
        let bmc = |inventory| Bmc { model: Some("R640".into()), inventory, ..Bmc::unread("redfish", "10.0.0.1".into(), "/1".into()) };
        let none = |what: &str| format!("the BMC lists no {what}");
        let cpu = Processor { name: "CPU 1".into(), model: None, cores: Some(8), threads: None, health: None };
        let drive = Drive { name: "Bay 1".into(), model: None, serial: None, bytes: Some(480_000_000_000), kind: None, health: None };
        let parts = Inventory {
            bmc_firmware: Some("7.00".into()),
            memory_mib: Some(65_536),
            processors: Fact::Known(vec![cpu.clone(), cpu]),
            memory: Fact::Unknown(none("memory modules")),
            nics: Fact::Unknown(none("NICs")),
            drives: Fact::Known(vec![drive]),
            alarms: vec!["drive Bay 1: Critical".into()],
            events: Fact::Known(Vec::new()),
        };
        let bmcs = BTreeMap::from([
            ("n1".to_owned(), Fact::Known(bmc(Some(parts)))),
            ("n2".to_owned(), Fact::Known(bmc(None))),
            ("n3".to_owned(), Fact::Unknown("no route".into())),
        ]);
        assert_eq!(
            table(&bmcs, 200),
            "NODE  MODEL  SERIAL  BIOS  BMC   CPUS          MEMORY  NICS  DRIVES      HEALTH\n\
             n1    R640   ?       ?     7.00  2 (16 cores)  64 GiB  ?     1 (480 GB)  ?\n\
             n2    R640   ?       ?     ?     ?             ?       ?     ?           ?\n\
             n1: drive Bay 1: Critical\n"
        );
        assert_eq!(table(&BTreeMap::new(), 80), "");
    }
}
