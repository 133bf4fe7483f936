//! What the file itself expects.

use std::collections::BTreeMap;
use std::time::Duration;

use overheard::history::What;
use overheard::plan::{
    Action, ClientNamespace, ConnectionState, Count, Emit, EventPattern, Expect, ExpectConnection,
    Mark, Never, Pattern, Plan, Since, Template, Unclaimed, Until, Wanted, Within,
};
use overheard::verdict::{Outcome, Verdict};
use serde_json::{Value as Json, json};

use crate::dsl::*;

fn literal(json: Json) -> Pattern {
    Pattern::Value(Template::Value(value(json)))
}

fn chat(text: &str) -> EventPattern {
    EventPattern { event: "chat".into(), args: Some(vec![literal(json!(text)), Pattern::Any]) }
}

fn says(ack: Option<Vec<Pattern>>, ack_fails: bool) -> Action {
    Action::Emit(Emit {
        from: vec![who(0)],
        namespace: "/".into(),
        event: "chat".into(),
        args: Vec::new(),
        ack,
        timeout: None,
        ack_fails,
        volatile: false,
        times: 1,
        every: Duration::ZERO,
        no_wait: false,
    })
}

fn expect(what: Wanted, count: Count) -> Action {
    let within = Within::Time(Duration::from_secs(5));
    let (at, namespace, capture) = (vec![who(1)], "/".into(), BTreeMap::new());
    Action::Expect(Expect { at, namespace, what, count, within, capture })
}

fn never(at: u32, what: Option<EventPattern>) -> Action {
    let (since, until) = (Since::PreviousAct, Until::Quiet);
    Action::Never(Never { at: vec![who(at)], namespace: None, what, since, until })
}

/// alice says things to the lobby in step 0, bob hears them, and the other steps follow.
fn story(said: &[&str], heard: &[&str], more: Vec<Action>) -> (Story, Plan) {
    let ok = Some(vec![literal(json!("ok"))]);
    let mut actions = vec![says(ok, false)];
    actions.extend(more);
    let mut plan = plan(&["alice", "bob"], actions);
    if let Action::Emit(emit) = &mut plan.steps[0].action {
        emit.times = u32::try_from(said.len()).unwrap();
    }
    let mut story = Story::of(&["alice", "bob"]);
    story.begins(0);
    for text in said {
        story.does("alice", "chat", json!([text]));
    }
    story.ends_step();
    for text in heard {
        story.hears("bob", text, "alice");
    }
    for step in 1..plan.steps.len() {
        story.begins(u32::try_from(step).unwrap());
        story.ends_step();
    }
    (story, plan)
}

fn verdict(said: &[&str], heard: &[&str], more: Vec<Action>) -> Verdict {
    let (mut story, plan) = story(said, heard, more);
    story.judged_by(&plan)
}

#[test]
fn expect_takes_the_first_match() {
    let one = |text: &str| expect(Wanted::One(chat(text)), Count::AtLeast(1));
    passes(&verdict(&["a", "b"], &["a", "b"], vec![one("b"), one("a")]));
    let missing = verdict(&["a "], &["a "], vec![one("a")]);
    finds(&missing, &["OH0350"]);
    let finding = &missing.findings[0];
    assert_eq!(finding.check.as_ref().unwrap().span.line, 11);
    let near = r#"closest event at bob: chat("a ", {"from":"sid-alice"}), args[0] differs: expected "a", got "a ""#;
    assert!(finding.notes.iter().any(|note| note == near), "{finding:#?}");
    assert!(finding.notes.iter().any(|note| note.starts_with("arrived at bob")), "{finding:#?}");
    let twice = vec![one("a"), one("a")];
    finds(&verdict(&["a"], &["a"], twice), &["OH0350"]);
}

#[test]
fn expect_says_what_came_too_late() {
    let one = expect(Wanted::One(chat("a")), Count::AtLeast(1));
    let (mut story, plan) = story(&["a"], &[], vec![one]);
    story.waits(6);
    story.hears("bob", "a", "alice");
    let verdict = story.judged_by(&plan);
    finds(&verdict, &["OH0350"]);
    assert!(verdict.findings[0].notes[0].starts_with("it came too late"), "{verdict:#?}");
    assert_eq!(verdict.findings[0].cause.as_ref().unwrap().span.line, 10);
}

