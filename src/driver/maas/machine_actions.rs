//! Actions on one machine: identify, commission, platform, deploy, release.

use std::collections::BTreeMap;

use super::client::{ANNOTATE, ApiCall};
use super::decide::Decision;
use super::lists::Lists;
use super::site_actions::create_tag;
use super::wire::Found;
use crate::action::params::{ApplyNodePlatform, ConfigureHardware, DeployNode, DestroyNode, IdentifyNode, PowerSettings};
use crate::build::{Machine, MachineStatus, TagFacts};
use crate::driver::evidence::{commissioned_as, installed_as};
use crate::driver::{Call, DriverError, ErrorClass};
use crate::redact::Secret;

/// Annotation that names the site which deployed a machine.
pub(super) const SITE_KEY: &str = "drydock.site";
/// Annotation that holds the id of the action which deployed a machine.
pub(super) const ACTION_KEY: &str = "drydock.action";
/// Annotation that says what a machine was given with its deployment.
const USER_DATA_KEY: &str = "drydock.user_data";
/// Its value where that is nothing.
const NO_USER_DATA: &str = "none";

fn put(machine: &Machine) -> ApiCall {
    ApiCall::put(format!("machines/{}/", machine.id))
}

fn post(machine: &Machine, op: &'static str) -> ApiCall {
    ApiCall::post(format!("machines/{}/", machine.id), op)
}

/// The status in words, with what MAAS says beside it.
fn progress(found: &Found) -> String {
    match &found.message {
        Some(message) if *message != found.machine.status_name => format!("{}: {message}", found.machine.status_name),
        _ => found.machine.status_name.clone(),
    }
}

/// The text of a failure.
fn failure(found: &Found) -> String {
    match &found.machine.failure {
        Some(text) => format!("{}: {text}", found.machine.status_name),
        None => found.machine.status_name.clone(),
    }
}

fn held(machine: &Machine, what: &str) -> Decision {
    Decision::precondition(format!("machine {} ({}) is {}, {what}", machine.hostname, machine.id, machine.status_name))
}

/// Whether a machine is somebody's: allocated, or with an operating system on it or on its way.
fn in_use(machine: &Machine) -> bool {
    use MachineStatus as S;
    match machine.status {
        S::Allocated | S::Deploying | S::Deployed | S::FailedDeployment | S::FailedReleasing => true,
        // Free machines come here as well; theirs have no owner.
        S::Broken | S::Rescue | S::Other => machine.owner.is_some(),
        S::New | S::Commissioning | S::FailedCommissioning | S::Ready | S::Releasing => false,
    }
}

/// Whether only its owner tells whose a machine is.
pub(super) fn is_unmarked(machine: &Machine) -> bool {
    in_use(machine) && !machine.owner_data.contains_key(SITE_KEY)
}

/// Refuses a machine that somebody else has taken since the plan was made: it bears another site's mark, or none and another owner than
/// `user`, the one that drydock acts as, or `adopted_from`, the one it was taken over from.
pub(super) fn foreign(site: &str, user: &str, adopted_from: Option<&str>, machine: &Machine) -> Option<Decision> {
    if !in_use(machine) {
        return None;
    }
    let owner = machine.owner.as_deref();
    let why = match machine.owner_data.get(SITE_KEY) {
        Some(marked) if marked == site => return None,
        Some(marked) => format!("drydock manages it for site {marked}"),
        None if owner == Some(user) || (owner.is_some() && owner == adopted_from) => return None,
        None => "it was not taken by drydock for this site".to_owned(),
    };
    Some(Decision::Failed(
        DriverError::new(
            ErrorClass::Precondition,
            format!(
                "machine {} ({}) is {}, owned by {}: {why}",
                machine.hostname,
                machine.id,
                machine.status_name,
                owner.unwrap_or("nobody")
            ),
        )
        .hint("ask its owner; when the machine is released, make a new plan"),
    ))
}

