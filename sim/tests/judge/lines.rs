//! Histories as JSON lines.

use overheard::history::{
    Digest, EndReason, What, digest, first_difference, read, write, write_line,
};
use overheard_core::value::{Number, Object, Value};
use serde_json::json;

use crate::dsl::*;

fn story() -> Story {
    let mut story = Story::of(&["alice", "bob"]);
    story.does("alice", "join", json!(["tea"]));
    story.says("alice", "hi", "tea");
    story.rooms(&[("sid-alice", &["sid-alice"])]);
    story.broadcasts(&["tea"], "news", json!([1.5, null, { "a": [true] }]));
    story.faults(1, "cut", &["bob"]);
    story.rests();
    story
}

#[test]
fn what_is_written_is_read_back() {
    let history = story().history;
    let text = write(&history);
    assert_eq!(read(&text).unwrap(), history);
    assert_eq!(write(&read(&text).unwrap()), text);
    let mut line = String::new();
    write_line(&mut line, &history.events[0]);
    let opened = r#"{"n":0,"t":1000000,"who":"alice","kind":"opened","transport":"websocket"}"#;
    assert_eq!(line.trim_end(), opened);
}

#[test]
fn bytes_infinities_and_what_looks_like_them_survive() {
    let bytes = || Value::Binary(vec![0, 255].into());
    let special = |key: &str, value: Value| -> Value {
        let object: Object = [(key, value)].into_iter().collect();
        object.into()
    };
    let values = vec![
        bytes(),
        Value::Array(vec![special("a", bytes())]),
        special("$bin", "00".into()),
        special("$esc", special("$num", "NaN".into())),
        special("$esc", Value::Null),
        Value::Number(Number::Float(f64::INFINITY)),
        Value::Number(Number::Float(f64::NAN)),
        Value::Number(Number::Float(1e300)),
        Value::from(9_007_199_254_740_991_i64),
    ];
    let mut story = Story::of(&["alice"]);
    story.receives("alice", "x", json!([]));
    let at = story.history.events.len() - 1;
    if let What::Received { args, .. } = &mut story.history.events[at].what {
        *args = values.into();
    }
    let text = write(&story.history);
    assert!(text.contains(r#"{"$bin":"00ff"}"#), "{text}");
    assert!(text.contains(r#"{"$esc":{"$bin":"00"}}"#), "{text}");
    assert_eq!(read(&text).unwrap(), story.history);
}

#[test]
fn mistakes_are_found_with_their_lines() {
    let history = story().history;
    let text = write(&history);
    let mut lines: Vec<&str> = text.lines().collect();
    let wrong = |lines: &[&str]| read(&lines.join("\n")).unwrap_err().to_string();
    assert!(wrong(&[]).starts_with("line 1: the history is empty"));
    assert!(wrong(&["{}"]).starts_with("line 1: this is no header"));
    let newer = lines[0].replace(r#""overheard-history":1"#, r#""overheard-history":2"#);
    assert!(wrong(&[&newer]).contains("version 2 of the format is not known"));
    assert!(wrong(&[lines[0], "", "{"]).starts_with("line 3: this is no event"));
    assert_eq!(wrong(&[lines[0], lines[2]]), "line 2: this event should be number 0, and says 1");
    lines.swap(1, 2);
    assert!(wrong(&lines).starts_with("line 2"));
    let bad = r#"{"n":0,"t":1,"who":"a","kind":"answered","nsp":"/","values":[{"$bin":"0"}]}"#;
    assert!(wrong(&[lines[0], bad]).contains("no even number of hexadecimal digits"));
    let late = r#"{"n":0,"t":1,"who":"a","kind":"upgraded","parent":0}"#;
    assert!(wrong(&[lines[0], late]).contains("which is not before it"));
}

#[test]
fn the_hash_rolls_and_the_first_difference_is_named() {
    let (a, mut b) = (story().history, story().history);
    assert_eq!(digest(&a), digest(&b));
    assert_eq!(first_difference(&a, &b), None);
    let mut rolling = Digest::default();
    rolling.header(&a.header);
    a.events.iter().for_each(|event| rolling.event(event));
    assert_eq!(rolling, digest(&a));
    let last = b.events.len() - 1;
    b.events[last].what = What::End { reason: EndReason::Broken("x".into()) };
    let difference = first_difference(&a, &b).unwrap();
    assert_eq!(difference.event, Some(last as u64));
    assert_ne!(digest(&a), digest(&b));
    b.events.pop();
    assert_eq!(first_difference(&a, &b).unwrap().right, None);
    let mut line = Digest::default();
    line.line("a");
    // FNV-1a with 128 bits of "a\n", from its specification.
    let by_hand = {
        let prime: u128 = (1 << 88) + 0x13b;
        let offset: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        let first = (offset ^ 0x61).wrapping_mul(prime);
        (first ^ 0x0a).wrapping_mul(prime)
    };
    assert_eq!(line.to_string(), format!("{by_hand:032x}"));
}
