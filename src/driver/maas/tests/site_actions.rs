use std::net::IpAddr;

use serde::Serialize;
use serde_json::{Value, json};

use super::super::DesignSecrets;
use super::server::{Asked, Recorded, Server, recorded};
use crate::action::ActionKind;
use crate::action::params::{
    BootMediaParams, DhcpService, FabricBefore, NetworkResource, RepositoryParams, RepositoryValues, SshKeyParams, SubnetValues, TagParams,
    TagValues, VerifySite, VlanValues,
};
use crate::build::{Binding, RangeUse};
use crate::driver::{Begun, Call, Driver, DriverError, ErrorClass, Observation};
use crate::redact::Secret;

pub(super) fn call(kind: ActionKind, params: &impl Serialize) -> Call {
    Call {
        action: "a1b2".into(),
        site: "site1".into(),
        kind,
        resource: "thing".into(),
        node: None,
        params: serde_json::to_value(params).unwrap(),
        binding: Binding::default(),
        begun: false,
        before: None,
    }
}

pub(super) async fn observe(server: &Server, call: &Call) -> Observation {
    server.driver().observe(std::slice::from_ref(call)).await.remove(0).unwrap()
}

pub(super) fn failed(observation: Observation) -> DriverError {
    match observation {
        Observation::Failed(error) => error,
        other => panic!("not failed: {other:?}"),
    }
}

/// The fabric that the recordings create, with both of its VLANs.
pub(super) fn dc1() -> Value {
    let mut fabric = recorded("fabric-create").body;
    fabric["vlans"].as_array_mut().unwrap().push(recorded("vlan-create").body);
    fabric
}

/// `fabrics/` with the recorded ones and more.
pub(super) fn fabrics(more: &[Value]) -> Recorded {
    let mut list = recorded("fabrics");
    list.body.as_array_mut().unwrap().extend(more.iter().cloned());
    list
}

fn listed(name: &str, path: &str, objects: Vec<Value>) -> Recorded {
    let mut list = recorded(name).at("GET", path, None);
    list.body = Value::Array(objects);
    list
}

