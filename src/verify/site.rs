//! The site: do its services answer and take our credentials, and is there what machines need to boot and be deployed?

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::types::{Check, Reading, Unread};
use crate::build::{Build, Fact, Provisioner};
use crate::model::Site;

/// Most nodes that a check names.
const NAMED: usize = 5;

/// How much of something is too much or too little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerances {
    /// Clocks further apart than this are worth a warning; thirty times as far apart, a failure.
    pub clock_skew: Duration,
    /// Less free space than this is worth a warning, in bytes; less than a tenth of it, a failure.
    pub free_space: u64,
}

/// A service of the next step that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceReading {
    /// Its name in the settings.
    pub name: String,
    /// The status that it should answer with; any below 400 if not given.
    pub wanted: Option<u16>,
    /// The status that it answered with.
    pub status: Reading<u16>,
}

/// The state file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateReading {
    /// There is none yet, and one can be made.
    None,
    /// It can be written.
    Writable {
        /// Version of its schema.
        schema: i64,
        /// The version that this program has.
        current: i64,
    },
    /// It cannot be used.
    Broken(Unread),
}

/// Free space at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    /// What is written there.
    pub what: String,
    /// The folder.
    pub at: String,
    /// Free bytes for this user.
    pub free: Reading<u64>,
}

/// What is read of a site only to verify it.
#[derive(Debug, Clone)]
pub struct SiteReadings {
    /// Whether the provisioner takes the credentials, and for what the work needs.
    pub provisioner: Reading<()>,
    /// How far its clock is ahead, in milliseconds.
    pub clock: Reading<Option<i64>>,
    /// Name of the OOB driver of each node.
    pub drivers: BTreeMap<String, String>,
    /// Nodes that no driver can be used for, and why.
    pub without: BTreeMap<String, String>,
    /// Version of each OOB driver's program, where it has one.
    pub programs: BTreeMap<String, Reading<Option<String>>>,
    /// Why BMCs did not answer.
    pub bmc_errors: BTreeMap<String, Unread>,
    /// How far the clocks of BMCs are ahead, in milliseconds, of those that tell.
    pub bmc_clocks: BTreeMap<String, i64>,
    /// Services of the next step.
    pub services: Vec<ServiceReading>,
    /// The state file.
    pub state: StateReading,
    /// Free space.
    pub space: Vec<Space>,
}

/// Verifies a site.
pub fn site(site: &Site, build: &Build, readings: &SiteReadings, tolerances: &Tolerances) -> Vec<Check> {
    let mut out = Vec::new();
    out.push(provisioner(build, readings));
    bmcs(readings, &mut out);
    if let Fact::Known(provisioner) = &build.provisioner {
        listings(provisioner, &mut out);
        racks(provisioner, &mut out);
        images(site, provisioner, &mut out);
    }
    clocks(readings, tolerances, &mut out);
    out.extend(readings.services.iter().map(service));
    out.push(state(&readings.state));
    out.extend(readings.space.iter().map(|s| space(s, tolerances.free_space)));
    out
}

fn provisioner(build: &Build, readings: &SiteReadings) -> Check {
    let name = build.provisioner.known().map_or("maas", |p| p.driver.as_str());
    match (&readings.provisioner, &build.provisioner) {
        (Err(why), _) => Check::unread(name, why),
        (_, Fact::Unknown(why)) => Check::failed(name, why.clone(), "check `drivers.maas` in the settings, and that MAAS runs"),
        (Ok(()), Fact::Known(p)) => {
            let at = build.endpoints.first().map(|e| format!(" at {}", e.url)).unwrap_or_default();
            Check::ok(name, format!("version {}{at}, user {}", p.version, p.user))
        }
    }
}

/// `a, b and 3 more`.
fn named<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<&String> = names.into_iter().collect();
    let shown: Vec<&str> = names.iter().take(NAMED).map(|n| n.as_str()).collect();
    let more = names.len().saturating_sub(NAMED);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

