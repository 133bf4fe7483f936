//! The Engine.IO machine and raw clients in virtual time, for tests that speak below Socket.IO.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test binary uses a part of it, and fails by panicking"
)]

use std::collections::BTreeSet;

use overheard_core::codec::engine::{Data, Packet};
use overheard_core::engine::{
    Body, ConnId, Engine, EngineConfig, EngineEvent, EngineStats, HandshakeTicket, Input, Method,
    Output,
};
use overheard_core::event::CloseReason;
use overheard_core::time::{Duration, Instant};
use overheard_core::wire::{Frame, RequestId, WsEnd, WsId};

use crate::support::{CountingIds, Frames as _, Got, Wire, complete, head, text};

/// What the layer above does about an event.
pub(crate) type React = Box<dyn FnMut(&mut Engine, &EngineEvent)>;

/// A session that the test opened.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) conn: ConnId,
    pub(crate) sid: String,
    /// The query of its polling requests.
    pub(crate) query: String,
    /// The query of its upgrade.
    pub(crate) upgrade: String,
}

/// An engine, what it told the layer above, and the wires to its clients.
pub(crate) struct Rig {
    pub(crate) engine: Engine,
    pub(crate) now: Instant,
    pub(crate) wire: Wire,
    /// Events in words since the last [`Rig::log`].
    events: Vec<String>,
    /// Requests in the order in which they were answered or cut.
    pub(crate) settled: Vec<RequestId>,
    pub(crate) tickets: Vec<HandshakeTicket>,
    pub(crate) react: React,
    /// While set, written frames are not reported as flushed.
    pub(crate) hold_flush: bool,
    unflushed: BTreeSet<WsId>,
    /// The session that opened last.
    pub(crate) last: Option<ConnId>,
}

impl Rig {
    pub(crate) fn new(config: EngineConfig) -> Self {
        Self {
            engine: Engine::new(config, Box::new(CountingIds(0)), Instant::ZERO),
            now: Instant::ZERO,
            wire: Wire::default(),
            events: Vec::new(),
            settled: Vec::new(),
            tickets: Vec::new(),
            react: Box::new(|_, _| {}),
            hold_flush: false,
            unflushed: BTreeSet::new(),
            last: None,
        }
    }

    /// An engine with the default options.
    pub(crate) fn default() -> Self {
        Self::new(EngineConfig::default())
    }

    /// Hands in one input and carries out what follows from it.
    pub(crate) fn feed(&mut self, input: Input) {
        self.engine.handle(self.now, input);
        self.run();
    }

    /// Carries out what the machine wants, and reports frames as flushed.
    pub(crate) fn run(&mut self) {
        self.drain();
        while !self.hold_flush
            && let Some(ws) = self.unflushed.pop_first()
        {
            self.engine.handle(self.now, Input::WsFlushed(ws));
            self.drain();
        }
    }

    fn drain(&mut self) {
        for _ in 0..100_000 {
            if let Some(event) = self.engine.poll_event() {
                self.on_event(&event);
            } else if let Some(output) = self.engine.poll_output() {
                self.on_output(output);
            } else {
                return;
            }
        }
        panic!("the machine does not come to rest");
    }

    fn on_output(&mut self, output: Output) {
        if let Output::Respond { request, .. } | Output::Destroy(request) = &output {
            assert!(!self.settled.contains(request), "{request:?} is settled twice");
            self.settled.push(*request);
        }
        if let Some(ws) = self.wire.perform(output) {
            let frames = self.engine.take(ws);
            self.wire.receive(ws, frames);
            self.unflushed.insert(ws);
        }
    }

    fn on_event(&mut self, event: &EngineEvent) {
        self.events.push(match event {
            EngineEvent::Open { conn } => {
                self.last = Some(*conn);
                "open".into()
            }
            EngineEvent::Message { data, .. } => match data {
                Data::None => "msg".into(),
                Data::Text(text) => format!("msg:{text}"),
                Data::Binary(data) => format!("msg:<{}>", crate::support::vectors::hex(data)),
            },
            EngineEvent::Heartbeat { .. } => "heartbeat".into(),
            EngineEvent::Upgrading { .. } => "upgrading".into(),
            EngineEvent::Upgraded { .. } => "upgraded".into(),
            EngineEvent::Close { reason: CloseReason::TransportError(text), .. } => {
                format!("close:transport error:{text}")
            }
            EngineEvent::Close { reason, .. } => format!("close:{reason}"),
            EngineEvent::ConnectionError { refusal } => format!("refused:{refusal:?}"),
            EngineEvent::CheckRequest { ticket, .. } => {
                self.tickets.push(*ticket);
                "check".into()
            }
            EngineEvent::ChooseId { ticket, .. } => {
                self.tickets.push(*ticket);
                "choose".into()
            }
        });
        (self.react)(&mut self.engine, event);
    }

