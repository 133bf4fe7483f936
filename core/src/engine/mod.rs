//! The Engine.IO server as a state machine: sessions over polling and WebSocket.
//!
//! Feed it with [`Engine::handle`], then drain [`Engine::poll_event`] and
//! [`Engine::poll_output`] until both are empty. Packets that arrived together are decoded one at
//! a time, between two events, so that the layer above can close a session in the middle of a
//! payload, as it can in the reference.

mod config;
mod event;
mod frames;
mod http;
mod session;
mod websocket;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use bytestring::ByteString;
use hashbrown::HashMap;
use slotmap::{DefaultKey, SlotMap};
use smol_str::SmolStr;

pub use self::config::{
    EngineConfig, EngineLimits, EngineQuirks, Method, RequestHead, Transport, Transports,
};
use self::event::Pending;
pub use self::event::{
    Body, ConnId, EngineEvent, EngineTimer, HandshakeTicket, IdDecision, Input, Output, Refusal,
    RequestDecision, Response,
};
pub(crate) use self::frames::{FrameHandle, FramePool};
use self::session::{Carrier, Session};
use crate::codec::engine::{Data, Handshake, Packet, PacketType};
use crate::event::CloseReason;
use crate::id::{IdMaker, KeyedState};
use crate::time::Instant;
use crate::timers::Timers;
use crate::wire::{Frame, RequestId, WsId};

/// What an unanswered request is for.
#[derive(Debug)]
enum RequestUse {
    Get(ConnId),
    Post {
        conn: ConnId,
        jsonp: bool,
    },
    Handshake(HandshakeTicket),
    /// A body that has arrived: whatever becomes of the session, it is answered (`EIO-POLL-05`).
    Posted,
}

/// What a WebSocket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WsUse {
    Waiting { ticket: HandshakeTicket, accepted: bool },
    Accepted,
    Main(ConnId),
    Candidate(ConnId),
}

/// What arrived and is not looked at yet.
#[derive(Debug)]
enum Work {
    Frame { ws: WsId, frame: Frame },
    Payload { conn: ConnId, payload: ByteString },
    FinishPost { conn: ConnId, request: RequestId },
}

/// The Engine.IO server.
#[derive(Debug)]
pub struct Engine {
    config: EngineConfig,
    ids: IdMaker,
    now: Instant,
    sessions: SlotMap<DefaultKey, Session>,
    by_sid: HashMap<SmolStr, ConnId, KeyedState>,
    requests: HashMap<RequestId, RequestUse, KeyedState>,
    websockets: HashMap<WsId, WsUse, KeyedState>,
    pending: BTreeMap<HandshakeTicket, Box<Pending>>,
    next_ticket: u64,
    pub(crate) frames: FramePool,
    /// Frames that stand before a WebSocket's queue: probes, and the last words of a session.
    loose_frames: BTreeMap<WsId, Vec<Frame>>,
    timers: Timers<(ConnId, EngineTimer)>,
    work: VecDeque<Work>,
    events: VecDeque<EngineEvent>,
    outputs: VecDeque<Output>,
}

