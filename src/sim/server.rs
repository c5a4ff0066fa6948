//! The servers: one listener for MAAS, one for each BMC, on loopback, for as long as a [`Running`] lives.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, Response, Uri};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::model::Site;
use crate::redact::Secret;

use super::core::Core;
use super::error::SimError;
use super::fault::{Faults, Target};
use super::http::{Form, Reply, Request};
use super::listen::{Loopback, Switch};
use super::options::{Durability, FaultRule, MachineFault, Moment, SimOptions};
use super::store::{RequestRecord, Store, read};
use super::watcher::Watcher;
use super::world::World;
use super::{certificate, generate, maas, redfish};

/// Bodies are forms and small JSON; nobody uploads images here.
const MAX_BODY: usize = 8 << 20;

/// Where the servers listen.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Endpoints {
    maas: u16,
    key: String,
    bmcs: BTreeMap<String, u16>,
    addresses: BTreeMap<String, String>,
    /// Whether the BMCs speak HTTPS.
    #[serde(default)]
    tls: bool,
}

/// Starts simulated sites.
#[derive(Debug, Clone, Copy)]
pub struct Server;

/// A running simulated site. Its servers stop when it is shut down or dropped.
#[derive(Debug)]
pub struct Running {
    /// Base address of MAAS (`http://127.0.0.1:PORT/MAAS`).
    pub maas_url: String,
    /// MAAS API key: `consumer:token:secret`.
    pub maas_api_key: Secret,
    /// Base addresses of the BMCs by node name.
    pub bmc_urls: BTreeMap<String, String>,
    /// The same by the BMC's address in the design.
    pub bmc_urls_by_address: BTreeMap<String, String>,
    /// PEM of the certificate that the BMCs have, where they speak HTTPS.
    pub bmc_certificate: Option<String>,
    own: Option<Own>,
}

struct Own {
    core: Arc<Mutex<Core>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl std::fmt::Debug for Own {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Own").finish_non_exhaustive()
    }
}

/// One listener's part.
#[derive(Clone)]
struct Service {
    core: Arc<Mutex<Core>>,
    /// The machine whose BMC this is; `None` for MAAS.
    machine: Option<Arc<str>>,
}

fn lock(core: &Mutex<Core>) -> MutexGuard<'_, Core> {
    // A panic in a handler must not stop the other machines.
    core.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

impl Server {
    /// Starts the servers of a world that is kept in memory only.
    ///
    /// # Errors
    /// When a fault rule is broken or there is no port left.
    pub async fn start(world: World) -> Result<Running, SimError> {
        serve(Core::new(world, None)?, None).await
    }

    /// Starts the servers of the world in a folder (`.drydock/sim`); where there is none, one is generated from the design and kept there.
    ///
    /// `options` replace those of an earlier time (timing, faults), but the hardware stays as it was generated; nodes that the design has
    /// gained get machines. If another process has the world open, the result uses that process' servers.
    ///
    /// # Errors
    /// When a file cannot be read or written, the world is damaged, a fault rule is broken, or there is no port left.
    pub async fn open(site: &Site, options: &SimOptions, dir: &Path) -> Result<Running, SimError> {
        std::fs::create_dir_all(dir).map_err(|source| SimError::File { action: "create", path: dir.to_owned(), source })?;
        let lock_path = dir.join("lock");
        let file = std::fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|source| SimError::File { action: "open", path: lock_path, source })?;
        if file.try_lock().is_err() {
            return attach(dir);
        }
        let world = match read(dir)? {
            Some(mut world) => {
                world.meta.options = options.clone();
                generate::extend(&mut world, site);
                world
            }
            None => generate::generate(site, options),
        };
        let store = Store::create(dir, &world, Some(file))?;
        serve(Core::new(world, Some(store))?, Some(dir.to_owned())).await
    }

    /// Starts the servers of the world in a folder as it is.
    ///
    /// # Errors
    /// As [`Server::open`]; also when the folder has no world.
    pub async fn reopen(dir: &Path) -> Result<Running, SimError> {
        let world = read(dir)?.ok_or_else(|| SimError::Damaged { path: dir.to_owned(), reason: "there is no world".into() })?;
        let store = Store::create(dir, &world, None)?;
        serve(Core::new(world, Some(store))?, Some(dir.to_owned())).await
    }
}

/// Uses the servers of the process that has the world open.
fn attach(dir: &Path) -> Result<Running, SimError> {
    let endpoints = read_endpoints(dir).ok_or_else(|| SimError::InUse { path: dir.to_owned() })?;
    let pem = std::fs::read_to_string(dir.join("bmc.pem")).ok().filter(|_| endpoints.tls);
    Ok(running(&endpoints, pem, None))
}

