//! Base64 as Python's `b64decode` reads it: what is not of its alphabet is skipped.

/// Encoded, without line breaks.
pub(super) fn encode(bytes: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    ::base64::engine::general_purpose::STANDARD.encode(bytes).into_bytes()
}

/// Decoded.
pub(super) fn decode(text: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut group, mut digits, mut pads) = (0u32, 0u32, 0u32);
    for byte in text {
        let digit = match byte {
            b'=' => {
                pads += 1;
                // A complete padding ends the data.
                if digits >= 2 && digits + pads >= 4 {
                    return Ok(out);
                }
                continue;
            }
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        pads = 0;
        group = group << 6 | u32::from(digit);
        digits = (digits + 1) % 4;
        if digits != 1 {
            let shift = match digits {
                2 => 4,
                3 => 2,
                _ => 0,
            };
            out.push((group >> shift & 0xff) as u8);
        }
    }
    match digits {
        0 => Ok(out),
        1 => Err("one digit too many"),
        _ => Err("the padding (`=`) at its end is missing"),
    }
}
