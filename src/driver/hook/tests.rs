//! What hooks are told, what is kept of them, and what happens when they fail or were cut off.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use crate::action::ActionKind;
use crate::action::params::{HookPhase, RunHook};
use crate::build::Binding;
use crate::driver::manual::Confirmations;
use crate::driver::permit::Permit;
use crate::driver::{Begun, Call, Driver as _, ErrorClass, Observation};
use crate::redact::Secret;

use super::HookDriver;

#[derive(Default)]
struct Confirmed(Mutex<Option<String>>);

#[async_trait::async_trait]
impl Confirmations for Confirmed {
    async fn confirmed(&self, _: &str) -> Result<Option<String>, String> {
        Ok(self.0.lock().unwrap().clone())
    }

    async fn command(&self, node: &str) -> String {
        format!("drydock runs confirm RUN node.{node}")
    }
}

struct Place {
    folder: tempfile::TempDir,
    confirmed: Arc<Confirmed>,
    driver: HookDriver,
}

impl Place {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hook.sh");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let confirmed = Arc::new(Confirmed::default());
        let environment = BTreeMap::from([("drain".to_owned(), vec![("TOKEN".to_owned(), Secret::new("canary-of-the-token"))])]);
        let driver = HookDriver::new(folder.path(), environment, Arc::clone(&confirmed) as Arc<dyn Confirmations>, Permit::default());
        Self { folder, confirmed, driver }
    }

    async fn see(&self, call: &Call) -> Observation {
        self.driver.observe(std::slice::from_ref(call)).await.remove(0).unwrap()
    }
}

fn hook() -> RunHook {
    RunHook {
        argv: vec!["./hook.sh".to_owned(), "two words; and $HOME".to_owned()],
        disrupts: "destroy_node".to_owned(),
        environment: vec!["TOKEN".to_owned()],
        limit_s: 30,
        name: "drain".to_owned(),
        phase: HookPhase::BeforeDisrupt,
        rack: Some("r1".to_owned()),
        repeatable: false,
    }
}

fn call(hook: &RunHook, begun: bool) -> Call {
    Call {
        action: "a1".to_owned(),
        site: "dc1".to_owned(),
        kind: ActionKind::RunHook,
        resource: "node.n1/hooks/drain".to_owned(),
        node: Some("n1".to_owned()),
        params: serde_json::to_value(hook).unwrap(),
        binding: Binding::default(),
        begun,
        before: None,
    }
}

#[tokio::test]
async fn a_hook_is_told_of_its_node_and_of_nothing_else() {
    let place = Place::new("env | grep -v '^_=' | sort > seen; echo \"$1\" >> seen; pwd -P >> seen; echo token is $TOKEN");
    let call = call(&hook(), false);
    assert_eq!(place.see(&call).await, Observation::NotStarted);
    assert_eq!(place.driver.begin(&call).await.unwrap(), Begun::Complete);
    let Observation::Done { outputs } = place.see(&call).await else { panic!() };
    assert_eq!(outputs, BTreeMap::from([("output".to_owned(), "token is ***".to_owned())]));
    let seen = std::fs::read_to_string(place.folder.path().join("seen")).unwrap();
    let names: Vec<&str> = seen.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    let wanted = [
        "DRYDOCK_ACTION",
        "DRYDOCK_HOOK",
        "DRYDOCK_NODE",
        "DRYDOCK_PHASE",
        "DRYDOCK_RACK",
        "DRYDOCK_SITE",
        "HOME",
        "LC_ALL",
        "PATH",
        "PWD",
        "TOKEN",
    ];
    assert_eq!(names.iter().filter(|n| **n != "OLDPWD" && **n != "SHLVL").copied().collect::<Vec<_>>(), wanted);
    for line in [
        "DRYDOCK_NODE=n1",
        "DRYDOCK_RACK=r1",
        "DRYDOCK_ACTION=destroy_node",
        "DRYDOCK_PHASE=before_disrupt",
        "TOKEN=canary-of-the-token",
        "two words; and $HOME",
    ] {
        assert!(seen.lines().any(|l| l == line), "no {line} in {seen}");
    }
    assert_eq!(seen.lines().last().unwrap(), place.folder.path().canonicalize().unwrap().display().to_string());
}

