//! When actions run, as a picture: a lane for each node, or for each rack where there are many nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::names::natural;
use super::plan_text::count;
use super::svg;
use super::time::took;
use crate::action::Effect;
use crate::plan::Plan;
use crate::run::Rehearsal;

/// Nodes up to which each has a lane.
const LANES: usize = 400;
const LABEL: usize = 190;
const WIDTH: usize = 1000;
const TOP: usize = 54;
/// Marks on the axis.
const TICKS: u64 = 8;

/// A part of a lane.
struct Bar {
    name: String,
    start_ms: u64,
    end_ms: u64,
    effect: Effect,
    critical: bool,
    failed: bool,
}

/// The rehearsal as SVG.
pub fn timeline_svg(plan: &Plan, shown: &Rehearsal) -> String {
    let critical: BTreeSet<u32> = shown.critical.iter().copied().collect();
    let failed: BTreeSet<u32> = shown.failed.iter().copied().collect();
    let mut nodes: BTreeMap<Option<&str>, Vec<Bar>> = BTreeMap::new();
    for span in &shown.spans {
        let Some(action) = plan.actions.get(span.action as usize) else { continue };
        nodes.entry(action.node.as_deref()).or_default().push(Bar {
            name: format!("{} {}", action.kind, action.resource),
            start_ms: span.start_ms,
            end_ms: span.end_ms,
            effect: action.effect,
            critical: critical.contains(&span.action),
            failed: failed.contains(&span.action),
        });
    }
    let per_rack = nodes.len() > LANES;
    let lanes = if per_rack { racks(plan, nodes) } else { each(nodes) };
    let height = if lanes.len() > 60 { 9 } else { 16 };
    let total = shown.makespan_ms.max(1);
    let x = |ms: u64| LABEL as f64 + ms as f64 / total as f64 * WIDTH as f64;
    let bottom = TOP + lanes.len() * (height + 2);
    let title = format!("Rehearsal of the plan for {}: {} in {}", plan.site, count(shown.spans.len(), "action"), took(shown.makespan_ms));
    let mut out = svg::open(LABEL + WIDTH + 60, bottom + 24, &title);
    let _ = writeln!(out, "<text x=\"8\" y=\"18\">{}</text>", svg::text(&title));
    let mut left = 8;
    for effect in Effect::ALL {
        let _ = writeln!(
            out,
            "<rect class=\"{}\" x=\"{left}\" y=\"26\" width=\"10\" height=\"10\"/><text class=\"dim\" x=\"{}\" y=\"35\">{effect}</text>",
            svg::class(effect),
            left + 14
        );
        left += 86;
    }
    for tick in 0..=TICKS {
        let at = total * tick / TICKS;
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/><text class=\"dim\" x=\"{0:.1}\" y=\"{1}\">{2}</text>",
            x(at),
            bottom + 14,
            took(at)
        );
    }
    for (n, (name, spans)) in lanes.iter().enumerate() {
        let y = TOP + n * (height + 2);
        let _ = writeln!(out, "<text x=\"4\" y=\"{}\">{}</text>", y + height - 2, svg::text(&svg::short(name, 26)));
        for bar in spans {
            let width = (x(bar.end_ms) - x(bar.start_ms)).max(0.5);
            let mut class = svg::class(bar.effect).to_owned();
            if bar.critical {
                class.push_str(" critical");
            }
            if bar.failed {
                class.push_str(" failed");
            }
            let fade = if per_rack { " fill-opacity=\"0.35\"" } else { "" };
            let _ = writeln!(
                out,
                "<rect class=\"{class}\" x=\"{:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{height}\"{fade}><title>{}</title></rect>",
                x(bar.start_ms),
                svg::text(&format!("{}, {} to {}, {}", bar.name, took(bar.start_ms), took(bar.end_ms), bar.effect))
            );
        }
    }
    out.push_str("</svg>\n");
    out
}

/// A lane for the site, then one for each node by its start.
fn each(nodes: BTreeMap<Option<&str>, Vec<Bar>>) -> Vec<(String, Vec<Bar>)> {
    let mut lanes: Vec<(Option<&str>, Vec<Bar>)> = nodes.into_iter().collect();
    let start = |bars: &[Bar]| bars.iter().map(|b| b.start_ms).min().unwrap_or(0);
    lanes.sort_by(|(a, x), (b, y)| {
        a.is_some().cmp(&b.is_some()).then(start(x).cmp(&start(y))).then_with(|| natural(a.unwrap_or(""), b.unwrap_or("")))
    });
    lanes.into_iter().map(|(node, bars)| (node.map_or_else(|| "site".to_owned(), |n| format!("node.{n}")), bars)).collect()
}

/// A lane for the site, then one for each rack, in which every node is one bar.
fn racks(plan: &Plan, nodes: BTreeMap<Option<&str>, Vec<Bar>>) -> Vec<(String, Vec<Bar>)> {
    let mut site = Vec::new();
    let mut racks: BTreeMap<&str, Vec<Bar>> = BTreeMap::new();
    for (node, bars) in nodes {
        let Some(node) = node else {
            site = bars;
            continue;
        };
        let rack = plan.nodes.get(node).and_then(|n| n.rack.as_deref()).unwrap_or("no rack");
        racks.entry(rack).or_default().push(Bar {
            name: format!("node.{node}"),
            start_ms: bars.iter().map(|b| b.start_ms).min().unwrap_or(0),
            end_ms: bars.iter().map(|b| b.end_ms).max().unwrap_or(0),
            effect: bars.iter().map(|b| b.effect).max().unwrap_or(Effect::None),
            critical: bars.iter().any(|b| b.critical),
            failed: bars.iter().any(|b| b.failed),
        });
    }
    let mut lanes: Vec<(&str, Vec<Bar>)> = racks.into_iter().collect();
    lanes.sort_by(|(a, _), (b, _)| natural(a, b));
    let named = lanes.into_iter().map(|(rack, bars)| (format!("rack {rack} ×{}", bars.len()), bars));
    std::iter::once(("site".to_owned(), site)).filter(|(_, bars)| !bars.is_empty()).chain(named).collect()
}
