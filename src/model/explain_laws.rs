//! The law of explanations: the last link of a value is the place in the files where it is written.
//!
//! Every scalar of a generated design is a text that stands nowhere else, so its true source is found by searching the files for it.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::explain::explain;
use crate::document::{Heads, read_all};
use crate::yaml::{FileId, SourceMap, Value};

/// Writes documents; choices come from a list of numbers, so that a failure can be made smaller.
struct Writer<'a> {
    choices: &'a [u8],
    at: usize,
    marks: usize,
}

impl Writer<'_> {
    fn choose(&mut self, below: usize) -> usize {
        self.at += 1;
        usize::from(self.choices[self.at % self.choices.len()]) % below
    }

    /// A text that is written once in all files.
    fn mark(&mut self) -> String {
        self.marks += 1;
        format!("m{}e", self.marks)
    }

    fn mapping(&mut self, depth: usize) -> String {
        let mut members = Vec::new();
        for key in ["a", "b", "c", "d"] {
            let value = match self.choose(if depth > 0 { 6 } else { 3 }) {
                0 => continue,
                1 | 2 => self.mark(),
                3 => format!("[{}, {}]", self.mark(), self.mark()),
                4 => format!("[{{name: same, v: {}}}, {{name: {}, v: {}}}]", self.mark(), self.mark(), self.mark()),
                _ => self.mapping(depth - 1),
            };
            members.push(format!("{key}: {value}"));
        }
        format!("{{{}}}", members.join(", "))
    }

    /// `platform`, `metadata` and so on are what inheritance knows best.
    fn data(&mut self, host_profile: Option<&str>) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "  own: {}", self.mapping(2));
        let _ = writeln!(out, "  platform: {{image: {}, kernel: 'PART-{}'}}", self.mark(), self.mark());
        let _ = writeln!(out, "  metadata: {{tags: [{}], owner_data: {}}}", self.mark(), self.mapping(0));
        if let Some(profile) = host_profile {
            let _ = writeln!(out, "  host_profile: {profile}");
        }
        out
    }

    /// Takes values from sources, as a whole or into a text.
    fn substitutions(&mut self, sources: usize) -> String {
        let mut out = String::new();
        for _ in 0..self.choose(4) {
            let name = self.choose(sources);
            let (path, dest) = match self.choose(4) {
                0 => (".v", "{path: .platform.image}"),
                1 => (".v", "{path: .platform.kernel, pattern: PART}"),
                2 => (".w", "{path: .own.taken}"),
                _ => (".w.x", "[{path: .own.one}, {path: '.own.list[0].two'}]"),
            };
            let _ = writeln!(out, "  - src: {{schema: example/Values/v1, name: s{name}, path: {path}}}\n    dest: {dest}");
        }
        if out.is_empty() { out } else { format!("  substitutions:\n{out}") }
    }
}

fn heading(schema: &str, name: &str, layer: &str, more: &str) -> String {
    format!(
        "schema: {schema}\nmetadata:\n  schema: metadata/Document/v1\n  name: {name}\n  labels: {{id: {name}, layer: {layer}}}\n  storagePolicy: cleartext\n{more}"
    )
}

fn definition(layer: &str, parent: Option<&str>, method: &str) -> String {
    match parent {
        Some(parent) => {
            format!("  layeringDefinition: {{layer: {layer}, parentSelector: {parent}, actions: [{{method: {method}, path: .}}]}}\n")
        }
        None => format!("  layeringDefinition: {{layer: {layer}}}\n"),
    }
}

