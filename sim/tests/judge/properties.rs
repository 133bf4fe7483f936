//! Every property has a checker that says how much it judged, that accepts, and that rejects.

use std::sync::Arc;
use std::time::Duration;

use overheard::history::{Action as Act, Audience, Counters, Operation, What};
use overheard::plan::{Action, NamespacePlan, Plan, Raw, TransportName};
use overheard::verdict::{Outcome, Property, Verdict};
use overheard_core::value::Value;
use serde_json::json;
use smol_str::SmolStr;

use crate::dsl::*;

/// A history that is right, or with one thing wrong.
type Tell = fn(wrong: bool) -> Verdict;

const ALL: [(Property, Tell); 17] = [
    (Property::P01, exact_recipients),
    (Property::P02, membership),
    (Property::P03, nothing_left),
    (Property::P04, sessions),
    (Property::P05, namespaces),
    (Property::P06, gate),
    (Property::P07, pairs),
    (Property::P08, silence),
    (Property::P09, answers),
    (Property::P10, origins),
    (Property::P11, order),
    (Property::P12, bytes),
    (Property::P13, progress),
    (Property::P14, heartbeat),
    (Property::P15, recovery),
    (Property::P19, bystanders),
    (Property::P20, reconnection),
];

#[test]
fn every_property_is_judged_accepted_and_rejected() {
    for (property, tell) in ALL {
        let right = tell(false);
        assert_eq!(right.outcome, Outcome::Pass, "{property:?}: {right:#?}");
        let own = right.tallies.iter().filter(|tally| tally.property == property);
        assert!(own.map(|tally| tally.judged).sum::<u64>() > 0, "{property:?}: {right:#?}");
        let wrong = tell(true);
        assert!(!wrong.findings.is_empty(), "{property:?}: {wrong:#?}");
        for finding in &wrong.findings {
            assert_eq!(finding.property, property, "{finding:#?}");
        }
    }
}

fn three() -> Plan {
    plan(&["alice", "bob", "carol"], Vec::new())
}

fn exact_recipients(wrong: bool) -> Verdict {
    let mut story = tea();
    story.says("alice", "hi", "tea");
    story.hears("bob", "hi", "alice");
    if wrong {
        story.hears("carol", "hi", "alice");
    }
    story.judged()
}

fn membership(wrong: bool) -> Verdict {
    let mut story = Story::of(&["alice"]);
    story.does("alice", "join", json!(["tea"]));
    let rooms: &[&str] =
        if wrong { &["sid-alice", "lobby"] } else { &["sid-alice", "lobby", "tea"] };
    story.rooms(&[("sid-alice", rooms)]);
    story.judged()
}

fn nothing_left(wrong: bool) -> Verdict {
    let mut story = Story::of(&["alice"]);
    story.rests();
    for event in &mut story.history.events {
        if let What::Counters(counters) = &mut event.what {
            *counters = Counters { rooms: u64::from(wrong), last: true, ..Counters::default() };
        }
    }
    overheard::check::judge_history(&story.history)
}

fn sessions(wrong: bool) -> Verdict {
    let mut story = tea();
    story.faults(1, "cut", &["bob"]);
    story.says("alice", "hi", "tea");
    story.breaks("bob");
    story.heals(1, 1);
    story.add("bob", What::Reconnecting { attempt: 1 });
    story.enters_as("bob", "/", "sid-bob-2", false);
    story.does("alice", "chat", json!(["again"]));
    story.hears("carol", "again", "alice");
    story.hears("bob", "again", "alice");
    if wrong {
        story.hears("bob", "hi", "alice");
    }
    story.judged()
}

fn namespaces(wrong: bool) -> Verdict {
    let mut story = tea();
    story.enters_as("carol", "/staff", "sid-staff", false);
    story.says("alice", "hi", "tea");
    story.hears("bob", "hi", "alice");
    if wrong {
        story.receives_in("/staff", "carol", "chat", json!(["hi", { "from": "sid-alice" }]));
    }
    story.judged()
}

fn gate(wrong: bool) -> Verdict {
    let mut plan = three();
    plan.server.namespaces.push(NamespacePlan {
        name: "/staff".into(),
        token: Some("right".into()),
        seats: None,
        auth_delay: Duration::ZERO,
    });
    let mut story = tea();
    let token = if wrong { "wrong" } else { "right" };
    let auth = Some(value(json!({ "token": token })));
    let operation = Operation::Connect { nsp: "/staff".into(), auth };
    story.add("bob", What::Invoke { op: 500, operation });
    story.enters_as("bob", "/staff", "staff-bob", false);
    story.ok("bob", 500, json!([]));
    story.judged_by(&plan)
}

