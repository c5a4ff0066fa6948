//! The driver of hooks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::action::params::{HookPhase, RunHook};
use crate::driver::manual::Confirmations;
use crate::driver::permit::{NOT_PERMITTED, Permit};
use crate::driver::program::{self, Broken, Output, Ran};
use crate::driver::{Begun, Call, Driver, DriverError, ErrorClass, Observation};
use crate::redact::Secret;

/// The name in plans.
pub const NAME: &str = "hooks";

/// Bytes of each stream that are kept: the last ones.
const KEPT: usize = 4096;

/// Characters of its output that a message has.
const EXCERPT: usize = 2000;

/// Runs hooks.
pub struct HookDriver {
    /// The folder that they run in, and that relative paths of programs are relative to.
    root: PathBuf,
    /// Values of the variables that the settings name, by the name of the hook.
    environment: BTreeMap<String, Vec<(String, Secret)>>,
    confirmations: Arc<dyn Confirmations>,
    permit: Permit,
    /// What hooks that ended well printed, by action.
    ended: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
}

impl std::fmt::Debug for HookDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HookDriver").field("hooks", &self.environment.keys()).finish_non_exhaustive()
    }
}

impl HookDriver {
    /// A driver that runs hooks in a folder. `environment` has, for each hook by name, the values of the variables that it gets.
    /// Without the permit nothing is run.
    pub fn new(
        root: &Path,
        environment: BTreeMap<String, Vec<(String, Secret)>>,
        confirmations: Arc<dyn Confirmations>,
        permit: Permit,
    ) -> Self {
        // Programs change into it before they are looked up.
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        Self { root, environment, confirmations, permit, ended: Mutex::new(BTreeMap::new()) }
    }

    async fn see(&self, call: &Call) -> Result<Observation, DriverError> {
        let hook: RunHook = call.params()?;
        if let Some(outputs) = self.ended.lock().unwrap_or_else(PoisonError::into_inner).get(&call.action) {
            return Ok(Observation::Done { outputs: outputs.clone() });
        }
        if !call.begun {
            return Ok(Observation::NotStarted);
        }
        let confirmed = self.confirmations.confirmed(&call.action).await.map_err(|why| {
            DriverError::new(ErrorClass::Transient, format!("it cannot be read whether hook `{}` was confirmed: {why}", hook.name))
        })?;
        if confirmed.is_none() && !hook.repeatable {
            let command = self.confirmations.command(call.node.as_deref().unwrap_or_default()).await;
            let name = hook.name;
            return Ok(Observation::Unknown(format!(
                "drydock ended while hook `{name}` ran, and the hook is not `repeatable`; when what it does is done: {command}"
            )));
        }
        Ok(match confirmed {
            Some(by) => Observation::Done { outputs: BTreeMap::from([("confirmed_by".to_owned(), by)]) },
            None => Observation::NotStarted,
        })
    }