#[tokio::test]
async fn a_hook_that_fails_says_why_and_shows_no_secret() {
    let place = Place::new("echo cannot drain >&2; echo $TOKEN; exit 3");
    let error = place.driver.begin(&call(&hook(), false)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Failed);
    assert_eq!(
        error.message,
        "hook `drain` does not let destroy_node of node.n1 begin: ./hook.sh ended with exit status: 3: ***\ncannot drain"
    );
    let after = RunHook { phase: HookPhase::AfterHealthy, ..hook() };
    let error = place.driver.begin(&call(&after, false)).await.unwrap_err();
    assert!(error.message.starts_with("hook `drain` does not find node.n1 in order after destroy_node: "), "{error}");
}

#[tokio::test]
async fn only_the_end_of_much_output_is_kept_and_no_part_of_a_secret() {
    // The kept end begins within the secret.
    let place = Place::new("head -c 9000 /dev/zero | tr '\\0' x; printf %s \"$TOKEN\"; head -c 4090 /dev/zero | tr '\\0' y; exit 1");
    let error = place.driver.begin(&call(&hook(), false)).await.unwrap_err();
    assert!(error.message.len() < 2_300 && error.message.ends_with("yyy"), "{error}");
    assert!(!error.message.contains("-token") && !error.message.contains("oken"), "{error}");
}

#[tokio::test]
async fn a_hook_is_killed_at_its_time_limit_with_its_children() {
    let place = Place::new("sleep 1000 & echo $! > child; wait");
    let error = place.driver.begin(&call(&RunHook { limit_s: 1, ..hook() }, false)).await.unwrap_err();
    assert!(error.class == ErrorClass::Failed && error.message.ends_with("was killed after 1 s, its time limit"), "{error}");
    let child = std::fs::read_to_string(place.folder.path().join("child")).unwrap();
    let stat = format!("/proc/{}/stat", child.trim());
    for _ in 0..200 {
        if std::fs::read_to_string(&stat).map_or(true, |s| s.rsplit(')').next().unwrap_or_default().trim().starts_with('Z')) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("process {child} is still there");
}

#[tokio::test]
async fn a_hook_that_was_cut_off_runs_again_only_where_it_may() {
    let place = Place::new("true");
    let Observation::Unknown(why) = place.see(&call(&hook(), true)).await else { panic!() };
    assert!(why.contains("not `repeatable`") && why.contains("drydock runs confirm RUN node.n1"), "{why}");
    let repeatable = RunHook { repeatable: true, ..hook() };
    assert_eq!(place.see(&call(&repeatable, true)).await, Observation::NotStarted);
    // Somebody looked.
    *place.confirmed.0.lock().unwrap() = Some("ops@host".to_owned());
    let Observation::Done { outputs } = place.see(&call(&hook(), true)).await else { panic!() };
    assert_eq!(outputs["confirmed_by"], "ops@host");
}

#[tokio::test]
async fn what_cannot_be_run_is_a_matter_of_the_settings() {
    let place = Place::new("true");
    for (argv, says) in [("no-such-program-here", "is not there"), ("./", "cannot be run")] {
        let error = place.driver.begin(&call(&RunHook { argv: vec![argv.to_owned()], ..hook() }, false)).await.unwrap_err();
        assert!(error.class == ErrorClass::Settings && error.message.contains(says), "{error}");
    }
    let other = RunHook { environment: vec!["OTHER".to_owned()], ..hook() };
    let error = place.driver.begin(&call(&other, false)).await.unwrap_err();
    assert!(error.class == ErrorClass::Settings && error.message.contains("needs the variable OTHER"), "{error}");
}
