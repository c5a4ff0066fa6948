//! What a plan says, counted and grouped: the model behind every format.
//!
//! In: a plan. Out: its verdict, counts, groups of like changes and groups of like branches. Nothing is dropped here; formats decide what they fold.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::plan_text::count;
use super::time::about;
use crate::action::params::RunHook;
use crate::action::{Action, ActionKind, Effect};
use crate::diff::{AttributeChange, Change, Stage};
use crate::plan::{OnFailure, Plan, Preview};

/// What a plan comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// There is something to do.
    Changes,
    /// The site is as the design (or the selection) says.
    NoChanges,
    /// Nothing can be done, though something differs or is not known: held back, blocked, or of unknown stage.
    NothingPlanned,
}

/// What a plan comes to.
pub fn verdict(plan: &Plan) -> Verdict {
    if !plan.changes.is_empty() || !plan.actions.is_empty() {
        Verdict::Changes
    } else if plan.held_back.is_empty() && plan.blocked.is_empty() && unknown_nodes(plan).next().is_none() {
        Verdict::NoChanges
    } else {
        Verdict::NothingPlanned
    }
}

/// What a preview compares, in words.
pub(super) fn compared(preview: &Preview) -> String {
    format!("what {} changes against {} ({})", preview.commit_shown(), preview.base, preview.base_shown())
}

/// What a picture is of.
pub(super) fn title(plan: &Plan) -> String {
    match &plan.preview {
        Some(preview) => format!("Preview for {}: {}", plan.site, compared(preview)),
        None => format!("Plan for {}", plan.site),
    }
}

/// A preview without changes, in words.
pub(super) fn unchanged(plan: &Plan) -> &'static str {
    if plan.orphans.is_empty() {
        "No changes: the design means what its base means"
    } else {
        "Nothing is changed, but the design no longer has all that its base has"
    }
}

/// What a preview rests on, and what it is not.
pub(super) const NO_SITE: &str = "made without the site, as if the base were fully applied; it cannot be applied";

/// What to do after a preview.
pub(super) const AFTER_PREVIEW: &str = "when the change is merged, drydock plan --out FILE at the site, review, drydock apply FILE";

/// Nodes whose stage is not known.
pub(super) fn unknown_nodes(plan: &Plan) -> impl Iterator<Item = &str> {
    plan.nodes.iter().filter(|(_, n)| n.now == Stage::Unknown).map(|(name, _)| name.as_str())
}

/// Changes of each effect class, the highest first.
pub(super) fn changes_by_effect(plan: &Plan) -> Vec<(Effect, usize)> {
    by_effect(plan.changes.iter().map(|c| c.effect))
}

/// Nodes by the highest effect that reaches them (of changes and of actions), the highest first. Nodes that nothing reaches are not counted.
pub(super) fn nodes_by_effect(plan: &Plan) -> Vec<(Effect, Vec<&str>)> {
    let highest = plan.effects_on_nodes();
    let mut out: Vec<(Effect, Vec<&str>)> = Vec::new();
    for class in Effect::ALL.into_iter().rev() {
        let nodes: Vec<&str> = highest.iter().filter(|(_, e)| **e == class).map(|(n, _)| *n).collect();
        if !nodes.is_empty() {
            out.push((class, nodes));
        }
    }
    out
}

/// Numbers of nodes by stage now and then, most first.
pub(super) fn stages(plan: &Plan) -> Vec<(Stage, Stage, usize)> {
    let mut counts: BTreeMap<(Stage, Stage), usize> = BTreeMap::new();
    for node in plan.nodes.values() {
        *counts.entry((node.now, node.then)).or_default() += 1;
    }
    let mut out: Vec<_> = counts.into_iter().map(|((now, then), n)| (now, then, n)).collect();
    out.sort_by_key(|(now, then, n)| (now == then, Reverse(*n)));
    out
}

fn by_effect(effects: impl Iterator<Item = Effect>) -> Vec<(Effect, usize)> {
    let mut counts: BTreeMap<Effect, usize> = BTreeMap::new();
    for effect in effects {
        *counts.entry(effect).or_default() += 1;
    }
    counts.into_iter().rev().collect()
}

/// Number of actions on the longest path through the graph.
pub(super) fn longest_path(actions: &[Action]) -> usize {
    let mut depth: BTreeMap<&str, usize> = BTreeMap::new();
    for action in actions {
        let before = action.after.iter().filter_map(|id| depth.get(id.as_str())).max().copied().unwrap_or(0);
        depth.insert(&action.id, before + 1);
    }
    depth.into_values().max().unwrap_or(0)
}

