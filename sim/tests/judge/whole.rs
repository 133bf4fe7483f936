//! Large histories, and the picture of a finding.

use std::sync::Arc;

use overheard::check::judge_history;
use overheard::history::{Args, Event, History, What};
use overheard::report::ladder::{Style, ladder};
use overheard::verdict::Outcome;
use overheard_core::value::{Object, Value};
use serde_json::json;

use crate::dsl::*;

/// A hundred clients in one room, and messages to it until there are so many events.
fn large(events: usize) -> History {
    let names: Vec<String> = (0..100).map(|number| format!("c{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut story = Story::of(&names);
    let mut turn = 0_usize;
    while story.history.events.len() < events {
        let (who, text) = (names[turn % 100], format!("message {turn}"));
        story.says(who, &text, "lobby");
        let from: Object = [("from", sid(who).as_str())].into_iter().collect();
        let args: Args = Arc::new(vec![Value::from(text), Value::Object(from)]);
        for name in names.iter().filter(|name| **name != who) {
            let (nsp, event, args) = ("/".into(), "chat".into(), args.clone());
            story.add(name, What::Received { nsp, event, args, offset: None, ack: false });
        }
        turn += 1;
    }
    story.rests();
    story.history
}

#[test]
fn a_million_events_are_judged() {
    let mut history = large(1_000_000);
    let verdict = judge_history(&history);
    assert_eq!(verdict.outcome, Outcome::Pass, "{:#?}", verdict.findings.first());
    let judged: u64 = verdict.tallies.iter().map(|tally| tally.judged).sum();
    assert!(judged > 900_000, "{judged}");
    // One delivery less among all of them.
    let is_delivery = |event: &Event| matches!(event.what, What::Received { .. });
    let at = history.events.iter().skip(500_000).position(is_delivery).unwrap() + 500_000;
    history.events.remove(at);
    for (n, event) in (0..).zip(&mut history.events) {
        event.n = n;
    }
    finds(&judge_history(&history), &["OH0302"]);
}

#[test]
fn a_verdict_is_the_same_twice() {
    let history = large(20_000);
    let verdicts = [judge_history(&history), judge_history(&history)];
    let [a, b] = verdicts.map(|verdict| format!("{verdict:?}"));
    assert_eq!(a, b);
}

#[test]
fn many_findings_of_a_kind_are_counted() {
    let mut story = Story::of(&["alice"]);
    for number in 0..50 {
        story.receives("alice", "ghost", json!([number]));
    }
    let verdict = story.judged();
    assert_eq!(verdict.findings.len(), 20);
    assert_eq!(verdict.findings[19].notes.last().unwrap(), "and 30 more of this kind");
}

#[test]
fn a_ladder_shows_the_finding_and_its_cause() {
    let mut story = Story::of(&["alice", "bob", "carol"]);
    story.does("alice", "join", json!(["tea"]));
    story.does("bob", "join", json!(["tea"]));
    story.says("alice", "hi", "tea");
    story.hears("bob", "hi", "alice");
    story.hears("carol", "hi", "alice");
    let verdict = story.judged();
    finds(&verdict, &["OH0301"]);
    for style in [Style::Unicode, Style::Ascii] {
        let text = ladder(&story.history, &verdict.findings[0], style);
        let lines: Vec<&str> = text.lines().collect();
        assert!((3..=12).contains(&lines.len()), "{text}");
        assert!(lines[0].contains("alice") && lines[0].contains("carol"), "{text}");
        let number = format!("#{}", verdict.findings[0].event.unwrap());
        assert!(text.contains(&number), "{text}");
        assert!(text.is_ascii() == (style == Style::Ascii), "{text}");
        let marked: Vec<&&str> =
            lines.iter().filter(|line| line.contains('✗') || line.contains("<- here")).collect();
        assert_eq!(marked.len(), 1, "{text}");
    }
}
