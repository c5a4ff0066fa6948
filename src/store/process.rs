//! A name for a process that nothing else on any machine has, so that it can be told whether it still runs.

use std::path::Path;

/// `BOOT PIDS START`: boot of the machine, namespace of process ids, and when the process started. Empty where the system does not tell.
pub(super) fn own() -> String {
    named(std::process::id()).unwrap_or_default()
}

fn named(pid: u32) -> Option<String> {
    Some(format!("{} {}", here()?, started(pid)?))
}

/// What process ids mean here.
fn here() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), space.display()))
}

/// When a process started, in clock ticks since the boot; `None` if there is none, or only what is left of it until its parent takes note.
fn started(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    // The name of the program stands in parentheses and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.nth(18).map(str::to_owned) }
}

/// Whether a process of that name runs; `None` where its process ids mean nothing here.
pub(super) fn is_alive(pid: u32, name: &str) -> Option<bool> {
    let (place, start) = name.rsplit_once(' ')?;
    if here()? != place {
        return None;
    }
    Some(started(pid).is_some_and(|now| now == start))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_is_known_by_more_than_its_number() {
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        let name = named(child.id()).unwrap();
        assert_eq!(is_alive(child.id(), &name), Some(true));
        assert_eq!(is_alive(std::process::id(), &name), Some(false), "the number was given to another");
        child.kill().unwrap();
        // Before its parent takes note.
        while started(child.id()).is_some() {
            std::thread::yield_now();
        }
        assert_eq!(is_alive(child.id(), &name), Some(false));
        child.wait().unwrap();
        assert_eq!(is_alive(child.id(), "another-boot pid:[1] 5"), None);
        assert_eq!(is_alive(child.id(), ""), None);
    }
}
