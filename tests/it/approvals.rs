//! Approvals through the built program: who has to sign, what counts, what is refused, and that nothing reaches the site before.

use std::path::Path;
use std::process::Command;

use crate::cli_support::Ended;
use crate::perturbed_support::Site;

const TWO: &str = "approval: {signers: ops/signers, rules: [{effect: install, approvers: 2}]}";

fn tool(folder: &Path, program: &str, arguments: &[&str]) {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    let output = command.output().unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A site with these settings, keys of four people, of whom mallory may approve nothing, and a plan.
fn site(top: &str) -> Site {
    let site = Site::new("");
    site.settings(top, "");
    let mut signers = String::new();
    for (file, who) in [("alice", "alice"), ("alice2", "alice"), ("bob", "bob"), ("mallory", "")] {
        site.folder().write("keys/.keep", "");
        tool(site.path(), "ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", file, "-f", &format!("keys/{file}")]);
        if !who.is_empty() {
            signers.push_str(&format!("{who}@example.net {}", site.folder().read(&format!("keys/{file}.pub"))));
        }
    }
    site.folder().write("ops/signers", &signers);
    site
}

fn planned(top: &str) -> Site {
    let site = site(top);
    site.run(&["plan", "--out", "plan.json", "-q"]).expect(0);
    site
}

fn approve(site: &Site, plan: &str, who: &str) -> Ended {
    site.run(&["approve", plan, "--key", &format!("keys/{who}"), "--yes"])
}

#[test]
fn a_plan_is_carried_out_once_enough_people_have_signed_it() {
    let site = planned(TWO);
    let before = site.now();
    site.run(&["apply", "plan.json"]).expect(6).says(&[
        "the plan is not approved",
        "2 approvers of ops/signers for 3 nodes with effect install or higher: 2 missing; approved by nobody so far",
        "at: drydock.yaml",
        "drydock approve plan.json --key",
    ]);
    site.run(&["resume"]).expect(1).says(&["there is no run yet"]);
    // What is signed is shown first, and nobody signs by accident.
    site.run(&["approve", "plan.json", "--key", "keys/alice"]).expect(6).says(&[
        "Plan for hello-site: deploy_nodes",
        "3 nodes installed for the first time",
        "Needs approval",
        "nothing was signed",
    ]);
    let signed = approve(&site, "plan.json", "alice").expect(0).says(&["signed with SHA256:", "1 missing; approved by alice@example.net"]);
    assert!(site.path().join(signed.stdout.trim()).is_file() && signed.stdout.starts_with("plan.json."), "{}", signed.stdout);
    // One person with two keys is one person.
    approve(&site, "plan.json", "alice2").expect(0).says(&["1 missing"]);
    site.run(&["apply", "plan.json"]).expect(6).says(&["1 missing; approved by alice@example.net"]);
    site.run(&["show", "plan.json"]).expect(0).reads(&["Approvals", "1 missing; approved by alice@example.net"]);
    let page = |parts: &[&str]| site.run(&["show", "plan.json", "--format", "html"]).expect(0).shows(parts);
    page(&["<summary>Needs approval: 1 missing</summary>", ": 1 missing; approved by alice@example.net</li>"]);
    site.run(&["show", "plan.json", "--format", "github"])
        .expect(0)
        .shows(&["needs approval::", "1 missing; approved by alice@example.net"]);
    // OpenSSH's own signature counts like ours.
    let statement = site.run(&["approve", "plan.json", "--statement"]).expect(0).stdout;
    assert!(statement.contains("\"site\":\"hello-site\"") && statement.contains("\"effect\":\"install\""), "{statement}");
    site.folder().write("plan.json.bob", &statement);
    tool(site.path(), "ssh-keygen", &["-q", "-Y", "sign", "-n", "drydock-plan", "-f", "keys/bob", "plan.json.bob"]);
    let json: serde_json::Value = serde_json::from_str(&site.run(&["show", "plan.json", "--format", "json"]).expect(0).stdout).unwrap();
    assert_eq!(json["approvals"][0]["missing"], 0, "{:#}", json["approvals"]);
    assert_eq!(json["approvals"][0]["by"], serde_json::json!(["alice@example.net", "bob@example.net"]));
    site.run(&["show", "plan.json", "--format", "markdown"]).expect(0).shows(&["**Approved**", "alice@example.net"]);
    page(&["<summary>Approved</summary>", ": given; approved by alice@example.net, bob@example.net</li>"]);
    // Nothing asks for what was given.
    for format in ["text", "markdown", "github", "html"] {
        let shown = site.run(&["show", "plan.json", "--format", format]).expect(0).stdout;
        assert!(!shown.to_lowercase().contains("needs approval") && !shown.contains("drydock approve"), "{format}: {shown:.3000}");
    }
    site.run(&["show", "plan.json"]).expect(0).shows(&["Approved\n  2 approvers of ops/signers", "next: drydock apply plan.json"]);
    let one = site.run(&["show", "plan.json", "--node", "compute01"]).expect(0).shows(&["Approved\n"]);
    assert!(!one.stdout.contains("does not count"), "{}", one.stdout);
    site.expect_no_requests(&before);
    let ended = site.run(&["apply", "plan.json", "--json"]).expect(0).says(&["approved by alice@example.net, bob@example.net"]);
    let first: serde_json::Value = serde_json::from_str(ended.stdout.lines().next().unwrap()).unwrap();
    let both = serde_json::json!(["alice@example.net", "bob@example.net"]);
    assert_eq!(first["event"]["approved_by"], both, "{first:#}");
    // Whoever looks at the run later is told.
    site.run(&["runs", "show"]).expect(0).shows(&["approved alice@example.net, bob@example.net"]);
    let run: serde_json::Value = serde_json::from_str(&site.run(&["runs", "show", "--format", "json"]).expect(0).stdout).unwrap();
    assert_eq!(run["approved_by"], both);
    site.run(&["runs", "show", "--format", "html"]).expect(0).shows(&["approved by", "alice@example.net, bob@example.net"]);
    site.expect_as_designed();
}