/// What MAAS has of a machine's power settings, and what of them may be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Power<'a> {
    /// BMC address as MAAS has it.
    pub(super) address: Option<&'a str>,
    /// Whether MAAS could just use the BMC; asked where credentials are to be set anew.
    pub(super) works: bool,
    /// User and password of the node's BMC.
    pub(super) credentials: Option<&'a (String, Secret)>,
}

/// Gives an enlisted machine its name, and MAAS the way to its BMC.
pub(super) fn identify(call: &Call, params: &IdentifyNode, found: Option<&Found>, power: Power<'_>) -> Decision {
    let Some(found) = found else {
        return Decision::InProgress("waiting for enlistment: MAAS has no machine with the node's MACs or UUID yet".to_owned());
    };
    let machine = &found.machine;
    let hostname = machine.hostname != params.hostname;
    let domain = params.domain.as_ref().filter(|d| **d != machine.domain);
    let differs = |p: &&PowerSettings| machine.power_type.as_ref() != Some(&p.kind) || power.address != Some(p.address.as_str());
    let refused = params.power.as_ref().filter(|p| p.renew && !power.works);
    if let Some(settings) = refused.filter(|p| call.begun && !differs(p)) {
        return Decision::Failed(
            DriverError::new(
                ErrorClass::Failed,
                format!("MAAS cannot use the BMC at {} with the credentials of the design, which drydock has used", settings.address),
            )
            .hint("see whether rack controllers reach the BMC, and whether it lets the user in over what MAAS speaks"),
        );
    }
    let settings = params.power.as_ref().filter(differs).or(refused);
    if !hostname && domain.is_none() && settings.is_none() {
        return Decision::Done(BTreeMap::from([("machine".to_owned(), machine.id.clone())]));
    }
    let in_use = matches!(machine.status, MachineStatus::Deployed | MachineStatus::Deploying | MachineStatus::Releasing);
    if in_use && hostname {
        return Decision::precondition(format!(
            "the machine with the node's MACs is {} as {}; MAAS does not rename a machine in use",
            machine.status_name, machine.hostname
        ));
    }
    let mut call = put(machine).with_some("hostname", hostname.then_some(&params.hostname)).with_some("domain", domain);
    if let Some(settings) = settings {
        let Some((user, password)) = power.credentials else {
            let hint = "give `oob.account` and `oob.credential` in the design, or `drivers.redfish.credentials`";
            return Decision::Failed(
                DriverError::new(ErrorClass::Settings, format!("there are no credentials of the BMC at {} for MAAS", settings.address))
                    .hint(hint),
            );
        };
        call = call
            .with("power_type", &settings.kind)
            .with("power_parameters_power_address", &settings.address)
            .with("power_parameters_power_user", user)
            .with_secret("power_parameters_power_pass", password);
    }
    Decision::act([call])
}

/// Commissions. A machine that is ready was commissioned, unless the plan wants another commissioning than the one it saw.
pub(super) fn commission(call: &Call, params: &ConfigureHardware, found: &Found) -> Decision {
    use MachineStatus as S;
    let machine = &found.machine;
    let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(",") };
    let begin = || {
        let scripts = (!params.commissioning_scripts.is_empty()).then(|| list(&params.commissioning_scripts));
        let commission = post(machine, "commission")
            .with_some("enable_ssh", params.enable_ssh.then_some(1))
            .with_some("skip_bmc_config", params.skip_bmc_config.then_some(1))
            .with_some("commissioning_scripts", scripts)
            .with_some("testing_scripts", params.testing_scripts.as_deref().map(list));
        let commission = params.parameters.iter().fold(commission, |call, (name, value)| call.with(name, value));
        Decision::start([commission], "commissioning")
    };
    match machine.status {
        S::Commissioning => Decision::InProgress(progress(found)),
        S::FailedCommissioning if call.begun && call.before != Some(commissioned_as(machine)) => Decision::Failed(
            DriverError::new(ErrorClass::Failed, failure(found)).hint("see the commissioning results of the machine in MAAS"),
        ),
        S::New | S::FailedCommissioning => begin(),
        S::Ready if params.again_after.is_some() && machine.commissioning == params.again_after => begin(),
        S::Ready | S::Allocated | S::Deploying | S::Deployed | S::FailedDeployment | S::Releasing | S::FailedReleasing => Decision::done(),
        S::Broken | S::Rescue | S::Other => held(machine, "so it cannot be commissioned"),
    }
}

