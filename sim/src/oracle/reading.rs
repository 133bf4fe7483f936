//! The pass over a history: each event goes to where it belongs.

use smol_str::SmolStr;

use super::facts::{
    Accepted, Emit, Facts, FaultTime, Life, NEVER, NoSocket, Op, Pos, Received, Stray,
};
use super::lane::Taken;
use super::names::{index, number};
use crate::history::{Event, Operation, What};

impl<'a> Facts<'a> {
    /// One event.
    pub(super) fn event(&mut self, pos: Pos, event: &'a Event) {
        match &event.what {
            What::StepBegin => {
                if let Some(step) = event.step {
                    self.steps.entry(step).or_default().begin.get_or_insert(pos);
                }
            }
            What::StepEnd => {
                if let Some(step) = event.step {
                    self.steps.entry(step).or_default().end = Some(pos);
                }
            }
            What::Quiet => self.quiet.push(pos),
            What::Closing => self.closing = self.closing.min(pos),
            What::End { reason } => self.end = Some(reason),
            What::Fault { .. } | What::Healed { .. } => self.fault(pos, event),
            What::Invoke { op, operation } => self.invoke(pos, &event.who, *op, operation),
            What::Ok { op, .. } | What::Fail { op, .. } | What::Info { op, .. } => {
                if let Some(op) = self.op_numbers.get(op) {
                    self.ops[index(*op)].settled.push(pos);
                }
            }
            What::Connected { .. }
            | What::Refused { .. }
            | What::Disconnected { .. }
            | What::Opened { .. }
            | What::Received { .. } => self.at_client(pos, event),
            What::Entered { nsp, sid, .. } => {
                if let Some(sid) = self.sid(nsp, sid) {
                    self.sockets[index(sid)].entered.push(pos);
                }
            }
            What::Left { nsp, sid, reason } => {
                if let Some(sid) = self.sid(nsp, sid) {
                    self.sockets[index(sid)].left.push((pos, reason.clone()));
                }
            }
            What::Accepted { nsp, sid, event, args, .. } => {
                let content = self.contents.add(event, args);
                self.accepted(pos, self.sid(nsp, sid), content);
            }
            What::AllHealed
            | What::Upgraded
            | What::Reconnecting { .. }
            | What::Answered { .. }
            | What::Dropped { .. }
            | What::Acted { .. }
            | What::BroadcastAcked { .. }
            | What::Rooms { .. }
            | What::Counters(_)
            | What::Up
            | What::Down => {}
        }
    }

    fn invoke(&mut self, pos: Pos, who: &SmolStr, op: u64, operation: &Operation) {
        let client = self.clients.add(who);
        let place = number(self.ops.len());
        self.op_numbers.entry(op).or_insert(place);
        let emit = match operation {
            Operation::Emit { nsp, event, args, ack, volatile } => {
                let (nsp, content) = (self.nsps.add(nsp), self.contents.add(event, args));
                let home = self.places.entry((client, nsp)).or_default();
                home.invoke(content, place);
                let (ack, volatile) = (*ack, *volatile);
                Some(Emit { nsp, content, ack, volatile, life: home.life(), accepted: None })
            }
            Operation::Connect { .. } | Operation::Disconnect { .. } => None,
        };
        self.ops.push(Op { client, invoke: pos, settled: Vec::new(), emit });
    }

    fn accepted(&mut self, pos: Pos, sid: Option<u32>, content: u32) {
        let Some(sid) = sid else { return };
        let socket = &self.sockets[index(sid)];
        let Some(client) = socket.client else {
            // A peer that is not in the plan: whatever it sends is its own affair.
            self.accepted.push(Accepted { pos, sid, content, op: Taken::Nothing });
            return;
        };
        let place = self.places.entry((client, socket.nsp)).or_default();
        let op = place.arrival(content);
        if let Taken::InOrder(op) | Taken::Late(op) = op
            && let Some(emit) = &mut self.ops[index(op)].emit
        {
            emit.accepted = Some(pos);
        }
        self.accepted.push(Accepted { pos, sid, content, op });
    }

