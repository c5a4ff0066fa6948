//! Instants as the simulated servers write them.

/// Year, month (1 to 12) and day of an instant in milliseconds since 1970-01-01.
///
/// H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
pub(crate) fn civil(ms: u64) -> (u64, u64, u64) {
    let z = ms / 86_400_000 + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + u64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

/// Hour, minute and second of the day.
pub(crate) fn time_of_day(ms: u64) -> (u64, u64, u64) {
    let seconds = ms / 1000;
    (seconds % 86_400 / 3600, seconds % 3600 / 60, seconds % 60)
}

/// `2026-11-22T13:03:41.250Z` (RFC 3339, as Redfish wants instants: DSP0266, date-time values).
pub(crate) fn rfc3339(ms: u64) -> String {
    let ((year, month, day), (hour, minute, second)) = (civil(ms), time_of_day(ms));
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn instants() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_709_210_096_005), "2024-02-29T12:34:56.005Z");
    }
}
