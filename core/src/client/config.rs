//! The options of a client and of its sockets, with the defaults of the reference.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::limits;
use crate::codec::sio::DecoderConfig;
use crate::time::Duration;
use crate::value::Object;

/// A transport of Engine.IO.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// HTTP long-polling.
    Polling,
    /// WebSocket.
    WebSocket,
}

impl Transport {
    /// The transport's name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
        }
    }
}

/// Options of a [`Client`](super::Client): those of the reference's Manager and engine.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Transports to use; a connection opens with the first one.
    pub transports: Vec<Transport>,
    /// Whether to upgrade from polling to WebSocket when the server offers it (`EIO-UP-01`).
    pub upgrade: bool,
    /// Whether to open with WebSocket when the last connection came to use it.
    pub remember_upgrade: bool,
    /// Members of the query string of each request, before the protocol's own.
    pub query: Vec<(String, String)>,
    /// Whether each polling request gets a query member `t` against caches, as in the reference.
    /// Off by default: no cache stands between a simulated client and its server.
    pub timestamp_requests: bool,
    /// How long an attempt to connect may take; `None` is for ever (`CLI-05`).
    pub timeout: Option<Duration>,
    /// Whether to connect again when the connection is lost (`CLI-04`).
    pub reconnection: bool,
    /// Attempts to connect again before giving up; `None` is without end (`CLI-05`).
    pub reconnection_attempts: Option<u32>,
    /// The delay before the first attempt to connect again, without jitter (`CLI-05`).
    pub reconnection_delay: Duration,
    /// The longest delay before an attempt to connect again (`CLI-05`).
    pub reconnection_delay_max: Duration,
    /// Jitter of the delay, as a part of it: 0 to 1; anything else is no jitter (`CLI-05`).
    pub randomization_factor: f64,
    /// What the Socket.IO decoder accepts.
    pub decoder: DecoderConfig,
    /// Which mistakes of the reference to reproduce.
    pub quirks: Quirks,
    /// Bounds of memory.
    pub limits: Limits,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            transports: vec![Transport::Polling, Transport::WebSocket],
            upgrade: true,
            remember_upgrade: false,
            query: Vec::new(),
            timestamp_requests: false,
            timeout: Some(Duration::from_secs(20)),
            reconnection: true,
            reconnection_attempts: None,
            reconnection_delay: Duration::from_secs(1),
            reconnection_delay_max: Duration::from_secs(5),
            randomization_factor: 0.5,
            decoder: DecoderConfig::default(),
            quirks: Quirks::default(),
            limits: Limits::default(),
        }
    }
}

/// Mistakes of the reference that a client may reproduce.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quirks {
    /// Which trailing arguments count as a recovery offset (`CSR-12`).
    pub offsets: OffsetRule,
    /// Whether `retries` without an ack timeout takes each answer for a failure, unless its first
    /// argument is `null`, and sends each event again (`CLI-07`). Off by default.
    pub retries_need_ack_timeout: bool,
}

/// Which trailing string argument of a received event is the recovery offset that the server
/// appended (`CSR-04`, `CSR-12`).
#[derive(Clone, Copy, Debug, Default)]
pub enum OffsetRule {
    /// Any, as in the reference: an event that happens to end in a string spoils the next
    /// recovery. Nothing on the wire tells the two apart.
    #[default]
    AnyTrailingString,
    /// Those that the function takes for one, for who knows how the server writes its offsets.
    Only(fn(&str) -> bool),
}

impl OffsetRule {
    /// Whether the last string of an event is an offset; an event without arguments ends in its
    /// name.
    pub(super) fn accepts(self, text: &str, is_argument: bool) -> bool {
        match self {
            Self::AnyTrailingString => true,
            Self::Only(is_offset) => is_argument && is_offset(text),
        }
    }
}

/// Bounds that an application may change; see [`limits`] for the reasons of the defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// [`limits::MAX_SOCKETS`].
    pub sockets: usize,
    /// [`limits::MAX_SEND_BUFFER`].
    pub send_buffer: usize,
    /// [`limits::MAX_RETRY_QUEUE`].
    pub retry_queue: usize,
    /// [`limits::MAX_WRITE_BUFFER`].
    pub write_buffer: usize,
    /// [`limits::MAX_PENDING_ACKS`].
    pub pending_acks: usize,
    /// [`limits::MAX_RECEIVE_BUFFER`].
    pub receive_buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sockets: limits::MAX_SOCKETS,
            send_buffer: limits::MAX_SEND_BUFFER,
            retry_queue: limits::MAX_RETRY_QUEUE,
            write_buffer: limits::MAX_WRITE_BUFFER,
            pending_acks: limits::MAX_PENDING_ACKS,
            receive_buffer: limits::MAX_RECEIVE_BUFFER,
        }
    }
}

/// Options of one socket.
#[derive(Clone, Debug, Default)]
pub struct SocketOptions {
    /// The auth payload of its CONNECT (`SIO-CONN-02`).
    pub auth: Option<Object>,
    /// How often an event that was not acked is sent again; 0 is the plain way, without a queue
    /// (`CLI-06`).
    pub retries: u32,
    /// How long to wait for an ack when the emit says nothing else.
    pub ack_timeout: Option<Duration>,
}
