//! What a template misspells is empty text on every node.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;
use crate::model::assets::{Templates, prepare, unknown_name};

pub(super) static RULE: Rule = Rule {
    code: Code("DD4204"),
    original: None,
    title: "a template uses a name that means nothing",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    let templates = Templates::default();
    for action in site.boot_actions.values() {
        for asset in &action.assets {
            let Ok(prepared) = prepare(asset, &templates) else { continue };
            for (source, span) in prepared.templates() {
                for (name, similar) in templates.names(source).iter().filter_map(|name| unknown_name(site, name)) {
                    let found = findings.finding(format!("{}: nothing defines `{name}`", asset.title())).at(span);
                    let found = match similar {
                        Some(similar) => found.help(format!("did you mean `{similar}`?")),
                        None => found.help("templates have `node` and `action`; docs/boot-actions.md lists what they have"),
                    };
                    findings.push(found.resource(format!("boot_action.{}", action.name)));
                }
            }
        }
    }
}
