//! The `Date` of an answer against our clock.

use std::time::{SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds since 1970 of an IMF-fixdate (`Sun, 06 Nov 1994 08:49:37 GMT`; RFC 9110, section 5.6.7). The two obsolete forms are not read.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let mut words = text.trim().split_once(", ")?.1.split(' ');
    let (day, month, year, time, zone) = (words.next()?, words.next()?, words.next()?, words.next()?, words.next()?);
    if zone != "GMT" || words.next().is_some() || year.len() != 4 {
        return None;
    }
    let number =
        |text: &str, most: i64| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<i64>().ok()).flatten().filter(|n| *n <= most);
    let month = MONTHS.iter().position(|m| *m == month)? as i64 + 1;
    let (day, year) = (number(day, 31).filter(|d| *d > 0)?, number(year, 9999)?);
    let mut parts = time.split(':');
    // A leap second is the second before it.
    let (hour, minute, second) = (number(parts.next()?, 23)?, number(parts.next()?, 59)?, number(parts.next()?, 60)?.min(59));
    if parts.next().is_some() {
        return None;
    }
    // Days since 1970 in the Gregorian calendar, with years that begin in March so that the leap day is their last.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (month * 153 + 2) / 5 + day - 1 - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// How far the clock behind a `Date` is ahead of ours, in milliseconds.
pub(super) fn offset_ms(date: &str, received: SystemTime) -> Option<i64> {
    let theirs = seconds(date)?.checked_mul(1000)?;
    let ours = i64::try_from(received.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()?;
    // Half a second of the fraction that a date leaves out.
    theirs.checked_add(500)?.checked_sub(ours)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates_are_read() {
        for (text, wanted) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Tue, 29 Feb 2000 23:59:60 GMT", 951_868_799),
            ("Sat, 28 Nov 2026 14:06:08 GMT", 1_795_874_768),
        ] {
            assert_eq!(seconds(text), Some(wanted), "{text}");
        }
        for text in [
            "",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, +6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 99999 08:49:37 GMT",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn the_difference_has_a_sign() {
        let at = |ms| UNIX_EPOCH + Duration::from_millis(ms);
        assert_eq!(offset_ms("Sun, 06 Nov 1994 08:49:37 GMT", at(784_111_777_500)), Some(0));
        assert_eq!(offset_ms("Sun, 06 Nov 1994 08:49:37 GMT", at(784_111_767_500)), Some(10_000));
        assert_eq!(offset_ms("Sun, 06 Nov 1994 08:49:37 GMT", at(784_111_787_500)), Some(-10_000));
    }
}
