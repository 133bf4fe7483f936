//! Takes connections in, and carries what arrives on them to the machine.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method as HttpMethod, Request, StatusCode};
use hyper_util::rt::TokioIo;
use overheard_core::app::App;
use overheard_core::engine::{Body, Input, Method, RequestHead, Response};
use overheard_core::wire::{Frame, RequestId, WsEnd, WsId};
use smol_str::SmolStr;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::{Answer, Host, SERVER, Slot, ws_slot};
use crate::history::What;
use crate::net::websocket::{Feed, Outbox, pump};
use crate::net::{Accepted, BoxIo, Network};

/// Runs a server process: opens the door, and serves until it is dropped.
pub(crate) async fn serve<A: App + 'static>(host: Rc<Host<A>>, network: Rc<dyn Network>) {
    let mut listener = match network.listen().await {
        Ok(listener) => listener,
        Err(error) => return host.recorder.broken(format!("the server cannot listen: {error}")),
    };
    host.recorder.record(SERVER, What::Up);
    let mut tasks = JoinSet::new();
    tasks.spawn_local(host.recorder.guard("the server's clerk", host.clone().clerk()));
    loop {
        tokio::select! {
            biased;
            accepted = listener.accept() => match accepted {
                Ok(accepted) => {
                    let task = connection(host.clone(), accepted);
                    tasks.spawn_local(host.recorder.guard("a connection of the server", task));
                }
                Err(error) => host.recorder.broken(format!("the server cannot accept: {error}")),
            },
            _ = tasks.join_next() => {}
            () = host.closing.notified() => break,
        }
    }
    drop(listener);
    while tasks.join_next().await.is_some() {}
}

/// One TCP connection, to its end.
async fn connection<A: App + 'static>(host: Rc<Host<A>>, accepted: Accepted) {
    let Accepted { io, caller } = accepted;
    let switched: Rc<Cell<Option<WsId>>> = Rc::default();
    let service = service_fn(|request| {
        let (host, switched, client) = (host.clone(), switched.clone(), caller.client());
        async move { Visit { host, client, switched }.answer(request).await }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    let http = http.auto_date_header(false).serve_connection(TokioIo::new(io), service);
    let parts = http.without_shutdown().await;
    let Some(ws) = switched.get() else { return };
    let feed = HostFeed { host: host.clone(), client: caller.client(), ws };
    let outbox = host.state.borrow().outbox(ws);
    match (parts, outbox) {
        (Ok(parts), Some(outbox)) => {
            let io = parts.io.into_inner();
            let socket = websocket(io, parts.read_buf, host.engine.max_http_buffer_size).await;
            pump(socket, &outbox, &feed).await;
        }
        (Ok(_), None) => {}
        (Err(_), _) => feed.ended(WsEnd::Closed),
    }
    host.state.borrow_mut().forget(ws);
}

async fn websocket(io: BoxIo, read: Bytes, most: usize) -> WebSocketStream<BoxIo> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(most))
        .max_frame_size(Some(most))
        // A server of this shape has many connections and little to say on each.
        .read_buffer_size(4096)
        .max_write_buffer_size(usize::MAX);
    WebSocketStream::from_partially_read(io, read.to_vec(), Role::Server, Some(config)).await
}

/// Tells the machine what happens on a WebSocket.
struct HostFeed<A> {
    host: Rc<Host<A>>,
    client: Option<u32>,
    ws: WsId,
}

impl<A: App> Feed for HostFeed<A> {
    fn frames(&self, frames: Vec<Frame>) {
        self.host.input(self.client, Input::WsFrames { ws: self.ws, frames });
    }

    fn flushed(&self, _: u32) {
        self.host.input(self.client, Input::WsFlushed(self.ws));
    }

    fn ended(&self, end: WsEnd) {
        self.host.input(self.client, Input::WsClosed { ws: self.ws, end });
    }
}

/// Why a connection is cut.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server cuts the connection")
    }
}

impl std::error::Error for Cut {}

impl From<Infallible> for Cut {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

type HttpResponse = hyper::Response<Full<Bytes>>;

/// One request on a connection.
struct Visit<A> {
    host: Rc<Host<A>>,
    client: Option<u32>,
    switched: Rc<Cell<Option<WsId>>>,
}

impl<A: App> Visit<A> {
    async fn answer(self, request: Request<Incoming>) -> Result<HttpResponse, Cut> {
        if !self.host.engine.owns_path(request.uri().path()) || self.host.is_dead() {
            return Ok(plain(StatusCode::NOT_FOUND));
        }
        if is_upgrade(&request) { self.switch(&request).await } else { self.http(request).await }
    }

