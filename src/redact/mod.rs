//! Values that must not be printed, usable from every module.

mod value;

pub use value::Secret;
