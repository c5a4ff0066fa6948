//! Sizes of partitions and logical volumes as a design writes them.

use std::fmt;

/// A size: absolute, or a share of the device or volume group that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Size {
    /// That many bytes (`30g`).
    Bytes(u64),
    /// At least that many bytes, and all that is left (`>30g`).
    AtLeast(u64),
    /// Hundredths of a percent of the whole device or group (`50%` is 5000).
    Percent(u32),
}

/// Why a text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a size; write a number with m, g or t (decimal) or mi, gi or ti (binary), `>` before it for \"at least\", or a percentage"
)]
pub struct SizeError {
    /// The text.
    pub text: String,
}

impl Size {
    /// Reads a size. Units: `k m g t` (and `kb` …) are powers of 1000, `ki mi gi ti` (and `kib` …) of 1024, as Drydock's documentation says.
    ///
    /// # Errors
    /// When the text is not a number with a known unit.
    pub fn parse(text: &str) -> Result<Self, SizeError> {
        let fail = || SizeError { text: text.to_owned() };
        let s = text.trim();
        if let Some(p) = s.strip_suffix('%') {
            return parse_hundredths(p.trim()).map(Self::Percent).ok_or_else(fail);
        }
        let (at_least, s) = s.strip_prefix('>').map_or((false, s), |r| (true, r.trim()));
        let digits = s.len() - s.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = s[..digits].parse().map_err(|_| fail())?;
        let factor: u64 = match s[digits..].trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kb" => 1000,
            "m" | "mb" => 1_000_000,
            "g" | "gb" => 1_000_000_000,
            "t" | "tb" => 1_000_000_000_000,
            "ki" | "kib" => 1 << 10,
            "mi" | "mib" => 1 << 20,
            "gi" | "gib" => 1 << 30,
            "ti" | "tib" => 1 << 40,
            _ => return Err(fail()),
        };
        let bytes = number.checked_mul(factor).ok_or_else(fail)?;
        Ok(if at_least { Self::AtLeast(bytes) } else { Self::Bytes(bytes) })
    }
}

/// `12.5` → 1250.
fn parse_hundredths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 2 || !part.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let whole: u32 = whole.parse().ok()?;
    let part: u32 = format!("{part:0<2}").parse().ok()?;
    whole.checked_mul(100)?.checked_add(part)
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(b) => write_bytes(f, *b),
            Self::AtLeast(b) => {
                f.write_str(">")?;
                write_bytes(f, *b)
            }
            Self::Percent(p) if p % 100 == 0 => write!(f, "{}%", p / 100),
            Self::Percent(p) => write!(f, "{}.{:02}%", p / 100, p % 100),
        }
    }
}

fn write_bytes(f: &mut fmt::Formatter<'_>, bytes: u64) -> fmt::Result {
    for (unit, factor) in [("t", 1_000_000_000_000), ("g", 1_000_000_000), ("m", 1_000_000), ("k", 1000)] {
        if bytes >= factor && bytes.is_multiple_of(factor) {
            return write!(f, "{}{unit}", bytes / factor);
        }
    }
    for (unit, factor) in [("ti", 1u64 << 40), ("gi", 1 << 30), ("mi", 1 << 20), ("ki", 1 << 10)] {
        if bytes >= factor && bytes.is_multiple_of(factor) {
            return write!(f, "{}{unit}", bytes / factor);
        }
    }
    write!(f, "{bytes}")
}
