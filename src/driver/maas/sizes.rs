//! Sizes as MAAS makes them.
//!
//! Partitions and logical volumes are rounded down to 4 MiB. A partition table takes 4 MiB at the start and 1 MiB at the end of the disk; a
//! volume group keeps one extent of 4 MiB for each physical volume. (Read off recorded answers: a disk of 480 000 000 000 bytes offers
//! 479 991 955 456; a group on one of 1 920 000 000 000 offers 1 919 992 987 648.)

use crate::action::params::SizeParam;
use crate::build::Disk;

/// Alignment of partitions, and the extent of volume groups.
pub(super) const STEP: u64 = 4 << 20;

/// What a partition table takes.
const TABLE: u64 = 5 << 20;

/// How far a size may be off where it depends on what firmware and architecture take from the disk.
pub(super) const SLACK: u64 = 4 * STEP;

/// Rounds down to what MAAS stores.
pub(super) fn round(bytes: u64) -> u64 {
    bytes / STEP * STEP
}

/// The bytes of a disk that partitions can have.
pub(super) fn disk_capacity(disk: &Disk) -> u64 {
    let used: u64 = disk.partitions.iter().map(|p| p.size).sum();
    if used > 0 || disk.available > 0 {
        // What MAAS itself says: it knows whether firmware needs a partition of its own.
        round(disk.available + used)
    } else {
        round(disk.size.saturating_sub(TABLE))
    }
}

/// The size of a volume group on devices of these sizes.
pub(super) fn group_capacity(devices: &[u64]) -> u64 {
    (devices.iter().sum::<u64>() / STEP).saturating_sub(devices.len() as u64) * STEP
}

