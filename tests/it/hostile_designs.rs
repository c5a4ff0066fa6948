//! Designs that were cut, joined, doubled and scrambled at random, always the same ones: nothing panics, positions are inside the text, and what is reported is bounded.
//!
//! `fuzz/` does the same without end.

use std::path::Path;

use drydock::report;
use drydock::yaml::SourceMap;

use crate::mutations::Draw;
use crate::rule_cases::diagnose;

const PIECES: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    ": ",
    "\n- ",
    "\n---\n",
    "&a ",
    "*a",
    "<<: *a\n",
    "!",
    "!!str ",
    "null",
    "'",
    "\"",
    "|\n",
    "#",
    "\t",
    "\u{85}",
    "\0",
    "-1",
    "99999999999999999999",
    "{{ x }}",
    "hardwareprofile:cpuset.",
];

/// The text with some bytes removed, doubled, moved or replaced.
fn scrambled(text: &str, draw: &mut Draw) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=draw.below(4) {
        let start = draw.below(bytes.len().max(1)).min(bytes.len());
        let end = (start + draw.below(60)).min(bytes.len());
        match draw.below(5) {
            0 => drop(bytes.drain(start..end)),
            1 => {
                let piece = PIECES[draw.below(PIECES.len())];
                bytes.splice(start..start, piece.bytes());
            }
            2 => {
                let copied = bytes[start..end].to_vec();
                let at = draw.below(bytes.len() + 1);
                bytes.splice(at..at, copied);
            }
            3 => {
                if let Some(byte) = bytes.get_mut(start) {
                    *byte ^= 1 << draw.below(8);
                }
            }
            _ => {
                let piece = PIECES[draw.below(PIECES.len())];
                bytes.splice(start..end, piece.bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn scrambled_designs_are_reported_and_nothing_more() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut seeds = vec![std::fs::read_to_string(root.join("rules/base.yaml")).expect("base.yaml")];
    for case in ["nodes", "boot-actions", "host-profile-cycle", "secrets", "storage"] {
        seeds.push(std::fs::read_to_string(root.join("check").join(case).join("design.yaml")).expect("a design"));
    }
    let mut draw = Draw(2026);
    for round in 0..400 {
        let text = scrambled(&seeds[round % seeds.len()], &mut draw);
        let mut map = SourceMap::default();
        let file = map.add("design.yaml", text.clone());
        let found = diagnose(&map, &[file]);
        let shown = report::diagnostics::render(&map, &found, report::diagnostics::Style::default());
        for span in found.iter().flat_map(|found| found.span.into_iter().chain(found.labels.iter().map(|label| label.span))) {
            assert!(span.start <= span.end && span.end as usize <= text.len(), "round {round}: {span:?} in {} bytes", text.len());
        }
        let most = 20 + text.lines().count() * 4;
        assert!(found.len() <= most && shown.len() <= most * 4_000, "round {round}: {} problems, {} bytes", found.len(), shown.len());
    }
}
