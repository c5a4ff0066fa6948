//! A small simulated site that is not as its design says: what is set up, what is looked at afterwards.
//!
//! The world is looked at through its own files, never through drydock: the request log says which requests changed something, the world itself
//! what a machine holds.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::OnceLock;

use drydock::sim::{Activity, Node, RequestRecord, Server, World, read_requests};
use serde_json::Value;

use crate::cli_support::{Ended, Folder, copy, unfolded};
use crate::{oracle, support};

/// A link and networks that no node uses.
pub(crate) const SPARE: &str = "---
schema: drydock/NetworkLink/v1
metadata: {schema: metadata/Document/v1, name: spare}
data:
  mtu: 9000
  trunking: {mode: 802.1q, default_network: spare}
  allowed_networks: [spare, lab]
---
schema: drydock/Network/v1
metadata: {schema: metadata/Document/v1, name: spare}
data:
  cidr: 10.10.50.0/24
  ranges: [{type: reserved, start: 10.10.50.1, end: 10.10.50.9}]
  routes: [{subnet: 10.10.2.0/24, gateway: 10.10.50.1, metric: 5}]
---
schema: drydock/Network/v1
metadata: {schema: metadata/Document/v1, name: lab}
data: {cidr: 10.10.51.0/24, vlan: 51}
";

/// `examples/hello-site` (three nodes in one rack) with time so short that only the order of events is left.
pub(crate) struct Site {
    folder: Folder,
}

/// A moment that later ones are compared with.
pub(crate) struct Moment {
    world: World,
    requests: usize,
}

impl Moment {
    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    pub(crate) fn machine(&self, name: &str) -> &drydock::sim::Machine {
        &self.world.machines[name]
    }
}

pub(crate) const TIMING: &str =
    "{power_ms: 5, post_ms: 10, enlist_ms: 20, commission_ms: 30, deploy_ms: 40, release_ms: 10, import_ms: 20}";

pub(crate) const LIMITS: &str = "timeouts: {verify_site: 10s, create_network_template: 10s, configure_tags: 10s, set_node_boot: 10s, power_on_node: 10s, identify_node: 10s, configure_hardware: 20s, apply_node_networking: 10s, apply_node_storage: 10s, apply_node_platform: 10s, deploy_node: 20s, destroy_node: 20s}";

impl Site {
    /// A new site with these lines in its `simulate:` section.
    pub(crate) fn new(simulate: &str) -> Self {
        let site = Self { folder: Folder::hello() };
        site.settings("", simulate);
        site
    }

    /// A site that was applied without any fault.
    pub(crate) fn applied() -> Self {
        static APPLIED: OnceLock<Site> = OnceLock::new();
        let first = APPLIED.get_or_init(|| {
            let site = Self::new("");
            site.run(&["apply", "--auto-approve"]).expect(0);
            site.expect_as_designed();
            site
        });
        let folder = Folder::empty();
        copy(first.path(), folder.path());
        copy(&first.path().join(".drydock"), &folder.path().join(".drydock"));
        Self { folder }
    }

    /// Writes the settings: lines of the top level, and lines of the `simulate:` section.
    pub(crate) fn settings(&self, top: &str, simulate: &str) {
        // Whatever a test breaks is given up before long.
        let limits = if top.contains("timeouts:") { "" } else { LIMITS };
        let text = format!(
            "site: hello-site\ndrivers: {{maas: {{owns_region: true}}}}\nlimits: {{unavailable_per_rack: 3, power_ups_per_rack: 3}}\n{limits}\n{top}\nsimulate:\n  images_present: true\n  timing: {TIMING}\n{simulate}\n"
        );
        self.folder.write("drydock.yaml", &text);
    }

    /// From now on the simulated site has these lines in its section, and no others.
    pub(crate) fn simulate(&self, lines: &str) {
        self.settings("", lines);
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.folder.run(arguments)
    }

    /// Starts a command whose progress is read line by line.
    pub(crate) fn start(&self, arguments: &[&str]) -> Started {
        Started(self.folder.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("drydock runs"))
    }

    /// The plan as a value, and the exit code.
    #[track_caller]
    pub(crate) fn plan(&self, more: &[&str]) -> (Value, i32) {
        let ended = self.run(&[&["plan", "--detailed-exitcode", "--format", "json"], more].concat());
        (unfolded(&ended.stdout), ended.code)
    }

    /// The world as it is now.
    pub(crate) fn world(&self) -> World {
        if !self.world_folder().join("world.json").exists() {
            self.run(&["discover", "--quiet"]).expect(0);
        }
        world_of(self.path())
    }

    /// Something happens at the site while drydock does not look: hands, other people, other programs.
    pub(crate) fn change(&self, change: impl FnOnce(&mut World)) {
        if !self.world_folder().join("world.json").exists() {
            self.run(&["discover", "--quiet"]).expect(0);
        }
        change_world(self.path(), change);
    }

    /// Somebody switches a machine on, and it starts what is on its disk.
    pub(crate) fn switch_on(&self, machine: &str) {
        self.change(|world| {
            let machine = world.machines.get_mut(machine).unwrap();
            (machine.on, machine.running) = (true, Activity::OperatingSystem);
        });
    }

    fn world_folder(&self) -> std::path::PathBuf {
        self.path().join(".drydock/sim")
    }

    pub(crate) fn requests(&self) -> Vec<RequestRecord> {
        read_requests(&self.world_folder()).unwrap()
    }

