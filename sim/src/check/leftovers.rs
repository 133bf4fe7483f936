//! Tables of rooms, and what is left when everybody has gone.

use super::Case;
use super::codes::{INVERSE, LEFTOVER, ROOMS};
use super::sheet::{Sheet, concern};
use crate::history::{Counters, What};
use crate::verdict::Property;

/// Judges the tables and the last counters.
pub(super) fn check(case: &Case<'_>, sheet: &mut Sheet) {
    sheet.tally(Property::P02, "rooms", "rows").judged += case.model.rows;
    for fault in &case.model.tables {
        let (code, title) = if fault.inner {
            (&INVERSE, format!("the server's tables of rooms disagree: {}", fault.text))
        } else {
            (&ROOMS, format!("the server's table of rooms is wrong: {}", fault.text))
        };
        let mut finding = case.finding(code, Some(fault.pos), title);
        concern(&mut finding, fault.sid.map(|sid| case.facts.owner(sid)));
        finding.cause = case.label(case.facts.step(fault.pos), "looked up here");
        sheet.find(finding);
    }
    for (pos, event) in (0..).zip(case.facts.events) {
        if let What::Counters(counters) = &event.what
            && counters.last
        {
            let left = leftovers(case, counters);
            sheet.tally(Property::P03, "leftovers", "counters").judged += 8;
            if !left.is_empty() {
                let title = format!("when everybody had gone there was left: {}", left.join(", "));
                sheet.find(case.finding(&LEFTOVER, Some(pos), title));
            }
        }
    }
}

/// What should be 0 and is not.
fn leftovers(case: &Case<'_>, counters: &Counters) -> Vec<String> {
    // Recovery keeps sessions and messages, and a timer to forget them.
    let recovery = case.facts.recovery;
    // Without the clean-up, namespaces stay.
    let cleaned =
        case.facts.plan.is_none_or(|plan| plan.server.cleanup_empty_child_namespaces == Some(true));
    let all = [
        (counters.connections, "connections", true),
        (counters.sockets, "sockets", true),
        (counters.rooms, "rooms", true),
        (counters.memberships, "memberships", true),
        (counters.acks, "acks", true),
        (counters.dynamic_namespaces, "namespaces made on demand", cleaned),
        (counters.buffered_bytes, "buffered bytes", true),
        (counters.timers, "timers", !recovery),
    ];
    all.into_iter()
        .filter(|(count, _, counts)| *count > 0 && *counts)
        .map(|(count, name, _)| format!("{count} {name}"))
        .collect()
}
