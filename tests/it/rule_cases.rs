//! `testdata/rules/CODE/CASE.yaml`: what breaks the design without a fault, and what exactly is reported then; `good-*.yaml` comes near and is no fault.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use drydock::build::Build;
use drydock::check;
use drydock::diag::Diagnostic;
use drydock::diff::{self, Memory};
use drydock::model::resolve;
use drydock::yaml::SourceMap;
use drydock::{document, report};
use serde::Deserialize;

/// Text of the base design that occurs once, and what stands there instead. Instead of nothing: the whole design.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edit {
    pub(crate) replace: String,
    pub(crate) with: String,
}

/// A case of a rule.
#[derive(Debug)]
pub(crate) struct Case {
    /// The rule's code.
    pub(crate) code: String,
    pub(crate) file: PathBuf,
    pub(crate) edits: Vec<Edit>,
}

impl Case {
    pub(crate) fn is_good(&self) -> bool {
        self.file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("good-"))
    }

    /// The design with the edits.
    pub(crate) fn design(&self, base: &str) -> String {
        self.edits.iter().fold(base.to_owned(), |text, edit| {
            if edit.replace.is_empty() {
                return edit.with.clone();
            }
            assert_eq!(text.matches(&edit.replace).count(), 1, "{}: `{}` is not there once", self.file.display(), edit.replace);
            text.replacen(&edit.replace, &edit.with, 1)
        })
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rules")
}

/// The design without a fault.
pub(crate) fn base() -> String {
    std::fs::read_to_string(root().join("base.yaml")).expect("base.yaml")
}

/// All cases, by code and name.
pub(crate) fn cases() -> Vec<Case> {
    let entries = |folder: &Path| -> BTreeSet<PathBuf> {
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect()
    };
    let folders = entries(&root()).into_iter().filter(|path| path.is_dir());
    let files = folders.flat_map(|folder| entries(&folder)).filter(|file| file.extension().is_some_and(|ending| ending == "yaml"));
    files
        .map(|file| {
            let text = std::fs::read_to_string(&file).expect("a case");
            let edits = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let code = file.parent().and_then(Path::file_name).expect("a folder").to_string_lossy().into_owned();
            Case { code, file, edits }
        })
        .collect()
}

/// Everything that is reported about files of a design.
pub(crate) fn diagnose(map: &SourceMap, files: &[drydock::yaml::FileId]) -> Vec<Diagnostic> {
    let document::Read { documents, sensitive, mut diagnostics, .. } = document::read_all(map, files);
    let (site, found) = resolve(&documents, &sensitive);
    diagnostics.extend(found);
    if let Some(site) = site {
        diagnostics.extend(check::run(&site));
    }
    diagnostics.extend(check::secrets(&documents, &sensitive));
    sensitive.mask(&mut diagnostics);
    diagnostics
}

/// The same, also with the facts of `build.json`: the machines of the base design's nodes, the images of a provisioner.
fn diagnose_with_facts(map: &SourceMap, files: &[drydock::yaml::FileId]) -> Vec<Diagnostic> {
    let mut diagnostics = diagnose(map, files);
    let document::Read { documents, sensitive, .. } = document::read_all(map, files);
    if let Some(site) = resolve(&documents, &sensitive).0 {
        let build: Build = serde_json::from_str(&std::fs::read_to_string(root().join("build.json")).expect("build.json")).expect("a build");
        diagnostics.extend(check::run_knowing(&site, &diff::known(&site, &build, &Memory::default())));
    }
    diagnostics
}

#[test]
fn the_base_design_has_no_fault() {
    let mut map = SourceMap::default();
    let file = map.add("base.yaml", base());
    let found = diagnose_with_facts(&map, &[file]);
    assert!(found.is_empty(), "{}", report::diagnostics::render(&map, &found, report::diagnostics::Style::default()));
}

/// With `DRYDOCK_BLESS=1` the expected texts are rewritten instead; a report of another rule is never accepted.
#[test]
fn each_rule_reports_its_cases_and_nothing_else_does() {
    let (base, bless) = (base(), std::env::var_os("DRYDOCK_BLESS").is_some());
    let mut wrong = Vec::new();
    for case in cases() {
        let mut map = SourceMap::default();
        let file = map.add("design.yaml", case.design(&base));
        let found = diagnose_with_facts(&map, &[file]);
        let text = report::diagnostics::render(&map, &found, report::diagnostics::Style::default());
        let codes: BTreeSet<&str> = found.iter().map(|diagnostic| diagnostic.code.0).collect();
        let name = case.file.display();
        if case.is_good() {
            if !found.is_empty() {
                wrong.push(format!("{name} should be no fault:\n{text}"));
            }
        } else if codes.iter().ne([&case.code.as_str()]) {
            wrong.push(format!("{name} should be reported as {} alone:\n{text}", case.code));
        } else {
            let file = case.file.with_extension("txt");
            if bless {
                std::fs::write(&file, &text).expect("written");
            }
            let expected = std::fs::read_to_string(&file).unwrap_or_default();
            if expected != text {
                let diff = similar::TextDiff::from_lines(&expected, &text).unified_diff().header("expected", "actual").to_string();
                wrong.push(format!("{name}\n{diff}"));
            }
        }
    }
    assert!(wrong.is_empty(), "DRYDOCK_BLESS=1 accepts other words:\n{}", wrong.join("\n"));
}
