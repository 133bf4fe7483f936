//! Progress: what was begun ends, whatever it was begun from.
//!
//! A handler may do anything that an application can do, to its own socket as well, and may fail:
//! the server goes on. One that waits for itself, or that a handler holds up, is seen by what never
//! ends: an answer that is due at once, an entry into a namespace, a broadcast that gathers answers.
//! Such a run is cut short by a bound as a rule, so that nothing else can be said about it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Case;
use super::codes::STUCK;
use super::sheet::{Sheet, concern, show_time};
use crate::history::{Action, Event, Operation, What};
use crate::oracle::facts::{Op, Pos};
use crate::oracle::names::index;
use crate::plan::{self, Bounds, ServerAction};
use crate::verdict::Property;

/// How long a broadcast waits for answers, unless its step says otherwise (`SCENARIOS.md`).
const GATHERING: Duration = Duration::from_secs(5);

/// Something that has begun, and must end.
struct Begun<'a> {
    what: &'a str,
    client: Option<u32>,
    from: Pos,
    ended: Option<Pos>,
    /// Virtual nanoseconds that it may take.
    most: u64,
}

/// Judges whether everything that was begun has ended.
pub(super) fn check(case: &Case<'_>, sheet: &mut Sheet) {
    let facts = &case.facts;
    for (op, answer) in &case.model.answers {
        let op = &facts.ops[index(*op)];
        let Some(emit) = op.emit.filter(|_| answer.at_once()) else { continue };
        let from = emit.accepted.unwrap_or(op.invoke);
        // Where nobody saw it arrive it may have been dropped, or wait for a connection.
        let arrived = emit.accepted.is_some() || (!emit.volatile && is_in(case, op, emit.nsp));
        if arrived {
            let lost = case.ends_after(op.client, emit.nsp, from);
            request(case, sheet, op, from, lost);
        }
    }
    for op in &facts.ops {
        entry(case, sheet, op);
    }
    broadcasts(case, sheet);
}

fn request(case: &Case<'_>, sheet: &mut Sheet, op: &Op, from: Pos, lost: Pos) {
    let ended = op.settled.first().copied();
    if lost < ended.unwrap_or(case.facts.closing) {
        return allow(sheet, "connection lost");
    }
    let begun = Begun {
        what: "answered",
        client: Some(op.client),
        from,
        ended,
        most: patience(case, op.client),
    };
    judge(case, sheet, &begun);
}

/// A client that asked to be let in, on a connection that stands.
fn entry(case: &Case<'_>, sheet: &mut Sheet, op: &Op) {
    let facts = &case.facts;
    let What::Invoke { operation: Operation::Connect { nsp, .. }, .. } = facts.at(op.invoke) else {
        return;
    };
    let opened = facts.opened.get(&op.client).into_iter().flatten();
    let Some(from) = opened.copied().find(|pos| *pos > op.invoke) else { return };
    let gates = facts.plan.map_or(&[][..], |plan| &plan.server.namespaces);
    let gate = gates.iter().find(|gate| gate.name == *nsp);
    let check = gate.map_or(0, |gate| nanos(gate.auth_delay));
    let begun = Begun {
        what: "let in or refused",
        client: Some(op.client),
        from,
        ended: op.settled.first().copied(),
        most: patience(case, op.client).saturating_add(check),
    };
    judge(case, sheet, &begun);
}

/// Broadcasts that gather answers end with them, or without those that did not come in time.
fn broadcasts(case: &Case<'_>, sheet: &mut Sheet) {
    let events = || (0_u32..).zip(case.facts.events);
    let end = |(pos, event): (Pos, &Event)| {
        if let What::BroadcastAcked { op, .. } = event.what { Some((op, pos)) } else { None }
    };
    let ends: BTreeMap<u64, Pos> = events().filter_map(end).collect();
    for (from, event) in events() {
        let What::Acted { op, action: Action::Broadcast { ack: true, .. } } = &event.what else {
            continue;
        };
        let step = event.step.and_then(|step| case.by_number.get(&step));
        let gathering = match step.map(|step| &step.action) {
            Some(plan::Action::Server(ServerAction::Broadcast {
                ack: Some((most, _)), ..
            })) => *most,
            Some(_) | None => GATHERING,
        };
        let ended = ends.get(op).copied();
        let most = nanos(settle(case)).saturating_add(nanos(gathering));
        let what = "done with its broadcast";
        judge(case, sheet, &Begun { what, client: None, from, ended, most });
    }
}

fn judge(case: &Case<'_>, sheet: &mut Sheet, begun: &Begun<'_>) {
    let facts = &case.facts;
    let last = facts.closing.min(facts.last().saturating_sub(1));
    let until = begun.ended.unwrap_or(last).min(last);
    if until < begun.from {
        return;
    }
    if begun.client.is_some_and(|client| case.links.touched(facts, client, begun.from, until)) {
        return allow(sheet, "faulted link");
    }
    if case.server_ended(begun.from, until) {
        return allow(sheet, "the server ended");
    }
    sheet.tally(Property::P13, "progress", "operations").judged += 1;
    let took = facts.time(until).saturating_sub(facts.time(begun.from));
    if took <= begun.most {
        return;
    }
    let at = show_time(facts.time(begun.from));
    let who = begun.client.map_or("the server", |client| facts.client(client));
    let when = if begun.ended.is_some() { "only long after" } else { "never" };
    let title = format!("the server got stuck: {who} was {when} {}, since {at}", begun.what);
    let mut finding = case.finding(&STUCK, Some(begun.ended.unwrap_or(begun.from)), title);
    concern(&mut finding, begun.client.map(|client| facts.client(client)));
    finding.cause = case.label(facts.step(begun.from), "begun here");
    sheet.find(finding);
}

fn allow(sheet: &mut Sheet, reason: &'static str) {
    let tally = sheet.tally(Property::P13, "progress", "operations");
    *tally.allowed.entry(reason).or_default() += 1;
}

/// Whether a client's socket is there when it asks.
fn is_in(case: &Case<'_>, op: &Op, nsp: u32) -> bool {
    let place = case.facts.places.get(&(op.client, nsp));
    let sockets = place.into_iter().flat_map(|place| &place.sockets);
    let mut lives = sockets.flat_map(|sid| &case.facts.sockets[index(*sid)].lives);
    lives.any(|life| {
        life.from < op.invoke && life.end.as_ref().is_none_or(|(end, _)| *end > op.invoke)
    })
}

fn settle(case: &Case<'_>) -> Duration {
    case.facts.plan.map_or_else(Bounds::default, |plan| plan.bounds).settle
}

/// How long a client's request may take at the most: no slow link and no slow machine is as slow.
fn patience(case: &Case<'_>, client: u32) -> u64 {
    let plan = case.facts.plan.and_then(|plan| plan.clients.get(index(client)));
    let link = plan.map_or(0, |client| nanos(client.slowest()).saturating_mul(4));
    nanos(settle(case)).saturating_add(link)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
