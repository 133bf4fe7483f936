//! A hostile or hand-operated peer: it says what it likes, and sees whether it is thrown out.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use overheard_core::codec::engine::payload::SEPARATOR;
use overheard_core::codec::sio::json;
use overheard_core::value::Value;
use smol_str::{SmolStr, format_smolstr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::history::What;
use crate::net::clock::nanos;
use crate::net::socket::Socket;
use crate::net::{BoxIo, Place};
use crate::plan::{Raw, TransportName};
use crate::run::world::World;

/// How long it waits for an answer that it needs to go on.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long it waits at least when it matters whether the server closes its connection: a few
/// times what the slowest link takes.
const ANSWER: Duration = Duration::from_secs(2);

/// How its connection has ended.
enum Ending {
    /// The server has closed it.
    Closed,
    /// It is still open.
    Open,
}

/// What kept it from saying what it wanted to say.
struct Thwarted;

impl World {
    /// Carries a hostile step out. Its events are those of `raw-N`, N being the step's number:
    /// `Opened` when it has said all, and `Disconnected` with the reason `closed` or `open`.
    pub(crate) async fn raw(self: &Rc<Self>, step: u32, raw: &Raw) {
        let who = format_smolstr!("raw-{step}");
        // Who is to see whether it is thrown out waits for that.
        let linger = if raw.closes.is_some() { raw.linger.max(ANSWER) } else { raw.linger };
        let played = match &raw.bytes {
            Some(bytes) => self.raw_bytes(bytes, linger).await,
            None => match raw.transport {
                TransportName::WebSocket => self.raw_websocket(raw, linger).await,
                TransportName::Polling => self.raw_polling(raw, linger).await,
            },
        };
        let reason = match played {
            Ok(Ending::Closed) | Err(Thwarted) => "closed",
            Ok(Ending::Open) => "open",
        };
        let transport = match raw.transport {
            _ if raw.bytes.is_some() => "tcp",
            TransportName::WebSocket => "websocket",
            TransportName::Polling => "polling",
        };
        let opened = What::Opened { transport: SmolStr::new_static(transport) };
        self.recorder.write(who.clone(), opened, None, Some(step));
        let (nsp, reason) = (SmolStr::default(), SmolStr::new_static(reason));
        self.recorder.write(who, What::Disconnected { nsp, reason }, None, Some(step));
    }

    async fn dial(&self) -> Result<BoxIo, Thwarted> {
        let Some(end) = self.board.stranger() else { return Err(Thwarted) };
        self.network.connect(&end).await.map_err(|_| Thwarted)
    }

    /// Waits for something, at most so long.
    async fn within<T>(&self, time: Duration, wait: impl Future<Output = T>) -> Option<T> {
        let at = self.now().saturating_add(nanos(time));
        tokio::select! {
            biased;
            out = wait => Some(out),
            () = self.recorder.clock().sleep_until(at) => None,
        }
    }

    async fn raw_bytes(&self, bytes: &[u8], linger: Duration) -> Result<Ending, Thwarted> {
        let mut io = self.dial().await?;
        if io.write_all(bytes).await.is_err() {
            return Ok(Ending::Closed);
        }
        let read_to_the_end = async {
            let mut buffer = [0; 1024];
            while matches!(io.read(&mut buffer).await, Ok(count) if count > 0) {}
        };
        let ended = self.within(linger, read_to_the_end).await;
        Ok(ended.map_or(Ending::Open, |()| Ending::Closed))
    }

    async fn raw_websocket(&self, raw: &Raw, linger: Duration) -> Result<Ending, Thwarted> {
        let io = self.dial().await?;
        let Place { host, path, .. } = self.network.place();
        let url = format!("ws://{host}{path}?EIO=4&transport=websocket");
        let opening = Socket::open(url, io, WebSocketConfig::default());
        let opened = self.within(PATIENCE, opening).await.ok_or(Thwarted)?;
        let mut socket = opened.map_err(|_| Thwarted)?;
        for nsp in &raw.enter {
            socket.send(Message::text(enter(nsp))).await.map_err(|_| Thwarted)?;
            let entered = async {
                while let Some(Ok(message)) = socket.next().await {
                    if message.to_text().is_ok_and(is_admission) {
                        return true;
                    }
                }
                false
            };
            if self.within(PATIENCE, entered).await != Some(true) {
                return Err(Thwarted);
            }
        }
        for message in &raw.send {
            let message = match message.as_binary() {
                Some(bytes) => Message::Binary(bytes.clone()),
                None => Message::text(text_of(message)),
            };
            if socket.send(message).await.is_err() {
                return Ok(Ending::Closed);
            }
        }
        let ended = self.within(linger, listen(&mut socket)).await;
        Ok(ended.map_or(Ending::Open, |()| Ending::Closed))
    }

    async fn raw_polling(self: &Rc<Self>, raw: &Raw, linger: Duration) -> Result<Ending, Thwarted> {
        let base = &format!("{}?EIO=4&transport=polling", self.network.place().path);
        let (_, opened) = self.ask_soon(Method::GET, base, Bytes::new()).await?;
        let sid = opened.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let session = format!("{base}&sid={}", sid.ok_or(Thwarted)?);
        for nsp in &raw.enter {
            self.ask_soon(Method::POST, &session, enter(nsp).into()).await?;
            let (_, polled) = self.ask_soon(Method::GET, &session, Bytes::new()).await?;
            if !polled.split(SEPARATOR).any(is_admission) {
                return Err(Thwarted);
            }
        }
        for body in &raw.send {
            let body = match body.as_binary() {
                Some(bytes) => bytes.clone(),
                None => text_of(body).into(),
            };
            // Whatever the answer is, it goes on.
            drop(self.ask_soon(Method::POST, &session, body).await);
        }
        let ended = self.within(linger, self.poll_to_the_end(&session)).await;
        Ok(ended.map_or(Ending::Open, |()| Ending::Closed))
    }

    /// Polls until the session is closed, or not known any more.
    async fn poll_to_the_end(self: &Rc<Self>, session: &str) {
        loop {
            match self.ask(Method::GET, session, Bytes::new()).await {
                Ok((200, polled)) if polled.split(SEPARATOR).all(|packet| packet != "1") => {}
                Ok(_) | Err(Thwarted) => return,
            }
        }
    }

    /// The same, at most for a while.
    async fn ask_soon(
        self: &Rc<Self>,
        method: Method,
        uri: &str,
        body: Bytes,
    ) -> Result<(u16, String), Thwarted> {
        let asking = self.ask(method, uri, body);
        self.within(PATIENCE, asking).await.unwrap_or(Err(Thwarted))
    }

    /// One request on a connection of its own.
    async fn ask(
        self: &Rc<Self>,
        method: Method,
        uri: &str,
        body: Bytes,
    ) -> Result<(u16, String), Thwarted> {
        let io = self.dial().await?;
        let (mut sender, connection): (SendRequest<Full<Bytes>>, _) =
            handshake(TokioIo::new(io)).await.map_err(|_| Thwarted)?;
        let request = Request::builder().method(method).uri(uri).header("host", "server");
        let request = request.body(Full::new(body)).map_err(|_| Thwarted)?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(|_| Thwarted)?;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.map_err(|_| Thwarted)?;
            Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
        };
        tokio::pin!(answer);
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            _ = connection => answer.await,
        }
    }
}

/// Reads until the server closes.
async fn listen(socket: &mut Socket) {
    while let Some(Ok(_)) = socket.next().await {}
}

fn enter(nsp: &str) -> String {
    if nsp == "/" { "40".to_owned() } else { format!("40{nsp},") }
}

fn is_admission(packet: &str) -> bool {
    packet.starts_with("40")
}

/// A text as it is, and anything else as JSON.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| json::stringify(value), str::to_owned)
}
