//! The table of rules: unique codes, a page and a case for each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use drydock::check;

use crate::rule_cases::cases;

#[test]
fn codes_are_unique() {
    let mut seen = BTreeMap::new();
    for rule in check::rules() {
        if let Some(other) = seen.insert(rule.code, rule.title) {
            panic!("{} is `{other}` and `{}`", rule.code.0, rule.title);
        }
    }
    assert_eq!(check::rule("dd2201").expect("a rule").title, "an address is assigned twice");
    assert!(check::rule("DD9999").is_none());
}

fn page(code: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/rules/{code}.md"))
}

/// What a page says below its head: title, severity and the original's name.
fn body(page: &str) -> &str {
    let is_head = |line: &str| line.is_empty() || ["# ", "Severity: ", "In Airship Drydock: "].iter().any(|start| line.starts_with(start));
    let head: usize = page.split_inclusive('\n').take_while(|line| is_head(line.trim_end())).map(str::len).sum();
    &page[head..]
}

/// With `DRYDOCK_BLESS=1` the heads are rewritten instead.
#[test]
fn every_rule_has_a_page_with_its_title_severity_and_alias() {
    let mut wrong = Vec::new();
    for rule in check::rules() {
        let (code, file) = (rule.code.0, page(rule.code.0));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("docs/rules/{code}.md: {error}"));
        assert!(body(&text).len() > 40, "{code}: its page says nothing");
        let current = format!("{}\n{}", check::page_head(rule), body(&text));
        if text == current {
            assert_eq!(check::page(rule.code), Some(text.as_str()), "{code}: the binary has another page");
        } else if std::env::var_os("DRYDOCK_BLESS").is_some() {
            std::fs::write(&file, current).expect("written");
        } else {
            wrong.push(code);
        }
    }
    assert!(wrong.is_empty(), "DRYDOCK_BLESS=1 rewrites the heads of {wrong:?}");
}

#[test]
fn every_page_has_a_rule() {
    assert_eq!(check::stray_pages(), Vec::<&str>::new());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules");
    for entry in std::fs::read_dir(folder).expect("docs/rules") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let code = name.strip_suffix(".md").unwrap_or_else(|| panic!("docs/rules/{name} is no page"));
        assert!(code == "README" || check::rule(code).is_some_and(|rule| rule.code.0 == code), "docs/rules/{name} explains no rule");
    }
}

/// With `DRYDOCK_BLESS=1` the table is rewritten instead.
#[test]
fn the_table_of_rules_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules/README.md");
    let mut table = String::from(
        "# Rules\n\nWhat `drydock validate` and every plan report about a design. Errors make planning unsafe or cannot be carried out, and exit with 3; \
         warnings and infos never stop anything.\n`drydock validate --explain CODE` prints a rule's page. [`rules:` in drydock.yaml](../settings.md#rules) changes \
         the level of single rules; errors that are *fixed* stay errors.\nEach code is one rule; the last column names what Airship Drydock calls the nearest \
         thing that it checks.\n\n| code | what is wrong | severity | in Airship Drydock |\n|---|---|---|---|\n",
    );
    for rule in check::rules() {
        let code = rule.code.0;
        let fixed = if rule.can_be_lowered() { "" } else { ", fixed" };
        let original = rule.original.unwrap_or("");
        let _ = writeln!(table, "| [{code}]({code}.md) | {} | {}{fixed} | {original} |", rule.title, rule.severity.name());
    }
    if std::env::var_os("DRYDOCK_BLESS").is_some() {
        std::fs::write(&file, &table).expect("written");
    }
    let actual = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(actual == table, "DRYDOCK_BLESS=1 rewrites docs/rules/README.md");
}

/// What comes near to each fault and is none. The bounds of DD1110 and DD4210 have tests of their own, and secrets are in `testdata/check`.
#[test]
fn every_rule_with_cases_has_a_good_twin() {
    let codes =
        |good: bool| -> BTreeSet<String> { cases().into_iter().filter(|case| case.is_good() == good).map(|case| case.code).collect() };
    let missing: Vec<String> = codes(false).difference(&codes(true)).cloned().collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_rule_over_the_model_has_a_case() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/check");
    let mut reported: String = cases().into_iter().filter(|case| !case.is_good()).map(|case| format!("[{}]", case.code)).collect();
    for case in std::fs::read_dir(root).expect("testdata/check") {
        reported.push_str(&std::fs::read_to_string(case.expect("an entry").path().join("expected.txt")).expect("expected.txt"));
    }
    // Problems with YAML and whole documents have tests of their own.
    let missing: BTreeSet<&str> =
        check::rules().map(|rule| rule.code.0).filter(|code| *code >= "DD1" && !reported.contains(&format!("[{code}]"))).collect();
    assert!(missing.is_empty(), "no case reports {missing:?}");
}
