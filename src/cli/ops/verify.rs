//! What only verification reads. Nothing here changes anything at the site.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use super::design::Design;
use super::discover::Discovered;
use super::drivers::{Drivers, proxy, transport};
use super::state as ops;
use crate::action::ActionKind;
use crate::build::Binding;
use crate::config::{ServiceSettings, Settings, StateSettings, Transport};
use crate::driver::http::{HttpClient, HttpOptions, Method, Request, Url};
use crate::driver::{Call, Driver as _, DriverError, NodeDriver as _};
use crate::store::{SCHEMA_VERSION, SqliteStore};
use crate::verify::{Asked, NodeReadings, Reading, ServiceReading, SiteReadings, Space, StateReading, Tolerances, Unread};

/// How long a service may take to answer, if the settings do not say.
const SERVICE_LIMIT: Duration = Duration::from_secs(10);

/// Largest answer of a service.
const SERVICE_BODY: usize = 16 << 20;

fn unread(error: DriverError) -> Unread {
    Unread { message: error.message, hint: error.hint }
}

/// Reads health and neighbours of the nodes that are asked for, side by side.
pub async fn nodes(drivers: &Drivers, found: &Discovered, asked: &BTreeMap<String, Asked>) -> BTreeMap<String, NodeReadings> {
    let mut reads = JoinSet::new();
    for (node, asked) in asked {
        let error = found.bmcs.get(node).cloned().map(unread);
        let bmc = drivers.bmc(node).filter(|_| found.build.bmcs.get(node).is_some_and(|b| b.known().is_some())).cloned();
        let (maas, node, machine) = (drivers.maas.clone(), node.clone(), asked.commissioned.clone());
        reads.spawn(async move {
            let health = async {
                match bmc {
                    Some(bmc) => Some(bmc.health(&node).await.map_err(unread)),
                    None => None,
                }
            };
            let neighbours = async {
                match machine {
                    Some(machine) => Some(maas.neighbours(&machine).await.map_err(unread)),
                    None => None,
                }
            };
            let (health, neighbours) = tokio::join!(health, neighbours);
            (node, NodeReadings { bmc_error: error, health, neighbours })
        });
    }
    let mut out = BTreeMap::new();
    while let Some(read) = reads.join_next().await {
        // A task that panicked has ended the process already.
        out.extend(read);
    }
    out
}

/// Reads what the checks of the site need.
pub async fn site(design: &Design, drivers: &Drivers, found: &Discovered) -> SiteReadings {
    let settings = &design.settings;
    let (provisioner, clock, services, programs, bmc_clocks) = tokio::join!(
        provisioner(design, drivers, found),
        clock(drivers),
        services(settings),
        programs(drivers),
        bmc_clocks(drivers, found)
    );
    let folder = existing_folder(&settings.work_folder());
    SiteReadings {
        provisioner,
        clock,
        drivers: drivers.oob_names().clone(),
        without: drivers.without_oob().clone(),
        programs,
        bmc_errors: found.bmcs.iter().map(|(node, error)| (node.clone(), unread(error.clone()))).collect(),
        bmc_clocks,
        services,
        state: state(settings).await,
        space: vec![Space { what: "state".to_owned(), free: free(&folder), at: folder.display().to_string() }],
    }
}

/// As the settings say.
pub fn tolerances(settings: &Settings) -> Tolerances {
    Tolerances {
        clock_skew: settings.verify.clock_skew.map_or(Duration::from_secs(10), |s| s.0),
        free_space: settings.verify.free_space.map_or(1 << 30, |b| b.0),
    }
}

/// As the action `verify_site` of a plan does, without the rack controllers, which have checks of their own.
async fn provisioner(design: &Design, drivers: &Drivers, found: &Discovered) -> Reading<()> {
    if let Some(error) = &found.provisioner {
        return Err(unread(error.clone()));
    }
    let call = Call {
        action: String::new(),
        site: design.site.name.value.clone(),
        kind: ActionKind::VerifySite,
        resource: "site".to_owned(),
        node: None,
        params: json!({"rack_controller": false}),
        binding: Binding::default(),
        begun: false,
        before: None,
    };
    match drivers.maas.observe(&[call]).await.pop() {
        Some(Ok(crate::driver::Observation::Failed(error)) | Err(error)) => Err(unread(error)),
        _ => Ok(()),
    }
}

async fn clock(drivers: &Drivers) -> Reading<Option<i64>> {
    drivers.maas.clock().await.map_err(unread)
}

