//! The oracle: does the simulated world hold what the design says, value by value?
//!
//! It looks at the world itself (not through a driver) and at the applied model (not at a plan); it knows nothing of `build` or `diff`, so that a
//! comparison which overlooks an attribute does not hide it here as well.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use drydock::model::{BondMode, Interface, NetworkLink, Node, RangeKind, Site, Size};
use drydock::sim::{self as db, Activity, World};

/// Everything in which the world differs from the design, in words.
pub(crate) fn differences(site: &Site, world: &World) -> Vec<String> {
    let oracle = Oracle { site, world, out: RefCell::default() };
    oracle.networks();
    oracle.region();
    for node in site.nodes.values() {
        oracle.node(node);
    }
    oracle.out.into_inner()
}

struct Oracle<'a> {
    site: &'a Site,
    world: &'a World,
    out: RefCell<Vec<String>>,
}

fn is_ours(link: &NetworkLink) -> bool {
    !link.labels.contains_key("noconfig")
}

fn tag_on(link: &NetworkLink, network: &drydock::model::Network) -> i64 {
    if link.native_network.as_ref().is_some_and(|n| n.value == network.name.value) {
        return 0;
    }
    network.vlan.as_ref().map_or(0, |v| i64::from(v.value))
}

/// MAAS rounds sizes down to 4 MiB.
fn close(a: u64, b: u64) -> bool {
    a.abs_diff(b) <= 4 << 20
}

