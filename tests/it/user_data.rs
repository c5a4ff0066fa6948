//! Boot actions reach MAAS as user data, with their secrets; nothing else has these.

use base64::Engine as _;
use serde_json::Value;

use crate::perturbed_support::{Site, node, of};

const CANARY: &str = "canary-in-a-boot-action";

/// A secret that is substituted into a file of every node with the tag `compute`.
const DOCUMENTS: &str = "---
schema: deckhand/LayeringPolicy/v1
metadata: {schema: metadata/Control/v1, name: layers}
data: {layerOrder: [site]}
---
schema: deckhand/Passphrase/v1
metadata:
  schema: metadata/Document/v1
  name: token
  storagePolicy: encrypted
  layeringDefinition: {abstract: false, layer: site}
data: canary-in-a-boot-action
---
schema: drydock/BootAction/v1
metadata:
  schema: metadata/Document/v1
  name: join
  storagePolicy: cleartext
  layeringDefinition: {abstract: false, layer: site}
  substitutions:
    - src: {schema: deckhand/Passphrase/v1, name: token, path: .}
      dest: {path: '.assets[0].data', pattern: TOKEN}
data:
  signaling: SIGNALING
  assets:
    - path: /etc/join
      type: file
      permissions: '0600'
      data_pipeline: [utf8_decode, template]
      data: '{{ node.hostname }} joins with TOKEN'
  node_filter:
    filter_set_type: union
    filter_set:
      - {filter_type: union, node_tags: [compute]}
";

/// The rest of the design, as documents that are rendered.
fn layered(site: &Site) {
    for name in ["hardware", "networks", "nodes", "profiles", "racks", "region"] {
        site.folder().edit(
            &format!("design/{name}.yaml"),
            "  schema: metadata/Document/v1\n",
            "  schema: metadata/Document/v1\n  storagePolicy: cleartext\n  layeringDefinition: {abstract: false, layer: site}\n",
        );
    }
}

fn given(site: &Site, name: &str) -> Option<Value> {
    let text = node(&site.world(), name)?.user_data_text.clone()?;
    let text = String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text).unwrap()).unwrap();
    Some(serde_json::from_str(text.strip_prefix("#cloud-config\n").unwrap()).unwrap())
}

#[test]
fn nodes_get_their_boot_actions_with_their_deployment() {
    let site = Site::new("");
    layered(&site);
    site.folder().write("design/boot-actions.yaml", &DOCUMENTS.replace("SIGNALING", "true"));
    let (plan, _) = site.plan(&["--out", "first.plan"]);
    let stage = of(&plan, "changes", "node.compute01")[0];
    let shown = stage["attributes"].as_array().unwrap().iter().find(|a| a["path"] == "user_data").unwrap()["after"].as_str().unwrap();
    assert!(shown.starts_with("1 file, ") && shown.contains("SHA-256"), "{shown}");
    assert!(plan["not_managed"].to_string().contains("reports of boot actions"), "{plan:#}");
    let ended = site.run(&["apply", "first.plan"]).expect(0);
    for name in ["compute01", "compute02"] {
        let document = given(&site, name).expect("user data");
        let content = document["write_files"][0]["content"].as_str().unwrap();
        let content = String::from_utf8(base64::engine::general_purpose::STANDARD.decode(content).unwrap()).unwrap();
        assert_eq!(content, format!("{name} joins with {CANARY}"));
    }
    assert_eq!(given(&site, "control01"), None);
    site.expect_as_designed();
    // Another secret is not seen, and none is told.
    site.folder().edit("design/boot-actions.yaml", CANARY, "canary-another");
    site.run(&["plan", "--detailed-exitcode"]).expect(0);
    let kept = [
        site.folder().read("first.plan"),
        format!("{}{}{plan}", ended.stdout, ended.stderr),
        site.run(&["runs", "show", "--format", "json"]).expect(0).stdout,
        String::from_utf8_lossy(&std::fs::read(site.path().join(".drydock/state.db")).unwrap()).into_owned(),
        serde_json::to_string(&node(&site.world(), "compute01").unwrap().owner_data).unwrap(),
    ];
    assert!(kept.iter().all(|text| !text.contains("canary")), "a secret is told");
    // Without the action, the node would have to be deployed again; nobody allowed it.
    site.folder().write("design/boot-actions.yaml", "");
    let (plan, code) = site.plan(&[]);
    assert_eq!(
        (code, of(&plan, "held_back", "node.compute01").len(), of(&plan, "held_back", "node.control01").len()),
        (7, 1, 0),
        "{plan:#}"
    );
}

#[test]
fn a_plan_whose_boot_actions_have_changed_since_gives_nothing_up() {
    let site = Site::applied();
    layered(&site);
    site.folder().write("design/boot-actions.yaml", &DOCUMENTS.replace("SIGNALING", "false"));
    let (_, code) = site.plan(&["--allow", "redeploy=node=compute01", "--out", "again.plan"]);
    assert_eq!(code, 2);
    site.folder().edit("design/boot-actions.yaml", "permissions: '0600'", "permissions: '0640'");
    let before = site.now();
    let ended = site.run(&["apply", "again.plan"]).expect(4);
    let said = ended.stdout + &ended.stderr;
    assert!(said.contains("the node's boot actions are not those of the plan"), "{said}");
    assert_eq!(site.effects(&before, "release", "compute01"), 0, "it still runs what it ran");
}

#[test]
fn what_was_given_before_it_was_marked_is_not_compared() {
    let site = Site::applied();
    layered(&site);
    site.folder().write("design/boot-actions.yaml", &DOCUMENTS.replace("SIGNALING", "false"));
    let (plan, code) = site.plan(&[]);
    assert_eq!((code, of(&plan, "held_back", "node.compute01").len()), (7, 1), "drydock marked that it gave nothing: {plan:#}");
    site.change(|w| {
        for node in w.nodes.values_mut() {
            node.owner_data.remove("drydock.user_data");
        }
    });
    let (plan, code) = site.plan(&[]);
    assert_eq!(code, 0, "{plan:#}");
}
