//! Steps against a model of MAAS's interfaces that refuses what MAAS refuses.

use std::sync::Arc;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::super::lists::Lists;
use super::super::tests::blank_machine;
use super::plan::{NetStep, differences, plan};
use super::target::targets;
use crate::action::params::{ApplyNodeNetworking, BondValues, Device, InterfaceParams, Late, LinkKind, LinkParams, VlanInterfaceParams};
use crate::build::{BondParameters, Fabric, InterfaceKind, LinkMode, Machine, MachineInterface, Subnet, SubnetLink, Vlan};

const VIDS: [u16; 3] = [0, 100, 200];

fn vlan_id(fabric: u64, vid: u16) -> u64 {
    fabric * 1000 + u64::from(vid)
}

/// Two fabrics with three VLANs each and a subnet on every VLAN.
fn lists() -> Lists {
    let vlan = |f: u64, vid| Vlan {
        id: vlan_id(f, vid),
        vid,
        name: vid.to_string(),
        mtu: if vid == 200 { 4000 } else { 1500 },
        dhcp_on: false,
        external_dhcp: None,
        relay_vlan: None,
        primary_rack: None,
        space: None,
    };
    let fabrics = (1..=2).map(|f| Fabric { id: f, name: format!("f{f}"), vlans: VIDS.iter().map(|v| vlan(f, *v)).collect() }).collect();
    let subnets = (1..=2)
        .flat_map(|f| VIDS.iter().map(move |v| (f, *v)))
        .map(|(f, v)| Subnet {
            id: vlan_id(f, v) + 7,
            name: format!("s{f}-{v}"),
            cidr: format!("10.{f}.{}.0/24", v % 256).parse().unwrap(),
            vlan: vlan_id(f, v),
            gateway: Some(gateway(f, v)),
            dns_servers: vec![],
            managed: true,
        })
        .collect();
    Lists { fabrics: Some(Ok(Arc::new(fabrics))), subnets: Some(Ok(Arc::new(subnets))), ..Lists::default() }
}

fn gateway(fabric: u64, vid: u16) -> IpAddr {
    format!("10.{fabric}.{}.1", vid % 256).parse().unwrap()
}

/// MAAS's side of one machine.
struct Model {
    machine: Machine,
    lists: Lists,
    mtus: BTreeMap<String, u32>,
    gateway_link: Option<u64>,
    next: u64,
}

impl Model {
    /// Four NICs: the first as MAAS leaves the one that a machine booted from, all in fabrics of their own.
    fn new() -> Self {
        let mut machine = blank_machine();
        for i in 0..4u64 {
            let booted = i == 0;
            machine.interfaces.push(MachineInterface {
                id: i + 1,
                name: format!("eth{i}"),
                kind: InterfaceKind::Physical,
                mac: Some(format!("52:54:00:00:00:0{i}")),
                bus: None,
                product: None,
                vlan: Some(if booted { vlan_id(1, 0) } else { 90_000 + i }),
                mtu: 1500,
                parents: vec![],
                bond: None,
                links: vec![SubnetLink {
                    id: 500 + i,
                    mode: if booted { LinkMode::Auto } else { LinkMode::LinkUp },
                    subnet: booted.then(|| "10.1.0.0/24".parse().unwrap()),
                    address: None,
                }],
                connected: None,
            });
        }
        Self { machine, lists: lists(), mtus: BTreeMap::new(), gateway_link: None, next: 1000 }
    }

    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn at(&mut self, name: &str) -> &mut MachineInterface {
        self.machine.interfaces.iter_mut().find(|i| i.name == name).unwrap_or_else(|| panic!("no interface {name}"))
    }

    fn has_children(&self, name: &str) -> bool {
        self.machine.interfaces.iter().any(|i| i.parents.iter().any(|p| p == name))
    }

    fn link_up(&mut self, name: &str) {
        let id = self.id();
        let bare = !self.has_children(name);
        let interface = self.at(name);
        if bare && interface.links.is_empty() && interface.vlan.is_some() {
            interface.links.push(SubnetLink { id, mode: LinkMode::LinkUp, subnet: None, address: None });
        }
    }

