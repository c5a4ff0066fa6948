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

/// All codes of this module; `docs/rules/<code>.md` explains each.
pub const ALL: [Code; 9] =
    [NOT_A_DOCUMENT, NO_SCHEMA, UNKNOWN_KIND, UNKNOWN_VERSION, NO_NAME, NO_DATA, DUPLICATE_DOCUMENT, EMPTY_DESIGN, MISSPELT_SCHEMA];
