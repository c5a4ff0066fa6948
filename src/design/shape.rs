//! The shape of a document's data, and how a document is held against it.

use std::fmt::Write as _;

use super::{boot_action, codes, hardware_profile, host, network, network_link, rack, region};
use crate::diag::Diagnostic;
use crate::document::Kind;
use crate::yaml::{Key, Mapping, Node, Value};

/// What may stand at a place of a document. `null` may stand anywhere: it removes what was inherited.
#[derive(Debug)]
pub enum Shape {
    /// Anything.
    Any,
    /// Text, number or boolean.
    Scalar,
    /// A mapping with these keys and no others.
    Map(&'static [(&'static str, Shape)]),
    /// A mapping with these keys, and any other key for values of the second shape.
    Mixed(&'static [(&'static str, Shape)], &'static Shape),
    /// A mapping with any keys.
    Dict(&'static Shape),
    /// A list.
    List(&'static Shape),
    /// A list of mappings that are known by their `name`; a text `'!name'` removes one.
    Named(&'static Shape),
    /// A shape that several others share.
    Ref(&'static Shape),
}

/// The shape of a kind's data.
pub fn shape_of(kind: Kind) -> &'static Shape {
    match kind {
        Kind::Region => &region::SHAPE,
        Kind::Rack => &rack::SHAPE,
        Kind::NetworkLink => &network_link::SHAPE,
        Kind::Network => &network::SHAPE,
        Kind::HardwareProfile => &hardware_profile::SHAPE,
        Kind::HostProfile => &host::PROFILE,
        Kind::BaremetalNode => &host::NODE,
        Kind::BootAction => &boot_action::SHAPE,
    }
}

/// Reports keys that nothing reads, and collections of the wrong type. `resource` is what the document describes (`node.compute01`).
pub fn inspect(shape: &Shape, data: &Node, resource: &str, diagnostics: &mut Vec<Diagnostic>) {
    let mut walk = Walk { path: String::new(), resource, diagnostics };
    walk.node(shape, data);
}

/// Unknown keys that are reported of one mapping.
const MAX_UNKNOWN_KEYS: usize = 20;

struct Walk<'a> {
    path: String,
    resource: &'a str,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Walk<'_> {
    fn node(&mut self, shape: &Shape, node: &Node) {
        match (shape, &node.value) {
            (Shape::Any, _) | (_, Value::Null) => {}
            (Shape::Ref(shape), _) => self.node(shape, node),
            (Shape::Scalar, Value::Seq(_) | Value::Map(_)) => self.wrong_type(node, "a single value"),
            (Shape::Scalar, _) => {}
            (Shape::Map(fields), Value::Map(mapping)) => self.fields(fields, None, mapping),
            (Shape::Mixed(fields, other), Value::Map(mapping)) => self.fields(fields, Some(other), mapping),
            (Shape::Dict(shape), Value::Map(mapping)) => self.fields(&[], Some(shape), mapping),
            (Shape::List(member_shape) | Shape::Named(member_shape), Value::Seq(members)) => {
                let named = matches!(shape, Shape::Named(_));
                for (index, member) in members.iter().enumerate() {
                    if named && member.as_str().is_some_and(|text| text.starts_with('!')) {
                        continue;
                    }
                    let length = self.path.len();
                    let _ = write!(self.path, "[{index}]");
                    self.node(member_shape, member);
                    self.path.truncate(length);
                }
            }
            // A text stands for a mapping or list only as `'!'`, which unsets it.
            (_, Value::Str(text)) if &**text == "!" => {}
            (Shape::Map(_) | Shape::Mixed(..) | Shape::Dict(_), _) => self.wrong_type(node, "a mapping"),
            (Shape::List(_) | Shape::Named(_), _) => self.wrong_type(node, "a list"),
        }
    }

    fn fields(&mut self, fields: &'static [(&'static str, Shape)], other: Option<&Shape>, mapping: &Mapping) {
        let mut unknown = 0;
        for (key, value) in &mapping.entries {
            let name = key.name.strip_prefix('!').unwrap_or(&key.name);
            let known = fields.iter().find(|(field, _)| *field == name).map(|(_, shape)| shape).or(other);
            let Some(shape) = known else {
                unknown += 1;
                if unknown <= MAX_UNKNOWN_KEYS {
                    self.unknown_key(key, fields, mapping);
                }
                continue;
            };
            // `'!bond0': …` removes `bond0`, whatever its value is.
            if name.len() != key.name.len() {
                continue;
            }
            let length = self.path.len();
            if length > 0 {
                self.path.push('.');
            }
            self.path.push_str(name);
            self.node(shape, value);
            self.path.truncate(length);
        }
        if unknown > MAX_UNKNOWN_KEYS
            && let Some(last) = self.diagnostics.last_mut()
        {
            last.note = Some(format!("{} more keys of this mapping are not read either", unknown - MAX_UNKNOWN_KEYS));
        }
    }

    fn unknown_key(&mut self, key: &Key, fields: &[(&'static str, Shape)], mapping: &Mapping) {
        let place = if self.path.is_empty() { String::new() } else { format!(" in `{}`", self.path) };
        let mut found = Diagnostic::warning(codes::UNKNOWN_KEY, format!("nothing reads the key `{}`{place}", key.name))
            .at(key.span)
            .resource(self.resource);
        let free = fields.iter().map(|(field, _)| *field).filter(|field| mapping.get(field).is_none());
        found = if let Some(field) = similar(&key.name, free) {
            found.help(format!("did you mean `{field}`?"))
        } else {
            let known: Vec<String> = fields.iter().map(|(field, _)| format!("`{field}`")).collect();
            found.help(format!("remove it; the keys here are {}", known.join(", ")))
        };
        self.diagnostics.push(found);
    }

    fn wrong_type(&mut self, node: &Node, expected: &str) {
        let place = if self.path.is_empty() { "the document's data".to_owned() } else { format!("`{}`", self.path) };
        self.diagnostics.push(
            Diagnostic::error(codes::WRONG_TYPE, format!("{place} is {}, and {expected} belongs there", node.kind()))
                .at(node.span)
                .help(format!("write {expected} here"))
                .resource(self.resource),
        );
    }
}

/// The name most like `name`, if any is like it.
pub(crate) fn similar<'n>(name: &str, among: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    // Long names are no typing errors, and comparing them takes time that grows with the product of their lengths.
    const LONGEST: usize = 100;
    if name.len() > LONGEST {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    among
        .filter(|candidate| candidate.len() <= LONGEST && candidate.len().abs_diff(lower.len()) <= candidate.len().min(lower.len()))
        .map(|candidate| (strsim::osa_distance(&lower, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len().min(lower.len()) / 3).max(1))
        .min_by_key(|(distance, candidate)| (*distance, *candidate))
        .map(|(_, candidate)| candidate)
}
