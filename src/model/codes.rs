//! Codes of the problems found while resolving a design.

use crate::diag::Code;

/// A value that its key cannot have.
pub const MALFORMED_VALUE: Code = Code("DD1103");
/// A value without which the document means nothing.
pub const MISSING_VALUE: Code = Code("DD1104");
/// Host profiles that inherit from one another.
pub const PROFILE_CYCLE: Code = Code("DD1105");
/// `'!name'` or `null` for something that is not inherited.
pub const REMOVES_NOTHING: Code = Code("DD1106");
/// A design without a Region document.
pub const NO_REGION: Code = Code("DD1107");
/// A design with several Region documents.
pub const SEVERAL_REGIONS: Code = Code("DD1108");
/// Inheritance or route domains multiply what is written beyond reason.
pub const GROWS_TOO_LARGE: Code = Code("DD1110");
/// A host profile that does not exist.
pub const UNKNOWN_HOST_PROFILE: Code = Code("DD2101");
/// A kernel parameter that refers to something its hardware profile does not have.
pub const UNKNOWN_HARDWARE_REFERENCE: Code = Code("DD2108");
/// A node filter that names something that does not exist.
pub const UNKNOWN_FILTER_NAME: Code = Code("DD2110");
/// Permissions that are written as a number.
pub const NUMERIC_PERMISSIONS: Code = Code("DD1111");
/// A route to a route domain that no network belongs to.
pub const UNKNOWN_ROUTE_DOMAIN: Code = Code("DD2112");
/// A node filter that no node passes.
pub const SELECTS_NOTHING: Code = Code("DD2115");
/// A node filter without criteria.
pub const EMPTY_FILTER: Code = Code("DD2113");
/// A deployment strategy or group that does not exist.
pub const UNKNOWN_DEPLOYMENT: Code = Code("DD2116");
/// Deployment groups that depend on one another.
pub const DEPLOYMENT_CYCLE: Code = Code("DD1112");
/// A node that two deployment groups select.
pub const NODE_IN_TWO_GROUPS: Code = Code("DD2117");
