use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request as Incoming;
use axum::response::{IntoResponse, Response as Answer};

use super::*;
use crate::driver::ErrorClass;
use crate::redact::Secret;

/// A server that gives every request to a function with its number, and counts them.
async fn serve<F>(answer: F) -> (Url, Arc<AtomicUsize>)
where
    F: Fn(usize, &str) -> Answer + Clone + Send + Sync + 'static,
{
    let count = Arc::new(AtomicUsize::new(0));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let counter = Arc::clone(&count);
    let router = Router::new().fallback(move |request: Incoming| {
        let (n, answer) = (counter.fetch_add(1, Ordering::SeqCst), answer.clone());
        async move { answer(n, request.uri().path()) }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, count)
}

/// A server that reads what comes and closes the connection.
fn hangs_up() -> (Url, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if stream.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    (url, count)
}

fn status(code: u16, body: &str) -> Answer {
    (axum::http::StatusCode::from_u16(code).unwrap(), body.to_owned()).into_response()
}

fn redirect(code: u16, to: &str) -> Answer {
    (axum::http::StatusCode::from_u16(code).unwrap(), [("location", to.to_owned())], "").into_response()
}

fn quick() -> HttpOptions {
    HttpOptions { backoff: Duration::from_millis(1), ..HttpOptions::default() }
}

fn client() -> HttpClient {
    HttpClient::new(quick()).unwrap()
}

#[test]
fn plain_http_stays_on_this_machine_unless_allowed() {
    let refused = |url: &str| client().check_url(&Url::parse(url).unwrap()).err();
    for fine in ["https://10.1.2.3", "http://127.0.0.1:8000", "http://127.1.2.3", "http://[::1]:5240/MAAS", "http://localhost"] {
        assert_eq!(refused(fine), None, "{fine}");
    }
    let error = refused("http://user:pw@10.1.2.3/x").unwrap();
    assert_eq!(error.message, "http://10.1.2.3/x: plain http would send passwords readable over the network");
    assert!(error.hint.unwrap().contains("allow_plain_http: true"));
    assert!(refused("ftp://127.0.0.1").is_some());
    let allowed = HttpClient::new(HttpOptions { allow_plain_http: true, ..quick() }).unwrap();
    assert_eq!(allowed.check_url(&Url::parse("http://10.1.2.3").unwrap()), Ok(()));
}

#[tokio::test]
async fn plain_http_is_refused_before_anything_is_sent() {
    let error = client().send(Request::get(Url::parse("http://192.0.2.1/").unwrap(), "node a")).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Settings);
    assert!(error.message.starts_with("node a: http://192.0.2.1/: plain http"), "{error}");
}

#[tokio::test]
async fn reads_are_repeated_while_the_server_is_busy() {
    for code in [429, 502, 503, 504] {
        let (url, count) = serve(move |n, _| if n < 2 { status(code, "later") } else { status(200, "now") }).await;
        let answer = client().send(Request::get(url, "x")).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.body.as_slice()), (200, b"now".as_slice()));
        assert_eq!(count.load(Ordering::SeqCst), 3, "{code}");
    }
}

#[tokio::test]
async fn a_server_that_stays_busy_is_believed_in_the_end() {
    let (url, count) = serve(|_, _| status(503, "later")).await;
    let answer = client().send(Request::get(url.clone(), "x")).await.unwrap();
    assert_eq!(answer.failure().class, ErrorClass::Busy);
    assert_eq!(count.load(Ordering::SeqCst), 4);
    client().with_attempts(1).send(Request::get(url, "x")).await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn a_pause_longer_than_the_deadline_is_not_begun() {
    let (url, count) = serve(|_, _| (axum::http::StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "3600")], "").into_response()).await;
    let answer = client().send(Request::get(url, "x")).await.unwrap();
    assert_eq!((answer.status.as_u16(), count.load(Ordering::SeqCst)), (503, 1));
}

