//! The running world: its value, what is due next, what changed in the present request, and answers that need not be written again.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use axum::body::Bytes;

use super::db::{Fabric, LogEvent, MaasSite, Node, Status, Tag, Vlan};
use super::error::SimError;
use super::fault::Faults;
use super::options::Durability;
use super::store::{Change, RequestRecord, Store};
use super::watcher::Watcher;
use super::world::{Event, Machine, Timer, World};

/// Whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// A machine's timer.
    Machine(String),
    /// A MAAS machine's time-out or release.
    Node(String),
    /// The import of boot images.
    Import,
}

/// What the present request changed.
#[derive(Debug, Default)]
struct Dirty {
    meta: bool,
    site: bool,
    fabrics: BTreeSet<i64>,
    vlans: BTreeSet<i64>,
    machines: BTreeSet<String>,
    nodes: BTreeSet<String>,
}

/// The running world.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) world: World,
    /// Time of the present request in milliseconds since 1970.
    pub(crate) now: u64,
    pub(crate) faults: Faults,
    pub(crate) watcher: Option<Arc<dyn Watcher>>,
    due: BTreeSet<(u64, Due)>,
    dirty: Dirty,
    store: Option<Store>,
    /// What the present request did.
    effects: Vec<String>,
    /// Answered mutating requests of this process, if there is no file.
    pub(crate) requests: Vec<RequestRecord>,
    /// Requests that this process has answered, reads included.
    pub(crate) answered: u64,
    /// Requests that came to BMCs, by machine.
    pub(crate) asked: BTreeMap<String, u64>,
    /// MAC to system id.
    macs: HashMap<String, String>,
    /// Machine to system id.
    node_of: HashMap<String, String>,
    /// Rendered machines.
    rendered: HashMap<String, Bytes>,
    /// The rendered list of machines.
    pub(crate) machine_list: Option<Bytes>,
    /// Rendered lists of site objects, by path.
    pub(crate) lists: HashMap<String, Bytes>,
    durability: Durability,
}

impl Core {
    pub(crate) fn new(world: World, store: Option<Store>) -> Result<Self, SimError> {
        let faults = Faults::new(&world.meta.options.faults)?;
        let durability = world.meta.options.durability;
        let mut core = Self {
            world,
            now: 0,
            faults,
            watcher: None,
            due: BTreeSet::new(),
            dirty: Dirty::default(),
            store,
            effects: Vec::new(),
            requests: Vec::new(),
            answered: 0,
            asked: BTreeMap::new(),
            macs: HashMap::new(),
            node_of: HashMap::new(),
            rendered: HashMap::new(),
            machine_list: None,
            lists: HashMap::new(),
            durability,
        };
        core.index();
        Ok(core)
    }

    fn index(&mut self) {
        for m in self.world.machines.values() {
            if let Some(t) = m.timer {
                self.due.insert((t.due_at, Due::Machine(m.name.clone())));
            }
        }
        for n in self.world.nodes.values() {
            for at in [n.timeout_at, n.release_due].into_iter().flatten() {
                self.due.insert((at, Due::Node(n.system_id.clone())));
            }
            for i in n.interfaces.values().filter(|i| i.kind == "physical") {
                self.macs.insert(i.mac.clone(), n.system_id.clone());
            }
            if let Some(m) = &n.machine {
                self.node_of.insert(m.clone(), n.system_id.clone());
            }
        }
        if let Some(at) = self.world.site.import_due {
            self.due.insert((at, Due::Import));
        }
    }

    /// Lets everything happen that is due at `now`, in order.
    pub(crate) fn advance(&mut self, now: u64) {
        while let Some((at, _)) = self.due.first() {
            if *at > now {
                break;
            }
            let Some((at, what)) = self.due.pop_first() else { break };
            // What follows from an event counts from the event's own time, so that a late look sees the same as an early one.
            self.now = at;
            match what {
                Due::Machine(name) => {
                    let event = self.world.machines.get(&name).and_then(|m| m.timer).filter(|t| t.due_at == at);
                    if let Some(timer) = event {
                        if let Some(m) = self.machine_mut(&name) {
                            m.timer = None;
                        }
                        super::physics::happen(self, &name, timer.event);
                    }
                }
                Due::Node(id) => super::lifecycle::due(self, &id, at),
                Due::Import => super::lifecycle::import_ends(self, at),
            }
        }
        self.now = now;
        if !self.effects.is_empty() {
            let record = RequestRecord {
                seq: 0,
                server: "world".into(),
                method: String::new(),
                path: String::new(),
                op: None,
                fields: Vec::new(),
                status: 0,
                effects: Vec::new(),
            };
            let _ = self.record(record);
        }
    }

