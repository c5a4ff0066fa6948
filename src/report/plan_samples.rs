//! Plans written by hand, for the tests of every format.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::action::{Action, ActionKind, Effect, RetryClass};
use crate::build::Endpoint;
use crate::diff::{AttributeChange, Blocked, Change, HeldBack, NodeStage, NotManaged, Operation, Orphan, Stage};
use crate::plan::{Allowance, Denial, Digests, Limits, NeededApproval, Plan, PolicyReport, Rejected, Signature, Standing, testing};

/// A plan with nothing in it.
pub(super) fn nothing() -> Plan {
    let digest = |c: &str| c.repeat(64);
    Plan {
        drydock: "0.1.0".to_owned(),
        site: "hello".to_owned(),
        endpoints: vec![Endpoint {
            driver: "maas".to_owned(),
            identity: "6c1c0cf9".to_owned(),
            url: "http://maas.example:5240/MAAS".to_owned(),
            simulated: false,
        }],
        limits: Limits { parallelism: 64, ..Limits::default() },
        observed_at: 1_795_374_251,
        digests: Digests { design: digest("d"), build: digest("b"), intent: digest("1"), plan: digest("9f")[..64].to_owned() },
        ..testing::plan(Vec::new())
    }
}

fn stage(plan: &mut Plan, node: &str, rack: &str, now: Stage, then: Stage) {
    plan.nodes
        .insert(node.to_owned(), NodeStage { hardware: None, now, then, rack: Some(rack.to_owned()), profile: Some("compute".to_owned()) });
}

/// An attribute: path, before, after (null is none), source.
fn attribute(path: &str, before: Value, after: Value, effect: Effect, source: &str) -> AttributeChange {
    AttributeChange {
        path: path.to_owned(),
        before: Some(before).filter(|v| !v.is_null()),
        after: Some(after).filter(|v| !v.is_null()),
        known_after: None,
        effect,
        reason: String::new(),
        source: (!source.is_empty()).then(|| source.to_owned()),
    }
}

fn later(mut attribute: AttributeChange) -> AttributeChange {
    attribute.known_after = Some("known after commissioning".to_owned());
    attribute
}

fn because(mut attribute: AttributeChange, reason: &str) -> AttributeChange {
    attribute.reason = reason.to_owned();
    attribute
}

fn change(resource: &str, operation: Operation, effect: Effect, reason: &str, attributes: Vec<AttributeChange>) -> Change {
    let node = resource.strip_prefix("node.").map(|rest| rest.split('/').next().unwrap_or(rest).to_owned());
    Change {
        resource: resource.to_owned(),
        node,
        operation,
        effect,
        reason: reason.to_owned(),
        attributes: attributes.into_iter().map(Arc::new).collect(),
    }
}

/// Adds actions that wait for each other, the first for the site's last.
fn chain(plan: &mut Plan, resource: &str, effect: Effect, steps: &[(ActionKind, Value)]) {
    let node = resource.strip_prefix("node.").map(str::to_owned);
    let mut before: Vec<String> = plan.actions.iter().rev().find(|a| a.node.is_none()).map(|a| a.id.clone()).into_iter().collect();
    for (kind, params) in steps {
        let id = format!("{:020x}", plan.actions.len() + 1);
        plan.actions.push(Action {
            id: id.clone(),
            kind: *kind,
            resource: resource.to_owned(),
            node: node.clone(),
            driver: match kind.role() {
                crate::action::DriverRole::Hook => "hooks".to_owned(),
                crate::action::DriverRole::Oob => "redfish".to_owned(),
                crate::action::DriverRole::Node => "maas".to_owned(),
            },
            effect,
            params: params.clone().into(),
            after: before,
            preconditions: Vec::new(),
            timeout_s: kind.default_timeout_minutes() * 60,
            retry: RetryClass::ObserveFirst,
        });
        before = vec![id];
    }
}

