//! The rules of broadcasts: recipients, encoding, snapshot and order.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a listener hears few of many kinds of events")]

#[path = "support/calls.rs"]
mod calls;
mod support;

use bytes::Bytes;
use calls::{
    all, answers, args, asking, clients, flagged, hearers, join, leave, observe, polling, probe,
    ticket, to, volatile,
};
use overheard_core::engine::{Input as Transport, Method, Output as TransportOutput};
use overheard_core::server::{
    Command, Event, EventName, Flags, Input, Matcher, NamespaceConfig, Origin, Output,
    ParentConfig, RecoveryConfig, Selection, ServerConfig, Token,
};
use overheard_core::value::Value;
use overheard_core::wire::{Frame, WsId};
use regex::Regex;
use support::Got;
use support::world::{World, broadcast, emit};

#[test]
fn an_operator_is_a_value_that_is_resolved_when_it_emits() {
    // BC-TGT-08, B-05
    let mut world = World::new(ServerConfig::default());
    let clients = clients(&mut world, 3);
    let kept = to(&["a"]);
    let (narrowed, widened) = (kept.clone().except(["b"]), kept.clone().to(["b"]));
    assert!(hearers(&mut world, kept.clone(), &clients).is_empty(), "nobody is there yet");
    let at = |i: usize| clients[i].1;
    world.command([join(at(0), "a"), join(at(1), "a"), join(at(1), "b"), join(at(2), "b")]);
    assert_eq!(hearers(&mut world, narrowed, &clients), [0]);
    assert_eq!(hearers(&mut world, widened, &clients), [0, 1, 2]);
    assert_eq!(hearers(&mut world, kept.clone(), &clients), [0, 1], "as it was made");
    // B-08: a question leaves nothing behind either.
    world.command([Command::FetchSockets { token: Token(1), selection: kept.clone() }]);
    assert_eq!(hearers(&mut world, all(), &clients), [0, 1, 2]);
    world.command([leave(at(0), "a"), join(at(2), "a")]);
    assert_eq!(hearers(&mut world, kept, &clients), [1, 2], "who is there now");
}

