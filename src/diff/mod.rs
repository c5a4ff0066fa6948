//! Model × build → changes.
//!
//! In: the applied model, the build model, what the state remembers. Out: a [`Change`] per resource that differs, attribute by attribute, with effect
//! class and reasons; what is blocked, held back, orphaned or not managed. Comparison is semantic: sizes are rounded as the provisioner rounds them.
//! Pure. Imports `yaml`, `diag`, `model`, `build`, `action`.

mod change;

pub use change::{AttributeChange, Blocked, Change, HeldBack, NodeStage, NotManaged, Operation, Orphan, Stage};
