//! What the server tells the application, and what the application asks of it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use slotmap::DefaultKey;
use smol_str::{SmolStr, ToSmolStr as _};

use super::config::NamespaceConfig;
use super::rooms::Slot;
use crate::codec::sio::AckId;
use crate::engine::{
    ConnId, EngineEvent, HandshakeTicket, IdDecision, Input as EngineInput, Output as EngineOutput,
    RequestDecision,
};
use crate::event::DisconnectReason;
use crate::time::Duration;
use crate::value::{Number, Object, Value};

/// One input of the server.
#[derive(Debug)]
pub enum Input {
    /// From the host.
    Transport(EngineInput),
    /// From the application: in answer to an event, or on its own account. They take effect in
    /// order, each with all its consequences before the next.
    Commands(Vec<Command>),
}

/// One output of the server.
#[derive(Debug)]
pub enum Output {
    /// For the host.
    Transport(EngineOutput),
    /// For the application. What it answers before the next output takes effect at once, as if a
    /// listener had called the server.
    Event(Event),
}

/// A namespace that exists, or existed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NspId(pub(crate) DefaultKey);

/// One socket: a connection in a namespace (`NSP-03`). Never equal to another one, however many
/// come and go; a recovered socket is a new one with the old id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketRef {
    pub(crate) nsp: NspId,
    pub(crate) slot: Slot,
    pub(crate) generation: u32,
    pub(crate) conn: ConnId,
}

impl SocketRef {
    /// The connection that carries the socket.
    #[must_use]
    pub const fn conn(self) -> ConnId {
        self.conn
    }

    /// The namespace.
    #[must_use]
    pub const fn namespace(self) -> NspId {
        self.nsp
    }
}

/// The number under which the application finds its own request again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// The right to answer one event once (`SIO-ACK-01`): it cannot be copied, so that a second
/// answer cannot be written down.
#[derive(Debug, PartialEq)]
pub struct AckTicket {
    pub(crate) socket: SocketRef,
    pub(crate) id: AckId,
}

impl AckTicket {
    /// The socket that waits for the answer.
    #[must_use]
    pub const fn socket(&self) -> SocketRef {
        self.socket
    }
}

/// An event that waits in a socket middleware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTicket(pub(crate) u64);

/// A namespace that waits to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamespaceTicket(pub(crate) u64);

/// The name of an event that may be emitted: a number, or any string that is not reserved
/// (`BC-09`).
#[derive(Clone, Debug, PartialEq)]
pub struct EventName(Value);

impl EventName {
    /// Names that mean something to the protocol itself (`SIO-ENC-12`).
    pub const RESERVED: [&'static str; 6] = [
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    ];

    /// A name.
    ///
    /// # Errors
    /// The name is reserved.
    pub fn new(name: &str) -> Result<Self, ReservedName> {
        if Self::RESERVED.contains(&name) {
            return Err(ReservedName(name.into()));
        }
        Ok(Self(Value::from(name)))
    }

    /// A numeric name (`UTIL-10`).
    #[must_use]
    pub const fn number(number: Number) -> Self {
        Self(Value::Number(number))
    }

    /// What `send(...)` emits (`BC-11`).
    #[must_use]
    pub fn message() -> Self {
        Self(Value::from("message"))
    }

    /// What the chat application's messages are called.
    pub(crate) fn chat() -> Self {
        Self(Value::from("chat"))
    }

    /// The text, unless it is a number.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_str()
    }

    pub(crate) fn from_wire(value: Value) -> Self {
        Self(value)
    }

    pub(crate) const fn value(&self) -> &Value {
        &self.0
    }
}

impl fmt::Display for EventName {
    /// As JavaScript writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Value::String(name) => f.write_str(name),
            Value::Number(number) => f.write_str(&number.to_smolstr()),
            // `from_wire` is given nothing else.
            Value::Null
            | Value::Bool(_)
            | Value::Array(_)
            | Value::Object(_)
            | Value::Binary(_) => Ok(()),
        }
    }
}

/// The name of an event is reserved (`BC-09`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservedName(pub SmolStr);

impl fmt::Display for ReservedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is a reserved event name", self.0)
    }
}

impl core::error::Error for ReservedName {}

/// Who hears a broadcast, or which sockets a utility acts on (section 5.1 of the rules).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Where the operator was started.
    pub origin: Origin,
    /// `to`/`in`: a union; empty selects everybody (`BC-TGT-02`, `BC-TGT-05`).
    pub rooms: Vec<SmolStr>,
    /// `except`: always wins (`BC-TGT-04`).
    pub except: Vec<SmolStr>,
}

