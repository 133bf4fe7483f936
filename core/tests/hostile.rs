//! Hostile bytes in every state of the protocol, over polling and WebSocket, beside a bystander who
//! must notice nothing: no panic, no loop, no amplification, and nothing left behind (P19).

#![expect(clippy::wildcard_enum_match_arm, reason = "the application looks at few of many events")]

#[path = "support/hostile_bytes.rs"]
mod bytes;
#[path = "support/raw.rs"]
mod raw;
mod support;

use std::cell::RefCell;

use bytes::{ATTEMPTS, Attempt, Burst, LIMIT, NO_TEXT};
use overheard_core::engine::{Body, EngineConfig, Input, Method};
use overheard_core::server::{
    Command, Event, EventName, Flags, Matcher, NamespaceConfig, ParentConfig, ServerConfig,
    ServerLimits, ServerStats, SocketRef, Verdict,
};
use overheard_core::time::Duration;
use overheard_core::value::Value;
use overheard_core::wire::{Frame, RequestId, WsEnd, WsId};
use proptest::collection::vec;
use proptest::prelude::*;
use raw::{Carrier, Raw};
use support::world::{World, ack, emit};
use support::{complete, head, ws_closed};

/// Namespaces of one connection.
const MAX_NAMESPACES: usize = 20;

const CARRIERS: [Carrier; 2] = [Carrier::Polling, Carrier::WebSocket];

/// How far the attacker's connection is when the bytes come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Only the session is open.
    Opened,
    /// In `/`.
    Connected,
    /// In `/`, in rooms, and owing an answer.
    Asked,
    /// Waiting in the middleware of `/gate`.
    Waiting,
    /// Refused by `/no`.
    Refused,
    /// Half of a binary packet was sent.
    Interrupted,
    /// Thrown out of `/`; the connection is open.
    ThrownOut,
    /// The server has closed the connection; polling waits for a GET to say so.
    Closing,
    /// A WebSocket of a polling session is open.
    Candidate,
    /// The same, and it was probed.
    Probed,
    /// The session has moved to the WebSocket.
    Upgraded,
}

const STATES: [State; 11] = [
    State::Opened,
    State::Connected,
    State::Asked,
    State::Waiting,
    State::Refused,
    State::Interrupted,
    State::ThrownOut,
    State::Closing,
    State::Candidate,
    State::Probed,
    State::Upgraded,
];

fn config() -> ServerConfig {
    let gate = NamespaceConfig { middlewares: 1, ..NamespaceConfig::default() };
    let telling = NamespaceConfig { room_events: true, ..NamespaceConfig::default() };
    let children = regex::Regex::new("^/dyn-[0-9]{1,3}$").expect("a pattern");
    ServerConfig {
        engine: EngineConfig { max_http_buffer_size: LIMIT, ..EngineConfig::default() },
        main: telling,
        namespaces: vec![
            ("/b".into(), NamespaceConfig::default()),
            ("/quiet".into(), NamespaceConfig::default()),
            ("/gate".into(), gate.clone()),
            ("/no".into(), gate),
        ],
        parents: vec![ParentConfig {
            matcher: Matcher::Pattern(children),
            namespace: NamespaceConfig::default(),
        }],
        cleanup_empty_child_namespaces: true,
        limits: ServerLimits {
            namespaces_per_connection: MAX_NAMESPACES,
            ..ServerLimits::default()
        },
        ..ServerConfig::default()
    }
}

/// An application that lets its clients join rooms, answers everything, and never decides at the
/// gate.
fn react(event: &Event) -> Vec<Command> {
    match event {
        Event::Middleware { socket, nsp, .. } if nsp == "/no" => {
            let verdict = Verdict::Refuse { message: "no".into(), data: None };
            vec![Command::Next { socket: *socket, verdict }]
        }
        Event::Received { socket, name, args, .. } => {
            let room = args.first().and_then(Value::as_str);
            match (name.as_str(), room) {
                (Some("join"), Some(room)) => {
                    vec![Command::Join { socket: *socket, rooms: vec![room.into()] }]
                }
                (Some("leave"), Some(room)) => {
                    vec![Command::Leave { socket: *socket, room: room.into() }]
                }
                _ => vec![emit(*socket, "got", args.clone())],
            }
        }
        _ => Vec::new(),
    }
}

/// The socket that was let in just now.
fn entered(world: &World) -> SocketRef {
    world.last_socket.expect("a socket in `/`")
}

