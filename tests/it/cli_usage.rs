//! Arguments, settings and files that are wrong: a message with place and remedy, and the documented exit code.

use super::cli_support::{Folder, end};

#[test]
fn wrong_arguments_end_with_64() {
    let site = Folder::hello();
    for (arguments, text) in [
        (vec![], "Usage: drydock"),
        (vec!["frobnicate"], "unrecognized subcommand 'frobnicate'"),
        (vec!["validate", "--no-such-option"], "unexpected argument '--no-such-option'"),
        (vec!["plan", "--format", "xml"], "[possible values: text, json, github, sarif, junit, markdown,"),
        (vec!["plan", "--format", "sarif"], "this command has no format `sarif`"),
        (vec!["show", "plan.json", "--format", "junit"], "it has text, json"),
        (vec!["render", "--format", "github"], "it has text, json"),
        (vec!["validate", "--explain", "DD2107", "--format", "github"], "with `--explain` it has text, json"),
        (vec!["unlock", "x", "--format", "json"], "this command has no format `json`"),
        (vec!["plan", "--color", "sometimes"], "[possible values: auto, always, never]"),
        (vec!["plan", "--allow", "redeploy"], "expected CLASS=SELECTOR"),
        (vec!["plan", "--allow", "explode=node=a"], "`explode` is not an effect class"),
        (vec!["plan", "--allow", "redeploy=nodes=a"], "`nodes` is not a key"),
        (vec!["plan", "--goal", "world_peace"], "goals are verify_site, prepare_site, prepare_nodes, deploy_nodes"),
        (vec!["apply", "--parallelism", "0"], "--parallelism"),
        (vec!["apply", "plan.json", "--target", "node=compute01"], "cannot be used with"),
        (vec!["show"], "<PLAN>"),
        (vec!["-q", "-v", "validate"], "cannot be used with"),
    ] {
        let ended = site.run(&arguments).expect(64).says(&[text]);
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
}

#[test]
fn help_and_version_are_results() {
    let site = Folder::empty();
    site.run(&["--help"]).expect(0).shows(&["Usage: drydock", "Exit codes:"]);
    site.run(&["plan", "--help"]).expect(0).shows(&["--detailed-exitcode", "--build <FILE>"]);
    site.run(&["--version"]).expect(0).shows(&[concat!("drydock ", env!("CARGO_PKG_VERSION"))]);
}

#[test]
fn wrong_settings_have_a_place_and_a_remedy() {
    let site = Folder::empty();
    site.run(&["validate"])
        .expect(1)
        .says(&["error: drydock.yaml does not exist\n", "  help: drydock works in the folder of a site: use `-C DIR`"]);
    site.run(&["-C", "nowhere", "validate"]).expect(1).says(&["error: cannot work in nowhere: No such file"]);
    site.write("drydock.yaml", "desing: [design]\n");
    site.run(&["validate"]).expect(1).says(&["error: unknown key `desing`\n  at: drydock.yaml:1:1\n  help: did you mean `design`?\n"]);
    site.write("drydock.yaml", "design: [design]\n");
    site.run(&["validate"]).expect(1).says(&["error: design: no such file or directory"]);
    std::fs::write(site.path().join("drydock.yaml"), b"site: \xff\n").unwrap();
    site.run(&["validate"]).expect(1).says(&["not UTF-8 text"]);
    site.write("drydock.yaml", "drivers: {maas: {api_key: hunter2}}\n");
    let ended = site.run(&["validate"]).expect(1).says(&["a secret is never written here", "at: drydock.yaml:1:"]);
    assert!(!ended.stderr.contains("hunter2"));
    // Both problems at once.
    site.write("drydock.yaml", "limits: {parallelism: 0}\nguards: {max_absent: 200}\n");
    site.run(&["validate"]).expect(1).says(&["`limits.parallelism` is 0", "`guards.max_absent` is a percentage"]);
}

#[test]
fn wrong_simulations_are_found_by_validate() {
    let site = Folder::hello();
    site.edit("drydock.yaml", "seed: 1", "sede: 1");
    site.run(&["validate"]).expect(1).says(&["error: unknown key `sede` in simulate", "did you mean `seed`?"]);
    let site = Folder::hello();
    site.edit("drydock.yaml", "owns_region: true", "url: https://maas.example.net/MAAS");
    site.run(&["validate"]).expect(1).says(&["names a real endpoint beside `simulate:`", "at: drydock.yaml:"]);
}

#[test]
fn a_site_of_another_name_is_refused() {
    let site = Folder::hello();
    site.edit("drydock.yaml", "site: hello-site", "site: other");
    site.run(&["validate"])
        .expect(1)
        .says(&["the design is of site `hello-site`, and drydock.yaml is for `other`", "at: design/region.yaml:6:"]);
}

#[test]
fn the_example_is_valid() {
    let site = Folder::hello();
    let ended = site.run(&["validate"]).expect(0).shows(&["no problems\n", "site hello-site: 3 nodes, 1 rack, 4 networks"]);
    assert_eq!(ended.stderr, "");
    let json: serde_json::Value = serde_json::from_str(&site.run(&["validate", "--format", "json"]).expect(0).stdout).unwrap();
    assert_eq!((json["valid"].as_bool(), json["errors"].as_u64()), (Some(true), Some(0)));
    // From elsewhere, and into a file.
    let elsewhere = Folder::empty();
    let folder = site.path().display().to_string();
    let ended = elsewhere.run(&["-C", &folder, "validate", "-o", "report.txt"]).expect(0);
    assert_eq!(ended.stdout, "");
    assert!(site.read("report.txt").starts_with("no problems\n"));
}

#[test]
fn all_problems_of_a_design_come_at_once() {
    let site = Folder::hello();
    site.edit("design/nodes.yaml", "host_profile: base", "host_profile: bsae");
    site.edit("design/networks.yaml", "cidr: 10.10.3.0/24", "cidr: 10.10.3.0/99");
    let ended = site.run(&["validate"]).expect(3).shows(&["design/nodes.yaml:8:", "`bsae`", "design/networks.yaml:"]);
    assert!(ended.stdout.contains("errors"), "{}", ended.stdout);
    site.run(&["plan"]).expect(3).says(&["`bsae`"]);
    let json: serde_json::Value = serde_json::from_str(&site.run(&["validate", "--format", "json"]).expect(3).stdout).unwrap();
    assert_eq!(json["valid"].as_bool(), Some(false));
    assert!(json["errors"].as_u64() >= Some(2));
}

#[test]
fn broken_yaml_is_shown_where_it_breaks() {
    let site = Folder::hello();
    site.edit("design/racks.yaml", "location:", "location: [");
    site.run(&["validate"]).expect(3).shows(&["error[DD0001]", "design/racks.yaml:"]);
}

#[test]
fn files_that_are_no_plans_are_refused() {
    let site = Folder::hello();
    site.run(&["show", "none.json"])
        .expect(1)
        .says(&["cannot read none.json: No such file", "help: write one with `drydock plan --out FILE`"]);
    site.write("plan.json", "{\"format\":1,");
    site.run(&["show", "plan.json"]).expect(6).says(&["not a plan file, or cut off", "at: plan.json"]);
    site.write("plan.json", "{\"format\":999}");
    site.run(&["show", "plan.json"]).expect(6).says(&["format 999"]);
    site.write("build.json", "{}");
    site.run(&["plan", "--build", "build.json"]).expect(1).says(&["not a build file: it has no `format`"]);
    site.write("build.json", "{\n  \"format\":");
    site.run(&["plan", "--build", "build.json"]).expect(1).says(&["at: build.json:2:"]);
}

#[test]
fn output_that_cannot_be_written_is_an_error_and_a_closed_pipe_is_not() {
    let site = Folder::hello();
    site.run(&["validate", "-o", "no/such/folder/x"]).expect(1).says(&["cannot write no/such/folder/x"]);
    if std::path::Path::new("/dev/full").exists() {
        site.run(&["validate", "-o", "/dev/full"]).expect(1).says(&["cannot write /dev/full: No space left"]);
    }
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    if let Ok(full) = full {
        end(site.command(&["validate"]).stdout(full)).expect(1).says(&["cannot write to standard output: No space left"]);
    }
    let mut child = site.command(&["validate"]).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn colours_are_where_they_are_wanted() {
    let site = Folder::hello();
    site.edit("design/racks.yaml", "location:", "location: [");
    let colored = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = site.command(arguments);
        command.envs(variables.iter().copied());
        end(&mut command).stdout.contains('\x1b')
    };
    assert!(!colored(&["validate"], &[]));
    assert!(colored(&["validate", "--color", "always"], &[("NO_COLOR", "1")]));
    assert!(colored(&["validate"], &[("CLICOLOR_FORCE", "1")]));
    assert!(!colored(&["validate"], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!colored(&["validate", "--color", "never"], &[("CLICOLOR_FORCE", "1")]));
}

#[test]
fn a_tree_with_several_sites_needs_a_name_and_no_settings() {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    for site in ["one", "two"] {
        write(
            &format!("site/{site}/site-definition.yaml"),
            "schema: pegleg/SiteDefinition/v1\nmetadata: {name: x}\ndata: {site_type: t}\n",
        );
        write(&format!("site/{site}/region.yaml"), &format!("schema: drydock/Region/v1\nmetadata: {{name: {site}}}\ndata: {{}}\n"));
    }
    write("type/t/rack.yaml", "schema: drydock/Rack/v1\nmetadata: {name: r1}\ndata: {}\n");
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_drydock")).arg("-C").arg(dir.path()).args(arguments).output().unwrap();
        (output.status.code(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    };
    let (code, text) = run(&["validate"]);
    assert!(code == Some(1) && text.contains("`--site NAME`"), "{text}");
    let (code, text) = run(&["--site", "three", "validate"]);
    assert!(code == Some(1) && text.contains("the sites are one, two"), "{text}");
    let (code, text) = run(&["--site", "two", "validate"]);
    assert!(code == Some(0) && text.contains("site two: 0 nodes, 1 rack"), "{text}");
    let (code, text) = run(&["--site", "two", "render", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, json.as_array().map(Vec::len)), (Some(0), Some(2)), "{text}");
}

#[test]
fn boot_actions_of_a_node_can_be_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hello-site/design");
    std::fs::create_dir(dir.path().join("design")).unwrap();
    for entry in std::fs::read_dir(example).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), dir.path().join("design").join(entry.file_name())).unwrap();
    }
    let action = "schema: drydock/BootAction/v1\nmetadata: {name: motd}\ndata:\n  signaling: false\n  assets:\n  - path: /etc/motd\n    type: file\n    \
                  permissions: '0644'\n    data_pipeline: [utf8_decode, template]\n    data: \"{{ node.hostname }} has {{ node.network.mgmt.ip }}, key {{ action.action_key }}\"\n  \
                  - {type: pkg_list, data: {htop: null, vim: '2:8.2'}}\n";
    std::fs::write(dir.path().join("design/boot-actions.yaml"), action).unwrap();
    std::fs::write(dir.path().join("drydock.yaml"), "").unwrap();
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_drydock")).arg("-C").arg(dir.path()).args(arguments).output().unwrap();
        (output.status.code(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    };
    let (code, text) = run(&["render", "--bootactions", "control01"]);
    assert_eq!(code, Some(0), "{text}");
    for line in [
        "boot action motd: 2 assets, nothing is reported",
        "  file /etc/motd 0644  design/boot-actions.yaml:",
        "    | control01 has 10.10.2.21, key ",
        "    htop (any version)",
        "    vim 2:8.2",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let (code, text) = run(&["render", "--bootactions", "control01", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let asset = &json["boot_actions"][0]["assets"][0];
    assert_eq!((code, asset["permissions"].as_str(), asset["exact"].as_bool()), (Some(0), Some("0644"), Some(false)), "{text}");
    let (code, text) = run(&["render", "--bootactions", "control1"]);
    assert!(code == Some(1) && text.contains("no node `control1`") && text.contains("control01"), "{text}");
}
