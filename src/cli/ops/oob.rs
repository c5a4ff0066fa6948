//! Which driver talks to each node's BMC, where, and as whom.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use super::confirmations::InState;
use super::design::Design;
use super::drivers::at_most;
use super::simulated::Simulated;
use crate::build::Binding;
use crate::config::{BootModeSetting, Credentials, IpmiPrivilege, OobOverride, Settings};
use crate::driver::ipmi::{BootMode, IpmiDriver, IpmiOptions, Privilege};
use crate::driver::libvirt::{LibvirtDriver, LibvirtNode, LibvirtOptions};
use crate::driver::manual::{ManualDriver, ManualNode};
use crate::driver::permit::Permit;
use crate::driver::redfish::{self, RedfishDriver, RedfishOptions, Trust};
use crate::driver::{BmcEndpoint, OobDriver};
use crate::model::{Node, OobType};
use crate::plan::Limits;
use crate::redact::Secret;
use crate::secret;

/// Polling of a simulated site, whose time is compressed.
pub(super) const SIMULATED_POLL: Duration = Duration::from_millis(100);

/// The drivers of BMCs.
#[derive(Default)]
pub(super) struct Oob {
    /// By name.
    pub(super) drivers: BTreeMap<String, Arc<dyn OobDriver>>,
    /// Name of the driver, by node.
    pub(super) of: BTreeMap<String, String>,
    /// Nodes whose BMC no driver talks to, and why.
    pub(super) without: BTreeMap<String, String>,
}

impl Oob {
    fn add(&mut self, driver: impl OobDriver + 'static) {
        self.drivers.insert(driver.name().to_owned(), Arc::new(driver));
    }
}

/// Makes the drivers of all nodes and resolves their secrets.
///
/// `pinned` are the machines of a plan that is carried out: BMCs are those that it was made with, whatever the design says by now. `planned` are its limits.
pub(super) async fn connect(
    design: &Design,
    pinned: &BTreeMap<String, Binding>,
    planned: Option<&Limits>,
    simulated: Option<&Simulated>,
    permit: &Permit,
) -> anyhow::Result<Oob> {
    let settings = &design.settings;
    let (mut redfish, mut ipmi, mut libvirt, mut manual) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut oob = Oob::default();
    let fallback = Fallback::resolve(settings, simulated.is_some()).await?;
    for node in design.site.nodes.values() {
        let name = node.name.value.clone();
        let pinned = pinned.get(&name).and_then(|b| b.bmc_address.as_deref());
        let made = match kind(settings, node, simulated.is_some()) {
            Ok(OobType::Ipmi) => ipmi_endpoint(design, node, pinned, &fallback).map(|endpoint| {
                ipmi.push((endpoint, boot_mode(design, node)));
                "ipmi"
            }),
            Ok(OobType::Libvirt) => libvirt_node(node, pinned).map(|node| {
                libvirt.push(node);
                "libvirt"
            }),
            Ok(OobType::Manual) => {
                manual.push(manual_node(node));
                Ok("manual")
            }
            Ok(OobType::Redfish) => redfish_endpoint(design, node, pinned, simulated, &fallback).map(|endpoint| {
                redfish.push(endpoint);
                "redfish"
            }),
            Err(why) => Err(why),
        };
        match made {
            Ok(driver) => drop(oob.of.insert(name, driver.to_owned())),
            Err(why) => drop(oob.without.insert(name, why)),
        }
    }
    let mut options = redfish_options(design, simulated).await?;
    let requests = |driver: &str| planned.and_then(|limits| limits.requests.get(driver));
    let per_bmc = settings.limits.requests_per_bmc.map_or(1, |n| n as usize);
    let per_bmc = at_most(per_bmc, planned.map(|limits| &limits.requests_per_bmc));
    options.parallel = at_most(options.parallel, requests("redfish"));
    options.per_bmc = per_bmc;
    options.http.permit = permit.clone();
    oob.add(RedfishDriver::new(redfish, options)?);
    if !ipmi.is_empty() {
        let mut options = ipmi_options(settings);
        options.parallel = at_most(options.parallel, requests("ipmi"));
        options.per_bmc = per_bmc;
        options.permit = permit.clone();
        oob.add(IpmiDriver::new(ipmi, &options)?);
    }
    if !libvirt.is_empty() {
        let options = LibvirtOptions { permit: permit.clone(), ..libvirt_options(settings) };
        oob.add(LibvirtDriver::new(libvirt, &options)?);
    }
    if !manual.is_empty() {
        let confirmations = InState::new(settings.clone(), design.site.name.value.clone());
        oob.add(ManualDriver::new(manual, Arc::new(confirmations)));
    }
    Ok(oob)
}

