//! What belongs to the region rather than to its networks: domains, tags, keys, repositories, images.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Builder, architecture, image_resource, params};
use crate::action::params::{BootMediaParams, NetworkResource, RepositoryParams, RepositoryValues, SshKeyParams, TagParams, TagValues};
use crate::action::{ActionKind, Effect};
use crate::build::{Fact, PackageRepository};
use crate::diff::attributes::{Class, Draft, PresentMap, WantedMap, created, differences, want};
use crate::diff::xpath::syntax_error;
use crate::diff::{HeldBack, Operation};
use crate::redact::without_url_credentials;

impl Builder<'_> {
    pub(super) fn domains(&mut self) {
        let mut names = BTreeMap::new();
        for network in self.site.networks.values() {
            let managed = network.link.as_ref().and_then(|l| self.site.links.get(l)).is_some_and(|l| !l.is_noconfig());
            if let Some(domain) = network.dns_domain.as_ref().filter(|_| managed) {
                names.entry(domain.value.clone()).or_insert(domain.span);
            }
        }
        for domain in self.site.nodes.values().filter_map(|n| n.domain.as_ref()) {
            names.entry(domain.value.clone()).or_insert(domain.span);
        }
        for (name, span) in names {
            let resource = format!("domain.{name}");
            match &self.provisioner.domains {
                Fact::Unknown(e) => self.unknown(&resource, "domains", e),
                Fact::Known(domains) if domains.iter().any(|d| d.name.eq_ignore_ascii_case(&name)) => {}
                Fact::Known(_) => {
                    let mut wanted = WantedMap::new();
                    want(&mut wanted, "name", name.as_str(), span);
                    let attributes = created(&wanted, self.pool, Effect::Online, None);
                    let p = params(&NetworkResource::Domain { name });
                    self.step(&resource, ActionKind::CreateNetworkTemplate, false, attributes, p, Vec::new());
                }
            }
        }
    }

    pub(super) fn tags(&mut self) {
        for tag in &self.site.region.tag_definitions {
            let name = &tag.name.value;
            let resource = format!("tag.{name}");
            let listed = match &self.provisioner.tags {
                Fact::Known(t) => t,
                Fact::Unknown(e) => {
                    self.unknown(&resource, "tags", e);
                    continue;
                }
            };
            let present = listed.iter().find(|t| t.name == *name);
            let kernel_opts = present.map(|t| t.kernel_opts.clone()).unwrap_or_default();
            let mut wanted = WantedMap::new();
            want(&mut wanted, "definition", tag.definition.value.as_str(), tag.definition.span);
            let attributes = match present {
                None => created(&wanted, self.pool, Effect::Online, None),
                Some(t) => differences(
                    &wanted,
                    &PresentMap::from([("definition".to_owned(), Value::from(t.definition.as_str()))]),
                    self.pool,
                    Class::Of("tag"),
                ),
            };
            let before = present.map(|t| TagValues { definition: t.definition.clone(), kernel_opts: t.kernel_opts.clone() });
            let after = TagValues { definition: tag.definition.value.clone(), kernel_opts };
            let p = params(&TagParams { name: name.clone(), after, before });
            self.step(&resource, ActionKind::ConfigureTags, present.is_some(), attributes, p, Vec::new());
            if let Some(problem) = syntax_error(&tag.definition.value)
                && let Some(step) = self.out.steps.remove(&resource)
            {
                let at = self.pool.place(tag.definition.span).map(|s| format!(" ({s})")).unwrap_or_default();
                self.out.held_back.push(HeldBack {
                    change: step.change,
                    reason: format!("its definition{at} is not an XPath 1.0 expression, and the provisioner refuses it: {problem}"),
                    hint: "correct the definition in the Region document".into(),
                });
            }
            self.guard_region(&resource);
        }
    }

    pub(super) fn keys(&mut self) {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for key in &self.site.region.authorized_keys {
            let (identity, mut shown) = key_identity(&key.value);
            // Two keys of one person have one comment.
            if names.get(&shown).is_some_and(|other| *other != identity) {
                let tail: String = identity.chars().rev().take(8).collect::<Vec<_>>().into_iter().rev().collect();
                shown = format!("{shown}-{tail}");
            }
            names.insert(shown.clone(), identity.clone());
            let resource = format!("sshkey.{shown}");
            match &self.provisioner.ssh_keys {
                Fact::Unknown(e) => self.unknown(&resource, "SSH keys", e),
                Fact::Known(keys) if keys.iter().any(|k| key_identity(&k.key).0 == identity) => {}
                Fact::Known(_) => {
                    let mut wanted = WantedMap::new();
                    want(&mut wanted, "key", shorten(&key.value), key.span);
                    let attributes = created(&wanted, self.pool, Effect::Online, None);
                    let p = params(&SshKeyParams { key: key.value.clone() });
                    self.step(&resource, ActionKind::ConfigureUserCredentials, false, attributes, p, Vec::new());
                }
            }
        }
    }

    pub(super) fn repositories(&mut self) {
        let region = &self.site.region;
        if region.repositories.is_empty() && !region.remove_unlisted_repositories.value {
            return;
        }
        let listed = match &self.provisioner.repositories {
            Fact::Known(r) => r,
            Fact::Unknown(e) => {
                for name in region.repositories.keys() {
                    self.unknown(format!("repository.{name}"), "package repositories", e);
                }
                return;
            }
        };
        for (name, repository) in &region.repositories {
            let resource = format!("repository.{name}");
            let present = listed.iter().find(|r| r.name == *name);
            let builtin = BUILTIN_ARCHIVES.contains(&name.as_str());
            let sorted = |items: &[crate::model::Text]| {
                let mut v: Vec<String> = items.iter().map(|t| t.value.clone()).collect();
                v.sort_unstable();
                v.dedup();
                v
            };
            let components = sorted(&repository.components);
            let pockets = sorted(&repository.subrepos);
            let arches = if repository.arches.is_empty() {
                present.map_or_else(|| vec!["amd64".to_owned(), "i386".to_owned()], |p| sorted_text(&p.arches))
            } else {
                sorted(&repository.arches)
            };
            let without = |known: &[&str], listed: &[String]| -> Vec<String> {
                let mut v: Vec<String> = known.iter().filter(|k| !listed.iter().any(|l| l == *k)).map(|k| (*k).to_owned()).collect();
                v.sort_unstable();
                v
            };
            // The provisioner's own archives name what is switched off; others name what is used.
            let url = without_url_credentials(&repository.url.value);
            let after = RepositoryValues {
                credentials: url != repository.url.value,
                url,
                distributions: if builtin {
                    present.map(|p| sorted_text(&p.distributions)).unwrap_or_default()
                } else {
                    sorted(&repository.distributions)
                },
                components: if builtin { Vec::new() } else { components.clone() },
                disabled_pockets: if pockets.is_empty() { Vec::new() } else { without(&POCKETS, &pockets) },
                disabled_components: if builtin && !components.is_empty() { without(&COMPONENTS, &components) } else { Vec::new() },
                arches,
                key: repository.gpgkey.as_ref().map(|k| k.value.trim().to_owned()).unwrap_or_default(),
            };
            let before = present.map(values_of);
            let mut wanted = WantedMap::new();
            for (path, value) in repository_attributes(&after) {
                let span = match path {
                    "url" => repository.url.span,
                    "key" => repository.gpgkey.as_ref().map_or(repository.name.span, |k| k.span),
                    _ => repository.name.span,
                };
                want(&mut wanted, path, value, span);
            }
            let attributes = match &before {
                None => created(&wanted, self.pool, Effect::Online, None),
                Some(b) => {
                    let mut have: PresentMap = repository_attributes(b).into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
                    want(&mut wanted, "enabled", true, repository.name.span);
                    have.insert("enabled".into(), present.is_some_and(|p| p.enabled).into());
                    // A build model in a file does not say which they are.
                    let others = |p: &&PackageRepository| p.url != repository.url.value && p.url != after.url;
                    if b.url == after.url && present.is_some_and(|p| others(&p)) {
                        want(&mut wanted, "credentials", "as in the design", repository.url.span);
                        have.insert("credentials".into(), "others than in the design".into());
                    }
                    differences(&wanted, &have, self.pool, Class::Of("repository"))
                }
            };
            let p = params(&RepositoryParams { name: name.clone(), after: Some(after), before });
            self.step(&resource, ActionKind::ConfigureNodeProvisioner, present.is_some(), attributes, p, Vec::new());
            self.guard_region(&resource);
        }
        if region.remove_unlisted_repositories.value {
            self.remove_unlisted(listed);
        }
    }

    fn remove_unlisted(&mut self, listed: &[PackageRepository]) {
        let region = &self.site.region;
        for r in listed.iter().filter(|r| !region.repositories.contains_key(&r.name) && !BUILTIN_ARCHIVES.contains(&r.name.as_str())) {
            let resource = format!("repository.{}", r.name);
            let before = values_of(r);
            let attributes = vec![self.pool.share(&Draft {
                path: "url",
                before: Some(&before.url.clone().into()),
                after: None,
                known_after: None,
                effect: Effect::Online,
                reason: "the design lists all repositories (remove_unlisted)",
                span: region.remove_unlisted_repositories.span,
            })];
            let p = params(&RepositoryParams { name: r.name.clone(), after: None, before: Some(before) });
            self.step(&resource, ActionKind::ConfigureNodeProvisioner, true, attributes, p, Vec::new());
            if let Some(step) = self.out.steps.get_mut(&resource) {
                step.change.operation = Operation::Delete;
            }
            self.guard_region(&resource);
        }
    }

    pub(super) fn images(&mut self) {
        let mut wanted_images = BTreeMap::new();
        for node in self.site.nodes.values() {
            if let (Some((os, series)), Some(text)) = (node.platform.system(), &node.platform.image) {
                let arch = architecture(&node.name.value, Some(self.provisioner), self.memory);
                wanted_images.entry((os.to_owned(), series.to_owned(), arch.to_owned())).or_insert(text.span);
            }
        }
        for ((os, series, arch), span) in wanted_images {
            let resource = image_resource(&os, &series, &arch);
            match &self.provisioner.images {
                Fact::Unknown(e) => self.unknown(&resource, "boot images", e),
                Fact::Known(images) if images.iter().any(|i| i.os == os && i.series == series && i.arch == arch && i.synced) => {}
                Fact::Known(_) => {
                    let mut wanted = WantedMap::new();
                    want(&mut wanted, "image", format!("{os}/{series}"), span);
                    let attributes = created(&wanted, self.pool, Effect::Online, None);
                    let p = params(&BootMediaParams { arch, os, series });
                    self.step(&resource, ActionKind::CreateBootMedia, false, attributes, p, Vec::new());
                }
            }
        }
    }
}

