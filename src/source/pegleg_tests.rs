//! Sites of a Pegleg tree, repositories beside it, and commits.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Entry, Pegleg, Request, load};

fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

const DEFINITION: &str = "schema: pegleg/SiteDefinition/v1\nmetadata: {name: lab}\ndata:\n  site_type: small\n";

fn tree(root: &Path) {
    write(
        root,
        &[
            ("global/a.yaml", "a: 1"),
            ("global/b.yml", "no"),
            ("global/tools/x.yaml", "no"),
            ("global/.hidden/x.yaml", "no"),
            ("type/small/t.yaml", "t: 1"),
            ("type/large/t.yaml", "no"),
            ("site/lab/site-definition.yaml", DEFINITION),
            ("site/lab/baremetal/nodes.yaml", "n: 1"),
            ("site/other/nodes.yaml", "no"),
            ("elsewhere.yaml", "no"),
        ],
    );
}

fn site(root: impl Into<PathBuf>, name: &str) -> Entry {
    Entry::Pegleg(Pegleg { root: root.into(), site: name.to_owned(), repositories: BTreeMap::new() })
}

fn read(request: Request<'_>, entry: Entry) -> Result<Vec<String>, String> {
    let loaded = load(request, &[entry]).map_err(|e| e.to_string())?;
    let mut paths: Vec<String> = loaded.files.iter().map(|id| loaded.map.get(*id).unwrap().path.clone()).collect();
    paths.sort();
    Ok(paths)
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["-c", "user.name=t", "-c", "user.email=t@example.net", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn commit(folder: &Path) -> String {
    if !folder.join(".git").exists() {
        git(folder, &["init", "-q"]);
    }
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-q", "-m", "x"]);
    git(folder, &["rev-parse", "HEAD"])
}

#[test]
fn a_site_is_its_own_files_those_of_its_type_and_the_global_ones() {
    let dir = tempfile::tempdir().unwrap();
    tree(&dir.path().join("tree"));
    let expected = ["global/a.yaml", "site/lab/baremetal/nodes.yaml", "site/lab/site-definition.yaml", "type/small/t.yaml"];
    assert_eq!(read(Request::disk(&dir.path().join("tree")), site(".", "lab")).unwrap(), expected);
    assert_eq!(read(Request::disk(dir.path()), site("tree", "lab")).unwrap(), expected.map(|path| format!("tree/{path}")));
}

/// As airship-in-a-bottle has them: `revision` beside `site_type`, and folders of that name.
#[test]
fn of_revisions_side_by_side_one_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let definition = format!("{DEFINITION}  revision: 1.0\n");
    write(
        root,
        &[
            ("global/common/policy.yaml", "a: 1"),
            ("global/1.0/charts/a.yaml", "a: 1"),
            ("global/2.0/charts/a.yaml", "no"),
            ("type/small/common/t.yaml", "t: 1"),
            ("type/small/2.0/t.yaml", "no"),
            ("site/lab/site-definition.yaml", &definition),
        ],
    );
    let expected = ["global/1.0/charts/a.yaml", "global/common/policy.yaml", "site/lab/site-definition.yaml", "type/small/common/t.yaml"];
    assert_eq!(read(Request::disk(root), site(".", "lab")).unwrap(), expected);
    // Without such a folder, `revision` says nothing about this tree.
    write(root, &[("site/lab/site-definition.yaml", &format!("{DEFINITION}  revision: v9\n"))]);
    assert_eq!(read(Request::disk(root), site(".", "lab")).unwrap().len(), 6);
    write(root, &[("site/lab/site-definition.yaml", &format!("{DEFINITION}  revision: ../..\n"))]);
    assert_eq!(read(Request::disk(root), site(".", "lab")).unwrap().len(), 6);
}

#[test]
fn what_is_wrong_with_a_tree_is_said_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    tree(dir.path());
    let refused = |name: &str| read(Request::disk(dir.path()), site(".", name)).unwrap_err();
    assert_eq!(refused("lob"), ".: there is no site `lob` here: ./site/lob/site-definition.yaml does not exist; the sites are lab, other");
    assert!(refused("other").contains("site/other/site-definition.yaml does not exist"));
    for outside in ["../lab", "/etc", ""] {
        assert!(refused(outside).contains("there is no site"), "{outside}");
    }
    let definition = |text: &str| {
        write(dir.path(), &[("site/lab/site-definition.yaml", text)]);
        refused("lab")
    };
    write(dir.path(), &[("site/lab/site-definition.yaml", "schema: pegleg/SiteDefinition/v1\ndata:\n  site_type: tiny\n")]);
    let loaded = load(Request::disk(dir.path()), &[site(".", "lab")]).unwrap();
    let found: Vec<(&str, u32)> = loaded.diagnostics.iter().map(|d| (d.message.as_str(), d.span.unwrap().line)).collect();
    assert_eq!(found, [("site type `tiny` is nowhere: there is no folder type/tiny", 3)]);
    assert!(
        definition("schema: pegleg/SiteDefinition/v1\ndata:\n  site_type: ../../x\n")
            .starts_with("site/lab/site-definition.yaml:3:14: `site_type` is not")
    );
    assert!(definition("schema: pegleg/SiteDefinition/v1\ndata:\n  type: small\n").contains(":3:3: `site_type` is missing"));
    assert!(definition("schema: other/v1\n").contains("no `pegleg/SiteDefinition/v1` document"));
    assert!(
        definition(&format!("{DEFINITION}  repositories:\n    global: {{revision: v1}}\n"))
            .contains(":6:5: repository `global` has no `url`")
    );
    let remote =
        definition(&format!("{DEFINITION}  repositories:\n    global: {{url: 'https://me:pw@git.example.net/global', revision: v1}}\n"));
    assert!(remote.contains("repository `global` is at https://git.example.net/global, and nothing is fetched"), "{remote}");
}

