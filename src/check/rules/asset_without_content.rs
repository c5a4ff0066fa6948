//! Content comes from the document or from a location.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;
use crate::model::{AssetKind, AssetSource};

pub(super) static RULE: Rule = Rule {
    code: Code("DD4207"),
    original: Some("DD4002 (Bootaction pkg_list)"),
    title: "an asset has no content",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for action in site.boot_actions.values() {
        for asset in &action.assets {
            let (at, packages) = match &asset.source {
                AssetSource::Nowhere { at, reported: false } => (at, asset.kind == AssetKind::PackageList),
                AssetSource::Packages(packages) if packages.is_empty() => (&asset.span, true),
                _ => continue,
            };
            let (message, help) = if packages {
                (
                    "package list without packages".to_owned(),
                    "give `data` as a mapping of packages to versions (`null` for any), or a `location`",
                )
            } else {
                (format!("{} without content", asset.title()), "give `data` or a `location`")
            };
            findings.push(findings.finding(message).at(at.span).help(help).resource(format!("boot_action.{}", action.name)));
        }
    }
}
