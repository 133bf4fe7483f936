//! What goes into a client and what comes out of it: inputs, commands, outputs, events.

use core::fmt;

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;
use smol_str::SmolStr;

use super::error::{AckError, DisconnectReason, Refusal};
use crate::codec::sio::AckId;
use crate::time::Duration;
use crate::value::{Object, Value};
use crate::wire::{Frame, RequestId, WsEnd, WsId};

/// One socket: the client's side of one namespace. Given by [`Client::socket`].
///
/// [`Client::socket`]: super::Client::socket
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketHandle(pub(super) u32);

impl SocketHandle {
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for SocketHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "socket {}", self.0)
    }
}

/// The application's name for an ack that it waits for. The client only hands it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AckToken(pub u64);

/// The right to answer one received event, once: it cannot be copied (`SIO-ACK-01`).
#[derive(Debug, PartialEq)]
pub struct AckHandle {
    pub(super) socket: SocketHandle,
    pub(super) connects: u64,
    pub(super) id: AckId,
}

impl AckHandle {
    /// The socket that received the event.
    #[must_use]
    pub const fn socket(&self) -> SocketHandle {
        self.socket
    }
}

/// How an emit asks for an ack (`CLI-09`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckStyle {
    /// A callback as last argument: it gets all arguments of the answer. Without a timeout it is
    /// not told when the socket is disconnected.
    Callback,
    /// `emitWithAck`: gets the first argument only, and an error on disconnection.
    Promise,
}

/// The ack that an emit asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckRequest {
    /// Handed back with the answer.
    pub token: AckToken,
    /// A callback or a promise.
    pub style: AckStyle,
    /// How long to wait, from the emit on; `None` is the socket's `ack_timeout`.
    pub timeout: Option<Duration>,
}

/// An event to send.
#[derive(Clone, Debug, PartialEq)]
pub struct Emit {
    /// Its name; some are reserved (`SIO-ENC-12`).
    pub name: String,
    /// Its arguments.
    pub args: Vec<Value>,
    /// Whether to wait for an answer.
    pub ack: Option<AckRequest>,
    /// Whether it may be lost when the transport is not writable (`CLI-10`).
    pub volatile: bool,
}

impl Emit {
    /// An event without ack.
    pub fn new(name: impl Into<String>, args: impl Into<Vec<Value>>) -> Self {
        Self { name: name.into(), args: args.into(), ack: None, volatile: false }
    }

    /// The same event, waiting for an answer.
    #[must_use]
    pub fn with_ack(mut self, token: AckToken, style: AckStyle, timeout: Option<Duration>) -> Self {
        self.ack = Some(AckRequest { token, style, timeout });
        self
    }

    /// The same event, lost when the transport is not writable.
    #[must_use]
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }
}

/// What the application asks of a client.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// Opens the connection, unless it is open, opening or about to be tried again.
    Open,
    /// Connects a socket, and opens the connection if needed.
    Connect {
        /// The socket.
        socket: SocketHandle,
    },
    /// Sets the auth payload of the socket's next CONNECT.
    SetAuth {
        /// The socket.
        socket: SocketHandle,
        /// The payload; `None` sends no payload.
        auth: Option<Object>,
    },
    /// Sends an event, or holds it back until the socket is connected (`CLI-01`).
    Emit {
        /// The socket.
        socket: SocketHandle,
        /// The event.
        emit: Emit,
    },
    /// Answers a received event. Without effect when the socket that received it has been
    /// disconnected since.
    Answer {
        /// From the event.
        ack: AckHandle,
        /// The answer.
        args: Vec<Value>,
    },
    /// Disconnects a socket; the last one closes the connection (`CLI-12`).
    Disconnect {
        /// The socket.
        socket: SocketHandle,
    },
    /// Closes the connection of all sockets and does not open another.
    Close,
    /// Closes the connection as if the network had; it is opened again (`CLI-03`).
    CloseEngine,
    /// Allows or forbids to connect again. When it is forbidden, an attempt that waits for its
    /// time is given up.
    SetReconnection(bool),
    /// Subscribes to all incoming or outgoing events of a socket.
    ListenAny {
        /// The socket.
        socket: SocketHandle,
        /// Whether to report [`Event::AnyIncoming`].
        incoming: bool,
        /// Whether to report [`Event::AnyOutgoing`].
        outgoing: bool,
    },
}

impl Command {
    /// The socket that it is about.
    #[must_use]
    pub const fn socket(&self) -> Option<SocketHandle> {
        match self {
            Self::Connect { socket }
            | Self::SetAuth { socket, .. }
            | Self::Emit { socket, .. }
            | Self::Disconnect { socket }
            | Self::ListenAny { socket, .. } => Some(*socket),
            Self::Answer { ack, .. } => Some(ack.socket),
            Self::Open | Self::Close | Self::CloseEngine | Self::SetReconnection(_) => None,
        }
    }
}

/// What happened outside.
#[derive(Debug, PartialEq)]
pub enum Input {
    /// The application wants something.
    Command(Command),
    /// A request was answered.
    HttpResponse {
        /// The request.
        request: RequestId,
        /// The status code.
        status: u16,
        /// The whole body.
        body: Bytes,
    },
    /// A request has failed without an answer.
    HttpFailed {
        /// The request.
        request: RequestId,
    },
    /// A WebSocket is open.
    WsOpened {
        /// The WebSocket.
        ws: WsId,
    },
    /// Messages came.
    WsFrames {
        /// The WebSocket.
        ws: WsId,
        /// The messages, in order.
        frames: Vec<Frame>,
    },
    /// The frames of one [`Output::WsSend`] are written: once for each, in order.
    WsFlushed {
        /// The WebSocket.
        ws: WsId,
    },
    /// A WebSocket has ended, or could not be opened.
    WsClosed {
        /// The WebSocket.
        ws: WsId,
        /// How.
        end: WsEnd,
    },
    /// The time of [`Client::poll_timeout`](super::Client::poll_timeout) has come.
    Timeout,
}

