//! Boot actions: what is placed on a server after its deployment.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{Located, Text};
use crate::yaml::Span;

/// A boot action and who gets it.
#[derive(Debug, Clone)]
pub struct BootAction {
    /// Name.
    pub name: Text,
    /// Whether the node reports back.
    pub signaling: Located<bool>,
    /// Nodes that its filter selects, in order.
    pub nodes: Vec<String>,
    /// Whether its filter names something unknown, or nothing at all, so that others may be meant.
    pub incomplete: bool,
    /// What each of them gets: held once, whatever their number.
    pub assets: Vec<Asset>,
}

/// What an asset is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AssetKind {
    /// A systemd unit: a file that is enabled as well.
    Unit,
    /// A file.
    File,
    /// Debian packages to install.
    PackageList,
}

impl AssetKind {
    /// The name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::File => "file",
            Self::PackageList => "pkg_list",
        }
    }
}

/// A step of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Segment {
    /// Bytes from base64.
    Base64Decode,
    /// Base64 of bytes.
    Base64Encode,
    /// Text from bytes.
    Utf8Decode,
    /// Bytes from text.
    Utf8Encode,
    /// A Jinja2 template that is rendered for the node.
    Template,
}

impl Segment {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Base64Decode, Self::Base64Encode, Self::Utf8Decode, Self::Utf8Encode, Self::Template];

    /// The name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Base64Decode => "base64_decode",
            Self::Base64Encode => "base64_encode",
            Self::Utf8Decode => "utf8_decode",
            Self::Utf8Encode => "utf8_encode",
            Self::Template => "template",
        }
    }
}

/// A text that may hold a secret: its `Debug` shows none.
#[derive(Clone)]
pub struct Content {
    /// The text.
    pub text: Arc<str>,
    /// Where it is written.
    pub span: Span,
    /// Where it was taken from, if it was substituted, and what it was put into.
    pub origins: Vec<Span>,
    /// Whether it, or a part of it, comes from a document that is a secret.
    pub sensitive: bool,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sensitive { f.write_str("***") } else { self.text.fmt(f) }
    }
}

/// Packages by name, each with the version wanted: `None` for any.
pub type Packages = BTreeMap<String, Package>;

/// A package of a list.
#[derive(Debug, Clone)]
pub struct Package {
    /// Name.
    pub name: Text,
    /// Version; `None` for any.
    pub version: Option<Text>,
}

/// Where the content of an asset comes from.
#[derive(Debug, Clone)]
pub enum AssetSource {
    /// From the document.
    Inline(Content),
    /// A list of packages in the document.
    Packages(Packages),
    /// From a URL, when the node is deployed.
    Location {
        /// The URL, before its pipeline.
        url: Content,
        /// What makes the URL of it.
        pipeline: Vec<Located<Segment>>,
    },
    /// The document says nothing that could be used.
    Nowhere {
        /// What stands there instead, or the asset.
        at: Located<()>,
        /// Whether that was reported when the document was read.
        reported: bool,
    },
}

/// Permissions of a file: the lower twelve bits of its mode.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mode(pub u16);

impl Mode {
    /// What a file gets whose permissions are not written.
    pub const DEFAULT: Self = Self(0o600);
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl fmt::Debug for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A file, unit or list of packages.
#[derive(Debug, Clone)]
pub struct Asset {
    /// Where it stands.
    pub span: Located<()>,
    /// What it is.
    pub kind: AssetKind,
    /// Where a file or unit is placed.
    pub path: Option<Text>,
    /// Where its content comes from.
    pub source: AssetSource,
    /// What makes the content of it.
    pub pipeline: Vec<Located<Segment>>,
    /// Permissions of a file or unit.
    pub mode: Option<Located<Mode>>,
    /// Where the design gives content that is not used, because there is a location as well.
    pub unused_data: Option<Located<()>>,
}

impl Asset {
    /// What it is called in a message.
    pub fn title(&self) -> String {
        match &self.path {
            Some(path) if self.kind != AssetKind::PackageList => format!("{} `{path}`", self.kind.name()),
            _ => match self.kind {
                AssetKind::PackageList => "package list".to_owned(),
                AssetKind::File | AssetKind::Unit => self.kind.name().to_owned(),
            },
        }
    }

    /// Where its content or location is written.
    pub fn content_span(&self) -> Span {
        match &self.source {
            AssetSource::Inline(content) | AssetSource::Location { url: content, .. } => content.span,
            AssetSource::Packages(_) | AssetSource::Nowhere { .. } => self.span.span,
        }
    }

    /// Its permissions, or what they are where none are written.
    pub fn effective_mode(&self) -> Mode {
        self.mode.map_or(Mode::DEFAULT, |mode| mode.value)
    }
}
