//! How fast the handlers answer for a thousand machines; run alone:
//! `cargo test --release --lib sim::tests::load -- --ignored --nocapture`.

use std::time::Instant;

use serde_json::Value;

use super::fixture::{Lab, many};
use crate::sim::options::{InitialState, SimOptions};

#[test]
#[ignore = "a measurement"]
fn thousand_machines() {
    let site = many(1000);
    let machines = site.nodes.keys().map(|n| (n.clone(), InitialState::Ready)).collect();
    let start = Instant::now();
    let mut lab = Lab::of(&site, &SimOptions { machines, ..SimOptions::default() });
    println!("generated and commissioned: {:?}", start.elapsed());
    let ids: Vec<String> = lab.core.world.nodes.keys().cloned().collect();
    let names: Vec<String> = lab.core.world.machines.keys().cloned().collect();
    let mut measure = |what: &str, n: usize, f: &mut dyn FnMut(&mut Lab, usize)| {
        let start = Instant::now();
        for i in 0..n {
            f(&mut lab, i);
        }
        let t = start.elapsed();
        println!("{what}: {:?} each, {:.0}/s", t / n as u32, n as f64 / t.as_secs_f64());
    };
    measure("list of machines, first", 1, &mut |lab, _| _ = lab.raw("GET", "machines/", None, ""));
    measure("list of machines, unchanged", 200, &mut |lab, _| _ = lab.raw("GET", "machines/", None, ""));
    measure("machine", 2000, &mut |lab, i| _ = lab.raw("GET", &format!("machines/{}/", ids[i % 1000]), None, ""));
    measure("system", 2000, &mut |lab, i| {
        let name = &names[i % 1000];
        let path = lab.system(name);
        lab.bmc(name, "GET", &path, &Value::Null);
    });
    measure("owner data", 1000, &mut |lab, i| {
        lab.raw("POST", &format!("machines/{}/", ids[i % 1000]), Some("set_owner_data"), "a=1");
    });
    measure("list of machines, all changed", 1, &mut |lab, _| _ = lab.raw("GET", "machines/", None, ""));
    measure("owner data and list", 50, &mut |lab, i| {
        lab.raw("POST", &format!("machines/{}/", ids[i % 1000]), Some("set_owner_data"), "a=2");
        lab.raw("GET", "machines/", None, "");
    });
    measure("static address", 300, &mut |lab, i| {
        let id = &ids[i % 1000];
        let interface = lab.core.world.nodes[id].boot_interface.unwrap();
        let form = format!("force=true&mode=STATIC&subnet=1&ip_address=10.0.{}.{}", 100 + i / 250, 1 + i % 250);
        lab.raw("POST", &format!("nodes/{id}/interfaces/{interface}/"), Some("link_subnet"), &form);
    });
    measure("deploy", 300, &mut |lab, i| _ = lab.raw("POST", &format!("machines/{}/", ids[i % 1000]), Some("deploy"), ""));
    measure("seconds of 300 deployments", 5, &mut |lab, _| lab.tick(1000));
}