/// Begins; the one change must be the recorded one, by method, path, operation and parameters (but for the named ones).
async fn begins_as(name: &str, lists: Vec<Recorded>, resource: &NetworkResource, but_for: &[&str]) {
    let expected = recorded(name);
    let server = Server::start([lists, vec![expected.clone()]].concat()).await;
    let call = call(ActionKind::CreateNetworkTemplate, resource);
    assert_eq!(observe(&server, &call).await, Observation::NotStarted, "{name}");
    assert_eq!(server.driver().begin(&call).await.unwrap(), Begun::Complete);
    let changes = server.changes();
    assert_eq!(changes.len(), 1, "{name}: {changes:?}");
    let change = &changes[0];
    assert_eq!((&change.method, &change.path, &change.op), (&expected.method, &expected.path, &expected.op));
    let only = |form: Vec<(String, String)>| form.into_iter().filter(|(n, _)| !but_for.contains(&n.as_str())).collect::<Vec<_>>();
    assert_eq!(only(change.form()), only(expected.form()), "{name}");
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn prod() -> SubnetValues {
    SubnetValues {
        name: "prod-net".into(),
        fabric: "dc1".into(),
        vid: 100,
        gateway: Some(ip("192.168.50.1")),
        dns_servers: vec![ip("8.8.8.8"), ip("1.1.1.1")],
    }
}

#[tokio::test]
async fn creates_networks_with_the_recorded_parameters() {
    let fabric = NetworkResource::Fabric { name: "dc1".into(), before: None };
    begins_as("fabric-create", vec![fabrics(&[])], &fabric, &["description", "class_type"]).await;

    let after = VlanValues { name: "prod".into(), mtu: 9000, space: None };
    let vlan = NetworkResource::Vlan { fabric: "dc1".into(), vid: 100, after, before: None };
    begins_as("vlan-create", vec![fabrics(&[recorded("fabric-create").body])], &vlan, &[]).await;

    let cidr = "192.168.50.0/24".parse().unwrap();
    let subnet = NetworkResource::Subnet { cidr, after: prod(), before: None };
    let first = || recorded("subnets").body[0].clone();
    begins_as("subnet-create", vec![fabrics(&[dc1()]), listed("subnets", "subnets/", vec![first()])], &subnet, &[]).await;

    let range = |kind, start, end| NetworkResource::Range { subnet: cidr, kind, start: ip(start), end: ip(end), dns_servers: vec![] };
    let ranges = |n: usize| listed("ipranges", "ipranges/", recorded("ipranges").body.as_array().unwrap()[..n].to_vec());
    let reserved = range(RangeUse::Reserved, "192.168.50.10", "192.168.50.20");
    begins_as("iprange-create-reserved", vec![recorded("subnets"), ranges(1)], &reserved, &["comment"]).await;
    // The subnet is always said; MAAS would look for it.
    let dynamic = range(RangeUse::Dynamic, "192.168.50.100", "192.168.50.120");
    begins_as("iprange-create-dynamic", vec![recorded("subnets"), ranges(2)], &dynamic, &["subnet"]).await;

    let route = NetworkResource::Route {
        source: "10.10.0.0/24".parse().unwrap(),
        destination: cidr,
        gateway: ip("10.10.0.1"),
        metric: 10,
        before: None,
    };
    begins_as("static-route-create", vec![recorded("subnets"), listed("static-routes", "static-routes/", vec![])], &route, &[]).await;

    let domain = NetworkResource::Domain { name: "example.test".into() };
    begins_as("domain-create", vec![recorded("domains")], &domain, &["ttl", "authoritative"]).await;
}

#[tokio::test]
async fn what_is_there_is_done() {
    let server =
        Server::start(vec![fabrics(&[dc1()]), recorded("subnets"), recorded("ipranges"), recorded("static-routes"), recorded("domains")])
            .await;
    let cidr = "192.168.50.0/24".parse().unwrap();
    let resources = [
        NetworkResource::Fabric { name: "dc1".into(), before: None },
        NetworkResource::Vlan {
            fabric: "dc1".into(),
            vid: 100,
            after: VlanValues { name: "prod".into(), mtu: 9000, space: None },
            before: Some(VlanValues { name: "old".into(), mtu: 1500, space: None }),
        },
        NetworkResource::Vlan {
            fabric: "fabric-0".into(),
            vid: 0,
            after: VlanValues { name: "untagged".into(), mtu: 1500, space: None },
            before: None,
        },
        NetworkResource::Subnet { cidr, after: prod(), before: None },
        NetworkResource::Range {
            subnet: cidr,
            kind: RangeUse::Dynamic,
            start: ip("192.168.50.100"),
            end: ip("192.168.50.120"),
            dns_servers: vec![],
        },
        NetworkResource::Route {
            source: "10.10.0.0/24".parse().unwrap(),
            destination: cidr,
            gateway: ip("10.10.0.1"),
            metric: 10,
            before: Some(99),
        },
        NetworkResource::Domain { name: "maas".into() },
    ];
    let calls: Vec<Call> = resources.iter().map(|r| call(ActionKind::CreateNetworkTemplate, r)).collect();
    for (call, seen) in calls.iter().zip(server.driver().observe(&calls).await) {
        assert_eq!(seen.unwrap(), Observation::done(), "{}", call.params);
    }
    let mut lists: Vec<String> = server.asked().iter().map(|a| a.path.clone()).collect();
    lists.sort();
    assert_eq!(lists, ["domains/", "fabrics/", "ipranges/", "static-routes/", "subnets/"], "one list per collection for all waiters");
}

#[tokio::test]
async fn what_somebody_else_changed_is_not_overwritten() {
    let lists = || vec![fabrics(&[dc1()]), recorded("subnets"), recorded("ipranges"), recorded("static-routes")];
    let cidr = "192.168.50.0/24".parse().unwrap();
    let before = SubnetValues { name: "older".into(), ..prod() };
    let after = SubnetValues { name: "newer".into(), ..prod() };
    for (resource, said) in [
        (
            NetworkResource::Subnet { cidr, after: after.clone(), before: Some(before) },
            "name is \"prod-net\", expected \"older\" or \"newer\"",
        ),
        (NetworkResource::Subnet { cidr, after, before: None }, "name is \"prod-net\", expected \"newer\""),
        (
            NetworkResource::Vlan {
                fabric: "dc1".into(),
                vid: 100,
                after: VlanValues { name: "prod".into(), mtu: 1500, space: None },
                before: Some(VlanValues { name: "prod".into(), mtu: 4000, space: None }),
            },
            "MTU is 9000, expected 4000 or 1500",
        ),
        (
            NetworkResource::Range {
                subnet: cidr,
                kind: RangeUse::Reserved,
                start: ip("192.168.50.15"),
                end: ip("192.168.50.30"),
                dns_servers: vec![],
            },
            "overlaps",
        ),
        (
            NetworkResource::Fabric { name: "dc9".into(), before: Some(FabricBefore { id: 9, name: "fabric-9".into() }) },
            "fabric 9 is named dc1 now, expected fabric-9 or dc9",
        ),
        (
            NetworkResource::Fabric { name: "dc1".into(), before: Some(FabricBefore { id: 1, name: "fabric-1".into() }) },
            "another fabric (id 9) has the name dc1",
        ),
        (NetworkResource::Fabric { name: "x".into(), before: Some(FabricBefore { id: 77, name: "gone".into() }) }, "no longer there"),
    ] {
        let server = Server::start(lists()).await;
        let call = call(ActionKind::CreateNetworkTemplate, &resource);
        let error = failed(observe(&server, &call).await);
        assert_eq!(error.class, ErrorClass::Precondition, "{error}");
        assert!(error.message.contains(said), "{error}");
        assert_eq!(server.driver().begin(&call).await.unwrap_err().class, ErrorClass::Precondition);
        assert_eq!(server.changes(), [], "nothing was done");
    }
}

#[tokio::test]
async fn updates_send_only_what_changes() {
    let cidr = "192.168.50.0/24".parse().unwrap();
    let before = SubnetValues { gateway: None, dns_servers: vec![ip("8.8.8.8"), ip("1.1.1.1")], ..prod() };
    let mut now = recorded("subnets").body[1].clone();
    now["gateway_ip"] = Value::Null;
    let server = Server::start(vec![
        fabrics(&[dc1()]),
        listed("subnets", "subnets/", vec![now]),
        recorded("subnet-create").at("PUT", "subnets/2/", None),
    ])
    .await;
    let wanted = call(ActionKind::CreateNetworkTemplate, &NetworkResource::Subnet { cidr, after: prod(), before: Some(before) });
    server.driver().begin(&wanted).await.unwrap();
    assert_eq!(server.changes()[0].form(), [("gateway_ip".to_owned(), "192.168.50.1".to_owned())]);

    let adopt = NetworkResource::Fabric { name: "pxe".into(), before: Some(FabricBefore { id: 1, name: "fabric-1".into() }) };
    let server = Server::start(vec![fabrics(&[]), recorded("fabric-update").at("PUT", "fabrics/1/", None)]).await;
    server.driver().begin(&call(ActionKind::CreateNetworkTemplate, &adopt)).await.unwrap();
    assert_eq!(server.changes()[0].form(), [("name".to_owned(), "pxe".to_owned())]);

    // A fabric of this plan comes with an untagged VLAN that no plan has seen.
    let vlan = NetworkResource::Vlan {
        fabric: "dc1".into(),
        vid: 0,
        after: VlanValues { name: "untagged".into(), mtu: 9100, space: None },
        before: None,
    };
    let server = Server::start(vec![fabrics(&[dc1()]), recorded("vlan-create").at("PUT", "fabrics/9/vlans/0/", None)]).await;
    server.driver().begin(&call(ActionKind::CreateNetworkTemplate, &vlan)).await.unwrap();
    assert_eq!(server.changes()[0].form(), [("mtu".to_owned(), "9100".to_owned())]);
}

/// The recorded rack controller as it is when it is connected.
fn connected() -> Recorded {
    let mut racks = recorded("rackcontrollers");
    for service in racks.body[0]["service_set"].as_array_mut().unwrap() {
        service["status"] = json!("running");
    }
    racks
}

fn without_dhcp(vlan: &Value) -> Recorded {
    let mut list = fabrics(&[]);
    list.body[0]["vlans"][0]["dhcp_on"] = json!(false);
    if let Some(fields) = vlan.as_object() {
        for (name, value) in fields {
            list.body[0]["vlans"][0][name] = value.clone();
        }
    }
    list
}

#[tokio::test]
async fn dhcp_is_switched_on_where_a_healthy_rack_controller_is() {
    let rack = |fabric: &str| NetworkResource::Dhcp { fabric: fabric.into(), vid: 0, service: DhcpService::Rack };
    begins_as("vlan-dhcp-on", vec![without_dhcp(&Value::Null), connected()], &rack("fabric-0"), &[]).await;

    let server = Server::start(vec![fabrics(&[]), connected()]).await;
    assert_eq!(observe(&server, &call(ActionKind::CreateNetworkTemplate, &rack("fabric-0"))).await, Observation::done());

    for (lists, fabric, class, said) in [
        (vec![without_dhcp(&Value::Null), recorded("rackcontrollers")], "fabric-0", ErrorClass::NotReady, "vm (rackd is unknown)"),
        (
            vec![fabrics(&[]), connected()],
            "fabric-1",
            ErrorClass::NotReady,
            "no rack controller has an interface in VLAN 0 of fabric fabric-1",
        ),
        (
            vec![without_dhcp(&json!({"external_dhcp": "10.10.0.77"})), connected()],
            "fabric-0",
            ErrorClass::Precondition,
            "a DHCP server that is not its own (10.10.0.77)",
        ),
    ] {
        let server = Server::start(lists).await;
        let error = failed(observe(&server, &call(ActionKind::CreateNetworkTemplate, &rack(fabric))).await);
        assert_eq!(error.class, class, "{error}");
        assert!(error.message.contains(said), "{error}");
    }
}

#[tokio::test]
async fn dhcp_is_relayed_to_the_vlan_of_the_target() {
    let relay =
        |target: &str| NetworkResource::Dhcp { fabric: "fabric-1".into(), vid: 0, service: DhcpService::Relay { target: ip(target) } };
    let put = recorded("vlan-dhcp-on").at("PUT", "fabrics/1/vlans/0/", None);
    let server = Server::start(vec![fabrics(&[]), connected(), put]).await;
    server.driver().begin(&call(ActionKind::CreateNetworkTemplate, &relay("10.10.0.2"))).await.unwrap();
    assert_eq!(server.changes()[0].form(), [("relay_vlan".to_owned(), "5001".to_owned())]);

    let mut relayed = fabrics(&[]);
    relayed.body[1]["vlans"][0]["relay_vlan"] = relayed.body[0]["vlans"][0].clone();
    let server = Server::start(vec![relayed, connected()]).await;
    assert_eq!(observe(&server, &call(ActionKind::CreateNetworkTemplate, &relay("10.10.0.2"))).await, Observation::done());
    let error = failed(observe(&server, &call(ActionKind::CreateNetworkTemplate, &relay("10.10.0.3"))).await);
    assert!(error.message.contains("no rack controller of MAAS has the address 10.10.0.3"), "{error}");
}

#[tokio::test]
async fn credentials_of_a_repository_come_from_the_design_and_are_compared() {
    let url = "http://u:canary-1@mirror.example/ubuntu";
    let stored = |url: &str| {
        let mut body = recorded("package-repository-create").body;
        body["url"] = url.into();
        listed("package-repositories", "package-repositories/", vec![body])
    };
    let values = RepositoryValues {
        url: "http://u:***@mirror.example/ubuntu".into(),
        credentials: true,
        distributions: vec!["noble".into()],
        components: vec!["main".into(), "universe".into()],
        disabled_pockets: vec![],
        disabled_components: vec![],
        arches: vec!["amd64".into()],
        key: String::new(),
    };
    let set = RepositoryParams { name: "repo1".into(), after: Some(values.clone()), before: Some(values) };
    let set = call(ActionKind::ConfigureNodeProvisioner, &set);
    let given = |url: Option<&str>| DesignSecrets {
        repository_urls: url.map(|url| ("repo1".to_owned(), Secret::new(url))).into_iter().collect(),
        ..DesignSecrets::default()
    };
    for (there, design, done) in [(url, url, true), ("http://u:canary-2@mirror.example/ubuntu", url, false)] {
        let put = Recorded::made("PUT", "package-repositories/3/", None, json!({}));
        let server = Server::start(vec![stored(there), put]).await;
        let driver = server.driver();
        driver.give(given(Some(design)));
        let seen = driver.observe(std::slice::from_ref(&set)).await.remove(0).unwrap();
        assert_eq!(seen, if done { Observation::done() } else { Observation::NotStarted });
        driver.begin(&set).await.unwrap();
        let forms: Vec<_> = server.changes().iter().map(Asked::form).collect();
        assert_eq!(forms, if done { vec![] } else { vec![vec![("url".to_owned(), url.to_owned())]] });
    }
    // Others than the plan was made with, or none: nothing is sent.
    for design in [None, Some("http://u:canary-1@elsewhere.example/ubuntu")] {
        let server = Server::start(vec![stored(url)]).await;
        let driver = server.driver();
        driver.give(given(design));
        let error = driver.begin(&set).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Precondition);
        assert!(error.message.contains("no longer has the URL http://u:***@mirror.example/ubuntu of package repository repo1"), "{error}");
        assert_eq!(server.changes().len(), 0);
    }
}

