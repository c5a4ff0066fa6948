//! The body of a request, which goes out only while the permit is given.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::driver::permit::{NOT_PERMITTED, Permit};

/// Nothing was sent: the permit is not given any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Forbidden;

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NOT_PERMITTED)
    }
}

impl std::error::Error for Forbidden {}

impl From<Infallible> for Forbidden {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A body that looks at the permit where a request is written.
///
/// The connection asks a body how long it is, and for its bytes, in the same breath in which it writes the head of the request into its buffer, and sends
/// that buffer afterwards; an error of the body ends the connection before anything of the request was sent. A request without a body is asked only whether
/// there is none: then one byte is announced, so that it is asked for, and refused.
pub(super) struct Guarded {
    bytes: Bytes,
    permit: Permit,
    refused: AtomicBool,
}

impl Guarded {
    pub(super) fn new(bytes: Bytes, permit: Permit) -> Self {
        Self { bytes, permit, refused: AtomicBool::new(false) }
    }

    fn refuses(&self) -> bool {
        if !self.permit.is_given() {
            self.refused.store(true, Ordering::Relaxed);
        }
        self.refused.load(Ordering::Relaxed)
    }
}

impl Body for Guarded {
    type Data = Bytes;
    type Error = Forbidden;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Forbidden>>> {
        let this = self.get_mut();
        Poll::Ready(match (this.refuses(), this.bytes.is_empty()) {
            (true, _) => Some(Err(Forbidden)),
            (false, true) => None,
            (false, false) => Some(Ok(Frame::data(std::mem::take(&mut this.bytes)))),
        })
    }

    fn is_end_stream(&self) -> bool {
        !self.refuses() && self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let least = u64::from(self.refused.load(Ordering::Relaxed));
        SizeHint::with_exact((self.bytes.len() as u64).max(least))
    }
}