async fn programs(drivers: &Drivers) -> BTreeMap<String, Reading<Option<String>>> {
    let mut out = BTreeMap::new();
    for (name, driver) in drivers.oob_drivers() {
        out.insert(name.clone(), driver.program().await.map_err(unread));
    }
    out
}

/// Clocks of the BMCs that answered; one that cannot be read is left out.
async fn bmc_clocks(drivers: &Drivers, found: &Discovered) -> BTreeMap<String, i64> {
    let mut reads = JoinSet::new();
    for (node, _) in found.build.bmcs.iter().filter(|(_, bmc)| bmc.known().is_some()) {
        let Some(driver) = drivers.bmc(node).cloned() else { continue };
        let node = node.clone();
        reads.spawn(async move {
            let clock = driver.clock(&node).await;
            (node, clock)
        });
    }
    let mut out = BTreeMap::new();
    while let Some(read) = reads.join_next().await {
        if let Ok((node, Ok(Some(ms)))) = read {
            out.insert(node, ms);
        }
    }
    out
}

async fn services(settings: &Settings) -> Vec<ServiceReading> {
    let mut reads = JoinSet::new();
    for (place, service) in settings.verify.services.iter().enumerate() {
        let (settings, service) = (settings.clone(), service.clone());
        reads.spawn(async move {
            let status = ask(&settings, &service).await;
            (place, ServiceReading { name: service.name, wanted: service.status, status })
        });
    }
    let mut out = BTreeMap::new();
    while let Some(read) = reads.join_next().await {
        out.extend(read);
    }
    out.into_values().collect()
}

/// Asks a service, without any credentials of ours.
async fn ask(settings: &Settings, service: &ServiceSettings) -> Reading<u16> {
    let invalid = |message: String| Unread { message, hint: Some("correct `verify.services` in the settings".to_owned()) };
    let mut options = HttpOptions { attempts: 2, max_body: SERVICE_BODY, ..HttpOptions::default() };
    let tls = Transport {
        ca_file: service.ca_file.as_deref().map(|file| settings.path(file)),
        pinned_sha256: service.pinned_sha256.clone(),
        insecure_skip_tls_verify: service.insecure_skip_tls_verify,
        // Nothing secret is sent.
        allow_plain_http: true,
    };
    transport(&mut options, tls);
    options.set_request_timeout(service.request_timeout.map_or(SERVICE_LIMIT, |t| t.0));
    options.proxy = proxy(settings, service.proxy.as_ref(), "verify.services").await.map_err(|e| invalid(format!("{e:#}")))?;
    let url = Url::parse(&service.url).map_err(|e| invalid(e.to_string()))?;
    let client = HttpClient::new(options).map_err(unread)?;
    let answer = client.send(Request::new(Method::GET, url, format!("service {}", service.name))).await.map_err(unread)?;
    Ok(answer.status.as_u16())
}

/// The state as it is; it is neither made nor migrated.
async fn state(settings: &Settings) -> StateReading {
    let broken = |why: String| StateReading::Broken(Unread { message: why, hint: None });
    let file = match &settings.state {
        StateSettings::File(file) => settings.path(file),
        StateSettings::Postgres(given) => {
            return match ops::inspect(settings, given).await {
                Ok((Some(schema), current)) => StateReading::Writable { schema, current },
                Ok((None, _)) => StateReading::None,
                Err(error) => broken(format!("{error:#}")),
            };
        }
    };
    let path = file.as_path();
    if path.exists() {
        return match SqliteStore::inspect(path) {
            Ok(schema) => StateReading::Writable { schema, current: SCHEMA_VERSION },
            Err(error) => broken(error.to_string()),
        };
    }
    let folder = existing_folder(path.parent().unwrap_or(path));
    match rustix::fs::access(&folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK) {
        Ok(()) => StateReading::None,
        Err(error) => StateReading::Broken(Unread {
            message: format!("there is none, and {} cannot be written: {error}", folder.display()),
            hint: Some("let this user write there, or name another place with `state:` in drydock.yaml".to_owned()),
        }),
    }
}

/// A folder, or the nearest one above it that exists.
fn existing_folder(path: &Path) -> std::path::PathBuf {
    let folder = path.ancestors().find(|f| f.is_dir()).filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    folder.to_owned()
}

fn free(folder: &Path) -> Reading<u64> {
    rustix::fs::statvfs(folder).map(|s| s.f_bavail.saturating_mul(s.f_frsize)).map_err(|error| Unread {
        message: format!("the free space at {} cannot be read: {error}", folder.display()),
        hint: Some("check that the folder can be reached".to_owned()),
    })
}
