//! What a history says, sorted by whom it is about: one pass, and no judgement.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use overheard_core::value::Value;
use smol_str::SmolStr;

use super::lane::{Lane, Taken};
use super::names::{Contents, Names, Sids, index, number};
use crate::history::{EndReason, Event, History, What};
use crate::plan::Plan;

/// The place of an event in the history.
pub type Pos = u32;

/// After everything.
pub const NEVER: Pos = Pos::MAX;

/// A table for look-ups only.
pub type Table<K, V> = HashMap<K, V, FixedState>;

/// A socket, by its id.
#[derive(Debug, Default)]
pub struct Socket {
    /// Its namespace.
    pub nsp: u32,
    /// Its client; none for a peer that is not in the plan.
    pub client: Option<u32>,
    /// Its life as its client saw it: more than one if it was recovered.
    pub lives: Vec<Life>,
    /// When the server let it in.
    pub entered: Vec<Pos>,
    /// When it left, and why.
    pub left: Vec<(Pos, SmolStr)>,
    /// What its client received by it.
    pub received: Vec<Received>,
}

/// From connected to disconnected.
#[derive(Debug)]
pub struct Life {
    /// When it was connected.
    pub from: Pos,
    /// Whether this goes on with an earlier life.
    pub recovered: bool,
    /// When it was disconnected, and why.
    pub end: Option<(Pos, SmolStr)>,
}

/// Something that a client received.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// When.
    pub pos: Pos,
    /// What.
    pub content: u32,
}

/// Something that a client received while it had no socket.
#[derive(Clone, Copy, Debug)]
pub struct Stray {
    /// When.
    pub pos: Pos,
    /// At whom.
    pub client: u32,
    /// Where.
    pub nsp: u32,
    /// Why there was no socket.
    pub why: NoSocket,
}

/// Why there is no socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSocket {
    /// It was not let in yet.
    NotYet,
    /// It was refused.
    Refused,
    /// It was disconnected.
    Ended,
}

/// A client in a namespace.
#[derive(Debug, Default)]
pub struct Place {
    /// Its socket.
    pub socket: Option<u32>,
    /// Sockets that it had, in order.
    pub sockets: Vec<u32>,
    /// Times at which it was refused.
    pub refused: Vec<Pos>,
    /// How often it was disconnected.
    pub ends: u32,
    last_end: Pos,
    early: Vec<Received>,
    lane: Lane,
    emits: Vec<u32>,
}

/// An operation of a client.
#[derive(Debug)]
pub struct Op {
    /// Whose.
    pub client: u32,
    /// When it was asked for.
    pub invoke: Pos,
    /// How it ended: more than once is wrong.
    pub settled: Vec<Pos>,
    /// What is emitted, if it is an emit.
    pub emit: Option<Emit>,
}

/// What is emitted.
#[derive(Clone, Copy, Debug)]
pub struct Emit {
    /// In which namespace.
    pub nsp: u32,
    /// What.
    pub content: u32,
    /// Whether it waits for an answer.
    pub ack: bool,
    /// Whether it may be dropped.
    pub volatile: bool,
    /// The number of the life in which it is written.
    pub life: u32,
    /// When it arrived.
    pub accepted: Option<Pos>,
}

/// An event of a client as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Accepted {
    /// When.
    pub pos: Pos,
    /// From which socket.
    pub sid: u32,
    /// What.
    pub content: u32,
    /// The operation that it belongs to, and whether it overtook others.
    pub op: Taken,
}

/// A fault and its time.
#[derive(Clone, Debug)]
pub struct FaultTime {
    /// Its number.
    pub id: u32,
    /// Its first word, as in `black-hole`.
    pub kind: SmolStr,
    /// Whose links it is about; none means all of those below.
    pub clients: Vec<u32>,
    /// When it began.
    pub from: Pos,
    /// When it was mended.
    pub to: Pos,
    /// What it changed, if that is said.
    pub touched: Option<u64>,
}

/// When a step was carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepTime {
    /// Its beginning.
    pub begin: Option<Pos>,
    /// Its end.
    pub end: Option<Pos>,
}

