//! What nodes get with their deployment.

use serde_json::{Value, json};

use super::super::base64::decode;
use super::super::{Delivery, LeftOut, delivery};
use super::{action, read};
use crate::document;
use crate::model::{Site, resolve};
use crate::yaml::SourceMap;

fn of(site: &Site, node: &str) -> Delivery {
    delivery(site, &site.nodes[node])
}

/// The document as cloud-init reads it.
fn document(delivery: &Delivery) -> Value {
    let text = String::from_utf8(decode(delivery.document.as_ref().unwrap().expose().as_bytes()).unwrap()).unwrap();
    serde_yaml::from_str(text.strip_prefix("#cloud-config\n").unwrap()).unwrap()
}

#[test]
fn files_units_and_packages_are_one_document() {
    let files =
        "- {path: /etc/motd, type: file, permissions: '0644', data_pipeline: [utf8_decode, template], data: 'This is {{ node.hostname }}'}
- {path: /etc/systemd/system/a.service, type: unit, permissions: '0600', data: '[Service]'}";
    let packages = "- {type: pkg_list, data: {lldpd: 1.0.13-1, ceph-common: ''}}";
    let (site, _) = read(&(action("a", files) + &action("b", packages)));
    let given = of(&site, "n1");
    assert_eq!(given.left_out, []);
    assert_eq!(
        document(&given),
        json!({
            "write_files": [
                {"path": "/etc/motd", "permissions": "0644", "encoding": "b64", "content": "VGhpcyBpcyBuMQ=="},
                {"path": "/etc/systemd/system/a.service", "permissions": "0600", "encoding": "b64", "content": "W1NlcnZpY2Vd"},
            ],
            "packages": ["ceph-common", ["lldpd", "1.0.13-1"]],
            "runcmd": [
                ["systemctl", "daemon-reload"],
                ["systemctl", "enable", "a.service"],
                ["systemctl", "start", "--no-block", "a.service"],
            ],
        })
    );
    let shown = given.shown.unwrap();
    assert!(shown.starts_with("1 file, 1 unit, 2 packages, ") && shown.contains(" bytes, SHA-256 "), "{shown}");
    assert_ne!(of(&site, "n2").shown.unwrap(), shown, "each node has its own");
    assert!(of(&read("").0, "n1").shown.is_none());
}

#[test]
fn an_action_is_given_as_a_whole_or_not_at_all() {
    let fine = "- {path: /a, type: file, data: a}\n";
    for (other, why) in [
        ("- {path: /b, type: file, location: 'http://h/b'}", LeftOut::Fetched),
        ("- {path: /b, type: file, data_pipeline: [utf8_decode, template], data: '{{ action.report_url }}'}", LeftOut::Reports),
        ("- {path: /b, type: file, data_pipeline: [template], data: x}", LeftOut::Impossible),
    ] {
        let (site, _) = read(&(action("whole", fine) + &action("half", &format!("{fine}{other}"))));
        let given = of(&site, "n1");
        assert_eq!(given.left_out, [("half".to_owned(), why)]);
        assert_eq!(document(&given)["write_files"].as_array().map(Vec::len), Some(1), "{why:?}");
    }
}

#[test]
fn secrets_are_in_the_document_and_in_nothing_that_is_shown() {
    let with = |secret: &str| {
        let head = |schema: &str, name: &str, more: &str| {
            format!(
                "---\nschema: {schema}\nmetadata:\n  schema: metadata/Document/v1\n  name: {name}\n  storagePolicy: cleartext\n  layeringDefinition: {{abstract: false, layer: site}}\n{more}"
            )
        };
        let substitution =
            "  substitutions: [{src: {schema: deckhand/Passphrase/v1, name: pass, path: .}, dest: {path: '.assets[0].data'}}]\n";
        let documents = [
            "---\nschema: deckhand/LayeringPolicy/v1\nmetadata: {schema: metadata/Control/v1, name: p}\ndata: {layerOrder: [site]}\n"
                .to_owned(),
            head("drydock/Region/v1", "site", "data: {}\n"),
            head("drydock/BaremetalNode/v1", "n1", "data: {}\n"),
            head("deckhand/Passphrase/v1", "pass", &format!("data: {secret}\n")).replace("cleartext", "encrypted"),
            head("drydock/BootAction/v1", "a", substitution) + "data: {signaling: false, assets: [{path: /s, type: file, data: x}]}\n",
        ]
        .concat();
        let mut map = SourceMap::default();
        let file = map.add("design.yaml", documents);
        let read = document::read_all(&map, &[file]);
        of(&resolve(&read.documents, &read.sensitive).0.unwrap(), "n1")
    };
    let (one, other) = (with("canary-one"), with("canary-two"));
    assert_eq!(document(&one)["write_files"][0]["content"], "Y2FuYXJ5LW9uZQ==");
    assert_eq!(document(&other)["write_files"][0]["content"], "Y2FuYXJ5LXR3bw==");
    assert_eq!(one.shown, other.shown, "a digest that depends on a secret tells whether a guess is right");
    assert!(!format!("{one:?}").contains("canary"));
}
