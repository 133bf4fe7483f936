//! The HTTP side of Engine.IO: which requests are accepted, and how each is answered.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec;

use bytes::Bytes;
use bytestring::ByteString;
use smol_str::SmolStr;

use super::config::{Method, RequestHead, Transport};
use super::event::{
    Body, ConnId, EngineEvent, HandshakeTicket, Origin, Output, Pending, Refusal, RequestDecision,
    Response, Stage,
};
use super::session::{Carrier, Session, body_text};
use super::{Engine, RequestUse, Work};
use crate::codec::engine::payload::SEPARATOR;
use crate::codec::engine::{Packet, PacketType};
use crate::codec::jsonp;
use crate::event::CloseReason;
use crate::wire::RequestId;

/// The parameters of a request that this protocol reads.
#[derive(Debug, Default)]
pub(super) struct Query {
    pub(super) transport: Option<String>,
    version: Option<String>,
    pub(super) sid: Option<String>,
    pub(super) base64: bool,
    jsonp: Option<ByteString>,
}

impl Query {
    pub(super) fn parse(query: &str) -> Self {
        let mut parsed = Self::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "transport" => parsed.transport = Some(value.into_owned()),
                "EIO" => parsed.version = Some(value.into_owned()),
                "sid" => parsed.sid = Some(value.into_owned()),
                "b64" => parsed.base64 = !value.is_empty(),
                "j" => parsed.jsonp = Some(value.into_owned().into()),
                _ => {}
            }
        }
        parsed
    }

    fn speaks_protocol_4(&self) -> bool {
        self.version.as_deref() == Some("4") // EIO-HS-06: exactly this string
    }
}

/// What a verified request is for.
pub(super) enum Purpose {
    Handshake,
    Session(ConnId),
}

impl Engine {
    /// Checks a request in the reference's order (`EIO-HS-07`).
    pub(super) fn verify(
        &self,
        head: &RequestHead,
        query: &Query,
        upgrade: bool,
    ) -> Result<Purpose, Refusal> {
        let transport = match query.transport.as_deref() {
            Some("polling") => Transport::Polling,
            Some("websocket") => Transport::WebSocket,
            _ => return Err(Refusal::TransportUnknown), // EIO-ERR-04
        };
        if !self.config.transports.allow(transport) {
            return Err(Refusal::TransportUnknown);
        }
        if head.header("origin").is_some_and(has_invalid_header_char) {
            return Err(Refusal::InvalidOrigin);
        }
        if let Some(sid) = query.sid.as_deref().filter(|sid| !sid.is_empty()) {
            let conn = self.by_sid.get(sid).copied().ok_or(Refusal::SidUnknown)?;
            let session = self.sessions.get(conn.0).ok_or(Refusal::SidUnknown)?;
            // EIO-UP-07; and a WebSocket session takes no plain request, whatever it names.
            if !upgrade && (transport, session.transport()) != (Transport::Polling, transport) {
                return Err(Refusal::TransportMismatch);
            }
            if !query.speaks_protocol_4() {
                return Err(Refusal::ProtocolMismatch);
            }
            return Ok(Purpose::Session(conn));
        }
        if head.method != Method::Get {
            return Err(Refusal::BadHandshakeMethod);
        }
        if transport == Transport::WebSocket && !upgrade {
            return Err(Refusal::TransportHandshake);
        }
        Ok(Purpose::Handshake)
    }

    pub(super) fn on_request(&mut self, request: RequestId, head: RequestHead) {
        let query = Query::parse(&head.query);
        match self.verify(&head, &query, false) {
            Err(refusal) => self.refuse_request(request, refusal),
            Ok(Purpose::Handshake) => self.begin_handshake(Origin::Http(request), head),
            Ok(Purpose::Session(conn)) => match head.method {
                Method::Get => self.on_get(conn, request, query.jsonp),
                Method::Post => self.on_post(conn, request, &head, query.jsonp.is_some()),
                // EIO-POLL-04: the session survives.
                Method::Other => self.respond(request, empty(500)),
            },
        }
    }

