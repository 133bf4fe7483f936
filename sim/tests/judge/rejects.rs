//! Histories in which one thing is wrong, and exactly that is found.

use std::time::Duration;

use overheard::history::{Counters, Operation, What};
use overheard::plan::NamespacePlan;
use overheard::verdict::Property;
use overheard_core::value::Value;
use serde_json::json;

use crate::dsl::*;

#[test]
fn overheard_by_a_bystander() {
    let mut story = tea();
    story.says("alice", "hi", "tea");
    story.hears("bob", "hi", "alice");
    let n = story.hears("carol", "hi", "alice");
    let verdict = story.judged();
    finds(&verdict, &["OH0301"]);
    assert_eq!(verdict.findings[0].event, Some(n));
    assert_eq!(verdict.findings[0].clients, ["alice", "carol"]);
}

#[test]
fn overheard_by_its_sender() {
    let mut story = tea();
    story.says("alice", "hi", "tea");
    story.hears("bob", "hi", "alice");
    story.hears("alice", "hi", "alice");
    let verdict = story.judged();
    finds(&verdict, &["OH0301"]);
    assert!(verdict.findings[0].title.contains("its own message"), "{verdict:#?}");
}

#[test]
fn overheard_by_one_who_is_excepted() {
    let mut story = tea();
    let options = json!({ "to": "lobby", "except": "tea", "event": "x" });
    story.does("alice", "broadcast", json!([options]));
    story.receives("carol", "x", json!([]));
    story.receives("bob", "x", json!([]));
    finds(&story.judged(), &["OH0301"]);
}

#[test]
fn overheard_after_leaving_the_room() {
    let mut story = tea();
    story.does("bob", "leave", json!(["tea"]));
    story.says("alice", "hi", "tea");
    story.hears("bob", "hi", "alice");
    finds(&story.judged(), &["OH0301"]);
}

#[test]
fn missed_on_a_healthy_connection() {
    let mut story = tea();
    story.says("alice", "hi", "tea");
    finds(&story.judged(), &["OH0302"]);
}

#[test]
fn missed_although_the_connection_broke_later() {
    let mut story = tea();
    story.says("alice", "one", "tea");
    story.says("alice", "two", "tea");
    story.hears("bob", "two", "alice");
    story.faults(1, "cut", &["bob"]);
    story.breaks("bob");
    story.heals(1, 1);
    finds(&story.judged(), &["OH0302"]);
}

#[test]
fn missed_before_a_farewell() {
    let mut story = tea();
    story.says("alice", "hi", "tea");
    story.does("alice", "kick", json!([{ "to": "tea" }]));
    story.leaves("sid-bob", "server namespace disconnect");
    story.ends("bob", "io server disconnect");
    finds(&story.judged(), &["OH0302"]);
}

#[test]
fn repeated() {
    let mut story = tea();
    story.says("alice", "hi", "tea");
    story.hears("bob", "hi", "alice");
    story.hears("bob", "hi", "alice");
    finds(&story.judged(), &["OH0303"]);
}

#[test]
fn from_nowhere() {
    let mut story = tea();
    story.receives("bob", "ghost", json!([1]));
    finds(&story.judged(), &["OH0304"]);
}

#[test]
fn reordered() {
    let mut story = tea();
    story.says("alice", "one", "tea");
    story.says("carol", "two", "tea");
    story.hears("bob", "two", "carol");
    story.hears("alice", "two", "carol");
    story.hears("bob", "one", "alice");
    let verdict = story.judged();
    finds(&verdict, &["OH0305"]);
    assert_eq!(verdict.findings[0].property, Property::P11);
}

#[test]
fn leaked_into_another_namespace() {
    let mut story = tea();
    story.enters_as("carol", "/staff", "sid-staff", false);
    story.says("alice", "hi", "tea");
    story.hears("bob", "hi", "alice");
    story.receives_in("/staff", "carol", "chat", json!(["hi", { "from": "sid-alice" }]));
    finds(&story.judged(), &["OH0306"]);
}

#[test]
fn an_earlier_sessions_message() {
    let mut story = tea();
    story.faults(1, "cut", &["bob"]);
    story.says("alice", "hi", "tea");
    story.breaks("bob");
    story.heals(1, 1);
    story.add("bob", What::Reconnecting { attempt: 1 });
    story.enters_as("bob", "/", "sid-bob-2", false);
    story.hears("bob", "hi", "alice");
    finds(&story.judged(), &["OH0307"]);
}

