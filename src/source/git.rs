//! Files as they are at a commit. Runs `git`, which reads nothing but the repository.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::files::{FileKind, Files};
use super::load::MAX_FILE_BYTES;
use super::types::SourceError;

/// Links that are followed on the way to one file.
const MAX_LINKS: usize = 16;

/// The files of one commit.
pub(super) struct Commit {
    /// Its id.
    id: String,
    /// The folder that the paths of the commit are relative to.
    top: PathBuf,
    /// By path relative to `top`.
    entries: BTreeMap<PathBuf, Object>,
    blobs: RefCell<Blobs>,
}

struct Object {
    kind: ObjectKind,
    id: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ObjectKind {
    File,
    Directory,
    Link,
    Submodule,
}

/// A running `git cat-file --batch`.
struct Blobs {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Drop for Blobs {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `git` in a folder: never asks, runs no hook or monitor that the repository names.
pub(super) fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "protocol.ext.allow=never"]);
    command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0").stdin(Stdio::null());
    command
}

pub(super) fn failed(what: &str, message: impl Into<String>, remedy: &str) -> SourceError {
    SourceError::Git { what: what.to_owned(), message: message.into(), remedy: remedy.to_owned() }
}

pub(super) fn run(mut command: Command, what: &str, remedy: &str) -> Result<Vec<u8>, SourceError> {
    let output = command.output().map_err(|e| not_run(what, &e))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let said = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("git gave no reason");
    Err(failed(what, without_userinfo(said.trim_start_matches("fatal: ")), remedy))
}

fn not_run(what: &str, error: &io::Error) -> SourceError {
    failed(what, format!("git cannot be run: {error}"), "install git, or read the design from disk")
}

/// Text without the password of a URL in it.
pub(super) fn without_userinfo(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', ' ', '\'']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => text.to_owned(),
    }
}

impl Commit {
    /// The commit that `reference` names in the repository that holds `folder`.
    ///
    /// The folder need not be there any more; the repository is that of what is left above it.
    pub(super) fn of_folder(folder: &Path, reference: &str) -> Result<Self, SourceError> {
        let folder = existing(folder);
        let what = format!("reading the design at `{reference}`");
        let remedy = "name a commit, branch or tag of the repository that holds this folder";
        let mut command = git(folder);
        command.args(["rev-parse", "--show-toplevel"]);
        let top = run(command, &what, remedy)?;
        let top = PathBuf::from(OsString::from(String::from_utf8_lossy(&top).trim_end_matches('\n')));
        Self::at(folder, top, reference, &what, remedy)
    }

    /// A revision of a repository that a site definition names: a folder, or a URL that is cloned below `clones`.
    pub(super) fn of_repository(location: &str, revision: &str, clones: &Path) -> Result<Self, SourceError> {
        let shown = without_userinfo(location);
        let what = format!("reading repository {shown} at `{revision}`");
        let remedy = "correct url and revision in the site definition, or map the repository to a local folder";
        let name = folder_name(location);
        let folder = clones.join(&name);
        let exists = folder.join("HEAD").is_file();
        if !exists {
            let unusable = |e: io::Error| failed(&what, format!("{}: {e}", clones.display()), "make the folder writable");
            fs::create_dir_all(clones).map_err(unusable)?;
            let mut command = git(clones);
            // Git is in `clones` then, and takes relative paths from there.
            command.args(["clone", "--quiet", "--bare", "--"]).arg(location).arg(&name);
            run(command, &what, remedy)?;
        } else if Self::resolve(&folder, revision, &what, remedy).is_err() || !is_commit_id(revision) {
            let mut command = git(&folder);
            command.args(["fetch", "--quiet", "--prune", "--force", "--tags", "origin", "+refs/heads/*:refs/heads/*"]);
            run(command, &what, remedy)?;
        }
        let top = fs::canonicalize(&folder).unwrap_or_else(|_| folder.clone());
        Self::at(&folder, top, revision, &what, remedy)
    }

    /// A revision of a local repository.
    pub(super) fn of_local(folder: &Path, revision: &str) -> Result<Self, SourceError> {
        let what = format!("reading repository {} at `{revision}`", folder.display());
        let remedy = "correct url and revision in the site definition, or map the repository to a local folder";
        let mut command = git(folder);
        command.args(["rev-parse", "--show-toplevel"]);
        let top = run(command, &what, remedy)?;
        Self::at(folder, PathBuf::from(String::from_utf8_lossy(&top).trim_end_matches('\n')), revision, &what, remedy)
    }

    fn resolve(folder: &Path, reference: &str, what: &str, remedy: &str) -> Result<String, SourceError> {
        let mut command = git(folder);
        command.args(["rev-parse", "--verify", "--end-of-options"]).arg(format!("{reference}^{{commit}}"));
        let commit = run(command, what, remedy)?;
        // With `--end-of-options`, git repeats that option before the commit.
        let text = String::from_utf8_lossy(&commit);
        Ok(text.lines().last().unwrap_or_default().trim().to_owned())
    }

