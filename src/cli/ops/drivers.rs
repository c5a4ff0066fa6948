//! The drivers of a site, as its settings (or its simulation) say.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;

use super::design::Design;
use super::hooks;
use super::oob::{self, Oob, SIMULATED_POLL};
use super::simulated::{self, Simulated};
use crate::action::{Action, ActionKind, DriverRole};
use crate::apply;
use crate::build::Binding;
use crate::cli::output::Printer;
use crate::cli::problem::Problem;
use crate::config::{ProxySettings, Settings, Transport};
use crate::driver::hook::HookDriver;
use crate::driver::http::{HttpOptions, Proxy};
use crate::driver::maas::{DesignSecrets, MaasDriver, MaasOptions};
use crate::driver::permit::Permit;
use crate::driver::{Driver, NodeDriver, OobDriver};
use crate::model::assets;
use crate::plan::{Limits, Plan};
use crate::redact::{Secret, url_credentials};
use crate::secret;

/// What talks to a site.
pub struct Drivers {
    /// The provisioner.
    pub maas: Arc<MaasDriver>,
    oob: Oob,
    hooks: Option<Arc<HookDriver>>,
    /// What they all rest on.
    permit: Permit,
    /// The simulated site, if it is one.
    pub simulated: Option<Simulated>,
}

impl std::fmt::Debug for Drivers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drivers").field("oob", &self.oob.of).finish_non_exhaustive()
    }
}

impl Drivers {
    /// Makes the drivers and resolves their secrets; starts the simulated site if the settings have one.
    pub async fn connect(design: &Design, printer: &Printer) -> anyhow::Result<Self> {
        Self::make(design, &BTreeMap::new(), None, printer).await
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
        Self::make(design, &plan.bindings, Some(&plan.limits), printer).await
    }

    /// Makes what runs the hooks of a plan; resolves their secrets, so that what is missing is said before anything is begun.
    pub async fn give_hooks(&mut self, design: &Design, plan: &Plan) -> anyhow::Result<()> {
        self.hooks = hooks::connect(design, plan, &self.permit).await?;
        Ok(())
    }

    /// `planned` are limits that a plan was made with: settings may have become lower since, and not higher.
    async fn make(
        design: &Design,
        pinned: &BTreeMap<String, Binding>,
        planned: Option<&Limits>,
        printer: &Printer,
    ) -> anyhow::Result<Self> {
        let simulated = simulated::start(design, printer).await?;
        let permit = Permit::default();
        let mut options = maas_options(design, simulated.as_ref()).await?;
        options.http.permit = permit.clone();
        let settings = &design.settings.drivers.maas;
        if let Some(most) = settings.max_requests {
            options.max_requests = usize::from(most.get());
        }
        options.max_requests = at_most(options.max_requests, planned.and_then(|l| l.requests.get("maas")));
        let groups = design.site.nodes.values().flat_map(|n| n.storage.volume_groups.values());
        options.group_uuids = groups.into_iter().any(|g| g.vg_uuid.is_some());
        if settings.manage_power {
            options.bmc_credentials = oob::all_credentials(design, simulated.is_some()).await?;
        }
        let maas = MaasDriver::new(options)?;
        let oob = oob::connect(design, pinned, planned, simulated.as_ref(), &permit).await?;
        Ok(Self { maas: Arc::new(maas), oob, hooks: None, permit, simulated })
    }

    /// Gives the provisioner what a plan needs and does not hold, as it may be secret: what nodes get with their deployment, and credentials in URLs. It is
    /// made from the design.
    pub fn give_secrets(&self, design: &Design, plan: &Plan) {
        let deployed = plan.actions.iter().filter(|a| a.kind == ActionKind::DeployNode).filter_map(|a| a.node.as_ref());
        let given = deployed.filter_map(|name| {
            let delivery = assets::delivery(&design.site, design.site.nodes.get(name)?);
            Some((name.clone(), (delivery.shown?, delivery.document?)))
        });
        let user_data = given.collect();
        let urls = design.site.region.repositories.iter().map(|(name, r)| (name, &r.url.value));
        let secret = urls.filter(|(_, url)| !url_credentials(url).is_empty());
        let repository_urls = secret.map(|(name, url)| (name.clone(), Secret::new(url.as_str()))).collect();
        self.maas.give(DesignSecrets { user_data, repository_urls });
    }

