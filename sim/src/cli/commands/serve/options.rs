//! The options of `overheard serve`, and their order: the command line, the environment,
//! `OVERHEARD_SERVER`, overheard.toml.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;

use clap::{Args, ValueEnum};
use overheard::plan::TransportName;
use serde::{Deserialize, Deserializer};

use super::values::{
    Compression, EnginePath, GateOptions, NamedGate, Pattern, Period, Recovery, namespace_name,
};

/// Declares the options once, for clap, for overheard.toml, and for putting one set behind another.
macro_rules! options {
    ($($(#[$meta:meta])* $name:ident: $type:ty = $env:literal,)*) => {
        /// Options of the server. What is left out is left to others.
        #[derive(Clone, Debug, Default, Args, Deserialize)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub(crate) struct ServeOptions {
            $(#[arg(long, env = $env, hide_env = true)] $(#[$meta])* pub(crate) $name: Option<$type>,)*
        }

        impl ServeOptions {
            /// These, and where they say nothing the others.
            #[must_use]
            pub(crate) fn or(self, others: Self) -> Self {
                Self { $($name: self.$name.or(others.$name),)* }
            }
        }
    };
}

options! {
    /// Where it listens; port 0 takes a free one [default: 127.0.0.1:3000]
    #[arg(value_name = "ADDR:PORT")]
    listen: SocketAddr = "OVERHEARD_SERVE_LISTEN",

    /// What the path of a request of the protocol begins with [default: /socket.io/]
    #[arg(value_name = "PATH", hide_short_help = true, help_heading = PROTOCOL)]
    path: EnginePath = "OVERHEARD_SERVE_PATH",
    /// Time from a pong to the next ping [default: 25s]
    #[arg(value_name = "TIME", help_heading = PROTOCOL)]
    ping_interval: Period = "OVERHEARD_SERVE_PING_INTERVAL",
    /// Time that a pong may take [default: 20s]
    #[arg(value_name = "TIME", help_heading = PROTOCOL)]
    ping_timeout: Period = "OVERHEARD_SERVE_PING_TIMEOUT",
    /// Time that an upgrade may take [default: 10s]
    #[arg(value_name = "TIME", hide_short_help = true, help_heading = PROTOCOL)]
    upgrade_timeout: Period = "OVERHEARD_SERVE_UPGRADE_TIMEOUT",
    /// Time in which a connection must join a namespace [default: 45s]
    #[arg(value_name = "TIME", hide_short_help = true, help_heading = PROTOCOL)]
    connect_timeout: Period = "OVERHEARD_SERVE_CONNECT_TIMEOUT",
    /// Bytes of the largest body or message of a client [default: 1000000]
    #[arg(value_name = "BYTES", help_heading = PROTOCOL)]
    max_http_buffer_size: NonZeroUsize = "OVERHEARD_SERVE_MAX_HTTP_BUFFER_SIZE",
    /// polling, websocket or both with a comma [default: both]
    #[arg(value_name = "NAMES", value_delimiter = ',', hide_possible_values = true, help_heading = PROTOCOL)]
    transports: Vec<TransportChoice> = "OVERHEARD_SERVE_TRANSPORTS",
    /// Whether polling sessions may move to WebSocket [default: true]
    #[arg(value_name = "BOOL", hide_short_help = true, help_heading = PROTOCOL)]
    allow_upgrades: bool = "OVERHEARD_SERVE_ALLOW_UPGRADES",
    /// How long a session can be recovered (maxDisconnectionDuration), or off [default: off]
    #[arg(value_name = "TIME", help_heading = PROTOCOL)]
    recovery: Recovery = "OVERHEARD_SERVE_RECOVERY",
    /// Whether a recovered socket passes the gate of its namespace unasked [default: true]
    #[arg(value_name = "BOOL", hide_short_help = true, help_heading = PROTOCOL)]
    skip_middlewares: bool = "OVERHEARD_SERVE_SKIP_MIDDLEWARES",
    /// Compress polls from this size on, or off [default: 1024]
    #[arg(value_name = "BYTES", hide_short_help = true, help_heading = PROTOCOL)]
    http_compression: Compression = "OVERHEARD_SERVE_HTTP_COMPRESSION",
    /// Sessions at a time; one more is refused [default: 1000000]
    #[arg(value_name = "N", help_heading = PROTOCOL)]
    max_connections: NonZeroUsize = "OVERHEARD_SERVE_MAX_CONNECTIONS",
    /// mended, or reference: with the quirks of the reference [default: mended]
    #[arg(value_name = "QUIRKS", hide_possible_values = true, hide_short_help = true, help_heading = PROTOCOL)]
    quirks: Quirks = "OVERHEARD_SERVE_QUIRKS",

    /// Namespaces besides `/`: `NAME[,token=TOKEN][,seats=N][,auth-delay=TIME]`; the variable
    /// holds one a line
    #[arg(long = "namespace", value_name = "NAMESPACE", value_delimiter = '\n', help_heading = CHAT)]
    #[serde(deserialize_with = "gates")]
    namespaces: Vec<NamedGate> = "OVERHEARD_SERVE_NAMESPACE",
    /// The token of /supervisors [default: a new one, which is printed]
    #[arg(value_name = "TOKEN", help_heading = CHAT)]
    supervisors_token: String = "OVERHEARD_SERVE_SUPERVISORS_TOKEN",
    /// The seats of /supervisors [default: 3]
    #[arg(value_name = "N", help_heading = CHAT)]
    supervisors_seats: NonZeroUsize = "OVERHEARD_SERVE_SUPERVISORS_SEATS",
    /// Pattern of namespaces that are made on demand; the variable holds one a line
    #[arg(value_name = "REGEX", value_delimiter = '\n', help_heading = CHAT)]
    dynamic: Vec<Pattern> = "OVERHEARD_SERVE_DYNAMIC",
    /// Remove a namespace that was made on demand with its last socket [default: false]
    #[arg(value_name = "BOOL", hide_short_help = true, help_heading = CHAT)]
    cleanup_empty_child_namespaces: bool = "OVERHEARD_SERVE_CLEANUP_EMPTY_CHILD_NAMESPACES",

    /// Origins whose pages may poll, or `*` [default: none]
    #[arg(value_name = "ORIGINS", value_delimiter = ',', help_heading = HTTP)]
    cors_origin: Vec<String> = "OVERHEARD_SERVE_CORS_ORIGIN",
    /// Whether they may send cookies [default: false]
    #[arg(value_name = "BOOL", hide_short_help = true, help_heading = HTTP)]
    cors_credentials: bool = "OVERHEARD_SERVE_CORS_CREDENTIALS",
    /// TCP connections at a time; one more gets status 503 [default: what the system allows]
    #[arg(value_name = "N", help_heading = HTTP)]
    max_tcp_connections: NonZeroUsize = "OVERHEARD_SERVE_MAX_TCP_CONNECTIONS",
    /// Time that the head of a request may take [default: 15s]
    #[arg(value_name = "TIME", hide_short_help = true, help_heading = HTTP)]
    header_timeout: Period = "OVERHEARD_SERVE_HEADER_TIMEOUT",
    /// Time that the body of a request may take [default: 30s]
    #[arg(value_name = "TIME", hide_short_help = true, help_heading = HTTP)]
    body_timeout: Period = "OVERHEARD_SERVE_BODY_TIMEOUT",
    /// Time that a connection may be without a request [default: 60s]
    #[arg(value_name = "TIME", hide_short_help = true, help_heading = HTTP)]
    idle_timeout: Period = "OVERHEARD_SERVE_IDLE_TIMEOUT",
    /// Time that a client may take no byte of what it is sent [default: 60s]
    #[arg(value_name = "TIME", hide_short_help = true, help_heading = HTTP)]
    write_timeout: Period = "OVERHEARD_SERVE_WRITE_TIMEOUT",
    /// Bytes of the head of a request [default: 16384]
    #[arg(value_name = "BYTES", hide_short_help = true, help_heading = HTTP)]
    max_header_size: NonZeroUsize = "OVERHEARD_SERVE_MAX_HEADER_SIZE",
    /// Bytes of messages that may wait for a client that does not read; one that nothing waits
    /// before may be larger [default: 67108864]
    #[arg(value_name = "BYTES", hide_short_help = true, help_heading = HTTP)]
    max_buffered_bytes: NonZeroUsize = "OVERHEARD_SERVE_MAX_BUFFERED_BYTES",
    /// Time that connections may take to end when the server stops [default: 5s]
    #[arg(value_name = "TIME", hide_short_help = true, help_heading = HTTP)]
    shutdown_grace: Period = "OVERHEARD_SERVE_SHUTDOWN_GRACE",

    /// text or json [default: text]
    #[arg(value_name = "FORMAT", hide_possible_values = true)]
    log_format: LogFormat = "OVERHEARD_SERVE_LOG_FORMAT",
}

const PROTOCOL: &str = "Socket.IO and Engine.IO, by the reference's names";
const CHAT: &str = "The chat";
const HTTP: &str = "HTTP and TCP";

/// A transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
pub(crate) enum TransportChoice {
    Polling,
    WebSocket,
}

impl From<TransportChoice> for TransportName {
    fn from(choice: TransportChoice) -> Self {
        match choice {
            TransportChoice::Polling => Self::Polling,
            TransportChoice::WebSocket => Self::WebSocket,
        }
    }
}

/// Whether the artefacts of the reference are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Quirks {
    Mended,
    Reference,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// In files namespaces are a table of names.
fn gates<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<NamedGate>>, D::Error> {
    let named: BTreeMap<String, GateOptions> = BTreeMap::deserialize(from)?;
    let gates = named.into_iter().map(|(name, gate)| {
        namespace_name(&name).map_err(serde::de::Error::custom)?;
        Ok(NamedGate { name, gate })
    });
    gates.collect::<Result<_, _>>().map(Some)
}
