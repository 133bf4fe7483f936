//! Messages that must have been heard and were not: which losses are excused, and by what.
//!
//! On one unbroken connection what arrives is the beginning of what was sent, but for volatile
//! messages (`DG-06`). So whatever arrived proves that everything before it should have arrived;
//! and what was still on its way when a connection broke is excused, unless it is recovered.

use std::collections::BTreeMap;

use super::codes::{GAP, MISSED};
use super::links::{Links, kind_is_lossy};
use super::sheet::{Sheet, concern, show_time};
use super::{Case, DELIVERIES};
use crate::oracle::facts::{NEVER, Pos};
use crate::oracle::model::Owed;
use crate::oracle::names::{index, number};
use crate::verdict::Property;

/// Judges every message that was not heard.
pub(super) fn check(case: &Case<'_>, sheet: &mut Sheet) {
    let mut proofs = case.proofs();
    for sid in 0..number(case.facts.sockets.len()) {
        let answers = std::mem::take(&mut proofs[index(sid)]);
        check_socket(case, sheet, sid, answers);
    }
}

/// What shows that a connection carried something: sent then, received then.
type Proof = (Pos, Pos);

impl Case<'_> {
    /// Answers prove as much as messages: they travel in the same order.
    fn proofs(&self) -> Vec<Vec<Proof>> {
        let mut proofs = vec![Vec::new(); self.facts.sockets.len()];
        for accepted in &self.facts.accepted {
            let op = self.op_of(accepted.op);
            if let Some(op) = op
                && op.answer(&self.facts).is_some()
                && let Some(settled) = op.settled.first()
            {
                proofs[index(accepted.sid)].push((accepted.pos, *settled));
            }
        }
        for (sid, socket) in self.facts.sockets.iter().enumerate() {
            // The farewell comes behind everything else.
            if let (Some((left, _)), Some(life)) = (socket.left.last(), socket.lives.last())
                && let Some((end, reason)) = &life.end
                && reason == "io server disconnect"
                && left < end
            {
                proofs[sid].push((*left, *end));
            }
        }
        proofs
    }
}

/// Proofs of one socket, to be asked for those behind a place.
struct Proofs {
    sent: Vec<Pos>,
    /// The earliest receipt from here on.
    received: Vec<Pos>,
}

impl Proofs {
    fn new(mut proofs: Vec<Proof>) -> Self {
        proofs.sort_unstable();
        let mut received: Vec<Pos> = proofs.iter().map(|(_, received)| *received).collect();
        for at in (1..received.len()).rev() {
            received[at - 1] = received[at - 1].min(received[at]);
        }
        Self { sent: proofs.into_iter().map(|(sent, _)| sent).collect(), received }
    }

    /// When the first thing arrived that was sent behind a place.
    fn behind(&self, pos: Pos) -> Pos {
        let at = self.sent.partition_point(|sent| *sent <= pos);
        self.received.get(at).copied().unwrap_or(NEVER)
    }
}

fn check_socket(case: &Case<'_>, sheet: &mut Sheet, sid: u32, mut proofs: Vec<Proof>) {
    let owed = &case.model.owed[index(sid)];
    let arrived = &case.deliveries.arrived[index(sid)];
    for (owed, arrived) in owed.iter().zip(arrived).filter(|(_, arrived)| **arrived != NEVER) {
        // Where the time of a message is not known, it may have been sent last of all.
        proofs.push((case.model.sends[index(owed.send)].at.lo, *arrived));
    }
    let proofs = Proofs::new(proofs);
    let mut missed: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let mut losses: BTreeMap<&'static str, u64> = BTreeMap::new();
    for (owed, arrived) in owed.iter().zip(arrived) {
        if *arrived != NEVER || !owed.must {
            continue;
        }
        match case.excuse(sid, owed, &proofs) {
            Some(reason) => *losses.entry(reason).or_default() += 1,
            None => {
                let content = case.model.sends[index(owed.send)].content;
                missed.entry(content).or_default().push(owed.send);
            }
        }
    }
    if !missed.is_empty() {
        forgive_equal_contents(case, sid, &mut missed);
    }
    let judged = owed.iter().filter(|owed| owed.must).count() as u64;
    let tally = sheet.tally(Property::P01, DELIVERIES, "deliveries");
    tally.judged += judged - losses.values().sum::<u64>();
    for (reason, count) in losses {
        *tally.allowed.entry(reason).or_default() += count;
    }
    for send in missed.into_values().flatten() {
        report(case, sheet, sid, send);
    }
}

