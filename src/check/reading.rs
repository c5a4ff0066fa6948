//! Problems that reading and resolving a design find: the table of their codes.

use super::registry::Rule;
use crate::design::codes as design;
use crate::diag::Severity::{Error, Info, Warning};
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

pub(super) static READING: [Rule; 63] = [
    found(yaml::BROKEN_YAML, Error, "a file is not YAML"),
    found(yaml::DUPLICATE_KEY, Error, "a key stands twice in a mapping"),
    found(yaml::UNKNOWN_ALIAS, Error, "an alias names no anchor"),
    found(yaml::ALIAS_BOMB, Error, "aliases multiply a document beyond reason"),
    found(yaml::TOO_DEEP, Error, "nesting is too deep"),
    found(yaml::BAD_TAG, Error, "a YAML tag has no meaning here"),
    found(yaml::BAD_KEY, Error, "a list or mapping is used as a key"),
    found(yaml::BAD_MERGE, Error, "a merge key has nothing to merge"),
    found(yaml::TOO_LARGE, Error, "a value or a file is too large"),
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
    found(document::BAD_METADATA, Error, "metadata about layering or substitution cannot be read"),
    found(document::NO_LAYERING_POLICY, Error, "documents inherit and no LayeringPolicy orders the layers"),
    found(document::SEVERAL_LAYERING_POLICIES, Error, "there are several LayeringPolicies"),
    found(document::UNKNOWN_LAYER, Error, "a layer is not in the layer order"),
    found(document::MISSING_PARENT, Warning, "a parentSelector selects nothing"),
    found(document::SEVERAL_PARENTS, Error, "a document has several parents"),
    found(document::UNSUITABLE_PARENT, Error, "a parentSelector selects a document that cannot be a parent"),
    found(document::BAD_PATH, Error, "a JSON path cannot be read"),
    found(document::IDLE_ACTION, Error, "a layering action leads to nothing"),
    found(document::BAD_REPLACEMENT, Error, "a replacement breaks the rules"),
    found(document::DEPENDENCY_CYCLE, Error, "documents need one another"),
    found(document::MISSING_SOURCE, Error, "the source of a substitution does not exist"),
    found(document::MISSING_SOURCE_VALUE, Error, "the source of a substitution has no such value"),
    found(document::BLOCKED_DESTINATION, Error, "a substitution or action cannot write at its path"),
    found(document::BAD_PATTERN, Error, "a pattern cannot be read or applied"),
    found(document::IDLE_PATTERN, Warning, "a pattern matches nothing"),
    found(document::BAD_DATA_SCHEMA, Warning, "a DataSchema is no JSON Schema"),
    found(document::SCHEMA_VIOLATION, Error, "a document does not fit its DataSchema"),
    found(document::TOO_LARGE, Error, "rendering makes documents too large"),
    found(document::DIFFERS_FROM_DECKHAND, Warning, "Deckhand does something else than its manual says"),
    found(document::ALREADY_RENDERED, Info, "documents are rendered already"),
    found(document::SHARED_VALUE, Warning, "a substitution changes other documents too"),
    found(document::NO_SITE_TYPE, Warning, "a site type has no folder"),
    found(document::REPLACED_TWICE, Warning, "a document is replaced twice"),
    found(document::ENCRYPTED_BY_PEGLEG, Warning, "secrets are encrypted by Pegleg"),
    schema(design::UNKNOWN_KEY, Warning, "nothing reads a key"),
    schema(design::WRONG_TYPE, Error, "a value has the wrong type"),
    schema(model::MALFORMED_VALUE, Error, "a value cannot be read"),
    schema(model::MISSING_VALUE, Error, "a value is missing"),
    found(model::PROFILE_CYCLE, Error, "host profiles inherit from one another"),
    found(model::REMOVES_NOTHING, Warning, "a removal finds nothing to remove"),
    found(model::NUMERIC_PERMISSIONS, Warning, "permissions are written as a number"),
    found(model::NO_REGION, Error, "the design has no Region"),
    found(model::SEVERAL_REGIONS, Warning, "the design has several Regions"),
    found(model::GROWS_TOO_LARGE, Error, "a design grows beyond reason"),
    found(model::UNKNOWN_HOST_PROFILE, Error, "a host profile does not exist"),
    found(model::UNKNOWN_HARDWARE_REFERENCE, Error, "a kernel parameter refers to nothing"),
    found(model::UNKNOWN_FILTER_NAME, Warning, "a node filter names something that does not exist"),
    found(model::UNKNOWN_ROUTE_DOMAIN, Warning, "a route leads to an unknown route domain"),
    found(model::SELECTS_NOTHING, Warning, "a node filter selects no node"),
    found(model::EMPTY_FILTER, Warning, "a node filter has no criteria"),
    found(model::UNKNOWN_DEPLOYMENT, Error, "a deployment strategy or group does not exist"),
    found(model::DEPLOYMENT_CYCLE, Error, "deployment groups depend on one another"),
    found(model::NODE_IN_TWO_GROUPS, Warning, "a node is in two deployment groups"),
];
