//! BootAction: assets and the filter of nodes.

use std::collections::BTreeMap;

use super::reader::{Reader, dict_at, key_text, name_at, scalar, texts_at};
use super::site::name_of;
use crate::diag::Diagnostic;
use crate::document::Document;
use crate::model::origins::origins;
use crate::model::{Asset, AssetKind, AssetSource, Content, Located, Mode, Package, Packages, Segment, Text, codes};
use crate::yaml::{Node, Span, Value};

/// A boot action before its filter is applied.
pub(in crate::model) struct RawBootAction {
    pub(in crate::model) name: Text,
    pub(in crate::model) signaling: Located<bool>,
    pub(in crate::model) assets: Vec<Asset>,
    /// `None`: all nodes.
    pub(in crate::model) filter: Option<RawFilter>,
}

/// A node filter: whether all of its sets must match or any, and the sets.
pub(in crate::model) struct RawFilter {
    pub(in crate::model) all: bool,
    pub(in crate::model) sets: Vec<RawFilterSet>,
    pub(in crate::model) span: Span,
}

/// One set of criteria.
pub(in crate::model) struct RawFilterSet {
    pub(in crate::model) span: Span,
    pub(in crate::model) all: bool,
    pub(in crate::model) node_names: Vec<Text>,
    pub(in crate::model) node_tags: Vec<Text>,
    pub(in crate::model) node_labels: BTreeMap<String, Text>,
    pub(in crate::model) rack_names: Vec<Text>,
    pub(in crate::model) rack_labels: BTreeMap<String, Text>,
}

pub(in crate::model) fn boot_action(document: &Document, r: &mut Reader<'_>) -> RawBootAction {
    let data = &document.data;
    let filter = data.get("node_filter").filter(|filter| !filter.is_null());
    RawBootAction {
        name: name_of(document),
        signaling: r.bool_at(data, "signaling").unwrap_or(Located::default_value(true)),
        assets: data.get("assets").and_then(Node::as_seq).unwrap_or_default().iter().filter_map(|node| asset(node, r)).collect(),
        filter: filter.map(|filter| node_filter(filter, r)),
    }
}

fn node_filter(node: &Node, r: &mut Reader<'_>) -> RawFilter {
    let all = filter_type(node, "filter_set_type", r);
    let sets = node.get("filter_set").and_then(Node::as_seq).unwrap_or_default();
    let sets = sets.iter().filter(|set| set.as_map().is_some()).map(|set| RawFilterSet {
        span: set.span,
        all: filter_type(set, "filter_type", r),
        node_names: texts_at(set, "node_names"),
        node_tags: texts_at(set, "node_tags"),
        node_labels: dict_at(set, "node_labels"),
        rack_names: texts_at(set, "rack_names"),
        rack_labels: dict_at(set, "rack_labels"),
    });
    RawFilter { all, sets: sets.collect(), span: node.span }
}

fn filter_type(node: &Node, key: &str, r: &mut Reader<'_>) -> bool {
    let Some(kind) = node.get(key).filter(|kind| !kind.is_null()) else {
        r.missing(node, format!("node filter without `{key}`"), "write `union` or `intersection`");
        return false;
    };
    r.word(kind, "type of node filter", &[("union", false), ("intersection", true)]).is_some_and(|all| all.value)
}

/// `None` where it cannot be known what the asset is.
fn asset(node: &Node, r: &mut Reader<'_>) -> Option<Asset> {
    const KINDS: [(&str, AssetKind); 3] = [("unit", AssetKind::Unit), ("file", AssetKind::File), ("pkg_list", AssetKind::PackageList)];
    node.as_map()?;
    let Some(kind) = node.get("type").filter(|kind| !kind.is_null()) else {
        r.missing(node, "asset without `type`".to_owned(), "write `file`, `unit` or `pkg_list`");
        return None;
    };
    let kind = r.word(kind, "type of asset", &KINDS)?.value;
    let data = node.get("data").filter(|data| !data.is_null());
    let location = node.get("location").filter(|location| scalar(location).is_some_and(|text| !text.is_empty()));
    // What follows is decoded even where it is not used, so that all that is wrong with it is said.
    let location_pipeline = pipeline(node, "location_pipeline", r);
    let data_pipeline = pipeline(node, "data_pipeline", r);
    let inline = data.map(|data| inline(kind, data, location.is_some(), r));
    let source = match (location, inline) {
        (Some(location), _) => match (content(location), &location_pipeline) {
            (Some(url), Some(pipeline)) => AssetSource::Location { url, pipeline: pipeline.clone() },
            _ => AssetSource::Nowhere { at: Located::new((), location.span), reported: true },
        },
        (None, Some(source)) => source,
        (None, None) => AssetSource::Nowhere { at: Located::new((), node.span), reported: false },
    };
    // A pipeline that could not be read makes nothing.
    let (source, pipeline) = match data_pipeline {
        Some(pipeline) => (source, pipeline),
        None => (AssetSource::Nowhere { at: Located::new((), node.span), reported: true }, Vec::new()),
    };
    Some(Asset {
        span: Located::new((), node.span),
        kind,
        path: name_at(node, "path"),
        unused_data: data.filter(|_| location.is_some()).map(|data| Located::new((), data.span)),
        source,
        pipeline,
        mode: node.get("permissions").filter(|mode| !mode.is_null()).and_then(|node| mode(node, r)),
    })
}

