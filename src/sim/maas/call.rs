//! One call: its parameters, and the error answers that every handler uses.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::sim::core::Core;
use crate::sim::db::Node;
use crate::sim::http::{Form, Reply};
use crate::sim::render;

/// An answer, or an error answer: `?` ends a handler.
pub(crate) type Answer = Result<Reply, Reply>;

/// A call after authentication.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) core: &'a mut Core,
    pub(crate) method: &'a str,
    pub(crate) op: Option<&'a str>,
    /// Parameters: of the query for reads, of the body for the others.
    pub(crate) form: Form,
    /// Account of the token.
    pub(crate) user: String,
}

impl Call<'_> {
    /// Method and operation, to match on.
    pub(crate) fn signature(&self) -> (&str, Option<&str>) {
        (self.method, self.op)
    }

    /// The answer to an operation that does not exist.
    pub(crate) fn unrecognised(&self, methods: &[&str]) -> Reply {
        if methods.contains(&self.method) {
            unrecognised(self.method, self.op)
        } else {
            Reply::new(405, "text/html; charset=utf-8", "").with_header("allow", methods.join(", "))
        }
    }

    /// A machine to read.
    pub(crate) fn node(&self, id: &str) -> Result<&Node, Reply> {
        self.core.world.nodes.get(id).ok_or_else(|| missing("Machine"))
    }

    /// A machine to change; the caller has found it before.
    pub(crate) fn node_mut(&mut self, id: &str) -> Result<&mut Node, Reply> {
        self.core.node_mut(id).ok_or_else(|| missing("Machine"))
    }

    /// Name of a machine in effects: that of the physical machine, else its host name.
    pub(crate) fn label(&self, id: &str) -> String {
        let node = self.core.world.nodes.get(id);
        node.map_or_else(|| id.to_owned(), |n| n.machine.clone().unwrap_or_else(|| n.hostname.clone()))
    }

    /// The machine as an answer.
    pub(crate) fn machine_reply(&mut self, id: &str) -> Answer {
        self.core.rendered(id).map(Reply::json_bytes).ok_or_else(|| missing("Machine"))
    }

    /// An interface as an answer.
    pub(crate) fn interface_reply(&self, id: &str, interface: i64) -> Answer {
        let n = self.node(id)?;
        let i = n.interfaces.get(&interface).ok_or_else(|| missing("Interface"))?;
        Ok(Reply::json(&render::interface(&self.core.world, id, &n.interfaces, i)))
    }
}

/// An unknown operation.
pub(crate) fn unrecognised(method: &str, op: Option<&str>) -> Reply {
    Reply::text(400, format!("Unrecognised signature: method={method} op={}", op.unwrap_or("None")))
}

/// No such object: Django's text.
pub(crate) fn missing(model: &str) -> Reply {
    Reply::bare_text(404, format!("No {model} matches the given query."))
}

/// 204 without a body.
pub(crate) fn deleted() -> Reply {
    Reply::bare_text(204, "")
}

/// 409 with a text.
pub(crate) fn conflict(text: impl Into<String>) -> Reply {
    Reply::text(409, text)
}

/// 400 with a text.
pub(crate) fn bad_request(text: impl Into<String>) -> Reply {
    Reply::text(400, text)
}

/// Errors of a form, by field; `__all__` for those of no single field.
#[derive(Debug, Default)]
pub(crate) struct FormErrors(BTreeMap<String, Vec<String>>);

impl FormErrors {
    pub(crate) fn add(&mut self, field: &str, text: impl Into<String>) {
        self.0.entry(field.to_owned()).or_default().push(text.into());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The answer, if there are errors.
    pub(crate) fn check(self) -> Result<(), Reply> {
        if self.0.is_empty() { Ok(()) } else { Err(Reply::json(&json!(self.0)).with_status(400)) }
    }
}

/// The answer to a form with one error.
pub(crate) fn form_error(field: &str, text: impl Into<String>) -> Reply {
    let map: BTreeMap<&str, Vec<String>> = [(field, vec![text.into()])].into();
    Reply::json(&json!(map)).with_status(400)
}

pub(crate) const REQUIRED: &str = "This field is required.";

/// Django's text for a choice that is not offered.
pub(crate) fn invalid_choice(value: &str) -> String {
    format!("Select a valid choice. {value} is not one of the available choices.")
}

/// MAAS' text for a choice that is not offered, with all that are.
pub(crate) fn choices(value: &str, field: &str, allowed: &[&str]) -> String {
    let list = allowed.iter().map(|a| format!("'{a}'")).collect::<Vec<_>>().join(", ");
    format!("'{value}' is not a valid {field}.  It should be one of: {list}.")
}

/// A number from a path or a parameter.
pub(crate) fn id_of(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

/// A JSON list as an answer.
pub(crate) fn list(values: Vec<Value>) -> Reply {
    Reply::json(&Value::Array(values))
}
