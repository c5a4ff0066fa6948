//! Codes of problems with the shape of a document.

use crate::diag::Code;

/// A key that nothing reads.
pub const UNKNOWN_KEY: Code = Code("DD1101");
/// A list where a mapping belongs, a scalar where a list belongs, and the like.
pub const WRONG_TYPE: Code = Code("DD1102");
