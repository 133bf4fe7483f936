//! A plan: a scenario file with every random choice made. A run is a function of its plan.
//!
//! Everything that a file may leave open (which rack a client sits on, how long a link takes) is
//! fixed here, from streams of their own, so that removing one step does not reshuffle the others.

mod expect;
mod hand;
mod marks;
mod needs;
mod options;

use std::time::Duration;

use overheard_core::value::{Object, Value};

pub use self::expect::{
    ConnectionState, Count, EventPattern, Expect, ExpectConnection, Never, Pattern, Since, Until,
    ValueType, Wanted, Within,
};
pub use self::marks::{Mark, Sabotage};
pub use self::needs::{Hands, Need, Needs, needs};
pub use self::options::{NamespaceOptions, SERVER_VARIABLE, ServerOptions};
use crate::span::Span;

/// A client of a plan, by its place in [`Plan::clients`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u32);

/// A step of a plan, by the order in which steps stand in the file, nested ones included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(pub u32);

/// Everything that a run and its judgement need.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The scenario's name.
    pub name: String,
    /// Its file, as the user named it.
    pub file: String,
    /// The seed that all choices came from.
    pub seed: u64,
    /// Rules that the scenario says it exercises.
    pub rules: Vec<String>,
    /// The network between racks and server.
    pub network: NetworkPlan,
    /// Options of the server.
    pub server: ServerPlan,
    /// The clients, in the order of the file.
    pub clients: Vec<ClientPlan>,
    /// The client that acts in the place of the server's application, if there is one: the file
    /// does not know of it, and what it gets is for nobody.
    pub hand: Option<ClientId>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// What a delivery that no step asked for means.
    pub unclaimed: Unclaimed,
    /// Situations that must have occurred, or the verdict is unknown.
    pub must_reach: Vec<(Mark, Span)>,
    /// When a run is given up.
    pub bounds: Bounds,
    /// A bug that is planted on purpose.
    pub sabotage: Option<Sabotage>,
}

/// What to do about deliveries that no `expect` claimed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unclaimed {
    /// They fail the run.
    #[default]
    Error,
    /// The rules alone judge them.
    Allow,
}

/// When a run is given up as unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Of virtual time.
    pub max_virtual: Duration,
    /// Events of the history.
    pub max_events: usize,
    /// Virtual time without any event after which a run is quiet.
    pub quiet: Duration,
    /// Virtual time after the last fault within which everything owed must arrive.
    pub settle: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            max_virtual: Duration::from_secs(3600),
            max_events: 20_000_000,
            quiet: Duration::from_secs(1),
            settle: Duration::from_secs(60),
        }
    }
}

/// Delays of all links; each client draws its own from the range.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkPlan {
    /// The preset's name, or `custom`.
    pub name: String,
    /// The least one-way delay of a link.
    pub latency_min: Duration,
    /// The greatest one-way delay of a link.
    pub latency_max: Duration,
    /// The most that each piece of a stream takes longer than that, by chance.
    pub jitter: Duration,
    /// Most bytes that one read returns, if limited: slices every stream.
    pub chop: Option<u32>,
    /// Hosts that clients are spread over, 1 to 8.
    pub racks: u8,
    /// The seed of the network's own stream.
    pub seed: u64,
}

