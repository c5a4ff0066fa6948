//! Where a value comes from.

use std::fmt::Write as _;

use super::decode::hardware_reference;
use super::profiles::Profiles;
use super::sink::Sink;
use crate::document::{Document, Heads, Kind};
use crate::yaml::{Node, Span, Step, Value};

/// A value of a resource, and how it came there.
#[derive(Debug, Clone)]
pub struct Explained {
    /// Keys and list places from the resource to the value: `/interfaces/bond0/slaves[0]`; empty for the resource itself.
    pub path: String,
    /// The value.
    pub value: Node,
    /// Whether a key says that it is a secret, or it came from one.
    pub sensitive: bool,
    /// From the resource to where the value is written; the last one is its source.
    pub links: Vec<Link>,
    /// What it was written over, the latest first.
    pub overridden: Vec<Overridden>,
}

/// A place that a value passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What happened there.
    pub role: Role,
    /// Schema and name of the document.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its layer, if it has one.
    pub layer: Option<String>,
    /// Where: the value itself in the last link, else the document or substitution.
    pub span: Span,
}

/// What a document has to do with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The resource that has the value.
    Resource,
    /// A host profile from which it was inherited.
    Profile,
    /// A document of a higher layer, or one that was replaced.
    Layer,
    /// The hardware profile that the text refers to, such as `hardwareprofile:cpuset.all`.
    Reference {
        /// Where the reference is written.
        by: Span,
    },
    /// The document that a substitution took it from; [`Link::span`] is where the value is written there.
    Substitution {
        /// Where the substitution is written.
        by: Span,
    },
}

/// A value that lost.
#[derive(Debug, Clone)]
pub struct Overridden {
    /// The value.
    pub value: Node,
    /// Whether it is a secret.
    pub sensitive: bool,
    /// Schema, name and layer of the document it is written in.
    pub schema: String,
    /// Name of that document.
    pub name: String,
    /// Layer of that document.
    pub layer: Option<String>,
}

/// Why a value cannot be explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unexplained {
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// What a question asks for: the kinds of resources that come from one document each.
const KINDS: [(&str, Kind); 8] = [
    ("node", Kind::BaremetalNode),
    ("host_profile", Kind::HostProfile),
    ("hardware_profile", Kind::HardwareProfile),
    ("network", Kind::Network),
    ("link", Kind::NetworkLink),
    ("rack", Kind::Rack),
    ("region", Kind::Region),
    ("boot_action", Kind::BootAction),
];

/// Explains `KIND.NAME[/path]`: every scalar at or below the path. `secret_key` tells whether a key's value is a secret; `secret_span` whether what is written
/// there is one.
///
/// # Errors
/// When there is no such resource or path, with the names that were probably meant.
pub fn explain(
    documents: &[Document],
    heads: &Heads,
    question: &str,
    secret_key: &dyn Fn(&str) -> bool,
    secret_span: &dyn Fn(Span) -> bool,
) -> Result<(String, Vec<Explained>), Unexplained> {
    let (address, path) = question.split_once('/').unwrap_or((question, ""));
    let (kind, document) = find(documents, address)?;
    let mut sink = Sink::default();
    let mut profiles = Profiles::new(documents.iter().filter(|d| d.kind() == Some(Kind::HostProfile)));
    let (tree, chain) = match kind {
        Kind::BaremetalNode | Kind::HostProfile => {
            let inherited = profiles.apply(document, address, &mut sink);
            (inherited.tree, inherited.chain)
        }
        _ => (document.data.clone(), Vec::new()),
    };
    let chain: Vec<&Document> =
        chain.iter().filter_map(|name| documents.iter().find(|d| d.kind() == Some(Kind::HostProfile) && d.name == *name)).collect();
    let start = at_path(&tree, path, address)?;
    let sensitive = start.keys.iter().any(|key| secret_key(key));
    let hardware = tree.get("hardware_profile").and_then(Node::as_str);
    let hardware = documents.iter().find(|d| d.kind() == Some(Kind::HardwareProfile) && Some(d.name.as_str()) == hardware);
    let explainer = Explainer { document, chain, hardware, heads, secret_key, secret_span };
    let mut found = Vec::new();
    explainer.walk(&mut start.path.clone(), start.node, sensitive, &mut found);
    Ok((address.to_owned(), found))
}