/// Where an operator was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `io.of(name)`; `/` for `io` itself (`BC-TGT-01`).
    Namespace(SmolStr),
    /// A socket: its own room is excepted (`BC-TGT-06`).
    Socket(SocketRef),
    /// All existing namespaces of a parent, by its place in the configuration (`NSP-17`).
    Parent(usize),
}

impl Selection {
    /// Everybody in a namespace.
    pub fn namespace(name: impl Into<SmolStr>) -> Self {
        Self { origin: Origin::Namespace(name.into()), rooms: Vec::new(), except: Vec::new() }
    }

    /// Everybody but the socket: `socket.broadcast`.
    #[must_use]
    pub const fn socket(socket: SocketRef) -> Self {
        Self { origin: Origin::Socket(socket), rooms: Vec::new(), except: Vec::new() }
    }

    /// Adds rooms (`BC-TGT-02`).
    #[must_use]
    pub fn to<S: Into<SmolStr>>(mut self, rooms: impl IntoIterator<Item = S>) -> Self {
        self.rooms.extend(rooms.into_iter().map(Into::into));
        self
    }

    /// Excepts rooms (`BC-TGT-04`).
    #[must_use]
    pub fn except<S: Into<SmolStr>>(mut self, rooms: impl IntoIterator<Item = S>) -> Self {
        self.except.extend(rooms.into_iter().map(Into::into));
        self
    }
}

/// How a packet is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    /// Drop it unless the transport is writable at once (`BC-VOL-01`).
    pub volatile: bool,
    /// Only sockets of this node: nothing changes on one node (`BC-FLAG-01`).
    pub local: bool,
    /// Whether the transport may compress it (`BC-FLAG-02`).
    pub compress: bool,
}

impl Default for Flags {
    fn default() -> Self {
        Self { volatile: false, local: false, compress: true }
    }
}

/// A wish to be told the answer to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckRequest {
    /// Names it in [`Event::Acked`] or [`Event::BroadcastAcked`].
    pub token: Token,
    /// When to give up. Without it a single ack waits for ever (`SIO-ACK-06`) and a broadcast
    /// gives up after a millisecond (`BC-ACK-05`).
    pub timeout: Option<Duration>,
}

