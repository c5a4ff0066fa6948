mod boot;
mod login;
mod parts;
mod power;
mod tasks;
mod vendors;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use serde_json::{Value, json};

use super::{RedfishDriver, RedfishOptions};
use crate::action::ActionKind;
use crate::action::params::{BootTarget, PowerParams, SetNodeBoot};
use crate::build::{Binding, BootEnabled, PowerState};
use crate::driver::http::HttpOptions;
use crate::driver::{Begun, BmcEndpoint, Call, Driver, DriverError, ErrorClass, Observation, OobDriver};
use crate::redact::Secret;

const SYSTEM: &str = "/redfish/v1/Systems/Self";
const RESET: &str = "/redfish/v1/Systems/Self/Actions/ComputerSystem.Reset";
const UUID: &str = "4c4c4544-0051-3510-8057-b4c04f4a4d32";

/// A request as the BMC sees it.
struct Seen {
    /// `GET /path`.
    line: String,
    body: Value,
    token: Option<String>,
    basic: bool,
    if_match: Option<String>,
}

/// What the BMC answers.
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

fn reply(status: u16, body: &Value) -> Reply {
    Reply { status, headers: Vec::new(), body: body.to_string() }
}

fn bare(status: u16, body: &str) -> Reply {
    Reply { status, headers: Vec::new(), body: body.to_owned() }
}

