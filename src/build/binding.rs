//! Which machine is which node.

use serde::{Deserialize, Serialize};

use super::{Bmc, Machine};

/// The identity of the machine behind a node, recorded at first contact and read again before every effect of class reboot or higher.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// Address of its BMC.
    pub bmc_address: Option<String>,
    /// System UUID, lower case.
    pub uuid: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// MACs of its NICs, lower case, sorted.
    pub macs: Vec<String>,
    /// Provisioner id, once known.
    pub machine: Option<String>,
}

impl Binding {
    /// Why what a BMC reports now is not the bound machine; `None` if nothing contradicts it.
    pub fn contradicts_bmc(&self, bmc: &Bmc) -> Option<String> {
        if let (Some(bound), Some(seen)) = (&self.uuid, &bmc.uuid)
            && bound != seen
        {
            return Some(format!("the BMC reports system UUID {seen}, the node is bound to {bound}"));
        }
        if let (Some(bound), Some(seen)) = (&self.serial, &bmc.serial)
            && bound != seen
        {
            return Some(format!("the BMC reports serial {seen}, the node is bound to {bound}"));
        }
        if !self.macs.is_empty() && !bmc.macs.is_empty() && !self.macs.iter().any(|m| bmc.macs.contains(m)) {
            return Some(format!("the BMC reports MACs {}, the node is bound to {}", bmc.macs.join(", "), self.macs.join(", ")));
        }
        None
    }

    /// Why what the provisioner reports is not the bound machine; `None` if nothing contradicts it.
    pub fn contradicts_machine(&self, machine: &Machine) -> Option<String> {
        if let Some(bound) = &self.machine
            && *bound != machine.id
        {
            return Some(format!("the provisioner has it as machine {}, the node is bound to machine {bound}", machine.id));
        }
        if let (Some(bound), Some(seen)) = (&self.uuid, &machine.uuid)
            && bound != seen
        {
            return Some(format!("the provisioner reports system UUID {seen}, the node is bound to {bound}"));
        }
        if !self.macs.is_empty() && !machine.macs.is_empty() && !self.macs.iter().any(|m| machine.macs.contains(m)) {
            return Some(format!(
                "the provisioner's machine {} has MACs {}, the node is bound to {}",
                machine.id,
                machine.macs.join(", "),
                self.macs.join(", ")
            ));
        }
        None
    }
}

/// Whether two spellings name the same bus address (`0000:00:03.0` and `pci@0000:00:03.0`, any case).
pub fn same_bus_address(a: &str, b: &str) -> bool {
    fn bare(s: &str) -> &str {
        let s = s.trim();
        s.split_once('@').map_or(s, |(_, rest)| rest)
    }
    bare(a).eq_ignore_ascii_case(bare(b))
}
