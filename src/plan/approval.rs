//! Approvals of a plan: what is signed, who counts, what is missing.
//!
//! Pure: signatures are made and checked elsewhere; here is what they are over, and what they come to.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{NeededApproval, Plan};
use crate::action::{Effect, canonical_of};

/// What a signature is over. Fields stand in order of name.
#[derive(Serialize)]
struct Statement<'a> {
    /// Highest effect of the plan.
    effect: Effect,
    /// Digest of what it wants.
    intent: &'a str,
    /// Digest of all of it: machines, endpoints and parameters of actions, too.
    plan: &'a str,
    site: &'a str,
    version: u32,
    what: &'static str,
}

/// The statement that approvers of a plan sign: one line of canonical JSON.
pub fn statement(plan: &Plan) -> String {
    let effect = plan.changes.iter().map(|c| c.effect).chain(plan.actions.iter().map(|a| a.effect)).max().unwrap_or(Effect::None);
    let statement = Statement {
        effect,
        intent: &plan.digests.intent,
        plan: &plan.digests.plan,
        site: &plan.site,
        version: 1,
        what: "approval of a drydock plan",
    };
    format!("{}\n", canonical_of(&statement))
}

/// A signature that holds, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Signature {
    /// Name of its file.
    pub file: String,
    /// Fingerprint of the key: `SHA256:…`.
    pub key: String,
    /// The names that the allowed-signers file (or the certificate) gives its holder, in order; at least one.
    pub principals: Vec<String>,
}

/// A signature that does not count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Rejected {
    /// Name of its file.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// How an approval stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// What is needed.
    pub needed: NeededApproval,
    /// Those who gave it, each person once, by their first name.
    pub by: Vec<String>,
    /// Signatures that count.
    pub signatures: Vec<Signature>,
    /// Signatures that do not.
    pub rejected: Vec<Rejected>,
    /// Why nothing could be looked at, if the signers are not known.
    pub problem: Option<String>,
}

impl Standing {
    /// How many people are missing.
    pub fn missing(&self) -> u32 {
        self.needed.approvers.saturating_sub(u32::try_from(self.by.len()).unwrap_or(u32::MAX))
    }
}

/// The people behind signatures, in order of name: two with a key or a name in common are one person's.
pub fn people(signatures: &[Signature]) -> Vec<String> {
    let mut of: Vec<usize> = (0..signatures.len()).collect();
    let mut seen: BTreeMap<(bool, &str), usize> = BTreeMap::new();
    for (place, signature) in signatures.iter().enumerate() {
        let marks = signature.principals.iter().map(|p| (false, p.as_str())).chain([(true, signature.key.as_str())]);
        for mark in marks {
            if let Some(other) = seen.insert(mark, place) {
                let (from, into) = (of[place], of[other]);
                of.iter_mut().filter(|person| **person == from).for_each(|person| *person = into);
            }
        }
    }
    let mut people: BTreeMap<usize, &str> = BTreeMap::new();
    for (place, person) in of.iter().enumerate() {
        people
            .entry(*person)
            .or_insert_with(|| signatures[place].principals.first().map_or(signatures[place].key.as_str(), String::as_str));
    }
    let mut names: Vec<String> = people.into_values().map(str::to_owned).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::{Signature, people, statement};
    use crate::action::{ActionKind, Effect};

    fn signature(key: &str, principals: &[&str]) -> Signature {
        Signature { file: "plan.json.x.sig".into(), key: key.into(), principals: principals.iter().map(|p| (*p).to_owned()).collect() }
    }

    #[test]
    fn a_person_counts_once_with_whatever_keys_and_names() {
        let of = |list: &[Signature]| people(list);
        assert_eq!(of(&[]), [""; 0]);
        assert_eq!(of(&[signature("k1", &["alice"]), signature("k2", &["bob"])]), ["alice", "bob"]);
        assert_eq!(of(&[signature("k1", &["alice"]), signature("k2", &["alice"])]), ["alice"]);
        assert_eq!(of(&[signature("k1", &["alice"]), signature("k1", &["al"])]), ["alice"]);
        // Through a third one.
        let chain = [signature("k1", &["alice"]), signature("k2", &["al"]), signature("k3", &["al", "alice"]), signature("k4", &["bob"])];
        assert_eq!(of(&chain), ["alice", "bob"]);
    }

    #[test]
    fn the_statement_names_site_digests_and_highest_effect() {
        let mut deploy = testing::action("a", ActionKind::DeployNode, Some("r1-n1"), &[]);
        deploy.effect = Effect::Redeploy;
        let mut plan = testing::plan(vec![deploy, testing::action("b", ActionKind::ApplyNodePlatform, Some("r1-n2"), &[])]);
        plan.digests.intent = "1".repeat(4);
        assert_eq!(
            statement(&plan),
            "{\"effect\":\"redeploy\",\"intent\":\"1111\",\"plan\":\"digest-of-test-plan\",\"site\":\"test\",\"version\":1,\"what\":\"approval of a drydock plan\"}\n"
        );
    }
}