/// Whether MAAS lets interfaces be changed.
pub(super) fn may_change_networking(machine: &Machine) -> Option<Decision> {
    use MachineStatus as S;
    match machine.status {
        S::New | S::Ready | S::Allocated | S::Broken => None,
        S::Commissioning | S::Releasing => {
            Some(Decision::failed(ErrorClass::NotReady, format!("machine {} is {}", machine.hostname, machine.status_name)))
        }
        _ => Some(held(machine, "and MAAS changes interfaces only of machines that are new, ready, allocated or broken")),
    }
}

/// Whether MAAS lets disks be changed.
pub(super) fn may_change_storage(machine: &Machine) -> Option<Decision> {
    use MachineStatus as S;
    match machine.status {
        S::Ready => None,
        S::Commissioning | S::Releasing => {
            Some(Decision::failed(ErrorClass::NotReady, format!("machine {} is {}", machine.hostname, machine.status_name)))
        }
        _ => Some(held(machine, "and MAAS changes the storage only of machines that are ready")),
    }
}

/// Names, tags, kernel parameters and owner data. Owner data exist in MAAS only while a machine is owned, so a free machine that is to have
/// some is allocated.
pub(super) fn platform(call: &Call, params: &ApplyNodePlatform, machine: &Machine, lists: &Lists) -> Result<Decision, DriverError> {
    let mut calls = Vec::new();
    let hostname = (machine.hostname != params.hostname).then_some(&params.hostname);
    let domain = params.domain.as_ref().filter(|d| **d != machine.domain);
    let other = |wanted: &Option<String>, now: &Option<String>| wanted.clone().filter(|w| now.as_ref() != Some(w));
    let pool = other(&params.pool, &machine.pool);
    if let Some(name) = &pool
        && !lists.pools()?.iter().any(|p| p.name == *name)
    {
        calls.push(ApiCall::create("resourcepools/").with("name", name));
    }
    let zone = other(&params.zone, &machine.zone);
    if let Some(name) = &zone
        && !lists.zones()?.iter().any(|z| z.name == *name)
    {
        calls.push(ApiCall::create("zones/").with("name", name));
    }
    let kernel = other(&params.min_kernel, &machine.min_kernel);
    let update = put(machine)
        .with_some("hostname", hostname)
        .with_some("domain", domain)
        .with_some("pool", pool)
        .with_some("zone", zone)
        .with_some("min_hwe_kernel", kernel);
    if !update.params.is_empty() {
        calls.push(update);
    }
    let tags = lists.tags()?;
    let on_machine = |name: &str| machine.tags.iter().any(|t| t == name);
    let update = |name: &str, how: &str| ApiCall::post(format!("tags/{name}/"), "update_nodes").with(how, &machine.id);
    if let Some(kernel) = params.kernel_params.as_ref().filter(|k| k.options.is_empty())
        && on_machine(&kernel.tag)
    {
        calls.push(update(&kernel.tag, "remove"));
    }
    if let Some(kernel) = params.kernel_params.as_ref().filter(|k| !k.options.is_empty()) {
        if let Some(other) = other_options(params, machine, lists)
            && lists.version()?.starts_with("2.")
        {
            return Ok(Decision::Failed(one_tag_only(&kernel.tag, other, &machine.hostname)));
        }
        match tags.iter().find(|t| t.name == kernel.tag) {
            None => calls.push(create_tag(&kernel.tag, "", &kernel.options)),
            Some(t) if t.kernel_opts != kernel.options => {
                calls.push(ApiCall::put(format!("tags/{}/", kernel.tag)).with("kernel_opts", &kernel.options));
            }
            Some(_) => {}
        }
        if !on_machine(&kernel.tag) {
            calls.push(update(&kernel.tag, "add"));
        }
    }
    for name in &params.add_tags {
        match tags.iter().find(|t| t.name == *name) {
            Some(t) if !t.definition.is_empty() && !on_machine(name) => return Ok(Decision::Failed(defined(t))),
            Some(_) => {}
            None => calls.push(create_tag(name, "", "")),
        }
        if !on_machine(name) {
            calls.push(update(name, "add"));
        }
    }
    calls.extend(params.remove_tags.iter().filter(|n| on_machine(n)).map(|n| update(n, "remove")));
    let set: Vec<_> = params.set_owner_data.iter().filter(|(k, v)| machine.owner_data.get(*k) != Some(v)).collect();
    let remove: Vec<_> = params.remove_owner_data.iter().filter(|k| machine.owner_data.contains_key(*k)).collect();
    if !set.is_empty() || !remove.is_empty() {
        if machine.status == MachineStatus::Ready {
            calls.push(allocate(machine, &call.action));
        }
        let mut annotate = post(machine, ANNOTATE);
        // A machine that is taken for its owner data shows whose it is.
        if matches!(machine.status, MachineStatus::Ready | MachineStatus::Allocated) && !machine.owner_data.contains_key(SITE_KEY) {
            annotate = annotate.with(SITE_KEY, &call.site);
        }
        for (key, value) in set {
            annotate = annotate.with(key, value);
        }
        for key in remove {
            annotate = annotate.with(key, "");
        }
        calls.push(annotate);
    }
    Ok(if calls.is_empty() { Decision::done() } else { Decision::act(calls) })
}