/// What the host has to do.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Send a GET request.
    HttpGet {
        /// Its id, for the answer.
        request: RequestId,
        /// The query string, without `?`.
        query: String,
    },
    /// Send a POST request of type `text/plain; charset=UTF-8`.
    HttpPost {
        /// Its id, for the answer.
        request: RequestId,
        /// The query string, without `?`.
        query: String,
        /// The body.
        body: ByteString,
    },
    /// Cancel a request; its answer is of no interest any more.
    HttpAbort {
        /// The request.
        request: RequestId,
    },
    /// Open a WebSocket.
    OpenWs {
        /// Its id, for what happens to it.
        ws: WsId,
        /// The query string, without `?`.
        query: String,
    },
    /// Send messages, then report [`Input::WsFlushed`].
    WsSend {
        /// The WebSocket.
        ws: WsId,
        /// The messages, in order.
        frames: Vec<Frame>,
    },
    /// Close a WebSocket after what was sent before; nothing that it reports matters any more.
    WsClose {
        /// The WebSocket.
        ws: WsId,
    },
    /// Tell the application.
    Event(Event),
}

/// What the application is told.
#[derive(Debug, PartialEq)]
pub enum Event {
    /// The connection is open (the Manager's `open`).
    Open,
    /// The connection is closed (the Manager's `close`).
    Close {
        /// Why.
        reason: DisconnectReason,
        /// More, for people.
        details: Option<SmolStr>,
    },
    /// The connection failed, or could not be opened (the Manager's `error`).
    Error {
        /// What failed.
        message: SmolStr,
        /// More, for people.
        details: Option<SmolStr>,
    },
    /// The server has sent a heartbeat.
    Ping,
    /// The connection is upgraded to WebSocket (the engine's `upgrade`).
    Upgraded,
    /// The connection stays with polling (the engine's `upgradeError`).
    UpgradeFailed {
        /// What failed.
        message: SmolStr,
    },
    /// An attempt to connect again begins.
    ReconnectAttempt {
        /// Its number, from 1.
        attempt: u32,
    },
    /// An attempt to connect again has succeeded.
    Reconnect {
        /// Its number, from 1.
        attempt: u32,
    },
    /// An attempt to connect again has failed.
    ReconnectError {
        /// What failed.
        message: SmolStr,
    },
    /// No attempt is left.
    ReconnectFailed,
    /// A socket is connected.
    Connected {
        /// The socket.
        socket: SocketHandle,
        /// Its id on the server.
        sid: SmolStr,
        /// Whether its state was recovered (`CSR-07`).
        recovered: bool,
    },
    /// A socket could not connect: refused by the server, or the connection failed.
    ConnectError {
        /// The socket.
        socket: SocketHandle,
        /// Why.
        message: SmolStr,
        /// What the server adds to its refusal (`NSP-MW-04`).
        data: Option<Value>,
    },
    /// A socket received an event.
    Received {
        /// The socket.
        socket: SocketHandle,
        /// The event's name; numbers as JavaScript writes them.
        name: SmolStr,
        /// Its arguments, with the recovery offset when there is one (`CSR-04`).
        args: Vec<Value>,
        /// To answer it, when the server waits for an answer.
        ack: Option<AckHandle>,
    },
    /// A socket is about to report [`Event::Received`]; only when subscribed. A packet without a
    /// payload is reported here only, without a name (`SIO-ENC-11`).
    AnyIncoming {
        /// The socket.
        socket: SocketHandle,
        /// The event's name and its arguments.
        data: Vec<Value>,
    },
    /// A socket is about to write an event; only when subscribed.
    AnyOutgoing {
        /// The socket.
        socket: SocketHandle,
        /// The event's name and its arguments.
        data: Vec<Value>,
    },
    /// An ack is settled; once for each token that was handed in.
    Acked {
        /// The socket.
        socket: SocketHandle,
        /// From the emit.
        token: AckToken,
        /// The answer: its arguments, for a promise the first one only.
        result: Result<Vec<Value>, AckError>,
    },
    /// A volatile event was not sent (`CLI-10`).
    VolatileDropped {
        /// The socket.
        socket: SocketHandle,
        /// The event's name.
        name: SmolStr,
    },
    /// A socket is disconnected, or will not become connected on this connection.
    Disconnected {
        /// The socket.
        socket: SocketHandle,
        /// Why.
        reason: DisconnectReason,
        /// More, for people.
        details: Option<SmolStr>,
        /// Whether it was connected. The reference reports also sockets that still waited for
        /// the server's consent.
        was_connected: bool,
    },
    /// A command was refused and has no effect. Its ack is not settled by another event.
    Refused {
        /// The socket.
        socket: SocketHandle,
        /// Why.
        refusal: Refusal,
        /// The ack that the command asked for.
        ack: Option<AckToken>,
    },
}

/// What a client's next deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerKind {
    /// An attempt to connect takes too long (`CLI-05`).
    Connect,
    /// The next attempt to connect (`CLI-05`).
    Reconnect,
    /// No heartbeat came (`EIO-HB-08`).
    Ping,
    /// No ack came.
    Ack,
}