/// What a history says.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The history.
    pub events: &'a [Event],
    /// Its plan, if there is one.
    pub plan: Option<&'a Plan>,
    /// Whether it says when operations took effect.
    pub exact: bool,
    /// Whether sessions may be recovered.
    pub recovery: bool,
    /// The clients, those of the header first.
    pub clients: Names,
    /// The namespaces.
    pub nsps: Names,
    /// The ids of sockets.
    pub sids: Sids,
    /// The sockets, by the number of their id.
    pub sockets: Vec<Socket>,
    /// Contents of messages.
    pub contents: Contents,
    /// Clients in namespaces.
    pub places: BTreeMap<(u32, u32), Place>,
    /// Operations of clients, in order.
    pub ops: Vec<Op>,
    /// Operations by their number in the history.
    pub op_numbers: Table<u64, u32>,
    /// Events of clients as they arrived, in order.
    pub accepted: Vec<Accepted>,
    /// What was received without a socket.
    pub strays: Vec<Stray>,
    /// Faults, in order.
    pub faults: Vec<FaultTime>,
    /// Steps by number.
    pub steps: BTreeMap<u32, StepTime>,
    /// Times at which the run was quiet.
    pub quiet: Vec<Pos>,
    /// When the clients left.
    pub closing: Pos,
    /// How the run ended.
    pub end: Option<&'a EndReason>,
    /// When connections of each client were opened.
    pub opened: BTreeMap<u32, Vec<Pos>>,
    pub(super) last_opened: Vec<Pos>,
    pub(super) event_names: Names,
}

impl<'a> Facts<'a> {
    /// Reads a history.
    #[must_use]
    pub fn read(history: &'a History, plan: Option<&'a Plan>) -> Self {
        let mut facts = Self {
            events: &history.events,
            plan,
            exact: false,
            recovery: plan.is_some_and(|plan| plan.server.recovery.is_some()),
            clients: Names::default(),
            nsps: Names::default(),
            sids: Sids::default(),
            sockets: Vec::new(),
            contents: Contents::default(),
            places: BTreeMap::new(),
            ops: Vec::new(),
            op_numbers: Table::with_hasher(FixedState::with_seed(1)),
            accepted: Vec::new(),
            strays: Vec::new(),
            faults: Vec::new(),
            steps: BTreeMap::new(),
            quiet: Vec::new(),
            closing: NEVER,
            end: None,
            opened: BTreeMap::new(),
            last_opened: Vec::new(),
            event_names: Names::default(),
        };
        for name in &history.header.clients {
            facts.clients.add(&SmolStr::from(name.as_str()));
        }
        facts.sockets_and_owners();
        for (at, event) in history.events.iter().enumerate() {
            facts.event(number(at), event);
        }
        facts.strays_at_end();
        facts
    }

    /// Whose socket is whose must be known before anything arrives from it.
    fn sockets_and_owners(&mut self) {
        for event in self.events {
            if let What::Connected { nsp, sid, recovered } = &event.what {
                let client = self.clients.add(&event.who);
                self.recovery |= *recovered;
                self.socket(sid, nsp).client = Some(client);
            } else if let What::Entered { nsp, sid, client, .. } = &event.what {
                self.exact = true;
                let client = client.as_ref().and_then(|name| self.clients.find(name));
                let socket = self.socket(sid, nsp);
                socket.client = socket.client.or(client);
            } else if let What::Left { nsp, sid, .. } = &event.what {
                self.exact = true;
                self.socket(sid, nsp);
            } else if let What::Accepted { .. } | What::Acted { .. } = &event.what {
                self.exact = true;
            } else if let What::Received { offset: Some(_), .. } = &event.what {
                self.recovery = true;
            }
        }
    }

    fn socket(&mut self, sid: &SmolStr, nsp: &SmolStr) -> &mut Socket {
        let nsp = self.nsps.add(nsp);
        let sid = self.sids.add(nsp, sid);
        if index(sid) == self.sockets.len() {
            self.sockets.push(Socket { nsp, ..Socket::default() });
        }
        &mut self.sockets[index(sid)]
    }

    /// The number of a socket.
    #[must_use]
    pub fn sid(&self, nsp: &str, sid: &str) -> Option<u32> {
        self.sids.find_in(self.nsps.find(nsp)?, sid)
    }

    /// A client in a namespace.
    #[must_use]
    pub fn place(&self, client: u32, nsp: &str) -> Option<&Place> {
        self.places.get(&(client, self.nsps.find(nsp)?))
    }

    /// The number of an event's name, among those that were received.
    #[must_use]
    pub fn find_event_name(&self, name: &str) -> Option<u32> {
        self.event_names.find(name)
    }

    /// Virtual nanoseconds at a place; the end of time behind the end.
    #[must_use]
    pub fn time(&self, pos: Pos) -> u64 {
        self.events.get(index(pos)).map_or(u64::MAX, |event| event.t)
    }