fn read_endpoints(dir: &Path) -> Option<Endpoints> {
    serde_json::from_slice(&std::fs::read(dir.join("endpoints.json")).ok()?).ok()
}

fn running(e: &Endpoints, bmc_certificate: Option<String>, own: Option<Own>) -> Running {
    let url = |port: u16| format!("http://127.0.0.1:{port}");
    let bmc = |port: u16| format!("{}://127.0.0.1:{port}", if e.tls { "https" } else { "http" });
    Running {
        maas_url: format!("{}/MAAS", url(e.maas)),
        maas_api_key: Secret::new(e.key.clone()),
        bmc_urls: e.bmcs.iter().map(|(n, p)| (n.clone(), bmc(*p))).collect(),
        bmc_urls_by_address: e.addresses.iter().filter_map(|(a, n)| Some((a.clone(), bmc(*e.bmcs.get(n)?)))).collect(),
        bmc_certificate,
        own,
    }
}

/// A listener on the port of last time, else on any.
async fn bind(what: &str, wanted: Option<u16>) -> Result<TcpListener, SimError> {
    if let Some(port) = wanted
        && let Ok(l) = TcpListener::bind(("127.0.0.1", port)).await
    {
        return Ok(l);
    }
    TcpListener::bind(("127.0.0.1", 0)).await.map_err(|source| SimError::Listen { what: what.to_owned(), source })
}

async fn serve(core: Core, dir: Option<PathBuf>) -> Result<Running, SimError> {
    let last = dir.as_deref().and_then(read_endpoints);
    let bmcs: Vec<(String, String)> =
        core.world.machines.values().filter_map(|m| Some((m.name.clone(), m.bmc.as_ref()?.address.clone()))).collect();
    let unreachable: Vec<bool> = bmcs.iter().map(|(n, _)| core.faults.is_permanent(n, MachineFault::BmcUnreachable)).collect();
    let key = core.world.site.tokens.first().map_or_else(String::new, |t| format!("{}:{}:{}", t.consumer, t.token, t.secret));
    let lazy = core.world.meta.options.durability == Durability::Lazy;
    let tls = core.world.meta.options.hardware.bmc_tls;
    let (known, unknown) = if tls { (Some(certificate::make()?), Some(certificate::make()?)) } else { (None, None) };
    let strange: BTreeSet<String> =
        bmcs.iter().map(|b| &b.0).filter(|n| core.faults.is_permanent(n, MachineFault::BmcWrongCertificate)).cloned().collect();
    let core = Arc::new(Mutex::new(core));
    let own = Own { core: Arc::clone(&core), stop: CancellationToken::new(), tasks: TaskTracker::new() };
    let port = |l: &TcpListener| l.local_addr().map_or(0, |a| a.port());
    let maas = bind("MAAS", last.as_ref().map(|l| l.maas)).await?;
    let mut endpoints = Endpoints { maas: port(&maas), key, bmcs: BTreeMap::new(), addresses: BTreeMap::new(), tls };
    own.spawn(Loopback::plain(maas), Service { core: Arc::clone(&core), machine: None });
    let mut closed = Vec::new();
    for ((name, address), dead) in bmcs.into_iter().zip(unreachable) {
        let listener = bind(&format!("the BMC of {name}"), last.as_ref().and_then(|l| l.bmcs.get(&name).copied())).await?;
        endpoints.bmcs.insert(name.clone(), port(&listener));
        endpoints.addresses.insert(address, name.clone());
        if dead {
            // Its port is closed again, once no other server could get it: connections are refused.
            closed.push(listener);
        } else {
            let certificate = if strange.contains(&name) { &unknown } else { &known };
            let listener = match certificate {
                Some(c) => {
                    let what = format!("the BMC of {name}");
                    Loopback::tls(listener, c.acceptor.clone()).map_err(|source| SimError::Listen { what, source })?
                }
                None => Loopback::plain(listener),
            };
            own.spawn(listener, Service { core: Arc::clone(&core), machine: Some(name.into()) });
        }
    }
    drop(closed);
    if let Some(dir) = &dir {
        let path = dir.join("endpoints.json");
        let text = serde_json::to_vec(&endpoints).unwrap_or_default();
        std::fs::write(&path, text).map_err(|source| SimError::File { action: "write", path, source })?;
        if let Some(c) = &known {
            let path = dir.join("bmc.pem");
            std::fs::write(&path, &c.pem).map_err(|source| SimError::File { action: "write", path, source })?;
        }
    }
    if lazy {
        let (core, stop) = (Arc::clone(&core), own.stop.clone());
        own.tasks.spawn(async move {
            while !stop.is_cancelled() {
                tokio::time::sleep(Duration::from_millis(200)).await;
                let _ = lock(&core).flush();
            }
        });
    }
    Ok(running(&endpoints, known.map(|c| c.pem), Some(own)))
}

