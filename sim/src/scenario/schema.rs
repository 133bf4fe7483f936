//! The JSON Schema of scenario files, for editors: completion, hover texts, and the first mistakes.
//!
//! It is made from the tables that the readers use, so that both know the same keys. What a schema
//! cannot know (which clients there are, what a verb's parameters are) is left to `check`.

use serde_json::{Map, Value, json};

use super::Preset;
use super::steps::words::{DIRECTIONS, STATES, STEPS};
use super::{client, file, server, verbs};
use crate::plan::Mark;

/// The JSON Schema (draft-07) of files of scenarios and of verbs.
#[must_use]
pub fn schema() -> Value {
    let verbs_file = object(verbs::FILE, &["version", "verbs"], &|key| match key {
        "version" => version(),
        _ => json!({
            "description": "Words of the application, by name.",
            "type": "object",
            "propertyNames": { "pattern": NAME },
            "additionalProperties": verb(),
        }),
    });
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Overheard scenario",
        "description": "Who connects, what happens, what breaks, and who must or must never hear what.",
        "if": { "type": "object", "required": ["verbs"], "not": { "required": ["steps"] } },
        "then": verbs_file,
        "else": object(file::SCENARIO, &["version", "name", "clients", "steps"], &top),
        "definitions": definitions(),
    })
}

const NAME: &str = "^[A-Za-z][A-Za-z0-9_-]{0,63}$";
const JITTER: &str = "The most that each piece takes longer than its latency, by chance.";
const NAMESPACE: &str = "^/[^,?]*$";
const DURATION: &str = r"[0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h)";

/// A closed object whose properties are made from their keys.
fn object(keys: &[&str], required: &[&str], property: &dyn Fn(&str) -> Value) -> Value {
    let properties: Map<String, Value> =
        keys.iter().map(|key| ((*key).to_owned(), property(key))).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// A schema with a text for hovering.
fn about(description: &str, mut schema: Value) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".into(), description.into());
    }
    schema
}

fn list_of(item: &Value) -> Value {
    json!({ "type": "array", "items": item })
}

fn one_or_many(item: &Value) -> Value {
    json!({ "anyOf": [item, { "type": "array", "items": item }] })
}

fn names<T>(known: &[(T, &str)]) -> Value {
    let names: Vec<&str> = known.iter().map(|(_, name)| *name).collect();
    json!({ "enum": names })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/definitions/{name}") })
}

fn whole(min: i64, max: i64) -> Value {
    json!({ "type": "integer", "minimum": min, "maximum": max })
}

/// The same, or a parameter of a verb.
fn hole(schema: &Value) -> Value {
    json!({ "anyOf": [schema, { "type": "string", "pattern": "^\\$[A-Za-z]" }] })
}

fn version() -> Value {
    about("The version of the format.", json!({ "const": 1 }))
}

fn definitions() -> Value {
    json!({
        "name": { "type": "string", "pattern": NAME },
        "namespace": { "type": "string", "pattern": NAMESPACE },
        "duration": { "type": "string", "pattern": format!("^{DURATION}$") },
        "latency": { "type": "string", "pattern": format!(r"^{DURATION}( *\.\. *{DURATION})?$") },
        "transports": {
            "type": "array",
            "minItems": 1,
            "items": names(&server::TRANSPORTS),
        },
        "clients": {
            "description": "A client's name, a list of names, `all`, or `c*` for a group `c$n`.",
            "anyOf": [
                { "type": "string", "minLength": 1 },
                { "type": "array", "minItems": 1, "items": { "type": "string", "minLength": 1 } },
            ],
        },
        "rooms": one_or_many(&json!({ "type": "string", "minLength": 1 })),
        "bytes": {
            "anyOf": [
                { "type": "string" },
                object(&["hex"], &["hex"], &|_| json!({ "type": "string" })),
            ],
        },
        "event": object(&["event", "args"], &["event"], &|key| match key {
            "event" => about("Its name.", json!({ "type": "string" })),
            _ => about("Patterns of its arguments.", json!({ "type": "array" })),
        }),
        "client": one_client(&[]),
        "group": one_client(&["count", "name"]),
        "membership": {
            "anyOf": [{ "type": "null" }, object(client::MEMBERSHIP, &[], &client_option)],
        },
        "step": step(),
        "steps": { "type": "array", "minItems": 1, "items": reference("step") },
    })
}

