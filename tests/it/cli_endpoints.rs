//! A site that is named in the settings: a simulated one of another folder takes the place of MAAS and BMCs, and nothing here knows it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use super::cli_support::Folder;

/// The simulated site of a folder, as a process of its own.
pub(crate) struct Site {
    pub(crate) folder: Folder,
    process: Child,
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Site {
    fn start() -> (Self, String, Vec<(String, String)>) {
        Self::start_with(&[])
    }

    /// With other settings: texts that are replaced.
    pub(crate) fn start_with(edits: &[(&str, &str)]) -> (Self, String, Vec<(String, String)>) {
        let folder = Folder::hello();
        for (from, to) in edits {
            folder.edit("drydock.yaml", from, to);
        }
        let mut process = folder.command(&["sim"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let maas = lines.next().unwrap().split_whitespace().nth(1).unwrap().to_owned();
        let bmcs = lines
            .take(3)
            .map(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                (words[2].to_owned(), words[1].to_owned())
            })
            .collect();
        (Self { folder, process }, maas, bmcs)
    }

    pub(crate) fn key(&self) -> String {
        let endpoints: Value = serde_json::from_str(&self.folder.read(".drydock/sim/endpoints.json")).unwrap();
        endpoints["key"].as_str().unwrap().to_owned()
    }
}

const ADDRESSES: [(&str, &str); 3] = [("control01", "10.10.0.21"), ("compute01", "10.10.0.31"), ("compute02", "10.10.0.32")];

pub(crate) fn settings(maas: &str, bmcs: &[(String, String)]) -> String {
    let endpoints: Vec<String> =
        ADDRESSES.iter().map(|(node, address)| format!("{address}: '{}'", bmcs.iter().find(|(n, _)| n == node).unwrap().1)).collect();
    format!(
        "site: hello-site\ndrivers:\n  maas: {{url: '{maas}', api_key: {{file: key}}, poll_interval: 100ms, owns_region: true}}\n  redfish: {{poll_interval: 100ms, endpoints: {{{}}}}}\nlimits: {{unavailable_per_rack: 3, power_ups_per_rack: 3}}\n",
        endpoints.join(", ")
    )
}

#[test]
fn a_site_that_the_settings_name_is_planned_and_applied() {
    let (site, maas, bmcs) = Site::start();
    let folder = Folder::hello();
    folder.write("drydock.yaml", &settings(&maas, &bmcs));
    let key = site.key();
    folder.write("key", &format!("{key}\n"));
    let planned = folder.run(&["plan", "--out", "plan.json"]).expect(0).shows(&["3 nodes installed for the first time"]);
    assert!(!planned.stdout.contains("SIMULATED") && planned.stderr.is_empty(), "{planned:?}");
    let applied = folder.run(&["apply", "plan.json", "-v"]).expect(0).shows(&["50 done"]);
    folder.run(&["plan", "--detailed-exitcode"]).expect(0).shows(&["No changes."]);
    // Neither the key nor the BMCs' password is anywhere.
    let secret = key.rsplit(':').next().unwrap();
    let state = std::fs::read(folder.path().join(".drydock/state.db")).unwrap();
    for text in [secret, "hello-bmc-password"] {
        assert!(!state.windows(text.len()).any(|w| w == text.as_bytes()), "the state has a secret");
        for output in [&planned.stdout, &applied.stdout, &applied.stderr, &folder.read("plan.json")] {
            assert!(!output.contains(text), "an output has a secret");
        }
    }
    // The plan of a real site is not applied to a simulated one.
    folder.write("drydock.yaml", "site: hello-site\nsimulate: {}\n");
    folder.run(&["apply", "plan.json"]).expect(6).says(&["the plan was made with", "the simulated site"]);
}

#[test]
fn wrong_credentials_and_dead_servers_are_told_apart() {
    let (site, maas, bmcs) = Site::start();
    let folder = Folder::hello();
    folder.write("drydock.yaml", &settings(&maas, &bmcs));
    folder.write("key", "wrong:wrong:canary-secret\n");
    let refused = folder.run(&["plan"]).expect(1).says(&["API key", "help:"]);
    assert!(!refused.stderr.contains("canary-secret"), "{}", refused.stderr);
    folder.write("key", "canary-secret\n");
    let refused = folder.run(&["plan"]).expect(1).says(&["consumer:token:secret"]);
    assert!(!refused.stderr.contains("canary-secret"), "{}", refused.stderr);
    // A BMC that refuses the design's password is a fact of its node alone.
    folder.write("key", &site.key());
    folder.edit("design/profiles.yaml", "hello-bmc-password", "canary-password");
    let found =
        folder.run(&["discover", "-o", "build.json"]).expect(0).shows(&["BMCs: 0 of 3 answered"]).says(&["node.compute01: BMC unknown:"]);
    assert!(!found.stderr.contains("canary-password") && !folder.read("build.json").contains("canary-password"), "{}", found.stderr);
    folder.run(&["plan"]).expect(0).shows(&["no node is touched", "3 nodes are of unknown stage"]);
    drop(site);
    folder.run(&["plan"]).expect(1).says(&["127.0.0.1"]);
}
