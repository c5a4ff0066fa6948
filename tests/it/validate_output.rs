//! `drydock validate`: its formats, levels of rules, pages of rules, and files that are no design.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::Value;

use super::cli_support::{Ended, Folder};

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}\n{}", ended.stdout))
}

/// The example with one warning: DD2107 at design/nodes.yaml.
fn with_a_warning() -> Folder {
    let site = Folder::hello();
    site.edit("design/nodes.yaml", "    tags: [control]\n", "    tags: [control]\n    rack: r9\n");
    site
}

fn with_settings(settings: &str) -> Folder {
    let site = with_a_warning();
    let text = site.read("drydock.yaml");
    site.write("drydock.yaml", &format!("{text}\n{settings}\n"));
    site
}

#[test]
fn strict_makes_errors_of_warnings() {
    let site = with_a_warning();
    let plain = site.run(&["validate"]).expect(0).shows(&["warning[DD2107]", "\n1 warning\nsite hello-site: "]);
    assert!(!plain.stdout.contains("error["));
    assert_eq!(plain.stderr, "more about a rule: drydock validate --explain DD2107\n");
    let strict = site.run(&["validate", "--strict"]).expect(3);
    assert!(
        strict.stdout.contains("error[DD2107]") && strict.stdout.ends_with("\n1 error (1 warning raised by --strict)\n"),
        "{}",
        strict.stdout
    );
    let value = json(&site.run(&["validate", "--strict", "--format", "json"]).expect(3));
    assert_eq!((value["valid"].as_bool(), value["strict"].as_bool(), value["errors"].as_u64()), (Some(false), Some(true), Some(1)));
    let found = &value["diagnostics"][0];
    assert_eq!((found["severity"].as_str(), found["rule_severity"].as_str()), (Some("error"), Some("warning")));
    // Notes and valid designs stay what they are.
    Folder::hello().run(&["validate", "--strict"]).expect(0).shows(&["no problems\n"]);
    site.run(&["plan", "--strict"]).expect(64);
}

#[test]
fn positions_point_at_the_value() {
    let site = with_a_warning();
    let value = json(&site.run(&["validate", "--format", "json"]).expect(0));
    let found = &value["diagnostics"][0];
    let text = site.read("design/nodes.yaml");
    let (start, end) = (found["start"].as_u64().unwrap() as usize, found["end"].as_u64().unwrap() as usize);
    assert_eq!((&text[start..end], found["file"].as_str()), ("r9", Some("design/nodes.yaml")));
    let line = text.lines().position(|line| line.contains("rack: r9")).unwrap() as u64 + 1;
    let at = ["line", "column", "end_line", "end_column"].map(|key| found[key].as_u64().unwrap());
    assert_eq!(at, [line, 11, line, 13]);
    assert_eq!((found["title"].as_str(), found["help_url"].as_str()), (Some("a rack does not exist"), Some("docs/rules/DD2107.md")));
    assert_eq!(found["resource"].as_str(), Some("node.control01"));
}

#[test]
fn the_page_about_json_describes_every_field() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/validate-json.md")).unwrap();
    let example = page.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let example: Value = serde_json::from_str(example).unwrap();
    let actual = json(&with_a_warning().run(&["validate", "--format", "json"]).expect(0));
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&example), keys(&actual));
    assert_eq!(keys(&example["diagnostics"][0]), keys(&actual["diagnostics"][0]));
    for key in keys(&actual).into_iter().chain(keys(&actual["diagnostics"][0])) {
        assert!(page.lines().any(|line| line.starts_with('|') && line.contains(&format!("`{key}`"))), "{key} is not explained");
    }
}

#[test]
fn resources_with_the_same_problem_are_all_named() {
    let site = Folder::hello();
    site.edit("design/profiles.yaml", "networks: [mgmt, storage]", "networks: [mgmt, storage, nowhere]");
    site.run(&["validate"]).reads(&["2 more inherit this"]);
    let value = json(&site.run(&["validate", "--format", "json"]));
    let found = value["diagnostics"].as_array().unwrap().iter().find(|d| d["also"] != Value::Array(Vec::new())).unwrap();
    let mut names: Vec<&str> =
        found["also"].as_array().unwrap().iter().filter_map(Value::as_str).chain(found["resource"].as_str()).collect();
    names.sort_unstable();
    assert!(names.len() == 3 && names[0].starts_with("node.compute01") && names[2].starts_with("node.control01"), "{names:?}");
}