/// The driver of a node, or why it has none.
fn kind(settings: &Settings, node: &Node, simulated: bool) -> Result<OobType, String> {
    let redfish = settings.drivers.oob.override_with == Some(OobOverride::Redfish);
    match node.oob.kind.as_ref().map(|k| k.value) {
        Some(OobType::Redfish) => Ok(OobType::Redfish),
        Some(_) if redfish => Ok(OobType::Redfish),
        Some(OobType::Manual) => Ok(OobType::Manual),
        Some(other) if simulated => Err(format!(
            "out-of-band type `{}` is not simulated; set `drivers.oob.override: redfish` to drive its simulated BMC over Redfish",
            other.name()
        )),
        Some(other) => Ok(other),
        None => Err("the design gives no out-of-band type".to_owned()),
    }
}

/// Credentials of the settings, for nodes whose documents give none.
struct Fallback {
    redfish: Option<(String, Secret)>,
    ipmi: Option<(String, Secret)>,
}

impl Fallback {
    async fn resolve(settings: &Settings, simulated: bool) -> anyhow::Result<Self> {
        let one = async |given: &Option<Credentials>, name: &str| match given {
            Some(c) if !simulated => {
                let password =
                    secret::resolve(&c.password, &settings.root).await.with_context(|| format!("`drivers.{name}.credentials`"))?;
                anyhow::Ok(Some((c.username.clone(), password)))
            }
            _ => Ok(None),
        };
        Ok(Self {
            redfish: one(&settings.drivers.redfish.credentials, "redfish").await?,
            ipmi: one(&settings.drivers.ipmi.credentials, "ipmi").await?,
        })
    }
}

fn address(node: &Node, pinned: Option<&str>) -> Result<std::net::IpAddr, String> {
    if let Some(address) = pinned.and_then(|text| text.parse().ok()) {
        return Ok(address);
    }
    node.oob.address.as_ref().map(|a| a.value).ok_or_else(|| "the design gives no out-of-band address".to_owned())
}

/// Who we are at a node's BMC.
fn credentials(design: &Design, node: &Node, fallback: Option<&(String, Secret)>, driver: &str) -> Result<(String, Secret), String> {
    match (&node.oob.account, &node.oob.credential, fallback) {
        (_, Some(credential), _) if design.encrypted.covers(credential.span) => {
            Err("its BMC's password is encrypted by Pegleg; decrypt the site's secrets before planning".to_owned())
        }
        (Some(account), Some(credential), _) => Ok((account.value.clone(), credential.value.clone())),
        (_, _, Some((username, password))) => Ok((username.clone(), password.clone())),
        _ => Err(format!("no credentials: neither `oob.account` and `oob.credential` in the design nor `drivers.{driver}.credentials`")),
    }
}

/// User and password of every node's BMC, for the provisioner; nodes without any are left out.
pub(super) async fn all_credentials(design: &Design, simulated: bool) -> anyhow::Result<BTreeMap<String, (String, Secret)>> {
    let fallback = Fallback::resolve(&design.settings, simulated).await?;
    let of = |node: &Node| match node.oob.kind.as_ref().map(|k| k.value) {
        Some(OobType::Ipmi) => credentials(design, node, fallback.ipmi.as_ref(), "ipmi").ok(),
        _ => credentials(design, node, fallback.redfish.as_ref(), "redfish").ok(),
    };
    Ok(design.site.nodes.values().filter_map(|n| Some((n.name.value.clone(), of(n)?))).collect())
}

fn redfish_endpoint(
    design: &Design,
    node: &Node,
    pinned: Option<&str>,
    simulated: Option<&Simulated>,
    fallback: &Fallback,
) -> Result<BmcEndpoint, String> {
    let settings = &design.settings.drivers.redfish;
    let address = address(node, pinned)?;
    let shown = address.to_string();
    let url = if let Some(simulated) = simulated {
        simulated.bmc_url(&shown).ok_or_else(|| format!("the simulated site has no BMC at {shown}"))?
    } else if let Some(url) = settings.endpoints.get(&shown) {
        url.clone()
    } else {
        let in_url = if address.is_ipv6() { format!("[{shown}]") } else { shown.clone() };
        settings.url.as_deref().unwrap_or("https://{address}").replace("{address}", &in_url)
    };
    let (username, password) = credentials(design, node, fallback.redfish.as_ref(), "redfish")?;
    Ok(BmcEndpoint { node: node.name.value.clone(), address: shown, url, username, password })
}

