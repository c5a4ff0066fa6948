//! Who we are to a BMC: credentials, sessions, rights.

use super::*;

#[tokio::test]
async fn wrong_credentials_say_whose_and_never_show_them() {
    let site = site(|seen, _| (seen.line != "GET /redfish/v1/").then(|| bare(401, "password hunter2 is wrong"))).await;
    let error = site.driver.interrogate("n1").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Credentials);
    assert_eq!(error.message, "node n1, BMC 10.0.0.1: the BMC refuses the credentials of user admin");
    assert!(error.hint.unwrap().contains("node n1's BMC"));
    assert!(!format!("{:?}", site.driver).contains("hunter2"));
}

#[tokio::test]
async fn too_few_rights_are_told_apart_from_wrong_credentials() {
    let body = json!({ "error": { "@Message.ExtendedInfo": [{ "MessageId": "Base.1.8.InsufficientPrivilege", "Message": "no right, hunter2" }] } });
    let site = site(move |seen, _| seen.line.starts_with("POST").then(|| reply(403, &body))).await;
    let error = site.driver.begin(&on()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Credentials);
    assert!(error.message.ends_with("answered 403 Forbidden: no right, ***"), "{error}");
    assert!(error.hint.unwrap().contains("Operator"));
}

#[tokio::test]
async fn an_expired_session_is_renewed_and_the_last_one_is_ended() {
    let site = site(sessions(3)).await;
    site.driver.interrogate("n1").await.unwrap();
    assert_eq!(site.driver.begin(&on()).await, Ok(Begun::Wait { reason: "power on is not confirmed yet".to_owned() }));
    site.driver.close().await;
    assert_eq!(site.effects(), ["POST /sessions", &post("On"), "POST /sessions", &post("On"), "DELETE /sessions/2"]);
    site.driver.close().await;
    assert_eq!(site.effects().len(), 5, "there is no session any more");
}

#[tokio::test]
async fn a_session_that_is_never_good_is_given_up() {
    let site = site(sessions(0)).await;
    let error = site.driver.interrogate("n1").await.unwrap_err();
    assert_eq!((error.class, site.effects().len()), (ErrorClass::Credentials, 2));
}

#[tokio::test]
async fn without_a_free_session_the_password_serves() {
    let mut full = sessions(9);
    let site = site(move |seen, system| match seen.line.as_str() {
        "POST /sessions" => Some(reply(503, &json!({ "error": { "code": "Base.1.8.SessionLimitExceeded" } }))),
        "GET /redfish/v1/" => full(seen, system),
        _ => None,
    })
    .await;
    assert_eq!(site.driver.interrogate("n1").await.unwrap().uuid.as_deref(), Some(UUID));
    assert_eq!(site.effects(), ["POST /sessions"]);
}
