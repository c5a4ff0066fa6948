//! Output formats.

pub mod diagnostics;
mod mask;

#[cfg(test)]
mod diagnostics_tests;
