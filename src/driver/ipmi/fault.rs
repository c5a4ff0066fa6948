//! What `ipmitool` says when it fails, as a class and what to do.
//!
//! Its exit code tells nothing, so its words count. They stand in its sources: completion codes (`completion_code_vals`), status codes of the RMCP+
//! session (`ipmi_rakp_return_codes`), and the messages of the `lanplus` interface. With `-v` it says what went wrong in the handshake, and a
//! few harmless things besides.

use crate::driver::ErrorClass;

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// What kind.
    pub(super) kind: Kind,
    /// Its own words.
    pub(super) said: String,
}

/// Kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The BMC does not do this cipher suite; another may work.
    CipherSuite,
    /// User name or password.
    Credentials,
    /// The user may not do it.
    Privilege,
    /// Nothing answers at the address.
    Silent,
    /// The address is no address.
    Address,
    /// No session is free.
    Sessions,
    /// The BMC cannot do it now.
    NotNow,
    /// The BMC does not do this.
    Unsupported,
    /// Anything else.
    Other,
}

impl Kind {
    pub(super) fn class(self) -> ErrorClass {
        match self {
            Self::CipherSuite | Self::Address => ErrorClass::Settings,
            Self::Credentials | Self::Privilege => ErrorClass::Credentials,
            Self::Silent | Self::Other => ErrorClass::Transient,
            Self::Sessions => ErrorClass::Busy,
            Self::NotNow => ErrorClass::NotReady,
            Self::Unsupported => ErrorClass::Rejected,
        }
    }

    /// What it means, where the tool's own words do not say it.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::CipherSuite => "the BMC refuses the cipher suite",
            Self::Credentials => "the BMC refuses the credentials",
            Self::Privilege => "the BMC does not let this user do it",
            Self::Silent => "the BMC does not answer",
            Self::Address => "the BMC's address cannot be used",
            Self::Sessions => "the BMC has no free session",
            Self::NotNow => "the BMC is busy",
            Self::Unsupported => "the BMC does not support it",
            Self::Other => "ipmitool failed",
        }
    }

    /// What to do.
    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::CipherSuite => {
                "allow a cipher suite that it has: `drivers.ipmi.cipher_suites`; `ipmitool channel getciphers ipmi` on the machine lists them"
            }
            Self::Credentials => {
                "check `oob.account` and `oob.credential`, that the account may use IPMI over LAN, and that it is not locked"
            }
            Self::Privilege => {
                "give the account the level that `drivers.ipmi.privilege` asks for (administrator if not set), on the LAN channel"
            }
            Self::Silent => "check the address, that IPMI over LAN is enabled, and that UDP port 623 is open from here",
            Self::Address => "check the address of the BMC",
            Self::Sessions => "others hold its sessions; it is tried again",
            Self::NotNow => "it is tried again",
            Self::Unsupported => "update the BMC's firmware, or drive this node with another OOB driver",
            Self::Other => "run `ipmitool` by hand with the same address to see more",
        }
    }
}

