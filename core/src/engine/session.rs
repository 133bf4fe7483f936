//! One session: its transport, its queue, its heartbeat and its end.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;
use smallvec::SmallVec;
use smol_str::SmolStr;

use super::config::{EngineConfig, RequestHead, Transport};
use super::event::{ConnId, EngineEvent, EngineTimer, Output};
use super::frames::FrameHandle;
use super::http;
use super::{Engine, WsUse};
use crate::codec::engine::payload::encode_frames;
use crate::codec::engine::{BinaryForm, Data, Packet, PacketType};
use crate::event::CloseReason;
use crate::timers::TimerKey;
use crate::wire::{Frame, RequestId, WsId};

/// A live session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) sid: SmolStr,
    pub(crate) carrier: Carrier,
    /// A graceful close has begun: what arrives is ignored, what is sent is dropped.
    pub(crate) closing: bool,
    pub(crate) upgrade: Option<Box<Upgrade>>,
    pub(crate) upgraded: bool,
    /// `b64=1`: binary as text, also on WebSocket (`EIO-PKT-03`).
    pub(crate) base64: bool,
    /// Frames that are not handed over yet, in order.
    pub(crate) queue: SmallVec<[FrameHandle; 6]>,
    pub(crate) queued_bytes: usize,
    /// Bytes of frames that are handed over, and of which the host has not said that they have left.
    pub(crate) taken_bytes: usize,
    pub(crate) ping_timer: Option<TimerKey>,
    pub(crate) pong_timer: Option<TimerKey>,
    /// Other traffic has extended the wait for this pong (`EIO-HB-03`).
    pub(crate) extended: bool,
    pub(crate) head: Box<RequestHead>,
}

/// The transport of a session.
#[derive(Debug)]
pub(crate) enum Carrier {
    Polling(Box<Polling>),
    WebSocket {
        ws: WsId,
        /// Frames were taken and are not flushed yet: not writable (`EIO-WS-02`).
        in_flight: bool,
        /// [`Output::WsSend`] stands in the queue.
        announced: bool,
    },
}

#[derive(Debug, Default)]
pub(crate) struct Polling {
    /// The pending GET; the transport is writable while there is one (`EIO-POLL-07`).
    pub(crate) get: Option<RequestId>,
    /// JSONP callback number of the pending GET (`EIO-POLL-11`).
    pub(crate) jsonp: Option<ByteString>,
    /// The POST in progress.
    pub(crate) post: Option<RequestId>,
    /// The close packet waits for the next GET (`EIO-CLOSE-02`).
    pub(crate) close_timer: Option<TimerKey>,
}

/// A candidate WebSocket.
#[derive(Debug)]
pub(crate) struct Upgrade {
    pub(crate) ws: WsId,
    /// `b64=1` in the request of the candidate (`EIO-PKT-03`).
    pub(crate) base64: bool,
    pub(crate) probed: bool,
    pub(crate) timeout: Option<TimerKey>,
    pub(crate) check: Option<TimerKey>,
}

impl Session {
    pub(crate) const fn transport(&self) -> Transport {
        match self.carrier {
            Carrier::Polling(_) => Transport::Polling,
            Carrier::WebSocket { .. } => Transport::WebSocket,
        }
    }

    /// Bytes that wait for the client, in this machine or in its host.
    pub(crate) const fn held_bytes(&self) -> usize {
        self.queued_bytes + self.taken_bytes
    }

    /// Whether a packet sent now leaves at once: what a volatile packet needs (`BC-VOL-01`).
    pub(crate) fn is_writable(&self) -> bool {
        match &self.carrier {
            Carrier::Polling(polling) => polling.get.is_some() && self.queue.is_empty(),
            Carrier::WebSocket { in_flight, .. } => !in_flight && self.queue.is_empty(),
        }
    }

    /// Whether frames wait behind those that the reference would have written at once. On a
    /// WebSocket the first frame of a burst is written at once and the others wait.
    fn has_backlog(&self) -> bool {
        match self.carrier {
            Carrier::Polling(_) | Carrier::WebSocket { in_flight: true, .. } => {
                !self.queue.is_empty()
            }
            Carrier::WebSocket { in_flight: false, .. } => self.queue.len() > 1,
        }
    }
}

