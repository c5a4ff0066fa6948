//! A valid site with one thing broken: the right rule reports it, at the right line, and no other rule does, whatever the order of the files.
//!
//! `testdata/mutations.yaml` is the catalogue. What is broken, and how the design is spread over files, is drawn from a seed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use drydock::diag::Diagnostic;
use drydock::report;
use drydock::yaml::SourceMap;
use regex::Regex;
use serde::Deserialize;

use crate::rule_cases::diagnose;
use crate::sharing::generate_site;

/// Three racks.
const NODES: u32 = 90;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutation {
    code: String,
    find: String,
    with: String,
    line: Option<String>,
}

/// A small generator of pseudo-random numbers (splitmix64): the same seed, the same test.
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n as u64).expect("small")
    }

    /// The same members in another order.
    pub(crate) fn shuffled<T>(&mut self, mut members: Vec<T>) -> Vec<T> {
        for at in (1..members.len()).rev() {
            members.swap(at, self.below(at + 1));
        }
        members
    }
}

/// The design in some files, in any order. Each has the number of lines that stand before it.
fn files(text: &str, draw: &mut Draw) -> Vec<(usize, String)> {
    let mut files: Vec<(usize, String)> = Vec::new();
    let mut line = 0;
    for document in text.split_inclusive('\n').fold(Vec::<String>::new(), |mut documents, row| {
        match documents.last_mut() {
            Some(document) if row != "---\n" => document.push_str(row),
            _ => documents.push(row.to_owned()),
        }
        documents
    }) {
        let lines = document.lines().count();
        match files.last_mut() {
            Some((_, file)) if draw.below(25) > 0 => file.push_str(&document),
            _ => files.push((line, document)),
        }
        line += lines;
    }
    draw.shuffled(files)
}

/// Everything that is reported, each with the line of the whole text.
fn reported(text: &str, draw: &mut Draw) -> (Vec<(Diagnostic, Option<usize>)>, String) {
    let mut map = SourceMap::default();
    let mut before = Vec::new();
    let mut ids = Vec::new();
    for (at, (lines, text)) in files(text, draw).into_iter().enumerate() {
        let id = map.add(format!("part{at}.yaml"), text);
        before.push((id, lines));
        ids.push(id);
    }
    let found = diagnose(&map, &ids);
    let shown = report::diagnostics::render(&map, &found, report::diagnostics::Style::default());
    let line = |found: &Diagnostic| {
        let span = found.span?;
        let (_, lines) = before.iter().find(|(id, _)| *id == span.file)?;
        Some(lines + span.line as usize)
    };
    let with_lines = found.into_iter().map(|found| (line(&found), found)).map(|(line, found)| (found, line)).collect();
    (with_lines, shown)
}

#[test]
fn the_generated_site_has_no_fault() {
    let (found, shown) = reported(&generate_site::site(NODES), &mut Draw(1));
    assert!(found.is_empty(), "{shown}");
}

#[test]
fn each_mutation_is_reported_by_its_rule_alone() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/mutations.yaml");
    let text = std::fs::read_to_string(file).expect("the catalogue");
    let mutations: Vec<Mutation> = serde_yaml::from_str(&text).expect("mutations");
    assert!(mutations.len() >= 180, "{}", mutations.len());
    let codes: BTreeSet<&str> = mutations.iter().map(|mutation| mutation.code.as_str()).collect();
    assert!(codes.len() >= 110, "{}: {codes:?}", codes.len());
    let base = generate_site::site(NODES);
    let mut wrong = String::new();
    for (seed, Mutation { code, find, with, line }) in mutations.iter().enumerate() {
        let mut draw = Draw(seed as u64);
        let pattern = Regex::new(find).expect("a regular expression");
        let matches: Vec<regex::Captures<'_>> = pattern.captures_iter(&base).collect();
        assert!(!matches.is_empty(), "the site has no {find:?}");
        let chosen = &matches[draw.below(matches.len())];
        let mut instead = String::new();
        chosen.expand(with, &mut instead);
        let place = chosen.get(0).expect("the whole match").range();
        let mutated = format!("{}{instead}{}", &base[..place.start], &base[place.end..]);
        let marked = mutated.find('§').map(|at| mutated[..at].matches('\n').count() + 1);
        let mutated = mutated.replace('§', "");
        let (found, shown) = reported(&mutated, &mut draw);
        let others = found.is_empty() || found.iter().any(|(found, _)| found.code.0 != code);
        let placed = found.iter().any(|(_, reported)| match (marked, line) {
            (Some(_), _) => *reported == marked,
            (None, Some(line)) => reported.is_some_and(|n| mutated.lines().nth(n - 1).is_some_and(|text| text.contains(line.as_str()))),
            (None, None) => panic!("{find:?} says no line"),
        });
        if others || !placed {
            let _ = writeln!(wrong, "{code} {find:?} with {instead:?}, line {marked:?} {line:?}:\n{shown}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
