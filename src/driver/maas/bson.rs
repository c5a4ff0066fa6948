//! The part of BSON that `op=details` uses: a document of texts and binaries.

use std::collections::BTreeMap;

/// Reads the texts and binaries of the top level; other values are skipped. `None` when it is not BSON.
pub(super) fn read(bytes: &[u8]) -> Option<BTreeMap<String, Vec<u8>>> {
    let length = usize::try_from(int32(bytes, 0)?).ok()?;
    if length > bytes.len() || length < 5 {
        return None;
    }
    let body = &bytes[..length];
    let mut out = BTreeMap::new();
    let mut at = 4;
    loop {
        let kind = *body.get(at)?;
        at += 1;
        if kind == 0 {
            return Some(out);
        }
        let end = at + body[at..].iter().position(|b| *b == 0)?;
        let name = String::from_utf8_lossy(&body[at..end]).into_owned();
        at = end + 1;
        match kind {
            // Text: the length counts the closing zero.
            0x02 => {
                let n = usize::try_from(int32(body, at)?).ok()?;
                out.insert(name, body.get(at + 4..(at + 4).checked_add(n)?.checked_sub(1)?)?.to_vec());
                at += 4 + n;
            }
            // Binary: length, subtype, bytes.
            0x05 => {
                let n = usize::try_from(int32(body, at)?).ok()?;
                out.insert(name, body.get(at + 5..(at + 5).checked_add(n)?)?.to_vec());
                at += 5 + n;
            }
            0x03 | 0x04 => at = at.checked_add(usize::try_from(int32(body, at)?).ok()?.max(5))?,
            0x01 | 0x09 | 0x11 | 0x12 => at += 8,
            0x07 => at += 12,
            0x08 => at += 1,
            0x06 | 0x0a => {}
            0x10 => at += 4,
            _ => return None,
        }
    }
}

fn int32(bytes: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A document of binaries, as MAAS writes it.
    pub(crate) fn document(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, value) in entries {
            body.push(5);
            body.extend(name.bytes());
            body.push(0);
            body.extend(i32::try_from(value.len()).unwrap().to_le_bytes());
            body.push(0);
            body.extend(*value);
        }
        body.push(0);
        let mut out = i32::try_from(body.len() + 4).unwrap().to_le_bytes().to_vec();
        out.extend(body);
        out
    }

    #[test]
    fn reads_binaries() {
        let read = read(&document(&[("lldp", b""), ("lshw", b"<list/>")])).unwrap();
        assert_eq!(read["lshw"], b"<list/>");
        assert_eq!(read["lldp"], b"");
        assert_eq!(read.len(), 2);
    }

    #[test]
    fn reads_texts_and_skips_the_rest() {
        let mut body = b"\x08flag\0\x01\x10n\0\x01\0\0\0\x0anull\0\x02t\0\x03\0\0\0ab\0\x03doc\0\x05\0\0\0\0\0".to_vec();
        let mut all = i32::try_from(body.len() + 4).unwrap().to_le_bytes().to_vec();
        all.append(&mut body);
        let read = read(&all).unwrap();
        assert_eq!(read.into_iter().collect::<Vec<_>>(), [("t".to_owned(), b"ab".to_vec())]);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }

        #[test]
        fn never_panics_on_damaged_documents(at in 0usize..40, with in any::<u8>()) {
            let mut bytes = document(&[("lldp", b"x"), ("lshw", b"<list><node/></list>")]);
            let at = at % bytes.len();
            bytes[at] = with;
            let _ = read(&bytes);
        }
    }
}
