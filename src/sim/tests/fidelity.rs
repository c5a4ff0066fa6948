//! Answers against recordings of a real MAAS 3.7.3: the recorded requests are made again, in an order that brings the world to the state in which each was
//! recorded, and status, content type, error texts, and the names and types of all fields are compared.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::fixture::{Asked, Got, Lab, shared};
use crate::sim::options::SimOptions;

pub(super) struct Recordings {
    pub(super) dir: std::path::PathBuf,
    compared: usize,
    pub(super) problems: Vec<String>,
}

/// Fields whose content is free, so that their own fields are not compared.
const FREE: [&str; 6] = ["owner_data", "workload_annotations", "params", "constraints_by_type", "sets", "hugepages_set"];

/// Names and JSON types, lists as the union of their elements.
fn shape(v: &Value, path: &str, out: &mut BTreeMap<String, Vec<&'static str>>) {
    let kind = match v {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(n) if n.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    let kinds = out.entry(path.to_owned()).or_default();
    if !kinds.contains(&kind) {
        kinds.push(kind);
    }
    match v {
        Value::Array(items) => items.iter().for_each(|i| shape(i, &format!("{path}[]"), out)),
        Value::Object(map) => {
            for (k, x) in map {
                let p = format!("{path}.{k}");
                if FREE.contains(&k.as_str()) {
                    out.entry(p).or_default();
                } else {
                    shape(x, &p, out);
                }
            }
        }
        _ => {}
    }
}

impl Recordings {
    fn new(root: &Path) -> Self {
        Self { dir: root.join("reference/maas-api-3.7"), compared: 0, problems: Vec::new() }
    }

    pub(super) fn load(&self, name: &str) -> Value {
        let text = std::fs::read_to_string(self.dir.join(format!("{name}.json"))).unwrap_or_else(|e| panic!("{name}: {e}"));
        serde_json::from_str(&text).unwrap()
    }

    fn head(&mut self, name: &str, got: &Got) -> Value {
        let r = self.load(name);
        self.compared += 1;
        let asked = asked(&r["request"]);
        if asked != got.asked {
            self.problems.push(format!("{name}: asked {:?} instead of {asked:?}", got.asked));
        }
        if r["status"] != got.status {
            self.problems.push(format!("{name}: status {} instead of {} ({})", got.status, r["status"], got.body));
        }
        let wanted = r["headers"]["Content-Type"].as_str().unwrap_or_default();
        if wanted != got.content_type {
            self.problems.push(format!("{name}: content type {} instead of {wanted}", got.content_type));
        }
        r["body"].clone()
    }

    /// Status and content type are the same; the body has no fields of its own (BSON, machines by id).
    pub(super) fn answers(&mut self, name: &str, got: &Got) {
        self.head(name, got);
    }

    /// Status, content type and body are those of the recording.
    pub(super) fn same(&mut self, name: &str, got: &Got) {
        let body = self.head(name, got);
        if body != got.body {
            self.problems.push(format!("{name}: body {} instead of {body}", got.body));
        }
    }

    /// The same after texts of ours are replaced by those of the recording.
    pub(super) fn same_but(&mut self, name: &str, got: &Got, replace: &[(&str, &str)]) {
        let mut text = got.body.to_string();
        for (ours, theirs) in replace {
            text = text.replace(ours, theirs);
        }
        let body = serde_json::from_str(&text).unwrap();
        self.same(name, &Got { body, ..got.clone() });
    }

    /// Status and content type are the same, and so are the names of fields wherever the recording has an object.
    pub(super) fn fields(&mut self, name: &str, got: &Got) {
        let body = self.head(name, got);
        let (mut theirs, mut ours) = (BTreeMap::new(), BTreeMap::new());
        shape(&body, "", &mut theirs);
        shape(&got.body, "", &mut ours);
        let parent_is_there = |p: &str, map: &BTreeMap<String, Vec<&str>>| {
            let parent = &p[..p.rfind(['.', '[']).unwrap_or(0)];
            map.get(parent).is_some_and(|k| k.contains(&"object") || k.contains(&"list"))
        };
        for (p, kinds) in &theirs {
            match ours.get(p) {
                None if p.ends_with("[]") => {}
                // Of an element of a list: an optional field of a link or a virtual disk.
                None if p.contains("[]") && ["ip_address", "subnet", "firmware_version"].iter().any(|o| p.ends_with(o)) => {}
                None if parent_is_there(p, &ours) => self.problems.push(format!("{name}: field {p} is missing")),
                None => {}
                Some(mine) => {
                    let known = |k: &&str| *k == "null" || kinds.contains(k) || kinds == &["null"] || kinds.is_empty();
                    if let Some(k) = mine.iter().find(|k| !known(k)) {
                        self.problems.push(format!("{name}: {p} is {k}, the recording has {kinds:?}"));
                    }
                }
            }
        }
        for p in ours.keys().filter(|p| !theirs.contains_key(*p) && parent_is_there(p, &theirs) && !p.ends_with("[]")) {
            let optional = p.contains("[]") && ["ip_address", "subnet"].iter().any(|o| p.ends_with(o));
            if !optional {
                self.problems.push(format!("{name}: field {p} is not in the recording"));
            }
        }
    }

    pub(super) fn finish(self, least: usize) {
        assert!(self.problems.is_empty(), "{} problems:\n{}", self.problems.len(), self.problems.join("\n"));
        assert!(self.compared >= least, "only {} recordings compared", self.compared);
    }
}

/// A recorded request.
pub(super) fn asked(request: &Value) -> Asked {
    let text = |key: &str| request[key].as_str().unwrap_or_default();
    let names = match &request["params"] {
        Value::Object(map) => map.keys().cloned().collect(),
        Value::Array(list) => list.iter().filter_map(|pair| Some(pair[0].as_str()?.to_owned())).collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    Asked::new(text("method"), text("path"), request["op"].as_str(), names)
}

pub(super) fn recordings() -> Option<Recordings> {
    let root = shared();
    if root.is_none() {
        eprintln!("skipped: the recorded answers are not here (DRYDOCK_SHARED)");
    }
    root.map(|r| Recordings::new(&r))
}

#[test]
fn authentication_answers_as_recorded() {
    let Some(mut r) = recordings() else { return };
    let mut lab = Lab::new(&SimOptions::default());
    r.same("version-anonymous", &lab.maas_with(None, "GET", "version/", None, &[]));
    r.same("version", &lab.maas("GET", "version/", None, &[]));
    r.same("error-no-auth", &lab.maas_with(None, "GET", "users/", Some("whoami"), &[]));
    r.same("error-no-auth-fabrics", &lab.maas_with(None, "GET", "fabrics/", None, &[]));
    r.same("error-no-auth-machines", &lab.maas_with(None, "GET", "machines/", None, &[]));
    let good = lab.header();
    let k = lab.core.world.site.tokens[0].clone();
    r.same("error-wrong-key", &lab.maas_with(Some(&good.replace(&k.consumer, "other")), "GET", "machines/", None, &[]));
    r.same("error-wrong-token", &lab.maas_with(Some(&good.replace(&k.token, "xxxx")), "GET", "machines/", None, &[]));
    let wrong = lab.maas_with(Some(&good.replace(&k.secret, "wrong")), "GET", "machines/", None, &[]);
    r.same_but("error-wrong-secret", &wrong, &[(&k.secret, "LiveAdminTokenSecret000000000001")]);
    r.same("error-not-plaintext-header", &lab.maas_with(Some(&good.replace("PLAINTEXT", "HMAC-SHA1")), "GET", "fabrics/", None, &[]));
    let other = lab.core.world.site.tokens[1].clone();
    let bob = good.replace(&k.consumer, &other.consumer).replace(&k.token, &other.token).replace(&k.secret, &other.secret);
    r.same("error-not-admin", &lab.maas_with(Some(&bob), "POST", "fabrics/", None, &[("name", "bobs")]));
    r.fields("users-whoami", &lab.maas("GET", "users/", Some("whoami"), &[]));
    r.fields("account-list-authorisation-tokens", &lab.maas("GET", "account/", Some("list_authorisation_tokens"), &[]));
    r.finish(12);
}

#[test]
fn missing_objects_and_operations_answer_as_recorded() {
    let Some(mut r) = recordings() else { return };
    let mut lab = Lab::new(&SimOptions::default());
    lab.serve_dhcp();
    let id = lab.commission("node01");
    r.same("error-bad-op", &lab.maas("GET", "machines/", Some("nosuch"), &[]));
    r.same("error-bad-op-post", &lab.maas("POST", &format!("machines/{id}/"), Some("nosuch"), &[]));
    r.same("error-method-not-allowed", &lab.maas("PUT", "machines/", None, &[("a", "1")]));
    r.same("error-missing-blockdevice", &lab.maas("GET", &format!("nodes/{id}/blockdevices/99999/"), None, &[]));
    r.same("error-missing-fabric", &lab.maas("GET", "fabrics/99999/", None, &[]));
    r.same("error-missing-machine", &lab.maas("GET", "machines/nosuch/", None, &[]));
    r.same("error-missing-subnet", &lab.maas("GET", "subnets/99999/", None, &[]));
    r.same("error-missing-tag", &lab.maas("GET", "tags/nosuch/", None, &[]));
    r.same("error-missing-url", &lab.maas("GET", "nothing/", None, &[]));
    r.same("error-missing-param", &lab.maas("POST", "subnets/", None, &[("name", "x")]));
    r.same("error-missing-param-mandatory", &lab.maas("POST", "maas/", Some("set_config"), &[("name", "x")]));
    r.same("maas-set-config", &lab.maas("POST", "maas/", Some("set_config"), &[("name", "upstream_dns"), ("value", "8.8.8.8")]));
    r.same("maas-set-config-bad-name", &lab.maas("POST", "maas/", Some("set_config"), &[("name", "nope"), ("value", "1")]));
    r.same_but(
        "maas-get-config-maas_name",
        &lab.maas("GET", "maas/", Some("get_config"), &[("name", "maas_name")]),
        &[("simulated", "live")],
    );
    r.finish(14);
}

#[test]
fn networks_answer_as_recorded() {
    let Some(mut r) = recordings() else { return };
    let mut lab = Lab::new(&SimOptions::default());
    lab.serve_dhcp();
    r.fields("fabrics", &lab.maas("GET", "fabrics/", None, &[]));
    let f = lab.maas("POST", "fabrics/", None, &[("name", "dc1"), ("description", "first"), ("class_type", "10g")]);
    r.fields("fabric-create", &f);
    let fid = f.body["id"].to_string();
    r.same("fabric-create-duplicate", &lab.maas("POST", "fabrics/", None, &[("name", "dc1")]));
    r.fields("fabric-read", &lab.maas("GET", &format!("fabrics/{fid}/"), None, &[]));
    r.fields("fabric-update", &lab.maas("PUT", &format!("fabrics/{fid}/"), None, &[("description", "second")]));
    let vlans = format!("fabrics/{fid}/vlans/");
    let v = lab.maas("POST", &vlans, None, &[("vid", "100"), ("name", "prod"), ("mtu", "9000")]);
    r.fields("vlan-create", &v);
    let vid = v.body["id"].to_string();
    r.same("vlan-create-bad-vid", &lab.maas("POST", &vlans, None, &[("vid", "5000")]));
    r.same("vlan-create-duplicate-vid", &lab.maas("POST", &vlans, None, &[("vid", "100"), ("name", "prod2")]));
    r.same("vlan-delete-in-use", &lab.maas("DELETE", &format!("{vlans}0/"), None, &[]));
    r.fields("vlan-read", &lab.maas("GET", &format!("{vlans}100/"), None, &[]));
    r.fields("vlan-read-by-id", &lab.maas("GET", &format!("vlans/{vid}/"), None, &[]));
    r.fields("vlans", &lab.maas("GET", &vlans, None, &[]));
    r.same("vlan-dhcp-on-no-rack", &lab.maas("PUT", &format!("{vlans}100/"), None, &[("dhcp_on", "true")]));
    let rack = lab.core.world.site.controller.clone();
    let elsewhere = lab.maas("PUT", &format!("{vlans}100/"), None, &[("dhcp_on", "true"), ("primary_rack", &rack)]);
    // Every simulated region has an id of its own.
    r.same_but("vlan-dhcp-on-rack-elsewhere", &elsewhere, &[(&rack, "qx8d88")]);
    r.fields("vlan-dhcp-on", &lab.maas("PUT", "fabrics/0/vlans/0/", None, &[("dhcp_on", "true"), ("primary_rack", &rack)]));
    r.fields("vlan-dhcp-off-on-default", &lab.maas("PUT", "fabrics/0/vlans/0/", None, &[("dhcp_on", "false")]));
    r.fields("space-create", &lab.maas("POST", "spaces/", None, &[("name", "space-a")]));
    r.fields("vlan-update-space", &lab.maas("PUT", &format!("{vlans}100/"), None, &[("space", "1")]));
    r.fields("space-read", &lab.maas("GET", "spaces/1/", None, &[]));
    r.fields("spaces", &lab.maas("GET", "spaces/", None, &[]));
    let create = [
        ("cidr", "192.168.50.0/24"),
        ("name", "prod-net"),
        ("vlan", vid.as_str()),
        ("gateway_ip", "192.168.50.1"),
        ("dns_servers", "8.8.8.8,1.1.1.1"),
    ];
    let s = lab.maas("POST", "subnets/", None, &create);
    r.fields("subnet-create", &s);
    assert_eq!(s.body["dns_servers"], serde_json::json!(["8.8.8.8", "1.1.1.1"]));
    let sid = s.body["id"].to_string();
    r.same("subnet-create-duplicate", &lab.maas("POST", "subnets/", None, &[("cidr", "192.168.50.0/24")]));
    r.same("subnet-create-bad-cidr", &lab.maas("POST", "subnets/", None, &[("cidr", "300.1.1.0/24")]));
    r.fields(
        "subnet-create-ipv6",
        &lab.maas(
            "POST",
            "subnets/",
            None,
            &[("cidr", "2001:db8:50::/64"), ("name", "prod-net6"), ("vlan", &vid), ("gateway_ip", "2001:db8:50::1")],
        ),
    );
    r.fields("subnet-read", &lab.maas("GET", &format!("subnets/{sid}/"), None, &[]));
    r.fields("subnet-read-by-cidr", &lab.maas("GET", "subnets/prod-net/", None, &[]));
    r.same("subnet-reserved_ip_ranges", &lab.maas("GET", &format!("subnets/{sid}/"), Some("reserved_ip_ranges"), &[]));
    r.same("subnet-unreserved_ip_ranges", &lab.maas("GET", &format!("subnets/{sid}/"), Some("unreserved_ip_ranges"), &[]));
    r.same("subnet-statistics", &lab.maas("GET", &format!("subnets/{sid}/"), Some("statistics"), &[]));
    r.same("subnet-ip_addresses", &lab.maas("GET", &format!("subnets/{sid}/"), Some("ip_addresses"), &[]));
    r.fields(
        "subnet-update",
        &lab.maas(
            "PUT",
            &format!("subnets/{sid}/"),
            None,
            &[("name", "prod-net-2"), ("rdns_mode", "1"), ("allow_proxy", "false"), ("managed", "true")],
        ),
    );
    r.fields("subnets", &lab.maas("GET", "subnets/", None, &[]));
    r.same("fabric-delete-in-use", &lab.maas("DELETE", &format!("fabrics/{fid}/"), None, &[]));
    let range = lab.maas(
        "POST",
        "ipranges/",
        None,
        &[("type", "reserved"), ("subnet", &sid), ("start_ip", "192.168.50.10"), ("end_ip", "192.168.50.20"), ("comment", "lb")],
    );
    r.fields("iprange-create-reserved", &range);
    r.fields(
        "iprange-create-dynamic",
        &lab.maas("POST", "ipranges/", None, &[("type", "dynamic"), ("start_ip", "192.168.50.100"), ("end_ip", "192.168.50.120")]),
    );
    r.same(
        "iprange-create-overlap",
        &lab.maas("POST", "ipranges/", None, &[("type", "reserved"), ("start_ip", "192.168.50.15"), ("end_ip", "192.168.50.30")]),
    );
    r.same(
        "iprange-create-no-subnet",
        &lab.maas("POST", "ipranges/", None, &[("type", "reserved"), ("start_ip", "172.31.0.1"), ("end_ip", "172.31.0.2")]),
    );
    let rid = format!("ipranges/{}/", range.body["id"]);
    r.fields("iprange-read", &lab.maas("GET", &rid, None, &[]));
    r.fields("iprange-update", &lab.maas("PUT", &rid, None, &[("end_ip", "192.168.50.21")]));
    r.fields("ipranges", &lab.maas("GET", "ipranges/", None, &[]));
    r.same("iprange-delete", &lab.maas("DELETE", &rid, None, &[]));
    let route =
        lab.maas("POST", "static-routes/", None, &[("source", "1"), ("destination", &sid), ("gateway_ip", "10.10.0.1"), ("metric", "10")]);
    r.fields("static-route-create", &route);
    r.same(
        "static-route-create-bad-gateway",
        &lab.maas("POST", "static-routes/", None, &[("source", "1"), ("destination", &sid), ("gateway_ip", "1.2.3.4")]),
    );
    let path = format!("static-routes/{}/", route.body["id"]);
    r.fields("static-route-read", &lab.maas("GET", &path, None, &[]));
    r.fields("static-route-update", &lab.maas("PUT", &path, None, &[("metric", "20")]));
    r.fields("static-routes", &lab.maas("GET", "static-routes/", None, &[]));
    r.same("static-route-delete", &lab.maas("DELETE", &path, None, &[]));
    r.same("space-delete", &lab.maas("DELETE", "spaces/1/", None, &[]));
    r.finish(45);
}

#[test]
fn site_objects_answer_as_recorded() {
    let Some(mut r) = recordings() else { return };
    let mut lab = Lab::new(&SimOptions::default());
    lab.serve_dhcp();
    let id = lab.commission("node01");
    let d = lab.maas("POST", "domains/", None, &[("name", "example.test"), ("ttl", "300"), ("authoritative", "true")]);
    r.same("domain-create", &d);
    r.same("domain-create-duplicate", &lab.maas("POST", "domains/", None, &[("name", "example.test")]));
    r.same("domain-read", &lab.maas("GET", "domains/1/", None, &[]));
    r.same("domain-update", &lab.maas("PUT", "domains/1/", None, &[("ttl", "600")]));
    r.same("domain-delete-default", &lab.maas("DELETE", "domains/0/", None, &[]));
    r.fields("domains", &lab.maas("GET", "domains/", None, &[]));
    r.same("domain-delete", &lab.maas("DELETE", "domains/1/", None, &[]));
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG8yVd6+nLq1Fq8v1wTqz4mGqJ0nq6mQ0cVqOqYw8e5B test@example";
    r.same("sshkey-create", &lab.maas("POST", "account/prefs/sshkeys/", None, &[("key", key)]));
    r.same("sshkey-create-duplicate", &lab.maas("POST", "account/prefs/sshkeys/", None, &[("key", key)]));
    r.same("sshkey-create-bad", &lab.maas("POST", "account/prefs/sshkeys/", None, &[("key", "zzz")]));
    r.same("sshkeys", &lab.maas("GET", "account/prefs/sshkeys/", None, &[]));
    r.same("sshkey-read", &lab.maas("GET", "account/prefs/sshkeys/1/", None, &[]));
    r.same("sshkey-delete", &lab.maas("DELETE", "account/prefs/sshkeys/1/", None, &[]));
    r.same("package-repositories", &lab.maas("GET", "package-repositories/", None, &[]));
    let repo = [
        ("name", "repo1"),
        ("url", "http://mirror.example/ubuntu"),
        ("distributions", "noble"),
        ("components", "main,universe"),
        ("arches", "amd64"),
        ("enabled", "true"),
    ];
    r.same("package-repository-create", &lab.maas("POST", "package-repositories/", None, &repo));
    r.same("package-repository-create-bad-url", &lab.maas("POST", "package-repositories/", None, &[("name", "repo2"), ("url", "nope")]));
    r.same("package-repository-read", &lab.maas("GET", "package-repositories/3/", None, &[]));
    r.same("package-repository-update", &lab.maas("PUT", "package-repositories/3/", None, &[("enabled", "false")]));
    r.same("package-repository-delete", &lab.maas("DELETE", "package-repositories/3/", None, &[]));
    r.same("tag-create", &lab.maas("POST", "tags/", None, &[("name", "fast"), ("comment", "fast ones"), ("kernel_opts", "nomodeset")]));
    r.same("tag-create-definition", &lab.maas("POST", "tags/", None, &[("name", "big"), ("definition", "//node")]));
    r.same("tag-create-duplicate", &lab.maas("POST", "tags/", None, &[("name", "fast")]));
    r.same("tag-create-bad-definition", &lab.maas("POST", "tags/", None, &[("name", "bad"), ("definition", "//[")]));
    r.same("tag-read", &lab.maas("GET", "tags/fast/", None, &[]));
    r.fields("tags", &lab.maas("GET", "tags/", None, &[]));
    r.fields("tag-update-nodes", &lab.maas("POST", "tags/fast/", Some("update_nodes"), &[("add", &id)]));
    r.fields("tag-machines", &lab.maas("GET", "tags/fast/", Some("machines"), &[]));
    r.same("tag-delete", &lab.maas("DELETE", "tags/big/", None, &[]));
    r.fields("boot-resources", &lab.maas("GET", "boot-resources/", None, &[]));
    r.fields("boot-resource-read", &lab.maas("GET", "boot-resources/1/", None, &[]));
    r.same("boot-resources-is-importing", &lab.maas("GET", "boot-resources/", Some("is_importing"), &[]));
    r.fields("rackcontrollers", &lab.maas("GET", "rackcontrollers/", None, &[]));
    r.fields("regioncontrollers", &lab.maas("GET", "regioncontrollers/", None, &[]));
    r.fields("events", &lab.maas("GET", "events/", Some("query"), &[("limit", "3")]));
    r.finish(34);
}

#[test]
fn machines_answer_as_recorded() {
    let Some(mut r) = recordings() else { return };
    let mut lab = Lab::new(&SimOptions::default());
    lab.serve_dhcp();
    let fresh = lab.enlist("node01");
    let m = format!("machines/{fresh}/");
    let c = lab.maas("POST", &m, Some("commission"), &[("skip_networking", "0"), ("testing_scripts", "none")]);
    r.fields("machine-commission", &c);
    assert_eq!((&c.body["status"], &c.body["owner"], &c.body["status_message"]), (&1.into(), &"admin".into(), &"Commissioning".into()));
    lab.tick(5000);
    r.fields("machine-ready", &lab.maas("GET", &m, None, &[]));
    r.fields("machines", &lab.maas("GET", "machines/", None, &[]));
    r.fields(
        "machines-filter-hostname",
        &lab.maas("GET", "machines/", None, &[("hostname", &lab.core.world.nodes[&fresh].hostname.clone())]),
    );
    let details = lab.maas("GET", &m, Some("details"), &[]);
    assert_eq!(details.content_type, "application/bson");
    let constraints = [("system_id", fresh.as_str()), ("agent_name", "test"), ("comment", "mine")];
    r.fields("machines-allocate", &lab.maas("POST", "machines/", Some("allocate"), &constraints));
    let again = lab.maas("POST", "machines/", Some("allocate"), &[("system_id", &fresh)]);
    r.same_but("machines-allocate-again", &again, &[(&fresh, "xna7aq")]);
    r.same(
        "machines-allocate-bad-constraint",
        &lab.maas("POST", "machines/", Some("allocate"), &[("system_id", &fresh), ("tags", "nosuchtag")]),
    );
    r.same("machines-allocate-none-match", &lab.maas("POST", "machines/", Some("allocate"), &[("cpu_count", "9999")]));
    r.fields("machine-allocated", &lab.maas("GET", &m, None, &[]));
    let bad = lab.maas("POST", &m, Some("deploy"), &[("distro_series", "nosuch")]);
    r.same_but("machine-deploy-bad-series", &bad, &[("'', 'ubuntu/noble'", "'', 'custom/my-img', 'ubuntu/jammy', 'ubuntu/noble'")]);
    r.same("machine-set-storage-layout-bad", &lab.maas("POST", &m, Some("set_storage_layout"), &[("storage_layout", "nope")]));
    r.fields("machine-deploy", &lab.maas("POST", &m, Some("deploy"), &[("distro_series", "noble"), ("user_data", "I2Nsb3VkLWNvbmZpZwo=")]));
    r.same("machine-deploy-while-deploying", &lab.maas("POST", &m, Some("deploy"), &[]));
    r.fields("machine-deploying", &lab.maas("GET", &m, None, &[]));
    lab.tick(10_000);
    let deployed = lab.maas("GET", &m, None, &[]);
    r.fields("machine-deployed", &deployed);
    assert_eq!(deployed.body["status_name"], "Deployed");
    assert_eq!(deployed.body["netboot"], false);
    assert_eq!(deployed.body["hwe_kernel"], "ga-24.04");
    r.same("machine-commission-when-deployed", &lab.maas("POST", &m, Some("commission"), &[]));
    r.fields("machine-deployed-interfaces", &lab.maas("GET", &format!("nodes/{fresh}/interfaces/"), None, &[]));
    let vlan = lab.maas("POST", &format!("nodes/{fresh}/interfaces/"), Some("create_vlan"), &[("parent", "1"), ("vlan", "1")]);
    r.same("interface-create-bond-when-deployed", &vlan);
    let disk = deployed.body["boot_disk"]["id"].to_string();
    let partition = lab.maas("POST", &format!("nodes/{fresh}/blockdevices/{disk}/partitions/"), None, &[("size", "1000000000")]);
    r.same("partition-create-when-deployed", &partition);
    r.fields("machine-lock", &lab.maas("POST", &m, Some("lock"), &[]));
    r.same("machine-release-locked", &lab.maas("POST", &m, Some("release"), &[]));
    r.fields("machine-unlock", &lab.maas("POST", &m, Some("unlock"), &[]));
    r.fields("machine-ipmi-query-power-state", &lab.maas("GET", &m, Some("query_power_state"), &[]));
    r.fields("machine-ipmi-release", &lab.maas("POST", &m, Some("release"), &[("erase", "false")]));
    lab.tick(5000);
    let released = lab.maas("GET", &m, None, &[]);
    r.fields("machine-released", &released);
    assert_eq!((&released.body["status_message"], &released.body["owner"]), (&"Released".into(), &Value::Null));
    r.fields("machine-release-when-ready", &lab.maas("POST", &m, Some("release"), &[]));
    r.same_but("machine-abort", &lab.maas("POST", &m, Some("abort"), &[]), &[(&fresh, "e8x8nr")]);
    let curtin = lab.maas("GET", &m, Some("get_curtin_config"), &[]);
    let hostname = released.body["hostname"].as_str().unwrap().to_owned();
    r.same_but("machine-get-curtin-config", &curtin, &[(&hostname, "node01")]);
    r.same("machine-ipmi-power-on-ready", &lab.maas("POST", &m, Some("power_on"), &[]));
    let mut broken = lab.maas("POST", &m, Some("mark_broken"), &[("comment", "b")]);
    r.fields("machine-mark-broken", &broken);
    assert_eq!((&broken.body["status"], &broken.body["error_description"]), (&8.into(), &"b".into()));
    broken = lab.maas("POST", &m, Some("mark_fixed"), &[]);
    r.fields("machine-mark-fixed", &broken);
    let update = [("hostname", "new01b"), ("zone", "default"), ("pool", "default"), ("description", "d"), ("min_hwe_kernel", "")];
    r.fields("machine-update", &lab.maas("PUT", &m, None, &update));
    let ipmi = lab.enlist("node02");
    r.fields("machine-ipmi-power-parameters", &lab.maas("GET", &format!("machines/{ipmi}/"), Some("power_parameters"), &[]));
    let a = ("architecture", "amd64/generic");
    r.same(
        "machine-create-bad-power-type",
        &lab.maas("POST", "machines/", None, &[a, ("mac_addresses", "52:54:00:11:22:38"), ("power_type", "zzz")]),
    );
    r.same(
        "machine-create-ipmi-missing-params",
        &lab.maas("POST", "machines/", None, &[a, ("mac_addresses", "52:54:00:11:22:37"), ("power_type", "ipmi")]),
    );
    r.same(
        "machine-create-no-arch",
        &lab.maas("POST", "machines/", None, &[("mac_addresses", "52:54:00:11:22:39"), ("power_type", "manual")]),
    );
    let manual = lab.maas(
        "POST",
        "machines/",
        None,
        &[
            a,
            ("mac_addresses", "52:54:00:11:22:33"),
            ("mac_addresses", "52:54:00:11:22:34"),
            ("power_type", "manual"),
            ("hostname", "new01"),
            ("commission", "false"),
        ],
    );
    r.fields("machine-create-manual", &manual);
    r.same(
        "machine-create-duplicate-mac",
        &lab.maas("POST", "machines/", None, &[a, ("mac_addresses", "52:54:00:11:22:33"), ("power_type", "manual")]),
    );
    r.same("machine-delete", &lab.maas("DELETE", &m, None, &[]));
    r.finish(39);
}

#[test]
fn interfaces_answer_as_recorded() {
    let Some(mut r) = recordings() else { return };
    let mut lab = Lab::new(&SimOptions::default());
    lab.serve_dhcp();
    let id = lab.commission("node01");
    let base = format!("nodes/{id}/interfaces/");
    let all = lab.maas("GET", &base, None, &[]);
    r.fields("interfaces", &all);
    let ids: Vec<String> = all.body.as_array().unwrap().iter().map(|i| i["id"].to_string()).collect();
    r.fields("interface-read", &lab.maas("GET", &format!("{base}{}/", ids[1]), None, &[]));
    r.same("interface-create-bond-no-parents", &lab.maas("POST", &base, Some("create_bond"), &[("name", "bond1")]));
    let apart = [("name", "bond0"), ("parents", ids[1].as_str()), ("parents", ids[2].as_str())];
    r.same("interface-create-bond-other-vlans", &lab.maas("POST", &base, Some("create_bond"), &apart));
    let fabric = lab.ok("POST", "fabrics/", None, &[("name", "dc1")]);
    let untagged = fabric["vlans"][0]["id"].to_string();
    let tagged =
        lab.ok("POST", &format!("fabrics/{}/vlans/", fabric["id"]), None, &[("vid", "100"), ("name", "prod"), ("mtu", "9000")])["id"]
            .to_string();
    let subnet = lab.ok(
        "POST",
        "subnets/",
        None,
        &[("cidr", "192.168.50.0/24"), ("name", "prod-net-2"), ("vlan", &tagged), ("gateway_ip", "192.168.50.1")],
    )["id"]
        .to_string();
    for (i, name) in [(1, "interface-update-vlan-eth1"), (2, "interface-update-vlan-eth2")] {
        let u = lab.maas("PUT", &format!("{base}{}/", ids[i]), None, &[("vlan", &untagged)]);
        r.fields(name, &u);
        assert_eq!(u.body["links"], serde_json::json!([]), "a moved interface loses its links");
    }
    let bond = lab.maas(
        "POST",
        &base,
        Some("create_bond"),
        &[
            ("name", "bond0"),
            ("parents", &ids[1]),
            ("parents", &ids[2]),
            ("bond_mode", "802.3ad"),
            ("bond_miimon", "100"),
            ("bond_lacp_rate", "fast"),
            ("bond_xmit_hash_policy", "layer3+4"),
            ("mtu", "9000"),
        ],
    );
    r.fields("interface-create-bond", &bond);
    let recorded = r.load("interface-create-bond")["body"].clone();
    assert_eq!(bond.body["params"], recorded["params"]);
    assert_eq!(bond.body["links"][0]["mode"], "link_up");
    let bid = bond.body["id"].to_string();
    let v = lab.maas("POST", &base, Some("create_vlan"), &[("parent", &bid), ("vlan", &tagged), ("mtu", "1500")]);
    r.fields("interface-create-vlan", &v);
    assert_eq!(v.body["name"], "bond0.100");
    let again = lab.maas("POST", &base, Some("create_vlan"), &[("parent", &bid), ("vlan", &tagged)]);
    let host = lab.core.world.nodes[&id].hostname.clone();
    r.same_but("interface-create-vlan-duplicate", &again, &[(&id, "xna7aq"), (&host, "node01")]);
    let vid = v.body["id"].to_string();
    let bridge = lab.maas(
        "POST",
        &base,
        Some("create_bridge"),
        &[("name", "br0"), ("parent", &vid), ("bridge_type", "standard"), ("bridge_stp", "false")],
    );
    r.fields("interface-create-bridge", &bridge);
    assert_eq!(bridge.body["params"], r.load("interface-create-bridge")["body"]["params"]);
    let path = format!("{base}{}/", bridge.body["id"]);
    r.same("interface-link-subnet-bad-mode", &lab.maas("POST", &path, Some("link_subnet"), &[("mode", "NOPE"), ("subnet", &subnet)]));
    let linked = lab.maas(
        "POST",
        &path,
        Some("link_subnet"),
        &[("mode", "STATIC"), ("subnet", &subnet), ("ip_address", "192.168.50.60"), ("default_gateway", "true")],
    );
    r.fields("interface-link-subnet-static", &linked);
    assert_eq!(linked.body["links"].as_array().map(Vec::len), Some(1), "the address replaces link_up");
    let taken = lab.maas(
        "POST",
        &format!("{base}{}/", ids[0]),
        Some("link_subnet"),
        &[("mode", "STATIC"), ("subnet", &subnet), ("ip_address", "192.168.50.60"), ("force", "true")],
    );
    r.same("interface-link-subnet-ip-taken", &taken);
    let link = linked.body["links"][0]["id"].to_string();
    r.fields("interface-set-default-gateway", &lab.maas("POST", &path, Some("set_default_gateway"), &[("link_id", &link)]));
    let full = lab.maas("GET", &base, None, &[]);
    r.fields("interfaces-bond-vlan-bridge", &full);
    let mtus: Vec<(String, i64)> = full
        .body
        .as_array()
        .unwrap()
        .iter()
        .map(|i| (i["name"].as_str().unwrap().to_owned(), i["effective_mtu"].as_i64().unwrap()))
        .collect();
    assert!(mtus.contains(&("bond0.100".into(), 9000)) && mtus.contains(&("bond0".into(), 9000)), "{mtus:?}");
    assert_eq!(full.body[1]["links"], serde_json::json!([]), "a bond takes the links of its parents");
    let machine = lab.maas("GET", &format!("machines/{id}/"), None, &[]);
    assert_eq!(machine.body["ip_addresses"], serde_json::json!(["192.168.50.60"]));
    assert_eq!(machine.body["default_gateways"]["ipv4"]["gateway_ip"], "192.168.50.1");
    assert_eq!(machine.body["default_gateways"]["ipv4"]["link_id"].to_string(), link);
    r.fields("interface-update-bond", &lab.maas("PUT", &format!("{base}{bid}/"), None, &[("bond_mode", "balance-rr")]));
    r.same("interface-delete-bond-parent", &lab.maas("DELETE", &format!("{base}{}/", ids[1]), None, &[]));
    r.fields("interfaces-after-bond-parent-delete", &lab.maas("GET", &base, None, &[]));
    r.finish(18);
}

#[test]
fn storage_answers_as_recorded() {
    let Some(mut r) = recordings() else { return };
    let mut lab = Lab::new(&SimOptions::default());
    lab.serve_dhcp();
    let id = lab.commission("node01");
    let m = format!("machines/{id}/");
    r.fields("blockdevices", &lab.maas("GET", &format!("nodes/{id}/blockdevices/"), None, &[]));
    r.fields("machine-set-storage-layout-blank", &lab.maas("POST", &m, Some("set_storage_layout"), &[("storage_layout", "blank")]));
    let disks = lab.ok("GET", &m, None, &[])["physicalblockdevice_set"].clone();
    let (sda, sdb) = (disks[0]["id"].to_string(), disks[1]["id"].to_string());
    assert_eq!(disks[0]["available_size"], 479_991_955_456_u64);
    let dev = format!("nodes/{id}/blockdevices/{sda}/");
    let parts = format!("{dev}partitions/");
    r.fields("partition-create-efi", &lab.maas("POST", &parts, None, &[("size", "536870912"), ("bootable", "true")]));
    let root = lab.maas("POST", &parts, None, &[("size", "100000000000")]);
    r.fields("partition-create-root", &root);
    assert_eq!(root.body["size"], 99_996_401_664_u64);
    r.same("partition-create-too-big", &lab.maas("POST", &parts, None, &[("size", "1000000000000000")]));
    let p = root.body["resource_uri"].as_str().unwrap().trim_start_matches("/MAAS/api/2.0/").to_owned();
    r.same("partition-format-bad-fstype", &lab.maas("POST", &p, Some("format"), &[("fstype", "zzz")]));
    let formatted = lab.maas("POST", &p, Some("format"), &[("fstype", "ext4"), ("label", "root")]);
    r.fields("partition-format-root", &formatted);
    assert_eq!(formatted.body["used_for"], "Unmounted ext4 formatted filesystem");
    r.fields("partition-mount-root", &lab.maas("POST", &p, Some("mount"), &[("mount_point", "/"), ("mount_options", "noatime")]));
    r.fields("partition-mount-again", &lab.maas("POST", &p, Some("mount"), &[("mount_point", "/")]));
    r.fields("partition-read", &lab.maas("GET", &p, None, &[]));
    r.fields("partitions", &lab.maas("GET", &parts, None, &[]));
    let whole = lab.maas("GET", &dev, None, &[]);
    r.fields("blockdevice-with-partitions", &whole);
    let recorded = r.load("blockdevice-with-partitions")["body"].clone();
    for field in ["available_size", "used_size", "used_for", "partition_table_type", "size"] {
        assert_eq!(whole.body[field], recorded[field], "{field}");
    }
    r.same("blockdevice-set-boot-disk", &lab.maas("POST", &dev, Some("set_boot_disk"), &[]));
    r.fields("blockdevice-add-tag", &lab.maas("POST", &dev, Some("add_tag"), &[("tag", "ssd-fast")]));
    r.fields("blockdevice-update", &lab.maas("PUT", &dev, None, &[("model", "M2")]));
    let groups = format!("nodes/{id}/volume-groups/");
    let g = lab.maas("POST", &groups, None, &[("name", "vg0"), ("block_devices", &sdb)]);
    r.fields("volume-group-create", &g);
    let size = g.body["size"].as_u64().unwrap();
    let in_use = lab.maas("POST", &groups, None, &[("name", "vg1"), ("block_devices", &sdb)]);
    r.same_but("volume-group-create-disk-in-use", &in_use, &[(&format!("choice. {sdb} is"), "choice. 3 is")]);
    let group = format!("nodes/{id}/volume-group/{}/", g.body["id"]);
    let lv = lab.maas("POST", &group, Some("create_logical_volume"), &[("name", "lv0"), ("size", "200000000000")]);
    r.fields("logical-volume-create", &lv);
    assert_eq!(lv.body["size"], 199_996_997_632_u64);
    assert_eq!(lv.body["available_size"], 199_988_609_024_u64);
    let too_big = lab.maas("POST", &group, Some("create_logical_volume"), &[("name", "lv1"), ("size", "1000000000000000")]);
    r.same_but("logical-volume-create-too-big", &too_big, &[(&(size - 199_996_997_632).to_string(), "1719995990016")]);
    let volume = format!("nodes/{id}/blockdevices/{}/", lv.body["id"]);
    r.fields("logical-volume-format", &lab.maas("POST", &volume, Some("format"), &[("fstype", "xfs")]));
    r.fields("logical-volume-mount", &lab.maas("POST", &volume, Some("mount"), &[("mount_point", "/srv")]));
    r.fields("volume-group", &lab.maas("GET", &group, None, &[]));
    r.fields("volume-groups", &lab.maas("GET", &groups, None, &[]));
    r.fields("blockdevices-full", &lab.maas("GET", &format!("nodes/{id}/blockdevices/"), None, &[]));
    r.fields("machine-ready-configured", &lab.maas("GET", &m, None, &[]));
    r.finish(24);
}