    fn add(&mut self, name: &str, kind: InterfaceKind, vlan: u64, parents: Vec<String>, bond: Option<BondParameters>) {
        assert!(self.machine.interfaces.iter().all(|i| i.name != name), "MAAS refuses a second interface {name}");
        let id = self.id();
        self.machine.interfaces.push(MachineInterface {
            id,
            name: name.into(),
            kind,
            mac: None,
            bus: None,
            product: None,
            vlan: Some(vlan),
            mtu: 0,
            parents,
            bond,
            links: vec![],
            connected: None,
        });
        self.link_up(name);
    }

    fn apply(&mut self, step: &NetStep) {
        match step {
            NetStep::Delete { interface } => {
                assert!(!self.has_children(interface), "{interface} is deleted before what is on it");
                assert_ne!(self.at(interface).kind, InterfaceKind::Physical);
                let parents = self.at(interface).parents.clone();
                self.machine.interfaces.retain(|i| i.name != *interface);
                self.mtus.remove(interface);
                for parent in parents {
                    self.link_up(&parent);
                }
            }
            NetStep::Unlink { interface, link } => {
                let links = &mut self.at(interface).links;
                let before = links.len();
                links.retain(|l| l.id != *link);
                assert_eq!(links.len() + 1, before, "MAAS refuses to remove a link that is not there");
                self.link_up(interface);
            }
            NetStep::Update { interface, vlan, mtu } => {
                if let Some(vlan) = vlan {
                    let i = self.at(interface);
                    assert_eq!(i.kind, InterfaceKind::Physical);
                    assert_ne!(i.vlan, Some(*vlan), "nothing is sent that does not change anything");
                    i.vlan = Some(*vlan);
                    i.links.clear();
                }
                if let Some(mtu) = mtu {
                    self.mtus.insert(interface.clone(), *mtu);
                }
            }
            NetStep::UpdateBond { interface, values } => self.at(interface).bond = Some(bond(values)),
            NetStep::CreateBond { name, parents, values, mtu } => {
                let names: Vec<String> =
                    self.machine.interfaces.iter().filter(|i| parents.contains(&i.id)).map(|i| i.name.clone()).collect();
                assert_eq!(names.len(), parents.len());
                let vlan = self.at(&names[0]).vlan.unwrap();
                for parent in &names {
                    assert!(!self.has_children(parent), "{parent} is in use");
                    assert_eq!(self.at(parent).vlan, Some(vlan), "All parents must belong to the same VLAN.");
                    assert!(self.at(parent).links.iter().all(|l| l.mode == LinkMode::LinkUp), "{parent} still has an address");
                }
                for parent in &names {
                    self.at(parent).links.clear();
                    mtu.map(|m| self.mtus.insert(parent.clone(), m));
                }
                self.add(name, InterfaceKind::Bond, vlan, names, Some(bond(values)));
                mtu.map(|m| self.mtus.insert(name.clone(), m));
            }
            NetStep::CreateVlan { name, parent, vlan, mtu } => {
                self.at(parent);
                self.add(name, InterfaceKind::Vlan, *vlan, vec![parent.clone()], None);
                mtu.map(|m| self.mtus.insert(name.clone(), m));
            }
            NetStep::Link { interface, subnet, mode, default_gateway } => self.link(interface, *subnet, mode, *default_gateway),
            NetStep::DefaultGateway { interface, link } => {
                let usable: Vec<u64> = self.at(interface).links.iter().filter(|l| l.mode != LinkMode::LinkUp).map(|l| l.id).collect();
                let link = link.unwrap_or_else(|| {
                    assert_eq!(usable.len(), 1, "MAAS wants to know which link");
                    usable[0]
                });
                assert!(usable.contains(&link));
                self.gateway_link = Some(link);
            }
        }
        self.settle();
    }

