//! The trait of a store and the rows that pass through it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::Json;
use crate::build::Binding;
use crate::diff::{Memory, Origin};
use crate::run::{Event, RunOutcome};

use super::{Holder, StoreError};

/// A run that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// Id ([`super::new_run_id`]).
    pub id: String,
    /// Digest of the plan.
    pub plan_digest: String,
    /// The plan file, for resume.
    pub plan: Vec<u8>,
    /// Goal.
    pub goal: String,
    /// Selection as written.
    pub selection: Option<String>,
    /// The command line, without secrets.
    pub command: String,
    /// Who runs it.
    pub holder: Holder,
    /// Milliseconds since 1970.
    pub started_ms: u64,
}

/// A run as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Id.
    pub id: String,
    /// Site.
    pub site: String,
    /// Digest of its plan.
    pub plan_digest: String,
    /// Goal.
    pub goal: String,
    /// Selection as written.
    pub selection: Option<String>,
    /// The command line that began it.
    pub command: String,
    /// Who ran it last.
    pub holder: Holder,
    /// Milliseconds since 1970.
    pub started_ms: u64,
    /// Milliseconds since 1970; absent while it runs, and after a crash.
    pub ended_ms: Option<u64>,
    /// Outcome; absent while it runs, and after a crash.
    pub outcome: Option<RunOutcome>,
    /// When it was given up for good, milliseconds since 1970: it is not gone on with.
    pub abandoned_ms: Option<u64>,
}

/// What somebody asks of a run from outside its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunRequest {
    /// Start nothing new and end at a safe point.
    Stop,
    /// End at once.
    StopNow,
    /// Start nothing new until it is continued; what runs goes on.
    Pause,
    /// Start again what may.
    Continue,
}

impl RunRequest {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Stop, Self::StopNow, Self::Pause, Self::Continue];

    /// The name in the state.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::StopNow => "stop_now",
            Self::Pause => "pause",
            Self::Continue => "continue",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.name() == name)
    }
}

/// A request as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRow {
    /// Ascending in the order in which requests were made.
    pub id: u64,
    /// What.
    pub request: RunRequest,
    /// By whom (`ops@host`).
    pub by: String,
    /// Milliseconds since 1970.
    pub at_ms: u64,
}

/// The last of some requests in order that pauses a run or continues it.
pub fn last_pause(requests: &[RequestRow]) -> Option<&RequestRow> {
    requests.iter().rev().find(|r| matches!(r.request, RunRequest::Pause | RunRequest::Continue))
}

/// Who paused a run that was not continued since, by its requests in order.
pub fn paused_by(requests: &[RequestRow]) -> Option<&str> {
    last_pause(requests).filter(|r| r.request == RunRequest::Pause).map(|r| r.by.as_str())
}

/// An event and what else becomes true with it, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The event.
    pub event: Event,
    /// What becomes true.
    pub writes: Vec<Write>,
}

/// A change of the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Write {
    /// A node is bound to a machine.
    Binding {
        /// Node.
        node: String,
        /// Machine.
        binding: Binding,
    },
    /// A resource was applied. How it became ours is kept if it was ours before.
    Applied {
        /// Resource.
        resource: String,
        /// How it became ours, if it was not.
        origin: Origin,
        /// Parameters of the action.
        #[serde(with = "as_text")]
        attributes: Json,
        /// Action id; empty for an adoption.
        action: String,
    },
    /// A resource and everything below it is no longer ours.
    Forget {
        /// Resource.
        resource: String,
    },
    /// The generation of a resource advances by one.
    Advance {
        /// Resource.
        resource: String,
    },
    /// Hardware data, kept as history.
    BuildData {
        /// Node.
        node: String,
        /// Name (`lshw`).
        name: String,
        /// Milliseconds since 1970.
        at_ms: u64,
        /// Run that collected it.
        run: String,
        /// The data.
        text: String,
    },
    /// The provisioner refused exactly these parameters.
    Rejected {
        /// Resource.
        resource: String,
        /// Parameters.
        #[serde(with = "as_text")]
        params: Json,
        /// What it said.
        message: String,
    },
    /// A former rejection no longer holds.
    ClearRejection {
        /// Resource.
        resource: String,
    },
    /// An action of a kind took that long.
    Duration {
        /// Kind.
        kind: String,
        /// Milliseconds.
        ms: u64,
    },
    /// A run goes on in another process.
    RunReopened {
        /// Run.
        run: String,
        /// Who runs it now.
        holder: Holder,
    },
    /// A run ended.
    RunEnded {
        /// Run.
        run: String,
        /// Outcome.
        outcome: RunOutcome,
        /// Milliseconds since 1970.
        at_ms: u64,
    },
    /// A run was given up: it ended incomplete, and is not gone on with.
    RunAbandoned {
        /// Run.
        run: String,
        /// Milliseconds since 1970.
        at_ms: u64,
    },
}

/// JSON within JSON as text, which is taken and given without being looked into.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::action::Json;

    pub(super) fn serialize<S: Serializer>(json: &Json, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(json.text())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        String::deserialize(deserializer).map(|text| Json::from_canonical(&text))
    }
}

/// How long actions of a kind took so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KindDuration {
    /// Sum in milliseconds.
    pub total_ms: u64,
    /// How many.
    pub count: u64,
}

impl KindDuration {
    /// The mean in milliseconds, if there was any.
    pub fn mean_ms(self) -> Option<u64> {
        self.total_ms.checked_div(self.count)
    }
}

/// Hardware data of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildDatum {
    /// Name (`lshw`).
    pub name: String,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// Run that collected it.
    pub run: String,
    /// The data.
    pub text: String,
}

