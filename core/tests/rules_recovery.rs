//! The rules of connection state recovery: what is kept, for whom, and how it comes back.
#![expect(clippy::wildcard_enum_match_arm, reason = "a listener hears few of many kinds of events")]

#[path = "support/calls.rs"]
mod calls;
mod support;

use bytes::Bytes;
use calls::{all, args, asking, flagged, join, leave, to, volatile};
use overheard_core::server::{
    AckTimeout, Command, Event, Flags, Matcher, NamespaceConfig, Origin, ParentConfig,
    RecoveryConfig, Selection, ServerConfig, ServerLimits, SocketRef, Token, Verdict,
};
use overheard_core::time::Duration;
use overheard_core::value::Value;
use overheard_core::wire::WsId;
use regex::Regex;
use support::world::{World, broadcast, emit};

#[test]
fn a_lost_client_gets_what_it_missed_and_goes_on() {
    // CSR-18, DG-05, CSR-07
    let mut world = World::new(recovering());
    let (mut client, socket) = begin(&mut world);
    world.command([join(socket, "r"), broadcast(to(&["r"]), "1")]);
    client.read(&mut world);
    world.cut(client.ws);
    world.command([broadcast(all(), "2"), broadcast(to(&["r"]), "3"), broadcast(to(&["s"]), "no")]);
    let again = client.reconnect(&mut world).expect("recovered");
    assert_eq!(client.read(&mut world), ["2", "3", "CONNECT"]);
    assert_ne!(again, socket, "another socket under the old id");
    world.command([broadcast(to(&["r"]), "live")]);
    assert_eq!(client.read(&mut world), ["live"], "in its rooms");
    // It is best effort: who stays away too long gets a new session.
    world.cut(client.ws);
    world.command([broadcast(all(), "4")]);
    world.advance_ms(120_001);
    assert_eq!(client.reconnect(&mut world), None);
    assert_eq!(client.read(&mut world), ["CONNECT"]);
}

#[test]
fn a_session_is_recovered_any_number_of_times_and_no_packet_comes_twice() {
    // G-01, G-14, CSR-18
    let mut world = World::new(recovering());
    let (mut client, _) = begin(&mut world);
    for round in 0..4 {
        world.cut(client.ws);
        let names =
            if round == 2 { vec![] } else { vec![format!("{round}a"), format!("{round}b")] };
        world.command(names.iter().map(|name| broadcast(all(), name)));
        client.reconnect(&mut world).expect("recovered");
        let mut expected = names;
        expected.push("CONNECT".into());
        assert_eq!(client.read(&mut world), expected);
        world.command([broadcast(all(), "live")]);
        assert_eq!(client.read(&mut world), ["live"]);
    }
}

#[test]
fn a_session_has_the_id_the_rooms_and_the_data_of_the_end() {
    // CSR-03
    let mut world = World::new(recovering());
    let (mut client, socket) = begin(&mut world);
    let sid = world.sid(socket);
    let set = move |value: i64| Command::SetData { socket, key: "k".into(), value: value.into() };
    world.command([join(socket, "a"), join(socket, "b"), set(1)]);
    world.react(move |event, _| match event {
        Event::Disconnecting { .. } => vec![leave(socket, "a"), join(socket, "late"), set(2)],
        _ => Vec::new(),
    });
    world.cut(client.ws);
    let again = client.reconnect(&mut world).expect("recovered");
    assert_eq!(client.read(&mut world), ["CONNECT"]);
    assert_eq!(world.sid(again), sid);
    let mut rooms = world.server.rooms_of(again);
    rooms.sort_unstable();
    let mut expected = [sid.as_str(), "b", "late"];
    expected.sort_unstable();
    assert_eq!(rooms, expected, "as its last listeners left them");
    assert_eq!(world.server.data(again).and_then(|data| data.get("k")), Some(&2.into()));
    // An emit is one to the room of its id: kept like any other, and lost on who has left it.
    world.command([emit(again, "1", vec![])]);
    assert_eq!(client.read(&mut world), ["1"]);
    world.command([leave(again, &sid), emit(again, "2", vec![]), broadcast(all(), "3")]);
    assert_eq!(client.read(&mut world), ["3"]);
}

