//! What was begun ends: histories of servers that go on, and of those that got stuck.

use std::time::Duration;

use overheard::check::judge_history;
use overheard::history::{Action as Act, Audience, EndReason, Operation, What};
use overheard::plan::{self, NamespacePlan, ServerAction, Target};
use overheard::verdict::{Outcome, Property, Verdict};
use serde_json::json;

use crate::dsl::*;

fn progress(verdict: &Verdict) -> u64 {
    let own = verdict.tallies.iter().filter(|tally| tally.property == Property::P13);
    own.map(|tally| tally.judged).sum()
}

/// alice asks, and the answer takes so many seconds.
fn answered_after(seconds: u64) -> Story {
    let mut story = tea();
    let op = story.invokes("alice", "echo", json!([1]));
    story.accepts("sid-alice", "echo", json!([1]));
    story.waits(seconds);
    story.ok("alice", op, json!(["ok", 1]));
    story
}

#[test]
fn an_answer_that_is_due_at_once_does_not_take_for_ever() {
    let verdict = answered_after(30).judged();
    passes(&verdict);
    assert_eq!(progress(&verdict), 3, "two joins and an echo");
    let verdict = answered_after(300).judged();
    finds(&verdict, &["OH0337"]);
    assert_eq!(verdict.findings[0].clients, ["alice"]);
    let mut patient = plan(&["alice", "bob", "carol"], Vec::new());
    patient.bounds.settle = Duration::from_secs(600);
    passes(&answered_after(300).judged_by(&patient));
}

#[test]
fn a_run_that_a_bound_ended_shows_who_was_stuck() {
    let ended_after = |seconds, events: &dyn Fn(&mut Story)| {
        let mut story = tea();
        events(&mut story);
        story.waits(seconds);
        story.add("run", What::End { reason: EndReason::Bound("virtual time".into()) });
        judge_history(&story.history)
    };
    // bob puts himself out of a room from within his own handler, and nothing comes back.
    let stuck = |story: &mut Story| {
        story.invokes("bob", "leave", json!(["tea"]));
        story.accepts("sid-bob", "leave", json!(["tea"]));
    };
    finds(&ended_after(3_600, &stuck), &["OH0337"]);
    assert_eq!(ended_after(10, &stuck).outcome, Outcome::Unknown);
    assert_eq!(ended_after(3_600, &|_| {}).outcome, Outcome::Unknown);
}

#[test]
fn what_a_fault_or_the_end_of_the_server_holds_up_is_excused() {
    let asks = |story: &mut Story| {
        let op = story.invokes("alice", "echo", json!([1]));
        story.accepts("sid-alice", "echo", json!([1]));
        op
    };
    let mut stalled = tea();
    stalled.faults(1, "stall", &["alice"]);
    let op = asks(&mut stalled);
    stalled.waits(300);
    stalled.heals(1, 1);
    stalled.ok("alice", op, json!(["ok", 1]));
    let verdict = stalled.judged();
    passes(&verdict);
    assert_eq!((progress(&verdict), allowed(&verdict, "faulted link")), (2, 1));
    let mut story = tea();
    let op = 900;
    story.add("server", What::Acted { op, action: gathers() });
    story.faults(1, "crash", &[]);
    story.add("server", What::Down);
    story.waits(300);
    let verdict = story.judged();
    assert!(!codes(&verdict).contains(&"OH0337"), "{verdict:#?}");
    assert_eq!(allowed(&verdict, "the server ended"), 1);
}

#[test]
fn who_asks_to_be_let_in_is_let_in_or_refused() {
    let let_in_after = |seconds| {
        let mut story = tea();
        let operation = Operation::Connect { nsp: "/staff".into(), auth: None };
        story.add("bob", What::Invoke { op: 700, operation });
        story.add("bob", What::Opened { transport: "websocket".into() });
        story.waits(seconds);
        story.enters_as("bob", "/staff", "staff-bob", false);
        story.ok("bob", 700, json!([]));
        story
    };
    passes(&let_in_after(5).judged());
    finds(&let_in_after(100).judged(), &["OH0337"]);
    let mut slow = plan(&["alice", "bob", "carol"], Vec::new());
    slow.server.namespaces.push(NamespacePlan {
        name: "/staff".into(),
        token: None,
        seats: None,
        auth_delay: Duration::from_secs(90),
    });
    passes(&let_in_after(100).judged_by(&slow));
    finds(&let_in_after(160).judged_by(&slow), &["OH0337"]);
}

/// A broadcast of the application that gathers answers of those who are in `tea`.
fn gathers() -> Act {
    Act::Broadcast {
        to: Audience { nsp: "/".into(), to: vec!["tea".into()], except: Vec::new() },
        event: "poll".into(),
        args: args(json!([])),
        volatile: false,
        ack: true,
    }
}

#[test]
fn a_broadcast_that_gathers_answers_ends() {
    let gathered_after = |seconds: Option<u64>| {
        let mut story = tea();
        story.begins(0);
        story.add("server", What::Acted { op: 900, action: gathers() });
        for who in ["alice", "bob"] {
            story.receives(who, "poll", json!([]));
            story.add(who, What::Answered { nsp: "/".into(), values: args(json!([who])) });
        }
        story.waits(seconds.unwrap_or(100));
        if seconds.is_some() {
            let responses = args(json!(["alice", "bob"]));
            story.add("server", What::BroadcastAcked { op: 900, responses, timed_out: false });
        }
        story.ends_step();
        story
    };
    let verdict = gathered_after(Some(1)).judged();
    passes(&verdict);
    assert_eq!(progress(&verdict), 3, "two joins and a broadcast");
    finds(&gathered_after(Some(100)).judged(), &["OH0337"]);
    finds(&gathered_after(None).judged(), &["OH0337"]);
    let patient = plan::Action::Server(ServerAction::Broadcast {
        target: Target { namespace: "/".into(), to: Vec::new(), except: Vec::new() },
        event: "poll".into(),
        args: Vec::new(),
        volatile: false,
        ack: Some((Duration::from_secs(200), Vec::new())),
        times: 1,
        every: Duration::ZERO,
    });
    let patient = plan(&["alice", "bob", "carol"], vec![patient]);
    let verdict = gathered_after(Some(100)).judged_by(&patient);
    assert!(!codes(&verdict).contains(&"OH0337"), "{verdict:#?}");
}