#[test]
fn what_is_no_approval_of_this_plan_is_refused_with_the_reason() {
    let site = planned(TWO);
    let before = site.now();
    approve(&site, "plan.json", "bob").expect(0);
    let refused = |why: &[&str]| {
        site.run(&["apply", "plan.json", "--auto-approve"]).expect(6).says(&["1 missing; approved by bob@example.net"]).says(why);
    };
    // A key that is nobody's.
    approve(&site, "plan.json", "mallory").expect(0).says(&["does not count", "is nobody's of ops/signers"]);
    refused(&["does not count: key SHA256:", "is nobody's of ops/signers"]);
    // A signature of another plan, of a file, cut off, and rubbish.
    site.run(&["plan", "--out", "part.json", "--target", "node=compute01", "-q"]).expect(0);
    let other = approve(&site, "part.json", "alice").expect(0).stdout;
    site.folder().write("plan.json.alice.sig", &site.folder().read(other.trim()));
    refused(&["plan.json.alice.sig does not count: Signature verification failed: incorrect signature"]);
    tool(site.path(), "ssh-keygen", &["-q", "-Y", "sign", "-n", "git", "-f", "keys/alice", "plan.json"]);
    refused(&["plan.json.sig does not count: made for `git` and not for `drydock-plan`"]);
    let whole = site.folder().read("plan.json.alice.sig");
    site.folder().write("plan.json.alice.sig", &whole[..whole.len() / 2]);
    refused(&["plan.json.alice.sig does not count: not an SSH signature, or cut off"]);
    // A key that has expired since, and one that was revoked.
    std::fs::remove_file(site.path().join("plan.json.alice.sig")).unwrap();
    std::fs::remove_file(site.path().join("plan.json.sig")).unwrap();
    approve(&site, "plan.json", "alice").expect(0).says(&["given; approved by alice@example.net, bob@example.net"]);
    let signers = site.folder().read("ops/signers");
    site.folder().write("ops/signers", &signers.replace("alice@example.net", "alice@example.net valid-before=\"20200101\""));
    refused(&["key has expired"]);
    site.folder().write("ops/signers", &signers);
    site.folder().write("ops/revoked", &site.folder().read("keys/alice.pub"));
    site.settings(&TWO.replace("signers: ops/signers", "signers: ops/signers, revoked: ops/revoked"), "");
    refused(&["revoked"]);
    site.settings(TWO, "");
    // Nobody can be known where the file is gone.
    std::fs::rename(site.path().join("ops/signers"), site.path().join("ops/away")).unwrap();
    site.run(&["apply", "plan.json"]).expect(6).says(&["nobody counts: ops/signers does not exist"]);
    std::fs::rename(site.path().join("ops/away"), site.path().join("ops/signers")).unwrap();
    // A plan that was changed, also where its digest was made to fit.
    site.folder().edit("plan.json", "\"site\":\"hello-site\"", "\"site\":\"hello-sit3\"");
    site.run(&["apply", "plan.json"]).expect(6).says(&["changed after it was made"]);
    site.run(&["approve", "plan.json", "--key", "keys/alice", "--yes"]).expect(6);
    site.expect_no_requests(&before);
}

