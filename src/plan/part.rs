//! What of a plan is about one node, for reading. No part is applied.

use std::collections::{BTreeMap, BTreeSet};

use super::{Plan, Rollout, Sealed};

impl Plan {
    /// What of it is about one node, for reading; `None` if it has no such node. What the policies make of it and its digest stay those of the whole plan, and
    /// waves that the node's own waits for or counts with stay with all their nodes.
    pub fn of_node(&self, node: &str) -> Option<Self> {
        let stage = self.nodes.get(node)?.clone();
        let address = format!("node.{node}");
        let about = |resource: &str| resource.strip_prefix(&address).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let own = |name: &Option<String>| name.as_deref() == Some(node);
        let mut limits = self.limits.clone();
        limits.pools.retain(|pool| pool.nodes.iter().any(|n| n == node));
        Some(Self {
            drydock: self.drydock.clone(),
            site: self.site.clone(),
            goal: self.goal,
            selection: Some(self.selection.as_ref().map_or_else(|| format!("node={node}"), |s| format!("({s}) && node={node}"))),
            preview: self.preview.clone(),
            endpoints: self.endpoints.clone(),
            allow: self.allow.clone(),
            limits,
            failures: self.failures.clone(),
            rollout: rollout_of(&self.rollout, node),
            policy: self.policy.clone(),
            bindings: self.bindings.iter().filter(|(name, _)| *name == node).map(|(name, b)| (name.clone(), b.clone())).collect(),
            nodes: BTreeMap::from([(node.to_owned(), stage)]),
            generations: self.generations.iter().filter(|(resource, _)| about(resource)).map(|(r, g)| (r.clone(), *g)).collect(),
            changes: self.changes.iter().filter(|c| own(&c.node)).cloned().collect(),
            actions: self.actions.iter().filter(|a| own(&a.node)).cloned().collect(),
            held_back: self.held_back.iter().filter(|h| own(&h.change.node)).cloned().collect(),
            blocked: self.blocked.iter().filter(|b| about(&b.resource)).cloned().collect(),
            orphans: self.orphans.iter().filter(|o| about(&o.resource)).cloned().collect(),
            not_managed: self
                .not_managed
                .iter()
                .cloned()
                .map(|mut item| {
                    item.resources.retain(|r| about(r));
                    item
                })
                .filter(|item| !item.resources.is_empty())
                .collect(),
            warnings: self.warnings.clone(),
            // That of the longest branch says nothing of this one.
            expected_s: None,
            observed_at: self.observed_at,
            digests: self.digests.clone(),
            sealed: Sealed::default(),
        })
    }
}

/// The wave of a node and those before it, in their order.
fn rollout_of(rollout: &Rollout, node: &str) -> Rollout {
    let own = rollout.waves.iter().position(|w| w.nodes.iter().any(|n| n == node));
    let before = rollout.before();
    let mut kept: BTreeSet<u32> = BTreeSet::new();
    if let Some(own) = own {
        let over = rollout.waves[own].gate.over.iter().flat_map(|w| before.get(*w as usize).into_iter().flatten().chain([w]));
        kept.extend(before[own].iter().chain(over));
        kept.extend(u32::try_from(own).ok());
    }
    let place = |wave: u32| u32::try_from(kept.iter().take_while(|k| **k < wave).count()).ok();
    let places = |waves: &[u32]| waves.iter().filter(|w| kept.contains(w)).filter_map(|w| place(*w)).collect::<Vec<_>>();
    let waves = kept.iter().filter_map(|w| rollout.waves.get(*w as usize)).map(|wave| {
        let mut wave = wave.clone();
        (wave.after, wave.gate.over) = (places(&wave.after), places(&wave.gate.over));
        if wave.nodes.iter().any(|n| n == node) {
            wave.nodes = vec![node.to_owned()];
        }
        wave
    });
    Rollout { waves: waves.collect(), ..rollout.clone() }
}

#[cfg(test)]
mod tests {
    use crate::plan::testing::{action, plan};
    use crate::plan::{Gate, Rollout, Wave};

    #[test]
    fn a_part_keeps_the_waves_that_its_node_waits_for() {
        let node = |id: &str, name: &str| action(id, crate::action::ActionKind::DeployNode, Some(name), &[]);
        let mut whole = plan(vec![node("a", "r1-a"), node("b", "r1-b"), node("c", "r1-c"), node("d", "r1-d")]);
        let wave = |name: &str, after: &[u32], over: &[u32], nodes: &[&str]| Wave {
            after: after.to_vec(),
            gate: Gate { over: over.to_vec(), ..Gate::default() },
            name: name.to_owned(),
            nodes: nodes.iter().map(|n| (*n).to_owned()).collect(),
        };
        whole.rollout = Rollout {
            waves: vec![
                wave("canaries", &[], &[], &["r1-a"]),
                wave("aside", &[], &[], &["r1-b"]),
                wave("first", &[0], &[], &["r1-c"]),
                wave("last", &[2], &[2], &["r1-d", "r1-x"]),
            ],
            ..Rollout::default()
        };
        let part = whole.of_node("r1-d").unwrap();
        assert_eq!((part.actions.len(), part.nodes.len(), part.digests == whole.digests), (1, 1, true));
        let expected = [wave("canaries", &[], &[], &["r1-a"]), wave("first", &[0], &[], &["r1-c"]), wave("last", &[1], &[1], &["r1-d"])];
        assert_eq!(part.rollout.waves, expected);
        assert_eq!(whole.of_node("r1-b").unwrap().rollout.waves, [wave("aside", &[], &[], &["r1-b"])]);
        assert!(whole.of_node("r1").is_none());
    }
}
