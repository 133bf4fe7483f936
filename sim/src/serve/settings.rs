//! What a server that listens can be told.

use std::net::SocketAddr;

use overheard_core::chat::ChatConfig;
use overheard_core::server::ServerConfig;
use overheard_core::time::Duration;

use super::Cors;

/// Options of a server that listens.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Options of Socket.IO and Engine.IO, under the reference's names. The namespaces of the chat
    /// are added by [`Settings::chat`].
    pub server: ServerConfig,
    /// Namespaces of the chat besides `/`, and who may enter them.
    pub chat: ChatConfig,
    /// Which pages of other origins may read answers. Default: none.
    pub cors: Option<Cors>,
    /// Bounds below the protocol.
    pub limits: Limits,
    /// How long connections may take to end once the server has been told to stop.
    pub shutdown_grace: Duration,
}

/// Bounds on connections, whatever they speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open TCP connections. One more gets status 503. Default: what the process may open, less
    /// [`Limits::RESERVE`].
    pub tcp_connections: Option<usize>,
    /// How long the head of a request may take. Default 15 s.
    pub header_timeout: Duration,
    /// How long the body of a request may take. Default 30 s.
    pub body_timeout: Duration,
    /// How long a connection may be without a request. Default 60 s.
    pub idle_timeout: Duration,
    /// How long a client may take no byte of what it is sent. Default 60 s.
    pub write_timeout: Duration,
    /// Bytes of the head of a request. At least 8,192; default 16,384.
    pub header_bytes: usize,
}

impl Limits {
    /// Files that are left for everything that is no connection.
    pub const RESERVE: usize = 64;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tcp_connections: None,
            header_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            header_bytes: 16 << 10,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
            server: ServerConfig::default(),
            chat: ChatConfig::default(),
            cors: None,
            limits: Limits::default(),
            shutdown_grace: Duration::from_secs(5),
        }
    }
}
