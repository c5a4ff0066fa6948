//! The table of `docs/failures.md`: what drivers say of an error, and its class. Made from the code, and held against the page.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use super::http::Response;
use super::{ErrorClass, ipmi, libvirt, maas, redfish};

/// Statuses that servers give for errors.
const STATUSES: [u16; 25] =
    [400, 401, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 415, 422, 423, 425, 428, 429, 500, 501, 502, 503, 504, 505];

fn name(class: ErrorClass) -> String {
    serde_json::to_value(class).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Rows of the table: statuses of one class together.
fn statuses(out: &mut String, who: &str, class: impl Fn(&Response) -> ErrorClass) {
    let mut by_class: BTreeMap<ErrorClass, Vec<String>> = BTreeMap::new();
    for status in STATUSES {
        by_class.entry(class(&Response::for_tests(status, ""))).or_default().push(status.to_string());
    }
    for (class, statuses) in by_class {
        row(out, who, &format!("status {}", statuses.join(", ")), class);
    }
}

fn row(out: &mut String, who: &str, what: &str, class: ErrorClass) {
    let _ = writeln!(out, "| {who} | {what} | `{}` |", name(class));
}

fn redfish_says(id: &str) -> Response {
    Response::for_tests(
        400,
        &json!({"error": {"@Message.ExtendedInfo": [{"MessageId": format!("Base.1.8.{id}"), "Message": "no"}]}}).to_string(),
    )
}

fn table() -> String {
    let mut out = String::from("| who | what it says | class |\n|---|---|---|\n");
    statuses(&mut out, "any server over HTTP", |answer| answer.failure().class);
    statuses(&mut out, "Redfish", |answer| redfish::refusal(answer).class);
    for id in ["ResourceInUse", "ServiceTemporarilyUnavailable", "ActionNotSupported", "PropertyValueNotInList"] {
        row(&mut out, "Redfish", &format!("status 400 with message `{id}`"), redfish::refusal(&redfish_says(id)).class);
    }
    for text in ["the BMC is busy, try again", "internal error"] {
        row(&mut out, "Redfish", &format!("status 500, \"{text}\""), redfish::refusal(&Response::for_tests(500, text)).class);
    }
    statuses(&mut out, "MAAS", |answer| maas::class_of_refusal(answer, None));
    for (status, text) in [
        (400, "Unable to deploy in the current state of the node"),
        (400, "{\"vid\": [\"Enter a whole number.\"]}"),
        (403, "You are not allowed to do this"),
        (404, "No Machine matches the given query."),
        (404, "Unknown API endpoint"),
    ] {
        let shown = text.replace('|', "\\|");
        row(
            &mut out,
            "MAAS",
            &format!("status {status}, `{shown}`"),
            maas::class_of_refusal(&Response::for_tests(status, text), Some("deploy")),
        );
    }
    for (class, what, words) in ipmi::words_by_class() {
        let words = words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ");
        let words = if words.is_empty() { String::new() } else { format!(": {words}") };
        row(&mut out, "ipmitool", &format!("{what}{words}"), class);
    }
    for text in [
        "Host key verification failed",
        "Permission denied (publickey)",
        "failed to connect to the hypervisor",
        "cannot acquire state change lock",
        "domain is already running",
        "failed to get domain",
        "anything else",
    ] {
        row(&mut out, "virsh", &format!("`{text}`"), libvirt::classify(text).0);
    }
    out
}

#[test]
fn the_page_has_the_table_that_the_code_makes() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/failures.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (from, to) = ("<!-- classes: made from src/driver/failure_table.rs -->\n", "<!-- end of classes -->");
    let start = page.find(from).expect("a table") + from.len();
    let end = page.find(to).expect("its end");
    let table = table();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{}{table}{}", &page[..start], &page[end..])).unwrap();
    } else {
        assert_eq!(page[start..end], table, "run this test once with UPDATE_DOCS=1, and read what has changed");
    }
    for class in ErrorClass::ALL {
        assert!(page.contains(&format!("| `{}` |", name(class))), "docs/failures.md has no {class:?}");
    }
}