/// A wish for the site's lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockRequest {
    /// Identity of the provisioner.
    pub provisioner: String,
    /// Run that wants it.
    pub run: String,
    /// Who.
    pub holder: Holder,
    /// Now by the clock of this machine, milliseconds since 1970. A shared state goes by its server's clock instead.
    pub now_ms: u64,
    /// Length of the lease.
    pub lease: Duration,
}

/// A lock that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The lock. Its id is the fencing token that every write of the run carries.
    pub lock: LockRow,
    /// The lock of another holder that it was taken over from, as its lease had ended.
    pub from: Option<LockRow>,
}

/// A lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockRow {
    /// Id, for `unlock`.
    pub id: String,
    /// Identity of the provisioner.
    pub provisioner: String,
    /// Site.
    pub site: String,
    /// Run that holds it.
    pub run: String,
    /// Who.
    pub holder: Holder,
    /// Since, milliseconds since 1970.
    pub since_ms: u64,
    /// End of the lease, milliseconds since 1970.
    pub lease_until_ms: u64,
    /// Whether its process runs, where that can be told.
    pub alive: Option<bool>,
    /// Whether machines share the state, so that the lock is taken over when its lease has ended.
    pub shared: bool,
    /// Whether the lease has ended, by the clock that it goes by.
    pub ended: bool,
}

impl LockRow {
    /// Whether a run may be under way: its process was not seen to be gone, and of a shared state its lease has not ended.
    pub fn may_run(&self) -> bool {
        match self.alive {
            Some(alive) => alive,
            None => !(self.shared && self.ended),
        }
    }
}

/// A durable state of one site. Every method that writes is one transaction: after it returned `Ok`, its effect survives a crash of the process and of
/// the machine; after `Err` or a crash within it, nothing of it is there.
///
/// Calls block: on a disk, or on a server that is far away and may be restarting. Code that serves others meanwhile makes them from a thread of its own
/// (the journal) or from one for blocking calls (the lease).
pub trait Store: Send + Sync {
    /// Begins a run: its row, its first event and what belongs to it.
    fn create_run(&self, run: &NewRun, lock: &str, first: &Record) -> Result<(), StoreError>;

    /// Appends to a run's events, in order, with everything that becomes true with them. `lock` is the id of the lock that the run holds: when it was
    /// removed or taken over meanwhile, nothing is written and the error is [`StoreError::LockLost`].
    fn append(&self, run: &str, lock: &str, batch: &[Record]) -> Result<(), StoreError>;

    /// Changes that belong to no run (adopt, rebind). [`StoreError::Locked`], and nothing is written, while a run may be under way: it would go on with what
    /// it has read.
    fn write(&self, writes: &[Write]) -> Result<(), StoreError>;

    /// All runs of the site, oldest first.
    fn runs(&self) -> Result<Vec<RunRow>, StoreError>;

    /// One run.
    fn run(&self, id: &str) -> Result<Option<RunRow>, StoreError>;

    /// The plan file of a run.
    fn plan(&self, id: &str) -> Result<Vec<u8>, StoreError>;

    /// Events of a run with a sequence number above `after`, in order.
    fn events(&self, run: &str, after: u64) -> Result<Vec<Event>, StoreError>;

    /// What a comparison needs to remember.
    fn memory(&self) -> Result<Memory, StoreError>;

    /// Durations so far, by kind of action.
    fn durations(&self) -> Result<BTreeMap<String, KindDuration>, StoreError>;

    /// Hardware data of a node, newest first.
    fn build_data(&self, node: &str) -> Result<Vec<BuildDatum>, StoreError>;

    /// An operator did by hand what an action of a run waits for. Written beside the run, whose process may be another; the first one counts.
    fn confirm(&self, run: &str, action: &str, by: &str, at_ms: u64) -> Result<(), StoreError>;

    /// What was confirmed for a run: action id → who.
    fn confirmations(&self, run: &str) -> Result<BTreeMap<String, String>, StoreError>;

    /// Asks something of a run, whose process may be another one on another host: it looks for requests once a second or so.
    fn request(&self, run: &str, request: RunRequest, by: &str, at_ms: u64) -> Result<(), StoreError>;

    /// What was asked of a run with an id above `after`, in order. Asked again and again while the run goes on, so it has to be cheap.
    fn requests(&self, run: &str, after: u64) -> Result<Vec<RequestRow>, StoreError>;

    /// Writes a copy of the site's state as of one moment into a new file, which is a state by itself; runs may go on meanwhile.
    fn copy_to(&self, file: &Path) -> Result<(), StoreError>;

    /// Takes the lock (provisioner, site). After the holder's process ended, on the same machine, the run that holds it may take it again; any run may, if
    /// that run has come to its end or was never written down. Otherwise a local state never takes it from a holder, however old the lease; a shared one
    /// does when the lease has ended by the server's clock.
    fn lock(&self, request: &LockRequest) -> Result<Grant, StoreError>;

    /// Prolongs a lease: it ends so long after now, by the clock that [`Self::lock`] goes by. [`StoreError::LockLost`] when the lock was removed or
    /// taken over.
    fn refresh_lock(&self, id: &str, lease: Duration) -> Result<(), StoreError>;

    /// Gives a lock back. Nothing happens when it is not there.
    fn release_lock(&self, id: &str) -> Result<(), StoreError>;

    /// The locks of the site.
    fn locks(&self) -> Result<Vec<LockRow>, StoreError>;

    /// Removes a lock whatever its holder does; whether it was there.
    fn unlock(&self, id: &str) -> Result<bool, StoreError>;
}
