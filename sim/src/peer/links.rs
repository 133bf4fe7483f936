//! A client's requests and WebSockets, each with a task of its own.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use overheard_core::client::Input;
use overheard_core::wire::{Frame, RequestId, WsEnd, WsId};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::{Peer, State};
use crate::net::Place;
use crate::net::socket::Socket;
use crate::net::websocket::{Feed, Outbox, pump};

/// Why a request has no answer; nobody asks further.
#[derive(Debug)]
struct Failed;

/// How long a connection may have been idle to be used again, in nanoseconds. Servers close idle
/// connections without a word, the reference's after five seconds, and a request that is written
/// into one then is lost.
const MOST_IDLE: u64 = 3_000_000_000;

/// Connections that are kept for the next request, and since when.
#[derive(Debug, Default)]
pub(super) struct Pool(RefCell<Vec<(u64, SendRequest<Full<Bytes>>)>>);

impl Pool {
    /// One that is ready.
    fn take(&self, now: u64) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.0.borrow_mut();
        idle.retain(|(since, connection)| !connection.is_closed() && now - since < MOST_IDLE);
        let ready = idle.iter().position(|(_, connection)| connection.is_ready())?;
        Some(idle.remove(ready).1)
    }

    fn put(&self, connection: SendRequest<Full<Bytes>>, now: u64) {
        self.0.borrow_mut().push((now, connection));
    }
}

impl Peer {
    /// Sends a request: a POST if it has a body.
    pub(super) fn send(
        self: &Rc<Self>,
        state: &mut State,
        request: RequestId,
        query: &str,
        body: Option<Bytes>,
    ) {
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let mut http = Request::new(Full::new(body.unwrap_or_default()));
        if method == Method::POST {
            let kind = hyper::header::HeaderValue::from_static("text/plain; charset=UTF-8");
            http.headers_mut().insert(CONTENT_TYPE, kind);
        }
        *http.method_mut() = method;
        let Place { host, path, .. } = self.network.place();
        match (host.parse(), format!("{path}?{query}").parse()) {
            (Ok(host), Ok(uri)) => {
                http.headers_mut().insert(HOST, host);
                *http.uri_mut() = uri;
            }
            (Err(_), _) | (_, Err(_)) => {
                self.recorder.broken(format!("not a query: {host}{path}?{query}"));
            }
        }
        let this = self.clone();
        let task = async move {
            let answer = this.ask(http).await;
            this.state.borrow_mut().tasks.remove(&request);
            this.input_from_wire(match answer {
                Ok((status, body)) => Input::HttpResponse { request, status, body },
                Err(Failed) => Input::HttpFailed { request },
            });
        };
        let task = tokio::task::spawn_local(self.recorder.guard("a request", task));
        state.tasks.insert(request, task.abort_handle());
    }

    async fn ask(&self, http: Request<Full<Bytes>>) -> Result<(u16, Bytes), Failed> {
        let clock = self.recorder.clock();
        let mut connection = match self.pool.take(clock.now()) {
            Some(connection) => connection,
            None => self.dial_http().await?,
        };
        let response = connection.send_request(http).await.map_err(|_| Failed)?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(|_| Failed)?.to_bytes();
        self.pool.put(connection, clock.now());
        Ok((status, body))
    }

    async fn dial_http(&self) -> Result<SendRequest<Full<Bytes>>, Failed> {
        let io = self.network.connect(&self.end).await.map_err(|_| Failed)?;
        let (sender, connection) = handshake(TokioIo::new(io)).await.map_err(|_| Failed)?;
        let run = async move {
            // Its requests have failed, too.
            drop(connection.await);
        };
        tokio::task::spawn_local(self.recorder.guard("a connection of a client", run));
        Ok(sender)
    }

    /// Opens a WebSocket.
    pub(super) fn open(self: &Rc<Self>, state: &mut State, ws: WsId, query: &str) {
        let outbox = Rc::new(Outbox::default());
        state.outboxes.insert(ws, outbox.clone());
        let Place { host, path, .. } = self.network.place();
        let url = format!("ws://{host}{path}?{query}");
        let this = self.clone();
        let task = async move {
            let feed = PeerFeed { peer: this.clone(), ws };
            let Ok(io) = this.network.connect(&this.end).await else {
                return feed.ended(WsEnd::Closed);
            };
            let config = WebSocketConfig::default()
                .max_write_buffer_size(usize::MAX)
                .max_message_size(None)
                .max_frame_size(None);
            let Ok(socket) = Socket::open(url, io, config).await else {
                return feed.ended(WsEnd::Closed);
            };
            this.state.borrow_mut().dials.remove(&ws);
            this.input(Input::WsOpened { ws });
            pump(socket, &outbox, &feed).await;
            this.state.borrow_mut().outboxes.remove(&ws);
        };
        let task = tokio::task::spawn_local(self.recorder.guard("a WebSocket of a client", task));
        state.dials.insert(ws, task.abort_handle());
    }

    /// Hands in the commands that events outside of the machine's turn led to.
    pub(super) fn carry_out_replies(self: &Rc<Self>) {
        let replies = std::mem::take(&mut self.state.borrow_mut().replies);
        for command in replies {
            self.input(Input::Command(command));
        }
    }
}

/// Tells the machine what happens on a WebSocket.
struct PeerFeed {
    peer: Rc<Peer>,
    ws: WsId,
}

impl Feed for PeerFeed {
    fn frames(&self, frames: Vec<Frame>) {
        self.peer.input_from_wire(Input::WsFrames { ws: self.ws, frames });
    }

    fn flushed(&self, batches: u32) {
        for _ in 0..batches {
            self.peer.input(Input::WsFlushed { ws: self.ws });
        }
    }

    fn ended(&self, end: WsEnd) {
        self.peer.input(Input::WsClosed { ws: self.ws, end });
    }
}
