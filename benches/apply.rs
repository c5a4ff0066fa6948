//! How near the engine comes to the bound of the site: makespan, CPU time and bytes written for branches of nine similar actions.
//!
//! `cargo bench --bench apply [-- NODES MILLISECONDS PARALLELISM]`

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use drydock::action::{Action, ActionKind, Effect, RetryClass};
use drydock::apply::{Drivers, Engine, Options};
use drydock::build::{Binding, Endpoint, Machine, Provisioner};
use drydock::diff::{NodeStage, Stage};
use drydock::driver::{Begun, Call, Driver, DriverError, ErrorClass, NodeDriver, Observation};
use drydock::plan::{Goal, Limits, Plan};
use drydock::run::RunOutcome;
use drydock::store::{SqliteStore, Store as _};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KINDS: [ActionKind; 9] = [
    ActionKind::PowerOffNode,
    ActionKind::SetNodeBoot,
    ActionKind::PowerOnNode,
    ActionKind::ConfigureHardware,
    ActionKind::ApplyNodeNetworking,
    ActionKind::ApplyNodeStorage,
    ActionKind::ApplyNodePlatform,
    ActionKind::DeployNode,
    ActionKind::SetNodeBoot,
];

/// A site whose every effect takes the same time.
struct Site {
    effect: Duration,
    index: BTreeMap<String, usize>,
    done: Vec<AtomicBool>,
    calls: AtomicU64,
    most_calls: AtomicU64,
}

impl Site {
    fn is_done(&self, action: &str) -> bool {
        self.index.get(action).is_some_and(|i| self.done[*i].load(Ordering::Acquire))
    }
}

#[async_trait]
impl Driver for Site {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn poll_interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    async fn observe(&self, calls: &[Call]) -> Vec<Result<Observation, DriverError>> {
        calls.iter().map(|call| Ok(if self.is_done(&call.action) { Observation::done() } else { Observation::NotStarted })).collect()
    }

    async fn begin(&self, call: &Call) -> Result<Begun, DriverError> {
        let calls = self.calls.fetch_add(1, Ordering::AcqRel) + 1;
        self.most_calls.fetch_max(calls, Ordering::AcqRel);
        tokio::time::sleep(self.effect).await;
        self.calls.fetch_sub(1, Ordering::AcqRel);
        let repeated = self.done[self.index[&call.action]].swap(true, Ordering::AcqRel);
        assert!(!repeated, "{} was begun twice", call.action);
        Ok(Begun::Complete)
    }
}

#[async_trait]
impl NodeDriver for Site {
    async fn endpoint(&self) -> Result<Endpoint, DriverError> {
        Ok(Endpoint { driver: "fake".to_owned(), identity: "bench".to_owned(), url: String::new(), simulated: true })
    }

    async fn discover(&self) -> Result<Provisioner, DriverError> {
        Err(DriverError::new(ErrorClass::Rejected, "nothing to discover"))
    }

    async fn machine(&self, _binding: &Binding) -> Result<Option<Machine>, DriverError> {
        Ok(None)
    }

    async fn build_data(&self, _machine: &str) -> Result<BTreeMap<String, String>, DriverError> {
        Ok(BTreeMap::new())
    }
}

fn plan(nodes: usize, parallelism: u32) -> Plan {
    let mut actions: Vec<Action> = Vec::with_capacity(nodes * KINDS.len());
    let mut stages = BTreeMap::new();
    for n in 0..nodes {
        let node = format!("n{n:05}");
        for (i, kind) in KINDS.into_iter().enumerate() {
            actions.push(Action {
                id: format!("{n:016x}{i:04x}"),
                kind,
                resource: format!("node.{node}/{i}"),
                node: Some(node.clone()),
                driver: "fake".to_owned(),
                effect: Effect::Install,
                params: serde_json::json!({"note": "as long as the parameters of a plain action are in practice"}).into(),
                after: if i == 0 { Vec::new() } else { vec![format!("{n:016x}{:04x}", i - 1)] },
                preconditions: Vec::new(),
                timeout_s: 300,
                retry: RetryClass::ObserveFirst,
            });
        }
        stages.insert(
            node,
            NodeStage { hardware: None, now: Stage::Absent, then: Stage::Deployed, rack: Some(format!("r{}", n / 20)), profile: None },
        );
    }
    Plan { limits: Limits { parallelism, ..Limits::none() }, nodes: stages, actions, ..Plan::empty("bench", Goal::DeployNodes) }
}

