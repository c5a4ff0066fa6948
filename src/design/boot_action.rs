//! BootAction: what is done on a server after its deployment.

use super::Shape::{self, Any, Dict, List, Map, Scalar};

pub(super) static SHAPE: Shape = Map(&[
    ("signaling", Scalar),
    (
        "assets",
        List(&Map(&[
            ("path", Scalar),
            ("location", Scalar),
            ("type", Scalar),
            ("data", Any),
            ("location_pipeline", List(&Scalar)),
            ("data_pipeline", List(&Scalar)),
            ("permissions", Scalar),
        ])),
    ),
    (
        "node_filter",
        Map(&[
            ("filter_set_type", Scalar),
            (
                "filter_set",
                List(&Map(&[
                    ("filter_type", Scalar),
                    ("node_names", List(&Scalar)),
                    ("node_tags", List(&Scalar)),
                    ("node_labels", Dict(&Scalar)),
                    ("rack_names", List(&Scalar)),
                    ("rack_labels", Dict(&Scalar)),
                ])),
            ),
        ]),
    ),
]);
