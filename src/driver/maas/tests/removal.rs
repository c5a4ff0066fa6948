//! Removal of site resources: what has changed or is in use is left alone.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::machine_actions::machine;
use super::server::{Recorded, Server, recorded};
use super::site_actions::{call, dc1, fabrics, failed, observe};
use crate::action::ActionKind;
use crate::action::params::{DhcpService, SiteRemoval, SubnetValues, TagValues, VlanValues};
use crate::build::RangeUse;
use crate::driver::{Call, Driver, ErrorClass, Observation};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn remove(removal: &SiteRemoval) -> Call {
    call(ActionKind::DeleteNetworkTemplate, removal)
}

fn list(path: &str, objects: Vec<Value>) -> Recorded {
    Recorded::made("GET", path, None, Value::Array(objects))
}

/// The recorded site, with nothing in the subnet and VLAN that the recordings create.
fn emptied() -> Vec<Recorded> {
    let first = recorded("subnets").body[0].clone();
    let mut racks = recorded("rackcontrollers");
    racks.body[0]["interface_set"] = json!([]);
    vec![
        fabrics(&[dc1()]),
        list("subnets/", vec![first, recorded("subnet-create").body]),
        list("ipranges/", vec![]),
        list("static-routes/", vec![]),
        machine(4, "Ready", Value::Null),
        racks,
        recorded("tags"),
        recorded("sshkeys"),
    ]
}

fn deletion(path: &str) -> Recorded {
    Recorded { status: 204, content_type: "text/plain".into(), ..Recorded::made("DELETE", path, None, json!("")) }
}

fn subnet() -> SiteRemoval {
    let body = recorded("subnet-create").body;
    let servers = body["dns_servers"].as_array().unwrap().iter().map(|s| ip(s.as_str().unwrap())).collect();
    let before = SubnetValues {
        name: body["name"].as_str().unwrap().into(),
        fabric: "dc1".into(),
        vid: 100,
        gateway: Some(ip("192.168.50.1")),
        dns_servers: servers,
    };
    SiteRemoval::Subnet { cidr: "192.168.50.0/24".parse().unwrap(), before }
}

fn vlan() -> SiteRemoval {
    SiteRemoval::Vlan { fabric: "dc1".into(), vid: 100, before: VlanValues { name: "prod".into(), mtu: 9000, space: None } }
}

fn fabric() -> SiteRemoval {
    SiteRemoval::Fabric { id: dc1()["id"].as_u64().unwrap(), name: "dc1".into() }
}

fn replace(mut answers: Vec<Recorded>, with: Recorded) -> Vec<Recorded> {
    let at = answers.iter().position(|a| a.path == with.path).unwrap();
    answers[at] = with;
    answers
}

async fn refusal(answers: Vec<Recorded>, removal: &SiteRemoval) -> String {
    let server = Server::start(answers).await;
    let error = failed(observe(&server, &remove(removal)).await);
    assert_eq!(server.driver().begin(&remove(removal)).await.unwrap_err(), error);
    assert_eq!((error.class, server.changes()), (ErrorClass::Precondition, vec![]));
    error.message
}

#[tokio::test]
async fn one_call_removes_what_is_still_ours_and_unused() {
    let without_subnets = || replace(emptied(), list("subnets/", vec![recorded("subnets").body[0].clone()]));
    let only_untagged = || replace(without_subnets(), fabrics(&[recorded("fabric-create").body]));
    let range = recorded("iprange-create-dynamic").body;
    let route = recorded("static-route-create").body;
    let tag = recorded("tags").body[0].clone();
    let key = recorded("sshkeys").body[0].clone();
    let text = |v: &Value, name: &str| v[name].as_str().unwrap().to_owned();
    let fabric_id = &dc1()["id"];
    let cases: Vec<(SiteRemoval, Vec<Recorded>, String)> = vec![
        (subnet(), emptied(), format!("subnets/{}/", recorded("subnet-create").body["id"])),
        (vlan(), without_subnets(), format!("fabrics/{fabric_id}/vlans/100/")),
        (fabric(), only_untagged(), format!("fabrics/{fabric_id}/")),
        (
            SiteRemoval::Range {
                subnet: text(&range["subnet"], "cidr").parse().unwrap(),
                kind: RangeUse::Dynamic,
                start: ip(&text(&range, "start_ip")),
                end: ip(&text(&range, "end_ip")),
            },
            replace(emptied(), list("ipranges/", vec![range.clone()])),
            format!("ipranges/{}/", range["id"]),
        ),
        (
            SiteRemoval::Route {
                source: text(&route["source"], "cidr").parse().unwrap(),
                destination: text(&route["destination"], "cidr").parse().unwrap(),
                gateway: ip(&text(&route, "gateway_ip")),
                metric: 10,
            },
            replace(emptied(), list("static-routes/", vec![route.clone()])),
            format!("static-routes/{}/", route["id"]),
        ),
        (
            SiteRemoval::Tag {
                name: text(&tag, "name"),
                before: TagValues { definition: text(&tag, "definition"), kernel_opts: text(&tag, "kernel_opts") },
            },
            replace(emptied(), list("machines/", vec![])),
            format!("tags/{}/", text(&tag, "name")),
        ),
        (SiteRemoval::SshKey { key: text(&key, "key") }, emptied(), format!("account/prefs/sshkeys/{}/", key["id"])),
    ];
    for (removal, mut answers, path) in cases {
        answers.push(deletion(&path));
        let server = Server::start(answers).await;
        assert_eq!(observe(&server, &remove(&removal)).await, Observation::NotStarted, "{path}");
        server.driver().begin(&remove(&removal)).await.unwrap();
        let sent: Vec<(String, String)> = server.changes().into_iter().map(|a| (a.method, a.path)).collect();
        assert_eq!(sent, [("DELETE".to_owned(), path.clone())]);
        // What is gone is done.
        let bare =
            ["fabrics/", "subnets/", "ipranges/", "static-routes/", "machines/", "rackcontrollers/", "tags/", "account/prefs/sshkeys/"];
        let nothing = Server::start(bare.iter().map(|p| list(p, vec![])).collect()).await;
        assert_eq!(observe(&nothing, &remove(&removal)).await, Observation::done(), "{path}");
    }
}

