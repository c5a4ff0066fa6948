//! The changes of a plan that a query selects.

use serde_json::{Value, json};

use super::paint::Look;
use super::plan_text::{TextOptions, look};
use super::table::Table;
use super::view;
use crate::action::{Queried, Selector};
use crate::diff::Change;
use crate::plan::Plan;

/// A change that a query selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selected<'p> {
    /// The change.
    pub change: &'p Change,
    /// Why it is held back, if it is; else it is planned.
    pub held_back: Option<&'p str>,
}

/// Changes that the query selects, planned ones first, in plan order.
pub fn query<'p>(plan: &'p Plan, query: &Selector) -> Vec<Selected<'p>> {
    let planned = plan.changes.iter().map(|change| Selected { change, held_back: None });
    let held = plan.held_back.iter().map(|h| Selected { change: &h.change, held_back: Some(&h.reason) });
    planned.chain(held).filter(|s| matches(plan, query, s.change)).collect()
}

fn matches(plan: &Plan, query: &Selector, change: &Change) -> bool {
    let attributes: Vec<&str> = change.attributes.iter().map(|a| a.path.as_str()).collect();
    let of_node = change.node.as_ref().and_then(|name| plan.nodes.get(name));
    query.matches_change(&Queried {
        resource: &change.resource,
        node: change.node.as_deref(),
        rack: of_node.and_then(|n| n.rack.as_deref()),
        stage: of_node.map(|n| n.now.name()),
        profile: of_node.and_then(|n| n.profile.as_deref()),
        effect: change.effect,
        attributes: &attributes,
    })
}

/// What was selected as a table.
pub fn selected_text(plan: &Plan, selected: &[Selected<'_>], options: &TextOptions) -> String {
    let mut table = Table::new(["RESOURCE", "EFFECT", "RACK", "", "ATTRIBUTES"]);
    for item in selected {
        let rack = item.change.node.as_ref().and_then(|n| plan.nodes.get(n)?.rack.clone()).unwrap_or_default();
        let attributes: Vec<&str> = item.change.attributes.iter().map(|a| a.path.as_str()).collect();
        table.looks(vec![
            (Look::Plain, format!("{} {}", item.change.operation.sign(), item.change.resource)),
            (look(item.change.effect), item.change.effect.name().to_owned()),
            (Look::Plain, rack),
            (Look::Yellow, item.held_back.map_or("", |_| "held back").to_owned()),
            (Look::Plain, attributes.join(", ")),
        ]);
    }
    let mut page = super::paint::Page::new(options.color, options.width);
    if let Some(preview) = &plan.preview {
        page.words(Look::Cyan, &format!("PREVIEW of {}", view::compared(preview)), 2).end();
    }
    if table.is_empty() {
        page.text("no change of the plan is selected").end();
    } else {
        table.write(&mut page, 0);
    }
    page.finish()
}

/// What was selected as addresses, one on each line.
pub fn selected_names(selected: &[Selected<'_>]) -> String {
    selected.iter().flat_map(|s| [super::clean(&s.change.resource), "\n".into()]).collect()
}

/// What was selected as JSON: a list of changes with their attributes in place, and `held_back`.
pub fn selected_json(selected: &[Selected<'_>]) -> Value {
    Value::Array(
        selected
            .iter()
            .map(|item| {
                let mut value = json!(item.change);
                if let (Some(map), Some(reason)) = (value.as_object_mut(), item.held_back) {
                    map.insert("held_back".to_owned(), json!(reason));
                }
                value
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::{query, selected_names};
    use crate::action::Selector;
    use crate::report::plan_samples as samples;

    #[test]
    fn a_query_selects_by_rack_and_effect() {
        let plan = samples::fleet(80);
        let names = |text: &str| selected_names(&query(&plan, &Selector::parse_query(text).unwrap()));
        let chosen = names("effect>=reboot && rack==\"r002\"");
        assert_eq!(chosen.lines().count(), 36, "{chosen}");
        assert!(chosen.lines().all(|line| line.starts_with("node.r002-")), "{chosen}");
        assert_eq!(names("effect=destroy && node=r001-n01"), "node.r001-n01\n");
        assert_eq!(names("resource=subnet.*"), "subnet.pxe\n");
        let destructive = samples::destructive();
        let held = query(&destructive, &Selector::parse_query("node=n04").unwrap());
        assert!(held.len() == 1 && held[0].held_back.is_some());
    }
}
