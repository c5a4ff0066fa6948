//! `drydock verify` over a simulated site: in order, and broken in every way that it looks for. It changes nothing.

use std::net::TcpListener;

use drydock::sim::{FaultRule, InitialState, MachineFault, Running, Server, SimOptions, World, generate};
use serde_json::Value;

use crate::cli_support::{Ended, Folder};
use crate::support;

/// A site folder, and the servers of its site in this process.
struct Lab {
    folder: Folder,
    running: Option<Running>,
    runtime: tokio::runtime::Runtime,
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            let _ = self.runtime.block_on(running.shutdown());
        }
    }
}

impl Lab {
    /// The site with its nodes in a state, with faults, and with hardware that is changed before it starts.
    fn new(state: InitialState, options: SimOptions, change: impl FnOnce(&mut World), settings: &str) -> Self {
        let folder = Folder::hello();
        let site = support::design(folder.path(), &["design"]).site;
        let machines = site.nodes.keys().map(|n| (n.clone(), state)).collect();
        let mut world = generate(&site, &SimOptions { machines, images_present: true, ..options });
        change(&mut world);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let running = runtime.block_on(Server::start(world)).unwrap();
        folder.write("key", drydock_secret(&running).as_str());
        let endpoints: Vec<String> = running.bmc_urls_by_address.iter().map(|(address, url)| format!("{address}: '{url}'")).collect();
        folder.write(
            "drydock.yaml",
            &format!(
                "site: hello-site\ndesign: [design]\ndrivers:\n  maas: {{url: '{}', api_key: {{file: key}}}}\n  redfish: {{request_timeout: 5s, endpoints: {{{}}}}}\n{settings}\n",
                running.maas_url,
                endpoints.join(", ")
            ),
        );
        Self { folder, running: Some(running), runtime }
    }

    fn deployed(change: impl FnOnce(&mut World)) -> Self {
        Self::new(InitialState::Deployed, SimOptions::default(), change, "")
    }

    fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.folder.run(arguments)
    }

    /// The checks of the command: node (empty for the site), name, verdict and what was seen.
    fn checks(&self, arguments: &[&str], code: i32) -> Vec<(String, String, String, String)> {
        let ended = self.run(&[["verify"].as_slice(), arguments, &["--format", "json"]].concat()).expect(code);
        let json: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!((json["version"].as_u64(), json["site"].as_str()), (Some(1), Some("hello-site")));
        let text = |v: &Value, key: &str| v[key].as_str().unwrap_or_default().to_owned();
        let of = |node: &str, checks: &Value| {
            checks
                .as_array()
                .unwrap()
                .iter()
                .map(|c| (node.to_owned(), text(c, "check"), text(c, "verdict"), text(c, "seen")))
                .collect::<Vec<_>>()
        };
        match json["nodes"].as_array() {
            Some(nodes) => nodes.iter().flat_map(|n| of(n["node"].as_str().unwrap(), &n["checks"])).collect(),
            None => of("", &json["checks"]),
        }
    }

    /// Every check that is neither ok nor skipped, with what was seen.
    fn wrong(&self, arguments: &[&str], code: i32) -> Vec<String> {
        let all = self.checks(arguments, code);
        let bad = all.into_iter().filter(|(_, _, verdict, _)| verdict != "ok" && verdict != "skipped");
        bad.map(|(node, name, verdict, seen)| format!("{node} {name} {verdict}: {seen}")).collect()
    }
}

fn drydock_secret(running: &Running) -> String {
    running.maas_api_key.expose().to_owned()
}