impl Own {
    fn spawn(&self, listener: Loopback, service: Service) {
        let stop = self.stop.clone();
        let app = Router::new().fallback(answer).with_state(service);
        let serve = axum::serve(listener, app.into_make_service_with_connect_info::<Switch>());
        self.tasks.spawn(async move {
            tokio::select! {
                _ = serve.into_future() => {}
                () = stop.cancelled() => {}
            }
        });
    }
}

impl Running {
    /// Whether the servers are in this process (they stop with it).
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// The base address of a node's BMC, by node name or by the BMC's address in the design.
    pub fn bmc_url(&self, node_or_address: &str) -> Option<&str> {
        self.bmc_urls.get(node_or_address).or_else(|| self.bmc_urls_by_address.get(node_or_address)).map(String::as_str)
    }

    /// The world as it is now; `None` if another process has it.
    pub fn world(&self) -> Option<World> {
        let own = self.own.as_ref()?;
        let mut core = lock(&own.core);
        core.advance(now_ms());
        Some(core.world.clone())
    }

    /// Mutating requests that were answered, if the world is kept in memory only; else they are in `requests.jsonl`.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.own.as_ref().map_or_else(Vec::new, |o| lock(&o.core).requests.clone())
    }

    /// How many requests were answered by this process, reads included.
    pub fn answered(&self) -> u64 {
        self.own.as_ref().map_or(0, |own| lock(&own.core).answered)
    }

    /// How many requests came to a node's BMC, also those that a fault answered.
    pub fn asked(&self, node: &str) -> u64 {
        self.own.as_ref().map_or(0, |own| lock(&own.core).asked.get(node).copied().unwrap_or(0))
    }

    /// Lets somebody see every change that is asked for from now on, and end who asks.
    pub fn watch(&self, watcher: Arc<dyn Watcher>) {
        if let Some(own) = &self.own {
            lock(&own.core).watcher = Some(watcher);
        }
    }

    /// From now on other things go wrong.
    ///
    /// # Errors
    /// When a pattern of a rule is broken.
    pub fn set_faults(&self, rules: Vec<FaultRule>) -> Result<(), SimError> {
        let Some(own) = &self.own else { return Ok(()) };
        let faults = Faults::new(&rules)?;
        let mut core = lock(&own.core);
        core.faults = faults;
        core.world.meta.options.faults = rules;
        Ok(())
    }

    /// Lets `ms` pass at once: whatever is due by then happens.
    pub fn skip(&self, ms: u64) {
        if let Some(own) = &self.own {
            lock(&own.core).advance(now_ms() + ms);
        }
    }

    /// Stops the servers and writes the world.
    ///
    /// # Errors
    /// When the world cannot be written.
    pub async fn shutdown(mut self) -> Result<(), SimError> {
        let Some(own) = self.own.take() else { return Ok(()) };
        own.stop.cancel();
        own.tasks.close();
        own.tasks.wait().await;
        let mut core = lock(&own.core);
        core.advance(now_ms());
        core.snapshot()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(own) = &self.own {
            own.stop.cancel();
            let _ = lock(&own.core).flush();
        }
    }
}