    /// The event at a place.
    #[must_use]
    pub fn at(&self, pos: Pos) -> &'a What {
        &self.events[index(pos)].what
    }

    /// What was received at a place: in which namespace, which event, with which arguments.
    #[must_use]
    pub fn received(&self, pos: Pos) -> Option<(&'a str, &'a str, &'a [Value])> {
        if let What::Received { nsp, event, args, .. } = self.at(pos) {
            Some((nsp, event, args))
        } else {
            None
        }
    }

    /// The step that an event belongs to.
    #[must_use]
    pub fn step(&self, pos: Pos) -> Option<u32> {
        self.events.get(index(pos))?.step
    }

    /// The name of a client.
    #[must_use]
    pub fn client(&self, client: u32) -> &str {
        self.clients.name(client)
    }

    /// Where the run ended, or will have.
    #[must_use]
    pub fn last(&self) -> Pos {
        number(self.events.len())
    }

    /// When the run first was quiet at or after a place; the end if it was not.
    #[must_use]
    pub fn quiet_after(&self, pos: Pos) -> Pos {
        let at = self.quiet.partition_point(|quiet| *quiet < pos);
        self.quiet.get(at).copied().unwrap_or_else(|| self.closing.min(self.last()))
    }

    /// Whether everything that was owed had the time to arrive.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.end == Some(&EndReason::Complete)
    }

    /// Whose socket it is, as a person reads it.
    #[must_use]
    pub fn owner(&self, sid: u32) -> &str {
        let client = self.sockets[index(sid)].client;
        client.map_or_else(|| self.sids.name(sid).as_str(), |client| self.client(client))
    }

    /// Whether the socket's next life goes on with this one, which ended here for the server.
    #[must_use]
    pub fn comes_back(&self, sid: u32, left: Pos) -> bool {
        let socket = &self.sockets[index(sid)];
        let next = socket.entered.iter().copied().find(|pos| *pos > left);
        next.is_some_and(|pos| matches!(self.at(pos), What::Entered { recovered: true, .. }))
    }
}

impl Op {
    /// How it ended, the first time.
    #[must_use]
    pub fn end<'a>(&self, facts: &Facts<'a>) -> Option<&'a What> {
        self.settled.first().map(|pos| facts.at(*pos))
    }

    /// The values of its answer, if it was answered.
    #[must_use]
    pub fn answer<'a>(&self, facts: &Facts<'a>) -> Option<&'a [Value]> {
        match self.end(facts) {
            Some(What::Ok { values, .. }) => Some(values),
            _ => None,
        }
    }

    /// Why it was not answered, if that is known.
    #[must_use]
    pub fn error<'a>(&self, facts: &Facts<'a>) -> Option<&'a str> {
        match self.end(facts) {
            Some(What::Fail { error, .. } | What::Info { error, .. }) => Some(error),
            _ => None,
        }
    }
}

impl Place {
    /// The life in which something that is asked for here is written: while there is no socket it
    /// waits for the next one.
    pub(super) const fn life(&self) -> u32 {
        self.ends
    }

    pub(super) fn invoke(&mut self, content: u32, op: u32) {
        self.lane.push(content);
        self.emits.push(op);
    }

    /// The operation that an arrival belongs to.
    pub(super) fn arrival(&mut self, content: u32) -> Taken {
        match self.lane.take(content) {
            Taken::InOrder(at) => Taken::InOrder(self.emits[index(at)]),
            Taken::Late(at) => Taken::Late(self.emits[index(at)]),
            Taken::Nothing => Taken::Nothing,
        }
    }

    pub(super) fn receive(&mut self, received: Received) {
        self.early.push(received);
    }

    pub(super) fn take_early(&mut self) -> Vec<Received> {
        std::mem::take(&mut self.early)
    }

    pub(super) const fn end(&mut self, pos: Pos) {
        self.ends += 1;
        self.last_end = pos;
        self.socket = None;
    }

    /// Why there is no socket, for a client whose connection was opened last at `opened`.
    pub(super) fn why(&self, opened: Pos) -> NoSocket {
        let refused = self.refused.last().copied();
        if self.ends > 0 && self.last_end >= opened && refused.is_none_or(|pos| pos < self.last_end)
        {
            NoSocket::Ended
        } else if refused.is_some_and(|pos| pos >= opened) {
            NoSocket::Refused
        } else {
            NoSocket::NotYet
        }
    }
}