/// How long it takes, and how that is known. Limits are not counted in: they are what a rehearsal is for.
pub(super) fn takes(plan: &Plan) -> String {
    match plan.expected_s {
        Some(seconds) => format!("about {} or more, by former runs", about(seconds)),
        None => "no former run tells how long".to_owned(),
    }
}

/// Groups that interrupt or destroy, and the others.
pub(super) fn by_harm<'g, 'a>(groups: &'g [Group<'a>]) -> (Vec<&'g Group<'a>>, Vec<&'g Group<'a>>) {
    groups.iter().partition(|group| group.first().effect >= Effect::Reboot)
}

/// Like changes of one or several nodes, or one change of a site resource.
#[derive(Debug)]
pub(super) struct Group<'a> {
    /// Its changes, in plan order; at least one.
    pub(super) changes: Vec<&'a Change>,
    /// Attributes, objects taken apart to their leaves.
    pub(super) attributes: Vec<AttributeGroup<'a>>,
    /// The reason, with `<node>` where the node's name stands, if there are several.
    pub(super) reason: String,
}

impl Group<'_> {
    pub(super) fn first(&self) -> &Change {
        self.changes[0]
    }

    /// What stands behind `node.NAME` in the addresses; for one change the address itself.
    pub(super) fn suffix(&self) -> &str {
        suffix(self.first())
    }
}

/// An attribute of like changes.
#[derive(Debug)]
pub(super) struct AttributeGroup<'a> {
    /// Path to the leaf.
    pub(super) path: Cow<'a, str>,
    /// Before.
    pub(super) before: Side<'a>,
    /// Afterwards.
    pub(super) after: Side<'a>,
    /// What else is said of it, by the first change.
    pub(super) of: &'a AttributeChange,
    /// The reason, with `<node>` for the node's name if there are several.
    pub(super) reason: String,
    /// Positions, each once, in order.
    pub(super) sources: Vec<&'a str>,
}

/// One side of an attribute in like changes.
#[derive(Debug, PartialEq)]
pub(super) enum Side<'a> {
    /// No value.
    Nothing,
    /// The same everywhere.
    Same(Cow<'a, Value>),
    /// Another for each node: names and values in plan order.
    PerNode(Vec<(&'a str, &'a Value)>),
}

/// An attribute taken apart.
#[derive(Debug)]
struct Leaf<'a> {
    path: Cow<'a, str>,
    before: Option<&'a Value>,
    after: Option<&'a Value>,
    of: &'a AttributeChange,
}

/// Groups like changes. The most damaging groups come first, then those of nodes before those of the site, then those whose first change stands first.
pub(super) fn group<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Vec<Group<'a>> {
    let mut order: BTreeMap<String, usize> = BTreeMap::new();
    let mut buckets: Vec<Vec<Member<'a>>> = Vec::new();
    for (position, change) in changes.into_iter().enumerate() {
        let leaves: Vec<Leaf> = change.attributes.iter().flat_map(|a| leaves(a)).collect();
        let index = match change.node {
            None => buckets.len(),
            Some(_) => *order.entry(shape(change, &leaves)).or_insert(buckets.len()),
        };
        let member = Member { position, change, leaves };
        match buckets.get_mut(index) {
            Some(bucket) => bucket.push(member),
            None => buckets.push(vec![member]),
        }
    }
    let mut split = Vec::new();
    for bucket in buckets {
        split_by_values(bucket, &mut split);
    }
    split.sort_by_key(|bucket| bucket.first().map(|m| (Reverse(m.change.effect), m.change.node.is_none(), m.position)));
    split.into_iter().map(|bucket| merged(&bucket)).collect()
}

#[derive(Debug)]
struct Member<'a> {
    position: usize,
    change: &'a Change,
    leaves: Vec<Leaf<'a>>,
}

impl<'a> Member<'a> {
    fn node(&self) -> &'a str {
        self.change.node.as_deref().unwrap_or("")
    }

    fn side(&self, leaf: usize, after: bool) -> Option<&'a Value> {
        let leaf = &self.leaves[leaf];
        if after { leaf.after } else { leaf.before }
    }
}

