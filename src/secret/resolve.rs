//! From a reference to its value.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;

use crate::config::SecretRef;
use crate::redact::Secret;

/// No password or key is longer.
const MAX_BYTES: u64 = 64 * 1024;

/// How long a command may take: it may have to ask a vault.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// Why a secret cannot be had. Names the reference, never a value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set.
    #[error("environment variable {0} is not set; export it before running drydock")]
    NotSet(String),
    /// The variable is not text.
    #[error("environment variable {0} is not UTF-8 text")]
    NotText(String),
    /// The file cannot be read.
    #[error("secret file {path} cannot be read: {error}")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// The command cannot be started.
    #[error("secret command `{program}` cannot be run: {error}")]
    Command {
        /// The program.
        program: String,
        /// What the system says.
        error: io::Error,
    },
    /// The command failed.
    #[error("secret command `{program}` ended with {status}; run it by hand to see why")]
    Failed {
        /// The program.
        program: String,
        /// Its exit status.
        status: String,
    },
    /// The command did not end.
    #[error("secret command `{0}` did not end within {limit} s", limit = COMMAND_LIMIT.as_secs())]
    Slow(String),
    /// Nothing is there.
    #[error("{0} is empty")]
    Empty(String),
    /// Something else is there.
    #[error("{0} is longer than {limit} bytes or is not UTF-8 text, so it is no secret", limit = MAX_BYTES)]
    NoSecret(String),
}

/// Resolves a reference. Paths are relative to `root`, which is also the working directory of commands. A line end behind the value is removed.
///
/// # Errors
/// When there is no value, or nothing that can be one.
pub async fn resolve(reference: &SecretRef, root: &Path) -> Result<Secret, SecretError> {
    match reference {
        SecretRef::Env(name) => match std::env::var(name) {
            Ok(text) => finish(text.into_bytes(), || format!("environment variable {name}")),
            Err(std::env::VarError::NotPresent) => Err(SecretError::NotSet(name.clone())),
            Err(std::env::VarError::NotUnicode(_)) => Err(SecretError::NotText(name.clone())),
        },
        SecretRef::File(path) => {
            let path = root.join(path);
            let shown = path.display().to_string();
            let bytes = read_file(&path).await.map_err(|error| SecretError::File { path: shown.clone(), error })?;
            finish(bytes, || format!("secret file {shown}"))
        }
        SecretRef::Command(argv) => command(argv, root).await,
    }
}

async fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    tokio::fs::File::open(path).await?.take(MAX_BYTES + 1).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

async fn command(argv: &[String], root: &Path) -> Result<Secret, SecretError> {
    let Some((program, arguments)) = argv.split_first() else { return Err(SecretError::Empty("`command`".to_owned())) };
    let failed = |error| SecretError::Command { program: program.clone(), error };
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // What a program says while it fails may hold the secret.
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let read = async {
        let mut bytes = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(MAX_BYTES + 1).read_to_end(&mut bytes).await?;
        }
        let status = child.wait().await?;
        Ok::<_, io::Error>((bytes, status))
    };
    let (bytes, status) =
        tokio::time::timeout(COMMAND_LIMIT, read).await.map_err(|_| SecretError::Slow(program.clone()))?.map_err(failed)?;
    if !status.success() && (bytes.len() as u64) <= MAX_BYTES {
        return Err(SecretError::Failed { program: program.clone(), status: status.to_string() });
    }
    finish(bytes, || format!("output of secret command `{program}`"))
}

fn finish(bytes: Vec<u8>, what: impl Fn() -> String) -> Result<Secret, SecretError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(SecretError::NoSecret(what()));
    }
    let text = String::from_utf8(bytes).map_err(|_| SecretError::NoSecret(what()))?;
    let value = text.strip_suffix('\n').unwrap_or(&text);
    let value = value.strip_suffix('\r').unwrap_or(value);
    if value.is_empty() { Err(SecretError::Empty(what())) } else { Ok(Secret::new(value)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn value(reference: SecretRef, root: &Path) -> Result<String, String> {
        resolve(&reference, root).await.map(|s| s.expose().to_owned()).map_err(|e| e.to_string())
    }

    #[tokio::test]
    async fn files_and_commands() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "a:b:c\r\n").unwrap();
        std::fs::write(folder.path().join("none"), "\n").unwrap();
        let file = |name: &str| SecretRef::File(name.into());
        let command = |argv: &[&str]| SecretRef::Command(argv.iter().map(|s| (*s).to_owned()).collect());
        let root = folder.path();
        assert_eq!(value(file("key"), root).await.unwrap(), "a:b:c");
        assert!(value(file("none"), root).await.unwrap_err().ends_with("none is empty"));
        assert!(value(file("missing"), root).await.unwrap_err().contains("missing cannot be read"));
        assert_eq!(value(command(&["cat", "key"]), root).await.unwrap(), "a:b:c");
        // No shell: the argument is one word.
        assert_eq!(value(command(&["echo", "$HOME; x"]), root).await.unwrap(), "$HOME; x");
        let failed = value(command(&["sh", "-c", "echo hunter2; exit 3"]), root).await.unwrap_err();
        assert_eq!(failed, "secret command `sh` ended with exit status: 3; run it by hand to see why");
        assert!(value(command(&["no-such-program-here"]), root).await.unwrap_err().contains("cannot be run"));
        assert_eq!(
            value(SecretRef::Env("DRYDOCK_NO_SUCH_VARIABLE".into()), root).await.unwrap_err(),
            "environment variable DRYDOCK_NO_SUCH_VARIABLE is not set; export it before running drydock"
        );
    }
}
