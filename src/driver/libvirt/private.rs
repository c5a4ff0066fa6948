//! Files that only this user can read, which are gone afterwards; and the one that connects through a jump host.

use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A file that is removed when dropped.
#[derive(Debug)]
pub(super) struct PrivateFile(PathBuf);

impl PrivateFile {
    pub(super) fn new(kind: &str, text: &str, mode: u32) -> io::Result<Self> {
        let number = std::collections::hash_map::RandomState::new().build_hasher().finish();
        let path = std::env::temp_dir().join(format!("drydock-{number:016x}.{kind}"));
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
        let kept = Self(path);
        file.write_all(text.as_bytes())?;
        Ok(kept)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PrivateFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A word that a shell takes as it stands.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The program that stands for `ssh`: libvirt takes a program without arguments (<https://libvirt.org/uri.html>, `command`), and gives it no
/// variable of ours.
pub(super) fn jumping(ssh: &Path, jump: &str) -> io::Result<PrivateFile> {
    let ssh = ssh.to_str().ok_or_else(|| io::Error::other("the path of ssh is not UTF-8"))?;
    PrivateFile::new("ssh", &format!("#!/bin/sh\nexec {} -J {} \"$@\"\n", quoted(ssh), quoted(jump)), 0o700)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_one_argument_each() {
        let file = jumping(Path::new("/opt/it's/ssh"), "ops@jump:2222").unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(text, "#!/bin/sh\nexec '/opt/it'\\''s/ssh' -J 'ops@jump:2222' \"$@\"\n");
        let path = file.path().to_owned();
        drop(file);
        assert!(!path.exists());
    }
}
