//! The drivers of a site, as its settings (or its simulation) say.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use super::design::Design;
use super::simulated::{self, Simulated};
use crate::action::{Action, DriverRole};
use crate::apply;
use crate::build::Binding;
use crate::cli::output::Printer;
use crate::cli::problem::Problem;
use crate::config::{OobOverride, Transport};
use crate::driver::http::HttpOptions;
use crate::driver::maas::{MaasDriver, MaasOptions};
use crate::driver::redfish::{RedfishDriver, RedfishOptions};
use crate::driver::{BmcEndpoint, Driver as _, NodeDriver, OobDriver};
use crate::model::{Node, OobType};
use crate::plan::Plan;
use crate::redact::Secret;
use crate::secret;

/// Polling of a simulated site, whose time is compressed.
const SIMULATED_POLL: Duration = Duration::from_millis(100);

/// What talks to a site.
#[derive(Debug)]
pub struct Drivers {
    /// The provisioner.
    pub maas: Arc<MaasDriver>,
    /// BMCs.
    pub redfish: Arc<RedfishDriver>,
    /// Nodes whose BMC no driver talks to, and why.
    pub without_oob: BTreeMap<String, String>,
    /// The simulated site, if it is one.
    pub simulated: Option<Simulated>,
}

impl Drivers {
    /// Makes the drivers and resolves their secrets; starts the simulated site if the settings have one.
    pub async fn connect(design: &Design, printer: &Printer) -> anyhow::Result<Self> {
        Self::make(design, &BTreeMap::new(), printer).await
    }

    /// The drivers that carry out a plan. BMCs are those that the plan was made with, whatever addresses the design gives by now; only what is secret, and
    /// so in no plan, is read from the design again.
    pub async fn for_plan(design: &Design, plan: &Plan, printer: &Printer) -> anyhow::Result<Self> {
        let asks_bmc = |a: &&Action| a.kind.role() == DriverRole::Oob;
        let mut bmcs_of = plan.actions.iter().filter(asks_bmc).filter_map(|a| a.node.as_ref());
        if let Some(gone) = bmcs_of.find(|node| !design.site.nodes.contains_key(*node)) {
            let message = format!("the design no longer has {gone}, and the credentials of its BMC are read from there");
            return Err(Problem::refused(message)
                .help("put its document back, or name a commit that has it with `--ref COMMIT`; to do without the node, plan again")
                .into());
        }
        for (node, planned) in &plan.bindings {
            let designed = design.site.nodes.get(node).and_then(|n| n.oob.address.as_ref()).map(|a| a.value.to_string());
            if let (Some(planned), Some(designed)) = (&planned.bmc_address, designed)
                && *planned != designed
            {
                printer.note(&format!(
                    "{node}: the design has its BMC at {designed} now; this plan was made with the one at {planned} and goes on with it"
                ));
            }
        }
        Self::make(design, &plan.bindings, printer).await
    }

    async fn make(design: &Design, pinned: &BTreeMap<String, Binding>, printer: &Printer) -> anyhow::Result<Self> {
        let settings = &design.settings;
        let simulated = simulated::start(design, printer).await?;
        let maas = MaasDriver::new(maas_options(design, simulated.as_ref()).await?)?;
        let mut endpoints = Vec::new();
        let mut without_oob = BTreeMap::new();
        let fallback = match &settings.drivers.redfish.credentials {
            Some(c) if simulated.is_none() => {
                Some((c.username.clone(), secret::resolve(&c.password, &settings.root).await.context("`drivers.redfish.credentials`")?))
            }
            _ => None,
        };
        for node in design.site.nodes.values() {
            let pinned = pinned.get(&node.name.value).and_then(|b| b.bmc_address.as_deref());
            match bmc_endpoint(design, node, pinned, simulated.as_ref(), fallback.as_ref()) {
                Ok(endpoint) => endpoints.push(endpoint),
                Err(why) => {
                    without_oob.insert(node.name.value.clone(), why);
                }
            }
        }
        let mut options = RedfishOptions::default();
        transport(&mut options.http, settings.redfish_transport());
        if let Some(limit) = settings.drivers.redfish.request_timeout {
            options.http.set_request_timeout(limit.0);
        }
        if let Some(interval) = settings.drivers.redfish.poll_interval {
            options.poll = interval.0;
        }
        if simulated.is_some() {
            options.poll = SIMULATED_POLL;
            options.confirm_pause = SIMULATED_POLL;
        }
        let redfish = RedfishDriver::new(endpoints, options)?;
        Ok(Self { maas: Arc::new(maas), redfish: Arc::new(redfish), without_oob, simulated })
    }

