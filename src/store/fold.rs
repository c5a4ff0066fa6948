//! What many changes come to together, so that each row they touch is written once.

use std::collections::{BTreeMap, BTreeSet};

use crate::build::Binding;
use crate::diff::Origin;

use super::Write;

/// What a resource was given last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Applied {
    /// How it became ours, if it was not before all of the changes.
    pub origin: Origin,
    /// Attributes as text.
    pub attributes: String,
    /// Action.
    pub action: String,
    /// How often the generation has advanced since.
    pub later: u64,
}

/// The sum of changes, in the order in which its parts have to be made: first what is forgotten, then the rest in any order but that generations come before
/// what was applied.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Folded {
    /// Resources that are no longer ours, with everything below them.
    pub forgotten: BTreeSet<String>,
    /// Node → machine.
    pub bindings: BTreeMap<String, Binding>,
    /// Resource → by how much its generation advances.
    pub advanced: BTreeMap<String, u64>,
    /// Resource → what was applied.
    pub applied: BTreeMap<String, Applied>,
    /// Resource → parameters and message of the rejection; `None`: there is none any more.
    pub rejections: BTreeMap<String, Option<(String, String)>>,
    /// Kind → milliseconds and how many.
    pub durations: BTreeMap<String, (u64, u64)>,
}

impl Folded {
    /// Adds a change; gives it back if it is none that can be added up.
    pub(super) fn add(&mut self, write: Write) -> Option<Write> {
        match write {
            Write::Binding { node, binding } => drop(self.bindings.insert(node, binding)),
            Write::Advance { resource } => {
                if let Some(applied) = self.applied.get_mut(&resource) {
                    applied.later += 1;
                }
                *self.advanced.entry(resource).or_default() += 1;
            }
            Write::Applied { resource, origin, attributes, action } => {
                let origin = self.applied.get(&resource).map_or(origin, |before| before.origin);
                self.applied.insert(resource, Applied { origin, attributes: attributes.text().to_owned(), action, later: 0 });
            }
            Write::Forget { resource } => {
                self.applied.retain(|other, _| !is_within(other, &resource));
                self.rejections.retain(|other, _| !is_within(other, &resource));
                self.forgotten.insert(resource);
            }
            Write::Rejected { resource, params, message } => {
                self.rejections.insert(resource, Some((params.text().to_owned(), message)));
            }
            Write::ClearRejection { resource } => drop(self.rejections.insert(resource, None)),
            Write::Duration { kind, ms } => {
                let (total, count) = self.durations.entry(kind).or_default();
                (*total, *count) = (*total + ms, *count + 1);
            }
            other => return Some(other),
        }
        None
    }
}

/// Whether a resource is another one or stands below it.
fn is_within(resource: &str, other: &str) -> bool {
    resource.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
