//! A small site, and a laboratory: a world with a clock that stands still between requests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method};
use serde_json::Value;

use crate::document::read_all;
use crate::model::{Site, resolve};
use crate::sim::core::Core;
use crate::sim::http::Request;
use crate::sim::options::SimOptions;
use crate::sim::{generate, maas, redfish};
use crate::yaml::SourceMap;

const SITE: &str = r"
{schema: drydock/Region/v1, metadata: {name: test}, data: {}}
---
schema: drydock/NetworkLink/v1
metadata: {name: pxe}
data: {bonding: {mode: disabled}, trunking: {mode: disabled, default_network: pxe}, allowed_networks: [pxe]}
---
schema: drydock/NetworkLink/v1
metadata: {name: data}
data: {bonding: {mode: disabled}, trunking: {mode: 802.1q, default_network: mgmt}, allowed_networks: [mgmt, prod]}
---
schema: drydock/Network/v1
metadata: {name: pxe}
data: {cidr: 10.10.0.0/24, ranges: [{type: dhcp, start: 10.10.0.100, end: 10.10.0.200}]RELAY}
---
{schema: drydock/Network/v1, metadata: {name: mgmt}, data: {cidr: 10.20.0.0/24}}
---
{schema: drydock/Network/v1, metadata: {name: prod}, data: {vlan: 100, cidr: 192.168.50.0/24}}
---
{schema: drydock/Network/v1, metadata: {name: oob}, data: {cidr: 10.9.0.0/24}}
---
schema: drydock/HardwareProfile/v1
metadata: {name: server}
data:
  vendor: HP
  generation: '8'
  hw_version: '3'
  bios_version: '2.2.3'
  boot_mode: uefi
  bootstrap_protocol: pxe
  pxe_interface: 0
  device_aliases:
    pxe_nic: {address: '0000:00:03.0', dev_type: Model X, bus_type: pci}
    eth_a: {address: '0000:04:00.0', dev_type: Model X, bus_type: pci}
    eth_b: {address: '0000:04:00.1', dev_type: Model X, bus_type: pci}
    bootdisk: {address: '2:0.0.0', dev_type: Model X, bus_type: scsi}
---
schema: drydock/HostProfile/v1
metadata: {name: defaults}
data:
  hardware_profile: server
  primary_network: pxe
  oob: {type: redfish, network: oob, account: root, credential: canary-bmc}
  interfaces:
    pxe0: {device_link: pxe, slaves: [pxe_nic], networks: [pxe]}
    bond0: {device_link: data, slaves: [SLAVES], networks: [mgmt, prod]}
  storage:
    physical_devices:
      bootdisk:
        partitions: [{name: root, size: ROOT, bootable: true, filesystem: {mountpoint: /, fstype: ext4}}]
      sdb: {partitions: []}
  platform: {image: jammy, kernel: hwe-22.04}
---
schema: drydock/BaremetalNode/v1
metadata: {name: node01}
data: {host_profile: defaults, addressing: [{network: pxe, address: dhcp}, {network: oob, address: 10.9.0.11}]}
---
schema: drydock/BaremetalNode/v1
metadata: {name: node02}
data: {host_profile: defaults, oob: {type: ipmi}, addressing: [{network: pxe, address: dhcp}, {network: oob, address: 10.9.0.12}]}
---
schema: drydock/BaremetalNode/v1
metadata: {name: node03}
data: {host_profile: defaults, addressing: [{network: pxe, address: dhcp}, {network: oob, address: 10.9.0.13}]}
";

/// The site with other texts in some places.
pub(super) fn site_with(relay: &str, slaves: &str, root: &str) -> Site {
    let text = SITE.replace("RELAY", relay).replace("SLAVES", slaves).replace("ROOT", root);
    let mut map = SourceMap::default();
    let file = map.add("site.yaml", text);
    let read = read_all(&map, &[file]);
    resolve(&read.documents, &read.sensitive).0.unwrap()
}

/// Three nodes, a link with DHCP and a trunk.
pub(super) fn site() -> Site {
    site_with("", "eth_a, eth_b", "30g")
}

/// The same with DHCP relayed to an address that no network of the design has.
pub(super) fn relayed_site() -> Site {
    site_with(", dhcp_relay: {self_ip: 10.10.0.4, upstream_target: 172.16.5.5}", "eth_a, eth_b", "30g")
}