    /// As the engine wants them.
    pub fn for_engine(&self) -> apply::Drivers {
        apply::Drivers {
            node: BTreeMap::from([(self.maas.name().to_owned(), Arc::clone(&self.maas) as Arc<dyn NodeDriver>)]),
            oob: BTreeMap::from([(self.redfish.name().to_owned(), Arc::clone(&self.redfish) as Arc<dyn OobDriver>)]),
            oob_of: BTreeMap::new(),
        }
    }

    /// Ends sessions, and the simulated site.
    pub async fn close(self) -> anyhow::Result<()> {
        self.redfish.close().await;
        match self.simulated {
            Some(simulated) => simulated.stop().await,
            None => Ok(()),
        }
    }
}

/// Copies what the settings say about a connection.
pub(super) fn transport(http: &mut HttpOptions, settings: Transport) {
    let Transport { ca_file, pinned_sha256, insecure_skip_tls_verify, allow_plain_http } = settings;
    http.ca_file = ca_file;
    http.pinned_sha256 = pinned_sha256;
    http.insecure_skip_tls_verify = insecure_skip_tls_verify;
    http.allow_plain_http = allow_plain_http;
}

async fn maas_options(design: &Design, simulated: Option<&Simulated>) -> anyhow::Result<MaasOptions> {
    let settings = &design.settings;
    let site = design.site.name.value.clone();
    if let Some(simulated) = simulated {
        let mut options = MaasOptions::new(simulated.maas_url(), simulated.maas_api_key(), site);
        options.poll_interval = SIMULATED_POLL;
        options.simulated = true;
        if let Some(limit) = settings.drivers.maas.request_timeout {
            options.http.set_request_timeout(limit.0);
        }
        return Ok(options);
    }
    let maas = &settings.drivers.maas;
    let (Some(url), Some(key)) = (&maas.url, &maas.api_key) else {
        return Err(Problem::new("no provisioner is configured")
            .at(&settings.shown)
            .help("say where MAAS is: `drivers: {maas: {url: https://maas.example.net/MAAS, api_key: {env: MAAS_API_KEY}}}`, or try the design with `simulate: {}`")
            .into());
    };
    let key = secret::resolve(key, &settings.root).await.context("`drivers.maas.api_key`")?;
    let mut options = MaasOptions::new(url, key, site);
    transport(&mut options.http, settings.maas_transport());
    if let Some(interval) = maas.poll_interval {
        options.poll_interval = interval.0;
    }
    if let Some(limit) = maas.request_timeout {
        options.http.set_request_timeout(limit.0);
    }
    Ok(options)
}

/// How a node's BMC is reached, or why it is not.
fn bmc_endpoint(
    design: &Design,
    node: &Node,
    pinned: Option<&str>,
    simulated: Option<&Simulated>,
    fallback: Option<&(String, Secret)>,
) -> Result<BmcEndpoint, String> {
    let settings = &design.settings;
    let redfish = settings.drivers.oob.override_with == Some(OobOverride::Redfish);
    match node.oob.kind.as_ref().map(|k| k.value) {
        Some(OobType::Redfish) => {}
        Some(_) if redfish => {}
        Some(other) => {
            return Err(format!(
                "out-of-band type `{}` has no driver yet; set `drivers.oob.override: redfish` if its BMC speaks Redfish",
                other.name()
            ));
        }
        None => return Err("the design gives no out-of-band type".to_owned()),
    }
    let pinned = pinned.and_then(|text| text.parse().ok());
    let Some(address) = pinned.or_else(|| node.oob.address.as_ref().map(|a| a.value)) else {
        return Err("the design gives no out-of-band address".to_owned());
    };
    let shown = address.to_string();
    let url = if let Some(simulated) = simulated {
        simulated.bmc_url(&shown).ok_or_else(|| format!("the simulated site has no BMC at {shown}"))?
    } else if let Some(url) = settings.drivers.redfish.endpoints.get(&shown) {
        url.clone()
    } else {
        let in_url = if address.is_ipv6() { format!("[{shown}]") } else { shown.clone() };
        settings.drivers.redfish.url.as_deref().unwrap_or("https://{address}").replace("{address}", &in_url)
    };
    let (username, password) = match (&node.oob.account, &node.oob.credential, fallback) {
        (_, Some(credential), _) if design.encrypted.covers(credential.span) => {
            return Err("its BMC's password is encrypted by Pegleg; decrypt the site's secrets before planning".to_owned());
        }
        (Some(account), Some(credential), _) => (account.value.clone(), credential.value.clone()),
        (_, _, Some((username, password))) => (username.clone(), password.clone()),
        _ => {
            return Err(
                "no credentials: neither `oob.account` and `oob.credential` in the design nor `drivers.redfish.credentials`".to_owned()
            );
        }
    };
    Ok(BmcEndpoint { node: node.name.value.clone(), address: shown, url, username, password })
}
