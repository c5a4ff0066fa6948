//! A file or unit is placed at an absolute path.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::AssetKind;
use crate::model::Site;

pub(super) static RULE: Rule =
    Rule { code: Code("DD4205"), original: None, title: "a file has no usable path", severity: Severity::Error, check: Some(check) };

fn check(site: &Site, findings: &mut Findings<'_>) {
    for action in site.boot_actions.values() {
        for asset in action.assets.iter().filter(|asset| asset.kind != AssetKind::PackageList) {
            let (message, span) = match &asset.path {
                None => (format!("{} without `path`", asset.kind.name()), asset.span.span),
                Some(path) => {
                    let problem = if !path.starts_with('/') {
                        "is not absolute"
                    } else if path.ends_with('/') {
                        "names a directory"
                    } else if path.split('/').any(|part| part == "..") {
                        "goes up with `..`"
                    } else if path.contains(char::is_control) {
                        "has control characters"
                    } else {
                        continue;
                    };
                    (format!("path `{path}` {problem}"), path.span)
                }
            };
            let found = findings.finding(message).at(span).help("write the path of the file on the server, such as `/etc/motd`");
            findings.push(found.resource(format!("boot_action.{}", action.name)));
        }
    }
}