impl Reply {
    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// What a BMC does differently; it may change the system on the way.
type Oddity = Box<dyn FnMut(&Seen, &mut Value) -> Option<Reply> + Send>;

/// A BMC that can be made odd: the rules are asked first, then it answers as a plain one.
struct Bmc {
    system: Value,
    /// Lines of all requests.
    log: Vec<String>,
    /// Bodies of `PATCH` requests.
    patched: Vec<Value>,
    odd: Oddity,
}

impl Bmc {
    fn answer(&mut self, seen: &Seen) -> Reply {
        let shown = match seen.body.get("ResetType").and_then(Value::as_str) {
            Some(kind) => format!("{} {kind}", seen.line),
            None => seen.line.clone(),
        };
        self.log.push(shown);
        if seen.line.starts_with("PATCH") {
            self.patched.push(seen.body.clone());
        }
        if let Some(reply) = (self.odd)(seen, &mut self.system) {
            return reply;
        }
        match seen.line.as_str() {
            "GET /redfish/v1/" => reply(200, &json!({ "Systems": { "@odata.id": "/redfish/v1/Systems/" } })),
            _ if !seen.basic && seen.token.is_none() => bare(401, "who are you"),
            "GET /redfish/v1/Systems/" => reply(200, &json!({ "Members": [{ "@odata.id": SYSTEM }] })),
            "GET /redfish/v1/Systems/Self" => reply(200, &self.system),
            "PATCH /redfish/v1/Systems/Self" => {
                for (key, value) in seen.body["Boot"].as_object().unwrap() {
                    self.system["Boot"][key] = value.clone();
                }
                bare(204, "")
            }
            line if line == format!("POST {RESET}") => {
                match seen.body["ResetType"].as_str().unwrap() {
                    "On" | "ForceOn" => self.system["PowerState"] = json!("On"),
                    "ForceOff" => self.system["PowerState"] = json!("Off"),
                    _ => {}
                }
                bare(204, "")
            }
            _ => reply(404, &json!({ "error": { "code": "Base.1.8.ResourceMissingAtURI", "message": "no such thing" } })),
        }
    }
}

/// A running BMC and a driver of it as node `n1`.
struct Site {
    bmc: Arc<Mutex<Bmc>>,
    driver: RedfishDriver,
    url: String,
}

fn options() -> RedfishOptions {
    RedfishOptions {
        http: HttpOptions { backoff: Duration::from_millis(1), ..RedfishOptions::default().http },
        confirm_pause: Duration::ZERO,
        ..RedfishOptions::default()
    }
}

fn at_once() -> RedfishOptions {
    RedfishOptions { settle: Duration::ZERO, ..options() }
}

async fn site_with(options: RedfishOptions, odd: impl FnMut(&Seen, &mut Value) -> Option<Reply> + Send + 'static) -> Site {
    let system = json!({
        "Name": "System", "UUID": UUID.to_uppercase(), "SerialNumber": " ABC123 ", "PowerState": "Off",
        "Boot": {
            "BootSourceOverrideEnabled": "Disabled", "BootSourceOverrideTarget": "None",
            "BootSourceOverrideTarget@Redfish.AllowableValues": ["None", "Pxe", "Hdd"],
        },
        "Actions": { "#ComputerSystem.Reset": {
            "target": RESET, "ResetType@Redfish.AllowableValues": ["On", "ForceOff", "GracefulShutdown", "PushPowerButton"],
        } },
    });
    let bmc = Arc::new(Mutex::new(Bmc { system, log: Vec::new(), patched: Vec::new(), odd: Box::new(odd) }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let shared = Arc::clone(&bmc);
    let router = Router::new().fallback(move |request: Request| {
        let bmc = Arc::clone(&shared);
        async move {
            let (parts, body) = request.into_parts();
            let bytes = to_bytes(body, 1 << 20).await.unwrap();
            let header = |name: &str| parts.headers.get(name).map(|v| v.to_str().unwrap().to_owned());
            let seen = Seen {
                line: format!("{} {}", parts.method, parts.uri),
                body: serde_json::from_slice(&bytes).unwrap_or_default(),
                token: header("x-auth-token"),
                basic: header("authorization").as_deref() == Some("Basic YWRtaW46aHVudGVyMg=="),
                if_match: header("if-match"),
            };
            let reply = bmc.lock().unwrap().answer(&seen);
            let mut response = Response::builder().status(reply.status);
            for (name, value) in reply.headers {
                response = response.header(name, value);
            }
            response.body(Body::from(reply.body)).unwrap()
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    let driver = RedfishDriver::new(vec![endpoint(&url)], options).unwrap();
    Site { bmc, driver, url }
}

async fn site(odd: impl FnMut(&Seen, &mut Value) -> Option<Reply> + Send + 'static) -> Site {
    site_with(options(), odd).await
}

fn endpoint(url: &str) -> BmcEndpoint {
    BmcEndpoint {
        node: "n1".to_owned(),
        address: "10.0.0.1".to_owned(),
        url: url.to_owned(),
        username: "admin".to_owned(),
        password: Secret::new("hunter2"),
    }
}

fn plain(_: &Seen, _: &mut Value) -> Option<Reply> {
    None
}

fn call(kind: ActionKind, params: impl serde::Serialize) -> Call {
    Call {
        action: format!("{kind}-1"),
        site: "s".to_owned(),
        kind,
        resource: "node.n1".to_owned(),
        node: Some("n1".to_owned()),
        params: serde_json::to_value(params).unwrap(),
        binding: Binding::default(),
        begun: false,
        before: None,
    }
}

fn on() -> Call {
    call(ActionKind::PowerOnNode, PowerParams { graceful_s: 0 })
}

fn off(graceful_s: u32) -> Call {
    call(ActionKind::PowerOffNode, PowerParams { graceful_s })
}

fn boot(target: BootTarget) -> Call {
    call(ActionKind::SetNodeBoot, SetNodeBoot { target })
}

impl Site {
    async fn observe(&self, call: &Call) -> Result<Observation, DriverError> {
        self.driver.observe(std::slice::from_ref(call)).await.remove(0)
    }

    fn set(&self, key: &str, value: Value) {
        self.bmc.lock().unwrap().system[key] = value;
    }

    /// The effects so far: everything but reads.
    fn effects(&self) -> Vec<String> {
        self.bmc.lock().unwrap().log.iter().filter(|l| !l.starts_with("GET")).cloned().collect()
    }

    fn requests(&self) -> usize {
        self.bmc.lock().unwrap().log.len()
    }
}

fn is_in_progress(seen: &Result<Observation, DriverError>) -> bool {
    matches!(seen, Ok(Observation::InProgress { .. }))
}

fn post(kind: &str) -> String {
    format!("POST {RESET} {kind}")
}

/// Accepts every order and does not carry it out.
fn deaf(seen: &Seen, _: &mut Value) -> Option<Reply> {
    seen.line.starts_with("POST").then(|| bare(202, ""))
}

/// A BMC with sessions; a token is good for some requests.
fn sessions(good_for: usize) -> impl FnMut(&Seen, &mut Value) -> Option<Reply> + Send {
    let (mut given, mut left) = (0, 0);
    move |seen, _| {
        match seen.line.as_str() {
            "GET /redfish/v1/" => {
                let links = json!({ "Sessions": { "@odata.id": "/sessions" } });
                return Some(reply(200, &json!({ "Systems": { "@odata.id": "/redfish/v1/Systems/" }, "Links": links })));
            }
            "POST /sessions" => {
                assert_eq!(seen.body, json!({ "UserName": "admin", "Password": "hunter2" }));
                (given, left) = (given + 1, good_for);
                let location = format!("https://bmc.internal/sessions/{given}");
                return Some(reply(201, &json!({})).header("X-Auth-Token", &format!("t{given}")).header("Location", &location));
            }
            line if line.starts_with("DELETE /sessions/") => return Some(bare(204, "")),
            _ => {}
        }
        assert!(!seen.basic, "no password where there is a session");
        if seen.token != Some(format!("t{given}")) || left == 0 {
            return Some(bare(401, ""));
        }
        left -= 1;
        None
    }
}

#[tokio::test]
async fn a_bmc_that_leaves_things_out_is_read_all_the_same() {
    let site = site(|seen, system| {
        *system = json!({ "UUID": UUID, "SerialNumber": "To be filled by O.E.M.", "PowerState": null, "Boot": {}, "Status": null });
        assert!(!seen.line.contains("Ethernet"));
        None
    })
    .await;
    let bmc = site.driver.interrogate("n1").await.unwrap();
    assert_eq!((bmc.system.as_str(), bmc.uuid.as_deref(), bmc.serial), (SYSTEM, Some(UUID), None));
    assert_eq!((bmc.power, bmc.boot, bmc.health), (PowerState::Unknown, None, None));
    assert_eq!((bmc.macs.len(), bmc.reset_types.len()), (0, 0));
    assert_eq!(site.observe(&on()).await.unwrap_err().class, ErrorClass::NotReady);
    assert_eq!(site.driver.begin(&on()).await.unwrap_err().class, ErrorClass::NotReady);
}

#[tokio::test]
async fn nics_are_read_over_pages_and_odd_ones_are_left_out() {
    let site = site(|seen, system| {
        system["EthernetInterfaces"] = json!({ "@odata.id": "/nics/" });
        Some(match seen.line.as_str() {
            "GET /nics/" => reply(
                200,
                &json!({ "Members": [{ "@odata.id": "/nics/1" }, { "@odata.id": "/nics/2/" }], "Members@odata.nextLink": "/nics/?$skip=2" }),
            ),
            // The second page leads to itself and carries a whole resource.
            "GET /nics/?$skip=2" => reply(
                200,
                &json!({ "Members": [{ "@odata.id": "/nics/3", "MACAddress": "aabb.ccdd.ee01" }, { "@odata.id": "/nics/4" }],
                         "Members@odata.nextLink": "/nics/?$skip=2" }),
            ),
            "GET /nics/1" => reply(200, &json!({ "MACAddress": "02:00:00:00:00:01", "PermanentMACAddress": "AA-BB-CC-DD-EE-FF" })),
            "GET /nics/2/" => reply(200, &json!({ "MACAddress": "00:00:00:00:00:00", "PermanentMACAddress": null })),
            "GET /nics/4" => bare(501, ""),
            _ => return None,
        })
    })
    .await;
    assert_eq!(site.driver.interrogate("n1").await.unwrap().macs, ["aa:bb:cc:dd:ee:01", "aa:bb:cc:dd:ee:ff"]);
}

#[tokio::test]
async fn nics_are_read_for_the_identity_only_where_nothing_else_tells_it() {
    let site = site(|seen, system| {
        system["EthernetInterfaces"] = json!({ "@odata.id": "/nics" });
        let nics = json!({ "Members": [{ "@odata.id": "/nics/1", "MACAddress": "aa:bb:cc:dd:ee:01" }] });
        (seen.line == "GET /nics").then(|| reply(200, &nics))
    })
    .await;
    let bound = Binding { uuid: Some(UUID.to_owned()), serial: Some("ABC123".to_owned()), ..Binding::default() };
    assert_eq!(site.driver.identify("n1", &bound).await.unwrap().macs.len(), 0);
    let before = site.requests();
    site.driver.identify("n1", &bound).await.unwrap();
    assert_eq!(site.requests() - before, 1, "the system alone");
    // A UUID that many machines of a vendor have says nothing.
    for other in [Binding { serial: None, ..bound.clone() }, Binding { serial: Some("XYZ".to_owned()), ..bound }] {
        assert_eq!(site.driver.identify("n1", &other).await.unwrap().macs, ["aa:bb:cc:dd:ee:01"]);
    }
}

#[tokio::test]
async fn collections_that_a_bmc_lacks_are_empty() {
    for code in [404, 500, 501] {
        let site = site(move |seen, system| {
            system["EthernetInterfaces"] = json!({ "@odata.id": "/nics" });
            (seen.line == "GET /nics").then(|| bare(code, "\"not in this model\""))
        })
        .await;
        let bmc = site.driver.interrogate("n1").await.unwrap();
        assert_eq!((bmc.serial.as_deref(), bmc.macs.len()), (Some("ABC123"), 0));
    }
}

#[tokio::test]
async fn one_read_serves_all_calls_of_a_node() {
    let site = site(plain).await;
    site.driver.interrogate("n1").await.unwrap();
    let before = site.requests();
    let mut elsewhere = on();
    elsewhere.node = Some("n2".to_owned());
    let seen = site.driver.observe(&[on(), elsewhere, off(0), boot(BootTarget::Disk)]).await;
    assert_eq!(site.requests(), before + 1);
    assert_eq!((&seen[0], &seen[2], &seen[3]), (&Ok(Observation::NotStarted), &Ok(Observation::done()), &Ok(Observation::done())));
    assert_eq!(seen[1].as_ref().unwrap_err().message, "node n2 is not driven by redfish");
}

#[tokio::test]
async fn a_bmc_that_hangs_does_not_hold_up_the_others() {
    let site = site(plain).await;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let hanging = BmcEndpoint { node: "n2".to_owned(), ..endpoint(&format!("http://{}", silent.local_addr().unwrap())) };
    let limit = RedfishOptions { observe_limit: Duration::from_secs(2), ..options() };
    let driver = RedfishDriver::new(vec![endpoint(&site.url), hanging], limit).unwrap();
    let mut other = on();
    other.node = Some("n2".to_owned());
    let seen = driver.observe(&[other, on()]).await;
    assert_eq!(seen[0].as_ref().unwrap_err().message, "node n2, BMC 10.0.0.1: it did not tell its state within 2 s");
    assert_eq!(seen[1], Ok(Observation::NotStarted));
}

#[tokio::test]
async fn links_to_elsewhere_are_not_followed() {
    let site = site(|seen, _| {
        (seen.line == "GET /redfish/v1/")
            .then(|| reply(200, &json!({ "Systems": { "@odata.id": "http://127.0.0.2:9/redfish/v1/Systems" } })))
    })
    .await;
    let error = site.driver.interrogate("n1").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Rejected);
    assert!(error.message.contains("does not lead to itself"), "{error}");
}

#[tokio::test]
async fn an_address_where_nothing_or_something_else_answers_is_named() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dead = RedfishDriver::new(vec![endpoint(&format!("http://127.0.0.1:{port}"))], options()).unwrap();
    let error = dead.interrogate("n1").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient);
    assert!(error.message.starts_with("node n1, BMC 10.0.0.1: GET http://127.0.0.1:"), "{error}");
    assert!(error.message.ends_with("/redfish/v1/: unreachable: connection refused"), "{error}");

    let web = site(|_, _| Some(bare(200, "<html>Login</html>"))).await;
    let error = web.driver.interrogate("n1").await.unwrap_err();
    assert!(error.message.contains("answered 200 with no JSON"), "{error}");
    let chassis = site(|_, _| Some(reply(200, &json!({ "Chassis": {} })))).await;
    assert!(chassis.driver.interrogate("n1").await.unwrap_err().message.ends_with("no link to systems"));
}

#[test]
fn endpoints_that_cannot_be_used_are_refused_at_once() {
    let refused = |url: &str| RedfishDriver::new(vec![endpoint(url)], options()).unwrap_err().message;
    assert!(refused("10.0.0.1").contains("is not a URL"));
    assert_eq!(refused("https://u:hunter2@10.0.0.1"), "node n1: BMC 10.0.0.1: the URL holds credentials, which belong elsewhere");
    assert!(refused("http://10.0.0.1").contains("plain http"));
    let twice = RedfishDriver::new(vec![endpoint("https://10.0.0.1"), endpoint("https://10.0.0.2")], options());
    assert_eq!(twice.unwrap_err().message, "node n1 is given two BMCs");
}

#[tokio::test]
async fn a_bmc_may_live_under_a_path() {
    let site = site(|seen, _| {
        Some(match seen.line.as_str() {
            "GET /bmc/7/redfish/v1/" => reply(200, &json!({ "Systems": { "@odata.id": "/bmc/7/redfish/v1/Systems" } })),
            "GET /bmc/7/redfish/v1/Systems" => reply(200, &json!({ "Members": [{ "@odata.id": "/bmc/7/redfish/v1/Systems/1" }] })),
            "GET /bmc/7/redfish/v1/Systems/1" => reply(200, &json!({ "PowerState": "On" })),
            other => panic!("{other}"),
        })
    })
    .await;
    let url = format!("{}/bmc/7", site.url);
    let driver = RedfishDriver::new(vec![endpoint(&url)], options()).unwrap();
    assert_eq!(driver.interrogate("n1").await.unwrap().power, PowerState::On);
}
