//! Network: addresses, ranges, routes and DNS of a layer-3 network.

use super::Shape::{self, Any, Dict, List, Map, Scalar};

pub(super) static SHAPE: Shape = Map(&[
    ("cidr", Scalar),
    ("vlan", Scalar),
    ("mtu", Scalar),
    ("routedomain", Scalar),
    ("ranges", List(&Map(&[("type", Scalar), ("start", Scalar), ("end", Scalar)]))),
    ("routes", List(&Map(&[("subnet", Scalar), ("gateway", Scalar), ("metric", Scalar), ("routedomain", Scalar)]))),
    ("dns", Map(&[("domain", Scalar), ("servers", Any)])),
    ("dhcp_relay", Map(&[("self_ip", Scalar), ("upstream_target", Scalar)])),
    ("labels", Dict(&Scalar)),
]);
