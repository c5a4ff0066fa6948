//! Canaries: no secret of a site is in anything that drydock prints, writes or keeps: texts, JSON, events, plan files, the bytes of the state, messages at the
//! highest verbosity, errors that repeat what was sent, and the simulated site's log of requests.

use std::path::Path;

use crate::perturbed_support::{Site, node_mut};

/// All texts below a folder, but what belongs to the simulated site and the design itself.
fn kept(folder: &Path, out: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name == "sim" {
                // The world knows its passwords; the log of requests does not.
                let log = path.join("requests.jsonl");
                out.push((log.display().to_string(), std::fs::read(&log).unwrap()));
            } else if name != "design" {
                kept(&path, out);
            }
        } else if name != "drydock.yaml" {
            // The faults of this test stand in the settings.
            out.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

/// Node data that a boot action brings, with a secret in them.
const ASSET: &str = "---
schema: deckhand/Passphrase/v1
metadata: {schema: metadata/Document/v1, name: join_key, storagePolicy: encrypted}
data: canary-user-data-key-0815
---
schema: drydock/BootAction/v1
metadata:
  schema: metadata/Document/v1
  name: join
  storagePolicy: cleartext
  substitutions:
    - src: {schema: deckhand/Passphrase/v1, name: join_key, path: .}
      dest: {path: '.assets[0].data'}
data:
  assets:
    - {path: /etc/join.key, type: file, permissions: '0600', data: ''}
    - {path: /opt/agent, type: file, permissions: '0755', location: 'https://objects.example.net/agent?X-Signature=canary-signed-url-1516'}
";

/// A secret, and as it stands in a form, in JSON, and in base 64.
fn forms(secret: &str) -> Vec<String> {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(secret);
    vec![secret.to_owned(), secret.replace(':', "%3A"), encoded]
}

#[test]
fn no_secret_is_in_any_output_plan_state_or_log() {
    let site = Site::new("");
    site.folder().edit("drydock.yaml", "owns_region: true", "owns_region: true, manage_power: true");
    let from_environment = "drivers: {redfish: {credentials: {username: op, password: {env: SITE_TOKEN}}}, maas: ";
    site.folder().edit("drydock.yaml", "drivers: {maas: ", from_environment);
    site.folder().write("design/actions.yaml", ASSET);
    let url = "https://bearer:canary-repository-3331@packages.example.net/tools?X-Amz-Signature=canary-repository-3332";
    site.folder().edit("design/region.yaml", "https://packages.example.net/tools", url);
    let canary = "canary-bmc-password-4711";
    let password = "hello-bmc-password";
    let mut replaced = 0;
    for entry in std::fs::read_dir(site.path().join("design")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        replaced += text.matches(password).count();
        std::fs::write(&path, text.replace(password, canary)).unwrap();
    }
    assert!(replaced > 0, "the sample has a BMC password");
    // Others set one in MAAS, which the design lists without.
    site.change(|w| w.site.repositories.values_mut().for_each(|r| r.url = r.url.replace("://", "://u:canary-repository-3333@")));
    let mut said: Vec<(String, Vec<u8>)> = Vec::new();
    let mut run = |arguments: &[&str]| {
        let mut command = site.folder().command(arguments);
        // Of the kind that settings refer to; a child that prints its environment would show it.
        command.env("SITE_TOKEN", "canary-environment-2342");
        let ended = crate::cli_support::end(&mut command);
        let text = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!text.contains("panicked"), "{text}");
        said.push((format!("drydock {}", arguments.join(" ")), text.clone().into_bytes()));
        (ended.code, text)
    };
    for arguments in [
        &["validate", "-vv"][..],
        &["render", "--all"],
        &["render", "--bootactions", "compute01"],
        &["explain", "node.compute01"],
        &["explain", "node.compute01", "--format", "json"],
        &["explain", "node.compute01/oob"],
        &["explain", "region.hello-site"],
        &["discover", "-vv", "-o", "build.json"],
        &["discover", "--format", "json"],
        &["plan", "-vv", "--out", "first.plan"],
        &["plan", "--build", "build.json"],
        &["plan", "--format", "json"],
        &["show", "first.plan"],
        &["show", "first.plan", "--format", "json"],
        &["show", "first.plan", "--format", "markdown"],
        &["show", "first.plan", "--format", "github"],
        &["show", "first.plan", "--format", "html"],
        &["show", "first.plan", "--query", "*", "--format", "json"],
        &["diff", "first.plan", "first.plan", "--format", "json"],
        &["rehearse", "first.plan", "--format", "json"],
        &["graph", "first.plan", "--format", "svg"],
        &["graph", "first.plan", "--format", "dot"],
        &["graph", "first.plan", "--format", "mermaid"],
        &["approve", "first.plan", "--statement"],
        &["plan", "--format", "html"],
        &["verify", "site", "-v"],
        &["verify", "nodes", "-v", "--format", "json"],
        &["apply", "first.plan", "--json"],
        &["runs", "show"],
        &["runs", "show", "--format", "json"],
        &["runs", "show", "--format", "html"],
        &["state", "hardware", "node.compute01"],
        &["state", "show", "--format", "json"],
        &["adopt", "*", "--format", "json"],
        &["plan", "--replace", "node=compute01", "--format", "json"],
        &["destroy", "--target", "node=compute01", "--auto-approve"],
    ] {
        let (code, text) = run(arguments);
        assert!([0, 2].contains(&code), "{arguments:?}: {code}: {text}");
    }
    // Refusals and failures: a wrong password, a refused key whose answer holds the secret, broken answers.
    let endpoints: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(site.path().join(".drydock/sim/endpoints.json")).unwrap()).unwrap();
    let key = endpoints["key"].as_str().unwrap().to_owned();
    let secret = key.rsplit(':').next().unwrap().to_owned();
    assert!(secret.len() > 8, "an API key");
    for fault in [
        "{node: compute02, machine: wrong_credentials, count: 0}".to_owned(),
        // What was sent comes back.
        format!("{{server: maas, method: PUT, count: 0, status: 400, body: '{{\"power_parameters\": [\"{canary} is too short\"]}}'}}"),
        format!("{{server: maas, method: POST, count: 0, status: 500, body: 'Traceback: power_pass={canary} by {secret}'}}"),
        format!("{{server: bmc, count: 0, status: 500, body: 'no such user operator:{canary}'}}"),
        format!("{{server: maas, path: '.*/machines/', count: 0, status: 401, body: 'Expected signature base string: &{secret}'}}"),
        format!("{{server: maas, method: GET, path: '.*/tags/', count: 0, status: 500, body: 'traceback with {secret} in it'}}"),
        format!("{{server: maas, method: GET, path: '.*/fabrics/', count: 0, status: 200, body: '{{]{secret}'}}"),
    ] {
        site.simulate(&format!("  faults: [{fault}]"));
        site.folder().edit("drydock.yaml", "owns_region: true", "owns_region: true, manage_power: true");
        site.change(|w| node_mut(w, "compute02").power_type = "ipmi".into());
        run(&["plan", "-vv"]);
        run(&["apply", "--auto-approve", "-vv"]);
        run(&["resume", "-vv", "--json"]);
        run(&["runs", "show"]);
        run(&["discover", "-vv"]);
    }
    kept(site.path(), &mut said);
    assert!(said.iter().any(|(name, _)| name.ends_with("state.db")) && said.iter().any(|(name, _)| name.ends_with("first.plan")));
    assert!(said.iter().any(|(name, _)| name.ends_with("requests.jsonl")));
    let others = ["canary-user-data-key-0815", "canary-signed-url-1516", "canary-environment-2342", "canary-repository-333"];
    let hidden: Vec<String> = [canary, &secret, &key].into_iter().chain(others).flat_map(forms).collect();
    for (what, bytes) in &said {
        let text = String::from_utf8_lossy(bytes);
        for hidden in &hidden {
            assert!(!text.contains(hidden), "{what} holds a secret ({hidden}):\n{text}");
        }
    }
}
