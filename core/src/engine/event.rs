//! What the Engine.IO server takes in and gives out.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use bytestring::ByteString;
use slotmap::{DefaultKey, Key};
use smol_str::SmolStr;

use super::config::RequestHead;
use crate::codec::engine::Data;
use crate::event::CloseReason;
use crate::wire::{Frame, RequestId, WsEnd, WsId};

/// One session of the server. Never equal to another one, however many come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub(crate) DefaultKey);

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {:x}", self.0.data().as_ffi())
    }
}

/// A handshake that waits for the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HandshakeTicket(pub(crate) u64);

/// What the host tells the machine.
#[derive(Debug)]
pub enum Input {
    /// The head of an HTTP request on a path of this server.
    Request {
        /// Its number.
        request: RequestId,
        /// Its head.
        head: RequestHead,
    },
    /// The end of a body that the machine asked for with [`Output::ReadBody`].
    Body {
        /// The request.
        request: RequestId,
        /// What became of it.
        body: Body,
    },
    /// The client gave up a request before it was answered (`EIO-POLL-08`).
    RequestAborted(RequestId),
    /// A request to switch to WebSocket.
    WsRequest {
        /// Its number.
        ws: WsId,
        /// Its head.
        head: RequestHead,
    },
    /// Messages of an accepted WebSocket that arrived together.
    WsFrames {
        /// The WebSocket.
        ws: WsId,
        /// In order of arrival.
        frames: Vec<Frame>,
    },
    /// All frames taken so far were handed to the network (`EIO-WS-02`).
    WsFlushed(WsId),
    /// A WebSocket ended, for whatever reason but [`Output::WsClose`].
    WsClosed {
        /// The WebSocket.
        ws: WsId,
        /// How.
        end: WsEnd,
    },
    /// The deadline of `poll_timeout` has come.
    Timeout,
}

/// What became of a request body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// All of it.
    Complete(Bytes),
    /// It is longer than the limit; the rest was not read (`EIO-POLL-10`).
    TooLarge,
}

/// What the machine tells the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Answer a request.
    Respond {
        /// Which.
        request: RequestId,
        /// With what.
        response: Response,
    },
    /// Read the body of a request, up to `limit` bytes, and report it as [`Input::Body`].
    ReadBody {
        /// Which.
        request: RequestId,
        /// In bytes, inclusive.
        limit: usize,
    },
    /// Cut the TCP connection of a request without an answer (`EIO-POLL-02`).
    Destroy(RequestId),
    /// Complete the switch to WebSocket.
    WsAccept(WsId),
    /// Refuse the switch with an HTTP response (`EIO-WS-06`).
    WsReject {
        /// Which.
        ws: WsId,
        /// With what.
        response: Response,
    },
    /// Frames wait: call `take_frames`, write them in order, then report [`Input::WsFlushed`].
    WsSend(WsId),
    /// Send a close frame with this status, or without any (`EIO-WS-04`), and forget it.
    WsClose {
        /// Which.
        ws: WsId,
        /// The status code.
        code: Option<u16>,
    },
    /// Write these bytes into the accepted stream and cut it (`EIO-WS-06`).
    WsBreak {
        /// Which.
        ws: WsId,
        /// An HTTP response, where a frame should be.
        bytes: Bytes,
    },
}

/// An HTTP response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header names and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
    /// Whether the host should compress the body if it can, and the client accepts it
    /// (`EIO-HS-11`).
    pub compress: bool,
}

/// What the machine tells the layer above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineEvent {
    /// A session began.
    Open {
        /// Which.
        conn: ConnId,
    },
    /// A message arrived. [`Data::None`] is a message without data (`EIO-PKT-02`).
    Message {
        /// On which session.
        conn: ConnId,
        /// Its data.
        data: Data,
    },
    /// A pong arrived (`EIO-HB-04`).
    Heartbeat {
        /// On which session.
        conn: ConnId,
    },
    /// An upgrade was probed.
    Upgrading {
        /// Of which session.
        conn: ConnId,
    },
    /// The session moved to WebSocket.
    Upgraded {
        /// Which.
        conn: ConnId,
    },
    /// A session ended; nothing more comes of it (`EIO-CLOSE-06`).
    Close {
        /// Which.
        conn: ConnId,
        /// Why.
        reason: CloseReason,
    },
    /// A request was refused (`EIO-ERR-03`).
    ConnectionError {
        /// Which refusal.
        refusal: Refusal,
    },
    /// May this handshake go on? (`EIO-HS-08`)
    CheckRequest {
        /// To answer with.
        ticket: HandshakeTicket,
        /// What was asked.
        head: RequestHead,
    },
    /// Which id shall this session have? (`EIO-HS-05`)
    ChooseId {
        /// To answer with.
        ticket: HandshakeTicket,
        /// What was asked.
        head: RequestHead,
    },
}

