//! Graphviz: the DOT language (<https://graphviz.org/doc/info/lang.html>).

use std::fmt::Write as _;

use super::Graph;
use crate::action::Effect;
use crate::report::clean;

/// The graph in DOT.
pub fn graph_dot(graph: &Graph) -> String {
    let mut out = String::from("digraph plan {\n  rankdir=LR;\n  node [shape=box, style=filled, fontname=\"monospace\"];\n");
    let _ = writeln!(out, "  label={};", quoted(&graph.title));
    for (lane, of) in graph.lanes.iter().enumerate() {
        let _ = writeln!(out, "  subgraph cluster_{lane} {{\n    label={};", quoted(&of.name));
        for (n, vertex) in graph.vertices.iter().enumerate().filter(|(_, v)| v.lane == lane) {
            let label = if vertex.detail.is_empty() { vertex.label.clone() } else { format!("{} {}", vertex.label, vertex.detail) };
            let thick = if vertex.critical { ", penwidth=3" } else { "" };
            let effect = format!("effect {}", vertex.effect);
            let _ = writeln!(
                out,
                "    a{n} [label={}, fillcolor=\"{}\", tooltip={}{thick}];",
                quoted(&label),
                color(vertex.effect),
                quoted(&effect)
            );
        }
        out.push_str("  }\n");
    }
    for ((from, to), critical) in &graph.edges {
        let _ = writeln!(out, "  a{from} -> a{to}{};", if *critical { " [penwidth=3]" } else { "" });
    }
    out.push_str("}\n");
    out
}

/// A quoted string; backslashes would begin escapes such as `\N`.
fn quoted(text: &str) -> String {
    format!("\"{}\"", clean(text).replace('\\', "\\\\").replace('"', "\\\""))
}

fn color(effect: Effect) -> &'static str {
    match effect {
        Effect::None => "#eaeef2",
        Effect::Online => "#ddf4ff",
        Effect::Install => "#dafbe1",
        Effect::Reboot => "#fff8c5",
        Effect::Redeploy => "#ffd8b5",
        Effect::Destroy => "#ffb3ad",
    }
}