fn find<'d>(documents: &'d [Document], address: &str) -> Result<(Kind, &'d Document), Unexplained> {
    let kinds = || KINDS.map(|(word, _)| word).join(", ");
    let Some((word, name)) = address.split_once('.') else {
        return Err(Unexplained {
            message: format!("`{address}` is not the address of a resource"),
            help: format!("write KIND.NAME, such as node.compute01; kinds are {}", kinds()),
        });
    };
    let Some((_, kind)) = KINDS.into_iter().find(|(known, _)| *known == word) else {
        return Err(Unexplained { message: format!("`{word}` is not a kind of resource"), help: format!("kinds are {}", kinds()) });
    };
    let of_kind = || documents.iter().filter(|d| d.kind() == Some(kind));
    of_kind().find(|d| d.name == name).map(|document| (kind, document)).ok_or_else(|| {
        let help = if let Some(similar) = crate::design::similar(name, of_kind().map(|d| d.name.as_str())) {
            format!("did you mean `{word}.{similar}`?")
        } else {
            let mut names: Vec<&str> = of_kind().map(|d| d.name.as_str()).collect();
            names.sort_unstable();
            let more = names.len().saturating_sub(20);
            names.truncate(20);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("there are {}{more}", if names.is_empty() { "none".to_owned() } else { names.join(", ") })
        };
        Unexplained { message: format!("the design has no {kind} `{name}`"), help }
    })
}

/// A place of a tree.
struct Place<'n> {
    path: String,
    keys: Vec<String>,
    node: &'n Node,
}

/// Follows a path of keys (`/` or `.` between them) and list places (`[0]`, or the name of a named member). A key that is not there is looked for further down,
/// where it must be unique: `/storage/sda` finds `/storage/physical_devices/sda`.
fn at_path<'n>(tree: &'n Node, path: &str, address: &str) -> Result<Place<'n>, Unexplained> {
    let mut place = Place { path: String::new(), keys: Vec::new(), node: tree };
    let mut rest = path.trim_matches('/');
    while !rest.is_empty() {
        let (step, behind) = direct(place.node, rest).or_else(|| deeper(place.node, rest)).ok_or_else(|| {
            let names = names_at(place.node);
            let word = rest.split(['/', '.', '[']).find(|word| !word.is_empty()).unwrap_or(rest);
            let help = match crate::design::similar(word, names.iter().map(String::as_str)) {
                Some(similar) => format!("did you mean `{similar}`?"),
                None if names.is_empty() => format!("the value there is {}", place.node.kind()),
                None => format!("there are {}", names.join(", ")),
            };
            Unexplained { message: format!("{address}{} has no `{word}`", place.path), help }
        })?;
        for (text, key) in step.0 {
            place.path.push_str(&text);
            place.keys.extend(key);
        }
        place.node = step.1;
        rest = behind.trim_start_matches(['/', '.']);
    }
    Ok(place)
}

/// Steps of a path as text, with the key if it is one, and where they lead.
type Steps<'n> = (Vec<(String, Option<String>)>, &'n Node);

fn direct<'n, 'p>(node: &'n Node, rest: &'p str) -> Option<(Steps<'n>, &'p str)> {
    let ends = |behind: &str| behind.is_empty() || behind.starts_with(['/', '.', '[']);
    match &node.value {
        Value::Map(mapping) => {
            // The longest key wins: keys may have dots and slashes themselves.
            let (key, value) = mapping
                .entries
                .iter()
                .filter(|(key, _)| !key.name.is_empty() && rest.strip_prefix(&*key.name).is_some_and(ends))
                .max_by_key(|(key, _)| key.name.len())?;
            let name = key.name.to_string();
            Some(((vec![(format!("/{name}"), Some(name.clone()))], value), &rest[name.len()..]))
        }
        Value::Seq(members) => {
            let (word, behind) = match rest.strip_prefix('[') {
                Some(inside) => inside.split_once(']')?,
                None => rest.split_at(rest.find(['/', '.']).unwrap_or(rest.len())),
            };
            let named = |member: &Node| member.as_str() == Some(word) || member.get("name").and_then(Node::as_str) == Some(word);
            let at = word.parse::<usize>().ok().filter(|at| *at < members.len()).or_else(|| members.iter().position(named))?;
            Some(((vec![(format!("[{at}]"), None)], &members[at]), behind))
        }
        _ => None,
    }
}

