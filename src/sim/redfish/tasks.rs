//! Tasks: what a BMC answers where it does not do a thing at once.

use serde_json::{Value, json};

use super::{ROOT, View, bmc_mut, collection, document, info, link, resource, status};
use crate::sim::clock::rfc3339;
use crate::sim::core::Core;
use crate::sim::http::Reply;
use crate::sim::world::Task;

const SERVICE: &str = "/TaskService";

/// Whether BMCs of this site answer changes with tasks.
pub(super) fn wanted(core: &Core) -> bool {
    core.world.meta.options.hardware.bmc_tasks
}

/// A new task, as the answer to the request that began it (202, DSP0266: asynchronous operations).
pub(super) fn begin(core: &mut Core, name: &str, what: &str, takes: u64, fails: bool) -> Result<Reply, Reply> {
    const KEPT: usize = 20;
    let number = core.take_id("task");
    let now = core.now;
    let bmc = bmc_mut(core, name)?;
    let task = Task { name: what.to_owned(), began_at: now, ends_at: now + takes, fails };
    let body = value(&number.to_string(), &task, now);
    bmc.tasks.insert(number, task);
    while bmc.tasks.len() > KEPT {
        bmc.tasks.pop_first();
    }
    Ok(document(&body, "GET, HEAD").with_status(202).with_header("location", format!("{ROOT}{SERVICE}/TaskMonitors/{number}")))
}

fn value(id: &str, task: &Task, now: u64) -> Value {
    let ended = now >= task.ends_at;
    let state = match (ended, task.fails) {
        (false, _) => "Running",
        (true, false) => "Completed",
        (true, true) => "Exception",
    };
    let message = match (ended, task.fails) {
        (true, true) => info("OperationFailed", "The operation failed.", "Resubmit the request.", "Critical"),
        _ => info("Success", "The request completed successfully.", "None.", "OK"),
    };
    let mut body = json!({
        "TaskState": state,
        "TaskStatus": if ended && task.fails { "Critical" } else { "OK" },
        "PercentComplete": if ended { 100 } else { 100 * now.saturating_sub(task.began_at) / (task.ends_at - task.began_at).max(1) },
        "StartTime": rfc3339(task.began_at),
        "TaskMonitor": format!("{ROOT}{SERVICE}/TaskMonitors/{id}"),
        "Messages": if ended { vec![message] } else { Vec::new() },
    });
    if ended {
        body["EndTime"] = rfc3339(task.ends_at).into();
    }
    resource("Task", "v1_4_3", &format!("{SERVICE}/Tasks/{id}"), id, &task.name, body)
}

/// The monitor of a task: 202 while it runs, then what the request would have been answered.
pub(super) fn monitor(core: &Core, name: &str, id: &str) -> Option<Reply> {
    let bmc = core.world.machines.get(name)?.bmc.as_ref()?;
    let task = bmc.tasks.get(&id.parse().ok()?)?;
    if core.now < task.ends_at {
        let here = format!("{ROOT}{SERVICE}/TaskMonitors/{id}");
        return Some(document(&value(id, task, core.now), "GET, HEAD").with_status(202).with_header("location", here));
    }
    Some(if task.fails {
        super::error(500, "OperationFailed", "The operation failed.", "Resubmit the request.")
    } else {
        Reply::new(204, "application/json", "")
    })
}

/// The service, its tasks.
pub(super) fn read(view: &View<'_>, parts: &[&str]) -> Option<Value> {
    let tasks = &view.m.bmc.as_ref()?.tasks;
    Some(match parts {
        ["TaskService"] => resource(
            "TaskService",
            "v1_1_4",
            SERVICE,
            "TaskService",
            "Task Service",
            json!({
                "ServiceEnabled": true, "CompletedTaskOverWritePolicy": "Oldest", "LifeCycleEventOnTaskStateChange": false,
                "DateTime": rfc3339(view.now), "Status": status(), "Tasks": link("/TaskService/Tasks"),
            }),
        ),
        ["TaskService", "Tasks"] => {
            let ids: Vec<String> = tasks.keys().map(ToString::to_string).collect();
            collection("Task", "Task Collection", "/TaskService/Tasks", &ids)
        }
        ["TaskService", "Tasks", id] => value(id, tasks.get(&id.parse().ok()?)?, view.now),
        _ => return None,
    })
}
