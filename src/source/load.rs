//! Reading files and directories.

use std::collections::BTreeSet;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::files::{Disk, FileKind, Files};
use super::git::{Commit, existing};
use super::pegleg;
use super::types::{Entry, Loaded, Request, SourceError};

/// The settings file, which is no part of a design.
pub const SETTINGS_FILE: &str = "drydock.yaml";

/// The largest file that is read.
pub const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// The most bytes that all files of a design have together: a hundred thousand nodes need half of it.
pub const MAX_DESIGN_BYTES: u64 = 128 * 1024 * 1024;

/// Directories below an entry; a file system that is a loop of bind mounts ends here.
pub(super) const MAX_DIRECTORY_DEPTH: usize = 64;

/// Reads a design.
///
/// Directories are read recursively, `*.yaml` and `*.yml`; hidden entries (so also `.drydock` and `.git`) and the settings file are skipped. A file that two
/// entries name is read once. Paths are kept relative to the root where it contains them, with `/`.
///
/// # Errors
/// The first thing that cannot be read: a design that is read in part must never be planned from.
pub fn load(request: Request<'_>, entries: &[Entry]) -> Result<Loaded, SourceError> {
    load_within(request, entries, MAX_DESIGN_BYTES)
}

/// A file of the repository that holds `folder`, as it is at a commit; `path` is relative to `folder`. `None` if the commit does not have it.
///
/// # Errors
/// When there is no such commit or repository, or the file is larger than [`MAX_FILE_BYTES`].
pub fn file_at(folder: &Path, reference: &str, path: &Path) -> Result<Option<Vec<u8>>, SourceError> {
    let commit = Commit::of_folder(folder, reference)?;
    let real = std::fs::canonicalize(folder).map_err(|error| SourceError::Unreadable { path: slashes(folder), error })?;
    match commit.bytes(&real.join(path)) {
        Ok(bytes) if bytes.len() as u64 > MAX_FILE_BYTES => Err(SourceError::TooLarge { path: slashes(path) }),
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SourceError::Unreadable { path: slashes(path), error }),
    }
}

/// The same with another limit for all files together.
pub(super) fn load_within(request: Request<'_>, entries: &[Entry], limit: u64) -> Result<Loaded, SourceError> {
    let mut loader = Loader { request, loaded: Loaded::default(), seen: BTreeSet::new(), limit, bytes: 0 };
    let commit = request.reference.map(|reference| Commit::of_folder(request.root, reference)).transpose()?;
    let real;
    let root = match &commit {
        // The commit's paths are those that git sees, without links above them.
        Some(_) => {
            let unreadable = |error| SourceError::Unreadable { path: slashes(request.root), error };
            // The folder may be there in the commit only.
            let there = existing(request.root);
            let below = request.root.strip_prefix(there).unwrap_or(Path::new(""));
            real = std::fs::canonicalize(there).map_err(unreadable)?.join(below);
            Root { path: real.as_path(), files: commit.as_ref().map_or(&Disk as &dyn Files, |commit| commit), label: "", rule: Rule::Any }
        }
        None => Root { path: request.root, files: &Disk, label: "", rule: Rule::Any },
    };
    for entry in entries {
        match entry {
            Entry::Path(path) => loader.entry(&root, path)?,
            Entry::Pegleg(site) => pegleg::collect(&mut loader, &root, commit.as_ref(), site)?,
            Entry::Text { name, text } => {
                loader.add(name.clone(), text.clone())?;
            }
        }
    }
    Ok(loader.loaded)
}

/// Which files of a directory belong to a design.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// `*.yaml` and `*.yml`, but not the settings.
    Any,
    /// `*.yaml`, but nothing below a folder `tools`: the Pegleg layout.
    Pegleg,
}

/// What paths are relative to, and where they are read.
#[derive(Clone, Copy)]
pub(super) struct Root<'a> {
    pub(super) path: &'a Path,
    pub(super) files: &'a dyn Files,
    /// Stands before the paths that are shown.
    pub(super) label: &'a str,
    pub(super) rule: Rule,
}

impl Root<'_> {
    pub(super) fn shown(&self, path: &Path) -> String {
        let relative = path.strip_prefix(self.path).unwrap_or(path);
        let shown = if relative.as_os_str().is_empty() { ".".to_owned() } else { slashes(relative) };
        format!("{}{shown}", self.label)
    }

    pub(super) fn is_directory(&self, path: &Path) -> bool {
        self.files.kind(path).is_ok_and(|kind| kind == FileKind::Directory)
    }

    fn missing(&self, path: &Path, entry: &Path, error: io::Error) -> SourceError {
        let shown = self.shown(path);
        if error.kind() != io::ErrorKind::NotFound {
            return if is_loop(&error) { SourceError::Loop { path: shown } } else { SourceError::Unreadable { path: shown, error } };
        }
        match self.files.link(path) {
            Some(target) => SourceError::BrokenLink { path: shown, target: slashes(&target) },
            None => SourceError::Missing { path: slashes(entry), root: slashes(self.path) },
        }
    }
}

