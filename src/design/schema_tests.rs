//! Schemas for editors: complete, and in agreement with the reader.

use serde_json::Value;

use super::{json_schema, json_schema_of_all};
use crate::document::Kind;

/// Paths of properties without a description.
fn undescribed(schema: &Value, path: &str, found: &mut Vec<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        for (name, property) in properties {
            let path = format!("{path}.{name}");
            if property["description"].as_str().is_none_or(str::is_empty) {
                found.push(path.clone());
            }
            undescribed(property, &path, found);
        }
    }
    for key in ["additionalProperties", "items"] {
        if schema[key].is_object() {
            undescribed(&schema[key], &format!("{path}.*"), found);
        }
    }
    for alternative in schema["anyOf"].as_array().into_iter().flatten() {
        undescribed(alternative, path, found);
    }
}

#[test]
fn every_key_of_every_kind_is_described() {
    let mut found = Vec::new();
    for kind in Kind::ALL {
        let schema = json_schema(kind);
        for form in ["data", "spec"] {
            let at = usize::from(form == "spec");
            undescribed(&schema["anyOf"][at]["properties"][form], &format!("{kind}.{form}"), &mut found);
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

fn problems(schema: &Value, document: &Value) -> Vec<String> {
    let validator = jsonschema::validator_for(schema).unwrap();
    validator.iter_errors(document).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

fn network(data: &Value) -> Value {
    serde_json::json!({"schema": "drydock/Network/v1", "metadata": {"name": "n"}, "data": data})
}

#[test]
fn what_is_right_passes_and_what_is_wrong_does_not() {
    let schema = json_schema(Kind::Network);
    let all = json_schema_of_all();
    for right in [
        network(&serde_json::json!({"cidr": "10.0.0.0/24", "vlan": "100", "mtu": 1500, "dns": {"servers": ["10.0.0.1"], "domain": null}})),
        network(&serde_json::json!({"ranges": [{"type": "static", "start": "10.0.0.5", "end": "10.0.0.9"}], "!routes": 1, "vlan": "!"})),
        serde_json::json!({"apiVersion": "drydock/v1", "kind": "Network", "metadata": {"name": "n"}, "spec": {"cidr": "10.0.0.0/24"}}),
    ] {
        assert!(problems(&schema, &right).is_empty(), "{right}");
        assert!(problems(&all, &right).is_empty(), "{right}");
    }
    for wrong in [
        network(&serde_json::json!({"cird": "10.0.0.0/24"})),
        network(&serde_json::json!({"ranges": [{"type": "statc"}]})),
        network(&serde_json::json!({"vlan": 5000})),
        network(&serde_json::json!({"dns": []})),
        serde_json::json!({"schema": "drydock/Network/v1", "data": {}}),
    ] {
        assert!(!problems(&schema, &wrong).is_empty(), "{wrong}");
        assert!(!problems(&all, &wrong).is_empty(), "{wrong}");
    }
    // Documents of other tools in the same file are none of ours.
    assert!(problems(&all, &serde_json::json!({"schema": "armada/Chart/v1", "data": {"x": 1}})).is_empty());
    assert!(!problems(&all, &serde_json::json!({"metadata": {}})).is_empty());
}