/// The only place further down, at the smallest depth, where the path can go on.
fn deeper<'n, 'p>(node: &'n Node, rest: &'p str) -> Option<(Steps<'n>, &'p str)> {
    let mut level: Vec<Steps<'n>> = vec![(Vec::new(), node)];
    while !level.is_empty() {
        let mut next = Vec::new();
        let mut found = Vec::new();
        for (steps, node) in &level {
            let children: Vec<((String, Option<String>), &Node)> = match &node.value {
                Value::Map(mapping) => {
                    mapping.entries.iter().map(|(key, value)| ((format!("/{}", key.name), Some(key.name.to_string())), value)).collect()
                }
                Value::Seq(members) => members.iter().enumerate().map(|(at, member)| ((format!("[{at}]"), None), member)).collect(),
                _ => Vec::new(),
            };
            for (step, child) in children {
                let mut steps = steps.clone();
                steps.push(step);
                if let Some(((last, target), behind)) = direct(child, rest) {
                    found.push(((steps.iter().cloned().chain(last).collect(), target), behind));
                }
                next.push((steps, child));
            }
        }
        match found.len() {
            0 => level = next,
            1 => return found.pop(),
            _ => return None,
        }
    }
    None
}

fn names_at(node: &Node) -> Vec<String> {
    match &node.value {
        Value::Map(mapping) => mapping.entries.iter().map(|(key, _)| key.name.to_string()).collect(),
        Value::Seq(members) => (0..members.len()).map(|at| format!("[{at}]")).collect(),
        _ => Vec::new(),
    }
}

struct Explainer<'a> {
    document: &'a Document,
    /// Host profiles, nearest first.
    chain: Vec<&'a Document>,
    hardware: Option<&'a Document>,
    heads: &'a Heads,
    secret_key: &'a dyn Fn(&str) -> bool,
    secret_span: &'a dyn Fn(Span) -> bool,
}

