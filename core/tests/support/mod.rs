//! What the tests of the machines share: a host without a network, in virtual time.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::unnecessary_wraps,
    clippy::wildcard_enum_match_arm,
    reason = "each test binary uses a part of it, and fails by panicking"
)]

pub(crate) mod vectors;
pub(crate) mod world;

use std::collections::{BTreeMap, VecDeque};

use overheard_core::engine::{Body, Engine, Input, Method, Output, RequestHead, Response};
use overheard_core::id::IdSource;
use overheard_core::server::Server;
use overheard_core::wire::{Frame, RequestId, WsEnd, WsId};

/// Ids that count, so that a run repeats itself.
#[derive(Debug)]
pub(crate) struct CountingIds(pub(crate) u64);

impl IdSource for CountingIds {
    fn next_bytes(&mut self) -> [u8; 12] {
        self.0 += 1;
        // SplitMix64: distinct, and spread over all bytes.
        let mut z = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&(z ^ (z >> 31)).to_le_bytes());
        bytes[8..].copy_from_slice(&self.0.to_le_bytes()[..4]);
        bytes
    }
}

/// What a WebSocket of a test has received.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Got {
    Open,
    Frame(Frame),
    /// Refused with this response.
    Http(u16, String),
    /// Broken by bytes that are no frame.
    Broken,
    Close(u16),
}

/// The client's side of the transport: what was answered and received.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    pub(crate) next_request: u64,
    pub(crate) next_ws: u64,
    pub(crate) responses: BTreeMap<RequestId, Response>,
    pub(crate) destroyed: Vec<RequestId>,
    pub(crate) bodies_wanted: VecDeque<(RequestId, usize)>,
    pub(crate) inboxes: BTreeMap<WsId, VecDeque<Got>>,
    pub(crate) closed: BTreeMap<WsId, bool>,
}

impl Wire {
    pub(crate) fn request(
        &mut self,
        method: Method,
        query: &str,
        headers: &[(&str, &str)],
    ) -> (RequestId, Input) {
        let request = RequestId(self.next_request);
        self.next_request += 1;
        (request, Input::Request { request, head: head(method, query, headers) })
    }

    pub(crate) fn websocket(&mut self, query: &str) -> (WsId, Input) {
        let ws = WsId(self.next_ws);
        self.next_ws += 1;
        self.inboxes.insert(ws, VecDeque::new());
        (ws, Input::WsRequest { ws, head: head(Method::Get, query, &[]) })
    }

    fn put(&mut self, ws: WsId, got: Got) {
        self.inboxes.entry(ws).or_default().push_back(got);
    }

    /// Carries out one output. Returns the WebSocket whose frames are to be taken.
    pub(crate) fn perform(&mut self, output: Output) -> Option<WsId> {
        match output {
            Output::Respond { request, response } => {
                assert!(self.responses.insert(request, response).is_none(), "answered twice");
            }
            Output::ReadBody { request, limit } => self.bodies_wanted.push_back((request, limit)),
            Output::Destroy(request) => self.destroyed.push(request),
            Output::WsAccept(ws) => self.put(ws, Got::Open),
            Output::WsReject { ws, response } => {
                let body = String::from_utf8(response.body.to_vec()).unwrap();
                self.put(ws, Got::Http(response.status, body));
                self.closed.insert(ws, true);
            }
            Output::WsSend(ws) => return Some(ws),
            Output::WsClose { ws, code } => {
                self.put(ws, Got::Close(code.unwrap_or(1005)));
                self.closed.insert(ws, true);
            }
            Output::WsBreak { ws, .. } => {
                self.put(ws, Got::Broken);
                self.closed.insert(ws, true);
            }
        }
        None
    }

    pub(crate) fn receive(&mut self, ws: WsId, frames: Vec<Frame>) {
        for frame in frames {
            self.put(ws, Got::Frame(frame));
        }
    }

    pub(crate) fn is_closed(&self, ws: WsId) -> bool {
        self.closed.get(&ws).copied().unwrap_or(false)
    }
}

pub(crate) fn head(method: Method, query: &str, headers: &[(&str, &str)]) -> RequestHead {
    RequestHead {
        method,
        path: "/socket.io/".into(),
        query: query.into(),
        headers: headers.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
    }
}

pub(crate) fn ws_closed(ws: WsId) -> Input {
    Input::WsClosed { ws, end: WsEnd::Closed }
}

pub(crate) fn complete(request: RequestId, body: impl Into<bytes::Bytes>) -> Input {
    Input::Body { request, body: Body::Complete(body.into()) }
}

/// The body of a response as text.
pub(crate) fn text(response: &Response) -> String {
    String::from_utf8(response.body.to_vec()).expect("a response in UTF-8")
}

/// Takes frames of either machine.
pub(crate) trait Frames {
    fn take(&mut self, ws: WsId) -> Vec<Frame>;
}

impl Frames for Engine {
    fn take(&mut self, ws: WsId) -> Vec<Frame> {
        let mut frames = Vec::new();
        self.take_frames(ws, &mut frames);
        frames
    }
}

impl Frames for Server {
    fn take(&mut self, ws: WsId) -> Vec<Frame> {
        let mut frames = Vec::new();
        self.take_frames(ws, &mut frames);
        frames
    }
}
