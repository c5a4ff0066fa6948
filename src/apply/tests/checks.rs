//! What is refused before an effect.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;

use crate::action::{Effect, Precondition};
use crate::apply::Holds;
use crate::apply::fake::{bmc, machine};
use crate::build::{Binding, Endpoint, MachineStatus, PowerState};
use crate::driver::{DriverError, NodeDriver};
use crate::run::{RunOutcome, Status};

use super::*;

fn bound(plan: &mut Plan, node: &str) {
    let binding = Binding {
        bmc_address: Some("10.0.0.1".to_owned()),
        uuid: Some("u".to_owned()),
        macs: vec!["aa:bb".to_owned()],
        ..Default::default()
    };
    plan.bindings.insert(node.to_owned(), binding);
}

fn refusal(report: &RunReport, id: &str) -> String {
    match &report.state.find(id).unwrap().status {
        Status::Refused { message, .. } => message.clone(),
        other => panic!("{id} is {other:?}"),
    }
}

#[tokio::test]
async fn another_endpoint_is_refused() {
    let world = World::new();
    let mut plan = site_plan(1);
    plan.endpoints =
        vec![Endpoint { driver: "fake".to_owned(), identity: "other".to_owned(), url: "http://old".to_owned(), simulated: false }];
    let error = world.apply(&plan).await.unwrap_err();
    assert_eq!(error.to_string(), "the plan was made with fake at http://old (other); now http://fake (fake-1) answers");
    plan.endpoints[0].identity = "fake-1".to_owned();
    plan.endpoints[0].simulated = true;
    assert!(matches!(world.apply(&plan).await, Err(EngineError::Refused { .. })));
    assert_eq!(world.site.inner().order.len(), 0);
}

#[tokio::test]
async fn a_plan_is_applied_once() {
    let world = World::new();
    let plan = site_plan(1);
    world.apply(&plan).await.unwrap();
    let error = world.apply(&plan).await.unwrap_err();
    assert_eq!(error.to_string(), "node.r0-n0 was applied since the plan was made (generation 9, the plan is for 0)");
    assert_eq!(world.store().locks().unwrap(), Vec::new());
}

#[tokio::test]
async fn a_resume_after_another_run_is_refused() {
    let world = World::new();
    let plan = site_plan(1);
    let failing = Arc::new(Altered::full_after(world.store(), 6));
    world.apply_with(&plan, failing, options()).await.unwrap_err();
    world.store().write(&[Write::Advance { resource: "node.r0-n0".to_owned() }]).unwrap();
    let error = world.resume(&plan, &world.only_run().id).await.unwrap_err();
    assert!(error.to_string().starts_with("node.r0-n0 was applied by another run"), "{error}");
}

#[tokio::test]
async fn a_missing_driver_is_refused_before_anything() {
    let world = World::new();
    let mut plan = site_plan(1);
    plan.actions[9].driver = "ironic".to_owned();
    let error = world.apply(&plan).await.unwrap_err();
    assert_eq!(error.to_string(), "deploy_node on node.r0-n0 needs the driver ironic, which is not configured");
}

#[tokio::test]
async fn a_plan_with_a_cycle_is_refused() {
    let world = World::new();
    let mut plan = site_plan(1);
    plan.actions[1].after = vec!["r0-n0.8".to_owned()];
    assert!(matches!(world.apply(&plan).await, Err(EngineError::BadPlan(_))));
    plan.actions[1].after = vec!["nothing".to_owned()];
    assert!(world.apply(&plan).await.unwrap_err().to_string().contains("names nothing, which is not in the plan"));
}

#[tokio::test]
async fn a_disruptive_action_needs_the_bound_machine_on_both_sides() {
    for (uuid, mac, wrong) in [("other", "aa:bb", "the BMC reports system UUID other"), ("u", "cc:dd", "has MACs cc:dd")] {
        let world = World::new();
        let mut plan = site_plan(1);
        bound(&mut plan, "r0-n0");
        plan.actions[9].effect = Effect::Redeploy;
        world.site.inner().bmcs.insert("r0-n0".to_owned(), bmc(uuid, PowerState::On));
        world.site.inner().machines.insert("r0-n0".to_owned(), machine("m-r0-n0", mac, MachineStatus::Ready));
        let report = world.apply(&plan).await.unwrap();
        assert_eq!(report.outcome, RunOutcome::Failure);
        let message = refusal(&report, "r0-n0.8");
        assert!(message.contains(wrong), "{message}");
        assert_eq!(world.site.effects("r0-n0.8"), 0);
    }
}

#[tokio::test]
async fn preconditions_are_read_from_the_site() {
    let cases: [(Precondition, Option<MachineStatus>, PowerState, &str); 4] = [
        (
            Precondition::Status(vec![MachineStatus::Ready]),
            Some(MachineStatus::Deployed),
            PowerState::Off,
            "is Deployed at the provisioner; configure_hardware needs Ready",
        ),
        (Precondition::Status(vec![MachineStatus::Ready]), None, PowerState::Off, "the provisioner does not have r0-n0"),
        (Precondition::HoldsNothing, Some(MachineStatus::Deployed), PowerState::Off, "may hold an operating system"),
        (Precondition::HoldsNothing, None, PowerState::On, "is on and unknown to the provisioner"),
    ];
    for (precondition, status, power, expected) in cases {
        let world = World::new();
        let mut plan = plan(vec![action("a", crate::action::ActionKind::ConfigureHardware, Some("r0-n0"), &[])]);
        bound(&mut plan, "r0-n0");
        plan.actions[0].preconditions = vec![precondition];
        world.site.inner().bmcs.insert("r0-n0".to_owned(), bmc("u", power));
        if let Some(status) = status {
            world.site.inner().machines.insert("r0-n0".to_owned(), machine("m-r0-n0", "aa:bb", status));
        }
        let report = world.apply(&plan).await.unwrap();
        let message = refusal(&report, "a");
        assert!(message.contains(expected), "{message}");
        assert_eq!(world.site.effects("a"), 0);
    }
}

