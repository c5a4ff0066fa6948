//! Verdicts where a simulated site has nothing to show: sensors, clocks, kernels.

use std::collections::BTreeMap;
use std::time::Duration;

use super::alarms;
use super::site::{SiteReadings, Space, StateReading, Tolerances, site};
use super::types::{Unread, Verdict};
use crate::build::{Bmc, BmcHealth, Build, Fact, Sensor};
use crate::model::Site;

fn bmc(health: Option<&str>) -> Bmc {
    Bmc { health: health.map(str::to_owned), ..Bmc::unread("ipmi", "10.0.0.1".into(), "chassis".into()) }
}

fn sensor(name: &str, state: &str) -> Sensor {
    Sensor { name: name.into(), state: state.into(), reading: "3 V".into() }
}

#[test]
fn alarms_are_as_bad_as_the_worst_sensor() {
    let read = |health: Option<&str>, sensors: &[(&str, &str)], events: &[&str]| {
        let sensors = sensors.iter().map(|(name, state)| sensor(name, state)).collect();
        let events = events.iter().map(|e| (*e).to_owned()).collect();
        let check = alarms::check(&bmc(health), Some(&Ok(BmcHealth { firmware: None, sensors, events })));
        assert_eq!(check.todo.is_some(), check.verdict >= Verdict::Warning);
        (check.verdict, check.seen)
    };
    assert_eq!(read(Some("OK"), &[], &[]), (Verdict::Ok, "health OK".into()));
    assert_eq!(read(None, &[("Fan1", "ok"), ("Fan2", "ok")], &["old"]), (Verdict::Ok, "2 sensors".into()));
    assert_eq!(
        read(None, &[], &["power lost"]),
        (Verdict::Skipped, "the ipmi driver reads no sensors of this machine; latest event: power lost".into())
    );
    assert_eq!(read(Some("Warning"), &[("Fan1", "ok")], &[]), (Verdict::Warning, "health is Warning".into()));
    assert_eq!(read(None, &[("Fan1", "nc")], &["a", "b"]), (Verdict::Warning, "Fan1: 3 V (nc); latest event: b".into()));
    assert_eq!(read(None, &[("Fan1", "nc"), ("PS1", "cr")], &[]), (Verdict::Failed, "PS1: 3 V (cr); Fan1: 3 V (nc)".into()));
    assert_eq!(read(Some("Critical"), &[], &[]).0, Verdict::Failed);
    let why = Unread { message: "node n1: no answer".into(), hint: None };
    let unread = alarms::check(&bmc(None), Some(&Err(why)));
    assert_eq!((unread.verdict, unread.seen.as_str()), (Verdict::Failed, "node n1: no answer"));
}

/// A site with a rack, a node of it, and an image with a kernel.
fn small() -> Site {
    let text = "schema: drydock/Region/v1\nmetadata: {name: lab}\ndata: {}\n---\n\
                schema: drydock/Rack/v1\nmetadata: {name: r1}\ndata: {tor_switches: {tor1: {mgmt_ip: 10.0.0.1}}}\n---\n\
                schema: drydock/HostProfile/v1\nmetadata: {name: base}\ndata: {platform: {image: jammy, kernel: hwe-22.04}}\n---\n\
                schema: drydock/BaremetalNode/v1\nmetadata: {name: n1}\ndata: {host_profile: base, metadata: {rack: r1}}\n";
    let mut map = crate::yaml::SourceMap::default();
    let file = map.add("site.yaml", text);
    let read = crate::document::read_all(&map, &[file]);
    crate::model::resolve(&read.documents, &read.sensitive).0.expect("the design has a region")
}

fn readings() -> SiteReadings {
    SiteReadings {
        provisioner: Ok(()),
        clock: Ok(None),
        drivers: BTreeMap::new(),
        without: BTreeMap::new(),
        programs: BTreeMap::new(),
        bmc_errors: BTreeMap::new(),
        bmc_clocks: BTreeMap::new(),
        services: Vec::new(),
        state: StateReading::None,
        space: Vec::new(),
    }
}

