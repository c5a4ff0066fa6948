//! Dynamic ranges and the addresses that they hold.

use super::cli_support::Folder;

const DHCP: &str = "{type: dhcp, start: 10.10.1.100, end: 10.10.1.199}";

#[test]
fn a_range_around_the_dns_server_of_its_subnet_is_made() {
    let site = Folder::hello();
    site.edit("design/networks.yaml", "servers: 10.10.1.2\n", "servers: 10.10.1.150,10.10.1.2\n");
    site.run(&["apply", "--auto-approve", "-q"]).expect(0);
    let world = site.read(".drydock/sim/requests.jsonl");
    let effects: Vec<&str> = world
        .lines()
        .filter(|l| l.contains("subnet 10.10.1.0/24") || l.contains("iprange dynamic"))
        .map(|l| if l.contains("iprange") { "range" } else { "subnet" })
        .collect();
    assert_eq!(effects, ["subnet", "subnet", "range", "subnet"], "{world}");
    site.run(&["plan", "--detailed-exitcode"]).expect(0).shows(&["No changes"]);
}

#[test]
fn a_range_around_an_address_in_use_is_blocked_and_so_is_what_needs_it() {
    let site = Folder::hello();
    // The world is made from the design as it is, so that the rack controller has its address.
    site.run(&["discover", "-q", "-o", "build.json"]).expect(0);
    site.edit("design/networks.yaml", DHCP, "{type: dhcp, start: 10.10.1.100, end: 10.10.1.254}");
    site.run(&["plan"]).expect(0).shows(&[
        "range.pxe/10.10.1.100-10.10.1.254",
        "it holds address 10.10.1.254 of rack controller vm",
        "it needs range.pxe/10.10.1.100-10.10.1.254, which is blocked",
    ]);
    let plan = site.run(&["plan", "--format", "json"]).expect(0).stdout;
    assert!(!plan.contains("\"deploy_node\""), "nothing boots without DHCP: {plan}");
    // The gateway is known from the design alone.
    site.edit("design/networks.yaml", "end: 10.10.1.254}", "end: 10.10.1.199}");
    site.edit(
        "design/networks.yaml",
        "  dns:\n    domain: pxe",
        "  routes:\n    - {subnet: 0.0.0.0/0, gateway: 10.10.1.120, metric: 100}\n  dns:\n    domain: pxe",
    );
    site.run(&["plan"]).expect(0).shows(&["it holds the gateway 10.10.1.120"]);
}