/// What changes must have in common to be shown together: everything but values.
fn shape(change: &Change, leaves: &[Leaf]) -> String {
    let node = change.node.as_deref().unwrap_or("");
    let mut key = format!("{}\u{1}{}\u{1}{}\u{1}{}", suffix(change), change.operation.sign(), change.effect, named(&change.reason, node));
    for leaf in leaves {
        let part = [
            leaf.path.as_ref(),
            kind(leaf.before),
            kind(leaf.after),
            leaf.of.effect.name(),
            &named(&leaf.of.reason, node),
            leaf.of.known_after.as_deref().unwrap_or(""),
        ];
        key.push('\u{2}');
        key.push_str(&part.join("\u{1}"));
    }
    key
}

fn kind(value: Option<&Value>) -> &'static str {
    match value {
        None => "-",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "bool",
        Some(Value::Number(_)) => "number",
        Some(Value::String(s)) if s.contains('\n') => "text",
        Some(Value::String(_)) => "string",
        Some(Value::Array(_)) => "array",
        Some(Value::Object(_)) => "object",
    }
}

/// Splits a bucket until every value is either the same for all, or mostly different for each: a minority with another value is a group of its own, and never
/// disappears behind a range.
fn split_by_values<'a>(bucket: Vec<Member<'a>>, out: &mut Vec<Vec<Member<'a>>>) {
    let leaves = bucket.first().map_or(0, |m| m.leaves.len());
    let key = (0..leaves).flat_map(|leaf| [(leaf, false), (leaf, true)]).find_map(|(leaf, after)| few_values(&bucket, leaf, after));
    let Some(key) = key else {
        out.push(bucket);
        return;
    };
    let mut split: BTreeMap<String, Vec<Member>> = BTreeMap::new();
    for (member, key) in bucket.into_iter().zip(key) {
        split.entry(key).or_default().push(member);
    }
    for part in split.into_values() {
        split_by_values(part, out);
    }
}

/// Each member's value, if they are not all alike and fewer than half as many as members.
fn few_values(bucket: &[Member], leaf: usize, after: bool) -> Option<Vec<String>> {
    let first = bucket.first()?.side(leaf, after);
    if bucket.iter().all(|m| m.side(leaf, after) == first) {
        return None;
    }
    let raw: Vec<String> = bucket.iter().map(|m| m.side(leaf, after).map(text_of).unwrap_or_default().into_owned()).collect();
    let by_name: Vec<String> = raw.iter().zip(bucket).map(|(text, m)| named(text, m.node()).into_owned()).collect();
    let distinct = |list: &[String]| list.iter().collect::<BTreeSet<_>>().len();
    let (n, m) = (distinct(&raw), distinct(&by_name));
    let (fewest, values) = if n <= m { (n, raw) } else { (m, by_name) };
    (fewest > 1 && fewest * 2 <= bucket.len()).then_some(values)
}

fn merged<'a>(bucket: &[Member<'a>]) -> Group<'a> {
    let several = bucket.len() > 1;
    let reason = |text: &str, member: &Member| if several { named(text, member.node()).into_owned() } else { text.to_owned() };
    let first = &bucket[0];
    let attributes = (0..first.leaves.len())
        .map(|leaf| {
            let mut sources = Vec::new();
            let mut seen = BTreeSet::new();
            for source in bucket.iter().filter_map(|m| m.leaves[leaf].of.source.as_deref()) {
                if seen.insert(source) {
                    sources.push(source);
                }
            }
            let of = first.leaves[leaf].of;
            AttributeGroup {
                path: first.leaves[leaf].path.clone(),
                before: side(bucket, leaf, false),
                after: side(bucket, leaf, true),
                of,
                reason: reason(&of.reason, first),
                sources,
            }
        })
        .collect();
    Group { changes: bucket.iter().map(|m| m.change).collect(), attributes, reason: reason(&first.change.reason, first) }
}

fn side<'a>(bucket: &[Member<'a>], leaf: usize, after: bool) -> Side<'a> {
    let values: Vec<(&str, &Value)> = bucket.iter().filter_map(|m| Some((m.node(), m.side(leaf, after)?))).collect();
    let Some((node, value)) = values.first().copied() else { return Side::Nothing };
    if values.iter().all(|(_, v)| *v == value) {
        return Side::Same(Cow::Borrowed(value));
    }
    let template = named(&text_of(value), node).into_owned();
    if value.is_string() && values.iter().all(|(n, v)| named(&text_of(v), n) == template) {
        return Side::Same(Cow::Owned(Value::String(template)));
    }
    Side::PerNode(values)
}