fn site(plan: &mut Plan) {
    let online = Effect::Online;
    let s = "site/networks.yaml";
    plan.changes.push(change(
        "fabric.default",
        Operation::Update,
        online,
        "",
        vec![attribute("name", json!("fabric-0"), json!("default"), online, "site/networks.yaml:3:9")],
    ));
    plan.changes.push(change(
        "vlan.default.0",
        Operation::Update,
        online,
        "",
        vec![
            attribute("mtu", json!(1500), json!(9000), online, &format!("{s}:14:8")),
            attribute("dhcp", json!(false), json!(true), online, &format!("{s}:20:5")),
        ],
    ));
    plan.changes.push(change(
        "subnet.pxe",
        Operation::Create,
        online,
        "",
        vec![
            attribute("cidr", Value::Null, json!("10.0.0.0/24"), online, &format!("{s}:22:9")),
            attribute("gateway", Value::Null, json!("10.0.0.1"), online, &format!("{s}:23:12")),
            attribute("dns_servers", Value::Null, json!(["10.0.0.2", "10.0.0.3"]), online, &format!("{s}:25:5")),
        ],
    ));
    plan.changes.push(change(
        "tag.gpu",
        Operation::Create,
        online,
        "",
        vec![attribute(
            "definition",
            Value::Null,
            json!("//node[@id=\"display\"]/vendor[contains(.,\"NVIDIA\")]"),
            online,
            "site/tags.yaml:4:3",
        )],
    ));
    chain(plan, "site", Effect::None, &[(ActionKind::VerifySite, json!({}))]);
    for resource in ["fabric.default", "vlan.default.0", "subnet.pxe", "range.pxe.dynamic"] {
        chain(plan, resource, online, &[(ActionKind::CreateNetworkTemplate, json!({}))]);
    }
    chain(plan, "image.ubuntu/jammy/amd64", online, &[(ActionKind::CreateBootMedia, json!({}))]);
    chain(plan, "tag.gpu", online, &[(ActionKind::ConfigureTags, json!({}))]);
}

fn deploy_steps() -> Vec<(ActionKind, Value)> {
    use ActionKind as K;
    vec![
        (K::PowerOffNode, json!({"graceful_s": 0})),
        (K::SetNodeBoot, json!({"target": "pxe"})),
        (K::PowerOnNode, json!({"graceful_s": 0})),
        (K::IdentifyNode, json!({})),
        (K::ConfigureHardware, json!({})),
        (K::InterrogateNode, json!({})),
        (K::ApplyNodeNetworking, json!({})),
        (K::ApplyNodeStorage, json!({})),
        (K::ApplyNodePlatform, json!({})),
        (K::DeployNode, json!({"os": "ubuntu", "series": "jammy", "kernel": null})),
        (K::SetNodeBoot, json!({"target": "disk"})),
    ]
}

/// A machine that is deployed for the first time.
fn install(plan: &mut Plan, name: &str, rack: &str, number: usize, series: &str) {
    let install = Effect::Install;
    let node = format!("node.{name}");
    stage(plan, name, rack, Stage::Absent, Stage::Deployed);
    let own = |line: usize| format!("site/nodes.yaml:{}:7", number * 20 + line);
    plan.changes.push(change(
        &node,
        Operation::Create,
        install,
        "the machine is off and holds nothing that the provisioner knows of",
        vec![
            attribute("stage", json!("absent"), json!("deployed"), install, &own(1)),
            attribute("image", Value::Null, json!({"os": "ubuntu", "series": series}), install, "profiles/base.yaml:31:10"),
            attribute("kernel_parameters", Value::Null, json!("console=ttyS1,115200n8 hugepages=16"), install, "profiles/base.yaml:35:5"),
            attribute("hostname", Value::Null, json!(format!("{name}.dc1.example")), install, &own(1)),
        ],
    ));
    let address = format!("10.0.{}.{}/24", number / 200, number % 200 + 11);
    plan.changes.push(change(
        &format!("{node}/network"),
        Operation::Create,
        install,
        "",
        vec![
            later(attribute("bond0.mode", Value::Null, json!("802.3ad"), install, "profiles/base.yaml:12:13")),
            later(attribute("bond0.members", Value::Null, json!(["enp65s0f0", "enp65s0f1"]), install, "profiles/base.yaml:15:11")),
            later(attribute("bond0.address", Value::Null, json!(address), install, &own(9))),
        ],
    ));
    plan.changes.push(change(
        &format!("{node}/storage"),
        Operation::Create,
        install,
        "",
        vec![
            later(attribute("sda.partitions", Value::Null, json!([{"name": "root", "size": "30g", "mount": "/", "fs": "ext4"}, {"name": "var", "size": ">100g", "mount": "/var", "fs": "ext4"}]), install, "profiles/base.yaml:44:9")),
        ],
    ));
    chain(plan, &node, install, &deploy_steps());
}