    fn record(&mut self, mut record: RequestRecord) -> Result<(), SimError> {
        self.world.meta.requests += 1;
        self.dirty.meta = true;
        record.seq = self.world.meta.requests;
        record.effects = std::mem::take(&mut self.effects);
        if let Some(store) = &mut self.store {
            return store.record(&record);
        }
        self.requests.push(record);
        Ok(())
    }

    /// A machine to change.
    pub(crate) fn machine_mut(&mut self, name: &str) -> Option<&mut Machine> {
        let machine = self.world.machines.get_mut(name)?;
        self.dirty.machines.insert(name.to_owned());
        if let Some(id) = self.node_of.get(name) {
            self.rendered.remove(id);
            self.machine_list = None;
        }
        Some(machine)
    }

    /// A MAAS machine to change.
    pub(crate) fn node_mut(&mut self, id: &str) -> Option<&mut Node> {
        let node = self.world.nodes.get_mut(id)?;
        self.dirty.nodes.insert(id.to_owned());
        self.rendered.remove(id);
        self.machine_list = None;
        Some(node)
    }

    /// MAAS' site objects to change.
    pub(crate) fn site_mut(&mut self) -> &mut MaasSite {
        self.dirty.site = true;
        self.rendered.clear();
        self.machine_list = None;
        self.lists.clear();
        &mut self.world.site
    }

    /// Tags to change. A machine shows the names of its own tags, which are changed with it: what was rendered of machines stays right.
    pub(crate) fn tags_mut(&mut self) -> &mut Vec<Tag> {
        self.dirty.site = true;
        self.lists.clear();
        &mut self.world.site.tags
    }

    /// Adds a fabric with its default VLAN. Nothing that was rendered shows it, and the log need not repeat all others: a thousand
    /// machines bring some thousand fabrics.
    pub(crate) fn add_fabric(&mut self, fabric: Fabric, vlan: Vlan) {
        self.dirty.fabrics.insert(fabric.id);
        self.dirty.vlans.insert(vlan.id);
        self.lists.clear();
        self.world.site.fabrics.insert(fabric.id, fabric);
        self.world.site.vlans.insert(vlan.id, vlan);
    }

    /// A new id.
    pub(crate) fn take_id(&mut self, kind: &str) -> i64 {
        self.dirty.meta = true;
        self.world.take_id(kind)
    }

    /// Counters to change.
    pub(crate) fn touch_meta(&mut self) {
        self.dirty.meta = true;
    }

    /// Adds a MAAS machine.
    pub(crate) fn insert_node(&mut self, node: Node) {
        let id = node.system_id.clone();
        for i in node.interfaces.values().filter(|i| i.kind == "physical") {
            self.macs.insert(i.mac.clone(), id.clone());
        }
        if let Some(m) = &node.machine {
            self.node_of.insert(m.clone(), id.clone());
        }
        self.world.nodes.insert(id.clone(), node);
        self.dirty.nodes.insert(id);
        self.machine_list = None;
    }

    /// Removes a MAAS machine.
    pub(crate) fn remove_node(&mut self, id: &str) -> Option<Node> {
        let node = self.world.nodes.remove(id)?;
        self.macs.retain(|_, v| v != id);
        self.node_of.retain(|_, v| v != id);
        self.rendered.remove(id);
        self.machine_list = None;
        self.dirty.nodes.insert(id.to_owned());
        Some(node)
    }

    /// Looks the MACs of a MAAS machine up again after they changed.
    pub(crate) fn reindex_macs(&mut self, id: &str) {
        self.macs.retain(|_, v| v != id);
        if let Some(node) = self.world.nodes.get(id) {
            for i in node.interfaces.values().filter(|i| i.kind == "physical") {
                self.macs.insert(i.mac.clone(), id.to_owned());
            }
        }
    }

    /// System id of the MAAS machine with a MAC.
    pub(crate) fn node_with_mac(&self, mac: &str) -> Option<&str> {
        self.macs.get(mac).map(String::as_str)
    }

    /// System id of MAAS' record of a machine.
    pub(crate) fn node_of(&self, machine: &str) -> Option<&str> {
        self.node_of.get(machine).map(String::as_str)
    }

