//! What every part of a client shares: the time, its options, its timers, and the way out.

use core::mem;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use bytestring::ByteString;
use smol_str::SmolStr;

use super::backoff::Random;
use super::config::{ClientConfig, Transport};
use super::error::DisconnectReason;
use super::event::{Event, Output};
use super::timers::Timers;
use crate::codec::engine::Data;
use crate::time::Instant;
use crate::wire::{Frame, RequestId, WsId};

/// What failed, for people: the reference's words and a detail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) message: SmolStr,
    pub(super) details: Option<SmolStr>,
}

impl Failure {
    pub(super) fn new(message: &'static str) -> Self {
        Self { message: SmolStr::new_static(message), details: None }
    }

    pub(super) fn with(message: &'static str, details: impl Into<SmolStr>) -> Self {
        Self { message: SmolStr::new_static(message), details: Some(details.into()) }
    }
}

/// What an engine tells the manager. Handled before the engine goes on.
#[derive(Debug)]
pub(super) enum News {
    /// The session is open.
    Opened,
    /// A message.
    Data(Data),
    /// A heartbeat.
    Ping,
    /// It has failed; `Closed` follows.
    Failed(Failure),
    /// It is closed.
    Closed { reason: DisconnectReason, details: Option<SmolStr> },
    /// It uses WebSocket from here on.
    Upgraded,
    /// It stays with polling.
    UpgradeFailed(Failure),
}

#[derive(Debug)]
pub(super) struct Shell {
    pub(super) config: ClientConfig,
    pub(super) now: Instant,
    pub(super) timers: Timers,
    pub(super) random: Box<dyn Random>,
    /// Whether WebSocket worked the last time, for `remember_upgrade`.
    pub(super) websocket_worked: bool,
    outputs: VecDeque<Output>,
    news: VecDeque<(u64, News)>,
    requests: u64,
    websockets: u64,
}

impl Shell {
    pub(super) fn new(config: ClientConfig, random: Box<dyn Random>, now: Instant) -> Self {
        Self {
            config,
            now,
            timers: Timers::default(),
            random,
            websocket_worked: false,
            outputs: VecDeque::new(),
            news: VecDeque::new(),
            requests: 0,
            websockets: 0,
        }
    }

    pub(super) fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(super) fn tell(&mut self, engine: u64, news: News) {
        self.news.push_back((engine, news));
    }

    pub(super) fn next_news(&mut self) -> Option<(u64, News)> {
        self.news.pop_front()
    }

    pub(super) fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(super) fn is_drained(&self) -> bool {
        self.outputs.is_empty()
    }

    pub(super) const fn knows_request(&self, request: RequestId) -> bool {
        request.0 < self.requests
    }

    pub(super) const fn knows_ws(&self, ws: WsId) -> bool {
        ws.0 < self.websockets
    }

    pub(super) fn get(&mut self, sid: Option<&str>) -> RequestId {
        let query = self.query(Transport::Polling, sid);
        let request = self.request_id();
        self.outputs.push_back(Output::HttpGet { request, query });
        request
    }

    pub(super) fn post(&mut self, sid: Option<&str>, body: ByteString) -> RequestId {
        let query = self.query(Transport::Polling, sid);
        let request = self.request_id();
        self.outputs.push_back(Output::HttpPost { request, query, body });
        request
    }

    /// Cancels a request, if there is one.
    pub(super) fn abort(&mut self, request: &mut Option<RequestId>) {
        if let Some(request) = request.take() {
            self.outputs.push_back(Output::HttpAbort { request });
        }
    }

    pub(super) fn open_ws(&mut self, sid: Option<&str>) -> WsId {
        let query = self.query(Transport::WebSocket, sid);
        let ws = WsId(self.websockets);
        self.websockets += 1;
        self.outputs.push_back(Output::OpenWs { ws, query });
        ws
    }

    pub(super) fn send_ws(&mut self, ws: WsId, frames: Vec<Frame>) {
        self.outputs.push_back(Output::WsSend { ws, frames });
    }

    pub(super) fn close_ws(&mut self, ws: WsId) {
        self.outputs.push_back(Output::WsClose { ws });
    }

    fn request_id(&mut self) -> RequestId {
        let request = RequestId(self.requests);
        self.requests += 1;
        request
    }

    /// The application's members, then those of the protocol, in the order of the reference.
    fn query(&mut self, transport: Transport, sid: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.config.query);
        query.append_pair("EIO", "4").append_pair("transport", transport.name());
        if self.config.timestamp_requests && transport == Transport::Polling {
            query.append_pair("t", &cache_buster(self.random.as_mut()));
        }
        if let Some(sid) = sid {
            query.append_pair("sid", sid);
        }
        mem::take(&mut query.finish())
    }
}

/// Eight characters of base 36, as many as in the reference.
fn cache_buster(random: &mut dyn Random) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    (0..8)
        .map(|_| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "casts of floats saturate, and the index is checked"
            )]
            let index = (random.next_f64() * 36.0) as usize;
            char::from(*DIGITS.get(index).unwrap_or(&b'0'))
        })
        .collect()
}
