//! Histories in which everything is as it must be.

use overheard::history::{Counters, EndReason, What};
use overheard::verdict::Outcome;
use serde_json::json;

use crate::dsl::*;

#[test]
fn a_room_message_reaches_the_room_and_never_its_sender() {
    let mut story = tea();
    story.says("alice", "hi", "tea");
    story.hears("bob", "hi", "alice");
    passes(&story.judged());
}

#[test]
fn without_a_room_a_chat_goes_to_the_lobby() {
    let mut story = tea();
    story.does("alice", "chat", json!(["hi"]));
    story.hears("bob", "hi", "alice");
    story.hears("carol", "hi", "alice");
    passes(&story.judged());
}

#[test]
fn two_rooms_are_a_union_and_an_except_always_wins() {
    let mut story = tea();
    story.does("carol", "join", json!([["tea", "milk"]]));
    let options = json!({ "to": ["tea", "milk", "nothing"], "except": "milk", "event": "x" });
    story.does("alice", "broadcast", json!([options]));
    story.receives("bob", "x", json!([]));
    passes(&story.judged());
}

#[test]
fn without_a_target_everybody_hears() {
    let mut story = tea();
    let options = json!({ "to": [], "from": "namespace", "event": "x", "args": [1] });
    story.does("alice", "broadcast", json!([options]));
    for name in ["alice", "bob", "carol"] {
        story.receives(name, "x", json!([1]));
    }
    passes(&story.judged());
}

#[test]
fn a_sender_that_left_its_own_room_hears_itself() {
    // EDGE-03
    let mut story = tea();
    story.does("alice", "leave", json!(["sid-alice"]));
    story.says("alice", "hi", "tea");
    story.hears("alice", "hi", "alice");
    story.hears("bob", "hi", "alice");
    passes(&story.judged());
}

#[test]
fn whoever_is_in_the_room_of_the_sender_misses_its_messages() {
    // EDGE-02
    let mut story = tea();
    story.does("bob", "join", json!(["sid-alice"]));
    story.says("alice", "hi", "tea");
    passes(&story.judged());
}

#[test]
fn requests_are_answered_from_the_tables() {
    let mut story = tea();
    story.asks("bob", "rooms", json!([]), json!(["ok", ["sid-bob", "lobby", "tea"]]));
    let there = json!(["ok", ["sid-carol", "sid-bob"]]);
    story.asks("alice", "who", json!([{ "to": "lobby" }]), there);
    story.does("bob", "set", json!(["mood", "calm"]));
    story.asks("bob", "get", json!([]), json!(["ok", { "mood": "calm" }]));
    story.asks("bob", "echo", json!([1, null]), json!(["ok", 1, null]));
    story.asks("bob", "nonsense", json!([]), json!(["error", "unknown event"]));
    story.asks("bob", "join", json!([7]), json!(["error", "bad arguments"]));
    passes(&story.judged());
}

#[test]
fn selected_sockets_are_moved_and_kicked() {
    let mut story = tea();
    let options = json!({ "to": "tea", "leave": ["lobby"], "join": ["milk"] });
    story.does("alice", "move", json!([options]));
    let bob: (&str, &[&str]) = ("sid-bob", &["sid-bob", "tea", "milk"]);
    story.rooms(&[
        ("sid-alice", &["sid-alice", "lobby", "tea"]),
        bob,
        ("sid-carol", &["sid-carol", "lobby"]),
    ]);
    story.does("alice", "kick", json!([{ "to": "milk" }]));
    story.leaves("sid-bob", "server namespace disconnect");
    story.ends("bob", "io server disconnect");
    story.says("alice", "hi", "tea");
    passes(&story.judged());
}