    /// Name of the machine behind a MAAS machine.
    pub(crate) fn machine_of(&self, id: &str) -> Option<&str> {
        self.world.nodes.get(id)?.machine.as_deref()
    }

    /// The rendered form of a MAAS machine.
    pub(crate) fn rendered(&mut self, id: &str) -> Option<Bytes> {
        if let Some(b) = self.rendered.get(id) {
            return Some(b.clone());
        }
        let bytes = Bytes::from(super::render::machine(&self.world, self.world.nodes.get(id)?));
        self.rendered.insert(id.to_owned(), bytes.clone());
        Some(bytes)
    }

    /// Starts a machine's next transition, `delay` from now; a pending one is dropped.
    pub(crate) fn set_timer(&mut self, machine: &str, event: Event, delay: u64) {
        let due_at = self.now + delay;
        if let Some(m) = self.machine_mut(machine) {
            m.timer = Some(Timer { due_at, event });
            self.due.insert((due_at, Due::Machine(machine.to_owned())));
        }
    }

    /// Makes MAAS look at a machine later.
    pub(crate) fn wake_node(&mut self, id: &str, at: u64) {
        self.due.insert((at, Due::Node(id.to_owned())));
    }

    /// Makes the import end later.
    pub(crate) fn wake_import(&mut self, at: u64) {
        self.due.insert((at, Due::Import));
    }

    /// Notes what the present request did.
    pub(crate) fn effect(&mut self, text: impl Into<String>) {
        self.effects.push(text.into());
    }

    /// Sets a machine's status and writes the event.
    pub(crate) fn set_status(&mut self, id: &str, status: Status, message: &str) {
        if let Some(node) = self.node_mut(id) {
            node.status = status;
        }
        self.log_event(id, message, "");
    }

    /// Writes an event, which is the status message from then on.
    pub(crate) fn log_event(&mut self, id: &str, kind: &str, description: &str) {
        const KEPT: usize = 20;
        let event_id = self.take_id("event");
        let at = self.now;
        let Some(node) = self.node_mut(id) else { return };
        node.status_message = Some(if description.is_empty() { kind.to_owned() } else { format!("{kind} - {description}") });
        node.status_action = Some(String::new());
        let hostname = node.hostname.clone();
        node.events.push(LogEvent { id: event_id, hostname, at, kind: kind.to_owned(), description: description.to_owned() });
        if node.events.len() > 2 * KEPT {
            node.events.drain(..KEPT);
        }
    }

    /// Makes everything durable that changed, and the request's record.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn commit(&mut self, record: Option<RequestRecord>) -> Result<(), SimError> {
        if let Some(record) = record {
            self.record(record)?;
        }
        self.effects.clear();
        match self.durability {
            Durability::EachRequest => self.flush(),
            Durability::Lazy => Ok(()),
        }
    }

    /// Writes what changed since the last time.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn flush(&mut self) -> Result<(), SimError> {
        let dirty = std::mem::take(&mut self.dirty);
        let Some(store) = &mut self.store else { return Ok(()) };
        let nothing = !dirty.meta && !dirty.site && dirty.fabrics.is_empty();
        if nothing && dirty.machines.is_empty() && dirty.nodes.is_empty() {
            return Ok(());
        }
        let site = &self.world.site;
        let change = Change {
            meta: dirty.meta.then_some(Cow::Borrowed(&self.world.meta)),
            site: dirty.site.then_some(Cow::Borrowed(&self.world.site)),
            fabrics: dirty.fabrics.iter().filter_map(|i| site.fabrics.get(i)).map(Cow::Borrowed).collect(),
            vlans: dirty.vlans.iter().filter_map(|i| site.vlans.get(i)).map(Cow::Borrowed).collect(),
            machines: dirty.machines.into_iter().map(|n| (n.clone(), self.world.machines.get(&n).map(Cow::Borrowed))).collect(),
            nodes: dirty.nodes.into_iter().map(|n| (n.clone(), self.world.nodes.get(&n).map(Cow::Borrowed))).collect::<BTreeMap<_, _>>(),
        };
        store.append(&change)?;
        if store.wants_snapshot() {
            store.snapshot(&self.world)?;
        }
        Ok(())
    }

    /// Writes the whole world.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn snapshot(&mut self) -> Result<(), SimError> {
        self.dirty = Dirty::default();
        match &mut self.store {
            Some(store) => store.snapshot(&self.world),
            None => Ok(()),
        }
    }
}