/// Options of the simulated server under their reference names.
#[derive(Clone, Debug, Default)]
pub struct ServerPlan {
    /// `pingInterval`.
    pub ping_interval: Option<Duration>,
    /// `pingTimeout`.
    pub ping_timeout: Option<Duration>,
    /// `connectTimeout`.
    pub connect_timeout: Option<Duration>,
    /// `upgradeTimeout`.
    pub upgrade_timeout: Option<Duration>,
    /// `maxHttpBufferSize`, in bytes.
    pub max_http_buffer_size: Option<usize>,
    /// `transports`.
    pub transports: Option<Vec<TransportName>>,
    /// `allowUpgrades`.
    pub allow_upgrades: Option<bool>,
    /// `connectionStateRecovery.maxDisconnectionDuration`; recovery is off without it.
    pub recovery: Option<Duration>,
    /// `cleanupEmptyChildNamespaces`.
    pub cleanup_empty_child_namespaces: Option<bool>,
    /// Connections at a time.
    pub max_connections: Option<usize>,
    /// The artefacts of the reference instead of their mended forms.
    pub reference_quirks: bool,
    /// Namespaces behind a gate, besides `/`.
    pub namespaces: Vec<NamespacePlan>,
    /// Patterns of namespaces made on demand (regular expressions).
    pub dynamic: Vec<String>,
    /// The seed of ids.
    pub id_seed: u64,
}

/// A namespace and who may enter it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespacePlan {
    /// Its name, with the leading slash.
    pub name: String,
    /// The token that CONNECT must carry as `{"token": …}`; anybody may enter without one.
    pub token: Option<String>,
    /// Most sockets at a time.
    pub seats: Option<usize>,
    /// How long the check of the token takes.
    pub auth_delay: Duration,
}

/// A transport of Engine.IO.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransportName {
    /// HTTP long-polling.
    Polling,
    /// WebSocket.
    WebSocket,
}

/// A client.
#[derive(Clone, Debug)]
pub struct ClientPlan {
    /// Its name in the file.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// Its rack, from 0.
    pub rack: u8,
    /// The least one-way delay of its connections.
    pub latency: Duration,
    /// The most that each piece of a stream takes longer than that, by chance.
    pub jitter: Duration,
    /// Transports in order.
    pub transports: Vec<TransportName>,
    /// Whether it upgrades when it may.
    pub upgrade: bool,
    /// The namespaces that it enters, in order.
    pub namespaces: Vec<ClientNamespace>,
    /// Whether it connects before the first step.
    pub connect: bool,
    /// Whether it connects again by itself.
    pub reconnection: bool,
    /// Delays of reconnection.
    pub reconnection_delay: Duration,
    /// The greatest of them.
    pub reconnection_delay_max: Duration,
    /// Resends of an event that is not acked.
    pub retries: u32,
    /// How long it waits for an ack by default.
    pub ack_timeout: Option<Duration>,
    /// What it answers to an event that wants an ack: by default its arguments, `None` never.
    pub answer: Answer,
    /// The seed of its own chance (backoff).
    pub seed: u64,
}

/// A namespace that a client enters.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientNamespace {
    /// Its name.
    pub name: String,
    /// The auth payload.
    pub auth: Option<Object>,
    /// The refusal that is expected instead of being let in.
    pub refused: Option<(String, Span)>,
}

/// What a client answers to an event that wants an ack.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Answer {
    /// The event's own arguments, at once.
    #[default]
    Echo,
    /// These values, at once.
    With(Vec<Value>),
    /// Nothing, ever.
    Never,
    /// The event's own arguments, after a while.
    Late(Duration),
}

/// A step and where it stands.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its number.
    pub id: StepId,
    /// Where it stands: of a verb's step, the place of the call.
    pub span: Span,
    /// The user's name for it, for `since`, `until`, `what` and `all-of`.
    pub label: Option<String>,
    /// What happens.
    pub action: Action,
}

impl ClientPlan {
    /// The greatest one-way delay of its connections, as long as nothing is broken.
    #[must_use]
    pub const fn slowest(&self) -> Duration {
        self.latency.saturating_add(self.jitter)
    }
}

impl Plan {
    /// The same with so much more time for everything that must come: for a world whose time is
    /// real, and never exact.
    #[must_use]
    pub fn relaxed(mut self, slack: Duration) -> Self {
        self.steps.iter_mut().for_each(|step| relax(&mut step.action, slack));
        self
    }
}

