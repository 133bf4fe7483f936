//! Sockets come and go in pairs, and those leave that must.

use super::Case;
use super::codes::{AFTER_END, KICKED, STAYED, UNPAIRED};
use super::sheet::{Sheet, concern, show_time};
use crate::history::What;
use crate::oracle::facts::{Pos, Socket};
use crate::oracle::names::{index, number};
use crate::verdict::Property;

/// How long a socket may take to leave: it is told at once, and this is generous.
const A_MOMENT: u64 = 1_000_000_000;

/// Judges how sockets came and went.
pub(super) fn check(case: &Case<'_>, sheet: &mut Sheet) {
    let facts = &case.facts;
    if !facts.exact {
        return;
    }
    let downs: Vec<Pos> = (0..)
        .zip(facts.events)
        .filter(|(_, event)| matches!(event.what, What::Down))
        .map(|(pos, _)| pos)
        .collect();
    for (sid, socket) in facts.sockets.iter().enumerate() {
        sheet.tally(Property::P07, "pairs", "sockets").judged +=
            u64::from(!socket.entered.is_empty());
        pairs(case, sheet, number(sid), socket, &downs);
    }
    kicks(case, sheet);
    for (pos, sid) in &case.model.ghosts {
        let owner = facts.owner(*sid);
        let title = format!("the server acted on an event of {owner}, whose socket had left");
        let mut finding = case.finding(&AFTER_END, Some(*pos), title);
        concern(&mut finding, [owner]);
        sheet.find(finding);
    }
}

fn pairs(case: &Case<'_>, sheet: &mut Sheet, sid: u32, socket: &Socket, downs: &[Pos]) {
    let facts = &case.facts;
    let comes = socket.entered.iter().map(|pos| (*pos, true));
    let goes = socket.left.iter().map(|(pos, _)| (*pos, false));
    let mut turns: Vec<(Pos, bool)> = comes.chain(goes).collect();
    turns.sort_unstable();
    let mut inside = None;
    let mut wrong = |pos: Pos, what: &str| {
        let owner = facts.owner(sid);
        let title = format!("the socket `{}` of {owner} {what}", facts.sids.name(sid));
        let mut finding = case.finding(&UNPAIRED, Some(pos), title);
        concern(&mut finding, [owner]);
        sheet.find(finding);
    };
    for (pos, comes) in turns {
        // A server that dies forgets its sockets without a word.
        inside = inside.filter(|since| !downs.iter().any(|down| down > since && *down < pos));
        match (inside, comes) {
            (None, true) => inside = Some(pos),
            (Some(_), true) => wrong(pos, "was let in twice"),
            (Some(_), false) => inside = None,
            (None, false) => wrong(pos, "left without being there"),
        }
    }
    let dead = |since: Pos| downs.iter().any(|down| *down > since);
    if let Some(since) = inside
        && facts.complete()
        && facts.closing < facts.last()
        && !dead(since)
    {
        wrong(since, "was let in and never left");
    }
}

fn kicks(case: &Case<'_>, sheet: &mut Sheet) {
    let facts = &case.facts;
    let end = facts.events.last().map_or(0, |event| event.t);
    sheet.tally(Property::P08, "silence", "ends").judged +=
        u64::from(number(case.model.kicks.len()));
    for kick in &case.model.kicks {
        let left = &facts.sockets[index(kick.sid)].left;
        let next = left.iter().map(|(pos, _)| *pos).find(|pos| *pos > kick.pos);
        let deadline = facts.time(kick.pos).saturating_add(A_MOMENT);
        let time = next.map_or(u64::MAX, |pos| facts.time(pos));
        if time > deadline && (end > deadline || facts.complete()) {
            let owner = facts.owner(kick.sid);
            let title = format!("{owner} should have been disconnected, and stayed");
            let mut finding = case.finding(&STAYED, Some(kick.pos), title);
            concern(&mut finding, [owner]);
            finding.cause = case.label(facts.step(kick.pos), "the server was told here");
            sheet.find(finding);
        }
    }
    let mut kicked: Vec<(u32, Pos)> =
        case.model.kicks.iter().map(|kick| (kick.sid, kick.pos)).collect();
    kicked.sort_unstable();
    // Whose whole connection ends: its other sockets go as well (`NSP-11`).
    let mut closed: Vec<(Option<u32>, Pos)> = case
        .model
        .kicks
        .iter()
        .filter(|kick| kick.close)
        .map(|kick| (facts.sockets[index(kick.sid)].client, kick.pos))
        .collect();
    closed.sort_unstable();
    for (sid, socket) in facts.sockets.iter().enumerate() {
        let sid = number(sid);
        for (left, reason) in &socket.left {
            if reason != "server namespace disconnect" {
                continue;
            }
            let by_kick = kicked.partition_point(|kick| *kick < (sid, *left));
            let own = by_kick.checked_sub(1).is_some_and(|at| kicked[at].0 == sid);
            let by_close = closed.partition_point(|kick| *kick < (socket.client, *left));
            let others = by_close.checked_sub(1).is_some_and(|at| closed[at].0 == socket.client);
            if own || others {
                continue;
            }
            let owner = facts.owner(sid);
            let at = show_time(facts.time(*left));
            let title = format!("{owner} was disconnected by the server at {at}, told by nobody");
            let mut finding = case.finding(&KICKED, Some(*left), title);
            concern(&mut finding, [owner]);
            sheet.find(finding);
        }
    }
}