fn top(key: &str) -> Value {
    match key {
        "version" => version(),
        "name" => about(
            "One sentence: the rule, in the user's words.",
            json!({ "type": "string", "minLength": 1 }),
        ),
        "tags" => about("Words to choose files by.", list_of(&reference("name"))),
        "rules" => {
            let known = json!({ "enum": *file::RULES });
            about("IDs of `core/RULES.md` that the file exercises.", list_of(&known))
        }
        "vars" => about(
            "Variables with their values; `$var(name)` stands for one, and `--var` gives another.",
            json!({ "type": "object", "propertyNames": { "pattern": NAME } }),
        ),
        "use" => {
            about("Files of verbs, relative to this file.", list_of(&json!({ "type": "string" })))
        }
        "network" => {
            let options = object(server::NETWORK, &[], &|key| match key {
                "latency" => about("One-way delays, as in `5ms..20ms`.", reference("latency")),
                "jitter" => about(JITTER, reference("duration")),
                _ => about("Most bytes that one read returns.", whole(1, 65_536)),
            });
            about("How far clients are away.", json!({ "anyOf": [names(&Preset::ALL), options] }))
        }
        "racks" => about("Hosts that clients are spread over.", whole(1, 8)),
        "server" => about("Options of the server.", object(server::SERVER, &[], &server_option)),
        "clients" => about("Who connects before the first step.", all_clients()),
        "steps" => about("What happens, in order.", reference("steps")),
        "unclaimed" => about(
            "What a delivery means that no step asked for: it fails the run, or the rules alone judge it.",
            names(&file::UNCLAIMED),
        ),
        "must-reach" => about(
            "Situations that must have occurred, or the verdict is unknown.",
            list_of(&names(&Mark::ALL)),
        ),
        "seeds" => about("How many seeds a run plays.", whole(1, 1_000_000)),
        _ => {
            let options = object(server::BOUNDS, &[], &|key| match key {
                "virtual" => about("Most virtual time.", reference("duration")),
                "quiet" => about(
                    "Time without any event after which a run is quiet.",
                    reference("duration"),
                ),
                "settle" => {
                    about("Time within which everything owed must arrive.", reference("duration"))
                }
                _ => about("Most events of the history.", whole(1, 1_000_000_000)),
            });
            about("When a run is given up as unknown.", options)
        }
    }
}

fn server_option(key: &str) -> Value {
    match key {
        "ping-interval" | "ping-timeout" | "connect-timeout" | "upgrade-timeout" => {
            about("As the reference's option of this name.", reference("duration"))
        }
        "recovery" => {
            let text =
                "Turns connection state recovery on, with this maximal time of disconnection.";
            about(text, reference("duration"))
        }
        "max-http-buffer-size" => about("Most bytes of a message.", whole(1, 1 << 30)),
        "max-connections" => about("Connections at a time.", whole(1, 1_000_000)),
        "transports" => about("Transports that are offered.", reference("transports")),
        "quirks" => {
            about("Artefacts of the reference, or their mended forms.", names(&server::QUIRKS))
        }
        "namespaces" => {
            let options = object(server::NAMESPACE, &[], &|key| match key {
                "token" => about(
                    "What `{token: …}` of the auth payload must be.",
                    json!({ "type": "string" }),
                ),
                "seats" => about("Most sockets at a time.", whole(1, 1_000_000)),
                _ => about("How long the check of the token takes.", reference("duration")),
            });
            about(
                "Namespaces besides `/`, and who may enter them.",
                json!({
                    "type": "object",
                    "propertyNames": { "pattern": NAMESPACE },
                    "additionalProperties": { "anyOf": [{ "type": "null" }, options] },
                }),
            )
        }
        "dynamic" => about(
            "Regular expressions of namespaces that are made on demand.",
            list_of(&json!({ "type": "string", "minLength": 1 })),
        ),
        _ => about("As the reference's option of this name.", json!({ "type": "boolean" })),
    }
}

