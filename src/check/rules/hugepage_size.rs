//! Sizes of huge pages are written as the kernel reads them (Documentation/admin-guide/kernel-parameters.txt, `hugepagesz`).

use std::collections::{HashMap, HashSet};

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD5113"),
    original: None,
    title: "a size of huge pages is malformed",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    let help = "write a number with K, M or G, such as `2M` or `1G`";
    for profile in site.hardware_profiles.values() {
        for (name, pages) in profile.hugepages.iter().filter(|(_, pages)| !is_size(&pages.size)) {
            let found = findings.finding(format!("huge pages `{name}` have the size `{}`, which the kernel does not know", pages.size));
            findings.push(found.at(pages.size.span).help(help).resource(format!("hardware_profile.{}", profile.name)));
        }
    }
    let sizes: HashMap<&str, HashSet<&str>> = site
        .hardware_profiles
        .values()
        .map(|profile| (profile.name.as_str(), profile.hugepages.values().map(|pages| pages.size.as_str()).collect()))
        .collect();
    for node in site.nodes.values() {
        let Some(size) = node.platform.kernel_params.get("hugepagesz").filter(|size| !is_size(size)) else { continue };
        // A size that was taken from the hardware profile is reported there.
        let profile = node.hardware_profile.as_ref().and_then(|name| sizes.get(name.as_str()));
        if profile.is_some_and(|sizes| sizes.contains(size.as_str())) {
            continue;
        }
        let found = findings.finding(format!("`hugepagesz` is `{size}`, which the kernel does not know")).at(size.span);
        findings.push(found.help(help).resource(format!("node.{}", node.name)));
    }
}

fn is_size(text: &str) -> bool {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &text[digits.len()..];
    !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && digits.bytes().any(|byte| byte != b'0')
        && matches!(unit.to_ascii_uppercase().as_str(), "K" | "M" | "G" | "KB" | "MB" | "GB")
}
