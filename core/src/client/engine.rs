//! One connection: the Engine.IO session of the client, over polling or WebSocket.

use core::mem;

use alloc::collections::VecDeque;
use alloc::format;

use alloc::vec::Vec;
use bytes::Bytes;
use bytestring::ByteString;
use smol_str::SmolStr;

use super::config::Transport;
use super::error::DisconnectReason;
use super::polling::{Farewell, Phase, Polling};
use super::shell::{Failure, News, Shell};
use super::timers::{Armed, TimerKey};
use super::upgrade::Probe;
use crate::codec::engine::{BinaryForm, Data, Handshake, Packet, PacketType, ParserError, payload};
use crate::time::{Duration, Instant};
use crate::wire::{Frame, RequestId, WsEnd, WsId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Opening,
    Open,
    /// Nothing new is accepted; what was buffered is still written.
    Closing,
    Closed,
}

/// The transport that carries the session.
#[derive(Debug)]
pub(super) enum Link {
    Polling(Polling),
    Ws(Ws),
}

/// A WebSocket, from the moment it is asked for.
#[derive(Debug)]
pub(super) struct Ws {
    pub(super) id: WsId,
    pub(super) opened: bool,
    pub(super) closed: bool,
    /// Writes that the host has not reported as done.
    pub(super) unflushed: u32,
}

/// One connection attempt and the session that comes of it.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) number: u64,
    pub(super) state: State,
    pub(super) link: Link,
    pub(super) probe: Option<Probe>,
    pub(super) sid: Option<SmolStr>,
    /// Whether the server offers WebSocket.
    pub(super) offered: bool,
    max_payload: u64,
    heartbeat: Option<Duration>,
    ping_deadline: Option<Instant>,
    ping_timer: Option<Armed>,
    buffer: VecDeque<Frame>,
    /// Whether frames were handed to the transport and are not written yet.
    in_flight: bool,
    farewell: Option<Farewell>,
}

impl Engine {
    /// Opens a connection with the first transport. Without any it fails at once.
    pub(super) fn open(shell: &mut Shell, number: u64) -> Self {
        let transports = &shell.config.transports;
        let remembered = shell.config.remember_upgrade
            && shell.websocket_worked
            && transports.contains(&Transport::WebSocket);
        let transport =
            if remembered { Some(Transport::WebSocket) } else { transports.first().copied() };
        let link = match transport {
            Some(Transport::WebSocket) => Link::Ws(Ws::new(shell.open_ws(None))),
            Some(Transport::Polling) => Link::Polling(Polling::open(shell)),
            None => Link::Polling(Polling { phase: Phase::Closed, get: None, post: None }),
        };
        let mut engine = Self {
            number,
            state: State::Opening,
            link,
            probe: None,
            sid: None,
            offered: false,
            max_payload: 0,
            heartbeat: None,
            ping_deadline: None,
            ping_timer: None,
            buffer: VecDeque::new(),
            in_flight: false,
            farewell: None,
        };
        if transport.is_none() {
            engine.fail(shell, Failure::new("No transports available"));
        }
        engine
    }

    /// Whether nothing is left to do for it.
    pub(super) fn is_gone(&self) -> bool {
        self.state == State::Closed && self.farewell.is_none()
    }

    pub(super) fn owns_request(&self, request: RequestId) -> bool {
        let polls = matches!(&self.link, Link::Polling(polling) if polling.owns(request));
        polls || self.farewell.as_ref().is_some_and(|farewell| farewell.owns(request))
    }

    pub(super) fn owns_ws(&self, ws: WsId) -> bool {
        self.probe.as_ref().is_some_and(|probe| probe.ws.id == ws)
            || matches!(&self.link, Link::Ws(link) if link.id == ws && !link.closed)
    }

    /// Whether the transport would take a packet at once (`CLI-10`).
    pub(super) fn writable(&self) -> bool {
        self.state != State::Closed
            && match &self.link {
                Link::Polling(polling) => polling.writable(),
                Link::Ws(ws) => ws.opened && !ws.closed && ws.unflushed == 0,
            }
    }

