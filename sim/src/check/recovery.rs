//! Sessions that can be recovered are.

use super::Case;
use super::codes::NOT_RECOVERED;
use super::sheet::{Sheet, concern, show_time};
use crate::history::What;
use crate::oracle::facts::{Place, Pos};
use crate::oracle::names::index;
use crate::plan::Plan;
use crate::verdict::Property;

/// How a socket must leave to be kept (`CSR-02`).
const KEPT: [&str; 6] = [
    "transport error",
    "transport close",
    "forced close",
    "ping timeout",
    "server shutting down",
    "forced server close",
];

/// Judges every return of a client.
pub(super) fn check(case: &Case<'_>, sheet: &mut Sheet) {
    if case.facts.recovery {
        // What these heard, and did not, is found with the losses and the extras.
        let lives = case.facts.sockets.iter().flat_map(|socket| &socket.lives);
        let recovered = lives.filter(|life| life.recovered).count() as u64;
        sheet.tally(Property::P15, "recovery", "returns").judged += recovered;
    }
    let Some(plan) = case.facts.plan else { return };
    if plan.server.recovery.is_none() || plan.server.reference_quirks || !case.facts.exact {
        return;
    }
    for ((client, _), place) in &case.facts.places {
        for pair in place.sockets.windows(2) {
            came_back(case, sheet, plan, *client, place, (pair[0], pair[1]));
        }
    }
}

/// A client that came back got another socket: was that right?
fn came_back(
    case: &Case<'_>,
    sheet: &mut Sheet,
    plan: &Plan,
    client: u32,
    place: &Place,
    (old, new): (u32, u32),
) {
    let facts = &case.facts;
    let (was, is) = (&facts.sockets[index(old)], &facts.sockets[index(new)]);
    let (Some((left, reason)), Some(entered)) = (was.left.last(), is.entered.first()) else {
        return;
    };
    let opened = facts.opened.get(&client).and_then(|opened| {
        let next = opened.partition_point(|pos| pos < entered);
        next.checked_sub(1).map(|at| opened[at])
    });
    let offset =
        was.received.iter().rev().find(|received| {
            matches!(facts.at(received.pos), What::Received { offset: Some(_), .. })
        });
    let ended = was.lives.last().and_then(|life| life.end.as_ref());
    let by_itself = ended.is_some_and(|(_, reason)| !reason.starts_with("io "));
    let noticed = opened.is_some_and(|opened| opened > *left);
    let Some(offset) = offset.filter(|_| noticed && by_itself) else { return };
    let limit =
        plan.server.recovery.map_or(0, |limit| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX));
    let now = facts.time(*entered);
    let young = |pos: Pos| now.saturating_sub(facts.time(pos)) < limit;
    let died = facts.events[index(*left)..index(*entered)]
        .iter()
        .any(|event| matches!(event.what, What::Down));
    let refused = place.refused.iter().any(|pos| pos > left && pos < entered);
    if !KEPT.contains(&reason.as_str()) || !young(*left) || !young(offset.pos) || died || refused {
        return;
    }
    sheet.tally(Property::P15, "recovery", "returns").judged += 1;
    let name = facts.client(client);
    let (gone, back) = (show_time(facts.time(*left)), show_time(now));
    let title = format!("{name} was not recovered: it was lost at {gone} and back at {back}");
    let mut finding = case.finding(&NOT_RECOVERED, Some(*entered), title);
    concern(&mut finding, [name]);
    sheet.find(finding);
}
