//! Reading files and directories.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use crate::yaml::{FileId, SourceMap};

/// The settings file, which is no part of a design.
pub const SETTINGS_FILE: &str = "drydock.yaml";

/// The largest file that is read.
pub const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// Directories below an entry; a file system that is a loop of bind mounts ends here.
const MAX_DIRECTORY_DEPTH: usize = 64;

/// The files of a design.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// All texts.
    pub map: SourceMap,
    /// The files, in the order in which they are read: entries as given, directories sorted by name.
    pub files: Vec<FileId>,
}

/// Why a design could not be read from disk. Paths are as given or relative to the root.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// An entry that is not there.
    #[error("{path}: no such file or directory; correct the path, which is relative to {root}")]
    Missing {
        /// The entry.
        path: String,
        /// What it is relative to.
        root: String,
    },
    /// A symbolic link that points nowhere.
    #[error("{path}: a symbolic link to {target}, which does not exist; correct or remove the link")]
    BrokenLink {
        /// The link.
        path: String,
        /// Where it points.
        target: String,
    },
    /// The system refuses.
    #[error("{path}: cannot be read: {error}; check the permissions of the file and of the directories above it")]
    Unreadable {
        /// The file or directory.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// Something else than a file or directory, such as a socket.
    #[error("{path}: neither a file nor a directory; name a YAML file or a directory of YAML files")]
    NotAFile {
        /// The entry.
        path: String,
    },
    /// A file that is not UTF-8.
    #[error("{path}: not UTF-8 text: byte {offset} (line {line}) starts no character; convert the file to UTF-8")]
    NotUtf8 {
        /// The file.
        path: String,
        /// 0-based offset of the first wrong byte.
        offset: usize,
        /// 1-based line of that byte.
        line: usize,
    },
    /// A file beyond [`MAX_FILE_BYTES`].
    #[error("{path}: larger than {} MiB; split it, or keep it out of the design", MAX_FILE_BYTES / (1024 * 1024))]
    TooLarge {
        /// The file.
        path: String,
    },
    /// A directory that contains itself through a symbolic link.
    #[error("{path}: a symbolic link that leads back to a directory above it; remove the link")]
    Loop {
        /// The link.
        path: String,
    },
    /// More directory levels than any design has.
    #[error("{path}: more than {MAX_DIRECTORY_DEPTH} directories deep; name the directories of the design one by one")]
    TooDeep {
        /// The directory.
        path: String,
    },
    /// A directory without any YAML file.
    #[error("{path}: no *.yaml or *.yml file in this directory; name the directory that holds the design")]
    NoFiles {
        /// The entry.
        path: String,
    },
}

/// Reads files and directories (recursively, `*.yaml` and `*.yml`).
///
/// Relative entries are relative to `root`. In directories hidden entries (so also `.drydock` and `.git`) and the settings file are skipped. A file that two
/// entries name is read once. Paths are kept relative to `root` where it contains them, with `/`.
///
/// # Errors
/// The first thing that cannot be read: a design that is read in part must never be planned from.
pub fn load(root: &Path, entries: &[PathBuf]) -> Result<Loaded, SourceError> {
    let mut loader = Loader { root, loaded: Loaded::default(), seen: BTreeSet::new() };
    for entry in entries {
        loader.entry(entry)?;
    }
    Ok(loader.loaded)
}

struct Loader<'a> {
    root: &'a Path,
    loaded: Loaded,
    /// Real paths of the files and directories read so far: links must not multiply them.
    seen: BTreeSet<PathBuf>,
}

impl Loader<'_> {
    fn entry(&mut self, entry: &Path) -> Result<(), SourceError> {
        let path = self.root.join(entry);
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) => return Err(self.missing(&path, entry, error)),
        };
        if metadata.is_dir() {
            let files = self.loaded.files.len();
            self.directory(&path, &mut Vec::new())?;
            if self.loaded.files.len() == files && !self.holds_seen(&path) {
                return Err(SourceError::NoFiles { path: self.shown(&path) });
            }
            Ok(())
        } else if metadata.is_file() {
            self.file(&path)
        } else {
            Err(SourceError::NotAFile { path: self.shown(&path) })
        }
    }

    /// Whether an earlier entry has read files of this directory.
    fn holds_seen(&self, directory: &Path) -> bool {
        fs::canonicalize(directory).is_ok_and(|directory| self.seen.iter().any(|seen| seen.starts_with(&directory) && seen.is_file()))
    }

    fn missing(&self, path: &Path, entry: &Path, error: io::Error) -> SourceError {
        let shown = self.shown(path);
        if error.kind() != io::ErrorKind::NotFound {
            return if is_loop(&error) { SourceError::Loop { path: shown } } else { SourceError::Unreadable { path: shown, error } };
        }
        match fs::read_link(path) {
            Ok(target) => SourceError::BrokenLink { path: shown, target: slashes(&target) },
            Err(_) => SourceError::Missing { path: slashes(entry), root: slashes(self.root) },
        }
    }

    fn directory(&mut self, path: &Path, above: &mut Vec<PathBuf>) -> Result<(), SourceError> {
        let unreadable = |loader: &Self, path: &Path, error| SourceError::Unreadable { path: loader.shown(path), error };
        if above.len() >= MAX_DIRECTORY_DEPTH {
            return Err(SourceError::TooDeep { path: self.shown(path) });
        }
        let real = fs::canonicalize(path).map_err(|error| unreadable(self, path, error))?;
        if above.contains(&real) {
            return Err(SourceError::Loop { path: self.shown(path) });
        }
        if !self.seen.insert(real.clone()) {
            return Ok(());
        }
        above.push(real);
        let mut names = Vec::new();
        for entry in fs::read_dir(path).map_err(|error| unreadable(self, path, error))? {
            let entry = entry.map_err(|error| unreadable(self, path, error))?;
            names.push(entry.file_name());
        }
        names.sort();
        for name in names {
            let shown = name.to_string_lossy();
            if shown.starts_with('.') || shown == SETTINGS_FILE {
                continue;
            }
            let child = path.join(&name);
            let is_yaml = child.extension().is_some_and(|ext| ext.eq_ignore_ascii_case("yaml") || ext.eq_ignore_ascii_case("yml"));
            match fs::metadata(&child) {
                Ok(metadata) if metadata.is_dir() => self.directory(&child, above)?,
                Ok(metadata) if metadata.is_file() && is_yaml => self.file(&child)?,
                Ok(_) => {}
                // What is no YAML file is not ours to complain about.
                Err(_) if !is_yaml => {}
                Err(error) => return Err(self.missing(&child, &child, error)),
            }
        }
        above.pop();
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<(), SourceError> {
        let shown = self.shown(path);
        let unreadable = |error| SourceError::Unreadable { path: shown.clone(), error };
        let real = fs::canonicalize(path).map_err(unreadable)?;
        if !self.seen.insert(real) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        fs::File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(SourceError::TooLarge { path: shown });
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let offset = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..offset].split(|b| *b == b'\n').count();
            SourceError::NotUtf8 { path: shown.clone(), offset, line }
        })?;
        let id = self.loaded.map.add(shown, text);
        self.loaded.files.push(id);
        Ok(())
    }

    fn shown(&self, path: &Path) -> String {
        let relative = path.strip_prefix(self.root).unwrap_or(path);
        if relative.as_os_str().is_empty() { ".".to_owned() } else { slashes(relative) }
    }
}

/// The path with `/` and without `.` components.
fn slashes(path: &Path) -> String {
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
