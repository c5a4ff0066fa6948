//! Counts by effect and by rack.

use std::collections::BTreeMap;

use super::{name_cell, nodeset, number, row};
use crate::action::Effect;
use crate::plan::Plan;
use crate::report::view;

/// How many nodes and resources each effect class reaches.
pub(super) fn effects(plan: &Plan) -> String {
    let nodes: BTreeMap<Effect, usize> = view::nodes_by_effect(plan).into_iter().map(|(effect, nodes)| (effect, nodes.len())).collect();
    let changes: BTreeMap<Effect, usize> = view::changes_by_effect(plan).into_iter().collect();
    if nodes.is_empty() && changes.is_empty() {
        return String::new();
    }
    let mut out = String::from("| effect | nodes | changes |\n|---|---:|---:|\n");
    for effect in Effect::ALL.into_iter().rev() {
        let of = |counts: &BTreeMap<Effect, usize>| counts.get(&effect).copied().unwrap_or(0);
        if of(&nodes) + of(&changes) > 0 {
            let name = if effect >= Effect::Reboot { format!("**{effect}**") } else { effect.to_string() };
            out.push_str(&row(&[name, number(of(&nodes)), number(of(&changes))]));
        }
    }
    out.push('\n');
    out
}

/// What stands in a rack's row: nodes, then nodes by effect from `destroy` down, then held back and blocked.
type Counts = [usize; 8];

/// The classes that have a column.
const COLUMNS: [Effect; 5] = [Effect::Destroy, Effect::Redeploy, Effect::Reboot, Effect::Install, Effect::Online];

/// How many nodes of each rack are reached; racks with equal counts share a row. Not more than `room` bytes: then a line that says so.
pub(super) fn racks(plan: &Plan, room: usize) -> String {
    let rack = |node: &str| plan.nodes.get(node).and_then(|n| n.rack.as_deref()).unwrap_or("");
    let mut racks: BTreeMap<&str, Counts> = BTreeMap::new();
    for node in plan.nodes.values() {
        racks.entry(node.rack.as_deref().unwrap_or("")).or_default()[0] += 1;
    }
    for (effect, nodes) in view::nodes_by_effect(plan) {
        let Some(column) = COLUMNS.iter().position(|c| *c == effect) else { continue };
        for node in nodes {
            racks.entry(rack(node)).or_default()[1 + column] += 1;
        }
    }
    let mut open: std::collections::BTreeSet<(usize, &str)> = std::collections::BTreeSet::new();
    open.extend(plan.held_back.iter().filter_map(|h| Some((6, h.change.node.as_deref()?))));
    open.extend(plan.blocked.iter().filter_map(|b| Some((7, b.resource.strip_prefix("node.")?.split('/').next()?))));
    for (column, node) in open {
        racks.entry(rack(node)).or_default()[column] += 1;
    }
    racks.retain(|_, counts| counts[1..].iter().any(|n| *n > 0));
    if racks.is_empty() {
        return String::new();
    }
    let mut alike: BTreeMap<std::cmp::Reverse<Counts>, Vec<&str>> = BTreeMap::new();
    for (rack, counts) in &racks {
        let mut key = *counts;
        key.rotate_left(1);
        alike.entry(std::cmp::Reverse(key)).or_default().push(rack);
    }
    let mut out = String::from(
        "| rack | nodes | destroy | redeploy | reboot | install | online | held back | blocked |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for (std::cmp::Reverse(mut counts), names) in alike {
        counts.rotate_right(1);
        let several = names.len() > 1;
        let sets: Vec<String> =
            nodeset::fold(names).iter().map(|set| if set == "\"\"" { "no rack".to_owned() } else { name_cell(set) }).collect();
        let each = if several { " each" } else { "" };
        let mut cells = vec![format!("{}{each}", sets.join(", "))];
        cells.extend(counts.iter().map(|n| number(*n)));
        let row = row(&cells);
        if out.len() + row.len() > room {
            return format!("{} are reached; `drydock show` has the numbers of each.\n\n", super::count(racks.len(), "rack"));
        }
        out.push_str(&row);
    }
    out.push('\n');
    out
}
