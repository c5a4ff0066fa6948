//! Integration tests: files in, text out.

#![allow(clippy::format_push_string, clippy::format_collect)] // texts of tests are small
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on fails
#![allow(clippy::print_stderr)] // A test that skips says so.

mod accepted;
mod address_ranges;
mod adopt;
mod attribute_cases;
mod check_cases;
mod cli_apply;
mod cli_endpoints;
mod cli_plan;
mod cli_support;
mod cli_usage;
mod crash;
mod discovery_cost;
mod driver_docs;
mod fault_matrix;
mod forty_mistakes;
mod hardware;
mod hostile_designs;
mod idempotence;
mod inheritance;
mod ipmi_apply;
mod ipmi_bmcs;
mod ipmi_peer;
mod layers;
mod libvirt;
mod limits;
mod manual;
mod mutations;
mod odd_designs;
mod oracle;
mod original_faults;
mod orphans;
mod perturbed_drift;
mod perturbed_faults;
mod perturbed_nodes;
mod perturbed_plans;
mod perturbed_support;
mod planning;
mod power_settings;
mod random_sites;
mod redfish_sushy;
mod remote_design;
mod removal;
mod rendering;
mod replace;
mod resuming;
mod review;
mod rule_cases;
mod rule_costs;
mod rules;
mod sample_sites;
mod schemas;
mod secrets;
mod sharing;
mod simulated_worlds;
mod slow_answers;
mod stages;
mod support;
mod user_data;
mod validate_output;
