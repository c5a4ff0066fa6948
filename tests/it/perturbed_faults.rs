//! Servers that answer wrongly, late or not at all, and machines that do not do what they are told.

use drydock::sim::Status;

use crate::cli_support::Ended;
use crate::perturbed_support::{Site, node};

const ALL: [&str; 3] = ["compute01", "compute02", "control01"];

/// A deployed site of which something cannot be read: nothing is planned, nothing is sent, and nobody says that all is well.
#[track_caller]
fn expect_unknown(site: &Site, texts: &[&str]) -> Ended {
    let before = site.now();
    let ended = site.run(&["apply", "--auto-approve", "--allow", "redeploy=*"]).expect(7).reads(texts);
    assert!(!ended.stdout.contains("No changes") && !ended.stdout.contains("absent"), "{}", ended.stdout);
    site.expect_no_requests(&before);
    ended
}

#[test]
fn a_bmc_that_cannot_be_asked_stops_its_own_node_only() {
    for (fault, reason) in [
        ("bmc_unreachable", "compute01, BMC 10.10.0.31: GET http://127.0.0.1:"),
        ("wrong_credentials", "compute01, BMC 10.10.0.31: the BMC refuses the credentials of user operator"),
    ] {
        let site = Site::new(&format!("  faults: [{{node: compute01, machine: {fault}, count: 0}}]"));
        let before = site.now();
        let ended = site.run(&["apply", "--auto-approve"]).expect(0).reads(&[
            "its BMC could not be read, so which machine it is cannot be told",
            reason,
            "what to do: make the BMC answer, or set boot_mac, then plan again",
            "2 nodes done: compute02, control01",
        ]);
        assert!(!ended.stdout.contains("hello-bmc-password") && !ended.stderr.contains("hello-bmc-password"));
        site.expect_untouched(&before, "compute01");
        site.run(&["plan"]).expect(7);
        site.simulate("");
        site.run(&["apply", "--auto-approve"]).expect(0).shows(&["1 node done: compute01"]);
        site.expect_as_designed();
    }
}

#[test]
fn a_bmc_that_fell_silent_after_the_deployment_is_told() {
    let site = Site::applied();
    site.simulate("  faults: [{node: compute01, machine: bmc_unreachable, count: 0}]");
    expect_unknown(&site, &["node.compute01/power", "its power and boot source are not known", "make the BMC answer, then plan again"]);
    // What needs no BMC goes on; what does is not begun on a machine that cannot be told from another.
    site.folder().edit("design/profiles.yaml", "team: platform", "team: metal");
    site.folder().edit("design/profiles.yaml", "kernel: hwe-22.04", "kernel: ga-22.04");
    let before = site.now();
    let ended = site.run(&["apply", "--auto-approve", "--allow", "redeploy=node=compute01"]).expect(0);
    ended.reads(&["it may be deployed again, but its BMC could not be read to confirm which machine it is"]);
    assert_eq!(node(&site.world(), "compute01").unwrap().owner_data.get("team").map(String::as_str), Some("metal"));
    assert_eq!(site.effects(&before, "release", "compute01") + site.effects(&before, "deploy", "compute01"), 0);
}

#[test]
fn a_listing_that_fails_is_not_an_empty_site() {
    let site = Site::applied();
    for (answer, text) in [
        ("status: 500, body: Oops", "answered 500 Internal Server Error: Oops"),
        ("status: 503, body: busy, retry_after_s: 3600", "answered 503 Service Unavailable: busy"),
        ("status: 200, body: '<html>portal</html>'", "answered 200 with no JSON"),
        ("status: 200, body: '[]]'", "answered 200 with no JSON"),
        ("drop: before_effect", "the connection broke before the answer was complete"),
    ] {
        // The first 503 asks for an hour: a client that asked again at once would see the next answer, which is right.
        let count = i32::from(answer.contains("3600"));
        site.simulate(&format!("  faults: [{{server: maas, method: GET, path: '.*/machines/', op: '', count: {count}, {answer}}}]"));
        let ended =
            expect_unknown(&site, &["node.{compute01, compute02, control01}", text, "make the provisioner answer, then plan again"]);
        ended.reads(&["3 nodes are of unknown stage"]);
    }
}

#[test]
fn what_passes_is_asked_again() {
    let site = Site::applied();
    for answer in ["status: 503, body: busy", "status: 502", "drop: before_effect", "status: 429, retry_after_s: 0", "hang_ms: 300"] {
        site.simulate(&format!("  faults: [{{server: maas, method: GET, path: '.*/machines/', op: '', {answer}}}]"));
        site.run(&["plan", "--detailed-exitcode"]).expect(0).shows(&["No changes."]);
    }
}

