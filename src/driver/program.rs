//! Running a program of the field (`ipmitool`, `virsh`): an argument list, never a shell; bounded in time and output.
//!
//! A program that is not done in time is killed with everything it started: it runs in a process group of its own.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::permit::Permit;
use crate::redact::Secret;

/// Most bytes that are read of each stream; the longest answers (sensors of a large chassis) have some tens of thousands.
const MOST_OUTPUT: u64 = 1 << 20;

/// One call of a program.
pub(super) struct Run<'a> {
    /// Name, looked up in `PATH`, or path.
    pub(super) program: &'a Path,
    /// Arguments; none of them is a secret, since everybody on the machine can read them.
    pub(super) arguments: &'a [String],
    /// Variables that are set besides `LC_ALL=C`; where a secret goes, readable only by this user.
    pub(super) variables: &'a [(&'a str, Secret)],
    /// Whether it gets the rest of our environment (`HOME`, an SSH agent), or only `PATH`.
    pub(super) inherits: bool,
    /// Where it runs; where drydock does, if not given.
    pub(super) directory: Option<&'a Path>,
    /// What is kept of what it prints.
    pub(super) output: Output,
    /// Time limit.
    pub(super) limit: Duration,
    /// Without it nothing is started.
    pub(super) permit: &'a Permit,
}

/// What is kept of what a program prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// Everything; it is killed when that gets too much.
    Whole,
    /// The last bytes of each stream.
    Tail(usize),
}

/// What it printed and how it ended.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) status: ExitStatus,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Why there is no answer of a program.
#[derive(Debug)]
pub(super) enum Broken {
    /// There is no such program.
    Missing,
    /// It cannot be started or read.
    Failed(io::Error),
    /// It was killed at its time limit.
    Slow,
    /// It was killed because it printed too much.
    Flood,
    /// It was not started: the permit is not given any more.
    Forbidden,
}

/// Kills a process group when dropped.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // It may have ended by itself meanwhile.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// Runs a program to its end. Dropping the future kills it.
pub(super) async fn run(call: Run<'_>) -> Result<Ran, Broken> {
    let mut command = tokio::process::Command::new(call.program);
    if !call.inherits {
        command.env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
    }
    if let Some(directory) = call.directory {
        command.current_dir(directory);
    }
    command.env("LC_ALL", "C").envs(call.variables.iter().map(|(name, value)| (name, value.expose())));
    command.args(call.arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if !call.permit.is_given() {
        return Err(Broken::Forbidden);
    }
    let mut child = command.process_group(0).kill_on_drop(true).spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Broken::Missing,
        _ => Broken::Failed(error),
    })?;
    // The group has the number of its first process.
    let mut group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let work = async {
        let (stdout, stderr) = tokio::try_join!(read(stdout, call.output), read(stderr, call.output))?;
        let status = child.wait().await.map_err(Broken::Failed)?;
        Ok(Ran { status, stdout, stderr })
    };
    let ran = tokio::time::timeout(call.limit, work).await.unwrap_or(Err(Broken::Slow))?;
    group.0 = None;
    Ok(ran)
}

async fn read(stream: Option<impl AsyncRead + Unpin>, output: Output) -> Result<String, Broken> {
    let mut bytes = Vec::new();
    match (stream, output) {
        (None, _) => {}
        (Some(stream), Output::Whole) => {
            stream.take(MOST_OUTPUT + 1).read_to_end(&mut bytes).await.map_err(Broken::Failed)?;
            if bytes.len() as u64 > MOST_OUTPUT {
                return Err(Broken::Flood);
            }
        }
        (Some(mut stream), Output::Tail(most)) => {
            let mut chunk = vec![0; 8192];
            loop {
                let n = stream.read(&mut chunk).await.map_err(Broken::Failed)?;
                if n == 0 {
                    break;
                }
                bytes.extend_from_slice(&chunk[..n]);
                let excess = bytes.len().saturating_sub(most);
                bytes.drain(..excess);
            }
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shell(script: &str, limit: Duration) -> Result<Ran, Broken> {
        let arguments = ["-c".to_owned(), script.to_owned()];
        let variables = [("CANARY", Secret::new("of the child only"))];
        run(Run {
            program: Path::new("sh"),
            arguments: &arguments,
            variables: &variables,
            inherits: false,
            directory: None,
            output: Output::Whole,
            limit,
            permit: &Permit::default(),
        })
        .await
    }

    #[tokio::test]
    async fn output_status_and_environment() {
        let ran = shell("echo out; echo \"$CANARY $HOME.\" >&2; exit 3", Duration::from_secs(20)).await.unwrap();
        assert_eq!((ran.status.code(), ran.stdout.as_str(), ran.stderr.as_str()), (Some(3), "out\n", "of the child only .\n"));
        let given = Permit::default();
        let missing = run(Run {
            program: Path::new("no-such-program-here"),
            arguments: &[],
            variables: &[],
            inherits: true,
            directory: None,
            output: Output::Whole,
            limit: Duration::from_secs(20),
            permit: &given,
        });
        assert!(matches!(missing.await, Err(Broken::Missing)));
    }

    #[tokio::test]
    async fn without_the_permit_nothing_is_started() {
        let folder = tempfile::tempdir().unwrap();
        let (mark, permit) = (folder.path().join("mark"), Permit::default());
        let touch = || async {
            let arguments = [mark.display().to_string()];
            let (program, limit) = (Path::new("touch"), Duration::from_secs(20));
            run(Run {
                program,
                arguments: &arguments,
                variables: &[],
                inherits: false,
                directory: None,
                output: Output::Whole,
                limit,
                permit: &permit,
            })
            .await
        };
        permit.rests_on(|| false);
        assert!(matches!(touch().await, Err(Broken::Forbidden)) && !mark.exists());
        permit.lift();
        assert!(touch().await.unwrap().status.success() && mark.exists());
    }

    #[tokio::test]
    async fn a_hanging_program_is_killed_with_all_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let script = format!("sleep 1000 & echo $! > {}; wait", file.display());
        assert!(matches!(shell(&script, Duration::from_millis(500)).await, Err(Broken::Slow)));
        let pid = std::fs::read_to_string(&file).unwrap();
        let stat = Path::new("/proc").join(pid.trim()).join("stat");
        let gone = || std::fs::read_to_string(&stat).map_or(true, |s| s.rsplit(')').next().unwrap_or_default().trim().starts_with('Z'));
        for _ in 0..200 {
            if gone() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("process {pid} is still there");
    }

    #[tokio::test]
    async fn a_program_that_prints_without_end_is_killed() {
        assert!(matches!(
            shell("while :; do echo 0123456789012345678901234567890123456789; done", Duration::from_secs(60)).await,
            Err(Broken::Flood)
        ));
    }
}
