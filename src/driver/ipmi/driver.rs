//! The driver.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::machine::IpmiMachine;
use super::options::{BootMode, IpmiOptions};
use super::tool::{Line, Tool};
use crate::driver::level::{Levelled, Levels, Times};
use crate::driver::{BmcEndpoint, DriverError, ErrorClass};

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

impl Levelled for IpmiDriver {
    type Machine = IpmiMachine;

    fn levels(&self) -> &Arc<Levels<IpmiMachine>> {
        &self.levels
    }
}
