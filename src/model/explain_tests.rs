//! Where values come from: profiles, removal, lists, secrets.

use super::{Role, Unexplained, explain};
use crate::document::{Heads, read_all};
use crate::yaml::{SourceMap, Step, Value};

const SITE: &str = "\
schema: drydock/HostProfile/v1
metadata: {name: defaults}
data:
  platform: {image: focal, kernel: ga}
  oob: {type: redfish, credential: hunter2}
  metadata: {tags: [a, b], owner_data: {x.y/z: '1'}}
---
schema: drydock/HostProfile/v1
metadata: {name: compute}
data:
  host_profile: defaults
  platform: {image: jammy}
---
schema: drydock/BaremetalNode/v1
metadata: {name: n1}
data:
  host_profile: compute
  platform: {image: noble}
  metadata: {tags: [c, '!a'], rack: r1}
  storage:
    physical_devices:
      sda:
        partitions: [{name: root, size: 20g}]
";

struct Asked {
    map: SourceMap,
    documents: Vec<crate::document::Document>,
    heads: Heads,
}

impl Asked {
    fn new() -> Self {
        let mut map = SourceMap::default();
        let file = map.add("site.yaml", SITE);
        let crate::document::Read { documents, diagnostics, .. } = read_all(&map, &[file]);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        let heads = Heads::read(&map, &[file]);
        Self { map, documents, heads }
    }

    fn ask(&self, question: &str) -> Result<Vec<super::Explained>, Unexplained> {
        explain(&self.documents, &self.heads, question, &|key| key == "credential", &|_| false).map(|(_, values)| values)
    }

    fn chain(&self, question: &str) -> Vec<String> {
        let values = self.ask(question).unwrap();
        assert_eq!(values.len(), 1, "{values:?}");
        values[0].links.iter().map(|link| format!("{:?} {} {}", link.role, link.name, self.map.describe(link.span))).collect()
    }
}

#[test]
fn the_last_link_is_where_the_value_is_written() {
    let asked = Asked::new();
    assert_eq!(
        asked.chain("node.n1/platform/kernel"),
        ["Resource n1 site.yaml:14:1", "Profile compute site.yaml:8:1", "Profile defaults site.yaml:4:36"]
    );
    assert_eq!(asked.chain("node.n1/metadata/rack"), ["Resource n1 site.yaml:19:37"]);
    assert_eq!(asked.chain("host_profile.compute/platform/kernel"), ["Resource compute site.yaml:8:1", "Profile defaults site.yaml:4:36"]);
    let tags = asked.ask("node.n1/metadata/tags").unwrap();
    let shown: Vec<(String, Option<&str>)> = tags.iter().map(|t| (t.path.clone(), t.value.as_str())).collect();
    assert_eq!(shown, [("/metadata/tags[0]".to_owned(), Some("b")), ("/metadata/tags[1]".to_owned(), Some("c"))]);
    assert_eq!(tags[0].links.last().map(|l| (l.role, l.name.as_str())), Some((Role::Profile, "defaults")));
}

#[test]
fn what_was_overridden_is_told_from_the_latest_on() {
    let asked = Asked::new();
    let values = asked.ask("node.n1/platform/image").unwrap();
    assert_eq!(values[0].value.as_str(), Some("noble"));
    let lost: Vec<(Option<&str>, &str)> = values[0].overridden.iter().map(|o| (o.value.as_str(), o.name.as_str())).collect();
    assert_eq!(lost, [(Some("jammy"), "compute"), (Some("focal"), "defaults")]);
    assert!(matches!(values[0].value.past.as_deref().map(|p| &p.step), Some(Step::Overrode { own: None })));
}

#[test]
fn paths_are_forgiving_and_never_guess() {
    let asked = Asked::new();
    for question in [
        "node.n1/storage/physical_devices/sda/partitions[0]/size",
        "node.n1/storage.physical_devices.sda.partitions.root.size",
        "node.n1/storage/sda/root/size",
        "node.n1/sda/partitions/0/size",
    ] {
        let values = asked.ask(question).unwrap();
        assert_eq!(values[0].path, "/storage/physical_devices/sda/partitions[0]/size", "{question}");
    }
    assert_eq!(asked.ask("node.n1/metadata/owner_data/x.y/z").unwrap()[0].value.as_str(), Some("1"));
    // `name` is there more than once at the same depth elsewhere, and a key that is nowhere is an error.
    let wrong = |question: &str| asked.ask(question).unwrap_err();
    assert_eq!(
        wrong("node.n1/platfrom"),
        Unexplained { message: "node.n1 has no `platfrom`".into(), help: "did you mean `platform`?".into() }
    );
    assert_eq!(wrong("node.n1/platform/image/x").help, "the value there is text");
    assert_eq!(wrong("node.n2").help, "did you mean `node.n1`?");
    assert!(wrong("n1").message.contains("not the address of a resource"));
    assert!(wrong("nod.n1").help.starts_with("kinds are node, host_profile"));
}

#[test]
fn a_secret_key_makes_everything_below_it_secret() {
    let asked = Asked::new();
    let all = asked.ask("node.n1").unwrap();
    let secret: Vec<&str> = all.iter().filter(|e| e.sensitive).map(|e| e.path.as_str()).collect();
    assert_eq!(secret, ["/oob/credential"]);
}

const LAYERED: &str = "\
schema: deckhand/LayeringPolicy/v1
metadata: {schema: metadata/Control/v1, name: policy}
data: {layerOrder: [global, site]}
---
schema: example/Versions/v1
metadata: {schema: metadata/Document/v1, name: newest, storagePolicy: cleartext, layeringDefinition: {layer: global, abstract: false}}
data: {image: noble}
---
schema: example/Versions/v1
metadata:
  schema: metadata/Document/v1
  name: versions
  storagePolicy: cleartext
  layeringDefinition: {layer: global, abstract: false}
  substitutions:
  - src: {schema: example/Versions/v1, name: newest, path: .image}
    dest: {path: .image}
