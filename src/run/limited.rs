//! The limits of a plan as pools, and who needs places in which of them.

use std::collections::{BTreeMap, HashMap};

use crate::action::ActionKind;
use crate::plan::{Counts, Plan};

use super::pools::Pools;

/// What limits on calls are for each of; others are for each rack, or for all.
pub(super) const CALLS: &str = "call";

/// Sets of pools, each once.
#[derive(Default)]
pub(super) struct Sets {
    pub(super) all: Vec<Vec<u32>>,
    known: HashMap<Vec<u32>, u32>,
}

impl Sets {
    pub(super) fn of(&mut self, pools: Vec<u32>) -> u32 {
        let next = self.all.len() as u32;
        let all = &mut self.all;
        *self.known.entry(pools).or_insert_with_key(|pools| {
            all.push(pools.clone());
            next
        })
    }
}

/// The pools of a plan's limits.
pub(super) struct Limited {
    /// By rack (0 is that of nodes whose rack is not known): power-ups, unavailable nodes, other kinds.
    racks: Vec<(u32, u32, BTreeMap<ActionKind, u32>)>,
    rack_ids: BTreeMap<Option<String>, u32>,
    /// Pools of sets of nodes, by node.
    unavailable: BTreeMap<String, Vec<u32>>,
    deployments: BTreeMap<String, Vec<u32>>,
    pub(super) calls: BTreeMap<ActionKind, u32>,
}

impl Limited {
    pub(super) fn new(plan: &Plan, pools: &mut Pools) -> Self {
        let limits = &plan.limits;
        let power_ups = pools.family("power-ups".to_owned(), limits.power_ups_per_rack.max(1), "rack");
        let unavailable = pools.family("unavailable nodes".to_owned(), limits.unavailable_per_rack, "rack");
        let kinds: BTreeMap<ActionKind, u32> =
            limits.per_rack.iter().map(|(kind, n)| (*kind, pools.family(kind.name().to_owned(), *n, "rack"))).collect();
        let mut racks = Vec::new();
        let mut rack_ids: BTreeMap<Option<String>, u32> = BTreeMap::new();
        for name in plan.actions.iter().filter_map(|a| a.node.as_deref()) {
            let rack = plan.nodes.get(name).and_then(|n| n.rack.clone());
            rack_ids.entry(rack).or_insert_with(|| {
                racks.push((
                    pools.pool(limits.power_ups_per_rack.max(1), Some(power_ups)),
                    pools.pool(limits.unavailable_per_rack, Some(unavailable)),
                    kinds.iter().map(|(kind, family)| (*kind, pools.pool(limits.per_rack[kind].max(1), Some(*family)))).collect(),
                ));
                racks.len() as u32 - 1
            });
        }
        let (mut unavailable, mut deployments): (BTreeMap<String, Vec<u32>>, BTreeMap<String, Vec<u32>>) = Default::default();
        for limit in &limits.pools {
            let family = pools.family(format!("{} of {}", limit.counts.name(), limit.of), limit.limit, "");
            let pool = pools.pool(limit.limit, Some(family));
            let of = match limit.counts {
                Counts::Unavailable => &mut unavailable,
                Counts::Deployments => &mut deployments,
            };
            for node in &limit.nodes {
                of.entry(node.clone()).or_default().push(pool);
            }
        }
        let calls = limits.calls.iter().map(|(kind, n)| {
            let family = pools.family(format!("calls for {kind}"), (*n).max(1), CALLS);
            (*kind, pools.pool((*n).max(1), Some(family)))
        });
        let calls = calls.collect();
        Self { racks, rack_ids, unavailable, deployments, calls }
    }

    pub(super) fn rack(&self, plan: &Plan, node: &str) -> u32 {
        self.rack_ids.get(&plan.nodes.get(node).and_then(|n| n.rack.clone())).copied().unwrap_or(0)
    }

    /// What a node holds while it is unavailable.
    pub(super) fn of_node(&self, node: &str, rack: u32) -> Vec<u32> {
        let own = self.unavailable.get(node).into_iter().flatten().copied();
        own.chain([self.racks[rack as usize].1]).collect()
    }

    /// What an action holds until it has ended.
    pub(super) fn of_action(&self, kind: ActionKind, node: &str, rack: u32) -> Vec<u32> {
        let (power_ups, _, kinds) = &self.racks[rack as usize];
        let mut held: Vec<u32> = kinds.get(&kind).copied().into_iter().collect();
        if switches_on(kind) {
            held.push(*power_ups);
        }
        if kind == ActionKind::DeployNode {
            held.extend(self.deployments.get(node).into_iter().flatten());
        }
        held
    }
}

/// Whether an action makes a machine draw inrush current; the provisioner switches machines on, too.
pub(super) fn switches_on(kind: ActionKind) -> bool {
    matches!(kind, ActionKind::PowerOnNode | ActionKind::ConfigureHardware | ActionKind::DeployNode | ActionKind::DestroyNode)
}
