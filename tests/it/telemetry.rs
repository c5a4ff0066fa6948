//! Runs as traces: what a collector of OpenTelemetry gets, decoded by OpenTelemetry's own Python package; and that no collector can hurt a run.

#![cfg(feature = "otel")]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::Command;

use serde_json::Value;

use super::cli_support::{Ended, Folder, end};
use super::loopback::{Asked, Server};
use super::peers;

/// A server that takes traces.
fn collector() -> Server {
    Server::start(|_| Some((200, String::new())))
}

const DECODE: &str = "
import json, sys
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest as Request
def plain(attributes): return {a.key: getattr(a.value, a.value.WhichOneof('value')) for a in attributes}
out = []
for path in sys.argv[1:]:
    request = Request()
    request.ParseFromString(open(path, 'rb').read())
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for s in scope.spans:
                out.append(dict(resource=plain(resource.resource.attributes), scope=scope.scope.name, trace=s.trace_id.hex(), id=s.span_id.hex(),
                    parent=s.parent_span_id.hex(), name=s.name, start=s.start_time_unix_nano, end=s.end_time_unix_nano, code=s.status.code,
                    message=s.status.message, attributes=plain(s.attributes), events=[e.name for e in s.events]))
print(json.dumps(out))
";

/// The spans that a collector got, as OpenTelemetry's own package reads them.
fn decoded(site: &Folder, asked: &[Asked]) -> Option<Vec<Value>> {
    let venv = peers::usable(|| peers::python("opentelemetry", &["opentelemetry-proto==1.45.2"]))?;
    let mut python = Command::new(venv.join("bin/python"));
    python.args(["-c", DECODE]);
    for (n, Asked { body, .. }) in asked.iter().enumerate() {
        let path = site.path().join(format!("traces-{n}"));
        std::fs::write(&path, body).unwrap();
        python.arg(path);
    }
    Some(serde_json::from_str(&peers::run(&mut python).unwrap()).unwrap())
}

fn apply(site: &Folder, variables: &[(&str, &str)]) -> Ended {
    end(site.command(&["apply", "--auto-approve"]).envs(variables.iter().copied()))
}

#[test]
fn a_collector_gets_the_run_as_a_tree_of_spans() {
    let site = Folder::hello();
    site.edit("drydock.yaml", "  seed: 1\n", "  seed: 1\n  faults: [{node: compute02, machine: deployment_fails}]\n");
    let collector = collector();
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()), ("OTEL_SERVICE_NAME", "rollouts")];
    let ended = apply(&site, &variables).expect(4);
    assert!(!ended.stderr.contains("traces"), "{}", ended.stderr);
    let asked = collector.asked();
    assert!(!asked.is_empty());
    for request in &asked {
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/traces"));
        assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
        assert!(!request.body.windows(18).any(|w| w == b"hello-bmc-password"));
    }
    let run: Value = serde_json::from_str(&site.run(&["runs", "show", "--format", "json"]).expect(0).stdout).unwrap();
    let Some(spans) = decoded(&site, &asked) else { return };
    let by_id: BTreeMap<&str, &Value> = spans.iter().map(|s| (s["id"].as_str().unwrap(), s)).collect();
    assert_eq!(by_id.len(), spans.len(), "each span once");
    let whole: Vec<&Value> = spans.iter().filter(|s| s["parent"] == "").collect();
    assert_eq!(whole.len(), 1);
    assert_eq!((&whole[0]["name"], &whole[0]["attributes"]["drydock.run.id"]), (&Value::from("run"), &run["run"]));
    assert_eq!((&whole[0]["code"], &whole[0]["message"]), (&Value::from(2), &Value::from("partial success")));
    assert_eq!((&whole[0]["resource"]["service.name"], &whole[0]["scope"]), (&Value::from("rollouts"), &Value::from("drydock")));
    let children = |id: &Value| spans.iter().filter(|s| s["parent"] == *id).collect::<Vec<_>>();
    let mut branches: Vec<&str> = children(&whole[0]["id"]).iter().map(|s| s["name"].as_str().unwrap()).collect();
    branches.sort_unstable();
    assert_eq!(branches, ["node.compute01", "node.compute02", "node.control01", "site"]);
    // Every action that the journal has attempts of is a span with as many attempts, within its branch's time.
    let mut seen = 0;
    for action in run["actions"].as_array().unwrap().iter().filter(|a| a["attempts"].as_u64() > Some(0)) {
        let span = spans.iter().find(|s| s["attributes"]["drydock.action.id"] == action["id"]).unwrap_or_else(|| panic!("{action}"));
        assert_eq!(span["name"], action["kind"]);
        let branch = by_id[span["parent"].as_str().unwrap()];
        assert!(branch["start"].as_u64() <= span["start"].as_u64() && span["end"].as_u64() <= branch["end"].as_u64(), "{span} in {branch}");
        assert_eq!(span["start"].as_u64().unwrap() / 1_000_000, action["started_ms"].as_u64().unwrap());
        assert_eq!(span["end"].as_u64().unwrap() / 1_000_000, action["ended_ms"].as_u64().unwrap());
        let failed = action["status"] == "failed";
        assert_eq!(span["code"], if failed { 2 } else { 1 }, "{span}");
        if failed {
            assert!(span["message"].as_str().unwrap().contains("Failed deployment"), "{span}");
            assert_eq!(span["attributes"]["error.type"], "failed");
        }
        assert!(!children(&span["id"]).is_empty());
        seen += 1;
    }
    assert!(seen >= 48, "{seen}");
}