impl Oracle<'_> {
    #[allow(clippy::needless_pass_by_value)] // Callers compare literals and owned values alike.
    fn expect<T: PartialEq + std::fmt::Debug>(&self, what: &str, found: T, wanted: T) {
        if found != wanted {
            self.out.borrow_mut().push(format!("{what}: found {found:?}, the design says {wanted:?}"));
        }
    }

    fn subnet(&self, cidr: &str) -> Option<&db::Subnet> {
        self.world.site.subnets.values().find(|s| s.cidr == cidr)
    }

    fn networks(&self) {
        let db = &self.world.site;
        for link in self.site.links.values().filter(|l| is_ours(l)) {
            let name = &link.name.value;
            let Some(fabric) = db.fabrics.values().find(|f| f.name == *name) else {
                self.out.borrow_mut().push(format!("fabric {name} is missing"));
                continue;
            };
            for network in link.allowed_networks.iter().filter_map(|n| self.site.networks.get(&n.value)) {
                let label = format!("network {}", network.name.value);
                let Some(subnet) = self.subnet(&network.cidr.value.to_string()) else {
                    self.out.borrow_mut().push(format!("{label} has no subnet"));
                    continue;
                };
                let vlan = &db.vlans[&subnet.vlan];
                self.expect(&format!("{label} fabric"), vlan.fabric, fabric.id);
                self.expect(&format!("{label} tag"), vlan.vid, tag_on(link, network));
                self.expect(&format!("{label} name"), subnet.name.as_str(), network.name.value.as_str());
                if let Some(mtu) = &network.mtu {
                    self.expect(&format!("{label} MTU"), vlan.mtu, i64::from(mtu.value));
                }
                let gateway = network.routes.iter().find(|r| r.subnet.value.prefix_len() == 0).map(|r| r.gateway.value.to_string());
                self.expect(&format!("{label} gateway"), subnet.gateway_ip.clone(), gateway);
                let dns: Vec<String> = network.dns_servers.iter().map(|s| s.value.to_string()).collect();
                self.expect(&format!("{label} DNS servers"), subnet.dns_servers.clone(), dns);
                for range in &network.ranges {
                    let kind = match range.kind.value {
                        RangeKind::Static => continue,
                        RangeKind::Dhcp => "dynamic",
                        RangeKind::Reserved => "reserved",
                    };
                    let (start, end) = (range.start.value.to_string(), range.end.value.to_string());
                    let there = db.ipranges.values().any(|r| r.subnet == subnet.id && r.kind == kind && r.start == start && r.end == end);
                    self.expect(&format!("{label} {kind} range {start}-{end}"), there, true);
                }
                if network.ranges.iter().any(|r| r.kind.value == RangeKind::Dhcp) {
                    match network.dhcp_relay.as_ref().and_then(|r| r.upstream_target.as_ref()) {
                        None => self.expect(&format!("{label} DHCP"), vlan.dhcp_on, true),
                        Some(_) => self.expect(&format!("{label} DHCP relay"), vlan.relay_vlan.is_some(), true),
                    }
                }
                for route in network.routes.iter().filter(|r| r.subnet.value.prefix_len() != 0) {
                    let Some(target) = self.subnet(&route.subnet.value.to_string()) else { continue };
                    let gateway = route.gateway.value.to_string();
                    let there = db.static_routes.values().any(|r| {
                        r.source == subnet.id
                            && r.destination == target.id
                            && r.gateway_ip == gateway
                            && route.metric.as_ref().is_none_or(|m| r.metric == i64::from(m.value))
                    });
                    self.expect(&format!("{label} route to {}", route.subnet.value), there, true);
                }
                if let Some(domain) = &network.dns_domain {
                    let there = db.domains.values().any(|d| d.name == domain.value);
                    self.expect(&format!("domain {}", domain.value), there, true);
                }
            }
        }
    }

    fn region(&self) {
        let db = &self.world.site;
        for tag in &self.site.region.tag_definitions {
            let found = db.tags.iter().find(|t| t.name == tag.name.value).map(|t| t.definition.clone());
            self.expect(&format!("tag {}", tag.name.value), found, Some(tag.definition.value.clone()));
        }
        let body = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        for key in &self.site.region.authorized_keys {
            let there = db.sshkeys.values().any(|k| body(k) == body(&key.value));
            self.expect("an SSH key", there, true);
        }
        for (name, wanted) in &self.site.region.repositories {
            let Some(found) = db.repositories.values().find(|r| r.name == *name) else {
                self.out.borrow_mut().push(format!("repository {name} is missing"));
                continue;
            };
            self.expect(&format!("repository {name} URL"), found.url.as_str(), wanted.url.value.as_str());
            let set = |items: &[drydock::model::Text]| items.iter().map(|t| t.value.clone()).collect::<BTreeSet<_>>();
            let builtin = name.ends_with("_archive");
            if !builtin {
                self.expect(
                    &format!("repository {name} distributions"),
                    found.distributions.iter().cloned().collect(),
                    set(&wanted.distributions),
                );
                self.expect(&format!("repository {name} components"), found.components.iter().cloned().collect(), set(&wanted.components));
            }
            for pocket in ["updates", "security", "backports"] {
                if !wanted.subrepos.is_empty() {
                    let off = found.disabled_pockets.iter().any(|p| p == pocket);
                    self.expect(&format!("repository {name} pocket {pocket}"), off, !wanted.subrepos.iter().any(|s| s.value == pocket));
                }
            }
            for component in ["restricted", "universe", "multiverse"] {
                if builtin && !wanted.components.is_empty() {
                    let off = found.disabled_components.iter().any(|p| p == component);
                    self.expect(
                        &format!("repository {name} component {component}"),
                        off,
                        !wanted.components.iter().any(|s| s.value == component),
                    );
                }
            }
            if let Some(key) = &wanted.gpgkey {
                self.expect(&format!("repository {name} key"), found.key.trim(), key.value.trim());
            }
        }
    }

    fn node(&self, node: &Node) {
        let name = &node.name.value;
        let Some(machine) = self.world.machines.get(name) else {
            self.out.borrow_mut().push(format!("{name}: no such machine"));
            return;
        };
        let Some(record) = self.world.node_of(name) else {
            self.out.borrow_mut().push(format!("{name}: the provisioner does not have it"));
            return;
        };
        self.expect(&format!("{name} power"), machine.on, true);
        self.expect(&format!("{name} runs"), machine.running, Activity::OperatingSystem);
        if let Some(bmc) = &machine.bmc {
            let from_disk = bmc.boot_enabled == "Disabled" || matches!(bmc.boot_target.as_str(), "Hdd" | "None");
            self.expect(&format!("{name} boots from its disk"), from_disk, true);
        }
        self.expect(&format!("{name} status"), format!("{:?}", record.status), "Deployed".to_owned());
        self.expect(&format!("{name} host name"), record.hostname.as_str(), name.as_str());
        if let Some(domain) = &node.domain {
            let found = self.world.site.domains.get(&record.domain).map(|d| d.name.clone());
            self.expect(&format!("{name} domain"), found, Some(domain.value.clone()));
        }
        if let (Some(installed), Some(image)) = (&machine.installed, &node.platform.image) {
            let series = image.value.rsplit('/').next().unwrap_or_default();
            self.expect(&format!("{name} series"), installed.series.as_str(), series);
            if let Some(kernel) = &node.platform.kernel {
                self.expect(&format!("{name} kernel"), installed.kernel.as_str(), kernel.value.as_str());
            }
            let words: BTreeSet<&str> = installed.kernel_opts.split_whitespace().collect();
            for (key, value) in &node.platform.kernel_params {
                let word = if value.value.is_empty() { key.clone() } else { format!("{key}={}", value.value) };
                self.expect(&format!("{name} kernel parameter {word}"), words.contains(word.as_str()), true);
            }
        } else {
            self.out.borrow_mut().push(format!("{name}: nothing is installed"));
        }
        for tag in &node.tags {
            self.expect(&format!("{name} tag {}", tag.value), record.tags.contains(&tag.value), true);
        }
        for (key, value) in &node.owner_data {
            self.expect(&format!("{name} owner data {key}"), record.owner_data.get(key).cloned(), Some(value.value.clone()));
        }
        for interface in node.interfaces.values().filter(|i| !i.labels.contains_key("noconfig")) {
            let Some(link) = interface.device_link.as_ref().and_then(|l| self.site.links.get(&l.value)).filter(|l| is_ours(l)) else {
                continue;
            };
            self.interface(node, interface, link, record, machine);
        }
        self.storage(node, record, machine);
    }

    /// MAC of a NIC that the design names by alias (bus address) or kernel name.
    fn mac(&self, node: &Node, machine: &drydock::sim::Machine, slave: &str) -> Option<String> {
        let alias = node
            .hardware_profile
            .as_ref()
            .and_then(|p| self.site.hardware_profiles.get(&p.value))
            .and_then(|p| p.device_aliases.get(slave))
            .filter(|a| a.bus_type.value == "pci");
        machine.nics.iter().find(|n| alias.map_or(n.name == slave, |a| n.pci.eq_ignore_ascii_case(&a.address.value))).map(|n| n.mac.clone())
    }

    fn interface(&self, node: &Node, interface: &Interface, link: &NetworkLink, record: &db::Node, machine: &drydock::sim::Machine) {
        let label = format!("{} {}", node.name.value, interface.name.value);
        let macs: BTreeSet<String> = interface.slaves.iter().filter_map(|s| self.mac(node, machine, &s.value)).collect();
        self.expect(&format!("{label} members in the machine"), macs.len(), interface.slaves.len());
        let found = if link.bonding.mode.value == BondMode::Disabled {
            record.interfaces.values().find(|i| i.kind == "physical" && macs.contains(&i.mac))
        } else {
            record.interfaces.values().find(|i| i.kind == "bond" && i.name == interface.name.value)
        };
        let Some(found) = found else {
            self.out.borrow_mut().push(format!("{label} is missing"));
            return;
        };
        if link.bonding.mode.value != BondMode::Disabled {
            let members: BTreeSet<String> = found.parents.iter().filter_map(|p| record.interfaces.get(p)).map(|i| i.mac.clone()).collect();
            self.expect(&format!("{label} members"), members, macs);
            let param = |key: &str| found.params.get(key).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
            let mut wanted: BTreeMap<&str, String> = BTreeMap::from([("bond_mode", link.bonding.mode.value.kernel_name().to_owned())]);
            for (key, value) in [("bond_xmit_hash_policy", &link.bonding.hash), ("bond_lacp_rate", &link.bonding.peer_rate)] {
                wanted.extend(value.as_ref().map(|v| (key, v.value.clone())));
            }
            for (key, value) in [
                ("bond_miimon", &link.bonding.mon_rate),
                ("bond_updelay", &link.bonding.up_delay),
                ("bond_downdelay", &link.bonding.down_delay),
            ] {
                wanted.extend(value.as_ref().map(|v| (key, v.value.to_string())));
            }
            for (key, value) in wanted {
                self.expect(&format!("{label} {key}"), param(key), Some(value));
            }
        }
        let vlan = found.vlan.and_then(|v| self.world.site.vlans.get(&v));
        let fabric = vlan.and_then(|v| self.world.site.fabrics.get(&v.fabric)).map(|f| f.name.clone());
        self.expect(&format!("{label} fabric"), fabric, Some(link.name.value.clone()));
        if let Some(mtu) = &link.mtu {
            // MAAS gives an interface no less than what is on top of it.
            let on_top = record.interfaces.values().filter(|i| i.id == found.id || i.parents.contains(&found.id));
            let own = |i: &db::Interface| {
                let vlan = i.vlan.and_then(|v| self.world.site.vlans.get(&v));
                i.params.get("mtu").and_then(serde_json::Value::as_i64).or(vlan.map(|v| v.mtu))
            };
            let effective = on_top.filter_map(own).max();
            self.expect(&format!("{label} MTU"), effective, Some(i64::from(mtu.value)));
        }
        for network in interface.networks.iter().filter_map(|n| self.site.networks.get(&n.value)) {
            let tag = tag_on(link, network);
            let carrier = if tag == 0 {
                Some(found)
            } else {
                record.interfaces.values().find(|i| {
                    i.kind == "vlan"
                        && i.parents.contains(&found.id)
                        && i.vlan.and_then(|v| self.world.site.vlans.get(&v)).is_some_and(|v| v.vid == tag)
                })
            };
            let label = format!("{label} on {}", network.name.value);
            let Some(carrier) = carrier else {
                self.out.borrow_mut().push(format!("{label}: no interface carries it"));
                continue;
            };
            let subnet = self.subnet(&network.cidr.value.to_string()).map(|s| s.id);
            let Some(bound) = carrier.links.iter().find(|l| l.subnet.is_some() && l.subnet == subnet) else {
                self.out.borrow_mut().push(format!("{label}: not linked to the subnet"));
                continue;
            };
            match node.addressing.iter().find(|a| a.network.value == network.name.value).map(|a| a.address.as_ref()) {
                Some(Some(ip)) => {
                    self.expect(&format!("{label} mode"), bound.mode.as_str(), "static");
                    self.expect(&format!("{label} address"), bound.ip.clone(), Some(ip.value.to_string()));
                }
                Some(None) => self.expect(&format!("{label} mode"), bound.mode.as_str(), "dhcp"),
                None => self.expect(&format!("{label} mode"), bound.mode.as_str(), "link_up"),
            }
            let has_gateway = network.routes.iter().any(|r| r.subnet.value.prefix_len() == 0);
            let is_static = node.address_on(&network.name.value).is_some_and(|a| a.address.is_some());
            if is_static && has_gateway && node.primary_network.as_ref().is_some_and(|p| p.value == network.name.value) {
                self.expect(&format!("{label} default gateway"), record.gateway_links.0, Some(bound.id));
            }
        }
    }

    fn storage(&self, node: &Node, record: &db::Node, machine: &drydock::sim::Machine) {
        let profile = node.hardware_profile.as_ref().and_then(|p| self.site.hardware_profiles.get(&p.value));
        for (name, device) in &node.storage.physical_devices {
            let label = format!("{} {name}", node.name.value);
            let alias = profile.and_then(|p| p.device_aliases.get(name));
            let physical = machine.disks.iter().find(|d| match alias.map(|a| (a.bus_type.value.as_str(), a.address.value.as_str())) {
                Some(("scsi", address)) => d.scsi == address,
                Some(("serial", serial)) => d.serial == serial,
                Some(("model", model)) => d.model == model,
                _ => d.name == *name,
            });
            let Some(disk) = physical.and_then(|p| record.block_devices.values().find(|b| b.serial.as_deref() == Some(&p.serial))) else {
                self.out.borrow_mut().push(format!("{label}: no such disk"));
                continue;
            };
            if device.labels.get("bootdrive").is_some_and(|v| v.value == "true") {
                // MAAS boots from the first disk where none was chosen.
                let first = record.block_devices.values().filter(|b| b.serial.is_some()).map(|b| b.id).min();
                self.expect(&format!("{label} is the boot disk"), record.boot_disk.or(first), Some(disk.id));
            }
            self.expect(&format!("{label} partitions"), disk.partitions.len(), device.partitions.len());
            for (part, wanted) in disk.partitions.iter().zip(&device.partitions) {
                let label = format!("{label} {}", wanted.name.value);
                self.size(&label, part.size, wanted.size.value, disk.size);
                self.expect(&format!("{label} boot flag"), part.bootable, wanted.bootable.value);
                self.filesystem(&label, part.filesystem.as_ref(), wanted.filesystem.as_ref());
                if let Some(uuid) = &wanted.part_uuid {
                    self.expect(&format!("{label} UUID"), part.uuid.as_str(), uuid.value.as_str());
                }
            }
            if let Some(group) = &device.volume_group {
                let found = record.volume_groups.values().find(|g| g.name == group.value);
                self.expect(&format!("{label} volume group"), found.is_some(), true);
            }
        }
        for (name, group) in &node.storage.volume_groups {
            let Some(found) = record.volume_groups.values().find(|g| g.name == *name) else {
                self.out.borrow_mut().push(format!("{}: volume group {name} is missing", node.name.value));
                continue;
            };
            if let Some(uuid) = &group.vg_uuid {
                self.expect(&format!("{} {name} UUID", node.name.value), found.uuid.as_str(), uuid.value.as_str());
            }
            for lv in &group.logical_volumes {
                let label = format!("{} {name}/{}", node.name.value, lv.name.value);
                let volume = record.block_devices.values().find(|b| {
                    b.volume_group == Some(found.id) && (b.name == lv.name.value || b.name == format!("{name}-{}", lv.name.value))
                });
                let Some(volume) = volume else {
                    self.out.borrow_mut().push(format!("{label} is missing"));
                    continue;
                };
                let total = machine.disks.iter().map(|d| d.size).max().unwrap_or_default();
                if let Size::Bytes(_) = lv.size.value {
                    self.size(&label, volume.size, lv.size.value, total);
                }
                if let Some(uuid) = &lv.lv_uuid {
                    self.expect(&format!("{label} UUID"), volume.uuid.as_deref(), Some(uuid.value.as_str()));
                }
                self.filesystem(&label, volume.filesystem.as_ref(), lv.filesystem.as_ref());
            }
        }
    }

    fn size(&self, label: &str, found: u64, wanted: Size, total: u64) {
        let fits = match wanted {
            Size::Bytes(b) => close(found, b),
            Size::AtLeast(b) => found + (4 << 20) > b,
            Size::Percent(p) => found.abs_diff(total / 10_000 * u64::from(p)) <= 16 << 20,
        };
        if !fits {
            self.out.borrow_mut().push(format!("{label}: {found} bytes, the design says {wanted}"));
        }
    }

    fn filesystem(&self, label: &str, found: Option<&db::Filesystem>, wanted: Option<&drydock::model::Filesystem>) {
        let Some(wanted) = wanted else { return };
        let Some(found) = found else {
            self.out.borrow_mut().push(format!("{label}: no filesystem"));
            return;
        };
        self.expect(&format!("{label} type"), found.fstype.as_str(), wanted.fstype.value.as_str());
        self.expect(&format!("{label} mount point"), found.mount_point.clone(), wanted.mountpoint.as_ref().map(|m| m.value.clone()));
        let options = |o: &str| if o.is_empty() { "defaults".to_owned() } else { o.to_owned() };
        self.expect(
            &format!("{label} mount options"),
            options(found.mount_options.as_deref().unwrap_or("")),
            options(&wanted.mount_options.value),
        );
        if let Some(uuid) = &wanted.fs_uuid {
            self.expect(&format!("{label} UUID"), found.uuid.as_str(), uuid.value.as_str());
        }
        if let Some(fslabel) = &wanted.fslabel {
            self.expect(&format!("{label} label"), found.label.clone(), Some(fslabel.value.clone()));
        }
    }
}
