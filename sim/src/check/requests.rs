//! What clients emit arrives once, in order, and unchanged.

use foldhash::fast::FixedState;

use super::Case;
use super::codes::{Code, REQUEST_LOST, REQUEST_ORDER, REQUEST_PHANTOM, REQUEST_TWICE};
use super::links::{Links, kind_is_lossy};
use super::sheet::{Sheet, concern, show_time};
use crate::history::What;
use crate::oracle::facts::{Emit, Life, NEVER, Op, Pos, Table};
use crate::oracle::lane::Taken;
use crate::oracle::names::index;
use crate::verdict::{Finding, Property};

/// Judges every emit and every arrival.
pub(super) fn check(case: &Case<'_>, sheet: &mut Sheet) {
    if !case.facts.exact {
        return;
    }
    lost(case, sheet);
    arrivals(case, sheet);
}

fn about(case: &Case<'_>, code: &Code, pos: Pos, title: String, client: u32) -> Finding {
    let mut finding = case.finding(code, Some(pos), title);
    concern(&mut finding, [case.facts.client(client)]);
    finding
}

fn lost(case: &Case<'_>, sheet: &mut Sheet) {
    let facts = &case.facts;
    // When the next arrival from the same life was, for what was asked for before it.
    let mut proofs: Table<(u32, u32, u32), Pos> = Table::with_hasher(FixedState::with_seed(8));
    for op in facts.ops.iter().rev() {
        let Some(emit) = &op.emit else { continue };
        let proof = proofs.entry((op.client, emit.nsp, emit.life)).or_insert(NEVER);
        if let Some(accepted) = emit.accepted {
            *proof = accepted.min(*proof);
            sheet.tally(Property::P10, "requests", "emits").judged += 1;
            continue;
        }
        if let Some(reason) = excuse(case, op, emit, *proof) {
            let tally = sheet.tally(Property::P10, "requests", "emits");
            *tally.allowed.entry(reason).or_default() += 1;
            continue;
        }
        let (client, shown) = (facts.client(op.client), facts.contents.show(emit.content));
        let title = format!("{shown} of {client} never arrived at the server");
        let mut finding = about(case, &REQUEST_LOST, op.invoke, title, op.client);
        let at = show_time(facts.time(op.invoke));
        finding.cause = case.label(facts.step(op.invoke), format!("sent here at {at}"));
        sheet.find(finding);
    }
}

fn excuse(case: &Case<'_>, op: &Op, emit: &Emit, proof: Pos) -> Option<&'static str> {
    let facts = &case.facts;
    if emit.volatile {
        return Some("volatile");
    }
    if let Some(What::Fail { .. }) = op.end(facts) {
        return Some("failed at the client");
    }
    if op.invoke > facts.closing {
        return Some("the clients were leaving");
    }
    let faulted = case.links.faults_of(op.client).any(|fault| {
        let swallows = kind_is_lossy(&fault.kind) && op.invoke <= fault.to && proof >= fault.from;
        swallows || (Links::breaks(&fault.kind) && fault.to >= op.invoke && proof == NEVER)
    });
    if faulted {
        return Some("faulted link");
    }
    let place = facts.places.get(&(op.client, emit.nsp))?;
    let lives = || place.sockets.iter().flat_map(|sid| &facts.sockets[index(*sid)].lives);
    if let (Some(What::Info { .. }), Some(given_up)) = (op.end(facts), op.settled.first()) {
        // What is given up while it is held back is never sent.
        let lasts = |end: Option<Pos>| end.is_none_or(|end| end > op.invoke);
        let end = |life: &Life| life.end.as_ref().map(|(end, _)| *end);
        if !lives().any(|life| life.from < *given_up && lasts(end(life))) {
            return Some("given up while offline");
        }
    }
    if proof < NEVER {
        return None;
    }
    if place.ends > emit.life && case.ends_after(op.client, emit.nsp, op.invoke) < NEVER {
        return Some("connection lost");
    }
    let alive = |end: Pos| end > op.invoke;
    if !lives().any(|life| life.end.as_ref().is_none_or(|(end, _)| alive(*end))) {
        return Some("never connected again");
    }
    if facts.complete() { None } else { Some("the run did not end") }
}

fn arrivals(case: &Case<'_>, sheet: &mut Sheet) {
    let facts = &case.facts;
    let mut first: Table<(u32, u32, u32), Pos> = Table::with_hasher(FixedState::with_seed(9));
    for op in &facts.ops {
        if let Some(emit) = &op.emit {
            first.entry((op.client, emit.nsp, emit.content)).or_insert(op.invoke);
        }
    }
    for accepted in &facts.accepted {
        let socket = &facts.sockets[index(accepted.sid)];
        let Some(client) = socket.client else { continue };
        let retries = facts
            .plan
            .and_then(|plan| plan.clients.get(index(client)))
            .is_some_and(|client| client.retries > 0);
        sheet.tally(Property::P11, "request-order", "emits").judged += 1;
        let shown = || facts.contents.show(accepted.content);
        let name = facts.client(client);
        match accepted.op {
            Taken::InOrder(_) => {}
            Taken::Late(_) | Taken::Nothing if retries => {
                let tally = sheet.tally(Property::P10, "requests", "emits");
                *tally.allowed.entry("sent again by retries").or_default() += 1;
            }
            Taken::Late(op) => {
                let title =
                    format!("{} of {name} arrived after something that was sent later", shown());
                let mut finding = about(case, &REQUEST_ORDER, accepted.pos, title, client);
                let step = facts.step(facts.ops[index(op)].invoke);
                finding.cause = case.label(step, "sent here");
                sheet.find(finding);
            }
            Taken::Nothing => {
                let known = first.get(&(client, socket.nsp, accepted.content));
                let (code, what) = if known.is_some_and(|pos| *pos < accepted.pos) {
                    (&REQUEST_TWICE, "more often than it was sent")
                } else {
                    (&REQUEST_PHANTOM, "and it was never sent")
                };
                let title = format!("the server accepted {} of {name} {what}", shown());
                sheet.find(about(case, code, accepted.pos, title, client));
            }
        }
    }
}