#[test]
fn counts() {
    let any = || Wanted::One(EventPattern { event: "chat".into(), args: None });
    for (count, wanted) in [
        (Count::Exactly(2), &[][..]),
        (Count::Exactly(1), &["OH0351"]),
        (Count::Exactly(3), &["OH0350"]),
        (Count::AtMost(1), &["OH0351"]),
        (Count::AtMost(2), &[]),
        (Count::AtLeast(3), &["OH0350"]),
        (Count::AtLeast(2), &[]),
    ] {
        finds(&verdict(&["a", "b"], &["a", "b"], vec![expect(any(), count)]), wanted);
    }
}

#[test]
fn orders() {
    let list = || vec![chat("a"), chat("b")];
    let ordered = expect(Wanted::Order(list()), Count::AtLeast(1));
    passes(&verdict(&["a", "b"], &["a", "b"], vec![ordered]));
    let other = expect(Wanted::Order(vec![chat("b"), chat("a")]), Count::AtLeast(1));
    finds(&verdict(&["a", "b"], &["a", "b"], vec![other]), &["OH0352"]);
    let any = expect(Wanted::AnyOrder(vec![chat("b"), chat("a")]), Count::AtLeast(1));
    passes(&verdict(&["a", "b"], &["a", "b"], vec![any]));
    let all = |as_sent| expect(Wanted::AllOf { label: "s0".into(), as_sent }, Count::AtLeast(1));
    passes(&verdict(&["a", "b"], &["a", "b"], vec![all(true)]));
    finds(&verdict(&["a", "b"], &["b", "a"], vec![all(true)]), &["OH0352", "OH0305"]);
    finds(&verdict(&["a", "b"], &["a"], vec![all(false)]), &["OH0302", "OH0350"]);
}

#[test]
fn never_is_broken_by_what_it_names() {
    passes(&verdict(&["a"], &["a"], vec![never(1, Some(chat("b"))), never(0, None)]));
    let broken = verdict(&["a"], &["a"], vec![never(1, Some(chat("a")))]);
    finds(&broken, &["OH0353"]);
    assert_eq!(broken.findings[0].cause.as_ref().unwrap().span.line, 10);
}

#[test]
fn an_overheard_message_is_shown_at_the_never_that_it_breaks() {
    let (mut story, plan) = story(&["a"], &["a"], vec![never(0, None)]);
    story.hears("alice", "a", "alice");
    let verdict = story.judged_by(&plan);
    finds(&verdict, &["OH0301"]);
    let finding = &verdict.findings[0];
    assert_eq!(finding.check.as_ref().unwrap().span.line, 11, "{finding:#?}");
    assert_eq!(finding.cause.as_ref().unwrap().span.line, 10);
}

#[test]
fn what_no_step_asks_for() {
    let (mut story, mut plan) = story(&["a"], &["a"], Vec::new());
    plan.unclaimed = Unclaimed::Error;
    finds(&story.judged_by(&plan), &["OH0354"]);
}

#[test]
fn answers() {
    let judged = |ack, ack_fails| {
        let (mut story, mut plan) = story(&["a"], &["a"], Vec::new());
        plan.steps[0].action = says(ack, ack_fails);
        story.judged_by(&plan)
    };
    finds(&judged(Some(vec![literal(json!("no"))]), false), &["OH0355"]);
    finds(&judged(Some(vec![]), false), &["OH0355"]);
    finds(&judged(None, true), &["OH0356"]);
    passes(&judged(Some(vec![Pattern::Any]), false));
}