/// Of equal messages any may be the one that arrived: as many as were taken for one that may be
/// lost are not missed.
fn forgive_equal_contents(case: &Case<'_>, sid: u32, missed: &mut BTreeMap<u32, Vec<u32>>) {
    let owed = &case.model.owed[index(sid)];
    for (owed, arrived) in owed.iter().zip(&case.deliveries.arrived[index(sid)]) {
        let send = &case.model.sends[index(owed.send)];
        let may_be_lost = send.volatile || !owed.must;
        if *arrived != NEVER
            && may_be_lost
            && let Some(sends) = missed.get_mut(&send.content)
        {
            sends.pop();
        }
    }
}

impl Case<'_> {
    /// Why a message need not have arrived.
    fn excuse(&self, sid: u32, owed: &Owed, proofs: &Proofs) -> Option<&'static str> {
        let facts = &self.facts;
        let send = &self.model.sends[index(owed.send)];
        let (sent, socket) = (send.at.lo, &facts.sockets[index(sid)]);
        if send.volatile {
            return Some("volatile");
        }
        if sent > facts.closing {
            return Some("the clients were leaving");
        }
        let kept = !send.acked && facts.recovery;
        let back = socket.lives.iter().any(|life| life.recovered && life.from > sent);
        let life =
            socket.lives.iter().find(|life| life.end.as_ref().is_none_or(|(end, _)| *end > sent));
        let end = life.and_then(|life| life.end.as_ref()).filter(|(end, _)| *end < facts.closing);
        let bound = match end {
            Some((end, _)) if !(kept && back) => *end,
            Some(_) | None => NEVER,
        };
        // Without points in time, only what was asked for later is known to be later.
        let proof = if facts.exact { proofs.behind(sent) } else { proofs.behind(send.at.hi) };
        if let Some(reason) = self.faulted(sid, send.at.lo, proof, life.map_or(0, |life| life.from))
        {
            return Some(reason);
        }
        if proof < bound {
            return None;
        }
        if kept && back {
            return if facts.complete() { None } else { Some("the run did not end") };
        }
        if back && send.acked {
            return Some("not kept for recovery");
        }
        if let Some((_, reason)) = end {
            return match reason.as_str() {
                "io server disconnect" if send.at.hi < NEVER => self.lost_in_farewell(sid, sent),
                "io client disconnect" => Some("the client left"),
                _ if kept => Some("not recovered"),
                _ => Some("connection lost"),
            };
        }
        let left = socket.left.iter().any(|(left, _)| *left > sent && *left < facts.closing);
        if left || life.is_none() || owed.later {
            return Some("connection lost");
        }
        if facts.complete() { None } else { Some("the run did not end") }
    }

    /// A farewell on a healthy connection comes behind everything else.
    fn lost_in_farewell(&self, sid: u32, sent: Pos) -> Option<&'static str> {
        let socket = &self.facts.sockets[index(sid)];
        let farewell = socket.left.iter().any(|(left, _)| *left > sent);
        if farewell { None } else { Some("connection lost") }
    }

    /// Whether a fault may have swallowed a message on its way.
    fn faulted(&self, sid: u32, sent: Pos, proof: Pos, life: Pos) -> Option<&'static str> {
        let client = self.facts.sockets[index(sid)].client?;
        let links = &self.links;
        links.faults_of(client).find_map(|fault| {
            let swallows = kind_is_lossy(&fault.kind) && sent <= fault.to && proof >= fault.from;
            // A connection that a fault has wedged or reset carries nothing more.
            let wedged = Links::breaks(&fault.kind) && fault.to >= life && proof == NEVER;
            (swallows || wedged).then_some("faulted link")
        })
    }
}

fn report(case: &Case<'_>, sheet: &mut Sheet, sid: u32, number: u32) {
    let facts = &case.facts;
    let send = &case.model.sends[index(number)];
    let owner = facts.owner(sid);
    let shown = facts.contents.show(send.content);
    let lives = &facts.sockets[index(sid)].lives;
    let recovered = lives.iter().any(|life| life.recovered && life.from > send.at.lo);
    let code = if recovered { &GAP } else { &MISSED };
    let title = if recovered {
        format!("{owner} was recovered, and never got {shown}, which it missed meanwhile")
    } else {
        format!("{owner} never got {shown}, which was for it")
    };
    let mut finding = case.finding(code, Some(send.cause), title);
    let sender = send.from.map(|sid| facts.owner(sid));
    concern(&mut finding, sender.into_iter().chain([owner]));
    let at = show_time(facts.time(send.cause));
    finding.cause = case.label(send.step, format!("sent here at {at}"));
    finding.notes.push(case.who_hears(send));
    finding.notes.push(case.what_came(sid, send.cause));
    sheet.find(finding);
}