    async fn run(&self, call: &Call, hook: &RunHook) -> Result<BTreeMap<String, String>, DriverError> {
        let node = call.node.as_deref().unwrap_or_default();
        let given = self.environment.get(&hook.name).map_or(&[][..], Vec::as_slice);
        if let Some(missing) = hook.environment.iter().find(|name| !given.iter().any(|(known, _)| known == *name)) {
            let message =
                format!("hook `{}` of {} needs the variable {missing}, which the settings do not give it", hook.name, call.resource);
            return Err(DriverError::new(ErrorClass::Settings, message).hint("put it back under `hooks` in drydock.yaml, or plan again"));
        }
        let Some((program, arguments)) = hook.argv.split_first() else {
            return Err(DriverError::new(ErrorClass::Bug, format!("hook `{}` of {} has no program", hook.name, call.resource)));
        };
        // A path is meant from the folder of the settings, as everything in them is.
        let path = if program.contains('/') { self.root.join(program) } else { PathBuf::from(program) };
        let home = std::env::var("HOME").unwrap_or_default();
        let own = [
            ("DRYDOCK_SITE", call.site.as_str()),
            ("DRYDOCK_NODE", node),
            ("DRYDOCK_RACK", hook.rack.as_deref().unwrap_or_default()),
            ("DRYDOCK_HOOK", hook.name.as_str()),
            ("DRYDOCK_PHASE", hook.phase.name()),
            ("DRYDOCK_ACTION", hook.disrupts.as_str()),
            ("HOME", home.as_str()),
        ];
        let mut variables: Vec<(&str, Secret)> = own.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
        variables
            .extend(given.iter().filter(|(name, _)| hook.environment.contains(name)).map(|(name, value)| (name.as_str(), value.clone())));
        let ran = program::run(program::Run {
            program: &path,
            arguments,
            variables: &variables,
            inherits: false,
            directory: Some(&self.root),
            output: Output::Tail(KEPT),
            limit: Duration::from_secs(u64::from(hook.limit_s)),
            permit: &self.permit,
        })
        .await;
        let what = match hook.phase {
            HookPhase::BeforeDisrupt => format!("hook `{}` does not let {} of node.{node} begin", hook.name, hook.disrupts),
            HookPhase::AfterHealthy => format!("hook `{}` does not find node.{node} in order after {}", hook.name, hook.disrupts),
        };
        let failed = |class, why: String| DriverError::new(class, format!("{what}: {program} {why}"));
        let ran = ran.map_err(|broken| match broken {
            Broken::Missing => {
                failed(ErrorClass::Settings, "is not there".to_owned()).hint("correct `run` of the hook in drydock.yaml, and plan again")
            }
            Broken::Failed(error) => failed(ErrorClass::Settings, format!("cannot be run: {error}")).hint("check that it may be executed"),
            Broken::Slow => failed(ErrorClass::Failed, format!("was killed after {} s, its time limit", hook.limit_s))
                .hint("`timeout` of the hook gives it more; `drydock resume` runs it again"),
            Broken::Forbidden => failed(ErrorClass::Transient, format!("was not run: {NOT_PERMITTED}")),
            Broken::Flood => failed(ErrorClass::Failed, "printed too much".to_owned()),
        })?;
        let secrets: Vec<&str> = given.iter().map(|(_, value)| value.expose()).filter(|value| !value.is_empty()).collect();
        let printed = printed(&ran, &secrets);
        if ran.status.success() {
            let mut outputs = BTreeMap::new();
            if !printed.is_empty() {
                outputs.insert("output".to_owned(), printed);
            }
            return Ok(outputs);
        }
        let said = if printed.is_empty() { String::new() } else { format!(": {printed}") };
        Err(failed(ErrorClass::Failed, format!("ended with {}{said}", ran.status)).hint("see why; `drydock resume` runs it again"))
    }
}

/// The end of what a program printed, with secrets masked.
fn printed(ran: &Ran, secrets: &[&str]) -> String {
    let mut text = [ran.stdout.trim(), ran.stderr.trim()].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join("\n");
    if ran.stdout.len() >= KEPT || ran.stderr.len() >= KEPT {
        // Its beginning is missing, and with it perhaps that of a secret.
        let longest = secrets.iter().map(|s| s.len()).max().unwrap_or(0);
        let from = text.char_indices().map(|(at, _)| at).find(|at| *at >= longest).unwrap_or(text.len());
        text.drain(..from);
    }
    for secret in secrets {
        text = text.replace(secret, "***");
    }
    let text: String = text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
    let skip = text.chars().count().saturating_sub(EXCERPT);
    if skip == 0 { text } else { format!("…{}", text.chars().skip(skip).collect::<String>()) }
}

#[async_trait]
impl Driver for HookDriver {
    fn name(&self) -> &'static str {
        NAME
    }

    fn poll_interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    async fn observe(&self, calls: &[Call]) -> Vec<Result<Observation, DriverError>> {
        let mut seen = Vec::with_capacity(calls.len());
        for call in calls {
            seen.push(self.see(call).await);
        }
        seen
    }

    /// Runs the program to its end. It is a process of ours, so a run that stops at a safe point waits for it.
    async fn begin(&self, call: &Call) -> Result<Begun, DriverError> {
        let hook: RunHook = call.params()?;
        let outputs = self.run(call, &hook).await?;
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).insert(call.action.clone(), outputs);
        Ok(Begun::Complete)
    }
}