pub(super) struct Loader<'a> {
    pub(super) request: Request<'a>,
    pub(super) loaded: Loaded,
    /// Real paths of the files and directories read so far: links must not multiply them.
    seen: BTreeSet<PathBuf>,
    /// The most bytes of all files together, and how many there are so far.
    limit: u64,
    bytes: u64,
}

impl Loader<'_> {
    fn add(&mut self, name: String, text: String) -> Result<(), SourceError> {
        self.bytes += text.len() as u64;
        if self.bytes > self.limit {
            return Err(SourceError::DesignTooLarge { path: name, files: self.loaded.files.len() + 1, limit: self.limit });
        }
        let id = self.loaded.map.add(name, text);
        self.loaded.files.push(id);
        Ok(())
    }

    pub(super) fn entry(&mut self, root: &Root<'_>, entry: &Path) -> Result<(), SourceError> {
        let path = root.path.join(entry);
        match root.files.kind(&path) {
            Ok(FileKind::Directory) => {
                let files = self.loaded.files.len();
                self.directory(root, &path, &mut Vec::new())?;
                if self.loaded.files.len() == files && !self.holds_seen(root, &path) {
                    return Err(SourceError::NoFiles { path: root.shown(&path) });
                }
                Ok(())
            }
            Ok(FileKind::File) => self.file(root, &path),
            Ok(FileKind::Other) => Err(SourceError::NotAFile { path: root.shown(&path) }),
            Err(error) => Err(root.missing(&path, entry, error)),
        }
    }

    /// Whether an earlier entry has read files of this directory.
    fn holds_seen(&self, root: &Root<'_>, directory: &Path) -> bool {
        let is_file = |path: &Path| root.files.kind(path).is_ok_and(|kind| kind == FileKind::File);
        root.files.real(directory).is_ok_and(|directory| self.seen.iter().any(|seen| seen.starts_with(&directory) && is_file(seen)))
    }

    pub(super) fn directory(&mut self, root: &Root<'_>, path: &Path, above: &mut Vec<PathBuf>) -> Result<(), SourceError> {
        let unreadable = |path: &Path, error| SourceError::Unreadable { path: root.shown(path), error };
        if above.len() >= MAX_DIRECTORY_DEPTH {
            return Err(SourceError::TooDeep { path: root.shown(path) });
        }
        let real = root.files.real(path).map_err(|error| unreadable(path, error))?;
        if above.contains(&real) {
            return Err(SourceError::Loop { path: root.shown(path) });
        }
        if !self.seen.insert(real.clone()) {
            return Ok(());
        }
        above.push(real);
        let mut names = root.files.names(path).map_err(|error| unreadable(path, error))?;
        names.sort();
        for name in names {
            let shown = name.to_string_lossy();
            let is_settings = root.rule == Rule::Any && shown == SETTINGS_FILE;
            if shown.starts_with('.') || is_settings {
                continue;
            }
            let child = path.join(&name);
            let is_yaml = child.extension().is_some_and(|ext| match root.rule {
                Rule::Any => ext.eq_ignore_ascii_case("yaml") || ext.eq_ignore_ascii_case("yml"),
                Rule::Pegleg => ext == "yaml",
            });
            match root.files.kind(&child) {
                Ok(FileKind::Directory) if root.rule == Rule::Pegleg && shown == "tools" => {}
                Ok(FileKind::Directory) => self.directory(root, &child, above)?,
                Ok(FileKind::File) if is_yaml => self.file(root, &child)?,
                Ok(_) => {}
                // What is no YAML file is not ours to complain about.
                Err(_) if !is_yaml => {}
                Err(error) => return Err(root.missing(&child, &child, error)),
            }
        }
        above.pop();
        Ok(())
    }

    fn file(&mut self, root: &Root<'_>, path: &Path) -> Result<(), SourceError> {
        let shown = root.shown(path);
        let unreadable = |error| SourceError::Unreadable { path: shown.clone(), error };
        let real = root.files.real(path).map_err(unreadable)?;
        if !self.seen.insert(real) {
            return Ok(());
        }
        let bytes = root.files.bytes(path).map_err(unreadable)?;
        let text = text(shown.clone(), bytes)?;
        self.add(shown, text)
    }
}

/// The text of a file that was read up to one byte more than [`MAX_FILE_BYTES`].
///
/// # Errors
/// When it is larger, or not UTF-8.
pub fn text(path: String, bytes: Vec<u8>) -> Result<String, SourceError> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(SourceError::TooLarge { path });
    }
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..offset].split(|b| *b == b'\n').count();
        SourceError::NotUtf8 { path, offset, line }
    })
}

/// The path with `/` and without `.` components.
pub(super) fn slashes(path: &Path) -> String {
    let clean: PathBuf = path.components().filter(|c| !matches!(c, Component::CurDir)).collect();
    let text = clean.to_string_lossy();
    if text.is_empty() {
        ".".to_owned()
    } else if std::path::MAIN_SEPARATOR == '/' {
        text.into_owned()
    } else {
        text.replace(std::path::MAIN_SEPARATOR, "/")
    }
}

fn is_loop(error: &io::Error) -> bool {
    // `io::ErrorKind::FilesystemLoop` is not stable; 40 is ELOOP on Linux, 62 on the BSDs and macOS.
    matches!(error.raw_os_error(), Some(40 | 62))
}