    fn on_get(&mut self, conn: ConnId, request: RequestId, jsonp: Option<ByteString>) {
        let Some(session) = self.sessions.get_mut(conn.0) else { return };
        let Carrier::Polling(polling) = &mut session.carrier else { return };
        if polling.get.is_some() {
            let text = ByteString::from_static("overlap from client");
            self.close_session(conn, CloseReason::TransportError(text)); // EIO-POLL-01
            self.respond(request, empty(400));
            return;
        }
        polling.get = Some(request);
        polling.jsonp = jsonp;
        let waits_to_close = polling.close_timer.is_some();
        self.requests.insert(request, RequestUse::Get(conn));
        if waits_to_close {
            self.close_on_get(conn);
        } else {
            self.flush(conn);
        }
    }

    fn on_post(&mut self, conn: ConnId, request: RequestId, head: &RequestHead, jsonp: bool) {
        let limit = self.config.max_http_buffer_size;
        let Some(session) = self.sessions.get_mut(conn.0) else { return };
        let Carrier::Polling(polling) = &mut session.carrier else { return };
        let misuse = if polling.post.is_some() {
            Some("data request overlap from client") // EIO-POLL-02
        } else if head.header("content-type") == Some("application/octet-stream") {
            Some("invalid content") // EIO-POLL-09
        } else {
            None
        };
        if let Some(text) = misuse {
            self.close_session(conn, CloseReason::TransportError(ByteString::from_static(text)));
            self.respond(request, empty(400));
            return;
        }
        polling.post = Some(request);
        self.requests.insert(request, RequestUse::Post { conn, jsonp });
        self.outputs.push_back(Output::ReadBody { request, limit });
    }

    pub(super) fn on_body(&mut self, request: RequestId, body: Body) {
        let (conn, jsonp) = match self.requests.get(&request) {
            Some(RequestUse::Post { conn, jsonp }) => (*conn, *jsonp),
            Some(RequestUse::Get(_) | RequestUse::Handshake(_) | RequestUse::Posted) | None => {
                return;
            }
        };
        let body = match body {
            Body::Complete(body) if body.len() <= self.config.max_http_buffer_size => body,
            Body::Complete(_) | Body::TooLarge => {
                self.end_post(conn, request);
                self.respond(request, empty(413)); // EIO-POLL-10: the session lives
                return;
            }
        };
        let text = if jsonp { jsonp::body(&body) } else { Some(body_text(&body)) };
        self.work.extend(text.map(|payload| Work::Payload { conn, payload }));
        self.requests.insert(request, RequestUse::Posted);
        self.work.push_back(Work::FinishPost { conn, request });
    }

    /// One packet of a posted payload (`EIO-POLL-05`). Returns the packets behind it.
    pub(super) fn payload_step(
        &mut self,
        conn: ConnId,
        payload: &ByteString,
    ) -> Option<ByteString> {
        let (first, rest) = match payload.split_once(SEPARATOR) {
            Some((first, rest)) => (first, Some(payload.slice_ref(rest))),
            None => (&**payload, None),
        };
        match Packet::decode_text(&payload.slice_ref(first)) {
            Err(_) => {
                if self.is_open(conn) {
                    self.close_session(conn, CloseReason::ParseError); // EIO-PKT-05
                }
                None
            }
            Ok(Packet { kind: PacketType::Close, .. }) => {
                if self.sessions.contains_key(conn.0) {
                    self.close_session(conn, CloseReason::TransportClose); // EIO-CLOSE-03
                }
                None
            }
            Ok(packet) => {
                self.on_packet(conn, packet);
                rest
            }
        }
    }

    pub(super) fn finish_post(&mut self, conn: ConnId, request: RequestId) {
        self.end_post(conn, request);
        if !self.requests.contains_key(&request) {
            return; // The client gave up.
        }
        let headers =
            vec![("Content-Type", "text/html".to_string()), ("cache-control", "no-store".into())];
        let body = Bytes::from_static(b"ok");
        self.respond(request, Response { status: 200, headers, body, compress: false });
    }