/// A tag of a machine with kernel options that comes before the one that carries drydock's. Since 3.0 MAAS puts the options of all tags together; before, the
/// first by name won (release notes of 3.0, LP 1335175).
pub(super) fn other_options<'a>(params: &ApplyNodePlatform, machine: &Machine, lists: &'a Lists) -> Option<&'a TagFacts> {
    let kernel = params.kernel_params.as_ref().filter(|k| !k.options.is_empty())?;
    let tags = lists.tags().ok()?;
    tags.iter().find(|t| !t.kernel_opts.is_empty() && t.name < kernel.tag && machine.tags.contains(&t.name))
}

fn one_tag_only(tag: &str, other: &TagFacts, hostname: &str) -> DriverError {
    DriverError::new(
        ErrorClass::Rejected,
        format!(
            "MAAS before 3.0 takes kernel options of one tag only, the first by name: {} of machine {hostname} would win over {tag}",
            other.name
        ),
    )
    .hint(format!("take the kernel options out of tag {}, or the tag from the machine", other.name))
}

/// Why a machine cannot be given a tag.
pub(super) fn defined(tag: &TagFacts) -> DriverError {
    DriverError::new(
        ErrorClass::Rejected,
        format!("tag {} has the definition `{}`, so MAAS alone decides which machines have it", tag.name, tag.definition),
    )
    .hint("rename the static tag, or change the hardware that the definition looks for")
}

fn allocate(machine: &Machine, action: &str) -> ApiCall {
    ApiCall::post("machines/", "allocate").with("system_id", &machine.id).with("comment", comment(action))
}

fn comment(action: &str) -> String {
    format!("drydock action {action}")
}