impl Engine {
    /// Queues a frame of the pool on a session; frames for closing sessions are dropped
    /// (`BC-ORD-04`).
    pub(crate) fn send(&mut self, conn: ConnId, handle: FrameHandle) {
        let limit = self.config.limits.buffered_bytes;
        let size = self.frames.size(handle);
        let Some(session) = self.session_mut(conn) else { return };
        if session.closing {
            return;
        }
        let held = session.held_bytes();
        if held + size > limit && held > 0 {
            let reason = CloseReason::TransportError("write buffer is full".into());
            self.close_session(conn, reason);
            return;
        }
        session.queued_bytes += size;
        session.queue.push(handle);
        self.frames.retain(handle);
        self.flush(conn);
    }

    /// Sends a message to one session. It is dropped if the session is closing (`BC-ORD-04`).
    pub fn send_message(&mut self, conn: ConnId, packet: &Packet) {
        self.send_packet(conn, packet);
    }

    /// Sends a packet that is this session's own.
    pub(crate) fn send_packet(&mut self, conn: ConnId, packet: &Packet) {
        let handle = self.frames.insert(packet.encode(BinaryForm::Raw), true);
        self.send(conn, handle);
        self.frames.release(handle);
    }

    /// Hands queued frames to the transport if it is writable.
    pub(crate) fn flush(&mut self, conn: ConnId) {
        let Some(session) = self.session_mut(conn) else { return };
        if session.queue.is_empty() {
            return;
        }
        match &mut session.carrier {
            Carrier::Polling(polling) => {
                if polling.get.is_some() {
                    self.flush_poll(conn);
                }
            }
            Carrier::WebSocket { ws, in_flight, announced } => {
                if !*in_flight && !*announced {
                    *announced = true;
                    let ws = *ws;
                    self.outputs.push_back(Output::WsSend(ws));
                }
            }
        }
    }

    /// Answers the pending GET with everything queued (`EIO-POLL-06`).
    fn flush_poll(&mut self, conn: ConnId) {
        let Some(session) = self.sessions.get_mut(conn.0) else { return };
        let queue = core::mem::take(&mut session.queue);
        session.queued_bytes = 0;
        let ends = session.closing;
        let mut compress = false;
        let mut frames = Vec::with_capacity(queue.len());
        for handle in queue {
            if let Some((text, may_compress)) = self.frames.take_text(handle) {
                frames.push(Frame::Text(text));
                compress |= may_compress;
            }
        }
        self.answer_get(conn, encode_frames(&frames), compress);
        if ends {
            // The close was waiting for the buffer: now the transport can close (EIO-CLOSE-01).
            self.close_transport(conn);
        }
    }

    /// Answers the pending GET, if there is one, with this payload.
    fn answer_get(&mut self, conn: ConnId, payload: ByteString, compress: bool) {
        let compression = self.config.http_compression;
        let Some(session) = self.sessions.get_mut(conn.0) else { return };
        let Carrier::Polling(polling) = &mut session.carrier else { return };
        let Some(request) = polling.get.take() else { return };
        let jsonp = polling.jsonp.take();
        let mut response = http::poll_response(payload, jsonp.as_ref());
        response.compress = compress && compression.is_some_and(|min| response.body.len() >= min);
        self.requests.remove(&request);
        self.outputs.push_back(Output::Respond { request, response });
    }

    /// Takes the frames that wait for a WebSocket. Call it on [`Output::WsSend`]; the transport
    /// is not writable until [`super::Input::WsFlushed`] follows (`EIO-WS-02`).
    pub fn take_frames(&mut self, ws: WsId, into: &mut Vec<Frame>) {
        if let Some(frames) = self.loose_frames.remove(&ws) {
            into.extend(frames);
        }
        let Some(WsUse::Main(conn)) = self.websockets.get(&ws).copied() else { return };
        let Some(session) = self.sessions.get_mut(conn.0) else { return };
        let Carrier::WebSocket { in_flight, announced, .. } = &mut session.carrier else { return };
        *announced = false;
        *in_flight = true;
        session.taken_bytes += core::mem::take(&mut session.queued_bytes);
        let (closing, base64) = (session.closing, session.base64);
        for handle in core::mem::take(&mut session.queue) {
            into.extend(self.frames.take_frame(handle, base64));
        }
        if closing {
            self.close_transport(conn);
        }
    }

