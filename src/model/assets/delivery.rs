//! What of a node's boot actions it gets with its deployment: a document for cloud-init.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::base64;
use super::preview::{ActionPreview, AssetPreview, Previewed, actions_of};
use crate::model::{AssetKind, Node, Site};
use crate::redact::Secret;

/// How long the digest in a plan is, in hexadecimal digits.
const DIGITS: usize = 32;

/// What a node gets, and what it does not get.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// What plans say of the document: what is in it, its size and its digest, both without secrets. `None` if there is nothing to give.
    pub shown: Option<String>,
    /// The document in base64, as provisioners take it; it may hold secrets.
    pub document: Option<Secret>,
    /// Boot actions that are not given, and why.
    pub left_out: Vec<(String, LeftOut)>,
}

/// Why a boot action is not given to a node. It is given as a whole or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// An asset is fetched from a location.
    Fetched,
    /// An asset holds values that exist only where nodes report back.
    Reports,
    /// An asset cannot be made, or has no path.
    Impossible,
}

impl LeftOut {
    /// As what is not managed of a design.
    pub fn what(self) -> &'static str {
        match self {
            Self::Fetched => "boot actions with assets from a location",
            Self::Reports => "boot actions that use values of reports",
            Self::Impossible => "boot actions with assets that cannot be made",
        }
    }
}

/// What a node gets with its deployment.
pub fn delivery(site: &Site, node: &Node) -> Delivery {
    let mut left_out = Vec::new();
    let mut parts = Parts::default();
    let mut given = Vec::new();
    for action in actions_of(site, node, true) {
        match Parts::of(&action) {
            Ok(made) => {
                given.push(action.name);
                parts.extend(made);
            }
            Err(why) => left_out.push((action.name, why)),
        }
    }
    if parts.is_empty() {
        return Delivery { shown: None, document: None, left_out };
    }
    // The digest is of what may be shown: one of a secret would tell whether a guess is right.
    let mut masked = Parts::default();
    for action in actions_of(site, node, false).into_iter().filter(|a| given.contains(&a.name)) {
        masked.extend(Parts::masked(&action));
    }
    let public = masked.document();
    let mut digest = hex::encode(Sha256::digest(public.as_bytes()));
    digest.truncate(DIGITS);
    let shown = format!("{}, {} bytes, SHA-256 {digest}", parts.summary(), public.len());
    Delivery { shown: Some(shown), document: base64_of(&parts.document()), left_out }
}

fn base64_of(text: &str) -> Option<Secret> {
    String::from_utf8(base64::encode(text.as_bytes())).ok().map(Secret::new)
}

/// What cloud-init is told to do.
#[derive(Default)]
struct Parts {
    files: Vec<Value>,
    units: Vec<String>,
    packages: Vec<Value>,
}

impl Parts {
    fn of(action: &ActionPreview) -> Result<Self, LeftOut> {
        let mut out = Self::default();
        for asset in &action.assets {
            match &asset.content {
                Previewed::Content { bytes, exact: true } => out.place(asset, bytes)?,
                Previewed::Content { .. } => return Err(LeftOut::Reports),
                Previewed::Packages(_) => out.packages(asset),
                Previewed::Fetched { .. } => return Err(LeftOut::Fetched),
                Previewed::Sensitive | Previewed::Failed(_) | Previewed::Nothing => return Err(LeftOut::Impossible),
            }
        }
        Ok(out)
    }

    /// The same of what may be shown.
    fn masked(action: &ActionPreview) -> Self {
        let mut out = Self::default();
        for asset in &action.assets {
            match &asset.content {
                Previewed::Content { bytes, .. } => drop(out.place(asset, bytes)),
                Previewed::Sensitive => drop(out.place(asset, super::SENSITIVE.as_bytes())),
                _ => out.packages(asset),
            }
        }
        out
    }

    fn place(&mut self, asset: &AssetPreview, bytes: &[u8]) -> Result<(), LeftOut> {
        let (Some(path), Some(mode)) = (&asset.path, asset.mode) else { return Err(LeftOut::Impossible) };
        let content = String::from_utf8(base64::encode(bytes)).map_err(|_| LeftOut::Impossible)?;
        self.files.push(json!({"path": path, "permissions": mode.to_string(), "encoding": "b64", "content": content}));
        if asset.kind == AssetKind::Unit {
            self.units.push(path.rsplit('/').next().unwrap_or(path).to_owned());
        }
        Ok(())
    }

    fn packages(&mut self, asset: &AssetPreview) {
        if let Previewed::Packages(packages) = &asset.content {
            self.packages.extend(packages.iter().map(|(name, version)| match version {
                Some(version) => json!([name, version]),
                None => json!(name),
            }));
        }
    }

    fn extend(&mut self, other: Self) {
        self.files.extend(other.files);
        self.units.extend(other.units);
        self.packages.extend(other.packages);
    }

    fn is_empty(&self) -> bool {
        self.files.is_empty() && self.packages.is_empty()
    }

    fn summary(&self) -> String {
        let count = |n: usize, what: &str| match n {
            0 => None,
            1 => Some(format!("1 {what}")),
            n => Some(format!("{n} {what}s")),
        };
        let files = self.files.len() - self.units.len();
        let all = [count(files, "file"), count(self.units.len(), "unit"), count(self.packages.len(), "package")];
        all.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// As cloud-init reads it: JSON is YAML.
    fn document(&self) -> String {
        let mut document = serde_json::Map::new();
        if !self.files.is_empty() {
            document.insert("write_files".into(), json!(self.files));
        }
        if !self.packages.is_empty() {
            document.insert("packages".into(), json!(self.packages));
        }
        if !self.units.is_empty() {
            let mut commands = vec![json!(["systemctl", "daemon-reload"])];
            for unit in &self.units {
                commands.push(json!(["systemctl", "enable", unit]));
                // A unit that takes long does not hold the rest of the boot up.
                commands.push(json!(["systemctl", "start", "--no-block", unit]));
            }
            document.insert("runcmd".into(), json!(commands));
        }
        format!("#cloud-config\n{}\n", Value::Object(document))
    }
}
