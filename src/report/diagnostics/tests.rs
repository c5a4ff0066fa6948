//! The formats, and text that tries to be more than text.

use proptest::prelude::*;
use serde_json::Value;

use super::{FORMATS, Paths, Report, Style, format, render, render_short};
use crate::check::{Silenced, Unverified};
use crate::diag::{Code, Diagnostic};
use crate::yaml::{SourceMap, Span};

const HOSTILE: &str = "x\n::error file=a.yaml::b\r\n::set-output name=a::b\u{85}::stop-commands::z ##[add-mask]y %0A::warning::c ]]> <a b=\"'&\"> \u{0}\u{1b}[31m\u{fffe}\u{202e}";

/// Two warnings and an error about two files, one of them with a hostile name.
fn found() -> (SourceMap, Vec<Diagnostic>) {
    let mut map = SourceMap::default();
    let plain = map.add("design/a.yaml", "a: 1\nrack: r1\n");
    let odd = map.add("design/b,c:\n::notice::d%.yaml", "größe: 2\n");
    let rack = Span { file: plain, line: 2, column: 7, start: 11, end: 13 };
    let size = Span { file: odd, line: 1, column: 8, start: 9, end: 10 };
    let diagnostics = vec![
        Diagnostic::warning(Code("DD2107"), HOSTILE).at(rack).label(size, HOSTILE).note(HOSTILE).help(HOSTILE).resource(HOSTILE),
        Diagnostic::error(Code("DD2201"), "an address, twice: 100%").at(size).label(rack, "here too"),
        Diagnostic::warning(Code("DD5101"), "nowhere").resource("node.n1"),
    ];
    (map, diagnostics)
}

fn written(name: &str, report: &Report<'_>) -> String {
    (format(name).expect("a format").write)(report)
}

#[test]
fn names_of_formats_are_unique_and_text_is_the_default() {
    assert_eq!(FORMATS[0].name, "text");
    for one in &FORMATS {
        assert_eq!(FORMATS.iter().filter(|other| other.name == one.name).count(), 1);
    }
    assert!(format("xml").is_none());
}

/// As the runner of GitHub Actions takes a line apart.
fn command(line: &str) -> (String, Vec<(String, String)>, String) {
    let rest = line.strip_prefix("::").expect("a command");
    let (head, data) = rest.split_once("::").expect("a message");
    let (name, properties) = head.split_once(' ').expect("properties");
    let plain = |text: &str| text.replace("%0D", "\r").replace("%0A", "\n").replace("%3A", ":").replace("%2C", ",").replace("%25", "%");
    let properties = properties.split(',').map(|p| p.split_once('=').expect("key=value")).map(|(k, v)| (k.to_owned(), plain(v)));
    (name.to_owned(), properties.collect(), plain(data))
}

#[test]
fn no_text_of_a_design_becomes_a_command() {
    let (map, diagnostics) = found();
    let silenced = [Silenced { diagnostic: diagnostics[0].clone(), reason: HOSTILE.to_owned() }];
    let report = Report { silenced: &silenced, ..Report::new(&map, &diagnostics) };
    let text = written("github", &report);
    let lines: Vec<&str> = text.split(['\n', '\r', '\u{85}', '\u{2028}']).filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), diagnostics.len() + 1, "{text}");
    let commands: Vec<_> = lines.iter().map(|line| command(line)).collect();
    assert_eq!(commands.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>(), ["error", "warning", "warning", "notice"]);
    let (_, properties, data) = &commands[0];
    let expected = [
        ("file", "design/b,c:\\n::notice::d%.yaml"),
        ("line", "1"),
        ("endLine", "1"),
        ("col", "8"),
        ("endColumn", "9"),
        ("title", "DD2201: an address is assigned twice"),
    ];
    assert_eq!(properties.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Vec<_>>(), expected);
    assert_eq!(data, "an address, twice: 100%\ndesign/a.yaml:2:7: here too\ndrydock validate --explain DD2201");
    assert!(commands[2].2.starts_with("x\\n::error file=a.yaml::b\\r\\n"), "{:?}", commands[2]);
    assert_eq!(commands[3].2, "1 error, 2 warnings, 1 silenced (DD2107)");
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn text_is_no_command_either() {
    let (map, diagnostics) = found();
    let many: Vec<Diagnostic> = (0..9).flat_map(|_| diagnostics.clone()).collect();
    for verbose in [false, true] {
        let text = written("text", &Report { verbose, ..Report::new(&map, &many) });
        let commands = text.split(['\n', '\r', '\u{85}', '\u{2028}']).filter(|line| line.trim_start().starts_with("::"));
        // The renderer's own mark of a second file.
        assert_eq!(commands.filter(|line| !line.trim_start().starts_with("::: ")).count(), 0, "{text}");
    }
}

