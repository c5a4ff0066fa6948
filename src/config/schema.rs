//! The JSON Schema of `drydock.yaml`, for editors. Descriptions are those of the types.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::design::{DeckhandMapping, DesignEntry, PeglegEntry};
use super::failures::Timeouts;
use super::limits::{ByKind, CanarySettings, FailureLimit, NodeShare, Per, StrategySetting};
use super::rules::{LEVELS, Rules};
use super::state::StateSettings;
use super::types::{File, SecretRef};
use super::units::{Minutes, TimeSpan};
use crate::action::ActionKind;

/// Schema of a value that is read by hand.
macro_rules! schema_by_hand {
    ($type:ty, $schema:expr) => {
        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                #[allow(clippy::redundant_closure_call)]
                ($schema)(generator)
            }
        }
    };
}

schema_by_hand!(SecretRef, |_: &mut SchemaGenerator| json_schema!({
    "description": "Where a secret comes from; it is never written here",
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "properties": {
        "env": {"type": "string", "minLength": 1, "description": "An environment variable"},
        "file": {"type": "string", "minLength": 1, "description": "A file, relative to the folder of the settings"},
        "command": {"type": "array", "items": {"type": "string"}, "minItems": 1, "description": "A program and its arguments; no shell"},
    },
    "additionalProperties": false,
}));

schema_by_hand!(StateSettings, |generator: &mut SchemaGenerator| {
    let (secret, lease) = (generator.subschema_for::<SecretRef>(), generator.subschema_for::<TimeSpan>());
    json_schema!({
        "description": "Where the state is: a file, or a database of PostgreSQL",
        "anyOf": [
            {"type": "string", "minLength": 1, "description": "A file, or a URL `postgres://USER@HOST/DATABASE`"},
            {
                "type": "object",
                "properties": {
                    "url": {"anyOf": [{"type": "string", "minLength": 1, "description": "`postgres://USER@HOST/DATABASE`"}, secret.clone()]},
                    "password": secret.clone(),
                    "ca_file": {"type": "string", "description": "PEM file with certificates to trust instead of the system's"},
                    "pinned_sha256": {"type": "array", "items": {"type": "string"}, "description": "Fingerprints of certificates that are accepted"},
                    "client_cert_file": {"type": "string", "description": "PEM file with the certificate that is shown to the server"},
                    "client_key": secret,
                    "lease": lease,
                },
                "required": ["url"],
                "additionalProperties": false,
            },
        ],
    })
});

schema_by_hand!(FailureLimit, |_: &mut SchemaGenerator| json_schema!({
    "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^ *[0-9]+ *%? *$"}],
}));

schema_by_hand!(NodeShare, |_: &mut SchemaGenerator| json_schema!({
    "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^ *[0-9]+ *%? *$"}],
    "description": "A number of nodes, or a share of them: `3`, `5%`",
}));

schema_by_hand!(Per, |_: &mut SchemaGenerator| json_schema!({
    "type": "string",
    "pattern": "^(rack|label\\..+)$",
    "description": "`rack` or `label.KEY`",
}));

schema_by_hand!(CanarySettings, |_: &mut SchemaGenerator| json_schema!({
    "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "minLength": 1}],
    "description": "A number of nodes, or a selector: `tag=canary`",
}));

schema_by_hand!(StrategySetting, |_: &mut SchemaGenerator| json_schema!({
    // An unquoted `off` is a boolean to readers of YAML 1.1.
    "anyOf": [{"type": "string", "minLength": 1}, {"const": false}],
    "description": "Name of a shipyard/DeploymentStrategy of the design, or `off`",
}));

schema_by_hand!(ByKind, |_: &mut SchemaGenerator| {
    let kinds: serde_json::Map<String, serde_json::Value> =
        ActionKind::ALL.iter().map(|kind| (kind.name().to_owned(), serde_json::json!({"type": "integer", "minimum": 1}))).collect();
    json_schema!({"description": "Numbers by kind of action", "type": "object", "properties": kinds, "additionalProperties": false})
});

schema_by_hand!(Timeouts, |generator: &mut SchemaGenerator| {
    let limit = generator.subschema_for::<Minutes>();
    let mut kinds: serde_json::Map<String, serde_json::Value> =
        ActionKind::ALL.iter().map(|kind| (kind.name().to_owned(), limit.clone().to_value())).collect();
    let no_progress = json_schema!({
        "description": "Time limits without progress by kind of action", "type": "object", "properties": kinds, "additionalProperties": false,
    });
    kinds.insert("no_progress".to_owned(), no_progress.to_value());
    json_schema!({"description": "Time limits by kind of action", "type": "object", "properties": kinds, "additionalProperties": false})
});

schema_by_hand!(Rules, |_: &mut SchemaGenerator| {
    let mut levels: Vec<serde_json::Value> = LEVELS.iter().map(|(name, _)| serde_json::json!(name)).collect();
    // An unquoted `off` is a boolean to readers of YAML 1.1.
    levels.push(serde_json::json!(false));
    json_schema!({
        "description": "How bad findings of single rules are, by their codes",
        "type": "object",
        "propertyNames": {"pattern": "^ *([Dd][Dd])?[0-9]+ *$"},
        "additionalProperties": {
            "type": "object",
            "properties": {
                "level": {"enum": levels, "description": "What the findings of the rule are; `off`: they are counted, and not shown"},
                "reason": {"type": "string", "minLength": 1, "description": "Why; it is shown wherever findings are silenced"},
            },
            "required": ["level", "reason"],
            "additionalProperties": false,
        },
    })
});

schema_by_hand!(DesignEntry, |generator: &mut SchemaGenerator| {
    let (pegleg, deckhand, secret) =
        (generator.subschema_for::<PeglegEntry>(), generator.subschema_for::<DeckhandMapping>(), generator.subschema_for::<SecretRef>());
    json_schema!({"anyOf": [
        {"type": "string", "minLength": 1, "description": "A file, a directory or a URL"},
        {
            "type": "object",
            "properties": {"pegleg": pegleg},
            "required": ["pegleg"],
            "additionalProperties": false,
        },
        {
            "type": "object",
            "properties": {
                "url": {"type": "string", "description": "URL of one YAML file"},
                "token": secret,
                "ca_file": {"type": "string"},
                "pinned_sha256": {"type": "array", "items": {"type": "string"}},
                "insecure_skip_tls_verify": {"type": "boolean"},
                "allow_plain_http": {"type": "boolean"},
            },
            "required": ["url"],
            "additionalProperties": false,
        },
        {
            "type": "object",
            "properties": {"deckhand": deckhand},
            "required": ["deckhand"],
            "additionalProperties": false,
        },
    ]})
});

/// The JSON Schema of `drydock.yaml`; `simulate` is the one of its section.
pub fn settings_schema(simulate: &Schema) -> serde_json::Value {
    let mut schema = schemars::schema_for!(File).to_value();
    schema["title"] = serde_json::json!("drydock.yaml");
    let mut simulate = simulate.clone().to_value();
    // Definitions stand at the top of a schema.
    if let Some(definitions) = simulate.as_object_mut().and_then(|s| s.remove("$defs")).and_then(|d| d.as_object().cloned()) {
        for (name, definition) in definitions {
            schema["$defs"][name] = definition;
        }
    }
    if let Some(section) = simulate.as_object_mut() {
        section.remove("$schema");
        section.remove("title");
    }
    schema["properties"]["simulate"] = serde_json::json!({"anyOf": [simulate, {"type": "null"}]});
    schema
}