#[tokio::test]
async fn keys_repositories_and_tags() {
    let key = SshKeyParams { key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG8yVd6+nLq1Fq8v1wTqz4mGqJ0nq6mQ0cVqOqYw8e5B test@example".into() };
    let add = call(ActionKind::ConfigureUserCredentials, &key);
    let server = Server::start(vec![listed("sshkeys", "account/prefs/sshkeys/", vec![]), recorded("sshkey-create")]).await;
    server.driver().begin(&add).await.unwrap();
    assert_eq!(server.changes()[0].form(), recorded("sshkey-create").form());
    let server = Server::start(vec![recorded("sshkeys")]).await;
    let commented = SshKeyParams { key: key.key.replace("test@example", "somebody@else") };
    assert_eq!(observe(&server, &call(ActionKind::ConfigureUserCredentials, &commented)).await, Observation::done());

    let values = RepositoryValues {
        url: "http://mirror.example/ubuntu".into(),
        credentials: false,
        distributions: vec!["noble".into()],
        components: vec!["main".into(), "universe".into()],
        disabled_pockets: vec![],
        disabled_components: vec![],
        arches: vec!["amd64".into()],
        key: String::new(),
    };
    let create = RepositoryParams { name: "repo1".into(), after: Some(values.clone()), before: None };
    let create = call(ActionKind::ConfigureNodeProvisioner, &create);
    let server = Server::start(vec![recorded("package-repositories"), recorded("package-repository-create")]).await;
    server.driver().begin(&create).await.unwrap();
    assert_eq!(server.changes()[0].form(), recorded("package-repository-create").form());
    let there = listed("package-repositories", "package-repositories/", vec![recorded("package-repository-create").body]);
    let server = Server::start(vec![there.clone(), Recorded::made("DELETE", "package-repositories/3/", None, Value::Null)]).await;
    assert_eq!(observe(&server, &create).await, Observation::done());
    let remove = RepositoryParams { name: "repo1".into(), after: None, before: Some(values.clone()) };
    server.driver().begin(&call(ActionKind::ConfigureNodeProvisioner, &remove)).await.unwrap();
    assert_eq!((server.changes()[0].method.as_str(), server.changes().len()), ("DELETE", 1));
    let moved = RepositoryParams {
        name: "repo1".into(),
        after: Some(RepositoryValues { url: "http://other/ubuntu".into(), ..values.clone() }),
        before: Some(RepositoryValues { url: "http://third/ubuntu".into(), ..values }),
    };
    let error = failed(observe(&server, &call(ActionKind::ConfigureNodeProvisioner, &moved)).await);
    assert!(error.message.contains("URL is \"http://mirror.example/ubuntu\""), "{error}");

    let tag = |name: &str, definition: &str, before| TagParams {
        name: name.into(),
        after: TagValues { definition: definition.into(), kernel_opts: "nomodeset".into() },
        before,
    };
    let server = Server::start(vec![recorded("tags"), recorded("tag-create")]).await;
    assert_eq!(observe(&server, &call(ActionKind::ConfigureTags, &tag("fast", "", None))).await, Observation::done());
    server.driver().begin(&call(ActionKind::ConfigureTags, &tag("slow", "", None))).await.unwrap();
    assert_eq!(server.changes()[0].form(), [("kernel_opts".into(), "nomodeset".into()), ("name".into(), "slow".into())]);

    let server = Server::start(vec![recorded("tags"), recorded("tag-create-bad-definition")]).await;
    let error = server.driver().begin(&call(ActionKind::ConfigureTags, &tag("bad", "//[", None))).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Rejected);
    assert!(error.message.contains("Invalid xpath expression: Invalid expression"), "{error}");
}

