//! Plans as people review them: comments, annotations, queries, comparisons, rehearsals and graphs, through the built program.

use super::cli_support::{Folder, end};

/// The example's site with a plan file; no simulated site runs afterwards.
fn planned() -> Folder {
    let site = Folder::hello();
    site.run(&["discover", "-o", "build.json", "-q"]).expect(0);
    site.run(&["plan", "--build", "build.json", "--out", "plan.json", "-q"]).expect(0);
    site
}

#[test]
fn a_plan_becomes_a_comment_with_links_to_the_lines_that_cause_it() {
    let site = planned();
    let comment = site.run(&["show", "plan.json", "--format", "markdown"]).expect(0).shows(&[
        "<!-- drydock plan hello-site -->",
        "3 nodes installed for the first time",
        "| `rack1` | 3 |",
        "drydock apply plan.json",
    ]);
    assert!(!comment.stdout.contains("]("), "no repository is known, so there are no links:\n{}", comment.stdout);
    assert!(!comment.stdout.contains("hello-bmc-password"));
    let links = "https://git.example/dc/blob/{commit}/{path}#L{line}";
    site.run(&["show", "plan.json", "--format", "markdown", "--links", links, "--commit", "0123abc"])
        .expect(0)
        .shows(&["](https://git.example/dc/blob/0123abc/design/networks.yaml#L", "commit `0123abc`"]);
    let mut github = site.command(&["show", "plan.json", "--format", "markdown"]);
    github.env("GITHUB_ACTIONS", "true").env("GITHUB_SERVER_URL", "https://github.example").env("GITHUB_REPOSITORY", "dc/site");
    github.env("GITHUB_SHA", "4567def");
    end(&mut github).expect(0).shows(&["](https://github.example/dc/site/blob/4567def/design/networks.yaml#L"]);
    site.run(&["show", "plan.json", "--format", "markdown", "--links", "x) [y](z"]).expect(64).says(&["expected a URL"]);
    let file = site.run(&["show", "plan.json", "--format", "markdown", "-o", "comment.md"]).expect(0);
    assert_eq!((file.stdout.as_str(), site.read("comment.md")), ("", comment.stdout));
}

#[test]
fn lines_of_the_design_are_annotated_with_what_they_cause() {
    let site = planned();
    let ended = site.run(&["plan", "--build", "build.json", "--format", "github"]).expect(0);
    assert!(ended.stdout.lines().all(|l| l.starts_with("::notice ")), "{}", ended.stdout);
    ended.shows(&["::notice file=design/networks.yaml,line=96,", "title=drydock plan::hello-site: 3 nodes installed"]);
}

#[test]
fn queries_select_changes() {
    let site = planned();
    let names = |query: &str| site.run(&["show", "plan.json", "--query", query, "--format", "name"]).expect(0).stdout;
    assert_eq!(names("effect>=install && rack==\"rack1\" && node=compute*").lines().count(), 8);
    assert_eq!(names("effect>=reboot"), "");
    assert_eq!(names("resource=subnet.storage"), "subnet.storage\n");
    site.run(&["show", "plan.json", "--query", "effect>=reboot"]).expect(0).shows(&["no change of the plan is selected"]);
    site.run(&["show", "plan.json", "--query", "node=compute01"]).expect(0).shows(&["RESOURCE", "+ node.compute01"]);
    let json: serde_json::Value =
        serde_json::from_str(&site.run(&["show", "plan.json", "--query", "resource=vlan.*", "--format", "json"]).expect(0).stdout).unwrap();
    assert!(json.as_array().is_some_and(|list| !list.is_empty() && list.iter().all(|c| c["effect"] == "online")), "{json}");
    site.run(&["show", "plan.json", "--query", "tag=x"])
        .expect(64)
        .says(&["--query: selector `tag=x`, column 1", "does not have the tags"]);
    site.run(&["show", "plan.json", "--query", "node=x", "--format", "markdown"]).expect(64).says(&["it has text, json, name"]);
    site.run(&["plan", "--build", "build.json", "--target", "effect>=reboot"]).expect(64).says(&["`effect` is not a key"]);
}

#[test]
fn two_plans_are_compared() {
    let site = planned();
    site.run(&["plan", "--build", "build.json", "--out", "part.json", "--target", "node=compute01"]).expect(0);
    site.run(&["diff", "plan.json", "plan.json", "--detailed-exitcode"]).expect(0).shows(&["They are the same plan."]);
    site.run(&["diff", "plan.json", "part.json", "--detailed-exitcode"]).expect(2).shows(&[
        "node.{compute02, control01}",
        "only in the first",
        "The second does nothing beyond the first.",
    ]);
    site.run(&["diff", "part.json", "plan.json"]).expect(0).shows(&["The second goes beyond the first", "only in the second"]);
    let json: serde_json::Value =
        serde_json::from_str(&site.run(&["diff", "part.json", "plan.json", "--format", "json"]).expect(0).stdout).unwrap();
    assert!(json["beyond"].as_array().is_some_and(|b| b.len() > 4), "{json:#}");
    site.edit("part.json", "compute01", "compute02");
    site.run(&["diff", "plan.json", "part.json"]).expect(6).says(&["changed after it was made", "at: part.json"]);
}

#[test]
fn a_rehearsal_takes_its_time_from_former_runs_and_touches_nothing() {
    let site = planned();
    let ended =
        site.run(&["rehearse", "plan.json"]).expect(0).shows(&["nothing was done", "guessed", "deploy_node 15m00s", "nodes in flight"]);
    assert_eq!(ended.stderr, "", "no site is simulated for it");
    let json = |more: &[&str]| -> serde_json::Value {
        serde_json::from_str(&site.run(&[&["rehearse", "plan.json", "--format", "json"], more].concat()).expect(0).stdout).unwrap()
    };
    let usual = json(&[]);
    let longer = json(&["--duration", "deploy_node=1h"]);
    assert_eq!(longer["makespan_ms"].as_u64().unwrap() - usual["makespan_ms"].as_u64().unwrap(), 45 * 60_000);
    let failed = json(&["--fail", "node.compute01:configure_hardware"]);
    assert_eq!(failed["failed"].as_array().map(Vec::len), Some(1));
    assert!(failed["blocked"].as_array().is_some_and(|b| b.len() >= 5), "{failed:#}");
    site.run(&["rehearse", "plan.json", "--fail", "node.compute01:no_such"]).expect(64).says(&["node.compute01 has ", "deploy_node"]);
    site.run(&["rehearse", "plan.json", "--duration", "deploy=1h"]).expect(64).says(&["did you mean deploy_node?"]);
    let svg = site.run(&["rehearse", "plan.json", "--format", "svg"]).expect(0).stdout;
    assert_eq!(svg.matches("<rect").count(), 50 + 6, "each action has a bar, each effect a place in the legend");
    site.run(&["apply", "plan.json", "-q"]).expect(0);
    site.run(&["rehearse", "plan.json"]).expect(0).shows(&["measured", "interrogate_node 5.0 s"]);
}

#[test]
fn graphs_are_drawn() {
    let site = planned();
    let of = |format: &str, more: &[&str]| site.run(&[&["graph", "plan.json", "--format", format], more].concat()).expect(0).stdout;
    assert_eq!(of("dot", &[]).matches("tooltip").count(), 50);
    assert!(of("mermaid", &[]).starts_with("flowchart LR\n"));
    assert!(of("svg", &[]).contains("node.compute01"));
    assert!(of("svg", &["--by", "rack"]).contains("rack rack1: 3 nodes"));
    assert_eq!(site.run(&["graph", "plan.json"]).expect(0).stdout, of("dot", &[]));
}
