//! Tag definitions are XPath 1.0 over what `lshw` prints.

use sxd_xpath::Factory;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD5202"),
    original: None,
    title: "the definition of a tag is no XPath expression",
    severity: Severity::Warning,
    check: Some(check),
};

/// Longer ones are left to the provisioner.
const LONGEST: usize = 10_000;

fn check(site: &Site, findings: &mut Findings<'_>) {
    for tag in &site.region.tag_definitions {
        let (name, definition) = (&tag.name, &tag.definition);
        if tag.definition_type.as_str() != "lshw_xpath" {
            let message = format!("the definition of tag `{name}` is of type `{}`, and only `lshw_xpath` is known", tag.definition_type);
            let found = findings.finding(message).at(tag.definition_type.span);
            findings.push(found.help("write `definition_type: lshw_xpath`").resource(format!("tag.{name}")));
            continue;
        }
        if definition.len() <= LONGEST && !matches!(Factory::new().build(definition), Ok(Some(_))) {
            let found = findings.finding(format!("the definition of tag `{name}` is no XPath expression")).at(definition.span);
            let help = "MAAS refuses it, and the tag is not made; correct it (`xmllint --xpath EXPRESSION` tries one)";
            findings.push(found.help(help).resource(format!("tag.{name}")));
        }
    }
}
