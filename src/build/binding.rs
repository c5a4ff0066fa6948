//! Which machine is which node.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Bmc, Machine};

/// The identity of the machine behind a node, recorded at first contact and read again before every effect of class reboot or higher.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// Address of its BMC.
    pub bmc_address: Option<String>,
    /// System UUID, lower case.
    pub uuid: Option<String>,
    /// The BMC's own GUID ([`Bmc::guid`]), lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guid: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// MACs of its NICs, lower case, sorted.
    pub macs: Vec<String>,
    /// Provisioner id, once known.
    pub machine: Option<String>,
    /// Who owned the machine in the provisioner when it was taken over; owned by the same, it is still the node's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted_from: Option<String>,
}

impl Binding {
    /// Why what a BMC reports now is not the bound machine; `None` if nothing contradicts it.
    pub fn contradicts_bmc(&self, bmc: &Bmc) -> Option<String> {
        if let (Some(bound), Some(seen)) = (&self.uuid, &bmc.uuid)
            && !same_uuid(bound, seen)
        {
            return Some(format!("the BMC reports system UUID {seen}, the node is bound to {bound}"));
        }
        if let (Some(bound), Some(seen)) = (&self.guid, &bmc.guid)
            && !same_uuid(bound, seen)
        {
            return Some(format!("the BMC reports GUID {seen}, the node is bound to {bound}"));
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
            && !same_uuid(bound, seen)
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

/// Why nothing says that a BMC is that of a machine of the provisioner; `None` if something does, or if the BMC tells the machine's UUID or MACs,
/// which are compared as such.
///
/// A BMC that tells neither (IPMI) is tied to a machine by a GUID that is its system UUID, by its serial number, or by the provisioner, which has
/// that BMC's address for the machine.
pub(crate) fn untied(bmc: &Bmc, machine: &Machine) -> Option<String> {
    let same = |a: &Option<String>, b: &Option<String>| matches!((a, b), (Some(a), Some(b)) if same_uuid(a, b));
    // A person acts where the instruction says; no BMC can be another machine's.
    if bmc.address.is_empty()
        || bmc.uuid.is_some()
        || !bmc.macs.is_empty()
        || same(&bmc.guid, &machine.uuid)
        || (bmc.serial.is_some() && bmc.serial == machine.serial)
        || machine.bmc_address.as_ref() == Some(&bmc.address)
    {
        return None;
    }
    let provisioner = match &machine.bmc_address {
        Some(other) => format!("for which the provisioner has the BMC {other}"),
        None => "for which the provisioner has no BMC address".to_owned(),
    };
    Some(format!(
        "nothing says that the BMC at {} is that of machine {} ({}), {provisioner}: its GUID and serial number are not the machine's",
        bmc.address, machine.hostname, machine.id
    ))
}

/// Whether two UUIDs are the same, whichever byte order they were written in.
///
/// BMCs and SMBIOS tools write the same 16 bytes as they stand, with the first three fields swapped (SMBIOS 2.6, 7.2.1), or reversed (IPMI 2.0,
/// 20.8), and do not say which.
pub fn same_uuid(a: &str, b: &str) -> bool {
    a == b || uuid_key(a) == uuid_key(b)
}

/// A text that is the same for a UUID in every byte order; a text that is no UUID is its own, in lower case.
pub fn uuid_key(text: &str) -> String {
    let digits: Vec<u8> = text.chars().filter(|c| !matches!(c, '-' | '{' | '}')).filter_map(|c| c.to_digit(16).map(|d| d as u8)).collect();
    let plain = text.chars().filter(|c| !matches!(c, '-' | '{' | '}')).count();
    if digits.len() != 32 || plain != 32 {
        return text.to_lowercase();
    }
    let mut bytes: Vec<u8> = digits.chunks(2).map(|d| d[0] << 4 | d[1]).collect();
    let mut least = bytes.clone();
    // Swapping fields and reversing, in turn, four times each, goes through all orders and comes back.
    for _ in 0..4 {
        for fields in [0..4, 4..6, 6..8] {
            bytes[fields].reverse();
        }
        least = least.min(bytes.clone());
        bytes.reverse();
        least = least.min(bytes.clone());
    }
    hex::encode(least)
}

/// Whether two spellings name the same bus address (`0000:00:03.0` and `pci@0000:00:03.0`, any case).
pub fn same_bus_address(a: &str, b: &str) -> bool {
    fn bare(s: &str) -> &str {
        let s = s.trim();
        s.split_once('@').map_or(s, |(_, rest)| rest)
    }
    bare(a).eq_ignore_ascii_case(bare(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_orders_of_a_uuid_are_the_same() {
        let written = "4c4c4544-0052-5831-8052-cac04f543532";
        let swapped = "44454c4c-5200-3158-8052-cac04f543532";
        let reversed = "3235544f-c0ca-5280-3158-520044454c4c".to_owned();
        for other in [written, swapped, &reversed, "4C4C4544-0052-5831-8052-CAC04F543532", "{4c4c454400525831 8052cac04f543532}"] {
            assert_eq!(same_uuid(written, other), !other.contains(' '), "{other}");
            assert_eq!(same_uuid(swapped, other), !other.contains(' '), "{other}");
        }
        assert!(!same_uuid(written, "4c4c4544-0052-5831-8052-cac04f543533"));
        assert!(!same_uuid(written, "4c4c4544-0052-5831-5280-cac04f543532"), "other swaps are another machine");
        assert!(same_uuid("not a uuid", "Not A UUID") && !same_uuid("a", "b"));
    }
}
