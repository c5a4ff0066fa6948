//! How bad a site takes the findings of a rule to be.
//!
//! In: what the settings say about rules, and findings. Out: findings with their levels, and the silenced ones apart, so that they can be counted.

use std::collections::BTreeMap;

use super::registry::Rule;
use crate::diag::{Code, Diagnostic, Severity};

/// Errors that a site may take for less: what they describe is in the model as it is written, can be planned, and works where something outside of the design makes
/// it work (or is refused by the provisioner without an effect). All other errors leave something out of the model, make machines or addresses ambiguous, or have no
/// meaning that could be carried out.
const LOWERABLE: [&str; 12] = [
    "DD1113", // what is called `key` or `auth` in a query may be no secret
    "DD2203", // the first and the last address of a block are ordinary ones on point-to-point links
    "DD2204", // a gateway may be reached over the link without being in the network
    "DD2301", // which networks a link really carries is known to its switches
    "DD2303", // so is whether a network runs over several links
    "DD2304", // a switch may tag otherwise than the design says
    "DD2305", // the same
    "DD2309", // NICs and switches differ in what they accept
    "DD2314", // so do bonding drivers
    "DD3103", // the disk is left alone
    "DD4208", // package managers accept more than Debian's policy does
    "DD5105", // the kernel has a default for the other parameter
];

impl Rule {
    /// Whether the settings may make less of its findings, or silence them.
    pub fn can_be_lowered(&self) -> bool {
        self.severity != Severity::Error || LOWERABLE.contains(&self.code.0)
    }
}

/// What a site makes of a rule's findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// They are counted, and not shown.
    Off,
    /// They are this bad.
    At(Severity),
}

/// What the settings say about one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    /// What its findings are.
    pub level: Level,
    /// Why.
    pub reason: String,
}

/// What the settings say about rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy(BTreeMap<Code, Adjustment>);

/// A finding that the settings silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silenced {
    /// The finding, as bad as its rule says.
    pub diagnostic: Diagnostic,
    /// Why it is silenced.
    pub reason: String,
}

impl Policy {
    /// Says how bad a rule's findings are.
    ///
    /// # Errors
    /// Where they may not be made less of; nothing is changed then.
    pub fn adjust(&mut self, rule: &Rule, adjustment: Adjustment) -> Result<(), NotLowered> {
        let lower = adjustment.level != Level::At(Severity::Error);
        if lower && !rule.can_be_lowered() {
            return Err(NotLowered);
        }
        self.0.insert(rule.code, adjustment);
        Ok(())
    }

    /// What is said about a rule.
    pub fn of(&self, code: Code) -> Option<&Adjustment> {
        self.0.get(&code)
    }

    /// Gives findings the levels that the settings want; silenced ones are returned.
    pub fn judge(&self, diagnostics: &mut Vec<Diagnostic>) -> Vec<Silenced> {
        let mut silenced = Vec::new();
        if self.0.is_empty() {
            return silenced;
        }
        diagnostics.retain_mut(|diagnostic| match self.0.get(&diagnostic.code) {
            Some(Adjustment { level: Level::Off, reason }) => {
                silenced.push(Silenced { diagnostic: diagnostic.clone(), reason: reason.clone() });
                false
            }
            Some(Adjustment { level: Level::At(severity), .. }) => {
                diagnostic.severity = *severity;
                true
            }
            None => true,
        });
        silenced
    }
}

/// The rule's findings are errors whatever the settings say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotLowered;

/// Makes errors of warnings; returns how many there were.
pub fn raise_warnings(diagnostics: &mut [Diagnostic]) -> usize {
    let warnings = diagnostics.iter_mut().filter(|diagnostic| diagnostic.severity == Severity::Warning);
    warnings.map(|diagnostic| diagnostic.severity = Severity::Error).count()
}

/// How often each rule is silenced, with the reason.
pub fn silenced_rules(silenced: &[Silenced]) -> BTreeMap<Code, (usize, &str)> {
    let mut rules: BTreeMap<Code, (usize, &str)> = BTreeMap::new();
    for one in silenced {
        rules.entry(one.diagnostic.code).or_insert((0, &one.reason)).0 += 1;
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::{Adjustment, LOWERABLE, Level, NotLowered, Policy, raise_warnings, silenced_rules};
    use crate::check::{rule, rules};
    use crate::diag::{Code, Diagnostic, Severity};

    fn to(level: Level) -> Adjustment {
        Adjustment { level, reason: "because".to_owned() }
    }

    #[test]
    fn only_errors_over_the_model_are_ever_lowered() {
        for code in LOWERABLE {
            let rule = rule(code).expect(code);
            // What DD1113 finds in documents is in the model as it is written.
            assert!(rule.severity == Severity::Error && (rule.check.is_some() || code == "DD1113"), "{code}");
        }
        for rule in rules().filter(|rule| rule.severity == Severity::Error && !LOWERABLE.contains(&rule.code.0)) {
            let mut policy = Policy::default();
            for level in [Level::Off, Level::At(Severity::Info), Level::At(Severity::Warning)] {
                assert_eq!(policy.adjust(rule, to(level)), Err(NotLowered), "{}", rule.code.0);
            }
            assert_eq!(policy, Policy::default());
            assert_eq!(policy.adjust(rule, to(Level::At(Severity::Error))), Ok(()));
        }
    }

    #[test]
    fn findings_get_the_levels_of_the_settings() {
        let mut policy = Policy::default();
        for (code, level) in [("DD2107", Level::Off), ("DD2213", Level::At(Severity::Error)), ("DD2204", Level::At(Severity::Info))] {
            policy.adjust(rule(code).expect(code), to(level)).expect("may be adjusted");
        }
        let mut found = vec![
            Diagnostic::warning(Code("DD2107"), "a"),
            Diagnostic::warning(Code("DD2213"), "b"),
            Diagnostic::error(Code("DD2204"), "c"),
            Diagnostic::warning(Code("DD2107"), "d"),
            Diagnostic::warning(Code("DD2216"), "e"),
        ];
        let silenced = policy.judge(&mut found);
        let left: Vec<_> = found.iter().map(|d| (d.code.0, d.severity)).collect();
        assert_eq!(left, [("DD2213", Severity::Error), ("DD2204", Severity::Info), ("DD2216", Severity::Warning)]);
        assert_eq!(silenced_rules(&silenced).into_iter().collect::<Vec<_>>(), [(Code("DD2107"), (2, "because"))]);
        assert_eq!(raise_warnings(&mut found), 1);
        assert!(found[2].severity == Severity::Error && found[1].severity == Severity::Info);
    }
}
