//! The driver: batches of observations, beginnings, discovery.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::client::{Api, ApiCall};
use super::decide::Decision;
use super::lists::{Lists, Needs};
use super::machines::Machines;
use super::options::MaasOptions;
use super::together::Answer as SharedAnswer;
use super::wire::Found;
use super::{lldp, machine_actions, network, networking, prerequisites, removal, site_actions, storage};
use crate::action::ActionKind;
use crate::action::params::{
    ApplyNodeNetworking, ApplyNodePlatform, ApplyNodeStorage, BootMediaParams, ConfigureHardware, DeployNode, DestroyNode, IdentifyNode,
    NetworkResource, NoParams, RepositoryParams, SiteRemoval, SshKeyParams, TagParams, VerifySite,
};
use crate::build::{Binding, Endpoint, Machine, MachineStatus, Neighbour, Provisioner};
use crate::driver::http::Method;
use crate::driver::{Begun, Call, Driver, DriverError, ErrorClass, NodeDriver, Observation};
use crate::redact::Secret;

/// How long a machine that has failed to deploy may take to be released, and how often that is looked at.
const RELEASE: Duration = Duration::from_mins(2);
const RELEASE_POLL: Duration = Duration::from_secs(5);

/// Name in plans.
pub(super) const NAME: &str = "maas";

/// Drives MAAS over its 2.0 API (releases 2.9 to 3.7).
#[derive(Debug, Clone)]
pub struct MaasDriver {
    api: Api,
    options: MaasOptions,
    secrets: Arc<OnceLock<DesignSecrets>>,
    /// Held by whoever makes something that others may be about to make.
    making: Arc<tokio::sync::Mutex<()>>,
}

/// What the design gives and no plan holds.
#[derive(Debug, Clone, Default)]
pub struct DesignSecrets {
    /// What nodes are given with their deployment, by node: what plans say of it, and the document in base64, as MAAS takes it.
    pub user_data: BTreeMap<String, (String, Secret)>,
    /// URLs of package repositories that have credentials, by name.
    pub repository_urls: BTreeMap<String, Secret>,
}

/// The parameters of a call, decoded.
#[derive(Debug, Clone)]
enum Wanted {
    Verify(VerifySite),
    Network(NetworkResource),
    SshKey(SshKeyParams),
    Repository(RepositoryParams),
    BootMedia(BootMediaParams),
    Tag(TagParams),
    Remove(SiteRemoval),
    Identify(IdentifyNode),
    Commission(ConfigureHardware),
    Interrogate,
    Networking(ApplyNodeNetworking),
    Storage(ApplyNodeStorage),
    Platform(ApplyNodePlatform),
    Deploy(DeployNode),
    Destroy(DestroyNode),
    Delete,
}

impl Wanted {
    fn of(call: &Call) -> Result<Self, DriverError> {
        fn read<T: DeserializeOwned>(call: &Call, wrap: impl FnOnce(T) -> Wanted) -> Result<Wanted, DriverError> {
            call.params().map(wrap)
        }
        match call.kind {
            ActionKind::VerifySite => read(call, Self::Verify),
            ActionKind::CreateNetworkTemplate => read(call, Self::Network),
            ActionKind::ConfigureUserCredentials => read(call, Self::SshKey),
            ActionKind::ConfigureNodeProvisioner => read(call, Self::Repository),
            ActionKind::CreateBootMedia => read(call, Self::BootMedia),
            ActionKind::ConfigureTags => read(call, Self::Tag),
            ActionKind::DeleteNetworkTemplate | ActionKind::DeleteUserCredentials | ActionKind::DeleteTags => read(call, Self::Remove),
            ActionKind::IdentifyNode => read(call, Self::Identify),
            ActionKind::ConfigureHardware => read(call, Self::Commission),
            ActionKind::InterrogateNode => read(call, |NoParams {}| Self::Interrogate),
            ActionKind::ApplyNodeNetworking => read(call, Self::Networking),
            ActionKind::ApplyNodeStorage => read(call, Self::Storage),
            ActionKind::ApplyNodePlatform => read(call, Self::Platform),
            ActionKind::DeployNode => read(call, Self::Deploy),
            ActionKind::DestroyNode => read(call, Self::Destroy),
            ActionKind::DeleteNode => read(call, |NoParams {}| Self::Delete),
            other => Err(DriverError::new(ErrorClass::Bug, format!("{other} is not an action of the MAAS driver"))),
        }
    }

