//! A tag has one definition.

use std::collections::BTreeMap;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::{Site, Text};

pub(super) static RULE: Rule =
    Rule { code: Code("DD5204"), original: None, title: "a tag is defined twice", severity: Severity::Warning, check: Some(check) };

fn check(site: &Site, findings: &mut Findings<'_>) {
    let mut first: BTreeMap<&str, &Text> = BTreeMap::new();
    for tag in &site.region.tag_definitions {
        let other = *first.entry(&tag.name).or_insert(&tag.name);
        if other.span != tag.name.span {
            let found = findings.finding(format!("tag `{}` is defined twice", tag.name)).at(tag.name.span);
            let found = found.label(other.span, "the first definition");
            findings.push(found.help("keep one definition, or join them with `or`").resource(format!("tag.{}", tag.name)));
        }
    }
}
