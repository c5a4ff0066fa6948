//! Mermaid flowcharts, as GitHub and GitLab draw them in Markdown.
//!
//! They draw some hundred edges and then give up (`maxEdges` is 500), so a large graph should be collapsed by rack.

use std::fmt::Write as _;

use super::Graph;
use crate::action::Effect;
use crate::report::clean;

/// The graph as a Mermaid flowchart.
pub fn graph_mermaid(graph: &Graph) -> String {
    let mut out = String::new();
    if graph.preview {
        // Front matter is YAML; as JSON a string is a scalar whatever is in it.
        let _ = write!(out, "---\ntitle: {}\n---\n", serde_json::Value::from(clean(&graph.title).as_ref()));
    }
    out.push_str("flowchart LR\n");
    for (lane, of) in graph.lanes.iter().enumerate() {
        let _ = writeln!(out, "  subgraph lane{lane}[\"{}\"]", text(&of.name));
        for (n, vertex) in graph.vertices.iter().enumerate().filter(|(_, v)| v.lane == lane) {
            let label = if vertex.detail.is_empty() { vertex.label.clone() } else { format!("{} {}", vertex.label, vertex.detail) };
            let critical = if vertex.critical { "!" } else { "" };
            let _ = writeln!(out, "    a{n}[\"{critical}{}\"]:::{}", text(&label), vertex.effect);
        }
        out.push_str("  end\n");
    }
    for ((from, to), critical) in &graph.edges {
        let _ = writeln!(out, "  a{from} {} a{to}", if *critical { "==>" } else { "-->" });
    }
    for (effect, style) in [
        (Effect::None, "fill:#eaeef2"),
        (Effect::Online, "fill:#ddf4ff"),
        (Effect::Install, "fill:#dafbe1"),
        (Effect::Reboot, "fill:#fff8c5,stroke:#9a6700"),
        (Effect::Redeploy, "fill:#ffd8b5,stroke:#bc4c00"),
        (Effect::Destroy, "fill:#ffb3ad,stroke:#cf222e"),
    ] {
        let _ = writeln!(out, "  classDef {effect} {style},color:#1b1f24");
    }
    out
}

/// A label: everything that could end it, or be markup in it, as a character code.
fn text(text: &str) -> String {
    let mut out = String::new();
    for c in clean(text).chars() {
        if c.is_alphanumeric() || " ._-/(),:×→".contains(c) {
            out.push(c);
        } else {
            let _ = write!(out, "#{};", u32::from(c));
        }
    }
    // A label that begins like a list would be read as Markdown.
    if out.is_empty() || out.starts_with(['-', ' ', '.']) { format!("#8203;{out}") } else { out }
}
