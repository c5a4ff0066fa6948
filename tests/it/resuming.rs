//! A run is interrupted, and the design changes before it goes on.

use crate::cli_support::Folder;

/// A run that died when the machines were being commissioned, or earlier.
fn interrupted() -> Folder {
    let site = Folder::hello();
    let status = site.command(&["apply", "--auto-approve"]).env("DRYDOCK_FAILPOINT", "after_event:60").output().unwrap().status;
    assert_eq!(status.code(), None, "killed");
    site
}

fn expect_no_changes(site: &Folder) {
    site.run(&["plan", "--detailed-exitcode"]).expect(0).shows(&["No changes"]);
}

#[test]
fn a_run_goes_on_with_the_bmcs_of_its_plan() {
    let site = interrupted();
    let nodes = site.read("design/nodes.yaml");
    // As somebody may who prepares the next change meanwhile.
    site.edit("design/nodes.yaml", "{network: oob, address: 10.10.0.31}", "{network: oob, address: 10.10.0.99}");
    site.run(&["resume"])
        .expect(0)
        .says(&["compute01: the design has its BMC at 10.10.0.99 now; this plan was made with the one at 10.10.0.31 and goes on with it"]);
    site.write("design/nodes.yaml", &nodes);
    expect_no_changes(&site);
}

#[test]
fn a_run_is_not_resumed_without_the_credentials_of_a_node() {
    let site = interrupted();
    let nodes = site.read("design/nodes.yaml");
    let without: Vec<&str> = nodes.split("---\n").filter(|document| !document.contains("name: compute02")).collect();
    site.write("design/nodes.yaml", &without.join("---\n"));
    site.run(&["resume"])
        .expect(6)
        .says(&["the design no longer has compute02, and the credentials of its BMC are read from there", "--ref COMMIT"]);
    site.write("design/nodes.yaml", "a: [");
    site.run(&["resume"]).expect(3).says(&["drydock --ref COMMIT resume"]);
    site.write("design/nodes.yaml", &nodes);
    site.run(&["resume"]).expect(0);
    expect_no_changes(&site);
}
