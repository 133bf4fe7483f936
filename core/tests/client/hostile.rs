//! Any bytes, at any moment: the client neither panics nor hangs, and stop means stop (P19, P20).

use overheard_core::client::{AckStyle, ClientConfig, Command, Input, SocketOptions, Transport};
use overheard_core::wire::{Frame, RequestId, WsEnd, WsId};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::driver::{HANDSHAKE, HANDSHAKE_UPGRADE, Rig, ms};

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    /// A command of one of the sockets.
    Socket(u8, Act),
    Answer,
    Open,
    Close,
    CloseEngine,
    SetReconnection(bool),
    /// A pending request is answered: which, status is 200, body.
    Respond(u8, bool, String),
    FailRequest(u8),
    WsOpen(u8),
    WsText(u8, String),
    WsBinary(u8, Vec<u8>),
    WsFlush(u8),
    WsEnd(u8, bool),
    /// Garbage that is no UTF-8, as the body of an answer.
    Garbage(u8, Vec<u8>),
    Advance(u32),
    /// The server does what it should with the next thing that waits for it.
    Behave(bool),
}

#[derive(Clone, Debug)]
enum Act {
    Connect,
    Disconnect,
    /// Volatile or not.
    Emit(bool),
    Ask(Option<u16>),
}

const PACKETS: &[&str] = &[
    HANDSHAKE,
    HANDSHAKE_UPGRADE,
    "1",
    "2",
    "2probe",
    "3",
    "3probe",
    "4",
    "5",
    "6",
    "40",
    "40{\"sid\":\"s\"}",
    "40{\"sid\":\"s\",\"pid\":\"p\"}",
    "40/a,{\"sid\":\"t\"}",
    "41",
    "41/a,",
    "42",
    "42[\"e\",\"o1\"]",
    "420[\"q\"]",
    "42/a,1[\"q\",\"__proto__\"]",
    "42[\"connect\"]",
    "430[]",
    "431[null,1]",
    "43",
    "44{\"message\":\"no\",\"data\":1}",
    "44",
    "44/a,\"x\"",
    "451-[\"b\",{\"_placeholder\":true,\"num\":0}]",
    "4599999999-[\"b\"]",
    "461-0[{\"_placeholder\":true,\"num\":0}]",
    "bAQID",
    "b!",
];

/// A packet, whole, cut, or changed; or anything.
fn packet() -> impl Strategy<Value = String> {
    let known = prop::sample::select(PACKETS);
    prop_oneof![
        6 => known.clone().prop_map(str::to_owned),
        1 => (known.clone(), any::<prop::sample::Index>()).prop_map(|(text, cut)| {
            text[..cut.index(text.len() + 1)].to_owned()
        }),
        1 => (known, any::<prop::sample::Index>(), any::<char>()).prop_map(|(text, at, with)| {
            let mut chars: Vec<char> = text.chars().collect();
            let at = at.index(chars.len());
            chars[at] = with;
            chars.into_iter().collect()
        }),
        1 => ".{0,12}",
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => Just(Act::Connect),
        1 => Just(Act::Disconnect),
        3 => any::<bool>().prop_map(Act::Emit),
        2 => any::<Option<u16>>().prop_map(Act::Ask),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let payload = vec(packet(), 1..4).prop_map(|packets| packets.join("\u{1e}"));
    prop_oneof![
        9 => (0..3_u8, act()).prop_map(|(socket, act)| Step::Socket(socket, act)),
        1 => Just(Step::Answer),
        1 => Just(Step::Open),
        1 => Just(Step::Close),
        1 => Just(Step::CloseEngine),
        1 => any::<bool>().prop_map(Step::SetReconnection),
        8 => (any::<u8>(), prop::bool::weighted(0.9), payload)
            .prop_map(|(which, ok, body)| Step::Respond(which, ok, body)),
        1 => any::<u8>().prop_map(Step::FailRequest),
        4 => any::<u8>().prop_map(Step::WsOpen),
        8 => (any::<u8>(), packet()).prop_map(|(which, text)| Step::WsText(which, text)),
        1 => (any::<u8>(), vec(any::<u8>(), 0..9)).prop_map(|(which, data)| Step::WsBinary(which, data)),
        4 => any::<u8>().prop_map(Step::WsFlush),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(which, clean)| Step::WsEnd(which, clean)),
        1 => (any::<u8>(), vec(any::<u8>(), 0..9)).prop_map(|(which, data)| Step::Garbage(which, data)),
        3 => (0..60_000_u32).prop_map(Step::Advance),
        30 => any::<bool>().prop_map(Step::Behave),
    ]
}