/// One check per OOB driver: whether its program is there, and how many of its BMCs answer and take the credentials.
fn bmcs(readings: &SiteReadings, out: &mut Vec<Check>) {
    let mut of: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
    for (node, driver) in &readings.drivers {
        of.entry(driver).or_default().push(node);
    }
    for (driver, nodes) in of {
        let program = match readings.programs.get(driver) {
            Some(Err(why)) => {
                out.push(Check::unread(driver, why));
                continue;
            }
            Some(Ok(Some(version))) => format!(", program version {version}"),
            _ => String::new(),
        };
        if driver == "manual" {
            out.push(Check::skipped(driver, format!("a person switches {}", named(nodes))));
            continue;
        }
        let mut silent: Vec<(&String, &Unread)> = nodes.iter().filter_map(|n| Some((*n, readings.bmc_errors.get(*n)?))).collect();
        silent.sort_by_key(|(node, _)| *node);
        let answered = format!("{} of {} BMCs answer{program}", nodes.len() - silent.len(), nodes.len());
        let Some((_, first)) = silent.first() else {
            out.push(Check::ok(driver, answered));
            continue;
        };
        let seen = format!("{answered}; not those of {}: {}", named(silent.iter().map(|(n, _)| *n)), first.message);
        let todo = first.hint.clone().unwrap_or_default();
        let todo = format!("{todo}{}`drydock verify nodes` says it of each", if todo.is_empty() { "" } else { "; " });
        out.push(if silent.len() == nodes.len() { Check::failed(driver, seen, todo) } else { Check::warning(driver, seen, todo) });
    }
    if let Some(why) = readings.without.values().next() {
        let seen = format!("no driver for {}: {why}", named(readings.without.keys()));
        out.push(Check::warning("oob", seen, "complete the `oob` section of these nodes, or the settings"));
    }
}

/// Listings that could not be read: what rests on them is not known.
fn listings(p: &Provisioner, out: &mut Vec<Check>) {
    fn why<T>(fact: &Fact<T>) -> Option<&String> {
        match fact {
            Fact::Known(_) => None,
            Fact::Unknown(why) => Some(why),
        }
    }
    let all = [
        ("fabrics", why(&p.fabrics)),
        ("subnets", why(&p.subnets)),
        ("address ranges", why(&p.ranges)),
        ("static routes", why(&p.routes)),
        ("domains", why(&p.domains)),
        ("tags", why(&p.tags)),
        ("SSH keys", why(&p.ssh_keys)),
        ("package repositories", why(&p.repositories)),
        ("boot sources", why(&p.selections)),
        ("machines", why(&p.machines)),
    ];
    let unknown: Vec<String> = all.iter().filter_map(|(what, why)| Some(format!("{what}: {}", (*why)?))).collect();
    if !unknown.is_empty() {
        out.push(Check::failed("lists", unknown.join("; "), "see the provisioner's log; nothing is planned that rests on them"));
    }
}

fn racks(p: &Provisioner, out: &mut Vec<Check>) {
    const TODO: &str = "start its services; machines cannot boot from the network without a rack controller";
    match &p.racks {
        Fact::Unknown(why) => out.push(Check::failed("racks", why.clone(), "see the provisioner's log")),
        Fact::Known(racks) if racks.is_empty() => {
            out.push(Check::failed(
                "racks",
                "the provisioner has no rack controller",
                "add one; machines cannot boot from the network without",
            ));
        }
        Fact::Known(racks) => out.extend(racks.iter().map(|rack| {
            let name = format!("rack.{}", rack.hostname);
            if rack.healthy { Check::ok(name, "its services run") } else { Check::failed(name, rack.problems.join("; "), TODO) }
        })),
    }
}

/// Boot images that nodes need, with their kernels.
fn images(site: &Site, p: &Provisioner, out: &mut Vec<Check>) {
    let mut wanted: BTreeMap<(String, String), BTreeSet<&str>> = BTreeMap::new();
    for node in site.nodes.values() {
        if let Some((os, series)) = node.platform.system() {
            wanted.entry((os.to_owned(), series.to_owned())).or_default().extend(node.platform.kernel.as_ref().map(|k| k.value.as_str()));
        }
    }
    let importing = p.importing.known() == Some(&true);
    for ((os, series), kernels) in wanted {
        let name = format!("image.{os}/{series}");
        let images = match &p.images {
            Fact::Unknown(why) => {
                out.push(Check::failed(name, why.clone(), "see the provisioner's log"));
                continue;
            }
            Fact::Known(images) => images,
        };
        let same: Vec<_> = images.iter().filter(|i| i.os == os && i.series == series).collect();
        out.push(if same.is_empty() {
            let seen = if importing { "not there; an import is running" } else { "not there" };
            Check::warning(name, seen, "the next apply imports it; `drydock plan --goal prepare_site` shows that alone")
        } else if !same.iter().any(|i| i.synced) {
            Check::warning(
                name,
                "there, not complete",
                "wait until the import has ended, and look for errors of the import in the provisioner if it does not",
            )
        } else {
            let has: BTreeSet<&str> = same.iter().filter(|i| i.synced).flat_map(|i| &i.kernels).map(String::as_str).collect();
            let missing: Vec<&str> = kernels.iter().copied().filter(|k| !has.contains(k)).collect();
            let kernels: Vec<&str> = kernels.into_iter().collect();
            if missing.is_empty() {
                let with = if kernels.is_empty() { String::new() } else { format!(", with {}", kernels.join(", ")) };
                Check::ok(name, format!("complete{with}"))
            } else {
                let has = has.into_iter().collect::<Vec<_>>().join(", ");
                let seen = format!("no kernel {}; it has {has}", missing.join(", "));
                Check::failed(name, seen, "change platform.kernel, or import that kernel")
            }
        });
    }
}

