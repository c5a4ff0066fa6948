//! drydock: plan and apply bare-metal sites.
//!
//! ```text
//!  YAML ──► document ──► design ──► model (applied) ─────┐
//!                                    │                   ├──► diff ──► graph ──► plan ──► review ──► apply ──► driver
//!                                    └──► check          │                                             │          │
//!  driver ── discover (reads only) ──► build ────────────┘                                             ▼          ▼
//!                                                                                     store ◄── run events     the site
//! ```
//!
//! Base:
//! * [`yaml`]: text to a tree that knows file, line and column of every key and value.
//! * [`diag`]: problems of the user's files as values.
//! * [`redact`]: values that must not be printed.
//!
//! Stages, pure (no I/O, no async, no clock, no randomness):
//! * [`document`]: YAML documents and their two forms.
//! * [`design`]: what people wrote, one file per kind.
//! * [`model`]: what it means: the applied model of a site.
//! * [`build`]: what is there: facts that the drivers discovered.
//! * [`action`]: the vocabulary of actions: kinds, effects, parameters.
//! * [`check`]: rules over the model.
//! * [`diff`]: model × build → changes.
//! * [`verify`]: checks of what is there, which change nothing.
//! * [`graph`]: changes → actions and edges.
//! * [`plan`]: the plan file: digests, guards, summary.
//! * [`run`]: events of a run, its state as a fold of them, the scheduler as a state machine.
//!
//! Effects:
//! * [`source`]: files to text; [`config`]: settings; [`secret`]: references to values.
//! * [`sign`]: SSH signatures.
//! * [`driver`]: what talks to BMCs and provisioners.
//! * [`store`]: the durable state.
//! * [`apply`]: the engine that carries out a plan.
//! * [`sim`]: the simulated site.
//!
//! Edges:
//! * [`report`]: one view model, many output formats.
//! * [`cli`]: one thin file per command.

pub mod yaml;

pub mod diag;

pub mod redact;

pub mod document;

pub mod design;

pub mod model;

pub mod build;

pub mod action;

pub mod check;

pub mod diff;

pub mod verify;

pub mod graph;

pub mod plan;

pub mod run;

pub mod source;

pub mod config;

pub mod secret;

pub mod sign;

pub mod driver;

pub mod store;

pub mod apply;

pub mod sim;

pub mod report;

pub mod cli;