/// CPU seconds of this process so far (Linux; clock ticks are 1/100 s).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// Bytes that this process gave to the disks so far, and its peak memory in MiB (Linux).
fn written_and_peak() -> (u64, u64) {
    let line = |text: &str, key: &str| {
        let value = text.lines().find_map(|l| l.strip_prefix(key)).and_then(|v| v.split_whitespace().next()?.parse::<u64>().ok());
        value.unwrap_or(0)
    };
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    (line(&io, "write_bytes:"), line(&status, "VmHWM:") / 1024)
}

/// The same sleeps with nothing but a semaphore: what this machine's timers and load leave of the bound right now.
async fn bare(actions: usize, effect: Duration, parallelism: u32) -> f64 {
    let start = Instant::now();
    let slots = Arc::new(tokio::sync::Semaphore::new(parallelism as usize));
    let mut sleeps = tokio::task::JoinSet::new();
    for _ in 0..actions {
        let slots = slots.clone();
        sleeps.spawn(async move {
            let _slot = slots.acquire().await;
            tokio::time::sleep(effect).await;
        });
    }
    while sleeps.join_next().await.is_some() {}
    start.elapsed().as_secs_f64()
}

#[allow(clippy::print_stdout)]
fn run(nodes: usize, effect_ms: u64, parallelism: u32) {
    let plan = plan(nodes, parallelism);
    let actions = plan.actions.len();
    let site = Arc::new(Site {
        effect: Duration::from_millis(effect_ms),
        index: plan.actions.iter().enumerate().map(|(i, a)| (a.id.clone(), i)).collect(),
        done: (0..actions).map(|_| AtomicBool::new(false)).collect(),
        calls: AtomicU64::new(0),
        most_calls: AtomicU64::new(0),
    });
    let mut drivers = Drivers::default();
    drivers.node.insert("fake".to_owned(), site.clone());
    let folder = tempfile::tempdir().expect("a folder for the state");
    let store = Arc::new(SqliteStore::open(&folder.path().join("state.db"), "bench").expect("a state"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");

    let (cpu, (written, _), start) = (cpu_seconds(), written_and_peak(), Instant::now());
    let report = runtime.block_on(Engine::new(plan, store.clone(), drivers, Options::default()).start(b"")).expect("a run");
    let (took, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    assert_eq!(report.outcome, RunOutcome::Success);
    let start = Instant::now();
    assert_eq!(store.memory().expect("what is remembered").generations.len(), actions);
    let folding = start.elapsed().as_secs_f64();
    let start = Instant::now();
    drop(store);
    let closing = start.elapsed().as_secs_f64();
    let (now_written, peak) = written_and_peak();

    let bare = runtime.block_on(bare(actions, site.effect, parallelism));
    let effect = effect_ms as f64 / 1000.0;
    let critical = effect * KINDS.len() as f64;
    let bound = critical.max(effect * actions as f64 / f64::from(parallelism));
    println!(
        "{nodes} nodes, {actions} actions of {effect_ms} ms, parallelism {parallelism}: {took:.3} s, bound {bound:.3} s, factor {:.3}; \
         the same sleeps without an engine {bare:.3} s; \
         folded by the next reader in {folding:.3} s, closed in {closing:.3} s; {cpu:.2} CPU-s ({:.0} µs per action); {:.1} MB written ({:.0} bytes per action); peak {peak} MiB; at most {} calls at once",
        took / bound,
        cpu * 1e6 / actions as f64,
        (now_written - written) as f64 / 1e6,
        (now_written - written) as f64 / actions as f64,
        site.most_calls.load(Ordering::Relaxed)
    );
}

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    if let [nodes, effect_ms, parallelism] = numbers[..] {
        return run(nodes as usize, effect_ms, parallelism as u32);
    }
    run(1_000, 50, 256);
    run(10_000, 5, 256);
    run(10_000, 50, 256);
}
