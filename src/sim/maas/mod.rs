//! The MAAS 2.0 API over the world: from a [`Request`](super::http::Request) to a [`Reply`](super::http::Reply).
//!
//! Answers follow a real MAAS 3.7.3 call by call, its odd ones included: form errors are 400 with JSON, everything else is plain text, some
//! of it without a charset, and a wrong state is 409, 400 or 403 depending on the call.

mod auth;
mod boot;
mod call;
mod details;
mod groups;
mod interface_forms;
mod interfaces;
mod links;
mod machine_ops;
mod machines;
mod misc;
mod network;
mod ranges;
mod release;
mod route;
mod storage;
mod subnets;
mod tags;
mod volume_groups;

pub(crate) use auth::subject;
pub(crate) use details::lshw;
pub(crate) use route::handle;