#[test]
fn repositories_are_folders_revisions_or_mapped() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("site-repository");
    tree(&root);
    fs::remove_dir_all(root.join("global")).unwrap();
    let shared = dir.path().join("shared");
    write(&shared, &[("global/old.yaml", "g: 1"), ("site/lab/more.yaml", "s: 1"), ("site/other/no.yaml", "")]);
    let old = commit(&shared);
    fs::rename(shared.join("global/old.yaml"), shared.join("global/new.yaml")).unwrap();
    commit(&shared);
    write(&shared, &[("global/uncommitted.yaml", "")]);
    let repositories = |text: &str| {
        write(
            &root,
            &[("site/lab/site-definition.yaml", &format!("{DEFINITION}  repositories:\n    site: {{url: x}}\n    common: {text}\n"))],
        );
        read(Request::disk(&root), site(".", "lab"))
    };
    // Of a commit id the beginning is shown.
    let shown = &old[..12];
    let own = ["site/lab/baremetal/nodes.yaml", "site/lab/site-definition.yaml", "type/small/t.yaml"];
    let with = |more: &[&str]| {
        let mut all: Vec<String> = own.iter().chain(more).map(|path| (*path).to_owned()).collect();
        all.sort();
        all
    };
    let at_old = repositories(&format!("{{url: ../shared, revision: {old}}}")).unwrap();
    assert_eq!(at_old, with(&[&format!("common@{shown}/global/old.yaml"), &format!("common@{shown}/site/lab/more.yaml")]));
    let on_disk = repositories("{url: ../shared}").unwrap();
    assert_eq!(on_disk.len(), 6, "{on_disk:?}");
    assert!(on_disk.iter().any(|path| path.ends_with("shared/global/uncommitted.yaml")));
    let wrong = repositories("{url: ../shared, revision: nowhere}").unwrap_err();
    assert!(wrong.contains("`nowhere`") && wrong.contains("correct url and revision"), "{wrong}");
    let missing = repositories("{url: ../shred}").unwrap_err();
    assert!(missing.contains("repository `common` is not there"), "{missing}");

    // A URL is cloned only where that is allowed, and once.
    let url = format!("file://{}", shared.display());
    assert!(repositories(&format!("{{url: '{url}', revision: {old}}}")).unwrap_err().contains("--fetch"));
    let clones = dir.path().join("clones");
    for _ in 0..2 {
        let request = Request { clones: Some(&clones), ..Request::disk(&root) };
        let cloned = read(request, site(".", "lab")).unwrap();
        assert_eq!(cloned, with(&[&format!("common@{shown}/global/old.yaml"), &format!("common@{shown}/site/lab/more.yaml")]));
    }
    assert_eq!(fs::read_dir(&clones).unwrap().count(), 1);

    let mapped = Pegleg {
        root: ".".into(),
        site: "lab".to_owned(),
        repositories: BTreeMap::from([("common".to_owned(), PathBuf::from("../shared"))]),
    };
    let found = read(Request::disk(&root), Entry::Pegleg(mapped)).unwrap();
    assert!(found.iter().any(|path| path.ends_with("shared/global/new.yaml")) && found.len() == 6, "{found:?}");
}

#[test]
fn a_commit_is_read_without_touching_what_is_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("sites/one");
    write(&root, &[("design/a.yaml", "a: 1"), ("design/deep/b.yml", "b: 1"), ("design/.git.yaml", "")]);
    tree(&root.join("tree"));
    std::os::unix::fs::symlink("../../../one/design/a.yaml", root.join("design/deep/link.yaml")).unwrap();
    std::os::unix::fs::symlink("nowhere.yaml", root.join("broken.yaml")).unwrap();
    let first = commit(dir.path());
    write(&root, &[("design/a.yaml", "a: 2"), ("design/new.yaml", "")]);
    fs::remove_dir_all(root.join("tree")).unwrap();

    let at = |reference| Request { reference: Some(reference), ..Request::disk(&root) };
    let loaded = load(at(&first), &[Entry::Path("design".into())]).unwrap();
    let texts: Vec<(&str, &str)> = loaded.map.files().iter().map(|file| (file.path.as_str(), &*file.text)).collect();
    assert_eq!(texts, [("design/a.yaml", "a: 1"), ("design/deep/b.yml", "b: 1")]);
    assert_eq!(read(at("HEAD"), site("tree", "lab")).unwrap().len(), 4);
    assert_eq!(read(at("main"), Entry::Path("design/deep/link.yaml".into())).unwrap(), ["design/deep/link.yaml"]);
    assert!(read(at("HEAD"), Entry::Path("broken.yaml".into())).unwrap_err().contains("symbolic link to nowhere.yaml"));
    assert!(read(at("HEAD"), Entry::Path("design/new.yaml".into())).unwrap_err().contains("no such file"));
    assert!(read(at("HEAD"), Entry::Path("../../../x.yaml".into())).unwrap_err().contains("no such file"));
    for unusable in ["no-such-branch", "--output=x", ""] {
        let message = read(at(unusable), Entry::Path("design".into())).unwrap_err();
        assert!(message.starts_with(&format!("reading the design at `{unusable}`: ")), "{message}");
        assert!(message.ends_with("name a commit, branch or tag of the repository that holds this folder"), "{message}");
    }
}

#[test]
fn a_folder_that_git_does_not_know_is_said() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("design/a.yaml", "a: 1")]);
    let message = read(Request { reference: Some("HEAD"), ..Request::disk(dir.path()) }, Entry::Path("design".into())).unwrap_err();
    assert!(message.contains("not a git repository"), "{message}");
}