#[test]
fn junit_is_xml_whatever_a_design_says() {
    let (map, diagnostics) = found();
    let silenced = [Silenced { diagnostic: diagnostics[1].clone(), reason: HOSTILE.to_owned() }];
    let report = Report { silenced: &silenced, ..Report::new(&map, &diagnostics) };
    let text = written("junit", &report);
    let document = roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let suites: Vec<_> = document.descendants().filter(|node| node.has_tag_name("testsuite")).collect();
    assert_eq!(
        suites.iter().map(|s| s.attribute("name").unwrap_or("")).collect::<Vec<_>>(),
        ["design", "design/a.yaml", "design/b,c:\\n::notice::d%.yaml"]
    );
    for suite in suites {
        let count = |tag: &str| suite.descendants().filter(|node| node.has_tag_name(tag)).count().to_string();
        for (attribute, tag) in [("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped")] {
            assert_eq!(suite.attribute(attribute), Some(count(tag).as_str()), "{attribute} of {suite:?}");
        }
    }
    let failures: Vec<_> = document.descendants().filter(|node| node.has_tag_name("failure")).collect();
    assert_eq!(failures.len(), 1, "warnings are no failures");
    assert_eq!((failures[0].attribute("type"), failures[0].attribute("message")), (Some("DD2201"), Some("an address, twice: 100%")));
    assert!(failures[0].text().is_some_and(|text| text.contains(":1:8: an address") && text.contains("design/a.yaml:2:7: here too")));
}

#[test]
fn a_design_without_problems_has_tests_that_pass() {
    let mut map = SourceMap::default();
    let _ = map.add("a.yaml", "a: 1\n");
    let text = written("junit", &Report::new(&map, &[]));
    let document = roxmltree::Document::parse(&text).expect("XML");
    assert_eq!(document.root_element().attribute("tests"), Some("2"));
    assert_eq!(document.root_element().attribute("failures"), Some("0"));
    let names: Vec<_> = document.descendants().filter(|n| n.has_tag_name("testcase")).filter_map(|n| n.attribute("name")).collect();
    assert_eq!(names, ["the file is valid", "the design as a whole is valid"]);
}