fn config() -> impl Strategy<Value = ClientConfig> {
    let transports = prop_oneof![
        Just(vec![Transport::Polling]),
        Just(vec![Transport::WebSocket]),
        Just(vec![Transport::Polling, Transport::WebSocket]),
        Just(vec![Transport::WebSocket, Transport::Polling]),
    ];
    (transports, any::<bool>(), prop::option::of(0..4_u32)).prop_map(
        |(transports, remember, limit)| ClientConfig {
            transports,
            remember_upgrade: remember,
            reconnection_attempts: limit,
            ..ClientConfig::default()
        },
    )
}

struct World {
    rig: Rig,
    sockets: [overheard_core::client::SocketHandle; 3],
    sessions: u32,
    tokens: u64,
}

impl World {
    fn new(config: ClientConfig) -> Self {
        let mut rig = Rig::new(config);
        rig.auto_flush = false;
        let retrying =
            SocketOptions { retries: 2, ack_timeout: Some(ms(500)), ..Default::default() };
        let sockets = [rig.socket("/"), rig.socket("/a"), rig.socket_with("/retrying", retrying)];
        Self { rig, sockets, sessions: 0, tokens: 0 }
    }

    fn request(&self, which: u8) -> Option<RequestId> {
        let count = self.rig.requests.len().max(1);
        self.rig.requests.keys().nth(usize::from(which) % count).copied()
    }

    fn ws(&self, which: u8, opened: bool) -> Option<WsId> {
        let fit: Vec<_> =
            self.rig.websockets.iter().filter(|(_, ws)| ws.opened == opened).collect();
        fit.get(usize::from(which) % fit.len().max(1)).map(|(id, _)| **id)
    }