/// The archives that every MAAS has and that cannot be removed.
const BUILTIN_ARCHIVES: [&str; 2] = ["main_archive", "ports_archive"];
/// Pockets of an Ubuntu archive that MAAS can switch off (`disabled_pockets`).
const POCKETS: [&str; 3] = ["backports", "security", "updates"];
/// Components of an Ubuntu archive that MAAS can switch off (`disabled_components`).
const COMPONENTS: [&str; 3] = ["multiverse", "restricted", "universe"];

fn values_of(r: &PackageRepository) -> RepositoryValues {
    let url = without_url_credentials(&r.url);
    RepositoryValues {
        credentials: url != r.url,
        url,
        distributions: sorted_text(&r.distributions),
        components: sorted_text(&r.components),
        disabled_pockets: sorted_text(&r.disabled_pockets),
        disabled_components: sorted_text(&r.disabled_components),
        arches: sorted_text(&r.arches),
        key: r.key.trim().to_owned(),
    }
}

fn sorted_text(items: &[String]) -> Vec<String> {
    let mut v = items.to_vec();
    v.sort_unstable();
    v
}

fn repository_attributes(r: &RepositoryValues) -> Vec<(&'static str, Value)> {
    let mut out = vec![("url", Value::from(r.url.as_str()))];
    for (path, list) in [
        ("distributions", &r.distributions),
        ("components", &r.components),
        ("disabled_pockets", &r.disabled_pockets),
        ("disabled_components", &r.disabled_components),
        ("arches", &r.arches),
    ] {
        if !list.is_empty() {
            out.push((path, Value::from(list.clone())));
        }
    }
    if !r.key.is_empty() {
        out.push(("key", Value::from(r.key.as_str())));
    }
    out
}

/// Type and body of a key identify it, the comment does not. Also a short name for it: its comment, else the end of its body.
fn key_identity(line: &str) -> (String, String) {
    let mut words = line.split_whitespace();
    let kind = words.next().unwrap_or_default();
    let body = words.next().unwrap_or_default();
    let comment: Vec<&str> = words.collect();
    let tail: String = body.chars().rev().take(8).collect::<Vec<_>>().into_iter().rev().collect();
    let shown = if comment.is_empty() { tail } else { comment.join("_") };
    (format!("{kind} {body}"), shown)
}

fn shorten(line: &str) -> String {
    let mut words = line.split_whitespace();
    let kind = words.next().unwrap_or_default();
    let body = words.next().unwrap_or_default();
    let comment: Vec<&str> = words.collect();
    if body.chars().count() > 24 {
        let head: String = body.chars().take(12).collect();
        let tail: String = body.chars().skip(body.chars().count() - 8).collect();
        format!("{kind} {head}…{tail} {}", comment.join(" ")).trim_end().to_owned()
    } else {
        line.to_owned()
    }
}
