//! What flows through a pipeline, and why it stops.

use std::fmt;

use crate::model::Segment;
use crate::yaml::Span;

/// Bytes or text: the steps of a pipeline take one of the two.
#[derive(Clone, PartialEq, Eq)]
pub enum Data {
    /// Bytes.
    Bytes(Vec<u8>),
    /// Text.
    Text(String),
}

impl Data {
    /// Size in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Text(text) => text.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// As a file holds it: text in UTF-8.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Text(text) => text.into_bytes(),
        }
    }

    pub(super) fn form(&self) -> Form {
        match self {
            Self::Bytes(_) => Form::Bytes,
            Self::Text(_) => Form::Text,
        }
    }
}

/// May hold a secret.
impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes", self.form(), self.len())
    }
}

/// The two kinds of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// Bytes.
    Bytes,
    /// Text.
    Text,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "bytes",
            Self::Text => "text",
        })
    }
}

/// A pipeline that stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The step, and its place in the pipeline from 1 on; `None` if it was not a step.
    pub step: Option<(Segment, usize)>,
    /// Where the step is written, else the content.
    pub span: Span,
    /// Why.
    pub why: Why,
}

/// Why a pipeline stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// A step takes the other kind of data.
    WrongForm {
        /// What it got.
        has: Form,
    },
    /// Not base64.
    NotBase64(&'static str),
    /// Bytes that are not UTF-8.
    NotUtf8 {
        /// The first byte that is not, from 0 on.
        at: usize,
    },
    /// A template that cannot be read.
    Compile {
        /// Its line, from 1 on.
        line: Option<usize>,
        /// What is wrong.
        message: String,
    },
    /// A template that failed.
    Render {
        /// Its line, from 1 on.
        line: Option<usize>,
        /// What is wrong.
        message: String,
    },
    /// A template that does more work, or makes more text, than it may.
    Exhausted,
    /// More than an asset may have.
    TooLarge,
    /// More steps than a pipeline may have.
    TooLong,
    /// A location must be text in the end.
    LocationNotText,
    /// A location that is no URL.
    NotUrl,
    /// A location of a kind that is not fetched.
    UnknownScheme {
        /// What stands before `://`.
        scheme: String,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongForm { has } => write!(f, "takes {}, and gets {has}", if *has == Form::Text { "bytes" } else { "text" }),
            Self::NotBase64(what) => write!(f, "gets what is not base64: {what}"),
            Self::NotUtf8 { at } => write!(f, "gets bytes that are not UTF-8, at byte {at}"),
            Self::Compile { line: Some(line), message } | Self::Render { line: Some(line), message } => write!(f, "line {line}: {message}"),
            Self::Compile { line: None, message } | Self::Render { line: None, message } => f.write_str(message),
            Self::Exhausted => f.write_str("does more work or makes more text than a template may"),
            Self::TooLarge => write!(f, "makes more than {} MiB", super::MAX_BYTES >> 20),
            Self::TooLong => write!(f, "a pipeline of more than {} steps", super::MAX_STEPS),
            Self::LocationNotText => f.write_str("the pipeline makes bytes, and a location is text"),
            Self::NotUrl => f.write_str("the location is not a URL"),
            Self::UnknownScheme { scheme } => write!(f, "nothing is fetched from `{scheme}://`"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Some((segment, place)) => write!(f, "step {place} (`{}`) {}", segment.name(), self.why),
            None => self.why.fmt(f),
        }
    }
}
