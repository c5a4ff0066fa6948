//! What stands in a signature before it is believed: `PROTOCOL.sshsig` of OpenSSH.

use base64::Engine as _;
use sha2::{Digest as _, Sha256};

/// The largest signature that is read; certificates make them large.
pub const MAX_BYTES: usize = 64 * 1024;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

/// What a signature says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Armor {
    /// The key, or certificate, as SSH writes it.
    pub public_key: Vec<u8>,
    /// What it was made for.
    pub namespace: String,
}

impl Armor {
    /// The type of the key: `ssh-ed25519`.
    pub fn key_type(&self) -> String {
        let mut rest = self.public_key.as_slice();
        string(&mut rest).map_or_else(String::new, |t| String::from_utf8_lossy(t).into_owned())
    }

    /// The names that the certificate gives its holder, as it says itself; none for a key without one.
    pub fn principals(&self) -> Vec<String> {
        fn of(blob: &[u8]) -> Option<Vec<String>> {
            let mut rest = blob;
            // Between nonce and serial number stand the fields of the key (`PROTOCOL.certkeys`).
            let fields = match string(&mut rest)? {
                b"ssh-ed25519-cert-v01@openssh.com" => 1,
                b"ssh-rsa-cert-v01@openssh.com" | b"sk-ssh-ed25519-cert-v01@openssh.com" => 2,
                b"sk-ecdsa-sha2-nistp256-cert-v01@openssh.com" => 3,
                kind if kind.starts_with(b"ecdsa-sha2-") && kind.ends_with(b"-cert-v01@openssh.com") => 2,
                _ => return None,
            };
            for _ in 0..=fields {
                string(&mut rest)?;
            }
            // Serial number and type.
            rest = rest.get(12..)?;
            string(&mut rest)?;
            let mut names = string(&mut rest)?;
            let mut out = Vec::new();
            while let Some(name) = string(&mut names) {
                out.push(String::from_utf8_lossy(name).into_owned());
            }
            Some(out)
        }
        of(&self.public_key).unwrap_or_default()
    }

    /// Fingerprint of the key; of a certificate, that of the certificate as a whole.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", base64::engine::general_purpose::STANDARD_NO_PAD.encode(Sha256::digest(&self.public_key)))
    }

    /// A short name for files: the first hexadecimal digits of the fingerprint.
    pub fn short(&self) -> String {
        hex::encode(&Sha256::digest(&self.public_key)[..6])
    }
}

/// Takes a length and as many bytes.
fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, tail) = rest.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length) as usize;
    let (text, tail) = tail.split_at_checked(length)?;
    *rest = tail;
    Some(text)
}

/// Reads a signature.
///
/// # Errors
/// When it is not an SSH signature, or cut off; why.
pub fn parse(text: &[u8]) -> Result<Armor, String> {
    if text.len() > MAX_BYTES {
        return Err(format!("larger than {} KiB, so it is no signature", MAX_BYTES / 1024));
    }
    let cut_off = || "not an SSH signature, or cut off".to_owned();
    let text = std::str::from_utf8(text).map_err(|_| cut_off())?.trim();
    let body = text.strip_prefix(BEGIN).and_then(|t| t.strip_suffix(END)).ok_or_else(cut_off)?;
    let body: String = body.split_whitespace().collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(body).map_err(|_| cut_off())?;
    let mut rest = bytes.strip_prefix(b"SSHSIG").ok_or_else(cut_off)?;
    let (version, tail) = rest.split_first_chunk::<4>().ok_or_else(cut_off)?;
    if u32::from_be_bytes(*version) != 1 {
        return Err(format!("an SSH signature of version {}, and only version 1 is known", u32::from_be_bytes(*version)));
    }
    rest = tail;
    let public_key = string(&mut rest).ok_or_else(cut_off)?.to_vec();
    let namespace = String::from_utf8_lossy(string(&mut rest).ok_or_else(cut_off)?).into_owned();
    Ok(Armor { public_key, namespace })
}
