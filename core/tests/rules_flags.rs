//! The rules of flags: local, compress, timeout, and volatile packets.
#![expect(clippy::wildcard_enum_match_arm, reason = "a listener hears few of many kinds of events")]

#[path = "support/calls.rs"]
mod calls;
mod support;

use bytes::Bytes;
use calls::{
    all, answers, args, asking, clients, flagged, hearers, join, observe, polling, probe, to,
    volatile,
};
use overheard_core::engine::Method;
use overheard_core::server::{
    Command, Event, Flags, NamespaceConfig, Selection, ServerConfig, Token,
};
use overheard_core::value::Value;
use support::world::{World, broadcast, emit};

#[test]
fn local_changes_nothing_on_one_node() {
    // BC-FLAG-01
    let mut world = World::new(ServerConfig::default());
    let clients = clients(&mut world, 3);
    world.command([join(clients[0].1, "r"), join(clients[1].1, "r")]);
    let from = Selection::socket(clients[0].1);
    for (selection, expected) in [
        (all(), vec![0, 1, 2]),
        (to(&["r"]), vec![0, 1]),
        (all().except(["r"]), vec![2]),
        (from.clone(), vec![1, 2]),
        (from.to(["r"]), vec![1]),
    ] {
        let local = Flags { local: true, ..Flags::default() };
        world.command([flagged(broadcast(selection.clone(), "m"), local)]);
        let heard: Vec<_> = (0..3).filter(|at| world.rx(clients[*at].0).len() == 1).collect();
        assert_eq!(heard, expected);
        assert_eq!(hearers(&mut world, selection, &clients), expected);
    }
}

