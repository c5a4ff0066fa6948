//! A template must be Jinja2.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;
use crate::model::assets::{Templates, Why, prepare};

pub(super) static RULE: Rule =
    Rule { code: Code("DD4202"), original: None, title: "a template cannot be compiled", severity: Severity::Error, check: Some(check) };

fn check(site: &Site, findings: &mut Findings<'_>) {
    let templates = Templates::default();
    for action in site.boot_actions.values() {
        for asset in &action.assets {
            let Err(failure) = prepare(asset, &templates) else { continue };
            if !matches!(failure.why, Why::Compile { .. }) {
                continue;
            }
            let found =
                findings.finding(format!("{}: the template cannot be compiled: {}", asset.title(), failure.why)).at(asset.content_span());
            let found = found.label(failure.span, "the step that would render it");
            let found = found.help("lines count from the start of the template; `{% raw %}…{% endraw %}` keeps braces as they are");
            findings.push(found.resource(format!("boot_action.{}", action.name)));
        }
    }
}
