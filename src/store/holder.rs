//! Who runs a run, and names for runs and locks.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::{SystemTime, UNIX_EPOCH};

/// A process that runs a run.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Holder {
    /// Host name.
    pub host: String,
    /// User name.
    pub user: String,
    /// Process id.
    pub pid: u32,
}

impl Holder {
    /// This process.
    pub fn current() -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
            .map(|name| name.trim().to_owned())
            .ok()
            .filter(|name| !name.is_empty())
            .or_else(|| std::env::var("HOSTNAME").ok())
            .unwrap_or_else(|| "unknown-host".to_owned());
        let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "unknown-user".to_owned());
        Self { host, user, pid: std::process::id() }
    }
}

/// Milliseconds since 1970 by the clock of this machine.
pub(super) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

/// A number that nobody can expect.
pub(super) fn random() -> u64 {
    // The keys of `RandomState` come from the operating system.
    RandomState::new().build_hasher().finish()
}

/// A name for a run that begins now: `r-20261122-193000-ab12`.
pub fn new_run_id(now_ms: u64) -> String {
    let (y, mo, d, h, mi, s) = civil(now_ms);
    format!("r-{y:04}{mo:02}{d:02}-{h:02}{mi:02}{s:02}-{:04x}", random() & 0xffff)
}

/// A name for a lock.
pub(super) fn new_lock_id() -> String {
    format!("l-{:08x}", random() & 0xffff_ffff)
}

/// A time as people read it: `2026-11-22 19:30:00 UTC`.
pub fn utc(ms: u64) -> String {
    let (y, mo, d, h, mi, s) = civil(ms);
    format!("{y:04}-{mo:02}-{d:02} {h:02}:{mi:02}:{s:02} UTC")
}

/// Calendar date and time of day in UTC; days to date as in Hinnant's `civil_from_days`.
fn civil(ms: u64) -> (u64, u64, u64, u64, u64, u64) {
    let seconds = ms / 1000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + u64::from(month <= 2);
    (year, month, day, second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_calendar_times() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_399_000), "2000-02-28 23:59:59 UTC");
        assert_eq!(utc(951_782_400_000), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(1_795_375_800_000), "2026-11-22 19:30:00 UTC");
        assert!(new_run_id(1_795_375_800_000).starts_with("r-20261122-193000-"));
    }

    #[test]
    fn run_ids_differ() {
        let ids: std::collections::BTreeSet<String> = (0..64).map(|_| new_run_id(0)).collect();
        assert!(ids.len() > 60, "{ids:?}");
    }
}
