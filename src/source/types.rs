//! What is asked for and what is found.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::load::{MAX_DIRECTORY_DEPTH, MAX_FILE_BYTES};
use crate::diag::Diagnostic;
use crate::yaml::{FileId, SourceMap};

/// A part of a design.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file, or a directory with all YAML files below it.
    Path(PathBuf),
    /// A site of a tree in the Pegleg layout.
    Pegleg(Pegleg),
    /// Text that was fetched elsewhere.
    Text {
        /// Where it came from, as shown to people.
        name: String,
        /// The text.
        text: String,
    },
}

/// A site of a tree in the Pegleg layout: `global/`, `type/TYPE/` and `site/SITE/`, where `site/SITE/site-definition.yaml` names the type and, if needed, further
/// repositories of the same layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pegleg {
    /// The folder with `site/`.
    pub root: PathBuf,
    /// The site.
    pub site: String,
    /// Local folders that stand for repositories of the site definition, by name.
    pub repositories: BTreeMap<String, PathBuf>,
}

/// Where and how to read.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// What relative paths are relative to.
    pub root: &'a Path,
    /// Read files as they are at this commit, branch or tag of the git repository that holds `root`, not as they are on disk.
    pub reference: Option<&'a str>,
    /// Where repositories that a site definition names may be cloned to; without it nothing is fetched.
    pub clones: Option<&'a Path>,
}

impl<'a> Request<'a> {
    /// Reads from disk.
    pub fn disk(root: &'a Path) -> Self {
        Self { root, reference: None, clones: None }
    }
}

/// The files of a design.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// All texts.
    pub map: SourceMap,
    /// The files, in the order in which they are read: entries as given, directories sorted by name.
    pub files: Vec<FileId>,
    /// What deserves attention.
    pub diagnostics: Vec<Diagnostic>,
}

/// Why a design could not be read. Paths are as given or relative to the root.
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
    /// Files that are too much together.
    #[error("{path}: this is file {files} of the design, which with it is larger than {} MiB; keep what is no part of it out of its folders, or name them one by one", limit / (1024 * 1024))]
    DesignTooLarge {
        /// The file that is too much.
        path: String,
        /// How many files there are with it.
        files: usize,
        /// The limit in bytes.
        limit: u64,
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
    /// A tree without the site.
    #[error("{root}: there is no site `{site}` here: {root}/site/{site}/site-definition.yaml does not exist; {known}")]
    NoSite {
        /// The tree.
        root: String,
        /// The site.
        site: String,
        /// Which sites there are.
        known: String,
    },
    /// A site definition that does not say what is needed.
    #[error("{at}: {what}; {remedy}")]
    SiteDefinition {
        /// File, or `file:line:column`.
        at: String,
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// Git cannot be run, or refuses.
    #[error("{what}: {message}; {remedy}")]
    Git {
        /// What was tried, in words.
        what: String,
        /// What git says.
        message: String,
        /// What to do.
        remedy: String,
    },
}