    fn link(&mut self, name: &str, subnet: u64, mode: &LinkKind, default_gateway: bool) {
        let subnet = self.lists.subnets().unwrap().iter().find(|s| s.id == subnet).unwrap().clone();
        let bonded = self.machine.interfaces.iter().any(|i| i.kind == InterfaceKind::Bond && i.parents.iter().any(|p| p == name));
        assert!(!bonded, "MAAS links no interface in a bond");
        if let LinkKind::Static(address) = mode {
            let taken = self.machine.interfaces.iter().flat_map(|i| &i.links).any(|l| l.address == Some(*address));
            assert!(!taken, "IP address is already in use.");
        }
        let id = self.id();
        let interface = self.at(name);
        assert_eq!(interface.vlan, Some(subnet.vlan), "MAAS offers only subnets of the interface's VLAN");
        let (mode, address) = match mode {
            LinkKind::Static(address) => (LinkMode::Static, Some(*address)),
            LinkKind::Dhcp => {
                assert!(interface.links.iter().all(|l| l.mode != LinkMode::Dhcp), "Interface is already set to DHCP");
                (LinkMode::Dhcp, None)
            }
            LinkKind::LinkUp => {
                assert!(interface.links.iter().all(|l| l.mode == LinkMode::LinkUp), "other links are already configured");
                (LinkMode::LinkUp, None)
            }
        };
        interface.links.retain(|l| l.mode != LinkMode::LinkUp);
        interface.links.push(SubnetLink { id, mode, subnet: Some(subnet.cidr), address });
        if default_gateway {
            assert_eq!(mode, LinkMode::Static, "Cannot use in this mode");
            self.gateway_link = Some(id);
        }
    }

    /// Effective MTUs and the default gateway.
    fn settle(&mut self) {
        for _ in 0..3 {
            let now = self.machine.interfaces.clone();
            for interface in &mut self.machine.interfaces {
                let own = self
                    .mtus
                    .get(&interface.name)
                    .copied()
                    .unwrap_or_else(|| self.lists.vlan_by_id(interface.vlan.unwrap_or_default()).map_or(1500, |(_, v)| v.mtu));
                let above = now.iter().filter(|c| c.parents.contains(&interface.name)).map(|c| c.mtu).max();
                interface.mtu = own.max(above.unwrap_or(0));
            }
        }
        let links: Vec<&SubnetLink> =
            self.machine.interfaces.iter().flat_map(|i| &i.links).filter(|l| l.mode != LinkMode::LinkUp).collect();
        if !links.iter().any(|l| Some(l.id) == self.gateway_link) {
            self.gateway_link = None;
        }
        let chosen = links.iter().find(|l| Some(l.id) == self.gateway_link).or(links.first());
        self.machine.default_gateway =
            chosen.and_then(|l| self.lists.subnets().unwrap().iter().find(|s| Some(s.cidr) == l.subnet)).and_then(|s| s.gateway);
    }

    /// Plans, applies, and expects that nothing is left to do.
    fn reach(&mut self, wanted: &ApplyNodeNetworking) -> Vec<NetStep> {
        let steps = plan(&self.machine, &targets(wanted, &self.machine, &self.lists).unwrap());
        for step in &steps {
            self.apply(step);
        }
        let after = targets(wanted, &self.machine, &self.lists).unwrap();
        assert_eq!(differences(&self.machine, &after), Vec::<String>::new(), "after {steps:#?}");
        assert_eq!(plan(&self.machine, &after), []);
        steps
    }
}

fn bond(values: &BondValues) -> BondParameters {
    BondParameters {
        mode: values.mode.clone(),
        xmit_hash_policy: values.xmit_hash_policy.clone().or(Some("layer2".into())),
        lacp_rate: values.lacp_rate.clone().or(Some("fast".into())),
        miimon: values.miimon.or(Some(100)),
        updelay: values.updelay.or(Some(0)),
        downdelay: values.downdelay.or(Some(0)),
    }
}

/// One choice of a link: none, static, DHCP, up only.
type Choice = u8;

fn link(fabric: u64, vid: u16, choice: Choice, host: u8) -> Option<LinkParams> {
    let mode = match choice % 4 {
        0 => return None,
        1 => {
            let third = u8::try_from(vid % 256).unwrap();
            LinkKind::Static(IpAddr::V4(Ipv4Addr::new(10, u8::try_from(fabric).unwrap(), third, 10 + host)))
        }
        2 => LinkKind::Dhcp,
        _ => LinkKind::LinkUp,
    };
    Some(LinkParams { subnet: format!("10.{fabric}.{}.0/24", vid % 256).parse().unwrap(), mode, default_gateway: false })
}

#[derive(Debug, Clone)]
struct Draft {
    fabric: u64,
    mtu: Option<u32>,
    native: Choice,
    tagged: [Choice; 2],
    tagged_mtu: Option<u32>,
    mode: &'static str,
}