    fn needs(&self) -> Needs {
        let none = Needs::default();
        match self {
            Self::Verify(p) => site_actions::verify_needs(p),
            Self::Network(r) => network::needs(r),
            Self::SshKey(_) => Needs { ssh_keys: true, ..none },
            Self::Repository(_) => Needs { repositories: true, ..none },
            Self::BootMedia(_) => Needs { images: true, selections: true, rack_images: true, ..none },
            Self::Tag(_) => Needs { tags: true, ..none },
            Self::Platform(p) => Needs { tags: true, pools: p.pool.is_some(), zones: p.zone.is_some(), ..none },
            Self::Remove(r) => removal::needs(r),
            Self::Networking(_) => Needs { fabrics: true, subnets: true, ..none },
            Self::Destroy(_) => Needs { racks: true, ..none },
            Self::Identify(_) | Self::Commission(_) | Self::Interrogate | Self::Storage(_) | Self::Deploy(_) | Self::Delete => none,
        }
    }

    fn is_of_node(&self) -> bool {
        !matches!(
            self,
            Self::Verify(_)
                | Self::Network(_)
                | Self::SshKey(_)
                | Self::Repository(_)
                | Self::BootMedia(_)
                | Self::Tag(_)
                | Self::Remove(_)
        )
    }
}

impl MaasDriver {
    /// A driver; makes no request.
    ///
    /// # Errors
    /// When the URL, the API key or the HTTP settings cannot be used.
    pub fn new(options: MaasOptions) -> Result<Self, DriverError> {
        let mut api = Api::new(&options.url, &options.api_key, options.http.clone(), options.max_requests)?;
        api.group_uuids = options.group_uuids;
        Ok(Self { api, options, secrets: Arc::default(), making: Arc::default() })
    }

    /// What the design gives beside the plan that is carried out; a second time changes nothing.
    pub fn give(&self, secrets: DesignSecrets) {
        let _ = self.secrets.set(secrets);
    }

    /// Reads what a batch needs: each list once, machines once, and what only single machines answer.
    async fn read(&self, batch: &[(&Call, &Wanted)]) -> Batch {
        Box::pin(self.read_with(batch, Needs::default())).await
    }

    /// The same, and these lists.
    async fn read_with(&self, batch: &[(&Call, &Wanted)], also: Needs) -> Batch {
        let needs = batch.iter().map(|(_, w)| w.needs()).fold(also, Needs::or);
        let bindings: Vec<&Binding> = batch.iter().filter(|(_, w)| w.is_of_node()).map(|(c, _)| &c.binding).collect();
        let (mut lists, machines) = tokio::join!(self.api.lists(needs), async {
            if bindings.is_empty() { Ok(Arc::default()) } else { self.api.bound(&bindings).await }
        });
        // Whose a machine in use is that bears no mark is told by its owner.
        let unmarked = |(call, _): &(&Call, &Wanted)| {
            let found = machines.as_ref().ok().and_then(|m| m.find(&call.binding).ok().flatten());
            found.is_some_and(|f| machine_actions::is_unmarked(&f.machine))
        };
        if lists.user.is_none() && batch.iter().filter(|(_, w)| w.is_of_node()).any(unmarked) {
            lists.user = self.api.shared_user().await;
        }
        // Before MAAS 3.0 only one tag's kernel options counted.
        let disputed = |(call, wanted): &(&Call, &Wanted)| {
            let found = machines.as_ref().ok().and_then(|m| m.find(&call.binding).ok().flatten());
            matches!((wanted, found), (Wanted::Platform(p), Some(f)) if machine_actions::other_options(p, &f.machine, &lists).is_some())
        };
        if batch.iter().any(disputed) {
            lists.version = self.api.shared_version().await;
        }
        let credentials = self.options.bmc_credentials.clone();
        let mut out = Batch {
            lists,
            machines,
            stored: BTreeMap::new(),
            inventoried: BTreeMap::new(),
            bmcs: BTreeMap::new(),
            secrets: Arc::clone(&self.secrets),
            credentials,
        };
        let mut tasks = JoinSet::new();
        for (call, wanted) in batch {
            let Ok(Some(found)) = out.machine(call) else { continue };
            let (api, found) = (self.api.clone(), found.clone());
            let id = found.machine.id.clone();
            match wanted {
                Wanted::Storage(_) => tasks.spawn(async move { (id, Answer::Stored(Box::new(api.complete_storage(&found).await))) }),
                Wanted::Identify(IdentifyNode { power: Some(p), .. }) => {
                    let renew = p.renew;
                    tasks.spawn(async move {
                        let works = async { !renew || api.bmc_works(&id).await };
                        let (address, works) = tokio::join!(api.bmc_address(&id), works);
                        (id, Answer::Bmc(MaasBmc { address, works }))
                    })
                }
                Wanted::Interrogate => tasks.spawn(async move {
                    let details = api.details(&id).await;
                    (id, Answer::Inventoried(details.map(|d| d.get("lshw").is_some_and(|t| !t.is_empty()))))
                }),
                _ => continue,
            };
        }
        while let Some(joined) = tasks.join_next().await {
            match joined {
                Ok((id, Answer::Stored(machine))) => drop(out.stored.insert(id, *machine)),
                Ok((id, Answer::Bmc(bmc))) => drop(out.bmcs.insert(id, bmc)),
                Ok((id, Answer::Inventoried(yes))) => drop(out.inventoried.insert(id, yes)),
                // A task that did not end leaves its machine unread.
                Err(_) => {}
            }
        }
        out
    }
}

