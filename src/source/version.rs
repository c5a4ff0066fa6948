//! A site folder as it is at a commit: which commit, and single files of it.

use std::path::{Path, PathBuf};

use super::files::{FileKind, Files as _};
use super::git::{Commit, existing, failed, git, run};
use super::load::slashes;
use super::types::SourceError;

/// A site folder at a commit.
pub struct Version {
    commit: Commit,
    folder: PathBuf,
}

impl Version {
    /// The folder as it is at a commit, branch or tag of the repository that holds it. The folder need not be there on disk.
    ///
    /// # Errors
    /// When there is no repository, or the repository does not have that commit.
    pub fn of(folder: &Path, reference: &str) -> Result<Self, SourceError> {
        let there = existing(folder);
        let below = folder.strip_prefix(there).unwrap_or(Path::new(""));
        let unreadable = |error| SourceError::Unreadable { path: slashes(folder), error };
        let folder = std::fs::canonicalize(there).map_err(unreadable)?.join(below);
        has(there, reference)?;
        Ok(Self { commit: Commit::of_folder(there, reference)?, folder })
    }

    /// The commit's id.
    pub fn commit(&self) -> &str {
        self.commit.id()
    }

    /// The top folder of the repository.
    pub fn top(&self) -> &Path {
        self.commit.top()
    }

    /// The folder, relative to the top; empty for the top itself.
    pub fn folder(&self) -> String {
        let inside = self.folder.strip_prefix(self.commit.top()).unwrap_or(Path::new(""));
        if inside.as_os_str().is_empty() { String::new() } else { slashes(inside) }
    }

    /// Bytes of a file of the folder; `None` if there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn file(&self, name: &str) -> Result<Option<Vec<u8>>, SourceError> {
        let path = self.folder.join(name);
        match self.commit.kind(&path) {
            Ok(FileKind::File) => {
                let unreadable = |error| SourceError::Unreadable { path: slashes(Path::new(name)), error };
                self.commit.bytes(&path).map(Some).map_err(unreadable)
            }
            _ => Ok(None),
        }
    }

    /// Whether the folder has a folder of this name.
    pub fn has_folder(&self, name: &str) -> bool {
        self.commit.kind(&self.folder.join(name)).is_ok_and(|kind| kind == FileKind::Directory)
    }

    /// Folders of the repository that have a file of this name, relative to the top.
    pub fn folders_with(&self, name: &str) -> Vec<String> {
        self.commit.holding(name).map(slashes).collect()
    }
}

/// Says what to do where a repository lacks a commit.
fn has(folder: &Path, reference: &str) -> Result<(), SourceError> {
    let what = format!("reading the design at `{reference}`");
    let answers = |arguments: &[&str]| {
        let mut command = git(folder);
        command.args(arguments);
        run(command, &what, "").ok().map(|out| String::from_utf8_lossy(&out).trim().to_owned())
    };
    let mut top = git(folder);
    top.args(["rev-parse", "--show-toplevel"]);
    run(top, &what, "work in a clone of the repository that holds the site's folder")?;
    let known = |name: &str| answers(&["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{name}^{{commit}}")]).is_some();
    if known(reference) {
        return Ok(());
    }
    let remote = format!("origin/{reference}");
    if known(&remote) {
        return Err(failed(&what, "this clone has no branch of that name, and its origin has one", &format!("name it `{remote}`")));
    }
    if answers(&["rev-parse", "--is-shallow-repository"]).is_some_and(|answer| answer == "true") {
        let remedy = "`git fetch --unshallow origin` fetches the rest; in CI, check out the whole history (GitHub Actions: `fetch-depth: 0` of actions/checkout; GitLab CI: `GIT_DEPTH: 0`)";
        return Err(failed(&what, "this clone is shallow and does not have that commit", remedy));
    }
    let remedy = "name a commit, branch or tag of it; `git fetch` brings what is new at its origin";
    Err(failed(&what, "the repository that holds this folder has no such commit, branch or tag", remedy))
}

/// Whether a folder has changes that are in no commit.
///
/// # Errors
/// When git cannot tell.
pub fn is_changed(folder: &Path) -> Result<bool, SourceError> {
    let mut command = git(folder);
    command.args(["status", "--porcelain", "--untracked-files=all", "--", "."]);
    let out = run(command, "looking for changes in the working tree", "name the compared version: `--ref COMMIT`")?;
    Ok(!out.is_empty())
}
