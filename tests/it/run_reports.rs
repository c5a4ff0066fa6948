//! Reports of a run for CI servers: JUnit XML, held against the schema that Jenkins reads it with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cli_support::Folder;
use super::peers;

/// A Python that validates XML, and the schema, which the sources of pytest carry for the same purpose.
fn validator() -> Result<(PathBuf, PathBuf), String> {
    let venv = peers::python("reports", &["xmlschema==4.3.2"])?;
    let schema = venv.join("junit-10.xsd");
    if !schema.exists() {
        let sources = venv.join("sources");
        let mut pip = Command::new(venv.join("bin/pip"));
        pip.args(["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary=pytest", "-d"])
            .arg(&sources)
            .arg("pytest==9.2.0");
        peers::run(&mut pip)?;
        let member = "pytest-9.2.0/testing/example_scripts/junit-10.xsd";
        peers::run(Command::new("tar").arg("xzf").arg(sources.join("pytest-9.2.0.tar.gz")).arg("-C").arg(&sources).arg(member))?;
        fs::rename(sources.join(member), &schema).map_err(|e| e.to_string())?;
    }
    Ok((venv, schema))
}

fn validate((venv, schema): &(PathBuf, PathBuf), report: &Path) -> Result<String, String> {
    let program = "import sys, xmlschema; xmlschema.XMLSchema(sys.argv[1]).validate(sys.argv[2])";
    peers::run(Command::new(venv.join("bin/python")).args(["-c", program]).arg(schema).arg(report))
}

#[test]
fn a_run_is_reported_as_junit() {
    let site = Folder::hello();
    site.edit("drydock.yaml", "  seed: 1\n", "  seed: 1\n  faults: [{node: compute02, machine: deployment_fails}]\n");
    site.run(&["apply", "--auto-approve", "--report", "junit=no/such/run.xml"])
        .expect(1)
        .says(&["cannot be written there", "nothing was done"]);
    site.run(&["apply", "--auto-approve", "--report", "xml=run.xml"]).expect(64).says(&["reports have the formats junit, json, html"]);
    let ended = site
        .run(&["apply", "--auto-approve", "--report", "junit=run.xml", "--report", "json=run.json", "--report=html=run.html"])
        .expect(4);
    assert!(ended.stdout.contains("drydock resume"), "{}", ended.stdout);
    let text = site.read("run.xml");
    assert_eq!(site.run(&["runs", "show", "--format", "junit"]).expect(0).stdout, text, "the same later");
    assert!(site.read("run.html").starts_with("<!DOCTYPE html>"));
    let run: serde_json::Value = serde_json::from_str(&site.read("run.json")).unwrap();
    let actions = run["actions"].as_array().unwrap();

    let document = roxmltree::Document::parse(&text).unwrap();
    let cases: Vec<_> = document.descendants().filter(|n| n.has_tag_name("testcase")).collect();
    assert_eq!(cases.len(), actions.len() + 1, "one for each action, and one for the run");
    let of = |tag: &str| cases.iter().filter(|c| c.children().any(|n| n.has_tag_name(tag))).count();
    let with = |status: &str| actions.iter().filter(|a| a["status"] == status).count();
    assert_eq!((of("failure"), of("error")), (with("failed") + 1, 0), "{text}");
    assert_eq!(of("skipped"), with("blocked"));
    assert!(with("failed") == 1 && with("blocked") >= 1);
    let names = cases.iter().map(|c| (c.attribute("classname"), c.attribute("name"))).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(names.len(), cases.len(), "names are unique");
    let failed =
        cases.iter().find(|c| c.attribute("classname") == Some("node.compute02") && c.attribute("name") == Some("deploy_node")).unwrap();
    let failure = failed.children().find(|n| n.has_tag_name("failure")).unwrap();
    assert!(failure.attribute("message").unwrap().contains("Failed deployment"), "{failure:?}");
    assert!(failed.attribute("time").unwrap().parse::<f64>().unwrap() > 0.5);
    assert!(text.contains("<skipped message=\"blocked by deploy_node of node.compute02\"/>"), "{text}");

    if let Some(peer) = peers::usable(validator) {
        validate(&peer, &site.path().join("run.xml")).unwrap();
        site.write("broken.xml", &text.replace("<skipped ", "<ignored "));
        assert!(validate(&peer, &site.path().join("broken.xml")).unwrap_err().contains("ignored"), "it would see it");
        // What validate writes is the same, but for two attributes that GitLab reads.
        site.run(&["validate", "--format", "junit", "-o", "design.xml"]).expect(0);
        let design = site.read("design.xml");
        assert!(design.contains(" file=\"design/"), "{design}");
        let plain: String = design
            .split(" file=\"")
            .enumerate()
            .map(|(n, part)| if n == 0 { part } else { &part[part.find('"').unwrap() + 1..] })
            .collect();
        site.write("design.xml", &plain);
        validate(&peer, &site.path().join("design.xml")).unwrap();
    }
}

#[test]
fn a_run_that_was_stopped_is_not_green() {
    let site = Folder::hello();
    let ended = super::cli_support::end(site.command(&["apply", "--auto-approve"]).env("DRYDOCK_FAILPOINT", "after_begin:43"));
    assert_eq!(ended.code, -1);
    let text = site.run(&["runs", "show", "--format", "junit"]).expect(0).stdout;
    let document = roxmltree::Document::parse(&text).unwrap();
    let errors: Vec<_> =
        document.descendants().filter(|n| n.has_tag_name("error")).filter_map(|n| n.parent()).filter_map(|c| c.attribute("name")).collect();
    assert_eq!(errors[0], "every action is done");
    assert!(errors.len() > 1, "what was begun has no outcome: {text}");
    assert_eq!(document.root_element().attribute("failures"), Some("0"));
}
