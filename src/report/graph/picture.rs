//! The graph as SVG: a row for each lane, a column for each step from the start.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Graph;
use crate::report::svg;

const LABEL: usize = 200;
const COLUMN: usize = 196;
const BOX: usize = 168;
const ROW: usize = 46;
const HEIGHT: usize = 36;
const TOP: usize = 40;
/// Edges above which only those of the longest chain, and those within a lane, are drawn.
const EDGES: usize = 4_000;

/// The graph as SVG.
pub fn graph_svg(graph: &Graph) -> String {
    // Steps of a lane at one depth stand below each other.
    let mut slots: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    let mut rows = vec![1_usize; graph.lanes.len()];
    let places: Vec<(usize, usize)> = graph
        .vertices
        .iter()
        .map(|vertex| {
            let slot = slots.entry((vertex.lane, vertex.depth)).or_default();
            *slot += 1;
            rows[vertex.lane] = rows[vertex.lane].max(*slot);
            (vertex.depth, *slot - 1)
        })
        .collect();
    let mut tops = Vec::with_capacity(rows.len());
    let mut bottom = TOP;
    for lane in &rows {
        tops.push(bottom);
        bottom += lane * ROW + 6;
    }
    let columns = graph.vertices.iter().map(|v| v.depth + 1).max().unwrap_or(0);
    let width = LABEL + columns * COLUMN + 20;
    let mut out = svg::open(width, bottom + 10, &graph.title);
    let _ = writeln!(out, "<text x=\"8\" y=\"22\">{}; thick: the longest chain</text>", svg::text(&graph.title));
    for (lane, of) in graph.lanes.iter().enumerate() {
        let height = rows[lane] * ROW;
        let _ = writeln!(out, "<rect class=\"lane\" x=\"0\" y=\"{}\" width=\"{width}\" height=\"{height}\"/>", tops[lane]);
        let _ = writeln!(out, "<text x=\"8\" y=\"{}\">{}</text>", tops[lane] + 20, svg::text(&svg::short(&of.name, 26)));
    }
    let at = |n: usize| {
        let (depth, slot) = places[n];
        (LABEL + depth * COLUMN, tops[graph.vertices[n].lane] + slot * ROW + 5)
    };
    let all = graph.edges.len() <= EDGES;
    for ((from, to), critical) in &graph.edges {
        if !all && !critical && graph.vertices[*from].lane != graph.vertices[*to].lane {
            continue;
        }
        let ((x1, y1), (x2, y2)) = (at(*from), at(*to));
        let (x1, y1, y2) = (x1 + BOX, y1 + HEIGHT / 2, y2 + HEIGHT / 2);
        let middle = x1 + (COLUMN - BOX) / 2;
        let class = if *critical { "edge critical" } else { "edge" };
        let _ = writeln!(out, "<path class=\"{class}\" d=\"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}\"/>");
    }
    for (n, vertex) in graph.vertices.iter().enumerate() {
        let (x, y) = at(n);
        let class = format!("{}{}", svg::class(vertex.effect), if vertex.critical { " critical" } else { "" });
        let full = format!("{} {} ({}), {}", vertex.label, vertex.detail, graph.lanes[vertex.lane].name, vertex.effect);
        let _ = writeln!(
            out,
            "<g class=\"box\"><title>{}</title><rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{BOX}\" height=\"{HEIGHT}\" rx=\"3\"/>\
             <text x=\"{}\" y=\"{}\">{}</text><text class=\"dim\" x=\"{}\" y=\"{}\">{}</text></g>",
            svg::text(&full),
            x + 6,
            y + 15,
            svg::text(&svg::short(&vertex.label, 24)),
            x + 6,
            y + 29,
            svg::text(&svg::short(vertex.detail.trim_start_matches('/'), 24)),
        );
    }
    if !all {
        let _ = writeln!(
            out,
            "<text class=\"dim\" x=\"400\" y=\"22\">edges between lanes are left out: there are {}</text>",
            graph.edges.len()
        );
    }
    out.push_str("</svg>\n");
    out
}