#[tokio::test]
async fn dhcp_is_switched_off_unless_a_machine_gets_its_address_by_it() {
    let mut on = dc1();
    on["vlans"][1]["dhcp_on"] = json!(true);
    let vlan_id = on["vlans"][1]["id"].clone();
    let dhcp = SiteRemoval::Dhcp { fabric: "dc1".into(), vid: 100, service: DhcpService::Rack };
    let path = format!("fabrics/{}/vlans/100/", on["id"]);
    let put = Recorded::made("PUT", &path, None, json!({}));
    let server = Server::start([replace(emptied(), fabrics(&[on.clone()])), vec![put]].concat()).await;
    server.driver().begin(&remove(&dhcp)).await.unwrap();
    assert_eq!(server.changes()[0].params, [("dhcp_on".to_owned(), "false".to_owned())]);

    let user = json!({"interface_set": [{"id": 1, "name": "eth0", "type": "physical", "vlan": {"id": vlan_id}, "links": [{"id": 2, "mode": "dhcp"}]}]});
    let answers = replace(replace(emptied(), fabrics(&[on])), machine(6, "Deployed", user));
    let said = refusal(answers, &dhcp).await;
    assert_eq!(said, "DHCP on VLAN 100 of fabric dc1 is still in use and is left alone: eth0 of machine node01 (xna7aq)");
    assert_eq!(observe(&Server::start(emptied()).await, &remove(&dhcp)).await, Observation::done());
}

#[tokio::test]
async fn what_is_in_use_or_was_changed_is_left_alone() {
    let sid = recorded("subnet-create").body["id"].clone();
    let vid = dc1()["vlans"][1]["id"].clone();
    let at = |links: Value| json!({"interface_set": [{"id": 1, "name": "eth0", "type": "physical", "vlan": {"id": vid}, "links": links}]});
    let linked = at(json!([{"id": 2, "mode": "static", "ip_address": "192.168.50.9", "subnet": recorded("subnet-create").body}]));
    let said = refusal(replace(emptied(), machine(6, "Deployed", linked)), &subnet()).await;
    assert_eq!(said, "subnet 192.168.50.0/24 is still in use and is left alone: eth0 of machine node01 (xna7aq)");
    let range = list("ipranges/", vec![recorded("iprange-create-dynamic").body]);
    assert!(refusal(replace(emptied(), range), &subnet()).await.ends_with("range 192.168.50.100 to 192.168.50.120 is in it"));
    let route = list("static-routes/", vec![recorded("static-route-create").body]);
    assert!(refusal(replace(emptied(), route), &subnet()).await.contains("a static route through"));
    let mut renamed = recorded("subnet-create").body;
    renamed["name"] = json!("theirs");
    let said = refusal(replace(emptied(), list("subnets/", vec![renamed])), &subnet()).await;
    assert!(said.contains("changed since the plan was made, and is left alone: it is named theirs"), "{said}");

    assert!(refusal(emptied(), &vlan()).await.ends_with("subnet 192.168.50.0/24 is in it"), "{sid}");
    let without = replace(emptied(), list("subnets/", vec![]));
    let said = refusal(replace(without.clone(), machine(4, "Ready", at(json!([])))), &vlan()).await;
    assert!(said.ends_with("VLAN 100 of fabric dc1 is still in use and is left alone: eth0 of machine node01 (xna7aq)"), "{said}");
    let mut racks = recorded("rackcontrollers");
    racks.body[0]["interface_set"][0]["vlan"] = json!({"id": vid});
    assert!(refusal(replace(without.clone(), racks), &vlan()).await.contains("rack controller"));
    let mut other = dc1();
    other["vlans"][1]["mtu"] = json!(1500);
    assert!(refusal(replace(without.clone(), fabrics(&[other])), &vlan()).await.contains("it is named prod, with MTU 1500"));

    assert!(refusal(without.clone(), &fabric()).await.ends_with("VLAN 100 is in it"));
    let mut named = recorded("fabric-create").body;
    named["name"] = json!("theirs");
    assert!(refusal(replace(without, fabrics(&[named])), &fabric()).await.ends_with("it is named theirs"));

    let tag = |definition: &str| SiteRemoval::Tag {
        name: "fast".into(),
        before: TagValues { definition: definition.into(), kernel_opts: String::new() },
    };
    let tags = |definition: &str| list("tags/", vec![json!({"name": "fast", "definition": definition})]);
    let tagged = || machine(4, "Ready", json!({"tag_names": ["fast"]}));
    let said = refusal(replace(replace(emptied(), tags("")), tagged()), &tag("")).await;
    assert!(said.ends_with("machine node01 (xna7aq)"), "{said}");
    assert!(refusal(replace(emptied(), tags("//other")), &tag("//node")).await.contains("another definition"));
}
