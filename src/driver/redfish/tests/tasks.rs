//! What a BMC accepts and does later, or not at all; and when it wants to be left alone.

use super::*;

/// Accepts resets as a task that its monitor shows as `answers`, one after the other.
fn tasked(mut answers: Vec<Reply>) -> impl FnMut(&Seen, &mut Value) -> Option<Reply> + Send {
    answers.reverse();
    move |seen, _| match seen.line.as_str() {
        "GET /monitors/7" => Some(answers.pop().expect("not asked any more")),
        line if line.starts_with("POST") => {
            Some(reply(202, &json!({ "TaskState": "New" })).header("Location", "https://bmc.internal/monitors/7"))
        }
        _ => None,
    }
}

fn running(percent: u32) -> Reply {
    reply(202, &json!({ "TaskState": "Running", "PercentComplete": percent }))
}

#[tokio::test]
async fn a_task_is_in_progress_for_as_long_as_it_runs() {
    let answers = vec![running(10), running(50), running(90), bare(204, "")];
    let site = site_with(at_once(), tasked(answers)).await;
    site.driver.begin(&on()).await.unwrap();
    // The time after which an order is given again is over at once.
    let detail = |text: &str| Ok(Observation::InProgress { detail: text.to_owned() });
    assert_eq!(site.observe(&on()).await, detail("the BMC works on reset On: running, 10 %"));
    assert_eq!(site.driver.begin(&on()).await, Ok(Begun::Wait { reason: "the BMC works on reset On: running, 50 %".to_owned() }));
    site.set("PowerState", json!("On"));
    assert_eq!(site.observe(&on()).await, Ok(Observation::done()), "the state counts");
    assert_eq!(site.effects(), [post("On")], "nothing is ordered while it works");
    site.set("PowerState", json!("Off"));
    assert_eq!(site.observe(&on()).await, Ok(Observation::NotStarted), "the task has ended");
}

#[tokio::test]
async fn a_task_that_fails_says_why() {
    let ended = json!({ "TaskState": "Exception", "Messages": [{ "Message": "No power supply." }] });
    for (answer, said) in [
        (reply(200, &ended), "the BMC's task for reset On ended as Exception: No power supply."),
        (reply(500, &json!({ "error": { "message": "Short circuit." } })), "reset On failed: Short circuit."),
    ] {
        let site = site(tasked(vec![answer])).await;
        site.driver.begin(&on()).await.unwrap();
        let Ok(Observation::Failed(error)) = site.observe(&on()).await else { panic!("{said}") };
        assert_eq!((error.class, error.message), (ErrorClass::Failed, format!("node n1, BMC 10.0.0.1: {said}")));
        assert_eq!(site.observe(&on()).await, Ok(Observation::NotStarted), "and may be begun again");
        assert_eq!(site.effects(), [post("On")]);
    }
}

#[tokio::test]
async fn a_task_without_a_monitor_is_asked_itself() {
    let mut asked = 0;
    let site = site(move |seen, system| match seen.line.as_str() {
        "GET /tasks/3" => {
            asked += 1;
            system["PowerState"] = json!(if asked == 2 { "On" } else { "Off" });
            Some(reply(200, &json!({ "TaskState": if asked == 2 { "Completed" } else { "Pending" } })))
        }
        line if line.starts_with("POST") => Some(reply(202, &json!({ "@odata.id": "/tasks/3", "TaskState": "New" }))),
        _ => None,
    })
    .await;
    site.driver.begin(&on()).await.unwrap();
    assert!(is_in_progress(&site.observe(&on()).await));
    assert_eq!(site.observe(&on()).await, Ok(Observation::done()));
}

#[tokio::test]
async fn what_cannot_be_switched_off_is_reset_and_the_last_reset_tells() {
    for kind in ["PowerCycle", "ForceRestart"] {
        let site = site(deaf).await;
        site.set("PowerState", json!("On"));
        site.set("LastResetTime", json!("2026-01-01T00:00:00Z"));
        site.bmc.lock().unwrap().system["Actions"]["#ComputerSystem.Reset"]["ResetType@Redfish.AllowableValues"] = json!(["On", kind]);
        let begun = site.driver.begin(&off(0)).await;
        assert_eq!(begun, Ok(Begun::Wait { reason: "the machine cannot be switched off, and was reset instead".to_owned() }));
        assert_eq!(site.effects(), [post(kind)]);
        assert!(is_in_progress(&site.observe(&off(0)).await), "it has not been reset yet");
        site.set("LastResetTime", json!("2026-01-02T00:00:00Z"));
        assert_eq!(site.observe(&off(0)).await, Ok(Observation::done()));
    }
}

#[tokio::test]
async fn a_reset_that_does_not_show_is_not_repeated_and_not_believed() {
    let site = site_with(at_once(), deaf).await;
    site.set("PowerState", json!("On"));
    site.bmc.lock().unwrap().system["Actions"]["#ComputerSystem.Reset"]["ResetType@Redfish.AllowableValues"] = json!(["On", "PowerCycle"]);
    site.driver.begin(&off(0)).await.unwrap();
    let Ok(Observation::Failed(error)) = site.observe(&off(0)).await else { panic!() };
    assert_eq!(error.class, ErrorClass::Inconclusive);
    assert!(error.message.ends_with("was reset instead, and its last reset time does not show that"), "{error}");
    assert_eq!(site.effects(), [post("PowerCycle")]);
}