/// An answer to [`EngineEvent::CheckRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestDecision {
    /// Let it in.
    Allow,
    /// Refuse with code 4 and this message, or `Forbidden` (`EIO-ERR-02`).
    Forbid(Option<String>),
    /// A middleware of the HTTP layer failed: refuse with code 3 (`EIO-ERR-05`).
    Fail,
}

/// Why a request was refused: code, message and the reference's context (`EIO-ERR-01`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Code 0: no such transport (`EIO-ERR-04`).
    TransportUnknown,
    /// Code 1: no such session (`EIO-ERR-06`).
    SidUnknown,
    /// Code 2: a handshake is a GET.
    BadHandshakeMethod,
    /// Code 3, `INVALID_ORIGIN`.
    InvalidOrigin,
    /// Code 3, `TRANSPORT_MISMATCH` (`EIO-UP-07`).
    TransportMismatch,
    /// Code 3, `PROTOCOL_MISMATCH` (`EIO-HS-06`).
    ProtocolMismatch,
    /// Code 3, `TRANSPORT_HANDSHAKE_ERROR`.
    TransportHandshake,
    /// Code 3, `MIDDLEWARE_FAILURE` (`EIO-ERR-05`).
    MiddlewareFailure,
    /// Code 3, `ID_GENERATION_ERROR` (`EIO-HS-05`).
    IdGeneration,
    /// Code 4, with the application's message.
    Forbidden(Option<String>),
    /// Code 4: [`super::EngineLimits::sessions`] or `pending_handshakes` was reached.
    ServerFull,
    /// Code 5: only protocol 4 is spoken (`EIO-HS-06`).
    UnsupportedVersion,
}

impl Refusal {
    /// The reference's error code.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::TransportUnknown => 0,
            Self::SidUnknown => 1,
            Self::BadHandshakeMethod => 2,
            Self::InvalidOrigin
            | Self::TransportMismatch
            | Self::ProtocolMismatch
            | Self::TransportHandshake
            | Self::MiddlewareFailure
            | Self::IdGeneration => 3,
            Self::Forbidden(_) | Self::ServerFull => 4,
            Self::UnsupportedVersion => 5,
        }
    }

    /// The reference's message for the code, or the application's own.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Forbidden(Some(message)) => message,
            Self::ServerFull => "Server is full",
            Self::TransportUnknown
            | Self::SidUnknown
            | Self::BadHandshakeMethod
            | Self::InvalidOrigin
            | Self::TransportMismatch
            | Self::ProtocolMismatch
            | Self::TransportHandshake
            | Self::MiddlewareFailure
            | Self::IdGeneration
            | Self::Forbidden(None)
            | Self::UnsupportedVersion => Self::code_message(self.code()),
        }
    }

    /// The reference's message for a code (`EIO-ERR-01`).
    #[must_use]
    pub const fn code_message(code: u8) -> &'static str {
        match code {
            0 => "Transport unknown",
            1 => "Session ID unknown",
            2 => "Bad handshake method",
            3 => "Bad request",
            4 => "Forbidden",
            _ => "Unsupported protocol version",
        }
    }

    /// The HTTP status of the refusal (`EIO-ERR-02`).
    #[must_use]
    pub const fn status(&self) -> u16 {
        if self.code() == 4 { 403 } else { 400 }
    }
}

/// What a machine waits for, so that a log can say why time moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EngineTimer {
    /// The next ping of a session (`EIO-HB-01`).
    PingInterval,
    /// The pong of a session (`EIO-HB-02`).
    PingTimeout,
    /// The end of an upgrade that does not finish (`EIO-UP-05`).
    UpgradeTimeout,
    /// The next look whether a GET is to be freed for an upgrade (`EIO-UP-02`).
    UpgradeCheck,
    /// The end of a polling session that nobody polls (`EIO-CLOSE-02`).
    PollingClose,
}

/// The session id and a name for logs.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) head: RequestHead,
    pub(crate) origin: Origin,
    pub(crate) stage: Stage,
}

/// What a pending handshake waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Check,
    Id,
}

/// Where a handshake came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Http(RequestId),
    Ws(WsId),
}

/// The answer to [`EngineEvent::ChooseId`]: an id, or a failure.
pub type IdDecision = Result<SmolStr, ByteString>;
