//! Machines that are not where a plan can take them from: what stands in the way, and who removes it.

use crate::action::ActionKind;
use crate::build::{Machine, MachineStatus};
use crate::diff::Policy;

/// Why a machine that is held is left as it is, and what to do about it.
pub(super) fn held(machine: &Machine) -> (String, &'static str) {
    if machine.locked {
        return (format!("its machine is locked ({})", machine.status_name), "unlock it in the provisioner");
    }
    let mut reason = format!("its machine is {}", machine.status_name);
    if let Some(failure) = machine.failure.as_ref().filter(|f| **f != machine.status_name) {
        reason.push_str(": ");
        reason.push_str(failure);
    }
    let name = machine.status_name.to_ascii_lowercase();
    let hint = match machine.status {
        MachineStatus::Broken => "repair it and mark it fixed in the provisioner",
        MachineStatus::Rescue if name.starts_with("failed") => "look at its console, then leave rescue mode in the provisioner",
        MachineStatus::Rescue if name.starts_with("entering") || name.starts_with("exiting") => "plan again when that has ended",
        MachineStatus::Rescue => "leave rescue mode in the provisioner when the repair is done",
        _ if name.contains("failed testing") => "look at its test results; override them or mark it fixed in the provisioner",
        _ if name.contains("testing") => "plan again when the tests have ended",
        _ => "bring it back to Ready or Deployed in the provisioner, or take the node out of the design",
    };
    (reason, hint)
}

/// Why a machine that has been at something for longer than it may take is not waited for; `None` while it may go on.
pub(super) fn stuck(machine: &Machine, policy: &Policy, now: u64) -> Option<(String, &'static str)> {
    let kind = match machine.status {
        MachineStatus::Commissioning => ActionKind::ConfigureHardware,
        MachineStatus::Deploying => ActionKind::DeployNode,
        MachineStatus::Releasing => ActionKind::DestroyNode,
        _ => return None,
    };
    let limit = policy.timeouts_s.get(&kind).copied().unwrap_or(kind.default_timeout_minutes() * 60);
    let seconds = now.checked_sub(machine.status_since?)?;
    // An attempt that has just used up its limit is waited for once more.
    let patience = u64::from(limit).saturating_add(u64::from(limit.max(60)));
    (seconds > patience).then(|| {
        (
            format!("its machine has been {} for {} min; {kind} may take {} min", machine.status_name, seconds / 60, limit.div_ceil(60)),
            "look at its console; abort what it does in the provisioner, then plan again",
        )
    })
}
