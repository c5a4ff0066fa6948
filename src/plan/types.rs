//! The plan as a value.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Limits, PolicyReport, Rollout};
use crate::action::{Action, ActionKind, Effect};
use crate::build::{Binding, Endpoint};
use crate::diff::{Blocked, Change, Goal, HeldBack, NodeStage, NotManaged, Orphan};

/// Version of the plan file format.
pub const FORMAT: u32 = 1;

/// A permission for an effect class, as given with `--allow CLASS=SELECTOR`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    /// The class.
    pub effect: Effect,
    /// The selector as written.
    pub selector: String,
}

/// What becomes of a node whose branch failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// It stays as it is.
    #[default]
    Leave,
    /// Its machine is switched off over its BMC, unless it held an operating system when the plan was made.
    PowerOff,
    /// The provisioner marks its machine broken, with the reason.
    MarkBroken,
}

impl OnFailure {
    /// The name in settings and plans.
    pub fn name(self) -> &'static str {
        match self {
            Self::Leave => "leave",
            Self::PowerOff => "power_off",
            Self::MarkBroken => "mark_broken",
        }
    }
}

/// What a run does about trouble; all of it is in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailureRules {
    /// Seconds without anything new from the site after which an action that is waited for is given up, by kind.
    pub no_progress_s: BTreeMap<ActionKind, u32>,
    /// What becomes of a node whose branch failed.
    pub on_failure: OnFailure,
}

/// Digests: SHA-256, hex.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digests {
    /// Of the design's documents.
    pub design: String,
    /// Of the facts used.
    pub build: String,
    /// Of resources, after-values, effects, guards and limits; no facts.
    pub intent: String,
    /// Of the plan without its advisory part.
    pub plan: String,
}

/// What a preview compares: two versions of a design, without the site. No preview can be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Preview {
    /// The base as it was asked for: a commit, branch or tag.
    pub base: String,
    /// The base's commit.
    pub base_commit: String,
    /// Folder of the site in the base's repository, without a slash at the end; empty for the root.
    pub base_folder: String,
    /// The commit that is compared with it; absent for a working tree that has changes of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// Digits of a commit where it is shown.
const SHOWN_DIGITS: usize = 12;

impl Preview {
    /// The base's commit, shortened.
    pub fn base_shown(&self) -> &str {
        self.base_commit.get(..SHOWN_DIGITS).unwrap_or(&self.base_commit)
    }

    /// The compared commit, shortened; in words for a working tree.
    pub fn commit_shown(&self) -> &str {
        self.commit.as_deref().map_or("the working tree", |c| c.get(..SHOWN_DIGITS).unwrap_or(c))
    }

    /// A place of the base, told from one of the compared version as `git show` does it: `COMMIT:file:line:column`.
    pub fn in_base(&self, place: &str) -> String {
        format!("{}:{place}", self.base_shown())
    }

    /// The place within the base's files that [`Preview::in_base`] made; `None` for one of the compared version.
    pub fn of_base<'a>(&self, place: &'a str) -> Option<&'a str> {
        place.strip_prefix(self.base_shown())?.strip_prefix(':')
    }
}

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// drydock version that made it.
    pub drydock: String,
    /// Site name.
    pub site: String,
    /// Goal.
    pub goal: Goal,
    /// The selection (`--target`) as written; a plan with one is partial.
    pub selection: Option<String>,
    /// What is compared, where this is a preview that was made without the site; apply refuses those.
    pub preview: Option<Preview>,
    /// Endpoints that facts came from; apply refuses others.
    pub endpoints: Vec<Endpoint>,
    /// Permissions given.
    pub allow: Vec<Allowance>,
    /// Limits.
    pub limits: Limits,
    /// What is done about trouble.
    pub failures: FailureRules,
    /// In which order branches begin.
    pub rollout: Rollout,
    /// What it comes to under the policies of its site.
    pub policy: PolicyReport,
    /// Identity of each node that has actions.
    pub bindings: BTreeMap<String, Binding>,
    /// Stage of each node, now and then.
    pub nodes: BTreeMap<String, NodeStage>,
    /// Generation in state of each resource that has actions; apply refuses an older plan.
    pub generations: BTreeMap<String, u64>,
    /// Changes.
    pub changes: Vec<Change>,
    /// Actions in a topological order.
    pub actions: Vec<Action>,
    /// What the policy holds back.
    pub held_back: Vec<HeldBack>,
    /// What nothing can be planned about.
    pub blocked: Vec<Blocked>,
    /// What is ours and no longer in the design.
    pub orphans: Vec<Orphan>,
    /// What the design says and no driver compares yet.
    pub not_managed: Vec<NotManaged>,
    /// Warnings of the design's check, one line each.
    pub warnings: Vec<String>,
    /// Expected duration in seconds of the longest branch, if known. Advisory; in no digest.
    pub expected_s: Option<u64>,
    /// Seconds since 1970 when facts were read. Advisory; in no digest.
    pub observed_at: u64,
    /// Digests.
    pub digests: Digests,
    /// The parts of the plan file, once they have been written out.
    pub sealed: Sealed,
}

impl Plan {
    /// A plan that does nothing, without limits: what others are made from.
    pub fn empty(site: &str, goal: Goal) -> Self {
        Self {
            drydock: env!("CARGO_PKG_VERSION").to_owned(),
            site: site.to_owned(),
            goal,
            selection: None,
            preview: None,
            endpoints: Vec::new(),
            allow: Vec::new(),
            failures: FailureRules::default(),
            limits: Limits::none(),
            rollout: Rollout::default(),
            policy: PolicyReport::default(),
            bindings: BTreeMap::new(),
            nodes: BTreeMap::new(),
            generations: BTreeMap::new(),
            changes: Vec::new(),
            actions: Vec::new(),
            held_back: Vec::new(),
            blocked: Vec::new(),
            orphans: Vec::new(),
            not_managed: Vec::new(),
            warnings: Vec::new(),
            expected_s: None,
            observed_at: 0,
            digests: Digests::default(),
            sealed: Sealed::default(),
        }
    }

    /// The highest effect that reaches each node, by changes and by actions; nodes that nothing reaches are not in it.
    pub fn effects_on_nodes(&self) -> BTreeMap<&str, Effect> {
        let mut out: BTreeMap<&str, Effect> = BTreeMap::new();
        let changes = self.changes.iter().filter_map(|c| Some((c.node.as_deref()?, c.effect)));
        let actions = self.actions.iter().filter_map(|a| Some((a.node.as_deref()?, a.effect)));
        for (node, effect) in changes.chain(actions) {
            let entry = out.entry(node).or_insert(effect);
            *entry = (*entry).max(effect);
        }
        out
    }
}

/// The parts of a plan file as canonical JSON, kept so that a large plan is written out once. Takes no part in equality.
#[derive(Debug, Clone, Default)]
pub struct Sealed(pub(super) Option<Arc<BTreeMap<&'static str, String>>>);

impl PartialEq for Sealed {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Sealed {}
