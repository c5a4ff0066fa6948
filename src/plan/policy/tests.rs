//! Policies without a design: reports side by side.

use super::{Denial, NeededApproval, PolicyReport};

#[test]
fn of_two_policies_the_stricter_one_holds_in_everything() {
    let denial = |reason: &str| Denial { nodes: Vec::new(), reason: reason.into(), rule: "r".into() };
    let approval = |approvers| NeededApproval { approvers, nodes: Vec::new(), reason: "x".into(), rule: "r".into(), signers: "s".into() };
    let report = |denied: &[&str], approvals: &[u32]| PolicyReport {
        approvals: approvals.iter().map(|n| approval(*n)).collect(),
        denied: denied.iter().map(|d| denial(d)).collect(),
        rules: vec!["r".into()],
    };
    let both = report(&["b"], &[1]).and(report(&["a", "b"], &[2, 1]));
    assert_eq!(both, report(&["a", "b"], &[1, 2]));
    assert_eq!(report(&[], &[2]).and(PolicyReport::default()), report(&[], &[2]), "a policy that asks less takes nothing back");
}
