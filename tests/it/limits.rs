//! Designs that are too large in some way: refused or handled with a message, within bounded work.
//!
//! What is asserted is counted (values, diagnostics, bytes of output), never timed.

use std::fmt::Write as _;

use drydock::document::{self, Read};
use drydock::model::{Site, resolve};
use drydock::report::diagnostics;
use drydock::source::{Entry, Request, SourceError, load};
use drydock::yaml::{self, Parsed, SourceMap};
use drydock::{check, diag::Diagnostic};

use crate::cli_support::Folder;

fn parse(text: impl Into<String>) -> Parsed {
    let mut map = SourceMap::default();
    let file = map.add("design.yaml", text.into());
    yaml::parse(&map, file)
}

fn codes(found: &[Diagnostic]) -> Vec<&'static str> {
    found.iter().map(|d| d.code.0).collect()
}

/// The whole way of a design, and what is shown of its problems.
fn validate(text: impl Into<String>) -> (Option<Site>, Vec<Diagnostic>, String) {
    let mut map = SourceMap::default();
    let file = map.add("design.yaml", text.into());
    let Read { documents, mut diagnostics, sensitive, .. } = document::read_all(&map, &[file]);
    let (site, found) = resolve(&documents, &sensitive);
    diagnostics.extend(found);
    if let Some(site) = &site {
        diagnostics.extend(check::run(site));
    }
    diagnostics.extend(check::secrets(&documents, &sensitive));
    let text = diagnostics::render(&map, &diagnostics, diagnostics::Style::default());
    (site, diagnostics, text)
}

const HEAD: &str = "---\nschema: drydock/Region/v1\nmetadata: {schema: metadata/Document/v1, name: site}\ndata: {}\n";

fn document(kind: &str, name: &str, data: &str) -> String {
    format!("---\nschema: drydock/{kind}/v1\nmetadata: {{schema: metadata/Document/v1, name: {name}}}\ndata: {data}\n")
}

#[test]
fn gigantic_scalars_are_refused() {
    let giant = "x".repeat(yaml::MAX_SCALAR_BYTES + 1);
    for text in [format!("a: {giant}\n---\nb: 1\n"), format!("a: '{giant}'\n---\nb: 1\n"), format!("a: |\n  {giant}\n---\nb: 1\n")] {
        let parsed = parse(text);
        assert_eq!(codes(&parsed.diagnostics), ["DD0019"]);
        assert_eq!(
            parsed.diagnostics[0].span.expect("a place").line,
            if parsed.diagnostics[0].span.expect("a place").column > 3 { 1 } else { 2 }
        );
        assert_eq!(parsed.documents.len(), 1, "the document behind it is read");
    }
    // A key, and a number without end.
    assert_eq!(codes(&parse(format!("'{giant}': 1\n")).diagnostics), ["DD0019"]);
}

#[test]
fn long_texts_are_quoted_in_part() {
    let long = "y".repeat(1_000_000);
    let design = [
        HEAD.to_owned(),
        document("Network", "a", &format!("{{cidr: {long}, mtu: {long}, vlan: {long}}}")),
        document("NetworkLink", "l", &format!("{{bonding: {{mode: {long}}}, allowed_networks: [{long}], {long}: 1}}")),
        document(
            "BaremetalNode",
            &long,
            &format!("{{host_profile: {long}, storage: {{physical_devices: {{sda: {{partitions: [{{size: {long}}}]}}}}}}}}"),
        ),
    ];
    let (_, found, shown) = validate(design.concat());
    assert!(found.len() >= 8, "{}", found.len());
    assert!(found.iter().all(|d| d.message.len() <= 2010 && d.help.as_ref().is_none_or(|help| help.len() <= 2010)));
    assert!(shown.len() < 10_000 * found.len(), "{} bytes for {} problems", shown.len(), found.len());
    assert!(shown.contains("design.yaml:8:"), "places are shown without the excerpt");
}