#[test]
fn what_is_planned_now_runs_under_an_approved_plan_only_as_a_part_of_it() {
    let site = site(&TWO.replace("approvers: 2", "approvers: 1"));
    // Without a plan file there is nothing that anybody could have signed.
    site.run(&["apply", "--auto-approve"]).expect(6).says(&["the plan is not approved", "drydock apply --approved plan.json"]);
    site.run(&["plan", "--out", "part.json", "--target", "node=compute01", "-q"]).expect(0);
    site.run(&["apply", "--approved", "part.json"]).expect(6).says(&["the plan is not approved", "drydock approve part.json"]);
    approve(&site, "part.json", "alice").expect(0);
    // More than was approved.
    let before = site.now();
    site.run(&["apply", "--approved", "part.json", "--target", "node=compute*"])
        .expect(6)
        .says(&["goes beyond part.json", "node.compute02 changes (install), and does not in the reviewed plan"]);
    // Something else than was approved.
    site.folder().edit("design/nodes.yaml", "name: compute01", "name: compute01\n  # again");
    let profiles = site.folder().read("design/profiles.yaml");
    site.folder().write("design/profiles.yaml", &profiles.replace("tags: [compute]", "tags: [compute, extra]"));
    site.run(&["apply", "--approved", "part.json"]).expect(6).says(&["goes beyond part.json", "compute01", "tags.extra"]);
    site.folder().write("design/profiles.yaml", &profiles);
    site.expect_no_requests(&before);
    // What was approved: the plan is made as the approved one was.
    site.run(&["apply", "--approved", "part.json"]).expect(0).says(&["approved by alice@example.net"]);
    site.run(&["apply", "part.json", "--approved", "part.json"]).expect(64);
    site.run(&["apply", "--approved", "part.json"]).expect(0).shows(&["No changes in the selection"]);
}

#[test]
fn a_change_does_not_decide_who_approves_it() {
    let site = planned(TWO);
    let git =
        |arguments: &[&str]| tool(site.path(), "git", &[&["-c", "user.name=t", "-c", "user.email=t@example.net"], arguments].concat());
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "drydock.yaml", "design", "ops"]);
    git(&["commit", "-q", "-m", "as it was"]);
    // The proposed change drops the policy, or puts somebody else in.
    site.settings("", "");
    site.run(&["plan", "--out", "plan.json", "-q"]).expect(0);
    let refused = |more: &[&str]| {
        site.run(&[more, &["apply", "plan.json", "--policy-ref", "main"]].concat())
            .expect(6)
            .says(&["2 missing; approved by nobody so far", "at: drydock.yaml at `main`"]);
    };
    refused(&[]);
    site.folder().write("ops/signers", &format!("a {}b {}", site.folder().read("keys/mallory.pub"), site.folder().read("keys/bob.pub")));
    approve(&site, "plan.json", "mallory").expect(0);
    refused(&[]);
    let mut command = site.folder().command(&["apply", "plan.json"]);
    command.env("DRYDOCK_POLICY_REF", "main");
    crate::cli_support::end(&mut command).expect(6).says(&["2 missing"]);
    site.run(&["plan", "--policy-ref", "main"]).expect(0).shows(&["Needs approval", "2 approvers of ops/signers"]);
    site.run(&["apply", "plan.json", "--policy-ref", "no-such"]).expect(1).says(&["no-such"]);
    // Those who may approve at that commit do, whatever lies on disk.
    site.folder().write("ops/signers", "");
    for who in ["alice", "bob"] {
        approve(&site, "plan.json", who).expect(0);
    }
    site.run(&["apply", "plan.json", "--policy-ref", "main"]).expect(0).says(&["approved by alice@example.net, bob@example.net"]);
}