#[tokio::test]
async fn what_is_enlisted_is_not_switched_on_again() {
    let world = World::new();
    let mut plan = plan(vec![action("a", crate::action::ActionKind::PowerOnNode, Some("r0-n0"), &[])]);
    bound(&mut plan, "r0-n0");
    plan.actions[0].preconditions = vec![Precondition::NotEnlisted, Precondition::Identity];
    world.site.inner().bmcs.insert("r0-n0".to_owned(), bmc("u", PowerState::Off));
    world.site.inner().machines.insert("r0-n0".to_owned(), machine("m-r0-n0", "aa:bb", MachineStatus::New));
    let report = world.apply(&plan).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Success);
    assert_eq!(world.site.effects("a"), 0, "its power is the provisioner's business by now");
}

#[tokio::test]
async fn what_holds_nothing_is_begun() {
    let world = World::new();
    let mut plan = plan(vec![action("a", crate::action::ActionKind::PowerOnNode, Some("r0-n0"), &[])]);
    bound(&mut plan, "r0-n0");
    plan.actions[0].preconditions = vec![Precondition::Identity, Precondition::HoldsNothing];
    world.site.inner().bmcs.insert("r0-n0".to_owned(), bmc("u", PowerState::Off));
    assert_eq!(world.apply(&plan).await.unwrap().outcome, RunOutcome::Success);
    assert_eq!(world.site.effects("a"), 1);
}

#[tokio::test]
async fn another_binding_in_the_state_is_refused() {
    let world = World::new();
    let mut plan = site_plan(1);
    bound(&mut plan, "r0-n0");
    let other = Binding { uuid: Some("v".to_owned()), ..Default::default() };
    world.store().write(&[Write::Binding { node: "r0-n0".to_owned(), binding: other }]).unwrap();
    let error = world.apply(&plan).await.unwrap_err();
    assert_eq!(error.to_string(), "r0-n0 is bound to another machine than when the plan was made");
}

/// What has moved, by the action that rests on it, and which actions it was asked of.
#[derive(Debug, Default)]
struct Site {
    moved: BTreeMap<&'static str, &'static str>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Holds for Site {
    async fn moved(&self, action: &Action, provisioner: &dyn NodeDriver) -> Result<Vec<String>, DriverError> {
        assert_eq!(provisioner.name(), "fake");
        self.asked.lock().unwrap().push(action.id.clone());
        Ok(self.moved.get(action.id.as_str()).map(|what| (*what).to_owned()).into_iter().collect())
    }
}

/// Applies a plan to a site of which that has moved; of which actions it was asked.
async fn with_moved(world: &World, plan: &Plan, moved: &[(&'static str, &'static str)]) -> (RunReport, Vec<String>) {
    let site = Arc::new(Site { moved: moved.iter().copied().collect(), ..Site::default() });
    let holds: Option<Arc<dyn Holds>> = Some(Arc::clone(&site) as Arc<dyn Holds>);
    let report = world.apply_with(plan, world.store(), Options { holds, ..options() }).await.unwrap();
    let mut asked = site.asked.lock().unwrap().clone();
    asked.sort();
    (report, asked)
}

#[tokio::test]
async fn it_is_asked_once_for_each_node_and_each_resource_whether_the_plan_still_fits() {
    let world = World::new();
    let (report, asked) = with_moved(&world, &site_plan(2), &[("r0-n0.0", "stage: ready → deployed")]).await;
    assert_eq!(asked, ["net", "r0-n0.0", "r1-n1.0"]);
    assert_eq!(refusal(&report, "r0-n0.0"), "r0-n0 is not as the plan saw it: stage: ready → deployed");
    assert_eq!((world.site.effects("r0-n0.0"), world.site.effects("r1-n1.8")), (0, 1));
}

#[tokio::test]
async fn what_moves_while_a_hook_runs_is_seen_before_the_effect_that_it_was_for() {
    let hooked = || {
        let hook = action("drain", ActionKind::RunHook, Some("r0-n0"), &[]);
        let release = action("release", ActionKind::DestroyNode, Some("r0-n0"), &["drain"]);
        plan(vec![hook, release, action("deploy", ActionKind::DeployNode, Some("r0-n0"), &["release"])])
    };
    let world = World::new();
    let (_, asked) = with_moved(&world, &hooked(), &[]).await;
    assert_eq!(asked, ["drain", "release"]);
    let world = World::new();
    let (report, _) = with_moved(&world, &hooked(), &[("release", "owner: us → them")]).await;
    assert_eq!(refusal(&report, "release"), "r0-n0 is not as the plan saw it: owner: us → them");
    assert_eq!(world.site.inner().order, ["drain"]);
}