/// Two nodes of an empty site.
pub(super) fn two_nodes() -> Plan {
    let mut plan = nothing();
    plan.endpoints[0].simulated = true;
    site(&mut plan);
    install(&mut plan, "n01", "r1", 0, "jammy");
    install(&mut plan, "n02", "r1", 1, "jammy");
    plan.not_managed = vec![
        NotManaged { what: "boot actions".to_owned(), resources: vec!["bootaction.hello".to_owned()] },
        NotManaged { what: "switch ports".to_owned(), resources: vec!["node.n01".to_owned(), "node.n02".to_owned()] },
    ];
    plan.warnings = vec!["DD2011 rack `r1` is not defined (site/nodes.yaml:4:9)".to_owned()];
    plan.expected_s = Some(1510);
    plan
}

/// 300 nodes: 298 alike, one with another image, one with two more partitions; ten that are deployed already.
pub(super) fn many_nodes() -> Plan {
    let mut plan = nothing();
    plan.site = "dc1".to_owned();
    site(&mut plan);
    for number in 0..300 {
        let rack = format!("r{:02}", number / 20 + 1);
        install(&mut plan, &format!("n{:03}", number + 1), &rack, number, if number == 41 { "noble" } else { "jammy" });
    }
    for number in 300..310 {
        stage(&mut plan, &format!("n{:03}", number + 1), "r16", Stage::Deployed, Stage::Deployed);
    }
    for number in 300..304 {
        let name = format!("n{:03}", number + 1);
        let node = format!("node.{name}");
        let tags =
            vec![attribute("tags", json!(["compute", "gen1"]), json!(["compute", "gen2"]), Effect::Online, "profiles/base.yaml:60:3")];
        plan.changes.push(change(&format!("{node}/platform"), Operation::Update, Effect::Online, "", tags));
        chain(&mut plan, &node, Effect::Online, &[(ActionKind::ApplyNodePlatform, json!({}))]);
    }
    plan
}

