//! Forty different mistakes in one design give forty diagnostics, each with the code and on the line that a comment in the file says, whatever the order of the files.

use std::collections::BTreeSet;
use std::path::Path;

use drydock::report;
use drydock::yaml::SourceMap;

use crate::mutations::Draw;
use crate::rule_cases::diagnose;

/// File, line and code.
type Place = (String, u32, String);

fn files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/forty-mistakes");
    let names: BTreeSet<_> = std::fs::read_dir(folder).expect("the fixture").map(|entry| entry.expect("an entry").path()).collect();
    names
        .into_iter()
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap()))
        .collect()
}

/// What the comments say.
fn expected(files: &[(String, String)]) -> BTreeSet<Place> {
    let mut places = BTreeSet::new();
    for (name, text) in files {
        for (line, code) in text.lines().zip(1..).filter_map(|(row, line)| Some((line, row.split_once("  # DD")?.1))) {
            places.insert((name.clone(), line, format!("DD{code}")));
        }
    }
    places
}

#[test]
fn forty_mistakes_give_forty_diagnostics() {
    let files = files();
    let expected = expected(&files);
    assert_eq!(expected.len(), 40);
    assert_eq!(expected.iter().map(|(_, _, code)| code).collect::<BTreeSet<_>>().len(), 40, "each is another mistake");
    let mut draw = Draw(40);
    let mut first: Option<BTreeSet<String>> = None;
    for _ in 0..12 {
        let mut map = SourceMap::default();
        let order = draw.shuffled(files.clone());
        let ids: Vec<_> = order.iter().map(|(name, text)| (name, map.add(name.as_str(), text.clone()))).collect();
        let found = diagnose(&map, &ids.iter().map(|(_, id)| *id).collect::<Vec<_>>());
        let shown = report::diagnostics::render(&map, &found, report::diagnostics::Style::default());
        let places: Vec<Place> = found
            .iter()
            .map(|found| {
                let span = found.span.unwrap_or_else(|| panic!("no place: {found:?}"));
                let (name, _) = ids.iter().find(|(_, id)| *id == span.file).expect("a file");
                ((*name).clone(), span.line, found.code.0.to_owned())
            })
            .collect();
        assert_eq!(places.len(), 40, "{shown}");
        assert_eq!(places.into_iter().collect::<BTreeSet<_>>(), expected, "{shown}");
        let words: BTreeSet<String> =
            found.iter().map(|found| format!("{} {} {:?} {:?}", found.code.0, found.message, found.help, found.note)).collect();
        assert_eq!(*first.get_or_insert_with(|| words.clone()), words, "the same whatever the order");
    }
}