/// Words of the tool, lower case, in order of what they say most about; the first that stands in a line decides.
const WORDS: [(&str, Kind); 37] = [
    ("invalid authentication algorithm", Kind::CipherSuite),
    ("invalid integrity algorithm", Kind::CipherSuite),
    ("invalid confidentiality algorithm", Kind::CipherSuite),
    ("no matching cipher suite", Kind::CipherSuite),
    ("no cipher suite match", Kind::CipherSuite),
    ("no matching authentication", Kind::CipherSuite),
    ("no matching integrity", Kind::CipherSuite),
    ("unsupported cipher suite", Kind::CipherSuite),
    ("invalid cipher suite", Kind::CipherSuite),
    ("rakp 2 hmac is invalid", Kind::Credentials),
    ("rakp 4 message has invalid", Kind::Credentials),
    ("invalid integrity check value", Kind::Credentials),
    ("unauthorized name", Kind::Credentials),
    ("username is too long", Kind::Credentials),
    ("password is longer", Kind::Credentials),
    ("unauthorized role", Kind::Privilege),
    ("invalid role", Kind::Privilege),
    ("insufficient resources for role", Kind::Privilege),
    ("insufficient privilege level", Kind::Privilege),
    ("rsp=0xd4", Kind::Privilege),
    ("insufficient resources for session", Kind::Sessions),
    ("address lookup for", Kind::Address),
    ("invalid port", Kind::Address),
    ("node busy", Kind::NotNow),
    ("rsp=0xc0", Kind::NotNow),
    ("initialization in progress", Kind::NotNow),
    ("rsp=0xd2", Kind::NotNow),
    ("update mode", Kind::NotNow),
    ("not supported in present state", Kind::NotNow),
    ("rsp=0xd5", Kind::NotNow),
    ("rsp=0xc1", Kind::Unsupported),
    ("rsp=0xcc", Kind::Unsupported),
    ("failed: invalid command", Kind::Unsupported),
    ("failed: invalid data field", Kind::Unsupported),
    ("failed: parameter out of range", Kind::Unsupported),
    ("parameter not supported", Kind::Unsupported),
    ("get auth capabilities error", Kind::Silent),
];

/// For each kind of failure its class, and the words that show it.
#[cfg(test)]
pub(in crate::driver) fn words_by_class() -> Vec<(ErrorClass, &'static str, Vec<&'static str>)> {
    let kinds = [
        Kind::CipherSuite,
        Kind::Credentials,
        Kind::Privilege,
        Kind::Silent,
        Kind::Address,
        Kind::Sessions,
        Kind::NotNow,
        Kind::Unsupported,
        Kind::Other,
    ];
    let words = |kind| WORDS.iter().filter(|(_, k)| *k == kind).map(|(words, _)| *words).collect();
    kinds.into_iter().map(|kind| (kind.class(), kind.words(), words(kind))).collect()
}

/// What `-v` says without meaning a failure.
const NOISE: [&str; 7] = [
    "loading iana pen registry",
    "running get vso capabilities",
    "invalid completion code received",
    "discovered ipmb address",
    "get hpm.x capabilities request failed",
    "raw req",
    "raw rsp",
];

/// Longest excerpt of what the tool said, in characters.
const EXCERPT: usize = 200;

impl Fault {
    /// Reads what the tool printed; `secret` is masked should it ever be printed.
    pub(super) fn of(stdout: &str, stderr: &str, secret: &str) -> Self {
        let lines: Vec<&str> = stderr
            .lines()
            .chain(stdout.lines())
            .map(str::trim)
            .filter(|line| !line.is_empty() && !NOISE.iter().any(|n| line.to_ascii_lowercase().starts_with(n)))
            .collect();
        let all = lines.join("\n").to_ascii_lowercase();
        let found = WORDS.iter().find(|(words, _)| all.contains(words));
        let kind = match found {
            Some((_, kind)) => *kind,
            // A session that cannot be had, without a word on why.
            None if all.contains("unable to establish") => Kind::Silent,
            None => Kind::Other,
        };
        let telling = found.and_then(|(words, _)| lines.iter().find(|l| l.to_ascii_lowercase().contains(words)));
        let said = telling.or(lines.last()).map_or(String::new(), |line| clean(line, secret));
        Self { kind, said }
    }
}

/// One line for people: bounded, without control characters and the secret.
pub(super) fn clean(line: &str, secret: &str) -> String {
    let masked = if secret.is_empty() { line.to_owned() } else { line.replace(secret, "***") };
    let words: Vec<&str> = masked.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    let mut text = words.join(" ").trim_start_matches("> ").trim_start_matches("Error: ").to_owned();
    if text.chars().count() > EXCERPT {
        text = text.chars().take(EXCERPT - 1).collect();
        text.push('…');
    }
    text
}
