//! `docs/drivers/maas.md` says what the code says, and the driver sends no call that it does not list.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use drydock::diff::{EFFECTS, is_listed, kind_of};
use drydock::driver::maas::CALLS;
use serde_json::Value;

use crate::perturbed_support::Site;

const DOC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/drivers/maas.md");

fn table() -> String {
    let mut out = String::from("| resource | attribute | what it is | changing it | calls |\n|---|---|---|---|---|\n");
    for row in EFFECTS {
        // What is said of the attribute itself goes before what is said of all of its resource.
        let own = CALLS.iter().any(|c| c.resource == row.resource && c.attribute == row.attribute);
        let said = if own { row.attribute } else { "*" };
        let calls: Vec<String> = CALLS
            .iter()
            .filter(|c| c.resource == row.resource && c.attribute == said)
            .flat_map(|c| c.calls)
            .map(|c| format!("`{c}`"))
            .collect();
        let calls = if calls.is_empty() { "the BMC's".to_owned() } else { calls.join("<br>") };
        let effect = if row.reason.is_empty() { row.effect.name().to_owned() } else { format!("{}: {}", row.effect.name(), row.reason) };
        writeln!(out, "| `{}` | `{}` | {} | {effect} | {calls} |", row.resource, row.attribute, row.meaning).unwrap();
    }
    out
}

#[test]
fn the_table_in_the_documentation_is_that_of_the_code() {
    let text = std::fs::read_to_string(DOC).unwrap();
    let (begin, end) = ("<!-- attributes: made from src/diff/effects.rs and src/driver/maas/calls.rs -->\n", "<!-- end of attributes -->");
    let (head, rest) = text.split_once(begin).expect("a begin mark");
    let (found, tail) = rest.split_once(end).expect("an end mark");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(DOC, format!("{head}{begin}{}{end}{tail}", table())).unwrap();
    } else {
        assert_eq!(found, table(), "run the test with UPDATE_DOCS=1");
    }
    for calls in CALLS {
        let known = EFFECTS.iter().any(|r| r.resource == calls.resource && (calls.attribute == "*" || calls.attribute == r.attribute));
        assert!(known, "{calls:?} are of no attribute of the table");
    }
}

/// `nodes/abc123/interfaces/12/` as the table writes it.
pub(crate) fn shape(method: &str, path: &str, op: Option<&str>) -> String {
    const WORDS: [&str; 24] = [
        "spaces",
        "zones",
        "resourcepools",
        "machines",
        "nodes",
        "tags",
        "fabrics",
        "vlans",
        "subnets",
        "ipranges",
        "static-routes",
        "domains",
        "account",
        "prefs",
        "sshkeys",
        "package-repositories",
        "boot-sources",
        "selections",
        "boot-resources",
        "interfaces",
        "blockdevices",
        "partitions",
        "partition",
        "volume-groups",
    ];
    let path = path.trim_start_matches("/MAAS/api/2.0/");
    let parts: Vec<&str> =
        path.split('/').map(|p| if p.is_empty() || p == "volume-group" || WORDS.contains(&p) { p } else { "{}" }).collect();
    let op = op.map_or(String::new(), |op| format!(" {op}"));
    format!("{method} {}{op}", parts.join("/"))
}

#[test]
fn every_change_of_a_plan_and_every_call_of_a_run_is_in_the_table() {
    let site = Site::new("");
    let (plan, _) = site.plan(&[]);
    let changes: Vec<&Value> = plan["changes"].as_array().unwrap().iter().collect();
    let mut seen = 0;
    for change in changes {
        let kind = kind_of(change["resource"].as_str().unwrap());
        for attribute in change["attributes"].as_array().unwrap() {
            let path = attribute["path"].as_str().unwrap();
            // Kernel parameters are part of the platform before a machine is deployed.
            assert!(is_listed(&kind, path) || (kind == "node/platform" && path == "kernel_params"), "{kind} {path}");
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen} attributes");
    let before = site.now();
    site.run(&["apply", "--auto-approve"]).expect(0);
    let known: BTreeSet<&str> = CALLS.iter().flat_map(|c| c.calls).copied().collect();
    let sent: BTreeSet<String> =
        site.since(&before).iter().filter(|r| r.server == "maas").map(|r| shape(&r.method, &r.path, r.op.as_deref())).collect();
    let unknown: Vec<&String> = sent.iter().filter(|s| !known.contains(s.as_str())).collect();
    assert!(unknown.is_empty(), "not in src/driver/maas/calls.rs: {unknown:?}");
    assert!(sent.len() > 15, "{sent:?}");
}