#[test]
fn other_bytes() {
    let mut story = tea();
    let with = |byte: u8| Value::Binary(vec![byte].into());
    let options = json!({ "to": "tea", "event": "file", "args": [0] });
    let op = story.invokes("alice", "broadcast", json!([options]));
    story.accepts("sid-alice", "broadcast", json!([options]));
    let change = |story: &mut Story, back: usize, value: Value| {
        let at = story.history.events.len() - back;
        let event = &mut story.history.events[at];
        match &mut event.what {
            What::Received { args, .. } => *args = vec![value].into(),
            What::Accepted { args, .. }
            | What::Invoke { operation: Operation::Emit { args, .. }, .. } => {
                let mut object = args[0].as_object().unwrap().clone();
                object.insert("args", Value::Array(vec![value]));
                *args = vec![Value::Object(object)].into();
            }
            other => panic!("{other:?}"),
        }
    };
    change(&mut story, 1, with(1));
    change(&mut story, 2, with(1));
    story.ok("alice", op, json!(["ok"]));
    story.receives("bob", "file", json!([0]));
    change(&mut story, 1, with(2));
    finds(&story.judged(), &["OH0302", "OH0308"]);
}

#[test]
fn heard_before_being_let_in_and_after_being_refused() {
    let mut story = Story::bare(&["alice", "eve"]);
    story.enters("alice");
    story.does("alice", "chat", json!(["hi"]));
    story.add("eve", What::Opened { transport: "polling".into() });
    story.hears("eve", "hi", "alice");
    let refused = What::Refused { nsp: "/staff".into(), message: "no".into(), data: None };
    story.add("eve", refused);
    story.receives_in("/staff", "eve", "chat", json!(["hi"]));
    finds(&story.judged(), &["OH0309", "OH0309"]);
}

fn staff(token: &str, seats: Option<usize>) -> overheard::plan::Plan {
    let mut plan = plan(&["alice", "bob"], Vec::new());
    plan.server.namespaces.push(NamespacePlan {
        name: "/staff".into(),
        token: Some(token.into()),
        seats,
        auth_delay: Duration::ZERO,
    });
    plan
}

fn shows(story: &mut Story, who: &str, token: &str) {
    let auth = Some(value(json!({ "token": token })));
    let operation = Operation::Connect { nsp: "/staff".into(), auth };
    let op = 500 + story.history.events.len() as u64;
    story.add(who, What::Invoke { op, operation });
    story.enters_as(who, "/staff", &format!("staff-{who}"), false);
    story.ok(who, op, json!([]));
}

#[test]
fn let_in_without_the_token() {
    let mut story = Story::bare(&["alice", "bob"]);
    shows(&mut story, "alice", "right");
    shows(&mut story, "bob", "wrong");
    finds(&story.judged_by(&staff("right", None)), &["OH0310"]);
}

#[test]
fn one_seat_too_many() {
    let mut story = Story::bare(&["alice", "bob"]);
    shows(&mut story, "alice", "right");
    shows(&mut story, "bob", "right");
    finds(&story.judged_by(&staff("right", Some(1))), &["OH0311"]);
    let mut story = Story::bare(&["alice", "bob"]);
    shows(&mut story, "alice", "right");
    shows(&mut story, "bob", "right");
    passes(&story.judged_by(&staff("right", Some(2))));
}

#[test]
fn let_into_what_does_not_exist() {
    let mut story = Story::bare(&["alice", "bob"]);
    story.enters_as("alice", "/elsewhere", "sid", false);
    let codes_found = story.judged_by(&plan(&["alice", "bob"], Vec::new()));
    finds(&codes_found, &["OH0312", "OH0312"]);
    let mut dynamic = plan(&["alice", "bob"], Vec::new());
    dynamic.server.dynamic.push("^/else".into());
    passes(&overheard::check::judge(&dynamic, &story.history));
}

#[test]
fn heard_after_the_end() {
    let mut story = tea();
    story.does("alice", "kick", json!([{ "to": "tea" }]));
    story.leaves("sid-bob", "server namespace disconnect");
    story.says("alice", "hi", "tea");
    story.hears("bob", "hi", "alice");
    story.ends("bob", "io server disconnect");
    story.receives("bob", "chat", json!(["more"]));
    finds(&story.judged(), &["OH0313", "OH0313"]);
}

#[test]
fn kicked_and_stayed_or_went_for_no_reason() {
    let mut story = tea();
    story.does("alice", "kick", json!([{ "to": "tea" }]));
    story.leaves("sid-carol", "server namespace disconnect");
    story.ends("carol", "io server disconnect");
    story.waits(2);
    finds(&story.judged(), &["OH0314", "OH0315"]);
}

