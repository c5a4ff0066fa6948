//! Site actions besides networks: verification, keys, repositories, images, tags.

use super::client::ApiCall;
use super::decide::{Decision, Drift};
use super::lists::{Lists, Needs};
use crate::action::params::{BootMediaParams, RepositoryParams, RepositoryValues, SshKeyParams, TagParams, VerifySite};
use crate::build::PackageRepository;
use crate::driver::{DriverError, ErrorClass};
use crate::redact::{Secret, without_url_credentials};

/// The lists that `verify_site` needs.
pub(super) fn verify_needs(params: &VerifySite) -> Needs {
    Needs { user: true, racks: params.rack_controller, ..Needs::default() }
}

/// Whether MAAS answers, the user may change it, and a rack controller works.
pub(super) fn verify(params: &VerifySite, lists: &Lists) -> Result<Decision, DriverError> {
    let user = lists.user()?;
    if !user.administrator {
        return Ok(Decision::Failed(
            DriverError::new(ErrorClass::Credentials, format!("the MAAS user {} is not an administrator", user.name))
                .hint("use the API key of an administrator"),
        ));
    }
    if !params.rack_controller {
        return Ok(Decision::done());
    }
    let racks = lists.racks()?;
    if racks.iter().any(|r| r.healthy) {
        return Ok(Decision::done());
    }
    let state = if racks.is_empty() {
        "there is none".to_owned()
    } else {
        racks.iter().map(|r| format!("{}: {}", r.hostname, r.problems.join(", "))).collect::<Vec<_>>().join("; ")
    };
    Ok(Decision::Failed(
        DriverError::new(ErrorClass::NotReady, format!("MAAS has no healthy rack controller ({state})"))
            .hint("machines cannot boot from the network without one; check its services in MAAS"),
    ))
}

/// An SSH key without its comment: type and key.
fn key_part(line: &str) -> Vec<&str> {
    line.split_whitespace().take(2).collect()
}

/// Adds an SSH key.
pub(super) fn ssh_key(params: &SshKeyParams, lists: &Lists) -> Result<Decision, DriverError> {
    let there = lists.ssh_keys()?.iter().any(|k| key_part(&k.key) == key_part(&params.key));
    Ok(if there { Decision::done() } else { Decision::act([ApiCall::create("account/prefs/sshkeys/").with("key", params.key.trim())]) })
}

/// What MAAS has, as plans say it.
fn values(r: &PackageRepository) -> RepositoryValues {
    let url = without_url_credentials(&r.url);
    RepositoryValues {
        credentials: url != r.url,
        url,
        distributions: r.distributions.clone(),
        components: r.components.clone(),
        disabled_pockets: r.disabled_pockets.clone(),
        disabled_components: r.disabled_components.clone(),
        arches: r.arches.clone(),
        key: r.key.trim().to_owned(),
    }
}

/// Creates, updates or removes a package repository.
pub(super) fn repository(params: &RepositoryParams, url: Option<&Secret>, lists: &Lists) -> Result<Decision, DriverError> {
    let found = lists.repositories()?.iter().find(|r| r.name == params.name);
    let what = format!("package repository {}", params.name);
    // With its credentials, which are in no plan.
    let url = match &params.after {
        Some(after) if after.credentials => {
            let given = url.filter(|url| without_url_credentials(url.expose()) == after.url).ok_or_else(|| {
                DriverError::new(
                    ErrorClass::Precondition,
                    format!("the design no longer has the URL {} of {what}, whose credentials are in no plan", after.url),
                )
                .hint("plan again, or take the design that the plan was made from: `--ref COMMIT`")
            })?;
            Some(given)
        }
        _ => None,
    };
    let same_url = |r: &PackageRepository| url.is_none_or(|url| r.url == url.expose());
    let fields = |call: ApiCall, v: &RepositoryValues, now: Option<&RepositoryValues>| {
        let list = |l: &[String]| l.join(",");
        let text = |call: ApiCall, name: &str, value: String, now: Option<String>| match now {
            Some(now) if now == value => call,
            None if value.is_empty() => call,
            _ => call.with(name, value),
        };
        let call = match url {
            Some(url) if found.is_none_or(|r| !same_url(r)) => call.with_secret("url", url),
            Some(_) => call,
            None => text(call, "url", v.url.clone(), now.map(|n| n.url.clone())),
        };
        let call = text(call, "distributions", list(&v.distributions), now.map(|n| list(&n.distributions)));
        let call = text(call, "components", list(&v.components), now.map(|n| list(&n.components)));
        let call = text(call, "disabled_pockets", list(&v.disabled_pockets), now.map(|n| list(&n.disabled_pockets)));
        let call = text(call, "disabled_components", list(&v.disabled_components), now.map(|n| list(&n.disabled_components)));
        let call = text(call, "arches", list(&v.arches), now.map(|n| list(&n.arches)));
        text(call, "key", v.key.trim().to_owned(), now.map(|n| n.key.clone()))
    };
    Ok(match (&params.after, found) {
        (None, None) => Decision::done(),
        (None, Some(r)) => {
            let now = values(r);
            match &params.before {
                Some(before) if now != *before => Decision::precondition(format!("{what} changed since the plan was made")),
                _ => Decision::act([ApiCall::delete(format!("package-repositories/{}/", r.id))]),
            }
        }
        (Some(_), None) if params.before.is_some() => Decision::precondition(format!("{what} is no longer there")),
        (Some(after), None) => {
            let call = ApiCall::create("package-repositories/").with("name", &params.name);
            Decision::act([fields(call, after, None).with("enabled", true)])
        }
        (Some(after), Some(r)) => {
            let now = values(r);
            let after = RepositoryValues { key: after.key.trim().to_owned(), ..after.clone() };
            if now == after && same_url(r) && r.enabled {
                return Ok(Decision::done());
            }
            let mut drift = Drift::default();
            let before = params.before.as_ref();
            drift.check("URL", &now.url, &after.url, before.map(|b| &b.url));
            drift.check("distributions", &now.distributions, &after.distributions, before.map(|b| &b.distributions));
            drift.check("components", &now.components, &after.components, before.map(|b| &b.components));
            drift.check("disabled pockets", &now.disabled_pockets, &after.disabled_pockets, before.map(|b| &b.disabled_pockets));
            drift.check(
                "disabled components",
                &now.disabled_components,
                &after.disabled_components,
                before.map(|b| &b.disabled_components),
            );
            drift.check("architectures", &now.arches, &after.arches, before.map(|b| &b.arches));
            drift.check("key", &now.key, &after.key, before.map(|b| b.key.trim().to_owned()).as_ref());
            drift.refusal(&what).unwrap_or_else(|| {
                let call = fields(ApiCall::put(format!("package-repositories/{}/", r.id)), &after, Some(&now));
                Decision::act([call.with_some("enabled", (!r.enabled).then_some(true))])
            })
        }
    })
}

