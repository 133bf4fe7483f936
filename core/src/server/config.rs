//! Options of the Socket.IO server, under the reference's names and with its defaults.

use alloc::vec::Vec;

use regex::Regex;
use smol_str::SmolStr;

use crate::codec::sio::{Coercions, DecoderConfig};
use crate::engine::{EngineConfig, EngineQuirks};
use crate::time::Duration;

/// Options of the Socket.IO server.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Options of the Engine.IO layer.
    pub engine: EngineConfig,
    /// Time in which a connection must join a namespace (`SIO-CONN-03`). Default 45 s; zero means
    /// the default, as in the reference.
    pub connect_timeout: Duration,
    /// Connection state recovery. Default off (`CSR-01`).
    pub recovery: Option<RecoveryConfig>,
    /// Remove a dynamic namespace with its last socket (`NSP-21`). Default false.
    pub cleanup_empty_child_namespaces: bool,
    /// Options of `/`, which always exists (`NSP-01`).
    pub main: NamespaceConfig,
    /// Further namespaces.
    pub namespaces: Vec<(SmolStr, NamespaceConfig)>,
    /// Namespaces made on demand, tried in this order (`NSP-14`).
    pub parents: Vec<ParentConfig>,
    /// Bounds of the Socket.IO decoder.
    pub decoder: DecoderConfig,
    /// Bounds on what clients can make this machine hold.
    pub limits: ServerLimits,
    /// Artefacts of the reference, kept or mended.
    pub quirks: ServerQuirks,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            engine: EngineConfig::default(),
            connect_timeout: Duration::from_secs(45),
            recovery: None,
            cleanup_empty_child_namespaces: false,
            main: NamespaceConfig::default(),
            namespaces: Vec::new(),
            parents: Vec::new(),
            decoder: DecoderConfig { coercions: Coercions::Strict, ..DecoderConfig::default() },
            limits: ServerLimits::default(),
            quirks: ServerQuirks::default(),
        }
    }
}

impl ServerConfig {
    /// The defaults, with every artefact of the reference as it is.
    #[must_use]
    pub fn reference() -> Self {
        Self {
            engine: EngineConfig { quirks: EngineQuirks::reference(), ..EngineConfig::default() },
            decoder: DecoderConfig::default(),
            quirks: ServerQuirks::reference(),
            ..Self::default()
        }
    }
}

/// Options of connection state recovery (`CSR-01`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveryConfig {
    /// How long a session may be recovered (`CSR-09`). Default 120 s.
    pub max_disconnection_duration: Duration,
    /// Whether a recovered socket enters without running the middlewares (`NSP-MW-10`). Default
    /// true.
    pub skip_middlewares: bool,
}

impl Default for RecoveryConfig {
    fn default() -> Self {
        Self { max_disconnection_duration: Duration::from_secs(120), skip_middlewares: true }
    }
}

/// Options of one namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceConfig {
    /// How many middlewares a socket passes before it is connected; the application is asked for
    /// each, in order (`NSP-MW-01`). Default 0.
    pub middlewares: u16,
    /// How many sockets may be connected at a time. One more is refused with the connect error
    /// `namespace is full`, after its middlewares, so that nobody learns the occupancy without
    /// being allowed in. Default: no limit.
    pub max_sockets: Option<usize>,
    /// Report room events (`ROOM-11`). Default false: they cost an event per membership.
    pub room_events: bool,
}

impl NamespaceConfig {
    /// The options of a namespace that belongs to a parent and has options of its own: the
    /// parent's middlewares come first, and its limit holds unless there is an own one.
    pub(super) fn below(self, parent: &Self) -> Self {
        Self {
            middlewares: self.middlewares.saturating_add(parent.middlewares),
            max_sockets: self.max_sockets.or(parent.max_sockets),
            room_events: self.room_events || parent.room_events,
        }
    }
}

/// A family of namespaces made on demand (`NSP-14`).
#[derive(Clone, Debug)]
pub struct ParentConfig {
    /// Which names belong to it.
    pub matcher: Matcher,
    /// Options that its namespaces get when they are made (`NSP-15`).
    pub namespace: NamespaceConfig,
}

/// How a parent decides about a name.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// By pattern. `\d`, `\w` and `\s` are those of Unicode; back-references do not exist.
    Pattern(Regex),
    /// By asking the application, with the name and the auth payload.
    Ask,
}

/// Bounds of the Socket.IO server. What is over a bound is refused and reported as
/// [`super::Event::Refused`]; nothing else changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Rooms that one socket may be in. Default 100,000: more than any chat needs, and at 16 bytes
    /// each little enough for a client whose `join` is not checked.
    pub rooms_per_socket: usize,
    /// Bytes of a room's name. Default 1,024: a name is kept once, but by any client that may join
    /// rooms of its choice.
    pub room_name_bytes: usize,
    /// Namespaces that one connection may be in or asking for. Over it the connection is closed.
    /// Default 1,000: each costs a socket.
    pub namespaces_per_connection: usize,
    /// Namespaces that exist at a time; a name over it is an invalid namespace. Default 100,000:
    /// a pattern lets any client make one.
    pub namespaces: usize,
    /// Acks that one socket owes the application. Default 100,000: they live until answered, and
    /// without a timeout that may be never (`SIO-ACK-06`).
    pub pending_acks: usize,
    /// Events of one server that wait in a socket middleware. Default 100,000.
    pub pending_events: usize,
    /// Packets that recovery keeps per namespace; the oldest go first. Default 1,000,000.
    pub recovery_packets: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            rooms_per_socket: 100_000,
            room_name_bytes: 1_024,
            namespaces_per_connection: 1_000,
            namespaces: 100_000,
            pending_acks: 100_000,
            pending_events: 100_000,
            recovery_packets: 1_000_000,
        }
    }
}

/// Artefacts of the reference's Socket.IO server. The default mends them; `reference()` copies
/// them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerQuirks {
    /// A packet for a namespace that the server has just left closes the whole connection
    /// (`NSP-12`, `EDGE-05`). Mended: it is ignored.
    pub in_flight_packets_close: bool,
    /// Listeners run a tick later than acks and disconnections, so that the last event before a
    /// DISCONNECT is lost (`SIO-ORD-04`, `EDGE-04`). Mended: packets are handled one after the
    /// other.
    pub listeners_run_late: bool,
    /// Two CONNECTs for one namespace that are under way together both succeed (`SIO-CONN-08`).
    /// Mended: the second closes the connection, as it does after the first was accepted.
    pub double_connect: bool,
    /// What is emitted on a socket that has left its namespace is still written (`EDGE-07`,
    /// `SIO-ACK-08`). Mended: it is dropped.
    pub zombie_writes: bool,
    /// An event without any payload is accepted (`SIO-ENC-11`). Mended: it is an invalid packet,
    /// as the protocol document has it.
    pub events_without_payload: bool,
}

impl ServerQuirks {
    /// Everything as the reference does it.
    #[must_use]
    pub const fn reference() -> Self {
        Self {
            in_flight_packets_close: true,
            listeners_run_late: true,
            double_connect: true,
            zombie_writes: true,
            events_without_payload: true,
        }
    }
}
