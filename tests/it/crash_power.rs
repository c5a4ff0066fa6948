//! Power fails: what was not on disk is gone. The state is copied from outside whenever a commit has reached the disk and nobody was told of it yet: the
//! process is stopped there. The simulated world is copied with it, as it is by then. Each copy is what a machine finds when its power comes back. Of each,
//! there are worse ones: its last transaction is there in part, or its last sectors hold something else.
//!
//! What SQLite does with its main file (a checkpoint, which comes after the log is synced) is SQLite's own promise, and not tried here.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::cli_support::copy;
use crate::crash_site::{Calm, End, FIRST, Site, Story, calm};
use crate::mutations::Draw;

const WORKERS: usize = 5;

/// The world must be in its files when it is copied.
const STORY: Story = Story { simulate: "durability: each_request", ..FIRST };

/// What became of the end of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tail {
    /// All that was synced.
    Whole,
    /// The last transaction is there in part: its sync had not come to its end.
    Torn,
    /// It has its length, and other bytes at its end.
    Garbled,
}

/// A machine after a power failure.
struct Image {
    folder: tempfile::TempDir,
    /// Length of the log one commit before.
    before: u64,
}

fn log(folder: &Path) -> PathBuf {
    folder.join(".drydock/state.db-wal")
}

/// A copy of everything that is in files, but what SQLite keeps for the time that a process runs.
fn image(site: &Path, before: u64) -> Image {
    let folder = tempfile::tempdir().unwrap();
    copy(site, folder.path());
    copy(&site.join(".drydock"), &folder.path().join(".drydock"));
    let _ = std::fs::remove_file(folder.path().join(".drydock/state.db-shm"));
    Image { folder, before }
}

/// Runs the story, and copies it after each commit.
fn images() -> Vec<Image> {
    let site = Site::new(STORY);
    let mut command = site.command(STORY.command);
    command.env("DRYDOCK_FAILPOINT", "stop_after_commit:1").stdout(Stdio::null()).stderr(Stdio::null());
    #[allow(clippy::zombie_processes)] // It is waited for below.
    let child = command.spawn().unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let mut images: Vec<Image> = Vec::new();
    let mut before = 0;
    loop {
        let (_, status) = waitpid(pid, WaitOptions::UNTRACED).unwrap().expect("it has changed its state");
        if !status.stopped() {
            assert_eq!(status.exit_status(), Some(0));
            return images;
        }
        let image = image(site.path(), before);
        before = std::fs::metadata(log(image.folder.path())).map_or(0, |m| m.len());
        images.push(image);
        kill_process(pid.unwrap(), Signal::CONT).unwrap();
    }
}

/// What one machine does when its power is back.
fn survive(image: &Image, tail: Tail, calm: &Calm, draw: &mut Draw) -> Result<usize, String> {
    let folder = tempfile::tempdir().unwrap();
    copy(image.folder.path(), folder.path());
    copy(&image.folder.path().join(".drydock"), &folder.path().join(".drydock"));
    let path = log(folder.path());
    let mut bytes = std::fs::read(&path).unwrap_or_default();
    let last = bytes.len().saturating_sub(image.before as usize);
    match tail {
        Tail::Whole => {}
        Tail::Torn => bytes.truncate(image.before as usize + draw.below(last.max(1))),
        Tail::Garbled => {
            let from = bytes.len() - last.min(1 + draw.below(last.max(1)));
            bytes[from..].fill(0xa5);
        }
    }
    std::fs::write(&path, &bytes).unwrap();
    let site = Site::of(folder, STORY);
    let events = if site.has_run() { site.journal().1.len() } else { 0 };
    let life = site.go_on(&End::default());
    if life.code != Some(0) {
        return Err(format!("it ended with {:?}\n{}", life.code, life.said));
    }
    let wrong = site.wrong(calm);
    if wrong.is_empty() { Ok(events) } else { Err(wrong) }
}

fn power_fails(every: usize, tails: &[Tail]) {
    let calm = calm(STORY);
    let images = images();
    assert!(images.len() > 20, "{} commits", images.len());
    let cases: Vec<(usize, Tail)> = (0..images.len())
        .flat_map(|at| tails.iter().enumerate().map(move |(n, tail)| (at, n, *tail)))
        // In turn, so that each kind of tail meets other commits.
        .filter(|(at, n, _)| (at + n).is_multiple_of(every))
        .map(|(at, _, tail)| (at, tail))
        .collect();
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let durable: Mutex<Vec<(usize, usize)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(&(at, tail)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match survive(&images[at], tail, &calm, &mut Draw(at as u64)) {
                        Ok(events) if tail == Tail::Whole => durable.lock().unwrap().push((at, events)),
                        Ok(_) => {}
                        Err(wrong) => failures.lock().unwrap().push(format!("== commit {at}, {tail:?}\n{wrong}")),
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {} do harm:\n{}", failures.len(), cases.len(), failures.join("\n"));
    // Each commit is more than the one before.
    let mut durable = durable.into_inner().unwrap();
    durable.sort_unstable();
    assert!(durable.windows(2).all(|w| w[0].1 < w[1].1), "{durable:?}");
    eprintln!("power failed {} times at {} commits", cases.len(), images.len());
}

#[test]
fn what_was_durable_when_the_power_failed_is_gone_on_with() {
    power_fails(4, &[Tail::Whole, Tail::Torn, Tail::Garbled]);
}

#[test]
#[ignore = "takes minutes; a sample is always run"]
fn what_was_durable_at_any_commit_is_gone_on_with() {
    power_fails(1, &[Tail::Whole, Tail::Torn, Tail::Garbled]);
}