impl MaasDriver {
    async fn act(&self, calls: &[ApiCall], then: Begun) -> Result<Begun, DriverError> {
        for call in calls {
            match self.api.change(call).await {
                // Somebody made it after we looked. What it holds is for the observation that follows.
                Err(error) if SHARED.contains(&&*call.path) && error.class == ErrorClass::Rejected && error.message.contains(EXISTS) => {}
                outcome => drop(outcome?),
            }
        }
        Ok(then)
    }

    /// Goes on when a machine that was just released is free: that takes MAAS as long as switching it off.
    async fn after_release(&self, call: &Call, wanted: &Wanted, kept: Option<ApiCall>) -> Result<Begun, DriverError> {
        let deadline = Instant::now() + RELEASE;
        loop {
            tokio::time::sleep(self.options.poll_interval.min(RELEASE_POLL)).await;
            match Box::pin(self.read(&[(call, wanted)])).await.decide(call, wanted)? {
                Decision::Act { mut calls, then } => {
                    // Before the last one, which starts the deployment, and after the machine is ours again.
                    if let Some(kept) = kept {
                        calls.insert(calls.len().saturating_sub(1), kept);
                    }
                    return self.act(&calls, then).await;
                }
                Decision::Done(_) => return Ok(Begun::Complete),
                Decision::Failed(error) => return Err(error),
                _ if Instant::now() < deadline => {}
                _ => {
                    return Err(DriverError::new(
                        ErrorClass::NotReady,
                        format!("the machine of {} is still being released", call.resource),
                    ));
                }
            }
        }
    }
}

/// Where things are made that branches of several nodes make when they are missing.
const SHARED: [&str; 4] = ["tags/", "resourcepools/", "zones/", "spaces/"];

fn makes_shared(decision: &Decision) -> bool {
    let makes = |call: &ApiCall| call.method == Method::POST && SHARED.contains(&&*call.path);
    matches!(decision, Decision::Act { calls, .. } if calls.iter().any(makes))
}

/// What MAAS answers to a second one of the same name, that somebody else has made.
const EXISTS: &str = "with this Name already exists";

/// What a task of [`MaasDriver::read`] brings.
enum Answer {
    Stored(Box<Result<Machine, DriverError>>),
    Inventoried(Result<bool, DriverError>),
    Bmc(MaasBmc),
}

/// A BMC as MAAS has it.
struct MaasBmc {
    address: Option<String>,
    /// Whether MAAS can use it; not asked where that does not matter.
    works: bool,
}

/// Everything that a batch of calls is decided from.
struct Batch {
    lists: Lists,
    machines: SharedAnswer<Machines>,
    /// Machines with their volume groups, for storage actions.
    stored: BTreeMap<String, Result<Machine, DriverError>>,
    /// Whether the hardware inventory can be read.
    inventoried: BTreeMap<String, Result<bool, DriverError>>,
    /// BMCs as MAAS has them, where they are to be set.
    bmcs: BTreeMap<String, MaasBmc>,
    /// What the design gives and no plan holds.
    secrets: Arc<OnceLock<DesignSecrets>>,
    /// User and password of BMCs by node.
    credentials: BTreeMap<String, (String, Secret)>,
}

