//! Words for how sessions and sockets end, as the reference spells them.

use core::fmt;

use bytestring::ByteString;

/// Why an Engine.IO session ended (`EIO-CLOSE-05`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// No pong in time (`EIO-HB-02`).
    PingTimeout,
    /// An undecodable Engine.IO packet (`EIO-ERR-08`).
    ParseError,
    /// The peer misused the transport; the text says how (`EIO-POLL-01`, `EIO-HB-05`).
    TransportError(ByteString),
    /// The transport ended (`EIO-WS-05`, `EIO-CLOSE-03`).
    TransportClose,
    /// This side closed the session (`EIO-CLOSE-01`).
    ForcedClose,
}

impl CloseReason {
    /// The reference's name, without description.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::TransportError(_) => "transport error",
            Self::TransportClose => "transport close",
            Self::ForcedClose => "forced close",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a socket was disconnected, as the server sees it (`SIO-DISC-02`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DisconnectReason {
    /// Its session ended.
    Session(CloseReason),
    /// The whole server closed (`NSP-13`).
    ServerShuttingDown,
    /// The server is closing the connection and cannot say so at once (`EDGE-06`).
    ForcedServerClose,
    /// The client left the namespace (`SIO-DISC-01`).
    ClientNamespaceDisconnect,
    /// The application disconnected the socket (`NSP-10`).
    ServerNamespaceDisconnect,
}

impl DisconnectReason {
    /// The reference's name: one of nine.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Session(reason) => reason.as_str(),
            Self::ServerShuttingDown => "server shutting down",
            Self::ForcedServerClose => "forced server close",
            Self::ClientNamespaceDisconnect => "client namespace disconnect",
            Self::ServerNamespaceDisconnect => "server namespace disconnect",
        }
    }

    /// Whether a session that ended so may be recovered (`CSR-02`).
    #[must_use]
    pub const fn is_recoverable(&self) -> bool {
        match self {
            Self::Session(CloseReason::ParseError)
            | Self::ClientNamespaceDisconnect
            | Self::ServerNamespaceDisconnect => false,
            Self::Session(_) | Self::ServerShuttingDown | Self::ForcedServerClose => true,
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