/// The attacker's connection.
struct Attacker {
    raw: Raw,
    candidate: Option<WsId>,
}

/// A server with a bystander.
struct Scene {
    world: World,
    bystander: Raw,
    sockets: [SocketRef; 2],
    baseline: ServerStats,
    first: (u64, u64),
    spent: Spent,
}

/// What one attacker has sent, and what came of it: a later packet may end what earlier ones began.
#[derive(Default)]
struct Spent {
    packets: usize,
    bytes: usize,
    events: usize,
}

impl Scene {
    fn new(config: ServerConfig, carrier: Carrier) -> Self {
        let mut world = World::new(config);
        let mut bystander = Raw::open(&mut world, carrier);
        let sockets = ["40", "40/quiet,"].map(|connect| {
            bystander.send(&mut world, &[connect]);
            world.last_socket.expect("a bystander")
        });
        bystander.receive(&mut world);
        world.react(|event, _| react(event));
        let baseline = world.server.stats();
        let first = (world.wire.next_request, world.wire.next_ws);
        Self { world, bystander, sockets, baseline, first, spent: Spent::default() }
    }

    /// Brings a new connection into a state; not every transport has them all.
    fn attacker(&mut self, state: State, carrier: Carrier) -> Option<Attacker> {
        let world = &mut self.world;
        self.first = (world.wire.next_request, world.wire.next_ws);
        self.spent = Spent::default();
        let mut raw = Raw::open(world, carrier);
        world.last_socket = None;
        let mut candidate = None;
        match state {
            State::Opened => {}
            State::Connected => raw.send(world, &["40"]),
            State::Asked => {
                raw.send(world, &["40"]);
                raw.send(world, &["42[\"join\",\"r\"]"]);
                let socket = entered(world);
                let (name, args, flags) = (EventName::message(), Vec::new(), Flags::default());
                world.command([Command::Emit { socket, name, args, flags, ack: ack(1, Some(9)) }]);
            }
            State::Waiting => raw.send(world, &["40/gate,"]),
            State::Refused => raw.send(world, &["40/no,"]),
            State::Interrupted => {
                raw.send(world, &["40"]);
                raw.send(world, &["452-[\"x\",{\"_placeholder\":true,\"num\":1}]", "bAQID"]);
            }
            State::ThrownOut | State::Closing => {
                raw.send(world, &["40"]);
                let socket = entered(world);
                let close = state == State::Closing;
                world.command([Command::Disconnect { socket, close }]);
            }
            State::Candidate | State::Probed | State::Upgraded => {
                let query = raw.query()?.replace("=polling", "=websocket");
                raw.send(world, &["40"]);
                let (ws, input) = world.wire.websocket(&query);
                world.feed(input);
                candidate = Some(ws);
                if state != State::Candidate {
                    world.tx(ws, ["2probe"]);
                }
                if state == State::Upgraded {
                    world.tx(ws, ["5"]);
                }
            }
        }
        Some(Attacker { raw, candidate })
    }

    /// Sends a burst wherever the attacker can, and looks at what comes of it.
    fn strike(&mut self, attacker: &Attacker, burst: &Burst, by_candidate: bool) {
        let ws = attacker.raw.websocket().or_else(|| attacker.candidate.filter(|_| by_candidate));
        let body = payload(burst);
        // A separator within a text makes several packets of it where they are posted.
        let packets = 1 + body.iter().filter(|byte| **byte == 0x1e).count();
        match (ws, attacker.raw.query()) {
            (Some(ws), _) => self.world.tx_frames(ws, burst.clone()),
            (None, Some(query)) => {
                self.post(query, &body);
            }
            (None, None) => {}
        }
        self.check_bounds(packets.max(burst.len()), burst.iter().map(Frame::len).sum());
    }

    fn post(&mut self, query: &str, body: &[u8]) -> RequestId {
        let (request, input) = self.world.wire.request(Method::Post, query, &[]);
        self.world.feed(input);
        while let Some((request, limit)) = self.world.wire.bodies_wanted.pop_front() {
            self.world.feed(if body.len() > limit {
                Input::Body { request, body: Body::TooLarge }
            } else {
                complete(request, body.to_vec())
            });
        }
        request
    }