impl Batch {
    /// What a call's node is to be given.
    fn given(&self, call: &Call) -> Option<&(String, Secret)> {
        self.secrets.get()?.user_data.get(call.node.as_ref()?)
    }

    /// The machine a call's node is bound to, as MAAS lists it now. Refuses one that contradicts the binding.
    fn machine(&self, call: &Call) -> Result<Option<&Found>, DriverError> {
        let bound = &call.binding;
        if bound.machine.is_none() && bound.macs.is_empty() && bound.uuid.is_none() && bound.guid.is_none() {
            return Err(DriverError::new(
                ErrorClass::Precondition,
                format!("{} has neither MACs nor a UUID nor a machine id, so its machine cannot be told from others", call.resource),
            )
            .hint("its BMC must be reachable once, so that MACs are recorded"));
        }
        match (&self.machines, &bound.machine) {
            // A record is deleted by its id alone: the same hardware under another one has enlisted anew since.
            (Ok(machines), Some(id)) if call.kind == ActionKind::DeleteNode => Ok(machines.by_id(id)),
            (Ok(machines), _) => machines.find(bound),
            (Err(error), _) => Err(error.clone()),
        }
    }

    /// What a call would lack that is to be begun later.
    fn lacks(&self, call: &Call, wanted: &Wanted) -> Result<(), DriverError> {
        let machine = || self.machine(call)?.map(|found| &found.machine).ok_or_else(|| absent(call));
        match wanted {
            Wanted::Networking(p) => networking::targets(p, machine()?, &self.lists).map(drop),
            Wanted::Storage(p) => storage::plan(read(&self.stored, &machine()?.id)?, p).map(drop),
            Wanted::Platform(p) => prerequisites::platform(p, machine()?, &self.lists),
            Wanted::Deploy(p) => prerequisites::deploy(p, machine()?, &self.lists, self.given(call)),
            _ => Ok(()),
        }
    }

    /// What is left to do for a call.
    fn decide(&self, call: &Call, wanted: &Wanted) -> Result<Decision, DriverError> {
        let lists = &self.lists;
        let found = if wanted.is_of_node() { self.machine(call)? } else { None };
        if let Some(found) = found {
            // Not read where no machine of the batch makes it necessary.
            let user = if machine_actions::is_unmarked(&found.machine) { lists.user()?.name.as_str() } else { "" };
            if let Some(refusal) = machine_actions::foreign(&call.site, user, call.binding.adopted_from.as_deref(), &found.machine) {
                return Ok(refusal);
            }
        }
        let there = || found.ok_or_else(|| absent(call));
        match wanted {
            Wanted::Verify(p) => site_actions::verify(p, lists),
            Wanted::Network(r) => network::decide(r, lists),
            Wanted::SshKey(p) => site_actions::ssh_key(p, lists),
            Wanted::Repository(p) => site_actions::repository(p, self.secrets.get().and_then(|s| s.repository_urls.get(&p.name)), lists),
            Wanted::BootMedia(p) => site_actions::boot_media(p, lists),
            Wanted::Tag(p) => site_actions::tag(p, lists),
            Wanted::Remove(p) => removal::decide(p, lists),
            Wanted::Identify(p) => {
                let bmc = found.and_then(|f| self.bmcs.get(&f.machine.id));
                let power = machine_actions::Power {
                    address: bmc.and_then(|b| b.address.as_deref()),
                    works: bmc.is_none_or(|b| b.works),
                    credentials: call.node.as_ref().and_then(|n| self.credentials.get(n)),
                };
                Ok(machine_actions::identify(call, p, found, power))
            }
            Wanted::Commission(p) => Ok(machine_actions::commission(call, p, there()?)),
            Wanted::Interrogate => {
                let yes = read(&self.inventoried, &there()?.machine.id)?;
                Ok(if *yes {
                    Decision::done()
                } else {
                    Decision::InProgress("waiting for the hardware inventory of commissioning".to_owned())
                })
            }
            Wanted::Networking(p) => {
                let machine = &there()?.machine;
                let targets = networking::targets(p, machine, lists)?;
                let differences = networking::differences(machine, &targets);
                if differences.is_empty() {
                    return Ok(Decision::done());
                }
                Ok(match machine_actions::may_change_networking(machine) {
                    Some(refusal) => with_differences(refusal, &differences),
                    None => Decision::Networking(networking::plan(machine, &targets)),
                })
            }
            Wanted::Storage(p) => {
                let machine = read(&self.stored, &there()?.machine.id)?;
                let differences = storage::differences(machine, p)?;
                if differences.is_empty() {
                    return Ok(Decision::done());
                }
                match machine_actions::may_change_storage(machine) {
                    Some(refusal) => Ok(with_differences(refusal, &differences)),
                    // What cannot fit is refused before anything is cleared.
                    None => storage::plan(machine, p).map(|_| Decision::Storage(Box::new(p.clone()))),
                }
            }
            Wanted::Platform(p) => machine_actions::platform(call, p, &there()?.machine, lists),
            Wanted::Deploy(p) => Ok(machine_actions::deploy(call, p, there()?, self.given(call))),
            Wanted::Destroy(p) => machine_actions::destroy(call, *p, found, lists),
            Wanted::Delete => Ok(machine_actions::delete(found)),
        }
    }
}

