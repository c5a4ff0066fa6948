//! Foreign programs that tests run against: what is shared of their set-up.
//!
//! Python packages go into virtual environments under `target/peers`, made once for all tests. Where that is impossible a test says why it skips; in CI
//! (`CI=true`) it fails instead. `DRYDOCK_SKIP_PEERS=1` skips without trying.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a test needs of foreign programs; `None` says that it skips, and has said why.
pub(crate) fn usable<T>(get: impl FnOnce() -> Result<T, String>) -> Option<T> {
    if std::env::var("DRYDOCK_SKIP_PEERS").is_ok_and(|v| v == "1") {
        eprintln!("skipped: DRYDOCK_SKIP_PEERS=1");
        return None;
    }
    match get() {
        Ok(ready) => Some(ready),
        Err(why) => {
            assert!(!std::env::var("CI").is_ok_and(|v| v == "true"), "in CI this test must run: {why}");
            eprintln!("skipped: {why}");
            None
        }
    }
}

/// The folder of what is installed for tests.
pub(crate) fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Runs a program to its end; what it prints, or what went wrong.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let shown = command.get_program().display().to_string();
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{shown} cannot be run: {e}"))?;
    if !output.status.success() {
        return Err(format!("{shown} failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A virtual environment with these packages (`name==version`), made if it is not there.
pub(crate) fn python(name: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let lock = File::create(folder().join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let venv = folder().join(name);
    let complete = venv.join("complete");
    if complete.exists() {
        return Ok(venv);
    }
    let _ = fs::remove_dir_all(&venv);
    let hint = |e: String| format!("{e}; install Python 3 with venv and pip, and make a package index reachable");
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv)).map_err(hint)?;
    let mut pip = Command::new(venv.join("bin/pip"));
    run(pip.args(["install", "--quiet", "--disable-pip-version-check"]).args(packages)).map_err(hint)?;
    fs::write(&complete, "").unwrap();
    Ok(venv)
}
