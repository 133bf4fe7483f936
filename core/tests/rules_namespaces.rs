//! The rules of namespaces: their names, those made on demand, and how they and their sockets go.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks at few of many kinds")]

mod support;
#[path = "support/told.rs"]
mod told;

use overheard_core::engine::Method;
use overheard_core::server::{
    Command, CommandError, Event, Matcher, NamespaceConfig, NamespaceTicket, Origin, ParentConfig,
    RecoveryConfig, RoomChange, Selection, ServerConfig, ServerLimits, SocketRef, Token, Verdict,
};
use overheard_core::value::Object;
use overheard_core::wire::WsId;
use regex::Regex;
use smol_str::SmolStr;
use support::world::{World, ack, broadcast, emit};
use told::Told;

#[test]
fn names_are_exact_but_for_the_first_slash() {
    // NSP-01
    let mut world = World::new(ServerConfig { namespaces: vec![named("b", 0)], ..config(0) });
    let (main, b) = (world.server.namespace_id("/"), world.server.namespace_id("/b"));
    assert!(main.is_some() && b.is_some() && main != b);
    assert_eq!((world.server.namespace_id(""), world.server.namespace_id("b")), (main, b));
    let ws = world.open();
    for name in ["/b/", "/B", "/b%20", "//b", "/ b"] {
        assert_eq!(world.server.namespace_id(name), None);
        world.tx(ws, [format!("40{name},")]);
        assert_eq!(world.rx(ws), [format!(r#"44{name},{{"message":"Invalid namespace"}}"#)]);
    }
    world.enter(ws, "/b");
    world.command([broadcast(Selection::namespace("b"), "m")]);
    assert_eq!(world.rx(ws), [r#"42/b,["m"]"#]);
}

#[test]
fn nobody_is_in_the_main_namespace_unasked() {
    // NSP-02, NSP-MW-02
    let mut world = World::new(ServerConfig { namespaces: vec![named("/b", 0)], ..config(1) });
    let ws = world.open();
    let socket = world.enter(ws, "/b");
    let [Event::Connection { socket: only, .. }] = world.take_events()[..] else {
        panic!("a middleware of / was asked")
    };
    assert_eq!(only, socket);
    world.command([broadcast(Selection::namespace("/"), "m")]);
    assert!(world.rx(ws).is_empty());
    assert_eq!(world.server.connected_count(world.server.namespace_id("/").unwrap()), 0);
    // Its own middleware is asked, once the client asks to be let in there.
    let at_the_door = knock(&mut world, ws, "/");
    assert_eq!(world.server.stats().waiting, 1);
    world.command([next(at_the_door, Verdict::Allow)]);
    assert!(world.server.is_connected(at_the_door));
}

#[test]
fn a_socket_is_one_connection_in_one_namespace() {
    // NSP-03, NSP-04
    let mut world = World::new(ServerConfig { namespaces: vec![named("/b", 0)], ..config(0) });
    let (ws, input) = world.wire.websocket("EIO=4&transport=websocket");
    world.feed(input);
    let open = world.rx(ws)[1].clone();
    let (one, two) = (world.enter(ws, "/"), world.enter(ws, "/b"));
    let ids = [world.sid(one), world.sid(two)];
    assert!(ids[0] != ids[1] && ids.iter().all(|id| id.len() == 20 && !open.contains(&**id)));
    // Sockets, rooms and data of their own...
    let (main, b) = (one.namespace(), two.namespace());
    assert_eq!(world.server.find_socket(main, &ids[0]), Some(one));
    assert_eq!(world.server.find_socket(b, &ids[0]), None);
    let data = Command::SetData { socket: one, key: "k".into(), value: 1.into() };
    world.command([data, join(one, &["r"])]);
    assert_eq!(world.server.data(two), Some(&Object::new()));
    assert_eq!(world.server.rooms_of(two), [ids[1].as_str()]);
    // ...and ack counters.
    world.command([asking(emit(one, "q", vec![]), 1), asking(emit(two, "q", vec![]), 2)]);
    world.command([asking(emit(two, "q", vec![]), 3)]);
    assert_eq!(world.rx(ws), [r#"420["q"]"#, r#"42/b,0["q"]"#, r#"42/b,1["q"]"#]);
    world.take_events();
    world.tx(ws, [r#"42/b,["for b"]"#, "430[]", "43/b,1[]"]);
    let mut told = Told::default();
    told.name(one);
    assert_eq!(lines(&mut told, &mut world), [r#"on s2 for b"#, "acked 1", "acked 3"]);
}

#[test]
fn an_unknown_name_is_refused_and_may_be_tried_again() {
    // NSP-05, NSP-06
    let mut world = World::new(config(0));
    let (ws, _) = world.join();
    let mut told = Told::default();
    lines(&mut told, &mut world);
    for _ in 0..2 {
        world.tx(ws, [r#"40/x,{"token":1}"#]);
        assert_eq!(world.rx(ws), [r#"44/x,{"message":"Invalid namespace"}"#]);
        assert_eq!(lines(&mut told, &mut world), ["refused /x Invalid namespace"]);
    }
    let of = |name: &str, middlewares| {
        let config = NamespaceConfig { middlewares, ..NamespaceConfig::default() };
        Command::CreateNamespace { name: name.into(), config }
    };
    world.command([of("x", 0), of("/x", 1), of("x", 1), of("/", 1), of("", 1)]);
    assert_eq!(lines(&mut told, &mut world), ["created /x"], "once, and never /");
    world.enter(ws, "/x");
    world.join(); // neither got a middleware
    assert_eq!(world.server.stats().namespaces, 2);
}

#[test]
fn coming_back_is_a_new_socket() {
    // NSP-09, NSP-10
    let mut world = World::new(ServerConfig { namespaces: vec![named("/b", 0)], ..config(0) });
    let ws = world.open();
    for by_the_server in [false, true] {
        let old = world.enter(ws, "/b");
        let sid = world.sid(old);
        let data = Command::SetData { socket: old, key: "k".into(), value: 1.into() };
        let subscribe = Command::Subscribe { socket: old, incoming: true, outgoing: true };
        world.command([join(old, &["r"]), data, subscribe, Command::UseSocket(old)]);
        world.command([asking(emit(old, "q", vec![]), 1)]);
        let asked = world.rx(ws)[0].clone();
        if by_the_server {
            world.command([Command::Disconnect { socket: old, close: false }]);
            assert_eq!(world.rx(ws), ["41/b,"]);
        } else {
            world.tx(ws, ["41/b,"]);
            assert!(world.rx(ws).is_empty());
        }
        world.tx(ws, [r#"40/b,{"again":true}"#]);
        let new = world.last_socket.unwrap();
        let reply = world.rx(ws);
        assert!(new != old && world.sid(new) != sid);
        assert_eq!(reply, [format!(r#"40/b,{{"sid":"{}"}}"#, world.sid(new))]);
        assert_eq!(world.server.rooms_of(new), [world.sid(new)]);
        assert_eq!(world.server.data(new), Some(&Object::new()));
        assert_eq!(world.server.auth(new).unwrap().get("again"), Some(&true.into()));
        // The old one's listeners, middlewares and acks are gone.
        world.take_events();
        let answer = asked.replace("42/b,", "43/b,").replace(r#"["q"]"#, "[]");
        world.tx(ws, [answer, r#"42/b,["m"]"#.to_owned()]);
        world.command([emit(new, "m", vec![]), emit(old, "never", vec![])]);
        assert_eq!(lines(&mut Told::default(), &mut world), ["on s1 m"]);
        assert_eq!(world.rx(ws), [r#"42/b,["m"]"#]);
        world.tx(ws, ["41/b,"]);
    }
}

#[test]
fn a_server_side_disconnection_keeps_the_connection() {
    // NSP-10
    let mut world = World::new(ServerConfig { namespaces: vec![named("/b", 0)], ..config(0) });
    let ws = world.open();
    let (one, two) = (world.enter(ws, "/"), world.enter(ws, "/b"));
    let mut told = Told::default();
    lines(&mut told, &mut world);
    let disconnect = |socket| Command::Disconnect { socket, close: false };
    world.command([disconnect(two), disconnect(two)]);
    assert_eq!(world.rx(ws), ["41/b,"], "once");
    let expected = departures(&["s2"], "server namespace disconnect");
    assert_eq!(lines(&mut told, &mut world), expected);
    world.tx(ws, [r#"42["still here"]"#]);
    assert_eq!(lines(&mut told, &mut world), ["on s1 still here"]);
    world.command([disconnect(one)]);
    assert_eq!(world.rx(ws), ["41"], "no close, though no namespace is left");
    world.enter(ws, "/b");
}

#[test]
fn a_disconnection_of_the_connection_tells_every_namespace_first() {
    // NSP-11, SIO-DISC-06
    let namespaces = vec![named("/b", 0), named("/c", 0), named("/gated", 1)];
    let mut world = World::new(ServerConfig { namespaces, ..config(0) });
    let ws = world.open();
    let [one, two, _] = ["/c", "/", "/b"].map(|nsp| world.enter(ws, nsp));
    let waiting = knock(&mut world, ws, "/gated");
    let mut told = Told::default();
    lines(&mut told, &mut world);
    world.hold_flush = true;
    world.command([emit(one, "in flight", vec![]), emit(two, "queued", vec![])]);
    world.command([Command::Disconnect { socket: two, close: true }]);
    world.hold_flush = false;
    world.flush();
    let frames = [r#"42/c,["in flight"]"#, r#"42["queued"]"#, "41/c,", "41", "41/b,", "CLOSE:1005"];
    assert_eq!(world.rx(ws), frames);
    let expected = departures(&["s1", "s2", "s3"], "server namespace disconnect");
    assert_eq!(lines(&mut told, &mut world), expected, "in the order in which they connected");
    world.command([next(waiting, Verdict::Allow)]);
    assert_eq!(world.take_events(), [UNKNOWN]);
    // Without a GET nobody reads them yet: they wait for one.
    let query = world.open_polling();
    let socket = polled(&mut world, &query);
    world.command([Command::Disconnect { socket, close: true }]);
    assert_eq!(world.get(&query), (200, "41".into()));
    assert_eq!(world.get(&query), (200, "6\u{1e}1".into()));
    assert_eq!(world.server.stats().clients, 0);
}

#[test]
fn the_end_of_the_server_is_no_disconnect_packet() {
    // NSP-13, SIO-DISC-06
    let namespaces = vec![named("/b", 0), named("/gated", 1)];
    let mut world = World::new(ServerConfig { namespaces, ..config(0) });
    let baseline = world.server.stats();
    let (first, second) = (world.open(), world.open());
    let query = world.open_polling();
    for (ws, nsp) in [(first, "/b"), (first, "/"), (second, "/")] {
        world.enter(ws, nsp);
    }
    polled(&mut world, &query);
    let waiting = knock(&mut world, second, "/gated");
    let get = world.http(Method::Get, &query, "");
    let mut told = Told::default();
    lines(&mut told, &mut world);
    world.command([Command::Close, Command::Close]);
    let expected = departures(&["s2", "s3", "s4", "s1"], "server shutting down");
    assert_eq!(lines(&mut told, &mut world), expected, "namespace by namespace");
    assert_eq!([world.rx(first), world.rx(second)], [["CLOSE:1005"], ["CLOSE:1005"]]);
    assert_eq!(world.answer(get), Some((200, "1".into())));
    world.command([next(waiting, Verdict::Allow), Command::Close]);
    assert_eq!(world.take_events(), [UNKNOWN]);
    for ws in [first, second] {
        world.cut(ws);
    }
    assert_eq!(world.server.stats(), baseline);
}

#[test]
fn parents_are_tried_in_order_until_one_allows() {
    // NSP-14, NSP-15
    let parents =
        vec![parent(Matcher::Ask, 0), parent(pattern(r"^/dyn-\d+$"), 1), parent(Matcher::Ask, 2)];
    let mut world = World::new(ServerConfig { parents, ..config(0) });
    // What each name is answered in turn, and how many middlewares whoever took it has.
    let cases = [
        ("/dyn-1", &[true][..], Some((0, 0))),
        ("/dyn-2", &[false], Some((1, 1))),
        ("/dyn-x", &[false, true], Some((2, 2))),
        ("/dyn-y", &[false, false], None),
    ];
    for (name, answers, outcome) in cases {
        let ws = world.open();
        world.take_events();
        world.tx(ws, [format!(r#"40{name},{{"token":"t"}}"#)]);
        for (turn, allow) in answers.iter().enumerate() {
            let events = world.take_events();
            let [Event::NamespaceRequested { ticket, parent, name: asked, auth }] = &events[..]
            else {
                panic!("{name}: {events:?}")
            };
            assert_eq!((*parent, asked.as_str()), (turn * 2, name));
            assert_eq!(auth.get("token"), Some(&"t".into()));
            assert!(world.rx(ws).is_empty(), "{name} is answered before it is decided");
            world.command([answer(*ticket, *allow), answer(*ticket, *allow)]);
            let second = world.events.iter().position(|event| *event == UNKNOWN);
            world.events.remove(second.expect("a ticket is good for one answer"));
        }
        let Some((took, middlewares)) = outcome else {
            let refusal = format!(r#"44{name},{{"message":"Invalid namespace"}}"#);
            assert_eq!(world.rx(ws), [refusal]);
            assert_eq!(world.server.namespace_id(name), None);
            continue;
        };
        assert_eq!(world.events.remove(0), Event::NamespaceCreated(name.into()));
        let socket = pass(&mut world, middlewares);
        assert!(world.rx(ws)[0].starts_with(&format!("40{name},")));
        let from_parent = Selection { origin: Origin::Parent(took), ..Selection::namespace("/") };
        world.command([broadcast(from_parent, "m")]);
        assert_eq!(world.rx(ws), [format!(r#"42{name},["m"]"#)]);
        assert_eq!(world.server.namespace_id(name), Some(socket.namespace()));
        // Once it exists nobody is asked again, but its middlewares are.
        let ws = world.open();
        world.take_events();
        world.tx(ws, [format!("40{name},")]);
        pass(&mut world, middlewares);
        assert!(world.rx(ws)[0].starts_with("40"));
    }
}

#[test]
fn concurrent_connects_make_one_child() {
    // NSP-16
    for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
        let parents = vec![parent(Matcher::Ask, 0)];
        let mut world = World::new(ServerConfig { parents, ..config(0) });
        let clients = [(); 3].map(|()| world.open());
        let tickets = clients.map(|ws| request(&mut world, ws, "/x"));
        // The one in the middle is not wanted; it does not harm the others.
        world.command(order.map(|turn| answer(tickets[turn], turn != 1)));
        let made = |event: &&Event| matches!(event, Event::NamespaceCreated(_));
        assert_eq!(world.take_events().iter().filter(made).count(), 1);
        assert!(world.rx(clients[1])[0].starts_with("44/x,"));
        world.command([broadcast(Selection::namespace("/x"), "m")]);
        for ws in [clients[0], clients[2]] {
            let got = world.rx(ws);
            assert!(got[0].starts_with("40/x,{") && got[1..] == [r#"42/x,["m"]"#], "{got:?}");
        }
        assert_eq!(world.server.stats().namespaces, 2);
    }
}

#[test]
fn a_parent_speaks_to_all_its_children_and_does_nothing_else() {
    // NSP-17, NSP-15
    let parents = vec![parent(pattern("^/a"), 0), parent(pattern("^/b"), 0)];
    let mut world = World::new(ServerConfig { parents, ..config(0) });
    let clients = ["/a1", "/a2", "/b1", "/"].map(|nsp| {
        let ws = world.open();
        (ws, world.enter(ws, nsp))
    });
    world.command(clients.map(|(_, socket)| join(socket, &["r"])));
    world.command([Command::Leave { socket: clients[0].1, room: "r".into() }]);
    let of = |parent| Selection { origin: Origin::Parent(parent), ..Selection::namespace("/") };
    let mut heard = |commands: Vec<Command>| {
        world.command(commands);
        let heard = clients.map(|(ws, _)| world.rx(ws).concat());
        (heard, lines(&mut Told::default(), &mut world))
    };
    heard(Vec::new());
    let (got, _) = heard(vec![broadcast(of(0), "m")]);
    assert_eq!(got, [r#"42/a1,["m"]"#, r#"42/a2,["m"]"#, "", ""]);
    let (got, _) = heard(vec![broadcast(of(0).to(["r"]), "m")]);
    assert_eq!(got, ["", r#"42/a2,["m"]"#, "", ""]);
    let (got, _) = heard(vec![broadcast(of(0).except(["r"]), "m")]);
    assert_eq!(got, [r#"42/a1,["m"]"#, "", "", ""]);
    // One ack callback per child; an operator with rooms asks nobody, and says nothing.
    let (got, events) = heard(vec![asking(broadcast(of(0), "q"), 1)]);
    assert_eq!(
        (got, events),
        ([r#"42/a1,0["q"]"#, r#"42/a2,0["q"]"#, "", ""].map(Into::into), vec![])
    );
    let (got, events) = heard(vec![asking(broadcast(of(0).to(["r"]), "q"), 2)]);
    assert_eq!((got, events), ([""; 4].map(String::from), vec![]));
    // Neither do the utilities.
    let (got, events) = heard(vec![
        Command::SocketsJoin { selection: of(0), rooms: vec!["new".into()] },
        Command::SocketsLeave { selection: of(0), rooms: vec!["r".into()] },
        Command::DisconnectSockets { selection: of(0), close: true },
        Command::FetchSockets { token: Token(3), selection: of(0) },
        broadcast(of(2), "nobody"),
    ]);
    assert_eq!(got, [""; 4]);
    assert_eq!(events, ["fetched 3: 0", "no: there is no parent namespace 2"]);
    assert_eq!(world.server.rooms_of(clients[1].1).len(), 2);
    world.tx(clients[0].0, ["43/a1,0[]"]);
    world.tx(clients[1].0, ["43/a2,0[1]"]);
    let events = lines(&mut Told::default(), &mut world);
    assert_eq!(events, ["all acked 1 null", "all acked 1 1"], "once per child");
}

#[test]
fn a_parent_is_no_place_of_its_own() {
    // NSP-18
    let parents = vec![parent(pattern("^/a"), 0), parent(Matcher::Ask, 0)];
    let mut world = World::new(ServerConfig { parents, ..config(0) });
    let ws = world.open();
    for name in ["/_0", "/_1"] {
        let ticket = request(&mut world, ws, name);
        world.command([answer(ticket, false)]);
        assert_eq!(world.rx(ws), [format!(r#"44{name},{{"message":"Invalid namespace"}}"#)]);
    }
}

#[test]
fn a_name_made_by_hand_belongs_to_the_pattern_that_it_matches() {
    // NSP-19
    for (matcher, belongs) in [(pattern("^/x"), true), (Matcher::Ask, false)] {
        let mut world = World::new(ServerConfig { parents: vec![parent(matcher, 0)], ..config(0) });
        let config = NamespaceConfig::default();
        world.command([Command::CreateNamespace { name: "/x".into(), config }]);
        let ws = world.open();
        world.enter(ws, "/x"); // nobody is asked
        let from_parent = Selection { origin: Origin::Parent(0), ..Selection::namespace("/") };
        world.command([broadcast(from_parent, "m")]);
        assert_eq!(world.rx(ws).len(), usize::from(belongs));
    }
}

#[test]
fn a_name_made_by_hand_passes_the_middlewares_of_its_pattern_first() {
    // NSP-15, NSP-19
    let parents = vec![parent(pattern("^/x"), 1)];
    let mut world = World::new(ServerConfig { parents, ..config(0) });
    let own = NamespaceConfig { middlewares: 1, ..NamespaceConfig::default() };
    world.command([Command::CreateNamespace { name: "/x".into(), config: own }]);
    world.react(|event, _| match event {
        Event::Middleware { socket, .. } => {
            vec![Command::Next { socket: *socket, verdict: Verdict::Allow }]
        }
        _ => Vec::new(),
    });
    let ws = world.open();
    world.enter(ws, "/x");
    let asked = world.take_events().into_iter().filter_map(|event| match event {
        Event::Middleware { index, .. } => Some(index),
        _ => None,
    });
    assert_eq!(asked.collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_pattern_matches_every_time() {
    // NSP-20, mended: a pattern has no memory
    let config = ServerConfig {
        parents: vec![parent(pattern(r"^/dyn-\d+$"), 0)],
        cleanup_empty_child_namespaces: true,
        ..config(0)
    };
    let mut world = World::new(config);
    let ws = world.open();
    for name in ["/dyn-1", "/dyn-1", "/dyn-22", "/dyn-1", "/dyn-22"] {
        world.enter(ws, name);
        world.tx(ws, [format!("41{name},")]);
        assert_eq!(world.server.namespace_id(name), None, "it is matched anew each time");
    }
}

#[test]
fn an_empty_child_is_cleaned_up_if_that_is_wanted() {
    // NSP-21, NSP-22
    for cleanup in [false, true] {
        let mut world = World::new(cleaning(cleanup, false));
        let baseline = world.server.stats().namespaces;
        let (first, second) = (world.open(), world.open());
        let mut told = Told::default();
        // The last of its sockets leaves.
        let sockets = [knock(&mut world, first, "/dyn"), knock(&mut world, second, "/dyn")];
        world.command(sockets.map(|socket| next(socket, Verdict::Allow)));
        world.tx(first, ["41/dyn,"]);
        let removed = |events: Vec<String>| events.contains(&"removed /dyn".to_owned());
        assert!(!removed(lines(&mut told, &mut world)), "one is left");
        world.tx(second, ["41/dyn,"]);
        assert_eq!(removed(lines(&mut told, &mut world)), cleanup);
        world.command([broadcast(Selection::namespace("/dyn"), "m")]);
        let missing = Event::Refused(CommandError::NoSuchNamespace("/dyn".into()));
        assert_eq!(world.take_events().contains(&missing), cleanup);
        // The only one is refused; it was made anew for it.
        let socket = knock(&mut world, first, "/dyn");
        world.command([next(socket, Verdict::RefuseSilently)]);
        assert_eq!(removed(lines(&mut told, &mut world)), cleanup);
        // The only one is cut off at the door.
        knock(&mut world, first, "/dyn");
        world.cut(first);
        assert_eq!(removed(lines(&mut told, &mut world)), cleanup);
        // Static ones stay, also those made later.
        let of = Command::CreateNamespace { name: "/s2".into(), config: Default::default() };
        world.command([of]);
        for name in ["/static", "/s2", "/"] {
            world.enter(second, name);
        }
        world.cut(second);
        assert_eq!(world.server.stats().namespaces, baseline + 1 + usize::from(!cleanup));
    }
}

#[test]
fn a_child_waits_for_those_at_its_door() {
    // NSP-22, mended: the late socket enters the namespace that everybody knows
    let mut world = World::new(cleaning(true, false));
    let (first, second) = (world.open(), world.open());
    let one = knock(&mut world, first, "/dyn");
    world.command([next(one, Verdict::Allow)]);
    let late = knock(&mut world, second, "/dyn");
    world.tx(first, ["41/dyn,"]);
    let id = world.server.namespace_id("/dyn").expect("it is still there");
    world.command([next(late, Verdict::Allow)]);
    world.command([broadcast(Selection::namespace("/dyn"), "m")]);
    assert_eq!(world.rx(second)[1..], [r#"42/dyn,["m"]"#]);
    assert_eq!(late.namespace(), id);
    world.tx(second, ["41/dyn,"]);
    assert!(world.take_events().contains(&Event::NamespaceRemoved("/dyn".into())));
}

#[test]
fn a_child_waits_for_those_who_are_on_their_way_out() {
    // NSP-21, I8, I10: a listener of one departure may end the others
    for (refused, close) in [(false, false), (false, true), (true, false)] {
        let mut world = World::new(cleaning(true, true));
        let baseline = world.server.stats();
        let (first, second) = (world.open(), world.open());
        let [one, two] = [first, second].map(|ws| knock(&mut world, ws, "/dyn"));
        world.command([join(one, &["r"]), next(two, Verdict::Allow)]);
        if !refused {
            world.command([next(one, Verdict::Allow)]);
        }
        world.react(move |event, _| {
            let left = matches!(event, Event::Room { change, room, .. }
                if *change == RoomChange::Left && room == "r");
            left.then_some(Command::Disconnect { socket: two, close }).into_iter().collect()
        });
        let mut told = Told::default();
        assert_eq!((told.name(one), told.name(two)), ("s1".into(), "s2".into()));
        world.take_events();
        if refused {
            world.command([next(one, Verdict::RefuseSilently)]);
        } else {
            world.command([Command::Disconnect { socket: one, close: false }]);
        }
        let events = lines(&mut told, &mut world);
        let count = |line: &str| events.iter().filter(|event| event.starts_with(line)).count();
        assert_eq!(count("disconnect s1"), usize::from(!refused), "{events:#?}");
        assert_eq!((count("disconnect s2"), count("removed /dyn")), (1, 1), "{events:#?}");
        assert_eq!((count("leave-room r"), count("delete-room r")), (1, 1), "{events:#?}");
        for ws in [first, second] {
            world.cut(ws);
        }
        assert_eq!(world.server.stats(), baseline);
    }
}

#[test]
fn the_figures_are_those_of_all_namespaces() {
    // P03, ROOM-08: what is there, namespace by namespace
    let recovery = Some(RecoveryConfig::default());
    let namespaces = vec![named("/b", 0), named("/door", 1)];
    let mut world = World::new(ServerConfig { namespaces, recovery, ..config(0) });
    let clients = [(); 2].map(|()| world.open());
    let sockets = clients.map(|ws| ["/", "/b"].map(|nsp| world.enter(ws, nsp)));
    for [main, b] in sockets {
        world.command([join(main, &["r"]), join(b, &["r", "s"])]);
        world.command([asking(emit(main, "q", vec![]), 1), asking(emit(b, "q", vec![]), 2)]);
    }
    for nsp in ["/", "/b"] {
        world.command([broadcast(Selection::namespace(nsp), "kept")]);
        world.command([asking(broadcast(Selection::namespace(nsp), "all?"), 3)]);
    }
    for ws in clients {
        knock(&mut world, ws, "/door");
    }
    let stats = world.server.stats();
    assert_eq!((stats.connected, stats.waiting, stats.rooms), (4, 2, 7), "own rooms, r, r and s");
    assert_eq!((stats.memberships, stats.acks, stats.broadcast_acks), (10, 4, 2));
    assert_eq!((stats.sessions, stats.packets), (0, 2));
    let counted = ["/", "/b", "/door"].map(|nsp| {
        let id = world.server.namespace_id(nsp).expect("a namespace");
        world.server.connected_count(id)
    });
    assert_eq!(counted, [2, 2, 0]);
    world.cut(clients[0]);
    let stats = world.server.stats();
    assert_eq!((stats.connected, stats.waiting, stats.sessions), (2, 1, 2));
    let [gone, _] = sockets[0];
    assert!(world.server.rooms_of(gone).is_empty(), "ROOM-08");
    let (ws, next) = world.join();
    assert_eq!(world.server.rooms_of(next), [world.sid(next)]);
    assert!(world.server.rooms_of(gone).is_empty(), "its place is somebody else's");
    world.cut(ws);
}

#[test]
fn who_is_on_the_way_out_is_not_shown_out_again() {
    // NSP-10, SIO-DISC-05
    for close in [false, true] {
        let mut world = World::new(config(0));
        let (ws, socket) = world.join();
        world.react(move |event, _| {
            let leaves = matches!(event, Event::Disconnecting { .. });
            leaves.then_some(Command::Disconnect { socket, close }).into_iter().collect()
        });
        let mut told = Told::default();
        told.name(socket);
        world.take_events();
        world.command([Command::Disconnect { socket, close: false }]);
        let events = lines(&mut told, &mut world);
        let count = |line: &str| events.iter().filter(|event| event.starts_with(line)).count();
        assert_eq!((count("disconnecting"), count("disconnect s1")), (1, 1), "{events:#?}");
        world.cut(ws);
    }
}

#[test]
fn the_limit_of_namespaces_holds_for_those_who_were_asked_for_before() {
    // NSP-14, P19
    let limits = ServerLimits { namespaces: 2, ..ServerLimits::default() };
    let parents = vec![parent(Matcher::Ask, 0)];
    let mut world = World::new(ServerConfig { parents, limits, ..config(0) });
    let (one, two) = (world.open(), world.open());
    let tickets = [request(&mut world, one, "/x"), request(&mut world, two, "/y")];
    world.command(tickets.map(|ticket| answer(ticket, true)));
    assert!(world.rx(one)[0].starts_with("40/x,"));
    assert_eq!(world.rx(two), [r#"44/y,{"message":"Invalid namespace"}"#]);
    let limit = Event::Refused(CommandError::Limit("namespaces"));
    assert!(world.take_events().contains(&limit));
    assert_eq!(world.server.stats().namespaces, 2);
}

/// A config whose `/` has so many middlewares.
fn config(middlewares: u16) -> ServerConfig {
    let main = NamespaceConfig { middlewares, ..NamespaceConfig::default() };
    ServerConfig { main, ..ServerConfig::default() }
}

fn named(name: &str, middlewares: u16) -> (SmolStr, NamespaceConfig) {
    (name.into(), NamespaceConfig { middlewares, ..NamespaceConfig::default() })
}

fn parent(matcher: Matcher, middlewares: u16) -> ParentConfig {
    let namespace = NamespaceConfig { middlewares, ..NamespaceConfig::default() };
    ParentConfig { matcher, namespace }
}

fn pattern(text: &str) -> Matcher {
    Matcher::Pattern(Regex::new(text).expect("a pattern"))
}

/// A config with `/static`, and with `/dyn…` made on demand, of one middleware.
fn cleaning(cleanup: bool, room_events: bool) -> ServerConfig {
    let mut dynamic = parent(pattern("^/dyn"), 1);
    dynamic.namespace.room_events = room_events;
    let namespaces = vec![named("/static", 0)];
    let cleanup_empty_child_namespaces = cleanup;
    ServerConfig { parents: vec![dynamic], namespaces, cleanup_empty_child_namespaces, ..config(0) }
}

fn join(socket: SocketRef, rooms: &[&str]) -> Command {
    Command::Join { socket, rooms: rooms.iter().map(|room| (*room).into()).collect() }
}

fn next(socket: SocketRef, verdict: Verdict) -> Command {
    Command::Next { socket, verdict }
}

const fn answer(ticket: NamespaceTicket, allow: bool) -> Command {
    Command::AllowNamespace { ticket, allow }
}

/// The same emit, with an ack.
fn asking(mut command: Command, token: u64) -> Command {
    if let Command::Emit { ack: wish, .. } | Command::Broadcast { ack: wish, .. } = &mut command {
        *wish = ack(token, None);
    }
    command
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

/// Lets the last one who asked through all its middlewares.
fn pass(world: &mut World, middlewares: u16) -> SocketRef {
    for _ in 0..middlewares {
        let socket = knocked(world);
        assert!(world.take_events().is_empty(), "it is in, or another middleware was asked");
        world.command([next(socket, Verdict::Allow)]);
    }
    let events = world.take_events();
    let [Event::Connection { socket, .. }] = events[..] else { unreachable!("{events:?}") };
    socket
}

/// Asks for a namespace that an application may allow.
fn request(world: &mut World, ws: WsId, nsp: &str) -> NamespaceTicket {
    world.tx(ws, [format!("40{nsp},")]);
    match world.events.last() {
        Some(Event::NamespaceRequested { ticket, .. }) => *ticket,
        other => unreachable!("nobody was asked: {other:?}"),
    }
}

/// Enters a namespace over polling; the reply is read already.
fn polled(world: &mut World, query: &str) -> SocketRef {
    world.post(query, "40");
    let socket = world.last_socket.expect("a socket");
    assert!(world.get(query).1.starts_with("40{"));
    socket
}

/// What is told of sockets that leave one after the other.
fn departures(sockets: &[&str], reason: &str) -> Vec<String> {
    let both = |s: &&str| ["disconnecting", "disconnect"].map(|it| format!("{it} {s} {reason}"));
    sockets.iter().flat_map(both).collect()
}

fn lines(told: &mut Told, world: &mut World) -> Vec<String> {
    told.lines(&world.take_events())
}

/// What whoever answers a second time, or too late, is told.
const UNKNOWN: Event = Event::Refused(CommandError::UnknownTicket);
