//! Integration tests: files in, text out.

mod check_cases;
mod sample_sites;