/// Writes the operating system. The machine is marked with site and action before, so that afterwards it shows who deployed it.
///
/// `given` is what the design has for the node now: what of it plans say, and the document in base64.
pub(super) fn deploy(call: &Call, params: &DeployNode, found: &Found, given: Option<&(String, Secret)>) -> Decision {
    use MachineStatus as S;
    let machine = &found.machine;
    let ours = machine.owner_data.get(SITE_KEY).is_some_and(|s| *s == call.site);
    let this = machine.owner_data.get(ACTION_KEY).is_some_and(|a| *a == call.action);
    let deploy = || {
        let deploy = post(machine, "deploy")
            .with("distro_series", format!("{}/{}", params.os, params.series))
            .with_some("hwe_kernel", params.kernel.as_ref())
            .with("comment", comment(&call.action));
        match given.filter(|_| params.user_data.is_some()) {
            Some((_, document)) => deploy.with_secret("user_data", document),
            None => deploy,
        }
    };
    let mark = || {
        let data = params.user_data.as_deref().unwrap_or(NO_USER_DATA);
        post(machine, ANNOTATE).with(SITE_KEY, &call.site).with(ACTION_KEY, &call.action).with(USER_DATA_KEY, data)
    };
    if let (S::Ready | S::Allocated | S::FailedDeployment, Err(error)) = (machine.status, user_data(params, given)) {
        return Decision::Failed(error);
    }
    match machine.status {
        S::Ready => Decision::start([allocate(machine, &call.action), mark(), deploy()], "deploying"),
        S::Allocated if this => Decision::start([deploy()], "deploying"),
        // Taken by this action before it could be marked, or by an action before it. MAAS lets only the owner mark a machine.
        S::Allocated if ours || call.begun => Decision::start([mark(), deploy()], "deploying"),
        S::Allocated => Decision::precondition(format!(
            "machine {} ({}) is allocated to {}, not by drydock for this site",
            machine.hostname,
            machine.id,
            machine.owner.as_deref().unwrap_or("somebody")
        )),
        S::Deploying => Decision::InProgress(progress(found)),
        S::Deployed if this => deployed(params, machine),
        S::Deployed if ours && machine.os == params.os && machine.series == params.series => Decision::done(),
        S::Deployed if ours => Decision::precondition(format!(
            "machine {} is deployed already, with {}/{} by action {}",
            machine.hostname,
            machine.os,
            machine.series,
            machine.owner_data.get(ACTION_KEY).map_or("unknown", String::as_str)
        )),
        S::Deployed => Decision::precondition(format!("machine {} ({}) was deployed by somebody else", machine.hostname, machine.id)),
        S::FailedDeployment if call.begun && (this || !ours) && call.before != Some(installed_as(machine)) => {
            Decision::Failed(DriverError::new(ErrorClass::Failed, failure(found)).hint("see the installation log of the machine in MAAS"))
        }
        S::FailedDeployment if !ours => held(machine, "and not by drydock for this site"),
        // MAAS deploys a machine again only after it was released.
        S::FailedDeployment => Decision::AfterRelease(release(machine, &call.action, false)),
        S::Releasing => Decision::InProgress(format!("{} before it is deployed again", progress(found))),
        S::New | S::Commissioning | S::FailedCommissioning => Decision::failed(
            ErrorClass::NotReady,
            format!("machine {} is {} and not ready to be deployed", machine.hostname, machine.status_name),
        ),
        S::FailedReleasing | S::Broken | S::Rescue | S::Other => held(machine, "so it cannot be deployed"),
    }
}

/// Whether the design still gives a node what the plan says it gets.
pub(super) fn user_data(params: &DeployNode, given: Option<&(String, Secret)>) -> Result<(), DriverError> {
    match (&params.user_data, given) {
        (None, _) => Ok(()),
        (Some(planned), Some((now, _))) if planned == now => Ok(()),
        (Some(planned), now) => Err(DriverError::new(
            ErrorClass::Precondition,
            format!(
                "the node's boot actions are not those of the plan: planned were {planned}; the design has {}",
                now.map_or("nothing for it", |(now, _)| now)
            ),
        )
        .hint("make a new plan; to go on with this one, use the design that it was made from: `--ref COMMIT`")),
    }
}

/// Whether a machine that MAAS has deployed runs what was asked for.
fn deployed(params: &DeployNode, machine: &Machine) -> Decision {
    let mut wrong = Vec::new();
    if machine.os != params.os || machine.series != params.series {
        wrong.push(format!("image {}/{} instead of {}/{}", machine.os, machine.series, params.os, params.series));
    }
    if let (Some(wanted), Some(is)) = (&params.kernel, &machine.kernel)
        && wanted != is
    {
        wrong.push(format!("kernel {is} instead of {wanted}"));
    }
    if wrong.is_empty() {
        return Decision::done();
    }
    let message = format!("machine {} is deployed, and not as asked: it has {}", machine.hostname, wrong.join(", "));
    Decision::Failed(DriverError::new(ErrorClass::Failed, message).hint("make a new plan; see the installation log of the machine in MAAS"))
}

