//! What a BMC says when it refuses.

use serde_json::Value;

use super::vendor;
use crate::driver::http::Response;
use crate::driver::{DriverError, ErrorClass};

/// Message ids (without registry and version) of the DMTF Base registry that say: not now. Those of vendors are in [`super::vendor`].
const LATER: [&str; 7] = [
    "ServiceTemporarilyUnavailable",
    "ServiceInUnknownState",
    "ServiceShuttingDown",
    "ResourceInUse",
    "ResourceInStandby",
    "ConditionInRelatedResource",
    "OperationTimeout",
];

/// Words with which BMCs that answer 500 say that they are merely busy.
const BUSY_WORDS: [&str; 7] = ["busy", "try again", "retry", "in progress", "not ready", "temporarily", "being initialized"];

/// An error answer of a BMC.
pub(super) struct Fault {
    /// What it says, in one text.
    pub(super) text: String,
    ids: Vec<String>,
}

impl Fault {
    /// Reads the answer: a Redfish error object, a bare string, or anything else as text.
    pub(super) fn of(answer: &Response) -> Self {
        let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else {
            return Self { text: answer.excerpt(), ids: Vec::new() };
        };
        if let Value::String(text) = body {
            return Self { text, ids: Vec::new() };
        }
        let error = body.get("error").unwrap_or(&body);
        let infos = error.get("@Message.ExtendedInfo").or_else(|| body.get("@Message.ExtendedInfo"));
        // Some BMCs give one object where the schema has an array.
        let infos: Vec<&Value> = match infos {
            Some(Value::Array(list)) => list.iter().collect(),
            Some(one) => vec![one],
            None => Vec::new(),
        };
        let text_of = |v: &Value, key: &str| v.get(key).and_then(Value::as_str).map(str::to_owned);
        let mut ids: Vec<String> = infos.iter().filter_map(|i| text_of(i, "MessageId")).collect();
        ids.extend(text_of(error, "code"));
        let mut texts: Vec<String> = infos.iter().filter_map(|i| text_of(i, "Message")).collect();
        if texts.is_empty() {
            texts.extend(text_of(error, "message"));
        }
        let text = if texts.is_empty() { answer.excerpt() } else { texts.join("; ") };
        Self { text, ids }
    }

    /// Whether it says that the same request may succeed later.
    pub(super) fn says_later(&self) -> bool {
        let text = self.text.to_ascii_lowercase();
        self.ids.iter().any(|id| id.rsplit('.').next().is_some_and(|id| LATER.contains(&id) || vendor::says_later(id)))
            || BUSY_WORDS.iter().any(|w| text.contains(w))
    }
}

/// An answer that is not 2xx as an error.
pub(in crate::driver) fn refusal(answer: &Response) -> DriverError {
    let fault = Fault::of(answer);
    let class = match answer.status.as_u16() {
        401 | 403 | 407 => ErrorClass::Credentials,
        409 | 423 => ErrorClass::Busy,
        429 | 503 => ErrorClass::NotReady,
        400 | 500 if fault.says_later() => ErrorClass::NotReady,
        501 | 505 => ErrorClass::Rejected,
        408 | 412 | 425 | 428 | 500..=599 => ErrorClass::Transient,
        _ => ErrorClass::Rejected,
    };
    let error = answer.failure_saying(class, &fault.text);
    match answer.status.as_u16() {
        401 => error.hint("check the account and credential of this BMC"),
        429 | 503 if answer.retry_after().is_some() => {
            error.hint("the BMC is busy; it is left alone for as long as it asks, and tried again")
        }
        403 => error.hint("the account needs the Redfish role Operator or Administrator on this BMC"),
        404 => error.hint("check that this address is a Redfish BMC"),
        _ if class == ErrorClass::NotReady => error.hint("the BMC is busy; it is tried again"),
        _ => error,
    }
}