    fn at_client(&mut self, pos: Pos, event: &'a Event) {
        let client = self.clients.add(&event.who);
        if self.last_opened.len() <= index(client) {
            self.last_opened.resize(index(client) + 1, 0);
        }
        if let What::Opened { .. } = &event.what {
            self.opened.entry(client).or_default().push(pos);
            self.last_opened[index(client)] = pos;
        } else if let What::Connected { nsp, sid, recovered } = &event.what {
            self.connected(pos, client, nsp, sid, *recovered);
        } else if let What::Refused { nsp, .. } = &event.what {
            let nsp = self.nsps.add(nsp);
            self.places.entry((client, nsp)).or_default().refused.push(pos);
        } else if let What::Disconnected { nsp, reason } = &event.what {
            let nsp = self.nsps.add(nsp);
            let place = self.places.entry((client, nsp)).or_default();
            let life = place.socket.and_then(|sid| self.sockets[index(sid)].lives.last_mut());
            if let Some(life) = life {
                life.end = Some((pos, reason.clone()));
            }
            place.end(pos);
        } else if let What::Received { nsp, event, args, .. } = &event.what {
            self.event_names.add(event);
            let content = self.contents.add(event, args);
            let nsp = self.nsps.add(nsp);
            let place = self.places.entry((client, nsp)).or_default();
            let received = Received { pos, content };
            match place.socket {
                Some(sid) => self.sockets[index(sid)].received.push(received),
                None => place.receive(received),
            }
        }
    }

    fn connected(&mut self, pos: Pos, client: u32, nsp: &SmolStr, sid: &SmolStr, recovered: bool) {
        let nsp = self.nsps.add(nsp);
        let Some(sid) = self.sids.find_in(nsp, sid) else { return };
        let opened = self.last_opened[index(client)];
        let place = self.places.entry((client, nsp)).or_default();
        let early = place.take_early();
        let why = place.why(opened);
        place.socket = Some(sid);
        if place.sockets.last() != Some(&sid) {
            place.sockets.push(sid);
        }
        let socket = &mut self.sockets[index(sid)];
        socket.lives.push(Life { from: pos, recovered, end: None });
        if recovered {
            // What was missed comes before the consent (`CSR-07`).
            socket.received.extend(early);
        } else {
            self.stray(client, nsp, why, &early);
        }
    }

    fn stray(&mut self, client: u32, nsp: u32, why: NoSocket, early: &[Received]) {
        self.strays.extend(early.iter().map(|early| Stray { pos: early.pos, client, nsp, why }));
    }

    pub(super) fn strays_at_end(&mut self) {
        let mut left = Vec::new();
        for ((client, nsp), place) in &mut self.places {
            let opened = self.last_opened.get(index(*client)).copied().unwrap_or_default();
            left.push((*client, *nsp, place.why(opened), place.take_early()));
        }
        for (client, nsp, why, early) in left {
            self.stray(client, nsp, why, &early);
        }
        self.strays.sort_by_key(|stray| stray.pos);
    }

    fn fault(&mut self, pos: Pos, event: &'a Event) {
        if let What::Fault { id, what, clients } = &event.what {
            let end = what.find([' ', ':', '(', '{']).unwrap_or(what.len());
            let named = clients.iter().filter_map(|name| self.clients.find(name)).collect();
            let clients = if clients.is_empty() { self.of_rack(event.step) } else { named };
            let (id, kind) = (*id, SmolStr::from(&what[..end]));
            self.faults.push(FaultTime { id, kind, clients, from: pos, to: NEVER, touched: None });
        } else if let What::Healed { id, touched } = &event.what
            && let Some(fault) = self.faults.iter_mut().rfind(|fault| fault.id == *id)
        {
            fault.to = pos;
            fault.touched = Some(*touched);
        }
    }

    /// The clients on the rack of a fault's step; all if that is not known.
    fn of_rack(&self, step: Option<u32>) -> Vec<u32> {
        let rack = step.and_then(|step| super::steps::rack_of(self.plan?, step));
        (0..number(self.clients.count()))
            .filter(|client| match (rack, self.plan) {
                (Some(rack), Some(plan)) => {
                    plan.clients.get(index(*client)).is_some_and(|client| client.rack == rack)
                }
                _ => true,
            })
            .collect()
    }
}