    async fn http(self, request: Request<Incoming>) -> Result<HttpResponse, Cut> {
        let (id, slot) = {
            let mut state = self.host.state.borrow_mut();
            let id = RequestId(state.next_request);
            state.next_request += 1;
            let slot = Rc::new(Slot { session: session_of(&request), ..Slot::default() });
            state.requests.insert(id, slot.clone());
            (id, slot)
        };
        let mut pending = Pending { visit: &self, id: PendingId::Request(id), open: true };
        let head = head_of(&request);
        let mut body = Some(request.into_body());
        self.host.input(self.client, Input::Request { request: id, head });
        loop {
            match slot.next().await {
                Answer::Respond(response) => {
                    pending.open = false;
                    return Ok(http_response(response));
                }
                Answer::Destroy => {
                    pending.open = false;
                    return Err(Cut);
                }
                Answer::ReadBody(limit) => {
                    let Some(body) = body.take() else { return Err(Cut) };
                    // A body that breaks off is a request that is given up.
                    let body = read_body(body, limit).await.map_err(|_| Cut)?;
                    self.host.input(self.client, Input::Body { request: id, body });
                }
                Answer::Accept => {}
            }
        }
    }

    async fn switch(self, request: &Request<Incoming>) -> Result<HttpResponse, Cut> {
        let Some(key) = request.headers().get(header::SEC_WEBSOCKET_KEY) else {
            return Ok(plain(StatusCode::BAD_REQUEST));
        };
        let accept = derive_accept_key(key.as_bytes());
        let (ws, slot) = {
            let mut state = self.host.state.borrow_mut();
            let ws = WsId(state.sockets.len() as u64);
            state.sockets.push(Some(Rc::new(Outbox::default())));
            let slot = Rc::new(Slot::default());
            state.requests.insert(ws_slot(ws), slot.clone());
            (ws, slot)
        };
        let mut pending = Pending { visit: &self, id: PendingId::WebSocket(ws), open: true };
        let head = head_of(request);
        self.host.input(self.client, Input::WsRequest { ws, head });
        let answer = slot.next().await;
        pending.open = false;
        match answer {
            Answer::Respond(response) => Ok(http_response(response)),
            Answer::Destroy | Answer::ReadBody(_) => Err(Cut),
            Answer::Accept => {
                self.switched.set(Some(ws));
                let mut response = plain(StatusCode::SWITCHING_PROTOCOLS);
                let headers = response.headers_mut();
                headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
                headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                if let Ok(accept) = HeaderValue::from_str(&accept) {
                    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
                }
                Ok(response)
            }
        }
    }
}

enum PendingId {
    Request(RequestId),
    WebSocket(WsId),
}

/// A request that the machine has not answered: dropping it means that the client gave it up.
struct Pending<'a, A: App> {
    visit: &'a Visit<A>,
    id: PendingId,
    open: bool,
}

impl<A: App> Drop for Pending<'_, A> {
    fn drop(&mut self) {
        let host = &self.visit.host;
        if !self.open || host.is_dead() {
            return;
        }
        let input = match self.id {
            PendingId::Request(id) => {
                host.state.borrow_mut().requests.remove(&id);
                Input::RequestAborted(id)
            }
            PendingId::WebSocket(ws) => {
                let mut state = host.state.borrow_mut();
                state.requests.remove(&ws_slot(ws));
                state.forget(ws);
                Input::WsClosed { ws, end: WsEnd::Closed }
            }
        };
        host.input(self.visit.client, input);
    }
}

/// The session that a request names.
fn session_of(request: &Request<Incoming>) -> SmolStr {
    let query = request.uri().query().unwrap_or_default();
    query.split('&').find_map(|part| part.strip_prefix("sid=")).unwrap_or_default().into()
}

fn is_upgrade(request: &Request<Incoming>) -> bool {
    let has = |name: HeaderName, word: &str| {
        let values = request.headers().get_all(name);
        values.iter().any(|value| {
            let text = value.to_str().unwrap_or_default();
            text.split(',').any(|part| part.trim().eq_ignore_ascii_case(word))
        })
    };
    request.method() == HttpMethod::GET
        && has(header::UPGRADE, "websocket")
        && has(header::CONNECTION, "upgrade")
}

fn head_of(request: &Request<Incoming>) -> RequestHead {
    let method = match *request.method() {
        HttpMethod::GET => Method::Get,
        HttpMethod::POST => Method::Post,
        _ => Method::Other,
    };
    let headers = request.headers().iter().map(|(name, value)| {
        // Bytes that are no text stay visible as what they are: one character each.
        let text = value.as_bytes().iter().map(|byte| char::from(*byte)).collect();
        (SmolStr::from(name.as_str()), text)
    });
    RequestHead {
        method,
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        headers: headers.collect(),
    }
}

async fn read_body(mut body: Incoming, limit: usize) -> io::Result<Body> {
    let most = u64::try_from(limit).unwrap_or(u64::MAX);
    if body.size_hint().lower() > most {
        return Ok(Body::TooLarge);
    }
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(io::Error::other)?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > limit {
            return Ok(Body::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Body::Complete(bytes.freeze()))
}

fn http_response(response: Response) -> HttpResponse {
    let mut http = hyper::Response::new(Full::new(response.body));
    *http.status_mut() = StatusCode::from_u16(response.status).unwrap_or_default();
    for (name, value) in response.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
            http.headers_mut().append(name, value);
        }
    }
    http
}

fn plain(status: StatusCode) -> HttpResponse {
    let mut http = hyper::Response::new(Full::default());
    *http.status_mut() = status;
    http
}
