//! What is known about a rule, for `validate --explain`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::check::{self, Named, Rule};
use crate::cli::args::Format;
use crate::cli::problem::Problem;

/// The page of the rule, or the list of rules that a code of Airship Drydock stands for.
pub fn explained(code: &str, format: Format) -> Result<String, Problem> {
    let shown: String = code.chars().take(40).collect();
    let there = match check::named(code) {
        Named::Rule(rule) => BTreeMap::from([("", vec![rule])]),
        Named::Several(there) => there,
        Named::Unknown(similar) => {
            let help = similar.map_or_else(
                || "codes stand in brackets behind `error` and `warning`; docs/rules lists all".to_owned(),
                |similar| format!("did you mean `{similar}`?"),
            );
            return Err(Problem::usage(format!("there is no rule `{shown}`")).help(help));
        }
    };
    Ok(match (format, there.values().flatten().collect::<Vec<_>>().as_slice()) {
        (Format::Json, _) => {
            let rules: Vec<Value> = there.values().flatten().map(|rule| as_json(rule)).collect();
            format!("{:#}\n", json!({"rules": rules}))
        }
        (Format::Text, [rule]) => page(rule),
        (Format::Text, _) => list(&shown.trim().to_ascii_uppercase(), &there),
    })
}

fn page(rule: &Rule) -> String {
    let text = check::page(rule.code).unwrap_or_default().trim_end();
    format!("{text}\n\n{}\n", adjusting(rule))
}

fn adjusting(rule: &Rule) -> String {
    let code = rule.code.0;
    if rule.can_be_lowered() {
        format!(
            "In drydock.yaml: `rules: {{{code}: {{level: off, reason: \"…\"}}}}` silences it; other levels are info, warning and error."
        )
    } else {
        "It cannot be silenced or lowered in drydock.yaml.".to_owned()
    }
}

fn as_json(rule: &Rule) -> Value {
    json!({
        "code": rule.code.0,
        "title": rule.title,
        "severity": rule.severity.name(),
        "original": rule.original,
        "can_be_lowered": rule.can_be_lowered(),
        "page": check::page(rule.code),
    })
}

fn list(code: &str, there: &BTreeMap<&'static str, Vec<&'static Rule>>) -> String {
    let mut text = format!("{code} is a code of Airship Drydock. What it checks is reported here as:\n");
    for (title, rules) in there {
        let _ = writeln!(text, "\n{code} ({title})");
        for rule in rules {
            let _ = writeln!(text, "  {}  {:<7}  {}", rule.code.0, rule.severity.name(), rule.title);
        }
    }
    text.push_str("\nnext: drydock validate --explain CODE, with one of these\n");
    text
}
