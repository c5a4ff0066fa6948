//! Plain scalars to values, by the resolver and constructor rules of PyYAML's `SafeLoader` (YAML 1.1).

use super::tree::Value;

/// The value of a plain scalar, or `None` if it is text.
///
/// One rule differs from PyYAML on purpose: `0000:00:03.0` fits YAML 1.1's base-60 floats and is a PCI address here.
pub(super) fn plain(text: &str) -> Option<Value> {
    let Some(first) = text.bytes().next() else { return Some(Value::Null) };
    match first {
        b'~' | b'n' | b'N' | b'y' | b'Y' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' => null(text).or_else(|| boolean(text)),
        b'0'..=b'9' | b'-' | b'+' | b'.' => float(text).or_else(|| int(text)),
        _ => None,
    }
}

/// `null` and its spellings.
pub(super) fn null(text: &str) -> Option<Value> {
    matches!(text, "" | "~" | "null" | "Null" | "NULL").then_some(Value::Null)
}

/// The YAML 1.1 booleans that PyYAML knows: not `y` and `n`.
pub(super) fn boolean(text: &str) -> Option<Value> {
    let value = match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => true,
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => false,
        _ => return None,
    };
    Some(Value::Bool(value))
}

/// Integers: `0b…`, `0x…`, `0…` (octal), decimal and base 60 (`190:20:30`), all with `_` between digits.
pub(super) fn int(text: &str) -> Option<Value> {
    let (negative, body) = sign(text);
    if let Some(digits) = body.strip_prefix("0b") {
        return radix(negative, digits, 2);
    }
    if let Some(digits) = body.strip_prefix("0x") {
        return radix(negative, digits, 16);
    }
    if body == "0" {
        return Some(Value::Int(0));
    }
    if let Some(digits) = body.strip_prefix('0') {
        return if digits.bytes().all(|b| b == b'_') && !digits.is_empty() { Some(Value::Int(0)) } else { radix(negative, digits, 8) };
    }
    if !body.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let Some((first, rest)) = body.split_once(':') else {
        return radix(negative, body, 10);
    };
    let Some(Value::Int(mut total)) = radix(false, first, 10) else { return None };
    for part in rest.split(':') {
        total = total.checked_mul(60)?.checked_add(i64::from(base60_digit(part)?))?;
    }
    Some(Value::Int(if negative { -total } else { total }))
}

/// Floats: a point is needed, an exponent needs a sign; base 60 (`1:30.5`); `.inf` and `.nan`.
pub(super) fn float(text: &str) -> Option<Value> {
    let (negative, body) = sign(text);
    let signed = body.len() < text.len();
    let value = match body {
        ".inf" | ".Inf" | ".INF" => f64::INFINITY,
        ".nan" | ".NaN" | ".NAN" if !signed => f64::NAN,
        _ => {
            let (whole, fraction) = body.split_once('.')?;
            if whole.contains(':') { base60_float(body, whole, fraction)? } else { decimal(signed, whole, fraction)? }
        }
    };
    Some(Value::Float(if negative { -value } else { value }))
}

fn sign(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

/// Digits of a base with `_` anywhere among them; integers beyond 64 bits become floats.
fn radix(negative: bool, digits: &str, base: u32) -> Option<Value> {
    let (mut exact, mut any) = (Some(0i128), false);
    for c in digits.chars().filter(|c| *c != '_') {
        let digit = c.to_digit(base)?;
        any = true;
        exact = exact.and_then(|v| v.checked_mul(i128::from(base))?.checked_add(i128::from(digit)));
    }
    if !any {
        return None;
    }
    if let Some(small) = exact.and_then(|v| i64::try_from(if negative { -v } else { v }).ok()) {
        return Some(Value::Int(small));
    }
    let value = if base == 10 {
        digits.replace('_', "").parse().ok()?
    } else {
        digits.chars().filter_map(|c| c.to_digit(base)).fold(0.0, |v, digit| v * f64::from(base) + f64::from(digit))
    };
    Some(Value::Float(if negative { -value } else { value }))
}

/// `[0-5]?[0-9]`
fn base60_digit(part: &str) -> Option<u8> {
    match part.as_bytes() {
        [one @ b'0'..=b'9'] => Some(one - b'0'),
        [ten @ b'0'..=b'5', one @ b'0'..=b'9'] => Some((ten - b'0') * 10 + (one - b'0')),
        _ => None,
    }
}

fn is_digits(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(|b| b.is_ascii_digit() || b == b'_')
}

fn decimal(signed: bool, whole: &str, fraction: &str) -> Option<f64> {
    let (mantissa, exponent) = match fraction.find(['e', 'E']) {
        Some(at) => (&fraction[..at], Some(&fraction[at + 1..])),
        None => (fraction, None),
    };
    let whole_fits = if whole.is_empty() { !signed && mantissa.starts_with(|c: char| c.is_ascii_digit()) } else { is_digits(whole) };
    let exponent_fits = exponent
        .is_none_or(|e| e.strip_prefix(['-', '+']).is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())));
    if !whole_fits || !exponent_fits || !mantissa.bytes().all(|b| b.is_ascii_digit() || b == b'_') {
        return None;
    }
    let text: String = [whole, ".", mantissa, if exponent.is_some() { "e" } else { "" }, exponent.unwrap_or("")]
        .concat()
        .chars()
        .filter(|c| *c != '_')
        .collect();
    text.parse().ok()
}

fn base60_float(body: &str, whole: &str, fraction: &str) -> Option<f64> {
    if is_pci_address(body) || !fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_') {
        return None;
    }
    let (first, rest) = whole.split_once(':')?;
    if !is_digits(first) {
        return None;
    }
    let mut total: f64 = first.replace('_', "").parse().ok()?;
    for part in rest.split(':') {
        total = total * 60.0 + f64::from(base60_digit(part)?);
    }
    let fraction: f64 = format!("0.{}", fraction.replace('_', "")).parse().ok()?;
    Some(total + fraction)
}

/// `[domain:]bus:device.function` as `lspci` and lshw write it.
fn is_pci_address(text: &str) -> bool {
    let is_hex = |part: &str, len: usize| part.len() == len && part.bytes().all(|b| b.is_ascii_hexdigit());
    let Some((address, function)) = text.split_once('.') else { return false };
    let mut parts = address.rsplit(':');
    let device = parts.next().is_some_and(|p| is_hex(p, 2));
    let bus = parts.next().is_some_and(|p| is_hex(p, 2));
    let domain = parts.next().is_none_or(|p| is_hex(p, 4));
    device && bus && domain && parts.next().is_none() && matches!(function.as_bytes(), [b'0'..=b'7'])
}