    /// All taken frames left this process.
    pub(super) fn on_ws_flushed(&mut self, ws: WsId) {
        let Some(WsUse::Main(conn)) = self.websockets.get(&ws).copied() else { return };
        let Some(session) = self.session_mut(conn) else { return };
        if let Carrier::WebSocket { in_flight, .. } = &mut session.carrier {
            *in_flight = false;
            session.taken_bytes = 0;
            self.flush(conn);
        }
    }

    /// One packet of the established transport.
    pub(super) fn on_packet(&mut self, conn: ConnId, packet: Packet) {
        let (now, timeout) = (self.now, self.config.ping_timeout);
        let Some(session) = self.sessions.get_mut(conn.0) else { return };
        if session.closing {
            return; // EIO-CLOSE-07
        }
        if packet.kind != PacketType::Pong && session.pong_timer.is_some() && !session.extended {
            session.extended = true; // EIO-HB-03: once per ping
            self.timers.cancel(&mut session.pong_timer);
            session.pong_timer =
                Some(self.timers.arm(now + timeout, (conn, EngineTimer::PingTimeout)));
        }
        match packet.kind {
            PacketType::Ping => {
                let text = ByteString::from_static("invalid heartbeat direction");
                self.close_session(conn, CloseReason::TransportError(text)); // EIO-HB-05
            }
            PacketType::Pong => self.on_pong(conn),
            PacketType::Message => {
                self.events.push_back(EngineEvent::Message { conn, data: packet.data });
            }
            // EIO-PKT-06; the close packet of a polling session is handled with its payload.
            PacketType::Open | PacketType::Close | PacketType::Upgrade | PacketType::Noop => {}
        }
    }

    fn on_pong(&mut self, conn: ConnId) {
        let due = self.now + self.config.ping_interval;
        let Some(session) = self.sessions.get_mut(conn.0) else { return };
        self.timers.cancel(&mut session.pong_timer);
        self.timers.cancel(&mut session.ping_timer);
        session.ping_timer = Some(self.timers.arm(due, (conn, EngineTimer::PingInterval)));
        self.events.push_back(EngineEvent::Heartbeat { conn });
    }

    /// `pingInterval` has passed: ask whether the peer lives (`EIO-HB-01`, `EIO-HB-06`).
    pub(super) fn on_ping_interval(&mut self, conn: ConnId) {
        if let Some(session) = self.session_mut(conn) {
            session.ping_timer = None;
        }
        self.send_packet(conn, &Packet { kind: PacketType::Ping, data: Data::None });
        let due = self.now + self.config.ping_timeout;
        let Some(session) = self.sessions.get_mut(conn.0) else { return };
        session.extended = false;
        self.timers.cancel(&mut session.pong_timer);
        session.pong_timer = Some(self.timers.arm(due, (conn, EngineTimer::PingTimeout)));
    }

    /// Closes a session gracefully: what is queued is sent first (`EIO-CLOSE-01`).
    pub fn close(&mut self, conn: ConnId) {
        let Some(session) = self.session_mut(conn) else { return };
        if session.closing {
            return;
        }
        session.closing = true;
        if !session.has_backlog() {
            self.close_transport(conn);
        }
    }

    /// Closes a session at once, dropping what is queued (`EIO-CLOSE-04`).
    pub(crate) fn discard(&mut self, conn: ConnId) {
        if self.session_mut(conn).is_some() {
            self.close_session(conn, CloseReason::ForcedClose);
        }
    }

    /// The queue is empty: close the transport, or wait for the GET that takes the close packet.
    fn close_transport(&mut self, conn: ConnId) {
        let due = self.now + EngineConfig::POLLING_CLOSE_GRACE;
        let Some(session) = self.sessions.get_mut(conn.0) else { return };
        if let Carrier::Polling(polling) = &mut session.carrier {
            let post = polling.post.take();
            let waits = polling.get.is_none();
            if waits {
                let timer = (conn, EngineTimer::PollingClose);
                polling.close_timer = Some(self.timers.arm(due, timer));
            }
            if let Some(request) = post {
                self.cut_post(request);
            }
            if waits {
                return;
            }
        }
        self.close_session(conn, CloseReason::ForcedClose);
    }

