//! The rules of answers, single and to broadcasts, and of the way of events to their listeners.
#![expect(clippy::wildcard_enum_match_arm, reason = "a listener hears few of many kinds of events")]

#[path = "support/calls.rs"]
mod calls;
mod support;
#[path = "support/told.rs"]
mod told;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use calls::{all, args, asking, clients, join, leave, polling, ticket, to, volatile};
use overheard_core::engine::Method;
use overheard_core::server::{
    Command, CommandError, Event, EventTicket, NamespaceConfig, RecoveryConfig, Selection,
    ServerConfig, Token,
};
use support::complete;
use support::world::{World, ack, broadcast, emit};
use told::Told;

#[test]
fn an_ack_wanted_of_a_socket_that_has_gone_is_settled_by_its_deadline() {
    // SIO-ACK-06, I13
    let mut world = World::new(ServerConfig::default());
    let (ws, socket) = world.join();
    world.cut(ws);
    world.take_events();
    world.command([asking(emit(socket, "q", vec![]), 7, 50)]);
    world.advance_ms(49);
    assert!(!world.take_events().iter().any(|event| matches!(event, Event::Acked { .. })));
    world.advance_ms(1);
    let settled = world.take_events();
    let settled = settled
        .iter()
        .filter(|event| matches!(event, Event::Acked { token: Token(7), result: Err(_) }));
    assert_eq!(settled.count(), 1);
}

