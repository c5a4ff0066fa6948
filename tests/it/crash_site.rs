//! Sites whose client dies and dies again: the simulated world goes on in the test's own process, so that nothing of it dies with the client.
//!
//! A life is one process of `drydock apply` or `drydock resume`, and where it is to end. A death is shown by what ended it: the failpoint's line, or the
//! call that the simulated site was asked for. What the site has done is read from its request log, what drydock says of it from the journal.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use drydock::action::Action;
use drydock::config::PostgresUrl;
use drydock::run::{AttemptOutcome, Event, EventKind, RunState};
use drydock::sim::{FaultRule, Moment, RequestRecord, Running, Server, SimOptions, Target, Watcher, World, read_requests};
use drydock::store::{PostgresOptions, PostgresStore, SqliteStore, Store};
use rustix::process::{Pid, Signal, kill_process};

use crate::cli_support::{FILE_LINE, copy, database_line, state_line};
use crate::perturbed_support::change_world;
use crate::sharing::generate_site;
use crate::{oracle, support};

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

/// A site, and the command that is interrupted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Story {
    pub(crate) name: &'static str,
    /// Nodes of a generated site; 0: one node of `examples/hello-site`.
    pub(crate) nodes: u32,
    /// More lines of `simulate:`.
    pub(crate) simulate: &'static str,
    /// Commands that are done before.
    pub(crate) before: &'static [&'static [&'static str]],
    /// A text in the design that is replaced before the command.
    pub(crate) edit: Option<(&'static str, &'static str, &'static str)>,
    /// The command that is interrupted.
    pub(crate) command: &'static [&'static str],
    /// Exit code of the plan afterwards.
    pub(crate) then: i32,
    /// Whether the state is in a database; all are with `DRYDOCK_TEST_STATE=postgres`.
    pub(crate) database: bool,
}

/// A first deployment.
pub(crate) const FIRST: Story = Story {
    name: "an installation",
    nodes: 0,
    simulate: "",
    before: &[],
    edit: None,
    command: &["apply", "--auto-approve"],
    then: 0,
    database: false,
};

const TIMING: &str = "{power_ms: 5, post_ms: 10, enlist_ms: 20, commission_ms: 30, deploy_ms: 40, release_ms: 15, import_ms: 20}";

/// Ends the client at calls that a test names.
#[derive(Debug, Default)]
struct Killer {
    pid: AtomicI32,
    /// Each client is ended once.
    armed: AtomicBool,
    /// Moments at which calls are still to be hit, by call, in the order of its occurrences.
    wanted: Mutex<BTreeMap<String, VecDeque<Moment>>>,
    /// The n-th change from now on, whatever it is.
    nth: Mutex<Option<(u64, Moment)>>,
    /// The next call that ends like this.
    ending: Mutex<Option<(String, Moment)>>,
    hits: Mutex<Vec<String>>,
}

/// A call as it is the same in every run: numbers that MAAS gives differ.
fn call_of(bmc: &str, method: &str, path: &str, op: &str) -> String {
    let part = |p: &str| if !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()) { "N".to_owned() } else { p.to_owned() };
    let path: Vec<String> = path.split('/').map(part).collect();
    format!("{} {method} {} {op}", if bmc.is_empty() { "maas" } else { bmc }, path.join("/"))
}