    /// Makes a request, whose body, if it is wanted, stays away for now.
    fn attempt(&mut self, attacker: &Attacker, (method, query, headers): Attempt, as_ws: bool) {
        let sid = attacker.raw.query().and_then(|query| query.split("sid=").nth(1));
        let query = query.replace("SID", sid.unwrap_or("none"));
        if as_ws {
            let (ws, _) = self.world.wire.websocket(&query);
            self.world.feed(Input::WsRequest { ws, head: head(method, &query, headers) });
        } else {
            let (_, input) = self.world.wire.request(method, &query, headers);
            self.world.feed(input);
        }
        self.check_bounds(1, query.len());
    }

    /// What came of some packets and bytes is in proportion to them.
    fn check_bounds(&mut self, packets: usize, size: usize) {
        let spent = &mut self.spent;
        spent.packets += packets;
        spent.bytes += size;
        spent.events += std::mem::take(&mut self.world.events).len();
        let Spent { packets, bytes: size, events } = *spent;
        assert!(events <= 120 + 8 * packets, "P19: {events} events of {packets} packets");
        let stats = self.world.server.stats();
        let sockets = stats.connected + stats.waiting - self.baseline.connected;
        assert!(sockets <= MAX_NAMESPACES, "P19: {sockets} sockets of one connection");
        let wire = &mut self.world.wire;
        let (first_request, first_ws) = (RequestId(self.first.0), WsId(self.first.1));
        let responses = wire.responses.range(first_request..);
        let mut sent: usize = responses.map(|(_, response)| response.body.len()).sum();
        for (_, inbox) in wire.inboxes.range_mut(first_ws..) {
            sent += inbox.drain(..).map(|got| format!("{got:?}").len()).sum::<usize>();
        }
        assert!(sent <= 6_000 + 200 * packets + 8 * size, "P19: {sent} bytes of {size}");
    }

    /// The bystander gets nothing and stays.
    fn check_bystander(&mut self) {
        let heard = self.bystander.receive(&mut self.world);
        assert!(heard.is_empty() && !self.bystander.is_closed, "the bystander: {heard:?}");
    }

    fn wait(&mut self, time: Duration) {
        let mut left = time;
        while !left.is_zero() {
            let step = left.min(Duration::from_secs(9));
            self.world.advance(step);
            self.check_bystander();
            left -= step;
        }
    }

    /// The attacker's connections end, all timers fire: what is left is the bystander's, who is as
    /// well as before.
    fn finish(&mut self) {
        self.check_bystander();
        let next = (self.world.wire.next_request, self.world.wire.next_ws);
        for ws in (self.first.1..next.1).map(WsId) {
            if !self.world.wire.is_closed(ws) {
                self.world.feed(ws_closed(ws));
            }
        }
        for request in (self.first.0..next.0).map(RequestId) {
            if Some(request) != self.bystander.waiting() {
                self.world.feed(Input::RequestAborted(request));
            }
        }
        self.wait(Duration::from_secs(54));
        assert_eq!(self.world.server.stats(), self.baseline, "P03: the attacker left something");
        let alive = self.sockets.map(|socket| emit(socket, "alive", Vec::new()));
        self.world.command(alive);
        let heard = self.bystander.receive(&mut self.world);
        assert_eq!(heard, ["2[\"alive\"]", "2/quiet,[\"alive\"]"]);
        self.first = (self.world.wire.next_request, self.world.wire.next_ws);
        self.world.wire.bodies_wanted.clear();
        self.world.events.clear();
    }
}

fn payload(burst: &Burst) -> Vec<u8> {
    let frames = burst.iter().map(|frame| match frame {
        Frame::Text(text) => text.to_string(),
        Frame::Binary(data) => {
            let packet = overheard_core::codec::engine::Packet::binary(data.clone());
            let form = overheard_core::codec::engine::BinaryForm::Base64;
            match packet.encode(form) {
                Frame::Text(text) => text.to_string(),
                Frame::Binary(_) => String::new(),
            }
        }
    });
    frames.collect::<Vec<_>>().join("\u{1e}").into_bytes()
}

thread_local! {
    /// What is being tried, for the report of a failure.
    static TRIED: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Names what is tried when a check fails, however deep.
struct Attempted;

impl Drop for Attempted {
    #[expect(clippy::print_stdout, reason = "a part of the report of a failed test")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            TRIED.with_borrow(|tried| println!("while trying {tried}"));
        }
    }
}

fn trying(what: &impl std::fmt::Debug) {
    TRIED.with_borrow_mut(|tried| *tried = format!("{what:?}").chars().take(300).collect());
}

