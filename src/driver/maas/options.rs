//! What can be set on the MAAS driver.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::driver::http::HttpOptions;
use crate::redact::Secret;

/// Settings of the MAAS driver.
#[derive(Debug, Clone)]
pub struct MaasOptions {
    /// URL (`https://maas.example.com:5443/MAAS`).
    pub url: String,
    /// API key: `consumer:token:secret`.
    pub api_key: Secret,
    /// HTTP settings. Repetitions are made by this driver, because each needs a nonce of its own.
    pub http: HttpOptions,
    /// How often waiters are polled.
    pub poll_interval: Duration,
    /// Site name.
    pub site: String,
    /// Whether it is the simulated site; only copied into [`crate::build::Endpoint`].
    pub simulated: bool,
    /// User and password of BMCs by node, for power settings in MAAS.
    pub bmc_credentials: BTreeMap<String, (String, Secret)>,
    /// How many requests are in flight at most. MAAS answers a handful at a time.
    pub max_requests: usize,
    /// Whether discovery reads the UUIDs of volume groups: one more request for each machine that has one.
    pub group_uuids: bool,
}

impl MaasOptions {
    /// Settings with the usual values: a poll every 5 seconds, 16 requests at a time, a minute for each.
    pub fn new(url: impl Into<String>, api_key: Secret, site: impl Into<String>) -> Self {
        let mut http = HttpOptions::default();
        http.set_request_timeout(Duration::from_mins(1));
        Self {
            url: url.into(),
            api_key,
            http,
            poll_interval: Duration::from_secs(5),
            site: site.into(),
            simulated: false,
            bmc_credentials: BTreeMap::new(),
            max_requests: 16,
            group_uuids: true,
        }
    }
}
