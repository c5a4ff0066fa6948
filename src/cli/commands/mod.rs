//! One file per command.

pub mod adopt;
pub mod apply;
pub mod approve;
pub mod destroy;
pub mod diff;
pub mod discover;
pub mod explain;
pub mod graph;
pub mod plan;
pub mod rebind;
pub mod rehearse;
pub mod render;
pub mod resume;
pub mod runs;
pub mod schema;
pub mod show;
pub mod sim;
pub mod state;
pub mod unlock;
pub mod validate;
pub mod verify;