/// One node released, two re-imaged because that was allowed, one rebooted, three held back.
pub(super) fn destructive() -> Plan {
    let mut plan = nothing();
    plan.site = "dc1".to_owned();
    plan.selection = Some("rack=r1 || rack=r2".to_owned());
    plan.allow = vec![
        Allowance { effect: Effect::Destroy, selector: "node=old01".to_owned() },
        Allowance { effect: Effect::Redeploy, selector: "node=n01 || node=n02".to_owned() },
    ];
    plan.expected_s = Some(4210);
    let redeploy = Effect::Redeploy;
    let subnet = vec![
        attribute("gateway", json!("10.0.0.1"), json!("10.0.0.254"), Effect::Online, "site/networks.yaml:23:12"),
        attribute("dns_servers", json!(["10.0.0.2", "10.0.0.3"]), Value::Null, Effect::Online, ""),
    ];
    plan.changes.push(change("subnet.pxe", Operation::Update, Effect::Online, "", subnet));
    chain(&mut plan, "subnet.pxe", Effect::Online, &[(ActionKind::CreateNetworkTemplate, json!({}))]);
    for (name, rack) in [("n01", "r1"), ("n02", "r2")] {
        stage(&mut plan, name, rack, Stage::Deployed, Stage::Deployed);
        let node = format!("node.{name}");
        plan.changes.push(change(
            &node,
            Operation::Replace,
            redeploy,
            "the image changes; the operating system is written anew",
            vec![
                because(
                    attribute("image.series", json!("focal"), json!("jammy"), redeploy, "profiles/base.yaml:31:10"),
                    "an image is only written by a deployment",
                ),
                attribute(
                    "kernel_parameters",
                    json!("console=ttyS1"),
                    json!("console=ttyS1 quiet"),
                    Effect::Reboot,
                    "profiles/base.yaml:35:5",
                ),
            ],
        ));
        let mut steps = vec![(ActionKind::DestroyNode, json!({"erase": false}))];
        steps.extend(deploy_steps().into_iter().skip(6));
        chain(&mut plan, &node, redeploy, &steps);
    }
    stage(&mut plan, "old01", "r2", Stage::Orphaned, Stage::Absent);
    plan.changes.push(change(
        "node.old01",
        Operation::Delete,
        Effect::Destroy,
        "the design no longer has it, and its release was allowed",
        vec![],
    ));
    chain(&mut plan, "node.old01", Effect::Destroy, &[(ActionKind::DestroyNode, json!({"erase": true}))]);
    stage(&mut plan, "n03", "r1", Stage::Deployed, Stage::Deployed);
    let script = |limit: &str| format!("#!/bin/sh\nset -e\nsysctl -w vm.swappiness=1\nulimit -n {limit}\nexec /usr/local/bin/agent\n");
    plan.changes.push(change(
        "node.n03",
        Operation::Update,
        Effect::Reboot,
        "",
        vec![
            because(
                attribute(
                    "kernel_parameters",
                    json!("console=ttyS1"),
                    json!("console=ttyS1 quiet"),
                    Effect::Reboot,
                    "profiles/base.yaml:35:5",
                ),
                "read by the kernel when it starts",
            ),
            attribute("user_data", json!(script("1024")), json!(script("65536")), Effect::Online, "profiles/base.yaml:71:5"),
        ],
    ));
    chain(
        &mut plan,
        "node.n03",
        Effect::Reboot,
        &[
            (ActionKind::ApplyNodePlatform, json!({})),
            (ActionKind::PowerOffNode, json!({"graceful_s": 300})),
            (ActionKind::PowerOnNode, json!({"graceful_s": 0})),
        ],
    );
    for name in ["n04", "n05", "n06"] {
        stage(&mut plan, name, "r2", Stage::Absent, Stage::Absent);
        plan.held_back.push(HeldBack {
            change: change(
                &format!("node.{name}"),
                Operation::Create,
                redeploy,
                "",
                vec![attribute("stage", json!("absent"), json!("deployed"), redeploy, "site/nodes.yaml:88:3")],
            ),
            reason: "the machine is on and MAAS does not know it: it may be in production".to_owned(),
            hint: format!("--allow redeploy=node={name}"),
        });
    }
    plan
}

/// What the policies make of [`destructive`]: refused for one reason, to be approved for two.
pub(super) fn governed() -> Plan {
    let mut plan = destructive();
    plan.policy = policy(&plan);
    plan
}

/// Policies that every node with an effect of class reboot or higher is the subject of.
pub(super) fn policy(plan: &Plan) -> PolicyReport {
    let nodes =
        |from: Effect| plan.effects_on_nodes().into_iter().filter(|(_, e)| *e >= from).map(|(n, _)| n.to_owned()).collect::<Vec<_>>();
    let approval = |effect: Effect, approvers: u32| NeededApproval {
        approvers,
        nodes: nodes(effect),
        reason: format!("{} nodes with effect {effect} or higher", nodes(effect).len()),
        rule: format!("approval {effect} or higher: {approvers} of ops/allowed_signers"),
        signers: "ops/allowed_signers".to_owned(),
    };
    let protect = "protect node=old*: nothing of effect reboot or higher".to_owned();
    let approvals = vec![approval(Effect::Reboot, 1), approval(Effect::Redeploy, 2)];
    let mut rules: Vec<String> = approvals.iter().map(|a| a.rule.clone()).collect();
    rules.extend([
        "forbidden_hours 08:00 to 18:00 every day, Europe/Berlin: a warning before effect reboot or higher".to_owned(),
        protect.clone(),
    ]);
    let reason = "effect destroy on what is protected, also when its document is gone".to_owned();
    PolicyReport { approvals, denied: vec![Denial { nodes: nodes(Effect::Destroy), reason, rule: protect }], rules }
}

