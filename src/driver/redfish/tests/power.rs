//! Power: busy BMCs, late and missing effects, what is offered.

use super::*;

#[tokio::test]
async fn a_bmc_that_is_busy_says_so_in_many_ways() {
    let registry = json!({ "error": { "code": "Base.1.8.GeneralError", "message": "see", "@Message.ExtendedInfo": [
        { "MessageId": "iLO.2.14.UnableToModifyDuringSystemPOST", "Message": "not during POST" } ] } });
    let cases = [
        (503, "\"\"".to_owned(), ErrorClass::NotReady),
        (429, String::new(), ErrorClass::NotReady),
        (409, String::new(), ErrorClass::Busy),
        (400, registry.to_string(), ErrorClass::NotReady),
        (500, "\"The service is busy, try again\"".to_owned(), ErrorClass::NotReady),
        (500, "oops".to_owned(), ErrorClass::Transient),
        (400, "{}".to_owned(), ErrorClass::Rejected),
    ];
    for (code, body, class) in cases {
        let shown = format!("{code} {body}");
        let site = site(move |seen, _| seen.line.starts_with("POST").then(|| bare(code, &body))).await;
        assert_eq!(site.driver.begin(&on()).await.unwrap_err().class, class, "{shown}");
        assert_eq!(site.effects().len(), 1, "an effect is not repeated here: {shown}");
    }
}

#[tokio::test]
async fn nothing_is_ordered_that_is_there_already_or_under_way() {
    let site = site(plain).await;
    assert_eq!(site.driver.begin(&off(0)).await, Ok(Begun::Complete));
    for (state, call) in [("PoweringOn", on()), ("PoweringOff", off(0)), ("PoweringOff", on())] {
        site.set("PowerState", json!(state));
        assert!(matches!(site.driver.begin(&call).await, Ok(Begun::Wait { .. })), "{state}");
        assert!(is_in_progress(&site.observe(&call).await), "{state}");
    }
    site.set("PowerState", json!("On"));
    assert_eq!(site.driver.begin(&on()).await, Ok(Begun::Complete));
    assert_eq!(site.effects(), [""; 0]);
}

#[tokio::test]
async fn a_late_confirmation_is_waited_for() {
    let site = site(deaf).await;
    assert_eq!(site.observe(&on()).await, Ok(Observation::NotStarted));
    site.driver.begin(&on()).await.unwrap();
    assert!(is_in_progress(&site.observe(&on()).await));
    site.driver.begin(&on()).await.unwrap();
    assert_eq!(site.effects(), [post("On")], "not ordered twice within the time it may take");
    site.set("PowerState", json!("On"));
    assert_eq!(site.observe(&on()).await, Ok(Observation::done()));
}

#[tokio::test]
async fn an_order_that_had_no_effect_is_given_again() {
    let site = site_with(at_once(), deaf).await;
    for n in 1..3 {
        site.driver.begin(&on()).await.unwrap();
        assert_eq!(site.effects(), vec![post("On"); n]);
        let mut again = on();
        again.begun = true;
        assert_eq!(site.observe(&again).await, Ok(Observation::NotStarted));
    }
}

#[tokio::test]
async fn a_graceful_shutdown_gets_its_time() {
    let site = site(deaf).await;
    site.set("PowerState", json!("On"));
    site.driver.begin(&off(3600)).await.unwrap();
    assert_eq!(
        site.observe(&off(3600)).await,
        Ok(Observation::InProgress { detail: "the operating system was asked to shut down".to_owned() })
    );
    site.driver.begin(&off(3600)).await.unwrap();
    assert_eq!(site.effects(), [post("GracefulShutdown")]);
}

#[tokio::test]
async fn a_graceful_shutdown_whose_time_is_over_is_forced() {
    let site = site(|seen, _| (seen.body["ResetType"] == "GracefulShutdown").then(|| bare(204, ""))).await;
    site.set("PowerState", json!("On"));
    site.driver.begin(&off(1)).await.unwrap();
    while is_in_progress(&site.observe(&off(1)).await) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(site.observe(&off(1)).await, Ok(Observation::NotStarted));
    site.driver.begin(&off(1)).await.unwrap();
    assert_eq!(site.effects(), [post("GracefulShutdown"), post("ForceOff")]);
    assert_eq!(site.observe(&off(1)).await, Ok(Observation::done()));
}