#[test]
fn nesting_is_refused_in_every_style() {
    let shapes = ["[", "{a: ", "- ", "? ", "[{a: ", "{? "];
    for shape in shapes {
        let parsed = parse(shape.repeat(50_000));
        assert!(parsed.documents.is_empty(), "{shape}");
        assert!(!parsed.diagnostics.is_empty() && parsed.diagnostics.len() < 25, "{shape}: {}", parsed.diagnostics.len());
        assert!(parsed.diagnostics.iter().all(|d| d.span.is_some()), "{shape}");
        assert!(
            codes(&parsed.diagnostics).iter().all(|code| matches!(*code, "DD0005" | "DD0001" | "DD0007")),
            "{shape}: {:?}",
            codes(&parsed.diagnostics)
        );
    }
}

#[test]
fn alias_bombs_are_refused_in_every_shape() {
    let ten = |name: &str| vec![format!("*{name}"); 10].join(", ");
    let mut lists = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    let mut maps = "a0: &a0 {a: x, b: x, c: x, d: x}\n".to_owned();
    for n in 1..12 {
        let before = format!("a{}", n - 1);
        let _ = writeln!(lists, "a{n}: &a{n} [{}]", ten(&before));
        let _ = writeln!(maps, "a{n}: &a{n} {{a: *{before}, b: *{before}, c: *{before}, d: *{before}, e: *{before}}}");
    }
    for text in [lists, maps] {
        let parsed = parse(text);
        assert_eq!((codes(&parsed.diagnostics), parsed.documents.len()), (vec!["DD0004"], 0));
    }
    // Many documents, each just within what one may have.
    let list = format!("- &a [{}]\n", "x,".repeat(1000));
    let document = format!("---\n{list}{}", "- *a\n".repeat(990));
    let parsed = parse(document.repeat(8));
    assert_eq!((codes(&parsed.diagnostics), parsed.documents.len()), (vec!["DD0019"], 5));
}

#[test]
fn huge_counts_are_handled() {
    const MANY: usize = 100_000;
    let members: String = (0..MANY).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "    - t{n}");
        text
    });
    let keys: String = (0..MANY).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "      k{n}: v");
        text
    });
    let profile =
        format!("{HEAD}{}", document("HostProfile", "base", &format!("\n  metadata:\n    tags:\n{members}    owner_data:\n{keys}")));
    // Two nodes that add one and remove one each.
    let change = "{host_profile: base, metadata: {tags: [new, '!t7'], owner_data: {new: v, k7: null}}}";
    let (site, _, _) =
        validate(format!("{profile}{}{}", document("BaremetalNode", "one", change), document("BaremetalNode", "two", change)));
    let site = site.expect("a site");
    for node in site.nodes.values() {
        assert_eq!((node.tags.len(), node.owner_data.len()), (MANY, MANY));
        assert!(!node.owner_data.contains_key("k7") && !node.tags.iter().any(|tag| tag.value == "t7"));
    }
    // Keys that nothing reads: some are told, the rest counted.
    let unknown: String = (0..MANY).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "  u{n}: v");
        text
    });
    let (_, found, _) = validate(format!("{HEAD}{}", document("Rack", "r", &format!("\n{unknown}"))));
    let unknown: Vec<&Diagnostic> = found.iter().filter(|d| d.code.0 == "DD1101").collect();
    assert_eq!(unknown.len(), 20);
    assert_eq!(unknown[19].note.as_deref(), Some("99980 more keys of this mapping are not read either"));
}

