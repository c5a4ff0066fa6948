//! What an operator is told, and when an action is done.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::{Confirmations, ManualDriver, ManualNode};
use crate::action::ActionKind;
use crate::build::Binding;
use crate::driver::{Begun, Call, Driver, ErrorClass, Observation, OobDriver};

#[derive(Default)]
struct Book {
    confirmed: Mutex<BTreeMap<String, String>>,
    broken: Mutex<bool>,
}

#[async_trait::async_trait]
impl Confirmations for Book {
    async fn confirmed(&self, action: &str) -> Result<Option<String>, String> {
        if *self.broken.lock().unwrap() {
            return Err("the state is locked".to_owned());
        }
        Ok(self.confirmed.lock().unwrap().get(action).cloned())
    }

    async fn command(&self, node: &str) -> String {
        format!("drydock runs confirm r-1 node.{node}")
    }
}

fn call(kind: ActionKind, params: serde_json::Value, begun: bool) -> Call {
    Call {
        action: "a1".into(),
        site: "s".into(),
        kind,
        resource: "node.n1/power".into(),
        node: Some("n1".into()),
        params,
        binding: Binding::default(),
        begun,
        before: None,
    }
}

#[tokio::test]
async fn an_action_waits_for_its_confirmation_and_says_what_to_do() {
    let book = Arc::new(Book::default());
    let node = ManualNode { node: "n1".into(), rack: Some("r7".into()), address: None, boot_mac: Some("52:54:00:00:00:01".into()) };
    let driver = ManualDriver::new(vec![node], Arc::clone(&book) as Arc<dyn Confirmations>);
    for (kind, params, words) in [
        (
            ActionKind::SetNodeBoot,
            serde_json::json!({"target": "pxe"}),
            "let n1 (rack r7, boot MAC 52:54:00:00:00:01) boot from the network",
        ),
        (ActionKind::PowerOnNode, serde_json::json!({"graceful_s": 0}), "switch n1 (rack r7"),
        (ActionKind::PowerOffNode, serde_json::json!({"graceful_s": 120}), "shut down what runs on n1"),
    ] {
        let first = call(kind, params.clone(), false);
        assert_eq!(driver.observe(std::slice::from_ref(&first)).await[0], Ok(Observation::NotStarted));
        let Begun::Wait { reason } = driver.begin(&first).await.unwrap() else { panic!("it waits") };
        assert!(reason.contains(words) && reason.ends_with("then: drydock runs confirm r-1 node.n1"), "{reason}");
        let begun = call(kind, params, true);
        assert_eq!(driver.observe(&[begun]).await[0], Ok(Observation::InProgress { detail: reason }));
    }
    book.confirmed.lock().unwrap().insert("a1".into(), "ops@desk".into());
    let on = call(ActionKind::PowerOnNode, serde_json::json!({"graceful_s": 0}), true);
    let outputs = BTreeMap::from([("confirmed_by".to_owned(), "ops@desk".to_owned())]);
    assert_eq!(driver.observe(std::slice::from_ref(&on)).await[0], Ok(Observation::Done { outputs }));
    // What cannot be read is neither done nor refused.
    *book.broken.lock().unwrap() = true;
    assert_eq!(driver.observe(&[on]).await[0].as_ref().unwrap_err().class, ErrorClass::Transient);
    assert_eq!(driver.interrogate("n2").await.unwrap_err().class, ErrorClass::Rejected);
    let deploy = call(ActionKind::DeployNode, serde_json::json!({}), false);
    assert_eq!(driver.begin(&deploy).await.unwrap_err().class, ErrorClass::Bug);
}