#[test]
fn compress_only_tells_the_transport() {
    // BC-FLAG-02
    let mut world = World::new(ServerConfig::default());
    let (query, socket) = polling(&mut world);
    let (ws, _) = world.join();
    let long = "x".repeat(2_000);
    let packet = format!(r#"42["m","{long}"]"#);
    for (compress, flags) in [
        (true, Flags::default()),
        (true, Flags { compress: true, ..Flags::default() }),
        (false, Flags { compress: false, ..Flags::default() }),
    ] {
        for command in [broadcast(all(), "m"), emit(socket, "m", vec![])] {
            let poll = world.http(Method::Get, &query, "");
            world.command([flagged(args(command, vec![long.as_str().into()]), flags)]);
            assert_eq!(world.wire.responses[&poll].compress, compress);
            assert_eq!(world.answer(poll), Some((200, packet.clone())));
        }
        assert_eq!(world.rx(ws), [packet.as_str()]);
    }
}

#[test]
fn a_timeout_belongs_to_an_emit_that_is_answered() {
    // BC-FLAG-03
    let mut world = World::new(ServerConfig::default());
    let (ws, socket) = world.join();
    let timers = world.server.stats().timers;
    world.command([emit(socket, "m", vec![]), broadcast(all(), "m")]);
    let token = Token(1);
    world.command([Command::FetchSockets { token, selection: all() }]);
    let fetched = Event::Fetched { token, sockets: vec![socket] };
    assert_eq!(world.take_events().last(), Some(&fetched), "at once");
    assert_eq!(world.server.stats().timers, timers);
    world.command([asking(emit(socket, "m", vec![]), 2, 50), asking(broadcast(all(), "m"), 3, 50)]);
    assert_eq!(world.server.stats().timers, timers + 2);
    let expected = [r#"42["m"]"#, r#"42["m"]"#, r#"420["m"]"#, r#"421["m"]"#];
    assert_eq!(world.rx(ws), expected, "and the client learns nothing of it");
}

#[test]
fn a_volatile_packet_passes_whole_or_not_at_all() {
    // BC-VOL-01, BC-VOL-02, E-09
    let namespaces = vec![("/b".into(), NamespaceConfig::default())];
    let mut world = World::new(ServerConfig { namespaces, ..ServerConfig::default() });
    let (ws, socket) = world.join();
    let other = world.enter(ws, "/b");
    let blob = |name| {
        let blob = Value::Binary(Bytes::from_static(&[9]));
        volatile(emit(socket, name, vec![blob.clone(), blob]))
    };
    // One of a burst passes: the first, if nothing else is on its way.
    world.command([blob("1"), blob("dropped"), volatile(broadcast(all(), "dropped"))]);
    let places = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;
    assert_eq!(world.rx(ws), [&format!(r#"452-["1",{places}]"#), "<09>", "<09>"]);
    world.command([emit(other, "2", vec![]), blob("dropped"), emit(socket, "3", vec![])]);
    assert_eq!(world.rx(ws), [r#"42/b,["2"]"#, r#"42["3"]"#]);
    // Until what was written is on its way, and not longer.
    world.hold_flush = true;
    world.command([emit(socket, "4", vec![])]);
    world.command([blob("dropped")]);
    world.hold_flush = false;
    world.flush();
    world.command([blob("5")]);
    assert_eq!(world.rx(ws)[..2], [r#"42["4"]"#, &format!(r#"452-["5",{places}]"#)]);
    // A ping is a write as well.
    world.hold_flush = true;
    world.advance_ms(25_000);
    world.command([blob("dropped")]);
    assert_eq!(world.rx(ws), ["2"]);
    world.hold_flush = false;
    world.flush();
    assert!(world.rx(ws).is_empty(), "it was never kept");
}

#[test]
fn over_polling_a_volatile_packet_needs_a_waiting_request() {
    // BC-VOL-03
    let mut world = World::new(ServerConfig::default());
    let (query, socket) = polling(&mut world);
    world.command([volatile(emit(socket, "dropped", vec![])), emit(socket, "1", vec![])]);
    world.command([volatile(emit(socket, "dropped", vec![]))]);
    assert_eq!(world.get(&query).1, r#"42["1"]"#);
    let poll = world.http(Method::Get, &query, "");
    world.command([volatile(emit(socket, "2", vec![])), volatile(emit(socket, "dropped", vec![]))]);
    assert_eq!(world.answer(poll).unwrap().1, r#"42["2"]"#);
    // While the transport changes, the poll that would carry it is gone.
    let poll = world.http(Method::Get, &query, "");
    let ws = probe(&mut world, &query);
    world.advance_ms(100);
    assert_eq!(world.answer(poll).unwrap().1, "6");
    world.command([volatile(emit(socket, "dropped", vec![]))]);
    world.tx(ws, ["5"]);
    world.command([volatile(emit(socket, "3", vec![]))]);
    assert_eq!(world.rx(ws), ["3probe", r#"42["3"]"#]);
}

#[test]
fn a_volatile_packet_right_behind_the_connect_reply_is_dropped() {
    // BC-VOL-04
    let mut world = World::new(ServerConfig::default());
    world.react(|event, _| match event {
        Event::Connection { socket, .. } => {
            let dropped = [emit(*socket, "dropped", vec![]), broadcast(all(), "dropped")];
            let mut commands = Vec::from(dropped.map(volatile));
            commands.push(emit(*socket, "1", vec![]));
            commands
        }
        _ => Vec::new(),
    });
    let ws = world.open();
    world.tx(ws, ["40"]);
    let got = world.rx(ws);
    assert!(got[0].starts_with("40{"));
    assert_eq!(got[1..], [r#"42["1"]"#]);
}

#[test]
fn a_volatile_broadcast_is_decided_for_each_recipient() {
    // BC-VOL-05, BC-FLAG-04
    for observed in [false, true] {
        let mut world = World::new(ServerConfig::default());
        let (query, busy) = polling(&mut world);
        let ((ws, free), (_, sender)) = (world.join(), world.join());
        for socket in [busy, free, sender] {
            world.command([join(socket, "r")]);
        }
        if observed {
            world.command([observe(busy)]);
        }
        // The flags of a socket go with its operator.
        let from = || Selection::socket(sender).to(["r"]);
        world.command([volatile(broadcast(all(), "1"))]);
        world.command([volatile(broadcast(from(), "2"))]);
        assert_eq!(world.rx(ws), [r#"42["1"]"#, r#"42["2"]"#]);
        // Whom it did not reach is waited for all the same.
        world.command([volatile(asking(broadcast(from(), "3"), 1, 50))]);
        assert_eq!(world.rx(ws), [r#"420["3"]"#]);
        world.tx(ws, ["430[5]"]);
        assert!(answers(&mut world).is_empty());
        world.advance_ms(50);
        assert_eq!(answers(&mut world), ["1 late: 5"]);
        world.command([emit(busy, "4", vec![])]);
        assert_eq!(world.get(&query).1, r#"42["4"]"#, "nothing was kept for it");
    }
}