fn verdict_of(readings: &SiteReadings, name: &str) -> (Verdict, String) {
    let build =
        Build { format: 1, endpoints: Vec::new(), provisioner: Fact::Unknown("not asked".into()), bmcs: BTreeMap::new(), observed_at: 0 };
    let tolerances = Tolerances { clock_skew: Duration::from_secs(10), free_space: 1 << 30 };
    let check = site(&small(), &build, readings, &tolerances).into_iter().find(|c| c.name == name).unwrap();
    (check.verdict, check.seen)
}

#[test]
fn clocks_are_judged_by_how_far_they_are_off() {
    let maas = |ms: i64| verdict_of(&SiteReadings { clock: Ok(Some(ms)), ..readings() }, "clock.maas");
    assert_eq!(maas(-900), (Verdict::Ok, "within a second of ours".into()));
    assert_eq!(maas(10_000), (Verdict::Ok, "10 s ahead of ours".into()));
    assert_eq!(maas(-11_000), (Verdict::Warning, "11 s behind ours".into()));
    assert_eq!(maas(300_001).0, Verdict::Failed);
    assert_eq!(maas(i64::MIN).0, Verdict::Failed);
    let bmcs = |clocks: &[(&str, i64)]| {
        let bmc_clocks = clocks.iter().map(|(node, ms)| ((*node).to_owned(), *ms)).collect();
        verdict_of(&SiteReadings { bmc_clocks, ..readings() }, "clock.bmcs")
    };
    assert_eq!(bmcs(&[]).0, Verdict::Skipped);
    assert_eq!(bmcs(&[("a", 4000), ("b", -2000)]), (Verdict::Ok, "2 BMCs, at most 4 s ahead of ours".into()));
    assert_eq!(
        bmcs(&[("a", 4000), ("b", -9_000_000)]),
        (Verdict::Warning, "those of b, up to 9000 s behind ours".into()),
        "nothing rests on it"
    );
}

#[test]
fn bmcs_of_a_driver_are_one_check_each() {
    let of = |silent: &[&str], program: Result<Option<String>, Unread>| {
        let drivers = ["a", "b"].map(|n| (n.to_owned(), "ipmi".to_owned())).into();
        let error = Unread { message: "no answer".into(), hint: Some("look".into()) };
        let bmc_errors = silent.iter().map(|n| ((*n).to_owned(), error.clone())).collect();
        verdict_of(&SiteReadings { drivers, bmc_errors, programs: [("ipmi".to_owned(), program)].into(), ..readings() }, "ipmi")
    };
    let program = || Ok(Some("1.8.19".to_owned()));
    assert_eq!(of(&[], program()), (Verdict::Ok, "2 of 2 BMCs answer, program version 1.8.19".into()));
    assert_eq!(of(&["b"], program()).0, Verdict::Warning);
    assert_eq!(
        of(&["a", "b"], program()),
        (Verdict::Failed, "0 of 2 BMCs answer, program version 1.8.19; not those of a, b: no answer".into())
    );
    let missing = Unread { message: "ipmitool is not installed".into(), hint: None };
    assert_eq!(of(&["a", "b"], Err(missing)), (Verdict::Failed, "ipmitool is not installed".into()), "one cause, said once");
}

#[test]
fn free_space_and_the_state_are_judged() {
    let space = |free: u64| {
        let space = vec![Space { what: "state".into(), at: ".".into(), free: Ok(free) }];
        verdict_of(&SiteReadings { space, ..readings() }, "space.state")
    };
    assert_eq!(space(2 << 30), (Verdict::Ok, "2.0 GiB free at .".into()));
    assert_eq!(space(200 << 20), (Verdict::Warning, "200 MiB free at .".into()));
    assert_eq!(space(50 << 20).0, Verdict::Failed);
    let state = |state| verdict_of(&SiteReadings { state, ..readings() }, "state");
    assert_eq!(
        state(StateReading::Writable { schema: 2, current: 3 }).1,
        "writable, schema version 2; the next command that writes brings it to 3"
    );
    let broken = Unread { message: "it is damaged".into(), hint: None };
    assert_eq!(state(StateReading::Broken(broken)), (Verdict::Failed, "it is damaged".into()));
}
