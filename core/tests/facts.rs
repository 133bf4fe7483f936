//! The facts of every `facts*.json` in `tests/vectors`, checked at the server machine.
//!
//! Those of the client, of the filter of recovery and of its offsets are checked beside their
//! code and in `client`; [`ELSEWHERE`] says where. A section that nobody knows fails.
#![expect(
    clippy::unwrap_used,
    clippy::unwrap_in_result,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks at few of many kinds")]

mod support;

use overheard_core::codec::sio::json;
use overheard_core::engine::Refusal;
use overheard_core::event::{CloseReason, DisconnectReason};
use overheard_core::server::{
    Command, Event, EventName, Flags, RecoveryConfig, Selection, ServerConfig, ServerQuirks,
    SocketRef,
};
use overheard_core::value::{Object, Value};
use overheard_core::wire::WsId;
use support::vectors::{known_sections, read};
use support::world::{World, ack};

/// Sections that another test reads.
const ELSEWHERE: &[(&str, &str)] = &[
    ("recovery_filter", "src/server/recovery.rs"),
    ("yeast", "src/server/recovery.rs"),
    ("client_backoff_ms", "src/client/backoff.rs"),
    ("disconnect_reasons_client", "tests/client/reasons.rs"),
    ("reserved_event_names", "tests/client/socket.rs"),
];

/// Sections about several nodes, of which core is one.
const CLUSTER: &[&str] = &["cluster_message_types", "cluster_observations", "redis_observations"];

const HERE: &[&str] = &[
    "recovery_storage",
    "engineio_errors",
    "engineio_close_reasons_server",
    "disconnect_reasons_server",
    "disconnect_reasons_recoverable",
    "disconnect_reasons",
];

#[test]
fn every_section_is_read() {
    let elsewhere = ELSEWHERE.iter().map(|(section, _)| *section);
    let known: Vec<_> = elsewhere.chain(CLUSTER.iter().copied()).chain(HERE.to_vec()).collect();
    known_sections("facts", &known);
}

/// The entries of a section of all files.
fn section(name: &str) -> Vec<Value> {
    let files = read("facts").into_iter();
    let sections = files.filter_map(|(_, file)| file.get(name).cloned());
    let entries: Vec<_> = sections.flat_map(|list| list.as_array().unwrap().to_vec()).collect();
    assert!(!entries.is_empty(), "no facts of {name}");
    entries
}

fn text<'a>(entry: &'a Value, key: &str) -> Option<&'a str> {
    entry.as_object().unwrap().get(key).and_then(Value::as_str)
}

#[test]
fn refusals_have_the_codes_words_and_statuses_of_the_reference() {
    // EIO-ERR-01, EIO-ERR-02
    let all = [
        Refusal::TransportUnknown,
        Refusal::SidUnknown,
        Refusal::BadHandshakeMethod,
        Refusal::InvalidOrigin,
        Refusal::TransportMismatch,
        Refusal::Forbidden(None),
        Refusal::UnsupportedVersion,
    ];
    for error in section("engineio_errors") {
        let error = error.as_object().unwrap();
        let code = error.get("code").unwrap().as_int().unwrap();
        let refusal = all.iter().find(|refusal| i64::from(refusal.code()) == code).unwrap();
        assert_eq!(refusal.message(), error.get("message").unwrap().as_str().unwrap());
        assert_eq!(Some(i64::from(refusal.status())), error.get("http_status").unwrap().as_int());
    }
}

#[test]
fn reasons_are_spelt_as_in_the_reference() {
    // EIO-CLOSE-05, SIO-DISC-02, CSR-02
    let session = [
        CloseReason::PingTimeout,
        CloseReason::ParseError,
        CloseReason::TransportError("".into()),
        CloseReason::TransportClose,
        CloseReason::ForcedClose,
    ];
    let mut all = session.clone().map(DisconnectReason::Session).to_vec();
    all.extend([
        DisconnectReason::ServerShuttingDown,
        DisconnectReason::ForcedServerClose,
        DisconnectReason::ClientNamespaceDisconnect,
        DisconnectReason::ServerNamespaceDisconnect,
    ]);
    let recoverable = all.iter().filter(|reason| reason.is_recoverable());
    let listed = [
        ("engineio_close_reasons_server", sorted(session.iter().map(CloseReason::as_str))),
        ("disconnect_reasons_server", sorted(all.iter().map(DisconnectReason::as_str))),
        ("disconnect_reasons_recoverable", sorted(recoverable.map(DisconnectReason::as_str))),
    ];
    for (name, ours) in listed {
        let mut theirs = sorted(section(name).iter().map(|reason| reason.as_str().unwrap()));
        theirs.dedup(); // of several files
        assert_eq!(ours, theirs, "{name}");
    }
}

fn sorted<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut words: Vec<_> = words.map(str::to_owned).collect();
    words.sort();
    words
}

fn recovering() -> ServerConfig {
    ServerConfig { recovery: Some(RecoveryConfig::default()), ..ServerConfig::default() }
}