fn importing(yes: bool) -> Recorded {
    Recorded::made("GET", "boot-resources/", Some("is_importing"), json!(yes))
}

fn selections(list: Value) -> Vec<Recorded> {
    vec![
        Recorded::made("GET", "boot-sources/", None, json!([{"id": 4}, {"id": 5}])),
        Recorded::made("GET", "boot-sources/4/selections/", None, json!([])),
        Recorded::made("GET", "boot-sources/5/selections/", None, list),
        Recorded::made("POST", "boot-sources/5/selections/", None, json!({"id": 1})),
        Recorded::made("PUT", "boot-sources/5/selections/9/", None, json!({"id": 9})),
        Recorded::made("POST", "boot-resources/", Some("import"), json!("Import of boot resources started")),
    ]
}

#[tokio::test]
async fn images_are_selected_then_imported() {
    let wanted = |series: &str, arch: &str| {
        call(ActionKind::CreateBootMedia, &BootMediaParams { os: "ubuntu".into(), series: series.into(), arch: arch.into() })
    };
    let noble = json!([{"id": 9, "os": "ubuntu", "release": "noble", "arches": ["amd64"]}]);
    let rack = |status: &str| {
        let images = json!({"images": [], "connected": true, "status": status});
        Recorded::made("GET", "rackcontrollers/qx8d88/", Some("list_boot_images"), images)
    };
    let there = || vec![recorded("boot-resources"), recorded("boot-resource-read"), recorded("rackcontrollers"), rack("synced")];

    // Complete on the region, and not yet where machines boot from.
    let copying = vec![recorded("boot-resources"), recorded("boot-resource-read"), recorded("rackcontrollers"), rack("syncing")];
    let server = Server::start([copying, vec![importing(false)], selections(noble.clone())].concat()).await;
    assert_eq!(
        observe(&server, &wanted("jammy", "amd64")).await,
        Observation::InProgress { detail: "rack controller vm is copying images (syncing)".into() }
    );

    let server = Server::start([there(), vec![importing(false)], selections(noble.clone())].concat()).await;
    assert_eq!(observe(&server, &wanted("jammy", "amd64")).await, Observation::done());
    let begun = server.driver().begin(&wanted("focal", "amd64")).await.unwrap();
    assert!(matches!(begun, Begun::Wait { .. }));
    let changes = server.changes();
    assert_eq!(changes[0].path, "boot-sources/5/selections/", "the source that has other series of the system");
    assert_eq!(
        changes[0].form(),
        [("arches", "amd64"), ("labels", "*"), ("os", "ubuntu"), ("release", "focal"), ("subarches", "*")]
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
    assert_eq!((changes[1].path.as_str(), changes[1].op.as_deref(), changes.len()), ("boot-resources/", Some("import"), 2));

    let server = Server::start([there(), vec![importing(false)], selections(noble.clone())].concat()).await;
    server.driver().begin(&wanted("noble", "arm64")).await.unwrap();
    let changes = server.changes();
    assert_eq!((changes[0].method.as_str(), changes[0].path.as_str()), ("PUT", "boot-sources/5/selections/9/"));
    assert_eq!(changes[0].form(), [("arches".into(), "amd64".into()), ("arches".into(), "arm64".into())]);

    let server = Server::start([vec![recorded("boot-resources"), importing(true)], selections(noble.clone())].concat()).await;
    assert!(
        matches!(observe(&server, &wanted("noble", "amd64")).await, Observation::InProgress { .. }),
        "listed, but not known to be complete"
    );

    // Incomplete on the region, whatever the list says.
    let mut half = recorded("boot-resource-read");
    half.body["sets"]["20260801"]["complete"] = json!(false);
    let server = Server::start([vec![recorded("boot-resources"), half, importing(true)], selections(noble)].concat()).await;
    assert!(matches!(observe(&server, &wanted("jammy", "amd64")).await, Observation::InProgress { .. }));
}

#[tokio::test]
async fn the_site_is_verified() {
    let verify = |rack_controller| call(ActionKind::VerifySite, &VerifySite { rack_controller });
    let server = Server::start(vec![recorded("users-whoami"), recorded("rackcontrollers")]).await;
    assert_eq!(observe(&server, &verify(false)).await, Observation::done());
    let error = failed(observe(&server, &verify(true)).await);
    assert_eq!(error.class, ErrorClass::NotReady);
    assert!(error.message.contains("vm: rackd is unknown"), "{error}");
    let server = Server::start(vec![recorded("users-whoami"), connected()]).await;
    assert_eq!(observe(&server, &verify(true)).await, Observation::done());

    let mut bob = recorded("users-whoami");
    bob.body = json!({"username": "bob", "is_superuser": false});
    let error = failed(observe(&Server::start(vec![bob]).await, &verify(false)).await);
    assert_eq!(error.class, ErrorClass::Credentials);
    assert!(error.message.contains("bob is not an administrator"), "{error}");
}

/// `subnets/` with these DNS servers on the one that the recordings create.
fn subnets_with(dns_servers: &[&str]) -> Recorded {
    let mut list = recorded("subnets");
    let prod = list.body.as_array_mut().unwrap().iter_mut().find(|s| s["cidr"] == "192.168.50.0/24").unwrap();
    prod["dns_servers"] = json!(dns_servers);
    list
}

#[tokio::test]
async fn a_dynamic_range_around_a_dns_server_is_made_while_the_subnet_is_without_it() {
    let cidr = "192.168.50.0/24".parse().unwrap();
    let (start, end) = (ip("192.168.50.100"), ip("192.168.50.120"));
    let dns_servers = vec![ip("192.168.50.110"), ip("8.8.8.8")];
    let range = NetworkResource::Range { subnet: cidr, kind: RangeUse::Dynamic, start, end, dns_servers };
    let call = call(ActionKind::CreateNetworkTemplate, &range);
    let path = format!("subnets/{}/", recorded("subnet-create").body["id"]);
    let put = || Recorded::made("PUT", &path, None, json!({}));
    let without = || listed("ipranges", "ipranges/", vec![]);
    let both = ["192.168.50.110", "8.8.8.8"];
    let said = |server: &Server| -> Vec<String> {
        let shown = |a: &super::server::Asked| {
            let servers = a.params.iter().find(|p| p.0 == "dns_servers").map_or(String::new(), |p| format!(" {}", p.1));
            format!("{} {}{servers}", a.method, a.path)
        };
        server.changes().iter().map(shown).collect()
    };
    let [away, make, back] = [format!("PUT {path} 8.8.8.8"), "POST ipranges/".to_owned(), format!("PUT {path} 192.168.50.110,8.8.8.8")];

    let server = Server::start(vec![subnets_with(&both), without(), put(), recorded("iprange-create-dynamic")]).await;
    assert_eq!(observe(&server, &call).await, Observation::NotStarted);
    assert_eq!(server.driver().begin(&call).await.unwrap(), Begun::Complete);
    assert_eq!(said(&server), [away.clone(), make.clone(), back.clone()]);

    // Stopped after the first call, or after the second.
    let server = Server::start(vec![subnets_with(&["8.8.8.8"]), without(), put(), recorded("iprange-create-dynamic")]).await;
    server.driver().begin(&call).await.unwrap();
    assert_eq!(said(&server), [make.clone(), back.clone()]);
    let server = Server::start(vec![subnets_with(&["8.8.8.8"]), recorded("ipranges"), put()]).await;
    assert_eq!(observe(&server, &call).await, Observation::NotStarted);
    server.driver().begin(&call).await.unwrap();
    assert_eq!(said(&server), std::slice::from_ref(&back));
    let server = Server::start(vec![subnets_with(&both), recorded("ipranges")]).await;
    assert_eq!(observe(&server, &call).await, Observation::done());

    // A refusal puts them back, and says what MAAS does not allow.
    let mut refused = recorded("iprange-create-dynamic");
    refused.status = 400;
    refused.body = json!({"start_ip": ["Requested dynamic range conflicts with an existing IP address or range."]});
    let server = Server::start(vec![subnets_with(&both), without(), put(), refused]).await;
    let error = server.driver().begin(&call).await.unwrap_err();
    assert!(error.class == ErrorClass::Rejected && error.message.contains("Requested dynamic range conflicts"), "{error}");
    assert!(error.hint.unwrap().contains("no gateway, DNS server"));
    assert_eq!(said(&server), [away, make, back]);

    // Somebody has set others.
    let server = Server::start(vec![subnets_with(&["9.9.9.9"]), without()]).await;
    let error = failed(observe(&server, &call).await);
    let expected = "the DNS servers of subnet 192.168.50.0/24 changed since the plan was made: 9.9.9.9, expected 192.168.50.110,8.8.8.8";
    assert_eq!((error.class, error.message.as_str()), (ErrorClass::Precondition, expected));
}
