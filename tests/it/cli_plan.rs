//! discover, plan and show on the simulated example.

use super::cli_support::Folder;

const SIMULATED: &str = "SIMULATED site: no real machine is touched\n";

#[test]
fn a_plan_names_every_action_and_ends_with_2_when_asked() {
    let site = Folder::hello();
    let ended = site.run(&["plan", "--out", "plan.json", "--detailed-exitcode"]).expect(2).shows(&[
        "3 nodes installed for the first time",
        "subnet.storage",
        "design/networks.yaml:96:9",
        "→ deploy_node →",
        "not managed: BIOS version",
        "drydock apply plan.json",
    ]);
    assert!(ended.stderr.starts_with(SIMULATED), "{}", ended.stderr);
    let shown = site.run(&["show", "plan.json"]).expect(0);
    assert_eq!(shown.stdout, ended.stdout);
    assert_eq!(shown.stderr, "");
    site.run(&["show", "plan.json", "--format", "json"]).expect(0).shows(&["\"verdict\": \"changes\""]);
    // No credential of the design.
    assert!(!site.read("plan.json").contains("hello-bmc-password"));
    // Any change to the file is noticed.
    site.edit("plan.json", "storage.hello.example", "storage.hell0.example");
    site.run(&["show", "plan.json"]).expect(6).says(&["changed after it was made", "at: plan.json"]);
}

#[test]
fn a_plan_from_a_build_file_needs_no_site_and_is_the_same_each_time() {
    let site = Folder::hello();
    let ended = site.run(&["discover", "-o", "build.json"]).expect(0).shows(&["BMCs: 3 of 3 answered"]);
    assert!(ended.stderr.starts_with(SIMULATED));
    assert!(!site.read("build.json").contains("hello-bmc-password"));
    let plan = |name: &str| {
        let ended = site.run(&["plan", "--build", "build.json", "--out", name]).expect(0);
        assert_eq!(ended.stderr, "");
        site.read(name)
    };
    assert_eq!(plan("one.json"), plan("two.json"));
    let one = site.run(&["plan", "--build", "build.json", "--target", "node=compute01"]).expect(0).shows(&["1 node installed"]);
    assert!(!one.stdout.contains("compute02"), "{}", one.stdout);
}

#[test]
fn names_that_no_node_has_are_refused() {
    let site = Folder::hello();
    site.run(&["discover", "-o", "build.json", "-q"]).expect(0);
    let plan = |more: &[&str]| site.run(&[&["plan", "--build", "build.json"], more].concat());
    plan(&["--target", "node=compute1"]).expect(64).says(&["the design has no node `compute1`", "help: did you mean `node=compute"]);
    plan(&["--allow", "redeploy=node=x"]).expect(64).says(&["--allow: the design has no node `x`"]);
    plan(&["--target", "node="]).expect(64).says(&["--target: selector `node=`, column 6"]);
}

#[test]
fn without_a_provisioner_nothing_is_planned() {
    let site = Folder::hello();
    let settings = site.read("drydock.yaml");
    let start = settings.find("simulate:").unwrap();
    site.write("drydock.yaml", &settings[..start]);
    site.run(&["plan"]).expect(1).says(&["error: no provisioner is configured", "at: drydock.yaml", "simulate: {}"]);
    site.write("drydock.yaml", "drivers: {maas: {url: 'http://127.0.0.1:9/MAAS', api_key: {env: MAAS_API_KEY}}}\n");
    site.run(&["plan"]).expect(1).says(&["`drivers.maas.api_key`: environment variable MAAS_API_KEY is not set"]);
    site.write("key", "a:b:c\n");
    site.write("drydock.yaml", "drivers: {maas: {url: 'http://127.0.0.1:9/MAAS', api_key: {file: key}}}\n");
    let ended = site.run(&["plan"]).expect(1).says(&["http://127.0.0.1:9"]);
    assert!(!ended.stderr.contains("a:b:c") && ended.stdout.is_empty(), "{ended:?}");
}

#[test]
fn the_simulated_site_runs_on_its_own() {
    use std::io::{BufRead, BufReader};
    let site = Folder::hello();
    let mut sim = site.command(&["sim"]).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(sim.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.starts_with("maas  http://127.0.0.1:"), "{first}");
    // Another command uses it, and a second one is refused.
    site.run(&["discover", "-v"]).expect(0).says(&["using the simulated site at http://127.0.0.1:"]);
    site.run(&["sim"]).expect(1).says(&["is already running"]);
    site.run(&["sim", "--reset"]).expect(1).says(&["is running"]);
    let pid = sim.id().to_string();
    assert!(std::process::Command::new("kill").arg(&pid).status().unwrap().success());
    assert_eq!(sim.wait().unwrap().code(), Some(0));
}

#[test]
fn a_plan_is_shown_short_in_full_or_for_one_node() {
    let site = Folder::hello();
    site.run(&["plan", "--out", "plan.json", "--summary"]).expect(0).shows(&["3 nodes installed for the first time", "other changes"]);
    let show = |more: &[&str]| site.run(&[&["show", "plan.json"], more].concat());
    let (usual, full, short) = (show(&[]).expect(0).stdout, show(&["--full"]).expect(0).stdout, show(&["--summary"]).expect(0).stdout);
    let lines = |text: &str| text.lines().count();
    assert!(lines(&short) * 3 < lines(&usual) && lines(&usual) < lines(&full), "{short}\n{usual}\n{full}");
    assert_eq!(full, site.run(&["-v", "show", "plan.json"]).expect(0).stdout);
    let one = show(&["--node", "compute01"]).expect(0).shows(&["partial: only node=compute01", "next: drydock show plan.json"]);
    assert!(!one.stdout.contains("compute02") && !one.stdout.contains("subnet.storage"), "{}", one.stdout);
    assert_eq!(show(&["--node", "node.compute01"]).expect(0).stdout, one.stdout);
    let json: serde_json::Value = serde_json::from_str(&show(&["--node", "compute01", "--format", "json"]).expect(0).stdout).unwrap();
    assert!(json["changes"].as_array().unwrap().iter().all(|c| c["node"] == "compute01"), "{json:#}");
    assert_eq!(json["nodes"].as_object().unwrap().len(), 1);
    show(&["--node", "compute1"]).expect(64).says(&["--node: the plan has no node `compute1`", "did you mean `compute01`?"]);
    show(&["--node", "compute01", "--format", "markdown"]).expect(64).says(&["--format markdown shows a plan as a whole"]);
    show(&["--summary", "--format", "json"]).expect(64).says(&["--format json is none"]);
    // What is written is the whole plan, whatever is shown of it.
    site.run(&["plan", "--out", "part.json", "--node", "compute01"]).expect(0).shows(&["partial: only node=compute01"]);
    site.run(&["show", "part.json"]).expect(0).shows(&["3 nodes installed for the first time"]);
}
