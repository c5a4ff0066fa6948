//! The driver.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::machine::IpmiMachine;
use super::options::{BootMode, IpmiOptions};
use super::tool::{Line, Tool};
use crate::build::{Bmc, BmcHealth};
use crate::driver::level::{Levels, Times};
use crate::driver::{Begun, BmcEndpoint, Call, Driver, DriverError, ErrorClass, Observation, OobDriver};

/// The driver's name in plans and facts.
pub(super) const NAME: &str = "ipmi";

/// Longest time of one beginning; an engine gives a request a minute.
const BEGIN_LIMIT: Duration = Duration::from_secs(55);

/// Drives BMCs over IPMI. The URL of an endpoint is `HOST` or `HOST:PORT`.
#[derive(Clone)]
pub struct IpmiDriver {
    levels: Arc<Levels<IpmiMachine>>,
    tool: Arc<Tool>,
}

impl fmt::Debug for IpmiDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IpmiDriver").field("nodes", &self.levels.names()).finish_non_exhaustive()
    }
}

impl IpmiDriver {
    /// A driver of these BMCs, each with how its machine's firmware boots. Nothing is run yet.
    ///
    /// # Errors
    /// When an address is none, a user name or password is longer than IPMI has room for, a node has two BMCs, or no cipher suite is allowed.
    pub fn new(endpoints: Vec<(BmcEndpoint, BootMode)>, options: &IpmiOptions) -> Result<Self, DriverError> {
        if options.cipher_suites.is_empty() {
            return Err(DriverError::new(ErrorClass::Settings, "no cipher suite is allowed for IPMI").hint("allow 17 and 3"));
        }
        let tool = Tool::new(options);
        let mut machines = Vec::with_capacity(endpoints.len());
        for (endpoint, mode) in endpoints {
            let node = endpoint.node.clone();
            machines.push((node, IpmiMachine { line: Line::new(Arc::clone(&tool), endpoint)?, mode, fru: Mutex::default() }));
        }
        let times = Times {
            poll: options.poll,
            settle: options.settle,
            confirm_pause: options.confirm_pause,
            observe_limit: options.observe_limit,
            begin_limit: BEGIN_LIMIT,
        };
        Ok(Self { levels: Levels::new(NAME, times, options.parallel, machines)?, tool })
    }

    /// The version of `ipmitool`.
    ///
    /// # Errors
    /// When it is not there, with how to install it.
    pub async fn tool_version(&self) -> Result<String, DriverError> {
        self.tool.version().await
    }
}

#[async_trait]
impl Driver for IpmiDriver {
    fn name(&self) -> &'static str {
        NAME
    }

    fn poll_interval(&self) -> Duration {
        self.levels.poll_interval()
    }

    async fn observe(&self, calls: &[Call]) -> Vec<Result<Observation, DriverError>> {
        self.levels.observe(calls).await
    }

    async fn begin(&self, call: &Call) -> Result<Begun, DriverError> {
        self.levels.begin(call).await
    }
}

#[async_trait]
impl OobDriver for IpmiDriver {
    async fn interrogate(&self, node: &str) -> Result<Bmc, DriverError> {
        self.levels.interrogate(node).await
    }

    async fn health(&self, node: &str) -> Result<BmcHealth, DriverError> {
        self.levels.health(node).await
    }
}