fn relax(action: &mut Action, slack: Duration) {
    let more = |within: &mut Within| match within {
        Within::Time(time) => *time = time.saturating_add(slack),
        Within::Eventually => {}
    };
    match action {
        Action::Expect(expect) => more(&mut expect.within),
        Action::ExpectConnection(expect) => more(&mut expect.within),
        Action::Together(steps) => steps.iter_mut().for_each(|step| relax(&mut step.action, slack)),
        Action::Connect { .. }
        | Action::Disconnect { .. }
        | Action::Emit(_)
        | Action::Server(_)
        | Action::Raw(_)
        | Action::Advance(_)
        | Action::Fault { .. }
        | Action::Heal(_)
        | Action::Never(_)
        | Action::ExpectRooms { .. } => {}
    }
}

/// What happens in a step.
#[derive(Clone, Debug)]
pub enum Action {
    /// Clients connect, and are let in or refused before the next step.
    Connect {
        /// Who.
        who: Vec<ClientId>,
        /// Another auth payload than before.
        auth: Option<Object>,
    },
    /// Clients leave a namespace, or all, as `socket.disconnect()` does.
    Disconnect {
        /// Who.
        who: Vec<ClientId>,
        /// Only this namespace.
        namespace: Option<String>,
    },
    /// Clients emit an event.
    Emit(Emit),
    /// The server's application acts on its own account.
    Server(ServerAction),
    /// Raw bytes of a hostile peer.
    Raw(Raw),
    /// Virtual time passes.
    Advance(Duration),
    /// Something breaks, for a while or until it heals.
    Fault {
        /// What.
        fault: Fault,
        /// How long, if it mends itself.
        lasts: Option<Duration>,
    },
    /// Mends a fault by its label, or all of them.
    Heal(Option<String>),
    /// Steps side by side.
    Together(Vec<Step>),
    /// Something must have been received.
    Expect(Expect),
    /// Something must never be received.
    Never(Never),
    /// Something must have become of a client's connection.
    ExpectConnection(ExpectConnection),
    /// The table of rooms must be this.
    ExpectRooms {
        /// Whose rooms.
        at: Vec<ClientId>,
        /// In which namespace.
        namespace: String,
        /// The rooms, without the own-id room, in any order.
        rooms: Vec<String>,
    },
}

impl Action {
    /// Whether this does something, rather than saying what must be: `within` counts from the end
    /// of the previous acting step, and a `never` begins with it.
    #[must_use]
    pub const fn acts(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::Disconnect { .. }
            | Self::Emit(_)
            | Self::Server(_)
            | Self::Raw(_)
            | Self::Advance(_)
            | Self::Fault { .. }
            | Self::Heal(_)
            | Self::Together(_) => true,
            Self::Expect(_)
            | Self::Never(_)
            | Self::ExpectConnection(_)
            | Self::ExpectRooms { .. } => false,
        }
    }
}

/// An event from clients.
#[derive(Clone, Debug)]
pub struct Emit {
    /// Who emits, each the same.
    pub from: Vec<ClientId>,
    /// In which namespace.
    pub namespace: String,
    /// The event.
    pub event: String,
    /// Its arguments; templates are filled in when it is sent.
    pub args: Vec<Template>,
    /// What the answer must match, if an answer is wanted; the step waits for it.
    pub ack: Option<Vec<Pattern>>,
    /// How long to wait for the answer.
    pub timeout: Option<Duration>,
    /// The ack must fail instead.
    pub ack_fails: bool,
    /// Lost unless it can be written at once.
    pub volatile: bool,
    /// How often.
    pub times: u32,
    /// The pause between two of them.
    pub every: Duration,
    /// Whether the step is over before the answer is there.
    pub no_wait: bool,
}

/// A value with holes.
#[derive(Clone, Debug, PartialEq)]
pub enum Template {
    /// As it is.
    Value(Value),
    /// `$i`: the number of the repetition, from 0.
    Index,
    /// `$sid(client)`: the id of a client's socket in the step's namespace.
    Sid(ClientId),
    /// `$name`: what an earlier `expect` captured.
    Capture(String),
    /// An array with holes.
    Array(Vec<Self>),
    /// An object with holes.
    Object(Vec<(String, Self)>),
}

