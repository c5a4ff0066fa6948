//! What becomes true in the state when an action ends.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::action::{Action, ActionKind, ErrorClass, Json};
use crate::build::Binding;
use crate::diff::Origin;
use crate::driver::DriverError;
use crate::store::Write;

/// An action that is done.
pub(super) struct DoneAction<'a> {
    pub action: &'a Action,
    pub run: &'a str,
    pub at_ms: u64,
    /// Whether this run began it, now or before a crash.
    pub ours: bool,
    /// How long it took, where this process saw it from begin to end.
    pub took_ms: Option<u64>,
    /// Hardware profile of its node.
    pub hardware: Option<&'a str>,
    pub build_data: BTreeMap<String, String>,
    /// The node's machine, if it was learned just now.
    pub binding: Option<&'a Binding>,
}

/// What becomes true when an action is done.
pub(super) fn writes_when_done(done: DoneAction<'_>) -> Vec<Write> {
    let action = done.action;
    let resource = action.resource.clone();
    let mut writes = vec![Write::Advance { resource: resource.clone() }, Write::ClearRejection { resource: resource.clone() }];
    if let (Some(node), Some(binding)) = (&action.node, done.binding) {
        writes.push(Write::Binding { node: node.clone(), binding: binding.clone() });
    }
    match action.kind {
        ActionKind::DestroyNode | ActionKind::DeleteNode => {
            let resource = action.node.as_ref().map_or(resource, |node| format!("node.{node}"));
            writes.push(Write::Forget { resource });
        }
        ActionKind::ConfigureNodeProvisioner if action.params.get("after") == Some(Value::Null) => writes.push(Write::Forget { resource }),
        ActionKind::DeleteNetworkTemplate | ActionKind::DeleteUserCredentials | ActionKind::DeleteTags => {
            writes.push(Write::Forget { resource });
        }
        ActionKind::CreateNetworkTemplate
        | ActionKind::ConfigureUserCredentials
        | ActionKind::ConfigureNodeProvisioner
        | ActionKind::CreateBootMedia
        | ActionKind::ConfigureTags
        | ActionKind::ApplyNodeNetworking
        | ActionKind::ApplyNodeStorage
        | ActionKind::ApplyNodePlatform
        | ActionKind::DeployNode => {
            let origin = if done.ours && !was_there(&action.params) { Origin::Created } else { Origin::Adopted };
            writes.push(Write::Applied { resource, origin, attributes: action.params.clone(), action: action.id.clone() });
        }
        ActionKind::VerifySite
        | ActionKind::SetNodeBoot
        | ActionKind::PowerOnNode
        | ActionKind::PowerOffNode
        | ActionKind::IdentifyNode
        | ActionKind::ConfigureHardware
        | ActionKind::InterrogateNode
        | ActionKind::RunHook => {}
    }
    if let Some(node) = &action.node {
        writes.extend(done.build_data.into_iter().map(|(name, text)| Write::BuildData {
            node: node.clone(),
            name,
            at_ms: done.at_ms,
            run: done.run.to_owned(),
            text,
        }));
    }
    if let Some(ms) = done.took_ms {
        let names = [Some(action.kind.duration_key(None)), done.hardware.map(|h| action.kind.duration_key(Some(h)))];
        writes.extend(names.into_iter().flatten().map(|kind| Write::Duration { kind, ms }));
    }
    writes
}

/// What becomes true when an action failed for good.
pub(super) fn writes_when_failed(action: &Action, error: &DriverError) -> Vec<Write> {
    if error.class == ErrorClass::Rejected {
        let rejected = Write::Rejected { resource: action.resource.clone(), params: action.params.clone(), message: error.message.clone() };
        return vec![rejected];
    }
    Vec::new()
}

/// Whether the plan saw the resource: its parameters hold the values from before (`before`, in the structure or in its variant).
fn was_there(params: &Json) -> bool {
    if !params.text().contains("\"before\":") {
        return false;
    }
    let params = &params.value();
    let has_before = |v: &Value| v.get("before").is_some_and(|before| !before.is_null());
    has_before(params) || params.as_object().is_some_and(|map| map.len() == 1 && map.values().all(has_before))
}
