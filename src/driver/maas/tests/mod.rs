//! Against recorded answers of a real MAAS 3.7.3.

mod discovery;
mod failures;
mod server;
