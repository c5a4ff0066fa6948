//! `hooks:`: programs of the site's own around disruptions.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Minutes, NodeSelector, SecretRef};
use crate::action::params::{HookPhase, RunHook};

/// `hooks:`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Hooks {
    /// Before the first effect of class reboot or higher on a deployed node; one that fails keeps the node as it is.
    pub before_disrupt: Vec<HookSettings>,
    /// After the node is deployed again; one that fails fails the node.
    pub after_healthy: Vec<HookSettings>,
}

/// A hook.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HookSettings {
    /// Name, for plans and messages; no other hook has it.
    pub name: String,
    /// Program and arguments; no shell is involved. A path is relative to the folder of the settings.
    pub run: Vec<String>,
    /// How long it may take before it is killed; 10 minutes if not given.
    pub timeout: Option<Minutes>,
    /// Which nodes; all if not given.
    pub nodes: Option<NodeSelector>,
    /// Variables that it gets besides drydock's own.
    #[serde(default)]
    pub environment: BTreeMap<String, SecretRef>,
    /// Whether it may run again where it is not known whether it came to its end.
    #[serde(default)]
    pub repeatable: bool,
}

/// Time limit of hooks that give none, in seconds.
const LIMIT_S: u32 = 600;

impl Hooks {
    /// All hooks, in the order in which they run.
    pub fn all(&self) -> impl Iterator<Item = (HookPhase, &HookSettings)> {
        let before = self.before_disrupt.iter().map(|h| (HookPhase::BeforeDisrupt, h));
        before.chain(self.after_healthy.iter().map(|h| (HookPhase::AfterHealthy, h)))
    }
}

impl HookSettings {
    /// As parameters of an action, but for the node and what disrupts it. `default_s` is the time limit of kind `run_hook`, if the settings give one.
    pub fn parameters(&self, phase: HookPhase, rack: Option<&str>, default_s: Option<u32>) -> RunHook {
        RunHook {
            argv: self.run.clone(),
            disrupts: String::new(),
            environment: self.environment.keys().cloned().collect(),
            limit_s: self.timeout.map_or(default_s.unwrap_or(LIMIT_S), |t| u32::try_from(t.0.as_secs().max(1)).unwrap_or(u32::MAX)),
            name: self.name.clone(),
            phase,
            rack: rack.map(str::to_owned),
            repeatable: self.repeatable,
        }
    }

    /// Why it cannot be: the key, what is wrong, what to do.
    pub(super) fn wrong(&self) -> Option<(&'static str, String, &'static str)> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Some(("name", format!("`{}` is no name of a hook", self.name), "use letters, digits, `-`, `_` and `.`"));
        }
        if self.run.first().is_none_or(String::is_empty) {
            return Some(("run", "the program is missing".to_owned(), "name a program and its arguments: `run: [./drain.sh, --now]`"));
        }
        if self.run.iter().any(|a| a.contains('\0')) {
            return Some(("run", "an argument has a zero byte".to_owned(), "remove it"));
        }
        let bad = self.environment.keys().find(|n| n.is_empty() || n.contains(['=', '\0']) || n.starts_with("DRYDOCK_"));
        bad.map(|name| {
            ("environment", format!("`{name}` cannot be set"), "variables have other names than those that drydock sets (`DRYDOCK_…`)")
        })
    }
}
