//! One request, from its head to its answer, or to the switch to WebSocket.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method as HttpMethod, Request, StatusCode};
use overheard_core::app::App;
use overheard_core::engine::{Body, Input, Method, RequestHead, Response};
use overheard_core::wire::{RequestId, WsEnd, WsId};
use smol_str::SmolStr;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::watch::Watch;
use super::{Answer, Host, ws_slot};

/// Why a connection is cut.
#[derive(Debug)]
pub(crate) struct Cut;

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

/// What this server answers.
pub(crate) type HttpResponse = hyper::Response<Full<Bytes>>;

/// Stands in the extensions of a response whose body should be compressed if the client accepts it
/// (`EIO-HS-11`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct MayCompress;

/// One request on a connection.
pub(crate) struct Visit<A, W: Watch> {
    host: Rc<Host<A, W>>,
    client: Option<u32>,
    switched: Rc<Cell<Option<WsId>>>,
}

impl<A: App, W: Watch> Visit<A, W> {
    /// A request of `client`. If it switches the connection to WebSocket, `switched` says to which.
    pub(crate) const fn new(
        host: Rc<Host<A, W>>,
        client: Option<u32>,
        switched: Rc<Cell<Option<WsId>>>,
    ) -> Self {
        Self { host, client, switched }
    }

    /// Answers it.
    ///
    /// # Errors
    /// The connection is to be cut.
    pub(crate) async fn answer(self, request: Request<Incoming>) -> Result<HttpResponse, Cut> {
        if !self.host.engine.owns_path(request.uri().path()) || self.host.is_dead() {
            return Ok(plain(StatusCode::NOT_FOUND));
        }
        if is_upgrade(&request) { self.switch(&request).await } else { self.http(request).await }
    }

    async fn http(self, request: Request<Incoming>) -> Result<HttpResponse, Cut> {
        let (id, slot) = self.host.state.borrow_mut().open_request(session_of(&request));
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
                    let body = read_body(body, limit);
                    let body = match self.host.watch.body_timeout() {
                        None => body.await,
                        Some(most) => match tokio::time::timeout(most, body).await {
                            Ok(body) => body,
                            Err(_) => return Ok(too_slow()),
                        },
                    };
                    // A body that breaks off is a request that is given up.
                    let body = body.map_err(|_| Cut)?;
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
        let (ws, slot) = self.host.state.borrow_mut().open_socket();
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
struct Pending<'a, A: App, W: Watch> {
    visit: &'a Visit<A, W>,
    id: PendingId,
    open: bool,
}

impl<A: App, W: Watch> Drop for Pending<'_, A, W> {
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
                state.sockets.remove(&ws);
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
    if response.compress {
        http.extensions_mut().insert(MayCompress);
    }
    *http.status_mut() = StatusCode::from_u16(response.status).unwrap_or_default();
    for (name, value) in response.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
            http.headers_mut().append(name, value);
        }
    }
    http
}

/// A response without anything but its status.
pub(crate) fn plain(status: StatusCode) -> HttpResponse {
    let mut http = hyper::Response::new(Full::default());
    *http.status_mut() = status;
    http
}

/// What a body gets that does not come. The rest of it would be taken for a request.
fn too_slow() -> HttpResponse {
    let mut http = plain(StatusCode::REQUEST_TIMEOUT);
    http.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    http
}
