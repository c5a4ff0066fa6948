//! Designs that Airship tools accept have no errors; `testdata/accepted.md` lists what each of them is warned of.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use drydock::diag::{Diagnostic, Severity};
use drydock::source::{Entry, Pegleg, Request, load};

use crate::rule_cases::diagnose;
use crate::support::shared;

/// `deckhand_routedomain.yaml` is a part of a site, without a Region.
const FILES: [&str; 5] = [
    "drydock-samples/deckhand_fullsite.yaml",
    "drydock-samples/deckhand_fullsite_libvirt.yaml",
    "drydock-samples/fullsite.yaml",
    "rendered-by-deckhand/airsloop.yaml",
    "rendered-by-deckhand/seaworthy.yaml",
];
const TREE: &str = "treasuremap-v1.9";

/// Everything that is not worth nothing: what one rule says of many things is one line with their number.
fn lines(title: &str, found: &[Diagnostic], out: &mut String) {
    let _ = writeln!(out, "\n## {title}\n");
    let mut counted: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    for found in found {
        let severity = found.severity.name();
        *counted.entry((severity, found.code.0, &found.message)).or_default() += 1;
    }
    if counted.is_empty() {
        out.push_str("Nothing.\n");
    }
    for ((severity, code, message), times) in counted {
        let times = if times > 1 { format!(" ({times} times)") } else { String::new() };
        let _ = writeln!(out, "* {severity} {code}: {message}{times}");
    }
}

/// With `DRYDOCK_BLESS=1` the list is rewritten instead; an error is never accepted.
#[test]
fn samples_and_sites_are_warned_of_what_is_listed() {
    let Some(sites) = shared("sites") else { return };
    let mut out = String::from(
        "# What accepted designs are warned of\n\nAirship Drydock accepts each of these, so none has an error here; a test compares this list with what is reported.\n",
    );
    let mut errors = Vec::new();
    let whole = FILES.map(|file| (file.to_owned(), Entry::Path(PathBuf::from(file)), sites.clone()));
    let trees = ["airsloop", "seaworthy"].map(|site| {
        let pegleg = Pegleg { root: PathBuf::from(TREE), site: site.to_owned(), repositories: BTreeMap::new() };
        (format!("{TREE}, site {site}"), Entry::Pegleg(pegleg), sites.clone())
    });
    for (title, entry, root) in whole.into_iter().chain(trees) {
        let loaded = load(Request::disk(&root), &[entry]).unwrap_or_else(|error| panic!("{title}: {error}"));
        let mut found = diagnose(&loaded.map, &loaded.files);
        found.extend(loaded.diagnostics);
        errors.extend(found.iter().filter(|found| found.severity == Severity::Error).map(|found| format!("{title}: {found:?}")));
        lines(&title, &found, &mut out);
    }
    assert!(errors.is_empty(), "{errors:#?}");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/accepted.md");
    if std::env::var_os("DRYDOCK_BLESS").is_some() {
        std::fs::write(&file, &out).expect("written");
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    let diff = similar::TextDiff::from_lines(&expected, &out).unified_diff().header("expected", "actual").to_string();
    assert!(expected == out, "DRYDOCK_BLESS=1 accepts:\n{diff}");
}
