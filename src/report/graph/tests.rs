//! Graphs of sample plans, compared with the files in `testdata/plans`.

use super::{By, Graph, graph, graph_dot, graph_mermaid, graph_svg};
use crate::plan::Plan;
use crate::report::plan_samples as samples;
use crate::report::plan_tests::golden;
use crate::run::rehearse;

fn drawn(plan: &Plan, by: By) -> Graph {
    let lengths: Vec<u64> = plan.actions.iter().map(|a| crate::run::guessed_ms(a.kind)).collect();
    let shown = rehearse(plan, &lengths, &std::collections::BTreeSet::new()).unwrap();
    graph(plan, by, &shown.critical)
}

#[test]
fn two_nodes() {
    let graph = drawn(&samples::two_nodes(), By::Node);
    golden("two_nodes.dot", &graph_dot(&graph));
    golden("two_nodes.mmd", &graph_mermaid(&graph));
    golden("two_nodes.svg", &graph_svg(&graph));
    assert_eq!(graph.lanes.len(), 3);
    let edges = samples::two_nodes().actions.iter().map(|a| a.after.len()).sum::<usize>();
    assert_eq!(graph.edges.len(), edges, "every dependency is an edge");
    assert!(graph.edges.values().filter(|c| **c).count() > 3, "the longest chain is marked");
}

#[test]
fn like_branches_of_a_rack_are_one_lane() {
    let plan = samples::fleet(400);
    let by_rack = drawn(&plan, By::Rack);
    let steps: usize =
        by_rack.vertices.iter().filter(|v| v.lane > 0).filter_map(|v| v.detail.strip_prefix('×')?.parse::<usize>().ok()).sum();
    assert_eq!(steps, 400, "every node's action is counted once");
    assert!(by_rack.lanes.len() <= 1 + 10 * 4, "{} lanes", by_rack.lanes.len());
    assert!(graph_mermaid(&by_rack).lines().filter(|l| l.contains("-->") || l.contains("==>")).count() <= 500);
    let by_node = drawn(&plan, By::Node);
    assert_eq!(by_node.vertices.len(), plan.actions.len());
}

#[test]
fn text_of_a_design_draws_nothing() {
    let mut plan = samples::hostile();
    let evil = "a\"]; b [label=\"x\"]\n-->c</title><script>alert(1)</script>`%%{init}%%";
    plan.site = evil.to_owned();
    for action in &mut plan.actions {
        action.node = Some(evil.to_owned());
        action.resource = format!("node.{evil}/x\"");
    }
    let graph = drawn(&plan, By::Node);
    let svg = graph_svg(&graph);
    assert!(roxmltree::Document::parse(&svg).is_ok() && !svg.contains("<script"), "{svg}");
    let mermaid = graph_mermaid(&graph);
    assert!(!mermaid.contains("-->") && !mermaid.contains('<') && !mermaid.contains("%%") && !mermaid.contains("]; b"), "{mermaid}");
    let dot = graph_dot(&graph);
    assert!(dot.contains("a\\\"]; b [label=\\\"x\\\"]\\\\n--"), "{dot}");
    assert_eq!(dot.lines().filter(|l| l.contains("->") && !l.contains('"')).count(), 0, "{dot}");
}
