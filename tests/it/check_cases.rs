//! `testdata/check/<case>`: a design, and what is reported about it.

use std::path::{Path, PathBuf};

use drydock::model::resolve;
use drydock::yaml::SourceMap;
use drydock::{check, document, report};

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/check");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(root).expect("testdata/check").map(|entry| entry.expect("an entry").path()).collect();
    cases.sort();
    cases
}

fn run(case: &Path) -> String {
    let mut map = SourceMap::default();
    let text = std::fs::read_to_string(case.join("design.yaml")).expect("design.yaml");
    let file = map.add("design.yaml", text);
    let document::Read { documents, sensitive, mut diagnostics, .. } = document::read_all(&map, &[file]);
    let (site, found) = resolve(&documents, &sensitive);
    diagnostics.extend(found);
    if let Some(site) = site {
        diagnostics.extend(check::run(&site));
    }
    diagnostics.extend(check::secrets(&documents, &sensitive));
    sensitive.mask(&mut diagnostics);
    let mut text = report::diagnostics::render(&map, &diagnostics, report::diagnostics::Style::default());
    if text.is_empty() {
        text.push_str("no problems\n");
    }
    text
}

/// With `DRYDOCK_BLESS=1` the expected texts are rewritten instead.
#[test]
fn designs_are_reported_as_expected() {
    let bless = std::env::var_os("DRYDOCK_BLESS").is_some();
    let mut different = Vec::new();
    for case in cases() {
        let actual = run(&case);
        let file = case.join("expected.txt");
        if bless {
            std::fs::write(&file, &actual).expect("written");
            continue;
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        if expected != actual {
            let diff = similar::TextDiff::from_lines(&expected, &actual).unified_diff().header("expected", "actual").to_string();
            different.push(format!("{}\n{diff}", case.display()));
        }
    }
    assert!(different.is_empty(), "DRYDOCK_BLESS=1 accepts:\n{}", different.join("\n"));
}