    /// Whether the last heartbeat is too old, although no timer has said so yet (`EIO-HB-08`).
    pub(super) fn ping_has_expired(&self, now: Instant) -> bool {
        self.ping_deadline.is_some_and(|deadline| now > deadline)
    }

    pub(super) fn transport(&self) -> Transport {
        match self.link {
            Link::Polling(_) => Transport::Polling,
            Link::Ws(_) => Transport::WebSocket,
        }
    }

    /// Whether packets are taken; not any more when it closes.
    pub(super) fn accepts(&self) -> bool {
        matches!(self.state, State::Opening | State::Open)
    }

    /// Packets that wait for the transport.
    pub(super) fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Sends a packet as soon as the transport is free. One that is closing takes none.
    pub(super) fn send(&mut self, shell: &mut Shell, frame: Frame) {
        if self.accepts() {
            self.buffer.push_back(frame);
            self.flush(shell);
        }
    }

    pub(super) fn flush(&mut self, shell: &mut Shell) {
        if !self.writable() || self.is_upgrading() || self.buffer.is_empty() {
            return;
        }
        self.in_flight = true;
        match &mut self.link {
            Link::Polling(polling) => {
                let frames = self.buffer.make_contiguous();
                // A server that announced no limit has none (`EIO-POLL-12`).
                let count = match self.max_payload {
                    0 => frames.len(),
                    max => payload::batch_len(frames, max),
                };
                polling.write(shell, self.sid.as_deref(), frames.get(..count).unwrap_or(frames));
                self.buffer.drain(..count);
            }
            Link::Ws(ws) => ws.write(shell, mem::take(&mut self.buffer).into()),
        }
    }

    /// The transport has written what it was given.
    fn drained(&mut self, shell: &mut Shell) {
        self.in_flight = false;
        if self.buffer.is_empty() {
            self.close_when_done(shell);
        } else {
            self.flush(shell);
        }
    }

    /// Continues a close that waited.
    pub(super) fn close_when_done(&mut self, shell: &mut Shell) {
        let busy = self.in_flight || !self.buffer.is_empty() || self.is_upgrading();
        if self.state == State::Closing && !busy {
            self.finish(shell, DisconnectReason::ForcedClose, None);
        }
    }

    /// Closes the session: what is buffered is written first, and an upgrade that has begun is
    /// waited for. Before the handshake nothing is worth waiting for.
    pub(super) fn close(&mut self, shell: &mut Shell) {
        match self.state {
            State::Opening => self.finish(shell, DisconnectReason::ForcedClose, None),
            State::Open => {
                self.state = State::Closing;
                self.close_when_done(shell);
            }
            State::Closing | State::Closed => {}
        }
    }

    /// Drops the connection without another word.
    pub(super) fn cut(&mut self, shell: &mut Shell) {
        self.finish(shell, DisconnectReason::ForcedClose, None);
        if let Some(farewell) = &mut self.farewell {
            farewell.cut(shell);
        }
        self.farewell = None;
    }

    pub(super) fn fail(&mut self, shell: &mut Shell, failure: Failure) {
        shell.websocket_worked = false;
        if self.state == State::Closed {
            return;
        }
        let details = failure.details.clone().unwrap_or_else(|| failure.message.clone());
        shell.tell(self.number, News::Failed(failure));
        self.finish(shell, DisconnectReason::TransportError, Some(details));
    }

    pub(super) fn finish(
        &mut self,
        shell: &mut Shell,
        reason: DisconnectReason,
        details: Option<SmolStr>,
    ) {
        if self.state == State::Closed {
            return;
        }
        self.state = State::Closed;
        shell.timers.cancel(&mut self.ping_timer);
        self.ping_deadline = None;
        if let Some(probe) = self.probe.take() {
            shell.close_ws(probe.ws.id);
        }
        match &mut self.link {
            Link::Polling(polling) => self.farewell = polling.close(shell, self.sid.take()),
            Link::Ws(ws) => ws.close(shell),
        }
        self.buffer.clear();
        shell.tell(self.number, News::Closed { reason, details });
    }

