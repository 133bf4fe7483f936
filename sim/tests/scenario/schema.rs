//! The JSON Schema, held against files.

use granit_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value, json};

use crate::support::{files, text_of, valid_files};

/// A file as JSON, by a reader of its own: the schema is for tools that know nothing of ours.
fn json_of(text: &str) -> Value {
    let events = Parser::new_from_str(text).map(|event| event.unwrap().0);
    let mut parser = events.filter(|event| !matches!(event, Event::Comment(..)));
    loop {
        let event = parser.next().unwrap();
        if event.is_node() {
            return node(event, &mut parser);
        }
    }
}

fn node<'t>(event: Event<'t>, rest: &mut impl Iterator<Item = Event<'t>>) -> Value {
    match event {
        Event::Scalar(text, ScalarStyle::Plain, ..) => match &*text {
            "" | "~" | "null" => Value::Null,
            "true" => true.into(),
            "false" => false.into(),
            text => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
        },
        Event::Scalar(text, ..) => Value::String(text.into_owned()),
        Event::SequenceStart(..) => {
            let mut items = Vec::new();
            loop {
                match rest.next().unwrap() {
                    Event::SequenceEnd => return Value::Array(items),
                    event => items.push(node(event, rest)),
                }
            }
        }
        Event::MappingStart(..) => {
            let mut members = Map::new();
            loop {
                match rest.next().unwrap() {
                    Event::MappingEnd => return Value::Object(members),
                    Event::Scalar(key, ..) => {
                        let value = rest.next().unwrap();
                        members.insert(key.into_owned(), node(value, rest));
                    }
                    event => panic!("{event:?} is no key"),
                }
            }
        }
        event => panic!("{event:?} is no node"),
    }
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft7::new(&overheard::scenario::schema()).unwrap()
}

#[test]
fn every_file_is_valid() {
    let validator = validator();
    let verbs = files("scenarios").into_iter();
    let verbs = verbs.filter(|name| name.contains("/verbs/") && !name.contains("/invalid/"));
    for path in valid_files().into_iter().chain(verbs) {
        let json = json_of(&text_of(&path).unwrap());
        let errors: Vec<_> = validator
            .iter_errors(&json)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{path}:\n{}", errors.join("\n"));
    }
}

#[test]
fn unknown_keys_are_not_valid() {
    let validator = validator();
    for file in
        ["unknown-key-at-the-top", "step-key-unknown", "client-option-unknown", "emit-to-a-room"]
    {
        let json = json_of(&text_of(&format!("scenarios/invalid/{file}.yaml")).unwrap());
        assert!(!validator.is_valid(&json), "{file}");
    }
}

#[test]
fn many_mistakes_are_seen_by_the_schema() {
    let validator = validator();
    let mistakes = [
        "no-version",
        "version-2",
        "no-clients",
        "steps-empty",
        "unknown-network",
        "unknown-mark",
        "racks-out-of-range",
        "duration-without-unit",
        "duration-unit-unknown",
        "direction-unknown",
        "step-with-two-keys",
        "emit-without-event",
        "unknown-rule",
        "tags-not-a-list",
        "server-option-of-the-reference",
        "group-without-number",
        "times-zero",
        "nobody",
    ];
    for file in mistakes {
        let json = json_of(&text_of(&format!("scenarios/invalid/{file}.yaml")).unwrap());
        assert!(!validator.is_valid(&json), "{file}");
    }
}

#[test]
fn every_key_says_what_it_is() {
    let schema = overheard::scenario::schema();
    assert_eq!(schema["$schema"], json!("http://json-schema.org/draft-07/schema#"));
    for (key, property) in schema["else"]["properties"].as_object().unwrap() {
        assert!(property["description"].is_string(), "{key}");
    }
}
