//! The client dies at every place where it hurts; `drydock resume` goes on; nothing has happened twice.
//!
//! The list of places is not written down: it comes from the request log and the journal of an undisturbed run, so that no call is forgotten.
//! Each mutating call of that run is hit before its effect, after its effect but before its answer, and after its answer but before anything
//! about it is recorded. Then the journal: the process dies before the n-th event is recorded, and after the n-th `begin` of a driver, for every n.
//! `DRYDOCK_EXHAUSTIVE=1` adds the places behind every event.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use drydock::sim::{RequestRecord, World, read_requests};

use crate::oracle;
use crate::support::design;

/// Most of the time is spent waiting for polls.
const WORKERS: usize = 6;
const MOMENTS: [&str; 3] = ["before_effect", "after_effect", "after_answer"];
/// Effects that nobody may see twice. What is missing here is written as a whole (settings of an interface, owner data, a boot source), or is a part of
/// the storage layout of a machine that holds nothing, which is begun from a blank disk again.
const ONCE: [&str; 14] = [
    "power_on ",
    "power_off ",
    "power_cycle ",
    "enlist ",
    "commission ",
    "allocate ",
    "deploy ",
    "install ",
    "release ",
    "create ",
    "import ",
    "create_bond ",
    "create_vlan ",
    "link_subnet ",
];

const SETTINGS: &str = "
site: hello-site
design: [design]
state: .drydock/state.db
drivers: {maas: {owns_region: true}}
simulate:
  timing: {power_ms: 10, post_ms: 20, enlist_ms: 40, commission_ms: 60, deploy_ms: 80, release_ms: 30, import_ms: 30}
";

/// A site of one node, and the command that is interrupted.
#[derive(Clone, Copy)]
struct Story {
    /// More lines of `simulate:`.
    simulate: &'static str,
    /// Commands that are done before.
    before: &'static [&'static [&'static str]],
    /// The command that is interrupted.
    command: &'static [&'static str],
    /// A text in the design that is replaced before it.
    edit: Option<(&'static str, &'static str, &'static str)>,
    /// Exit code of the plan afterwards.
    then: i32,
}

const FIRST: Story = Story { simulate: "", before: &[], command: &["apply", "--auto-approve"], edit: None, then: 0 };

/// A folder of a story, up to the command.
struct Site {
    dir: tempfile::TempDir,
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

impl Site {
    fn new(story: Story) -> Self {
        let site = Self { dir: tempfile::tempdir().unwrap() };
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hello-site/design");
        let to = site.dir.path().join("design");
        std::fs::create_dir(&to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
        let nodes = std::fs::read_to_string(to.join("nodes.yaml")).unwrap();
        let one = nodes.split("---\n").find(|d| d.contains("name: compute01")).unwrap();
        std::fs::write(to.join("nodes.yaml"), format!("---\n{one}")).unwrap();
        site.settings(story, "");
        for command in story.before {
            let output = site.run(command, None);
            assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        }
        if let Some((file, from, new)) = story.edit {
            let path = to.join(file);
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(from));
            std::fs::write(path, text.replace(from, new)).unwrap();
        }
        site
    }

    fn settings(&self, story: Story, faults: &str) {
        std::fs::write(self.dir.path().join("drydock.yaml"), format!("{SETTINGS}{}{faults}", story.simulate)).unwrap();
    }

    fn run(&self, arguments: &[&str], failpoint: Option<&str>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drydock"));
        command.arg("-C").arg(self.dir.path()).args(arguments).env_remove("DRYDOCK_FAILPOINT");
        if let Some(failpoint) = failpoint {
            command.env("DRYDOCK_FAILPOINT", failpoint);
        }
        command.output().unwrap()
    }

    fn requests(&self) -> Vec<RequestRecord> {
        read_requests(&self.dir.path().join(".drydock/sim")).unwrap()
    }