fn pairs(wrong: bool) -> Verdict {
    let mut story = tea();
    if wrong {
        story.let_in("alice", "/", "sid-alice", false);
    }
    story.judged()
}

fn silence(wrong: bool) -> Verdict {
    let mut story = tea();
    story.does("alice", "kick", json!([{ "to": "tea", "except": "sid-alice" }]));
    story.leaves("sid-bob", "server namespace disconnect");
    story.ends("bob", "io server disconnect");
    story.does("alice", "chat", json!(["alone"]));
    story.hears("carol", "alone", "alice");
    if wrong {
        story.hears("bob", "alone", "alice");
    }
    story.judged()
}

fn answers(wrong: bool) -> Verdict {
    let mut story = tea();
    story.asks("alice", "echo", json!([1]), json!(["ok", if wrong { 2 } else { 1 }]));
    story.judged()
}

fn origins(wrong: bool) -> Verdict {
    let mut story = tea();
    story.says("alice", "hi", "tea");
    story.hears("bob", "hi", "alice");
    if wrong {
        story.receives("bob", "ghost", json!([1]));
    }
    story.judged()
}

fn order(wrong: bool) -> Verdict {
    let mut story = tea();
    story.says("alice", "one", "tea");
    story.says("alice", "two", "tea");
    let (first, second) = if wrong { ("two", "one") } else { ("one", "two") };
    story.hears("bob", first, "alice");
    story.hears("bob", second, "alice");
    story.judged()
}

fn bytes(wrong: bool) -> Verdict {
    let mut story = tea();
    let file = |bytes: [u8; 2]| Arc::new(vec![Value::Binary(bytes.to_vec().into())]);
    let (event, args) = (SmolStr::from("file"), file([1, 2]));
    // A volatile one may be lost, so that only what came in its place is wrong.
    let to = Audience { nsp: "/".into(), to: vec!["tea".into()], except: Vec::new() };
    let action = Act::Broadcast { to, event: event.clone(), args, volatile: true, ack: false };
    story.add("server", What::Acted { op: 900, action });
    for (who, last) in [("alice", 2), ("bob", if wrong { 3 } else { 2 })] {
        let (nsp, event, args) = ("/".into(), event.clone(), file([1, last]));
        story.add(who, What::Received { nsp, event, args, offset: None, ack: false });
    }
    story.judged()
}

fn progress(wrong: bool) -> Verdict {
    let mut story = tea();
    let op = story.invokes("bob", "leave", json!(["tea"]));
    story.accepts("sid-bob", "leave", json!(["tea"]));
    story.waits(if wrong { 300 } else { 1 });
    story.ok("bob", op, json!(["ok"]));
    story.judged()
}

fn heartbeat(wrong: bool) -> Verdict {
    let mut story = tea();
    story.waits(50);
    if wrong {
        story.ends("bob", "ping timeout");
        story.leaves("sid-bob", "transport close");
    }
    story.judged_by(&three())
}

fn recovery(wrong: bool) -> Verdict {
    let mut story = tea();
    let from = json!({ "from": "sid-alice" });
    story.says("alice", "one", "tea");
    story.receives_kept("bob", "chat", json!(["one", from]), "1");
    story.breaks("bob");
    story.says("alice", "two", "tea");
    story.says("alice", "three", "tea");
    story.add("bob", What::Opened { transport: "polling".into() });
    story.let_in("bob", "/", "sid-bob", true);
    for text in ["two", "three"].into_iter().skip(usize::from(wrong)) {
        story.receives_kept("bob", "chat", json!([text, from]), "9");
    }
    story.connects("bob", "/", "sid-bob", true);
    story.judged()
}

fn bystanders(wrong: bool) -> Verdict {
    let raw = Raw {
        transport: TransportName::WebSocket,
        enter: Vec::new(),
        send: Vec::new(),
        bytes: None,
        closes: None,
        linger: Duration::ZERO,
    };
    let mut story = tea();
    story.begins(0);
    let (nsp, reason) = ("".into(), "closed".into());
    story.add("raw-0", What::Disconnected { nsp, reason });
    story.ends_step();
    if wrong {
        story.breaks("bob");
    }
    story.judged_by(&plan(&["alice", "bob", "carol"], vec![Action::Raw(raw)]))
}

fn reconnection(wrong: bool) -> Verdict {
    let mut story = tea();
    story.faults(1, "cut", &["bob"]);
    story.breaks("bob");
    story.heals(1, 1);
    story.waits(5);
    story.add("bob", What::Reconnecting { attempt: if wrong { 2 } else { 1 } });
    story.judged_by(&three())
}
