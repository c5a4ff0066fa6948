//! NetworkLink: what NICs and switch ports must agree on.

use super::Shape::{self, Dict, List, Map, Scalar};

pub(super) static SHAPE: Shape = Map(&[
    (
        "bonding",
        Map(&[
            ("mode", Scalar),
            ("hash", Scalar),
            ("peer_rate", Scalar),
            ("mon_rate", Scalar),
            ("up_delay", Scalar),
            ("down_delay", Scalar),
        ]),
    ),
    ("mtu", Scalar),
    ("linkspeed", Scalar),
    ("trunking", Map(&[("mode", Scalar), ("default_network", Scalar)])),
    ("allowed_networks", List(&Scalar)),
    ("labels", Dict(&Scalar)),
]);