#[test]
fn what_was_on_its_way_to_a_lost_connection_is_excused() {
    let mut story = tea();
    story.does("alice", "join", json!(["milk"]));
    story.says("carol", "hello", "milk");
    story.hears("alice", "hello", "carol");
    story.faults(1, "cut", &["bob"]);
    story.says("alice", "hi", "tea");
    story.breaks("bob");
    story.heals(1, 1);
    let verdict = story.judged();
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
    assert_eq!(allowed(&verdict, "faulted link") + allowed(&verdict, "connection lost"), 1);
}

#[test]
fn a_recovered_session_hears_what_it_missed() {
    let mut story = tea();
    story.says("alice", "one", "tea");
    let from = json!({ "from": "sid-alice" });
    story.receives_kept("bob", "chat", json!(["one", from]), "1");
    story.says("alice", "two", "tea");
    story.breaks("bob");
    story.says("alice", "three", "tea");
    story.add("bob", What::Reconnecting { attempt: 1 });
    story.add("bob", What::Opened { transport: "polling".into() });
    story.let_in("bob", "/", "sid-bob", true);
    story.receives_kept("bob", "chat", json!(["two", from]), "2");
    story.receives_kept("bob", "chat", json!(["three", from]), "3");
    story.connects("bob", "/", "sid-bob", true);
    passes(&story.judged());
}

#[test]
fn tells_and_asks_reach_those_they_name() {
    let mut story = tea();
    let tell = json!([{ "id": "sid-carol", "event": "psst", "args": [1] }]);
    let op = story.invokes("alice", "tell", tell.clone());
    story.accepts("sid-alice", "tell", tell);
    let got = story.receives("carol", "psst", json!([1]));
    let values = args(json!(["yes"]));
    let n = story.add("carol", What::Answered { nsp: "/".into(), values });
    story.history.events[usize::try_from(n).unwrap()].parent = Some(got);
    story.ok("alice", op, json!(["ok", "yes"]));
    let ask = json!([{ "to": "tea", "event": "poll" }]);
    let op = story.invokes("alice", "ask", ask.clone());
    story.accepts("sid-alice", "ask", ask);
    let got = story.receives("bob", "poll", json!([]));
    let n = story.add("bob", What::Answered { nsp: "/".into(), values: args(json!([7, 8])) });
    story.history.events[usize::try_from(n).unwrap()].parent = Some(got);
    story.ok("alice", op, json!(["ok", [7]]));
    story.asks("alice", "tell", json!([{ "id": "x", "event": "e" }]), json!(["error", "no one"]));
    passes(&story.judged());
}

#[test]
fn the_application_may_speak_for_itself() {
    let mut story = tea();
    story.broadcasts(&["tea"], "news", json!([1]));
    story.receives("alice", "news", json!([1]));
    story.receives("bob", "news", json!([1]));
    passes(&story.judged());
}

#[test]
fn equal_messages_are_told_apart_by_how_many_there_are() {
    let mut story = tea();
    for _ in 0..3 {
        story.says("alice", "hi", "tea");
    }
    for _ in 0..3 {
        story.hears("bob", "hi", "alice");
    }
    passes(&story.judged());
}

#[test]
fn recovery_keeps_timers_and_a_crash_forgets_everybody() {
    let mut story = tea();
    story.faults(1, "crash", &[]);
    story.add("server", What::Down);
    for name in ["alice", "bob", "carol"] {
        story.ends(name, "transport close");
    }
    story.add("server", What::Up);
    story.heals(1, 3);
    for name in ["alice", "bob", "carol"] {
        story.add(name, What::Reconnecting { attempt: 1 });
        story.enters_as(name, "/", &format!("sid-{name}-2"), false);
    }
    story.add("run", What::Closing);
    for name in ["alice", "bob", "carol"] {
        story.leaves(&format!("sid-{name}-2"), "client namespace disconnect");
    }
    story.add("server", What::Counters(Counters { last: true, ..Counters::default() }));
    story.add("run", What::End { reason: EndReason::Complete });
    passes(&overheard::check::judge_history(&story.history));
}
