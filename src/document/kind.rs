//! Kinds of documents.

use std::fmt;
use std::sync::Arc;

/// The kinds of drydock documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The site: tags, keys, repositories.
    Region,
    /// A rack, its switches and local networks.
    Rack,
    /// Layer 1 and 2 of a group of ports.
    NetworkLink,
    /// A subnet with its VLAN, ranges, routes and DNS.
    Network,
    /// A hardware model: firmware, device aliases, CPU sets, huge pages.
    HardwareProfile,
    /// Settings that nodes inherit.
    HostProfile,
    /// A server.
    BaremetalNode,
    /// What is done on a server after its deployment.
    BootAction,
}

impl Kind {
    /// All kinds, in the order in which a person would read them.
    pub const ALL: [Self; 8] = [
        Self::Region,
        Self::Rack,
        Self::NetworkLink,
        Self::Network,
        Self::HardwareProfile,
        Self::HostProfile,
        Self::BaremetalNode,
        Self::BootAction,
    ];

    /// The name as documents write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Region => "Region",
            Self::Rack => "Rack",
            Self::NetworkLink => "NetworkLink",
            Self::Network => "Network",
            Self::HardwareProfile => "HardwareProfile",
            Self::HostProfile => "HostProfile",
            Self::BaremetalNode => "BaremetalNode",
            Self::BootAction => "BootAction",
        }
    }

    /// The kind of this exact name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The kind that was probably meant.
    pub(super) fn similar(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let distance = |kind: Self| strsim::osa_distance(&name, &kind.as_str().to_ascii_lowercase());
        let by_alias = match name.as_str() {
            "node" | "server" | "host" | "baremetal" | "machine" => Some(Self::BaremetalNode),
            "site" => Some(Self::Region),
            "link" => Some(Self::NetworkLink),
            _ => None,
        };
        by_alias.or_else(|| {
            let closest = Self::ALL.into_iter().min_by_key(|kind| distance(*kind))?;
            (distance(closest) <= closest.as_str().len().min(name.len()) / 3).then_some(closest)
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a document is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schema {
    /// One of ours.
    Drydock(Kind),
    /// Somebody else's (`deckhand/Passphrase/v1`, `armada/Chart/v1`, `v1/ConfigMap`), kept and otherwise ignored.
    Other(Arc<str>),
}

/// Whether documents of this schema hold a secret whatever their `storagePolicy` says; envelopes of Pegleg are for secrets.
pub fn is_secret_kind(schema: &str) -> bool {
    [
        "pegleg/PeglegManagedDocument/",
        "deckhand/Passphrase/",
        "deckhand/CertificateKey/",
        "deckhand/CertificateAuthorityKey/",
        "deckhand/PrivateKey/",
    ]
    .iter()
    .any(|kind| schema.starts_with(kind))
}