#[test]
fn a_site_in_order_passes_and_nothing_is_changed() {
    let lab = Lab::deployed(|_| {});
    let before = lab.running().world().unwrap();
    assert_eq!(lab.wrong(&["nodes"], 0), [] as [String; 0]);
    let all = lab.checks(&["nodes"], 0);
    // Three nodes with the same twelve checks.
    assert_eq!(all.len(), 36);
    for name in ["oob", "machine", "alarms", "firmware", "bios", "vendor", "cpus", "memory", "pci", "drives", "links", "lldp"] {
        let verdicts: Vec<&str> = all.iter().filter(|c| c.1 == name).map(|c| c.2.as_str()).collect();
        assert_eq!(verdicts, ["ok"; 3], "{name}");
    }
    assert_eq!(lab.wrong(&["site"], 0), [] as [String; 0]);
    lab.run(&["verify", "nodes", "--target", "node=control01"]).expect(0).reads(&["control01 foreign ok ok", "1 node: 1 in order"]);
    lab.run(&["verify", "site"]).expect(0).reads(&["ok redfish 3 of 3 BMCs answer", "ok clock.maas"]);

    // The log has every request that is no read, but for logins at BMCs.
    let running = lab.running();
    let requests = running.requests();
    assert!(requests.is_empty(), "{requests:#?}");
    let mut after = running.world().unwrap();
    after.meta = before.meta.clone();
    for (name, machine) in &mut after.machines {
        machine.bmc.as_mut().unwrap().logins = before.machines[name].bmc.as_ref().unwrap().logins.clone();
    }
    assert_eq!(after, before);
    assert!(!lab.folder.path().join(".drydock").exists(), "no state is made");
    lab.run(&["apply", "--goal", "prepare_site", "--auto-approve"]).expect(0);
    assert!(!lab.running().requests().is_empty(), "what changes something is in the log");
}

#[test]
fn before_commissioning_only_what_a_bmc_tells_is_checked() {
    let lab = Lab::new(InitialState::OffUnknown, SimOptions::default(), |_| {}, "");
    assert_eq!(lab.wrong(&["nodes"], 0), [] as [String; 0]);
    let of = |name: &str| lab.checks(&["nodes", "--target", "node=control01"], 0).into_iter().find(|c| c.1 == name).unwrap();
    assert_eq!((of("oob").2.as_str(), of("machine").3.as_str()), ("ok", "the provisioner does not have it yet"));
    assert_eq!((of("memory").2.as_str(), of("memory").3.as_str()), ("ok", "65536 MiB of memory"));
    for name in ["pci", "drives", "links", "lldp"] {
        let check = of(name);
        assert_eq!((check.2.as_str(), check.3.as_str()), ("skipped", "known after commissioning"), "{name}");
    }
}

#[test]
fn every_fault_of_a_machine_is_found_where_it_is() {
    let lab = Lab::deployed(|world| {
        let machine = world.machines.get_mut("compute01").unwrap();
        // As if a DIMM had died, the BIOS had been updated, a card sat elsewhere and a cable in the wrong switch.
        machine.memory_mib = 8192;
        machine.nics[1].pci = "0000:5e:00.0".into();
        machine.nics[0].switch = Some("rack9-sw1".into());
        let node = world.nodes.values_mut().find(|n| n.hostname == "compute01").unwrap();
        node.memory = 8192;
        node.hardware_info.insert("mainboard_firmware_version".into(), "1.0.0".into());
        world.machines.get_mut("compute02").unwrap().nics[2].wire = None;
        world.machines.get_mut("compute02").unwrap().disks.pop();
    });
    let wrong = lab.wrong(&["nodes"], 4);
    let expected = [
        "compute01 bios failed: BIOS version 1.0.0, hardware profile lab-server says BIOS version 1.4.2",
        "compute01 memory failed: 8192 MiB of memory, hardware profile lab-server says its huge pages vms (16 × 1G)",
        "compute01 pci failed: nothing at 0000:3b:00.0, where data_nic1 is",
        "compute01 links failed: bond0: the machine has no NIC at 0000:3b:00.0",
        "compute01 lldp failed: enp2s0 at rack9-sw1 (port-compute01-0); the rack's switches are rack1-sw1",
        "compute02 drives failed: the machine has no disk at 2:0.1.0",
        "compute02 links failed: enp59s0f1 has no link",
        "compute02 lldp warning: enp2s0 at rack1-sw1 (port-compute02-0); enp59s0 at rack1-sw1 (port-compute02-1); nothing was heard at enp59s0f1",
    ];
    assert_eq!(wrong, expected);
    // Elsewhere all is well, and warnings fail only when they shall.
    assert_eq!(lab.wrong(&["nodes", "--target", "node=control01"], 0), [] as [String; 0]);
    lab.run(&["verify", "nodes"]).expect(4).shows(&["FAIL"]).reads(&[
        "failed memory 8192 MiB of memory",
        "hint: correct the machine, or the hardware profile lab-server",
        "3 nodes: 1 in order, 0 with warnings, 2 failed.",
    ]);
}