#[test]
fn a_resume_adds_to_the_trace_and_headers_come_from_secrets() {
    let site = Folder::hello();
    let collector = collector();
    let traces = format!("\ntelemetry: {{traces: {{endpoint: '{}', headers: {{Authorization: {{env: COLLECTOR}}}}}}}}\n", collector.url);
    site.write("drydock.yaml", &(site.read("drydock.yaml") + &traces));
    let ended =
        end(site.command(&["apply", "--auto-approve"]).env("COLLECTOR", "Bearer s3cret-0815").env("DRYDOCK_FAILPOINT", "after_begin:43"));
    assert_eq!(ended.code, -1, "{ended:?}");
    let first = collector.asked();
    let ended = end(site.command(&["resume"]).env("COLLECTOR", "Bearer s3cret-0815")).expect(0);
    assert!(!ended.stderr.contains("s3cret"));
    let second = collector.asked();
    assert!(!second.is_empty());
    let asked = [first, second].concat();
    assert!(asked.iter().all(|request| request.header("authorization") == Some("Bearer s3cret-0815")), "{asked:?}");
    let Some(spans) = decoded(&site, &asked) else { return };
    let run: Value = serde_json::from_str(&site.run(&["runs", "show", "--format", "json"]).expect(0).stdout).unwrap();
    let resumed = spans.iter().find(|s| s["name"] == "run" && s["attributes"]["drydock.resumed"] == "true").expect("the resume");
    assert_eq!(resumed["attributes"]["drydock.run.id"], run["run"]);
    assert!(spans.iter().all(|s| s["trace"] == resumed["trace"]));
    // A secret that is not there is said, and stops nothing.
    site.run(&["destroy", "--target", "node=compute01", "--auto-approve"])
        .expect(0)
        .says(&["warning: no traces are exported: `telemetry.traces.headers.Authorization`", "the run goes on without them"]);
}

#[test]
fn no_collector_hurts_a_run() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hanging = Server::start(|_| None);
    let refusing = Server::start(|_| Some((401, String::new())));
    for (url, says) in
        [(format!("http://{nobody}"), "traces cannot be sent"), (hanging.url, "did not answer in time"), (refusing.url, "401")]
    {
        let site = Folder::hello();
        let ended = apply(&site, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url)]).expect(0).says(&[says]);
        let warnings: Vec<&str> = ended.stderr.lines().filter(|l| l.contains("traces")).collect();
        assert_eq!(warnings.len(), 1, "one warning: {warnings:#?}");
        assert!(warnings[0].ends_with("the run goes on without them"), "{warnings:?}");
    }
    let ended = apply(&Folder::hello(), &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"), ("OTEL_SDK_DISABLED", "true")]).expect(0);
    assert!(!ended.stderr.contains("traces"));
}
