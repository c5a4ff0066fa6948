//! Against recorded answers of a real MAAS 3.7.3.

mod discovery;
mod failures;
mod machine_actions;
mod machine_setup;
mod server;
mod site_actions;
