//! The WebSocket side of Engine.IO: sessions that start on it, and upgrades from polling.

use alloc::boxed::Box;
use alloc::format;

use bytes::Bytes;
use bytestring::ByteString;

use super::config::{RequestHead, Transport};
use super::event::{ConnId, EngineEvent, EngineTimer, HandshakeTicket, Origin, Output, Refusal};
use super::http::{Purpose, Query, switch_refusal};
use super::session::{Carrier, Upgrade};
use super::{Engine, EngineConfig, RequestUse, WsUse};
use crate::codec::engine::{Data, Packet, PacketType};
use crate::event::CloseReason;
use crate::wire::{Frame, WsEnd, WsId};

impl Engine {
    pub(super) fn on_ws_request(&mut self, ws: WsId, head: RequestHead) {
        let query = Query::parse(&head.query);
        match self.verify(&head, &query, true) {
            Err(refusal) => self.refuse_ws(ws, refusal),
            // The reference also lets such a WebSocket in, to close it.
            Ok(_) if query.transport.as_deref() != Some(Transport::WebSocket.as_str()) => {
                self.accept_switch(Origin::Ws(ws));
                self.drop_ws(ws, None);
            }
            Ok(Purpose::Handshake) => self.begin_handshake(Origin::Ws(ws), head),
            Ok(Purpose::Session(conn)) => self.begin_upgrade(conn, ws, query.base64),
        }
    }

    /// Completes the switch, unless it already is.
    pub(super) fn accept_switch(&mut self, origin: Origin) {
        if let Origin::Ws(ws) = origin
            && !self.is_switched(ws)
        {
            self.websockets.insert(ws, WsUse::Accepted);
            self.outputs.push_back(Output::WsAccept(ws));
        }
    }

    /// Whether the switch to WebSocket is complete.
    fn is_switched(&self, ws: WsId) -> bool {
        match self.websockets.get(&ws) {
            Some(WsUse::Waiting { accepted, .. }) => *accepted,
            Some(WsUse::Accepted | WsUse::Main(_) | WsUse::Candidate(_)) => true,
            None => false,
        }
    }

    /// Refuses a WebSocket: over HTTP before the switch, by breaking the stream after it
    /// (`EIO-WS-06`).
    pub(super) fn refuse_ws(&mut self, ws: WsId, refusal: Refusal) {
        let response = switch_refusal(&refusal);
        let switched = self.is_switched(ws);
        self.websockets.remove(&ws);
        if switched {
            let text = format!(
                "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-type: text/html\r\n\
                 Content-Length: {}\r\n\r\n{}",
                response.body.len(),
                refusal.message()
            );
            self.outputs.push_back(Output::WsBreak { ws, bytes: Bytes::from(text) });
        } else {
            self.outputs.push_back(Output::WsReject { ws, response });
        }
        self.events.push_back(EngineEvent::ConnectionError { refusal });
    }

    pub(super) fn set_waiting(&mut self, origin: Origin, ticket: HandshakeTicket) {
        match origin {
            Origin::Http(request) => {
                self.requests.insert(request, RequestUse::Handshake(ticket));
            }
            Origin::Ws(ws) => {
                let accepted = self.is_switched(ws);
                self.websockets.insert(ws, WsUse::Waiting { ticket, accepted });
            }
        }
    }

    pub(super) fn set_owner(&mut self, origin: Origin, conn: ConnId) {
        if let Origin::Ws(ws) = origin {
            self.websockets.insert(ws, WsUse::Main(conn));
        }
    }

    /// A WebSocket that carries the id of a session: a candidate, or a nuisance (`EIO-UP-06`).
    fn begin_upgrade(&mut self, conn: ConnId, ws: WsId, base64: bool) {
        self.accept_switch(Origin::Ws(ws));
        let due = self.now + self.config.upgrade_timeout;
        let Some(session) = self.sessions.get_mut(conn.0) else { return };
        if session.upgrade.is_some() || !matches!(session.carrier, Carrier::Polling(_)) {
            self.drop_ws(ws, None);
            return;
        }
        let timeout = Some(self.timers.arm(due, (conn, EngineTimer::UpgradeTimeout)));
        session.upgrade =
            Some(Box::new(Upgrade { ws, base64, probed: false, timeout, check: None }));
        self.websockets.insert(ws, WsUse::Candidate(conn));
    }

