//! Every design and settings file here fits the schemas that editors get.

use std::fs;
use std::path::{Path, PathBuf};

use drydock::report::json_of;
use drydock::sim::SimOptions;
use drydock::yaml::{self, SourceMap};
use drydock::{config, design};
use serde_json::Value;

use crate::support::shared;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "yaml") {
            found.push(path);
        }
    }
}

fn documents(path: &Path) -> Vec<Value> {
    let mut map = SourceMap::default();
    let file = map.add(path.display().to_string(), fs::read_to_string(path).unwrap());
    yaml::parse(&map, file).documents.iter().map(json_of).collect()
}

fn problems(schema: &Value, paths: &[PathBuf]) -> Vec<String> {
    let validator = jsonschema::validator_for(schema).unwrap();
    let mut found = Vec::new();
    for path in paths {
        for document in documents(path) {
            for error in validator.iter_errors(&document) {
                found.push(format!("{} {} {}: {error}", path.display(), document["metadata"]["name"], error.instance_path()));
            }
        }
    }
    found
}

#[test]
fn examples_and_samples_fit_the_schemas() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    files(&root.join("examples"), &mut all);
    // Workflows, which have schemas of their own.
    all.retain(|path| !path.starts_with(root.join("examples/pull-request")));
    let (settings, mut designs): (Vec<PathBuf>, Vec<PathBuf>) =
        all.into_iter().partition(|path| path.file_name().is_some_and(|n| n == "drydock.yaml"));
    assert!(!settings.is_empty() && !designs.is_empty());
    if let Some(samples) = shared("sites/drydock-samples") {
        files(&samples, &mut designs);
    }
    if let Some(rendered) = shared("sites/rendered-by-deckhand") {
        files(&rendered, &mut designs);
    }
    assert_eq!(problems(&design::json_schema_of_all(), &designs), Vec::<String>::new());
    let schema = config::settings_schema(&schemars::schema_for!(SimOptions));
    assert_eq!(problems(&schema, &settings), Vec::<String>::new());
}

#[test]
fn levels_of_rules_fit_the_schema() {
    let schema = config::settings_schema(&schemars::schema_for!(SimOptions));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("drydock.yaml");
    let fits = |text: &str| {
        fs::write(&path, text).unwrap();
        problems(&schema, std::slice::from_ref(&path)).is_empty()
    };
    // An unquoted `off` is a boolean to editors that read YAML 1.1.
    assert!(fits("rules: {DD2107: {level: off, reason: a}, 'dd2213': {level: 'off', reason: b}, DD2216: {level: error, reason: c}}\n"));
    for wrong in [
        "{DD2107: {level: off}}",
        "{DD2107: {level: on, reason: a}}",
        "{DD2107: off}",
        "{racks: {level: off, reason: a}}",
        "{DD2107: {level: off, reason: ''}}",
    ] {
        assert!(!fits(&format!("rules: {wrong}\n")), "{wrong}");
    }
}