/// The documents of a site: sources that take from one another, profiles over three layers that inherit from one another, and a node.
fn documents(choices: &[u8]) -> Vec<String> {
    let mut write = Writer { choices, at: 0, marks: 0 };
    let mut out = vec![
        "schema: deckhand/LayeringPolicy/v1\nmetadata: {schema: metadata/Control/v1, name: policy}\ndata: {layerOrder: [global, type, site]}\n".to_owned(),
    ];
    const SOURCES: usize = 3;
    for at in 0..SOURCES {
        let mut subs = String::new();
        if at > 0 && write.choose(2) == 1 {
            let _ = write!(
                subs,
                "  substitutions:\n  - src: {{schema: example/Values/v1, name: s{}, path: .w.x}}\n    dest: {{path: .{}}}\n",
                at - 1,
                ["v", "w.x"][write.choose(2)]
            );
        }
        let data = format!("data: {{v: {}, w: {{x: {}, y: {}}}}}\n", write.mark(), write.mark(), write.mark());
        out.push(format!("{}{data}", heading("example/Values/v1", &format!("s{at}"), "global", &(definition("global", None, "") + &subs))));
    }
    for profile in ["p1", "p0"] {
        let of = (profile == "p0").then_some("p1");
        let mut parent = None;
        for layer in ["global", "type", "site"] {
            let is_last = layer == "site";
            if !is_last && write.choose(2) == 0 {
                continue;
            }
            let name = if is_last { profile.to_owned() } else { format!("{profile}-{layer}") };
            let method = ["merge", "replace"][usize::from(write.choose(8) == 0)];
            let more = definition(layer, parent.as_deref(), method) + &write.substitutions(SOURCES);
            let data = write.data(of);
            out.push(format!("{}data:\n{data}", heading("drydock/HostProfile/v1", &name, layer, &more)));
            parent = Some(format!("{{id: {name}}}"));
        }
    }
    let more = definition("site", None, "") + &write.substitutions(SOURCES);
    let data = write.data(Some("p0"));
    out.push(format!("{}data:\n{data}", heading("drydock/BaremetalNode/v1", "n1", "site", &more)));
    out
}

/// Where a text is written, and the name of the document that it is written in.
fn written(map: &SourceMap, text: &str) -> Vec<(FileId, usize, String)> {
    let mut found = Vec::new();
    for (at, file) in map.files().iter().enumerate() {
        for (start, _) in file.text.match_indices(text) {
            let name = file.text[..start].rfind("\n  name: ").map(|at| file.text[at + 9..].lines().next().unwrap_or_default().to_owned());
            found.push((FileId(u32::try_from(at).unwrap()), start, name.unwrap_or_default()));
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_last_link_is_the_true_source(choices in prop::collection::vec(any::<u8>(), 60..200)) {
        let mut map = SourceMap::default();
        let files: Vec<FileId> = documents(&choices).chunks(3).map(|some| {
            let name = format!("{}.yaml", map.files().len());
            map.add(name, some.join("---\n"))
        }).collect();
        let read = read_all(&map, &files);
        let errors: Vec<_> = read.diagnostics.iter().filter(|d| d.severity == crate::diag::Severity::Error).collect();
        prop_assert!(errors.is_empty(), "{errors:?}");
        let heads = Heads::read(&map, &files);
        let (_, values) = explain(&read.documents, &heads, "node.n1", &|_| false, &|_| false).unwrap();
        prop_assert!(values.len() > 4);
        for value in &values {
            let Value::Str(text) = &value.value.value else { continue };
            let Some(mark) = text.strip_prefix("PART-").or(Some(text)).filter(|text| text.starts_with('m')) else { continue };
            // What a pattern put into a text comes first in it: `m1e-m2e` is `m2e` with `m1e` put in.
            let mark = mark.split('-').next().unwrap_or_default();
            let places = written(&map, mark);
            prop_assert_eq!(places.len(), 1, "{} is written {} times", mark, places.len());
            let (file, start, name) = &places[0];
            let last = value.links.last().unwrap();
            let quoted = &map.get(last.span.file).unwrap().text[last.span.start as usize..last.span.end as usize];
            prop_assert!(quoted.trim_matches('\'').ends_with(mark), "{} of {} is said to be `{}`", mark, value.path, quoted);
            prop_assert!(last.span.file == *file && (last.span.start as usize..last.span.end as usize).contains(start), "{}", value.path);
            prop_assert_eq!(&last.name, name, "{} is said to be of {}", mark, last.name);
            prop_assert_eq!(value.links[0].name.as_str(), "n1");
        }
    }
}
