//! Where there is a location, content comes from there.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule =
    Rule { code: Code("DD4209"), original: None, title: "data is not used", severity: Severity::Warning, check: Some(check) };

fn check(site: &Site, findings: &mut Findings<'_>) {
    for action in site.boot_actions.values() {
        for asset in &action.assets {
            let Some(unused) = &asset.unused_data else { continue };
            let found = findings.finding(format!("{}: its `data` is not used, because it has a `location`", asset.title())).at(unused.span);
            findings.push(found.help("remove one of the two").resource(format!("boot_action.{}", action.name)));
        }
    }
}
