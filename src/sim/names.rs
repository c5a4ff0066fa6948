//! Deterministic identifiers: everything derives from a seed and a text.

use sha2::{Digest, Sha256};

const SYSTEM_ID: &[u8] = b"abcdefghkmnpqrstwxy346789";

const ADJECTIVES: [&str; 64] = [
    "able", "acid", "aged", "airy", "apt", "bold", "brave", "brief", "calm", "civil", "clean", "clever", "cool", "crisp", "deep", "eager",
    "early", "fair", "fast", "fine", "firm", "fond", "frank", "free", "fresh", "full", "glad", "good", "grand", "great", "happy", "hardy",
    "ideal", "keen", "kind", "large", "light", "live", "loyal", "lucky", "magic", "merry", "mild", "neat", "noble", "proud", "pure",
    "quick", "quiet", "rapid", "rare", "ready", "rich", "sharp", "sleek", "smart", "solid", "sound", "sunny", "sweet", "swift", "vital",
    "warm", "wise",
];

const ANIMALS: [&str; 64] = [
    "ape", "asp", "bass", "bat", "bear", "bee", "bird", "bison", "boar", "bug", "buck", "calf", "cat", "chimp", "cod", "colt", "coral",
    "crab", "crane", "crow", "cub", "deer", "doe", "dove", "drake", "duck", "eagle", "eel", "elk", "emu", "ewe", "fawn", "finch", "fish",
    "fly", "foal", "fox", "frog", "gecko", "goat", "goose", "gull", "hare", "hawk", "hen", "heron", "hound", "ibex", "imp", "jay", "koala",
    "lamb", "lark", "lion", "lynx", "mink", "mole", "moose", "moth", "mule", "newt", "otter", "owl", "panda",
];

/// 32 bytes from a seed and a text.
pub(crate) fn digest(seed: u64, text: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    hash.update(text.as_bytes());
    hash.finalize().into()
}

/// A MAC address with the prefix of a virtual NIC.
pub(crate) fn mac(seed: u64, text: &str) -> String {
    let d = digest(seed, text);
    format!("52:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", d[0], d[1], d[2], d[3], d[4])
}

/// A UUID of version 5's shape.
pub(crate) fn uuid(seed: u64, text: &str) -> String {
    let d = digest(seed, text);
    let h = hex::encode(&d[..16]);
    format!("{}-{}-5{}-8{}-{}", &h[..8], &h[8..12], &h[13..16], &h[17..20], &h[20..32])
}

/// Letters and digits of a length, as in a serial number.
pub(crate) fn serial(seed: u64, text: &str, len: usize) -> String {
    hex::encode_upper(digest(seed, text)).chars().take(len).collect()
}

/// A password.
pub(crate) fn password(seed: u64, text: &str) -> String {
    hex::encode(&digest(seed, &format!("password {text}"))[..8])
}

/// A MAAS system id: six characters. `attempt` gives another one where it is taken.
pub(crate) fn system_id(seed: u64, text: &str, attempt: u32) -> String {
    let d = digest(seed, &format!("system {text} {attempt}"));
    d[..6].iter().map(|b| SYSTEM_ID[usize::from(*b) % SYSTEM_ID.len()] as char).collect()
}

/// A host name as MAAS makes them up for machines it enlists.
pub(crate) fn hostname(seed: u64, text: &str, attempt: u32) -> String {
    let d = digest(seed, &format!("hostname {text} {attempt}"));
    format!("{}-{}", ADJECTIVES[usize::from(d[0]) % ADJECTIVES.len()], ANIMALS[usize::from(d[1]) % ANIMALS.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_stable_and_differ_by_seed() {
        assert_eq!(mac(1, "a"), mac(1, "a"));
        assert_ne!(mac(1, "a"), mac(2, "a"));
        assert_eq!(uuid(1, "a").len(), 36);
        assert_eq!(system_id(1, "x", 0).len(), 6);
        assert_ne!(system_id(1, "x", 0), system_id(1, "x", 1));
    }
}