/// What the application asks of the server.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// `socket.emit(...)`.
    Emit {
        /// To whom.
        socket: SocketRef,
        /// The event.
        name: EventName,
        /// Its arguments.
        args: Vec<Value>,
        /// How.
        flags: Flags,
        /// Whether an answer is wanted.
        ack: Option<AckRequest>,
    },
    /// An operator's `emit(...)`.
    Broadcast {
        /// To whom.
        selection: Selection,
        /// The event.
        name: EventName,
        /// Its arguments.
        args: Vec<Value>,
        /// How.
        flags: Flags,
        /// Whether answers are wanted.
        ack: Option<AckRequest>,
    },
    /// Answers an event (`SIO-ACK-01`).
    Ack {
        /// Which.
        ticket: AckTicket,
        /// With what.
        args: Vec<Value>,
    },
    /// `socket.join(...)` (`ROOM-02`).
    Join {
        /// Who.
        socket: SocketRef,
        /// The rooms, joined in order.
        rooms: Vec<SmolStr>,
    },
    /// `socket.leave(...)` (`ROOM-03`).
    Leave {
        /// Who.
        socket: SocketRef,
        /// The room.
        room: SmolStr,
    },
    /// `socket.disconnect(close)` (`NSP-10`, `NSP-11`).
    Disconnect {
        /// Who.
        socket: SocketRef,
        /// Whether the whole connection goes.
        close: bool,
    },
    /// `socket.conn.close()`.
    CloseConnection(ConnId),
    /// `operator.socketsJoin(...)` (`UTIL-01`).
    SocketsJoin {
        /// Who.
        selection: Selection,
        /// The rooms.
        rooms: Vec<SmolStr>,
    },
    /// `operator.socketsLeave(...)` (`UTIL-01`).
    SocketsLeave {
        /// Who.
        selection: Selection,
        /// The rooms.
        rooms: Vec<SmolStr>,
    },
    /// `operator.disconnectSockets(close)` (`UTIL-01`).
    DisconnectSockets {
        /// Who.
        selection: Selection,
        /// Whether their whole connections go.
        close: bool,
    },
    /// `operator.fetchSockets()`, answered by [`Event::Fetched`] (`UTIL-03`).
    FetchSockets {
        /// Names the answer.
        token: Token,
        /// Who.
        selection: Selection,
    },
    /// `nsp.serverSideEmit(...)`: there is no other node (`UTIL-05`).
    ServerSideEmit {
        /// In which namespace.
        nsp: SmolStr,
        /// The event.
        name: SmolStr,
    },
    /// `io.of(name)` (`NSP-06`); one that exists keeps its options.
    CreateNamespace {
        /// Its name, with or without leading slash (`NSP-01`).
        name: SmolStr,
        /// Its options.
        config: NamespaceConfig,
    },
    /// `next(...)` of a namespace middleware (`NSP-MW-04`).
    Next {
        /// The socket that waits.
        socket: SocketRef,
        /// The verdict.
        verdict: Verdict,
    },
    /// The answer to [`Event::NamespaceRequested`] (`NSP-14`).
    AllowNamespace {
        /// Which.
        ticket: NamespaceTicket,
        /// Whether the parent takes the name.
        allow: bool,
    },
    /// Adds a socket middleware: the application is asked for each event (`UTIL-06`).
    UseSocket(SocketRef),
    /// `next(...)` of a socket middleware (`UTIL-07`).
    NextEvent {
        /// Which event.
        ticket: EventTicket,
        /// Go on, perhaps with another event array, or reject with an error text.
        verdict: Result<Option<Vec<Value>>, String>,
    },
    /// Asks for [`Event::Incoming`] or [`Event::Outgoing`] of a socket (`UTIL-06`, `BC-13`).
    Subscribe {
        /// Whose.
        socket: SocketRef,
        /// `onAny`.
        incoming: bool,
        /// `onAnyOutgoing`.
        outgoing: bool,
    },
    /// Sets a member of `socket.data` (`UTIL-08`).
    SetData {
        /// Whose.
        socket: SocketRef,
        /// The key.
        key: String,
        /// The value.
        value: Value,
    },
    /// The answer to [`EngineEvent::CheckRequest`].
    DecideRequest {
        /// Which.
        ticket: HandshakeTicket,
        /// The decision.
        decision: RequestDecision,
    },
    /// The answer to [`EngineEvent::ChooseId`].
    DecideId {
        /// Which.
        ticket: HandshakeTicket,
        /// The id.
        id: IdDecision,
    },
    /// `io.close()` (`NSP-13`).
    Close,
}

/// What a middleware decided.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Go on.
    Allow,
    /// Refuse with this connect error (`NSP-MW-04`).
    Refuse {
        /// `err.message`.
        message: String,
        /// `err.data`.
        data: Option<Value>,
    },
    /// Refuse with something that is not an `Error`: the client learns nothing (`NSP-MW-05`).
    RefuseSilently,
}

