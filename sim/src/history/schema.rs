//! The JSON Schema of a history's lines, from one table of kinds and fields.

use serde_json::{Map, Value as Json, json};

use super::VERSION;

/// A field: its name, its type, and whether it must be there.
type Field = (&'static str, Type, bool);

/// The types of fields.
#[derive(Clone, Copy)]
enum Type {
    Text,
    Count,
    Flag,
    Texts,
    Values,
    Value,
    /// Pairs of a name and a list of names.
    Index,
    End,
}

const NSP: Field = ("nsp", Type::Text, true);
const SID: Field = ("sid", Type::Text, true);
const OP: Field = ("op", Type::Count, true);
const EVENT: Field = ("event", Type::Text, true);
const ARGS: Field = ("args", Type::Values, true);
const TO: Field = ("to", Type::Texts, true);
const EXCEPT: Field = ("except", Type::Texts, true);

/// The kinds of events, with the fields of each besides `n`, `t`, `who`, `parent` and `step`.
const KINDS: &[(&str, &[Field])] = &[
    ("step-begin", &[]),
    ("step-end", &[]),
    ("quiet", &[]),
    ("all-healed", &[]),
    ("closing", &[]),
    ("end", &[("reason", Type::End, true)]),
    ("ok", &[OP, ("values", Type::Values, true)]),
    ("fail", &[OP, ("error", Type::Text, true)]),
    ("info", &[OP, ("error", Type::Text, true)]),
    ("connected", &[NSP, SID, ("recovered", Type::Flag, true)]),
    ("refused", &[NSP, ("message", Type::Text, true), ("data", Type::Value, false)]),
    ("disconnected", &[NSP, ("reason", Type::Text, true)]),
    ("opened", &[("transport", Type::Text, true)]),
    ("upgraded", &[]),
    ("reconnecting", &[("attempt", Type::Count, true)]),
    ("received", &[NSP, EVENT, ARGS, ("offset", Type::Text, false), ("ack", Type::Flag, false)]),
    ("answered", &[NSP, ("values", Type::Values, true)]),
    ("dropped", &[OP]),
    ("entered", &[NSP, SID, ("recovered", Type::Flag, true), ("client", Type::Text, false)]),
    ("left", &[NSP, SID, ("reason", Type::Text, true)]),
    ("accepted", &[NSP, SID, EVENT, ARGS, ("ack", Type::Flag, true)]),
    ("broadcast-acked", &[OP, ("responses", Type::Values, true), ("timed_out", Type::Flag, true)]),
    ("rooms", &[NSP, ("sids", Type::Index, true), ("rooms", Type::Index, true)]),
    (
        "counters",
        &[
            ("connections", Type::Count, true),
            ("sockets", Type::Count, true),
            ("rooms", Type::Count, true),
            ("memberships", Type::Count, true),
            ("acks", Type::Count, true),
            ("dynamic_namespaces", Type::Count, true),
            ("buffered_bytes", Type::Count, true),
            ("timers", Type::Count, true),
            ("last", Type::Flag, true),
        ],
    ),
    ("up", &[]),
    ("down", &[]),
    (
        "fault",
        &[("id", Type::Count, true), ("what", Type::Text, true), ("clients", Type::Texts, true)],
    ),
    ("healed", &[("id", Type::Count, true), ("touched", Type::Count, true)]),
];

/// What an `invoke` asks for, by its `do`.
const OPERATIONS: &[(&str, &[Field])] = &[
    ("connect", &[OP, NSP, ("auth", Type::Value, false)]),
    ("disconnect", &[OP, NSP]),
    ("emit", &[OP, NSP, EVENT, ARGS, ("ack", Type::Flag, true), ("volatile", Type::Flag, false)]),
];

/// What the application does in an `acted`, by its `do`.
const ACTIONS: &[(&str, &[Field])] = &[
    (
        "broadcast",
        &[
            OP,
            NSP,
            TO,
            EXCEPT,
            EVENT,
            ARGS,
            ("volatile", Type::Flag, false),
            ("ack", Type::Flag, false),
        ],
    ),
    ("move", &[OP, NSP, TO, EXCEPT, ("join", Type::Texts, true), ("leave", Type::Texts, true)]),
    ("kick", &[OP, NSP, TO, EXCEPT, ("close", Type::Flag, true)]),
    ("close", &[OP]),
];

/// The JSON Schema of one line of a history.
#[must_use]
pub fn schema() -> Json {
    let plain = KINDS.iter().map(|(kind, fields)| event(kind, None, fields));
    let invokes = OPERATIONS.iter().map(|(what, fields)| event("invoke", Some(what), fields));
    let acts = ACTIONS.iter().map(|(what, fields)| event("acted", Some(what), fields));
    let events: Vec<Json> = plain.chain(invokes).chain(acts).collect();
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A line of an Overheard history",
        "anyOf": [{ "$ref": "#/definitions/header" }, { "$ref": "#/definitions/event" }],
        "definitions": { "header": header(), "event": { "oneOf": events } },
    })
}

fn header() -> Json {
    let texts = ["scenario", "file", "seed", "network"];
    let mut properties: Map<String, Json> =
        texts.iter().map(|name| ((*name).to_owned(), json!({ "type": "string" }))).collect();
    properties.insert("overheard-history".into(), json!({ "const": VERSION }));
    properties.insert("clients".into(), json!({ "type": "array", "items": { "type": "string" } }));
    let required: Vec<&String> = properties.keys().collect();
    json!({
        "type": "object",
        "description": "The first line",
        "required": required,
        "properties": properties.clone(),
        "additionalProperties": false,
    })
}

fn event(kind: &str, what: Option<&str>, fields: &[Field]) -> Json {
    let mut properties = Map::new();
    let mut required = vec!["n", "t", "who", "kind"];
    let common = [("n", Type::Count), ("t", Type::Count), ("who", Type::Text)];
    let optional = [("parent", Type::Count), ("step", Type::Count)];
    for (name, kind) in common.into_iter().chain(optional) {
        properties.insert(name.into(), type_schema(kind));
    }
    properties.insert("kind".into(), json!({ "const": kind }));
    if let Some(what) = what {
        properties.insert("do".into(), json!({ "const": what }));
        required.push("do");
    }
    for (name, kind, must) in fields {
        properties.insert((*name).into(), type_schema(*kind));
        required.extend(must.then_some(*name));
    }
    json!({ "type": "object", "required": required, "properties": properties })
}

fn type_schema(kind: Type) -> Json {
    let texts = json!({ "type": "array", "items": { "type": "string" } });
    match kind {
        Type::Text => json!({ "type": "string" }),
        Type::Count => json!({ "type": "integer", "minimum": 0 }),
        Type::Flag => json!({ "type": "boolean" }),
        Type::Texts => texts,
        Type::Values => json!({ "type": "array" }),
        Type::Value => json!(true),
        Type::Index => json!({
            "type": "array",
            "items": { "type": "array", "items": [{ "type": "string" }, texts] },
        }),
        Type::End => json!({
            "oneOf": [
                { "const": "complete" },
                { "type": "object", "required": ["bound"] },
                { "type": "object", "required": ["broken"] },
                { "type": "object", "required": ["skipped"] },
                { "type": "object", "required": ["no-server"] },
                { "type": "object", "required": ["server-died"] },
            ],
        }),
    }
}