#[test]
fn tools_get_paths_from_the_root_of_the_repository() {
    let repository = Folder::empty();
    super::cli_support::copy(with_a_warning().path(), &repository.path().join("sites/dc1"));
    fs::create_dir(repository.path().join(".git")).unwrap();
    let run = |format: &str| repository.run(&["-C", "sites/dc1", "validate", "--format", format]).expect(0).stdout;
    assert!(run("github").starts_with("::warning file=sites/dc1/design/nodes.yaml,line="), "{}", run("github"));
    assert!(run("github").contains("\n::notice title=drydock validate::1 warning%0Anot verified [DD3122]: the sizes of 6 disks (no build model: give one with --build FILE, or plan)%0A"), "{}", run("github"));
    assert!(run("junit").contains("<testsuite name=\"sites/dc1/design/nodes.yaml\""), "{}", run("junit"));
    let sarif: Value = serde_json::from_str(&run("sarif")).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "sites/dc1/design/nodes.yaml");
    assert!(run("text").contains("--> design/nodes.yaml:"), "people see paths as they would type them");
}

#[test]
fn all_formats_go_to_files_and_show_what_is_wrong() {
    let site = with_a_warning();
    for (format, texts) in [
        ("text", ["warning[DD2107]", "design/nodes.yaml:"]),
        ("json", ["\"DD2107\"", "\"design/nodes.yaml\""]),
        ("github", ["::warning file=", "title=DD2107%3A a rack"]),
        ("sarif", ["\"ruleId\": \"DD2107\"", "design/nodes.yaml"]),
        ("junit", ["<testcase classname=", "DD2107"]),
    ] {
        let ended = site.run(&["validate", "--format", format, "-o", "report", "--color", "always"]).expect(0);
        assert_eq!(ended.stdout, "");
        let report = site.read("report");
        assert!(texts.iter().all(|text| report.contains(text)) && !report.contains('\u{1b}'), "{format}: {report}");
    }
}

#[test]
fn rules_are_silenced_with_a_reason_and_counted() {
    let site = with_settings("rules:\n  DD2107: {level: off, reason: racks come next quarter}");
    let ended = site.run(&["validate", "--strict"]).expect(0);
    let summary = "no problems, 1 silenced\n  DD2107 ×1 silenced in drydock.yaml: racks come next quarter\nsite hello-site: ";
    assert!(ended.stdout.starts_with(summary), "{}", ended.stdout);
    let value = json(&site.run(&["validate", "--format", "json"]).expect(0));
    assert_eq!(value["diagnostics"].as_array().map(Vec::len), Some(0));
    let silenced = &value["silenced"][0];
    assert_eq!((silenced["code"].as_str(), silenced["reason"].as_str()), (Some("DD2107"), Some("racks come next quarter")));
    assert!(site.run(&["validate", "--format", "github"]).expect(0).stdout.contains("::no problems, 1 silenced (DD2107)%0A"));
    // Paths on the command line are checked as strictly.
    site.run(&["validate", "design"]).expect(0).shows(&["no problems, 1 silenced"]);
    // Rendering is not the place to look at them either.
    let site2 = Folder::empty();
    site2.write("drydock.yaml", "design: [{pegleg: {site: one}}]\n");
    site2.write("site/one/site-definition.yaml", "schema: pegleg/SiteDefinition/v1\nmetadata: {name: x}\ndata: {site_type: t}\n");
    site2.write("site/one/region.yaml", "schema: drydock/Region/v1\nmetadata: {name: one}\ndata: {}\n");
    site2.run(&["render"]).expect(0).says(&["warning[DD0044]"]);
    site2.write("drydock.yaml", "design: [{pegleg: {site: one}}]\nrules: {DD0044: {level: off, reason: it is empty}}\n");
    assert_eq!(site2.run(&["render"]).expect(0).stderr, "");
    // A plan says so to whoever approves it.
    site.run(&["plan", "-v"]).expect(0).shows(&["1 silenced in drydock.yaml: racks come next quarter [DD2107]"]);
}

#[test]
fn levels_are_raised_and_lowered_for_plans_too() {
    let site = with_settings("rules: {2107: {level: error, reason: we wire by rack}}");
    site.run(&["validate"]).expect(3).shows(&["error[DD2107]"]);
    site.run(&["plan"]).expect(3).says(&["error[DD2107]"]);
    let site = with_settings("rules: {dd2107: {level: info, reason: known}}");
    site.run(&["validate", "--strict"]).expect(0).shows(&["info[DD2107]", "1 info\n"]);
    // An error that may be taken for less.
    let site = with_settings("rules: {DD2204: {level: warning, reason: the gateway is on the link}}");
    site.edit("design/networks.yaml", "gateway: 10.10.2.1", "gateway: 10.10.99.1");
    site.run(&["validate"]).expect(0).shows(&["warning[DD2204]"]);
    site.run(&["plan"]).expect(0);
    site.edit("drydock.yaml", "rules: {DD2204: {level: warning, reason: the gateway is on the link}}", "");
    site.run(&["plan"]).expect(3).says(&["error[DD2204]"]);
}