    /// The time of its heartbeat is over.
    pub(super) fn on_ping_timeout(&mut self, shell: &mut Shell) {
        self.finish(shell, DisconnectReason::PingTimeout, None);
    }

    fn expect_ping(&mut self, shell: &mut Shell) {
        shell.timers.cancel(&mut self.ping_timer);
        if let Some(heartbeat) = self.heartbeat {
            self.ping_deadline = Some(shell.now + heartbeat);
            let key = TimerKey::Ping(self.number);
            self.ping_timer = Some(shell.timers.arm(shell.now, heartbeat, key));
        }
    }

    /// Handles one packet of the transport that carries the session.
    fn on_packet(&mut self, shell: &mut Shell, packet: Result<Packet, ParserError>) {
        if self.state == State::Closed {
            return;
        }
        let Ok(packet) = packet else {
            return self.fail(shell, Failure::with("server error", "parser error"));
        };
        match packet.kind {
            PacketType::Open => self.on_handshake(shell, &packet.data),
            PacketType::Ping => {
                self.send(shell, Packet::pong().encode(BinaryForm::Raw));
                shell.tell(self.number, News::Ping);
                self.expect_ping(shell);
            }
            PacketType::Message => shell.tell(self.number, News::Data(packet.data)),
            // Nothing to do: `close` means something on polling only, `noop` frees a poll.
            PacketType::Close | PacketType::Pong | PacketType::Upgrade | PacketType::Noop => {}
        }
    }

    /// A second handshake is ignored; the reference starts another upgrade for each.
    fn on_handshake(&mut self, shell: &mut Shell, data: &Data) {
        if self.state != State::Opening {
            return;
        }
        let text = if let Data::Text(text) = data { text.as_ref() } else { "" };
        let handshake = match Handshake::parse(text) {
            Ok(handshake) => handshake,
            Err(error) => {
                return self.fail(shell, Failure::with("server error", format!("{error}")));
            }
        };
        if let Link::Polling(polling) = &mut self.link {
            polling.phase = Phase::Open;
        }
        self.state = State::Open;
        self.max_payload = handshake.max_payload;
        self.heartbeat = Some(handshake.ping_interval.saturating_add(handshake.ping_timeout));
        shell.websocket_worked = matches!(self.link, Link::Ws(_));
        self.offered = handshake.upgrades.iter().any(|name| name == Transport::WebSocket.name());
        self.sid = Some(handshake.sid);
        self.expect_ping(shell);
        shell.tell(self.number, News::Opened);
    }

    /// Goes on when the manager knows that the session is open.
    pub(super) fn after_open(&mut self, shell: &mut Shell) {
        self.flush(shell);
        self.start_probe(shell);
    }

    /// The packets of a polled payload have been handled, one by one, by
    /// [`Engine::on_polled_packet`].
    pub(super) fn on_poll_complete(&mut self, shell: &mut Shell) {
        if self.state == State::Closed {
            return;
        }
        if let Link::Polling(polling) = &mut self.link {
            polling.poll(shell, self.sid.as_deref());
        }
        self.switch_when_paused(shell);
    }

    /// Handles one packet of a payload; tells whether the rest matters.
    pub(super) fn on_polled_packet(
        &mut self,
        shell: &mut Shell,
        packet: Result<Packet, ParserError>,
    ) -> bool {
        let Link::Polling(polling) = &mut self.link else { return false };
        if matches!(&packet, Ok(Packet { kind: PacketType::Close, .. })) {
            polling.phase = Phase::Closed;
            let details = SmolStr::new_static("transport closed by the server");
            self.finish(shell, DisconnectReason::TransportClose, Some(details));
        } else {
            self.on_packet(shell, packet);
        }
        self.state != State::Closed
    }

