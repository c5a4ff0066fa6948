//! Rack: switches, place and local networks.

use super::Shape::{self, Any, Dict, List, Map, Scalar};

pub(super) static SHAPE: Shape = Map(&[
    ("tor_switches", Dict(&Map(&[("mgmt_ip", Scalar), ("sdn_api_uri", Scalar), ("sdn_api_url", Scalar)]))),
    ("location", Dict(&Any)),
    ("local_networks", List(&Scalar)),
    ("labels", Dict(&Scalar)),
]);
