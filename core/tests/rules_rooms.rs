//! The rules of rooms: membership, room events, the utilities that change it, and what is left
//! when everything has ended.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks at few of many kinds")]

mod support;

use overheard_core::server::{
    Command, CommandError, Event, NamespaceConfig, RecoveryConfig, RoomChange, Selection,
    ServerConfig, ServerLimits, ServerStats, SocketRef, Token, Verdict,
};
use overheard_core::value::{Object, Value};
use overheard_core::wire::WsId;
use support::world::{World, ack, broadcast, emit};

/// A config whose `/` and `/b` tell of their rooms.
fn telling() -> ServerConfig {
    let telling = NamespaceConfig { room_events: true, ..NamespaceConfig::default() };
    let namespaces = vec![("/b".into(), NamespaceConfig::default())];
    ServerConfig { main: telling, namespaces, ..ServerConfig::default() }
}

fn gated(room_events: bool) -> ServerConfig {
    let main = NamespaceConfig { middlewares: 1, room_events, ..NamespaceConfig::default() };
    ServerConfig { main, ..ServerConfig::default() }
}

fn join(socket: SocketRef, rooms: &[&str]) -> Command {
    Command::Join { socket, rooms: rooms.iter().map(|room| (*room).into()).collect() }
}

fn leave(socket: SocketRef, room: &str) -> Command {
    Command::Leave { socket, room: room.into() }
}

fn all() -> Selection {
    Selection::namespace("/")
}

fn to(rooms: &[&str]) -> Selection {
    all().to(rooms.iter().copied())
}

fn rooms(world: &World, socket: SocketRef) -> Vec<String> {
    world.server.rooms_of(socket).iter().map(ToString::to_string).collect()
}

/// Room events and disconnections, as words; ids of sockets by their place in `sockets`.
fn told(world: &mut World, sids: &[String]) -> Vec<String> {
    let name = |text: &str| match sids.iter().position(|sid| sid == text) {
        Some(at) => format!("s{at}"),
        None => text.to_owned(),
    };
    let words = world.take_events().into_iter().map(|event| match event {
        Event::Room { change, room, sid, .. } => {
            let sid = sid.map(|sid| format!(" {}", name(&sid))).unwrap_or_default();
            format!("{} {}{sid}", change.as_str(), name(&room))
        }
        Event::Disconnecting { .. } => "disconnecting".into(),
        Event::Disconnected { sid, .. } => format!("disconnected {}", name(&sid)),
        Event::Connection { .. } => "connection".into(),
        Event::Refused(error) => format!("refused: {error}"),
        other => format!("{other:?}"),
    });
    words.collect()
}

/// Who of these gets one more broadcast; nobody gets anything else meanwhile.
fn hearers(world: &mut World, selection: Selection, clients: &[WsId]) -> Vec<usize> {
    for ws in clients {
        world.rx(*ws);
    }
    world.command([broadcast(selection, "m")]);
    let mut hearers = Vec::new();
    for (at, ws) in clients.iter().enumerate() {
        let copies = world.rx(*ws).iter().filter(|frame| frame.contains("[\"m\"]")).count();
        assert!(copies <= 1, "client {at} got {copies} copies");
        hearers.extend((copies == 1).then_some(at));
    }
    hearers
}