    /// Takes the answer of a request. Gives the payload back when there are packets in it.
    pub(super) fn on_response(
        &mut self,
        shell: &mut Shell,
        request: RequestId,
        status: u16,
        body: &Bytes,
    ) -> Option<ByteString> {
        if status != 200 {
            self.on_request_failed(shell, request, Some(status));
            return None;
        }
        if self.came_back_late(shell, request) {
            return None;
        }
        let Link::Polling(polling) = &mut self.link else { return None };
        if polling.get == Some(request) {
            polling.get = None;
            // JavaScript reads any bytes as UTF-8, with replacement characters.
            let text = ByteString::try_from(body.clone());
            return Some(text.unwrap_or_else(|_| {
                ByteString::from(alloc::string::String::from_utf8_lossy(body).into_owned())
            }));
        }
        polling.post = None;
        self.drained(shell);
        self.switch_when_paused(shell);
        None
    }

    pub(super) fn on_request_failed(
        &mut self,
        shell: &mut Shell,
        request: RequestId,
        status: Option<u16>,
    ) {
        if self.came_back_late(shell, request) {
            return;
        }
        let Link::Polling(polling) = &mut self.link else { return };
        let message = if polling.get == Some(request) {
            polling.get = None;
            "xhr poll error"
        } else {
            polling.post = None;
            "xhr post error"
        };
        let failure = match status {
            Some(status) => Failure::with(message, format!("HTTP status {status}")),
            None => Failure::new(message),
        };
        self.fail(shell, failure);
    }

    /// Whether the request belongs to the end of a session.
    fn came_back_late(&mut self, shell: &mut Shell, request: RequestId) -> bool {
        let Some(farewell) = &mut self.farewell else { return false };
        if farewell.came_back(shell, request) {
            self.farewell = None;
        }
        true
    }

    pub(super) fn on_ws_opened(&mut self, shell: &mut Shell, ws: WsId) {
        if self.on_probe_opened(shell, ws) {
            return;
        }
        if let Link::Ws(link) = &mut self.link {
            link.opened = true;
        }
    }

    /// Handles one message; tells whether the rest matters.
    pub(super) fn on_frame(&mut self, shell: &mut Shell, ws: WsId, frame: &Frame) -> bool {
        if self.on_probe_frame(shell, ws, frame) {
            return true;
        }
        if !matches!(&self.link, Link::Ws(link) if link.id == ws && link.opened) {
            return false;
        }
        self.on_packet(shell, Packet::decode(frame));
        self.state != State::Closed
    }

    pub(super) fn on_ws_flushed(&mut self, shell: &mut Shell, ws: WsId) {
        let Link::Ws(link) = &mut self.link else {
            if let Some(probe) = &mut self.probe {
                probe.ws.unflushed = probe.ws.unflushed.saturating_sub(1);
            }
            return;
        };
        if link.id == ws && link.unflushed > 0 {
            link.unflushed -= 1;
            if link.unflushed == 0 {
                self.drained(shell);
            }
        }
    }

    pub(super) fn on_ws_closed(&mut self, shell: &mut Shell, ws: WsId, end: WsEnd) {
        if self.on_probe_closed(shell, ws, &end) {
            return;
        }
        let Link::Ws(link) = &mut self.link else { return };
        link.closed = true;
        let failure = match end {
            WsEnd::Closed if link.opened => {
                let details = SmolStr::new_static("websocket connection closed");
                return self.finish(shell, DisconnectReason::TransportClose, Some(details));
            }
            WsEnd::Closed => Failure::new("websocket error"),
            WsEnd::ProtocolError(text) => Failure::with("websocket error", &*text),
            WsEnd::TooLarge => Failure::with("websocket error", "message too large"),
        };
        self.fail(shell, failure);
    }
}

impl Ws {
    pub(super) const fn new(id: WsId) -> Self {
        Self { id, opened: false, closed: false, unflushed: 0 }
    }

    pub(super) fn write(&mut self, shell: &mut Shell, frames: Vec<Frame>) {
        self.unflushed += 1;
        shell.send_ws(self.id, frames);
    }

    fn close(&mut self, shell: &mut Shell) {
        if !self.closed {
            self.closed = true;
            shell.close_ws(self.id);
        }
    }
}