fn all_clients() -> Value {
    let nothing = json!({ "type": "null" });
    let named = json!({
        "type": "object",
        "minProperties": 1,
        "propertyNames": { "pattern": NAME },
        "additionalProperties": { "anyOf": [nothing, reference("client")] },
    });
    let mixed = json!({ "anyOf": [reference("name"), reference("group"), named] });
    json!({
        "anyOf": [
            { "type": "array", "minItems": 1, "items": mixed },
            reference("group"),
            named,
        ],
    })
}

fn one_client(more: &[&str]) -> Value {
    let keys: Vec<&str> = more.iter().chain(client::CLIENT).copied().collect();
    object(&keys, more, &client_option)
}

fn client_option(key: &str) -> Value {
    match key {
        "count" => about("How many.", whole(1, 50_000)),
        "name" => {
            let pattern = json!({ "type": "string", "pattern": r"^[^$]*\$n[^$]*$" });
            about("Their names, with `$n` for the number, from 1.", pattern)
        }
        "namespace" => about("The only namespace that it enters.", reference("namespace")),
        "namespaces" => {
            let map = json!({
                "type": "object",
                "propertyNames": { "pattern": NAMESPACE },
                "additionalProperties": reference("membership"),
            });
            let list = json!({ "type": "array", "minItems": 1, "items": reference("namespace") });
            about("The namespaces that it enters.", json!({ "anyOf": [list, map] }))
        }
        "auth" => about("The auth payload.", json!({ "type": "object" })),
        "refused" => about(
            "The message of the refusal that is expected; being let in fails the run.",
            json!({ "type": "string", "minLength": 1 }),
        ),
        "transports" => {
            about("Transports, in the order in which they are tried.", reference("transports"))
        }
        "rack" => about("The host that it sits on.", whole(1, 8)),
        "latency" => about("Its one-way delay, or a range to draw it from.", reference("latency")),
        "jitter" => about(JITTER, reference("duration")),
        "retries" => about("How often an event is sent again that is not acked.", whole(0, 1_000)),
        "ack-timeout" => about("How long it waits for an ack.", reference("duration")),
        "reconnection-delay" | "reconnection-delay-max" => {
            about("As the client's option of this name.", reference("duration"))
        }
        "answer" => about(
            "What it answers to an event that wants an ack: its arguments, nothing, these values, or its arguments after a while.",
            json!({
                "anyOf": [
                    { "enum": ["echo", "never"] },
                    { "type": "array" },
                    object(&["after"], &["after"], &|_| reference("duration")),
                ],
            }),
        ),
        _ => about(
            match key {
                "connect" => "Whether it connects before the first step.",
                "upgrade" => "Whether it moves to WebSocket when it can.",
                _ => "Whether it connects again by itself.",
            },
            json!({ "type": "boolean" }),
        ),
    }
}

fn verb() -> Value {
    object(verbs::VERB, &["steps"], &|key| match key {
        "params" => about(
            "Parameters, by name.",
            json!({
                "type": "object",
                "propertyNames": { "pattern": NAME },
                "additionalProperties": {
                    "anyOf": [
                        names(&verbs::TYPES),
                        object(verbs::PARAM, &["type"], &|key| match key {
                            "type" => names(&verbs::TYPES),
                            "optional" => json!({ "type": "boolean" }),
                            _ => json!(true),
                        }),
                    ],
                },
            }),
        ),
        _ => about("What it does; `$name` is a parameter.", reference("steps")),
    })
}