#[tokio::test]
async fn how_a_machine_is_switched_off_depends_on_what_is_offered() {
    let cases: [(&[&str], u32, &[&str]); 6] = [
        (&["On", "ForceOff", "GracefulShutdown"], 0, &["ForceOff"]),
        (&["On", "ForceOff", "GracefulShutdown"], 60, &["GracefulShutdown"]),
        (&["On", "ForceOff"], 60, &["ForceOff"]),
        (&["On", "GracefulShutdown"], 0, &["GracefulShutdown"]),
        (&["On", "PushPowerButton"], 60, &[]),
        (&[], 60, &["GracefulShutdown"]),
    ];
    for (offered, graceful, expected) in cases {
        let site = site(deaf).await;
        site.set("PowerState", json!("On"));
        site.bmc.lock().unwrap().system["Actions"]["#ComputerSystem.Reset"]["ResetType@Redfish.AllowableValues"] = json!(offered);
        let begun = site.driver.begin(&off(graceful)).await;
        assert_eq!(site.effects(), expected.iter().map(|k| post(k)).collect::<Vec<_>>(), "{offered:?}");
        if expected.is_empty() {
            assert!(begun.unwrap_err().message.ends_with("offers no way to switch off; it offers On, PushPowerButton"));
        }
    }
}

#[tokio::test]
async fn a_shutdown_that_is_offered_and_refused_is_forced() {
    let site = site(|seen, _| (seen.body["ResetType"] == "GracefulShutdown").then(|| bare(501, ""))).await;
    site.set("PowerState", json!("On"));
    site.driver.begin(&off(60)).await.unwrap();
    assert_eq!(site.effects(), [post("GracefulShutdown"), post("ForceOff")]);
}

#[tokio::test]
async fn reset_types_may_stand_elsewhere() {
    let site = site(|seen, system| {
        system["Actions"]["#ComputerSystem.Reset"] = json!({ "target": RESET, "@Redfish.ActionInfo": "/info" });
        let parameters = json!([{ "Name": "Other" }, { "Name": "ResetType", "AllowableValues": ["ForceOn", "ForceOff"] }]);
        (seen.line == "GET /info").then(|| reply(200, &json!({ "Parameters": parameters })))
    })
    .await;
    assert_eq!(site.driver.interrogate("n1").await.unwrap().reset_types, ["ForceOff", "ForceOn"]);
    site.driver.begin(&on()).await.unwrap();
    assert_eq!(site.effects(), [post("ForceOn")]);
}

#[tokio::test]
async fn the_wrong_machine_is_not_touched() {
    let site = site(plain).await;
    let mut call = on();
    call.binding.serial = Some("XYZ".to_owned());
    for error in [site.observe(&call).await.unwrap_err(), site.driver.begin(&call).await.unwrap_err()] {
        assert_eq!(error.class, ErrorClass::Precondition);
        assert!(error.message.ends_with("the BMC reports serial ABC123, the node is bound to XYZ"), "{error}");
    }
    assert_eq!(site.effects(), [""; 0]);
}

#[tokio::test]
async fn a_machine_that_was_started_since_it_was_to_be_switched_off_is_nobodys_guess() {
    let site = site(plain).await;
    site.set("PowerState", json!("On"));
    site.set("LastResetTime", json!("2026-01-02T00:00:00Z"));
    let with = |begun: bool, before: Option<&str>| Call { begun, before: before.map(str::to_owned), ..off(0) };
    for (call, expected) in [
        (with(true, Some("2026-01-02T00:00:00Z")), true),
        (with(true, None), true),
        // What an intent of nobody says counts for nothing.
        (with(false, Some("2026-01-01T00:00:00Z")), true),
        (with(true, Some("2026-01-01T00:00:00Z")), false),
    ] {
        let seen = site.observe(&call).await.unwrap();
        assert_eq!(seen == Observation::NotStarted, expected, "{call:?}");
        assert_eq!(matches!(&seen, Observation::Unknown(why) if why.contains("was last started at 2026-01-02")), !expected, "{seen:?}");
    }
    site.set("PowerState", json!("Off"));
    assert_eq!(site.observe(&with(true, Some("2026-01-01T00:00:00Z"))).await.unwrap(), Observation::done());
}
