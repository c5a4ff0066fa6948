//! Tests of the simulated site: fidelity to recorded answers of real servers, and behaviour over time.

mod behaviour;
mod fidelity;
mod fixture;
mod generated;
mod load;
mod redfish;
mod replay;
mod servers;