/// How the approvals of [`governed`] stand: the first is given, the second wants one more, and two signatures do not count.
pub(super) fn standing(plan: &Plan) -> Vec<Standing> {
    let alice = Signature {
        file: "plan.json.0c7f3a.sig".to_owned(),
        key: "SHA256:lJIwAcmAozJ7seab8ERRaVNlceSwGGAGqVVCENbEn7c".to_owned(),
        principals: vec!["alice@example.net".to_owned()],
    };
    let reject = |file: &str, reason: &str| Rejected { file: file.to_owned(), reason: reason.to_owned() };
    let stands = |needed: &NeededApproval| Standing {
        needed: needed.clone(),
        by: vec!["alice@example.net".to_owned()],
        signatures: vec![alice.clone()],
        rejected: vec![
            reject("plan.json.bob.sig", "ops/allowed_signers:2: key has expired"),
            reject("plan.json.sig", "made for `git` and not for `drydock-plan`: it approves no plan"),
        ],
        problem: None,
    };
    plan.policy.approvals.iter().map(stands).collect()
}

/// Nothing can be done, and not all is well.
pub(super) fn blocked() -> Plan {
    let mut plan = nothing();
    plan.site = "dc1".to_owned();
    stage(&mut plan, "n01", "r1", Stage::Deployed, Stage::Deployed);
    for name in ["n02", "n03", "n04"] {
        stage(&mut plan, name, "r1", Stage::Unknown, Stage::Unknown);
        plan.blocked.push(Blocked {
            resource: format!("node.{name}"),
            reason: format!("MAAS answered 503 to the listing of machines, so nothing is known of {name}"),
            hint: "look at the provisioner, then plan again".to_owned(),
        });
    }
    plan.blocked.push(Blocked {
        resource: "tag.gpu".to_owned(),
        reason: "MAAS rejects the XPath definition: `//node[`".to_owned(),
        hint: "correct the definition in site/tags.yaml:4:3".to_owned(),
    });
    plan.held_back.push(HeldBack {
        change: change("subnet.oob", Operation::Delete, Effect::Destroy, "the design no longer has it", vec![]),
        reason: "it was not created by drydock".to_owned(),
        hint: "remove it in MAAS by hand".to_owned(),
    });
    plan.orphans.push(Orphan { resource: "node.old01".to_owned(), detail: "machine 4y3h7n, deployed (ubuntu/focal), rack r2".to_owned() });
    plan
}

/// All is well, but not everything is compared.
pub(super) fn converged() -> Plan {
    let mut plan = nothing();
    for name in ["n01", "n02"] {
        stage(&mut plan, name, "r1", Stage::Deployed, Stage::Deployed);
    }
    plan.not_managed = vec![NotManaged { what: "switch ports".to_owned(), resources: vec!["node.n01".to_owned(), "node.n02".to_owned()] }];
    plan
}