    /// One message of an accepted WebSocket.
    pub(super) fn on_frame(&mut self, ws: WsId, frame: Frame) {
        let Some(r#use) = self.websockets.get(&ws).copied() else { return };
        let (WsUse::Main(conn) | WsUse::Candidate(conn)) = r#use else { return };
        if frame.len() > self.config.max_http_buffer_size {
            self.on_ws_closed(ws, WsEnd::TooLarge);
            return;
        }
        let packet = match frame {
            Frame::Text(text) => Packet::decode_text(&text),
            Frame::Binary(data) => Ok(Packet::decode_binary(data)),
        };
        match (r#use, packet) {
            (WsUse::Candidate(_), Ok(packet)) => self.on_candidate_packet(conn, &packet),
            (WsUse::Candidate(_), Err(_)) => self.abandon_upgrade(conn),
            (_, Ok(packet)) => self.on_packet(conn, packet),
            (_, Err(_)) => {
                if self.is_open(conn) {
                    self.close_session(conn, CloseReason::ParseError); // EIO-PKT-07
                }
            }
        }
    }

    /// A packet of a candidate: the probe, the switch, or its end (`EIO-UP-01`, `EIO-UP-04`).
    fn on_candidate_packet(&mut self, conn: ConnId, packet: &Packet) {
        let unprobed = self.config.quirks.upgrade_without_probe;
        let Some(session) = self.sessions.get_mut(conn.0) else { return };
        let Some(upgrade) = &mut session.upgrade else { return };
        let is_probe = matches!(&packet.data, Data::Text(text) if *text == "probe");
        match packet.kind {
            PacketType::Ping if is_probe => {
                upgrade.probed = true;
                let ws = upgrade.ws;
                let due = self.now + EngineConfig::UPGRADE_CHECK_INTERVAL;
                self.timers.cancel(&mut upgrade.check);
                upgrade.check = Some(self.timers.arm(due, (conn, EngineTimer::UpgradeCheck)));
                let pong = Frame::Text(ByteString::from_static("3probe"));
                self.loose_frames.entry(ws).or_default().push(pong);
                self.outputs.push_back(Output::WsSend(ws));
                self.events.push_back(EngineEvent::Upgrading { conn });
            }
            PacketType::Upgrade if upgrade.probed || unprobed => self.finish_upgrade(conn),
            PacketType::Open
            | PacketType::Close
            | PacketType::Ping
            | PacketType::Pong
            | PacketType::Message
            | PacketType::Upgrade
            | PacketType::Noop => self.abandon_upgrade(conn),
        }
    }

    /// The candidate becomes the transport; what is queued goes out on it, in order
    /// (`EIO-UP-03`).
    fn finish_upgrade(&mut self, conn: ConnId) {
        let quirks = self.config.quirks;
        if quirks.upgrade_closes_pending_get {
            self.answer_get_with_close(conn); // EIO-UP-09
        } else {
            self.answer_get_with_noop(conn);
        }
        let Some(session) = self.sessions.get_mut(conn.0) else { return };
        let Some(mut upgrade) = session.upgrade.take() else { return };
        self.timers.cancel(&mut upgrade.timeout);
        self.timers.cancel(&mut upgrade.check);
        if quirks.upgrade_cancels_ping_timeout {
            self.timers.cancel(&mut session.pong_timer); // EIO-HB-07
        }
        session.upgraded = true;
        session.base64 = upgrade.base64;
        let closing = session.closing;
        let ws = upgrade.ws;
        let carrier = Carrier::WebSocket { ws, in_flight: false, announced: false };
        if let Carrier::Polling(mut polling) = core::mem::replace(&mut session.carrier, carrier) {
            self.timers.cancel(&mut polling.close_timer);
            if let Some(request) = polling.post {
                self.cut_post(request);
            }
        }
        self.websockets.insert(ws, WsUse::Main(conn));
        self.events.push_back(EngineEvent::Upgraded { conn });
        self.flush(conn);
        if closing {
            self.close_session(conn, CloseReason::ForcedClose);
        }
    }

    /// The candidate is closed; the polling session lives on (`EIO-UP-04`, `EIO-UP-05`).
    pub(super) fn abandon_upgrade(&mut self, conn: ConnId) {
        if let Some(ws) = self.forget_upgrade(conn) {
            self.drop_ws(ws, None);
        }
    }

    fn forget_upgrade(&mut self, conn: ConnId) -> Option<WsId> {
        let mut upgrade = self.sessions.get_mut(conn.0)?.upgrade.take()?;
        self.timers.cancel(&mut upgrade.timeout);
        self.timers.cancel(&mut upgrade.check);
        Some(upgrade.ws)
    }

    /// A GET that is pending while an upgrade is probed is freed, so that the client can finish
    /// (`EIO-UP-02`).
    pub(super) fn on_upgrade_check(&mut self, conn: ConnId) {
        self.answer_get_with_noop(conn);
        let due = self.now + EngineConfig::UPGRADE_CHECK_INTERVAL;
        let Some(session) = self.sessions.get_mut(conn.0) else { return };
        if let Some(upgrade) = &mut session.upgrade {
            upgrade.check = Some(self.timers.arm(due, (conn, EngineTimer::UpgradeCheck)));
        }
    }

    pub(super) fn on_ws_closed(&mut self, ws: WsId, end: WsEnd) {
        let Some(r#use) = self.websockets.get(&ws).copied() else { return };
        match &end {
            WsEnd::TooLarge => self.drop_ws(ws, Some(1009)), // EIO-WS-03
            WsEnd::Closed | WsEnd::ProtocolError(_) => {
                self.websockets.remove(&ws);
            }
        }
        match r#use {
            WsUse::Main(conn) => {
                let reason = match end {
                    WsEnd::Closed => CloseReason::TransportClose, // EIO-WS-05
                    WsEnd::ProtocolError(text) => CloseReason::TransportError(text),
                    WsEnd::TooLarge => CloseReason::TransportError(ByteString::from_static(
                        "RangeError: Max payload size exceeded",
                    )),
                };
                self.close_session(conn, reason);
            }
            WsUse::Candidate(conn) => {
                self.forget_upgrade(conn);
            }
            WsUse::Waiting { ticket, .. } => {
                self.pending.remove(&ticket);
            }
            WsUse::Accepted => {}
        }
    }
}