    fn world(&self) -> World {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let running = drydock::sim::Server::reopen(&self.dir.path().join(".drydock/sim")).await.unwrap();
            let world = running.world().unwrap();
            running.shutdown().await.unwrap();
            world
        })
    }
}

/// A kind of call: what a fault rule can name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    server: String,
    method: String,
    /// Regular expression: numbers that MAAS gives differ between runs.
    path: String,
    op: String,
}

impl Shape {
    fn of(record: &RequestRecord) -> Self {
        let part =
            |p: &str| if p.chars().all(|c| c.is_ascii_digit()) && !p.is_empty() { "[0-9]+".to_owned() } else { p.replace('.', "[.]") };
        Self {
            server: record.server.split(':').next().unwrap_or_default().to_owned(),
            method: record.method.clone(),
            path: record.path.split('/').map(part).collect::<Vec<_>>().join("/"),
            op: record.op.clone().unwrap_or_default(),
        }
    }

    fn rule(&self, nth: u64, moment: &str) -> String {
        format!(
            "  faults: [{{server: {}, method: {}, path: '{}', op: '{}', nth: {nth}, kill: {moment}}}]\n",
            self.server, self.method, self.path, self.op
        )
    }
}

/// What an undisturbed run leaves.
struct Calm {
    effects: BTreeMap<String, usize>,
    calls: Vec<(Shape, u64)>,
    objects: Vec<String>,
    events: BTreeMap<String, u64>,
}

/// How often each effect happened that may happen once.
fn effects(requests: &[RequestRecord]) -> BTreeMap<String, usize> {
    let mut out = BTreeMap::new();
    for effect in requests.iter().flat_map(|r| &r.effects).filter(|e| ONCE.iter().any(|once| e.starts_with(once))) {
        *out.entry(effect.clone()).or_default() += 1;
    }
    out
}

/// Every object of the world by name, so that one that is there twice or is left over is seen.
fn objects(world: &World) -> Vec<String> {
    let db = &world.site;
    let mut out = Vec::new();
    out.extend(db.fabrics.values().map(|f| format!("fabric {}", f.name)));
    out.extend(db.vlans.values().map(|v| format!("vlan {} of {}", v.vid, db.fabrics[&v.fabric].name)));
    out.extend(db.subnets.values().map(|s| format!("subnet {} {}", s.name, s.cidr)));
    out.extend(db.ipranges.values().map(|r| format!("range {} {}", r.kind, r.start)));
    out.extend(db.static_routes.values().map(|r| format!("route {} {}", r.gateway_ip, r.metric)));
    out.extend(db.domains.values().map(|d| format!("domain {}", d.name)));
    out.extend(db.sshkeys.values().map(|k| format!("key {k}")));
    out.extend(db.tags.iter().map(|t| format!("tag {}", t.name)));
    out.extend(db.repositories.values().map(|r| format!("repository {}", r.name)));
    out.extend(db.selections.values().map(|s| format!("selection {}", s.release)));
    out.extend(db.boot_resources.values().map(|r| format!("image {} {}", r.name, r.architecture)));
    for n in world.nodes.values() {
        out.push(format!("node {} {:?}", n.hostname, n.status));
        out.extend(n.tags.iter().map(|t| format!("{} tag {t}", n.hostname)));
        for i in n.interfaces.values() {
            out.push(format!("{} interface {}", n.hostname, i.name));
            out.extend(i.links.iter().map(|l| format!("{} {} link {} {:?}", n.hostname, i.name, l.mode, l.ip)));
        }
        for d in n.block_devices.values() {
            out.push(format!("{} block device {}", n.hostname, d.name));
            out.extend(d.partitions.iter().map(|p| format!("{} {} partition of {}", n.hostname, d.name, p.size)));
        }
        out.extend(n.volume_groups.values().map(|v| format!("{} volume group {}", n.hostname, v.name)));
    }
    out.sort();
    out
}