data: {image: focal}
---
schema: deckhand/Passphrase/v1
metadata: {schema: metadata/Document/v1, name: pw, storagePolicy: cleartext, layeringDefinition: {layer: site, abstract: false}}
data: hunter2
---
schema: drydock/HostProfile/v1
metadata:
  schema: metadata/Document/v1
  name: base-global
  labels: {profile: base}
  storagePolicy: cleartext
  layeringDefinition: {layer: global, abstract: true}
  substitutions:
  - src: {schema: example/Versions/v1, name: versions, path: .image}
    dest: {path: .platform.image}
data:
  platform: {kernel: ga}
---
schema: drydock/HostProfile/v1
metadata:
  schema: metadata/Document/v1
  name: base
  storagePolicy: cleartext
  layeringDefinition: {layer: site, abstract: false, parentSelector: {profile: base}, actions: [{method: merge, path: .}]}
  substitutions:
  - src: {schema: deckhand/Passphrase/v1, name: pw, path: .}
    dest: {path: .oob.account, pattern: PART}
data:
  oob: {account: admin-PART}
  platform: {kernel: hwe}
---
schema: drydock/BaremetalNode/v1
metadata:
  schema: metadata/Document/v1
  name: n1
  storagePolicy: cleartext
  layeringDefinition: {layer: site, abstract: false}
data:
  host_profile: base
";

#[test]
fn layers_and_substitutions_are_links_down_to_the_source() {
    let mut map = SourceMap::default();
    let file = map.add("site.yaml", LAYERED);
    let read = read_all(&map, &[file]);
    assert!(read.diagnostics.is_empty(), "{:?}", read.diagnostics);
    let heads = Heads::read(&map, &[file]);
    let ask = |question: &str| {
        let (_, mut values) = explain(&read.documents, &heads, question, &|_| false, &|span| read.sensitive.covers(span)).unwrap();
        assert_eq!(values.len(), 1, "{values:?}");
        values.remove(0)
    };
    let chain = |value: &super::Explained| -> Vec<String> {
        let role = |role: Role| match role {
            Role::Substitution { by } => format!("Substitution (line {})", by.line),
            other => format!("{other:?}"),
        };
        let layer = |link: &super::Link| link.layer.clone().unwrap_or_default();
        value.links.iter().map(|l| format!("{} {} {} {}", role(l.role), l.name, layer(l), l.span.line)).collect()
    };
    let image = ask("node.n1/platform/image");
    assert_eq!(image.value.as_str(), Some("noble"));
    assert_eq!(
        chain(&image),
        [
            "Resource n1 site 50",
            "Profile base site 37",
            "Layer base-global global 24",
            "Substitution (line 33) versions global 9",
            "Substitution (line 17) newest global 7",
        ]
    );
    let kernel = ask("node.n1/platform/kernel");
    assert_eq!(chain(&kernel), ["Resource n1 site 50", "Profile base site 48"]);
    let lost: Vec<(Option<&str>, &str)> = kernel.overridden.iter().map(|o| (o.value.as_str(), o.name.as_str())).collect();
    assert_eq!(lost, [(Some("ga"), "base-global")]);
    // A text with a secret in it is a secret, and so is what it was made from.
    let account = ask("node.n1/oob/account");
    assert!(account.sensitive, "{account:?}");
    assert_eq!(account.links.last().map(|l| l.name.as_str()), Some("pw"));
}

const HARDWARE: &str = "\
schema: drydock/HardwareProfile/v1
metadata: {name: r7}
data:
  cpu_sets: {sriov.a: '2,4'}
  hugepages: {dpdk: {size: 1G, count: 16}}
---
schema: drydock/HostProfile/v1
metadata: {name: base}
data:
  hardware_profile: r7
  platform:
    kernel_params:
      isolcpus: hardwareprofile:cpuset.sriov.a
      hugepages: hardwareprofile:hugepages.dpdk.count
      other: hardwareprofile:hugepages.dpdk.colour
  metadata: {owner_data: {a: 'hardwareprofile:cpuset.sriov.a'}}
---
schema: drydock/BaremetalNode/v1
metadata: {name: n1}
data: {host_profile: base}
";

#[test]
fn references_to_hardware_profiles_are_followed() {
    let mut map = SourceMap::default();
    let file = map.add("site.yaml", HARDWARE);
    let documents = read_all(&map, &[file]).documents;
    let heads = Heads::read(&map, &[file]);
    let asked = Asked { map, documents, heads };
    let value = |path: &str| match &asked.ask(&format!("node.n1/{path}")).unwrap()[0].value.value {
        Value::Str(text) => text.to_string(),
        Value::Int(number) => format!("the number {number}"),
        other => panic!("{other:?}"),
    };
    assert_eq!(value("platform/kernel_params/isolcpus"), "2,4");
    assert_eq!(value("platform/kernel_params/hugepages"), "the number 16");
    // What leads nowhere, and what is no kernel parameter, is as it is written.
    assert_eq!(value("platform/kernel_params/other"), "hardwareprofile:hugepages.dpdk.colour");
    assert_eq!(value("metadata/owner_data/a"), "hardwareprofile:cpuset.sriov.a");
    let chain = asked.chain("node.n1/platform/kernel_params/hugepages");
    assert_eq!((chain[0].as_str(), chain[1].as_str()), ("Resource n1 site.yaml:18:1", "Profile base site.yaml:14:18"));
    assert!(chain[2].starts_with("Reference") && chain[2].ends_with("r7 site.yaml:5:39"), "{chain:?}");
}
