//! Problems of the user's files as values.
//!
//! A [`Diagnostic`] has a code, a severity, a message, positions and what to do. It is never an error type: one pass collects all it can.
//! Rendering is [`crate::report`]'s. Imports only positions of [`crate::yaml`].

mod diagnostic;

pub use diagnostic::{Code, Diagnostic, Label, Severity, has_errors};
