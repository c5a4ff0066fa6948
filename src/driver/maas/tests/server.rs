//! A server that answers as recorded and remembers what it was asked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::super::{MaasDriver, MaasOptions};
use crate::redact::Secret;

/// The secret part of the key that the tests use; it must appear nowhere.
pub(super) const CANARY: &str = "CanaryTokenSecret";

/// The status of an answer that never comes.
pub(super) const HANGS: u16 = 0;

/// One recorded exchange.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    pub(super) method: String,
    /// Below `/MAAS/api/2.0/`.
    pub(super) path: String,
    pub(super) op: Option<String>,
    pub(super) params: Vec<(String, String)>,
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) body: Value,
}

/// One request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) op: Option<String>,
    pub(super) params: Vec<(String, String)>,
    pub(super) authorization: Option<String>,
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

impl Recorded {
    fn read(path: &Path) -> Option<Self> {
        let value: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        let request = &value["request"];
        let mut params = Vec::new();
        if let Some(fields) = request["params"].as_object() {
            for (name, value) in fields {
                match value.as_array() {
                    Some(list) => params.extend(list.iter().map(|v| (name.clone(), scalar(v)))),
                    None => params.push((name.clone(), scalar(value))),
                }
            }
        }
        Some(Self {
            method: request["method"].as_str()?.to_owned(),
            path: request["path"].as_str()?.trim_start_matches("/MAAS/api/2.0/").to_owned(),
            op: request["op"].as_str().map(str::to_owned),
            params,
            status: u16::try_from(value["status"].as_u64()?).ok()?,
            content_type: value["headers"]["Content-Type"].as_str().unwrap_or("application/json").to_owned(),
            body: value["body"].clone(),
        })
    }

    /// An answer that was not recorded.
    pub(super) fn made(method: &str, path: &str, op: Option<&str>, body: Value) -> Self {
        let removes = method == "DELETE";
        Self {
            method: method.into(),
            path: path.into(),
            op: op.map(str::to_owned),
            params: Vec::new(),
            status: if removes { 204 } else { 200 },
            content_type: if removes { "text/plain" } else { "application/json" }.into(),
            body: if removes { "".into() } else { body },
        }
    }

    /// The same answer to a question about something else.
    pub(super) fn at(mut self, method: &str, path: &str, op: Option<&str>) -> Self {
        (self.method, self.path, self.op) = (method.into(), path.into(), op.map(str::to_owned));
        self
    }

    /// Parameters without order.
    pub(super) fn form(&self) -> Vec<(String, String)> {
        let mut form = self.params.clone();
        form.sort();
        form
    }
}

/// A recording of the repository's own subset.
pub(super) fn recorded(name: &str) -> Recorded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/maas").join(format!("{name}.json"));
    Recorded::read(&path).unwrap_or_else(|| panic!("no recording {name}"))
}

/// The folder with all recordings, if it is there.
pub(super) fn all_recordings() -> Option<PathBuf> {
    let shared = std::env::var_os("DRYDOCK_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from)
        .join("reference/maas-api-3.7");
    if shared.is_dir() {
        Some(shared)
    } else {
        eprintln!("skipped: {} is not there", shared.display());
        None
    }
}

/// Every recording in the full set.
pub(super) fn every_recording(folder: &Path) -> Vec<(String, Recorded)> {
    let mut out: Vec<(String, Recorded)> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|e| {
            let path = e.unwrap().path();
            Some((path.file_stem()?.to_str()?.to_owned(), Recorded::read(&path)?))
        })
        .collect();
    out.sort_by(|a, b| a.0.cmp(&b.0));
    out
}

#[derive(Default)]
struct Script {
    answers: Vec<Recorded>,
    used: BTreeMap<usize, bool>,
    asked: Vec<Asked>,
}

impl Script {
    /// Answers to the same question are given in order; the last one is repeated.
    fn answer(&mut self, asked: &Asked) -> Recorded {
        let fits: Vec<usize> = (0..self.answers.len())
            .filter(|i| {
                let a = &self.answers[*i];
                a.method == asked.method && a.path == asked.path && a.op == asked.op
            })
            .collect();
        self.asked.push(asked.clone());
        let next = fits.iter().find(|i| !self.used.contains_key(i)).or(fits.last());
        match next {
            Some(i) => {
                self.used.insert(*i, true);
                self.answers[*i].clone()
            }
            // Who the key belongs to is asked in many situations, and is always the same.
            None if asked.op.as_deref() == Some("whoami") => recorded("users-whoami"),
            None => Recorded {
                status: 404,
                content_type: "text/plain".into(),
                body: Value::String(format!("Unknown API endpoint: /MAAS/api/2.0/{}.", asked.path)),
                ..Recorded::made(&asked.method, &asked.path, None, Value::Null)
            },
        }
    }
}

/// A running server.
pub(super) struct Server {
    pub(super) url: String,
    script: Arc<Mutex<Script>>,
}

async fn handle(State(script): State<Arc<Mutex<Script>>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let mut op = None;
    let mut params = Vec::new();
    let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    for (name, value) in query.chain(url::form_urlencoded::parse(&body)) {
        if name == "op" { op = Some(value.into_owned()) } else { params.push((name.into_owned(), value.into_owned())) }
    }
    let asked = Asked {
        method: method.to_string(),
        path: uri.path().trim_start_matches("/MAAS/api/2.0/").to_owned(),
        op,
        params,
        authorization: headers.get("authorization").and_then(|v| v.to_str().ok()).map(str::to_owned),
    };
    let mut answer = script.lock().unwrap().answer(&asked);
    // What MAAS changed, it names.
    if let (true, Value::Object(object)) = (method != Method::GET && answer.status == 200, &mut answer.body) {
        object.entry("resource_uri").or_insert_with(|| uri.path().into());
    }
    if answer.status == HANGS {
        std::future::pending::<()>().await;
    }
    let bytes = match (&answer.body, answer.content_type.contains("json")) {
        // Recorded as text, one character per byte.
        (Value::String(text), false) => text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect(),
        (body, _) => serde_json::to_vec(body).unwrap(),
    };
    (StatusCode::from_u16(answer.status).unwrap(), [("content-type", answer.content_type)], bytes).into_response()
}

impl Server {
    pub(super) async fn start(answers: Vec<Recorded>) -> Self {
        let script = Arc::new(Mutex::new(Script { answers, ..Script::default() }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/MAAS", listener.local_addr().unwrap());
        let app = Router::new().fallback(handle).with_state(Arc::clone(&script));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, script }
    }

    pub(super) fn driver(&self) -> MaasDriver {
        self.driver_with(|_| {})
    }

    pub(super) fn driver_with(&self, change: impl FnOnce(&mut MaasOptions)) -> MaasDriver {
        let mut options = MaasOptions::new(&self.url, Secret::new(format!("LiveConsumer:LiveToken:{CANARY}")), "site1");
        options.http.backoff = std::time::Duration::from_millis(1);
        options.poll_interval = std::time::Duration::from_millis(1);
        change(&mut options);
        MaasDriver::new(options).unwrap()
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.script.lock().unwrap().asked.clone()
    }

    /// Requests that change something.
    pub(super) fn changes(&self) -> Vec<Asked> {
        self.asked().into_iter().filter(|a| a.method != "GET").collect()
    }
}

impl Asked {
    /// Parameters without order.
    pub(super) fn form(&self) -> Vec<(String, String)> {
        let mut form = self.params.clone();
        form.sort();
        form
    }
}
