//! What changing an attribute does to a running machine or site, and why: one table for all attributes.
//!
//! Before a machine is deployed every attribute of it is set in passing (`install`; `redeploy` where the machine is on and the provisioner does not
//! know it). The table is about what exists: site resources, and deployed nodes. `docs/drivers/maas.md` is made from it.

use crate::action::Effect;

/// An attribute and what changing it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttributeEffect {
    /// Kind of resource: what stands before the first dot of its address, and behind its last slash for parts of a node.
    pub resource: &'static str,
    /// Path of the attribute. `x.*` is anything below `x`, `*.x` the `x` of anything.
    pub attribute: &'static str,
    /// What a change does to it where it exists; for a node: where it is deployed.
    pub effect: Effect,
    /// Why, where the class does not say it.
    pub reason: &'static str,
    /// What it is, for the documentation.
    pub meaning: &'static str,
}

const AGAIN: &str = "it can only be changed by deploying again";

macro_rules! table {
    ($($resource:literal $attribute:literal $effect:ident $reason:expr, $meaning:literal;)*) => {
        /// All attributes.
        pub static EFFECTS: &[AttributeEffect] = &[
            $(AttributeEffect { resource: $resource, attribute: $attribute, effect: Effect::$effect, reason: $reason, meaning: $meaning },)*
        ];
    };
}

table! {
    "fabric" "name" Online "", "name of the link's fabric; a found one is renamed";
    "vlan" "name" Online "", "name of a tagged VLAN";
    "vlan" "mtu" Online "", "MTU of the VLAN: the largest of its networks', else the link's";
    "vlan" "space" Online "", "space, where `drivers.maas.spaces` says one";
    "subnet" "name" Online "", "name of the network's subnet";
    "subnet" "cidr" Online "", "address block; identifies the subnet";
    "subnet" "vlan" Online "", "VLAN of the subnet; refused while a machine is configured on it";
    "subnet" "gateway" Online "", "next hop of the network's default route";
    "subnet" "dns_servers" Online "", "DNS servers in order";
    "range" "type" Online "", "`dynamic` (DHCP) or `reserved`";
    "range" "start" Online "", "first address";
    "range" "end" Online "", "last address";
    "dhcp" "dhcp" Online "", "DHCP on the VLAN: by a rack controller, or relayed";
    "route" "destination" Online "", "destination subnet, route domains expanded";
    "route" "gateway" Online "", "next hop";
    "route" "metric" Online "", "metric";
    "domain" "name" Online "", "DNS domain of networks and nodes";
    "tag" "definition" Online "", "XPath definition of a tag of the Region";
    "sshkey" "key" Online "", "authorized key of the Region";
    "repository" "url" Online "", "URL of a package repository";
    "repository" "credentials" Online "", "credentials in its URL, which plans do not show";
    "repository" "distributions" Online "", "distributions";
    "repository" "components" Online "", "components";
    "repository" "disabled_pockets" Online "", "pockets that are switched off";
    "repository" "disabled_components" Online "", "components that are switched off (main and ports archives)";
    "repository" "arches" Online "", "architectures";
    "repository" "key" Online "", "signing key";
    "repository" "enabled" Online "", "whether it is used; one of the design that somebody switched off is switched on";
    "image" "image" Online "", "boot image of a node, for the architecture of its machine: selected at a boot source and imported";
    "node" "stage" Install "", "where the node is and shall be";
    "node" "image" Redeploy AGAIN, "operating system and series";
    "node" "kernel" Redeploy AGAIN, "kernel (`ga-…`, `hwe-…`)";
    "node" "user_data" Redeploy AGAIN, "files, units and packages of its boot actions, by digest; a change inside a file that holds a secret is not seen";
    "node" "disks" Destroy "", "whether a release erases the disks";
    "node" "record" Destroy "", "whether the provisioner keeps the record of a released machine";
    "node/networking" "*.members" Redeploy AGAIN, "NICs of an interface, by bus address or name";
    "node/networking" "*.fabric" Redeploy AGAIN, "link that the interface is cabled to";
    "node/networking" "*.bond" Redeploy AGAIN, "bond mode, hash policy, LACP rate, MII interval, up and down delay";
    "node/networking" "*.mtu" Redeploy AGAIN, "MTU of a NIC, bond or VLAN interface";
    "node/networking" "*.link" Redeploy AGAIN, "address, subnet and default gateway of an interface";
    "node/networking" "*.kind" Redeploy AGAIN, "an interface that the design does not have";
    "node/storage" "*.size" Redeploy AGAIN, "size of a partition or logical volume";
    "node/storage" "*.bootable" Redeploy AGAIN, "boot flag of a partition";
    "node/storage" "*.filesystem" Redeploy AGAIN, "file system, mount point, mount options, label, UUID";
    "node/storage" "*.volume_group" Redeploy AGAIN, "volume group of a disk or partition";
    "node/storage" "*.bootdrive" Redeploy AGAIN, "the disk that firmware boots from";
    "node/storage" "*.uuid" Redeploy AGAIN, "UUID of a partition, volume group or logical volume, if the design sets it";
    "node/storage" "*.kind" Redeploy AGAIN, "a volume group that the design does not have";
    "node/platform" "hostname" Online "", "host name: the node's name";
    "node/platform" "domain" Online "", "DNS domain: that of the primary network";
    "node/platform" "pool" Online "", "resource pool, where `drivers.maas.machines` says one";
    "node/platform" "zone" Online "", "availability zone, where `drivers.maas.machines` says one";
    "node/platform" "min_kernel" Online "", "the oldest kernel that MAAS may start it with, where `drivers.maas.machines` says one; the next deployment uses it";
    "node/platform" "tags.*" Online "", "static tags; those of others are left alone";
    "node/platform" "owner_data.*" Online "", "owner data; keys of others are left alone";
    "node/kernel_params" "kernel_params" Redeploy AGAIN, "kernel parameters, carried by the tag `NODE_kp`";
    "node/power_settings" "type" Online "", "power type in the provisioner, where `manage_power` is set";
    "node/power_settings" "address" Online "", "BMC address in the provisioner; user and password are set with it";
    "node/power_settings" "credentials" Online "", "user and password, where MAAS reports that it cannot use the BMC and drydock can";
    "node/boot" "boot_source" Online "", "a boot override left at the BMC";
    "node/power" "power" Reboot "somebody switched it off", "a deployed node that is off";
}