impl Killer {
    fn signal(&self, signal: Signal, shown: &[u8]) {
        let Some(pid) = Pid::from_raw(self.pid.load(Ordering::SeqCst)) else { return };
        let _ = kill_process(pid, signal);
        // Until it runs no more: a signal is not obeyed at once.
        for _ in 0..5000 {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
            let state = stat.rsplit(')').next().and_then(|rest| rest.trim_start().bytes().next());
            if state.is_none_or(|s| shown.contains(&s) || s == b'Z' || s == b'X') {
                return;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

impl Watcher for Killer {
    fn moment(&self, asked: Target<'_>) -> Option<Moment> {
        let bmc = if asked.server == "bmc" { asked.node } else { "" };
        let call = call_of(bmc, asked.method, asked.path, asked.op);
        let mut ending = self.ending.lock().unwrap();
        if let Some((_, moment)) = ending.take_if(|(end, _)| call.ends_with(end.as_str()) && self.armed.swap(false, Ordering::SeqCst)) {
            self.hits.lock().unwrap().push(format!("{moment:?} {call}"));
            return Some(moment);
        }
        let mut nth = self.nth.lock().unwrap();
        let due = match nth.as_mut() {
            Some((0 | 1, moment)) => Some(*moment),
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => self.wanted.lock().unwrap().get(&call).and_then(|moments| moments.front().copied()),
        };
        let moment = due.filter(|_| self.armed.swap(false, Ordering::SeqCst))?;
        if nth.take().is_none() {
            self.wanted.lock().unwrap().get_mut(&call)?.pop_front();
        }
        self.hits.lock().unwrap().push(format!("{moment:?} {call}"));
        Some(moment)
    }

    fn stop(&self) {
        self.signal(Signal::STOP, b"T");
    }

    fn kill(&self) {
        self.signal(Signal::KILL, b"");
    }
}

/// Where a process is to end.
#[derive(Debug, Clone, Default)]
pub(crate) struct End {
    /// As `DRYDOCK_FAILPOINT`.
    pub(crate) failpoints: String,
    /// At the n-th change that it asks the site for.
    pub(crate) change: Option<(u64, Moment)>,
    /// After this time.
    pub(crate) after: Option<Duration>,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Life {
    /// Exit code; none if it was killed.
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
    /// What killed it.
    pub(crate) hit: Option<String>,
}

/// A folder with a site and its running world.
pub(crate) struct Site {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) story: Story,
    /// Whether drydock makes one call at a time.
    pub(crate) one_by_one: bool,
    /// The line of the settings that says where the state is.
    state: String,
    running: Option<Running>,
    runtime: tokio::runtime::Runtime,
    killer: Arc<Killer>,
}

impl Site {
    /// A new site, after the commands that come before.
    pub(crate) fn new(story: Story) -> Self {
        let dir = tempfile::tempdir().unwrap();
        design(story, &dir.path().join("design"));
        let state = if story.database { database_line() } else { state_line() };
        let mut site = Self { dir, story, one_by_one: false, state, running: None, runtime: runtime(), killer: Arc::default() };
        site.settings("");
        site.open();
        for command in story.before {
            let life = site.live(command, &End::default());
            assert_eq!(life.code, Some(0), "{}", life.said);
        }
        if let Some((file, from, new)) = story.edit {
            let path = site.path().join("design").join(file);
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(from));
            std::fs::write(path, text.replace(from, new)).unwrap();
        }
        site
    }

    /// A site whose folder is there, with its world and its state.
    pub(crate) fn of(dir: tempfile::TempDir, story: Story) -> Self {
        let state = FILE_LINE.to_owned();
        let mut site = Self { dir, story, one_by_one: false, state, running: None, runtime: runtime(), killer: Arc::default() };
        site.open();
        site
    }

    /// Whether the story's command has begun a run.
    pub(crate) fn has_run(&self) -> bool {
        self.store().is_some_and(|store| store.runs().unwrap().len() > self.story.before.len())
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    fn simulated(&self) -> String {
        let lazy = if self.story.simulate.contains("durability:") { "" } else { "durability: lazy\n" };
        format!("images_present: {}\n{lazy}timing: {TIMING}\n{}", self.story.nodes > 0, self.story.simulate)
    }

    /// Writes the settings, with more lines.
    pub(crate) fn settings(&self, more: &str) {
        let name = if self.story.nodes == 0 { "hello-site" } else { "generated" };
        let simulate = self.simulated().lines().fold(String::new(), |mut out, line| {
            let _ = writeln!(out, "  {line}");
            out
        });
        let state = &self.state;
        let text = format!(
            "site: {name}\ndesign: [design]\n{state}\n\
             drivers: {{maas: {{owns_region: true, poll_interval: 15ms}}, redfish: {{poll_interval: 15ms}}}}\n\
             limits: {{nodes_in_flight: 200, power_ups_per_rack: 200, unavailable_per_rack: 200, max_failures: 200}}\n{more}simulate:\n{simulate}"
        );
        std::fs::write(self.path().join("drydock.yaml"), text).unwrap();
    }

    /// Starts the servers.
    fn open(&mut self) {
        let options: SimOptions = serde_yaml::from_str(&self.simulated()).unwrap();
        let model = support::design(self.path(), &["design"]).site;
        let running = self.runtime.block_on(Server::open(&model, &options, &self.path().join(".drydock/sim"))).unwrap();
        assert!(running.is_own());
        running.watch(Arc::clone(&self.killer) as Arc<dyn Watcher>);
        self.running = Some(running);
    }

    /// From now on other things go wrong.
    pub(crate) fn set_faults(&self, faults: Vec<FaultRule>) {
        self.running().set_faults(faults).unwrap();
    }

    /// Nothing answers for some time.
    pub(crate) fn restart(&mut self, away: Duration) {
        // Connections that are open must neither change what is written now nor live on.
        self.set_faults(vec![FaultRule { count: 0, drop: Some(Moment::BeforeEffect), ..FaultRule::default() }]);
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.shutdown()).unwrap();
        }
        std::mem::replace(&mut self.runtime, runtime()).shutdown_timeout(Duration::from_secs(2));
        std::thread::sleep(away);
        self.open();
    }

    /// Somebody else does something at the site.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut World)) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.shutdown()).unwrap();
        }
        change_world(self.path(), change);
        self.open();
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the servers run")
    }

