//! A small host with a hand-operated server: it keeps what the client asked for, and checks what
//! must hold after every input.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use overheard_core::client::{
    AckHandle, AckStyle, AckToken, Client, ClientConfig, Command, Emit, Event, Input, Output,
    Random, SocketHandle, SocketOptions, TimerKind, Transport,
};
use overheard_core::codec::sio::json;
use overheard_core::time::Instant;
use overheard_core::value::{Object, Value};
use overheard_core::wire::{Frame, RequestId, WsEnd, WsId};
use serde_json::Value as Json;

/// Steps after which a loop of timers counts as endless.
const MAX_TIMERS: usize = 10_000;

pub(crate) const HANDSHAKE: &str =
    r#"0{"sid":"E","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
pub(crate) const HANDSHAKE_UPGRADE: &str = r#"0{"sid":"E","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

/// Chance that always says the same.
#[derive(Debug)]
pub(crate) struct Fixed(pub(crate) f64);

impl Random for Fixed {
    fn next_f64(&mut self) -> f64 {
        self.0
    }
}

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) post: Option<String>,
    pub(crate) query: String,
}

#[derive(Debug)]
pub(crate) struct WebSocket {
    pub(crate) query: String,
    pub(crate) opened: bool,
    pub(crate) sent: VecDeque<Frame>,
    pub(crate) unflushed: usize,
}

#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) client: Client,
    pub(crate) now: Instant,
    pub(crate) requests: BTreeMap<RequestId, Request>,
    pub(crate) websockets: BTreeMap<WsId, WebSocket>,
    /// Whether writes are reported as done at once.
    pub(crate) auto_flush: bool,
    /// Everything on the wire, oldest first.
    pub(crate) wire: Vec<String>,
    pub(crate) acks: Vec<AckHandle>,
    pub(crate) attempts: usize,
    events: Vec<String>,
    nsps: BTreeMap<SocketHandle, String>,
}

pub(crate) fn ws_only() -> ClientConfig {
    ClientConfig { transports: vec![Transport::WebSocket], ..ClientConfig::default() }
}

pub(crate) fn polling_only() -> ClientConfig {
    ClientConfig { transports: vec![Transport::Polling], ..ClientConfig::default() }
}

pub(crate) fn args(json: &str) -> Vec<Value> {
    json::parse(json).unwrap().as_array().unwrap().to_vec()
}

