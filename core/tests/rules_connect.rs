//! The rules of connections: what a client may send when, how it stays alive, and how it ends.
#![expect(clippy::wildcard_enum_match_arm, reason = "a listener answers what it is about")]

mod support;
#[path = "support/told.rs"]
mod told;

use std::collections::BTreeSet;

use bytes::Bytes;
use overheard_core::engine::Method;
use overheard_core::event::{CloseReason, DisconnectReason};
use overheard_core::server::{
    Command, Event, NamespaceConfig, RecoveryConfig, Selection, ServerConfig, SocketRef, Verdict,
};
use overheard_core::time::Duration;
use overheard_core::value::{Object, Value};
use overheard_core::wire::{Frame, WsId};
use support::world::{World, broadcast, emit};
use told::Told;

#[test]
fn the_reply_to_a_connect_names_the_socket() {
    // SIO-CONN-01
    for recovery in [None, Some(RecoveryConfig::default())] {
        let mut world = World::new(ServerConfig { recovery, ..config(0) });
        let ws = world.open();
        for nsp in ["", "/b,"] {
            world.tx(ws, [format!("40{nsp}")]);
            let sid = world.sid(world.last_socket.unwrap());
            let reply = world.rx(ws).concat();
            let rest = reply.strip_prefix(&format!(r#"40{nsp}{{"sid":"{sid}""#)).unwrap();
            assert_eq!(sid.len(), 20);
            if recovery.is_some() {
                assert!(rest.starts_with(r#","pid":""#) && rest.len() == 30, "{reply}");
            } else {
                assert_eq!(rest, "}");
            }
        }
    }
}

#[test]
fn a_packet_in_a_wrong_state_ends_the_whole_connection() {
    // SIO-CONN-01, SIO-CONN-07, SIO-CONN-09, SIO-ERR-04, SIO-DISC-04, I18
    let twice = [r#"40{"a":1}"#, "40/b,", r#"44{"message":"m"}"#, r#"44/x,"m""#];
    let outside = [r#"42/x,["e"]"#, "43/x,0[]", "41/x,", r#"42/b/,["e"]"#];
    for frame in twice.iter().chain(&outside) {
        for config in [config(0), reference()] {
            let mut world = World::new(config);
            let ws = world.open();
            world.enter(ws, "/b");
            world.enter(ws, "/");
            let mut told = Told::default();
            told.lines(&world.take_events());
            world.tx(ws, [*frame, r#"42["behind"]"#]);
            assert_eq!(world.rx(ws), ["CLOSE:1005"], "{frame}");
            let expected = [
                "disconnecting s1 forced close",
                "disconnect s1 forced close",
                "disconnecting s2 forced close",
                "disconnect s2 forced close",
            ];
            let events = told.lines(&world.take_events());
            assert_eq!(events, expected, "{frame}: no error, nothing heard");
        }
    }
    for frame in [r#"42["e"]"#, "430[]", "41", r#"44{"message":"m"}"#] {
        let mut world = World::new(config(0));
        let ws = world.open();
        world.tx(ws, [frame, "40"]);
        assert_eq!((world.rx(ws), lines(&mut world)), (vec!["CLOSE:1005".into()], vec![]));
    }
}

#[test]
fn nothing_may_follow_a_connect_before_its_reply() {
    // SIO-CONN-06
    for config in [config(0), reference()] {
        let mut world = World::new(config);
        let baseline = world.server.stats();
        let ws = world.open();
        world.enter(ws, "/b");
        world.take_events();
        world.tx(ws, ["40", r#"42["e"]"#]);
        assert_eq!(world.rx(ws), ["CLOSE:1005"]);
        let expected = ["disconnecting s1 forced close", "disconnect s1 forced close"];
        assert_eq!(lines(&mut world), expected, "/b goes, / never was");
        let query = world.open_polling();
        assert_eq!(world.post(&query, "40\u{1e}42[\"e\"]").0, 200);
        assert_eq!(world.get(&query), (200, "6\u{1e}1".into()));
        assert!(lines(&mut world).is_empty());
        world.cut(ws);
        assert_eq!(world.server.stats(), baseline);
    }
}

#[test]
fn two_connects_under_way_for_one_namespace_are_one_too_many() {
    // SIO-CONN-08, EDGE-08: mended, the second closes the connection; the reference lets both in
    let mut world = World::new(config(0));
    let ws = world.open();
    world.tx(ws, ["40", "40"]);
    assert_eq!((world.rx(ws), lines(&mut world)), (vec!["CLOSE:1005".into()], vec![]));
    let mut world = World::new(reference());
    let ws = world.open();
    world.tx(ws, ["40", "40"]);
    assert_eq!(world.rx(ws).iter().filter(|frame| frame.starts_with("40{")).count(), 2);
    let [Event::Connection { socket: older, .. }, Event::Connection { socket: newer, .. }] =
        world.take_events()[..]
    else {
        panic!("two sockets")
    };
    world.command([broadcast(Selection::namespace("/"), "m")]);
    assert_eq!(world.rx(ws), [r#"42["m"]"#; 2]);
    world.tx(ws, [r#"42["e"]"#]);
    let received = world.take_events();
    assert!(matches!(received[..], [Event::Received { socket, .. }] if socket == newer));
    world.command([Command::Disconnect { socket: older, close: false }]);
    world.take_events();
    world.tx(ws, [r#"42["e"]"#]);
    assert_eq!(world.rx(ws), ["41", "CLOSE:1005"]);
    let expected = ["disconnecting s1 forced close", "disconnect s1 forced close"];
    assert_eq!(lines(&mut world), expected, "its packets have no way to the newer one");
}

#[test]
fn who_joins_nothing_in_time_is_closed() {
    // SIO-CONN-03, NSP-MW-09, I24: a middleware that never answers is one that has thrown
    for (frame, refused) in [("", false), ("40/unknown,", false), ("40", false), ("40", true)] {
        for (connect_timeout, ms) in [(45_000, 45_000), (0, 45_000), (700, 700)] {
            let connect_timeout = Duration::from_millis(connect_timeout);
            let mut world = World::new(ServerConfig { connect_timeout, ..config(1) });
            let baseline = world.server.stats();
            let ws = world.open();
            if !frame.is_empty() {
                world.tx(ws, [frame]);
            }
            if refused {
                let socket = knocked(&mut world);
                world.command([next(socket, Verdict::RefuseSilently)]);
            }
            let half = ms * 3 / 5; // after the first ping
            world.advance_ms(half);
            world.tx(ws, ["3"]);
            world.advance_ms(ms - half - 1);
            assert!(!world.wire.is_closed(ws), "{frame}: too early");
            world.take_events();
            world.advance_ms(1);
            assert!(world.wire.is_closed(ws), "{frame}: too late");
            assert!(lines(&mut world).is_empty(), "SIO-DISC-06");
            world.cut(ws);
            assert_eq!(world.server.stats(), baseline);
        }
    }
}

#[test]
fn who_has_joined_once_may_stay_without_a_namespace() {
    // SIO-CONN-04, NSP-10
    let mut world = World::new(config(0));
    let ws = world.open();
    world.advance_ms(24_000);
    let socket = world.enter(ws, "/");
    world.command([Command::Disconnect { socket, close: false }]);
    for _ in 0..20 {
        world.tx(ws, ["3"]);
        world.advance_ms(25_000);
    }
    world.rx(ws);
    world.enter(ws, "/b");
}

#[test]
fn a_connect_at_the_very_deadline_wins_or_loses() {
    // SIO-CONN-03, SIO-CONN-04, I7, I24: whatever comes first counts, and the other does nothing
    let connect_timeout = Duration::from_millis(100);
    for middlewares in [0, 1] {
        for moment in ["just before", "at once", "just after"] {
            let config = ServerConfig { connect_timeout, ..config(middlewares) };
            let mut world = World::new(config);
            let baseline = world.server.stats();
            let ws = world.open();
            let waiting = (middlewares > 0).then(|| knock(&mut world, ws, "/"));
            match moment {
                "just before" => world.advance(connect_timeout - Duration::from_nanos(1)),
                "at once" => world.now = world.now + connect_timeout, // with the timer still armed
                _ => world.advance(connect_timeout),
            }
            match waiting {
                Some(socket) => world.command([next(socket, Verdict::Allow)]),
                None => world.tx(ws, ["40"]),
            }
            world.advance_ms(1_000);
            let got = world.rx(ws);
            let is_in = world.server.stats().connected == 1;
            assert_eq!((got.len(), is_in), (1, !world.wire.is_closed(ws)), "{moment}: {got:?}");
            assert_eq!(got[0].starts_with("40{"), is_in, "either, and not both");
            assert!(moment == "at once" || is_in == (moment == "just before"), "{moment}");
            world.cut(ws);
            assert_eq!(world.server.stats(), baseline);
        }
    }
}

/// How a test ends a socket.
type Cause = fn(&mut World, WsId, SocketRef);

#[test]
fn there_are_nine_reasons_for_a_disconnection() {
    // SIO-DISC-02
    let causes: [(&str, Cause); 8] = [
        ("transport error", |world, ws, _| world.tx(ws, ["2"])),
        ("transport close", |world, ws, _| world.cut(ws)),
        ("forced close", |world, _, it| world.command([Command::CloseConnection(it.conn())])),
        ("ping timeout", |world, _, _| world.advance_ms(45_000)),
        ("parse error", |world, ws, _| world.tx(ws, ["x"])),
        ("server shutting down", |world, _, _| world.command([Command::Close])),
        ("client namespace disconnect", |world, ws, _| world.tx(ws, ["41"])),
        ("server namespace disconnect", |world, _, socket| {
            world.command([Command::Disconnect { socket, close: false }]);
        }),
    ];
    let mut seen = BTreeSet::from(["forced server close".to_owned()]); // a test of its own
    for (expected, cause) in causes {
        let mut world = World::new(config(0));
        let (ws, socket) = world.join();
        world.take_events();
        cause(&mut world, ws, socket);
        let events = world.take_events();
        let [Event::Disconnecting { reason: first, .. }, Event::Disconnected { reason, .. }] =
            &events[..]
        else {
            panic!("{expected}: {events:?}")
        };
        assert_eq!((reason.as_str(), first), (expected, reason));
        let why = CloseReason::TransportError("invalid heartbeat direction".into());
        let described = *reason == DisconnectReason::Session(why);
        assert_eq!(described, expected == "transport error", "only those have a description");
        seen.insert(reason.to_string());
    }
    assert_eq!(seen.len(), 9);
}

#[test]
fn one_violation_has_two_reasons() {
    // EDGE-06
    for (get, backlog) in [(false, false), (true, false), (false, true)] {
        let mut world = World::new(config(0));
        let (query, socket) = polled(&mut world);
        if backlog {
            world.command([emit(socket, "waits", vec![])]);
        }
        let get = get.then(|| world.http(Method::Get, &query, ""));
        world.take_events();
        world.post(&query, "40");
        let reason = if get.is_some() { "forced close" } else { "forced server close" };
        let expected = [format!("disconnecting s1 {reason}"), format!("disconnect s1 {reason}")];
        assert_eq!(lines(&mut world), expected);
        world.advance_ms(30_000);
        assert!(lines(&mut world).is_empty(), "once");
    }
    for (busy, reason) in [(false, "forced close"), (true, "forced server close")] {
        let mut world = World::new(config(0));
        let (ws, socket) = world.join();
        world.take_events();
        world.hold_flush = busy;
        world.command(["on its way", "waits"].map(|name| emit(socket, name, vec![])));
        world.tx(ws, ["40"]);
        assert!(lines(&mut world)[1].ends_with(reason), "{reason}");
        world.hold_flush = false;
        world.flush();
        assert_eq!(world.rx(ws).last().unwrap(), "CLOSE:1005");
    }
}

#[test]
fn sockets_of_a_lost_connection_leave_one_after_the_other() {
    // SIO-DISC-04, SIO-DISC-06
    let mut config = config(1);
    for (_, nsp) in &mut config.namespaces {
        nsp.room_events = true;
    }
    let mut world = World::new(config);
    let ws = world.open();
    for room in ["/c", "/b"] {
        let socket = world.enter(ws, room);
        let own = world.sid(socket).into();
        let rooms = vec![room.into()];
        world.command([Command::Join { socket, rooms }, Command::Leave { socket, room: own }]);
    }
    knock(&mut world, ws, "/");
    world.take_events();
    world.cut(ws);
    let expected = [
        "disconnecting s1 transport close",
        "leave-room /c",
        "delete-room /c",
        "disconnect s1 transport close",
        "disconnecting s2 transport close",
        "leave-room /b",
        "delete-room /b",
        "disconnect s2 transport close",
    ];
    assert_eq!(lines(&mut world), expected);
    assert_eq!(world.server.stats().waiting, 0, "and not a word of the one at the door");
}

#[test]
fn an_undecodable_packet_is_told_to_every_socket() {
    // SIO-ERR-01, SIO-DISC-06
    let told = [
        "error s1 unknown packet type 9",
        "error s2 unknown packet type 9",
        "disconnecting s1 forced close",
        "disconnect s1 forced close",
        "disconnecting s2 forced close",
        "disconnect s2 forced close",
    ];
    let mut world = World::new(config(1));
    let ws = world.open();
    world.enter(ws, "/b");
    world.enter(ws, "/c");
    knock(&mut world, ws, "/");
    world.take_events();
    world.tx(ws, ["49", r#"42/b,["behind"]"#]);
    assert_eq!(world.rx(ws), ["CLOSE:1005"]);
    assert_eq!(lines(&mut world), told, "none for the one at the door");
    // Without a GET the close is graceful too, and so are the reasons.
    let query = world.open_polling();
    for nsp in ["/b", "/c"] {
        world.post(&query, &format!("40{nsp},"));
        world.get(&query);
    }
    world.take_events();
    world.post(&query, "49\u{1e}42/b,[\"behind\"]");
    assert_eq!(lines(&mut world), told[..2]);
    world.get(&query);
    assert_eq!(lines(&mut world), told[2..]);
}

#[test]
fn other_traffic_is_no_pong() {
    // EIO-HB-03: it extends the wait once per ping, and no more
    let mut world = World::new(config(0));
    let (ws, _) = world.join();
    let chat = |world: &mut World, ms: u64| {
        world.advance_ms(ms);
        world.tx(ws, [r#"42["e"]"#]);
    };
    for _ in 0..2 {
        world.rx(ws);
        world.advance_ms(25_000);
        assert_eq!(world.rx(ws), ["2"]);
        chat(&mut world, 19_999);
        chat(&mut world, 19_999); // past the first deadline
        world.tx(ws, ["3"]);
    }
    world.advance_ms(25_000);
    chat(&mut world, 19_999);
    chat(&mut world, 15_000);
    chat(&mut world, 4_999);
    assert!(!world.wire.is_closed(ws));
    world.take_events();
    world.advance_ms(1);
    assert_eq!(lines(&mut world)[1], "disconnect s1 ping timeout");
    assert!(world.wire.is_closed(ws));
}

#[test]
fn a_ping_waits_for_a_get_like_any_packet() {
    // EIO-HB-06
    for answers in [true, false] {
        let mut world = World::new(config(0));
        let (query, socket) = polled(&mut world);
        world.take_events();
        world.advance_ms(24_999);
        world.command([emit(socket, "before", vec![])]);
        world.advance_ms(1);
        world.command([emit(socket, "behind", vec![])]);
        world.advance_ms(19_999);
        if answers {
            let payload = "42[\"before\"]\u{1e}2\u{1e}42[\"behind\"]";
            assert_eq!(world.get(&query), (200, payload.into()));
            world.post(&query, "3");
        }
        assert!(lines(&mut world).is_empty());
        world.advance_ms(1);
        let expected = ["disconnecting s1 ping timeout", "disconnect s1 ping timeout"];
        assert_eq!(lines(&mut world), expected[..if answers { 0 } else { 2 }]);
    }
}

#[test]
fn a_second_websocket_of_a_session_is_closed_at_once() {
    // EIO-UP-06
    let mut world = World::new(config(0));
    let (query, socket) = polled(&mut world);
    world.take_events();
    let upgrade = query.replace("polling", "websocket");
    let nuisance = |world: &mut World| {
        let ws = websocket(world, &upgrade);
        world.tx(ws, ["2probe", "5", r#"42["never"]"#]);
        assert_eq!(world.rx(ws), ["OPEN", "CLOSE:1005"]);
        world.cut(ws);
    };
    let ws = websocket(&mut world, &upgrade);
    nuisance(&mut world);
    world.tx(ws, ["2probe"]);
    nuisance(&mut world);
    assert_eq!(world.rx(ws), ["OPEN", "3probe"]);
    world.tx(ws, ["5"]);
    nuisance(&mut world);
    world.command([emit(socket, "m", vec![])]);
    world.tx(ws, [r#"42["e"]"#]);
    assert_eq!(
        (world.rx(ws), lines(&mut world)),
        (vec![r#"42["m"]"#.into()], vec!["on s1 e".into()])
    );
}

#[test]
fn an_upgrade_is_no_pong_either() {
    // EDGE-12, EIO-HB-07: mended; in the reference nothing checks the client any more
    for (config, checked) in [(config(0), true), (reference(), false)] {
        let mut world = World::new(config);
        let (query, _) = polled(&mut world);
        world.advance_ms(25_000);
        assert_eq!(world.get(&query).1, "2");
        let ws = websocket(&mut world, &query.replace("polling", "websocket"));
        world.tx(ws, ["2probe", "5"]);
        world.advance_ms(19_999);
        assert!(!world.wire.is_closed(ws));
        world.advance_ms(if checked { 1 } else { 3_600_000 });
        assert_eq!(world.wire.is_closed(ws), checked);
        if !checked {
            world.tx(ws, ["3"]);
            world.advance_ms(45_000);
            assert!(world.wire.is_closed(ws), "from the next pong on it is checked again");
        }
    }
}

#[test]
fn what_nobody_waits_for_is_ignored_in_silence() {
    // EDGE-15
    let mut world = World::new(config(0));
    let ((ws, _), (other, gone)) = (world.join(), world.join());
    world.tx(other, ["41"]);
    world.take_events();
    world.tx(ws, ["437[]", "43[]", "430[1]"]);
    world.command([
        broadcast(Selection::namespace("/").to(["nowhere"]), "m"),
        Command::Leave { socket: gone, room: "nowhere".into() },
        Command::Disconnect { socket: gone, close: true },
        emit(gone, "m", vec![]),
    ]);
    assert!(world.take_events().is_empty());
    world.tx(ws, [r#"42["nobody listens"]"#]);
    assert_eq!(lines(&mut world), ["on s1 nobody listens"]);
    assert_eq!((world.rx(ws), world.rx(other)), (vec![], vec![]));
}

#[test]
fn a_leaving_socket_may_say_goodbye_to_its_rooms() {
    // EDGE-16
    let room = |selection: Selection| selection.to(["r"]);
    for cut in [false, true] {
        let mut world = World::new(config(0));
        let ((ws, leaver), (other, stays)) = (world.join(), world.join());
        world.command(
            [leaver, stays].map(|socket| Command::Join { socket, rooms: vec!["r".into()] }),
        );
        world.react(move |event, _| match event {
            Event::Disconnecting { socket, .. } => vec![
                broadcast(room(Selection::socket(*socket)), "bye"),
                broadcast(room(Selection::namespace("/")), "all"),
            ],
            Event::Disconnected { socket, .. } => vec![
                broadcast(room(Selection::socket(*socket)), "gone"),
                broadcast(room(Selection::namespace("/")), "rest"),
            ],
            _ => Vec::new(),
        });
        if cut {
            world.cut(ws);
        } else {
            world.tx(ws, ["41"]);
        }
        assert_eq!(world.rx(ws), [r#"42["all"]"#][..if cut { 0 } else { 1 }]);
        let heard = ["bye", "all", "gone", "rest"].map(|name| format!(r#"42["{name}"]"#));
        assert_eq!(world.rx(other), heard);
    }
}

#[test]
fn half_a_binary_event_blocks_every_namespace() {
    // EDGE-18
    let half = r#"451-/b,["e",{"_placeholder":true,"num":0}]"#;
    let mut world = World::new(config(0));
    let (ws, _) = world.join();
    world.enter(ws, "/b");
    world.take_events();
    world.tx(ws, [half, r#"42["e"]"#]);
    let error = "got plaintext data when reconstructing a packet";
    assert_eq!(lines(&mut world)[..2], ["s1", "s2"].map(|s| format!("error {s} {error}")));
    assert_eq!(world.rx(ws), ["CLOSE:1005"]);
    // Who goes silent half-way stays, and may finish late.
    let ws = world.open();
    world.enter(ws, "/b");
    world.tx(ws, [half]);
    for _ in 0..20 {
        world.tx(ws, ["3"]);
        world.advance_ms(25_000);
    }
    world.take_events();
    world.tx_frames(ws, vec![Frame::Binary(Bytes::from_static(&[1]))]);
    let events = world.take_events();
    let [Event::Received { args, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(args[..], [Value::Binary(Bytes::from_static(&[1]))]);
}

#[test]
fn binary_is_announced_wherever_it_stands() {
    // SIO-ENC-16, mended: a value is what `toJSON` yields, so no binary event has 0 attachments
    let mut world = World::new(config(0));
    let (ws, socket) = world.join();
    let data = || Value::Binary(Bytes::from_static(&[1, 2]));
    let object: Object = [("f", data())].into_iter().collect();
    world.command([emit(socket, "e", vec![Value::Array(vec![object.into()]), data()])]);
    let place = |num: u8| format!(r#"{{"_placeholder":true,"num":{num}}}"#);
    let header = format!(r#"452-["e",[{{"f":{}}}],{}]"#, place(0), place(1));
    assert_eq!(world.rx(ws), [header.as_str(), "<0102>", "<0102>"]);
    world.tx(ws, [r#"450-["e",{"f":1}]"#]);
    assert_eq!(world.rx(ws), ["CLOSE:1005"], "nor is one accepted");
}

/// A config whose `/` has so many middlewares, beside `/b` and `/c` without, and `/gated`.
fn config(middlewares: u16) -> ServerConfig {
    let gate = |middlewares| NamespaceConfig { middlewares, ..NamespaceConfig::default() };
    let namespaces = [("/b", 0), ("/c", 0), ("/gated", 1)];
    ServerConfig {
        main: gate(middlewares),
        namespaces: namespaces.map(|(name, middlewares)| (name.into(), gate(middlewares))).into(),
        ..ServerConfig::default()
    }
}

/// The same with every artefact of the reference.
fn reference() -> ServerConfig {
    ServerConfig { namespaces: config(0).namespaces, ..ServerConfig::reference() }
}

fn next(socket: SocketRef, verdict: Verdict) -> Command {
    Command::Next { socket, verdict }
}

/// Asks to be let in where a middleware waits; takes its event.
fn knock(world: &mut World, ws: WsId, nsp: &str) -> SocketRef {
    world.tx(ws, [format!("40{nsp},")]);
    knocked(world)
}

/// Takes the event of the middleware that was asked last.
fn knocked(world: &mut World) -> SocketRef {
    match world.events.pop() {
        Some(Event::Middleware { socket, .. }) => socket,
        other => unreachable!("no middleware was asked: {other:?}"),
    }
}

/// Opens a polling session and enters `/`; everything is read already.
fn polled(world: &mut World) -> (String, SocketRef) {
    let query = world.open_polling();
    world.post(&query, "40");
    assert!(world.get(&query).1.starts_with("40{"));
    (query, world.last_socket.expect("a socket"))
}

fn websocket(world: &mut World, query: &str) -> WsId {
    let (ws, input) = world.wire.websocket(query);
    world.feed(input);
    ws
}

/// What was told since the last look; sockets are named in the order in which they turn up.
fn lines(world: &mut World) -> Vec<String> {
    Told::default().lines(&world.take_events())
}
