//! The driver: which BMC is whose, and what its nodes share.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::connection::{Target, place};
use super::machine::RedfishMachine;
use super::options::{RedfishOptions, Trust};
use super::service::Service;
use crate::driver::http::{HttpClient, HttpOptions, Lanes};
use crate::driver::level::{Levelled, Levels, Times};
use crate::driver::{BmcEndpoint, DriverError};

/// The driver's name in plans and facts.
pub(super) const NAME: &str = "redfish";

/// Longest time of one beginning; an engine gives a request a minute.
const BEGIN_LIMIT: Duration = Duration::from_secs(55);

/// Drives BMCs over Redfish.
#[derive(Clone)]
pub struct RedfishDriver {
    levels: Arc<Levels<RedfishMachine>>,
}

impl fmt::Debug for RedfishDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedfishDriver").field("nodes", &self.levels.names()).finish_non_exhaustive()
    }
}

impl RedfishDriver {
    /// A driver of these BMCs. Nothing is contacted yet.
    ///
    /// # Errors
    /// When a URL is none, or is plain HTTP to another machine without leave, a node has two BMCs, or a CA file or fingerprint cannot be used.
    pub fn new(endpoints: Vec<BmcEndpoint>, options: RedfishOptions) -> Result<Self, DriverError> {
        let RedfishOptions { http, trust: trusted, boot_modes, parallel, per_bmc, settle, poll, observe_limit, confirm_pause } = options;
        let lanes = Arc::new(Lanes::new(per_bmc, parallel));
        let mut clients: BTreeMap<Option<Trust>, HttpClient> = BTreeMap::new();
        let mut services: BTreeMap<(String, String, String), Arc<Service>> = BTreeMap::new();
        let mut machines = Vec::with_capacity(endpoints.len());
        for endpoint in endpoints {
            let node = endpoint.node.clone();
            let trust = trusted.get(&endpoint.address).cloned();
            let patient = if let Some(known) = clients.get(&trust) {
                known.clone()
            } else {
                let own = match &trust {
                    Some(Trust { ca_file, pinned_sha256 }) => HttpOptions {
                        ca_file: ca_file.clone(),
                        pinned_sha256: pinned_sha256.clone(),
                        insecure_skip_tls_verify: false,
                        ..http.clone()
                    },
                    None => http.clone(),
                };
                clients.entry(trust).or_insert(HttpClient::new(own)?).clone()
            };
            let (root, system) = place(&endpoint)?;
            let at = format!("node {node}, BMC {}", endpoint.address);
            patient.check_url(&root).map_err(|e| DriverError { message: format!("{at}: {}", e.message), ..e })?;
            // Who has the same account at the same BMC has the same session.
            let who = (root.to_string(), endpoint.username.clone(), endpoint.password.expose().to_owned());
            let service = Arc::clone(services.entry(who).or_insert_with(|| Arc::new(Service::new(root, Arc::clone(&lanes)))));
            let mode = boot_modes.get(&node).copied();
            let quick = patient.with_attempts(1);
            let target = Target { endpoint, service, system };
            machines.push((node, RedfishMachine { target, mode, patient, quick, memory: Mutex::default() }));
        }
        let times = Times { poll, settle, confirm_pause, observe_limit, begin_limit: BEGIN_LIMIT };
        Ok(Self { levels: Levels::new(NAME, times, parallel, machines)? })
    }

    /// Ends the sessions at all BMCs; the driver can be used on, and logs in again.
    pub async fn close(&self) {
        crate::driver::OobDriver::close(self).await;
    }
}

impl Levelled for RedfishDriver {
    type Machine = RedfishMachine;

    fn levels(&self) -> &Arc<Levels<RedfishMachine>> {
        &self.levels
    }
}