    /// The events since the last look.
    pub(crate) fn log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.events)
    }

    /// Lets time pass, firing timers at their deadlines.
    pub(crate) fn advance(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while self.fire_before(end) {}
        self.now = end;
    }

    /// Fires the next timer that is due by `end`, at its deadline.
    pub(crate) fn fire_before(&mut self, end: Instant) -> bool {
        let Some((at, _)) = self.engine.poll_timeout().filter(|(at, _)| *at <= end) else {
            return false;
        };
        self.now = self.now.max(at);
        self.feed(Input::Timeout);
        true
    }

    /// Starts a request; a wanted body is left to the test.
    pub(crate) fn start(
        &mut self,
        method: Method,
        query: &str,
        headers: &[(&str, &str)],
    ) -> RequestId {
        let (request, input) = self.wire.request(method, query, headers);
        self.feed(input);
        request
    }

    /// Starts a GET.
    pub(crate) fn get(&mut self, query: &str) -> RequestId {
        self.start(Method::Get, query, &[])
    }

    /// A GET that is answered at once: status and body.
    pub(crate) fn poll(&mut self, query: &str) -> (u16, String) {
        let request = self.get(query);
        self.answer(request).expect("an answer")
    }

    /// A POST with its body, answered at once: status and body.
    pub(crate) fn post(&mut self, query: &str, body: &str) -> (u16, String) {
        let request = self.start(Method::Post, query, &[]);
        if self.wire.bodies_wanted.pop_front().is_some() {
            self.feed(complete(request, body.to_owned()));
        }
        self.answer(request).expect("an answer")
    }

    /// The answer to a request, if there is one yet.
    pub(crate) fn answer(&self, request: RequestId) -> Option<(u16, String)> {
        self.wire.responses.get(&request).map(|response| (response.status, text(response)))
    }

    /// Whether the connection of a request was cut without an answer.
    pub(crate) fn is_cut(&self, request: RequestId) -> bool {
        self.wire.destroyed.contains(&request)
    }

    /// Asks for a WebSocket.
    pub(crate) fn ws(&mut self, query: &str) -> WsId {
        let (ws, input) = self.wire.websocket(query);
        self.feed(input);
        ws
    }

    /// Asks for a WebSocket with headers, or a method that is not GET.
    pub(crate) fn ws_with(
        &mut self,
        method: Method,
        query: &str,
        headers: &[(&str, &str)],
    ) -> WsId {
        let (ws, _) = self.wire.websocket(query);
        self.feed(Input::WsRequest { ws, head: head(method, query, headers) });
        ws
    }

    /// Sends text frames that arrive together.
    pub(crate) fn tx<const N: usize>(&mut self, ws: WsId, frames: [&str; N]) {
        let frames = frames.map(|text| Frame::text(text.to_owned())).into();
        self.feed(Input::WsFrames { ws, frames });
    }

    /// What a WebSocket received since the last look, in words: see [`Got`].
    pub(crate) fn rx(&mut self, ws: WsId) -> Vec<String> {
        let got = self.wire.inboxes.get_mut(&ws).expect("a WebSocket").drain(..);
        got.map(|got| match got {
            Got::Open => "OPEN".into(),
            Got::Frame(Frame::Text(text)) => text.to_string(),
            Got::Frame(Frame::Binary(data)) => {
                format!("<{}>", crate::support::vectors::hex(&data))
            }
            Got::Http(status, body) => format!("HTTP {status} {body}"),
            Got::Broken => "BROKEN".into(),
            Got::Close(code) => format!("CLOSE:{code}"),
        })
        .collect()
    }

    /// Reports a WebSocket as ended.
    pub(crate) fn end(&mut self, ws: WsId, end: WsEnd) {
        self.feed(Input::WsClosed { ws, end });
    }

    /// Opens a polling session; its handshake is read and logged already.
    pub(crate) fn polling(&mut self) -> Peer {
        let (status, body) = self.poll("EIO=4&transport=polling");
        assert_eq!(status, 200, "{body}");
        let first = body.split('\u{1e}').next().unwrap();
        self.log();
        self.peer(first)
    }

    /// Opens a WebSocket session; its handshake is read and logged already.
    pub(crate) fn websocket(&mut self) -> (WsId, Peer) {
        let ws = self.ws("EIO=4&transport=websocket");
        let got = self.rx(ws);
        assert_eq!(got[0], "OPEN");
        self.log();
        let peer = self.peer(&got[1]);
        (ws, peer)
    }

    /// Opens a polling session and upgrades it; everything is read and logged already.
    pub(crate) fn upgraded(&mut self) -> (WsId, Peer) {
        let peer = self.polling();
        let ws = self.ws(&peer.upgrade);
        self.tx(ws, ["2probe"]);
        self.tx(ws, ["5"]);
        assert_eq!(self.rx(ws), ["OPEN", "3probe"], "EIO-UP-01");
        assert_eq!(self.log(), ["upgrading", "upgraded"], "EIO-UP-01");
        (ws, peer)
    }

    fn peer(&self, open: &str) -> Peer {
        let open = overheard_core::codec::sio::json::parse(&open[1..]).unwrap();
        let sid = open.as_object().unwrap().get("sid").unwrap().as_str().unwrap().to_owned();
        let query = format!("EIO=4&transport=polling&sid={sid}");
        let upgrade = format!("EIO=4&transport=websocket&sid={sid}");
        Peer { conn: self.last.expect("a session"), sid, query, upgrade }
    }

    /// The server sends a message.
    pub(crate) fn send(&mut self, conn: ConnId, text: &str) {
        self.send_packet(conn, &Packet::message(text.to_owned()));
    }

    /// The server sends a packet.
    pub(crate) fn send_packet(&mut self, conn: ConnId, packet: &Packet) {
        self.engine.send_message(conn, packet);
        self.run();
    }

    /// The server closes a session gracefully.
    pub(crate) fn close(&mut self, conn: ConnId) {
        self.engine.close(conn);
        self.run();
    }

    /// The server ends every session.
    pub(crate) fn close_all(&mut self) {
        self.engine.close_all();
        self.run();
    }

    /// Checks that nothing is left of any session, request or WebSocket.
    #[track_caller]
    pub(crate) fn assert_baseline(&self) {
        assert_eq!(self.engine.stats(), EngineStats::default(), "not at the baseline");
        assert_eq!(self.engine.poll_timeout(), None, "a timer is left");
    }
}

/// A body that was longer than the host read.
pub(crate) fn too_large(request: RequestId) -> Input {
    Input::Body { request, body: Body::TooLarge }
}