#[test]
fn sarif_has_the_structure_of_the_standard() {
    let (map, diagnostics) = found();
    let silenced = [Silenced { diagnostic: diagnostics[0].clone(), reason: "later".to_owned() }];
    let paths = Paths { root: "/repo".into(), folder: "sites/dc 1".into(), fallback: Some("drydock.yaml".into()) };
    let report = Report { silenced: &silenced, paths, ..Report::new(&map, &diagnostics) };
    let text = written("sarif", &report);
    assert!(!text.contains(['\u{1b}', '\u{202e}']));
    let sarif: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((sarif["version"].as_str(), sarif["runs"].as_array().map(Vec::len)), (Some("2.1.0"), Some(1)));
    let run = &sarif["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!((driver["name"].as_str(), run["columnKind"].as_str()), (Some("drydock"), Some("unicodeCodePoints")));
    let rules = driver["rules"].as_array().expect("rules");
    let ids: Vec<_> = rules.iter().map(|rule| rule["id"].as_str().expect("an id")).collect();
    assert_eq!(ids, ["DD2107", "DD2201", "DD5101"]);
    for rule in rules {
        let id = rule["id"].as_str().expect("an id");
        assert!(rule["help"]["markdown"].as_str().is_some_and(|page| page.starts_with(&format!("# {id}: "))), "{id}");
        assert!(rule["shortDescription"]["text"].as_str().is_some_and(|text| !text.is_empty()), "{id}");
    }
    let results = run["results"].as_array().expect("results");
    assert_eq!(results.len(), 4, "three, and the silenced one");
    for result in results {
        let index = result["ruleIndex"].as_u64().expect("an index") as usize;
        assert_eq!(result["ruleId"], rules[index]["id"]);
        assert!(matches!(result["level"].as_str(), Some("error" | "warning" | "note")));
        assert!(result["message"]["text"].is_string());
        let region = &result["locations"][0]["physicalLocation"]["region"];
        assert!(region["startLine"].as_u64() >= Some(1), "{result:#}");
    }
    let prints: std::collections::BTreeSet<_> = results.iter().map(|r| r["partialFingerprints"]["drydock/v1"].as_str()).collect();
    assert_eq!(prints.len(), results.len());
    let address = results.iter().find(|result| result["ruleId"] == "DD2201").expect("the error");
    let at = &address["locations"][0]["physicalLocation"];
    assert_eq!(at["artifactLocation"]["uri"], "sites/dc%201/design/b%2Cc%3A%0A%3A%3Anotice%3A%3Ad%25.yaml");
    let region = serde_json::json!({"startLine": 1, "startColumn": 8, "endLine": 1, "endColumn": 9, "byteOffset": 9, "byteLength": 1});
    assert_eq!(at["region"], region);
    assert_eq!(address["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"], "sites/dc%201/design/a.yaml");
    assert_eq!(address["relatedLocations"][0]["message"]["text"], "here too");
    let nowhere = results.iter().find(|result| result["ruleId"] == "DD5101").expect("it");
    assert_eq!(nowhere["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "sites/dc%201/drydock.yaml");
    let suppressed: Vec<_> = results.iter().filter(|result| result.get("suppressions").is_some()).collect();
    assert_eq!((suppressed.len(), &suppressed[0]["suppressions"][0]["justification"]), (1, &Value::from("later")));
}

#[test]
fn links_lead_to_the_pages_that_the_settings_name() {
    let (map, diagnostics) = found();
    let pages = Some("https://docs.example.net/rules/{code}.html");
    let of = |pages| {
        let report = Report { pages, ..Report::new(&map, &diagnostics) };
        let [json, sarif] = ["json", "sarif"].map(|name| serde_json::from_str::<Value>(&written(name, &report)).expect("JSON"));
        (json["diagnostics"][0]["help_url"].clone(), sarif["runs"][0]["tool"]["driver"]["rules"][0]["helpUri"].clone())
    };
    let (json, sarif) = of(pages);
    assert_eq!(json, "https://docs.example.net/rules/DD5101.html");
    assert_eq!(sarif, "https://docs.example.net/rules/DD2107.html");
    let (json, sarif) = of(None);
    assert_eq!(json, "docs/rules/DD5101.md");
    assert_eq!(sarif, Value::Null, "SARIF takes URLs alone");
}

#[test]
fn what_was_not_verified_is_in_every_format_and_counts_for_nothing() {
    let map = SourceMap::default();
    let left = [Unverified { code: Code("DD5115"), what: "image j<&\u{1b}".to_owned(), why: "no build model".to_owned() }];
    let report = Report { unverified: &left, ..Report::new(&map, &[]) };
    for name in ["json", "github", "sarif", "junit"] {
        let text = written(name, &report);
        assert!(text.contains("DD5115") && text.contains("no build model") && !text.contains('\u{1b}'), "{name}: {text}");
    }
    let json: Value = serde_json::from_str(&written("json", &report)).expect("JSON");
    assert_eq!((json["infos"].as_u64(), json["unverified"][0]["why"].as_str()), (Some(0), Some("no build model")));
    let github = written("github", &report);
    assert_eq!(github.lines().count(), 1, "{github}");
    let sarif: Value = serde_json::from_str(&written("sarif", &report)).expect("JSON");
    let notification = &sarif["runs"][0]["invocations"][0]["toolExecutionNotifications"][0];
    assert_eq!((notification["level"].as_str(), sarif["runs"][0]["results"].as_array().map(Vec::len)), (Some("note"), Some(0)));
    let junit = written("junit", &report);
    let document = roxmltree::Document::parse(&junit).expect("XML");
    let suite = document.descendants().find(|node| node.has_tag_name("testsuite")).expect("a suite");
    assert_eq!((document.root_element().attribute("failures"), suite.attribute("skipped")), (Some("0"), Some("1")));
}

#[test]
fn a_problem_of_many_nodes_is_one_in_text_and_all_in_json() {
    let mut map = SourceMap::default();
    let file = map.add("p.yaml", "link: pxe\n");
    let span = Span { file, line: 1, column: 7, start: 6, end: 9 };
    let on = |n: usize| Diagnostic::warning(Code("DD2107"), format!("`n{n}` is odd")).at(span).resource(format!("node.n{n}"));
    let diagnostics: Vec<Diagnostic> = (0..50).map(on).collect();
    let report = Report::new(&map, &diagnostics);
    let text = written("text", &report);
    assert_eq!(text.matches("warning[DD2107]").count(), 1, "{text}");
    assert!(text.contains("= note: the same for 49 more: node.n1, node.n2, node.n3, node.n4, node.n5, …\n"), "{text}");
    assert!(text.ends_with("\n50 warnings\n"), "{text}");
    let json: Value = serde_json::from_str(&written("json", &report)).expect("JSON");
    assert_eq!(json["diagnostics"].as_array().map(Vec::len), Some(50));
    let sarif: Value = serde_json::from_str(&written("sarif", &report)).expect("JSON");
    assert_eq!(sarif["runs"][0]["results"].as_array().map(Vec::len), Some(50));
}

#[test]
fn of_a_rule_with_many_problems_few_have_excerpts() {
    let mut map = SourceMap::default();
    let file = map.add("n.yaml", "x: 1\n".repeat(40));
    let at = |n: u32| Span { file, line: n + 1, column: 1, start: n * 5, end: n * 5 + 1 };
    let mut diagnostics: Vec<Diagnostic> = (0..40).map(|n| Diagnostic::warning(Code("DD2107"), format!("no rack {n}")).at(at(n))).collect();
    diagnostics.push(Diagnostic::error(Code("DD2201"), "twice").at(at(7)));
    let short = render_short(&map, &diagnostics, Style::default());
    assert_eq!(short.matches(" --> n.yaml").count(), 6, "{short}");
    assert!(short.contains("\nwarning[DD2107]: 35 more of this rule\n  - no rack 5\n    at n.yaml:6:1\n  - no rack 6\n"), "{short}");
    assert!(short.contains("\n    at n.yaml:25:1\n  … and 15 further ones; -v shows all\n\nerror[DD2201]: twice\n"), "{short}");
    assert!(short.ends_with("\n1 error, 40 warnings\n"), "{short}");
    let whole = render(&map, &diagnostics, Style::default());
    assert_eq!(whole.matches("--> n.yaml").count(), 41);
    let verbose = written("text", &Report { verbose: true, ..Report::new(&map, &diagnostics) });
    assert_eq!(verbose, whole);
}

#[test]
fn the_summary_says_what_is_silenced_and_raised() {
    let (map, diagnostics) = found();
    let silenced = vec![Silenced { diagnostic: diagnostics[0].clone(), reason: "racks\u{1b}[2J come later".to_owned() }; 3];
    let report = Report { silenced: &silenced, raised: Some(2), ..Report::new(&map, &diagnostics[1..2]) };
    let text = written("text", &report);
    assert!(
        text.ends_with(
            "\n1 error (2 warnings raised by --strict), 3 silenced\n  DD2107 ×3 silenced in drydock.yaml: racks\\u{1b}[2J come later\n"
        ),
        "{text}"
    );
    let json: Value = serde_json::from_str(&written("json", &report)).expect("JSON");
    assert_eq!((json["silenced"].as_array().map(Vec::len), json["strict"].as_bool()), (Some(3), Some(true)));
    assert_eq!(json["silenced"][0]["code"], "DD2107");
}

#[test]
fn problems_that_are_alike_are_one_line_with_places() {
    let mut map = SourceMap::default();
    let file = map.add("::error ::x.yaml", "x: 1\n".repeat(40));
    let at = |n: u32| Span { file, line: n + 1, column: 1, start: n * 5, end: n * 5 + 1 };
    let diagnostics: Vec<Diagnostic> = (0..40).map(|n| Diagnostic::error(Code("DD2101"), "no profile `p`").at(at(n))).collect();
    let short = render_short(&map, &diagnostics, Style::default());
    assert_eq!(short.matches(" --> ").count(), 2, "{short}");
    let line = "error[DD2101]: 38 more of this rule\n  - no profile `p` ×38\n    at ::error ::x.yaml:3:1, ::error ::x.yaml:4:1, ::error ::x.yaml:5:1, …\n";
    assert!(short.contains(line), "{short}");
    assert!(short.lines().all(|line| !line.trim_start().starts_with("::")), "{short}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_well_formed_in_all_formats(path in any::<String>(), text in any::<String>(), message in "[\n\r:%,=#\\[\\]<>&'\"\u{0}\u{85}\u{2028}\u{fffe}a-z]{0,40}") {
        let mut map = SourceMap::default();
        let file = map.add(path, text.clone());
        let span = Span { file, line: 1, column: 1, start: 0, end: text.len() as u32 };
        let found = Diagnostic::error(Code("DD2201"), message.clone()).at(span).label(span, text.clone()).help(&*message).resource(&*text);
        let silenced = [Silenced { diagnostic: found.clone(), reason: message }];
        let found = [found];
        let report = Report { silenced: &silenced, ..Report::new(&map, &found) };
        for line in written("github", &report).split(['\n', '\r', '\u{85}', '\u{2028}']).filter(|line| !line.is_empty()) {
            let (name, properties, _) = command(line);
            prop_assert!(name == "error" || name == "notice", "{line}");
            prop_assert!(properties.iter().all(|(key, _)| ["file", "line", "endLine", "col", "endColumn", "title"].contains(&key.as_str())), "{line}");
        }
        let junit = written("junit", &report);
        let document = roxmltree::Document::parse(&junit).expect("XML");
        prop_assert_eq!(document.descendants().filter(|node| node.has_tag_name("failure")).count(), 1);
        for format in ["json", "sarif"] {
            let value: Value = serde_json::from_str(&written(format, &report)).expect("JSON");
            prop_assert!(value.is_object());
        }
    }
}
