//! HostProfile and BaremetalNode: how a server is set up.

use super::Shape::{self, Dict, List, Map, Scalar};

/// Keys that both kinds have.
macro_rules! host {
    ($($more:expr),*) => {
        Map(&[
            ("host_profile", Scalar),
            ("hardware_profile", Scalar),
            ("primary_network", Scalar),
            ("oob", Map(&[("type", Scalar), ("network", Scalar), ("account", Scalar), ("credential", Scalar), ("libvirt_uri", Scalar)])),
            ("interfaces", Dict(&INTERFACE)),
            ("storage", Map(&[("physical_devices", Dict(&DEVICE)), ("volume_groups", Dict(&VOLUME_GROUP))])),
            ("platform", Map(&[("image", Scalar), ("kernel", Scalar), ("kernel_params", Dict(&Scalar))])),
            (
                "metadata",
                Map(&[("tags", List(&Scalar)), ("owner_data", Dict(&Scalar)), ("rack", Scalar), ("boot_mac", Scalar)]),
            ),
            $($more),*
        ])
    };
}

pub(super) static PROFILE: Shape = host!();

pub(super) static NODE: Shape = host!(("addressing", List(&Map(&[("network", Scalar), ("address", Scalar)]))));

static INTERFACE: Shape = Map(&[
    ("device_link", Scalar),
    ("slaves", List(&Scalar)),
    ("networks", List(&Scalar)),
    ("labels", Dict(&Scalar)),
    ("sriov", Map(&[("vf_count", Scalar), ("trustedmode", Scalar), ("trustmode", Scalar)])),
]);

static FILESYSTEM: Shape =
    Map(&[("mountpoint", Scalar), ("fstype", Scalar), ("mount_options", Scalar), ("fs_uuid", Scalar), ("fs_label", Scalar)]);

static PARTITION: Shape = Map(&[
    ("name", Scalar),
    ("size", Scalar),
    ("bootable", Scalar),
    ("part_uuid", Scalar),
    ("volume_group", Scalar),
    ("labels", Dict(&Scalar)),
    ("filesystem", FILESYSTEM_REF),
]);

static LOGICAL_VOLUME: Shape = Map(&[("name", Scalar), ("size", Scalar), ("lv_uuid", Scalar), ("filesystem", FILESYSTEM_REF)]);

const FILESYSTEM_REF: Shape = Shape::Ref(&FILESYSTEM);

static DEVICE: Shape = Map(&[("labels", Dict(&Scalar)), ("volume_group", Scalar), ("partitions", Shape::Named(&PARTITION))]);

static VOLUME_GROUP: Shape = Map(&[("vg_uuid", Scalar), ("logical_volumes", Shape::Named(&LOGICAL_VOLUME))]);