    /// Ends a session now, tells the peer as far as its transport allows, and forgets it.
    pub(crate) fn close_session(&mut self, conn: ConnId, reason: CloseReason) {
        if matches!(reason, CloseReason::TransportClose) {
            // The client's own close: its pending GET gets a noop (EIO-CLOSE-03).
            self.answer_get(conn, ByteString::from_static("6"), false);
        } else {
            self.answer_get(conn, ByteString::from_static("1"), false);
        }
        let Some(mut session) = self.sessions.remove(conn.0) else { return };
        self.by_sid.remove(&session.sid);
        self.timers.cancel(&mut session.ping_timer);
        self.timers.cancel(&mut session.pong_timer);
        match &mut session.carrier {
            Carrier::Polling(polling) => {
                self.timers.cancel(&mut polling.close_timer);
                if let Some(request) = polling.post {
                    self.cut_post(request);
                }
            }
            Carrier::WebSocket { ws, announced, .. } => {
                let ws = *ws;
                if *announced && self.websockets.contains_key(&ws) {
                    // Frames that were announced still go out before the close (EIO-CLOSE-01).
                    let frames = self.loose_frames.entry(ws).or_default();
                    for handle in core::mem::take(&mut session.queue) {
                        frames.extend(self.frames.take_frame(handle, session.base64));
                    }
                }
                self.drop_ws(ws, None);
            }
        }
        for handle in core::mem::take(&mut session.queue) {
            self.frames.release(handle);
        }
        if let Some(mut upgrade) = session.upgrade.take() {
            self.timers.cancel(&mut upgrade.timeout);
            self.timers.cancel(&mut upgrade.check);
            self.drop_ws(upgrade.ws, None); // EIO-UP-10
        }
        self.events.push_back(EngineEvent::Close { conn, reason });
    }

    /// Closes a WebSocket and forgets it.
    pub(super) fn drop_ws(&mut self, ws: WsId, code: Option<u16>) {
        if self.websockets.remove(&ws).is_some() {
            self.outputs.push_back(Output::WsClose { ws, code });
        }
    }

    /// The close packet may go out with the GET that has just come, behind a noop
    /// (`EIO-CLOSE-02`).
    pub(super) fn close_on_get(&mut self, conn: ConnId) {
        self.answer_get(conn, ByteString::from_static("6\u{1e}1"), false);
        self.close_session(conn, CloseReason::ForcedClose);
    }

    /// Frees the pending GET (`EIO-UP-02`).
    pub(super) fn answer_get_with_noop(&mut self, conn: ConnId) {
        self.answer_get(conn, ByteString::from_static("6"), false);
    }

    /// What an ended upgrade says to the pending GET (`EIO-UP-09`).
    pub(super) fn answer_get_with_close(&mut self, conn: ConnId) {
        self.answer_get(conn, ByteString::from_static("1"), false);
    }

    /// The head of the first request of a session (`SIO-CONN-02`).
    #[must_use]
    pub fn handshake_head(&self, conn: ConnId) -> Option<&RequestHead> {
        self.sessions.get(conn.0).map(|session| &*session.head)
    }

    /// The session id.
    #[must_use]
    pub fn sid(&self, conn: ConnId) -> Option<&str> {
        self.sessions.get(conn.0).map(|session| session.sid.as_str())
    }

    /// The transport that carries a session.
    #[must_use]
    pub fn transport(&self, conn: ConnId) -> Option<Transport> {
        self.sessions.get(conn.0).map(Session::transport)
    }

    /// Whether a session is open and not closing.
    #[must_use]
    pub fn is_open(&self, conn: ConnId) -> bool {
        self.sessions.get(conn.0).is_some_and(|session| !session.closing)
    }

    /// Whether a packet sent now would leave at once (`BC-VOL-01`).
    #[must_use]
    pub fn is_writable(&self, conn: ConnId) -> bool {
        self.sessions.get(conn.0).is_some_and(Session::is_writable)
    }

    pub(crate) fn session_mut(&mut self, conn: ConnId) -> Option<&mut Session> {
        self.sessions.get_mut(conn.0)
    }
}

/// Bytes of a request body as text; invalid UTF-8 is replaced, as the reference does.
pub(super) fn body_text(body: &Bytes) -> ByteString {
    ByteString::try_from(body.clone())
        .unwrap_or_else(|_| alloc::string::String::from_utf8_lossy(body).into_owned().into())
}
