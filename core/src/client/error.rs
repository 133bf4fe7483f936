//! How things end for a client: reasons, refusals, failed acks, broken contracts.

use core::fmt;

use super::event::SocketHandle;
use crate::time::Instant;
use crate::wire::{RequestId, WsId};

/// Why a socket or its connection ended (`CLI-03`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DisconnectReason {
    /// The server disconnected the socket.
    ServerDisconnect,
    /// The application disconnected the socket.
    ClientDisconnect,
    /// No heartbeat came in time (`EIO-HB-08`).
    PingTimeout,
    /// The connection was closed by the server or the network.
    TransportClose,
    /// The transport failed.
    TransportError,
    /// The server sent what is no Socket.IO packet.
    ParseError,
    /// The application closed the connection.
    ForcedClose,
}

impl DisconnectReason {
    /// All reasons.
    pub const ALL: [Self; 7] = [
        Self::ServerDisconnect,
        Self::ClientDisconnect,
        Self::PingTimeout,
        Self::TransportClose,
        Self::TransportError,
        Self::ParseError,
        Self::ForcedClose,
    ];

    /// The reason as the reference writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ServerDisconnect => "io server disconnect",
            Self::ClientDisconnect => "io client disconnect",
            Self::PingTimeout => "ping timeout",
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::ParseError => "parse error",
            Self::ForcedClose => "forced close",
        }
    }

    /// Whether the client connects again by itself when a socket ends like this (`CLI-04`).
    #[must_use]
    pub const fn reconnects(self) -> bool {
        !matches!(self, Self::ServerDisconnect | Self::ClientDisconnect)
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why there is no answer to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AckError {
    /// It did not come in time.
    TimedOut,
    /// The socket was disconnected (`CLI-09`).
    Disconnected,
    /// The socket was disconnected, and the callback is one that JavaScript would never call
    /// (`CLI-09`); told so that the token can be forgotten.
    Dropped,
}

impl fmt::Display for AckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "operation has timed out",
            Self::Disconnected => "socket has been disconnected",
            Self::Dropped => "the callback was dropped at disconnection",
        })
    }
}

impl core::error::Error for AckError {}

/// Why a command has no effect, or a socket cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// The event's name is reserved (`SIO-ENC-12`).
    ReservedName,
    /// Too many events wait for the socket to connect.
    SendBufferFull,
    /// Too many events wait in the socket's retry queue.
    RetryQueueFull,
    /// Too many packets wait for the transport.
    WriteBufferFull,
    /// Too many acks are waited for.
    TooManyAcks,
    /// Too many namespaces are used.
    TooManySockets,
    /// A name with a comma would be read as another one (`SIO-ENC-03`).
    InvalidNamespace,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReservedName => "the event name is reserved",
            Self::SendBufferFull => "too many events wait for the connection",
            Self::RetryQueueFull => "too many events wait in the retry queue",
            Self::WriteBufferFull => "too many packets wait for the transport",
            Self::TooManyAcks => "too many acks are pending",
            Self::TooManySockets => "too many namespaces on one client",
            Self::InvalidNamespace => "a namespace name cannot contain a comma",
        })
    }
}

impl core::error::Error for Refusal {}

/// How a caller broke the contract of [`Client::handle`](super::Client::handle). The input has no
/// effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContractError {
    /// Outputs of the input before are left.
    NotDrained,
    /// Time went back.
    TimeWentBack {
        /// The time of the input before.
        from: Instant,
        /// The time of this one.
        to: Instant,
    },
    /// The client never sent this request.
    UnknownRequest(RequestId),
    /// The client never opened this WebSocket.
    UnknownWs(WsId),
    /// The client never gave this handle.
    UnknownSocket(SocketHandle),
}

impl fmt::Display for ContractError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDrained => f.write_str("outputs must be drained before the next input"),
            Self::TimeWentBack { from, to } => write!(f, "time went back from {from} to {to}"),
            Self::UnknownRequest(request) => write!(f, "request {} was never sent", request.0),
            Self::UnknownWs(ws) => write!(f, "WebSocket {} was never opened", ws.0),
            Self::UnknownSocket(socket) => write!(f, "{socket} was never made"),
        }
    }
}

impl core::error::Error for ContractError {}
