//! `ssh-keygen -Y`.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::{NAMESPACE, armor};

const PROGRAM: &str = "ssh-keygen";

/// Why a signature was not made, or could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The program cannot be started.
    #[error("`{PROGRAM}` cannot be run: {0}; install OpenSSH (8.2 or newer)")]
    Program(io::Error),
    /// Files for it cannot be written.
    #[error("cannot write to the folder for temporary files: {0}")]
    Temporary(io::Error),
    /// It refuses the key.
    #[error("`{PROGRAM}` makes no signature with {key}; it says above why")]
    Key {
        /// The key.
        key: String,
    },
}

/// An allowed-signers file, as bytes, with its name for messages.
#[derive(Debug, Clone)]
pub struct Signers {
    /// How it is called in the settings.
    pub shown: String,
    /// Its content.
    pub text: Vec<u8>,
    /// Keys that do not count any more: a list of public keys, or a key revocation list.
    pub revoked: Option<Vec<u8>>,
}

/// Signs a statement; whoever has the key may be asked for its passphrase, or to touch it. Of a public key the agent has the other half.
///
/// # Errors
/// When the program is not there or refuses.
pub fn sign(key: &Path, statement: &str) -> Result<String, SignError> {
    let mut command = Command::new(PROGRAM);
    // What it asks for stands on the standard error stream, or at the terminal itself.
    command.args(["-q", "-Y", "sign", "-n", NAMESPACE, "-f"]).arg(key).stderr(Stdio::inherit());
    let output = run(command, statement.as_bytes())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() && armor::parse(text.as_bytes()).is_ok() {
        return Ok(text);
    }
    Err(SignError::Key { key: key.display().to_string() })
}

/// Whose signature of a statement this is: its names, in order, and the fingerprint of the key.
///
/// # Errors
/// The outer one when nothing could be looked at, the inner one says why the signature does not count.
pub fn verify(statement: &str, signature: &[u8], signers: &Signers) -> Result<Result<(Vec<String>, String), String>, SignError> {
    let armor = match armor::parse(signature) {
        Ok(armor) => armor,
        Err(why) => return Ok(Err(why)),
    };
    if armor.namespace != NAMESPACE {
        let namespace: String = armor.namespace.chars().take(40).collect();
        return Ok(Err(format!("made for `{namespace}` and not for `{NAMESPACE}`: it approves no plan")));
    }
    let folder = Folder::new().map_err(SignError::Temporary)?;
    let allowed = folder.file("signers", &signers.text)?;
    let file = folder.file("signature", signature)?;
    let revoked = signers.revoked.as_ref().map(|keys| folder.file("revoked", keys)).transpose()?;
    let names = [(allowed.as_path(), signers.shown.as_str()), (file.as_path(), "the signature")];

    let mut command = Command::new(PROGRAM);
    command.args(["-Y", "find-principals", "-s"]).arg(&file).arg("-f").arg(&allowed).stderr(Stdio::piped());
    let found = run(command, b"")?;
    let mut why = format!("key {} ({}) is nobody's of {}: {}", armor.fingerprint(), armor.key_type(), signers.shown, said(&found, &names));
    let candidates: Vec<String> = String::from_utf8_lossy(&found.stdout).lines().map(str::to_owned).collect();
    let (patterns, mut candidates): (Vec<String>, Vec<String>) = candidates.into_iter().partition(|p| p.contains(['*', '?', '!']));
    if candidates.is_empty() && !patterns.is_empty() {
        return Ok(Err(format!("{} has `{}` for this key, which names nobody; write who holds it", signers.shown, patterns.join(","))));
    }
    // Whoever a certificate names is found only while it is valid; otherwise it is asked why it is not.
    candidates.extend(armor.principals());
    candidates.sort();
    candidates.dedup();
    // A person has a handful of names; each costs a call.
    candidates.truncate(16);
    let check = |principal: &str, revoked: Option<&Path>| {
        let mut command = Command::new(PROGRAM);
        command.args(["-Y", "verify", "-n", NAMESPACE, "-I", principal, "-s"]).arg(&file).arg("-f").arg(&allowed).stderr(Stdio::piped());
        if let Some(revoked) = revoked {
            command.arg("-r").arg(revoked);
        }
        run(command, statement.as_bytes())
    };
    let (mut principals, mut key) = (Vec::new(), String::new());
    for principal in candidates {
        let output = check(&principal, revoked.as_deref())?;
        if output.status.success() {
            // Good "drydock-plan" signature for NAME with ED25519 key SHA256:…
            let told = String::from_utf8_lossy(&output.stdout).trim().rsplit(' ').next().unwrap_or_default().to_owned();
            key = if told.starts_with("SHA256:") { told } else { armor.fingerprint() };
            principals.push(principal);
        } else if revoked.is_some() && check(&principal, None)?.status.success() {
            why = format!("key {} of {principal} was revoked", armor.fingerprint());
        } else {
            why = said(&output, &names);
        }
    }
    Ok(if principals.is_empty() { Err(why) } else { Ok((principals, key)) })
}

fn run(mut command: Command, input: &[u8]) -> Result<Output, SignError> {
    // What it says is read below.
    command.env("LC_ALL", "C").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(SignError::Program)?;
    if let Some(mut stdin) = child.stdin.take() {
        // It may end without having read everything; then its exit code says why.
        let _ = stdin.write_all(input);
    }
    child.wait_with_output().map_err(SignError::Program)
}

/// What the program said, with names in place of those of temporary files.
fn said(output: &Output, names: &[(&Path, &str)]) -> String {
    let text = format!("{}\n{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    let noise = ["Signing data on standard input", "Could not verify signature.", "No principal matched."];
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty() && !noise.contains(line)).collect();
    let mut text = if lines.is_empty() { "no line of it is about this key".to_owned() } else { lines.join("; ") };
    for (path, name) in names {
        text = text.replace(&*path.to_string_lossy(), name);
    }
    text
}

/// A folder that nobody else can read, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        let base = std::env::temp_dir();
        for attempt in 0..1000_u32 {
            let path = base.join(format!("drydock-sign-{}-{}", std::process::id(), attempt));
            match private(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|()| Self(path)),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, SignError> {
        let path = self.0.join(name);
        fs::write(&path, bytes).map_err(SignError::Temporary)?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(unix)]
fn private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(not(unix))]
fn private(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}