fn inline(kind: AssetKind, data: &Node, elsewhere: bool, r: &mut Reader<'_>) -> AssetSource {
    let nowhere = |reported| AssetSource::Nowhere { at: Located::new((), data.span), reported };
    match (kind, &data.value) {
        (AssetKind::PackageList, Value::Map(mapping)) => {
            let mut packages = Packages::new();
            for (key, node) in &mapping.entries {
                packages.insert(key.name.to_string(), Package { name: key_text(key), version: version(&key.name, node, r) });
            }
            AssetSource::Packages(packages)
        }
        (AssetKind::PackageList, _) => nowhere(false),
        (AssetKind::File | AssetKind::Unit, Value::Map(_) | Value::Seq(_)) => {
            if !elsewhere {
                let help = "write the content as text, or `type: pkg_list` if these are packages";
                r.malformed(data, format!("the data of a {} is {}, and text belongs there", kind.name(), data.kind()), help);
            }
            nowhere(true)
        }
        (AssetKind::File | AssetKind::Unit, _) => content(data).map_or_else(|| nowhere(false), AssetSource::Inline),
    }
}

/// `null` and an empty text are any version. A number has lost digits that matter (`1.10` is read as 1.1).
fn version(package: &str, node: &Node, r: &mut Reader<'_>) -> Option<Text> {
    match &node.value {
        Value::Str(text) if text.is_empty() => None,
        Value::Str(text) => Some(Located::new(text.to_string(), node.span)),
        Value::Null => None,
        _ => {
            r.malformed(
                node,
                format!("the version of package `{package}` is {}, and text belongs there", node.kind()),
                "write it in quotes",
            );
            None
        }
    }
}

fn content(node: &Node) -> Option<Content> {
    let text = match &node.value {
        Value::Str(text) => std::sync::Arc::clone(text),
        _ => scalar(node)?.into(),
    };
    Some(Content { text, span: node.span, origins: origins(node), sensitive: false })
}

/// No pipeline is an empty one. `None` if a step is unknown.
fn pipeline(asset: &Node, key: &str, r: &mut Reader<'_>) -> Option<Vec<Located<Segment>>> {
    let steps = asset.get(key).and_then(Node::as_seq).unwrap_or_default();
    let names = Segment::ALL.map(|segment| (segment.name(), segment));
    let read: Vec<Option<Located<Segment>>> = steps
        .iter()
        .map(|step| {
            let found = r.word(step, "pipeline segment", &names);
            if found.is_none() && step.is_null() {
                r.malformed(step, format!("empty step in `{key}`"), "remove it");
            }
            found
        })
        .collect();
    read.into_iter().collect()
}

/// Text is octal, as Drydock reads it. Drydock's schema lets nothing else pass; of a number, YAML has lost how it was written: `0644` is read as 420, and `644` as 644.
/// So a number is taken for whichever of the two makes sense as permissions, and refused if both do.
fn mode(node: &Node, r: &mut Reader<'_>) -> Option<Located<Mode>> {
    const HELP: &str = "write octal digits in quotes, such as '0644'";
    let bits = match &node.value {
        Value::Str(text) => {
            let text = text.trim();
            let digits = text.strip_prefix("0o").or_else(|| text.strip_prefix("0O")).unwrap_or(text);
            octal(digits)
        }
        Value::Int(number) => {
            let as_bits = u16::try_from(*number).ok().filter(|bits| is_usual(*bits));
            let as_digits = octal(&number.to_string()).filter(|bits| is_usual(*bits));
            match (as_bits, as_digits) {
                (Some(bits), Some(digits)) if bits != digits => {
                    let message = format!("permissions {number} can mean {} or {}", Mode(bits), Mode(digits));
                    r.malformed(node, message, HELP);
                    return None;
                }
                (Some(bits), _) | (None, Some(bits)) => {
                    let message = format!("permissions are the number {number}, taken for {}", Mode(bits));
                    r.report(Diagnostic::warning(codes::NUMERIC_PERMISSIONS, message).at(node.span).help(HELP));
                    Some(bits)
                }
                (None, None) => None,
            }
        }
        Value::Seq(_) | Value::Map(_) => return None,
        _ => None,
    };
    if bits.is_none() {
        r.malformed(node, format!("`{}` are not permissions of a file", scalar(node).unwrap_or_default()), HELP);
    }
    bits.map(|bits| Located::new(Mode(bits), node.span))
}

fn octal(digits: &str) -> Option<u16> {
    let only_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if only_digits { u16::from_str_radix(digits, 8).ok().filter(|bits| *bits <= 0o7777) } else { None }
}

/// Whether the owner may do what the group may, and the group what others may, and nothing else is set.
fn is_usual(bits: u16) -> bool {
    let (owner, group, others) = (bits >> 6, (bits >> 3) & 7, bits & 7);
    owner <= 7 && group & !owner == 0 && others & !group == 0
}
