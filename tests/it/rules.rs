//! The table of rules: unique codes, a page and a case for each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use drydock::check;
use drydock::diag::Severity;

use crate::rule_cases::cases;

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

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

#[test]
fn every_rule_has_a_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules");
    for rule in check::rules() {
        let code = rule.code.0;
        let page = std::fs::read_to_string(root.join(format!("{code}.md"))).unwrap_or_else(|error| panic!("docs/rules/{code}.md: {error}"));
        assert!(page.starts_with(&format!("# {code}: ")), "{code}: its page has another title");
        assert!(page.contains(&format!("\nSeverity: {}\n", severity(rule.severity))), "{code}: its page has another severity");
        if let Some(original) = rule.original {
            assert!(page.contains(&format!("\nIn Airship Drydock: {original}\n")), "{code}: its page does not name `{original}`");
        }
    }
}

/// With `DRYDOCK_BLESS=1` the table is rewritten instead.
#[test]
fn the_table_of_rules_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules/README.md");
    let mut table = String::from(
        "# Rules\n\nWhat `drydock validate` and every plan report about a design. Errors make planning unsafe or cannot be carried out, and exit with 3; \
         warnings and notes never stop anything.\nEach code is one rule; the last column names what Airship Drydock calls the nearest thing that it checks.\n\n\
         | code | what is wrong | severity | in Airship Drydock |\n|---|---|---|---|\n",
    );
    for rule in check::rules() {
        let code = rule.code.0;
        let _ = writeln!(table, "| [{code}]({code}.md) | {} | {} | {} |", rule.title, severity(rule.severity), rule.original.unwrap_or(""));
    }
    if std::env::var_os("DRYDOCK_BLESS").is_some() {
        std::fs::write(&file, &table).expect("written");
    }
    let actual = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(actual == table, "DRYDOCK_BLESS=1 rewrites docs/rules/README.md");
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
