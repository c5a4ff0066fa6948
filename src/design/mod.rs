//! What people write in each kind of document: its keys and their shapes, one file per kind.
//!
//! In: the data of a document. Out: diagnostics for keys that nothing reads and for collections of the wrong type. Values themselves are read by
//! [`crate::model`], after inheritance. The keys are those of Drydock's published schemas and of its documentation. Imports `yaml`, `diag`, `document`.

mod boot_action;
pub mod codes;
mod hardware_profile;
mod host;
mod network;
mod network_link;
mod rack;
mod region;
mod schema;
mod shape;
mod words;

#[cfg(test)]
mod schema_tests;

pub use schema::{json_schema, json_schema_of_all};
pub(crate) use shape::similar;
pub use shape::{Shape, inspect, shape_of};
