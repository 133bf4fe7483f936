//! Histories in which one thing is wrong, and exactly that is found.

use std::time::Duration;

use overheard::history::{Counters, EndReason, Operation, What};
use overheard::plan::{Action, NamespacePlan, Raw, TransportName};
use overheard::verdict::{Outcome, Property};
use overheard_core::value::Value;
use serde_json::json;

use crate::dsl::*;

fn tea() -> Story {
    let mut story = Story::of(&["alice", "bob", "carol"]);
    story.does("alice", "join", json!(["tea"]));
    story.does("bob", "join", json!(["tea"]));
    story
}

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

#[test]
fn a_live_peer_is_dropped_and_a_silent_one_kept() {
    let three = ["alice", "bob", "carol"];
    let mut story = tea();
    story.waits(50);
    story.ends("bob", "ping timeout");
    story.leaves("sid-bob", "transport close");
    finds(&story.judged_by(&plan(&three, Vec::new())), &["OH0328"]);
    let mut story = tea();
    story.faults(1, "black-hole", &["bob"]);
    story.waits(60);
    story.heals(1, 5);
    finds(&story.judged_by(&plan(&three, Vec::new())), &["OH0329"]);
    let mut story = tea();
    story.faults(1, "black-hole", &["bob"]);
    story.waits(40);
    story.breaks("bob");
    story.waits(20);
    story.heals(1, 5);
    passes(&story.judged_by(&plan(&three, Vec::new())));
}

#[test]
fn a_bystander_suffers_from_hostile_bytes() {
    let raw = Raw {
        transport: TransportName::WebSocket,
        enter: Vec::new(),
        send: Vec::new(),
        bytes: None,
        closes: None,
        linger: Duration::ZERO,
    };
    let plan = plan(&["alice", "bob", "carol"], vec![Action::Raw(raw)]);
    let mut story = tea();
    story.begins(0);
    story.ends_step();
    story.breaks("bob");
    finds(&story.judged_by(&plan), &["OH0335"]);
}

/// bob is lost and comes back after a message, and is told of these.
fn recovered(told: &[&str]) -> Story {
    let mut story = tea();
    let from = json!({ "from": "sid-alice" });
    story.says("alice", "one", "tea");
    story.receives_kept("bob", "chat", json!(["one", from]), "1");
    story.breaks("bob");
    story.says("alice", "two", "tea");
    story.says("alice", "three", "tea");
    story.add("bob", What::Opened { transport: "polling".into() });
    story.let_in("bob", "/", "sid-bob", true);
    for text in told {
        story.receives_kept("bob", "chat", json!([text, from]), "9");
    }
    story.connects("bob", "/", "sid-bob", true);
    story
}

#[test]
fn a_recovered_session_has_a_gap_or_hears_twice() {
    finds(&recovered(&["three"]).judged(), &["OH0330"]);
    finds(&recovered(&["one", "two", "three"]).judged(), &["OH0331"]);
    finds(&recovered(&["three", "two"]).judged(), &["OH0305"]);
    passes(&recovered(&["two", "three"]).judged());
}

#[test]
fn a_young_session_is_not_recovered() {
    let came_back_after = |seconds: u64| {
        let mut story = tea();
        story.faults(1, "cut", &["bob"]);
        let from = json!({ "from": "sid-alice" });
        story.says("alice", "one", "tea");
        story.receives_kept("bob", "chat", json!(["one", from]), "1");
        story.breaks("bob");
        story.heals(1, 1);
        story.waits(seconds);
        story.add("bob", What::Reconnecting { attempt: 1 });
        story.enters_as("bob", "/", "sid-bob-2", false);
        let mut plan = plan(&["alice", "bob", "carol"], Vec::new());
        plan.server.recovery = Some(Duration::from_secs(10));
        story.judged_by(&plan)
    };
    finds(&came_back_after(5), &["OH0332"]);
    passes(&came_back_after(15));
}