#[test]
fn every_socket_is_in_the_room_of_its_id_before_its_reply() {
    // ROOM-01, ROOM-13, ROOM-11
    let mut world = World::new(telling());
    world.react(|event, server| match event {
        Event::Room { change: RoomChange::Joined, sid: Some(sid), .. } => {
            let nsp = server.namespace_id("/").unwrap();
            let socket = server.find_socket(nsp, sid).expect("reachable by its id");
            vec![emit(socket, "early", vec![])]
        }
        _ => Vec::new(),
    });
    let ws = world.open();
    world.tx(ws, ["40"]);
    // The write of an emit in the listener of `join-room` precedes that of the reply.
    let got = world.rx(ws);
    assert_eq!(got[0], r#"42["early"]"#, "{got:?}");
    assert!(got[1].starts_with("40{"), "{got:?}");
    let socket = world.last_socket.unwrap();
    let sid = world.sid(socket);
    assert_eq!(rooms(&world, socket), std::slice::from_ref(&sid));
    let expected = ["create-room s0", "join-room s0 s0", "connection"];
    assert_eq!(told(&mut world, &[sid]), expected);
}

#[test]
fn joins_and_leaves_are_idempotent_and_take_effect_at_once() {
    // ROOM-02, ROOM-03, ROOM-04, ROOM-11, I12
    let mut world = World::new(telling());
    let (ws, socket) = world.join();
    let sids = [world.sid(socket)];
    told(&mut world, &sids);
    world.command([join(socket, &["a", "b", "a"]), broadcast(to(&["b"]), "now")]);
    assert_eq!(world.rx(ws), [r#"42["now"]"#]);
    let made = ["create-room a", "join-room a s0", "create-room b", "join-room b s0"];
    assert_eq!(told(&mut world, &sids), made);
    assert_eq!(rooms(&world, socket), [sids[0].as_str(), "a", "b"]);
    world.command([join(socket, &["b", "a"]), leave(socket, "unknown")]);
    assert!(told(&mut world, &sids).is_empty(), "nothing changed");
    world.command([leave(socket, "a"), leave(socket, "a")]);
    assert_eq!(told(&mut world, &sids), ["leave-room a s0", "delete-room a"]);
    assert_eq!(rooms(&world, socket), [sids[0].as_str(), "b"], "only that one is left");
    world.command([join(socket, &["a"])]);
    assert_eq!(told(&mut world, &sids), ["create-room a", "join-room a s0"]);
    assert_eq!(rooms(&world, socket), [sids[0].as_str(), "b", "a"], "in join order");
}

#[test]
fn a_room_lives_from_its_first_member_to_its_last() {
    // ROOM-04, ROOM-11, I10
    let mut world = World::new(telling());
    let ((first, one), (second, two)) = (world.join(), world.join());
    let sids = [world.sid(one), world.sid(two)];
    told(&mut world, &sids);
    world.command([join(one, &["r"]), join(two, &["r"]), leave(one, "r")]);
    let events = ["create-room r", "join-room r s0", "join-room r s1", "leave-room r s0"];
    assert_eq!(told(&mut world, &sids), events);
    assert_eq!(hearers(&mut world, to(&["r"]), &[first, second]), [1]);
    world.command([leave(two, "r")]);
    assert_eq!(told(&mut world, &sids), ["leave-room r s1", "delete-room r"]);
    assert!(hearers(&mut world, to(&["r"]), &[first, second]).is_empty());
    assert_eq!((world.server.stats().rooms, world.server.stats().memberships), (2, 2));
}

#[test]
fn a_created_room_is_empty_and_a_deleted_one_is_gone_when_it_is_told() {
    // ROOM-11
    let mut world = World::new(telling());
    world.react(|event, server| match event {
        Event::Room { change, room, sid, .. } if room == "r" => {
            let nsp = server.namespace_id("/").unwrap();
            let rooms = server.stats().rooms;
            let is_in = sid.as_deref().is_some_and(|sid| {
                let socket = server.find_socket(nsp, sid).unwrap();
                server.rooms_of(socket).iter().any(|room| room == "r")
            });
            let expected = match change {
                RoomChange::Created | RoomChange::Deleted => (1, false),
                RoomChange::Joined => (2, true),
                RoomChange::Left => (1, false),
            };
            assert_eq!((rooms, is_in), expected, "{change:?}");
            // What is sent to the room now finds the members of now.
            vec![broadcast(Selection::namespace("/").to(["r"]), change.as_str())]
        }
        _ => Vec::new(),
    });
    let (ws, socket) = world.join();
    world.command([join(socket, &["r"]), leave(socket, "r")]);
    assert_eq!(world.rx(ws), [r#"42["join-room"]"#]);
}

#[test]
fn a_listener_of_create_room_may_fill_and_empty_the_room() {
    // ROOM-11, I11: a room is created once before its first member, whoever that is
    for (leaves, expected) in [
        (false, vec!["create-room r", "join-room r s1", "join-room r s0"]),
        (
            true,
            vec![
                "create-room r",
                "join-room r s1",
                "leave-room r s1",
                "delete-room r",
                "create-room r",
                "join-room r s0",
            ],
        ),
    ] {
        let mut world = World::new(telling());
        let ((_, one), (_, two)) = (world.join(), world.join());
        let sids = [world.sid(one), world.sid(two)];
        told(&mut world, &sids);
        let mut asked = false;
        world.react(move |event, _| match event {
            Event::Room { change: RoomChange::Created, .. }
                if !std::mem::replace(&mut asked, true) =>
            {
                let mut commands = vec![join(two, &["r"])];
                commands.extend(leaves.then(|| leave(two, "r")));
                commands
            }
            _ => Vec::new(),
        });
        world.command([join(one, &["r"])]);
        assert_eq!(told(&mut world, &sids), expected);
    }
}

#[test]
fn a_room_whose_first_member_goes_before_it_is_in_is_deleted_again() {
    // ROOM-11, I11
    let mut world = World::new(telling());
    let (_, socket) = world.join();
    let sids = [world.sid(socket)];
    told(&mut world, &sids);
    world.react(move |event, _| match event {
        Event::Room { change: RoomChange::Created, .. } => {
            vec![Command::Disconnect { socket, close: false }]
        }
        _ => Vec::new(),
    });
    world.command([join(socket, &["r"])]);
    let mut events = told(&mut world, &sids);
    let last = events.split_off(events.len() - 1);
    assert_eq!(events.iter().filter(|event| *event == "create-room r").count(), 1);
    let deleted: Vec<_> = events.iter().chain(&last).filter(|e| *e == "delete-room r").collect();
    assert_eq!(deleted.len(), 1, "{events:?} {last:?}");
    assert_eq!((world.server.stats().rooms, world.server.stats().memberships), (0, 0));
}

#[test]
fn who_goes_before_its_join_takes_nobody_elses_room_away() {
    // ROOM-11, I11: the room was announced for the first one, and is not the second one's to delete
    let mut world = World::new(telling());
    let ((_, one), (_, two)) = (world.join(), world.join());
    let sids = [world.sid(one), world.sid(two)];
    told(&mut world, &sids);
    world.react(move |event, _| match event {
        Event::Room { change: RoomChange::Created, room, .. } if room == "r" => {
            vec![join(two, &["x", "r"])]
        }
        Event::Room { change: RoomChange::Joined, room, .. } if room == "x" => {
            vec![Command::Disconnect { socket: two, close: false }]
        }
        _ => Vec::new(),
    });
    world.command([join(one, &["r"])]);
    let events = told(&mut world, &sids);
    let of_the_room: Vec<_> = events.iter().filter(|event| event.contains(" r")).collect();
    assert_eq!(of_the_room, ["create-room r", "join-room r s0"], "{events:?}");
    assert_eq!(rooms(&world, one), [sids[0].as_str(), "r"]);
}

#[test]
fn disconnection_leaves_the_rooms_in_join_order() {
    // ROOM-08, ROOM-12, SIO-DISC-03, I8, I9
    let mut world = World::new(telling());
    let ((ws, one), (_, two)) = (world.join(), world.join());
    let sids = [world.sid(one), world.sid(two)];
    world.command([join(one, &["z", "a"]), join(two, &["a"])]);
    told(&mut world, &sids);
    let complete = vec![sids[0].clone(), "z".to_owned(), "a".to_owned()];
    let expected = complete.clone();
    world.react(move |event, server| {
        match event {
            Event::Disconnecting { .. } | Event::Room { .. } => {
                assert_eq!(server.rooms_of(one), expected.as_slice(), "{event:?}");
            }
            Event::Disconnected { .. } => assert!(server.rooms_of(one).is_empty()),
            _ => {}
        }
        Vec::new()
    });
    world.cut(ws);
    let events = [
        "disconnecting",
        "leave-room s0 s0",
        "delete-room s0",
        "leave-room z s0",
        "delete-room z",
        "leave-room a s0",
        "disconnected s0",
    ];
    assert_eq!(told(&mut world, &sids), events);
    assert_eq!(rooms(&world, two), [sids[1].as_str(), "a"]);
}

#[test]
fn others_may_join_and_leave_while_a_socket_leaves_its_rooms() {
    // ROOM-12, I9, I10: the departure is not cut short
    let mut world = World::new(telling());
    let ((ws, one), (_, two)) = (world.join(), world.join());
    world.command([join(one, &["a", "b", "c", "d"]), join(two, &["b"])]);
    world.react(move |event, _| match event {
        Event::Room { change: RoomChange::Left, room, .. } if room == "a" => {
            vec![join(two, &["c", "new"]), leave(two, "b"), join(one, &["never"])]
        }
        _ => Vec::new(),
    });
    world.cut(ws);
    let sid = world.sid(two);
    assert_eq!(rooms(&world, two), [sid.as_str(), "c", "new"]);
    assert_eq!((world.server.stats().rooms, world.server.stats().memberships), (3, 3));
}

#[test]
fn a_socket_that_has_left_joins_nothing() {
    // ROOM-09, I9
    for config in [telling(), ServerConfig::default(), ServerConfig::reference()] {
        let mut world = World::new(config);
        world.react(|event, _| match event {
            Event::Disconnected { socket, .. } => {
                vec![join(*socket, &["ghost"]), leave(*socket, "r")]
            }
            _ => Vec::new(),
        });
        let (ws, socket) = world.join();
        world.command([join(socket, &["r"])]);
        world.tx(ws, ["41"]);
        world.command([join(socket, &["ghost"]), leave(socket, "ghost"), leave(socket, "r")]);
        let stats = world.server.stats();
        assert_eq!((stats.rooms, stats.memberships, stats.connected), (0, 0, 0));
        assert!(world.server.rooms_of(socket).is_empty());
        // The next socket takes the place, and inherits nothing.
        let next = world.enter(ws, "/");
        world.command([join(socket, &["ghost"])]);
        assert_eq!(world.server.rooms_of(next).len(), 1, "only its own");
    }
}

#[test]
fn a_socket_without_rooms_hears_what_is_for_everybody() {
    // ROOM-06, ROOM-07, EDGE-03
    let mut world = World::new(ServerConfig::default());
    let ((ws, socket), (other, _)) = (world.join(), world.join());
    let sid = world.sid(socket);
    world.command([leave(socket, &sid)]);
    assert!(rooms(&world, socket).is_empty());
    assert_eq!(hearers(&mut world, all(), &[ws, other]), [0, 1]);
    assert!(hearers(&mut world, to(&[&sid]), &[ws, other]).is_empty());
    assert_eq!(hearers(&mut world, Selection::socket(socket), &[ws, other]), [0, 1]);
    world.command([emit(socket, "direct", vec![])]);
    assert_eq!(world.rx(ws), [r#"42["direct"]"#]);
}

#[test]
fn clients_cannot_touch_rooms() {
    // ROOM-05, UTIL-10
    let mut world = World::new(ServerConfig::default());
    let (ws, socket) = world.join();
    world.tx(ws, [r#"42["join","r"]"#, r#"42["join-room","r"]"#, r#"42["leave","r"]"#]);
    assert_eq!(world.server.rooms_of(socket).len(), 1);
    assert_eq!(world.server.stats().rooms, 1);
    assert!(world.rx(ws).is_empty());
}

#[test]
fn names_of_rooms_are_opaque() {
    // ROOM-10, BC-TGT-03, NSP-07, NSP-08, I3: no name means anything, nor another namespace
    let names = ["", "/b", "/", "__proto__", "constructor", "42", "a,b", "/b#r", "ä", "\u{1f600}"];
    let mut world = World::new(telling());
    let ws = world.open();
    let (one, two) = (world.enter(ws, "/"), world.enter(ws, "/b"));
    world.command([join(two, &names)]);
    for name in names {
        assert!(hearers(&mut world, to(&[name]), &[ws]).is_empty(), "{name}");
    }
    world.command([join(one, &names)]);
    for name in names {
        world.command([broadcast(to(&[name]), "m")]);
        assert_eq!(world.rx(ws), [r#"42["m"]"#], "{name}");
        world.command([broadcast(Selection::namespace("/b").to([name]), "m")]);
        assert_eq!(world.rx(ws), [r#"42/b,["m"]"#], "{name}");
        world.command([leave(one, name)]);
        assert!(hearers(&mut world, to(&[name]), &[ws]).is_empty(), "{name}");
    }
    assert_eq!(world.server.rooms_of(two).len(), names.len() + 1);
}

#[test]
fn leaving_a_namespace_leaves_its_rooms_and_no_others() {
    // ROOM-08, NSP-07, SIO-DISC-01, I3
    let mut world = World::new(telling());
    let ws = world.open();
    let (one, two) = (world.enter(ws, "/"), world.enter(ws, "/b"));
    world.command([join(one, &["r"]), join(two, &["r"])]);
    world.tx(ws, ["41/b,"]);
    world.command([
        broadcast(Selection::namespace("/b").to(["r"]), "gone"),
        broadcast(Selection::namespace("/b"), "gone"),
        broadcast(to(&["r"]), "here"),
    ]);
    assert_eq!(world.rx(ws), [r#"42["here"]"#]);
}

#[test]
fn rooms_joined_in_a_middleware_last_if_the_socket_is_let_in() {
    // ROOM-15, ROOM-04, BC-SNAP-03, NSP-MW-03
    for room_events in [false, true] {
        let mut world = World::new(gated(room_events));
        let ws = world.open();
        world.tx(ws, ["40"]);
        let [Event::Middleware { socket, .. }] = world.take_events()[..] else { panic!() };
        world.command([
            join(socket, &["r", "s"]),
            broadcast(to(&["r"]), "m"),
            broadcast(all(), "m"),
        ]);
        assert!(world.rx(ws).is_empty(), "nothing reaches it, and nothing waits for it");
        assert_eq!(world.server.stats().rooms, 2);
        world.command([Command::Next { socket, verdict: Verdict::Allow }]);
        assert!(world.rx(ws)[0].starts_with("40"), "and nothing else");
        assert_eq!(hearers(&mut world, to(&["r"]), &[ws]), [0]);
        let sid = world.sid(socket);
        assert_eq!(rooms(&world, socket), ["r", "s", sid.as_str()]);
    }
}

#[test]
fn rooms_joined_in_a_middleware_are_left_if_the_socket_is_refused() {
    // ROOM-15, NSP-MW-07, ROOM-12, I9
    let refusals = [Verdict::Refuse { message: "no".into(), data: None }, Verdict::RefuseSilently];
    for (room_events, verdict) in
        [(false, &refusals[0]), (true, &refusals[0]), (true, &refusals[1])]
    {
        let mut world = World::new(gated(room_events));
        let ws = world.open();
        world.tx(ws, ["40"]);
        let [Event::Middleware { socket, .. }] = world.take_events()[..] else { panic!() };
        world.command([join(socket, &["r", "s"])]);
        world.take_events();
        world.command([Command::Next { socket, verdict: verdict.clone() }]);
        assert!(world.rx(ws)[0].starts_with("44{"));
        let events: Vec<_> = told(&mut world, &[])
            .iter()
            .filter_map(|event| Some(event.split_once("-room ")?.0.to_owned()))
            .collect();
        if room_events {
            assert_eq!(events, ["leave", "delete", "leave", "delete"]);
        }
        world.command([join(socket, &["late"]), broadcast(all(), "m"), broadcast(to(&["r"]), "m")]);
        assert!(world.rx(ws).is_empty());
        let stats = world.server.stats();
        assert_eq!((stats.rooms, stats.memberships, stats.waiting), (0, 0, 0));
    }
}

#[test]
fn over_its_limits_a_socket_joins_nothing_more() {
    // ROOM-01, ROOM-02: its own room is its by right
    let limits =
        ServerLimits { rooms_per_socket: 3, room_name_bytes: 4, ..ServerLimits::default() };
    let mut world = World::new(ServerConfig { limits, ..ServerConfig::default() });
    let (_, socket) = world.join();
    world.take_events();
    world.command([join(socket, &["a", "b", "c"]), join(socket, &["abcde"])]);
    let refused = |limit| Event::Refused(CommandError::Limit(limit));
    assert_eq!(world.take_events(), [refused("rooms_per_socket"), refused("room_name_bytes")]);
    assert_eq!(world.server.rooms_of(socket).len(), 1, "all or nothing");
    world.command([join(socket, &["abcd", "b"])]);
    assert_eq!(world.server.rooms_of(socket).len(), 3);
}

#[test]
fn utilities_act_on_whom_a_broadcast_would_reach() {
    // UTIL-01, UTIL-02, UTIL-03, BC-TGT-05
    let mut world = World::new(telling());
    let clients: Vec<_> = (0..4).map(|_| world.join()).collect();
    let at = |i: usize| clients[i].1;
    world.command([join(at(0), &["a"]), join(at(1), &["a", "b"]), join(at(2), &["b"])]);
    let names = || vec!["x".into(), "y".into()];
    // From a socket, itself is left out; what follows finds them there at once.
    let selection = Selection::socket(at(0)).to(["a", "b"]);
    world.command([Command::SocketsJoin { selection, rooms: names() }]);
    assert_eq!(world.server.select(&to(&["x"])), [at(1), at(2)]);
    let selection = to(&["x"]).except(["b"]);
    world.command([Command::SocketsLeave { selection, rooms: names() }]);
    assert_eq!(world.server.select(&to(&["x"])), [at(1), at(2)], "nobody was meant");
    let selection = to(&["a"]);
    world.command([Command::SocketsLeave { selection, rooms: names() }]);
    assert_eq!(world.server.select(&to(&["y"])), [at(2)]);
    // No room means everybody.
    let token = Token(7);
    world.take_events();
    world.command([Command::FetchSockets { token, selection: all().to(Vec::<String>::new()) }]);
    let sockets = clients.iter().map(|client| client.1).collect();
    assert_eq!(world.take_events(), [Event::Fetched { token, sockets }]);
    let selection = all().except(["b"]);
    world.command([Command::DisconnectSockets { selection, close: false }]);
    let left: Vec<_> = clients.iter().map(|client| world.rx(client.0)).collect();
    assert_eq!(
        left,
        [vec!["41"], vec![], vec![], vec!["41"]]
            .map(|v| v.iter().map(|s: &&str| (*s).to_owned()).collect::<Vec<_>>())
    );
    let selection = Selection::socket(at(1));
    world.command([Command::DisconnectSockets { selection, close: true }]);
    assert_eq!(world.rx(clients[2].0), ["41", "CLOSE:1005"]);
    assert!(world.server.is_connected(at(1)));
}

#[test]
fn sockets_in_their_middlewares_are_not_fetched() {
    // UTIL-03, UTIL-09, BC-SNAP-03
    let mut world = World::new(gated(false));
    let (first, second) = (world.open(), world.open());
    world.tx(first, ["40"]);
    let [Event::Middleware { socket: one, .. }] = world.take_events()[..] else { panic!() };
    world.command([join(one, &["r"]), Command::Next { socket: one, verdict: Verdict::Allow }]);
    world.tx(second, ["40"]);
    let events = world.take_events();
    let Some(Event::Middleware { socket: two, .. }) = events.last() else { panic!() };
    world.command([join(*two, &["r"])]);
    for selection in [all(), to(&["r"])] {
        world.take_events();
        world.command([Command::FetchSockets { token: Token(1), selection }]);
        assert_eq!(world.take_events(), [Event::Fetched { token: Token(1), sockets: vec![one] }]);
    }
    let selection = to(&["r"]);
    world.command([Command::DisconnectSockets { selection, close: false }]);
    assert!(!world.server.is_connected(one));
    world.command([Command::Next { socket: *two, verdict: Verdict::Allow }]);
    assert!(world.server.is_connected(*two), "it was not meant");
}

#[test]
fn each_socket_is_visited_once_whatever_listeners_do() {
    // BC-SNAP-04, UTIL-02
    let mut world = World::new(telling());
    let clients: Vec<_> = (0..3).map(|_| world.join()).collect();
    let sids: Vec<_> = clients.iter().map(|client| world.sid(client.1)).collect();
    for client in &clients {
        world.command([join(client.1, &["r"])]);
    }
    told(&mut world, &sids);
    let (last, first) = (clients[2].1, clients[0].1);
    let first_sid = sids[0].clone();
    world.react(move |event, _| match event {
        // The first to join takes the last one out, and shakes its own membership.
        Event::Room { change: RoomChange::Joined, sid: Some(sid), room, .. }
            if *sid == *first_sid && room == "x" =>
        {
            let quit = Command::Disconnect { socket: last, close: false };
            vec![quit, leave(first, "r"), leave(first, "r"), join(first, &["r"])]
        }
        _ => Vec::new(),
    });
    world.command([Command::SocketsJoin { selection: to(&["r"]), rooms: vec!["x".into()] }]);
    let joined: Vec<_> =
        told(&mut world, &sids).into_iter().filter(|e| e.starts_with("join-room x")).collect();
    assert_eq!(joined, ["join-room x s0", "join-room x s1"]);
    assert_eq!(world.server.stats().memberships, 2 + 2 + 2, "own, r and x of two");
}

#[test]
fn data_belongs_to_one_socket() {
    // UTIL-08
    let mut world = World::new(ServerConfig::default());
    let (ws, socket) = world.join();
    let (_, other) = world.join();
    assert_eq!(world.server.data(socket), Some(&Object::new()));
    let set =
        |key: &str, value: i64| Command::SetData { socket, key: key.into(), value: value.into() };
    world.command([set("a", 1), set("a", 2), set("b", 3)]);
    let data: Vec<_> = world.server.data(socket).unwrap().iter().collect();
    assert_eq!(data, [("a", &Value::from(2)), ("b", &Value::from(3))]);
    assert_eq!(world.server.data(other), Some(&Object::new()));
    world.tx(ws, ["41"]);
    let next = world.enter(ws, "/");
    assert_eq!(world.server.data(next), Some(&Object::new()), "the place is empty again");
    world.command([set("a", 4)]);
    assert_eq!(world.server.data(next), Some(&Object::new()));
}

/// Lives of a connection that end in every way, as one long script.
fn live_and_die(world: &mut World) {
    // Let in, refused, and left waiting at the door; each with rooms, acks and data.
    for end in 0..6 {
        let ws = world.open();
        world.tx(ws, ["40"]);
        let waiting = world.take_events().iter().find_map(|event| match event {
            Event::Middleware { socket, .. } => Some(*socket),
            _ => None,
        });
        let socket = waiting.expect("a socket at the door");
        world.command([join(socket, &["r", "s"])]);
        let verdict = match end {
            0 => Verdict::Refuse { message: "no".into(), data: None },
            1 => Verdict::RefuseSilently,
            _ => Verdict::Allow,
        };
        if end != 2 {
            world.command([Command::Next { socket, verdict }]);
        }
        world.command([join(socket, &["t"]), Command::UseSocket(socket)]);
        world.command([Command::Subscribe { socket, incoming: true, outgoing: true }]);
        let mut asks = emit(socket, "q", vec![]);
        let mut asks_all = broadcast(to(&["r"]), "q");
        for (command, timeout) in [(&mut asks, Some(50)), (&mut asks_all, Some(60_000))] {
            if let Command::Emit { ack: wish, .. } | Command::Broadcast { ack: wish, .. } = command
            {
                *wish = ack(1, timeout);
            }
        }
        world.command([asks, asks_all, emit(socket, "lone", vec![])]);
        world.tx(ws, [r#"42["held"]"#, r#"451-["half",{"_placeholder":true,"num":0}]"#]);
        match end {
            3 => world.command([Command::Disconnect { socket, close: true }]),
            4 => world.advance_ms(60_000), // no pong
            5 => world.command([Command::CloseConnection(socket.conn())]),
            _ => world.cut(ws),
        }
        if !world.wire.is_closed(ws) {
            world.cut(ws);
        } else {
            world.feed(support::ws_closed(ws));
        }
    }
}

#[test]
fn nothing_is_left_once_everything_has_ended() {
    // ROOM-04, ROOM-08, ROOM-15, CSR-09, SIO-ACK-05, BC-ACK-08, NSP-MW-07: P03 of the properties
    for (room_events, recovery) in
        [(false, None), (true, None), (true, Some(RecoveryConfig::default()))]
    {
        let mut world = World::new(ServerConfig { recovery, ..gated(room_events) });
        let baseline = world.server.stats();
        live_and_die(&mut world);
        world.advance_ms(600_000);
        assert_eq!(world.server.stats(), baseline);
        assert_eq!(world.server.poll_timeout(), None);
        let ServerStats { namespaces, .. } = baseline;
        assert_eq!(baseline, ServerStats { namespaces, ..ServerStats::default() });
    }
}
