//! Integration tests: files in, text out.

mod check_cases;
mod cli_apply;
mod cli_plan;
mod cli_support;
mod cli_usage;
mod idempotence;
mod layers;
mod odd_designs;
mod oracle;
mod planning;
mod redfish_sushy;
mod rules;
mod sample_sites;
mod support;