#[test]
fn clients_connect_again_only_when_they_should() {
    let mut story = tea();
    story.does("alice", "kick", json!([{ "to": "tea" }]));
    story.leaves("sid-bob", "server namespace disconnect");
    story.ends("bob", "io server disconnect");
    story.add("bob", What::Reconnecting { attempt: 1 });
    finds(&story.judged(), &["OH0333"]);
    let attempts = |numbers: &[u32], seconds| {
        let mut story = tea();
        story.faults(1, "cut", &["bob"]);
        story.breaks("bob");
        story.heals(1, 1);
        for attempt in numbers {
            story.waits(seconds);
            story.add("bob", What::Reconnecting { attempt: *attempt });
        }
        story.judged_by(&plan(&["alice", "bob", "carol"], Vec::new()))
    };
    passes(&attempts(&[1, 2, 3], 5));
    finds(&attempts(&[1, 3], 5), &["OH0334"]);
    finds(&attempts(&[1], 0), &["OH0334"]);
    let mut story = tea();
    story.faults(1, "cut", &["bob"]);
    story.breaks("bob");
    story.heals(1, 1);
    story.waits(2);
    story.add("bob", What::Reconnecting { attempt: 1 });
    let operation = Operation::Connect { nsp: "/".into(), auth: None };
    story.add("bob", What::Invoke { op: 77, operation });
    story.waits(5);
    story.add("bob", What::Reconnecting { attempt: 2 });
    passes(&story.judged_by(&plan(&["alice", "bob", "carol"], Vec::new())));
}

#[test]
fn a_hostile_peer_is_closed_or_left_alone_as_the_file_says() {
    let judged = |closes, reason: &str| {
        let raw = Raw {
            transport: TransportName::WebSocket,
            enter: Vec::new(),
            send: Vec::new(),
            bytes: None,
            closes,
            linger: Duration::ZERO,
        };
        let mut story = tea();
        story.begins(0);
        let (nsp, reason) = (String::new().into(), reason.into());
        story.add("raw-0", What::Disconnected { nsp, reason });
        story.ends_step();
        story.judged_by(&plan(&["alice", "bob", "carol"], vec![Action::Raw(raw)]))
    };
    passes(&judged(Some(true), "closed"));
    passes(&judged(None, "closed"));
    finds(&judged(Some(true), "open"), &["OH0361"]);
    finds(&judged(Some(false), "closed"), &["OH0361"]);
}

#[test]
fn what_was_given_up_before_it_was_sent_is_not_lost() {
    let given_up = |back_first: bool| {
        let mut story = tea();
        story.faults(1, "cut", &["bob"]);
        story.breaks("bob");
        story.heals(1, 1);
        let op = story.invokes("bob", "echo", json!([1]));
        let gives_up = |story: &mut Story| {
            story.add("bob", What::Info { op, error: "operation has timed out".into() })
        };
        if !back_first {
            gives_up(&mut story);
        }
        story.waits(2);
        story.add("bob", What::Reconnecting { attempt: 1 });
        story.enters_as("bob", "/", "sid-bob-2", false);
        if back_first {
            story.waits(9);
            gives_up(&mut story);
        }
        story.judged()
    };
    passes(&given_up(false));
    finds(&given_up(true), &["OH0324"]);
}

#[test]
fn a_run_that_was_cut_short_is_unknown() {
    let mut story = tea();
    story.says("alice", "hi", "tea");
    let verdict = overheard::check::judge_history(&story.history);
    assert_eq!(verdict.outcome, Outcome::Unknown, "{verdict:#?}");
    story.add("run", What::End { reason: EndReason::Bound("time".into()) });
    let verdict = overheard::check::judge_history(&story.history);
    assert_eq!(verdict.unknowns[0].code, "OH0401", "{verdict:#?}");
}

#[test]
fn a_fault_that_touched_nothing_is_unknown() {
    let mut story = tea();
    story.faults(1, "stall", &["bob"]);
    story.heals(1, 0);
    let verdict = story.judged();
    assert_eq!(verdict.outcome, Outcome::Unknown);
    assert_eq!(verdict.unknowns[0].code, "OH0404");
}