/// Where a process dies.
#[derive(Debug, Clone)]
enum Death {
    Call(Shape, u64, &'static str),
    Journal(&'static str, u64),
}

fn lived(site: &Site) -> bool {
    site.dir.path().join(".drydock/sim/requests.jsonl").exists()
}

/// The story without any harm.
fn calm(story: Story) -> Calm {
    let site = Site::new(story);
    let before = if lived(&site) { site.requests().len() } else { 0 };
    let mut command = story.command.to_vec();
    command.push("--json");
    let output = site.run(&command, None);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let mut events = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let Ok(json) = serde_json::from_str::<serde_json::Value>(line)
            && let Some(kind) = json["event"]["type"].as_str()
        {
            *events.entry(kind.to_owned()).or_default() += 1;
            *events.entry("event".to_owned()).or_default() += 1;
        }
    }
    let plan = site.run(&["plan", "--detailed-exitcode"], None);
    assert_eq!(plan.status.code(), Some(story.then), "{}", text(&plan));
    let requests = site.requests();
    let mut seen: BTreeMap<Shape, u64> = BTreeMap::new();
    let mut calls = Vec::new();
    for record in requests[before..].iter().filter(|r| !r.method.is_empty()) {
        let nth = seen.entry(Shape::of(record)).or_default();
        *nth += 1;
        calls.push((Shape::of(record), *nth));
    }
    Calm { effects: effects(&requests), calls, objects: objects(&site.world()), events }
}

/// The story with one death, or what is wrong afterwards.
fn suffer(story: Story, calm: &Calm, death: &Death) -> Result<bool, String> {
    let site = Site::new(story);
    let failpoint = match death {
        Death::Call(shape, nth, moment) => {
            site.settings(story, &shape.rule(*nth, moment));
            None
        }
        Death::Journal(place, n) => Some(format!("{place}:{n}")),
    };
    let output = site.run(story.command, failpoint.as_deref());
    let died = output.status.code().is_none();
    if !died && (failpoint.is_none() || output.status.code() != Some(0)) {
        return Err(format!("the process ended with {:?}\n{}", output.status.code(), text(&output)));
    }
    let mut wrong = String::new();
    if died {
        let output = site.run(&["resume"], None);
        if output.status.code() != Some(0) {
            let _ = writeln!(wrong, "resume ended with {:?}\n{}", output.status.code(), text(&output));
        }
    }
    let plan = site.run(&["plan", "--detailed-exitcode"], None);
    if plan.status.code() != Some(story.then) {
        let _ = writeln!(wrong, "plan ended with {:?}\n{}", plan.status.code(), text(&plan));
    }
    let world = site.world();
    for difference in if story.then == 0 { oracle::differences(&design(site.dir.path(), &["design"]).site, &world) } else { Vec::new() } {
        let _ = writeln!(wrong, "{difference}");
    }
    let requests = site.requests();
    let effects = effects(&requests);
    for (effect, times) in &effects {
        let calm = calm.effects.get(effect).copied().unwrap_or(0);
        if *times != calm {
            let _ = writeln!(wrong, "{effect}: {times} times, undisturbed {calm}");
        }
    }
    for effect in calm.effects.keys().filter(|e| !effects.contains_key(*e)) {
        let _ = writeln!(wrong, "{effect}: never");
    }
    let objects = objects(&world);
    if objects != calm.objects {
        let diff = similar::TextDiff::from_lines(calm.objects.join("\n").as_str(), objects.join("\n").as_str()).unified_diff().to_string();
        let _ = writeln!(wrong, "objects differ:\n{diff}");
    }
    if wrong.is_empty() {
        return Ok(died);
    }
    for record in requests.iter().rev().take(40).rev() {
        let _ =
            writeln!(wrong, "  {} {} {} {:?} {} {:?}", record.server, record.method, record.path, record.op, record.status, record.effects);
    }
    Err(wrong)
}

/// Tells the story with each death.
fn survive(name: &str, story: Story, calm: &Calm, deaths: &[Death]) {
    let next = AtomicUsize::new(0);
    let (failures, died) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    let started = std::time::Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(death) = deaths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match suffer(story, calm, death) {
                        Ok(yes) => _ = died.fetch_add(usize::from(yes), Ordering::Relaxed),
                        Err(wrong) => failures.lock().unwrap().push(format!("== {death:?}\n{wrong}")),
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    eprintln!("{name}: {} deaths ({} happened) in {:.1} s", deaths.len(), died.into_inner(), started.elapsed().as_secs_f32());
    assert!(failures.is_empty(), "{} of {} deaths do harm:\n{}", failures.len(), deaths.len(), failures.join("\n"));
}

fn calls(calm: &Calm) -> Vec<Death> {
    let at = |(shape, nth): &(Shape, u64)| MOMENTS.map(|moment| Death::Call(shape.clone(), *nth, moment));
    calm.calls.iter().flat_map(at).collect()
}

#[test]
fn a_client_that_dies_in_any_call_of_an_installation_does_it_once() {
    let calm = calm(FIRST);
    assert!(calm.calls.len() > 50, "{:?}", calm.calls);
    survive("calls of an installation", FIRST, &calm, &calls(&calm));
}

#[test]
fn a_client_that_dies_at_any_record_of_an_installation_does_it_once() {
    let calm = calm(FIRST);
    let mut places = vec![("before_event", "event"), ("after_begin", "attempt_intent")];
    if std::env::var_os("DRYDOCK_EXHAUSTIVE").is_some() {
        places.push(("after_event", "event"));
    }
    let deaths: Vec<Death> =
        places.into_iter().flat_map(|(place, of)| (1..=calm.events[of]).map(move |n| Death::Journal(place, n))).collect();
    survive("records of an installation", FIRST, &calm, &deaths);
}

/// A machine that runs something unknown is switched off and on; two power commands that must not be repeated.
const UNKNOWN: Story = Story {
    simulate: "  machines: {compute01: on_unknown}\n",
    command: &["apply", "--auto-approve", "--allow", "redeploy=node=compute01"],
    ..FIRST
};

/// A deployed machine gets another kernel: released and deployed again.
const REDEPLOYED: Story = Story {
    before: &[&["apply", "--auto-approve"]],
    edit: Some(("profiles.yaml", "kernel: hwe-22.04", "kernel: ga-22.04")),
    command: &["apply", "--auto-approve", "--allow", "redeploy=node=compute01"],
    ..FIRST
};

/// A machine is released.
const DESTROYED: Story = Story {
    before: &[&["apply", "--auto-approve"]],
    command: &["destroy", "--target", "node=compute01", "--auto-approve"],
    then: 2,
    ..FIRST
};

/// Deaths in the calls that concern a whole machine, and at all their records.
fn machine_calls(calm: &Calm) -> Vec<Death> {
    let whole = |shape: &Shape| shape.server == "bmc" || ["commission", "allocate", "deploy", "release"].contains(&&*shape.op);
    calls(calm).into_iter().filter(|d| matches!(d, Death::Call(shape, ..) if whole(shape))).collect()
}

#[test]
fn a_client_that_dies_while_it_takes_over_a_running_machine_does_it_once() {
    let calm = calm(UNKNOWN);
    let deaths = machine_calls(&calm);
    assert!(deaths.len() >= 18, "{deaths:?}");
    survive("taking over a running machine", UNKNOWN, &calm, &deaths);
}

#[test]
fn a_client_that_dies_while_it_redeploys_does_it_once() {
    let calm = calm(REDEPLOYED);
    let deaths = machine_calls(&calm);
    assert!(deaths.len() >= 9, "{deaths:?}");
    survive("redeploying", REDEPLOYED, &calm, &deaths);
}

#[test]
fn a_client_that_dies_while_it_releases_does_it_once() {
    let calm = calm(DESTROYED);
    let deaths = machine_calls(&calm);
    assert!(deaths.len() >= 3, "{deaths:?}");
    survive("releasing", DESTROYED, &calm, &deaths);
}