    /// Cuts a POST whose body is still under way (`EIO-POLL-02`).
    pub(super) fn cut_post(&mut self, request: RequestId) {
        if matches!(self.requests.get(&request), Some(RequestUse::Post { .. })) {
            self.requests.remove(&request);
            self.outputs.push_back(Output::Destroy(request));
        }
    }

    fn end_post(&mut self, conn: ConnId, request: RequestId) {
        if let Some(Carrier::Polling(polling)) =
            self.sessions.get_mut(conn.0).map(|session| &mut session.carrier)
            && polling.post == Some(request)
        {
            polling.post = None;
        }
    }

    pub(super) fn on_request_aborted(&mut self, request: RequestId) {
        let (conn, text) = match self.requests.remove(&request) {
            Some(RequestUse::Get(conn)) => (conn, "poll connection closed prematurely"),
            Some(RequestUse::Post { conn, .. }) => {
                self.end_post(conn, request);
                (conn, "data request connection closed prematurely")
            }
            Some(RequestUse::Handshake(ticket)) => {
                self.pending.remove(&ticket);
                return;
            }
            Some(RequestUse::Posted) | None => return,
        };
        if let Some(Carrier::Polling(polling)) =
            self.sessions.get_mut(conn.0).map(|session| &mut session.carrier)
            && polling.get == Some(request)
        {
            polling.get = None;
        }
        // EIO-POLL-08
        self.close_session(conn, CloseReason::TransportError(ByteString::from_static(text)));
    }

    /// A handshake that passed the checks: ask the application what it wants to be asked.
    pub(super) fn begin_handshake(&mut self, origin: Origin, head: RequestHead) {
        if self.sessions.len() >= self.config.limits.sessions
            || self.pending.len() >= self.config.limits.pending_handshakes
        {
            self.refuse(origin, Refusal::ServerFull);
        } else if self.config.check_requests {
            self.ask(origin, head, Stage::Check);
        } else {
            self.accept_handshake(origin, head);
        }
    }

    fn ask(&mut self, origin: Origin, head: RequestHead, stage: Stage) {
        let ticket = HandshakeTicket(self.next_ticket);
        self.next_ticket += 1;
        self.set_waiting(origin, ticket);
        self.events.push_back(match stage {
            Stage::Check => EngineEvent::CheckRequest { ticket, head: head.clone() },
            Stage::Id => EngineEvent::ChooseId { ticket, head: head.clone() },
        });
        self.pending.insert(ticket, Box::new(Pending { head, origin, stage }));
    }

    /// Answers [`EngineEvent::CheckRequest`]. Returns whether the ticket was waiting for it; a
    /// client that gave up meanwhile is no error.
    pub fn decide_request(&mut self, ticket: HandshakeTicket, decision: RequestDecision) -> bool {
        let Some(pending) = self.take_pending(ticket, Stage::Check) else { return false };
        match decision {
            RequestDecision::Allow => self.accept_handshake(pending.origin, pending.head),
            RequestDecision::Forbid(message) => {
                let message = message.filter(|message| !message.is_empty());
                self.refuse(pending.origin, Refusal::Forbidden(message));
            }
            RequestDecision::Fail => self.refuse(pending.origin, Refusal::MiddlewareFailure),
        }
        true
    }

    /// Answers [`EngineEvent::ChooseId`]; an id that is in use or empty counts as a failure.
    pub fn decide_id(&mut self, ticket: HandshakeTicket, id: super::IdDecision) -> bool {
        let Some(pending) = self.take_pending(ticket, Stage::Id) else { return false };
        match id {
            Ok(sid) if !sid.is_empty() && !self.by_sid.contains_key(&sid) => {
                self.open_session(pending.origin, pending.head, sid);
            }
            Ok(_) | Err(_) => self.refuse(pending.origin, Refusal::IdGeneration),
        }
        true
    }

    fn take_pending(&mut self, ticket: HandshakeTicket, stage: Stage) -> Option<Pending> {
        if self.pending.get(&ticket)?.stage != stage {
            return None;
        }
        self.pending.remove(&ticket).map(|pending| *pending)
    }

