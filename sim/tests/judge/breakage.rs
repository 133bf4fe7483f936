//! Connections that end, come back and are recovered, hostile peers, and runs that say nothing.

use std::time::Duration;

use overheard::history::{EndReason, Operation, What};
use overheard::plan::{Action, Raw, TransportName};
use overheard::verdict::Outcome;
use serde_json::json;

use crate::dsl::*;

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