#[test]
fn ack_ids_are_counted_by_namespace() {
    // SIO-ACK-02, EDGE-20, D-16: whoever asks, all see the numbers go up
    let namespaces = vec![("/b".into(), NamespaceConfig::default())];
    let mut world = World::new(ServerConfig { namespaces, ..ServerConfig::default() });
    let ((first, one), (second, two)) = (world.join(), world.join());
    let elsewhere = world.enter(first, "/b");
    world.command([
        asking(emit(one, "q", vec![]), 1, 50),
        args(asking(broadcast(all(), "all"), 2, 50), vec![7.into()]),
        asking(emit(two, "q", vec![]), 3, 50),
        asking(emit(elsewhere, "q", vec![]), 4, 50),
        asking(broadcast(to(&["nobody"]), "q"), 5, 50),
        asking(emit(one, "q", vec![]), 6, 50),
    ]);
    let expected = [r#"420["q"]"#, r#"421["all",7]"#, r#"42/b,0["q"]"#, r#"424["q"]"#];
    assert_eq!(world.rx(first), expected);
    assert_eq!(world.rx(second), [r#"421["all",7]"#, r#"422["q"]"#]);
    told(&mut world);
    world.tx(first, ["43/b,0[4]", "434[6]", "431[]", "430[1]"]);
    world.tx(second, ["432[3]", "431[]"]);
    let settled = ["acked 4 4", "acked 6 6", "acked 1 1", "acked 3 3", "all acked 2 null null"];
    assert_eq!(told(&mut world), settled);
}

#[test]
fn zero_is_an_ack_id_like_any_other() {
    // D-10
    let mut world = World::new(ServerConfig::default());
    let (ws, socket) = world.join();
    world.command([asking(emit(socket, "q", vec![]), 1, 50)]);
    assert_eq!(world.rx(ws), [r#"420["q"]"#]);
    told(&mut world);
    world.tx(ws, [r#"430["yes"]"#]);
    assert_eq!(told(&mut world), [r#"acked 1 "yes""#]);
    world.tx(ws, [r#"420["q"]"#]);
    let ticket = ticket(&mut world);
    world.command([Command::Ack { ticket, args: vec!["yes".into()] }]);
    assert_eq!(world.rx(ws), [r#"430["yes"]"#]);
}

#[test]
fn a_disconnection_settles_no_ack() {
    // SIO-ACK-06
    let recovery = Some(RecoveryConfig::default());
    let recovering = ServerConfig { recovery, ..ServerConfig::default() };
    for config in [ServerConfig::default(), ServerConfig::reference(), recovering] {
        for cut in [false, true] {
            let mut world = World::new(config.clone());
            let (ws, socket) = world.join();
            world.command([asking(emit(socket, "q", vec![]), 1, 50)]);
            world.command([asking_for_ever(emit(socket, "q", vec![]), 2)]);
            if cut {
                world.cut(ws);
            } else {
                world.tx(ws, ["41"]);
                world.enter(ws, "/");
                world.tx(ws, ["430[]", "431[]"]); // from another socket by now
            }
            world.advance_ms(49);
            assert!(acked(&mut world).is_empty());
            world.advance_ms(1);
            assert_eq!(acked(&mut world), ["acked 1: operation has timed out"]);
            world.advance_ms(10_000);
            assert!(acked(&mut world).is_empty(), "the other is never settled");
            assert_eq!(world.server.stats().acks, 0);
        }
    }
}

#[test]
fn how_one_event_is_sent_says_nothing_about_the_next() {
    // SIO-ACK-07, mended: flags and timeouts belong to one emit
    let mut world = World::new(ServerConfig::default());
    let (ws, socket) = world.join();
    let (other, _) = world.join();
    world.command([
        volatile(asking(emit(socket, "1", vec![]), 1, 50)),
        emit(socket, "2", vec![]),
        volatile(emit(socket, "dropped", vec![])),
        broadcast(Selection::socket(socket), "3"),
        broadcast(Selection::socket(socket), "4"),
        asking_for_ever(emit(socket, "5", vec![]), 2),
    ]);
    assert_eq!(world.rx(ws), [r#"420["1"]"#, r#"42["2"]"#, r#"421["5"]"#]);
    assert_eq!(world.rx(other), [r#"42["3"]"#, r#"42["4"]"#]);
    world.advance_ms(10_000);
    assert_eq!(acked(&mut world), ["acked 1: operation has timed out"]);
}

#[test]
fn a_broadcast_is_answered_by_the_first_argument_of_each_in_order_of_arrival() {
    // BC-ACK-02
    let mut world = World::new(ServerConfig::default());
    let clients = clients(&mut world, 4);
    world.command([asking(broadcast(all(), "q"), 1, 50)]);
    for (ws, _) in &clients {
        assert_eq!(world.rx(*ws), [r#"420["q"]"#], "one id for all");
    }
    for (at, answer) in [(2, r#"430["a","b"]"#), (0, r#"430["c"]"#), (2, r#"430["twice"]"#)] {
        world.tx(clients[at].0, [answer]);
    }
    world.tx(clients[3].0, ["430[]"]);
    assert!(acked(&mut world).is_empty());
    world.tx(clients[1].0, ["430[null,1]"]);
    assert_eq!(acked(&mut world), [r#"all acked 1 "a" "c" null null"#]);
}

#[test]
fn a_broadcast_to_nobody_is_answered_at_once() {
    // BC-ACK-04, BC-ACK-07
    let mut world = World::new(ServerConfig::default());
    world.command([asking(broadcast(all(), "q"), 1, 50)]);
    assert_eq!(acked(&mut world), ["all acked 1"]);
    let (ws, socket) = world.join();
    let sid = world.sid(socket);
    let alone = Selection::socket(socket);
    for selection in [to(&["none"]), all().except([sid]), alone.clone(), alone.to(["none"])] {
        let ask = || broadcast(selection.clone(), "q");
        for command in [asking(ask(), 2, 50), asking_for_ever(ask(), 2)] {
            world.command([command]);
            assert_eq!(acked(&mut world), ["all acked 2"], "without a timeout error");
        }
    }
    assert!(world.rx(ws).is_empty());
    assert_eq!(world.server.stats().broadcast_acks, 0);
    world.advance_ms(1_000);
    assert!(acked(&mut world).is_empty());
}

#[test]
fn without_a_timeout_a_broadcast_with_acks_fails_after_a_millisecond() {
    // BC-ACK-05, EDGE-09
    let mut world = World::new(ServerConfig::default());
    let clients = clients(&mut world, 2);
    let ask = || asking_for_ever(broadcast(all(), "q"), 1);
    world.command([ask()]);
    world.tx(clients[0].0, ["430[1]"]);
    assert!(acked(&mut world).is_empty(), "not at once");
    world.advance_ms(1);
    assert_eq!(acked(&mut world), ["all acked 1 1 late"]);
    assert_eq!(world.rx(clients[1].0), [r#"420["q"]"#], "although it was delivered");
    // Who is that fast is in time.
    world.command([ask()]);
    for (ws, _) in &clients {
        world.tx(*ws, ["431[2]"]);
    }
    assert_eq!(acked(&mut world), ["all acked 1 2 2"]);
    world.advance_ms(1_000);
    assert!(acked(&mut world).is_empty());
}

#[test]
fn who_is_asked_is_settled_when_the_broadcast_is_made() {
    // BC-ACK-06, D-05, D-01
    let mut world = World::new(ServerConfig::default());
    let clients = clients(&mut world, 4);
    for (_, socket) in &clients[..3] {
        world.command([join(*socket, "r")]);
    }
    world.command([asking(broadcast(to(&["r"]), "q"), 1, 50)]);
    // One stays and answers, one only leaves the room, one leaves for good.
    world.tx(clients[0].0, ["430[1]"]);
    world.command([leave(clients[1].1, "r"), join(clients[3].1, "r")]);
    world.cut(clients[2].0);
    // Who came later was not asked, not even in the place of one who was.
    let (late, _) = world.join();
    world.tx(late, ["430[8]"]);
    world.tx(clients[3].0, ["430[9]"]);
    assert!(acked(&mut world).is_empty());
    world.tx(clients[1].0, ["430[2]"]);
    world.advance_ms(49);
    assert!(acked(&mut world).is_empty(), "a leaver is waited for");
    world.advance_ms(1);
    assert_eq!(acked(&mut world), ["all acked 1 1 2 late"]);
    let stats = world.server.stats();
    assert_eq!((stats.broadcast_acks, stats.acks), (0, 0));
    world.tx(clients[1].0, ["430[7]"]);
    world.advance_ms(1_000);
    assert!(acked(&mut world).is_empty(), "once");
}

#[test]
fn a_late_answer_is_none() {
    // D-01
    let mut world = World::new(ServerConfig::default());
    let (ws, socket) = world.join();
    world.command([asking(emit(socket, "q", vec![]), 1, 50)]);
    world.advance_ms(50);
    world.tx(ws, ["430[1]"]);
    assert_eq!(acked(&mut world), ["acked 1: operation has timed out"]);
    world.command([asking(emit(socket, "q", vec![]), 2, 50)]);
    world.advance_ms(49);
    world.tx(ws, ["431[1]"]);
    world.advance_ms(1);
    assert_eq!(acked(&mut world), ["acked 2 1"]);
}

#[test]
fn a_sender_is_not_asked_what_it_broadcasts() {
    // BC-ACK-07
    let mut world = World::new(ServerConfig::default());
    let clients = clients(&mut world, 3);
    for (_, socket) in &clients {
        world.command([join(*socket, "r")]);
    }
    let from = Selection::socket(clients[0].1);
    for (id, selection) in [(0, from.clone()), (1, from.to(["r"]))] {
        world.command([asking(broadcast(selection, "q"), 1, 50)]);
        assert!(world.rx(clients[0].0).is_empty());
        for (ws, _) in &clients {
            world.tx(*ws, [format!("43{id}[{id}]")]); // that of the sender does not count
        }
        assert_eq!(acked(&mut world), [format!("all acked 1 {id} {id}")]);
    }
}

#[test]
fn a_socket_that_was_fetched_answers_like_any_other() {
    // UTIL-04: on one node all are local ones, which need no timeout and give every argument
    let mut world = World::new(ServerConfig::default());
    let (ws, socket) = world.join();
    let sid = world.sid(socket);
    world.take_events();
    world.command([Command::FetchSockets { token: Token(1), selection: all() }]);
    let [Event::Fetched { sockets, .. }] = &world.take_events()[..] else { panic!() };
    let fetched = sockets[0];
    world.command([asking_for_ever(emit(fetched, "q", vec![]), 2)]);
    world.advance_ms(10_000);
    assert!(acked(&mut world).is_empty());
    world.tx(ws, ["430[1,2]"]);
    assert_eq!(acked(&mut world), ["acked 2 1 2"]);
    // Its room is not it: that is a broadcast, with a list of first arguments.
    world.command([asking(broadcast(to(&[&sid]), "q"), 3, 50)]);
    world.tx(ws, ["431[1,2]"]);
    assert_eq!(acked(&mut world), ["all acked 3 1"]);
}

#[test]
fn events_reach_their_listeners_in_order_unless_a_middleware_takes_its_time() {
    // SIO-ORD-03
    let one_by_one = ["any s1 \"1\"", "on s1 1", "any s1 \"2\"", "on s1 2"];
    let in_ticks = ["any s1 \"1\"", "any s1 \"2\"", "on s1 1", "on s1 2"];
    for (config, expected) in
        [(ServerConfig::default(), one_by_one), (ServerConfig::reference(), in_ticks)]
    {
        let mut world = World::new(config);
        let (ws, socket) = world.join();
        world.command([Command::Subscribe { socket, incoming: true, outgoing: false }]);
        told(&mut world);
        let events = [r#"42["1"]"#, r#"42["2"]"#];
        world.tx(ws, events);
        assert_eq!(told(&mut world), expected);
        // Middlewares that answer at once keep the order.
        world.command([Command::UseSocket(socket), Command::UseSocket(socket)]);
        world.react(|event, _| match event {
            Event::SocketMiddleware { ticket, .. } => vec![next(*ticket)],
            _ => Vec::new(),
        });
        world.tx(ws, events);
        let mut lines = told(&mut world);
        lines.retain(|line| !line.starts_with("use"));
        assert_eq!(lines, expected);
        // One that does not is overtaken.
        world.react(|_, _| Vec::new());
        world.tx(ws, events);
        let [first, second] = middlewares(&mut world)[..] else { panic!() };
        world.command([next(second)]);
        let [second] = middlewares(&mut world)[..] else { panic!() };
        world.command([next(second)]);
        assert_eq!(told(&mut world), ["on s1 2"]);
        world.command([next(first)]);
        let [first] = middlewares(&mut world)[..] else { panic!() };
        world.command([next(first)]);
        assert_eq!(told(&mut world), ["on s1 1"]);
    }
}

#[test]
fn what_a_connection_listener_sends_follows_the_reply() {
    // SIO-ORD-06
    for (room_events, config) in [(false, ServerConfig::default()), (true, ServerConfig::default())]
        .into_iter()
        .chain([(false, ServerConfig::reference())])
    {
        let main = NamespaceConfig { room_events, ..NamespaceConfig::default() };
        let mut world = World::new(ServerConfig { main, ..config });
        world.react(|event, server| match event {
            Event::Connection { socket, .. } => {
                assert!(server.is_connected(*socket));
                let sid = server.sid(*socket).unwrap().clone();
                vec![emit(*socket, "1", vec![]), broadcast(all().to([sid]), "2")]
            }
            _ => Vec::new(),
        });
        let ws = world.open();
        world.tx(ws, ["40"]);
        let query = world.open_polling();
        world.post(&query, "40");
        let polled: Vec<_> = world.get(&query).1.split('\u{1e}').map(str::to_owned).collect();
        for got in [world.rx(ws), polled] {
            assert!(got[0].starts_with("40{"), "{got:?}");
            assert_eq!(got[1..], [r#"42["1"]"#, r#"42["2"]"#]);
        }
    }
}

#[test]
fn no_server_side_emit_comes_back() {
    // UTIL-05
    let mut world = World::new(ServerConfig::default());
    let (ws, _) = world.join();
    for name in ["q", "connect", "connection", "new_namespace"] {
        world.take_events();
        world.command([Command::ServerSideEmit { nsp: "/".into(), name: name.into() }]);
        let refused = Event::Refused(CommandError::NoServerSideEmit);
        assert_eq!(world.take_events(), [refused], "and no listener hears it");
    }
    assert_eq!(
        CommandError::NoServerSideEmit.to_string(),
        "this adapter does not support the serverSideEmit() functionality"
    );
    world.advance_ms(10_000);
    assert!(world.take_events().is_empty(), "nor is it ever answered");
    assert!(world.rx(ws).is_empty());
}

#[test]
fn a_rejected_event_is_told_to_the_server_only() {
    // UTIL-07
    for config in [ServerConfig::default(), ServerConfig::reference()] {
        let mut world = World::new(config);
        let (ws, socket) = world.join();
        world.command([Command::UseSocket(socket), Command::UseSocket(socket)]);
        world.command([Command::Subscribe { socket, incoming: true, outgoing: false }]);
        told(&mut world);
        world.tx(ws, [r#"420["bad",1]"#]);
        let ticket = middlewares(&mut world)[0];
        world.command([Command::NextEvent { ticket, verdict: Err("not so".into()) }]);
        assert_eq!(told(&mut world), ["error s1 not so"]);
        world.tx(ws, [r#"421["bad",1]"#]);
        let lines = told_of(&world);
        assert_eq!(lines, ["any s1 \"bad\" 1", "use s1 0 \"bad\" 1"], "catch-all saw it");
        // A middleware may rewrite the event, and the next one sees that.
        let ticket = middlewares(&mut world)[0];
        let verdict = Ok(Some(vec!["good".into(), 2.into(), 3.into()]));
        world.command([Command::NextEvent { ticket, verdict }]);
        assert_eq!(told_of(&world), ["use s1 1 \"good\" 2 3"]);
        let ticket = middlewares(&mut world)[0];
        world.command([next(ticket)]);
        assert_eq!(told(&mut world), ["on s1 good 2 3 +ack"]);
        world.command([next(ticket)]);
        assert_eq!(told(&mut world), ["no: already answered, or its socket has gone"]);
        assert!(world.rx(ws).is_empty() && world.server.is_connected(socket));
    }
}

#[test]
fn what_a_listener_throws_disconnects_nobody() {
    // UTIL-11: it is the application's own
    for config in [ServerConfig::default(), ServerConfig::reference()] {
        let mut world = World::new(config);
        let (ws, socket) = world.join();
        world.react(|event, _| match event {
            Event::Received { name, .. } if name.as_str() == Some("bad") => {
                resume_unwind(Box::new("thrown"))
            }
            _ => Vec::new(),
        });
        world.take_events();
        let events = [r#"42["bad"]"#, r#"42["good"]"#];
        catch_unwind(AssertUnwindSafe(|| world.tx(ws, events))).expect_err("it is thrown on");
        world.command([emit(socket, "m", vec![])]);
        assert_eq!(told(&mut world), ["on s1 good"]);
        assert!(world.server.is_connected(socket));
        assert_eq!(world.rx(ws), [r#"42["m"]"#]);
    }
}

#[test]
fn an_event_that_is_sent_again_is_received_again() {
    // DG-04: who repeats until there is an answer is heard at least once; what an application does
    // about the second copy it does by a number of its own
    let mut world = World::new(ServerConfig::default());
    let (ws, _) = world.join();
    world.take_events();
    let pay = r#"420["pay",{"id":7}]"#;
    world.tx(ws, [pay]);
    let lost = ticket(&mut world);
    world.cut(ws);
    world.command([Command::Ack { ticket: lost, args: vec![] }]);
    let (ws, _) = world.join();
    for _ in 0..2 {
        world.take_events();
        world.tx(ws, [pay]);
        assert_eq!(told_of(&world), [r#"on s1 pay {"id":7} +ack"#]);
        let ticket = ticket(&mut world);
        world.command([Command::Ack { ticket, args: vec![] }]);
        assert_eq!(world.rx(ws), ["430[]"]);
    }
}

#[test]
fn where_the_documents_differ_the_reference_is_right() {
    // EDGE-19
    let mut config = ServerConfig::default();
    config.engine.max_http_buffer_size = 5_000;
    let mut world = World::new(config);
    // EIO-HS-02: `maxPayload` says what is accepted.
    assert!(world.get("EIO=4&transport=polling").1.ends_with(r#""maxPayload":5000}"#));
    // EIO-POLL-09: binary has no content type of its own.
    let (query, socket) = polling(&mut world);
    let octets = [("content-type", "application/octet-stream")];
    let (request, input) = world.wire.request(Method::Post, &query, &octets);
    world.feed(input);
    while let Some((request, _)) = world.wire.bodies_wanted.pop_front() {
        world.feed(complete(request, "4x"));
    }
    assert_eq!(world.answer(request).unwrap().0, 400);
    assert!(!world.server.is_connected(socket));
    // EIO-ERR-08: an invalid packet is a closed session, and an accepted request.
    let (query, socket) = polling(&mut world);
    assert_eq!(world.post(&query, "x"), (200, "ok".into()));
    assert!(!world.server.is_connected(socket));
    // EIO-CLOSE-03: a close packet over WebSocket is none.
    let (ws, socket) = world.join();
    world.tx(ws, ["1"]);
    assert!(world.server.is_connected(socket) && !world.wire.is_closed(ws));
    // SIO-ENC-11: so it is for events without payload, unless that is mended.
    for (config, taken) in [(ServerConfig::reference(), true), (ServerConfig::default(), false)] {
        let mut world = World::new(config);
        let (ws, socket) = world.join();
        world.command([Command::Subscribe { socket, incoming: true, outgoing: false }]);
        told(&mut world);
        world.tx(ws, ["42"]);
        assert_eq!(world.server.is_connected(socket), taken);
        let lines = told(&mut world);
        assert_eq!(
            lines.iter().filter(|line| line.starts_with("any s1")).count(),
            usize::from(taken)
        );
        assert!(!lines.iter().any(|line| line.starts_with("on ")), "no listener has such a name");
    }
}

fn asking_for_ever(mut command: Command, token: u64) -> Command {
    if let Command::Emit { ack: wish, .. } | Command::Broadcast { ack: wish, .. } = &mut command {
        *wish = ack(token, None);
    }
    command
}

fn next(ticket: EventTicket) -> Command {
    Command::NextEvent { ticket, verdict: Ok(None) }
}

/// What the application was told since the last look, in words, without what is below it.
fn told(world: &mut World) -> Vec<String> {
    let lines = told_of(world);
    world.take_events();
    lines
}

/// The same, to be looked at again.
fn told_of(world: &World) -> Vec<String> {
    let events = world.events.iter().filter(|event| !matches!(event, Event::Engine(_)));
    Told::default().lines(events)
}

/// Acks that were settled since the last look, in words.
fn acked(world: &mut World) -> Vec<String> {
    let mut lines = told(world);
    lines.retain(|line| line.starts_with("acked") || line.starts_with("all acked"));
    lines
}

/// Events that wait in a socket middleware since the last look.
fn middlewares(world: &mut World) -> Vec<EventTicket> {
    let tickets = world.take_events().into_iter().filter_map(|event| match event {
        Event::SocketMiddleware { ticket, .. } => Some(ticket),
        _ => None,
    });
    tickets.collect()
}