#[test]
fn bmcs_that_are_dead_or_refuse_us_are_told_apart() {
    let fault = |node: &str, machine| FaultRule { node: Some(node.into()), machine: Some(machine), count: 0, ..FaultRule::default() };
    let faults = vec![fault("compute01", MachineFault::BmcUnreachable), fault("compute02", MachineFault::WrongCredentials)];
    let lab = Lab::new(InitialState::Deployed, SimOptions { faults, ..SimOptions::default() }, |_| {}, "");
    let wrong = lab.wrong(&["nodes"], 4);
    assert_eq!(wrong.len(), 2, "{wrong:#?}");
    assert!(
        wrong[0].starts_with("compute01 oob failed: node compute01, BMC 10.10.0.31: ") && wrong[0].contains("unreachable"),
        "{wrong:#?}"
    );
    assert!(
        wrong[1].starts_with("compute02 oob failed: node compute02, BMC 10.10.0.32: ") && wrong[1].contains("refuses the credentials"),
        "{wrong:#?}"
    );
    let site = lab.wrong(&["site"], 0);
    assert!(
        site.len() == 1 && site[0].starts_with(" redfish warning: 1 of 3 BMCs answer; not those of compute01, compute02: "),
        "{site:#?}"
    );
    lab.run(&["verify", "site", "--strict"]).expect(4);
    let text = lab.run(&["verify", "nodes"]);
    assert!(!format!("{}{}", text.stdout, text.stderr).contains("hello-bmc-password"), "{}", text.stdout);
}

#[test]
fn what_a_site_lacks_is_found() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut options = SimOptions::default();
    options.hardware.dead_services = vec!["rackd".into(), "tftp".into()];
    let settings = format!(
        "verify:\n  free_space: 4000TiB\n  services:\n    - {{name: registry, url: 'http://{closed}/v2/'}}\n    - {{name: maas, url: 'http://{closed}/'}}\n    - {{name: teapot, url: 'http://{closed}/', status: 418}}"
    );
    let lab = Lab::new(
        InitialState::Deployed,
        options,
        |world| {
            world.site.boot_resources.clear();
        },
        &settings,
    );
    // Two services are there after all: the provisioner's page of images stands for them.
    let text = lab.folder.read("drydock.yaml");
    let page = format!("{}/api/2.0/version/", lab.running().maas_url);
    lab.folder.write("drydock.yaml", &text.replace(&format!("http://{closed}/'"), &format!("{page}'")));
    lab.folder.write(".drydock/state.db", "no database at all, but long enough to be taken for one");
    let wrong = lab.wrong(&["site"], 4);
    let starts = [
        " rack.vm failed: rackd is dead; tftp is dead",
        " image.ubuntu/jammy warning: not there",
        " service.registry failed: service registry: GET http://127.0.0.1:",
        " service.teapot failed: answers 200, not 418",
        " state failed: the state .drydock/state.db is damaged: file is not a database",
        " space.state failed: ",
    ];
    assert_eq!(wrong.len(), starts.len(), "{wrong:#?}");
    for (found, start) in wrong.iter().zip(starts) {
        assert!(found.starts_with(start), "{found}\n{start}");
    }
    let all = lab.checks(&["site"], 4);
    assert!(all.iter().any(|c| c.1 == "service.maas" && c.2 == "ok" && c.3 == "answers 200"), "{all:#?}");
}

#[test]
fn a_provisioner_that_refuses_the_key_is_one_failed_check() {
    let lab = Lab::deployed(|_| {});
    lab.folder.write("key", "wrong:wrong:wrong-secret");
    let site = lab.wrong(&["site"], 4);
    assert!(site[0].starts_with(" maas failed: ") && site[0].contains("401"), "{site:#?}");
    assert!(!site.join(" ").contains("wrong-secret"));
    // BMCs are verified all the same.
    let nodes = lab.checks(&["nodes"], 4);
    let verdicts = |name: &str| nodes.iter().filter(|c| c.1 == name).map(|c| c.2.as_str()).collect::<Vec<_>>();
    assert_eq!((verdicts("oob"), verdicts("machine")), (vec!["ok"; 3], vec!["failed"; 3]));
}

#[test]
fn a_selector_that_selects_nobody_is_a_typo() {
    let lab = Lab::deployed(|_| {});
    lab.run(&["verify", "nodes", "--target", "node=compute03"]).expect(64).says(&["did you mean `node=compute0"]);
    lab.run(&["verify", "nodes", "--target", "stage=ready"]).expect(0).reads(&["No node is selected."]);
    lab.run(&["verify"]).expect(64);
}
