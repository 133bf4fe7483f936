//! What an application calls and hears, in words as short as the rules of delivery.
#![allow(
    dead_code,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "each test binary uses a part of it, looks at few kinds of events, and fails by panicking"
)]

use overheard_core::server::{AckTicket, Command, Event, Flags, Selection, SocketRef};
use overheard_core::value::Value;
use overheard_core::wire::WsId;

use crate::support::world::{World, ack, broadcast};

pub(crate) type Client = (WsId, SocketRef);

pub(crate) fn clients(world: &mut World, count: usize) -> Vec<Client> {
    (0..count).map(|_| world.join()).collect()
}

/// A polling client in `/`: its query, and its socket.
pub(crate) fn polling(world: &mut World) -> (String, SocketRef) {
    let query = world.open_polling();
    world.post(&query, "40");
    assert!(world.get(&query).1.starts_with("40{"));
    (query, world.last_socket.unwrap())
}

/// A WebSocket on which a polling session may go on.
pub(crate) fn probe(world: &mut World, query: &str) -> WsId {
    let (ws, input) = world.wire.websocket(&query.replace("polling", "websocket"));
    world.feed(input);
    assert_eq!(world.rx(ws), ["OPEN"]);
    world.tx(ws, ["2probe"]);
    ws
}

pub(crate) fn join(socket: SocketRef, room: &str) -> Command {
    Command::Join { socket, rooms: vec![room.into()] }
}

pub(crate) fn leave(socket: SocketRef, room: &str) -> Command {
    Command::Leave { socket, room: room.into() }
}

pub(crate) fn observe(socket: SocketRef) -> Command {
    Command::Subscribe { socket, incoming: false, outgoing: true }
}

pub(crate) fn all() -> Selection {
    Selection::namespace("/")
}

pub(crate) fn to(rooms: &[&str]) -> Selection {
    all().to(rooms.iter().copied())
}

pub(crate) fn flagged(mut command: Command, new: Flags) -> Command {
    if let Command::Emit { flags, .. } | Command::Broadcast { flags, .. } = &mut command {
        *flags = new;
    }
    command
}

pub(crate) fn volatile(command: Command) -> Command {
    flagged(command, Flags { volatile: true, ..Flags::default() })
}

pub(crate) fn args(mut command: Command, new: Vec<Value>) -> Command {
    if let Command::Emit { args, .. } | Command::Broadcast { args, .. } = &mut command {
        *args = new;
    }
    command
}

pub(crate) fn asking(mut command: Command, token: u64, timeout_ms: u64) -> Command {
    if let Command::Emit { ack: wish, .. } | Command::Broadcast { ack: wish, .. } = &mut command {
        *wish = ack(token, Some(timeout_ms));
    }
    command
}

/// Who of these gets one more broadcast.
pub(crate) fn hearers(world: &mut World, selection: Selection, clients: &[Client]) -> Vec<usize> {
    for (ws, _) in clients {
        world.rx(*ws);
    }
    world.command([broadcast(selection, "m")]);
    let mut hearers = Vec::new();
    for (at, (ws, _)) in clients.iter().enumerate() {
        let got = world.rx(*ws);
        assert!(got.is_empty() || got == [r#"42["m"]"#], "client {at} got {got:?}");
        hearers.extend((!got.is_empty()).then_some(at));
    }
    hearers
}

/// The right to answer the event that came last.
pub(crate) fn ticket(world: &mut World) -> AckTicket {
    let tickets = world.take_events().into_iter().filter_map(|event| match event {
        Event::Received { ack, .. } => ack,
        _ => None,
    });
    tickets.last().expect("an event that wants an answer")
}

/// The settled broadcasts, as `token[ late]: answers`.
pub(crate) fn answers(world: &mut World) -> Vec<String> {
    let events = world.take_events().into_iter().filter_map(|event| match event {
        Event::BroadcastAcked { token, responses, timed_out } => {
            let late = if timed_out.is_some() { " late" } else { "" };
            let answers: Vec<_> =
                responses.iter().map(|v| v.as_int().unwrap().to_string()).collect();
            Some(format!("{}{late}: {}", token.0, answers.join(" ")))
        }
        _ => None,
    });
    events.collect()
}