#[test]
fn there_is_no_session_before_the_disconnection_is_noticed() {
    // CSR-06
    let mut world = World::new(recovering());
    let (mut first, socket) = begin(&mut world);
    let (mut client, sid) = (first.clone(), world.sid(socket));
    assert_eq!(client.reconnect(&mut world), None);
    assert_eq!(client.read(&mut world), ["CONNECT"]);
    assert!(world.server.is_connected(socket) && world.sid(socket) == sid, "nor is it ended");
    // The session of the old connection is there once that has ended.
    world.cut(client.ws);
    world.cut(first.ws);
    let recovered = first.reconnect(&mut world).expect("recovered");
    assert_eq!(world.sid(recovered), sid);
}

#[test]
fn only_an_accepted_socket_is_sent_what_it_missed() {
    // CSR-10, G-08: with nothing lost and nothing twice between replay and live delivery
    let mut world = World::new(guarded(Duration::from_secs(120)));
    let (mut client, socket) = begin(&mut world);
    let sid = world.sid(socket);
    world.cut(client.ws);
    world.command([broadcast(all(), "1")]);
    // Refused, it learns nothing, and may come again.
    let waiting = client.knock(&mut world);
    world.command([broadcast(all(), "2"), emit(socket, "3", vec![])]);
    assert!(client.read(&mut world).is_empty());
    let verdict = Verdict::Refuse { message: "banned".into(), data: None };
    world.command([Command::Next { socket: waiting, verdict }]);
    assert_eq!(client.read(&mut world), ["REFUSED"]);
    assert_eq!(world.server.stats().connected, 0);
    // Broken off at the door, the same.
    client.knock(&mut world);
    world.cut(client.ws);
    let waiting = client.knock(&mut world);
    world.command([broadcast(to(&[&sid]), "4"), volatile(broadcast(all(), "no"))]);
    assert!(client.read(&mut world).is_empty());
    world.command([
        broadcast(all(), "5"),
        Command::Next { socket: waiting, verdict: Verdict::Allow },
        broadcast(all(), "6"),
    ]);
    assert_eq!(client.read(&mut world), ["1", "2", "3", "4", "5", "6", "CONNECT"]);
    world.command([broadcast(all(), "7")]);
    assert_eq!(client.read(&mut world), ["7"]);
    assert_eq!(world.sid(waiting), sid);
}

#[test]
fn what_listeners_send_during_a_recovery_comes_after_what_was_missed() {
    // CSR-10
    let main = NamespaceConfig { room_events: true, ..NamespaceConfig::default() };
    let mut world = World::new(ServerConfig { main, ..recovering() });
    let (mut client, socket) = begin(&mut world);
    world.command([join(socket, "r")]);
    world.cut(client.ws);
    world.command([broadcast(to(&["r"]), "1")]);
    world.react(|event, _| match event {
        Event::Room { room, sid: Some(_), .. } if room == "r" => vec![broadcast(to(&["r"]), "3")],
        Event::Connection { socket, .. } => vec![emit(*socket, "4", vec![])],
        _ => Vec::new(),
    });
    world.command([broadcast(all(), "2")]);
    client.reconnect(&mut world).expect("recovered");
    assert_eq!(client.read(&mut world), ["1", "2", "CONNECT", "3", "4"]);
}

#[test]
fn a_session_that_expires_at_the_door_is_gone_when_it_is_refused() {
    // CSR-10, CSR-09: nothing is left of it
    let mut world = World::new(guarded(Duration::from_secs(1)));
    let baseline = world.server.stats();
    let (mut client, _) = begin(&mut world);
    world.cut(client.ws);
    let waiting = client.knock(&mut world);
    world.advance_ms(5_000);
    let verdict = Verdict::Refuse { message: "no".into(), data: None };
    world.command([Command::Next { socket: waiting, verdict }]);
    world.cut(client.ws);
    world.advance_ms(600_000);
    assert_eq!(world.server.stats(), baseline);
}

