//! An SSH public key that cannot be read lets nobody in (RFC 4253, section 6.6: the blob starts with the length and name of its algorithm).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD5201"),
    original: None,
    title: "an authorized key is no SSH public key",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for (at, key) in site.region.authorized_keys.iter().enumerate() {
        if let Err(problem) = read(key) {
            let found = findings.finding(format!("authorized key {} {problem}", at + 1)).at(key.span);
            let help = "write the line of a `.pub` file: algorithm, key in base64, comment; MAAS refuses anything else";
            findings.push(found.help(help).resource(format!("region.{}", site.name)));
        }
    }
}

fn read(key: &str) -> Result<(), &'static str> {
    const ALGORITHMS: [&str; 8] = [
        "ssh-rsa",
        "ssh-dss",
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    ];
    if key.contains("PRIVATE KEY") {
        return Err("is a private key");
    }
    let mut words = key.split_whitespace();
    let algorithm = words.next().filter(|word| ALGORITHMS.contains(word)).ok_or("starts with no algorithm that is known")?;
    let blob = STANDARD.decode(words.next().ok_or("has an algorithm only")?).map_err(|_| "is not valid base64, or was cut")?;
    let named = blob.get(4..4 + algorithm.len()).is_some_and(|name| name == algorithm.as_bytes());
    let length = u32::try_from(algorithm.len()).unwrap_or_default().to_be_bytes();
    if !blob.starts_with(&length) || !named {
        return Err("says one algorithm and holds a key of another");
    }
    // Each part that follows says its length: a key that was cut does not reach its own end.
    let mut rest = &blob[4 + algorithm.len()..];
    while !rest.is_empty() {
        let size = rest.first_chunk::<4>().map(|size| u32::from_be_bytes(*size) as usize);
        rest = size.and_then(|size| rest.get(size.checked_add(4)?..)).ok_or("is not valid base64, or was cut")?;
    }
    Ok(())
}
