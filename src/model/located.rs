//! A value that knows where it was set.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use crate::yaml::Span;

/// A value and the position that set it. Equality, ordering and hashing ignore the position.
#[derive(Clone, Copy)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it was set; [`Span::NOWHERE`] for a default.
    pub span: Span,
}

impl<T> Located<T> {
    /// A value set at `span`.
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// A default value, set by no file.
    pub const fn default_value(value: T) -> Self {
        Self { value, span: Span::NOWHERE }
    }
}

impl<T> Deref for Located<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Located<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: fmt::Display> fmt::Display for Located<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: PartialEq> PartialEq for Located<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Located<T> {}

impl<T: PartialOrd> PartialOrd for Located<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

impl<T: Ord> Ord for Located<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.value.cmp(&other.value)
    }
}

impl<T: Hash> Hash for Located<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}
