//! The hooks of a plan, with what they get from the settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;

use super::confirmations::InState;
use super::design::Design;
use crate::action::ActionKind;
use crate::action::params::RunHook;
use crate::cli::problem::Problem;
use crate::driver::hook::HookDriver;
use crate::driver::permit::Permit;
use crate::plan::Plan;
use crate::secret;

/// What runs the hooks of a plan; `None` if it has none. Programs and arguments are those of the plan; only values of variables are read from the settings.
pub(super) async fn connect(design: &Design, plan: &Plan, permit: &Permit) -> anyhow::Result<Option<Arc<HookDriver>>> {
    let settings = &design.settings;
    let planned = plan.actions.iter().filter(|a| a.kind == ActionKind::RunHook);
    let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for action in planned {
        let hook: RunHook = serde_json::from_value(action.params.value()).context("a hook of the plan")?;
        wanted.insert(hook.name, hook.environment);
    }
    if wanted.is_empty() {
        return Ok(None);
    }
    let mut environment = BTreeMap::new();
    for (name, variables) in wanted {
        let given = settings.hooks.all().find(|(_, hook)| hook.name == name).map(|(_, hook)| &hook.environment);
        let mut values = Vec::new();
        for variable in variables {
            let Some(reference) = given.and_then(|g| g.get(&variable)) else {
                let message = format!(
                    "the plan runs hook `{name}` with the variable {variable}, and the settings no longer say where its value comes from"
                );
                return Err(Problem::refused(message).at(&settings.shown).help("put it back under `hooks`, or plan again").into());
            };
            let value =
                secret::resolve(reference, &settings.root).await.with_context(|| format!("`environment.{variable}` of hook `{name}`"))?;
            values.push((variable, value));
        }
        environment.insert(name, values);
    }
    let confirmations = InState::new(settings.clone(), design.site.name.value.clone());
    Ok(Some(Arc::new(HookDriver::new(&settings.root, environment, Arc::new(confirmations), permit.clone()))))
}