#[test]
fn no_part_of_the_site_that_could_not_be_read_is_taken_for_right() {
    let site = Site::applied();
    for path in
        ["fabrics/", "subnets/", "ipranges/", "static-routes/", "tags/", "domains/", "account/prefs/sshkeys/", "package-repositories/"]
    {
        site.simulate(&format!(
            "  faults: [{{server: maas, method: GET, path: '/MAAS/api/2.0/{path}', count: 0, status: 500, body: Oops}}]"
        ));
        expect_unknown(&site, &[path, "answered 500 Internal Server Error: Oops"]);
    }
}

#[test]
fn a_refused_key_is_said_and_its_answer_is_not() {
    let site = Site::applied();
    for path in [".*", ".*/machines/"] {
        site.simulate(&format!("  faults: [{{server: maas, path: '{path}', count: 0, status: 401, body: 'canary of the proxy'}}]"));
        let before = site.now();
        let ended = site.run(&["apply", "--auto-approve", "--allow", "redeploy=*"]);
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(said.contains("401 Unauthorized") && !said.contains("canary"), "{said}");
        assert_ne!(ended.code, 0);
        site.expect_no_requests(&before);
    }
    site.simulate("  faults: [{server: maas, count: 0, status: 401, body: canary}]");
    site.run(&["plan"]).expect(1).says(&["answered 401 Unauthorized", "help: MAAS does not accept the API key"]);
}

/// The run of a site on which `compute01` fails and the others do not.
#[track_caller]
fn expect_one_failed(site: &Site, step: &str, texts: &[&str]) {
    let ended = site.run(&["apply", "--auto-approve"]).expect(4).shows(&["partial success", "2 nodes done: compute02, control01", step]);
    ended.reads(texts).shows(&["drydock resume"]);
    for other in ["compute02", "control01"] {
        assert_eq!(node(&site.world(), other).unwrap().status, Status::Deployed);
    }
}

#[test]
fn a_failed_commissioning_is_repeated_by_resume_and_by_a_new_plan() {
    for again in [&["resume"][..], &["apply", "--auto-approve"]] {
        let site = Site::new("  faults: [{node: compute01, machine: commissioning_fails}]");
        let before = site.now();
        expect_one_failed(
            &site,
            "configure_hardware",
            &["Failed commissioning: 1 script failed", "hint: see the commissioning results of the machine in MAAS"],
        );
        let (plan, _) = site.plan(&[]);
        assert_eq!(plan["nodes"]["compute01"]["now"], "failed_commissioning");
        site.run(again).expect(0);
        site.expect_as_designed();
        let commissioned = site.requests_to(&before, "compute01").iter().filter(|r| r.op.as_deref() == Some("commission")).count();
        assert_eq!((commissioned, site.effects(&before, "deploy", "compute01")), (2, 1));
        assert_eq!(ALL[1..].iter().map(|m| site.effects(&before, "deploy", m)).sum::<usize>(), 2);
    }
}

#[test]
fn a_failed_deployment_is_repeated_by_resume_and_by_a_new_plan() {
    for again in [&["resume"][..], &["apply", "--auto-approve"]] {
        let site = Site::new("  faults: [{node: compute01, machine: deployment_fails}]");
        let before = site.now();
        expect_one_failed(&site, "deploy_node", &["Failed deployment", "hint: see the installation log of the machine in MAAS"]);
        site.run(again).expect(0);
        site.expect_as_designed();
        let times = |effect| site.effects(&before, effect, "compute01");
        assert_eq!((times("release"), times("deploy")), (1, 2), "released once, deployed twice");
    }
}