#[test]
fn connections_and_rooms() {
    let state = |state: ConnectionState| {
        let (at, namespace) = (vec![who(1)], "/".into());
        let within = Within::Time(Duration::from_secs(5));
        Action::ExpectConnection(ExpectConnection { at, namespace, state, within })
    };
    let disconnected = || state(ConnectionState::Disconnected(Some("transport close".into())));
    let connected = || state(ConnectionState::Connected);
    passes(&verdict(&["a"], &["a"], vec![connected()]));
    finds(&verdict(&["a"], &["a"], vec![disconnected()]), &["OH0357"]);
    let (mut lost, plan) = story(&["a"], &["a"], vec![disconnected()]);
    lost.faults(1, "cut", &["bob"]);
    lost.breaks("bob");
    lost.heals(1, 1);
    passes(&lost.judged_by(&plan));
    for (rooms, wanted) in [(["lobby"], &[][..]), (["tea"], &["OH0358"])] {
        let rooms = rooms.map(str::to_owned).to_vec();
        let at = vec![who(1)];
        let action = Action::ExpectRooms { at, namespace: "/".into(), rooms };
        let (mut story, plan) = story(&["a"], &["a"], vec![action]);
        let both: [(&str, &[&str]); 2] =
            [("sid-alice", &["sid-alice", "lobby"]), ("sid-bob", &["sid-bob", "lobby"])];
        story.rooms(&both);
        finds(&story.judged_by(&plan), wanted);
    }
}

#[test]
fn refusals() {
    let refused = |message: Option<&str>, wanted: Option<&str>| {
        let mut plan = plan(&["alice"], Vec::new());
        let refused = wanted.map(|text| (text.to_owned(), span(3)));
        let name = "/".to_owned();
        plan.clients[0].namespaces = vec![ClientNamespace { name, auth: None, refused }];
        let mut story = Story::bare(&["alice"]);
        match message {
            Some(message) => {
                let (nsp, message) = ("/".into(), message.into());
                story.add("alice", What::Refused { nsp, message, data: None });
            }
            None => story.enters("alice"),
        }
        story.judged_by(&plan)
    };
    passes(&refused(Some("no"), Some("no")));
    passes(&refused(None, None));
    finds(&refused(None, Some("no")), &["OH0359"]);
    finds(&refused(Some("other"), Some("no")), &["OH0359"]);
    finds(&refused(Some("no"), None), &["OH0360"]);
}

#[test]
fn marks_that_must_be_reached() {
    let judged = |mark| {
        let (mut story, mut plan) = story(&["a"], &["a"], Vec::new());
        plan.must_reach = vec![(mark, span(4))];
        story.judged_by(&plan)
    };
    let verdict = judged(Mark::Upgraded);
    assert_eq!(verdict.outcome, Outcome::Unknown);
    assert_eq!(verdict.unknowns[0].code, "OH0405");
    let (mut raced, mut plan) = story(&["a"], &["a"], Vec::new());
    let op = raced.invokes("bob", "join", json!(["tea"]));
    raced.accepts("sid-bob", "join", json!(["tea"]));
    raced.says("alice", "b", "tea");
    raced.ok("bob", op, json!(["ok"]));
    raced.hears("bob", "b", "alice");
    plan.must_reach = vec![(Mark::JoinRacedBroadcast, span(4))];
    passes(&raced.judged_by(&plan));
}

#[test]
fn a_step_that_was_not_carried_out_is_unknown() {
    let one = expect(Wanted::One(chat("a")), Count::AtLeast(1));
    let (mut story, mut plan) = story(&["a"], &["a"], vec![one.clone()]);
    plan.steps.push(overheard::plan::Step {
        id: overheard::plan::StepId(2),
        span: span(12),
        label: None,
        action: one,
    });
    let verdict = story.judged_by(&plan);
    assert_eq!(verdict.outcome, Outcome::Unknown, "{verdict:#?}");
    assert_eq!(verdict.unknowns[0].code, "OH0408");
}

#[test]
fn a_history_of_another_plan_is_judged_by_the_rules_alone() {
    let mut story = Story::of(&["alice"]);
    let verdict = story.judged_by(&plan(&["bob"], Vec::new()));
    assert_eq!(verdict.outcome, Outcome::Unknown);
    assert_eq!(verdict.unknowns[0].code, "OH0407");
}
