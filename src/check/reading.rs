//! Problems that reading and resolving a design find: the table of their codes.

use super::registry::Rule;
use crate::design::codes as design;
use crate::diag::Severity::{Error, Warning};
use crate::diag::{Code, Severity};
use crate::document::codes as document;
use crate::model::codes as model;
use crate::yaml::codes as yaml;

const fn found(code: Code, severity: Severity, title: &'static str) -> Rule {
    Rule { code, original: None, title, severity, check: None }
}

const fn schema(code: Code, severity: Severity, title: &'static str) -> Rule {
    Rule { code, original: Some("DD001 (schema)"), title, severity, check: None }
}

pub(super) static READING: [Rule; 29] = [
    found(yaml::BROKEN_YAML, Error, "a file is not YAML"),
    found(yaml::DUPLICATE_KEY, Error, "a key stands twice in a mapping"),
    found(yaml::UNKNOWN_ALIAS, Error, "an alias names no anchor"),
    found(yaml::ALIAS_BOMB, Error, "aliases multiply a document beyond reason"),
    found(yaml::TOO_DEEP, Error, "nesting is too deep"),
    found(yaml::BAD_TAG, Error, "a YAML tag has no meaning here"),
    found(yaml::BAD_KEY, Error, "a list or mapping is used as a key"),
    found(yaml::BAD_MERGE, Error, "a merge key has nothing to merge"),
    found(yaml::UNUSUAL_BREAK, Warning, "a file has an invisible line break"),
    found(document::NOT_A_DOCUMENT, Error, "a YAML document is not a mapping"),
    found(document::NO_SCHEMA, Error, "a document does not say what it is"),
    found(document::UNKNOWN_KIND, Error, "a kind of document does not exist"),
    found(document::UNKNOWN_VERSION, Error, "a version of a document's schema is not known"),
    found(document::NO_NAME, Error, "a document has no name"),
    found(document::NO_DATA, Error, "a document has no data"),
    found(document::DUPLICATE_DOCUMENT, Error, "two documents have the same kind and name"),
    found(document::EMPTY_DESIGN, Error, "no file holds a drydock document"),
    found(document::MISSPELT_SCHEMA, Error, "a schema is misspelt"),
    schema(design::UNKNOWN_KEY, Warning, "nothing reads a key"),
    schema(design::WRONG_TYPE, Error, "a value has the wrong type"),
    schema(model::MALFORMED_VALUE, Error, "a value cannot be read"),
    schema(model::MISSING_VALUE, Error, "a value is missing"),
    found(model::PROFILE_CYCLE, Error, "host profiles inherit from one another"),
    found(model::REMOVES_NOTHING, Warning, "a removal finds nothing to remove"),
    found(model::NO_REGION, Error, "the design has no Region"),
    found(model::SEVERAL_REGIONS, Error, "the design has several Regions"),
    found(model::UNKNOWN_HOST_PROFILE, Error, "a host profile does not exist"),
    found(model::UNKNOWN_HARDWARE_REFERENCE, Error, "a kernel parameter refers to nothing"),
    found(model::UNKNOWN_FILTER_NAME, Warning, "a node filter names an unknown node"),
];