#[test]
fn an_emit_within_an_emit_has_its_own_recipients() {
    // B-06: a listener that emits while a broadcast is under way inherits nothing from it
    let mut world = World::new(ServerConfig::default());
    let clients = clients(&mut world, 3);
    let (sender, first, second) = (clients[0].1, clients[1].1, clients[2].1);
    world.command([join(first, "a"), join(second, "b"), observe(first)]);
    world.react(move |event, _| match event {
        Event::Outgoing { event, .. } if event[0] == "outer".into() => {
            vec![broadcast(Selection::socket(sender).to(["b"]), "inner")]
        }
        _ => Vec::new(),
    });
    world.command([broadcast(Selection::socket(sender).to(["a"]), "outer")]);
    let got: Vec<_> = clients.iter().map(|(ws, _)| world.rx(*ws)).collect();
    assert_eq!(got, [vec![], vec![r#"42["outer"]"#], vec![r#"42["inner"]"#]]);
}

#[test]
fn a_socket_in_several_rooms_gets_one_copy_and_is_asked_once() {
    // B-02, B-13
    for observed in [false, true] {
        let mut world = World::new(ServerConfig::default());
        let clients = clients(&mut world, 3);
        let both = to(&["a", "b", "a"]);
        for room in ["a", "b"] {
            world.command([join(clients[0].1, room), join(clients[1].1, room)]);
        }
        if observed {
            world.command([observe(clients[0].1)]);
        }
        assert_eq!(hearers(&mut world, both.clone(), &clients), [0, 1]);
        assert_eq!(world.server.select(&both), [clients[0].1, clients[1].1]);
        world.command([asking(broadcast(both, "q"), 1, 50)]);
        world.tx(clients[0].0, ["430[1]"]);
        world.tx(clients[1].0, ["430[2]"]);
        let asked: Vec<_> = clients.iter().map(|(ws, _)| world.rx(*ws)).collect();
        assert_eq!(asked, [vec![r#"420["q"]"#], vec![r#"420["q"]"#], vec![]]);
        assert_eq!(answers(&mut world), ["1: 1 2"]);
    }
}

#[test]
fn whom_an_operator_excepts_it_excepts_in_every_way() {
    // B-04, B-10, B-12
    let mut world = World::new(ServerConfig::default());
    let clients = clients(&mut world, 4);
    let sids: Vec<_> = clients.iter().map(|(_, socket)| world.sid(*socket)).collect();
    for (_, socket) in &clients {
        world.command([join(*socket, "r")]);
    }
    let from = Selection::socket(clients[0].1);
    for (selection, expected) in [
        (all(), vec![0, 1, 2, 3]),
        (all().except([&sids[1]]), vec![0, 2, 3]),
        (all().except([&sids[0], &sids[1]]), vec![2, 3]),
        (to(&["r"]).except([&sids[0]]).except([&sids[3]]), vec![1, 2]),
        (from.clone(), vec![1, 2, 3]),
        (from.clone().except([&sids[2]]), vec![1, 3]),
        (from.to(["r"]).except([&sids[1], &sids[2]]), vec![3]),
    ] {
        assert_eq!(hearers(&mut world, selection.clone(), &clients), expected, "{selection:?}");
        let sockets: Vec<_> = expected.iter().map(|at| clients[*at].1).collect();
        assert_eq!(world.server.select(&selection), sockets);
        world.command([asking(broadcast(selection.clone(), "q"), 1, 1)]);
        for (at, (ws, _)) in clients.iter().enumerate() {
            assert_eq!(world.rx(*ws).len(), usize::from(expected.contains(&at)));
        }
        let mark = |rooms| Command::SocketsJoin { selection, rooms };
        world.command([mark(vec!["marked".into()])]);
        assert_eq!(world.server.select(&to(&["marked"])), sockets);
        let selection = all();
        world.command([Command::SocketsLeave { selection, rooms: vec!["marked".into()] }]);
    }
}

#[test]
fn the_sender_is_excepted_by_the_room_of_its_id() {
    // B-09, as the reference has it (EDGE-02, EDGE-03): that room is what is excepted
    let mut world = World::new(ServerConfig::default());
    let clients = clients(&mut world, 3);
    let (sender, sid) = (clients[0].1, world.sid(clients[0].1));
    let from = Selection::socket(sender).to(["t"]);
    for (_, socket) in &clients {
        world.command([join(*socket, "t")]);
    }
    assert_eq!(hearers(&mut world, from.clone(), &clients), [1, 2]);
    world.command([join(clients[1].1, &sid)]);
    assert_eq!(hearers(&mut world, from.clone(), &clients), [2], "who observes it misses it");
    world.command([leave(sender, &sid)]);
    assert_eq!(hearers(&mut world, from, &clients), [0, 2], "who left it hears itself");
}

#[test]
fn rooms_of_a_namespace_are_found_under_the_names_they_were_joined_by() {
    // B-16, B-17, C-01
    let namespaces = vec![("/chat".into(), NamespaceConfig::default())];
    let mut world = World::new(ServerConfig { namespaces, ..ServerConfig::default() });
    let ws = world.open();
    let (main, chat) = (world.enter(ws, "/"), world.enter(ws, "/chat"));
    world.command([join(main, "chat"), join(main, "/chat"), join(chat, "r")]);
    world.command([
        broadcast(to(&["chat"]), "1"),
        broadcast(to(&["/chat"]), "2"),
        broadcast(Selection::namespace("/chat").to(["r"]), "3"),
        broadcast(Selection::namespace("/chat").to(["chat", "/chat"]), "nobody"),
        broadcast(to(&["r"]), "nobody"),
        broadcast(all(), "4"),
    ]);
    assert_eq!(world.rx(ws), [r#"42["1"]"#, r#"42["2"]"#, r#"42/chat,["3"]"#, r#"42["4"]"#]);
}

#[test]
fn a_parent_reaches_the_members_in_every_child_under_its_own_name() {
    // C-05, C-06
    let matcher = Matcher::Pattern(Regex::new("^/d-").unwrap());
    let parents = vec![ParentConfig { matcher, namespace: NamespaceConfig::default() }];
    let mut world = World::new(ServerConfig { parents, ..ServerConfig::default() });
    let (both, other) = (world.open(), world.open());
    let (one, two) = (world.enter(both, "/d-1"), world.enter(both, "/d-2"));
    world.enter(other, "/d-2");
    world.enter(other, "/");
    world.command([join(one, "r"), join(two, "r")]);
    let parent = || Selection { origin: Origin::Parent(0), ..all() };
    world.command([broadcast(parent().to(["r"]), "m"), broadcast(parent(), "n")]);
    let expected = [r#"42/d-1,["m"]"#, r#"42/d-2,["m"]"#, r#"42/d-1,["n"]"#, r#"42/d-2,["n"]"#];
    assert_eq!(world.rx(both), expected);
    assert_eq!(world.rx(other), [r#"42/d-2,["n"]"#]);
}

#[test]
fn recipients_are_served_in_an_order_that_repeats_itself() {
    // BC-TGT-10
    let run = |observed: bool| {
        let mut world = World::new(ServerConfig::default());
        let clients = clients(&mut world, 6);
        let came: Vec<_> = clients.iter().map(|(ws, _)| *ws).collect();
        for (_, socket) in clients.iter().rev() {
            world.command([join(*socket, "r")]);
        }
        if observed {
            world.command([observe(clients[3].1)]);
        }
        assert_eq!(written(&mut world, all()), came, "in the order in which they came");
        world.command([leave(clients[2].1, "r")]);
        world.cut(clients[4].0);
        let order = [all(), to(&["r"]), to(&["none", "r"]).except(["x"])];
        order.map(|selection| written(&mut world, selection))
    };
    let first = run(false);
    assert_eq!(first.clone().map(|order| order.len()), [5, 4, 4]);
    assert_eq!(first, run(false));
    assert_eq!(first, run(true), "whichever way it is sent");
}

#[test]
fn a_broadcast_is_encoded_once_for_everybody() {
    // BC-10
    let mut world = World::new(ServerConfig::default());
    let clients = clients(&mut world, 3);
    let (query, _) = polling(&mut world);
    let arg = Value::Array(vec![Bytes::from_static(&[1, 2, 3]).into(), 7.into()]);
    world.command([args(broadcast(all(), "m"), vec![arg.clone()])]);
    let frames: Vec<_> = clients.iter().map(|(ws, _)| pieces(&mut world, *ws)).collect();
    let text = r#"451-["m",[{"_placeholder":true,"num":0},7]]"#;
    let [(head, first), (data, second)] = &frames[0][..] else { panic!("{frames:?}") };
    assert_eq!((head.as_slice(), data.as_slice()), (text.as_bytes(), &[1, 2, 3][..]));
    for other in &frames {
        let places: Vec<_> = other.iter().map(|(_, place)| *place).collect();
        assert_eq!(places, [*first, *second], "the same bytes in memory");
    }
    // What waits for a poll is what the arguments were when it was sent.
    world.command([args(broadcast(all(), "m"), vec![Value::Array(vec![arg, 8.into()])])]);
    let second = r#"451-["m",[[{"_placeholder":true,"num":0},7],8]]"#;
    let polled = format!("{text}\u{1e}bAQID\u{1e}{second}\u{1e}bAQID");
    assert_eq!(world.get(&query), (200, polled));
}

#[test]
fn a_recipient_that_is_served_at_once_takes_nothing_from_the_others() {
    // BC-TGT-01, BC-10
    let recovery = Some(RecoveryConfig::default());
    for (recovery, observed) in [(None, false), (None, true), (recovery, false), (recovery, true)] {
        let mut world = World::new(ServerConfig { recovery, ..ServerConfig::default() });
        let (first, socket) = polling(&mut world);
        let (ws, _) = world.join();
        let (second, _) = polling(&mut world);
        if observed {
            world.command([observe(socket)]);
        }
        let polls = [&first, &second].map(|query| world.http(Method::Get, query, ""));
        let blob = vec![Value::Binary(Bytes::from_static(&[1]))];
        world.command([args(broadcast(all(), "m"), blob), broadcast(all(), "n")]);
        let got = world.rx(ws);
        assert!(got.len() == 3 && got[1] == "<01>" && got[2].starts_with(r#"42["n""#), "{got:?}");
        for (query, poll) in [&first, &second].iter().zip(polls) {
            let head = world.answer(poll).expect("the waiting poll is answered").1;
            let polled = format!("{head}\u{1e}{}", world.get(query).1);
            assert_eq!(polled.split('\u{1e}').collect::<Vec<_>>(), [&*got[0], "bAQ==", &*got[2]]);
        }
        assert_eq!(world.server.stats().engine.frames, 0, "and nothing is left of it");
    }
}

#[test]
fn send_is_an_emit_of_message() {
    // BC-11
    let mut world = World::new(ServerConfig::default());
    let (ws, socket) = world.join();
    let send = |selection| Command::Broadcast {
        selection,
        name: EventName::message(),
        args: vec![1.into()],
        flags: Flags::default(),
        ack: None,
    };
    let direct = Command::Emit {
        socket,
        name: EventName::message(),
        args: vec![1.into()],
        flags: Flags::default(),
        ack: None,
    };
    world.command([send(all()), direct, args(emit(socket, "message", vec![]), vec![1.into()])]);
    assert_eq!(world.rx(ws), [r#"42["message",1]"#; 3]);
}

#[test]
fn an_emit_says_nothing_of_who_received_it() {
    // BC-12
    let mut world = World::new(ServerConfig::default());
    world.command([broadcast(all(), "m")]);
    let (ws, socket) = world.join();
    world.take_events();
    world.command([broadcast(all(), "m"), broadcast(to(&["none"]), "m")]);
    world.command([emit(socket, "m", vec![]), volatile(emit(socket, "m", vec![]))]);
    world.command([broadcast(Selection::socket(socket), "m")]);
    assert_eq!(world.rx(ws).len(), 2);
    assert!(world.take_events().is_empty());
    world.cut(ws);
    world.take_events();
    world.command([emit(socket, "m", vec![]), broadcast(Selection::socket(socket), "m")]);
    assert!(world.take_events().is_empty());
}

#[test]
fn outgoing_listeners_hear_each_event_once_before_it_is_written() {
    // BC-13
    let mut world = World::new(ServerConfig::default());
    let clients = clients(&mut world, 2);
    let (ws, socket) = clients[0];
    world.command([observe(socket), join(socket, "a"), join(socket, "b")]);
    world.react(move |event, _| match event {
        Event::Outgoing { socket: whose, event } => {
            assert_eq!(*whose, socket, "the other did not ask");
            let early = event[0] != "early".into();
            early.then(|| emit(socket, "early", vec![])).into_iter().collect()
        }
        _ => Vec::new(),
    });
    world.take_events();
    world.command([emit(socket, "1", vec![])]);
    world.command([broadcast(to(&["a", "b"]), "2")]);
    world.command([broadcast(all(), "3"), broadcast(Selection::socket(socket), "not to it")]);
    let early = r#"42["early"]"#;
    let expected = [early, r#"42["1"]"#, early, r#"42["2"]"#, early, r#"42["3"]"#];
    assert_eq!(world.rx(ws), expected, "a listener's own emit precedes what it was told of");
    assert_eq!(outgoing(&mut world), ["1", "early", "2", "early", "3", "early"]);
    // Also when it is dropped then: the write of `early` makes the transport busy.
    world.command([volatile(emit(socket, "4", vec![])), volatile(broadcast(all(), "5"))]);
    assert_eq!(world.rx(ws), [early; 2]);
    assert_eq!(outgoing(&mut world), ["4", "early", "5", "early"]);
    assert_eq!(world.rx(clients[1].0).last().unwrap(), r#"42["5"]"#);
    // Not for acks.
    world.tx(ws, [r#"420["q"]"#]);
    let ticket = ticket(&mut world);
    world.command([Command::Ack { ticket, args: vec![] }]);
    assert_eq!(world.rx(ws), ["430[]"]);
    assert!(outgoing(&mut world).is_empty());
    world.command([Command::Subscribe { socket, incoming: false, outgoing: false }]);
    world.command([broadcast(all(), "6")]);
    assert!(outgoing(&mut world).is_empty());
}

#[test]
fn every_value_can_be_encoded() {
    // BC-14, mended: nothing throws half-way, so everybody is reached and no ack id is wasted
    let mut world = World::new(ServerConfig::default());
    let clients = clients(&mut world, 2);
    let (ws, socket) = clients[0];
    let deep = (0..200).fold(Value::Null, |value, _| Value::Array(vec![value]));
    let odd = vec![f64::NAN.into(), f64::NEG_INFINITY.into(), (-0.0).into(), "\u{0}\u{7f}".into()];
    world.command([args(broadcast(all(), "m"), odd.clone())]);
    let expected = "42[\"m\",null,null,0,\"\\u0000\u{7f}\"]";
    for (ws, _) in &clients {
        assert_eq!(world.rx(*ws), [expected]);
    }
    world.command([
        asking(emit(socket, "q", odd), 1, 50),
        asking(emit(socket, "q", vec![deep]), 2, 50),
        asking(emit(socket, "q", vec![]), 3, 50),
    ]);
    let ids: Vec<_> = world.rx(ws).iter().map(|frame| frame[..3].to_owned()).collect();
    assert_eq!(ids, ["420", "421", "422"]);
    assert_eq!(world.server.stats().acks, 3);
}

#[test]
fn recipients_are_those_of_the_moment_of_the_emit() {
    // BC-SNAP-01, EDGE-10, EDGE-11
    for config in [ServerConfig::default(), ServerConfig::reference()] {
        let mut world = World::new(config);
        let clients = clients(&mut world, 3);
        let at = |i: usize| clients[i].1;
        let everybody = |room: &str| Command::SocketsJoin {
            selection: all().except(["r"]),
            rooms: vec![room.into()],
        };
        world.command([
            join(at(0), "r"),
            broadcast(to(&["r"]), "1"),
            join(at(1), "r"),
            leave(at(0), "r"),
            broadcast(to(&["r"]), "2"),
            everybody("s"),
            broadcast(to(&["s"]), "3"),
            broadcast(all(), "4"),
            Command::Disconnect { socket: at(2), close: false },
            broadcast(all(), "5"),
            join(at(1), "s"),
        ]);
        let got: Vec<_> = clients.iter().map(|(ws, _)| world.rx(*ws).join(" ")).collect();
        let event = |n: u8| format!(r#"42["{n}"]"#);
        let expected = [
            [event(1), event(3), event(4), event(5)].join(" "),
            [event(2), event(4), event(5)].join(" "),
            [event(3), event(4), "41".into()].join(" "),
        ];
        assert_eq!(got, expected);
    }
}

#[test]
fn whatever_is_emitted_to_one_socket_arrives_in_the_order_of_the_program() {
    // BC-ORD-01
    for observed in [false, true] {
        let mut world = World::new(ServerConfig::default());
        let (ws, socket) = world.join();
        let (_, other) = world.join();
        world.command([join(socket, "r")]);
        if observed {
            world.command([observe(socket)]);
        }
        world.tx(ws, [r#"427["q"]"#]);
        let ticket = ticket(&mut world);
        let blob = vec![Value::Binary(Bytes::from_static(&[0]))];
        world.command([
            broadcast(all(), "1"),
            emit(socket, "2", blob),
            asking(broadcast(to(&["r"]), "3"), 1, 50),
            Command::Ack { ticket, args: vec![] },
            asking(emit(socket, "4", vec![]), 1, 50),
            broadcast(Selection::socket(other), "5"),
            flagged(broadcast(all(), "6"), Flags { local: true, ..Flags::default() }),
            Command::Disconnect { socket, close: false },
        ]);
        let binary = r#"451-["2",{"_placeholder":true,"num":0}]"#;
        let (head, tail) = ([r#"42["1"]"#, binary, "<00>"], [r#"42["5"]"#, r#"42["6"]"#, "41"]);
        let middle = [r#"420["3"]"#, "437[]", r#"421["4"]"#];
        assert_eq!(world.rx(ws), [head, middle, tail].concat());
    }
}

#[test]
fn events_keep_their_order_when_the_transport_changes() {
    // DG-01, BC-ORD-01
    let mut world = World::new(ServerConfig::default());
    let (query, socket) = polling(&mut world);
    let event = |n: u8| emit(socket, &n.to_string(), vec![]);
    world.command([event(1), broadcast(all(), "2")]);
    let mut got: Vec<_> = world.get(&query).1.split('\u{1e}').map(str::to_owned).collect();
    world.command([event(3)]);
    let ws = probe(&mut world, &query);
    world.command([broadcast(all(), "4"), event(5)]);
    got.extend(world.get(&query).1.split('\u{1e}').map(str::to_owned));
    world.command([event(6), broadcast(all(), "7")]);
    world.tx(ws, ["5"]);
    world.command([event(8)]);
    got.extend(world.rx(ws).into_iter().filter(|frame| frame.starts_with("42")));
    let expected: Vec<_> = (1..=8).map(|n| format!(r#"42["{n}"]"#)).collect();
    assert_eq!(got, expected);
}

#[test]
fn nothing_is_kept_for_a_client_that_has_gone() {
    // DG-03
    for config in [ServerConfig::default(), ServerConfig::reference()] {
        let mut world = World::new(config);
        let (ws, socket) = world.join();
        world.command([join(socket, "r")]);
        world.cut(ws);
        let before = world.server.stats();
        world.command([emit(socket, "m", vec![]), broadcast(all(), "m")]);
        world.command([broadcast(to(&["r"]), "m"), volatile(broadcast(all(), "m"))]);
        assert_eq!(world.server.stats(), before);
        let again = world.open();
        world.tx(again, ["40"]);
        let got = world.rx(again);
        assert!(got.len() == 1 && got[0].starts_with("40{"), "{got:?}");
    }
}

#[test]
fn one_emit_reaches_one_client_twice_only_through_two_sockets() {
    // DG-07
    let mut world = World::new(ServerConfig::reference());
    let ws = world.open();
    world.tx(ws, ["40", "40"]);
    assert_eq!(world.rx(ws).len(), 2, "as the reference does it");
    world.command([broadcast(all(), "m")]);
    assert_eq!(world.rx(ws), [r#"42["m"]"#; 2]);
    // Mended: there is never more than one.
    let mut world = World::new(ServerConfig::default());
    let ws = world.open();
    world.tx(ws, ["40", "40"]);
    world.command([broadcast(all(), "m")]);
    let copies = world.rx(ws).iter().filter(|frame| *frame == r#"42["m"]"#).count();
    assert!(copies <= 1 && world.server.stats().connected == copies);
    assert!(world.wire.is_closed(ws));
}

#[test]
fn the_rooms_of_a_socket_are_told_as_a_copy() {
    // ROOM-14, mended: what one does to the answer does nothing to the rooms
    let mut world = World::new(ServerConfig::default());
    let clients = clients(&mut world, 1);
    let socket = clients[0].1;
    world.command([join(socket, "r")]);
    let mut rooms = world.server.rooms_of(socket);
    let before = rooms.clone();
    rooms.push("s".into());
    rooms.swap_remove(1);
    assert_eq!(world.server.rooms_of(socket), before);
    assert_eq!(hearers(&mut world, to(&["r"]), &clients), [0]);
    assert!(hearers(&mut world, to(&["s"]), &clients).is_empty());
    world.command([leave(socket, "r")]);
    assert_eq!((before.len(), world.server.rooms_of(socket).len()), (2, 1));
}

/// The WebSockets to which a broadcast is written, in that order.
fn written(world: &mut World, selection: Selection) -> Vec<WsId> {
    let input = Input::Commands(vec![broadcast(selection, "m")]);
    world.server.handle(world.now, input).unwrap();
    let mut order = Vec::new();
    while let Some(output) = world.server.poll_output() {
        if let Output::Transport(TransportOutput::WsSend(ws)) = output {
            world.server.take_frames(ws, &mut Vec::new());
            order.push(ws);
        }
    }
    for ws in &order {
        world.feed(Transport::WsFlushed(*ws));
    }
    order
}

/// The bytes that a WebSocket received, and where they are in memory.
fn pieces(world: &mut World, ws: WsId) -> Vec<(Vec<u8>, *const u8)> {
    let got = world.wire.inboxes.get_mut(&ws).unwrap().drain(..);
    got.map(|got| match got {
        Got::Frame(Frame::Text(text)) => (text.as_bytes().to_vec(), text.as_ptr()),
        Got::Frame(Frame::Binary(data)) => (data.to_vec(), data.as_ptr()),
        Got::Open | Got::Http(..) | Got::Broken | Got::Close(_) => panic!("{got:?}"),
    })
    .collect()
}

/// What outgoing listeners were told.
fn outgoing(world: &mut World) -> Vec<String> {
    let events = world.take_events().into_iter().filter_map(|event| match event {
        Event::Outgoing { event, .. } => Some(event[0].as_str().unwrap().to_owned()),
        _ => None,
    });
    events.collect()
}
