//! The model where only clients were watched: each operation has an interval.
//!
//! It took effect after it was asked for, and before its answer was there, or before the answer to
//! anything that the same socket asked for later: one connection keeps its order. Memberships are
//! put down first, then what moves others, then messages, each against everything before.

use super::contract::{self, Request};
use super::facts::{Facts, NEVER, Pos};
use super::model::{Answer, Asked, Model};
use super::names::{index, number};
use super::rooms::{Change, Window};
use crate::history::What;

impl Model {
    /// Goes through a history whose operations have intervals.
    pub(super) fn intervals(&mut self, facts: &mut Facts<'_>) {
        self.lives(facts);
        let fences = fences(facts);
        let mut later = Vec::new();
        for op in 0..number(facts.ops.len()) {
            let Some((asked, content)) = self.asked(facts, op, fences[index(op)]) else {
                continue;
            };
            let own = facts.sids.name(asked.sid);
            let event = facts.contents.event(content);
            match contract::read(event, facts.contents.args(content), own) {
                Some(Request::Join(_) | Request::Leave(_)) => {
                    let answer = self.request(facts, asked, content);
                    self.answer(facts, op, answer);
                }
                Some(Request::Move { .. }) => later.push((0, op, asked, content)),
                _ => later.push((1, op, asked, content)),
            }
        }
        later.sort_by_key(|(rank, op, ..)| (*rank, *op));
        let moves: Vec<Window> =
            later.iter().filter(|(rank, ..)| *rank == 0).map(|(.., asked, _)| asked.at).collect();
        for (turn, (rank, op, asked, content)) in later.into_iter().enumerate() {
            // What moves others while somebody else does may find them anywhere.
            let next = if rank == 0 { moves.get(turn + 1) } else { None };
            let clouded = next.is_some_and(|next| next.lo < asked.at.hi);
            if clouded {
                self.moves_anybody(facts, asked, content);
                self.answer(facts, op, Answer::Any);
                continue;
            }
            let answer = self.request(facts, asked, content);
            self.answer(facts, op, answer);
        }
    }

    /// A move that may select anybody.
    fn moves_anybody(&mut self, facts: &Facts<'_>, asked: Asked, content: u32) {
        let own = facts.sids.name(asked.sid);
        let event = facts.contents.event(content);
        let request = contract::read(event, facts.contents.args(content), own);
        if let Some(Request::Move { join, leave, .. }) = request {
            let asked = Asked { certain: false, ..asked };
            for sid in self.rooms.sockets(asked.nsp).collect::<Vec<_>>() {
                self.join(asked, sid, &leave, false);
                self.join(asked, sid, &join, true);
            }
        }
    }

    fn answer(&mut self, facts: &Facts<'_>, op: u32, answer: Answer) {
        if facts.ops[index(op)].emit.is_some_and(|emit| emit.ack) {
            let answer =
                if let Answer::Asked(_) | Answer::Told(_) = answer { Answer::Any } else { answer };
            self.answers.push((op, answer));
        }
    }

    /// Sockets come when their connection is opened at the earliest, and go when their clients see
    /// it: afterwards nothing arrives, whatever the server thinks.
    fn lives(&mut self, facts: &Facts<'_>) {
        for (sid, socket) in facts.sockets.iter().enumerate() {
            let (sid, nsp) = (number(sid), socket.nsp);
            for (turn, life) in socket.lives.iter().enumerate() {
                let at = Window { lo: earliest(facts, socket.client, life.from), hi: life.from };
                self.enter(facts, sid, at, life.recovered && turn > 0);
                if let Some((end, _)) = life.end {
                    let back = socket.lives.get(turn + 1).is_some_and(|next| next.recovered);
                    let change = Change { at: Window::point(end), begins: false, certain: !back };
                    self.rooms.connect(nsp, sid, change);
                }
            }
        }
    }

    /// An operation as a request, if it is one and may have taken effect.
    fn asked(&self, facts: &Facts<'_>, op: u32, fence: Pos) -> Option<(Asked, u32)> {
        let op = &facts.ops[index(op)];
        let emit = op.emit?;
        let sid = socket_at(facts, op.client, emit.nsp, op.invoke)?;
        let (hi, certain) = match op.end(facts) {
            Some(What::Ok { .. }) => (op.settled.first().copied().unwrap_or(NEVER), true),
            Some(What::Fail { .. }) => return None,
            Some(What::Info { .. }) => (NEVER, false),
            _ => (NEVER, !emit.volatile),
        };
        // An answer that never came says nothing about when it took effect, if it did.
        let hi = if certain { hi.min(fence) } else { hi };
        let (at, cause) = (Window { lo: op.invoke, hi }, op.invoke);
        let step = facts.step(op.invoke);
        Some((Asked { sid, nsp: emit.nsp, at, cause, step, certain }, emit.content))
    }
}

/// When each operation had taken effect at the latest because a later one of the same socket was
/// answered.
fn fences(facts: &Facts<'_>) -> Vec<Pos> {
    let mut fences = vec![NEVER; facts.ops.len()];
    let mut seen = std::collections::BTreeMap::new();
    for (at, op) in facts.ops.iter().enumerate().rev() {
        let Some(emit) = op.emit else { continue };
        let fence = seen.entry((op.client, emit.nsp, emit.life)).or_insert(NEVER);
        fences[at] = *fence;
        if let Some(What::Ok { .. }) = op.end(facts) {
            *fence = op.settled.first().copied().unwrap_or(NEVER).min(*fence);
        }
    }
    fences
}

/// When a socket that was connected at a place may have been let in.
fn earliest(facts: &Facts<'_>, client: Option<u32>, connected: Pos) -> Pos {
    let Some(opened) = client.and_then(|client| facts.opened.get(&client)) else { return 0 };
    let before = opened.partition_point(|pos| *pos < connected);
    before.checked_sub(1).map_or(0, |last| opened[last])
}

/// The socket that a client writes to when it emits: the one that it has, or gets next.
fn socket_at(facts: &Facts<'_>, client: u32, nsp: u32, pos: Pos) -> Option<u32> {
    let sockets = &facts.places.get(&(client, nsp))?.sockets;
    sockets.iter().copied().find(|sid| {
        let lives = &facts.sockets[index(*sid)].lives;
        lives.last().is_some_and(|life| life.end.as_ref().is_none_or(|(end, _)| *end > pos))
    })
}
