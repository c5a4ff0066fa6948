//! Servers that accept a request and do not answer.

use super::cli_support::Folder;

#[test]
fn a_provisioner_that_hangs_on_a_list_leaves_its_nodes_unknown_after_the_set_time() {
    let site = Folder::hello();
    site.edit("drydock.yaml", "owns_region: true", "owns_region: true\n    request_timeout: 700ms");
    site.edit(
        "drydock.yaml",
        "  seed: 1\n",
        "  seed: 1\n  faults: [{server: maas, method: GET, path: '.*/machines/', count: 0, hang_ms: 20000}]\n",
    );
    let ended = site.run(&["plan"]).expect(0).shows(&["no answer within 700 ms", "3: 3 unknown"]);
    assert!(!ended.stdout.contains("→ deploy_node"), "{}", ended.stdout);
}

#[test]
fn a_bmc_that_hangs_is_unreachable_after_the_set_time() {
    let site = Folder::hello();
    site.edit("drydock.yaml", "\ndrivers:\n", "\ndrivers:\n  redfish: {request_timeout: 700ms}\n");
    site.edit("drydock.yaml", "  seed: 1\n", "  seed: 1\n  faults: [{server: bmc, node: compute01, count: 0, hang_ms: 20000}]\n");
    site.run(&["plan"]).expect(0).shows(&["no answer within the time limit", "2 nodes installed for the first time"]);
}