#[test]
fn wrong_tables() {
    let mut story = Story::of(&["alice"]);
    story.does("alice", "join", json!(["tea"]));
    story.rooms(&[("sid-alice", &["sid-alice", "lobby"])]);
    finds(&story.judged(), &["OH0316"]);
    let mut story = Story::of(&["alice"]);
    let names = |names: &[&str]| names.iter().map(|name| (*name).into()).collect::<Vec<_>>();
    story.add(
        "server",
        What::Rooms {
            nsp: "/".into(),
            sids: vec![("sid-alice".into(), names(&["sid-alice", "lobby"]))],
            rooms: vec![("lobby".into(), names(&["sid-alice"])), ("tea".into(), vec![])],
        },
    );
    finds(&story.judged(), &["OH0317", "OH0317"]);
}

#[test]
fn leftovers() {
    let mut story = Story::of(&["alice"]);
    story.rests();
    for event in &mut story.history.events {
        if let What::Counters(counters) = &mut event.what {
            *counters = Counters { rooms: 1, timers: 2, last: true, ..Counters::default() };
        }
    }
    let verdict = overheard::check::judge_history(&story.history);
    finds(&verdict, &["OH0318"]);
    assert!(verdict.findings[0].title.ends_with("1 rooms, 2 timers"));
}

#[test]
fn sockets_come_and_go_in_pairs() {
    let mut story = Story::of(&["alice", "bob"]);
    story.let_in("alice", "/", "sid-alice", false);
    story.leaves("nobody", "transport close");
    story.leaves("sid-bob", "transport close");
    story.leaves("sid-bob", "transport close");
    story.ends("bob", "transport close");
    finds(&story.judged(), &["OH0319", "OH0319", "OH0319"]);
}

#[test]
fn operations_end_once_and_with_the_right_answer() {
    let mut story = tea();
    let op = story.invokes("alice", "echo", json!([1]));
    story.accepts("sid-alice", "echo", json!([1]));
    story.ok("alice", op, json!(["ok", 1]));
    story.ok("alice", op, json!(["ok", 1]));
    finds(&story.judged(), &["OH0320"]);
    for (event, values, answer) in [
        ("echo", json!([1]), json!(["ok", 2])),
        ("join", json!(["a"]), json!(["error", "no"])),
        ("rooms", json!([]), json!(["ok", ["lobby"]])),
        ("who", json!([{ "to": "tea" }]), json!(["ok", ["sid-alice", "sid-bob"]])),
        ("nonsense", json!([]), json!(["ok"])),
    ] {
        let mut story = tea();
        story.asks("alice", event, values, answer);
        finds(&story.judged(), &["OH0322"]);
    }
}

#[test]
fn too_few_answers_to_an_ask() {
    let mut story = tea();
    let ask = json!([{ "to": "lobby", "event": "poll" }]);
    let op = story.invokes("alice", "ask", ask.clone());
    story.accepts("sid-alice", "ask", ask);
    story.receives("bob", "poll", json!([]));
    story.receives("carol", "poll", json!([]));
    story.ok("alice", op, json!(["ok", [1]]));
    finds(&story.judged(), &["OH0322"]);
}

#[test]
fn an_answer_is_lost_or_never_ends() {
    let mut story = tea();
    let op = story.invokes("alice", "echo", json!([1]));
    story.accepts("sid-alice", "echo", json!([1]));
    story.waits(10);
    story.add("alice", What::Info { op, error: "operation has timed out".into() });
    let verdict = story.judged_by(&plan(&["alice", "bob", "carol"], Vec::new()));
    finds(&verdict, &["OH0323"]);
    let mut story = tea();
    story.invokes("alice", "echo", json!([1]));
    story.accepts("sid-alice", "echo", json!([1]));
    finds(&story.judged(), &["OH0321"]);
}

#[test]
fn requests_arrive_once_in_order_and_as_they_were() {
    let mut story = tea();
    let op = story.invokes("alice", "echo", json!([1]));
    story.add("alice", What::Info { op, error: "operation has timed out".into() });
    finds(&story.judged(), &["OH0324"]);
    let mut story = tea();
    story.asks("alice", "echo", json!([1]), json!(["ok", 1]));
    story.accepts("sid-alice", "echo", json!([1]));
    finds(&story.judged(), &["OH0325"]);
    let mut story = tea();
    story.accepts("sid-alice", "echo", json!([9]));
    finds(&story.judged(), &["OH0326"]);
    let mut story = tea();
    let one = story.invokes("alice", "echo", json!([1]));
    let two = story.invokes("alice", "echo", json!([2]));
    story.accepts("sid-alice", "echo", json!([2]));
    story.accepts("sid-alice", "echo", json!([1]));
    story.ok("alice", two, json!(["ok", 2]));
    story.ok("alice", one, json!(["ok", 1]));
    finds(&story.judged(), &["OH0327"]);
}