fn text_of(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(s) => Cow::Borrowed(s),
        other => Cow::Owned(other.to_string()),
    }
}

/// What stands behind the node's name in a change's address.
fn suffix(change: &Change) -> &str {
    let of_node = change.node.as_deref().and_then(|node| change.resource.strip_prefix("node.")?.strip_prefix(node));
    of_node.filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(&change.resource)
}

/// The text with `<node>` where the node's name stands as a word.
pub(super) fn named<'t>(text: &'t str, node: &str) -> Cow<'t, str> {
    if node.is_empty() || !text.contains(node) {
        return Cow::Borrowed(text);
    }
    let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in text.match_indices(node) {
        let end = at + node.len();
        if !word(text[..at].chars().next_back()) && !word(text[end..].chars().next()) {
            out.push_str(&text[from..at]);
            out.push_str("<node>");
            from = end;
        }
    }
    out.push_str(&text[from..]);
    Cow::Owned(out)
}

/// Takes an attribute with objects apart; leaves that are equal on both sides are left out.
fn leaves(of: &AttributeChange) -> Vec<Leaf<'_>> {
    let mut out = Vec::new();
    take_apart(Cow::Borrowed(&of.path), of.before.as_ref(), of.after.as_ref(), of, &mut out);
    if out.is_empty() {
        out.push(Leaf { path: Cow::Borrowed(&of.path), before: of.before.as_ref(), after: of.after.as_ref(), of });
    }
    out
}

fn take_apart<'a>(
    path: Cow<'a, str>,
    before: Option<&'a Value>,
    after: Option<&'a Value>,
    of: &'a AttributeChange,
    out: &mut Vec<Leaf<'a>>,
) {
    if before == after {
        return;
    }
    if path.ends_with(']') && before.xor(after).is_some_and(is_short) {
        out.push(Leaf { path, before, after, of });
        return;
    }
    let parts = match (parts(before), parts(after)) {
        (Some(b), Some(a)) if before.is_none() || after.is_none() || before.map(Value::is_object) == after.map(Value::is_object) => {
            Some((b, a))
        }
        _ => None,
    };
    let Some((b, a)) = parts else {
        out.push(Leaf { path, before, after, of });
        return;
    };
    let mut keys: Vec<&str> = Vec::new();
    let mut seen = BTreeSet::new();
    for (key, _) in a.iter().chain(&b) {
        if seen.insert(*key) {
            keys.push(key);
        }
    }
    let (b, a): (BTreeMap<&str, &Value>, BTreeMap<&str, &Value>) = (b.into_iter().collect(), a.into_iter().collect());
    let list = before.or(after).is_some_and(Value::is_array);
    for key in keys {
        // Its name is in the path.
        if key == "name" && path.ends_with(']') {
            continue;
        }
        let inner = match (path.is_empty(), list) {
            (_, true) => format!("{path}[{key}]"),
            (true, false) => key.to_owned(),
            (false, false) => format!("{path}.{key}"),
        };
        take_apart(Cow::Owned(inner), b.get(key).copied(), a.get(key).copied(), of, out);
    }
}

/// Columns of a member of a list up to which it stands on one line when it is added or removed as a whole.
const SHORT: usize = 90;

fn is_short(value: &Value) -> bool {
    value.as_object().is_some_and(|map| map.values().all(|v| !v.is_object() && !v.is_array()) && value.to_string().len() <= SHORT)
}

/// Members of an object, or of a list of things with unique names; nothing for a missing value; `None` for a leaf.
fn parts(value: Option<&Value>) -> Option<Vec<(&str, &Value)>> {
    match value {
        None => Some(Vec::new()),
        Some(Value::Object(map)) if !map.is_empty() && !map.keys().any(|k| k.starts_with('$')) => {
            Some(map.iter().map(|(k, v)| (k.as_str(), v)).collect())
        }
        Some(Value::Array(list)) if !list.is_empty() => {
            let named: Option<Vec<(&str, &Value)>> = list.iter().map(|v| Some((v.get("name")?.as_str()?, v))).collect();
            named.filter(|n| n.iter().map(|(k, _)| k).collect::<BTreeSet<_>>().len() == n.len())
        }
        Some(_) => None,
    }
}