/// A step: one key, which is a built-in step or a verb.
fn step() -> Value {
    let mut properties = Map::new();
    for (name, keys) in STEPS {
        let schema = match *name {
            "together" => about("Steps that run side by side.", reference("steps")),
            "repeat" => {
                let repeated =
                    object(&["times", "steps", "id"], &["times", "steps"], &|key| match key {
                        "times" => hole(&whole(1, 100_000)),
                        "steps" => reference("steps"),
                        _ => reference("name"),
                    });
                about("Steps, several times.", repeated)
            }
            _ => {
                let keys: Vec<&str> = keys.iter().copied().chain(["id"]).collect();
                let required = required(name);
                let closed = object(&keys, required, &|key| step_option(name, key));
                let bare = json!({ "type": "null" });
                if required.is_empty() { json!({ "anyOf": [bare, closed] }) } else { closed }
            }
        };
        properties.insert((*name).to_owned(), schema);
    }
    let call = json!({ "type": ["object", "null"] });
    json!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "properties": properties,
        "propertyNames": { "pattern": NAME },
        "additionalProperties": about("The arguments of a verb.", call),
    })
}

/// Keys that a step must have.
fn required(step: &str) -> &'static [&'static str] {
    match step {
        "connect" | "disconnect" | "cut" | "half-close" | "stall" | "black-hole" | "refuse" => {
            &["who"]
        }
        "emit" => &["from", "event"],
        "broadcast" => &["event"],
        "advance" => &["by"],
        "expect" | "never" => &["at"],
        "expect-connection" => &["at", "state"],
        "expect-rooms" => &["at", "rooms"],
        "delay" => &["who", "by"],
        "chop" => &["who", "bytes"],
        "partition" | "hold" => &["rack"],
        "heal" => &["what"],
        _ => &[],
    }
}

fn step_option(step: &str, key: &str) -> Value {
    let boolean = hole(&json!({ "type": "boolean" }));
    let list = hole(&json!({ "type": "array" }));
    let label = json!({ "type": "string" });
    match (step, key) {
        (_, "id") => about("A label that other steps refer to.", reference("name")),
        (_, "who" | "from" | "at") => reference("clients"),
        (_, "auth") => about("Another auth payload than before.", json!({ "type": "object" })),
        (_, "namespace") => hole(&reference("namespace")),
        (_, "event") => about("The event's name.", json!({ "type": "string" })),
        ("emit" | "broadcast", "args") => about("Its arguments.", list),
        (_, "args") => about("Patterns of its arguments; absent means any.", list),
        (_, "ack") => about("What the answer must match; the step waits for it.", list),
        (_, "to" | "except" | "join" | "leave" | "rooms") => reference("rooms"),
        (_, "ack-fails" | "wait" | "volatile" | "close" | "closes" | "eventually") => boolean,
        (_, "times") => about("How often.", hole(&whole(1, 1_000_000))),
        ("raw", "bytes") => about("Bytes for a bare TCP connection.", reference("bytes")),
        (_, "bytes") => about("Most bytes that one read returns.", hole(&whole(1, 65_536))),
        (_, "rack") => about("Which rack.", hole(&whole(1, 8))),
        (_, "exactly" | "at-least" | "at-most") => hole(&whole(1, 100_000_000)),
        (_, "transport") => hole(&names(&server::TRANSPORTS)),
        (_, "enter") => one_or_many(&reference("namespace")),
        (_, "send") => {
            about("Messages or bodies, one after the other.", list_of(&reference("bytes")))
        }
        (_, "direction") => hole(&names(&DIRECTIONS)),
        (_, "state") => hole(&names(&STATES)),
        (_, "reason") => {
            about("The reason, or the message of the refusal.", json!({ "type": "string" }))
        }
        (_, "capture") => about(
            "Names for arguments, by their number.",
            json!({ "type": "object", "additionalProperties": whole(0, 1_000) }),
        ),
        (_, "order") => json!({ "anyOf": [{ "const": "as-sent" }, list_of(&reference("event"))] }),
        (_, "any-order") => list_of(&reference("event")),
        (_, "since" | "until" | "all-of" | "what") => about("The `id` of a step.", label),
        ("delay", "by") => about(
            "How much longer bytes take; a range is jitter, drawn for each piece.",
            hole(&reference("latency")),
        ),
        (_, "by" | "every" | "for" | "linger" | "restart" | "timeout" | "within") => {
            hole(&reference("duration"))
        }
        _ => json!(true),
    }
}