#[test]
fn removals_and_named_members_in_great_number_are_handled() {
    const MANY: usize = 20_000;
    let list = |what: &dyn Fn(usize) -> String| (0..MANY).map(what).collect::<Vec<_>>().join(", ");
    let partitions = |size: &str| list(&|n| format!("{{name: p{n}, size: {size}}}"));
    let (tags, removals) = (list(&|n| format!("t{n}")), list(&|n| format!("'!t{n}'")));
    let data = |parent: &str, size: &str, tags: &str| {
        format!("{{{parent}metadata: {{tags: [{tags}]}}, storage: {{physical_devices: {{sda: {{partitions: [{}]}}}}}}}}", partitions(size))
    };
    let design = format!(
        "{HEAD}{}{}",
        document("HostProfile", "base", &data("", "1g", &tags)),
        document("BaremetalNode", "n", &data("host_profile: base, ", "2g", &removals))
    );
    let (site, _, _) = validate(design);
    let site = site.expect("a site");
    let node = &site.nodes["n"];
    assert!(node.tags.is_empty());
    let sizes: Vec<String> = node.storage.physical_devices["sda"].partitions.iter().map(|p| p.size.to_string()).collect();
    assert_eq!((sizes.len(), sizes.iter().all(|size| size == "2g")), (MANY, true));
}

#[test]
fn files_of_many_documents_are_read() {
    const MANY: usize = 100_000;
    let parsed = parse("--- 1\n".repeat(MANY));
    assert_eq!((parsed.documents.len(), parsed.diagnostics.len()), (MANY, 0));
    // Broken ones are not all told.
    let parsed = parse("---\na: [\n".repeat(MANY));
    assert!(parsed.documents.is_empty() && (1..=20).contains(&parsed.diagnostics.len()), "{}", parsed.diagnostics.len());
}

#[test]
fn huge_numbers_are_no_small_ones() {
    let digits = "9".repeat(10_000);
    let network = |data: String| format!("{HEAD}{}", document("Network", "a", &data));
    for number in [
        digits.as_str(),
        "1e+999",
        "-.inf",
        ".nan",
        "18446744073709551616",
        "9223372036854775807",
        "0x7fffffffffffffff",
        "1:59:59",
        "4294967296",
    ] {
        let (site, found, _) = validate(network(format!("{{cidr: 10.0.0.0/24, mtu: {number}, vlan: {number}}}")));
        let network = &site.expect("a site").networks["a"];
        // 1:59:59 is 7199 in YAML 1.1: an MTU, and a tag that is refused and not taken for untagged.
        let read = (number == "1:59:59").then_some(7199);
        assert_eq!(network.vlan.as_ref().map(|vlan| vlan.value), read, "{number}");
        assert_eq!(network.mtu.as_ref().map(|mtu| mtu.value), read.map(u32::from), "{number}");
        let malformed = found.iter().filter(|d| d.code.0 == "DD1103" && d.span.is_some()).count();
        assert_eq!(malformed, if number == "1:59:59" { 1 } else { 2 }, "{number}: {found:#?}");
    }
    for size in ["18446744073709551616", "99999999999999999999t", ">99999999999t", "99999999999%", "1e+999", "-1"] {
        let node = format!("{{storage: {{physical_devices: {{sda: {{partitions: [{{size: {size:?}}}]}}}}}}}}");
        let (_, found, _) = validate(format!("{HEAD}{}", document("BaremetalNode", "n", &node)));
        assert!(found.iter().any(|d| d.code.0 == "DD1103" && d.span.is_some()), "{size}: {found:#?}");
    }
}

#[test]
fn files_that_are_too_large_are_not_read() {
    let folder = Folder::empty();
    folder.write("design/small.yaml", HEAD);
    // Sparse: no byte of it is written.
    let file = std::fs::File::create(folder.path().join("design/large.yaml")).expect("created");
    file.set_len(1 << 40).expect("enlarged");
    let error = load(Request::disk(folder.path()), &[Entry::Path("design".into())]).expect_err("too large");
    assert!(matches!(error, SourceError::TooLarge { .. }), "{error}");
    assert_eq!(error.to_string(), "design/large.yaml: larger than 64 MiB; split it, or keep it out of the design");
}
