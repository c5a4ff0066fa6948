//! What `ipmitool` prints, read leniently and bounded: a BMC can put anything into it.

use std::collections::BTreeMap;

use super::fault::clean;
use crate::build::{BootEnabled, BootOverride, Sensor};
use crate::driver::identifier::meaningful;
use crate::driver::level::{Boot, Shown};
use crate::driver::power::Power;

/// Most sensors and events that are kept.
const MOST_SENSORS: usize = 512;
const MOST_EVENTS: usize = 20;

/// `chassis power status`.
pub(super) fn power(text: &str) -> Power {
    let said = text.lines().filter_map(|l| l.trim().strip_prefix("Chassis Power is ")).next_back();
    match said.map(str::trim) {
        Some("on") => Power::On,
        Some("off") => Power::Off,
        _ => Power::Unknown,
    }
}

/// Bytes of a `raw` answer: the lines that hold nothing else.
pub(super) fn raw(text: &str) -> Vec<u8> {
    let byte = |w: &str| (w.len() == 2).then(|| u8::from_str_radix(w, 16).ok()).flatten();
    let line = |l: &str| l.split_whitespace().map(byte).collect::<Option<Vec<u8>>>();
    text.lines().filter_map(line).flatten().collect()
}

/// How far the clock of the event log is ahead of ours, in milliseconds, from the four bytes of *Get SEL Time* (IPMI 2.0, 31.10); `None` if it is not set.
///
/// It has no time zone (IPMI 2.0, 37): whole quarters of an hour, up to 14 hours, are taken for one.
pub(super) fn clock_offset_ms(bytes: &[u8], ours: u64) -> Option<i64> {
    const QUARTER: i64 = 15 * 60;
    const MOST: i64 = 14 * 3600;
    // Below are seconds since the BMC was started.
    const INITIALISED: u32 = 0x2000_0000;
    let theirs = u32::from_le_bytes(bytes.try_into().ok()?);
    if theirs <= INITIALISED || theirs == u32::MAX {
        return None;
    }
    let off = i64::from(theirs) - i64::try_from(ours).ok()?;
    let zone = (off as f64 / QUARTER as f64).round() as i64 * QUARTER;
    Some(if zone.abs() <= MOST { off - zone } else { off } * 1000)
}

/// Boot flags (IPMI 2.0, table 28-14, parameter 5), from `chassis bootparam get 5`; `None` if it does not show them.
///
/// BMCs differ in what they keep of them. Some lose the valid bit, so a selector without it counts only after it was set; a selector that stays
/// behind when the valid bit is gone is not proof of a setting. The EFI and persistence bits are lost too, and decide nothing.
pub(super) fn boot(text: &str) -> Option<Boot> {
    let data = text.lines().find_map(|l| l.trim().strip_prefix("Boot parameter data:"))?.trim();
    let byte = |i: usize| data.get(2 * i..2 * i + 2).and_then(|h| u8::from_str_radix(h, 16).ok());
    let (first, second) = (byte(0)?, byte(1)?);
    let (valid, persistent, efi) = (first & 0x80 != 0, first & 0x40 != 0, first & 0x20 != 0);
    let selector = second >> 2 & 0x0f;
    // 0 no override, 1 PXE, 2 default hard drive, 3 the same in safe mode.
    let (pxe, disk) = match selector {
        1 if valid => (Shown::Yes, Shown::No),
        1 => (Shown::IfOrdered, Shown::IfOrdered),
        0 | 2 | 3 => (Shown::No, Shown::Yes),
        _ if valid => (Shown::No, Shown::No),
        _ => (Shown::No, Shown::IfOrdered),
    };
    let target = match selector {
        _ if !valid => "None",
        0 => "None",
        1 => "Pxe",
        2 | 3 => "Hdd",
        5 => "Cd",
        6 => "BiosSetup",
        15 => "Floppy",
        _ => "Other",
    };
    let enabled = match (target, persistent) {
        ("None", _) => BootEnabled::Disabled,
        (_, true) => BootEnabled::Continuous,
        (_, false) => BootEnabled::Once,
    };
    let mode = (target != "None").then(|| if efi { "UEFI" } else { "Legacy" }.to_owned());
    let allowable = ["None", "Pxe", "Hdd"].map(str::to_owned).to_vec();
    Some(Boot { pxe, disk, fact: BootOverride { target: target.to_owned(), enabled, mode, allowable } })
}