/// `12 s ahead of ours`.
fn ahead(ms: i64) -> String {
    match (ms.unsigned_abs() + 500) / 1000 {
        // What is read is no finer.
        0 | 1 => "within a second of ours".to_owned(),
        seconds => format!("{seconds} s {} ours", if ms < 0 { "behind" } else { "ahead of" }),
    }
}

fn clocks(readings: &SiteReadings, tolerances: &Tolerances, out: &mut Vec<Check>) {
    const TODO: &str = "synchronise it and this machine with the same time server (NTP)";
    let most = i64::try_from(tolerances.clock_skew.as_millis()).unwrap_or(i64::MAX);
    let judge = |name: &str, ms: i64, seen: String| match ms.saturating_abs() {
        off if off <= most => Check::ok(name, seen),
        off if off <= most.saturating_mul(30) => Check::warning(name, seen, TODO),
        _ => Check::failed(name, seen, TODO),
    };
    out.push(match &readings.clock {
        Err(why) => Check::unread("clock.maas", why),
        Ok(None) => Check::skipped("clock.maas", "it tells no time"),
        Ok(Some(ms)) => judge("clock.maas", *ms, ahead(*ms)),
    });
    let Some(worst) = readings.bmc_clocks.values().copied().max_by_key(|ms| ms.saturating_abs()) else {
        out.push(Check::skipped("clock.bmcs", "no BMC tells the time"));
        return;
    };
    let off: Vec<&String> = readings.bmc_clocks.iter().filter(|(_, ms)| ms.saturating_abs() > most).map(|(node, _)| node).collect();
    let seen = if off.is_empty() {
        format!("{} BMCs, at most {}", readings.bmc_clocks.len(), ahead(worst))
    } else {
        format!("those of {}, up to {}", named(off), ahead(worst))
    };
    // No action rests on a BMC's clock; its event log does.
    let check = judge("clock.bmcs", worst, seen);
    out.push(if check.verdict == super::Verdict::Failed { Check { verdict: super::Verdict::Warning, ..check } } else { check });
}

fn service(reading: &ServiceReading) -> Check {
    let name = format!("service.{}", reading.name);
    match &reading.status {
        Err(why) => Check::unread(name, why),
        Ok(status) => {
            let fits = reading.wanted.map_or(*status < 400, |wanted| wanted == *status);
            let seen = format!("answers {status}");
            let wanted = reading.wanted.map_or_else(|| "a status below 400".to_owned(), |w| w.to_string());
            if fits { Check::ok(name, seen) } else { Check::failed(name, format!("{seen}, not {wanted}"), "see the service's log") }
        }
    }
}

fn state(reading: &StateReading) -> Check {
    const NAME: &str = "state";
    match reading {
        StateReading::None => Check::ok(NAME, "none yet; it can be made"),
        StateReading::Writable { schema, current } if schema < current => {
            Check::ok(NAME, format!("writable, schema version {schema}; the next command that writes brings it to {current}"))
        }
        StateReading::Writable { schema, .. } => Check::ok(NAME, format!("writable, schema version {schema}")),
        StateReading::Broken(why) => Check::unread(NAME, why),
    }
}

/// `1.5 GiB`.
fn bytes(count: u64) -> String {
    let unit = |shift: u32| count as f64 / (1u64 << shift) as f64;
    if count >= 1 << 30 { format!("{:.1} GiB", unit(30)) } else { format!("{:.0} MiB", unit(20)) }
}

fn space(space: &Space, wanted: u64) -> Check {
    let name = format!("space.{}", space.what);
    match &space.free {
        Err(why) => Check::unread(name, why),
        Ok(free) => {
            let seen = format!("{} free at {}", bytes(*free), space.at);
            let todo = format!("free some; {} should be", bytes(wanted));
            match *free {
                free if free >= wanted => Check::ok(name, seen),
                free if free >= wanted / 10 => Check::warning(name, seen, todo),
                _ => Check::failed(name, seen, todo),
            }
        }
    }
}
