//! Stories in which nothing breaks.

use overheard::history::What;
use overheard::plan::{
    Action, ClientNamespace, Emit, NamespacePlan, Pattern, ServerAction, Target, TransportName,
};
use overheard::run::NetworkKind::{Memory, Turmoil};
use overheard::span::Span;

use crate::support::{Story, client, emit, ms, object, text};

fn first_story() -> Story {
    Story::new(&["alice", "bob", "carol"])
        .emit(0, "join", &[text("tea")])
        .emit(1, "join", &[text("tea")])
        .emit(0, "chat", &[text("hi"), object(&[("to", "tea")])])
        .expect(&[1], "chat")
        .never(&[0, 2], "chat")
}

#[test]
fn a_message_reaches_the_room_and_nobody_else() {
    for network in [Memory, Turmoil] {
        let told = first_story().run(network);
        told.is_complete();
        assert_eq!(told.received("bob").len(), 1);
        assert!(told.received("bob")[0].starts_with("chat [\"hi\",{\"from\":"));
        assert!(told.received("alice").is_empty() && told.received("carol").is_empty());
        assert_eq!(told.count("server", |what| matches!(what, What::Accepted { .. })), 3);
        let known = |what: &What| matches!(what, What::Entered { client: Some(_), .. });
        assert_eq!(told.count("server", known), 3);
    }
}

fn transports(names: &[TransportName], upgrade: bool) -> Story {
    let mut story = first_story();
    for client in &mut story.plan.clients {
        client.transports = names.to_vec();
        client.upgrade = upgrade;
    }
    story
}

#[test]
fn polling_carries_the_same_story() {
    let story = transports(&[TransportName::Polling], false);
    let [told, _] = story.on_both();
    assert_eq!(told.received("bob").len(), 1);
    assert_eq!(told.count("bob", |what| matches!(what, What::Upgraded)), 0);
}

#[test]
fn a_polling_client_upgrades() {
    let story = transports(&[TransportName::Polling, TransportName::WebSocket], true);
    let [told, _] = story.on_both();
    assert_eq!(told.received("bob").len(), 1);
    for who in ["alice", "bob", "carol"] {
        assert_eq!(told.count(who, |what| matches!(what, What::Upgraded)), 1, "{who}");
    }
}

#[test]
fn idle_time_keeps_connections() {
    for names in [&[TransportName::Polling][..], &[TransportName::WebSocket]] {
        let story = transports(names, false).advance(20_000).emit(1, "chat", &[text("still")]);
        let [told, _] = story.on_both();
        assert_eq!(told.received("carol").len(), 1);
        assert_eq!(told.count("carol", |what| matches!(what, What::Disconnected { .. })), 1);
    }
}

#[test]
fn gates_let_in_and_refuse() {
    let mut story = Story::new(&["alice", "mallory"]);
    story.plan.server.namespaces.push(NamespacePlan {
        name: "/supervisors".to_owned(),
        token: Some("sesame".to_owned()),
        seats: Some(1),
        auth_delay: ms(50),
    });
    story.plan.server.dynamic.push("^/room-\\d+$".to_owned());
    for (number, token) in ["sesame", "open"].into_iter().enumerate() {
        let auth = Some([("token", token)].into_iter().collect());
        let refused = (token == "open").then(|| ("not authorized".to_owned(), Span::default()));
        let nsp =
            |name: &str, auth, refused| ClientNamespace { name: name.to_owned(), auth, refused };
        story.client(number).namespaces.push(nsp("/supervisors", auth, refused));
        story.client(number).namespaces.push(nsp("/room-7", None, None));
    }
    let story = story.advance(100);
    let [told, _] = story.on_both();
    assert_eq!(told.count("alice", |what| matches!(what, What::Connected { .. })), 3);
    assert_eq!(told.count("mallory", |what| matches!(what, What::Connected { .. })), 2);
    let refused = told.of("mallory", |what| match what {
        What::Refused { nsp, message, .. } => Some(format!("{nsp} {message}")),
        _ => None,
    });
    assert_eq!(refused, ["/supervisors not authorized"]);
}

#[test]
fn the_server_acts_on_its_own_account() {
    let target = || Target { namespace: "/".to_owned(), ..Target::default() };
    let story = Story::new(&["alice", "bob"])
        .step(Action::Server(ServerAction::Move {
            target: target(),
            join: vec!["tea".to_owned()],
            leave: vec!["lobby".to_owned()],
        }))
        .step(Action::Server(ServerAction::Broadcast {
            target: target(),
            event: "news".to_owned(),
            args: Vec::new(),
            volatile: false,
            ack: Some((ms(1000), vec![Pattern::Any, Pattern::Any])),
            times: 3,
            every: ms(10),
        }))
        .step(Action::Server(ServerAction::Kick { target: target(), close: false }));
    let [told, _] = story.on_both();
    assert_eq!(told.received("alice"), ["news []"; 3]);
    let acked = |what: &What| matches!(what, What::BroadcastAcked { timed_out: false, .. });
    assert_eq!(told.count("server", acked), 3);
    let kicked = |what: &What| matches!(what, What::Disconnected { reason, .. } if reason == "io server disconnect");
    assert_eq!(told.count("bob", kicked), 1);
}

#[test]
fn a_closed_server_lets_nobody_in_again() {
    let story =
        Story::new(&["alice", "bob"]).step(Action::Server(ServerAction::Close)).advance(20_000);
    for told in story.on_both() {
        let entered = |what: &What| matches!(what, What::Entered { .. });
        assert_eq!(told.count("server", entered), 2);
        assert!(told.count("bob", |what| matches!(what, What::Reconnecting { .. })) > 2);
        // Its attempts do not keep the run from its end.
        assert!(told.events().last().unwrap().t < 30_000_000_000);
    }
}

#[test]
fn what_cannot_be_written_at_once_is_lost_if_it_may() {
    let volatile = Emit { volatile: true, ack: None, times: 3, ..emit(0, "chat", &[text("now")]) };
    let story = Story::new(&["alice", "bob"])
        .step(Action::Fault {
            fault: overheard::plan::Fault::Cut { who: vec![overheard::plan::ClientId(0)] },
            lasts: None,
        })
        .advance(10)
        .step(Action::Emit(volatile))
        .advance(5000);
    for told in story.on_both() {
        assert_eq!(told.count("alice", |what| matches!(what, What::Dropped { .. })), 3);
        assert!(told.received("bob").is_empty());
    }
}

fn crowd(size: u64) -> Story {
    let mut story = Story::new(&[]);
    story.plan.clients = (0..size).map(|number| client(&format!("c{number}"), number)).collect();
    let all: Vec<u32> = (0..u32::try_from(size).unwrap()).collect();
    let shout = Emit { times: 10, every: ms(5), ..emit(0, "chat", &[text("hello")]) };
    story.step(Action::Emit(shout)).expect(&all[1..], "chat")
}

#[test]
fn a_crowd_hears_everything_in_order() {
    let story = crowd(200);
    let [told, _] = story.on_both();
    assert_eq!(told.received("c199").len(), 10);
}

#[test]
fn the_same_plan_gives_the_same_history() {
    for network in [Memory, Turmoil] {
        let story = transports(&[TransportName::Polling, TransportName::WebSocket], true);
        let first = story.run(network).lines();
        crowd(20).run(network);
        first_story().run(Memory);
        assert!(first == story.run(network).lines(), "{network:?}");
    }
}
