//! The JSON Schema names every kind and every field that is written, and the document's example
//! can be read and judged.

use std::collections::BTreeSet;

use overheard::check::judge_history;
use overheard::history::{
    Action, Audience, Counters, EndReason, Operation, What, read, schema, write,
};
use overheard::verdict::Outcome;
use serde_json::{Value as Json, json};

use crate::dsl::*;

/// One of each kind.
fn everything() -> Story {
    let mut story = Story::of(&["alice"]);
    let nsp = || "/".into();
    story.does("alice", "echo", json!([]));
    let op = 90;
    for what in [
        What::StepBegin,
        What::StepEnd,
        What::AllHealed,
        What::Invoke { op, operation: Operation::Connect { nsp: nsp(), auth: None } },
        What::Invoke { op, operation: Operation::Disconnect { nsp: nsp() } },
        What::Fail { op, error: "e".into() },
        What::Info { op, error: "e".into() },
        What::Refused { nsp: nsp(), message: "m".into(), data: Some(value(json!(1))) },
        What::Upgraded,
        What::Reconnecting { attempt: 1 },
        What::Answered { nsp: nsp(), values: args(json!([])) },
        What::Dropped { op },
        What::Acted { op, action: Action::Close },
        What::Acted { op, action: Action::Kick { who: Audience::default(), close: true } },
        What::Acted {
            op,
            action: Action::Move { who: Audience::default(), join: vec![], leave: vec![] },
        },
        What::BroadcastAcked { op, responses: args(json!([])), timed_out: true },
        What::Up,
        What::Down,
        What::Counters(Counters::default()),
        What::End { reason: EndReason::Bound("b".into()) },
    ] {
        story.add("alice", what);
    }
    story.receives_kept("alice", "x", json!([]), "1");
    story.broadcasts(&[], "x", json!([]));
    story.rooms(&[]);
    story.ends("alice", "transport close");
    story.faults(1, "cut", &["alice"]);
    story.heals(1, 1);
    story.rests();
    story
}

#[test]
fn every_kind_and_field_is_in_the_schema() {
    let schema = schema();
    let kinds = schema["definitions"]["event"]["oneOf"].as_array().unwrap();
    let mut seen = BTreeSet::new();
    for line in write(&everything().history).lines().skip(1) {
        let event: Json = serde_json::from_str(line).unwrap();
        let fits = |kind: &&Json| {
            let same = |key: &str| kind["properties"][key]["const"] == event[key];
            same("kind") && (event["do"].is_null() || same("do"))
        };
        let kind = kinds.iter().find(fits).unwrap_or_else(|| panic!("{line}"));
        for (field, _) in event.as_object().unwrap() {
            assert!(kind["properties"].get(field).is_some(), "{field} of {line}");
        }
        for field in kind["required"].as_array().unwrap() {
            assert!(event.get(field.as_str().unwrap()).is_some(), "{field} of {line}");
        }
        seen.insert(format!("{} {}", event["kind"], event["do"]));
    }
    assert_eq!(seen.len(), kinds.len(), "{seen:?}");
}

#[test]
fn the_examples_of_the_document_are_judged_as_it_says() {
    let document = include_str!("../../../HISTORY.md");
    let examples: Vec<&str> = document
        .split("```jsonl\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert_eq!(examples.len(), 2);
    let outcomes = examples.iter().map(|text| {
        let verdict = judge_history(&read(text).unwrap());
        (verdict.outcome, verdict.findings.first().map(|finding| finding.code))
    });
    let wanted = [(Outcome::Pass, None), (Outcome::Fail, Some("OH0301"))];
    assert!(outcomes.eq(wanted), "{:#?}", examples.map_debug());
}

trait MapDebug {
    fn map_debug(&self) -> Vec<String>;
}

impl MapDebug for Vec<&str> {
    fn map_debug(&self) -> Vec<String> {
        let verdict = |text: &&str| format!("{:#?}", judge_history(&read(text).unwrap()));
        self.iter().map(verdict).collect()
    }
}
