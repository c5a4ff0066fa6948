//! Region: tags, keys and repositories of the whole site.

use super::Shape::{self, Any, Dict, List, Map, Scalar};

pub(super) static SHAPE: Shape = Map(&[
    ("tag_definitions", List(&Map(&[("tag", Scalar), ("definition_type", Scalar), ("definition", Scalar)]))),
    ("authorized_keys", List(&Scalar)),
    ("repositories", Shape::Mixed(&[("remove_unlisted", Scalar)], &REPOSITORY)),
]);

static REPOSITORY: Shape = Map(&[
    ("repo_type", Scalar),
    ("url", Scalar),
    ("distributions", List(&Scalar)),
    ("subrepos", List(&Scalar)),
    ("components", List(&Scalar)),
    ("gpgkey", Scalar),
    ("arches", List(&Scalar)),
    ("options", Dict(&Any)),
]);
