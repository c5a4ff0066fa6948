//! The MAAS driver: MAAS 2.9 to 3.7 over the 2.0 API, signed with OAuth 1.0 PLAINTEXT.
//!
//! In: resolved [`Call`](super::Call)s. Out: observations, and discovery as a [`Provisioner`](crate::build::Provisioner). A batch of observations
//! reads each list once and machines once, whatever the number of calls; what several ask for at the same time is one request, sent after all of them
//! asked. What an action needs done is a pure function of those lists; the same
//! function serves observing and beginning, so an action that was stopped half-way goes on from what is there. May import `action`, `build`,
//! `redact` and the HTTP base.
//!
//! Facts of MAAS that shape it: a nonce is accepted once, so each repetition is signed anew; 401 bodies can hold the token secret and are never
//! read; `op=power_parameters` answers passwords, of which only the address is decoded; owner data exist only while a machine is owned;
//! `machines/` without credentials answers 400.

mod auth;
mod bson;
mod calls;
mod client;
mod decide;
mod discover;
mod driver;
mod lists;
mod lldp;
mod lshw;
mod machine_actions;
mod machines;
mod network;
mod networking;
mod options;
mod prerequisites;
mod removal;
mod site_actions;
mod sizes;
mod storage;
mod together;
mod wire;

#[cfg(test)]
mod tests;

pub use calls::{CALLS, Calls, READS};
#[cfg(test)]
pub(super) use client::class_of_refusal;
pub use driver::{DesignSecrets, MaasDriver};
pub use options::MaasOptions;