    /// Each handshake names a session of its own.
    fn fresh(&mut self, text: &str) -> String {
        self.sessions += 1;
        text.replace("\"E\"", &format!("\"E{}\"", self.sessions))
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Socket(socket, act) => self.act(usize::from(socket), &act),
            Step::Answer => {
                if let Some(ack) = self.rig.acks.pop() {
                    self.rig.command(Command::Answer { ack, args: Vec::new() });
                }
            }
            Step::Open => self.rig.command(Command::Open),
            Step::Close => self.rig.command(Command::Close),
            Step::CloseEngine => self.rig.command(Command::CloseEngine),
            Step::SetReconnection(allowed) => self.rig.command(Command::SetReconnection(allowed)),
            Step::Respond(which, ok, body) => {
                let body = self.fresh(&body);
                if let Some(request) = self.request(which) {
                    self.rig.respond(request, if ok { 200 } else { 400 }, body.as_bytes());
                }
            }
            Step::Garbage(which, body) => {
                if let Some(request) = self.request(which) {
                    self.rig.respond(request, 200, &body);
                }
            }
            Step::FailRequest(which) => {
                if let Some(request) = self.request(which) {
                    self.rig.fail(request);
                }
            }
            Step::WsOpen(which) => {
                if let Some(ws) = self.ws(which, false) {
                    self.rig.websockets.get_mut(&ws).unwrap().opened = true;
                    self.rig.input(Input::WsOpened { ws });
                }
            }
            Step::WsText(which, text) => {
                let text = self.fresh(&text);
                self.frame(which, Frame::text(text));
            }
            Step::WsBinary(which, data) => self.frame(which, Frame::Binary(data.into())),
            Step::WsFlush(which) => self.flush(which),
            Step::WsEnd(which, clean) => {
                let ws = self.ws(which, clean).or_else(|| self.ws(which, !clean));
                if let Some(ws) = ws {
                    self.rig.websockets.remove(&ws);
                    let end = if clean { WsEnd::Closed } else { WsEnd::TooLarge };
                    self.rig.input(Input::WsClosed { ws, end });
                }
            }
            Step::Advance(millis) => self.rig.advance(ms(millis.into())),
            Step::Behave(upgrade) => self.behave(upgrade),
        }
        let due = self.rig.client.poll_timeout();
        assert!(due.is_none_or(|(at, _)| at > self.rig.now), "P20: a timer is never overdue");
    }

    fn act(&mut self, socket: usize, act: &Act) {
        self.tokens += 1;
        let socket = self.sockets[socket];
        match *act {
            Act::Connect => self.rig.connect(socket),
            Act::Disconnect => self.rig.disconnect(socket),
            Act::Emit(true) => self.rig.emit_volatile(socket, "v"),
            Act::Emit(false) => self.rig.emit(socket, "e"),
            Act::Ask(timeout) => {
                let promise = self.tokens.is_multiple_of(2);
                let style = if promise { AckStyle::Promise } else { AckStyle::Callback };
                let timeout = timeout.map(|millis| ms(millis.into()));
                self.rig.ask(socket, "q", self.tokens, style, timeout);
            }
        }
    }

    fn frame(&mut self, which: u8, frame: Frame) {
        if let Some(ws) = self.ws(which, true) {
            self.rig.input(Input::WsFrames { ws, frames: vec![frame] });
        }
    }

    fn flush(&mut self, which: u8) {
        let busy: Vec<_> = self
            .rig
            .websockets
            .iter()
            .filter(|(_, ws)| ws.unflushed > 0)
            .map(|(id, _)| *id)
            .collect();
        if let Some(&ws) = busy.get(usize::from(which) % busy.len().max(1)) {
            self.rig.websockets.get_mut(&ws).unwrap().unflushed -= 1;
            self.rig.input(Input::WsFlushed { ws });
        }
    }

    /// One step of a faultless server, on a WebSocket or else on polling.
    fn behave(&mut self, upgrade: bool) {
        let handshake = if upgrade { HANDSHAKE_UPGRADE } else { HANDSHAKE };
        let event = if upgrade { "42[\"e\",\"o1\"]" } else { "6" };
        if let Some(ws) = self.ws(0, false) {
            let opens = !self.rig.websockets[&ws].query.contains("sid=");
            self.step(Step::WsOpen(0));
            if opens {
                let handshake = self.fresh(handshake);
                self.rig.input(Input::WsFrames { ws, frames: vec![Frame::text(handshake)] });
            }
        } else if self.rig.websockets.values().any(|ws| ws.unflushed > 0) {
            self.flush(0);
        } else if let Some(frame) =
            self.rig.websockets.values_mut().find_map(|ws| ws.sent.pop_front())
        {
            if let Frame::Text(text) = frame {
                let answer = consent(&text);
                let ws = self.rig.websockets.iter().find(|(_, ws)| ws.opened).map(|(id, _)| *id);
                if let Some((ws, answer)) = ws.zip(answer) {
                    self.rig.input(Input::WsFrames { ws, frames: vec![Frame::text(answer)] });
                }
            }
        } else if self.rig.pending(true).is_some() {
            let body = self.rig.answer_post();
            let answers: Vec<_> = body.split('\u{1e}').filter_map(consent).collect();
            if !answers.is_empty() && self.rig.pending(false).is_some() {
                self.rig.answer_get(&answers.join("|"));
            }
        } else if let Some(get) = self.rig.pending(false) {
            let opens = !self.rig.requests[&get].query.contains("sid=");
            let body = self.fresh(if opens { handshake } else { event });
            self.rig.respond(get, 200, body.as_bytes());
        } else {
            self.frame(0, Frame::text(event));
        }
    }

    /// The network ends everything that is still under way.
    fn settle(&mut self) {
        for _ in 0..100 {
            self.rig.fail_all();
        }
        let quiet = self.rig.requests.is_empty() && self.rig.websockets.is_empty();
        assert!(quiet, "the client goes on for ever");
    }
}