pub(crate) fn object(json: &str) -> Object {
    json::parse(json).unwrap().as_object().unwrap().clone()
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Rig {
    /// The least chance: delays of reconnection are 1, 2, 4, 5, 5, … seconds.
    pub(crate) fn new(config: ClientConfig) -> Self {
        Self {
            client: Client::new(config, Box::new(Fixed(0.0)), Instant::ZERO),
            now: Instant::ZERO,
            requests: BTreeMap::new(),
            websockets: BTreeMap::new(),
            auto_flush: true,
            wire: Vec::new(),
            acks: Vec::new(),
            attempts: 0,
            events: Vec::new(),
            nsps: BTreeMap::new(),
        }
    }

    /// A client with one socket that is connected by WebSocket, and nothing in its records.
    pub(crate) fn connected(options: SocketOptions) -> (Self, SocketHandle) {
        let mut rig = Self::new(ws_only());
        let socket = rig.socket_with("/", options);
        rig.connect(socket);
        rig.ws_handshake(HANDSHAKE);
        rig.ws_text("40{\"sid\":\"s1\"}");
        rig.forget();
        (rig, socket)
    }

    pub(crate) fn socket(&mut self, nsp: &str) -> SocketHandle {
        self.socket_with(nsp, SocketOptions::default())
    }

    pub(crate) fn socket_with(&mut self, nsp: &str, options: SocketOptions) -> SocketHandle {
        let socket = self.client.socket(nsp, options).unwrap();
        self.nsps.insert(socket, self.client.nsp(socket).unwrap().to_string());
        socket
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.client.handle(self.now, input).unwrap();
        self.drain();
        while self.auto_flush
            && let Some(ws) = self.unflushed_ws()
        {
            self.websockets.get_mut(&ws).unwrap().unflushed -= 1;
            self.client.handle(self.now, Input::WsFlushed { ws }).unwrap();
            self.drain();
        }
        self.check_requests();
    }

    fn unflushed_ws(&self) -> Option<WsId> {
        self.websockets.iter().find(|(_, ws)| ws.unflushed > 0).map(|(id, _)| *id)
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::HttpGet { request, query } => {
                    self.count_attempt(&query);
                    self.wire.push(format!("GET {query}"));
                    self.requests.insert(request, Request { post: None, query });
                }
                Output::HttpPost { request, query, body } => {
                    self.wire.push(format!("POST {}", body.replace('\u{1e}', "|")));
                    let post = Some(body.to_string());
                    self.requests.insert(request, Request { post, query });
                }
                Output::HttpAbort { request } => {
                    let request = self.requests.remove(&request);
                    let request = request.expect("only pending requests are cancelled");
                    self.wire.push(format!(
                        "abort {}",
                        if request.post.is_some() { "POST" } else { "GET" }
                    ));
                }
                Output::OpenWs { ws, query } => {
                    self.count_attempt(&query);
                    self.wire.push(format!("WS {query}"));
                    let sent = VecDeque::new();
                    let open = WebSocket { query, opened: false, sent, unflushed: 0 };
                    self.websockets.insert(ws, open);
                }
                Output::WsSend { ws, frames } => {
                    let ws = self.websockets.get_mut(&ws).expect("a closed one sends nothing");
                    assert!(ws.opened, "nothing is sent before a WebSocket is open");
                    ws.unflushed += 1;
                    for frame in frames {
                        self.wire.push(show_frame(&frame));
                        ws.sent.push_back(frame);
                    }
                }
                Output::WsClose { ws } => {
                    self.websockets.remove(&ws).expect("a WebSocket is closed once");
                    self.wire.push("close".to_owned());
                }
                Output::Event(event) => self.on_event(event),
            }
        }
    }

    fn count_attempt(&mut self, query: &str) {
        if !query.contains("sid=") {
            self.attempts += 1;
            let pending = self.requests.values().filter(|r| !r.query.contains("sid=")).count()
                + self
                    .websockets
                    .values()
                    .filter(|ws| !ws.opened && !ws.query.contains("sid="))
                    .count();
            assert_eq!(pending, 0, "P20: two attempts to connect in flight");
        }
    }

    /// I21, EIO-POLL-01, EIO-POLL-02: at most one GET and one POST of a session are pending.
    fn check_requests(&self) {
        let mut seen = BTreeSet::new();
        for request in self.requests.values() {
            let key = (&request.query, request.post.is_some());
            assert!(seen.insert(key), "overlapping requests: {:?}", self.requests);
        }
    }

    fn on_event(&mut self, event: Event) {
        let nsp = |socket| self.nsps[&socket].as_str();
        let shown = match event {
            Event::Open => "open".to_owned(),
            Event::Close { reason, .. } => format!("close: {reason}"),
            Event::Error { message, .. } => format!("error: {message}"),
            Event::Ping => "ping".to_owned(),
            Event::Upgraded => "upgraded".to_owned(),
            Event::UpgradeFailed { message } => format!("upgrade failed: {message}"),
            Event::ReconnectAttempt { attempt } => format!("reconnect_attempt {attempt}"),
            Event::Reconnect { attempt } => format!("reconnect {attempt}"),
            Event::ReconnectError { message } => format!("reconnect_error: {message}"),
            Event::ReconnectFailed => "reconnect_failed".to_owned(),
            Event::Connected { socket, sid, recovered } => {
                let recovered = if recovered { " recovered" } else { "" };
                format!("{} connect {sid}{recovered}", nsp(socket))
            }
            Event::ConnectError { socket, message, data } => {
                let data = data.map(|data| format!(" {}", json::stringify(&data)));
                format!("{} connect_error: {message}{}", nsp(socket), data.unwrap_or_default())
            }
            Event::Received { socket, name, args, ack } => {
                let question = if ack.is_some() { "?" } else { "" };
                self.acks.extend(ack);
                format!("{} {name}{question} {}", nsp(socket), show_args(args))
            }
            Event::AnyIncoming { socket, data } => {
                format!("{} in {}", nsp(socket), show_args(data))
            }
            Event::AnyOutgoing { socket, data } => {
                format!("{} out {}", nsp(socket), show_args(data))
            }
            Event::Acked { socket, token, result } => {
                let result = result.map_or_else(|error| error.to_string(), show_args);
                format!("{} ack {}: {result}", nsp(socket), token.0)
            }
            Event::VolatileDropped { socket, name } => format!("{} dropped {name}", nsp(socket)),
            Event::Disconnected { socket, reason, was_connected, .. } => {
                let never = if was_connected { "" } else { " (never connected)" };
                format!("{} disconnect: {reason}{never}", nsp(socket))
            }
            Event::Refused { socket, refusal, .. } => format!("{} refused: {refusal}", nsp(socket)),
        };
        self.events.push(shown);
    }

    // Commands

    pub(crate) fn command(&mut self, command: Command) {
        self.input(Input::Command(command));
    }

    pub(crate) fn connect(&mut self, socket: SocketHandle) {
        self.command(Command::Connect { socket });
    }

    pub(crate) fn disconnect(&mut self, socket: SocketHandle) {
        self.command(Command::Disconnect { socket });
    }

    pub(crate) fn emit(&mut self, socket: SocketHandle, name: &str) {
        self.command(Command::Emit { socket, emit: Emit::new(name, []) });
    }

    pub(crate) fn emit_volatile(&mut self, socket: SocketHandle, name: &str) {
        self.command(Command::Emit { socket, emit: Emit::new(name, []).volatile() });
    }

    pub(crate) fn ask(
        &mut self,
        socket: SocketHandle,
        name: &str,
        token: u64,
        style: AckStyle,
        timeout: Option<Duration>,
    ) {
        let emit = Emit::new(name, []).with_ack(AckToken(token), style, timeout);
        self.command(Command::Emit { socket, emit });
    }

    // Time

    /// Lets time pass, timer by timer.
    pub(crate) fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut fired = 0;
        while let Some((at, _)) = self.client.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = at.max(self.now);
            self.input(Input::Timeout);
            fired += 1;
            assert!(fired < MAX_TIMERS, "timers without end");
        }
        self.now = end;
    }

    pub(crate) fn timer(&self) -> Option<(u64, TimerKind)> {
        self.client.poll_timeout().map(|(at, kind)| (at.as_millis(), kind))
    }

    // The server's side

    pub(crate) fn pending(&self, post: bool) -> Option<RequestId> {
        let found = self.requests.iter().rev().find(|(_, r)| r.post.is_some() == post);
        found.map(|(request, _)| *request)
    }

    #[track_caller]
    pub(crate) fn answer_get(&mut self, packets: &str) {
        let request = self.pending(false).expect("a GET is pending");
        self.respond(request, 200, packets.replace('|', "\u{1e}").as_bytes());
    }

    #[track_caller]
    pub(crate) fn answer_post(&mut self) -> String {
        let request = self.pending(true).expect("a POST is pending");
        let body = self.requests[&request].post.clone().unwrap();
        self.respond(request, 200, b"ok");
        body
    }

    pub(crate) fn respond(&mut self, request: RequestId, status: u16, body: &[u8]) {
        self.requests.remove(&request);
        let body = Bytes::copy_from_slice(body);
        self.input(Input::HttpResponse { request, status, body });
    }

    pub(crate) fn fail(&mut self, request: RequestId) {
        self.requests.remove(&request);
        self.input(Input::HttpFailed { request });
    }

    #[track_caller]
    pub(crate) fn ws(&self) -> WsId {
        *self.websockets.last_key_value().expect("there is a WebSocket").0
    }

    pub(crate) fn ws_open(&mut self) {
        let ws = self.ws();
        self.websockets.get_mut(&ws).unwrap().opened = true;
        self.input(Input::WsOpened { ws });
    }

    pub(crate) fn ws_handshake(&mut self, handshake: &str) {
        self.ws_open();
        self.ws_text(handshake);
    }

    pub(crate) fn ws_text(&mut self, text: &str) {
        self.ws_frames(vec![Frame::text(text)]);
    }

    pub(crate) fn ws_frames(&mut self, frames: Vec<Frame>) {
        let ws = self.ws();
        self.input(Input::WsFrames { ws, frames });
    }

    pub(crate) fn ws_flush(&mut self) {
        let ws = self.ws();
        let socket = self.websockets.get_mut(&ws).unwrap();
        assert!(socket.unflushed > 0, "nothing to flush");
        socket.unflushed -= 1;
        self.input(Input::WsFlushed { ws });
    }

    pub(crate) fn ws_end(&mut self, end: WsEnd) {
        let ws = self.ws();
        self.websockets.remove(&ws);
        self.input(Input::WsClosed { ws, end });
    }

    /// Fails whatever the client waits for, as a dead network does.
    pub(crate) fn fail_all(&mut self) {
        while let Some(request) = self.requests.keys().next().copied() {
            self.fail(request);
        }
        while !self.websockets.is_empty() {
            self.ws_end(WsEnd::Closed);
        }
    }

    // Records

    pub(crate) fn forget(&mut self) {
        self.events.clear();
        self.wire.clear();
        self.attempts = 0;
    }

    pub(crate) fn take_events(&mut self) -> Vec<String> {
        std::mem::take(&mut self.events)
    }

    #[track_caller]
    pub(crate) fn expect_events(&mut self, expect: &[&str]) {
        assert_eq!(self.take_events(), expect);
    }

    #[track_caller]
    pub(crate) fn expect_wire(&mut self, expect: &[&str]) {
        assert_eq!(std::mem::take(&mut self.wire), expect);
    }
}

fn show_args(args: Vec<Value>) -> String {
    json::stringify(&Value::Array(args))
}

fn show_frame(frame: &Frame) -> String {
    match frame {
        Frame::Text(text) => text.to_string(),
        Frame::Binary(data) => format!("{data:?}"),
    }
}

/// A section of every `tests/vectors/facts*.json` that has it.
pub(crate) fn facts(section: &str) -> Vec<Json> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("facts"))
        .collect();
    files.sort();
    let texts = files.iter().map(|path| std::fs::read_to_string(path).unwrap());
    let sections: Vec<Json> = texts
        .map(|text| serde_json::from_str::<Json>(&text).unwrap())
        .filter_map(|facts| facts.get(section).cloned())
        .collect();
    assert!(!sections.is_empty(), "no facts of {section}");
    sections
}
