//! The model where the history says when everything took effect: each event changes the sets.

use smol_str::SmolStr;

use super::contract::{self, Request};
use super::facts::{Facts, NEVER, Pos};
use super::lane::Taken;
use super::model::{Answer, Asked, Kind, Message, Model};
use super::names::{index, number};
use super::rooms::{Change, Window};
use crate::history::{Action, Audience, Event, Operation, What};

impl Model {
    /// Goes through a history whose operations have points in time.
    pub(super) fn exact(&mut self, facts: &mut Facts<'_>) {
        let mut arrivals = 0;
        let events = facts.events;
        for (at, event) in events.iter().enumerate() {
            let pos = number(at);
            if let What::Accepted { .. } = &event.what {
                if facts.accepted.get(arrivals).is_some_and(|accepted| accepted.pos == pos) {
                    self.arrival(facts, arrivals);
                    arrivals += 1;
                }
            } else if let What::Acted { op, action } = &event.what {
                self.act(facts, pos, event, *op, action);
            } else if let What::Entered { nsp, sid, recovered, .. } = &event.what {
                if let Some(sid) = facts.sid(nsp, sid) {
                    self.enter(facts, sid, Window::point(pos), *recovered);
                }
            } else if let What::Left { nsp, sid, .. } = &event.what {
                self.leave(facts, pos, nsp, sid);
            } else if let What::Rooms { nsp, sids, rooms } = &event.what {
                self.compare(facts, pos, nsp, sids, rooms);
            } else if let What::Down = &event.what {
                self.down(facts);
            } else {
                self.under_way(facts, &event.what);
            }
        }
    }

    fn leave(&mut self, facts: &Facts<'_>, pos: Pos, nsp: &str, sid: &str) {
        let (Some(nsp), Some(sid)) = (facts.nsps.find(nsp), facts.sid(nsp, sid)) else { return };
        if facts.comes_back(sid, pos) {
            self.rooms.lose(sid);
        } else {
            self.rooms.remove(nsp, sid);
        }
    }

    /// The server has died: nobody is anywhere.
    fn down(&mut self, facts: &Facts<'_>) {
        for nsp in 0..number(facts.nsps.count()) {
            for sid in self.rooms.sockets(nsp).collect::<Vec<_>>() {
                self.rooms.remove(nsp, sid);
            }
        }
    }

    fn arrival(&mut self, facts: &mut Facts<'_>, arrival: usize) {
        let accepted = facts.accepted[arrival];
        let (pos, sid) = (accepted.pos, accepted.sid);
        let nsp = facts.sockets[index(sid)].nsp;
        let at = Window::point(pos);
        if self.rooms.connected(nsp, sid, at) == super::Tri::No || self.rooms.is_lost(sid) {
            self.ghosts.push((pos, sid));
            return;
        }
        let op = match accepted.op {
            Taken::InOrder(op) | Taken::Late(op) => Some(op),
            Taken::Nothing => None,
        };
        let asked_in = op.and_then(|op| facts.step(facts.ops[index(op)].invoke));
        let step = facts.step(pos).or(asked_in);
        let asked = Asked { sid, nsp, at, cause: pos, step, certain: true };
        let answer = self.request(facts, asked, accepted.content);
        if let Some(op) = op
            && facts.ops[index(op)].emit.is_some_and(|emit| emit.ack)
        {
            self.answers.push((op, answer));
        }
    }

    fn act(&mut self, facts: &mut Facts<'_>, pos: Pos, event: &Event, op: u64, action: &Action) {
        let at = Window::point(pos);
        let asked =
            |nsp| Asked { sid: NEVER, nsp, at, cause: pos, step: event.step, certain: true };
        match action {
            Action::Broadcast { to, event, args, volatile, ack } => {
                let asked = asked(facts.nsps.add(&to.nsp));
                let content = facts.contents.add(event, args);
                let (kind, from) = (Kind::Server, None);
                let message = Message { content, kind, from, volatile: *volatile, acked: *ack };
                let send = self.send(facts, asked, to.clone(), message);
                self.server_sends.insert(op, send);
            }
            Action::Move { who, join, leave } => {
                let nsp = facts.nsps.add(&who.nsp);
                for (rooms, begins) in [(leave, false), (join, true)] {
                    if rooms.is_empty() {
                        continue;
                    }
                    for (sid, _) in self.selected(nsp, who, at) {
                        for room in rooms {
                            let room = self.names.add(room);
                            self.rooms.change(nsp, sid, room, Change { at, begins, certain: true });
                        }
                    }
                }
            }
            Action::Kick { who, close } => {
                let nsp = facts.nsps.add(&who.nsp);
                let selected = self.selected(nsp, who, at);
                self.kick(pos, *close, &selected);
            }
            Action::Close => {}
        }
    }

    fn selected(&mut self, nsp: u32, who: &Audience, at: Window) -> Vec<(u32, super::Tri)> {
        let except: Vec<u32> = who.except.iter().filter_map(|room| self.names.find(room)).collect();
        self.audience(nsp, &who.to, &except, at, false)
    }

    /// Joins and leaves that are asked for and not answered yet.
    fn under_way(&mut self, facts: &Facts<'_>, what: &What) {
        if let What::Invoke { operation: Operation::Emit { nsp, event, args, .. }, .. } = what {
            self.open_rooms(facts, nsp, event, args, true);
        } else if let What::Ok { op, .. } | What::Fail { op, .. } | What::Info { op, .. } = what
            && let Some(op) = facts.op_numbers.get(op)
            && let What::Invoke { operation: Operation::Emit { nsp, event, args, .. }, .. } =
                facts.at(facts.ops[index(*op)].invoke)
        {
            self.open_rooms(facts, nsp, event, args, false);
        }
    }

    fn open_rooms(
        &mut self,
        facts: &Facts<'_>,
        nsp: &str,
        event: &SmolStr,
        args: &crate::history::Args,
        opens: bool,
    ) {
        if event != "join" && event != "leave" {
            return;
        }
        let Some(nsp) = facts.nsps.find(nsp) else { return };
        let rooms = match contract::read(event, args, "") {
            Some(Request::Join(rooms)) => rooms,
            Some(Request::Leave(room)) => vec![room],
            _ => return,
        };
        for room in rooms {
            let count = self.open.entry((nsp, self.names.add(&room))).or_default();
            *count = if opens { *count + 1 } else { count.saturating_sub(1) };
        }
    }
}

impl Answer {
    /// Whether it is there at once, rather than when others have answered.
    #[must_use]
    pub const fn at_once(&self) -> bool {
        match self {
            Self::Exactly(_) | Self::Ids(_) | Self::Ok | Self::Error => true,
            Self::Asked(_) | Self::Told(_) | Self::Any => false,
        }
    }
}