/// Branches of nodes with the same steps.
#[derive(Debug)]
pub(super) struct Branches<'a> {
    /// The nodes, in order of name.
    pub(super) nodes: Vec<&'a str>,
    /// Steps in order.
    pub(super) steps: Vec<String>,
    /// Highest effect.
    pub(super) effect: Effect,
    /// Actions in each.
    pub(super) actions: usize,
}

/// Groups branches with the same steps; the most damaging first, then the largest.
pub(super) fn branches(actions: &[Action]) -> Vec<Branches<'_>> {
    let mut of_node: BTreeMap<&str, Vec<&Action>> = BTreeMap::new();
    for action in actions {
        if let Some(node) = &action.node {
            of_node.entry(node).or_default().push(action);
        }
    }
    let mut groups: BTreeMap<(Vec<String>, Effect), Branches> = BTreeMap::new();
    for (node, list) in of_node {
        let effect = list.iter().map(|a| a.effect).max().unwrap_or(Effect::None);
        let steps = chain(list.iter().map(|a| step(a)));
        let group =
            groups.entry((steps.clone(), effect)).or_insert_with(|| Branches { nodes: Vec::new(), steps, effect, actions: list.len() });
        group.nodes.push(node);
    }
    let mut out: Vec<Branches> = groups.into_values().collect();
    out.sort_by_key(|b| (Reverse(b.effect), Reverse(b.nodes.len())));
    out
}

/// Actions of the site by kind, in order: kind and resources.
pub(super) fn site_actions(actions: &[Action]) -> Vec<(ActionKind, Vec<&str>)> {
    let mut out: Vec<(ActionKind, Vec<&str>)> = Vec::new();
    for action in actions.iter().filter(|a| a.node.is_none()) {
        match out.iter_mut().find(|(kind, _)| *kind == action.kind) {
            Some((_, resources)) => resources.push(&action.resource),
            None => out.push((action.kind, vec![&action.resource])),
        }
    }
    out
}

/// An action's name with the parameter that decides what it does.
pub(super) fn step(action: &Action) -> String {
    let detail = match action.kind {
        ActionKind::SetNodeBoot => action.params.get("target"),
        ActionKind::RunHook => action.params.get("name"),
        ActionKind::DestroyNode => action.params.get("erase").filter(|erase| *erase == true).map(|_| Value::from("erase")),
        _ => None,
    };
    match detail.as_ref().and_then(Value::as_str) {
        Some(detail) => format!("{}({detail})", action.kind),
        None => action.kind.name().to_owned(),
    }
}

fn chain(steps: impl Iterator<Item = String>) -> Vec<String> {
    let mut out: Vec<(String, usize)> = Vec::new();
    for step in steps {
        match out.last_mut() {
            Some((last, n)) if *last == step => *n += 1,
            _ => out.push((step, 1)),
        }
    }
    out.into_iter().map(|(step, n)| if n == 1 { step } else { format!("{step} ×{n}") }).collect()
}

/// What becomes of a node whose branch fails, in words; `None` where it stays as it is.
pub(super) fn on_failure(plan: &Plan) -> Option<&'static str> {
    match plan.failures.on_failure {
        OnFailure::Leave => None,
        OnFailure::PowerOff => Some("a node that fails is switched off, unless it held an operating system when this plan was made"),
        OnFailure::MarkBroken => Some("a node that fails is marked broken at the provisioner"),
    }
}

/// Hooks of a plan in words: what runs when, for how many nodes.
pub(super) fn hooks(plan: &Plan) -> Vec<String> {
    let mut nodes: BTreeMap<RunHook, BTreeSet<&str>> = BTreeMap::new();
    for action in plan.actions.iter().filter(|a| a.kind == ActionKind::RunHook) {
        let Ok(hook) = serde_json::from_value::<RunHook>(action.params.value()) else { continue };
        // Alike but for the node.
        let like = RunHook { rack: None, disrupts: String::new(), ..hook };
        nodes.entry(like).or_default().extend(action.node.as_deref());
    }
    let say = |(hook, nodes): (RunHook, BTreeSet<&str>)| {
        let argv: Vec<String> =
            hook.argv.iter().map(|a| if a.is_empty() || a.contains(char::is_whitespace) { format!("{a:?}") } else { a.clone() }).collect();
        let repeatable = if hook.repeatable { ", repeatable" } else { "" };
        let phase = hook.phase.name();
        format!("{phase} {}: {} ({} s{repeatable}; {})", hook.name, argv.join(" "), hook.limit_s, count(nodes.len(), "node"))
    };
    nodes.into_iter().map(say).collect()
}