    pub(crate) fn now(&self) -> Moment {
        Moment { world: self.world(), requests: self.requests().len() }
    }

    /// Requests since a moment that changed something, or tried to.
    pub(crate) fn since(&self, moment: &Moment) -> Vec<RequestRecord> {
        self.requests().into_iter().skip(moment.requests).filter(|r| r.server != "world").collect()
    }

    /// No request was sent that could change anything.
    #[track_caller]
    pub(crate) fn expect_no_requests(&self, moment: &Moment) {
        let sent = self.since(moment);
        assert!(sent.is_empty(), "{sent:#?}");
    }

    /// Requests since a moment that a machine, its BMC or its record in MAAS got.
    pub(crate) fn requests_to(&self, moment: &Moment, machine: &str) -> Vec<RequestRecord> {
        let ids: Vec<String> = [&moment.world, &self.world()].iter().filter_map(|w| Some(node(w, machine)?.system_id.clone())).collect();
        let concerns = |r: &RequestRecord| {
            r.server == format!("bmc:{machine}")
                || ids.iter().any(|id| r.path.contains(&format!("/{id}/")))
                || r.effects.iter().any(|e| e.split(' ').any(|word| word == machine))
        };
        self.since(moment).into_iter().filter(concerns).collect()
    }

    /// A machine and what MAAS has of it are exactly as they were, and nobody tried to change them.
    #[track_caller]
    pub(crate) fn expect_untouched(&self, moment: &Moment, machine: &str) {
        let requests = self.requests_to(moment, machine);
        assert!(requests.is_empty(), "{machine} got requests: {requests:#?}");
        let now = self.world();
        assert_eq!(without_sessions(&moment.world, machine), without_sessions(&now, machine));
        assert_eq!(node(&moment.world, machine), node(&now, machine));
    }

    /// Every value of the design is in the world, by the oracle; and drydock sees that, too.
    #[track_caller]
    pub(crate) fn expect_as_designed(&self) {
        self.run(&["plan", "--detailed-exitcode"]).expect(0).shows(&["No changes. hello-site is as its design says."]);
        let differences = self.differences();
        assert!(differences.is_empty(), "{differences:#?}");
    }

    /// What is not as the design says, by the oracle.
    pub(crate) fn differences(&self) -> Vec<String> {
        oracle::differences(&support::design(self.path(), &["design"]).site, &self.world())
    }

    /// How often something was done to a machine since a moment, as the world saw it: `deploy`, `power_on`, `release`.
    pub(crate) fn effects(&self, moment: &Moment, effect: &str, machine: &str) -> usize {
        let wanted = format!("{effect} {machine}");
        self.requests().iter().skip(moment.requests).flat_map(|r| &r.effects).filter(|e| **e == wanted).count()
    }
}

/// A command that runs; a test that fails does not leave it behind.
pub(crate) struct Started(pub(crate) Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Started {
    /// Reads its progress up to a line with this text.
    pub(crate) fn until(&mut self, text: &str) -> BufReader<ChildStderr> {
        let mut lines = BufReader::new(self.0.stderr.take().expect("its progress"));
        read_until(&mut lines, text);
        lines
    }

    pub(crate) fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.0.id().to_string()]).status().unwrap().success());
    }

    /// Its exit code, when it has ended.
    pub(crate) fn code(&mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }
}

/// Reads up to a line with this text.
pub(crate) fn read_until(lines: &mut impl BufRead, text: &str) {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        assert!(lines.read_line(&mut line).unwrap() > 0, "{text:?} did not come:\n{seen}");
        seen.push_str(&line);
        if line.contains(text) {
            return;
        }
    }
}

/// The world of a site's folder as it is now; what was due has happened.
pub(crate) fn world_of(site: &Path) -> World {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let running = Server::reopen(&site.join(".drydock/sim")).await.expect("a world");
        let world = running.world().unwrap();
        running.shutdown().await.unwrap();
        world
    })
}

/// Changes the world of a site's folder.
pub(crate) fn change_world(site: &Path, change: impl FnOnce(&mut World)) {
    let mut world = world_of(site);
    change(&mut world);
    let path = site.join(".drydock/sim/world.json");
    let mut file: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    file["world"] = serde_json::to_value(&world).unwrap();
    std::fs::write(&path, file.to_string()).unwrap();
}

/// What MAAS has of a machine.
pub(crate) fn node<'a>(world: &'a World, machine: &str) -> Option<&'a Node> {
    world.nodes.values().find(|n| n.machine.as_deref() == Some(machine))
}

/// The same, to change it.
pub(crate) fn node_mut<'a>(world: &'a mut World, machine: &str) -> &'a mut Node {
    world.nodes.values_mut().find(|n| n.machine.as_deref() == Some(machine)).expect("MAAS has the machine")
}

/// A machine as it is, without who is logged in at its BMC.
fn without_sessions(world: &World, machine: &str) -> Option<drydock::sim::Machine> {
    let mut machine = world.machines.get(machine)?.clone();
    if let Some(bmc) = &mut machine.bmc {
        bmc.logins.clear();
    }
    Some(machine)
}

/// The entries of a list in a plan that concern a resource.
pub(crate) fn of<'a>(plan: &'a Value, list: &str, resource: &str) -> Vec<&'a Value> {
    let all = plan[list].as_array().unwrap_or_else(|| panic!("no list {list} in {plan:#}"));
    all.iter().filter(|entry| entry.get("change").unwrap_or(entry)["resource"] == resource).collect()
}