/// Text of a design, and of a server, that wants to look like something else.
pub(super) fn hostile() -> Plan {
    let mut plan = nothing();
    plan.site = "dc1\u{1b}[2J\u{1b}[H\nNo changes.".to_owned();
    let evil = "n\u{202e}10\u{1b}]0;owned\u{7}";
    stage(&mut plan, evil, "r\u{1b}[31m1", Stage::Deployed, Stage::Deployed);
    plan.changes.push(change(
        &format!("node.{evil}"),
        Operation::Replace,
        Effect::Redeploy,
        "harmless\r\n\u{1b}[1A\u{1b}[2K",
        vec![
            attribute("image\u{1b}[8m", json!("a\u{200b}b"), json!("jammy\u{9b}31m"), Effect::Redeploy, "a\u{1b}[0m.yaml:1:1"),
            attribute("user_data", json!("a\n"), json!("a\n\u{1b}[2J\r\nDigest  0000\nNo changes.\n"), Effect::Redeploy, ""),
            attribute("list", json!([]), json!(["x\u{2066}", "\u{1b}[5m"]), Effect::Redeploy, ""),
            attribute("long", json!("x".repeat(5000)), json!("y"), Effect::Redeploy, ""),
        ],
    ));
    chain(&mut plan, &format!("node.{evil}"), Effect::Redeploy, &[(ActionKind::SetNodeBoot, json!({"target": "pxe\u{1b}[31m"}))]);
    plan.held_back.push(HeldBack {
        change: change("tag.\u{1b}x", Operation::Create, Effect::Online, "", vec![]),
        reason: "r\u{1b}[0m".to_owned(),
        hint: "h\u{1b}[0m".to_owned(),
    });
    plan.blocked.push(Blocked { resource: "b\u{1b}".to_owned(), reason: "r\u{7}".to_owned(), hint: "h\u{8}".to_owned() });
    plan.orphans.push(Orphan { resource: "o\u{1b}".to_owned(), detail: "d\u{2028}".to_owned() });
    plan.not_managed.push(NotManaged { what: "w\u{1b}".to_owned(), resources: vec!["r\u{feff}".to_owned()] });
    plan.warnings.push("w\u{1b}[2J".to_owned());
    let evil = |text: &str| format!("{text}\u{1b}[2J\u{202e}\n");
    plan.policy = PolicyReport {
        approvals: vec![NeededApproval { approvers: 2, nodes: vec![evil("n")], reason: evil("r"), rule: evil("u"), signers: evil("s") }],
        denied: vec![Denial { nodes: vec![evil("n")], reason: evil("d"), rule: evil("u") }],
        rules: vec![evil("u")],
    };
    plan.selection = Some("node=\u{1b}c".to_owned());
    plan.allow.push(Allowance { effect: Effect::Redeploy, selector: "a\u{1b}".to_owned() });
    plan
}

/// An empty site with racks of forty nodes.
pub(super) fn empty_racks(nodes: usize) -> Plan {
    let mut plan = nothing();
    site(&mut plan);
    for number in 0..nodes {
        let rack = format!("r{:02}", number / 40 + 1);
        install(&mut plan, &format!("{rack}-n{:02}", number % 40 + 1), &rack, number, "jammy");
    }
    plan
}

/// Deployed nodes of racks of forty: most are deployed again, some restart, some are only relabelled, some released.
pub(super) fn fleet(nodes: usize) -> Plan {
    let mut plan = nothing();
    plan.site = "dc1".to_owned();
    site(&mut plan);
    for number in 0..nodes {
        let (rack, name) = (format!("r{:03}", number / 40 + 1), format!("r{:03}-n{:02}", number / 40 + 1, number % 40 + 1));
        stage(&mut plan, &name, &rack, Stage::Deployed, Stage::Deployed);
        let node = format!("node.{name}");
        let (part, operation, effect, attributes) = match number % 10 {
            0 => ("", Operation::Delete, Effect::Destroy, vec![]),
            1 => (
                "/boot",
                Operation::Update,
                Effect::Reboot,
                vec![attribute("boot_source", json!("pxe"), json!("disk"), Effect::Reboot, "profiles/base.yaml:9:3")],
            ),
            2 => (
                "/platform",
                Operation::Update,
                Effect::Online,
                vec![attribute("tags.gen2", Value::Null, json!(true), Effect::Online, "profiles/base.yaml:60:3")],
            ),
            _ => (
                "/kernel_params",
                Operation::Replace,
                Effect::Redeploy,
                vec![because(
                    attribute("kernel_params", json!("quiet"), json!("quiet hugepages=16"), Effect::Redeploy, "profiles/base.yaml:35:5"),
                    "it can only be changed by deploying again",
                )],
            ),
        };
        let reason = if effect == Effect::Destroy { "the design no longer has it" } else { "" };
        plan.changes.push(change(&format!("{node}{part}"), operation, effect, reason, attributes));
        let kind = if effect == Effect::Destroy { ActionKind::DestroyNode } else { ActionKind::DeployNode };
        chain(&mut plan, &node, effect, &[(kind, json!({}))]);
    }
    plan
}
