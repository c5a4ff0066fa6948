//! Fault rules: which request or machine is hit, and how often it was.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::json;

use super::error::SimError;
use super::names;
use super::options::{FaultRule, MachineFault};

/// A request as a rule sees it.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The node it is about; empty if it is about none.
    pub node: &'a str,
    /// `maas` or `bmc`.
    pub server: &'a str,
    /// Method.
    pub method: &'a str,
    /// Operation of MAAS, or reset type of a BMC; may be empty.
    pub op: &'a str,
    /// Path.
    pub path: &'a str,
}

#[derive(Debug)]
struct Rule {
    what: FaultRule,
    key: String,
    node: Option<Regex>,
    op: Option<Regex>,
    path: Option<Regex>,
}

/// All rules, ready to match.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<Rule>,
}

fn pattern(text: Option<&String>) -> Result<Option<Regex>, SimError> {
    text.map(|t| Regex::new(&format!("^(?:{t})$")).map_err(|e| SimError::Pattern { pattern: t.clone(), reason: e.to_string() })).transpose()
}

impl Faults {
    /// Compiles the patterns.
    pub(crate) fn new(rules: &[FaultRule]) -> Result<Self, SimError> {
        let rules = rules
            .iter()
            .map(|r| {
                Ok(Rule {
                    what: r.clone(),
                    key: json!(r).to_string(),
                    node: pattern(r.node.as_ref())?,
                    op: pattern(r.op.as_ref())?,
                    path: pattern(r.path.as_ref())?,
                })
            })
            .collect::<Result<_, SimError>>()?;
        Ok(Self { rules })
    }

    /// Whether there are no rules at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The first request rule that hits a request; every rule that matches it is counted.
    pub(crate) fn request(&self, target: Target<'_>, matches: &mut BTreeMap<String, u64>) -> Option<FaultRule> {
        let mut hit = None;
        for r in self.rules.iter().filter(|r| r.what.machine.is_none()) {
            let fits = |p: &Option<Regex>, text: &str| p.as_ref().is_none_or(|p| p.is_match(text));
            let same = |p: &Option<String>, text: &str| p.as_ref().is_none_or(|p| p == text);
            if fits(&r.node, target.node)
                && fits(&r.op, target.op)
                && fits(&r.path, target.path)
                && same(&r.what.server, target.server)
                && same(&r.what.method, target.method)
                && count(r, matches, None)
                && hit.is_none()
            {
                hit = Some(r.what.clone());
            }
        }
        hit
    }

    /// Whether a machine misbehaves this way now; counts.
    pub(crate) fn machine(&self, node: &str, fault: MachineFault, matches: &mut BTreeMap<String, u64>) -> bool {
        let mut hit = false;
        for r in self.rules.iter().filter(|r| r.what.machine == Some(fault)) {
            if r.node.as_ref().is_none_or(|p| p.is_match(node)) && count(r, matches, Some(node)) {
                hit = true;
            }
        }
        hit
    }

    /// Whether a machine misbehaves this way at all (not counted).
    pub(crate) fn is_permanent(&self, node: &str, fault: MachineFault) -> bool {
        self.rules.iter().any(|r| r.what.machine == Some(fault) && r.node.as_ref().is_none_or(|p| p.is_match(node)))
    }

    /// How many times as long a machine takes.
    pub(crate) fn factor(&self, node: &str) -> f64 {
        self.rules
            .iter()
            .filter(|r| r.what.machine == Some(MachineFault::Slow) && r.node.as_ref().is_none_or(|p| p.is_match(node)))
            .fold(1.0, |f, r| f * r.what.factor)
    }
}

/// Counts a match and says whether it is one of those that are hit. Machine rules count each machine on its own.
fn count(r: &Rule, matches: &mut BTreeMap<String, u64>, node: Option<&str>) -> bool {
    let key = node.map_or_else(|| r.key.clone(), |n| format!("{n} {}", r.key));
    let n = matches.entry(key).or_insert(0);
    *n += 1;
    let first = r.what.nth.max(1);
    *n >= first && (r.what.count == 0 || *n < first + r.what.count) && is_drawn(r, *n)
}

/// Whether the n-th match of a rule is among the part of them that is hit: the same for the same rule and number.
fn is_drawn(r: &Rule, n: u64) -> bool {
    r.what.percent >= 100 || u32::from(names::digest(n, &r.key)[0]) * 100 < r.what.percent * 256
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_hits_from_its_nth_match_on_as_often_as_it_says() {
        let rule = FaultRule { op: Some("deploy".into()), nth: 2, count: 2, status: Some(503), ..FaultRule::default() };
        let faults = Faults::new(&[rule]).unwrap();
        let mut seen = BTreeMap::new();
        let target = Target { node: "n1", server: "maas", method: "POST", op: "deploy", path: "/x" };
        let hits: Vec<bool> = (0..5).map(|_| faults.request(target, &mut seen).is_some()).collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert!(faults.request(Target { op: "release", ..target }, &mut seen).is_none());
    }

    #[test]
    fn a_rule_hits_about_as_many_matches_as_it_says() {
        let rule = FaultRule { count: 0, percent: 20, status: Some(503), ..FaultRule::default() };
        let faults = Faults::new(&[rule]).unwrap();
        let mut seen = BTreeMap::new();
        let target = Target { node: "", server: "maas", method: "GET", op: "", path: "/x" };
        let hits = (0..1000).filter(|_| faults.request(target, &mut seen).is_some()).count();
        assert!((160..240).contains(&hits), "{hits} of 1000");
    }

    #[test]
    fn machine_rules_count_each_machine() {
        let rule = FaultRule { node: Some("n.*".into()), machine: Some(MachineFault::DeploymentFails), ..FaultRule::default() };
        let faults = Faults::new(&[rule]).unwrap();
        let mut seen = BTreeMap::new();
        assert!(faults.machine("n1", MachineFault::DeploymentFails, &mut seen));
        assert!(!faults.machine("n1", MachineFault::DeploymentFails, &mut seen));
        assert!(faults.machine("n2", MachineFault::DeploymentFails, &mut seen));
        assert!(!faults.machine("x", MachineFault::DeploymentFails, &mut seen));
    }

    #[test]
    fn a_broken_pattern_is_an_error() {
        let rule = FaultRule { node: Some("(".into()), ..FaultRule::default() };
        assert!(matches!(Faults::new(&[rule]), Err(SimError::Pattern { .. })));
    }
}