/// What a server answers to a packet, when it owes an answer.
fn consent(packet: &str) -> Option<String> {
    match packet {
        "2probe" => return Some("3probe".to_owned()),
        "40/a," => return Some("40/a,{\"sid\":\"t\"}".to_owned()),
        "40/retrying," => return Some("40/retrying,{\"sid\":\"u\"}".to_owned()),
        _ => {}
    }
    if packet.starts_with("40") {
        return Some("40{\"sid\":\"s\",\"pid\":\"p\"}".to_owned());
    }
    let retried = packet.strip_prefix("42/retrying,")?;
    let id: String = retried.chars().take_while(char::is_ascii_digit).collect();
    (!id.is_empty()).then(|| format!("43/retrying,{id}[1]"))
}

/// The situations for which the properties below exist do happen in them.
#[test]
fn hostile_runs_reach_the_deep_states() {
    let mut runner = TestRunner::deterministic();
    let mut seen = String::new();
    for _ in 0..300 {
        let input = (config(), vec(step(), 0..60)).new_tree(&mut runner).unwrap().current();
        let mut world = World::new(input.0);
        for step in input.1 {
            world.step(step);
        }
        seen.push_str(&world.rig.take_events().join("\n"));
        seen.push_str(&world.rig.wire.join("\n"));
    }
    for mark in [
        "/ connect s",
        "/ connect s recovered",
        "/a connect t",
        "/retrying connect u",
        "upgraded",
        "upgrade failed",
        "reconnect 1",
        "reconnect_attempt 2",
        "reconnect_failed",
        "disconnect: ping timeout",
        "disconnect: parse error",
        "disconnect: transport error",
        "disconnect: transport close",
        "disconnect: io server disconnect",
        "disconnect: io client disconnect",
        "connect_error: timeout",
        "connect_error: no 1",
        ": [1]",
        "operation has timed out",
        "socket has been disconnected",
        "dropped v",
        "/ q? []",
        "abort GET",
        "POST 1",
        "\"offset\":\"o1\"",
    ] {
        assert!(seen.contains(mark), "no run reached {mark:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// P19, P20, CLI-12: whatever happened, disconnecting all sockets ends it: one last event
    /// each at most, no further attempt, no timer but those of acks, nothing pending.
    #[test]
    fn stop_means_stop(config in config(), steps in vec(step(), 0..60), by_close in any::<bool>()) {
        let mut world = World::new(config);
        for step in steps {
            world.step(step);
        }
        if by_close {
            world.rig.command(Command::Close);
        }
        for socket in world.sockets {
            world.rig.disconnect(socket);
        }
        world.rig.forget();
        world.settle();
        world.rig.advance(ms(200_000));
        prop_assert_eq!(world.rig.attempts, 0, "P20: no attempt after the stop");
        prop_assert!(world.rig.client.is_idle(), "P20: {:?}", world.rig);
        let events = world.rig.take_events();
        prop_assert!(
            events.iter().all(|event| event.contains(" ack ")),
            "P20: silence after the stop, but {:?}", events
        );
        // And it works again.
        let socket = world.sockets[0];
        world.rig.connect(socket);
        prop_assert_eq!(world.rig.attempts, 1);
    }

    /// P19: the same inputs give the same outputs.
    #[test]
    fn runs_repeat(config in config(), steps in vec(step(), 0..40)) {
        let run = || {
            let mut world = World::new(config.clone());
            for step in steps.clone() {
                world.step(step);
            }
            (world.rig.take_events(), world.rig.wire)
        };
        prop_assert_eq!(run(), run());
    }
}
