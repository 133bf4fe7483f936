//! What each client received, set against what it must and may hear: which message each delivery
//! is, what came out of order, and what is left over on either side.

use foldhash::fast::FixedState;

use crate::oracle::facts::{Facts, NEVER, Pos, Received, Table};
use crate::oracle::lane::{Lane, Taken};
use crate::oracle::model::Model;
use crate::oracle::names::{index, number};

/// A delivery that something sent later has overtaken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Overtaken {
    pub(crate) sid: u32,
    pub(crate) received: Received,
    pub(crate) send: u32,
    /// What came before it and was sent after it.
    pub(crate) by: u32,
}

/// Deliveries and messages, matched.
#[derive(Debug)]
pub(crate) struct Deliveries {
    /// When each owed message arrived, for each socket as in [`Model::owed`].
    pub(crate) arrived: Vec<Vec<Pos>>,
    /// Deliveries that no owed message explains.
    pub(crate) extra: Vec<(u32, Received)>,
    /// Deliveries out of order.
    pub(crate) overtaken: Vec<Overtaken>,
    /// The message of each event that is a delivery.
    sends: Vec<u32>,
}

impl Deliveries {
    /// Matches everything.
    pub(crate) fn of(facts: &Facts<'_>, model: &Model) -> Self {
        let mut deliveries = Self {
            arrived: Vec::with_capacity(facts.sockets.len()),
            extra: Vec::new(),
            overtaken: Vec::new(),
            sends: vec![NEVER; facts.events.len()],
        };
        for sid in 0..number(facts.sockets.len()) {
            deliveries.socket(facts, model, sid);
        }
        deliveries.extra.sort_by_key(|(_, received)| received.pos);
        deliveries.overtaken.sort_by_key(|overtaken| overtaken.received.pos);
        deliveries
    }

    /// The message that an event is a delivery of.
    pub(crate) fn send_of(&self, pos: Pos) -> Option<u32> {
        self.sends.get(index(pos)).copied().filter(|send| *send != NEVER)
    }

    fn socket(&mut self, facts: &Facts<'_>, model: &Model, sid: u32) {
        let owed = &model.owed[index(sid)];
        let mut lanes = Lanes::new(facts, model, sid);
        let mut arrived = vec![NEVER; owed.len()];
        let mut pushed = 0;
        for received in &facts.sockets[index(sid)].received {
            while let Some(next) = owed.get(pushed)
                && model.sends[index(next.send)].at.lo < received.pos
            {
                lanes.push(model.sends[index(next.send)].content, pushed);
                pushed += 1;
            }
            let (at, overtaken_by) = match lanes.take(received.content) {
                Place::Fits(at) => (at, None),
                Place::Late(at, by) => (at, Some(by)),
                Place::Nowhere => {
                    self.extra.push((sid, *received));
                    continue;
                }
            };
            let send = owed[at].send;
            arrived[at] = received.pos;
            self.sends[index(received.pos)] = send;
            if let Some(by) = overtaken_by {
                let (received, by) = (*received, owed[by].send);
                self.overtaken.push(Overtaken { sid, received, send, by });
            }
        }
        self.arrived.push(arrived);
    }
}

/// Where a delivery belongs.
enum Place {
    Fits(usize),
    Late(usize, usize),
    Nowhere,
}

/// Lanes of one receiver. Where the order of all messages is known there is one. Otherwise there
/// is one for each sender, and one without an order for contents that several have sent.
struct Lanes {
    lanes: Vec<OneLane>,
    /// The lane of each content, where there is more than one.
    by_content: Option<Table<u32, usize>>,
}

#[derive(Default)]
struct OneLane {
    lane: Lane,
    owed: Vec<usize>,
    last: Option<usize>,
    unordered: bool,
}

impl Lanes {
    fn new(facts: &Facts<'_>, model: &Model, sid: u32) -> Self {
        if facts.exact {
            return Self { lanes: vec![OneLane::default()], by_content: None };
        }
        let mut lanes = vec![OneLane { unordered: true, ..OneLane::default() }];
        let table = || Table::with_hasher(FixedState::with_seed(6));
        let (mut by_sender, mut by_content) = (table(), table());
        for owed in &model.owed[index(sid)] {
            let send = &model.sends[index(owed.send)];
            let lane = *by_sender.entry(send.from.unwrap_or(NEVER)).or_insert_with(|| {
                lanes.push(OneLane::default());
                lanes.len() - 1
            });
            let known = by_content.entry(send.content).or_insert(lane);
            if *known != lane {
                *known = 0;
            }
        }
        Self { lanes, by_content: Some(by_content) }
    }

    fn lane(&mut self, content: u32) -> &mut OneLane {
        let known = |table: &Table<u32, usize>| table.get(&content).copied().unwrap_or_default();
        let lane = self.by_content.as_ref().map_or(0, known);
        &mut self.lanes[lane]
    }

    fn push(&mut self, content: u32, owed: usize) {
        let lane = self.lane(content);
        lane.lane.push(content);
        lane.owed.push(owed);
    }

    fn take(&mut self, content: u32) -> Place {
        let lane = self.lane(content);
        match lane.lane.take(content) {
            Taken::Nothing => Place::Nowhere,
            Taken::InOrder(at) => {
                let at = lane.owed[index(at)];
                lane.last = Some(at);
                Place::Fits(at)
            }
            Taken::Late(at) => {
                let at = lane.owed[index(at)];
                match lane.last {
                    Some(by) if !lane.unordered => Place::Late(at, by),
                    _ => Place::Fits(at),
                }
            }
        }
    }
}
