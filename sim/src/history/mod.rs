//! The history of a run: what happened, in one order, as JSON lines.
//!
//! A history is all that the oracle and the checkers see of a run, together with its plan. It may
//! come from anywhere: `overheard check-history` judges one that was written by hand. The first
//! line is a [`Header`], every other one an [`Event`].
//!
//! Who did what is written down where it is known first: an `invoke` when a client asks, an
//! `accepted` when the server's host has decoded the packet and before anything acts on it, a
//! `received` when a client's application would be told. Where `accepted` events exist, they give
//! the order in which operations took effect, and audiences are exact; without them (a live
//! server) an operation took effect at some time between its `invoke` and its `ok`.
//!
//! `HISTORY.md` describes the format for those who write such files.

mod digest;
mod ids;
mod lines;
mod schema;
mod values;

use std::sync::Arc;

use overheard_core::value::Value;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

pub use self::digest::{Digest, digest};
pub use self::ids::without_ids;
pub use self::lines::{Difference, Problem, ReadError, first_difference, read, write, write_line};
pub use self::schema::schema;

/// The version of the format that this code writes. Fields and kinds are only ever added.
pub const VERSION: u32 = 1;

/// The arguments of an event; shared, as a broadcast has many receivers.
pub type Args = Arc<Vec<Value>>;

/// The first line of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Header {
    /// The version of the format.
    pub overheard_history: u32,
    /// The scenario's name.
    pub scenario: String,
    /// Its file.
    pub file: String,
    /// The seed, as in `0x5eed`.
    pub seed: String,
    /// The network's name.
    pub network: String,
    /// The names of the clients, in the order of the file.
    pub clients: Vec<String>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the history, from 0.
    pub n: u64,
    /// Virtual nanoseconds since the start of the run.
    pub t: u64,
    /// A client's name, `server`, `net` or `run`.
    pub who: SmolStr,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
    /// The event that caused it, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<u64>,
    /// The step that it belongs to, by number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
}

/// The kinds of events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum What {
    /// `run`: a step begins.
    StepBegin,
    /// `run`: a step has been carried out.
    StepEnd,
    /// `run`: nothing has happened for the plan's quiet time, and nothing is under way.
    Quiet,
    /// `run`: everything that was broken is mended; what is owed must arrive from here on.
    AllHealed,
    /// `run`: the clients leave, and after that nothing may be left.
    Closing,
    /// `run`: the last event.
    End {
        /// Whether the plan was carried out, or what stopped it.
        reason: EndReason,
    },

    /// A client asks for something.
    Invoke {
        /// The number of the operation.
        op: u64,
        /// What it asks for.
        #[serde(flatten)]
        operation: Operation,
    },
    /// An operation has taken effect.
    Ok {
        /// Which.
        op: u64,
        /// The values of its answer.
        #[serde(with = "values::list")]
        values: Args,
    },
    /// An operation has not taken effect, and will not.
    Fail {
        /// Which.
        op: u64,
        /// Why.
        error: SmolStr,
    },
    /// An operation may or may not have taken effect, or may yet (a lost answer).
    Info {
        /// Which.
        op: u64,
        /// Why.
        error: SmolStr,
    },
    /// A client's socket is connected.
    Connected {
        /// In which namespace.
        nsp: SmolStr,
        /// Its id.
        sid: SmolStr,
        /// Whether its session was recovered.
        recovered: bool,
    },
    /// A client's socket was refused.
    Refused {
        /// In which namespace.
        nsp: SmolStr,
        /// The message.
        message: SmolStr,
        /// The data.
        #[serde(default, skip_serializing_if = "Option::is_none", with = "values::maybe")]
        data: Option<Value>,
    },
    /// A client's socket is disconnected.
    Disconnected {
        /// In which namespace.
        nsp: SmolStr,
        /// The reason, as the client sees it.
        reason: SmolStr,
    },
    /// A client's connection was opened.
    Opened {
        /// The transport: `polling` or `websocket`.
        transport: SmolStr,
    },
    /// A client's connection moved to WebSocket.
    Upgraded,
    /// A client tries to connect again.
    Reconnecting {
        /// The number of the attempt, from 1.
        attempt: u32,
    },
    /// A client's application is told of an event.
    Received {
        /// In which namespace.
        nsp: SmolStr,
        /// The event.
        event: SmolStr,
        /// Its arguments, without the recovery offset.
        #[serde(with = "values::list")]
        args: Args,
        /// The recovery offset that came with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offset: Option<SmolStr>,
        /// Whether the server wants an answer.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ack: bool,
    },
    /// A client answers an event.
    Answered {
        /// In which namespace.
        nsp: SmolStr,
        /// The values.
        #[serde(with = "values::list")]
        values: Args,
    },
    /// A client dropped a volatile event of its own.
    Dropped {
        /// Which operation.
        op: u64,
    },

    /// `server`: a socket is let in.
    Entered {
        /// In which namespace.
        nsp: SmolStr,
        /// Its id.
        sid: SmolStr,
        /// Whether its session was recovered.
        recovered: bool,
        /// The client, if the host knows it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client: Option<SmolStr>,
    },
    /// `server`: a socket leaves; it hears nothing from here on.
    Left {
        /// In which namespace.
        nsp: SmolStr,
        /// Its id.
        sid: SmolStr,
        /// The reason, as the server sees it.
        reason: SmolStr,
    },
    /// `server`: an event of a client has arrived, and takes effect here.
    Accepted {
        /// In which namespace.
        nsp: SmolStr,
        /// From which socket.
        sid: SmolStr,
        /// The event.
        event: SmolStr,
        /// Its arguments.
        #[serde(with = "values::list")]
        args: Args,
        /// Whether the client wants an answer.
        ack: bool,
    },
    /// `server`: the application acts on its own account, here.
    Acted {
        /// The number of the operation.
        op: u64,
        /// What it does.
        #[serde(flatten)]
        action: Action,
    },
    /// `server`: the answers to a broadcast that asked for them.
    BroadcastAcked {
        /// Which operation.
        op: u64,
        /// The answers, in order of arrival.
        #[serde(with = "values::list")]
        responses: Args,
        /// Whether some are missing.
        timed_out: bool,
    },
    /// `server`: a room table, forward and backward.
    Rooms {
        /// Of which namespace.
        nsp: SmolStr,
        /// The rooms of each socket, by id.
        sids: Vec<(SmolStr, Vec<SmolStr>)>,
        /// The sockets of each room, by name.
        rooms: Vec<(SmolStr, Vec<SmolStr>)>,
    },
    /// `server`: how much is there.
    Counters(Counters),
    /// `server`: it is up, with nothing in it.
    Up,
    /// `server`: it has died, with everything in it.
    Down,

    /// `net`: something breaks.
    Fault {
        /// Its number.
        id: u32,
        /// What, in words of the file.
        what: SmolStr,
        /// The clients that it is about; none means a rack or the server.
        clients: Vec<SmolStr>,
    },
    /// `net`: it is mended, or over.
    Healed {
        /// Which.
        id: u32,
        /// Reads, writes and connects that it changed.
        touched: u64,
    },
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// Every step was carried out, and the run came to rest.
    Complete,
    /// A bound of the plan was reached.
    Bound(String),
    /// The world itself failed: a panic or a broken contract.
    Broken(String),
    /// It was not played: the server under test cannot do what it needs.
    Skipped(String),
    /// There was no server to play it against: it could not be started or reached.
    NoServer(String),
    /// The server under test ended by itself.
    ServerDied(String),
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Operation {
    /// To enter a namespace.
    Connect {
        /// Which.
        nsp: SmolStr,
        /// The auth payload.
        #[serde(default, with = "values::maybe")]
        auth: Option<Value>,
    },
    /// To leave a namespace.
    Disconnect {
        /// Which.
        nsp: SmolStr,
    },
    /// To emit an event.
    Emit {
        /// In which namespace.
        nsp: SmolStr,
        /// The event.
        event: SmolStr,
        /// Its arguments.
        #[serde(with = "values::list")]
        args: Args,
        /// Whether it waits for an answer.
        ack: bool,
        /// Whether it may be dropped.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        volatile: bool,
    },
}