async fn redfish_options(design: &Design, simulated: Option<&Simulated>) -> anyhow::Result<RedfishOptions> {
    let settings = &design.settings;
    let mut options = RedfishOptions::default();
    super::drivers::transport(&mut options.http, settings.redfish_transport());
    if let Some(limit) = settings.drivers.redfish.request_timeout {
        options.http.set_request_timeout(limit.0);
    }
    if let Some(interval) = settings.drivers.redfish.poll_interval {
        options.poll = interval.0;
    }
    if let Some(parallel) = settings.drivers.redfish.parallel {
        options.parallel = usize::from(parallel.get());
    }
    for (address, ca_file, pins) in settings.redfish_certificates() {
        options.trust.insert(address.to_owned(), Trust { ca_file, pinned_sha256: pins.to_vec() });
    }
    for node in design.site.nodes.values() {
        let mode = match profile_boot_mode(design, node) {
            Some("uefi") => redfish::BootMode::Uefi,
            Some("bios") => redfish::BootMode::Legacy,
            _ => continue,
        };
        options.boot_modes.insert(node.name.value.clone(), mode);
    }
    if let Some(simulated) = simulated {
        options.poll = settings.drivers.redfish.poll_interval.map_or(SIMULATED_POLL, |interval| interval.0);
        options.confirm_pause = SIMULATED_POLL;
        options.http.ca_file = simulated.bmc_certificate().or(options.http.ca_file);
    } else {
        options.http.proxy = super::drivers::proxy(settings, settings.drivers.redfish.proxy.as_ref(), "drivers.redfish").await?;
    }
    Ok(options)
}

fn ipmi_endpoint(design: &Design, node: &Node, pinned: Option<&str>, fallback: &Fallback) -> Result<BmcEndpoint, String> {
    let shown = address(node, pinned)?.to_string();
    let url = design.settings.drivers.ipmi.endpoints.get(&shown).unwrap_or(&shown).clone();
    let (username, password) = credentials(design, node, fallback.ipmi.as_ref(), "ipmi")?;
    Ok(BmcEndpoint { node: node.name.value.clone(), address: shown, url, username, password })
}

/// How a node's hardware profile says that its firmware boots.
fn profile_boot_mode<'a>(design: &'a Design, node: &Node) -> Option<&'a str> {
    let profile = node.hardware_profile.as_ref().and_then(|p| design.site.hardware_profiles.get(&p.value))?;
    profile.boot_mode.as_ref().map(|m| m.value.as_str())
}

/// How a node's firmware boots: by its hardware profile, else by the settings.
fn boot_mode(design: &Design, node: &Node) -> BootMode {
    match (profile_boot_mode(design, node), design.settings.drivers.ipmi.boot_mode) {
        (Some("bios"), _) | (None, Some(BootModeSetting::Bios)) => BootMode::Bios,
        _ => BootMode::Uefi,
    }
}

fn ipmi_options(settings: &Settings) -> IpmiOptions {
    let given = &settings.drivers.ipmi;
    let mut options = IpmiOptions::default();
    if let Some(program) = &given.program {
        options.program = program_of(settings, program);
    }
    if let Some(suites) = &given.cipher_suites {
        options.cipher_suites.clone_from(suites);
    }
    if given.privilege == Some(IpmiPrivilege::Operator) {
        options.privilege = Privilege::Operator;
    }
    if let Some(parallel) = given.parallel {
        options.parallel = parallel as usize;
    }
    if let Some(interval) = given.poll_interval {
        options.poll = interval.0;
    }
    if let Some(limit) = given.request_timeout {
        options.command_limit = limit.0;
        options.observe_limit = limit.0;
    }
    options
}

/// A bare name is looked up in `PATH`; a path is relative to the folder of the settings, as everywhere.
fn program_of(settings: &Settings, program: &Path) -> PathBuf {
    if program.components().count() > 1 { settings.path(program) } else { program.to_owned() }
}

fn libvirt_node(node: &Node, pinned: Option<&str>) -> Result<LibvirtNode, String> {
    let given = node.oob.libvirt_uri.as_ref().map(|uri| uri.value.as_str());
    let uri = pinned.filter(|p| p.contains("://")).or(given).ok_or("the design gives no `oob.libvirt_uri`")?;
    let boot_mac = node.boot_mac.as_ref().ok_or("a libvirt domain is found by `metadata.boot_mac`, which the design does not give")?;
    Ok(LibvirtNode { node: node.name.value.clone(), uri: uri.to_owned(), boot_mac: boot_mac.value.clone() })
}

fn libvirt_options(settings: &Settings) -> LibvirtOptions {
    let given = &settings.drivers.libvirt;
    let mut options = LibvirtOptions::default();
    if let Some(program) = &given.program {
        options.program = program_of(settings, program);
    }
    if let Some(interval) = given.poll_interval {
        options.poll = interval.0;
    }
    if let Some(limit) = given.request_timeout {
        options.command_limit = limit.0;
    }
    if let Some(ssh) = &given.ssh {
        options.ssh = program_of(settings, ssh);
    }
    options.jump.clone_from(&given.jump);
    options
}

fn manual_node(node: &Node) -> ManualNode {
    ManualNode {
        node: node.name.value.clone(),
        rack: node.rack.as_ref().map(|r| r.value.clone()),
        address: node.oob.address.as_ref().map(|a| a.value.to_string()),
        boot_mac: node.boot_mac.as_ref().map(|m| m.value.clone()),
    }
}