    /// The driver of a node's BMC.
    pub fn bmc(&self, node: &str) -> Option<&Arc<dyn OobDriver>> {
        self.oob.drivers.get(self.oob.of.get(node)?)
    }

    /// Name of each node's OOB driver.
    pub fn oob_names(&self) -> &BTreeMap<String, String> {
        &self.oob.of
    }

    /// The OOB drivers that nodes have, by name.
    pub fn oob_drivers(&self) -> impl Iterator<Item = (&String, &Arc<dyn OobDriver>)> {
        self.oob.drivers.iter().filter(|(name, _)| self.oob.of.values().any(|of| of == *name))
    }

    /// Nodes whose BMC no driver talks to, and why.
    pub fn without_oob(&self) -> &BTreeMap<String, String> {
        &self.oob.without
    }

    /// As the engine wants them.
    pub fn for_engine(&self) -> apply::Drivers {
        apply::Drivers {
            node: BTreeMap::from([(self.maas.name().to_owned(), Arc::clone(&self.maas) as Arc<dyn NodeDriver>)]),
            oob: self.oob.drivers.clone(),
            hooks: self.hooks.clone().map(|hooks| hooks as Arc<dyn Driver>),
            oob_of: self.oob.of.clone(),
            permit: self.permit.clone(),
        }
    }

    /// Ends sessions, and the simulated site.
    pub async fn close(self) -> anyhow::Result<()> {
        for driver in self.oob.drivers.values() {
            driver.close().await;
        }
        match self.simulated {
            Some(simulated) => simulated.stop().await,
            None => Ok(()),
        }
    }
}

/// A number of the settings, or that of a plan if it is lower.
pub(super) fn at_most(set: usize, planned: Option<&u32>) -> usize {
    planned.map_or(set, |planned| set.min(*planned as usize))
}

/// Copies what the settings say about a connection.
pub(super) fn transport(http: &mut HttpOptions, settings: Transport) {
    let Transport { ca_file, pinned_sha256, insecure_skip_tls_verify, allow_plain_http } = settings;
    http.ca_file = ca_file;
    http.pinned_sha256 = pinned_sha256;
    http.insecure_skip_tls_verify = insecure_skip_tls_verify;
    http.allow_plain_http = allow_plain_http;
}

/// The proxy of a driver, with its password.
pub(super) async fn proxy(settings: &Settings, given: Option<&ProxySettings>, what: &str) -> anyhow::Result<Option<Proxy>> {
    let Some(given) = given else { return Ok(None) };
    let credentials = match (&given.username, &given.password) {
        (Some(username), Some(password)) => {
            let password = secret::resolve(password, &settings.root).await.with_context(|| format!("`{what}.proxy.password`"))?;
            Some((username.clone(), password))
        }
        _ => None,
    };
    Ok(Some(Proxy { url: given.url.clone(), credentials }))
}

async fn maas_options(design: &Design, simulated: Option<&Simulated>) -> anyhow::Result<MaasOptions> {
    let settings = &design.settings;
    let site = design.site.name.value.clone();
    if let Some(simulated) = simulated {
        let mut options = MaasOptions::new(simulated.maas_url(), simulated.maas_api_key(), site);
        options.poll_interval = settings.drivers.maas.poll_interval.map_or(SIMULATED_POLL, |interval| interval.0);
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
    options.http.proxy = proxy(settings, maas.proxy.as_ref(), "drivers.maas").await?;
    if let Some(interval) = maas.poll_interval {
        options.poll_interval = interval.0;
    }
    if let Some(limit) = maas.request_timeout {
        options.http.set_request_timeout(limit.0);
    }
    Ok(options)
}