fn read<'a, T>(answers: &'a BTreeMap<String, Result<T, DriverError>>, id: &str) -> Result<&'a T, DriverError> {
    match answers.get(id) {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => Err(error.clone()),
        None => Err(DriverError::new(ErrorClass::Transient, format!("reading machine {id} was interrupted"))),
    }
}

/// A node's action when MAAS does not have the machine.
fn absent(call: &Call) -> DriverError {
    DriverError::new(
        ErrorClass::Precondition,
        format!("MAAS has no machine with the identity of {}", call.node.as_deref().unwrap_or(&call.resource)),
    )
    .hint("make a new plan")
}

fn with_differences(refusal: Decision, differences: &[String]) -> Decision {
    match refusal {
        Decision::Failed(mut error) => {
            error.message = format!("{}: {}", error.message, differences.join("; "));
            Decision::Failed(error)
        }
        other => other,
    }
}

/// Errors that say something about the action, not about reaching MAAS, are its observed failure.
fn settle(decision: Result<Decision, DriverError>) -> Result<Observation, DriverError> {
    match decision {
        Ok(decision) => Ok(decision.observation()),
        Err(error) => match error.class {
            ErrorClass::Precondition | ErrorClass::Rejected | ErrorClass::NotReady | ErrorClass::Failed | ErrorClass::Bug => {
                Ok(Observation::Failed(error))
            }
            _ => Err(error),
        },
    }
}

