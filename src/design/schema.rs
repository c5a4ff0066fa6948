//! JSON Schemas of the documents, for editors.

use serde_json::{Map, Value, json};

use super::shape::{Shape, shape_of};
use super::words::{Form, words};
use crate::document::Kind;

/// The JSON Schema (draft 2020-12) of a document kind, in both of its forms.
///
/// It describes what people write: everything may be `null` or `'!'` (which unsets what is inherited), keys may be written as `'!key'`, numbers may be quoted.
/// Required are only the keys that make it a document; whether a design makes sense is for `drydock validate` to say.
pub fn json_schema(kind: Kind) -> Value {
    let mut schema = document(kind);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!(format!("drydock/{kind}/v1"));
    schema
}

/// One JSON Schema for files that hold documents of any kind, those of other tools included.
pub fn json_schema_of_all() -> Value {
    let rules: Vec<Value> = Kind::ALL
        .iter()
        .map(|kind| {
            let deckhand = json!({"required": ["schema"], "properties": {"schema": {"type": "string", "pattern": pattern(*kind)}}});
            let older = json!({"required": ["apiVersion", "kind"], "properties": {"apiVersion": {"pattern": "^drydock/"}, "kind": {"const": kind.as_str()}}});
            json!({"if": {"anyOf": [deckhand, older]}, "then": document(*kind)})
        })
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Documents of a drydock design",
        "type": ["object", "null"],
        "anyOf": [{"type": "null"}, {"required": ["schema"]}, {"required": ["apiVersion", "kind"]}],
        "allOf": rules,
    })
}

fn pattern(kind: Kind) -> String {
    format!("^drydock/{kind}/v1(\\.0)?$")
}

fn document(kind: Kind) -> Value {
    let data = mapping(shape_of(kind), "");
    json!({
        "type": "object",
        "anyOf": [
            {
                "required": ["schema", "metadata", "data"],
                "properties": {
                    "schema": {"type": "string", "pattern": pattern(kind), "description": "Kind and version of the document"},
                    "metadata": metadata(),
                    "data": data,
                },
                "additionalProperties": false,
            },
            {
                "required": ["apiVersion", "kind", "metadata", "spec"],
                "properties": {
                    "apiVersion": {"type": "string", "pattern": "^drydock/v1(\\.0)?$"},
                    "kind": {"const": kind.as_str()},
                    "metadata": metadata(),
                    "spec": mapping(shape_of(kind), ""),
                },
                "additionalProperties": false,
            },
        ],
    })
}

fn metadata() -> Value {
    let path = |what: &str| json!({"type": "string", "description": what});
    let dest = json!({
        "type": "object",
        "required": ["path"],
        "properties": {
            "path": path("Where the value goes, below `data`"),
            "pattern": path("Regular expression; only what it matches is replaced"),
            "recurse": {"type": "object", "properties": {"depth": {"type": "integer", "minimum": -1}}, "additionalProperties": false},
        },
        "additionalProperties": false,
    });
    json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "schema": path("`metadata/Document/v1`"),
            "name": {"type": ["string", "integer"], "description": "Name, unique among documents of its kind"},
            "labels": {"type": "object", "description": "Labels by which layers and filters find the document"},
            "storagePolicy": {"enum": ["cleartext", "encrypted"], "description": "Whether the data is a secret"},
            "replacement": {"type": "boolean", "description": "Whether it takes the place of its parent"},
            "layeringDefinition": {
                "type": "object",
                "properties": {
                    "abstract": {"type": "boolean", "description": "Only to be layered upon"},
                    "layer": path("A layer of the LayeringPolicy"),
                    "parentSelector": {"type": "object", "description": "Labels of the document that this one is layered on"},
                    "actions": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["method", "path"],
                            "properties": {"method": {"enum": ["merge", "replace", "delete"]}, "path": path("Where, below `data`; `.` is all of it")},
                            "additionalProperties": false,
                        },
                    },
                },
                "additionalProperties": false,
            },
            "substitutions": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["src", "dest"],
                    "properties": {
                        "src": {
                            "type": "object",
                            "required": ["schema", "name", "path"],
                            "properties": {
                                "schema": path("Schema of the document that has the value"),
                                "name": path("Its name"),
                                "path": path("Where the value is, below its `data`"),
                                "pattern": path("Regular expression; only what it matches is taken"),
                                "match_group": {"type": "integer", "minimum": 0},
                            },
                            "additionalProperties": false,
                        },
                        "dest": {"anyOf": [dest.clone(), {"type": "array", "items": dest}]},
                    },
                    "additionalProperties": false,
                },
            },
        },
    })
}

/// The text that unsets what is inherited.
fn unset() -> Value {
    json!({"const": "!"})
}

fn nullable(schema: &Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}, unset()]})
}

fn node(shape: &Shape, path: &str) -> Value {
    let found = words(path);
    let mut schema = match shape {
        Shape::Any => json!({}),
        Shape::Ref(shape) => return node(shape, path),
        Shape::Scalar => nullable(&scalar(found.map_or(Form::Text, |(form, _)| form))),
        Shape::Map(_) | Shape::Mixed(..) | Shape::Dict(_) => nullable(&mapping(shape, path)),
        Shape::List(member) => nullable(&json!({"type": "array", "items": node(member, path)})),
        Shape::Named(member) => {
            let removal = json!({"type": "string", "pattern": "^!"});
            nullable(&json!({"type": "array", "items": {"anyOf": [node(member, path), removal]}}))
        }
    };
    if let Some((_, text)) = found {
        schema["description"] = json!(text);
    }
    schema
}

fn mapping(shape: &Shape, path: &str) -> Value {
    let (fields, other): (&[(&str, Shape)], Option<&Shape>) = match shape {
        Shape::Map(fields) => (fields, None),
        Shape::Mixed(fields, other) => (fields, Some(other)),
        Shape::Dict(other) => (&[], Some(other)),
        Shape::Ref(shape) => return mapping(shape, path),
        _ => return json!({}),
    };
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let properties: Map<String, Value> = fields.iter().map(|(name, shape)| ((*name).to_owned(), node(shape, &below(name)))).collect();
    let mut schema = json!({"type": "object", "properties": properties, "patternProperties": {"^!": {}}});
    schema["additionalProperties"] = other.map_or(json!(false), |other| node(other, &below("*")));
    schema
}

fn scalar(form: Form) -> Value {
    match form {
        Form::Text => json!({"type": ["string", "number", "boolean"]}),
        Form::Flag => json!({"anyOf": [{"type": "boolean"}, {"enum": ["true", "false", "True", "False", "yes", "no"]}]}),
        Form::Number(least, most) => json!({"anyOf": [
            {"type": "integer", "minimum": least, "maximum": most},
            {"type": "string", "pattern": "^ *[0-9]+ *$"},
        ]}),
        Form::Size => json!({"anyOf": [
            {"type": "string", "pattern": "^ *>? *[0-9]+ *(%|[kKmMgGtT]?[iI]?[bB]?) *$"},
            {"type": "integer", "minimum": 0},
        ]}),
        Form::OneOf(values) => json!({"enum": values}),
        Form::Like(values) => json!({"anyOf": [{"enum": values}, {"type": ["string", "number"]}]}),
    }
}
