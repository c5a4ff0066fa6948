//! Every template is rendered for every node that gets it.

use super::untried_template;
use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Diagnostic, Severity};
use crate::model::Site;
use crate::model::assets::trial;

pub(super) static RULE: Rule = Rule {
    code: Code("DD4203"),
    original: None,
    title: "an asset cannot be made for a node",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    let trial = trial(site);
    for (action, asset, nodes) in trial.untried {
        let nodes = if nodes == 1 { "one node".to_owned() } else { format!("{nodes} nodes") };
        let message = format!("{}: its templates were not tried for {nodes}", asset.title());
        let found = Diagnostic::new(untried_template::RULE.code, untried_template::RULE.severity, message).at(asset.content_span());
        let help = "they fail for other nodes, or do too much work; correct them, or make them simpler";
        findings.push(found.help(help).resource(format!("boot_action.{}", action.name)));
    }
    for failed in trial.failures {
        let (first, others) = failed.nodes.split_first().map_or(("?", 0), |(first, others)| (*first, others.len()));
        let others = match others {
            0 => String::new(),
            1 => " and another node".to_owned(),
            n => format!(" and {n} other nodes"),
        };
        let what = if failed.is_location { "its location" } else { "its content" };
        let message = format!("{}: {what} cannot be made for node `{first}`{others}: {}", failed.asset.title(), failed.failure);
        let found = findings.finding(message).at(failed.asset.content_span()).label(failed.failure.span, "the step that fails");
        let found = found.help("give the node what the template uses, test for it (`is defined`), or narrow the `node_filter`");
        findings.push(found.resource(format!("boot_action.{}", failed.action.name)));
    }
}