    pub(crate) fn world(&self) -> World {
        self.running().world().unwrap()
    }

    pub(crate) fn requests(&self) -> Vec<RequestRecord> {
        read_requests(&self.path().join(".drydock/sim")).unwrap()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drydock"));
        command.arg("-C").arg(self.path()).args(arguments).env_remove("DRYDOCK_FAILPOINT").stdin(Stdio::null());
        command
    }

    /// Starts a process that is to end somewhere.
    pub(crate) fn start(&self, arguments: &[&str], end: &End) -> Child {
        let mut command = self.command(arguments);
        if !end.failpoints.is_empty() {
            command.env("DRYDOCK_FAILPOINT", &end.failpoints);
        }
        *self.killer.nth.lock().unwrap() = end.change;
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        self.killer.pid.store(i32::try_from(child.id()).unwrap(), Ordering::SeqCst);
        self.killer.armed.store(true, Ordering::SeqCst);
        child
    }

    /// One process, from its start to its end.
    pub(crate) fn live(&self, arguments: &[&str], end: &End) -> Life {
        let mut child = self.start(arguments, end);
        if let Some(after) = end.after {
            std::thread::sleep(after);
            let _ = child.kill();
        }
        let mut err = child.stderr.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = err.read_to_end(&mut text);
            text
        });
        let mut said = Vec::new();
        let _ = child.stdout.take().unwrap().read_to_end(&mut said);
        let status = child.wait().unwrap();
        self.killer.armed.store(false, Ordering::SeqCst);
        said.extend(reader.join().unwrap());
        let said = String::from_utf8_lossy(&said).into_owned();
        let code = status.code();
        let failpoint = || said.lines().find_map(|l| l.strip_prefix("failpoint ")).map(str::to_owned);
        let call = || self.killer.hits.lock().unwrap().pop();
        let hit = if code.is_some() { None } else { failpoint().or_else(call).or_else(|| end.after.map(|t| format!("after {t:?}"))) };
        Life { code, said, hit }
    }

    /// The command, or the resumption of what it has begun.
    pub(crate) fn go_on(&self, end: &End) -> Life {
        let mut arguments = if self.has_run() { vec!["resume"] } else { self.story.command.to_vec() };
        if self.one_by_one {
            arguments.extend(["--parallelism", "1"]);
        }
        self.live(&arguments, end)
    }

    /// Names calls that are to be hit.
    pub(crate) fn want(&self, wanted: BTreeMap<String, VecDeque<Moment>>) {
        *self.killer.wanted.lock().unwrap() = wanted;
    }

    /// The next call whose text ends like this is hit.
    pub(crate) fn want_ending(&self, end: &str, moment: Moment) {
        *self.killer.ending.lock().unwrap() = Some((end.to_owned(), moment));
    }

    /// Calls that were not hit yet.
    pub(crate) fn unhit(&self) -> BTreeMap<String, VecDeque<Moment>> {
        let mut left = std::mem::take(&mut *self.killer.wanted.lock().unwrap());
        left.retain(|_, moments| !moments.is_empty());
        left
    }

    fn store(&self) -> Option<Box<dyn Store>> {
        let name = if self.story.nodes == 0 { "hello-site" } else { "generated" };
        if let Some(url) = self.state.strip_prefix("state: ").filter(|url| url.starts_with("postgres:")) {
            let options = PostgresOptions::new(PostgresUrl::parse(url).unwrap());
            return PostgresStore::existing(&options, name).unwrap().map(|store| Box::new(store) as Box<dyn Store>);
        }
        let path = self.path().join(".drydock/state.db");
        path.exists().then(|| Box::new(SqliteStore::open(&path, name).unwrap()) as Box<dyn Store>)
    }

    /// Actions and events of the last run.
    pub(crate) fn journal(&self) -> (Vec<Action>, Vec<Event>) {
        let store = self.store().expect("a state");
        let run = store.runs().unwrap().pop().expect("a run");
        let plan = drydock::plan::read(std::str::from_utf8(&store.plan(&run.id).unwrap()).unwrap()).unwrap();
        (plan.actions, store.events(&run.id, 0).unwrap())
    }

    /// Everything that is wrong at the end, compared with an undisturbed run.
    pub(crate) fn wrong(&self, calm: &Calm) -> String {
        let mut wrong = String::new();
        let plan = self.live(&["plan", "--detailed-exitcode"], &End::default());
        if plan.code != Some(self.story.then) {
            let _ = writeln!(wrong, "plan ended with {:?}\n{}", plan.code, plan.said);
        }
        let world = self.world();
        if self.story.then == 0 {
            for difference in oracle::differences(&support::design(self.path(), &["design"]).site, &world) {
                let _ = writeln!(wrong, "{difference}");
            }
        }
        let requests = self.requests();
        let effects = once(&requests);
        for (effect, times) in &effects {
            let usual = calm.effects.get(effect).copied().unwrap_or(0);
            if *times != usual {
                let _ = writeln!(wrong, "{effect}: {times} times, undisturbed {usual}");
            }
        }
        for effect in calm.effects.keys().filter(|e| !effects.contains_key(*e)) {
            let _ = writeln!(wrong, "{effect}: never");
        }
        let objects = objects(&world);
        if objects != calm.objects {
            let diff =
                similar::TextDiff::from_lines(calm.objects.join("\n").as_str(), objects.join("\n").as_str()).unified_diff().to_string();
            let _ = writeln!(wrong, "objects differ:\n{diff}");
        }
        let (actions, events) = self.journal();
        wrong.push_str(&misrecorded(&actions, &events));
        let store = self.store().unwrap();
        // The last process may have died with everything done and the lock held: that of a run that has ended is free.
        let ended = |run: &str| store.run(run).unwrap().is_none_or(|run| run.ended_ms.is_some());
        for lock in store.locks().unwrap().iter().filter(|lock| lock.alive != Some(false) || !ended(&lock.run)) {
            let _ = writeln!(wrong, "the next run cannot begin: {lock:?}");
        }
        if !wrong.is_empty() {
            for record in requests.iter().rev().take(40).rev() {
                let _ = writeln!(
                    wrong,
                    "  {} {} {} {:?} {} {:?}",
                    record.server, record.method, record.path, record.op, record.status, record.effects
                );
            }
        }
        wrong
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            let _ = self.runtime.block_on(running.shutdown());
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// The design of a story.
fn design(story: Story, to: &Path) {
    if story.nodes > 0 {
        std::fs::create_dir_all(to).unwrap();
        return std::fs::write(to.join("site.yaml"), generate_site::site(story.nodes)).unwrap();
    }
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hello-site/design"), to);
    let nodes = std::fs::read_to_string(to.join("nodes.yaml")).unwrap();
    let one = nodes.split("---\n").find(|d| d.contains("name: compute01")).unwrap();
    std::fs::write(to.join("nodes.yaml"), format!("---\n{one}")).unwrap();
}

/// What a journal says that cannot be: a gap, an action that is begun again after it was done, an outcome without an intent.
fn misrecorded(actions: &[Action], events: &[Event]) -> String {
    let mut wrong = String::new();
    let mut done = BTreeSet::new();
    let mut intended = BTreeSet::new();
    for (event, seq) in events.iter().zip(1..) {
        if event.seq != seq {
            let _ = writeln!(wrong, "event {seq} has number {}", event.seq);
        }
        match &event.event {
            EventKind::AttemptIntent { action, .. } => {
                if done.contains(action) {
                    let _ = writeln!(wrong, "{action} was done, and is begun again with event {seq}");
                }
                intended.insert(action.clone());
            }
            EventKind::AttemptOutcome { action, outcome, .. } => {
                if !done.insert(action.clone()) && matches!(outcome, AttemptOutcome::Done | AttemptOutcome::AlreadyDone { .. }) {
                    let _ = writeln!(wrong, "{action} was done, and is done again with event {seq}");
                }
                match outcome {
                    AttemptOutcome::Done if !intended.contains(action) => {
                        let _ = writeln!(wrong, "{action} is done by this run with event {seq}, and was never begun");
                    }
                    AttemptOutcome::Done | AttemptOutcome::AlreadyDone { .. } => {}
                    other => {
                        done.remove(action);
                        if matches!(other, AttemptOutcome::Failed { .. } | AttemptOutcome::Refused { .. }) {
                            let _ = writeln!(wrong, "{action} did not go well: {other:?}");
                        }
                    }
                }
            }
            _ => {}
        }
    }
    let state = RunState::fold(actions, events).unwrap();
    for (at, action) in actions.iter().enumerate().filter(|(at, _)| !state.task(*at).status.is_done()) {
        let _ = writeln!(wrong, "{} of {} is {}", action.kind, action.resource, state.task(at).status.name());
    }
    wrong
}

/// What an undisturbed run leaves.
pub(crate) struct Calm {
    pub(crate) effects: BTreeMap<String, usize>,
    pub(crate) objects: Vec<String>,
    pub(crate) events: Vec<Event>,
    /// Calls that change something, in order, with how often each was made.
    pub(crate) calls: BTreeMap<String, usize>,
}

/// The story without any harm.
pub(crate) fn calm(story: Story) -> Calm {
    let site = Site::new(story);
    let before = site.requests().len();
    let life = site.go_on(&End::default());
    assert_eq!(life.code, Some(0), "{}", life.said);
    let (_, events) = site.journal();
    let requests = site.requests();
    let mut calls = BTreeMap::new();
    let world = site.world();
    for record in requests[before..].iter().filter(|r| !r.method.is_empty()) {
        *calls.entry(of_record(record)).or_default() += 1;
    }
    let calm = Calm { effects: once(&requests), objects: objects(&world), events, calls };
    let wrong = site.wrong(&calm);
    assert!(wrong.is_empty(), "{wrong}");
    calm
}

/// A record's call as the watcher sees it.
fn of_record(record: &RequestRecord) -> String {
    let bmc = record.server.split_once(':').map_or("", |(_, name)| name);
    call_of(bmc, &record.method, &record.path, record.op.as_deref().unwrap_or_default())
}

/// How often each effect happened that may happen once.
pub(crate) fn once(requests: &[RequestRecord]) -> BTreeMap<String, usize> {
    let mut out = BTreeMap::new();
    for (request, effect) in requests.iter().flat_map(|r| r.effects.iter().map(move |e| (r, e))) {
        if ONCE.iter().any(|once| effect.starts_with(once)) {
            // MAAS boots a machine with a cycle where it has not gone off yet since it was last used.
            let effect = if request.server == "maas" { effect.replace("power_cycle ", "power_on ") } else { effect.clone() };
            *out.entry(effect).or_default() += 1;
        }
    }
    out
}

/// Every object of the world by name, so that one that is there twice or is left over is seen.
fn objects(world: &World) -> Vec<String> {
    let db = &world.site;
    let mut out = Vec::new();
    // Fabrics that MAAS makes by itself have the next number that is free then.
    let fabric = |name: &str| {
        if name.strip_prefix("fabric-").is_some_and(|n| n.parse::<u32>().is_ok()) { "fabric-N".to_owned() } else { name.to_owned() }
    };
    out.extend(db.fabrics.values().map(|f| format!("fabric {}", fabric(&f.name))));
    out.extend(db.vlans.values().map(|v| format!("vlan {} of {}", v.vid, fabric(&db.fabrics[&v.fabric].name))));
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
