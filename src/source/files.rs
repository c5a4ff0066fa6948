//! Where files are read from: the disk, or a commit.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::load::MAX_FILE_BYTES;

/// What stands at a path, links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    File,
    Directory,
    Other,
}

/// Reads a tree of files. Errors are those of the file system: `NotFound` where there is nothing.
pub(super) trait Files {
    fn kind(&self, path: &Path) -> io::Result<FileKind>;

    /// Names in a directory, in any order.
    fn names(&self, directory: &Path) -> io::Result<Vec<OsString>>;

    /// At most one byte more than [`MAX_FILE_BYTES`].
    fn bytes(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The path without links, which is the same for two ways to one file.
    fn real(&self, path: &Path) -> io::Result<PathBuf>;

    /// Where a symbolic link points, if this is one.
    fn link(&self, path: &Path) -> Option<PathBuf>;
}

/// The file system.
pub(super) struct Disk;

impl Files for Disk {
    fn kind(&self, path: &Path) -> io::Result<FileKind> {
        let metadata = fs::metadata(path)?;
        Ok(if metadata.is_dir() {
            FileKind::Directory
        } else if metadata.is_file() {
            FileKind::File
        } else {
            FileKind::Other
        })
    }

    fn names(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    fn bytes(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn real(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }

    fn link(&self, path: &Path) -> Option<PathBuf> {
        fs::read_link(path).ok()
    }
}