#[test]
fn a_deployment_past_its_time_limit_is_not_begun_twice() {
    let site = Site::new("");
    site.settings("timeouts: {deploy_node: 1s}", "  faults: [{node: compute01, machine: deployment_hangs}]");
    let before = site.now();
    let limit = ["deploy_node of node.compute01 is not done after 1 s", "`drydock resume` observes it first", "under `timeouts`"];
    expect_one_failed(&site, "time limit", &limit);
    // The new plan waits for what goes on.
    let (plan, _) = site.plan(&[]);
    assert_eq!(plan["nodes"]["compute01"]["now"], "deploying");
    let kinds: Vec<&str> = plan["actions"].as_array().unwrap().iter().map(|a| a["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["verify_site", "deploy_node", "set_node_boot"]);
    // It ends after all; nobody deploys a second time.
    site.change(|w| {
        let machine = w.machines.get_mut("compute01").unwrap();
        machine.timer = Some(drydock::sim::Timer { due_at: 1, event: drydock::sim::Event::InstallationEnds });
    });
    site.run(&["resume"]).expect(0);
    site.expect_as_designed();
    assert_eq!(site.effects(&before, "deploy", "compute01"), 1);
}

#[test]
fn a_commissioning_that_maas_gives_up_is_repeated() {
    let site = Site::new("");
    site.settings("timeouts: {configure_hardware: 1s}", "  faults: [{node: compute01, machine: commissioning_hangs}]");
    expect_one_failed(&site, "time limit", &["configure_hardware of node.compute01/hardware is not done after 1 s: Commissioning"]);
    site.change(|w| {
        let node = w.nodes.values_mut().find(|n| n.machine.as_deref() == Some("compute01")).unwrap();
        node.timeout_at = Some(1);
    });
    site.run(&["apply", "--auto-approve"]).expect(0).shows(&["1 failed_commissioning → deployed"]);
    site.expect_as_designed();
}

#[test]
fn a_machine_without_power_fails_alone() {
    let site = Site::new("");
    site.settings("timeouts: {power_on_node: 1s}", "  faults: [{node: compute01, machine: lost_power, count: 0}]");
    let before = site.now();
    expect_one_failed(
        &site,
        "power_on_node",
        &["power_on_node of node.compute01/power is not done after 1 s: switched on, not confirmed yet"],
    );
    assert_eq!(site.effects(&before, "deploy", "compute01"), 0);
    site.simulate("");
    site.run(&["resume"]).expect(0);
    site.expect_as_designed();
}

#[test]
fn a_bmc_that_dies_between_plan_and_apply_fails_alone() {
    let site = Site::new("");
    site.settings("timeouts: {set_node_boot: 1s}", "");
    site.run(&["plan", "--out", "plan.json"]).expect(0);
    site.simulate("  faults: [{node: compute01, machine: bmc_unreachable, count: 0}]");
    let before = site.now();
    let ended = site.run(&["apply", "plan.json"]).expect(4).shows(&["2 nodes done: compute02, control01", "network trouble"]);
    ended.reads(&["node compute01, BMC 10.10.0.31", "connection refused", "hint: nothing listens there"]);
    site.expect_untouched(&before, "compute01");
    site.simulate("");
    site.run(&["resume"]).expect(0);
    site.expect_as_designed();
}

#[test]
fn answers_that_get_lost_repeat_no_effect() {
    let faults = [
        "{server: maas, op: commission, drop: after_effect, count: 2}",
        "{server: maas, op: commission, drop: before_effect, nth: 3}",
        "{server: maas, op: deploy, drop: after_effect, count: 2}",
        "{server: maas, op: deploy, status: 503, nth: 3}",
        "{server: maas, method: POST, path: '.*/(fabrics|subnets|tags|ipranges)/', drop: after_effect, count: 3}",
        "{server: maas, method: POST, path: '.*/interfaces/', drop: after_effect, count: 2}",
        "{server: maas, method: PUT, path: '.*', drop: after_effect, count: 2}",
        "{server: bmc, op: 'On', drop: after_effect, count: 2}",
        "{server: bmc, op: 'On', status: 503, nth: 3}",
    ];
    let site = Site::new(&format!("  faults: [{}]", faults.join(", ")));
    let before = site.now();
    site.run(&["apply", "--auto-approve"]).expect(0).shows(&["3 nodes done"]);
    for machine in ALL {
        assert_eq!((site.effects(&before, "deploy", machine), site.effects(&before, "commission", machine)), (1, 1), "{machine}");
    }
    site.expect_as_designed();
}

#[test]
fn a_request_that_hangs_costs_its_own_node_the_time_limit() {
    let site = Site::new("");
    site.settings("timeouts: {deploy_node: 1s}", "  faults: [{server: maas, op: deploy, node: compute01, hang_ms: 2500}]");
    let before = site.now();
    expect_one_failed(&site, "time limit", &["no answer within the action's time limit", "`drydock resume` observes it first"]);
    site.run(&["resume"]).expect(0);
    site.expect_as_designed();
    assert_eq!(site.effects(&before, "deploy", "compute01"), 1);
}

#[test]
fn after_too_many_failures_no_further_node_is_begun() {
    let site = Site::new("");
    let faults = "  faults: [{machine: commissioning_fails}]";
    site.settings("", faults);
    let text = site.folder().read("drydock.yaml").replace("limits: {", "limits: {nodes_in_flight: 1, max_failures: 1, ");
    site.folder().write("drydock.yaml", &text);
    let before = site.now();
    let ended = site.run(&["apply", "--auto-approve"]).expect(4).shows(&[
        "configure_hardware",
        "2 nodes not reached: compute02, control01",
        "drydock resume",
    ]);
    assert_eq!(ended.stdout.matches("failed (failed at the site)").count(), 1, "{}", ended.stdout);
    let begun: Vec<&str> = ALL.into_iter().filter(|m| !site.requests_to(&before, m).is_empty()).collect();
    assert_eq!(begun.len(), 1, "{begun:?}");
    site.simulate("");
    site.run(&["resume"]).expect(0);
    site.expect_as_designed();
}