#[tokio::test]
async fn a_bmc_that_says_for_how_long_is_left_alone() {
    let site = site(|seen, _| seen.line.starts_with("POST").then(|| bare(503, "").header("Retry-After", "120"))).await;
    let error = site.driver.begin(&on()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::NotReady);
    let asked = site.requests();
    for error in [site.driver.begin(&on()).await.unwrap_err(), site.observe(&on()).await.unwrap_err()] {
        assert_eq!(error.class, ErrorClass::NotReady);
        assert!(error.message.contains("busy and asks to be left alone for another 1"), "{error}");
    }
    assert_eq!(site.requests(), asked, "no request at all");
}

/// A BMC with room for one session and a slow login.
fn slow_login(pause: Duration) -> impl FnMut(&Seen, &mut Value) -> Option<Reply> + Send {
    let mut inner = sessions(100);
    let mut open = false;
    move |seen, system| {
        if seen.line == "POST /sessions" {
            std::thread::sleep(pause);
            if open {
                return Some(bare(503, ""));
            }
            open = true;
        } else if seen.line.starts_with("DELETE /sessions/") {
            open = false;
        }
        inner(seen, system)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_login_that_nobody_waits_for_leaves_no_session_behind() {
    let limit = RedfishOptions { observe_limit: Duration::from_millis(50), ..options() };
    let site = site_with(limit, slow_login(Duration::from_millis(400))).await;
    assert!(site.observe(&on()).await.unwrap_err().message.ends_with("did not tell its state within 0.05 s"));
    for _ in 0..200 {
        if site.effects().len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(site.effects(), ["POST /sessions", "DELETE /sessions/1"]);
    assert_eq!(site.driver.interrogate("n1").await.unwrap().uuid.as_deref(), Some(UUID));
    assert_eq!(site.effects().len(), 3, "the room that was left is used");
}

#[tokio::test]
async fn systems_of_one_bmc_share_its_session() {
    let mut inner = sessions(100);
    let site = site(move |seen, system| match seen.line.as_str() {
        "GET /redfish/v1/Systems/" => {
            let members = json!([{ "@odata.id": SYSTEM }, { "@odata.id": "/redfish/v1/Systems/Two" }]);
            inner(seen, system).or_else(|| Some(reply(200, &json!({ "Members": members }))))
        }
        "GET /redfish/v1/Systems/Two" => inner(seen, system).or_else(|| Some(reply(200, &json!({ "PowerState": "On" })))),
        _ => inner(seen, system),
    })
    .await;
    let at = |node: &str, path: &str| BmcEndpoint { node: node.to_owned(), ..endpoint(&format!("{}{path}", site.url)) };
    let driver = RedfishDriver::new(vec![at("n1", SYSTEM), at("n2", "/redfish/v1/Systems/Two")], options()).unwrap();
    assert_eq!(driver.interrogate("n1").await.unwrap().power, PowerState::Off);
    assert_eq!(driver.interrogate("n2").await.unwrap().power, PowerState::On);
    driver.close().await;
    assert_eq!(site.effects(), ["POST /sessions", "DELETE /sessions/1"]);
}

/// The most requests at once that one BMC with four systems gets from a driver that reads them all.
async fn most_at_once(per_bmc: usize) -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let router = Router::new().fallback(move |request: Request| {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(10)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            let members: Vec<Value> = (0..4).map(|n| json!({ "@odata.id": format!("/redfish/v1/Systems/{n}") })).collect();
            let body = match request.uri().path() {
                "/redfish/v1/" => json!({ "Systems": { "@odata.id": "/redfish/v1/Systems" } }),
                "/redfish/v1/Systems" => json!({ "Members": members }),
                _ => json!({ "PowerState": "On" }),
            };
            Response::builder().status(200).body(Body::from(body.to_string())).unwrap()
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let systems = (0..4).map(|n| BmcEndpoint { node: format!("n{n}"), ..endpoint(&format!("{url}/redfish/v1/Systems/{n}")) });
    let driver = Arc::new(RedfishDriver::new(systems.collect(), RedfishOptions { per_bmc, ..options() }).unwrap());
    let mut reads = tokio::task::JoinSet::new();
    for n in 0..4 {
        let driver = Arc::clone(&driver);
        reads.spawn(async move { driver.interrogate(&format!("n{n}")).await.unwrap().power });
    }
    assert_eq!(reads.join_all().await, vec![PowerState::On; 4]);
    seen.load(Ordering::SeqCst)
}

#[tokio::test]
async fn a_bmc_of_several_systems_has_as_many_requests_at_once_as_are_set() {
    assert_eq!((most_at_once(1).await, most_at_once(2).await), (1, 2));
}
