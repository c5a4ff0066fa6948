//! All calls that the driver makes: those that bring an attribute about, and those that only read. `docs/drivers/maas.md` is made from it, and the tests
//! hold the driver to it: it sends no other call, and what happens when one of them fails is tested for each.

/// The calls behind the attributes of a kind of resource.
#[derive(Debug, Clone, Copy)]
pub struct Calls {
    /// Kind of resource, as in [`crate::diff::AttributeEffect`].
    pub resource: &'static str,
    /// Path of the attribute; `*` is all of the resource.
    pub attribute: &'static str,
    /// Calls below `api/2.0/`: method, path with `{}` for ids and names, operation.
    pub calls: &'static [&'static str],
}

macro_rules! calls {
    ($($resource:literal $attribute:literal [$($call:literal),*];)*) => {
        /// All calls that change something.
        pub static CALLS: &[Calls] = &[$(Calls { resource: $resource, attribute: $attribute, calls: &[$($call),*] },)*];
    };
}

calls! {
    "fabric" "*" ["POST fabrics/", "PUT fabrics/{}/", "DELETE fabrics/{}/"];
    "vlan" "space" ["POST spaces/", "POST fabrics/{}/vlans/", "PUT fabrics/{}/vlans/{}/"];
    "vlan" "*" ["POST fabrics/{}/vlans/", "PUT fabrics/{}/vlans/{}/", "DELETE fabrics/{}/vlans/{}/"];
    "subnet" "*" ["POST subnets/", "PUT subnets/{}/", "DELETE subnets/{}/"];
    "range" "*" ["POST ipranges/", "PUT subnets/{}/", "DELETE ipranges/{}/"];
    "dhcp" "*" ["PUT fabrics/{}/vlans/{}/"];
    "route" "*" ["POST static-routes/", "PUT static-routes/{}/", "DELETE static-routes/{}/"];
    "domain" "*" ["POST domains/"];
    "tag" "*" ["POST tags/", "PUT tags/{}/", "DELETE tags/{}/"];
    "sshkey" "*" ["POST account/prefs/sshkeys/", "DELETE account/prefs/sshkeys/{}/"];
    "repository" "*" ["POST package-repositories/", "PUT package-repositories/{}/", "DELETE package-repositories/{}/"];
    "image" "*" ["POST boot-sources/{}/selections/", "PUT boot-sources/{}/selections/{}/", "POST boot-resources/ import"];
    "node" "stage" ["PUT machines/{}/", "POST machines/{}/ commission", "POST machines/ allocate", "POST machines/{}/ deploy"];
    "node" "image" ["POST machines/ allocate", "POST machines/{}/ set_workload_annotations", "POST machines/{}/ deploy"];
    "node" "kernel" ["POST machines/{}/ deploy"];
    "node" "user_data" ["POST machines/{}/ set_workload_annotations", "POST machines/{}/ deploy"];
    "node" "disks" ["POST machines/{}/ release"];
    "node" "record" ["DELETE machines/{}/"];
    "node/power_settings" "*" ["PUT machines/{}/"];
    "node/networking" "*.members" ["POST nodes/{}/interfaces/ create_bond", "DELETE nodes/{}/interfaces/{}/"];
    "node/networking" "*.fabric" ["PUT nodes/{}/interfaces/{}/"];
    "node/networking" "*.bond" ["POST nodes/{}/interfaces/ create_bond", "PUT nodes/{}/interfaces/{}/"];
    "node/networking" "*.mtu" ["PUT nodes/{}/interfaces/{}/", "POST nodes/{}/interfaces/ create_vlan"];
    "node/networking" "*.link" ["POST nodes/{}/interfaces/{}/ link_subnet", "POST nodes/{}/interfaces/{}/ unlink_subnet", "POST nodes/{}/interfaces/{}/ set_default_gateway"];
    "node/networking" "*.kind" ["DELETE nodes/{}/interfaces/{}/"];
    "node/storage" "*.size" ["POST machines/{}/ set_storage_layout", "POST nodes/{}/blockdevices/{}/partitions/", "POST nodes/{}/volume-group/{}/ create_logical_volume"];
    "node/storage" "*.bootable" ["POST nodes/{}/blockdevices/{}/partitions/"];
    "node/storage" "*.filesystem" ["POST nodes/{}/blockdevices/{}/partition/{} format", "POST nodes/{}/blockdevices/{}/partition/{} mount", "POST nodes/{}/blockdevices/{}/ format", "POST nodes/{}/blockdevices/{}/ mount"];
    "node/storage" "*.volume_group" ["POST nodes/{}/volume-groups/"];
    "node/storage" "*.bootdrive" ["POST nodes/{}/blockdevices/{}/ set_boot_disk"];
    "node/storage" "*.uuid" ["POST nodes/{}/blockdevices/{}/partitions/", "POST nodes/{}/volume-groups/", "POST nodes/{}/volume-group/{}/ create_logical_volume"];
    "node/storage" "*.kind" ["POST machines/{}/ set_storage_layout"];
    "node/platform" "hostname" ["PUT machines/{}/"];
    "node/platform" "domain" ["PUT machines/{}/"];
    "node/platform" "pool" ["POST resourcepools/", "PUT machines/{}/"];
    "node/platform" "zone" ["POST zones/", "PUT machines/{}/"];
    "node/platform" "min_kernel" ["PUT machines/{}/"];
    "node/platform" "tags.*" ["POST tags/", "POST tags/{}/ update_nodes"];
    "node/platform" "owner_data.*" ["POST machines/ allocate", "POST machines/{}/ set_workload_annotations"];
    "node/kernel_params" "kernel_params" ["POST tags/", "PUT tags/{}/", "POST tags/{}/ update_nodes", "POST machines/{}/ deploy"];
}

/// All calls that only read. What is read of single machines is only what no list answers.
pub static READS: &[&str] = &[
    "GET version/",
    "GET users/ whoami",
    "GET regioncontrollers/",
    "GET rackcontrollers/",
    "GET rackcontrollers/{}/ list_boot_images",
    "GET fabrics/",
    "GET subnets/",
    "GET ipranges/",
    "GET static-routes/",
    "GET domains/",
    "GET spaces/",
    "GET resourcepools/",
    "GET zones/",
    "GET tags/",
    "GET account/prefs/sshkeys/",
    "GET package-repositories/",
    "GET boot-sources/",
    "GET boot-sources/{}/selections/",
    "GET boot-resources/",
    "GET boot-resources/ is_importing",
    "GET boot-resources/{}/",
    "GET machines/",
    "GET machines/ power_parameters",
    "GET machines/{}/ power_parameters",
    "GET machines/{}/ details",
    "GET machines/{}/ query_power_state",
    "GET nodes/{}/results/{}/",
    "GET nodes/{}/volume-groups/",
    "GET events/ query",
];