#[test]
fn a_client_whose_packets_are_dropped_while_it_waits_at_the_door_begins_anew() {
    // CSR-10, CSR-05
    for (sent, wait, recovers) in [(2, 0, true), (3, 0, false), (1, 1_000, true), (1, 1_001, false)]
    {
        let limits = ServerLimits { recovery_packets: 2, ..ServerLimits::default() };
        let mut world = World::new(ServerConfig { limits, ..guarded(Duration::from_secs(1)) });
        let (mut client, _) = begin(&mut world);
        world.cut(client.ws);
        let socket = client.knock(&mut world);
        let mut expected: Vec<_> = (0..sent).map(|n| n.to_string()).collect();
        world.command(expected.iter().map(|name| broadcast(all(), name)));
        world.advance_ms(wait);
        world.command([Command::Next { socket, verdict: Verdict::Allow }]);
        expected.push("CONNECT".into());
        if !recovers {
            assert_eq!(world.rx(client.ws), ["CLOSE:1005"], "the client connects again by itself");
            world.cut(client.ws);
            let socket = client.knock(&mut world);
            world.command([Command::Next { socket, verdict: Verdict::Allow }]);
            expected = vec!["CONNECT".into()];
        }
        assert_eq!(client.read(&mut world), expected, "{sent} {wait}");
    }
}

#[test]
fn what_is_kept_is_what_was_sent() {
    // CSR-14, mended: a packet is kept as it was encoded, whatever becomes of its arguments
    let mut world = World::new(recovering());
    let (mut client, _) = begin(&mut world);
    let (witness, _) = begin(&mut world);
    world.rx(witness.ws);
    world.cut(client.ws);
    let blob = Value::Binary(Bytes::from_static(&[1, 2]));
    let mut arg = Value::Array(vec![blob, 1.into()]);
    world.command([args(broadcast(all(), "m"), vec![arg.clone()])]);
    if let Value::Array(items) = &mut arg {
        items.clear();
    }
    world.command([args(broadcast(all(), "m"), vec![arg])]);
    client.reconnect(&mut world).expect("recovered");
    let sent = world.rx(witness.ws);
    assert_eq!(sent.len(), 3);
    assert_eq!(world.rx(client.ws)[..3], sent, "to the last byte, with the same offsets");
}