/// What the server's application does on its own account.
#[derive(Clone, Debug)]
pub enum ServerAction {
    /// `io.of(namespace).to(…).except(…).emit(…)`.
    Broadcast {
        /// To whom.
        target: Target,
        /// The event.
        event: String,
        /// Its arguments.
        args: Vec<Template>,
        /// `volatile`.
        volatile: bool,
        /// Ask for acks, and wait this long.
        ack: Option<(Duration, Vec<Pattern>)>,
        /// How often.
        times: u32,
        /// The pause between two of them.
        every: Duration,
    },
    /// `socketsJoin` and `socketsLeave`.
    Move {
        /// Who.
        target: Target,
        /// Rooms to join.
        join: Vec<String>,
        /// Rooms to leave, first.
        leave: Vec<String>,
    },
    /// `disconnectSockets`.
    Kick {
        /// Who.
        target: Target,
        /// Whether the connections go too.
        close: bool,
    },
    /// `io.close()`.
    Close,
}

/// A selection of sockets, in words of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Target {
    /// In which namespace.
    pub namespace: String,
    /// `to`: rooms, or clients by the room of their id; everybody if empty.
    pub to: Vec<RoomName>,
    /// `except`.
    pub except: Vec<RoomName>,
}

/// A room of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoomName {
    /// By name.
    Named(String),
    /// The room of a client's own id.
    Own(ClientId),
}

/// A hostile or hand-operated peer: writes bytes, and reads until the server closes.
#[derive(Clone, Debug)]
pub struct Raw {
    /// The transport under attack.
    pub transport: TransportName,
    /// Enter these namespaces properly before.
    pub enter: Vec<String>,
    /// Messages (WebSocket) or bodies (polling), one after the other; text or bytes.
    pub send: Vec<Value>,
    /// Bytes written to a fresh TCP connection instead.
    pub bytes: Option<Vec<u8>>,
    /// How the connection must end, if it must.
    pub closes: Option<bool>,
    /// The peer leaves its connection open and says nothing more for this long.
    pub linger: Duration,
}

/// Something that breaks.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Resets the connections of these clients, once.
    Cut {
        /// Whose.
        who: Vec<ClientId>,
    },
    /// Ends the sending half of these connections, as a client that shuts down does.
    HalfClose {
        /// Whose.
        who: Vec<ClientId>,
    },
    /// Bytes of these connections wait until the fault heals.
    Stall {
        /// Whose.
        who: Vec<ClientId>,
        /// Which way.
        direction: Direction,
    },
    /// Bytes of these connections are lost for ever, silently.
    BlackHole {
        /// Whose.
        who: Vec<ClientId>,
        /// Which way.
        direction: Direction,
    },
    /// Bytes of these connections take longer.
    Delay {
        /// Whose.
        who: Vec<ClientId>,
        /// By how much: each piece by a time of its own between these two.
        by: (Duration, Duration),
    },
    /// Reads of these connections return few bytes at a time.
    Chop {
        /// Whose.
        who: Vec<ClientId>,
        /// At most this many.
        bytes: u32,
    },
    /// New connections of these clients are refused.
    Refuse {
        /// Whose.
        who: Vec<ClientId>,
    },
    /// A rack and the server hear nothing of each other.
    Partition {
        /// Which rack.
        rack: u8,
    },
    /// What a rack and the server say to each other waits until the fault heals.
    Hold {
        /// Which rack.
        rack: u8,
    },
    /// The server process dies, and comes up again, empty, when this heals.
    Crash,
}

/// Which way bytes flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// From the server to the client.
    Down,
    /// From the client to the server.
    Up,
    /// Both.
    #[default]
    Both,
}
