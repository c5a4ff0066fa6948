//! One file per command.

pub mod discover;
pub mod plan;
pub mod show;
pub mod sim;
pub mod state;
pub mod unlock;
pub mod validate;