#[test]
fn every_child_of_a_parent_gets_one_offset() {
    // CSR-15, mended
    let matcher = Matcher::Pattern(Regex::new("^/d-").expect("a pattern"));
    let parents = vec![ParentConfig { matcher, namespace: NamespaceConfig::default() }];
    let mut world = World::new(ServerConfig { parents, ..recovering() });
    let ws = world.open();
    for name in ["/d-1", "/d-2", "/d-3"] {
        let socket = world.enter(ws, name);
        world.command([join(socket, "r")]);
    }
    let parent = || Selection { origin: Origin::Parent(0), ..all() };
    let local = Flags { local: true, ..Flags::default() };
    let one = || vec![1.into()];
    world.command([
        args(broadcast(parent(), "m"), one()),
        args(broadcast(parent().to(["r"]), "m"), one()),
        flagged(args(broadcast(parent(), "m"), one()), local),
    ]);
    let got = world.rx(ws);
    assert_eq!(got.len(), 9);
    let mut offsets: Vec<_> = got
        .iter()
        .enumerate()
        .map(|(at, frame)| {
            let rest = frame.strip_prefix(&format!(r#"42/d-{},["m",1,""#, at % 3 + 1));
            let offset = rest.and_then(|rest| rest.strip_suffix(r#""]"#)).expect("one offset");
            assert!(!offset.contains(','), "{frame}");
            offset
        })
        .collect();
    offsets.sort_unstable();
    offsets.dedup();
    assert_eq!(offsets.len(), 9, "each its own");
}

#[test]
fn nothing_that_the_client_sent_or_owes_comes_back() {
    // CSR-17
    let mut world = World::new(recovering());
    let (mut client, socket) = begin(&mut world);
    world.command([asking(emit(socket, "q", vec![]), 1, 5_000)]);
    world.command([asking(broadcast(all(), "q"), 2, 5_000)]);
    world.tx(client.ws, [r#"427["from the client"]"#]);
    let ticket = calls::ticket(&mut world);
    world.cut(client.ws);
    world.command([Command::Ack { ticket, args: vec![] }]);
    world.take_events();
    client.reconnect(&mut world).expect("recovered");
    assert_eq!(client.read(&mut world), ["CONNECT"], "questions are not repeated");
    world.tx(client.ws, ["430[1]", "431[1]"]);
    let settled = |event: &Event| {
        matches!(event, Event::Acked { .. } | Event::BroadcastAcked { .. } | Event::Received { .. })
    };
    assert!(!world.take_events().iter().any(settled), "and its answers are nobody's");
    world.advance_ms(5_000);
    let events = world.take_events();
    let late = Some(AckTimeout);
    let single = Event::Acked { token: Token(1), result: Err(AckTimeout) };
    let all = Event::BroadcastAcked { token: Token(2), responses: vec![], timed_out: late };
    assert_eq!(events, [single, all]);
}

#[test]
fn volatile_packets_are_neither_numbered_nor_kept() {
    // BC-VOL-06
    let mut world = World::new(recovering());
    let (mut client, socket) = begin(&mut world);
    let word = || vec!["word".into()];
    world.command([volatile(args(broadcast(all(), "v"), word()))]);
    assert_eq!(world.rx(client.ws), [r#"42["v","word"]"#]);
    world.command([volatile(emit(socket, "v", word()))]);
    assert_eq!(world.rx(client.ws), [r#"42["v","word"]"#]);
    let packets = world.server.stats().packets;
    world.cut(client.ws);
    world.command([volatile(broadcast(all(), "v")), volatile(emit(socket, "v", word()))]);
    assert_eq!(world.server.stats().packets, packets);
    world.command([broadcast(all(), "1")]);
    client.reconnect(&mut world).expect("recovered");
    assert_eq!(client.read(&mut world), ["1", "CONNECT"]);
}

#[test]
fn an_offset_is_a_last_argument_and_a_wrong_one_recovers_nothing() {
    // EDGE-17
    let mut world = World::new(recovering());
    let (mut client, socket) = begin(&mut world);
    world.command([args(broadcast(all(), "m"), vec![1.into()]), emit(socket, "n", vec![])]);
    let got = world.rx(client.ws);
    assert!(got[0].starts_with(r#"42["m",1,""#) && got[1].starts_with(r#"42["n",""#), "{got:?}");
    let offset = offset_of(&got[1]).expect("an offset");
    // A client takes any last text for an offset: with this one it has none.
    world.cut(client.ws);
    for poisoned in ["connected", "", "zzzzzzzzzz", &format!("{offset}.9"), &format!("{offset}!")] {
        let mut poisoned = Client { offset: poisoned.into(), ..client.clone() };
        assert_eq!(poisoned.reconnect(&mut world), None);
        assert_eq!(poisoned.read(&mut world), ["CONNECT"]);
    }
    // Nobody has spent the session meanwhile; but it is had once only (CSR-11, G-02, mended).
    client.offset = offset;
    let mut second = client.clone();
    let first = client.reconnect(&mut world).expect("recovered");
    assert_eq!(second.reconnect(&mut world), None);
    assert_ne!(Some(first), world.last_socket);
    world.rx(client.ws);
    world.rx(second.ws);
    world.command([broadcast(all(), "m")]);
    assert_eq!(
        (client.read(&mut world), second.read(&mut world)),
        (vec!["m".into()], vec!["m".into()])
    );
}

#[test]
fn a_quiet_client_that_missed_nothing_recovers() {
    // G-04, mended (CSR-09): also when what it has was replayed to it
    for replayed in [false, true] {
        let mut world = World::new(recovering());
        let (mut client, _) = begin(&mut world);
        if replayed {
            world.cut(client.ws);
            world.command([broadcast(all(), "1"), broadcast(all(), "2")]);
            client.reconnect(&mut world).expect("recovered");
            assert_eq!(client.read(&mut world), ["1", "2", "CONNECT"]);
        }
        for _ in 0..20 {
            world.advance_ms(25_000);
            world.tx(client.ws, ["3"]);
        }
        assert_eq!(world.server.stats().packets, 0, "the log is empty");
        world.rx(client.ws);
        world.cut(client.ws);
        world.command([broadcast(all(), "3")]);
        client.reconnect(&mut world).expect("recovered");
        assert_eq!(client.read(&mut world), ["3", "CONNECT"]);
    }
}

#[test]
fn a_client_that_missed_what_is_lost_does_not_recover() {
    // CSR-05, CSR-10: a recovered session has no gap, however short the log is
    for (sent, recovers) in [(0, true), (2, true), (3, false), (9, false)] {
        let limits = ServerLimits { recovery_packets: 2, ..ServerLimits::default() };
        let mut world = World::new(ServerConfig { limits, ..recovering() });
        let (mut client, _) = begin(&mut world);
        world.command([broadcast(all(), "a"), broadcast(all(), "b"), broadcast(all(), "c")]);
        client.read(&mut world);
        world.cut(client.ws);
        world.command((0..sent).map(|n| broadcast(all(), &n.to_string())));
        assert_eq!(client.reconnect(&mut world).is_some(), recovers, "{sent}");
        let mut expected: Vec<_> = (0..sent).map(|n| n.to_string()).collect();
        if !recovers {
            expected.clear();
        }
        expected.push("CONNECT".into());
        assert_eq!(client.read(&mut world), expected);
    }
}

fn recovering() -> ServerConfig {
    ServerConfig { recovery: Some(RecoveryConfig::default()), ..ServerConfig::default() }
}

/// Whoever comes back passes the middleware again.
fn guarded(max_disconnection_duration: Duration) -> ServerConfig {
    let main = NamespaceConfig { middlewares: 1, ..NamespaceConfig::default() };
    let recovery = RecoveryConfig { max_disconnection_duration, skip_middlewares: false };
    ServerConfig { main, recovery: Some(recovery), ..ServerConfig::default() }
}

/// A client that keeps what it needs to be recovered.
#[derive(Clone)]
struct Client {
    ws: WsId,
    pid: String,
    offset: String,
}

/// A client that has got one event, and its socket.
fn begin(world: &mut World) -> (Client, SocketRef) {
    let ws = world.open();
    let mut client = Client { ws, pid: String::new(), offset: String::new() };
    world.tx(ws, ["40"]);
    let waiting = world.take_events().iter().find_map(waiting);
    let socket = waiting.or(world.last_socket).expect("a socket");
    if waiting.is_some() {
        world.command([Command::Next { socket, verdict: Verdict::Allow }]);
    }
    world.command([emit(socket, "first", vec![])]);
    assert_eq!(client.read(world), ["CONNECT", "first"]);
    (client, socket)
}

impl Client {
    /// What came since the last look: names of events, `CONNECT` and `REFUSED`. Takes over what
    /// it is told.
    fn read(&mut self, world: &mut World) -> Vec<String> {
        let mut words = Vec::new();
        for frame in world.rx(self.ws) {
            if let Some(error) = frame.strip_prefix("44{") {
                assert!(error.contains("message"), "{error}");
                words.push("REFUSED".into());
            } else if let Some(reply) = frame.strip_prefix("40{") {
                self.pid = reply.split('"').nth(7).expect("a pid").to_owned();
                words.push("CONNECT".into());
            } else if let Some(event) = frame.find('[').and_then(|at| frame.get(at..)) {
                words.push(event.split('"').nth(1).expect("a name").to_owned());
                self.offset = offset_of(&frame).unwrap_or_else(|| self.offset.clone());
            }
        }
        words
    }

    fn ask(&mut self, world: &mut World) {
        self.ws = world.open();
        let auth = format!(r#"40{{"pid":"{}","offset":"{}"}}"#, self.pid, self.offset);
        world.tx(self.ws, [auth]);
    }

    /// Connects again. The socket, if the server says that it goes on with the session.
    fn reconnect(&mut self, world: &mut World) -> Option<SocketRef> {
        world.take_events();
        self.ask(world);
        let connections = world.take_events().into_iter().filter_map(|event| match event {
            Event::Connection { socket, recovered, .. } => Some(recovered.then_some(socket)),
            _ => None,
        });
        connections.last().flatten()
    }

    /// Connects again and waits in the middleware.
    fn knock(&mut self, world: &mut World) -> SocketRef {
        world.take_events();
        self.ask(world);
        world.take_events().iter().find_map(waiting).expect("a socket that waits")
    }
}

fn waiting(event: &Event) -> Option<SocketRef> {
    if let Event::Middleware { socket, .. } = event { Some(*socket) } else { None }
}

/// The last argument of an event, if it is a text.
fn offset_of(frame: &str) -> Option<String> {
    let (_, args) = frame.strip_suffix("\"]")?.split_once(',')?;
    Some(args.rsplit('"').next()?.to_owned())
}