#[test]
fn pages_of_rules_are_printed() {
    let site = Folder::empty();
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rules/DD2107.md")).unwrap();
    for code in ["DD2107", "dd2107", "2107"] {
        let ended = site.run(&["validate", "--explain", code]).expect(0);
        assert!(ended.stdout.starts_with(page.trim_end()) && ended.stdout.contains("silences it"), "{}", ended.stdout);
    }
    site.run(&["validate", "--explain", "DD1109"]).expect(0).shows(&["# DD1109: ", "It cannot be silenced or lowered in drydock.yaml.\n"]);
    // Codes of Airship Drydock: one that is one rule here, and one that is two rules there.
    site.run(&["validate", "--explain", "DD2005"]).expect(0).shows(&["# DD2201: "]);
    site.run(&["validate", "--explain", "dd2004"]).expect(0).shows(&[
        "DD2004 is a code of Airship Drydock.",
        "\nDD2004 (Network Trunking)\n  DD2304  error    a link without trunking",
        "\nDD2004 (Storage Mountpoint)\n  DD3107  error    ",
    ]);
    site.run(&["validate", "--explain", "DD2170"]).expect(64).says(&["there is no rule `DD2170`", "did you mean `DD2107`?"]);
    site.run(&["validate", "--explain", "nonsense\u{1b}"]).expect(64).says(&["there is no rule `nonsense", "docs/rules lists all"]);
    site.run(&["validate", "--explain", "DD2107", "design"]).expect(64);
    let value = json(&site.run(&["validate", "--explain", "2004", "--format", "json"]).expect(0));
    assert!(value["rules"].as_array().is_some_and(|rules| rules.len() > 2 && rules.iter().all(|rule| rule["page"].is_string())), "{value}");
}

