//! Instants and durations as text. Instants are seconds since 1970-01-01 00:00:00 UTC, and are shown in UTC.

/// `2026-11-22T19:04:11Z`.
pub fn instant(seconds: u64) -> String {
    let (year, month, day) = date(seconds / 86_400);
    format!("{year:04}-{month:02}-{day:02}T{}Z", clock(seconds))
}

/// `19:04:11`: the time of day.
pub fn clock(seconds: u64) -> String {
    let s = seconds % 86_400;
    format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// `8 s`, `12 min`, `1 h 05 min`: rounded as one would say it.
pub fn about(seconds: u64) -> String {
    match seconds {
        0..90 => format!("{seconds} s"),
        90..3570 => format!("{} min", (seconds + 30) / 60),
        _ => {
            let minutes = (seconds + 30) / 60;
            format!("{} h {:02} min", minutes / 60, minutes % 60)
        }
    }
}

/// `0.4 s`, `12 s`, `3m12s`, `1h05m`: how long something took.
pub fn took(milliseconds: u64) -> String {
    let s = milliseconds / 1000;
    match s {
        0..10 => format!("{s}.{} s", milliseconds % 1000 / 100),
        10..60 => format!("{s} s"),
        60..3600 => format!("{}m{:02}s", s / 60, s % 60),
        _ => format!("{}h{:02}m", s / 3600, s / 60 % 60),
    }
}

/// As [`took`], in whole seconds: what is shown of something that still goes on.
pub fn took_roughly(milliseconds: u64) -> String {
    if milliseconds < 10_000 { format!("{} s", milliseconds / 1000) } else { took(milliseconds) }
}

/// Year, month and day of a number of days since 1970-01-01, in the proleptic Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last of its year; 400 years have 146 097 days.
fn date(days: u64) -> (u64, u64, u64) {
    // Days since 0000-03-01.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests {
    use super::{about, instant, took};

    #[test]
    fn instants() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_795_374_251, "2026-11-22T19:04:11Z"),
        ] {
            assert_eq!(instant(seconds), text);
        }
    }

    #[test]
    fn durations() {
        assert_eq!([8, 89, 90, 720, 3569, 3600, 5400].map(about), ["8 s", "89 s", "2 min", "12 min", "59 min", "1 h 00 min", "1 h 30 min"]);
        assert_eq!([430, 12_900, 192_000, 3_900_000].map(took), ["0.4 s", "12 s", "3m12s", "1h05m"]);
    }
}
