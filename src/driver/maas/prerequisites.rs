//! What a machine that is to be installed anew will need, looked for while it still has its operating system.

use super::lists::Lists;
use super::machine_actions::{defined, user_data};
use crate::action::params::{ApplyNodePlatform, DeployNode};
use crate::build::Machine;
use crate::driver::{DriverError, ErrorClass};
use crate::redact::Secret;

fn missing(what: String) -> DriverError {
    DriverError::new(ErrorClass::Precondition, what)
}

/// Its domain, and tags that can be given.
pub(super) fn platform(params: &ApplyNodePlatform, machine: &Machine, lists: &Lists) -> Result<(), DriverError> {
    if let Some(domain) = &params.domain
        && !lists.domains()?.iter().any(|d| d.name == *domain)
    {
        return Err(missing(format!("domain {domain} does not exist in MAAS")));
    }
    let tags = lists.tags()?;
    for name in params.add_tags.iter().filter(|name| !machine.tags.contains(name)) {
        if let Some(tag) = tags.iter().find(|t| t.name == *name && !t.definition.is_empty()) {
            return Err(defined(tag));
        }
    }
    Ok(())
}

/// Its image, and what it is given.
pub(super) fn deploy(params: &DeployNode, machine: &Machine, lists: &Lists, given: Option<&(String, Secret)>) -> Result<(), DriverError> {
    user_data(params, given)?;
    let DeployNode { os, series, .. } = params;
    let arch = machine.architecture.split('/').next().unwrap_or_default();
    let same = |image: &&crate::build::Image| image.os == *os && image.series == *series && (arch.is_empty() || image.arch == arch);
    match lists.images()?.images.iter().find(same) {
        Some(image) if image.synced => Ok(()),
        Some(_) => Err(missing(format!("the image {os}/{series} for {arch} is not complete in MAAS"))),
        None => Err(missing(format!("MAAS has no image {os}/{series} for {arch}"))),
    }
}