impl Explainer<'_> {
    fn walk(&self, path: &mut String, node: &Node, sensitive: bool, found: &mut Vec<Explained>) {
        let length = path.len();
        match &node.value {
            Value::Map(mapping) if !mapping.entries.is_empty() => {
                for (key, value) in &mapping.entries {
                    path.push('/');
                    path.push_str(&key.name);
                    self.walk(path, value, sensitive || (self.secret_key)(&key.name), found);
                    path.truncate(length);
                }
            }
            Value::Seq(members) if !members.is_empty() => {
                for (at, member) in members.iter().enumerate() {
                    let _ = write!(path, "[{at}]");
                    self.walk(path, member, sensitive, found);
                    path.truncate(length);
                }
            }
            _ => {
                let mut links = self.links(node);
                let value = self.referred(path, node).unwrap_or(node);
                if !std::ptr::eq(value, node) {
                    self.refer(&mut links, node, value);
                }
                found.push(Explained {
                    path: path.clone(),
                    value: value.clone(),
                    sensitive: sensitive || self.is_secret(node) || self.is_secret(value),
                    links,
                    overridden: self.overridden(node, sensitive),
                });
            }
        }
    }

    fn is_secret(&self, node: &Node) -> bool {
        (self.secret_span)(node.span) || substitution(node).is_some_and(|(_, source)| self.is_secret(source))
    }

    fn link(&self, role: Role, span: Span) -> Link {
        let head = self.heads.at(span);
        Link {
            role,
            schema: head.map(|h| h.schema.clone()).unwrap_or_default(),
            name: head.map(|h| h.name.clone()).unwrap_or_default(),
            layer: head.and_then(|h| h.layer.clone()),
            span,
        }
    }

    fn links(&self, node: &Node) -> Vec<Link> {
        let mut links = vec![self.link(Role::Resource, self.document.span)];
        let mut holder = self.document;
        // The farthest profile that has the very same text is where it entered the chain.
        let entered = self.chain.iter().rposition(|profile| contains(&profile.data, node.span));
        if let Some(entered) = entered {
            for profile in &self.chain[..=entered] {
                links.push(self.link(Role::Profile, profile.span));
                holder = profile;
            }
        }
        self.follow(&mut links, holder.span, node);
        links
    }

    /// The value of the hardware profile that a kernel parameter refers to.
    fn referred(&self, path: &str, node: &Node) -> Option<&Node> {
        let reference = path.starts_with("/platform/kernel_params/").then(|| hardware_reference(node.as_str()?)).flatten()?;
        let data = &self.hardware?.data;
        match reference.split_once('.')? {
            ("cpuset", name) => data.get("cpu_sets")?.get(name),
            ("hugepages", rest) => {
                let (name, field) = rest.rsplit_once('.').filter(|(_, field)| matches!(*field, "size" | "count"))?;
                data.get("hugepages")?.get(name)?.get(field)
            }
            _ => None,
        }
    }

    fn refer(&self, links: &mut Vec<Link>, node: &Node, value: &Node) {
        let Some(hardware) = self.hardware else { return };
        links.push(self.link(Role::Reference { by: node.span }, hardware.span));
        self.follow(links, hardware.span, value);
    }

    /// Adds what a value passed from the document at `within` to where it is written.
    fn follow(&self, links: &mut Vec<Link>, mut within: Span, node: &Node) {
        let mut current = node;
        while let Some((by, source)) = substitution(current) {
            self.layer(links, within, by);
            // A source that was itself substituted is written elsewhere; its document is the one that has that substitution.
            let at = substitution(source).map_or(source.span, |(next, _)| self.heads.at(next).map_or(next, |head| head.span));
            links.push(self.link(Role::Substitution { by }, at));
            within = self.heads.at(at).map_or(at, |head| head.span);
            current = source;
        }
        self.layer(links, within, current.span);
        if let Some(last) = links.last_mut() {
            last.span = current.span;
        }
    }

    /// Adds the document at `span`, if it is another than the one at `within`.
    fn layer(&self, links: &mut Vec<Link>, within: Span, span: Span) {
        let same = |a: Option<&crate::document::Head>, b: Option<&crate::document::Head>| a.map(|h| h.span) == b.map(|h| h.span);
        if span.is_somewhere() && !same(self.heads.at(within), self.heads.at(span)) {
            let at = self.heads.at(span).map_or(span, |head| head.span);
            links.push(self.link(Role::Layer, at));
        }
    }

    fn overridden(&self, node: &Node, sensitive: bool) -> Vec<Overridden> {
        let mut out = Vec::new();
        let mut past = node.past.as_deref();
        while let Some(step) = past {
            // What happened in the child before it was laid over its parent is older news of the same value.
            if let Step::Overrode { own: Some(own) } = &step.step
                && let Some(before) = &own.before
            {
                out.push(self.lost(before, sensitive));
            }
            let Some(before) = &step.before else { break };
            out.push(self.lost(before, sensitive));
            past = before.past.as_deref();
        }
        out
    }

    fn lost(&self, value: &Node, sensitive: bool) -> Overridden {
        let head = self.heads.at(value.span);
        Overridden {
            value: value.clone(),
            sensitive: sensitive || self.is_secret(value),
            schema: head.map(|h| h.schema.clone()).unwrap_or_default(),
            name: head.map(|h| h.name.clone()).unwrap_or_default(),
            layer: head.and_then(|h| h.layer.clone()),
        }
    }
}

/// The substitution that gave a node its value.
fn substitution(node: &Node) -> Option<(Span, &Node)> {
    let mut past = node.past.as_deref();
    while let Some(step) = past {
        match &step.step {
            Step::Substituted { by, source } => return Some((*by, source)),
            Step::Overrode { own } => past = own.as_deref(),
        }
    }
    None
}

fn contains(tree: &Node, span: Span) -> bool {
    tree.span == span
        || match &tree.value {
            Value::Map(mapping) => mapping.entries.iter().any(|(_, value)| contains(value, span)),
            Value::Seq(members) => members.iter().any(|member| contains(member, span)),
            _ => false,
        }
}