    fn at(folder: &Path, top: PathBuf, reference: &str, what: &str, remedy: &str) -> Result<Self, SourceError> {
        let commit = Self::resolve(folder, reference, what, remedy)?;
        let mut command = git(folder);
        command.args(["ls-tree", "-r", "-t", "-z", "--full-tree", "--end-of-options", &commit]);
        let listing = run(command, what, remedy)?;
        let mut entries = BTreeMap::new();
        for line in listing.split(|b| *b == 0).filter(|line| !line.is_empty()) {
            let Some(tab) = line.iter().position(|b| *b == b'\t') else { continue };
            let head = String::from_utf8_lossy(&line[..tab]);
            let mut words = head.split(' ');
            let (mode, kind, id) = (words.next().unwrap_or(""), words.next().unwrap_or(""), words.next().unwrap_or(""));
            let kind = match (mode, kind) {
                (_, "tree") => ObjectKind::Directory,
                (_, "commit") => ObjectKind::Submodule,
                ("120000", _) => ObjectKind::Link,
                _ => ObjectKind::File,
            };
            entries.insert(path_of(&line[tab + 1..]), Object { kind, id: id.to_owned() });
        }
        let mut command = git(folder);
        command.args(["cat-file", "--batch"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|e| not_run(what, &e))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed(what, "git has no input or output", remedy));
        };
        Ok(Self { id: commit, top, entries, blobs: RefCell::new(Blobs { child, input, output: BufReader::new(output) }) })
    }

    /// Its id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Folders that have a file of this name, in order.
    pub(super) fn holding(&self, name: &str) -> impl Iterator<Item = &Path> {
        self.entries.keys().filter(move |path| path.file_name().is_some_and(|n| n == name)).filter_map(|path| path.parent())
    }

    /// The folder that the paths of the commit are relative to.
    pub(super) fn top(&self) -> &Path {
        &self.top
    }

    /// The path inside the commit, links not followed.
    fn inside(&self, path: &Path) -> io::Result<PathBuf> {
        let mut clean = PathBuf::new();
        for part in std::path::absolute(path)?.components() {
            match part {
                Component::ParentDir => {
                    clean.pop();
                }
                Component::CurDir => {}
                other => clean.push(other),
            }
        }
        clean.strip_prefix(&self.top).map(Path::to_owned).map_err(|_| io::Error::new(io::ErrorKind::NotFound, "outside of the repository"))
    }

    /// Follows links in every part of a path.
    fn resolved(&self, path: &Path) -> io::Result<PathBuf> {
        let not_found = || io::Error::from(io::ErrorKind::NotFound);
        let mut pending: Vec<OsString> = self.inside(path)?.iter().rev().map(OsStr::to_owned).collect();
        let mut done = PathBuf::new();
        let mut links = 0;
        while let Some(part) = pending.pop() {
            if part == ".." {
                if !done.pop() {
                    return Err(not_found());
                }
                continue;
            }
            done.push(&part);
            let object = self.entries.get(&done).ok_or_else(not_found)?;
            if object.kind == ObjectKind::Link {
                links += 1;
                let target = path_of(&self.blob(&object.id)?);
                if links > MAX_LINKS || target.is_absolute() {
                    return Err(not_found());
                }
                done.pop();
                pending.extend(target.iter().rev().filter(|p| *p != ".").map(OsStr::to_owned));
            }
        }
        Ok(done)
    }

    fn blob(&self, id: &str) -> io::Result<Vec<u8>> {
        let mut blobs = self.blobs.borrow_mut();
        writeln!(blobs.input, "{id}")?;
        blobs.input.flush()?;
        let mut head = String::new();
        blobs.output.read_line(&mut head)?;
        let size: u64 = head
            .split_whitespace()
            .nth(2)
            .and_then(|size| size.parse().ok())
            .ok_or_else(|| io::Error::other(format!("git does not have object {id}: {}", head.trim())))?;
        let mut bytes = Vec::new();
        blobs.output.by_ref().take(size.min(MAX_FILE_BYTES + 1)).read_to_end(&mut bytes)?;
        let rest = size - bytes.len() as u64;
        // The rest of a file that is too large, and the line end behind it.
        io::copy(&mut blobs.output.by_ref().take(rest + 1), &mut io::sink())?;
        Ok(bytes)
    }
}

impl Files for Commit {
    fn kind(&self, path: &Path) -> io::Result<FileKind> {
        let path = self.resolved(path)?;
        if path.as_os_str().is_empty() {
            return Ok(FileKind::Directory);
        }
        match self.entries.get(&path).map(|object| object.kind) {
            Some(ObjectKind::File) => Ok(FileKind::File),
            Some(ObjectKind::Directory) => Ok(FileKind::Directory),
            Some(_) => Ok(FileKind::Other),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn names(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let directory = self.resolved(directory)?;
        let depth = directory.iter().count();
        let below = self.entries.range(directory.clone()..).map(|(path, _)| path).take_while(|path| path.starts_with(&directory));
        Ok(below.filter(|path| path.iter().count() == depth + 1).filter_map(|path| path.file_name().map(OsStr::to_owned)).collect())
    }

    fn bytes(&self, path: &Path) -> io::Result<Vec<u8>> {
        let object = self.entries.get(&self.resolved(path)?).ok_or(io::ErrorKind::NotFound)?;
        self.blob(&object.id)
    }

    fn real(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(self.top.join(self.resolved(path)?))
    }

    fn link(&self, path: &Path) -> Option<PathBuf> {
        let object = self.entries.get(&self.inside(path).ok()?).filter(|object| object.kind == ObjectKind::Link)?;
        self.blob(&object.id).ok().map(|target| path_of(&target))
    }
}

/// The folder itself, or the nearest one above it that is there.
pub(super) fn existing(folder: &Path) -> &Path {
    let there = folder.ancestors().find(|f| f.is_dir() || f.as_os_str().is_empty());
    there.filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(OsStr::from_bytes(bytes))
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

/// Whether this is a whole commit id.
pub(super) fn is_commit_id(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit())
}

/// A folder name for a URL: its last part, and a hash that tells it from others of that name.
fn folder_name(location: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let name: String = location
        .trim_end_matches('/')
        .trim_end_matches(".git")
        .rsplit(['/', ':'])
        .next()
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' })
        .collect();
    format!("{name}-{}", &hex::encode(Sha256::digest(location.as_bytes()))[..12])
}
