//! A whole apply in which the BMCs are sushy-tools' and the provisioner is simulated, and what one does the other sees.

use drydock::sim::{Running, Server, SimOptions, Timing, generate};

use crate::cli_support::Folder;
use crate::sushy_peer::{Sushy, available};
use crate::{oracle, support};

fn settings(folder: &Folder, world: &Running, sushy: &Sushy) {
    folder.write("key", world.maas_api_key.expose());
    let machines = world.world().unwrap().machines;
    let endpoints: Vec<String> = machines
        .values()
        .map(|m| format!("{}: '{}/redfish/v1/Systems/{}'", m.bmc.as_ref().unwrap().address, sushy.url, m.uuid.to_uppercase()))
        .collect();
    folder.write(
        "drydock.yaml",
        &format!(
            "design: [design]\ndrivers:\n  maas: {{url: '{}', api_key: {{file: key}}, poll_interval: 100ms, owns_region: true}}\n  redfish: {{poll_interval: 300ms, endpoints: {{{}}}}}\nlimits: {{unavailable_per_rack: 3, power_ups_per_rack: 3}}\n",
            world.maas_url,
            endpoints.join(", ")
        ),
    );
}

#[test]
fn a_site_is_applied_through_bmcs_that_are_not_ours() {
    if !available() {
        return;
    }
    let folder = Folder::hello();
    let site = support::design(folder.path(), &["design"]).site;
    let timing = Timing { post_ms: 20, enlist_ms: 40, commission_ms: 80, deploy_ms: 100, import_ms: 40, ..Timing::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = runtime.block_on(Server::start(generate(&site, &SimOptions { timing, ..SimOptions::default() }))).unwrap();
    let sushy = Sushy::over(&world);
    settings(&folder, &world, &sushy);

    folder.run(&["plan", "--detailed-exitcode", "--out", "first.plan"]).expect(2);
    folder.run(&["apply", "first.plan"]).expect(0);
    let orders = sushy.orders();
    for machine in world.world().unwrap().machines.values() {
        let own: Vec<&str> = orders.iter().filter_map(|o| o.strip_prefix(&format!("{} ", machine.uuid.to_uppercase()))).collect();
        assert_eq!(own.iter().filter(|o| **o == "On").count(), 1, "{}: {own:?}", machine.name);
        assert_eq!(own[0], "boot Pxe", "{own:?}");
        let off = ["ForceOff", "GracefulShutdown", "ForceRestart", "PowerCycle"];
        assert!(!own.iter().any(|o| off.contains(o)), "nothing was switched off: {own:?}");
    }
    let after = folder.run(&["plan", "--detailed-exitcode"]).expect(0);
    assert!(after.stdout.to_lowercase().contains("no changes"), "{}", after.stdout);
    let differences = oracle::differences(&site, &world.world().unwrap());
    assert!(differences.is_empty(), "{differences:#?}");
    runtime.block_on(world.shutdown()).unwrap();
}
