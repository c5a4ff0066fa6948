//! `drydock plan --base`, through the built program and real repositories.

use std::process::Command;

use crate::cli_support::{Ended, Folder, copy};

fn git(folder: &std::path::Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.current_dir(folder).args([
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "-c",
        "init.defaultBranch=main",
        "-c",
        "commit.gpgsign=false",
    ]);
    command.args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    let output = command.output().expect("git runs");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Makes a repository of a folder, with everything in one commit.
pub(crate) fn commit(folder: &std::path::Path) {
    git(folder, &["init", "--quiet"]);
    git(folder, &["add", "."]);
    git(folder, &["commit", "--quiet", "-m", "first"]);
}

/// A repository with hello-site at its top, in one commit.
fn repository() -> Folder {
    let site = Folder::hello();
    commit(site.path());
    site
}

/// Runs it where nothing of the site, and no secret, can be reached.
fn offline(site: &Folder, arguments: &[&str]) -> Ended {
    crate::cli_support::end(site.command(arguments).env("http_proxy", "http://127.0.0.1:1").env("https_proxy", "http://127.0.0.1:1"))
}

const METRIC: (&str, &str, &str) = ("design/networks.yaml", "metric: 20", "metric: 30");

#[test]
fn a_working_tree_is_compared_with_a_commit() {
    let site = repository();
    offline(&site, &["plan", "--base", "HEAD", "--detailed-exitcode"])
        .expect(0)
        .shows(&["Preview for hello-site", "the design means what its base means"]);
    site.edit(METRIC.0, METRIC.1, METRIC.2);
    let shown = offline(&site, &["plan", "--base", "main", "--detailed-exitcode", "--out", "preview.json"]).expect(2);
    let shown = shown.says(&["changes that are in no commit"]).reads(&[
        "PREVIEW of what the working tree changes against main",
        "it cannot be applied",
        "metric 20 → 30 design/networks.yaml:",
        "next: when the change is merged",
    ]);
    assert!(shown.stdout.lines().all(|l| !l.contains("drydock apply preview.json")), "{}", shown.stdout);
    assert!(!site.path().join(".drydock").exists(), "neither state nor simulated site is made for a preview");
    site.run(&["apply", "preview.json", "--auto-approve"]).expect(6).says(&[
        "this is a preview",
        "cannot be applied",
        "help: when the change is merged",
    ]);
    assert!(!site.path().join(".drydock").exists());
}

#[test]
fn every_format_says_that_it_is_a_preview() {
    let site = repository();
    site.edit(METRIC.0, METRIC.1, METRIC.2);
    offline(&site, &["plan", "--base", "main", "--out", "p.json", "-q"]).expect(0);
    for format in ["text", "markdown", "html", "github", "json"] {
        let ended = offline(&site, &["show", "p.json", "--format", format]).expect(0);
        assert!(ended.stdout.to_lowercase().contains("preview"), "{format}: {}", ended.stdout);
        let fresh = offline(&site, &["plan", "--base", "main", "--format", format, "-q"]).expect(0);
        assert!(fresh.stdout.to_lowercase().contains("preview"), "{format}: {}", fresh.stdout);
        assert!(!fresh.stdout.contains("drydock apply p.json"), "{format}");
    }
    for format in ["dot", "svg", "mermaid"] {
        let ended = offline(&site, &["graph", "p.json", "--format", format]).expect(0);
        assert!(ended.stdout.contains("Preview for hello-site"), "{format}: {}", ended.stdout);
    }
    offline(&site, &["rehearse", "p.json"]).expect(0).shows(&["PREVIEW"]);
    offline(&site, &["diff", "p.json", "p.json"]).expect(0).shows(&["PREVIEW"]);
    offline(&site, &["show", "p.json", "--query", "resource=*"]).expect(0).shows(&["PREVIEW"]);
    assert!(!site.path().join(".drydock").exists(), "no state is opened for any of it");
}

#[test]
fn two_commits_are_compared_whatever_the_working_tree_has() {
    let site = repository();
    site.edit(METRIC.0, METRIC.1, METRIC.2);
    git(site.path(), &["commit", "--quiet", "-a", "-m", "second"]);
    site.edit(METRIC.0, METRIC.2, "metric: 40");
    let shown = offline(&site, &["plan", "--base", "HEAD~1", "--ref", "HEAD"]).expect(0).reads(&["metric 20 → 30"]);
    assert_eq!(shown.stderr, "");
    offline(&site, &["plan", "--base", "HEAD~1"]).expect(0).reads(&["metric 20 → 40"]);
    offline(&site, &["plan", "--base", "HEAD", "--ref", "HEAD~1"]).expect(0).reads(&["metric 30 → 20"]);
    let one = offline(&site, &["plan", "--base", "HEAD~1", "--ref", "HEAD", "--out", "one.json", "-q"]).expect(0).code;
    let two = offline(&site, &["plan", "--base", "HEAD~1", "--ref", "HEAD", "--out", "two.json", "-q"]).expect(0).code;
    assert_eq!((one, two, site.read("one.json")), (0, 0, site.read("two.json")));
}

#[test]
fn settings_of_the_base_judge_the_change() {
    let site = repository();
    let level = |level: &str| format!("site: hello-site\nrules: {{DD2302: {{level: {level}, reason: it is so}}}}");
    site.edit("drydock.yaml", "site: hello-site", &level("error"));
    git(site.path(), &["commit", "--quiet", "-a", "-m", "strict"]);
    site.edit("drydock.yaml", &level("error"), &format!("{}\nguards: {{max_absent: 100}}", level("off")));
    offline(&site, &["plan", "--base", "HEAD"])
        .expect(0)
        .says(&["`rules` of drydock.yaml differs from the base's", "`guards` of drydock.yaml differs"]);
    // What a rule of the base forbids stays forbidden, whatever the change says of the rule.
    site.edit("design/networks.yaml", "allowed_networks: [mgmt, storage]", "allowed_networks: [mgmt]");
    site.run(&["validate"]).expect(0);
    offline(&site, &["plan", "--base", "HEAD"]).expect(3).says(&["DD2302"]);
}

#[test]
fn what_is_wrong_with_a_base_is_said_with_what_to_do() {
    let site = repository();
    offline(&site, &["plan", "--base", "no-such"]).expect(1).says(&["no such commit, branch or tag", "git fetch"]);
    offline(&site, &["plan", "--base=--output=x"]).expect(1).says(&["no such commit"]);
    offline(&site, &["plan", "--base", "HEAD", "--build", "b.json"]).expect(64);
    // An invalid base.
    site.edit("design/nodes.yaml", "host_profile: compute\n", "host_profile: no-such\n");
    git(site.path(), &["commit", "--quiet", "-a", "-m", "broken"]);
    git(site.path(), &["checkout", "--quiet", "HEAD~1", "--", "."]);
    offline(&site, &["plan", "--base", "HEAD"]).expect(3).says(&[
        "no-such",
        "these errors are in the base, `HEAD`",
        "help: take a base without errors",
    ]);
    // No repository at all.
    let bare = Folder::hello();
    offline(&bare, &["plan", "--base", "HEAD"]).expect(1).says(&["not a git repository", "work in a clone"]);
}

#[test]
fn a_shallow_clone_says_how_to_get_the_rest() {
    let site = repository();
    site.edit(METRIC.0, METRIC.1, METRIC.2);
    git(site.path(), &["commit", "--quiet", "-a", "-m", "second"]);
    git(site.path(), &["tag", "old", "HEAD~1"]);
    let clone = Folder::empty();
    git(clone.path(), &["clone", "--quiet", "--depth", "1", &format!("file://{}", site.path().display()), "."]);
    offline(&clone, &["plan", "--base", "HEAD"]).expect(0);
    offline(&clone, &["plan", "--base", "old"]).expect(1).says(&["this clone is shallow", "git fetch --unshallow", "fetch-depth: 0"]);
    git(clone.path(), &["checkout", "--quiet", "-b", "topic"]);
    git(clone.path(), &["branch", "--quiet", "-D", "main"]);
    offline(&clone, &["plan", "--base", "main"]).expect(1).says(&["name it `origin/main`"]);
    offline(&clone, &["plan", "--base", "origin/main"]).expect(0);
}

#[test]
fn a_site_in_a_folder_that_was_moved_is_compared_with_where_it_was() {
    let repository = Folder::empty();
    let site = Folder::hello();
    copy(site.path(), &repository.path().join("sites/old"));
    git(repository.path(), &["init", "--quiet"]);
    git(repository.path(), &["add", "."]);
    git(repository.path(), &["commit", "--quiet", "-m", "first"]);
    offline(&repository, &["-C", "sites/old", "plan", "--base", "main", "--detailed-exitcode"]).expect(0);
    git(repository.path(), &["mv", "sites/old", "sites/new"]);
    git(repository.path(), &["commit", "--quiet", "-m", "moved"]);
    let moved = offline(&repository, &["-C", "sites/new", "plan", "--base", "HEAD~1"]).expect(1);
    moved.says(&["folder sites/new has no drydock.yaml at `HEAD~1`", "--base HEAD~1:sites/old"]);
    repository.edit("sites/new/design/networks.yaml", METRIC.1, METRIC.2);
    let links = "https://git.example/{commit}/{path}#L{line}";
    offline(&repository, &["-C", "sites/new", "plan", "--base", "HEAD~1:sites/old"]).expect(0).reads(&["metric 20 → 30"]);
    repository.edit("sites/new/design/networks.yaml", "gateway: 10.10.3.1", "gateway: 10.10.3.9");
    let comment =
        offline(&repository, &["-C", "sites/new", "plan", "--base", "HEAD~1:sites/old", "--format", "markdown", "--links", links])
            .expect(0);
    assert!(comment.stdout.contains("/sites/old/design/networks.yaml#L"), "{}", comment.stdout);
}

#[test]
fn a_renamed_node_keeps_its_machine() {
    let site = repository();
    for file in ["design/nodes.yaml", "design/boot-actions.yaml", "design/site.yaml"] {
        if site.path().join(file).exists() {
            let text = site.read(file).replace("compute02", "worker02");
            site.write(file, &text);
        }
    }
    offline(&site, &["plan", "--base", "HEAD"]).expect(0).reads(&["hostname compute02 → worker02"]);
}
