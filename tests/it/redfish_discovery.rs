//! What BMCs are asked: a fixed number of requests for each, whatever hardware it has, and dead ones cost the others nothing.

use std::time::Duration;

use drydock::build::Binding;
use drydock::driver::http::HttpOptions;
use drydock::driver::redfish::{RedfishDriver, RedfishOptions};
use drydock::driver::{BmcEndpoint, OobDriver};
use drydock::redact::Secret;
use drydock::sim::{FaultRule, MachineFault, Running, Server, SimOptions, generate};

use crate::{ipmi_bmcs, support};

fn driver(running: &Running) -> RedfishDriver {
    let world = running.world().unwrap();
    let endpoints = world.machines.values().map(|m| {
        let bmc = m.bmc.as_ref().unwrap();
        BmcEndpoint {
            node: m.name.clone(),
            address: bmc.address.clone(),
            url: running.bmc_url(&m.name).unwrap().to_owned(),
            username: bmc.user.clone(),
            password: Secret::new(bmc.password.clone()),
        }
    });
    let http = HttpOptions { backoff: Duration::from_millis(1), ..RedfishOptions::default().http };
    RedfishDriver::new(endpoints.collect(), RedfishOptions { http, ..RedfishOptions::default() }).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bmc_is_asked_a_fixed_number_of_things() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("site.yaml"), ipmi_bmcs::design_text(20)).unwrap();
    let site = support::loose_design(folder.path(), &["site.yaml"]);
    let dead = FaultRule { node: Some("n20".into()), machine: Some(MachineFault::BmcUnreachable), ..FaultRule::default() };
    let running = Server::start(generate(&site, &SimOptions { faults: vec![dead], ..SimOptions::default() })).await.unwrap();
    let driver = driver(&running);
    let names: Vec<String> = running.bmc_urls.keys().cloned().collect();
    let asked = || names.iter().map(|n| running.asked(n)).collect::<Vec<_>>();
    let each = |n: u64| names.iter().map(|name| if name == "n20" { 0 } else { n }).collect::<Vec<_>>();

    let mut found = Vec::new();
    for name in &names {
        found.push(driver.interrogate(name).await);
    }
    assert_eq!(found.iter().filter(|f| f.is_ok()).count(), 19);
    assert_eq!(asked(), each(5), "root, login, systems, system, NICs");
    for (name, bmc) in names.iter().zip(&found) {
        let Ok(bmc) = bmc else { continue };
        let binding = Binding { uuid: bmc.uuid.clone(), serial: bmc.serial.clone(), ..Binding::default() };
        driver.identify(name, &binding).await.unwrap();
    }
    assert_eq!(asked(), each(6), "one to see that it is still the same machine");
    for name in names.iter().filter(|n| *n != "n20") {
        let parts = driver.inventory(name).await.unwrap().unwrap();
        assert_eq!(parts.bmc_firmware.as_deref(), Some("1.00"));
        assert_eq!(parts.drives.known().map(Vec::len), Some(running.world().unwrap().machines[name].disks.len()));
    }
    let parts = asked()[0] - 6;
    assert!(parts <= 14, "{parts} requests for the parts of a machine");
    driver.close().await;
    let open = running.world().unwrap().machines.values().filter(|m| m.bmc.as_ref().is_some_and(|b| !b.logins.is_empty())).count();
    assert_eq!(open, 0, "sessions are ended");
    running.shutdown().await.unwrap();
}
