//! The log of events.

use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct WireEvents {
    events: Vec<WireEvent>,
}

#[derive(Debug, Clone, Deserialize)]
struct WireEvent {
    #[serde(default)]
    node: Option<String>,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    created: String,
}

impl WireEvents {
    /// When a machine got its status: MAAS logs a change of status as an event of that name, newest first.
    pub(in super::super) fn since(&self, machine: &str, status: &str) -> Option<u64> {
        let event = self.events.iter().find(|e| e.node.as_deref() == Some(machine) && e.kind.eq_ignore_ascii_case(status))?;
        seconds(&event.created)
    }
}

/// `Sun, 22 Nov. 2026 13:03:41` (UTC) as seconds since 1970.
fn seconds(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let mut words = text.split([' ', ',', '.']).filter(|w| !w.is_empty()).skip(1);
    let day: u64 = words.next()?.parse().ok()?;
    let name = words.next()?.get(..3)?.to_ascii_lowercase();
    let month = MONTHS.iter().position(|m| *m == name)? as u64 + 1;
    let year: u64 = words.next()?.parse().ok()?;
    let clock: Vec<u64> = words.next()?.split(':').map(|p| p.parse().ok()).collect::<Option<_>>()?;
    let [hour, minute, second] = clock[..] else { return None };
    if !(1970..=9999).contains(&year) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Days of the civil calendar since 1970, with years that begin in March (Howard Hinnant, "chrono-compatible low-level date algorithms").
    let y = if month <= 2 { year - 1 } else { year };
    let in_era = y % 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = (y / 400) * 146_097 + in_era * 365 + in_era / 4 - in_era / 100 + of_year - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_maas_writes_them() {
        assert_eq!(seconds("Sun, 22 Nov. 2026 13:03:41"), Some(1_795_352_621));
        assert_eq!(seconds("Thu, 01 Jan. 1970 00:00:00"), Some(0));
        assert_eq!(seconds("Thu, 29 Feb. 2024 00:00:01"), Some(1_709_164_801));
        for odd in [
            "",
            "yesterday",
            "Sun, 22 Nov. 2026",
            "Sun, 22 Foo. 2026 1:1:1",
            "Sun, 0 Nov. 1960 1:1:1",
            "Sun, 22 Nö. 2026 13:03",
            "x, 22 Nov 99999 1:2:3",
        ] {
            assert_eq!(seconds(odd), None, "{odd}");
        }
    }

    #[test]
    fn the_newest_event_of_that_status_counts() {
        let event = |node: &str, kind: &str, second: u32| WireEvent {
            node: Some(node.into()),
            kind: kind.into(),
            created: format!("Thu, 01 Jan. 1970 00:00:{second:02}"),
        };
        let log = WireEvents {
            events: vec![event("b", "Deploying", 9), event("a", "Rebooting", 8), event("a", "Deploying", 7), event("a", "Deploying", 1)],
        };
        assert_eq!((log.since("a", "Deploying"), log.since("a", "Ready")), (Some(7), None));
    }
}
