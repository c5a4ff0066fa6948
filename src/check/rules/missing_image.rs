//! The provisioner has what nodes are to run.

use std::collections::{BTreeMap, BTreeSet};

use crate::build::Image;
use crate::check::Findings;
use crate::check::known::{Known, NO_BUILD, Subjects, named};
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD5115"),
    original: Some("DD3001 (Platform Selection)"),
    title: "the provisioner has no such image or kernel",
    severity: Severity::Error,
    check: None,
};

pub(super) fn check(site: &Site, known: &Known<'_>, findings: &mut Findings<'_>) {
    let Ok(images) = known.images else { return };
    let mut kernels: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for Image { os, series, kernels: of_image, .. } in images.iter().filter(|image| image.synced) {
        kernels.entry((os, series)).or_default().extend(of_image.iter().map(String::as_str));
    }
    for node in site.nodes.values() {
        let Some(system) = node.platform.system() else { continue };
        // What could not be read is reported as that.
        let Some(image) = node.platform.image.as_ref().filter(|image| !image.is_empty()) else { continue };
        let resource = format!("node.{}", node.name);
        let Some(of_image) = kernels.get(&system) else {
            // Planned as an import, which fails where the provisioner's sources do not have it.
            let mut found = findings.finding(format!("the provisioner has no image `{image}`")).at(image.span);
            found.severity = Severity::Warning;
            let has = list(kernels.keys().map(|(os, series)| format!("`{os}/{series}`")));
            findings.push(found.help(format!("a plan imports it first; the provisioner has {has}")).resource(resource));
            continue;
        };
        let Some(kernel) = node.platform.kernel.as_ref().filter(|kernel| !of_image.contains(kernel.as_str())) else { continue };
        let found = findings.finding(format!("the provisioner's image `{image}` has no kernel `{kernel}`")).at(kernel.span);
        let has = list(of_image.iter().map(|kernel| format!("`{kernel}`")));
        findings.push(found.help(format!("it has {has}; name one of them, or let the provisioner import this one")).resource(resource));
    }
}

fn list(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.take(12).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

pub(super) fn subject(site: &Site, known: Option<&Known<'_>>) -> Option<Subjects> {
    let why = match known.map(|known| known.images) {
        None => NO_BUILD.to_owned(),
        Some(Err(why)) => format!("the build model has no images: {why}"),
        Some(Ok(_)) => return None,
    };
    let text = |of: fn(&crate::model::Node) -> Option<&crate::model::Text>| -> BTreeSet<String> {
        site.nodes.values().filter_map(of).filter(|text| !text.is_empty()).map(ToString::to_string).collect()
    };
    let (images, kernels) = (text(|node| node.platform.image.as_ref()), text(|node| node.platform.kernel.as_ref()));
    let parts: Vec<String> = [("image", images), ("kernel", kernels)]
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| named(what, names))
        .collect();
    (!parts.is_empty()).then(|| Subjects { what: parts.join(", "), why })
}
