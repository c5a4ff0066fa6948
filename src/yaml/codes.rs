//! Codes of the problems found while reading YAML.

use crate::diag::Code;

/// The text is not YAML.
pub const BROKEN_YAML: Code = Code("DD0001");
/// A mapping has the same key twice.
pub const DUPLICATE_KEY: Code = Code("DD0002");
/// An alias names no anchor of its document, or the collection it stands in.
pub const UNKNOWN_ALIAS: Code = Code("DD0003");
/// Aliases multiply a document beyond [`super::MAX_ALIASED_NODES`].
pub const ALIAS_BOMB: Code = Code("DD0004");
/// Collections are nested deeper than [`super::MAX_DEPTH`].
pub const TOO_DEEP: Code = Code("DD0005");
/// A tag that gives no value here (`!custom`, `!!python/object`), or that its text does not fit.
pub const BAD_TAG: Code = Code("DD0006");
/// A list or a mapping stands where a key belongs.
pub const BAD_KEY: Code = Code("DD0007");
/// A merge key (`<<`) whose value is neither a mapping nor a list of mappings.
pub const BAD_MERGE: Code = Code("DD0008");
/// A character that YAML 1.1 takes for a line break and YAML 1.2 does not.
pub const UNUSUAL_BREAK: Code = Code("DD0009");

/// A scalar of more than [`super::MAX_SCALAR_BYTES`], or a file of more than [`super::MAX_VALUES`].
pub const TOO_LARGE: Code = Code("DD0019");

/// All codes of this module; `docs/rules/<code>.md` explains each.
pub const ALL: [Code; 10] =
    [BROKEN_YAML, DUPLICATE_KEY, UNKNOWN_ALIAS, ALIAS_BOMB, TOO_DEEP, BAD_TAG, BAD_KEY, BAD_MERGE, UNUSUAL_BREAK, TOO_LARGE];
