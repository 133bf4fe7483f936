//! Runs every vector of every `engine-exchanges*.json` in `tests/vectors` through the Engine.IO
//! machine alone.
//!
//! A further file of this format that is dropped there runs without a change here. The machine
//! runs with the reference's artefacts; what the default mends is tested beside the code.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::too_many_lines, clippy::wildcard_enum_match_arm, reason = "a step is one table")]

mod support;

use std::collections::BTreeMap;

use overheard_core::codec::engine::Data;
use overheard_core::codec::sio::json;
use overheard_core::engine::{
    ConnId, Engine, EngineConfig, EngineEvent, EngineQuirks, Input, Method, RequestDecision,
};
use overheard_core::event::CloseReason;
use overheard_core::time::{Duration, Instant};
use overheard_core::value::Value;
use overheard_core::wire::{Frame, RequestId, WsId};
use support::vectors::{Vector, bytes_of, each, hex, known_sections, transports};
use support::{CountingIds, Frames as _, Got, Wire, complete, text};

/// The version of the reference whose answers count where versions differ (`VER-02`).
const VERSION: &str = "6.6.12";

/// How long the reference runner waits for quiet after each step.
const SETTLE: Duration = Duration::from_millis(5);

struct World {
    engine: Engine,
    now: Instant,
    wire: Wire,
    events: Vec<String>,
    sids: BTreeMap<String, String>,
    sockets: BTreeMap<String, WsId>,
    polls: BTreeMap<String, RequestId>,
    last: Option<ConnId>,
    refusal: Option<String>,
}

impl World {
    fn new(server: &Value) -> Self {
        let mut config = EngineConfig {
            path: "/engine.io/".into(),
            quirks: EngineQuirks::reference(),
            ..EngineConfig::default()
        };
        let mut refusal = None;
        for (key, value) in server.as_object().expect("server options").iter() {
            let ms = value.as_int().map(|ms| Duration::from_millis(ms.try_into().unwrap()));
            match key {
                "pingInterval" => config.ping_interval = ms.unwrap(),
                "pingTimeout" => config.ping_timeout = ms.unwrap(),
                "upgradeTimeout" => config.upgrade_timeout = ms.unwrap(),
                "maxHttpBufferSize" => {
                    config.max_http_buffer_size = value.as_int().unwrap().try_into().unwrap();
                }
                "allowUpgrades" => config.allow_upgrades = value.as_bool().unwrap(),
                "transports" => config.transports = transports(value),
                "initialPacket" => {
                    config.initial_packet = Some(value.as_str().unwrap().to_owned().into());
                }
                "allowRequest" => {
                    config.check_requests = true;
                    refusal = value.as_str().map(ToOwned::to_owned);
                }
                other => panic!("unknown server option {other}"),
            }
        }
        Self {
            engine: Engine::new(config, Box::new(CountingIds(0)), Instant::ZERO),
            now: Instant::ZERO,
            wire: Wire::default(),
            events: Vec::new(),
            sids: BTreeMap::new(),
            sockets: BTreeMap::new(),
            polls: BTreeMap::new(),
            last: None,
            refusal,
        }
    }

    fn feed(&mut self, input: Input) {
        self.engine.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        for _ in 0..10_000 {
            if let Some(event) = self.engine.poll_event() {
                self.on_event(event);
            } else if let Some(output) = self.engine.poll_output() {
                if let Some(ws) = self.wire.perform(output) {
                    let frames = self.engine.take(ws);
                    self.wire.receive(ws, frames);
                    self.engine.handle(self.now, Input::WsFlushed(ws));
                }
            } else {
                return;
            }
        }
        panic!("the machine does not come to rest");
    }

    fn on_event(&mut self, event: EngineEvent) {
        match event {
            EngineEvent::Open { conn } => self.last = Some(conn),
            EngineEvent::Message { data, .. } => self.events.push(match data {
                Data::None => "msg:undefined".into(),
                Data::Text(text) => format!("msg:{text}"),
                Data::Binary(data) => format!("msg:<{}>", hex(&data)),
            }),
            EngineEvent::Heartbeat { .. } => self.events.push("heartbeat".into()),
            EngineEvent::Upgrading { .. } => self.events.push("upgrading".into()),
            EngineEvent::Upgraded { .. } => self.events.push("upgrade".into()),
            EngineEvent::Close { reason, .. } => self.events.push(match &reason {
                CloseReason::TransportError(text) => format!("close:{reason}:{text}"),
                _ => format!("close:{reason}"),
            }),
            EngineEvent::CheckRequest { ticket, .. } => {
                let decision = RequestDecision::Forbid(self.refusal.clone());
                self.engine.decide_request(ticket, decision);
            }
            EngineEvent::ConnectionError { .. } | EngineEvent::ChooseId { .. } => {}
        }
    }

    fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some((at, _)) = self.engine.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.feed(Input::Timeout);
        }
        self.now = end;
    }

    /// `$A` is the polling query of session A, `$A.sid` its id.
    fn query(&self, text: &str) -> String {
        if let Some(name) = text.strip_prefix('$') {
            return format!("EIO=4&transport=polling&sid={}", self.sids[name]);
        }
        match text.split_once('$') {
            Some((before, name)) => format!("{before}{}", self.sids[name.trim_end_matches(".sid")]),
            None => text.to_owned(),
        }
    }

    /// Starts a request and hands in its body, if the machine wants one.
    fn http(
        &mut self,
        method: &str,
        query: &str,
        body: Option<&str>,
        headers: &Value,
    ) -> RequestId {
        let method = match method {
            "GET" => Method::Get,
            "POST" => Method::Post,
            _ => Method::Other,
        };
        let headers: Vec<(&str, &str)> = headers.as_object().map_or(Vec::new(), |headers| {
            headers.iter().map(|(key, value)| (key, value.as_str().unwrap())).collect()
        });
        let (request, input) = self.wire.request(method, &self.query(query), &headers);
        self.feed(input);
        while let Some((request, _)) = self.wire.bodies_wanted.pop_front() {
            self.feed(complete(request, body.unwrap_or_default().to_owned()));
        }
        request
    }

    fn expect_reply(&self, request: RequestId, reply: &Value) {
        let reply = reply.as_object().unwrap();
        if let Some(by_version) = reply.get("$by") {
            let reply = by_version.as_object().unwrap().get(VERSION).expect("this version");
            return self.expect_reply(request, reply);
        }
        let response = self.wire.responses.get(&request).expect("an answer");
        let body = text(response);
        let header = |name: &str| {
            let found = response.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str())
        };
        for (key, value) in reply.iter() {
            match key {
                "status" => assert_eq!(i64::from(response.status), value.as_int().unwrap()),
                "body" => assert_eq!(body, value.as_str().unwrap()),
                "body_prefix" => assert!(body.starts_with(value.as_str().unwrap()), "{body}"),
                "handshake" => expect_handshake(&body[1..], value),
                "keys" => {
                    let open = json::parse(&body[1..]).unwrap();
                    let keys = open.as_object().unwrap().iter().map(|(key, _)| Value::from(key));
                    assert_eq!(Value::Array(keys.collect()), *value);
                }
                "content_type" => assert_eq!(header("content-type"), value.as_str()),
                "cache_control" => assert_eq!(header("cache-control"), value.as_str()),
                other => panic!("unknown expectation {other}"),
            }
        }
    }

    /// What a WebSocket has received since the last look.
    fn received(&mut self, name: &str) -> Vec<Value> {
        let inbox = self.wire.inboxes.get_mut(&self.sockets[name]).unwrap();
        let mut out = Vec::new();
        for got in inbox.drain(..) {
            match got {
                Got::Open => out.push(Value::from("OPEN")),
                Got::Frame(Frame::Text(text)) => out.push(Value::from(&*text)),
                Got::Frame(Frame::Binary(data)) => out.push(Value::Binary(data)),
                Got::Http(status, body) => out.push(Value::from(format!("HTTP {status} {body}"))),
                Got::Broken => {
                    out.push(Value::from("ERR:Invalid WebSocket frame"));
                    out.push(Value::from("CLOSE:1006"));
                }
                Got::Close(code) => out.push(Value::from(format!("CLOSE:{code}"))),
            }
        }
        out
    }

    fn step(&mut self, step: &Value) {
        let step = step.as_object().unwrap();
        let (verb, value) = step.iter().next().expect("a verb");
        match verb {
            "http" => {
                let [method, query, body, headers] = value.as_array().unwrap() else { panic!() };
                let (method, query) = (method.as_str().unwrap(), query.as_str().unwrap());
                let request = self.http(method, query, body.as_str(), headers);
                self.expect_reply(request, step.get("reply").unwrap());
            }
            "hs" => {
                let request = self.http("GET", "EIO=4&transport=polling", None, &Value::Null);
                let open = text(&self.wire.responses[&request]);
                let open = json::parse(&open[1..]).unwrap();
                let sid = open.as_object().unwrap().get("sid").unwrap().as_str().unwrap();
                self.sids.insert(value.as_str().unwrap().into(), sid.into());
            }
            "getStart" => {
                let name = value.as_str().unwrap();
                let request = self.http("GET", &format!("${name}"), None, &Value::Null);
                assert!(!self.wire.responses.contains_key(&request), "answered too early");
                self.polls.insert("last".into(), request);
            }
            "getEnd" => self.expect_reply(self.polls["last"], value),
            "wsopen" => {
                let [name, query] = value.as_array().unwrap() else { panic!() };
                let (ws, input) = self.wire.websocket(&self.query(query.as_str().unwrap()));
                self.sockets.insert(name.as_str().unwrap().into(), ws);
                self.feed(input);
            }
            "tx" => {
                let [name, frame] = value.as_array().unwrap() else { panic!() };
                let ws = self.sockets[name.as_str().unwrap()];
                let frame = match bytes_of(frame) {
                    Some(data) => Frame::Binary(data),
                    None => Frame::text(frame.as_str().unwrap().to_owned()),
                };
                self.feed(Input::WsFrames { ws, frames: vec![frame] });
            }
            "rx" => {
                let (name, expected) = value.as_array().unwrap().split_first().unwrap();
                assert_eq!(self.received(name.as_str().unwrap()), expected);
            }
            "rxMatch" => {
                let (name, patterns) = value.as_array().unwrap().split_first().unwrap();
                let received = self.received(name.as_str().unwrap());
                assert_eq!(received.len(), patterns.len(), "{received:?}");
                for (got, pattern) in received.iter().zip(patterns) {
                    let pattern = regex::Regex::new(pattern.as_str().unwrap()).unwrap();
                    assert!(pattern.is_match(got.as_str().unwrap()), "{got:?} is not {pattern}");
                }
            }
            "handshake" => {
                let [name, expected] = value.as_array().unwrap() else { panic!() };
                let received = self.received(name.as_str().unwrap());
                assert_eq!(received[0], Value::from("OPEN"), "EIO-HS-01");
                expect_handshake(&received[1].as_str().unwrap()[1..], expected);
            }
            "drop" => {
                self.received(value.as_str().unwrap());
            }
            "ev" => {
                let events = std::mem::take(&mut self.events).into_iter().map(Value::from);
                assert_eq!(Value::Array(events.collect()), *value);
            }
            "evUnique" => {
                let mut events = std::mem::take(&mut self.events);
                events.dedup();
                let events = events.into_iter().map(Value::from);
                assert_eq!(Value::Array(events.collect()), *value);
            }
            "send" => self.send(&overheard_core::codec::engine::Packet::message(
                value.as_str().unwrap().to_owned(),
            )),
            "sendbin" => self.send(&overheard_core::codec::engine::Packet::binary(
                support::vectors::unhex(value.as_str().unwrap()),
            )),
            "close" => {
                self.engine.close(self.last.expect("a session"));
                self.drain();
            }
            "wait" => {
                self.advance(Duration::from_millis(value.as_int().unwrap().try_into().unwrap()))
            }
            other => panic!("unknown step {other}"),
        }
        self.advance(SETTLE);
    }

    fn send(&mut self, packet: &overheard_core::codec::engine::Packet) {
        self.engine.send_message(self.last.expect("a session"), packet);
        self.drain();
    }
}