/// What changing an attribute of an existing resource needs, and why. An attribute that the table does not have is never taken for harmless.
pub fn effect_of(resource: &str, attribute: &str) -> (Effect, &'static str) {
    row_of(resource, attribute).map_or((Effect::Redeploy, AGAIN), |row| (row.effect, row.reason))
}

/// The row of the table that an attribute belongs to.
pub fn row_of(resource: &str, attribute: &str) -> Option<&'static AttributeEffect> {
    EFFECTS.iter().find(|row| row.resource == resource && matches(row.attribute, attribute))
}

/// Whether an attribute is one that the table has.
pub fn is_listed(resource: &str, attribute: &str) -> bool {
    row_of(resource, attribute).is_some()
}

fn matches(pattern: &str, path: &str) -> bool {
    if let Some(above) = pattern.strip_suffix(".*") {
        return path.strip_prefix(above).is_some_and(|rest| rest.starts_with('.'));
    }
    match pattern.strip_prefix('*') {
        Some(last) => path.ends_with(last) && path.len() > last.len(),
        None => pattern == path,
    }
}

/// The kind of resource that an address is of, as the table names it.
pub fn kind_of(address: &str) -> String {
    let (kind, rest) = address.split_once('.').unwrap_or((address, ""));
    match rest.rsplit_once('/') {
        Some((_, part)) if kind == "node" => format!("node/{part}"),
        _ => kind.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_have_one_row_and_are_found() {
        for (i, row) in EFFECTS.iter().enumerate() {
            let path = row.attribute.replace('*', "a.b");
            assert_eq!(effect_of(row.resource, &path), (row.effect, row.reason), "{row:?}");
            let twins = EFFECTS.iter().skip(i + 1).filter(|o| o.resource == row.resource && matches(o.attribute, &path));
            assert_eq!(twins.count(), 0, "{row:?} has another row for the same attribute");
            assert!(!row.meaning.is_empty());
        }
        assert_eq!(effect_of("node/storage", "sda.colour").0, Effect::Redeploy, "what is not known is not harmless");
        assert!(!is_listed("node/platform", "tags") && !is_listed("node/storage", ".size"));
        assert_eq!(
            (kind_of("node.n1/storage").as_str(), kind_of("range.pxe/1-2").as_str(), kind_of("node.n").as_str()),
            ("node/storage", "range", "node")
        );
    }
}
