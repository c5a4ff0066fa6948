//! Limits as pools of places, and what is ready to take them.
//!
//! What is ready and needs the same pools waits in one queue. The first of a queue is shown in `open` until it is seen that one of its pools is full; then the
//! queue waits at that pool, and comes back one at a time as places get free. So a step costs O(log n) however many wait for however many pools.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

/// Order among what is ready: what a former process began, then longest remaining path, then the first node of every rack before the second of any (so that
/// limits per rack leave no rack idle), then plan order.
pub(super) type Key = (Reverse<bool>, Reverse<u64>, u32, u32);

/// Who wants a place, in three classes: nothing of a node's own; a place for a node whose branch was begun; a place for a branch that was not.
pub(super) const RUNNING: u8 = 0;
pub(super) const STALLED: u8 = 1;
pub(super) const NEW: u8 = 2;
const CLASSES: usize = 3;

/// One pool or a family of like ones (one per rack).
#[derive(Debug, Clone)]
pub(super) struct Family {
    pub(super) what: String,
    pub(super) limit: u32,
    pub(super) per: &'static str,
    /// Places in use, of all its pools.
    pub(super) used: u32,
    /// Pools of it that are full.
    pub(super) full: u32,
}

#[derive(Debug, Clone, Default)]
struct Pool {
    used: u32,
    places: u32,
    family: Option<u32>,
    waiting: [BTreeSet<(Key, u32)>; CLASSES],
}

impl Pool {
    fn is_full(&self) -> bool {
        self.used >= self.places
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Nowhere,
    Open,
    /// At a pool.
    At(u32),
}

/// What is ready and needs the same pools.
#[derive(Debug, Clone)]
struct Queue {
    class: u8,
    pools: Box<[u32]>,
    ready: BTreeSet<Key>,
    place: Place,
    /// Its first, as it is shown at its place.
    head: Option<Key>,
}

/// All pools and queues.
#[derive(Debug, Clone, Default)]
pub(super) struct Pools {
    all: Vec<Pool>,
    families: Vec<Family>,
    queues: Vec<Queue>,
    known: HashMap<(u8, Box<[u32]>), u32>,
    open: [BTreeSet<(Key, u32)>; CLASSES],
}

impl Pools {
    /// A kind of limit that is shown to people.
    pub(super) fn family(&mut self, what: String, limit: u32, per: &'static str) -> u32 {
        self.families.push(Family { what, limit, per, used: 0, full: 0 });
        self.families.len() as u32 - 1
    }

    pub(super) fn families(&self) -> &[Family] {
        &self.families
    }

    /// A pool with so many places.
    pub(super) fn pool(&mut self, places: u32, family: Option<u32>) -> u32 {
        self.all.push(Pool { places, family, ..Pool::default() });
        let id = self.all.len() as u32 - 1;
        self.count(id, false, 0, 0);
        id
    }

    /// Keeps the family's counts: whether the pool was full before, and places taken and given since.
    fn count(&mut self, id: u32, was_full: bool, taken: u32, given: u32) {
        let pool = &self.all[id as usize];
        if let Some(family) = pool.family {
            let family = &mut self.families[family as usize];
            family.used = family.used + taken - given;
            family.full = family.full + u32::from(pool.is_full()) - u32::from(was_full);
        }
    }

    pub(super) fn is_full(&self, pool: u32) -> bool {
        self.all[pool as usize].is_full()
    }

    pub(super) fn take(&mut self, id: u32) {
        let was_full = self.is_full(id);
        self.all[id as usize].used += 1;
        self.count(id, was_full, 1, 0);
    }

    pub(super) fn give(&mut self, id: u32) {
        let was_full = self.is_full(id);
        self.all[id as usize].used -= 1;
        self.count(id, was_full, 0, 1);
        if was_full {
            self.call(id);
        }
    }

    /// Changes the number of places.
    pub(super) fn resize(&mut self, id: u32, places: u32) {
        let was_full = self.is_full(id);
        self.all[id as usize].places = places;
        self.count(id, was_full, 0, 0);
        if was_full {
            self.call(id);
        }
    }

    /// The queue of what needs these pools.
    pub(super) fn queue(&mut self, class: u8, mut pools: Vec<u32>) -> u32 {
        pools.sort_unstable();
        pools.dedup();
        let next = self.queues.len() as u32;
        let pools = pools.into_boxed_slice();
        let queues = &mut self.queues;
        *self.known.entry((class, pools)).or_insert_with_key(|(class, pools)| {
            queues.push(Queue { class: *class, pools: pools.clone(), ready: BTreeSet::new(), place: Place::Nowhere, head: None });
            next
        })
    }

    pub(super) fn insert(&mut self, queue: u32, key: Key) {
        self.queues[queue as usize].ready.insert(key);
        self.show(queue);
    }

    pub(super) fn remove(&mut self, queue: u32, key: Key) {
        self.queues[queue as usize].ready.remove(&key);
        self.show(queue);
    }

    /// The first of a class that finds a place in each of its pools.
    pub(super) fn first(&mut self, class: u8) -> Option<Key> {
        loop {
            let &(key, id) = self.open[class as usize].first()?;
            let queue = &self.queues[id as usize];
            let Some(full) = queue.pools.iter().copied().find(|p| self.is_full(*p)) else { return Some(key) };
            self.open[class as usize].remove(&(key, id));
            self.all[full as usize].waiting[class as usize].insert((key, id));
            self.queues[id as usize].place = Place::At(full);
            self.call_for(id);
        }
    }

    /// Puts a queue where its first belongs.
    fn show(&mut self, id: u32) {
        let queue = &self.queues[id as usize];
        let (class, old, new, place) = (queue.class as usize, queue.head, queue.ready.first().copied(), queue.place);
        if old == new {
            return;
        }
        if let Some(old) = old {
            match place {
                Place::Open => drop(self.open[class].remove(&(old, id))),
                Place::At(pool) => drop(self.all[pool as usize].waiting[class].remove(&(old, id))),
                Place::Nowhere => {}
            }
        }
        let place = match (new, place) {
            (None, _) => Place::Nowhere,
            (Some(_), Place::At(pool)) if self.is_full(pool) => Place::At(pool),
            (Some(_), _) => Place::Open,
        };
        match (new, place) {
            (Some(key), Place::At(pool)) => drop(self.all[pool as usize].waiting[class].insert((key, id))),
            (Some(key), _) => drop(self.open[class].insert((key, id))),
            (None, _) => {}
        }
        let queue = &mut self.queues[id as usize];
        let was_open = queue.place == Place::Open;
        (queue.head, queue.place) = (new, place);
        // Others may come before what it has left.
        if was_open && new.is_none_or(|new| old.is_some_and(|old| new > old)) {
            self.call_for(id);
        }
    }

    /// Calls whoever waits at the pools of a queue that has left the front, so that no free place is overlooked.
    fn call_for(&mut self, queue: u32) {
        for n in 0..self.queues[queue as usize].pools.len() {
            self.call(self.queues[queue as usize].pools[n]);
        }
    }

    /// Calls the first of each class that waits at a pool with a free place.
    fn call(&mut self, pool: u32) {
        if self.is_full(pool) {
            return;
        }
        for class in 0..CLASSES {
            if let Some((key, id)) = self.all[pool as usize].waiting[class].pop_first() {
                self.open[class].insert((key, id));
                self.queues[id as usize].place = Place::Open;
            }
        }
    }
}
