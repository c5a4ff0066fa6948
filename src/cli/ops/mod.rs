//! What several commands share: the design, the simulated site, the drivers, discovery, plans and runs.

pub mod approvals;
pub mod approve;
pub mod build_file;
pub mod confirmations;
pub mod control;
pub mod design;
pub mod discover;
pub mod drivers;
pub mod durations;
pub mod fetch;
pub mod follow;
mod hooks;
pub mod hours;
pub mod links;
mod oob;
mod operator;
pub mod page;
pub mod plan;
pub mod preview;
pub mod progress;
pub mod repository;
pub mod rule_page;
pub mod run;
pub mod simulated;
pub mod state;
pub mod telemetry;
pub mod verify;