/// Imports a boot image: selected at a boot source if it is not, then imported.
pub(super) fn boot_media(params: &BootMediaParams, lists: &Lists) -> Result<Decision, DriverError> {
    let state = lists.images()?;
    let BootMediaParams { os, series, arch } = params;
    let listed = state.images.iter().find(|i| i.os == *os && i.series == *series && i.arch == *arch);
    if listed.is_some_and(|i| i.synced) {
        // Machines boot from rack controllers, which copy what the region has.
        let behind = lists.rack_images()?.iter().find_map(|r| Some((&r.hostname, r.behind.as_ref()?)));
        return Ok(match behind {
            None => Decision::done(),
            Some((rack, status)) => Decision::InProgress(format!("rack controller {rack} is copying images ({status})")),
        });
    }
    let selections = lists.selections()?;
    let same = selections.selections.iter().find(|(_, s)| s.os == *os && s.release == *series);
    let covers = |arches: &[String]| arches.iter().any(|a| a == arch || a == "*");
    let selected = same.is_some_and(|(_, s)| covers(&s.arches));
    if state.importing && (selected || listed.is_some()) {
        return Ok(Decision::InProgress(format!("MAAS is importing images; {os}/{series} for {arch} is not complete yet")));
    }
    let mut calls = Vec::new();
    match same {
        _ if selected => {}
        Some((id, s)) => calls
            .push(ApiCall::put(format!("boot-sources/{}/selections/{id}/", s.source)).with_each("arches", s.arches.iter().chain([arch]))),
        None => {
            // The source that has other series of the system, else the first.
            let source = selections.selections.iter().find(|(_, s)| s.os == *os).map(|(_, s)| s.source);
            let Some(source) = source.or_else(|| selections.sources.first().copied()) else {
                return Ok(Decision::Failed(
                    DriverError::new(ErrorClass::Rejected, format!("MAAS has no boot source to import {os}/{series} from"))
                        .hint("configure a boot source in MAAS, or upload the image"),
                ));
            };
            calls.push(
                ApiCall::create(format!("boot-sources/{source}/selections/"))
                    .with("os", os)
                    .with("release", series)
                    .with("arches", arch)
                    .with("subarches", "*")
                    .with("labels", "*"),
            );
        }
    }
    calls.push(ApiCall::post("boot-resources/", "import"));
    Ok(Decision::start(calls, &format!("MAAS imports {os}/{series} for {arch}")))
}

/// Creates or updates a tag.
pub(super) fn tag(params: &TagParams, lists: &Lists) -> Result<Decision, DriverError> {
    let after = &params.after;
    let Some(now) = lists.tags()?.iter().find(|t| t.name == params.name) else {
        return Ok(if params.before.is_some() {
            Decision::precondition(format!("tag {} is no longer there", params.name))
        } else {
            Decision::act([create_tag(&params.name, &after.definition, &after.kernel_opts)])
        });
    };
    if now.definition == after.definition && now.kernel_opts == after.kernel_opts {
        return Ok(Decision::done());
    }
    let mut drift = Drift::default();
    let before = params.before.as_ref();
    drift.check("definition", &now.definition, &after.definition, before.map(|b| &b.definition));
    drift.check("kernel options", &now.kernel_opts, &after.kernel_opts, before.map(|b| &b.kernel_opts));
    Ok(drift.refusal(&format!("tag {}", params.name)).unwrap_or_else(|| {
        Decision::act([ApiCall::put(format!("tags/{}/", params.name))
            .with_some("definition", (now.definition != after.definition).then_some(&after.definition))
            .with_some("kernel_opts", (now.kernel_opts != after.kernel_opts).then_some(&after.kernel_opts))])
    }))
}

/// The call that creates a tag.
pub(super) fn create_tag(name: &str, definition: &str, kernel_opts: &str) -> ApiCall {
    ApiCall::create("tags/")
        .with("name", name)
        .with_some("definition", (!definition.is_empty()).then_some(definition))
        .with_some("kernel_opts", (!kernel_opts.is_empty()).then_some(kernel_opts))
}
