//! What a plan expects: deliveries, silence, and what becomes of connections.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{ClientId, Template, TransportName};

/// What must be received.
#[derive(Clone, Debug)]
pub struct Expect {
    /// Where: at each of them.
    pub at: Vec<ClientId>,
    /// In which namespace.
    pub namespace: String,
    /// What.
    pub what: Wanted,
    /// How often.
    pub count: Count,
    /// Until when.
    pub within: Within,
    /// Stores arguments under these names.
    pub capture: BTreeMap<String, usize>,
}

/// What an `expect` waits for.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// An event that matches.
    One(EventPattern),
    /// These, in this order, others between them allowed.
    Order(Vec<EventPattern>),
    /// These, in any order.
    AnyOrder(Vec<EventPattern>),
    /// Everything that the step with this label sent, perhaps in the order in which it was sent.
    AllOf {
        /// The step.
        label: String,
        /// Whether the order counts.
        as_sent: bool,
    },
}

/// An event by name and arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct EventPattern {
    /// Its name.
    pub event: String,
    /// Its first arguments; any if absent. The recovery offset is never among them.
    pub args: Option<Vec<Pattern>>,
}

/// What a value must be.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// `_`: anything.
    Any,
    /// Exactly this.
    Value(Template),
    /// `{contains: text}`.
    Contains(String),
    /// `{matches: /re/}`.
    Matches(regex::Regex),
    /// `{type: string}`.
    Type(ValueType),
    /// An array, element by element.
    Array(Vec<Self>),
    /// `{any-order: […]}`: an array of as many elements, each pattern met by one of its own.
    AnyOrder(Vec<Self>),
    /// An object: these members, and no others.
    Object(Vec<(String, Self)>),
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}

/// A type of JSON, or bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ValueType {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
    Binary,
}

/// How often something must be received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// So often, and not once more before the window ends.
    Exactly(u32),
    /// So often, or more.
    AtLeast(u32),
    /// So often, or less.
    AtMost(u32),
}

/// Until when something must have been received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// This long after the end of the previous acting step.
    Time(Duration),
    /// Before the run is quiet.
    Eventually,
}

/// What must never be received.
#[derive(Clone, Debug)]
pub struct Never {
    /// Where: at none of them.
    pub at: Vec<ClientId>,
    /// In which namespace; in any if absent.
    pub namespace: Option<String>,
    /// What; anything if absent.
    pub what: Option<EventPattern>,
    /// Since when.
    pub since: Since,
    /// Until when.
    pub until: Until,
}

/// Where a `never` begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// At the beginning of the previous acting step.
    PreviousAct,
    /// At the beginning of the step with this label.
    Label(String),
}

/// Where a `never` ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Until {
    /// When the run is quiet.
    Quiet,
    /// After this time.
    Time(Duration),
    /// At the beginning of the step with this label, which stands further down.
    Label(String),
}

/// What must become of connections.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectConnection {
    /// Whose.
    pub at: Vec<ClientId>,
    /// In which namespace.
    pub namespace: String,
    /// What.
    pub state: ConnectionState,
    /// Until when.
    pub within: Within,
}

/// A state of a client's socket, or how it came about.
#[derive(Clone, Debug, PartialEq)]
pub enum ConnectionState {
    /// It is connected.
    Connected,
    /// It is connected, and its session was recovered.
    Recovered,
    /// It is disconnected, perhaps for this reason as the client sees it.
    Disconnected(Option<String>),
    /// It was refused, perhaps with this message.
    Refused(Option<String>),
    /// Its connection uses this transport.
    Transport(TransportName),
}