#[tokio::test]
async fn effects_are_never_sent_twice() {
    let (url, count) = serve(|_, _| status(503, "")).await;
    client().send(Request::new(Method::POST, url.clone(), "x")).await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 1);
    client().send(Request::new(Method::PUT, url, "x").idempotent(true)).await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 5, "unless they are idempotent");

    let (url, count) = hangs_up();
    let error = client().send(Request::new(Method::POST, url.clone(), "x")).await.unwrap_err();
    assert_eq!((error.class, count.load(Ordering::SeqCst)), (ErrorClass::Transient, 1));
    assert!(error.message.contains("whether it was carried out is not known"), "{error}");
    let error = client().send(Request::get(url, "x")).await.unwrap_err();
    assert_eq!(count.load(Ordering::SeqCst), 5, "a read is repeated");
    assert!(!error.message.contains("carried out"), "{error}");
}

#[tokio::test]
async fn an_unreachable_server_is_named_without_secrets() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = Url::parse(&format!("http://me:hunter2@127.0.0.1:{port}/a?op=list&token=abc#f")).unwrap();
    let error = client().send(Request::get(url, "node n1")).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient);
    assert_eq!(error.message, format!("node n1: GET http://127.0.0.1:{port}/a?op=list&token=***: unreachable: connection refused"));
    assert!(error.hint.unwrap().contains("address and port"));
}

#[tokio::test]
async fn too_slow_is_an_error_with_its_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let patient = HttpClient::new(HttpOptions { read_timeout: Duration::from_millis(50), attempts: 1, ..quick() }).unwrap();
    let error = patient.send(Request::get(url, "x")).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient);
    assert!(error.message.ends_with("no answer within the time limit"), "{error}");
}

#[tokio::test]
async fn error_bodies_are_shortened_and_masked_and_that_of_a_401_is_never_shown() {
    let (url, _) = serve(|_, path| match path {
        "/401" => status(401, "Authorization Error: oauth_token=abc"),
        "/json" => status(400, "{\"Password\": \"a\\\"b\"}"),
        "/long" => status(400, &"ä b".repeat(500)),
        _ => status(400, "the value\n\u{1b}[31m  'hunter2'\tand Basic c2VjcmV0 are wrong"),
    })
    .await;
    let ask = async |path: &str| {
        let request = Request::get(url.join(path).unwrap(), "n")
            .secret(Secret::new("hunter2"))
            .secret(Secret::new("a\"b"))
            .header("Authorization", "Basic c2VjcmV0");
        assert!(!format!("{request:?}").contains("c2VjcmV0"));
        let answer = client().send(request).await.unwrap();
        assert!(!format!("{answer:?}").contains("value"));
        answer.ok().unwrap_err()
    };
    let error = ask("/401").await;
    assert_eq!((error.class, error.message), (ErrorClass::Credentials, format!("n: GET {url}401 answered 401 Unauthorized")));
    assert!(error.hint.unwrap().contains("check the user name"));
    let error = ask("/masked").await;
    assert_eq!(error.class, ErrorClass::Rejected);
    assert!(error.message.ends_with("400 Bad Request: the value [31m '***' and *** are wrong"), "{error}");
    assert!(ask("/json").await.message.ends_with("400 Bad Request: {\"Password\": \"***\"}"));
    let said = ask("/long").await.message.split("Request: ").nth(1).unwrap().to_owned();
    assert_eq!(said.chars().count(), 200);
    assert!(said.ends_with('…'));
}