/// CSR-04: which packets are kept, and get an offset.
#[test]
fn packets_are_kept_for_recovery_as_in_the_reference() {
    for case in section("recovery_storage") {
        let case = case.as_object().unwrap();
        let note = case.get("note").unwrap().as_str().unwrap();
        let packet = case.get("packet").unwrap().as_object().unwrap();
        let flags = case.get("flags").unwrap().as_object().unwrap();
        let flag = |name: &str| flags.get(name).and_then(Value::as_bool);
        if flag("volatile") == Some(false) {
            continue; // here a packet is volatile or not; whether that was said is not known
        }
        let mut world = World::new(recovering());
        let (ws, socket) = world.join();
        if packet.get("type").unwrap().as_int() == Some(3) {
            answer(&mut world, ws);
        } else {
            let flags = Flags {
                volatile: flag("volatile").unwrap_or(false),
                local: flag("local").unwrap_or(false),
                compress: flag("compress").unwrap_or(true),
            };
            let name = EventName::new("a").unwrap();
            let ack = packet.get("id").and_then(|_| ack(0, None));
            world.command([Command::Emit { socket, name, args: Vec::new(), flags, ack }]);
        }
        let got = world.rx(ws);
        let last = json::parse(&got[0][got[0].find('[').unwrap()..]).unwrap();
        let has_offset = last.as_array().unwrap().len() > 1;
        let expected = case.get("stored_and_offset_appended").unwrap().as_bool().unwrap();
        assert_eq!(has_offset, expected, "{note}: {got:?}");
        assert_eq!(world.server.stats().packets > 0, expected, "{note}");
    }
}

/// The client asks, and is answered with one value.
fn answer(world: &mut World, ws: WsId) {
    world.tx(ws, ["420[\"q\"]"]);
    let ticket = world.events.iter_mut().find_map(|event| match event {
        Event::Received { ack, .. } => ack.take(),
        _ => None,
    });
    world.command([Command::Ack { ticket: ticket.unwrap(), args: vec![Value::from("a")] }]);
}

/// SIO-DISC-02, EDGE-06, and appendix B: each cause gives the server's reason, and the frames.
#[test]
fn causes_give_the_reasons_of_the_reference() {
    let mut judged = 0;
    for fact in section("disconnect_reasons") {
        let (Some(cause), Some(reason)) = (text(&fact, "cause"), text(&fact, "server")) else {
            continue; // the client's side: see ELSEWHERE
        };
        let config = ServerConfig { quirks: ServerQuirks::reference(), ..ServerConfig::default() };
        let mut world = World::new(config);
        if cause == "packet in a wrong state, polling without pending GET" {
            polling_wrong_state(&mut world);
        } else {
            let (ws, socket) = world.join();
            world.take_events();
            cause_it(&mut world, ws, socket, cause);
            if let Some(wire) = fact.as_object().unwrap().get("wire_to_client") {
                let wire: Vec<_> =
                    wire.as_array().unwrap().iter().map(|frame| frame.as_str().unwrap()).collect();
                let mut got = world.rx(ws);
                got.retain(|frame| frame != "2"); // a ping that nobody answers
                assert_eq!(got, wire, "{cause}");
            }
        }
        check(&mut world, &fact, cause, reason);
        judged += 1;
    }
    assert!(judged >= 13, "every cause with a server reason");
}

fn cause_it(world: &mut World, ws: WsId, socket: SocketRef, cause: &str) {
    match cause {
        "client TCP reset or WebSocket close" => world.cut(ws),
        "client sends 41" => world.tx(ws, ["41"]),
        "server socket.disconnect()" => {
            world.command([Command::Disconnect { socket, close: false }]);
        }
        "server socket.disconnect(true)" => {
            world.command([Command::Disconnect { socket, close: true }]);
        }
        "disconnectSockets(true)" => {
            let selection = Selection::namespace("/");
            world.command([Command::DisconnectSockets { selection, close: true }]);
        }
        "no pong" => world.advance_ms(45_000),
        "Engine.IO invalid packet" => world.tx(ws, ["x"]),
        "Socket.IO undecodable packet" => world.tx(ws, ["4x"]),
        "packet in a wrong state" => world.tx(ws, ["42/other,[\"a\"]"]),
        "socket.conn.close()" => world.command([Command::CloseConnection(socket.conn())]),
        "ping from the client" => world.tx(ws, ["2"]),
        "io.close()" => world.command([Command::Close]),
        other => panic!("how is {other:?} caused?"),
    }
}

fn polling_wrong_state(world: &mut World) {
    let query = world.open_polling();
    world.post(&query, "40");
    world.get(&query);
    world.take_events();
    world.post(&query, "42/other,[\"a\"]");
}

fn check(world: &mut World, fact: &Value, cause: &str, expected: &str) {
    let events = world.take_events();
    let reasons = events.iter().filter_map(|event| match event {
        Event::Disconnected { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    let reasons: Vec<_> = reasons.collect();
    assert_eq!(
        reasons.iter().map(DisconnectReason::as_str).collect::<Vec<_>>(),
        [expected],
        "{cause}"
    );
    let fact: &Object = fact.as_object().unwrap();
    if let Some(tells) = fact.get("server_error_event").and_then(Value::as_bool) {
        let told = events.iter().any(|event| matches!(event, Event::Error { .. }));
        assert_eq!(told, tells, "{cause}");
    }
    if let Some(description) = fact.get("description").and_then(Value::as_str) {
        let DisconnectReason::Session(CloseReason::TransportError(text)) = &reasons[0] else {
            panic!("{cause}: {reasons:?}");
        };
        assert_eq!(&**text, description, "{cause}");
    }
}