/// Every burst of a class in every state, over both transports, with a bystander on either.
fn attack(bursts: &[Burst], bystander: Carrier) {
    let _report = Attempted;
    let mut scene = Scene::new(config(), bystander);
    for state in STATES {
        for (carrier, by_candidate) in
            [(Carrier::WebSocket, false), (Carrier::Polling, false), (Carrier::Polling, true)]
        {
            for burst in bursts {
                trying(&(state, carrier, by_candidate, burst));
                let Some(attacker) = scene.attacker(state, carrier) else { break };
                if by_candidate && attacker.candidate.is_none() {
                    break;
                }
                scene.strike(&attacker, burst, by_candidate);
                scene.finish();
            }
        }
    }
}

/// Names of prototypes and reserved events in every place of a packet.
#[test]
fn strange_names_do_no_harm() {
    attack(&bytes::names(), Carrier::WebSocket);
}

/// SIO-ERR-01 to SIO-ERR-04: payloads that are none.
#[test]
fn strange_payloads_do_no_harm() {
    attack(&bytes::payloads(), Carrier::Polling);
}

/// SIO-ENC-06 to SIO-ENC-10: attachments that were not announced, or not sent.
#[test]
fn strange_attachments_do_no_harm() {
    attack(&bytes::attachments(), Carrier::WebSocket);
}

/// EIO-POLL-10, EIO-WS-03, SIO-ENC-08: sizes around every limit.
#[test]
fn long_fields_do_no_harm() {
    attack(&bytes::lengths(), Carrier::Polling);
}

/// EIO-PKT-05, EIO-PKT-07: cut and mangled packets.
#[test]
fn strange_characters_do_no_harm() {
    attack(&bytes::characters(), Carrier::WebSocket);
}

/// EIO-PKT-06, EIO-UP-04, SIO-CONN-05, SIO-CONN-08: packets out of place, and very many of them.
#[test]
fn packets_out_of_place_do_no_harm() {
    attack(&bytes::packets(), Carrier::Polling);
}

/// EIO-HS-07, EIO-POLL-01, EIO-POLL-02, EIO-POLL-08, EIO-POLL-09, EIO-UP-06: requests of all kinds,
/// also twice at a time, also without their bodies.
#[test]
fn strange_requests_do_no_harm() {
    let _report = Attempted;
    for bystander in CARRIERS {
        let mut scene = Scene::new(config(), bystander);
        for state in STATES {
            for carrier in CARRIERS {
                for (attempt, as_ws, times) in ATTEMPTS.iter().flat_map(|it| {
                    [(*it, false, 1), (*it, false, 2), (*it, true, 1), (*it, true, 2)]
                }) {
                    trying(&(state, carrier, attempt, as_ws, times));
                    let Some(attacker) = scene.attacker(state, carrier) else { break };
                    for _ in 0..times {
                        scene.attempt(&attacker, attempt, as_ws);
                    }
                    scene.finish();
                }
            }
        }
    }
}

/// Bodies that are no UTF-8, too large, or never come to an end; a WebSocket that breaks.
#[test]
fn broken_transports_do_no_harm() {
    let _report = Attempted;
    let mut scene = Scene::new(config(), Carrier::WebSocket);
    for state in STATES {
        for body in NO_TEXT {
            trying(&(state, body));
            let attacker = scene.attacker(state, Carrier::Polling).expect("polling has all states");
            let query = attacker.raw.query().expect("a polling session").to_owned();
            scene.post(&query, body);
            scene.check_bounds(1, body.len());
            scene.post(&query, &[b'4'; LIMIT + 1]);
            scene.check_bounds(1, 0);
            scene.finish();
        }
        for end in [WsEnd::Closed, WsEnd::TooLarge, WsEnd::ProtocolError("bad frame".into())] {
            trying(&(state, &end));
            for carrier in CARRIERS {
                let Some(attacker) = scene.attacker(state, carrier) else { continue };
                if let Some(ws) = attacker.raw.websocket().or(attacker.candidate) {
                    scene.world.feed(Input::WsClosed { ws, end: end.clone() });
                    scene.world.wire.closed.insert(ws, true);
                    scene.check_bounds(1, 0);
                }
                scene.finish();
            }
        }
    }
}