/// What the server's application does on its own account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Action {
    /// A broadcast.
    Broadcast {
        /// To whom.
        #[serde(flatten)]
        to: Audience,
        /// The event.
        event: SmolStr,
        /// Its arguments.
        #[serde(with = "values::list")]
        args: Args,
        /// Whether it may be dropped.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        volatile: bool,
        /// Whether it asks for answers.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ack: bool,
    },
    /// `socketsJoin` and `socketsLeave`.
    Move {
        /// Who.
        #[serde(flatten)]
        who: Audience,
        /// Rooms to join.
        join: Vec<SmolStr>,
        /// Rooms to leave, first.
        leave: Vec<SmolStr>,
    },
    /// `disconnectSockets`.
    Kick {
        /// Who.
        #[serde(flatten)]
        who: Audience,
        /// Whether the connections go too.
        close: bool,
    },
    /// `io.close()`.
    Close,
}

/// A selection of sockets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audience {
    /// In which namespace.
    pub nsp: SmolStr,
    /// `to`: rooms by name; everybody if empty.
    pub to: Vec<SmolStr>,
    /// `except`: rooms by name.
    pub except: Vec<SmolStr>,
}

/// What a server holds. All are 0 when nobody is there, but for what recovery keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Connections.
    pub connections: u64,
    /// Connected sockets, and those that wait to be let in.
    pub sockets: u64,
    /// Rooms.
    pub rooms: u64,
    /// Pairs of a socket and a room.
    pub memberships: u64,
    /// Acks that are waited for.
    pub acks: u64,
    /// Namespaces made on demand.
    pub dynamic_namespaces: u64,
    /// Bytes that wait to be written.
    pub buffered_bytes: u64,
    /// Armed timers.
    pub timers: u64,
    /// Whether this is taken after everything ended, and must be the baseline.
    pub last: bool,
}

/// A whole history.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// The first line.
    pub header: Header,
    /// The other lines, in order.
    pub events: Vec<Event>,
}
