//! Each bug that can be planted is one: the clean server passes, and each spoiled one fails.

use bytes::Bytes;
use overheard::plan::{
    Action, ClientId, ClientNamespace, Emit, Fault, NamespacePlan, Pattern, Sabotage, ServerAction,
    Target, Template,
};
use overheard::run::NetworkKind::Memory;
use overheard::span::Span;
use overheard::verdict::Outcome;
use overheard_core::value::{Object, Value};

use crate::support::{Story, emit, ms, object, text};

fn options(members: &[(&str, Value)]) -> Value {
    Value::Object(members.iter().cloned().collect::<Object>())
}

fn rooms(names: &[&str]) -> Value {
    Value::from(names.iter().map(|name| text(name)).collect::<Vec<_>>())
}

fn supervisors(number: usize, token: &str, refusal: Option<&str>, story: &mut Story) {
    let auth = Some([("token", token)].into_iter().collect());
    let refused = refusal.map(|message| (message.to_owned(), Span::default()));
    let nsp = ClientNamespace { name: "/supervisors".to_owned(), auth, refused };
    story.client(number).namespaces.push(nsp);
}

/// An emit whose answer has two values.
fn answered(emit: Emit) -> Action {
    Action::Emit(Emit { ack: Some(vec![Pattern::Any, Pattern::Any]), ..emit })
}

/// A story with something of everything.
fn everything() -> Story {
    let mut story = Story::new(&["alice", "bob", "carol", "dave"]);
    story.plan.server.recovery = Some(ms(20_000));
    story.plan.server.namespaces.push(NamespacePlan {
        name: "/supervisors".to_owned(),
        token: Some("sesame".to_owned()),
        seats: Some(1),
        auth_delay: ms(5),
    });
    supervisors(0, "sesame", None, &mut story);
    supervisors(1, "sesame", Some("namespace is full"), &mut story);
    supervisors(3, "guess", Some("not authorized"), &mut story);
    // Bob comes when the seat is taken.
    story.client(1).connect = false;
    story = story.step(Action::Connect { who: vec![ClientId(1)], auth: None });
    let mut said = 0_i64;
    let mut say = |times, target: &[(&str, Value)]| {
        said += 1;
        // No two messages are the same.
        let words = vec![Template::Value(Value::from(said)), Template::Index];
        let args = vec![Template::Array(words), Template::Value(options(target))];
        Action::Emit(Emit { times, args, ..emit(0, "chat", &[]) })
    };
    story = story
        .emit(1, "join", &[rooms(&["tea", "coffee"])])
        .emit(2, "join", &[text("tea")])
        .emit(3, "join", &[text("attic")])
        .emit(0, "join", &[text("tea")])
        .step(say(1, &[("to", rooms(&["tea", "coffee"]))]))
        .step(say(2, &[("to", text("tea")), ("except", text("coffee"))]))
        .step(say(12, &[]))
        .emit(1, "leave", &[text("coffee")])
        .step(say(1, &[("to", text("coffee"))]))
        .step(say(1, &[("to", text("tea"))]))
        .emit(
            0,
            "broadcast",
            &[options(&[
                ("event", text("bytes")),
                ("args", Value::from(vec![Value::Binary(Bytes::from_static(b"\x00\x01\x02"))])),
            ])],
        )
        .step(answered(emit(0, "ask", &[object(&[("event", "lunch?")])])))
        .step(answered(emit(0, "echo", &[text("once")])));
    let say_as_supervisor = Emit {
        namespace: "/supervisors".to_owned(),
        ..emit(0, "broadcast", &[object(&[("event", "secret"), ("from", "namespace")])])
    };
    story = story.step(Action::Emit(say_as_supervisor)).advance(2000);
    // Losses and recovery.
    story = story
        .fault(Fault::Cut { who: vec![ClientId(2)] }, None)
        .step(say(2, &[("to", text("tea"))]))
        .advance(9000)
        .step(say(1, &[("to", text("tea"))]));
    // The door.
    let target = Target { namespace: "/".to_owned(), ..Target::default() };
    let kick = Target { to: vec![overheard::plan::RoomName::Named("attic".to_owned())], ..target };
    story
        .step(Action::Server(ServerAction::Kick { target: kick, close: false }))
        .step(say(2, &[]))
        .step(Action::Disconnect { who: vec![ClientId(2)], namespace: None })
        .step(Action::Connect { who: vec![ClientId(2)], auth: None })
        .advance(500)
        .step(say(1, &[("to", text("tea"))]))
        .advance(12_000)
}

#[test]
fn the_clean_server_passes() {
    for told in everything().on_both() {
        assert_eq!(told.verdict.outcome, Outcome::Pass);
    }
}

#[test]
fn every_bug_is_found() {
    let mut missed = Vec::new();
    for (bug, name) in Sabotage::ALL {
        let mut story = everything();
        story.plan.sabotage = Some(bug);
        let told = story.run(Memory);
        println!("{name}: {:?}\n{}", told.verdict.outcome, told.findings());
        if told.verdict.outcome != Outcome::Fail {
            missed.push(name);
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}