/// SIO-CONN-03: who opens and says nothing but pongs is shown the door after 45 seconds.
#[test]
fn a_connection_without_a_namespace_ends() {
    for carrier in CARRIERS {
        let mut scene = Scene::new(config(), Carrier::WebSocket);
        let mut attacker = scene.attacker(State::Opened, carrier).expect("a state of both");
        for second in 0..60 {
            attacker.raw.receive(&mut scene.world);
            assert_eq!(attacker.raw.is_closed, second >= 45, "after {second} s");
            scene.wait(Duration::from_secs(1));
        }
        scene.finish();
    }
}

/// SIO-ENC-04, SIO-ENC-08: fields of a million digits are read in one go.
#[test]
fn a_million_digits_cost_no_more_than_their_reading() {
    let _report = Attempted;
    let limit = EngineConfig::default().max_http_buffer_size;
    let config = ServerConfig { engine: EngineConfig::default(), ..config() };
    let mut scene = Scene::new(config, Carrier::WebSocket);
    for (before, after) in [
        ("42", "[\"x\"]"),
        ("45", "-[\"x\"]"),
        ("43", "[]"),
        ("42[\"x\",", "]"),
        ("42[\"x\",1e", "]"),
    ] {
        for carrier in CARRIERS {
            trying(&(before, after, carrier));
            let digits = "9".repeat(limit - before.len() - after.len());
            let attacker = scene.attacker(State::Connected, carrier).expect("a state of both");
            let frame = Frame::text(format!("{before}{digits}{after}"));
            scene.strike(&attacker, &vec![frame], false);
            scene.finish();
        }
    }
}

#[derive(Clone, Debug)]
enum Act {
    Burst(usize),
    /// A text of the table, with a piece of another one at some place.
    Mixed(usize, usize, usize),
    Attempt(usize, bool),
    Post(Vec<u8>),
    Candidate(usize),
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => any::<usize>().prop_map(Act::Burst),
        6 => any::<(usize, usize, usize)>().prop_map(|(a, b, at)| Act::Mixed(a, b, at)),
        2 => any::<(usize, bool)>().prop_map(|(at, as_ws)| Act::Attempt(at, as_ws)),
        1 => vec(any::<u8>(), 0..40).prop_map(Act::Post),
        2 => any::<usize>().prop_map(Act::Candidate),
        1 => (0..30_000_u64).prop_map(Act::Wait),
    ]
}

fn mixed(bursts: &[Burst], one: usize, other: usize, at: usize) -> Burst {
    let texts = |at: usize| -> String {
        let frames = bursts[at % bursts.len()].iter().take(4);
        let texts = frames.filter_map(|frame| match frame {
            Frame::Text(text) => Some(&**text),
            Frame::Binary(_) => None,
        });
        texts.collect::<Vec<_>>().join("\u{1e}")
    };
    let (one, other): (Vec<char>, Vec<char>) =
        (texts(one).chars().collect(), texts(other).chars().collect());
    let (at, cut) = (at % (one.len() + 1), at / 7 % (other.len() + 1));
    let text: String =
        one[..at].iter().chain(&other[cut..]).chain(&one[at..]).take(LIMIT).collect();
    vec![Frame::text(text)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// P19: any sequence of them, mixed and mangled.
    #[test]
    fn any_sequence_of_hostile_bytes_does_no_harm(
        state in 0..STATES.len(),
        (polls, watches) in any::<(bool, bool)>(),
        acts in vec(act(), 1..16),
    ) {
        let bursts = bytes::all();
        let mut scene = Scene::new(config(), CARRIERS[usize::from(watches)]);
        let carrier = if polls { Carrier::Polling } else { Carrier::WebSocket };
        let Some(attacker) = scene.attacker(STATES[state], carrier) else { return Ok(()) };
        for act in acts {
            match act {
                Act::Burst(at) => scene.strike(&attacker, &bursts[at % bursts.len()], false),
                Act::Mixed(one, other, at) => {
                    scene.strike(&attacker, &mixed(&bursts, one, other, at), at % 2 == 0);
                }
                Act::Candidate(at) => scene.strike(&attacker, &bursts[at % bursts.len()], true),
                Act::Attempt(at, as_ws) => {
                    scene.attempt(&attacker, ATTEMPTS[at % ATTEMPTS.len()], as_ws);
                }
                Act::Post(body) => {
                    if let Some(query) = attacker.raw.query().map(str::to_owned) {
                        let size = body.len();
                        scene.post(&query, &body);
                        scene.check_bounds(size + 1, size);
                    }
                }
                Act::Wait(ms) => scene.wait(Duration::from_millis(ms)),
            }
            scene.check_bystander();
        }
        scene.finish();
    }
}