#[test]
fn a_plan_that_the_policies_deny_is_shown_and_never_carried_out() {
    let top = "guards: {required: [{must: 'label.cost-centre=*', reason: everything is billed}], max_nodes: [{limit: 2, effect: install}]}";
    let site = site(top);
    let plan = site.run(&["plan", "--out", "plan.json"]).expect(6).reads(&[
        "Refused by policy",
        "3 nodes without what the site requires: label.cost-centre=*: compute01, compute02, control01",
        "3 nodes with effect install or higher, and at most 2 are allowed in one plan",
        "Policies in force",
        "required label.cost-centre=*, else refused (everything is billed)",
    ]);
    assert!(!plan.stdout.contains("next: drydock apply"), "{}", plan.stdout);
    let before = site.now();
    for arguments in [&["apply", "plan.json"][..], &["apply", "--auto-approve"], &["approve", "plan.json", "--key", "keys/alice", "--yes"]]
    {
        site.run(arguments).expect(6).says(&["the policies of", "refuse the plan", "label.cost-centre"]);
    }
    site.run(&["show", "plan.json", "--format", "markdown"]).expect(0).shows(&["**Refused by policy**", "at most 2 are allowed"]);
    site.run(&["show", "plan.json", "--format", "github"]).expect(0).shows(&["::error title=drydock plan%3A refused by policy::"]);
    site.run(&["show", "plan.json", "--format", "html"]).expect(0).shows(&["Refused by policy: 2"]);
    let json: serde_json::Value = serde_json::from_str(&site.run(&["show", "plan.json", "--format", "json"]).expect(0).stdout).unwrap();
    assert_eq!(json["policy"]["denied"].as_array().map(Vec::len), Some(2), "{:#}", json["policy"]);
    site.expect_no_requests(&before);
    // A plan that was made without a policy is held against the one that is in force when it is applied.
    site.settings("", "");
    site.run(&["plan", "--out", "free.json", "-q"]).expect(0);
    site.settings(top, "");
    site.run(&["apply", "free.json"]).expect(6).says(&["at most 2 are allowed"]);
    // The other way round, the plan keeps what it was made under.
    site.settings("", "");
    site.run(&["apply", "plan.json"]).expect(6).says(&["at most 2 are allowed"]);
    site.expect_no_requests(&before);
}

#[test]
fn a_run_goes_on_under_the_policy_of_its_beginning() {
    let site = planned("");
    let mut command = site.folder().command(&["apply", "plan.json", "-q"]);
    command.env("DRYDOCK_FAILPOINT", "after_outcome:9");
    let killed = crate::cli_support::end(&mut command);
    assert_ne!(killed.code, 0, "{killed:?}");
    // From now on two have to approve: that is for new runs.
    site.settings(TWO, "");
    site.run(&["apply", "plan.json"]).expect(6).says(&["2 missing"]);
    site.run(&["resume"]).expect(0);
    site.expect_as_designed();
}