#[test]
fn standard_input_is_a_file() {
    let site = Folder::hello();
    let all: String = fs::read_dir(site.path().join("design"))
        .unwrap()
        .map(|entry| format!("---\n{}\n", fs::read_to_string(entry.unwrap().path()).unwrap()))
        .collect();
    let run = |arguments: &[&str], input: &[u8]| {
        let mut command = site.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ended { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    };
    run(&["validate", "-"], all.as_bytes()).expect(0).shows(&["no problems\nsite hello-site: 3 nodes"]);
    run(&["validate", "-"], b"a: [").expect(3).shows(&["error[DD0001]", "--> <stdin>:1:"]);
    run(&["validate", "-"], b"").expect(3).shows(&["error[DD0017]"]);
    run(&["validate", "-"], b"a: \xff\n").expect(1).says(&["<stdin>: not UTF-8 text: byte 3 (line 1)"]);
    run(&["validate", "-", "-"], b"").expect(64).says(&["`-` is given twice"]);
    let both = run(&["validate", "design", "-"], b"schema: drydock/Rack/v1\nmetadata: {name: r7}\ndata: {}\n").expect(0);
    assert!(both.stdout.contains("2 racks"), "{}", both.stdout);
    run(&["render", "-"], b"schema: drydock/Rack/v1\nmetadata: {name: r7}\ndata: {}\n").expect(0).shows(&["name: r7"]);
}

#[test]
fn what_cannot_be_read_is_said() {
    let site = Folder::empty();
    let path = |name: &str| site.path().join(name);
    site.run(&["validate", "none.yaml"]).expect(1).says(&["none.yaml: no such file or directory; correct the path"]);
    fs::create_dir(path("empty")).unwrap();
    site.run(&["validate", "empty"]).expect(1).says(&["empty: no *.yaml or *.yml file in this directory"]);
    site.write("empty/readme.txt", "text");
    site.run(&["validate", "empty"]).expect(1).says(&["empty: no *.yaml or *.yml file"]);
    fs::File::create(path("huge.yaml")).unwrap().set_len((64 << 20) + 1).unwrap();
    site.run(&["validate", "huge.yaml"]).expect(1).says(&["huge.yaml: larger than 64 MiB; split it"]);
    fs::write(path("binary.yaml"), [0x7f, b'E', b'L', b'F', 0, 0xfe, 0xff, 0]).unwrap();
    site.run(&["validate", "binary.yaml"]).expect(1).says(&["binary.yaml: not UTF-8 text: byte 5"]);
    fs::write(path("zeros.yaml"), [0; 4096]).unwrap();
    site.run(&["validate", "zeros.yaml"]).expect(3).shows(&["error[DD0001]", "zeros.yaml:1:"]);
    fs::write(path("latin1.yaml"), b"location: M\xfcnchen\n").unwrap();
    site.run(&["validate", "latin1.yaml"]).expect(1).says(&["latin1.yaml: not UTF-8 text: byte 11 (line 1)", "convert the file to UTF-8"]);
    fs::create_dir(path("links")).unwrap();
    std::os::unix::fs::symlink("nowhere.yaml", path("links/a.yaml")).unwrap();
    for argument in ["links", "links/a.yaml"] {
        site.run(&["validate", argument]).expect(1).says(&["links/a.yaml: a symbolic link to nowhere.yaml, which does not exist"]);
    }
    site.write("nothing.yaml", "");
    site.run(&["validate", "nothing.yaml"]).expect(3).shows(&["error[DD0017]"]);
    site.run(&["validate", "/dev/null"]).expect(1).says(&["/dev/null: neither a file nor a directory"]);
    site.run(&["validate", ""]).expect(1);
    let secret = site.write("secret.yaml", "a: 1\n");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser reads it anyway.
    if fs::read(&secret).is_err() {
        site.run(&["validate", "secret.yaml"]).expect(1).says(&["secret.yaml: cannot be read: Permission denied"]);
    }
    // Nothing that looks like a result where there is none.
    for format in ["json", "github", "sarif", "junit"] {
        assert_eq!(site.run(&["validate", "none.yaml", "--format", format]).expect(1).stdout, "");
    }
}

#[test]
fn what_only_the_site_tells_is_checked_with_a_build_model_or_said_to_be_not_verified() {
    let site = Folder::hello();
    let without = [
        "no problems\n",
        "not verified [DD3122]: the sizes of 6 disks (no build model",
        "not verified [DD5115]: image jammy, kernel hwe-22.04 (no",
    ];
    site.run(&["validate", "--strict"]).expect(0).shows(&without);
    site.run(&["validate", "design"]).expect(0).shows(&without);
    site.run(&["discover", "--out", "build.json"]).expect(0);
    // The simulated MAAS has another image at first, and no machine.
    let found = site.run(&["validate", "--build", "build.json"]).expect(0).shows(&[
        "warning[DD5115]: the provisioner has no image `jammy`",
        "--> design/profiles.yaml:",
        "2 more inherit this",
        "it first; the provisioner has `ubuntu/noble`",
        "not verified [DD3122]: the sizes of 6 disks (the build model does not have them, or not their machines)",
    ]);
    assert!(!found.stdout.contains("not verified [DD5115]"), "{}", found.stdout);
    site.run(&["validate", "--build", "build.json", "--strict"]).expect(3).shows(&["error[DD5115]"]);
    site.edit("build.json", "\"series\":\"noble\"", "\"series\":\"jammy\"");
    let kernel = "error[DD5115]: the provisioner's image `jammy` has no kernel `hwe-22.04`";
    site.run(&["validate", "--build", "build.json"]).expect(3).shows(&[kernel]);
    site.run(&["validate", "--build", "build.json", "design"]).expect(3).shows(&[kernel]);
    let value = json(&site.run(&["validate", "--build", "build.json", "--format", "json"]).expect(3));
    assert_eq!((value["valid"].as_bool(), value["diagnostics"][0]["code"].as_str()), (Some(false), Some("DD5115")));
    site.edit("build.json", "hwe-24.04", "hwe-22.04");
    site.run(&["validate", "--build", "build.json"]).expect(0).shows(&["no problems\n"]);
    site.run(&["validate", "--build", "drydock.yaml"]).expect(1).says(&["not a build file"]);
    site.run(&["validate", "--build", "none.json"]).expect(1).says(&["cannot read none.json"]);
    site.run(&["validate", "--build", "build.json", "--explain", "DD5115"]).expect(64);
}

#[test]
fn links_lead_where_the_settings_say() {
    let site = with_settings("rule_pages: 'https://docs.example.net/{code}.html'");
    let link = |arguments: &[&str]| json(&site.run(arguments).expect(0))["diagnostics"][0]["help_url"].clone();
    assert_eq!(link(&["validate", "--format", "json"]), "https://docs.example.net/DD2107.html");
    assert_eq!(link(&["validate", "--format", "json", "design"]), "https://docs.example.net/DD2107.html");
    let sarif: Value = serde_json::from_str(&site.run(&["validate", "--format", "sarif"]).expect(0).stdout).unwrap();
    assert_eq!(sarif["runs"][0]["tool"]["driver"]["rules"][0]["helpUri"], "https://docs.example.net/DD2107.html");
}
