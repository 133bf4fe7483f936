//! Histories of clients alone: what overlaps is a maybe.

use overheard::check::judge_history;
use overheard::history::{EndReason, Operation, What};
use overheard::verdict::{Outcome, Verdict};
use serde_json::{Value as Json, json};

use crate::dsl::*;

/// Two clients whose server nobody watched.
fn watched() -> Story {
    let mut story = Story::bare(&["alice", "bob"]);
    for name in ["alice", "bob"] {
        story.add(name, What::Opened { transport: "websocket".into() });
        story.connects(name, "/", &sid(name), false);
    }
    story
}

fn does(story: &mut Story, who: &str, event: &str, values: Json) {
    let op = story.invokes(who, event, values);
    story.ok(who, op, json!(["ok"]));
}

fn judged(mut story: Story) -> Verdict {
    story.waits(1);
    story.add("run", What::Quiet);
    story.add("run", What::Closing);
    story.add("run", What::End { reason: EndReason::Complete });
    judge_history(&story.history)
}

/// Both is right; without any delivery nothing was judged.
fn may_be(verdict: &Verdict, heard: bool) {
    let wanted = if heard { Outcome::Pass } else { Outcome::Unknown };
    assert_eq!(verdict.outcome, wanted, "{verdict:#?}");
}

fn hi() -> Json {
    json!(["hi", { "to": "tea" }])
}

#[test]
fn what_is_over_is_exact() {
    let mut story = watched();
    does(&mut story, "bob", "join", json!(["tea"]));
    does(&mut story, "alice", "chat", hi());
    story.hears("bob", "hi", "alice");
    passes(&judged(story));
    let mut story = watched();
    does(&mut story, "bob", "join", json!(["tea"]));
    does(&mut story, "alice", "chat", hi());
    finds(&judged(story), &["OH0302"]);
    let mut story = watched();
    does(&mut story, "alice", "chat", hi());
    story.hears("bob", "hi", "alice");
    finds(&judged(story), &["OH0301"]);
}

#[test]
fn what_overlaps_may_be_heard_or_not() {
    for heard in [false, true] {
        let mut story = watched();
        let join = story.invokes("bob", "join", json!(["tea"]));
        let chat = story.invokes("alice", "chat", hi());
        story.ok("bob", join, json!(["ok"]));
        story.ok("alice", chat, json!(["ok"]));
        if heard {
            story.hears("bob", "hi", "alice");
        }
        may_be(&judged(story), heard);
    }
}

#[test]
fn what_may_be_heard_is_not_heard_twice() {
    let mut story = watched();
    let join = story.invokes("bob", "join", json!(["tea"]));
    does(&mut story, "alice", "chat", hi());
    story.ok("bob", join, json!(["ok"]));
    story.hears("bob", "hi", "alice");
    story.hears("bob", "hi", "alice");
    finds(&judged(story), &["OH0303"]);
}

#[test]
fn an_operation_without_an_answer_stays_open() {
    for heard in [false, true] {
        let mut story = watched();
        let join = story.invokes("bob", "join", json!(["tea"]));
        story.add("bob", What::Info { op: join, error: "operation has timed out".into() });
        does(&mut story, "alice", "chat", hi());
        if heard {
            story.hears("bob", "hi", "alice");
        }
        may_be(&judged(story), heard);
    }
}

#[test]
fn a_later_answer_closes_an_earlier_operation() {
    let mut story = watched();
    let operation = Operation::Emit {
        nsp: "/".into(),
        event: "join".into(),
        args: args(json!(["tea"])),
        ack: false,
        volatile: false,
    };
    story.add("bob", What::Invoke { op: 77, operation });
    does(&mut story, "bob", "set", json!(["a", 1]));
    does(&mut story, "alice", "chat", hi());
    finds(&judged(story), &["OH0302"]);
}

#[test]
fn order_counts_for_each_sender() {
    let two = |first: &str, second: &str, from: &str| {
        let mut story = watched();
        does(&mut story, "bob", "join", json!(["tea"]));
        let one = story.invokes("alice", "chat", json!(["one", { "to": "tea" }]));
        let text = json!([{ "to": "tea", "from": "namespace", "event": "two" }]);
        let two = story.invokes(from, "broadcast", text);
        story.ok("alice", one, json!(["ok"]));
        story.ok(from, two, json!(["ok"]));
        for event in [first, second] {
            match event {
                "one" => story.hears("bob", "one", "alice"),
                _ => story.receives("bob", "two", json!([])),
            };
        }
        judged(story)
    };
    passes(&two("one", "two", "alice"));
    finds(&two("two", "one", "alice"), &["OH0305"]);
    passes(&two("two", "one", "bob"));
}

#[test]
fn a_lost_connection_excuses_and_an_echo_is_judged() {
    let mut story = watched();
    does(&mut story, "bob", "join", json!(["tea"]));
    does(&mut story, "alice", "chat", hi());
    story.ends("bob", "transport close");
    may_be(&judged(story), false);
    let mut story = watched();
    let op = story.invokes("alice", "echo", json!([1]));
    story.ok("alice", op, json!(["ok", 2]));
    finds(&judged(story), &["OH0322"]);
}

#[test]
fn one_id_in_two_namespaces_is_two_sockets() {
    for leaks in [false, true] {
        let mut story = watched();
        for name in ["alice", "bob"] {
            story.connects(name, "/staff", &sid(name), false);
        }
        let op = story.invokes_in("/staff", "alice", "broadcast", json!([{ "event": "note" }]));
        story.ok("alice", op, json!(["ok"]));
        story.receives_in(if leaks { "/" } else { "/staff" }, "bob", "note", json!([]));
        if leaks {
            finds(&judged(story), &["OH0302", "OH0306"]);
        } else {
            passes(&judged(story));
        }
    }
}
