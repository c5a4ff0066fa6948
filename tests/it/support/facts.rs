//! A build model for any site: what a provisioner and BMCs would report before the first apply.

use std::collections::BTreeMap;

use drydock::build::{
    AddressRange, Bmc, BootEnabled, BootOverride, Build, DomainFacts, Endpoint, Fabric, Fact, Image, PowerState, Provisioner,
    RackController, RackInterface, Subnet, Vlan,
};
use drydock::model::Site;

/// Every node off and unknown to the provisioner, which knows only the subnets its rack controller is connected to.
pub(crate) fn before_first_apply(site: &Site) -> Build {
    let mut fabrics = Vec::new();
    let mut subnets = Vec::new();
    let mut interfaces = Vec::new();
    let mut images: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (i, network) in site.networks.values().filter(|n| n.has_dhcp_range()).enumerate() {
        let id = i as u64;
        let vlan = 5001 + id;
        let upstream = network.dhcp_relay.as_ref().and_then(|r| r.upstream_target.as_ref()).map(|t| t.value);
        fabrics.push(Fabric {
            id,
            name: format!("fabric-{id}"),
            vlans: vec![Vlan {
                id: vlan,
                vid: 0,
                name: "untagged".into(),
                mtu: 1500,
                dhcp_on: false,
                external_dhcp: None,
                relay_vlan: None,
                primary_rack: None,
                space: None,
            }],
        });
        if upstream.is_none() {
            subnets.push(Subnet {
                id: id + 1,
                name: network.cidr.value.to_string(),
                cidr: network.cidr.value,
                vlan,
                gateway: None,
                dns_servers: Vec::new(),
                managed: true,
            });
        }
        interfaces.push(RackInterface { vlan: Some(vlan), addresses: upstream.into_iter().collect() });
    }
    for node in site.nodes.values() {
        if let Some(image) = &node.platform.image {
            let kernels = images.entry(image.value.clone()).or_default();
            kernels.extend(node.platform.kernel.as_ref().map(|k| k.value.clone()));
            kernels.sort();
            kernels.dedup();
        }
    }
    let bmcs = site.nodes.values().enumerate().map(|(i, node)| (node.name.value.clone(), Fact::Known(bmc(i, node)))).collect();
    Build {
        format: 1,
        endpoints: vec![Endpoint { driver: "maas".into(), identity: "maas:test".into(), url: "simulated".into(), simulated: true }],
        provisioner: Fact::Known(Provisioner {
            driver: "maas".into(),
            version: "3.7.3".into(),
            user: "admin".into(),
            fabrics: Fact::Known(fabrics),
            subnets: Fact::Known(subnets),
            ranges: Fact::Known(Vec::<AddressRange>::new()),
            routes: Fact::Known(Vec::new()),
            domains: Fact::Known(vec![DomainFacts { id: 0, name: "maas".into(), is_default: true }]),
            tags: Fact::Known(Vec::new()),
            ssh_keys: Fact::Known(Vec::new()),
            repositories: Fact::Known(Vec::new()),
            images: Fact::Known(
                images
                    .into_iter()
                    .map(|(series, kernels)| Image { os: "ubuntu".into(), series, arch: "amd64".into(), kernels, synced: true })
                    .collect(),
            ),
            importing: Fact::Known(false),
            selections: Fact::Known(Vec::new()),
            racks: Fact::Known(vec![RackController {
                id: "rack01".into(),
                hostname: "rack01".into(),
                healthy: true,
                problems: Vec::new(),
                interfaces,
            }]),
            machines: Fact::Known(Vec::new()),
        }),
        bmcs,
        observed_at: 1_700_000_000,
    }
}

fn bmc(index: usize, node: &drydock::model::Node) -> Bmc {
    let mac = |nic: u8| format!("52:54:{:02x}:{:02x}:{:02x}:{nic:02x}", index >> 16, (index >> 8) & 0xff, index & 0xff);
    Bmc {
        uuid: Some(format!("00000000-0000-4000-8000-{index:012x}")),
        serial: Some(format!("SN{index:06}")),
        macs: vec![mac(1), mac(2)],
        power: PowerState::Off,
        boot: Some(BootOverride {
            target: "None".into(),
            enabled: BootEnabled::Disabled,
            mode: None,
            allowable: vec!["None".into(), "Pxe".into(), "Hdd".into()],
        }),
        reset_types: vec!["On".into(), "ForceOff".into()],
        health: Some("OK".into()),
        ..Bmc::unread("redfish", node.oob.address.as_ref().map(|a| a.value.to_string()).unwrap_or_default(), "/redfish/v1/Systems/1".into())
    }
}
