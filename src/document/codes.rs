//! Codes of the problems with whole documents.

use crate::diag::Code;

/// A document that is neither a mapping nor empty.
pub const NOT_A_DOCUMENT: Code = Code("DD0010");
/// A document that says neither `schema` nor `apiVersion` and `kind`.
pub const NO_SCHEMA: Code = Code("DD0011");
/// A drydock document of a kind that does not exist.
pub const UNKNOWN_KIND: Code = Code("DD0012");
/// A drydock document of a version that this program does not read.
pub const UNKNOWN_VERSION: Code = Code("DD0013");
/// A drydock document without a usable `metadata.name`.
pub const NO_NAME: Code = Code("DD0014");
/// A drydock document without a usable `data` (`spec`).
pub const NO_DATA: Code = Code("DD0015");
/// Two documents of the same kind and name.
pub const DUPLICATE_DOCUMENT: Code = Code("DD0016");
/// No drydock document in any file.
pub const EMPTY_DESIGN: Code = Code("DD0017");
/// A schema that looks like a misspelt drydock schema.
pub const MISSPELT_SCHEMA: Code = Code("DD0018");

/// `metadata` that say something about layering or substitution that cannot be read.
pub const BAD_METADATA: Code = Code("DD0021");
/// Documents that need layering, and no usable `LayeringPolicy`.
pub const NO_LAYERING_POLICY: Code = Code("DD0022");
/// Several `LayeringPolicy` documents.
pub const SEVERAL_LAYERING_POLICIES: Code = Code("DD0023");
/// A layer that the `LayeringPolicy` does not list.
pub const UNKNOWN_LAYER: Code = Code("DD0024");
/// A `parentSelector` that selects nothing.
pub const MISSING_PARENT: Code = Code("DD0025");
/// A `parentSelector` that selects several documents of one layer.
pub const SEVERAL_PARENTS: Code = Code("DD0026");
/// A `parentSelector` that selects a document of another schema or of a layer that is not above.
pub const UNSUITABLE_PARENT: Code = Code("DD0027");
/// A JSON path that cannot be read.
pub const BAD_PATH: Code = Code("DD0028");
/// A layering action whose path leads to nothing.
pub const IDLE_ACTION: Code = Code("DD0029");
/// A replacement that breaks the rules of replacements.
pub const BAD_REPLACEMENT: Code = Code("DD0030");
/// Documents that wait for one another.
pub const DEPENDENCY_CYCLE: Code = Code("DD0031");
/// A substitution whose source document does not exist.
pub const MISSING_SOURCE: Code = Code("DD0032");
/// A substitution whose source document has no such value.
pub const MISSING_SOURCE_VALUE: Code = Code("DD0033");
/// A substitution that cannot write at its destination.
pub const BLOCKED_DESTINATION: Code = Code("DD0034");
/// A pattern that is no regular expression or cannot be applied.
pub const BAD_PATTERN: Code = Code("DD0035");
/// A pattern that matches nothing.
pub const IDLE_PATTERN: Code = Code("DD0036");
/// A `DataSchema` that is no JSON Schema.
pub const BAD_DATA_SCHEMA: Code = Code("DD0037");
/// A document that does not fit its `DataSchema`.
pub const SCHEMA_VIOLATION: Code = Code("DD0038");
/// Rendering would make documents beyond all measure.
pub const TOO_LARGE: Code = Code("DD0039");
/// Where Deckhand does not do what its manual says.
pub const DIFFERS_FROM_DECKHAND: Code = Code("DD0040");
/// Documents that were rendered before.
pub const ALREADY_RENDERED: Code = Code("DD0041");
/// A substitution that also changes other documents.
pub const SHARED_VALUE: Code = Code("DD0042");
/// A site type that no tree has a folder for.
pub const NO_SITE_TYPE: Code = Code("DD0044");
/// Two replacements of one document.
pub const REPLACED_TWICE: Code = Code("DD0045");
/// Secrets that Pegleg encrypted.
pub const ENCRYPTED_BY_PEGLEG: Code = Code("DD0043");

/// All codes of this module; `docs/rules/<code>.md` explains each.
pub const ALL: [Code; 34] = [
    NOT_A_DOCUMENT,
    NO_SCHEMA,
    UNKNOWN_KIND,
    UNKNOWN_VERSION,
    NO_NAME,
    NO_DATA,
    DUPLICATE_DOCUMENT,
    EMPTY_DESIGN,
    MISSPELT_SCHEMA,
    BAD_METADATA,
    NO_LAYERING_POLICY,
    SEVERAL_LAYERING_POLICIES,
    UNKNOWN_LAYER,
    MISSING_PARENT,
    SEVERAL_PARENTS,
    UNSUITABLE_PARENT,
    BAD_PATH,
    IDLE_ACTION,
    BAD_REPLACEMENT,
    DEPENDENCY_CYCLE,
    MISSING_SOURCE,
    MISSING_SOURCE_VALUE,
    BLOCKED_DESTINATION,
    BAD_PATTERN,
    IDLE_PATTERN,
    BAD_DATA_SCHEMA,
    SCHEMA_VIOLATION,
    TOO_LARGE,
    DIFFERS_FROM_DECKHAND,
    ALREADY_RENDERED,
    SHARED_VALUE,
    ENCRYPTED_BY_PEGLEG,
    NO_SITE_TYPE,
    REPLACED_TWICE,
];