/// Writes the owner data of a machine again that are not drydock's own marks.
pub(super) fn restore(machine: &Machine) -> Option<ApiCall> {
    let data = machine.owner_data.iter().filter(|(key, _)| ![SITE_KEY, ACTION_KEY, USER_DATA_KEY].contains(&key.as_str()));
    let call = data.fold(post(machine, ANNOTATE), |call, (key, value)| call.with(key, value));
    (!call.params.is_empty()).then_some(call)
}

fn release(machine: &Machine, action: &str, erase: bool) -> ApiCall {
    // Said in both cases: the installation may be set to erase by default. With both ways MAAS uses the drive's own secure erase, else
    // it wipes both ends of the disk.
    post(machine, "release")
        .with("erase", erase)
        .with_some("secure_erase", erase.then_some(true))
        .with_some("quick_erase", erase.then_some(true))
        .with("comment", comment(action))
}

/// Releases.
pub(super) fn destroy(call: &Call, params: DestroyNode, found: Option<&Found>, lists: &Lists) -> Result<Decision, DriverError> {
    use MachineStatus as S;
    let Some(found) = found else {
        if let Some(id) = &call.binding.machine
            && lists.racks()?.iter().any(|r| r.id == *id)
        {
            return Ok(Decision::Failed(
                DriverError::new(ErrorClass::Rejected, format!("machine {id} is a rack controller now and is not released"))
                    .hint("remove the rack controller in MAAS first"),
            ));
        }
        return Ok(Decision::precondition("MAAS has no machine with the node's identity"));
    };
    let machine = &found.machine;
    Ok(match machine.status {
        S::New | S::Ready => Decision::done(),
        S::Releasing => Decision::InProgress(progress(found)),
        _ if machine.locked => Decision::Failed(
            DriverError::new(ErrorClass::Rejected, format!("machine {} ({}) is locked", machine.hostname, machine.id))
                .hint("unlock it in MAAS if it may really be released"),
        ),
        S::FailedReleasing if call.begun => Decision::Failed(DriverError::new(ErrorClass::Failed, failure(found))),
        S::Allocated | S::Deployed | S::Deploying | S::FailedDeployment
            if call.begun && call.before.as_ref().is_some_and(|before| *before != installed_as(machine)) =>
        {
            Decision::precondition(format!(
                "machine {} ({}) was released since this run began to release it, and is {} anew: before it was {}, now it is {}",
                machine.hostname,
                machine.id,
                machine.status_name,
                call.before.as_deref().unwrap_or_default(),
                installed_as(machine)
            ))
        }
        S::Allocated | S::Deployed | S::Deploying | S::FailedDeployment | S::FailedReleasing => {
            Decision::start([release(machine, &call.action, params.erase)], "releasing")
        }
        S::Commissioning | S::FailedCommissioning => Decision::done(),
        S::Broken | S::Rescue | S::Other => held(machine, "so it cannot be released"),
    })
}

/// Deletes the record of a machine that nobody has. MAAS would delete one that is in use as well.
pub(super) fn delete(found: Option<&Found>) -> Decision {
    use MachineStatus as S;
    let Some(Found { machine, .. }) = found else { return Decision::done() };
    match machine.status {
        _ if machine.locked => held(machine, "and locked, so its record is not deleted"),
        S::New | S::Ready | S::FailedCommissioning => Decision::act([ApiCall::delete(format!("machines/{}/", machine.id))]),
        S::Releasing | S::Commissioning => {
            Decision::failed(ErrorClass::NotReady, format!("machine {} is {}", machine.hostname, machine.status_name))
        }
        _ => held(machine, "so its record is not deleted"),
    }
}