#[tokio::test]
async fn redirects_stay_at_home_and_keep_the_method() {
    let (url, count) = serve(|_, path| match path {
        "/old" => redirect(302, "/new"),
        "/moved" => redirect(308, "/new"),
        "/away" => redirect(307, "http://127.0.0.2:1/?password=x"),
        "/circle" => redirect(302, "/circle"),
        "/new" => status(200, "here"),
        _ => status(404, ""),
    })
    .await;
    let send = async |method: Method, path: &str| client().send(Request::new(method, url.join(path).unwrap(), "x")).await;
    let answer = send(Method::GET, "old").await.unwrap();
    assert_eq!((answer.body.as_slice(), answer.url.path()), (b"here".as_slice(), "/new"));
    assert_eq!(send(Method::POST, "moved").await.unwrap().body, b"here");
    let before = count.load(Ordering::SeqCst);
    let error = send(Method::POST, "old").await.unwrap_err();
    assert!(error.message.ends_with(&format!("is redirected to {url}new, which is not followed")), "a POST would become a GET: {error}");
    let error = send(Method::GET, "away").await.unwrap_err();
    assert!(error.message.ends_with("is redirected to http://127.0.0.2:1/?password=***, which is not followed"), "{error}");
    assert_eq!(count.load(Ordering::SeqCst), before + 2);
    assert!(send(Method::GET, "circle").await.unwrap_err().message.ends_with("in circles"));
}

#[tokio::test]
async fn answers_have_a_bound_and_must_be_what_they_say() {
    let (url, _) = serve(|_, _| status(200, "{\"password\": \"hunter2\", \"n\": \"hunter2\"}")).await;
    let small = HttpClient::new(HttpOptions { max_body: 10, ..quick() }).unwrap();
    let error = small.send(Request::get(url.clone(), "x")).await.unwrap_err();
    assert!(error.message.ends_with("answered more than 10 bytes"), "{error}");
    let answer = client().send(Request::get(url, "x")).await.unwrap();
    let error = answer.json::<std::collections::BTreeMap<String, u8>>().unwrap_err();
    assert!(error.message.contains("JSON of another shape") && !error.message.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_header_that_cannot_be_sent_is_refused_without_its_value() {
    let request = Request::get(Url::parse("http://127.0.0.1:1/").unwrap(), "x").header("X-Auth-Token", "secret\r\nvalue");
    let error = client().send(request).await.unwrap_err();
    assert_eq!(error.message, "x: the value of header `X-Auth-Token` cannot be sent");
}

#[tokio::test]
async fn a_lane_takes_one_at_a_time() {
    let lanes = Arc::new(Lanes::new(1, 2));
    let held = lanes.enter("a").await;
    let log = Arc::new(Mutex::new(Vec::new()));
    let waiting = {
        let (lanes, log) = (Arc::clone(&lanes), Arc::clone(&log));
        tokio::spawn(async move {
            let _pass = lanes.enter("a").await;
            log.lock().unwrap().push("second");
        })
    };
    tokio::task::yield_now().await;
    drop(lanes.enter("b").await);
    log.lock().unwrap().push("first");
    drop(held);
    waiting.await.unwrap();
    assert_eq!(*log.lock().unwrap(), ["first", "second"]);
}

/// A certificate and a TLS server that answers 200 to everything.
struct Tls {
    url: Url,
    pem: String,
    sha256: String,
}

fn tls(name: &str, change: impl FnOnce(&mut rcgen::CertificateParams)) -> Tls {
    use sha2::Digest as _;
    install_crypto_provider();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    change(&mut params);
    let certificate = params.self_signed(&key).unwrap();
    let der = certificate.der().clone();
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![der.clone()], private).unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("https://{}/", listener.local_addr().unwrap())).unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, socket.unwrap());
            if stream.read(&mut [0; 4096]).is_ok() {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
                let _ = stream.flush();
            }
        }
    });
    Tls { url, pem: certificate.pem(), sha256: hex::encode(sha2::Sha256::digest(&der)) }
}

/// Asks with a CA file and fingerprints; the answer's status, or the error.
async fn ask(server: &Tls, ca: Option<&str>, pins: &[&str]) -> Result<u16, crate::driver::DriverError> {
    let dir = tempfile::tempdir().unwrap();
    let ca_file: Option<PathBuf> = ca.map(|pem| {
        let file = dir.path().join("ca.pem");
        std::fs::write(&file, pem).unwrap();
        file
    });
    let pinned_sha256 = pins.iter().map(|&p| p.to_owned()).collect();
    let client = HttpClient::new(HttpOptions { ca_file, pinned_sha256, ..quick() })?;
    client.send(Request::get(server.url.clone(), "x")).await.map(|a| a.status.as_u16())
}