/// The site with that many nodes, all like the first, in a larger network.
pub(super) fn many(count: u32) -> Site {
    let mut s = site();
    let net = |s: &mut Site| {
        let n = s.networks.get_mut("pxe").unwrap();
        n.cidr.value = "10.0.0.0/16".parse().unwrap();
        n.ranges[0].start.value = "10.0.1.0".parse().unwrap();
        n.ranges[0].end.value = "10.0.90.0".parse().unwrap();
    };
    net(&mut s);
    let first = s.nodes["node01"].clone();
    for i in 0..count {
        let mut n = first.clone();
        n.name.value = format!("n{i:04}");
        if let Some(a) = &mut n.oob.address {
            a.value = std::net::IpAddr::V4(std::net::Ipv4Addr::from(0x0a09_0000 + 256 + i));
        }
        s.nodes.insert(n.name.value.clone(), n);
    }
    s.nodes.retain(|n, _| n.starts_with('n') && !n.starts_with("node"));
    s
}

/// A request, as far as recordings are compared with it: ids are `{}`, and of parameters only the names count.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) op: Option<String>,
    pub(super) params: BTreeSet<String>,
}

impl Asked {
    pub(super) fn new(method: &str, path: &str, op: Option<&str>, params: impl IntoIterator<Item = String>) -> Self {
        const HOLD_IDS: [&str; 6] = ["machines", "nodes", "tags", "boot-resources", "rackcontrollers", "subnets"];
        let mut after: Option<&str> = None;
        let words: Vec<&str> = path
            .trim_start_matches("/MAAS/api/2.0/")
            .split('/')
            .map(|part| {
                let holds = after.is_some_and(|a| HOLD_IDS.contains(&a));
                let is_id = !part.is_empty() && (part.bytes().all(|b| b.is_ascii_digit()) || holds);
                after = Some(part);
                if is_id { "{}" } else { part }
            })
            .collect();
        Self { method: method.to_owned(), path: words.join("/"), op: op.map(str::to_owned), params: params.into_iter().collect() }
    }

    /// As the table of calls writes it.
    pub(super) fn call(&self) -> String {
        let op = self.op.as_ref().map_or(String::new(), |op| format!(" {op}"));
        format!("{} {}{op}", self.method, self.path)
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Got {
    pub(super) asked: Asked,
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) body: Value,
    pub(super) headers: BTreeMap<String, String>,
}

/// A world, without sockets.
#[derive(Debug)]
pub(super) struct Lab {
    pub(super) core: Core,
    pub(super) now: u64,
}

impl Lab {
    pub(super) fn new(options: &SimOptions) -> Self {
        Self::of(&site(), options)
    }

    pub(super) fn of(site: &Site, options: &SimOptions) -> Self {
        Self { core: Core::new(generate(site, options), None).unwrap(), now: 1_000_000 }
    }

    /// Lets time pass.
    pub(super) fn tick(&mut self, ms: u64) {
        self.now += ms;
        self.core.advance(self.now);
    }

    pub(super) fn header(&self) -> String {
        let k = &self.core.world.site.tokens[0];
        format!(
            "OAuth oauth_version=\"1.0\", oauth_signature_method=\"PLAINTEXT\", oauth_consumer_key=\"{}\", oauth_token=\"{}\", oauth_signature=\"%26{}\", oauth_nonce=\"1\", oauth_timestamp=\"2\"",
            k.consumer, k.token, k.secret
        )
    }

    pub(super) fn maas_with(&mut self, header: Option<&str>, method: &str, path: &str, op: Option<&str>, params: &[(&str, &str)]) -> Got {
        let mut headers = HeaderMap::new();
        if let Some(h) = header {
            headers.insert("authorization", h.parse().unwrap());
        }
        headers.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(params);
        let form = form.finish();
        let read = method == "GET";
        let asked = Asked::new(method, path, op, params.iter().map(|(name, _)| (*name).to_owned()));
        let op = op.map(|o| format!("op={o}")).unwrap_or_default();
        let query = if read { format!("{op}&{form}") } else { op };
        let body = if read { Bytes::new() } else { Bytes::from(form) };
        let method: Method = method.parse().unwrap();
        let path = format!("/MAAS/api/2.0/{path}");
        let request = Request { method: &method, path: &path, query: &query, headers: &headers, body: &body };
        self.core.advance(self.now);
        let reply = maas::handle(&mut self.core, &request);
        self.core.commit(None).unwrap();
        got(&reply, asked)
    }