/// A GUID as text, from the 16 bytes of *Get System GUID* (IPMI 2.0, 22.14).
///
/// The bytes come in the order of RFC 4122, of SMBIOS (the first three fields swapped) or of IPMI (all reversed), and nothing says which; the first
/// that gives a version and variant of RFC 4122 is taken, as `ipmitool` does. Whoever compares must accept every order
/// ([`crate::build::same_uuid`]).
pub(super) fn guid(bytes: &[u8]) -> Option<String> {
    let bytes: [u8; 16] = bytes.try_into().ok()?;
    let mut smbios = bytes;
    smbios[0..4].reverse();
    smbios[4..6].reverse();
    smbios[6..8].reverse();
    let mut reversed = bytes;
    reversed.reverse();
    let plausible = |b: &&[u8; 16]| (1..=5).contains(&(b[6] >> 4)) && b[8] >> 6 == 0b10;
    let orders = [bytes, smbios, reversed];
    let chosen = orders.iter().find(plausible).unwrap_or(&bytes);
    let hex = hex::encode(chosen);
    let text = format!("{}-{}-{}-{}-{}", &hex[0..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]);
    // What AMI's sources have in them, and boards that nobody gave another.
    const SAMPLES: [&str; 2] = ["03000200-0400-0500-0006-000700080009", "00020003-0004-0005-0006-000700080009"];
    meaningful(&text).filter(|t| !SAMPLES.contains(&t.as_str()))
}

/// What the FRU inventory says about the machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Fru {
    pub(super) manufacturer: Option<String>,
    pub(super) model: Option<String>,
    pub(super) serial: Option<String>,
}

/// `fru print 0` (IPMI Platform Management FRU Information Storage Definition). The product's serial number is what SMBIOS tools show as the
/// system's; where there is none, that of the chassis.
pub(super) fn fru(text: &str) -> Fru {
    let mut fields: BTreeMap<&str, String> = BTreeMap::new();
    for (key, value) in text.lines().filter_map(|l| l.split_once(':')) {
        if let Some(value) = meaningful(value) {
            fields.entry(key.trim()).or_insert(value);
        }
    }
    let first = |keys: &[&str]| keys.iter().find_map(|k| fields.get(k).cloned());
    Fru {
        manufacturer: first(&["Product Manufacturer", "Board Mfg"]),
        model: first(&["Product Name", "Board Product"]),
        serial: first(&["Product Serial", "Chassis Serial"]),
    }
}

/// The firmware version in `mc info`.
pub(super) fn firmware(text: &str) -> Option<String> {
    let value = |key: &str| text.lines().filter_map(|l| l.split_once(':')).find(|(k, _)| k.trim() == key).map(|(_, v)| v.trim().to_owned());
    value("Firmware Revision").map(|v| clean(&v, "")).filter(|v| !v.is_empty())
}

/// The number of sensor records, from *Get SDR Repository Info* (IPMI 2.0, 33.9).
pub(super) fn sensor_records(bytes: &[u8]) -> u16 {
    match bytes {
        [_, low, high, ..] => u16::from_le_bytes([*low, *high]),
        _ => 0,
    }
}

/// `sdr elist`: name, number, state, entity, reading.
pub(super) fn sensors(text: &str) -> Vec<Sensor> {
    let sensor = |line: &str| {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let [name, _, state, _, reading] = parts.as_slice() else { return None };
        // No reading: not fitted.
        (!name.is_empty() && *state != "ns").then(|| Sensor { name: clean(name, ""), state: clean(state, ""), reading: clean(reading, "") })
    };
    text.lines().filter_map(sensor).take(MOST_SENSORS).collect()
}

/// `sel list`: the latest events, oldest first.
pub(super) fn events(text: &str) -> Vec<String> {
    let event = |line: &str| {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        (parts.len() >= 4).then(|| clean(&parts[1..].join(" "), ""))
    };
    let mut events: Vec<String> = text.lines().filter_map(event).collect();
    let surplus = events.len().saturating_sub(MOST_EVENTS);
    events.drain(..surplus);
    events
}
