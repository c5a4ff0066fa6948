//! HardwareProfile: what a kind of machine is made of.

use super::Shape::{self, Dict, Map, Scalar};

pub(super) static SHAPE: Shape = Map(&[
    ("vendor", Scalar),
    ("generation", Scalar),
    ("hw_version", Scalar),
    ("bios_version", Scalar),
    ("boot_mode", Scalar),
    ("bootstrap_protocol", Scalar),
    ("pxe_interface", Scalar),
    ("device_aliases", Dict(&Map(&[("address", Scalar), ("dev_type", Scalar), ("bus_type", Scalar)]))),
    ("cpu_sets", Dict(&Scalar)),
    ("hugepages", Dict(&Map(&[("size", Scalar), ("count", Scalar)]))),
]);
