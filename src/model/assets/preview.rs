//! What a node would get, as far as it can be known before it is deployed.

use std::collections::BTreeMap;

use super::context::{ActionFacts, KNOWN_AT_DEPLOYMENT, SENSITIVE, context, node_value};
use super::data::{Data, Failure};
use super::pipeline::prepare;
use super::template::Templates;
use crate::model::{Asset, AssetKind, AssetSource, Content, Mode, Node, Segment, Site};
use crate::yaml::Span;

/// The boot actions of a node.
#[derive(Debug)]
pub struct Preview {
    /// Its name.
    pub node: String,
    /// In the order of their names.
    pub actions: Vec<ActionPreview>,
}

/// A boot action of a node.
#[derive(Debug)]
pub struct ActionPreview {
    /// Name.
    pub name: String,
    /// Whether the node reports back.
    pub signaling: bool,
    /// In the order of the document.
    pub assets: Vec<AssetPreview>,
}

/// An asset of a node.
#[derive(Debug)]
pub struct AssetPreview {
    /// What it is.
    pub kind: AssetKind,
    /// Where it is placed.
    pub path: Option<String>,
    /// Its permissions, if it is placed anywhere.
    pub mode: Option<Mode>,
    /// Where it is written.
    pub span: Span,
    /// What is in it.
    pub content: Previewed,
}

/// What is in an asset.
#[derive(Debug)]
pub enum Previewed {
    /// This.
    Content {
        /// The content; what is known at deployment only, and secrets, have placeholders.
        bytes: Vec<u8>,
        /// Whether it has none, so that it is what the node will get, byte for byte.
        exact: bool,
    },
    /// These packages, with versions where they are wanted.
    Packages(BTreeMap<String, Option<String>>),
    /// What is fetched when the node is deployed.
    Fetched {
        /// From where.
        url: String,
        /// What is done to it then.
        pipeline: Vec<Segment>,
    },
    /// A secret.
    Sensitive,
    /// Nothing, because it cannot be made.
    Failed(Failure),
    /// Nothing, because the document does not say what.
    Nothing,
}

/// What a node would get; `None` if the site has no such node.
///
/// No value that a secret document had a part in is shown.
pub fn preview(site: &Site, node: &str) -> Option<Preview> {
    let node = site.nodes.get(node)?;
    Some(Preview { node: node.name.value.clone(), actions: actions_of(site, node, false) })
}

/// The boot actions of a node; secrets are in them only if they are to be revealed.
pub(super) fn actions_of(site: &Site, node: &Node, reveal: bool) -> Vec<ActionPreview> {
    let gets = |nodes: &[String]| nodes.contains(&node.name.value);
    let mut actions = site.boot_actions.values().filter(|action| gets(&action.nodes)).peekable();
    if actions.peek().is_none() {
        return Vec::new();
    }
    let is_secret = |span: Span| !reveal && site.sensitive.covers(span);
    let subject = Subject { node: node_value(site, node, Some(&is_secret)), is_secret: &is_secret, reveal };
    actions
        .map(|action| ActionPreview {
            name: action.name.value.clone(),
            signaling: action.signaling.value,
            assets: action.assets.iter().map(|asset| subject.asset(asset)).collect(),
        })
        .collect()
}

struct Subject<'a> {
    node: minijinja::Value,
    is_secret: &'a dyn Fn(Span) -> bool,
    reveal: bool,
}

impl Subject<'_> {
    fn asset(&self, asset: &Asset) -> AssetPreview {
        let is_placed = asset.kind != AssetKind::PackageList;
        AssetPreview {
            kind: asset.kind,
            path: asset.path.as_ref().filter(|_| is_placed).map(|path| self.text(path.as_str(), path.span)),
            mode: is_placed.then(|| asset.effective_mode()),
            span: asset.span.span,
            content: self.content(asset).unwrap_or_else(Previewed::Failed),
        }
    }

    fn content(&self, asset: &Asset) -> Result<Previewed, Failure> {
        let templates = Templates::default();
        if let AssetSource::Packages(packages) = &asset.source {
            let shown = packages.iter().map(|(name, package)| {
                let version = package.version.as_ref().map(|version| self.text(version.as_str(), version.span));
                (self.text(name, package.name.span), version)
            });
            return Ok(Previewed::Packages(shown.collect()));
        }
        let (AssetSource::Inline(source) | AssetSource::Location { url: source, .. }) = &asset.source else {
            return Ok(Previewed::Nothing);
        };
        let prepared = prepare(asset, &templates)?;
        let known = self.run(&prepared, &templates, &ActionFacts::unknown())?;
        if self.is_sensitive(source) {
            return Ok(match asset.source {
                AssetSource::Location { .. } => Previewed::Fetched { url: SENSITIVE.to_owned(), pipeline: steps(asset) },
                _ => Previewed::Sensitive,
            });
        }
        match (&asset.source, known) {
            (AssetSource::Location { .. }, Data::Text(url)) => Ok(Previewed::Fetched { url: readable(&url), pipeline: steps(asset) }),
            (_, data) => {
                let bytes = data.into_bytes();
                // With other facts something else would come out where they are used, whatever the pipeline does to them; so with other secrets.
                let other = ActionFacts { action_id: "1".into(), action_key: "2".into(), report_url: "3".into(), design_ref: "4".into() };
                let exact = !prepared.has_template()
                    || (!contains(&bytes, SENSITIVE)
                        && self.run(&prepared, &templates, &other).is_ok_and(|other| other.into_bytes() == bytes));
                Ok(Previewed::Content { bytes, exact })
            }
        }
    }

    fn run(&self, prepared: &super::Prepared, templates: &Templates, facts: &ActionFacts) -> Result<Data, Failure> {
        let context = context(&self.node, facts);
        let mut made = Data::Bytes(Vec::new());
        for line in prepared.lines() {
            made = line.runner(templates)?.run(&context).map_err(|(failure, _)| failure)?.0;
        }
        Ok(made)
    }

    fn is_sensitive(&self, content: &Content) -> bool {
        !self.reveal && (content.sensitive || content.origins.iter().any(|span| (self.is_secret)(*span)))
    }

    fn text(&self, text: &str, span: Span) -> String {
        if (self.is_secret)(span) { SENSITIVE.to_owned() } else { text.to_owned() }
    }
}

fn steps(asset: &Asset) -> Vec<Segment> {
    // Lists of packages are read as they are.
    if asset.kind == AssetKind::PackageList { Vec::new() } else { asset.pipeline.iter().map(|step| step.value).collect() }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Placeholders in a URL as they are written elsewhere.
fn readable(url: &str) -> String {
    let mut out = url.to_owned();
    for placeholder in [KNOWN_AT_DEPLOYMENT, SENSITIVE] {
        for (space, open, close) in [("%20", "%28", "%29"), ("+", "%28", "%29")] {
            let encoded = placeholder.replace(' ', space).replace('(', open).replace(')', close);
            out = out.replace(&encoded, placeholder);
        }
    }
    out
}