impl Engine {
    /// An engine without sessions.
    #[must_use]
    pub fn new(config: EngineConfig, ids: Box<dyn crate::id::IdSource>, now: Instant) -> Self {
        let mut ids = IdMaker::new(ids);
        let keyed = ids.keyed_state();
        Self {
            config,
            ids,
            now,
            sessions: SlotMap::new(),
            by_sid: HashMap::with_hasher(keyed.clone()),
            requests: HashMap::with_hasher(keyed.clone()),
            websockets: HashMap::with_hasher(keyed),
            pending: BTreeMap::new(),
            next_ticket: 0,
            frames: FramePool::default(),
            loose_frames: BTreeMap::new(),
            timers: Timers::new(),
            work: VecDeque::new(),
            events: VecDeque::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes one input. Timers that are due by `now` are left to [`Input::Timeout`], which the
    /// caller hands in first.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.now = self.now.max(now);
        match input {
            Input::Request { request, head } => self.on_request(request, head),
            Input::Body { request, body } => self.on_body(request, body),
            Input::RequestAborted(request) => self.on_request_aborted(request),
            Input::WsRequest { ws, head } => self.on_ws_request(ws, head),
            Input::WsFrames { ws, frames } => {
                self.work.extend(frames.into_iter().map(|frame| Work::Frame { ws, frame }));
            }
            Input::WsFlushed(ws) => self.on_ws_flushed(ws),
            Input::WsClosed { ws, end } => self.on_ws_closed(ws, end),
            Input::Timeout => self.fire_next(),
        }
    }

    /// The next event, decoding further packets as needed.
    pub fn poll_event(&mut self) -> Option<EngineEvent> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            match self.work.pop_front()? {
                Work::Frame { ws, frame } => self.on_frame(ws, frame),
                Work::Payload { conn, payload } => {
                    if let Some(payload) = self.payload_step(conn, &payload) {
                        self.work.push_front(Work::Payload { conn, payload });
                    }
                }
                Work::FinishPost { conn, request } => self.finish_post(conn, request),
            }
        }
    }

    /// The next consequence of what was done last, without decoding anything further.
    pub(crate) fn take_event(&mut self) -> Option<EngineEvent> {
        self.events.pop_front()
    }

    /// The next thing for the host to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The earliest deadline, and what it is for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, EngineTimer)> {
        self.timers.next().map(|(deadline, (_, kind))| (deadline, *kind))
    }

    /// Fires one due timer.
    fn fire_next(&mut self) {
        let Some((conn, kind)) = self.timers.pop_due(self.now) else { return };
        match kind {
            EngineTimer::PingInterval => self.on_ping_interval(conn),
            EngineTimer::PingTimeout => self.close_session(conn, CloseReason::PingTimeout),
            EngineTimer::UpgradeTimeout => self.abandon_upgrade(conn),
            EngineTimer::UpgradeCheck => self.on_upgrade_check(conn),
            EngineTimer::PollingClose => self.close_session(conn, CloseReason::ForcedClose),
        }
    }

    /// The open packet, the initial packet and the first ping's timer (`EIO-HS-01`).
    fn send_handshake(&mut self, conn: ConnId) {
        let due = self.now + self.config.ping_interval;
        let Some(session) = self.sessions.get_mut(conn.0) else { return };
        let timer = self.timers.arm(due, (conn, EngineTimer::PingInterval));
        session.ping_timer = Some(timer);
        let offers_upgrade = self.config.allow_upgrades
            && self.config.transports.allow(Transport::WebSocket)
            && matches!(session.carrier, Carrier::Polling(_));
        let handshake = Handshake {
            sid: session.sid.clone(),
            upgrades: if offers_upgrade { alloc::vec!["websocket".into()] } else { Vec::new() },
            ping_interval: self.config.ping_interval,
            ping_timeout: self.config.ping_timeout,
            max_payload: self.config.max_http_buffer_size as u64,
        };
        let data = Data::Text(handshake.to_json().into());
        self.send_packet(conn, &Packet { kind: PacketType::Open, data });
        if let Some(text) = self.config.initial_packet.clone() {
            let data = Data::Text(text);
            self.send_packet(conn, &Packet { kind: PacketType::Message, data });
        }
    }

    /// Ends every session at once (`EIO-CLOSE-04`).
    pub fn close_all(&mut self) {
        let conns: Vec<DefaultKey> = self.sessions.keys().collect();
        for conn in conns {
            self.discard(ConnId(conn));
        }
    }

    /// What this machine holds, to be compared with a baseline once everything has ended.
    #[must_use]
    pub fn stats(&self) -> EngineStats {
        EngineStats {
            sessions: self.sessions.len(),
            requests: self.requests.len(),
            websockets: self.websockets.len(),
            pending_handshakes: self.pending.len(),
            frames: self.frames.len() + self.loose_frames.len(),
            buffered_bytes: self.sessions.values().map(Session::held_bytes).sum(),
            timers: self.timers.len(),
        }
    }
}

/// What an engine holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineStats {
    /// Open sessions.
    pub sessions: usize,
    /// Requests that wait for an answer or a body.
    pub requests: usize,
    /// WebSockets that are accepted or wait to be.
    pub websockets: usize,
    /// Handshakes that wait for the application.
    pub pending_handshakes: usize,
    /// Queued frames, each counted once.
    pub frames: usize,
    /// Bytes of frames that sessions have queued, or handed over to a WebSocket that has not been
    /// flushed since.
    pub buffered_bytes: usize,
    /// Armed timers.
    pub timers: usize,
}

impl Session {
    fn new(sid: SmolStr, carrier: Carrier, base64: bool, head: RequestHead) -> Self {
        Self {
            sid,
            carrier,
            closing: false,
            upgrade: None,
            upgraded: false,
            base64,
            queue: smallvec::SmallVec::new(),
            queued_bytes: 0,
            taken_bytes: 0,
            ping_timer: None,
            pong_timer: None,
            extended: false,
            head: Box::new(head),
        }
    }
}