/// The sizes of siblings on a device or group: those that take the rest get what all others leave.
///
/// # Errors
/// A sentence that says what does not fit.
pub(super) fn divide(whole: u64, capacity: u64, sizes: &[SizeParam]) -> Result<Vec<u64>, String> {
    let percent = |p: u32| round(u64::try_from(u128::from(whole) * u128::from(p) / 10_000).unwrap_or(u64::MAX));
    let mut out: Vec<u64> = sizes
        .iter()
        .map(|s| match s {
            SizeParam::Bytes(b) => round(*b),
            SizeParam::Percent(p) => percent(*p),
            SizeParam::AtLeast(_) => 0,
        })
        .collect();
    let total: u64 = out.iter().fold(0, |a, b| a.saturating_add(*b));
    let greedy: Vec<(usize, u64)> = sizes
        .iter()
        .enumerate()
        .filter_map(|(i, s)| match s {
            SizeParam::AtLeast(b) => Some((i, *b)),
            _ => None,
        })
        .collect();
    let mut over = total.saturating_sub(capacity);
    if over > 0 {
        // Percentages are of the whole device, so 100 % asks for slightly more than there is.
        let last = sizes.iter().rposition(|s| matches!(s, SizeParam::Percent(_)));
        if let Some(last) = last.filter(|l| over <= SLACK && out[*l] > over) {
            out[last] = round(out[last] - over);
            over = 0;
        }
    }
    if over > 0 {
        return Err(format!("{total} bytes are asked for, {capacity} are there"));
    }
    let mut rest = capacity.saturating_sub(out.iter().sum::<u64>());
    let mut sharing = greedy;
    // Equal shares, except for those that need more than an equal share.
    while let Some(count) = u64::try_from(sharing.len()).ok().filter(|n| *n > 0) {
        let share = round(rest / count);
        match sharing.iter().position(|(_, least)| round(*least) > share) {
            Some(at) => {
                let (i, least) = sharing.remove(at);
                if round(least) > rest {
                    return Err(format!("at least {least} bytes are asked for, {rest} are left"));
                }
                out[i] = round(least);
                rest -= out[i];
            }
            None => {
                for (i, _) in sharing.drain(..) {
                    out[i] = share;
                }
            }
        }
    }
    match out.iter().position(|s| *s == 0) {
        Some(i) => Err(format!("number {} is smaller than 4 MiB", i + 1)),
        None => Ok(out),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_recorded() {
        assert_eq!(round(100_000_000_000), 99_996_401_664);
        assert_eq!(round(200_000_000_000), 199_996_997_632);
        assert_eq!(round(480_000_000_000 - TABLE), 479_991_955_456);
        assert_eq!(group_capacity(&[1_920_000_000_000]), 1_919_992_987_648);
        assert_eq!(479_991_955_456u64 - 536_870_912 - 99_996_401_664, 379_458_682_880);
    }

    #[test]
    fn the_rest_is_what_siblings_leave_wherever_it_stands() {
        let capacity = 479_991_955_456;
        let sizes = [SizeParam::Bytes(536_870_912), SizeParam::AtLeast(30_000_000_000), SizeParam::Percent(2500)];
        let got = divide(480_000_000_000, capacity, &sizes).unwrap();
        assert_eq!(got[0], 536_870_912);
        assert_eq!(got[2], round(120_000_000_000));
        assert_eq!(got.iter().sum::<u64>(), capacity);
    }

    #[test]
    fn all_of_the_device_is_what_is_there() {
        assert_eq!(divide(480_000_000_000, 479_991_955_456, &[SizeParam::Percent(10_000)]).unwrap(), [479_991_955_456]);
        let halves = divide(480_000_000_000, 479_991_955_456, &[SizeParam::Percent(5000); 2]).unwrap();
        assert!(halves.iter().sum::<u64>() <= 479_991_955_456);
        assert_eq!(halves[0], round(240_000_000_000));
    }

    #[test]
    fn what_does_not_fit_is_said() {
        assert!(divide(1000 * STEP, 999 * STEP, &[SizeParam::Bytes(2000 * STEP)]).unwrap_err().contains("are there"));
        assert!(divide(1000 * STEP, 999 * STEP, &[SizeParam::Percent(9000), SizeParam::Percent(9000)]).is_err());
        assert!(
            divide(1000 * STEP, 999 * STEP, &[SizeParam::Bytes(900 * STEP), SizeParam::AtLeast(500 * STEP)])
                .unwrap_err()
                .contains("are left")
        );
    }

    #[test]
    fn several_that_take_the_rest_each_get_what_they_need() {
        let sizes = |leasts: &[u64]| leasts.iter().map(|l| SizeParam::AtLeast(l * STEP)).collect::<Vec<_>>();
        assert_eq!(divide(1000 * STEP, 900 * STEP, &sizes(&[10, 10])).unwrap(), [450 * STEP, 450 * STEP]);
        assert_eq!(divide(1000 * STEP, 900 * STEP, &sizes(&[600, 10, 10])).unwrap(), [600 * STEP, 150 * STEP, 150 * STEP]);
        assert_eq!(divide(1000 * STEP, 900 * STEP, &sizes(&[10, 600, 200])).unwrap(), [100 * STEP, 600 * STEP, 200 * STEP]);
        assert!(divide(1000 * STEP, 900 * STEP, &sizes(&[600, 400])).unwrap_err().contains("are left"));
    }

    fn size() -> impl Strategy<Value = SizeParam> {
        prop_oneof![
            (1u64..200 * STEP).prop_map(SizeParam::Bytes),
            (1u64..50 * STEP).prop_map(SizeParam::AtLeast),
            (1u32..10_000).prop_map(SizeParam::Percent)
        ]
    }

    proptest! {
        #[test]
        fn sizes_fit_and_are_aligned(sizes in proptest::collection::vec(size(), 0..6), whole in 10 * STEP..2000 * STEP) {
            let capacity = round(whole - TABLE);
            if let Ok(got) = divide(whole, capacity, &sizes) {
                prop_assert!(got.iter().sum::<u64>() <= capacity);
                prop_assert!(got.iter().all(|s| s % STEP == 0));
            }
        }
    }
}