#[test]
fn a_plan_that_carries_the_digest_of_an_approved_one_is_not_believed() {
    use sha2::Digest as _;
    let site = site(&TWO.replace("approvers: 2", "approvers: 1"));
    site.run(&["plan", "--out", "part.json", "--target", "node=compute01", "-q"]).expect(0);
    approve(&site, "part.json", "alice").expect(0);
    site.run(&["plan", "--out", "plan.json", "-q"]).expect(0);
    // The whole site, sealed anew, says that it wants what was approved, and the signature lies beside it.
    let parsed = |name: &str| -> serde_json::Value { serde_json::from_str(&site.folder().read(name)).unwrap() };
    let mut forged = parsed("plan.json");
    forged["digests"]["intent"] = parsed("part.json")["digests"]["intent"].clone();
    let advisory = forged["advisory"].take();
    let map = forged.as_object_mut().unwrap();
    map.retain(|name, _| name != "digest" && name != "advisory");
    let text = serde_json_canonicalizer::to_string(&forged).unwrap();
    forged["digest"] = hex::encode(sha2::Sha256::digest(text)).into();
    forged["advisory"] = advisory;
    site.folder().write("forged.json", &forged.to_string());
    let mut signatures = 0;
    for entry in std::fs::read_dir(site.path()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(by) = name.strip_prefix("part.json.").and_then(|rest| rest.strip_suffix(".sig")) {
            site.folder().write(&format!("forged.json.{by}.sig"), &site.folder().read(&name));
            signatures += 1;
        }
    }
    assert_eq!(signatures, 1);
    let before = site.now();
    let why = "the digest of what the plan wants is not that of its content";
    site.run(&["show", "forged.json"]).expect(0).reads(&[why]);
    site.run(&["apply", "forged.json"]).expect(6).says(&["the plan is not approved", why]);
    site.run(&["apply", "--approved", "forged.json"]).expect(6).says(&[why]);
    site.expect_no_requests(&before);
    site.run(&["apply", "part.json"]).expect(0).says(&["approved by alice@example.net"]);
}

/// What differs from run to run taken out.
fn lasting(text: &str) -> String {
    let varying =
        [r"\d\d:\d\d:\d\d", r"r-\d{8}-\d{6}-[0-9a-f]{4}", r"\d+\.\d s", r"SHA256:\S+", r"[0-9a-f]{40}|[0-9a-f]{12}", r"\[\d+/7\]"];
    varying.iter().fold(text.to_owned(), |text, pattern| regex::Regex::new(pattern).unwrap().replace_all(&text, "*").into_owned())
}

#[test]
fn the_walk_through_of_the_documentation_is_what_happens() {
    let site = site("approval: {signers: ops/signers, rules: [{effect: redeploy, approvers: 2}]}");
    site.run(&["apply", "--auto-approve"]).expect(0);
    site.folder().write(".gitignore", ".drydock/\nkeys/\n*.json*\n");
    let git =
        |arguments: &[&str]| tool(site.path(), "git", &[&["-c", "user.name=a", "-c", "user.email=a@example.net"], arguments].concat());
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "The site"]);
    git(&["switch", "-q", "-c", "hugepages"]);
    site.folder().edit("design/hardware.yaml", "count: 16", "count: 24");
    git(&["commit", "-q", "-a", "-m", "More huge pages for compute nodes"]);
    let allow = ["--allow", "redeploy=node=compute01", "--out"];
    let plan = |more: &[&'static str]| [&["plan"], &allow[..], more].concat();
    let mut said = String::new();
    for (arguments, code) in [
        (plan(&["preview.json", "--base", "main", "--format", "markdown"]), 0),
        (plan(&["plan.json"]), 0),
        (vec!["apply", "plan.json"], 6),
        (vec!["approve", "plan.json", "--key", "keys/alice", "--yes"], 0),
        (vec!["approve", "plan.json", "--key", "keys/bob", "--yes"], 0),
        (vec!["show", "plan.json", "--summary"], 0),
        (vec!["apply", "plan.json"], 0),
    ] {
        let ended = site.run(&arguments).expect(code);
        said.push_str(&lasting(&format!("{}\n{}\n", ended.stdout, ended.stderr)));
    }
    let document = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/review.md")).unwrap();
    let section = document.split("\n## A change, from pull request to apply\n").nth(1).expect("the walk-through");
    let section = section.split("\n## In a pull request\n").next().unwrap();
    let shown: Vec<&str> = section.split("\n```\n").skip(1).step_by(2).flat_map(str::lines).collect();
    let output: Vec<&str> = shown.into_iter().filter(|l| !l.is_empty() && !l.starts_with("$ ") && !matches!(*l, "…" | "6")).collect();
    assert!(output.len() > 60, "{output:#?}");
    let lines: std::collections::BTreeSet<&str> = said.lines().collect();
    let missing: Vec<&&str> = output.iter().filter(|line| !lines.contains(lasting(line).as_str())).collect();
    assert!(missing.is_empty(), "docs/review.md shows what is not said: {missing:#?}\n{said}");
}