#[tokio::test]
async fn certificates_are_verified() {
    let server = tls("127.0.0.1", |_| ());
    let other = tls("127.0.0.1", |p| p.distinguished_name.push(rcgen::DnType::CommonName, "another"));
    assert_eq!(ask(&server, Some(&server.pem), &[]).await, Ok(200));
    for (ca, pins) in [(None, vec![]), (Some(other.pem.as_str()), vec![]), (None, vec![other.sha256.as_str()])] {
        let error = ask(&server, ca, &pins).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Settings);
        assert!(error.message.ends_with("was not accepted: its issuer is not trusted"), "{error}");
        assert!(error.hint.unwrap().contains("`insecure_skip_tls_verify: true`"));
    }
    let open = HttpClient::new(HttpOptions { insecure_skip_tls_verify: true, ..quick() }).unwrap();
    assert_eq!(open.send(Request::get(server.url.clone(), "x")).await.unwrap().status.as_u16(), 200);
}

#[tokio::test]
async fn a_listed_certificate_may_be_an_authority_of_its_own_but_must_fit_name_and_time() {
    let own = |p: &mut rcgen::CertificateParams| p.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let server = tls("127.0.0.1", own);
    assert_eq!(ask(&server, Some(&server.pem), &[]).await, Ok(200));
    let server = tls("bmc.example", own);
    let error = ask(&server, Some(&server.pem), &[]).await.unwrap_err();
    assert!(error.message.ends_with("it is for another name or address"), "{error}");
    let server = tls("127.0.0.1", |p| {
        own(p);
        p.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    let error = ask(&server, Some(&server.pem), &[]).await.unwrap_err();
    assert!(error.message.ends_with("it has expired"), "{error}");
}

#[tokio::test]
async fn a_fingerprint_is_enough() {
    let server = tls("bmc.example", |p| p.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let with_colons: Vec<&str> = (0..32).map(|i| &server.sha256[2 * i..2 * i + 2]).collect();
    assert_eq!(ask(&server, None, &[&with_colons.join(":").to_uppercase()]).await, Ok(200));
    let error = ask(&server, None, &["abc"]).await.unwrap_err();
    assert!(error.message.contains("`abc` is not a SHA-256 fingerprint"), "{error}");
}

#[tokio::test]
async fn files_that_are_no_ca_are_refused() {
    let server = tls("127.0.0.1", |_| ());
    let error = ask(&server, Some("nothing here"), &[]).await.unwrap_err();
    assert!(error.message.ends_with("ca.pem holds no certificate"), "{error}");
    let error = HttpClient::new(HttpOptions { ca_file: Some("/nonexistent/ca.pem".into()), ..quick() }).unwrap_err();
    assert!(error.message.starts_with("the CA file /nonexistent/ca.pem cannot be read: "), "{error}");
}

#[tokio::test]
async fn a_port_without_tls_is_told_apart() {
    let (url, _) = serve(|_, _| status(200, "")).await;
    let url = Url::parse(&url.as_str().replace("http:", "https:")).unwrap();
    let error = client().send(Request::get(url, "x")).await.unwrap_err();
    assert!(error.message.contains("does not speak TLS"), "{error}");
}

#[test]
fn errors_carry_how_long_a_server_asks_to_be_left_alone() {
    let asks = |headers: &[(&'static str, &str)]| {
        let mut answer = Response::for_tests(503, "");
        for (name, value) in headers {
            answer.headers.insert(*name, value.parse().unwrap());
        }
        answer.failure().retry_after
    };
    let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(asks(&[("retry-after", "120")]), Some(Duration::from_mins(2)));
    assert_eq!(asks(&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), date]), Some(Duration::from_secs(30)));
    assert_eq!(asks(&[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT"), date]), Some(Duration::ZERO));
    assert_eq!(asks(&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")]), None, "nobody knows the server's clock");
    assert_eq!(asks(&[("retry-after", "soon"), date]), None);
    assert_eq!(asks(&[date]), None);
}

/// A server that notes every byte that it gets, and answers each complete request.
fn notes() -> (Url, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, noted) = (stream.unwrap(), Arc::clone(&noted));
            std::thread::spawn(move || {
                let (mut buffer, mut pending) = ([0; 4096], Vec::new());
                while let Ok(n) = stream.read(&mut buffer) {
                    if n == 0 {
                        break;
                    }
                    noted.lock().unwrap().extend_from_slice(&buffer[..n]);
                    pending.extend_from_slice(&buffer[..n]);
                    let text = String::from_utf8_lossy(&pending).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
                    if body.len() >= length {
                        pending.clear();
                        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
                    }
                }
            });
        }
    });
    (url, seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_late_the_permit_ends_a_request_goes_out_whole_or_not_at_all() {
    let (url, seen) = notes();
    let requests = [
        (Method::GET, Body::Empty, "GET / HTTP/1.1", ""),
        (Method::DELETE, Body::Empty, "DELETE / HTTP/1.1", ""),
        (Method::POST, Body::Empty, "POST / HTTP/1.1", ""),
        (Method::POST, Body::Form(vec![("op".to_owned(), "commission".to_owned())]), "POST / HTTP/1.1", "op=commission"),
        (Method::PATCH, Body::Json(serde_json::json!({"Boot": {}})), "PATCH / HTTP/1.1", "{\"Boot\":{}}"),
    ];
    for (method, body, line, end) in requests {
        for warm in [false, true] {
            let mut went = Vec::new();
            for last in 1..30 {
                let options = HttpOptions { attempts: 1, ..quick() };
                let (permit, client) = (options.permit.clone(), HttpClient::new(options).unwrap());
                if warm {
                    client.send(Request::new(Method::GET, url.clone(), "a connection")).await.unwrap();
                }
                seen.lock().unwrap().clear();
                let looks = AtomicUsize::new(0);
                permit.rests_on(move || looks.fetch_add(1, Ordering::SeqCst) < last);
                let answer = client.send(Request::new(method.clone(), url.clone(), "an effect").body(body.clone())).await;
                let bytes = String::from_utf8(seen.lock().unwrap().clone()).unwrap();
                if let Err(error) = &answer {
                    assert_eq!((error.class, bytes.as_str()), (ErrorClass::Transient, ""), "{method} after {last} looks: {error}");
                    assert!(error.message.contains("nothing was sent: the lease on the site's lock ended"), "{error}");
                } else {
                    assert!(bytes.starts_with(line) && bytes.ends_with(&format!("\r\n\r\n{end}")), "{method}: {bytes}");
                    let length = bytes.lines().find_map(|l| l.strip_prefix("content-length: "));
                    let wanted = (!end.is_empty()).then(|| end.len().to_string());
                    assert_eq!(length, wanted.as_deref(), "{bytes}");
                    assert!(!bytes.contains("transfer-encoding"), "{bytes}");
                }
                went.push(answer.is_ok());
            }
            let first = went.iter().position(|went| *went).unwrap_or_else(|| panic!("{method} never went out"));
            // Once before anything, and where it is written.
            assert!(first >= 1 && went[first..].iter().all(|went| *went), "{method}: {went:?}");
        }
    }
}

#[tokio::test]
async fn without_the_permit_nobody_is_even_called() {
    let (url, count) = serve(|_, _| status(200, "")).await;
    let client = client();
    client.options.permit.rests_on(|| false);
    let error = client.send(Request::new(Method::GET, url.clone(), "a read")).await.unwrap_err();
    assert!(error.message.starts_with(&format!("a read: GET {url}: nothing was sent: ")), "{error}");
    client.options.permit.lift();
    client.send(Request::new(Method::GET, url, "a read")).await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 1);
}