/// What the server tells the application.
#[derive(Debug, PartialEq)]
pub enum Event {
    /// Something about connections; messages are not among them.
    Engine(EngineEvent),
    /// A client asked for a name that a parent may allow (`NSP-14`).
    NamespaceRequested {
        /// To answer with.
        ticket: NamespaceTicket,
        /// The parent's place in the configuration.
        parent: usize,
        /// The name.
        name: SmolStr,
        /// The auth payload.
        auth: Object,
    },
    /// A namespace was made (`NSP-06`).
    NamespaceCreated(SmolStr),
    /// A namespace was removed (`NSP-21`).
    NamespaceRemoved(SmolStr),
    /// A socket waits in a namespace middleware: answer with [`Command::Next`], now or later.
    Middleware {
        /// Who.
        socket: SocketRef,
        /// In which namespace.
        nsp: SmolStr,
        /// Which middleware.
        index: u16,
        /// `socket.handshake.auth` (`SIO-CONN-02`).
        auth: Object,
    },
    /// A socket is connected (`SIO-ORD-06`).
    Connection {
        /// Who.
        socket: SocketRef,
        /// In which namespace.
        nsp: SmolStr,
        /// Whether an earlier session goes on (`CSR-07`).
        recovered: bool,
    },
    /// A socket was refused a namespace.
    ConnectRefused {
        /// In which namespace.
        nsp: SmolStr,
        /// On which connection.
        conn: ConnId,
        /// What the client was told.
        message: String,
    },
    /// An event arrived, before anything else looked at it (`UTIL-06`). Without payload it has
    /// no elements (`SIO-ENC-11`).
    Incoming {
        /// From whom.
        socket: SocketRef,
        /// Name and arguments.
        event: Vec<Value>,
    },
    /// An event is about to be sent (`BC-13`).
    Outgoing {
        /// To whom.
        socket: SocketRef,
        /// Name and arguments.
        event: Vec<Value>,
    },
    /// An event waits in a socket middleware: answer with [`Command::NextEvent`].
    SocketMiddleware {
        /// To answer with.
        ticket: EventTicket,
        /// From whom.
        socket: SocketRef,
        /// Which middleware.
        index: u16,
        /// Name and arguments.
        event: Vec<Value>,
    },
    /// An event for the listeners.
    Received {
        /// From whom.
        socket: SocketRef,
        /// Its name.
        name: EventName,
        /// Its arguments.
        args: Vec<Value>,
        /// To answer with, if the client wants an answer.
        ack: Option<AckTicket>,
    },
    /// An undecodable packet, or a rejection by a socket middleware (`SIO-ERR-05`).
    Error {
        /// Whose.
        socket: SocketRef,
        /// The reference's text.
        message: String,
    },
    /// A socket is about to leave; its rooms are still there (`SIO-DISC-03`).
    Disconnecting {
        /// Who.
        socket: SocketRef,
        /// Why.
        reason: DisconnectReason,
    },
    /// A socket has left; its rooms are gone (`SIO-DISC-03`).
    Disconnected {
        /// Who.
        socket: SocketRef,
        /// Its id.
        sid: SmolStr,
        /// Its namespace.
        nsp: SmolStr,
        /// Why.
        reason: DisconnectReason,
    },
    /// A room came, changed or went (`ROOM-11`).
    Room {
        /// In which namespace.
        nsp: SmolStr,
        /// What happened.
        change: RoomChange,
        /// To which room.
        room: SmolStr,
        /// The id of the socket that joined or left.
        sid: Option<SmolStr>,
    },
    /// A single ack is settled (`SIO-ACK-04`, `SIO-ACK-05`).
    Acked {
        /// Which.
        token: Token,
        /// The ack's arguments, or nothing in time.
        result: Result<Vec<Value>, AckTimeout>,
    },
    /// A broadcast's acks are settled (`BC-ACK-01`, `BC-ACK-03`).
    BroadcastAcked {
        /// Which.
        token: Token,
        /// The first ack argument of each answer, in order of arrival (`BC-ACK-02`).
        responses: Vec<Value>,
        /// Whether answers are missing.
        timed_out: Option<AckTimeout>,
    },
    /// The answer to [`Command::FetchSockets`].
    Fetched {
        /// Which.
        token: Token,
        /// The sockets.
        sockets: Vec<SocketRef>,
    },
    /// A command could not be carried out; nothing has changed.
    Refused(CommandError),
}

/// What happened to a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomChange {
    /// It is about to get its first member.
    Created,
    /// A socket is in it.
    Joined,
    /// A socket is no longer in it.
    Left,
    /// It has lost its last member.
    Deleted,
}

impl RoomChange {
    /// The reference's name of the adapter event.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "create-room",
            Self::Joined => "join-room",
            Self::Left => "leave-room",
            Self::Deleted => "delete-room",
        }
    }
}

/// No answer came in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckTimeout;

impl fmt::Display for AckTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("operation has timed out")
    }
}

impl core::error::Error for AckTimeout {}

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// The namespace does not exist: create it first.
    NoSuchNamespace(SmolStr),
    /// The parent does not exist: parents are configured at the start.
    NoSuchParent(usize),
    /// The ticket was answered before, or its socket has gone.
    UnknownTicket,
    /// There is no other node (`UTIL-05`).
    NoServerSideEmit,
    /// A bound of [`super::ServerLimits`] was reached; it names the bound.
    Limit(&'static str),
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchNamespace(name) => write!(f, "namespace {name} does not exist"),
            Self::NoSuchParent(index) => write!(f, "there is no parent namespace {index}"),
            Self::UnknownTicket => f.write_str("already answered, or its socket has gone"),
            Self::NoServerSideEmit => {
                f.write_str("this adapter does not support the serverSideEmit() functionality")
            }
            Self::Limit(name) => write!(f, "the limit `{name}` is reached"),
        }
    }
}

impl core::error::Error for CommandError {}

/// The caller broke the contract of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContractError {
    /// Time went back: the input was not taken.
    TimeWentBack,
    /// The outputs of the input before were not drained: the input was not taken.
    NotDrained,
}

impl fmt::Display for ContractError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimeWentBack => "time went back: hand in a monotonic clock",
            Self::NotDrained => "call poll_output until it returns None before the next input",
        })
    }
}

impl core::error::Error for ContractError {}