fn draft() -> impl Strategy<Value = Draft> {
    let mtu = || prop_oneof![Just(None), Just(Some(1500)), Just(Some(9000))];
    (1u64..=2, mtu(), 0u8..4, [0u8..4, 0u8..4], mtu(), prop_oneof![Just("802.3ad"), Just("active-backup")])
        .prop_map(|(fabric, mtu, native, tagged, tagged_mtu, mode)| Draft { fabric, mtu, native, tagged, tagged_mtu, mode })
}

/// A configuration: each NIC is idle (0), plain (1), or in one of two bonds.
fn wanted() -> impl Strategy<Value = ApplyNodeNetworking> {
    (proptest::collection::vec(0u8..4, 4), proptest::collection::vec(draft(), 6), 0usize..20).prop_map(|(roles, drafts, gateway)| {
        let device = |i: usize| Late::Value(Device { id: i as u64 + 1, name: format!("eth{i}") });
        let mut groups: Vec<(String, Vec<usize>, bool)> = Vec::new();
        for (i, role) in roles.iter().enumerate() {
            match role {
                0 => {}
                1 => groups.push((format!("eth{i}"), vec![i], false)),
                n => {
                    let name = format!("bond{n}");
                    match groups.iter_mut().find(|g| g.0 == name) {
                        Some(group) => group.1.push(i),
                        None => groups.push((name, vec![i], true)),
                    }
                }
            }
        }
        let mut out = ApplyNodeNetworking { interfaces: vec![] };
        for (n, ((name, members, is_bond), d)) in groups.into_iter().zip(drafts).enumerate() {
            let host = u8::try_from(n).unwrap();
            let values = BondValues {
                mode: d.mode.into(),
                xmit_hash_policy: None,
                lacp_rate: None,
                miimon: Some(100),
                updelay: None,
                downdelay: None,
            };
            let tagged = [100u16, 200].into_iter().zip(d.tagged);
            out.interfaces.push(InterfaceParams {
                name,
                members: members.into_iter().map(device).collect(),
                bond: is_bond.then_some(values),
                fabric: format!("f{}", d.fabric),
                mtu: d.mtu,
                link: link(d.fabric, 0, d.native, host),
                vlans: tagged
                    .filter_map(|(vid, c)| Some(VlanInterfaceParams { vid, mtu: d.tagged_mtu, link: link(d.fabric, vid, c, host)? }))
                    .collect(),
            });
        }
        let mut links: Vec<&mut LinkParams> =
            out.interfaces.iter_mut().flat_map(|i| i.link.iter_mut().chain(i.vlans.iter_mut().map(|v| &mut v.link))).collect();
        let chosen = gateway % links.len().max(1);
        if let Some(link) = links.get_mut(chosen) {
            link.default_gateway = gateway < 15;
        }
        out
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_configuration_is_reached_from_every_other(all in proptest::collection::vec(wanted(), 1..4)) {
        let mut model = Model::new();
        for wanted in &all {
            model.reach(wanted);
        }
    }

    #[test]
    fn a_stop_after_any_step_is_picked_up(first in wanted(), second in wanted(), stop in 0usize..12) {
        let mut model = Model::new();
        model.reach(&first);
        let steps = plan(&model.machine, &targets(&second, &model.machine, &model.lists).unwrap());
        for step in steps.iter().take(stop) {
            model.apply(step);
        }
        model.reach(&second);
    }
}

#[test]
fn steps_are_in_the_order_that_maas_accepts() {
    let mut model = Model::new();
    let nic = |i: u64| Late::Value(Device { id: i + 1, name: format!("eth{i}") });
    let values =
        BondValues { mode: "802.3ad".into(), xmit_hash_policy: None, lacp_rate: None, miimon: None, updelay: None, downdelay: None };
    let bonded = ApplyNodeNetworking {
        interfaces: vec![
            InterfaceParams {
                name: "pxe".into(),
                members: vec![nic(0)],
                bond: None,
                fabric: "f1".into(),
                mtu: None,
                link: link(1, 0, 2, 0),
                vlans: vec![],
            },
            InterfaceParams {
                name: "bond0".into(),
                members: vec![nic(1), nic(2)],
                bond: Some(values),
                fabric: "f2".into(),
                mtu: Some(9000),
                link: None,
                vlans: vec![VlanInterfaceParams {
                    vid: 100,
                    mtu: None,
                    link: LinkParams { default_gateway: true, ..link(2, 100, 1, 0).unwrap() },
                }],
            },
        ],
    };
    let words = |steps: &[NetStep]| {
        steps
            .iter()
            .map(|s| match s {
                NetStep::Delete { interface } => format!("delete {interface}"),
                NetStep::Unlink { interface, .. } => format!("unlink {interface}"),
                NetStep::Update { interface, vlan, mtu } => format!("update {interface} {vlan:?} {mtu:?}"),
                NetStep::UpdateBond { interface, .. } => format!("bond options {interface}"),
                NetStep::CreateBond { name, .. } | NetStep::CreateVlan { name, .. } => format!("create {name}"),
                NetStep::Link { interface, mode, default_gateway, .. } => {
                    format!("link {interface} {mode:?}{}", if *default_gateway { " gateway" } else { "" })
                }
                NetStep::DefaultGateway { interface, .. } => format!("gateway {interface}"),
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        words(&model.reach(&bonded)),
        [
            "unlink eth0",
            "update eth1 Some(2000) None",
            "update eth2 Some(2000) None",
            "link eth0 Dhcp",
            "create bond0",
            "create bond0.100",
            "link bond0.100 Static(10.2.100.10) gateway",
        ]
    );
    let plain = ApplyNodeNetworking { interfaces: vec![bonded.interfaces[0].clone()] };
    // What is on NICs that are no longer configured is left as it is, until it is in the way.
    assert_eq!(words(&model.reach(&plain)), Vec::<String>::new());
    let mut moved = plain.clone();
    moved.interfaces[0].members = vec![nic(1)];
    assert_eq!(words(&model.reach(&moved)), ["delete bond0.100", "delete bond0", "update eth1 Some(1000) None", "link eth1 Dhcp"]);
    assert!(model.at("eth0").links.iter().any(|l| l.mode == LinkMode::Dhcp), "a NIC that is not configured keeps its link");
}

#[test]
fn an_address_is_taken_from_a_nic_that_is_not_configured_only_if_it_is_wanted_elsewhere() {
    let mut model = Model::new();
    let on = |i: u64, host| ApplyNodeNetworking {
        interfaces: vec![InterfaceParams {
            name: "lan".into(),
            members: vec![Late::Value(Device { id: i + 1, name: format!("eth{i}") })],
            bond: None,
            fabric: "f1".into(),
            mtu: None,
            link: link(1, 0, 1, host),
            vlans: vec![],
        }],
    };
    model.reach(&on(0, 1));
    let other = model.reach(&on(1, 2));
    assert!(!other.iter().any(|s| matches!(s, NetStep::Unlink { .. })), "{other:?}");
    let same = model.reach(&on(2, 1));
    assert!(matches!(&same[0], NetStep::Unlink { interface, .. } if interface == "eth0"), "{same:?}");
}

#[test]
fn a_nic_in_a_bond_carries_nothing_of_its_own() {
    let model = Model::new();
    let nic = |i: u64| Late::Value(Device { id: i + 1, name: format!("eth{i}") });
    let plain = |link| InterfaceParams {
        name: "pxe".into(),
        members: vec![nic(0)],
        bond: None,
        fabric: "f1".into(),
        mtu: None,
        link,
        vlans: vec![],
    };
    let values =
        BondValues { mode: "802.3ad".into(), xmit_hash_policy: None, lacp_rate: None, miimon: None, updelay: None, downdelay: None };
    let bond = InterfaceParams { name: "bond0".into(), members: vec![nic(0), nic(1)], bond: Some(values), ..plain(None) };
    let both = ApplyNodeNetworking { interfaces: vec![plain(link(1, 0, 2, 0)), bond] };
    let names: Vec<String> = targets(&both, &model.machine, &model.lists).unwrap().into_iter().map(|t| t.name).collect();
    assert_eq!(names, ["bond0"]);
    // Two plain interfaces on one NIC are one.
    let twice = ApplyNodeNetworking { interfaces: vec![plain(link(1, 0, 2, 0)), plain(None)] };
    let targets = targets(&twice, &model.machine, &model.lists).unwrap();
    assert_eq!(targets.len(), 1);
    assert!(targets[0].link.is_some());
}