async fn answer(
    State(service): State<Service>,
    ConnectInfo(switch): ConnectInfo<Switch>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return respond(Reply::text(413, "the body is too large"), false);
    };
    let request = Request { method: &method, path: uri.path(), query: uri.query().unwrap_or_default(), headers: &headers, body: &body };
    service.count();
    let head = method == Method::HEAD;
    let watched = service.watched(&request);
    if let Some((watcher, Moment::BeforeEffect)) = &watched {
        watcher.kill();
        switch.cut();
        return respond(Reply::text(500, ""), head);
    }
    let end = |reply: Reply| {
        match watched {
            Some((watcher, Moment::AfterAnswer)) => {
                watcher.stop();
                switch.when_sent(move || watcher.kill());
            }
            Some((watcher, _)) => {
                watcher.kill();
                switch.cut();
            }
            None => {}
        }
        respond(reply, head)
    };
    let Some(fault) = service.fault(&request) else { return end(service.call(&request)) };
    if let Some(ms) = fault.hang_ms {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    match (fault.kill, fault.drop) {
        (Some(Moment::BeforeEffect), _) => std::process::abort(),
        (_, Some(Moment::BeforeEffect)) => {
            switch.cut();
            return respond(Reply::text(500, ""), head);
        }
        _ => {}
    }
    if let Some(status) = fault.status {
        let mut reply = Reply::text(status, fault.body.unwrap_or_default());
        reply.headers.extend(fault.retry_after_s.map(|seconds| ("retry-after", seconds.to_string())));
        return respond(reply, head);
    }
    let reply = service.call(&request);
    match (fault.kill, fault.drop) {
        (Some(Moment::AfterEffect), _) => std::process::abort(),
        (Some(_), _) => switch.when_sent(|| std::process::abort()),
        (_, Some(Moment::MidAnswer)) => switch.send_half(),
        (_, Some(_)) => switch.cut(),
        _ => {}
    }
    end(reply)
}

impl Service {
    fn count(&self) {
        if let Some(m) = &self.machine {
            *lock(&self.core).asked.entry(m.to_string()).or_default() += 1;
        }
    }

    /// Calls something with a request as rules see it.
    fn target<T>(&self, core: &mut Core, request: &Request<'_>, see: impl FnOnce(&mut Core, Target<'_>) -> T) -> T {
        let (server, node, op) = if let Some(m) = &self.machine {
            ("bmc", m.to_string(), redfish::operation(request))
        } else {
            ("maas", maas::subject(core, request), maas_operation(request))
        };
        let op = op.unwrap_or_default();
        see(core, Target { node: &node, server, method: request.method.as_str(), op: &op, path: request.path })
    }

    /// Who is to end the client of a request, and when.
    fn watched(&self, request: &Request<'_>) -> Option<(Arc<dyn Watcher>, Moment)> {
        let mut core = lock(&self.core);
        let watcher = Arc::clone(core.watcher.as_ref().filter(|_| changes(request))?);
        let moment = self.target(&mut core, request, |_, target| watcher.moment(target))?;
        Some((watcher, moment))
    }

    /// The fault that hits a request; the count is durable before anything else happens.
    fn fault(&self, request: &Request<'_>) -> Option<FaultRule> {
        let mut core = lock(&self.core);
        if core.faults.is_empty() {
            return None;
        }
        self.target(&mut core, request, |core, target| {
            core.touch_meta();
            let hit = core.faults.request(target, &mut core.world.meta.fault_matches);
            if core.world.meta.options.durability == Durability::EachRequest || hit.as_ref().is_some_and(|h| h.kill.is_some()) {
                let _ = core.flush();
            }
            hit
        })
    }

    fn call(&self, request: &Request<'_>) -> Reply {
        let mut core = lock(&self.core);
        let core = &mut *core;
        core.answered += 1;
        core.advance(now_ms());
        let (server, op, reply) = if let Some(m) = &self.machine {
            (format!("bmc:{m}"), redfish::operation(request), redfish::handle(core, m, request))
        } else {
            ("maas".to_owned(), maas_operation(request), maas::handle(core, request))
        };
        let record = changes(request).then(|| RequestRecord {
            seq: 0,
            server,
            method: request.method.to_string(),
            path: request.path.to_owned(),
            op,
            fields: if self.machine.is_none() { Form::from_body(request.headers, request.body).names() } else { Vec::new() },
            status: reply.status,
            effects: Vec::new(),
        });
        match core.commit(record) {
            Ok(()) => reply,
            Err(e) => Reply::text(507, e.to_string()),
        }
    }
}

/// Whether a request is there to change something. Session handling changes nothing on the site.
fn changes(request: &Request<'_>) -> bool {
    !matches!(request.method.as_str(), "GET" | "HEAD") && !request.path.starts_with("/redfish/v1/SessionService")
}

/// The `op` of a MAAS request.
fn maas_operation(request: &Request<'_>) -> Option<String> {
    Form::from_query(request.query).get("op").map(str::to_owned)
}

fn respond(reply: Reply, head: bool) -> Response<Body> {
    let mut builder = Response::builder().status(reply.status).header("content-type", reply.content_type);
    for (name, value) in &reply.headers {
        builder = builder.header(*name, value);
    }
    let body = if head || reply.status == 204 { Bytes::new() } else { reply.body };
    builder.body(Body::from(body)).unwrap_or_else(|_| Response::new(Body::empty()))
}
