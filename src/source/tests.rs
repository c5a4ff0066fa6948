//! What is read, in which order, and what is refused.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Entry, Request, load};

fn site(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

fn paths(root: &Path, entries: &[&str]) -> Vec<String> {
    let entries: Vec<Entry> = entries.iter().map(|e| Entry::Path(PathBuf::from(e))).collect();
    let loaded = load(Request::disk(root), &entries).unwrap();
    loaded.files.iter().map(|id| loaded.map.get(*id).unwrap().path.clone()).collect()
}

fn refused(root: &Path, entry: &str) -> String {
    let message = load(Request::disk(root), &[Entry::Path(PathBuf::from(entry))]).unwrap_err().to_string();
    message.replace(&*root.to_string_lossy(), "ROOT")
}

#[test]
fn directories_are_read_in_order_and_without_what_is_no_design() {
    let dir = site(&[
        ("b.yaml", b"b: 1"),
        ("a/z.yml", b""),
        ("a/notes.txt", b"\xff"),
        ("B/y.YAML", b""),
        ("drydock.yaml", b"site: x"),
        (".hidden.yaml", b""),
        (".drydock/state.yaml", b""),
        (".git/x.yaml", b""),
    ]);
    assert_eq!(paths(dir.path(), &["."]), ["B/y.YAML", "a/z.yml", "b.yaml"]);
    assert_eq!(paths(dir.path(), &["./b.yaml", "a", "."]), ["b.yaml", "a/z.yml", "B/y.YAML"]);
    let absolute = dir.path().join("b.yaml");
    assert_eq!(paths(dir.path(), &[absolute.to_str().unwrap()]), ["b.yaml"]);
    // Named by itself, a file is read whatever it is called.
    assert_eq!(paths(dir.path(), &["drydock.yaml"]), ["drydock.yaml"]);
    // An entry that names what another has read is no mistake.
    assert_eq!(paths(dir.path(), &["a/z.yml", "a"]), ["a/z.yml"]);
    let loaded = load(Request::disk(dir.path()), &[Entry::Path(PathBuf::from("b.yaml"))]).unwrap();
    assert_eq!(&*loaded.map.files()[0].text, "b: 1");
}

#[test]
fn what_cannot_be_read_is_named_with_the_remedy() {
    let dir = site(&[("latin1.yaml", b"a: 1\nname: M\xfcnchen\n"), ("empty/readme.md", b"")]);
    assert_eq!(refused(dir.path(), "desing"), "desing: no such file or directory; correct the path, which is relative to ROOT");
    assert_eq!(
        refused(dir.path(), "latin1.yaml"),
        "latin1.yaml: not UTF-8 text: byte 12 (line 2) starts no character; convert the file to UTF-8"
    );
    assert_eq!(refused(dir.path(), "empty"), "empty: no *.yaml or *.yml file in this directory; name the directory that holds the design");
    let big = fs::File::create(dir.path().join("big.yaml")).unwrap();
    big.set_len(super::MAX_FILE_BYTES + 1).unwrap();
    assert_eq!(refused(dir.path(), "big.yaml"), "big.yaml: larger than 64 MiB; split it, or keep it out of the design");
}

#[test]
fn a_design_that_is_too_large_as_a_whole_is_refused() {
    let mib = vec![b'#'; 1 << 20];
    let dir = site(&[("a.yaml", &mib), ("b.yaml", &mib), ("c/d.yaml", b"a: 1")]);
    let entries = [Entry::Path(PathBuf::from("."))];
    let read = |limit| super::load::load_within(Request::disk(dir.path()), &entries, limit);
    assert_eq!(read((2 << 20) + 4).unwrap().files.len(), 3);
    let error = read(2 << 20).unwrap_err().to_string();
    assert_eq!(
        error,
        "c/d.yaml: this is file 3 of the design, which with it is larger than 2 MiB; keep what is no part of it out of its folders, or name them one by one"
    );
    // What was fetched counts, too.
    let fetched = [Entry::Text { name: "https://example.net/site.yaml".into(), text: "a: 1".into() }];
    assert!(
        super::load::load_within(Request::disk(dir.path()), &fetched, 3)
            .unwrap_err()
            .to_string()
            .starts_with("https://example.net/site.yaml: ")
    );
}

#[cfg(unix)]
#[test]
fn links() {
    use std::os::unix::fs::symlink;
    let dir = site(&[("real/a.yaml", b"a: 1")]);
    symlink("real", dir.path().join("alias")).unwrap();
    // The same file through a link is read once.
    assert_eq!(paths(dir.path(), &["."]), ["alias/a.yaml"]);
    symlink("..", dir.path().join("real/up")).unwrap();
    assert_eq!(refused(dir.path(), "real"), "real/up/alias: a symbolic link that leads back to a directory above it; remove the link");
    fs::remove_file(dir.path().join("real/up")).unwrap();
    symlink("self.yaml", dir.path().join("self.yaml")).unwrap();
    assert_eq!(refused(dir.path(), "self.yaml"), "self.yaml: a symbolic link that leads back to a directory above it; remove the link");
    fs::remove_file(dir.path().join("self.yaml")).unwrap();
    symlink("gone.yaml", dir.path().join("dangling.yaml")).unwrap();
    assert_eq!(refused(dir.path(), "."), "dangling.yaml: a symbolic link to gone.yaml, which does not exist; correct or remove the link");
}