#[async_trait]
impl Driver for MaasDriver {
    fn name(&self) -> &'static str {
        NAME
    }

    fn poll_interval(&self) -> Duration {
        self.options.poll_interval
    }

    async fn observe(&self, calls: &[Call]) -> Vec<Result<Observation, DriverError>> {
        let wanted: Vec<Result<Wanted, DriverError>> = calls.iter().map(Wanted::of).collect();
        let known: Vec<(&Call, &Wanted)> = calls.iter().zip(&wanted).filter_map(|(c, w)| Some((c, w.as_ref().ok()?))).collect();
        let batch = Box::pin(self.read(&known)).await;
        calls
            .iter()
            .zip(&wanted)
            .map(|(call, wanted)| match wanted {
                Ok(wanted) => settle(batch.decide(call, wanted)),
                Err(error) => Ok(Observation::Failed(error.clone())),
            })
            .collect()
    }

    async fn prerequisites(&self, calls: &[Call]) -> Result<(), DriverError> {
        let wanted = calls.iter().map(Wanted::of).collect::<Result<Vec<_>, _>>()?;
        let known: Vec<(&Call, &Wanted)> = calls.iter().zip(&wanted).collect();
        let also = |w: &Wanted| match w {
            Wanted::Platform(p) => Needs { domains: p.domain.is_some(), ..Needs::default() },
            Wanted::Deploy(_) => Needs { images: true, ..Needs::default() },
            _ => Needs::default(),
        };
        let also = wanted.iter().map(also).fold(Needs::default(), Needs::or);
        let batch = Box::pin(self.read_with(&known, also)).await;
        known.iter().try_for_each(|(call, wanted)| batch.lacks(call, wanted))
    }

    async fn begin(&self, call: &Call) -> Result<Begun, DriverError> {
        let wanted = Wanted::of(call)?;
        let mut batch = Box::pin(self.read(&[(call, &wanted)])).await;
        let mut decision = batch.decide(call, &wanted)?;
        let mut turn = None;
        if makes_shared(&decision) {
            // Branches that find the same thing missing make it one after the other: the first one does, the others look again.
            turn = Some(self.making.lock().await);
            batch = Box::pin(self.read(&[(call, &wanted)])).await;
            decision = batch.decide(call, &wanted)?;
        }
        if !makes_shared(&decision) {
            turn = None;
        }
        let begun = match decision {
            Decision::Done(_) => Ok(Begun::Complete),
            Decision::InProgress(reason) => Ok(Begun::Wait { reason }),
            Decision::Failed(error) => Err(error),
            Decision::Act { calls, then } => self.act(&calls, then).await,
            Decision::Enclosed { first, main, last } => {
                if let Some(first) = &first {
                    self.api.change(first).await?;
                }
                let outcome = self.api.change(&main).await;
                let put_back = self.api.change(&last).await;
                // Why the action failed matters more.
                outcome.and(put_back)?;
                Ok(Begun::Complete)
            }
            Decision::AfterRelease(release) => {
                // MAAS forgets the owner data of a machine that it releases.
                let kept = batch.machine(call)?.and_then(|found| machine_actions::restore(&found.machine));
                self.api.change(&release).await?;
                self.after_release(call, &wanted, kept).await
            }
            Decision::Networking(steps) => {
                let machine = batch.machine(call)?.ok_or_else(|| absent(call))?;
                self.api.run_networking(&machine.machine, &steps).await?;
                Ok(Begun::Complete)
            }
            Decision::Storage(wanted) => {
                let machine = batch.machine(call)?.ok_or_else(|| absent(call))?;
                self.api.run_storage(&machine.machine, &wanted).await?;
                Ok(Begun::Complete)
            }
        };
        drop(turn);
        begun
    }
}

#[async_trait]
impl NodeDriver for MaasDriver {
    async fn endpoint(&self) -> Result<Endpoint, DriverError> {
        let url = if self.options.simulated { "simulated".to_owned() } else { self.options.url.clone() };
        Ok(Endpoint { driver: NAME.to_owned(), identity: self.api.identity().await?, url, simulated: self.options.simulated })
    }

    async fn discover(&self) -> Result<Provisioner, DriverError> {
        Box::pin(self.api.discover()).await
    }

    async fn record(&self, binding: &Binding) -> Result<Option<Machine>, DriverError> {
        let machines = self.api.bound(&[binding]).await?;
        Ok(machines.find(binding)?.map(|found| found.machine.clone()))
    }

    async fn machine(&self, binding: &Binding) -> Result<Option<Machine>, DriverError> {
        let machines = self.api.bound(&[binding]).await?;
        match machines.find(binding)? {
            Some(found) => self.api.complete_one(found.clone()).await.map(Some),
            None => Ok(None),
        }
    }

    async fn mark_broken(&self, binding: &Binding, why: &str) -> Result<(), DriverError> {
        let machine =
            self.record(binding).await?.ok_or_else(|| DriverError::new(ErrorClass::Precondition, "MAAS does not have the machine"))?;
        if machine.status == MachineStatus::Broken {
            return Ok(());
        }
        self.api.change(&ApiCall::post(format!("machines/{}/", machine.id), "mark_broken").with("comment", why)).await.map(drop)
    }

    async fn neighbours(&self, machine: &str) -> Result<Vec<Neighbour>, DriverError> {
        Ok(self.api.details(machine).await?.get("lldp").map(|text| lldp::read(text)).unwrap_or_default())
    }

    async fn clock(&self) -> Result<Option<i64>, DriverError> {
        Ok(self.api.send(&ApiCall::get("version/")).await?.clock_offset_ms())
    }

    async fn build_data(&self, machine: &str) -> Result<BTreeMap<String, String>, DriverError> {
        let (details, scripts) = tokio::join!(self.api.details(machine), self.api.script_outputs(machine));
        let mut data = details?;
        data.extend(scripts?);
        Ok(data)
    }
}