fn expect_handshake(open: &str, expected: &Value) {
    let open = json::parse(open).unwrap();
    for (key, value) in expected.as_object().unwrap().iter() {
        assert_eq!(open.as_object().unwrap().get(key), Some(value), "EIO-HS-02: {key}");
    }
}

/// The exchanges exercise EIO-HS-01, EIO-HS-02, EIO-HS-04, EIO-HS-06, EIO-HS-07, EIO-HS-08,
/// EIO-PKT-03, EIO-PKT-05, EIO-PKT-06, EIO-PKT-07, EIO-POLL-03, EIO-POLL-04, EIO-POLL-05,
/// EIO-POLL-06, EIO-POLL-09, EIO-WS-01, EIO-WS-03, EIO-WS-04, EIO-WS-06, EIO-HB-02, EIO-HB-04,
/// EIO-HB-05, EIO-HB-07, EIO-UP-01 to EIO-UP-07, EIO-UP-09, EIO-UP-10, EIO-CLOSE-01,
/// EIO-CLOSE-02, EIO-CLOSE-03, EIO-CLOSE-07, EIO-ERR-01, EIO-ERR-02, EIO-ERR-04, EIO-ERR-06,
/// EIO-ERR-07, EIO-ERR-08.
#[test]
fn engine_exchanges_are_those_of_the_reference() {
    known_sections("engine-exchanges", &["conventions", "steps", "vectors"]);
    each("engine-exchanges", "vectors", |vector: &Vector| {
        let mut world = World::new(vector.get("server"));
        for step in vector.array("steps") {
            vector.at(step);
            world.step(step);
        }
    });
}