    /// The request itself is welcome: now the version, and the id (`EIO-HS-07`).
    fn accept_handshake(&mut self, origin: Origin, head: RequestHead) {
        if self.config.quirks.late_websocket_refusal {
            self.accept_switch(origin);
        }
        if !Query::parse(&head.query).speaks_protocol_4() {
            self.refuse(origin, Refusal::UnsupportedVersion);
        } else if self.config.custom_ids {
            self.ask(origin, head, Stage::Id);
        } else {
            let sid = self.ids.next_id();
            self.open_session(origin, head, sid);
        }
    }

    /// The session exists from here on, unless others took the last places while this handshake
    /// waited for the application.
    fn open_session(&mut self, origin: Origin, head: RequestHead, sid: SmolStr) {
        if self.sessions.len() >= self.config.limits.sessions {
            self.refuse(origin, Refusal::ServerFull);
            return;
        }
        self.accept_switch(origin);
        let query = Query::parse(&head.query);
        let carrier = match origin {
            Origin::Http(_) => Carrier::Polling(Box::default()),
            Origin::Ws(ws) => Carrier::WebSocket { ws, in_flight: false, announced: false },
        };
        let base64 = query.base64;
        let key = self.sessions.insert(Session::new(sid.clone(), carrier, base64, head));
        let conn = ConnId(key);
        self.by_sid.insert(sid, conn);
        self.set_owner(origin, conn);
        self.send_handshake(conn);
        if let Origin::Http(request) = origin {
            self.on_get(conn, request, query.jsonp);
        }
        self.events.push_back(EngineEvent::Open { conn });
    }

    fn refuse_request(&mut self, request: RequestId, refusal: Refusal) {
        self.respond(request, refusal_response(&refusal));
        self.events.push_back(EngineEvent::ConnectionError { refusal });
    }

    pub(super) fn refuse(&mut self, origin: Origin, refusal: Refusal) {
        match origin {
            Origin::Http(request) => self.refuse_request(request, refusal),
            Origin::Ws(ws) => self.refuse_ws(ws, refusal),
        }
    }

    pub(super) fn respond(&mut self, request: RequestId, response: Response) {
        self.requests.remove(&request);
        self.outputs.push_back(Output::Respond { request, response });
    }
}

/// A response without body.
fn empty(status: u16) -> Response {
    Response { status, headers: vec![], body: Bytes::new(), compress: false }
}

/// The HTTP form of a refusal (`EIO-ERR-02`).
fn refusal_response(refusal: &Refusal) -> Response {
    let body = serde_json::json!({ "code": refusal.code(), "message": refusal.message() });
    Response {
        status: refusal.status(),
        headers: vec![("Content-Type", "application/json".to_string())],
        body: Bytes::from(body.to_string()),
        compress: false,
    }
}

/// The HTTP form of a refused switch to WebSocket: always 400, the message as body (`EIO-WS-06`).
pub(super) fn switch_refusal(refusal: &Refusal) -> Response {
    Response {
        status: 400,
        headers: vec![("Content-type", "text/html".to_string()), ("Connection", "close".into())],
        body: Bytes::from(refusal.message().to_string()),
        compress: false,
    }
}

/// The answer to a GET (`EIO-HS-11`, `EIO-POLL-11`).
pub(super) fn poll_response(payload: ByteString, callback: Option<&ByteString>) -> Response {
    let (kind, body) = match callback {
        None => ("text/plain; charset=UTF-8", payload.into_bytes()),
        Some(callback) => {
            ("text/javascript; charset=UTF-8", Bytes::from(jsonp::response(callback, &payload)))
        }
    };
    let headers = vec![("Content-Type", kind.to_string()), ("cache-control", "no-store".into())];
    Response { status: 200, headers, body, compress: false }
}

/// Whether a header value holds a character that HTTP does not allow there.
fn has_invalid_header_char(value: &str) -> bool {
    value.chars().any(|c| !matches!(c, '\t' | ' '..='~' | '\u{80}'..='\u{ff}'))
}
