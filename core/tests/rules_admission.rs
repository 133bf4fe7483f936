//! The rules of admission: middlewares and seats, and what is left of those who are not let in.
#![expect(clippy::wildcard_enum_match_arm, reason = "a listener answers what it is about")]

mod support;
#[path = "support/told.rs"]
mod told;

use std::collections::BTreeSet;

use overheard_core::engine::{EngineConfig, EngineEvent, EngineLimits, RequestDecision};
use overheard_core::server::{
    Command, CommandError, Event, Matcher, NamespaceConfig, NamespaceTicket, ParentConfig,
    RecoveryConfig, RoomChange, Selection, ServerConfig, ServerLimits, SocketRef, Verdict,
};
use overheard_core::value::Value;
use overheard_core::wire::WsId;
use proptest::prelude::*;
use regex::Regex;
use support::world::{World, broadcast, emit};
use told::Told;

#[test]
fn middlewares_are_asked_one_after_the_other() {
    // NSP-MW-01, NSP-MW-04
    let mut world = World::new(config(3));
    let (first, second) = (world.open(), world.open());
    let one = knock(&mut world, first, "/");
    world.take_events();
    let mut told = Told::default();
    told.name(one);
    world.command([next(one, Verdict::Allow)]);
    assert_eq!(lines(&mut told, &mut world), ["middleware s1 / 1"], "only the next one");
    // Another CONNECT begins at the start; the options of a namespace that exists do not change.
    let config = NamespaceConfig::default();
    world.command([Command::CreateNamespace { name: "/".into(), config }]);
    world.tx(second, ["40"]);
    assert_eq!(lines(&mut told, &mut world), ["middleware s2 / 0"]);
    world.command([next(one, Verdict::Allow)]);
    assert_eq!(lines(&mut told, &mut world), ["middleware s1 / 2"]);
    let refuse = Verdict::Refuse { message: "no".into(), data: Some(Value::from(7)) };
    world.command([next(one, refuse.clone())]);
    assert_eq!(lines(&mut told, &mut world), ["refused / no"]);
    assert_eq!(world.rx(first), [r#"44{"message":"no","data":7}"#]);
    // A refusal skips those that remain; the client may try again, from the start.
    world.tx(first, ["40"]);
    assert!(matches!(world.events.last(), Some(Event::Middleware { index: 0, .. })));
    let again = knocked(&mut world);
    world.command([next(again, refuse)]);
    assert_eq!(lines(&mut told, &mut world), ["refused / no"]);
}

#[test]
fn a_refusal_without_an_error_says_nothing() {
    // NSP-MW-05: `next("text")`; whatever counts as false is `Allow`
    let mut world = World::new(config(1));
    let ws = world.open();
    for (nsp, refusal) in [("/", "44{}"), ("/gated", "44/gated,{}")] {
        let socket = knock(&mut world, ws, nsp);
        world.command([next(socket, Verdict::RefuseSilently)]);
        assert_eq!(world.rx(ws), [refusal]);
        assert!(!world.server.is_connected(socket));
    }
}

#[test]
fn a_verdict_counts_once() {
    // NSP-MW-08, mended: the second `next` of a middleware is refused, also when another waits
    for middlewares in [1, 2] {
        for second in [Verdict::Allow, refuse("no"), Verdict::RefuseSilently] {
            let mut world = World::new(config(middlewares));
            let ws = world.open();
            let socket = knock(&mut world, ws, "/");
            world.take_events();
            world.command([next(socket, Verdict::Allow), next(socket, second.clone())]);
            assert_eq!(world.take_events()[0], UNKNOWN);
            if middlewares == 2 {
                assert!(!world.server.is_connected(socket), "the second was not asked yet");
                world.command([next(socket, Verdict::Allow)]);
            }
            world.command([next(socket, second)]);
            assert!(world.server.is_connected(socket));
            assert_eq!(world.rx(ws).len(), 1, "one reply");
            let connected = |event: &&Event| matches!(event, Event::Connection { .. });
            let events = world.take_events();
            assert_eq!(events.last(), Some(&UNKNOWN));
            assert!(events.iter().filter(connected).count() <= 1);
        }
    }
    // Nor does it after a refusal.
    let mut world = World::new(config(1));
    let ws = world.open();
    let socket = knock(&mut world, ws, "/");
    world.command([next(socket, refuse("no")), next(socket, Verdict::Allow)]);
    assert_eq!(world.rx(ws), [r#"44{"message":"no"}"#]);
    assert_eq!(world.server.stats().connected, 0);
}

#[test]
fn a_verdict_comes_too_late_for_who_has_gone() {
    // NSP-MW-07, NSP-14
    for room_events in [false, true] {
        let mut dynamic = parent(pattern("^/dyn"), 1);
        dynamic.namespace.room_events = room_events;
        let parents = vec![dynamic];
        let cleanup_empty_child_namespaces = true;
        let config = ServerConfig { parents, cleanup_empty_child_namespaces, ..config(0) };
        let mut world = World::new(config);
        let baseline = world.server.stats();
        let (first, second) = (world.open(), world.open());
        let gone = knock(&mut world, first, "/dyn");
        world.command([join(gone, "r")]);
        world.cut(first);
        // Somebody else has its place now, and is not let in by a verdict that is not theirs.
        let other = knock(&mut world, second, "/dyn");
        world.take_events();
        world.command([next(gone, Verdict::Allow), join(gone, "r")]);
        assert_eq!(world.take_events(), [UNKNOWN]);
        assert!(!world.server.is_connected(gone) && !world.server.is_connected(other));
        assert!(world.server.rooms_of(other).is_empty() && world.rx(second).is_empty());
        world.cut(second);
        assert_eq!(world.server.stats(), baseline);
    }
    let parents = vec![parent(Matcher::Ask, 0)];
    let mut world = World::new(ServerConfig { parents, ..config(0) });
    let baseline = world.server.stats();
    for allow in [false, true] {
        let ws = world.open();
        let ticket = request(&mut world, ws, "/x");
        world.cut(ws);
        world.take_events();
        world.command([answer(ticket, allow)]);
        assert!(world.take_events().is_empty(), "nothing is made for who has gone");
        assert_eq!(world.server.stats(), baseline);
    }
}

#[test]
fn a_recovered_socket_passes_its_middlewares_only_if_that_is_wanted() {
    // NSP-MW-10
    for skip_middlewares in [true, false] {
        let recovery = RecoveryConfig { skip_middlewares, ..RecoveryConfig::default() };
        let mut world = World::new(ServerConfig { recovery: Some(recovery), ..config(1) });
        let ws = world.open();
        let old = knock(&mut world, ws, "/");
        world.command([next(old, Verdict::Allow)]);
        let reply = world.rx(ws)[0].clone();
        let pid = &reply[reply.len() - 22..reply.len() - 2];
        world.command([broadcast(Selection::namespace("/"), "m")]);
        let frame = world.rx(ws)[0].clone();
        let offset = frame.rsplit('"').nth(1).unwrap();
        let sid = world.sid(old);
        world.cut(ws);
        world.take_events();
        let ws = world.open();
        world.take_events();
        world.tx(ws, [format!(r#"40{{"pid":"{pid}","offset":"{offset}"}}"#)]);
        if !skip_middlewares {
            assert!(world.rx(ws).is_empty());
            let socket = knocked(&mut world);
            world.command([next(socket, Verdict::Allow)]);
        }
        let [Event::Connection { socket, recovered: true, .. }] = world.take_events()[..] else {
            panic!("it was asked, or is not recovered")
        };
        assert_eq!(world.sid(socket), sid);
    }
}

#[test]
fn connects_to_several_namespaces_complete_in_any_order() {
    // SIO-CONN-10
    let mut world = World::new(config(1));
    let ws = world.open();
    world.tx(ws, ["40", "40/gated,", "40/b,"]);
    assert!(world.rx(ws).concat().starts_with("40/b,{"), "the one without a middleware");
    let events = world.take_events();
    let [main, gated] = ["/", "/gated"].map(|name| {
        let asked = |event: &Event| match event {
            Event::Middleware { socket, nsp, .. } if nsp == name => Some(*socket),
            _ => None,
        };
        events.iter().find_map(asked).unwrap()
    });
    world.tx(ws, [r#"42/b,["e"]"#]);
    assert_eq!(lines(&mut Told::default(), &mut world), ["on s1 e"]);
    world.command([next(gated, Verdict::Allow)]);
    assert!(world.rx(ws).concat().starts_with("40/gated,{"));
    world.command([next(main, Verdict::Allow)]);
    assert!(world.rx(ws).concat().starts_with("40{"));
    assert_eq!(world.server.stats().connected, 3);
}

#[test]
fn nothing_reaches_a_socket_before_its_reply_but_its_own() {
    // SIO-CONN-11, I6
    let mut world = World::new(config(1));
    let (ws, other) = (world.open(), world.open());
    let sender = knock(&mut world, other, "/");
    world.command([next(sender, Verdict::Allow)]);
    let socket = knock(&mut world, ws, "/");
    let all = || Selection::namespace("/");
    world.command([
        join(socket, "r"),
        broadcast(all(), "everybody"),
        broadcast(all().to(["r"]), "room"),
        broadcast(Selection::socket(sender), "others"),
        emit(socket, "own", vec![]),
        // At the last moment before, and the first one after.
        next(socket, Verdict::Allow),
        broadcast(all(), "before"),
    ]);
    world.command([broadcast(all(), "after")]);
    let got = world.rx(ws);
    assert_eq!((&*got[0], &*got[2]), (r#"42["own"]"#, r#"42["after"]"#), "{got:?}");
    assert!(got[1].starts_with("40{") && got.len() == 3, "{got:?}");
}

#[test]
fn who_was_refused_leaves_no_trace() {
    // NSP-MW-04, NSP-MW-07, ROOM-15, SIO-DISC-06, I9: not in a room, and nothing reaches it
    for (end, frames) in [(0, r#"44{"message":"no"}"#), (1, "44{}"), (2, "")] {
        for room_events in [false, true] {
            let mut config = config(1);
            config.main.room_events = room_events;
            let mut world = World::new(config);
            let baseline = world.server.stats();
            let ws = world.open();
            let socket = knock(&mut world, ws, "/");
            world.command([join(socket, "r"), join(socket, "s")]);
            match end {
                0 => world.command([next(socket, refuse("no"))]),
                1 => world.command([next(socket, Verdict::RefuseSilently)]),
                _ => world.cut(ws),
            }
            assert_eq!(world.rx(ws).concat(), frames);
            let rooms = || Selection::namespace("/").to(["r", "s", "late"]);
            world.command([
                join(socket, "late"),
                broadcast(rooms(), "m"),
                emit(socket, "m", vec![]),
            ]);
            assert!(world.server.select(&rooms()).is_empty() && world.rx(ws).is_empty());
            assert!(world.server.sid(socket).is_none() && world.server.rooms_of(socket).is_empty());
            let stats = world.server.stats();
            assert_eq!((stats.rooms, stats.memberships, stats.waiting), (0, 0, 0));
            let left =
                |event: &&Event| matches!(event, Event::Room { change: RoomChange::Left, .. });
            let events = world.take_events();
            assert_eq!(events.iter().filter(left).count(), if room_events { 2 } else { 0 });
            let lines = Told::default().lines(&events);
            assert!(!lines.iter().any(|line| line.starts_with("disconnect")), "{lines:?}");
            world.cut(ws);
            assert_eq!(world.server.stats(), baseline);
        }
    }
}

#[test]
fn the_last_seat_is_given_once() {
    // NSP-15: each namespace of a parent has seats of its own
    let mut seats = parent(pattern("^/dyn"), 1);
    seats.namespace.max_sockets = Some(1);
    let parents = vec![seats];
    let mut world = World::new(ServerConfig { parents, ..config(0) });
    let clients = [(); 3].map(|()| world.open());
    let sockets = clients.map(|ws| knock(&mut world, ws, "/dyn1"));
    let elsewhere = knock(&mut world, clients[0], "/dyn2");
    world.command([next(sockets[1], Verdict::Allow), next(sockets[0], Verdict::Allow)]);
    assert!(world.rx(clients[1]).concat().starts_with("40/dyn1,{"));
    let full = r#"44/dyn1,{"message":"namespace is full","data":{"code":"namespace_full"}}"#;
    assert_eq!(world.rx(clients[0]), [full]);
    world.command([next(elsewhere, Verdict::Allow)]);
    assert!(world.rx(clients[0]).concat().starts_with("40/dyn2,{"));
    // A verdict counts a tick later: whoever was leaving meanwhile has freed the seat.
    let again = knock(&mut world, clients[0], "/dyn1");
    world.react(move |event, _| match event {
        Event::Disconnecting { .. } => vec![next(again, Verdict::Allow)],
        _ => Vec::new(),
    });
    world.tx(clients[1], ["41/dyn1,"]);
    world.react(|_, _| Vec::new());
    assert!(world.server.is_connected(again));
    world.command([next(sockets[2], Verdict::Allow)]);
    assert_eq!(world.rx(clients[2]), [full]);
}

#[derive(Clone, Debug)]
enum Step {
    Knock(usize),
    Allow(usize),
    AllowAll,
    Refuse(usize),
    Leave(usize),
    Kick(usize),
    KickAndAllowAll(usize),
    Cut(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let client = || 0_usize..5;
    prop_oneof![
        4 => client().prop_map(Step::Knock),
        3 => client().prop_map(Step::Allow),
        1 => Just(Step::AllowAll),
        1 => client().prop_map(Step::Refuse),
        1 => client().prop_map(Step::Leave),
        1 => client().prop_map(Step::Kick),
        1 => client().prop_map(Step::KickAndAllowAll),
        1 => client().prop_map(Step::Cut),
    ]
}

proptest! {
    /// However connects, late verdicts and departures race: nobody is let in over the limit, and
    /// nobody is turned away while a seat is free.
    #[test]
    fn a_limit_lets_in_as_many_as_it_says(
        steps in prop::collection::vec(step(), 1..60),
        limit in 0_usize..4,
        middlewares in 0_u16..3,
        room_events in any::<bool>(),
    ) {
        let main = NamespaceConfig { middlewares, max_sockets: Some(limit), room_events };
        let mut world = World::new(ServerConfig { main, ..ServerConfig::default() });
        let baseline = world.server.stats();
        let nsp = world.server.namespace_id("/").unwrap();
        world.react(move |event, server| {
            let connected = server.connected_count(nsp);
            assert!(connected <= limit, "{connected} at {event:?}");
            if let Event::ConnectRefused { message, .. } = event && message == "namespace is full" {
                assert_eq!(connected, limit, "a seat is free");
            }
            Vec::new()
        });
        let mut clients: Vec<_> = (0..5).map(|_| world.open()).collect();
        let mut hall = Hall::default();
        for step in steps {
            hall.step(&mut world, &mut clients, &step);
            prop_assert_eq!(world.server.connected_count(nsp), hall.inside.len());
            prop_assert!(hall.inside.len() <= limit);
        }
        for ws in &clients {
            world.cut(*ws);
        }
        prop_assert_eq!(world.server.stats(), baseline);
    }
}

/// Who is at the door, and who is in, as the application has been told.
#[derive(Default)]
struct Hall {
    waiting: BTreeSet<SocketRef>,
    inside: Vec<SocketRef>,
}

impl Hall {
    fn step(&mut self, world: &mut World, clients: &mut [WsId], step: &Step) {
        let all: Vec<_> = self.waiting.iter().map(|it| next(*it, Verdict::Allow)).collect();
        let kick = |hall: &Self, at: usize| {
            let socket = hall.inside.get(at).copied();
            socket.map(|socket| Command::Disconnect { socket, close: at.is_multiple_of(2) })
        };
        let waits = |hall: &Self, at: usize| hall.waiting.iter().nth(at).copied();
        match *step {
            Step::Knock(at) => world.tx(clients[at], ["40"]),
            Step::Leave(at) => world.tx(clients[at], ["41"]),
            Step::Cut(at) => world.cut(clients[at]),
            Step::Allow(at) => world.command(waits(self, at).map(|it| next(it, Verdict::Allow))),
            Step::Refuse(at) => world.command(waits(self, at).map(|it| next(it, refuse("no")))),
            Step::AllowAll => world.command(all),
            Step::Kick(at) => world.command(kick(self, at)),
            Step::KickAndAllowAll(at) => {
                world.command(kick(self, at).into_iter().chain(all));
            }
        }
        for ws in clients {
            if world.wire.is_closed(*ws) || matches!(step, Step::Cut(_)) {
                world.cut(*ws);
                *ws = world.open();
            }
        }
        for event in world.take_events() {
            match event {
                Event::Middleware { socket, .. } => {
                    self.waiting.insert(socket);
                }
                Event::Connection { socket, .. } => self.inside.push(socket),
                Event::Disconnected { socket, .. } => self.inside.retain(|it| *it != socket),
                _ => {}
            }
        }
        self.waiting.retain(|socket| {
            world.server.sid(*socket).is_some() && !world.server.is_connected(*socket)
        });
    }
}

#[test]
fn a_connection_may_be_in_so_many_namespaces() {
    // SIO-CONN-10: sockets, those at the door and names that are asked for count alike
    let limits = ServerLimits { namespaces_per_connection: 3, ..ServerLimits::default() };
    let parents = vec![parent(Matcher::Ask, 0)];
    let mut world = World::new(ServerConfig { limits, parents, ..config(1) });
    let ws = world.open();
    world.enter(ws, "/b");
    knock(&mut world, ws, "/");
    let ticket = request(&mut world, ws, "/asked");
    world.tx(ws, ["41/b,"]);
    world.enter(ws, "/b");
    world.command([answer(ticket, false)]);
    let ticket = request(&mut world, ws, "/asked");
    world.take_events();
    assert!(world.rx(ws).concat().starts_with("44/asked,"), "what has ended does not count");
    world.tx(ws, ["40/gated,"]);
    assert_eq!(world.rx(ws), ["CLOSE:1005"]);
    let events = world.take_events();
    assert_eq!(events[0], Event::Refused(CommandError::Limit("namespaces_per_connection")));
    world.command([answer(ticket, true)]);
    assert!(world.take_events().is_empty() && world.server.namespace_id("/asked").is_none());
}

#[test]
fn there_may_be_so_many_namespaces() {
    // NSP-05, NSP-16, NSP-21: also when those who are to allow them answer late
    let limits = ServerLimits { namespaces: 5, ..ServerLimits::default() };
    let cleanup_empty_child_namespaces = true;
    let parents = vec![parent(Matcher::Ask, 0)];
    let config = ServerConfig { limits, parents, cleanup_empty_child_namespaces, ..config(0) };
    let mut world = World::new(config);
    let clients = [(); 3].map(|()| world.open());
    let tickets = ["/x", "/y", "/x"].into_iter().zip(clients);
    let tickets: Vec<_> = tickets.map(|(nsp, ws)| request(&mut world, ws, nsp)).collect();
    world.take_events();
    world.command(tickets.into_iter().map(|ticket| answer(ticket, true)));
    let replies = clients.map(|ws| world.rx(ws).concat());
    assert_eq!(replies[1], r#"44/y,{"message":"Invalid namespace"}"#);
    assert!([0, 2].iter().all(|at| replies[*at].starts_with("40/x,{")), "{replies:?}");
    assert!(world.take_events().contains(&Event::Refused(CommandError::Limit("namespaces"))));
    assert_eq!(world.server.stats().namespaces, 5);
    for ws in [clients[0], clients[2]] {
        world.tx(ws, ["41/x,"]);
    }
    let ticket = request(&mut world, clients[1], "/y");
    world.command([answer(ticket, true)]);
    assert!(world.rx(clients[1]).concat().starts_with("40/y,{"));
}

#[test]
fn a_server_has_so_many_sessions() {
    // EIO-ERR-02: those who were asked about together race for the last one
    let limits = EngineLimits { sessions: 1, ..EngineLimits::default() };
    let engine = EngineConfig { check_requests: true, limits, ..EngineConfig::default() };
    let mut world = World::new(ServerConfig { engine, ..config(0) });
    let clients = [(); 2].map(|()| {
        let (ws, input) = world.wire.websocket("EIO=4&transport=websocket");
        world.feed(input);
        ws
    });
    let asked = std::mem::take(&mut world.events).into_iter().filter_map(|event| match event {
        Event::Engine(EngineEvent::CheckRequest { ticket, .. }) => Some(ticket),
        _ => None,
    });
    let decision = || RequestDecision::Allow;
    let commands: Vec<_> =
        asked.map(|ticket| Command::DecideRequest { ticket, decision: decision() }).collect();
    assert_eq!(commands.len(), 2);
    world.command(commands);
    assert_eq!(world.rx(clients[0])[0], "OPEN");
    assert_eq!(world.rx(clients[1]), ["HTTP 400 Server is full"]);
    assert_eq!(world.server.stats().clients, 1);
}

/// A config whose `/` has so many middlewares, beside `/b` without, and `/gated`.
fn config(middlewares: u16) -> ServerConfig {
    let gate = |middlewares| NamespaceConfig { middlewares, ..NamespaceConfig::default() };
    let namespaces = [("/b", 0), ("/c", 0), ("/gated", 1)];
    ServerConfig {
        main: gate(middlewares),
        namespaces: namespaces.map(|(name, middlewares)| (name.into(), gate(middlewares))).into(),
        ..ServerConfig::default()
    }
}

fn parent(matcher: Matcher, middlewares: u16) -> ParentConfig {
    let namespace = NamespaceConfig { middlewares, ..NamespaceConfig::default() };
    ParentConfig { matcher, namespace }
}

fn pattern(text: &str) -> Matcher {
    Matcher::Pattern(Regex::new(text).expect("a pattern"))
}

fn refuse(message: &str) -> Verdict {
    Verdict::Refuse { message: message.into(), data: None }
}

fn join(socket: SocketRef, room: &str) -> Command {
    Command::Join { socket, rooms: vec![room.into()] }
}

fn next(socket: SocketRef, verdict: Verdict) -> Command {
    Command::Next { socket, verdict }
}

const fn answer(ticket: NamespaceTicket, allow: bool) -> Command {
    Command::AllowNamespace { ticket, allow }
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

/// Asks for a namespace that an application may allow.
fn request(world: &mut World, ws: WsId, nsp: &str) -> NamespaceTicket {
    world.tx(ws, [format!("40{nsp},")]);
    match world.events.last() {
        Some(Event::NamespaceRequested { ticket, .. }) => *ticket,
        other => unreachable!("nobody was asked: {other:?}"),
    }
}

fn lines(told: &mut Told, world: &mut World) -> Vec<String> {
    told.lines(&world.take_events())
}

/// What whoever answers a second time, or too late, is told.
const UNKNOWN: Event = Event::Refused(CommandError::UnknownTicket);
