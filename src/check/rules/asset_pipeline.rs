//! Steps of a pipeline take bytes or text, and what they get must suit them.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;
use crate::model::assets::{Templates, Why, prepare};

pub(super) static RULE: Rule = Rule {
    code: Code("DD4201"),
    original: None,
    title: "an asset cannot be made, whatever the node",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    let templates = Templates::default();
    for action in site.boot_actions.values() {
        for asset in &action.assets {
            let Err(failure) = prepare(asset, &templates) else { continue };
            let help = match &failure.why {
                Why::Compile { .. } => continue,
                Why::WrongForm { .. } => "content begins as bytes; put `utf8_decode` or `utf8_encode` where it is needed",
                Why::NotBase64(_) => "encode the content as base64, or remove `base64_decode`",
                Why::NotUtf8 { .. } => "text is UTF-8; binary content needs no `utf8_decode`",
                Why::TooLarge | Why::TooLong => "let the location of a file server hold it",
                Why::LocationNotText | Why::NotUrl | Why::UnknownScheme { .. } => {
                    "content is fetched from http, https, deckhand+http(s) and promenade+http(s) URLs"
                }
                _ => "correct the asset",
            };
            let found = findings.finding(format!("{}: {failure}", asset.title())).at(failure.span).help(help);
            findings.push(found.resource(format!("boot_action.{}", action.name)));
        }
    }
}
