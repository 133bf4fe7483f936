//! Options of the Engine.IO server, under the reference's names and with its defaults.

use alloc::string::String;

use bytestring::ByteString;
use smol_str::SmolStr;

use crate::time::Duration;

/// A transport of this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// HTTP long-polling.
    Polling,
    /// WebSocket.
    WebSocket,
}

impl Transport {
    /// The name in the query string.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
        }
    }
}

/// Which transports are enabled; at least one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transports {
    /// Long-polling and WebSocket: the default.
    Both,
    /// Long-polling only.
    PollingOnly,
    /// WebSocket only.
    WebSocketOnly,
}

impl Transports {
    /// Whether `transport` is enabled.
    #[must_use]
    pub const fn allow(self, transport: Transport) -> bool {
        matches!(
            (self, transport),
            (Self::Both, _)
                | (Self::PollingOnly, Transport::Polling)
                | (Self::WebSocketOnly, Transport::WebSocket)
        )
    }
}

/// Options of the Engine.IO server (`EIO-HS-03`).
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The path that requests must start with (`EIO-HS-09`). Default `/socket.io/`.
    pub path: SmolStr,
    /// Time from a pong to the next ping (`EIO-HB-01`). Default 25 s.
    pub ping_interval: Duration,
    /// Time that a pong may take (`EIO-HB-02`). Default 20 s.
    pub ping_timeout: Duration,
    /// Time that an upgrade may take (`EIO-UP-05`). Default 10 s.
    pub upgrade_timeout: Duration,
    /// The largest request body or WebSocket message in bytes, inclusive (`EIO-POLL-10`,
    /// `EIO-WS-03`). Default 1,000,000.
    pub max_http_buffer_size: usize,
    /// The enabled transports. Default both.
    pub transports: Transports,
    /// Whether the handshake offers an upgrade (`EIO-HS-04`). Default true.
    pub allow_upgrades: bool,
    /// A message sent right behind the handshake (`EIO-HS-10`). Default none.
    pub initial_packet: Option<ByteString>,
    /// Poll responses from this size on may be compressed (`EIO-HS-11`). Default 1,024 bytes;
    /// `None` never compresses.
    pub http_compression: Option<usize>,
    /// Ask the application about each handshake (`EIO-HS-08`). Default false.
    pub check_requests: bool,
    /// Let the application choose session ids (`EIO-HS-05`). Default false.
    pub custom_ids: bool,
    /// Bounds on what clients can make this machine hold.
    pub limits: EngineLimits,
    /// Artefacts of the reference, kept or mended.
    pub quirks: EngineQuirks,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            path: SmolStr::new_static("/socket.io/"),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            max_http_buffer_size: 1_000_000,
            transports: Transports::Both,
            allow_upgrades: true,
            initial_packet: None,
            http_compression: Some(1024),
            check_requests: false,
            custom_ids: false,
            limits: EngineLimits::default(),
            quirks: EngineQuirks::default(),
        }
    }
}

impl EngineConfig {
    /// Whether a request path belongs to this server: matching is by prefix (`EIO-HS-09`).
    #[must_use]
    pub fn owns_path(&self, path: &str) -> bool {
        path.starts_with(self.path.as_str())
    }

    /// A polling close waits this long for the next GET (`EIO-CLOSE-02`).
    pub(crate) const POLLING_CLOSE_GRACE: Duration = Duration::from_secs(30);

    /// How often a pending GET is freed while an upgrade is probed (`EIO-UP-02`).
    pub(crate) const UPGRADE_CHECK_INTERVAL: Duration = Duration::from_millis(100);
}

/// Bounds of the Engine.IO server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineLimits {
    /// Open sessions. Over it a handshake is refused with 403 and code 4. Default 1,000,000: at
    /// 2 KiB each, what a process of a few GiB can hold.
    pub sessions: usize,
    /// Bytes of messages that wait for one session that does not read: queued, or handed over to its
    /// WebSocket and not flushed since; the answer to a poll is the host's. A message that would be
    /// one too many closes the session with `transport error`, but what nothing waits before may be
    /// larger. Default 64 MiB: far above any burst that a live client catches up with,
    /// and small enough that a hundred stalled clients do not end the process.
    pub buffered_bytes: usize,
    /// Handshakes that wait for the application. Over it a handshake is refused with 403 and code
    /// 4. Default 10,000: they hold a request each, and an application that is that far behind
    /// will not answer within any client's patience.
    pub pending_handshakes: usize,
}

impl Default for EngineLimits {
    fn default() -> Self {
        Self { sessions: 1_000_000, buffered_bytes: 64 << 20, pending_handshakes: 10_000 }
    }
}

/// Artefacts of the reference's Engine.IO server. The default mends them; `reference()` copies
/// them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineQuirks {
    /// An upgrade between ping and pong leaves the session without any liveness check
    /// (`EIO-HB-07`). Mended: the ping timeout goes on across the upgrade.
    pub upgrade_cancels_ping_timeout: bool,
    /// An upgrade packet is accepted without a probe (`EIO-UP-08`). Mended: the candidate is
    /// closed.
    pub upgrade_without_probe: bool,
    /// A GET that is pending at the switch is answered with a close packet (`EIO-UP-09`). Mended:
    /// with a noop.
    pub upgrade_closes_pending_get: bool,
    /// A WebSocket of another protocol version, or without an id, is accepted first and then
    /// broken by writing HTTP into it (`EIO-WS-06`). Mended: it is refused before the switch.
    pub late_websocket_refusal: bool,
}

impl EngineQuirks {
    /// Everything as the reference does it.
    #[must_use]
    pub const fn reference() -> Self {
        Self {
            upgrade_cancels_ping_timeout: true,
            upgrade_without_probe: true,
            upgrade_closes_pending_get: true,
            late_websocket_refusal: true,
        }
    }
}

/// The head of an HTTP request, as the host parsed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// The path, percent-encoded as received, without the query.
    pub path: String,
    /// The query string, without the question mark.
    pub query: String,
    /// Header names (lower case) and values, in the order received.
    pub headers: alloc::vec::Vec<(SmolStr, String)>,
}

impl RequestHead {
    /// The first header of that lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// An HTTP method, as far as this protocol tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// Any other.
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_by_prefix_with_the_trailing_slash() {
        // EIO-HS-09
        let config = EngineConfig::default();
        assert!(config.owns_path("/socket.io/"));
        assert!(config.owns_path("/socket.io/foo/bar/"));
        assert!(!config.owns_path("/socket.io"));
        assert!(!config.owns_path("/"));
    }

    #[test]
    fn defaults_are_those_of_the_reference() {
        // EIO-HS-03
        let config = EngineConfig::default();
        assert_eq!(config.ping_interval.as_millis(), 25_000);
        assert_eq!(config.ping_timeout.as_millis(), 20_000);
        assert_eq!(config.upgrade_timeout.as_millis(), 10_000);
        assert_eq!(config.max_http_buffer_size, 1_000_000);
        assert_eq!(config.http_compression, Some(1024));
        assert!(config.allow_upgrades && !config.check_requests);
        assert_eq!(config.transports, Transports::Both);
    }
}
