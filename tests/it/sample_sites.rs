//! Public designs that Airship tools accept: they resolve and check without errors.

use std::path::PathBuf;

use drydock::diag::{Diagnostic, Severity};
use drydock::model::{Site, resolve};
use drydock::yaml::SourceMap;
use drydock::{check, document, report};

#[expect(clippy::print_stderr, reason = "says why the tests prove nothing")]
/// Reads a file of the reference designs; `None`, with a message, where they are not there.
fn sample(path: &str) -> Option<(SourceMap, Site, Vec<Diagnostic>)> {
    let shared =
        std::env::var_os("DRYDOCK_SHARED").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let file = shared.join("reference/sites").join(path);
    let Ok(text) = std::fs::read_to_string(&file) else {
        eprintln!("skipped: {} is not there", file.display());
        return None;
    };
    let mut map = SourceMap::default();
    let id = map.add(path, text);
    let document::Read { documents, sensitive, mut diagnostics, .. } = document::read_all(&map, &[id]);
    let (site, found) = resolve(&documents, &sensitive);
    diagnostics.extend(found);
    let site = site.expect("the sample has documents");
    diagnostics.extend(check::run(&site));
    Some((map, site, diagnostics))
}

fn expect_no_errors(map: &SourceMap, diagnostics: &[Diagnostic]) {
    let errors: Vec<Diagnostic> = diagnostics.iter().filter(|d| d.severity == Severity::Error).cloned().collect();
    assert!(errors.is_empty(), "{}", report::diagnostics::render(map, &errors, report::diagnostics::Style::default()));
}

#[test]
fn deckhand_fullsite() {
    let Some((map, site, diagnostics)) = sample("drydock-samples/deckhand_fullsite.yaml") else { return };
    expect_no_errors(&map, &diagnostics);
    let compute = &site.nodes["compute01"];
    assert_eq!(compute.host_profiles, ["k8-node", "defaults"]);
    assert_eq!(compute.platform.kernel_params["isolcpus"].value, "2,4");
    assert_eq!(compute.platform.kernel_params["hugepagesz"].value, "1G");
    assert_eq!(compute.platform.kernel_params["hugepages"].value, "300");
    assert_eq!(compute.platform.kernel_params["quiet"].value, "");
    assert_eq!(compute.fqdn, "compute01.mgmt.sitename.example.com");
    assert_eq!(compute.oob.address.expect("on the oob network").to_string(), "172.16.100.21");
    assert_eq!(site.nodes["compute02"].owner_data["foo"].value, "baz");
    let networks = |node: &str| site.nodes[node].interfaces["bond0"].networks.iter().map(|n| n.value.clone()).collect::<Vec<_>>();
    assert_eq!(networks("controller01"), ["mgmt"]);
    assert_eq!(networks("compute01"), ["mgmt", "private"]);
    assert_eq!(site.boot_actions["hw_filtered"].nodes, ["compute01"]);
    assert_eq!(site.boot_actions["helloworld"].nodes, ["compute01", "compute02", "controller01"]);
    assert!(!site.boot_actions["hw_filtered"].signaling.value && site.boot_actions["helloworld"].signaling.value);
    let key = &site.region.authorized_keys[0].value;
    assert_eq!(key.split(' ').count(), 3, "{key}");
    assert!(key.ends_with("VwFmiIVBI1 samplekey"), "{key}");
}

#[test]
fn fullsite_in_the_older_form() {
    let Some((map, site, diagnostics)) = sample("drydock-samples/fullsite.yaml") else { return };
    expect_no_errors(&map, &diagnostics);
    assert_eq!(site.nodes.len(), 2);
    assert_eq!(site.networks["private"].link.as_deref(), Some("gp"), "carried by an interface of that link");
}

#[test]
fn deckhand_fullsite_libvirt() {
    let Some((map, _, diagnostics)) = sample("drydock-samples/deckhand_fullsite_libvirt.yaml") else { return };
    expect_no_errors(&map, &diagnostics);
}

#[test]
fn seaworthy() {
    let Some((map, site, diagnostics)) = sample("rendered-by-deckhand/seaworthy.yaml") else { return };
    expect_no_errors(&map, &diagnostics);
    assert_eq!(site.name.value, "seaworthy");
    assert_eq!(site.nodes["cab23-r720-12"].owner_data.len(), 61);
}

#[test]
fn airsloop() {
    let Some((map, _, diagnostics)) = sample("rendered-by-deckhand/airsloop.yaml") else { return };
    expect_no_errors(&map, &diagnostics);
}

#[test]
fn routes_to_a_domain_are_routes_to_its_other_networks() {
    let Some((_, site, _)) = sample("drydock-samples/deckhand_routedomain.yaml") else { return };
    let routes: Vec<String> = site.networks["storage_rack2"]
        .routes
        .iter()
        .map(|r| format!("{} ({}) via {} metric {}", r.subnet, r.network.as_deref().unwrap_or("-"), r.gateway, r.metric.expect("a metric")))
        .collect();
    assert_eq!(
        routes,
        ["172.16.1.0/24 (storage_rack1) via 172.16.2.1 metric 10", "172.16.3.0/24 (storage_rack3) via 172.16.2.1 metric 10"]
    );
}
