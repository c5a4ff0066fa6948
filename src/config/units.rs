//! Durations as people write them.

use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A duration written with its unit: `200ms`, `30s`, `45m`, `2h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeSpan(pub Duration);

/// A duration in minutes when it is a bare number (`45`), else written with its unit (`45m`, `30s`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Minutes(pub Duration);

/// The longest duration that makes sense here: a week.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// Reads a duration with its unit, between 1 ms and a week.
pub fn parse_span(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = text.get(..digits)?.parse().ok()?;
    let millis = match text.get(digits..)?.trim() {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let span = Duration::from_millis(number.checked_mul(millis)?);
    (!span.is_zero() && span <= LONGEST).then_some(span)
}

struct SpanVisitor {
    bare_minutes: bool,
}

impl Visitor<'_> for SpanVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.bare_minutes {
            "minutes, or a duration such as `45m` or `30s`"
        } else {
            "a duration with its unit, such as `10s` or `2m`"
        })
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
        parse_span(text)
            .ok_or_else(|| E::custom(format!("`{text}` is not a duration between 1ms and a week; write for example `30s` or `45m`")))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Duration, E> {
        if !self.bare_minutes {
            return Err(E::custom(format!("`{number}` has no unit; write `{number}s` or `{number}m`")));
        }
        let span = number.checked_mul(60).map(Duration::from_secs).filter(|s| !s.is_zero() && *s <= LONGEST);
        span.ok_or_else(|| E::custom(format!("`{number}` is not a number of minutes between 1 and a week")))
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SpanVisitor { bare_minutes: false }).map(Self)
    }
}

impl<'de> Deserialize<'de> for Minutes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SpanVisitor { bare_minutes: true }).map(Self)
    }
}

/// A number of bytes written with its unit: `500MiB`, `2GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteCount(pub u64);

impl<'de> Deserialize<'de> for ByteCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let trimmed = text.trim();
        let digits = trimmed.len() - trimmed.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let shift = match &trimmed[digits..] {
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            "TiB" => 40,
            _ => 64,
        };
        let bytes = 1u64.checked_shl(shift).zip(trimmed[..digits].parse::<u64>().ok()).and_then(|(unit, n)| n.checked_mul(unit));
        bytes
            .map(Self)
            .ok_or_else(|| de::Error::custom(format!("`{text:.40}` is not a number of bytes; write for example `500MiB` or `2GiB`")))
    }
}

impl JsonSchema for ByteCount {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ByteCount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^ *[0-9]+(KiB|MiB|GiB|TiB) *$", "description": "A number of bytes with its unit: `500MiB`, `2GiB`"})
    }
}

impl JsonSchema for TimeSpan {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TimeSpan".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^ *[0-9]+ *(ms|s|m|min|h) *$", "description": "A duration with its unit: `10s`, `2m`"})
    }
}

impl JsonSchema for Minutes {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Minutes".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let span = generator.subschema_for::<TimeSpan>();
        json_schema!({"anyOf": [span, {"type": "integer", "minimum": 1}], "description": "Minutes, or a duration with its unit"})
    }
}