    /// A request whose answer nobody reads.
    pub(super) fn raw(&mut self, method: &str, path: &str, op: Option<&str>, form: &str) -> usize {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", self.header().parse().unwrap());
        let method: Method = method.parse().unwrap();
        let (path, query) = (format!("/MAAS/api/2.0/{path}"), op.map(|o| format!("op={o}")).unwrap_or_default());
        let body = Bytes::from(form.to_owned());
        let request = Request { method: &method, path: &path, query: &query, headers: &headers, body: &body };
        self.core.advance(self.now);
        let reply = maas::handle(&mut self.core, &request);
        self.core.commit(None).unwrap();
        assert!(reply.status < 300, "{path} {op:?} {form}: {} {}", reply.status, String::from_utf8_lossy(&reply.body));
        reply.body.len()
    }

    pub(super) fn maas(&mut self, method: &str, path: &str, op: Option<&str>, params: &[(&str, &str)]) -> Got {
        let header = self.header();
        self.maas_with(Some(&header), method, path, op, params)
    }

    /// A call that must succeed; its body.
    pub(super) fn ok(&mut self, method: &str, path: &str, op: Option<&str>, params: &[(&str, &str)]) -> Value {
        let g = self.maas(method, path, op, params);
        assert!((200..300).contains(&g.status), "{method} {path} {op:?} {params:?}: {} {}", g.status, g.body);
        g.body
    }

    pub(super) fn bmc(&mut self, node: &str, method: &str, path: &str, body: &Value) -> Got {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Basic cm9vdDpjYW5hcnktYm1j".parse().unwrap());
        self.bmc_with(&headers, node, method, path, body)
    }

    pub(super) fn bmc_with(&mut self, headers: &HeaderMap, node: &str, method: &str, path: &str, body: &Value) -> Got {
        let method: Method = method.parse().unwrap();
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let request = Request { method: &method, path, query: "", headers, body: &body };
        self.core.advance(self.now);
        let reply = redfish::handle(&mut self.core, node, &request);
        self.core.commit(None).unwrap();
        got(&reply, Asked::default())
    }

    /// Path of a node's system.
    pub(super) fn system(&self, node: &str) -> String {
        format!("/redfish/v1/Systems/{}", self.core.world.machines[node].uuid)
    }

    /// Gives the PXE network DHCP, as an operator of MAAS does.
    pub(super) fn serve_dhcp(&mut self) {
        let subnet = self.ok("GET", "subnets/cidr:10.10.0.0/24/", None, &[]);
        let vlan = subnet["vlan"]["id"].to_string();
        let id = subnet["id"].to_string();
        self.ok("POST", "ipranges/", None, &[("type", "dynamic"), ("subnet", &id), ("start_ip", "10.10.0.100"), ("end_ip", "10.10.0.200")]);
        let rack = self.core.world.site.controller.clone();
        self.ok("PUT", &format!("vlans/{vlan}/"), None, &[("dhcp_on", "true"), ("primary_rack", &rack)]);
    }

    /// Enlists a node over its BMC; its system id.
    pub(super) fn enlist(&mut self, node: &str) -> String {
        let system = self.system(node);
        let boot = serde_json::json!({ "Boot": { "BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Once" } });
        assert_eq!(self.bmc(node, "PATCH", &system, &boot).status, 204);
        let reset = format!("{system}/Actions/ComputerSystem.Reset");
        assert_eq!(self.bmc(node, "POST", &reset, &serde_json::json!({ "ResetType": "On" })).status, 204);
        self.tick(5000);
        self.core.node_of(node).unwrap_or_else(|| panic!("{node} did not enlist")).to_owned()
    }

    /// Enlists and commissions a node; its system id.
    pub(super) fn commission(&mut self, node: &str) -> String {
        let id = self.enlist(node);
        self.ok("POST", &format!("machines/{id}/"), Some("commission"), &[("testing_scripts", "none")]);
        self.tick(5000);
        id
    }
}

fn got(reply: &crate::sim::http::Reply, asked: Asked) -> Got {
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    Got {
        asked,
        status: reply.status,
        content_type: reply.content_type.to_owned(),
        body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        headers: reply.headers.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect(),
    }
}

/// The folder of recorded answers, if it is there.
pub(super) fn shared() -> Option<PathBuf> {
    let root =
        std::env::var_os("DRYDOCK_SHARED").map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
    root.join("reference").is_dir().then_some(root)
}
