//! `rules:`: how bad findings of single rules are.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::check::{self, Adjustment, Level, Named, Policy};
use crate::diag::Severity;

/// Names of levels.
pub(super) const LEVELS: [(&str, Level); 4] = [
    ("off", Level::Off),
    ("info", Level::At(Severity::Info)),
    ("warning", Level::At(Severity::Warning)),
    ("error", Level::At(Severity::Error)),
];

/// The section as it is written: code → level and reason.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Rules(BTreeMap<String, Written>);

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    level: Option<LevelName>,
    reason: String,
}

#[derive(Debug, Clone, Copy)]
struct LevelName(Level);

impl<'de> Deserialize<'de> for LevelName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = LevelName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`off`, `info`, `warning` or `error`")
            }

            // An unquoted `off` is a boolean to editors and tools that write YAML 1.1.
            fn visit_bool<E: de::Error>(self, on: bool) -> Result<LevelName, E> {
                if on { Err(E::custom("a level is `off`, `info`, `warning` or `error`")) } else { Ok(LevelName(Level::Off)) }
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<LevelName, E> {
                const NAMES: &[&str] = &["off", "info", "warning", "error"];
                LEVELS
                    .iter()
                    .find(|(name, _)| *name == text)
                    .map(|(_, level)| LevelName(*level))
                    .ok_or_else(|| E::unknown_variant(text, NAMES))
            }
        }
        deserializer.deserialize_any(V)
    }
}

/// What is wrong about a rule that is named here.
#[derive(Debug)]
pub(super) struct Wrong {
    /// The key as written.
    pub(super) name: String,
    pub(super) message: String,
    pub(super) help: String,
}

impl Rules {
    /// What is meant, and everything that cannot be meant.
    pub(super) fn policy(self) -> (Policy, Vec<Wrong>) {
        let (mut policy, mut wrong) = (Policy::default(), Vec::new());
        for (name, written) in self.0 {
            if let Err((message, help)) = adjust(&mut policy, &name, &written) {
                wrong.push(Wrong { name, message, help });
            }
        }
        (policy, wrong)
    }
}

fn adjust(policy: &mut Policy, name: &str, written: &Written) -> Result<(), (String, String)> {
    let shown: String = name.chars().take(40).collect();
    let rule = match check::named(name) {
        Named::Rule(rule) => rule,
        Named::Several(there) => {
            let here = there.into_iter().map(|(title, rules)| {
                let codes: Vec<&str> = rules.iter().map(|rule| rule.code.0).collect();
                format!("{} ({title})", codes.join(", "))
            });
            let help = format!("name the rules one by one: {}", here.collect::<Vec<_>>().join("; "));
            return Err((format!("`{shown}` is a code of Airship Drydock that stands for several rules"), help));
        }
        Named::Unknown(similar) => {
            let help = similar.map_or_else(
                || "`drydock validate` shows the code of each problem in brackets; docs/rules lists all".to_owned(),
                |similar| format!("did you mean `{similar}`?"),
            );
            return Err((format!("there is no rule `{shown}`"), help));
        }
    };
    let code = rule.code.0;
    let Some(LevelName(level)) = written.level else {
        return Err((format!("`rules.{shown}` has no `level`"), "write `level: off`, `info`, `warning` or `error`".to_owned()));
    };
    if written.reason.trim().is_empty() {
        return Err((format!("`rules.{shown}` has no `reason`"), "say why; it is shown to whoever reads a plan of this site".to_owned()));
    }
    if policy.of(rule.code).is_some() {
        return Err((format!("`{shown}` is rule {code}, which is named twice"), "remove one of the two".to_owned()));
    }
    policy.adjust(rule, Adjustment { level, reason: written.reason.trim().to_owned() }).map_err(|_| {
        let message = format!("{code} ({}) is an error that cannot be silenced or lowered", rule.title);
        (message, "correct the design: a plan that was made in spite of it would be unsafe or wrong (docs/settings.md#rules)".to_owned())
    })
}
