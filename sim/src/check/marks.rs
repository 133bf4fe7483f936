//! Situations that a scenario may exist for, as they are seen in the history.

use super::Case;
use super::codes;
use super::sheet::Sheet;
use crate::history::What;
use crate::oracle::facts::NEVER;
use crate::oracle::names::index;
use crate::plan::Mark;

/// Counts all situations, and misses those that must be there.
pub(super) fn check(case: &Case<'_>, sheet: &mut Sheet) {
    let facts = &case.facts;
    let mut trying = vec![false; facts.clients.count()];
    for event in facts.events {
        if let What::Healed { touched, .. } = event.what {
            sheet.reach(Mark::FaultTouched, touched);
        } else if let What::Reconnecting { .. } = event.what {
            set(case, &mut trying, &event.who, true);
        } else if let What::Connected { recovered, .. } = event.what {
            sheet.reach(Mark::Recovered, u64::from(recovered));
            let again = set(case, &mut trying, &event.who, false);
            sheet.reach(Mark::Reconnected, u64::from(again));
        } else if let What::Upgraded = event.what {
            sheet.reach(Mark::Upgraded, 1);
        } else if let What::Refused { .. } = event.what {
            sheet.reach(Mark::Refused, 1);
        } else if let What::Dropped { .. } = event.what {
            sheet.reach(Mark::VolatileDropped, 1);
        } else if let What::BroadcastAcked { timed_out: true, .. } = event.what {
            sheet.reach(Mark::AckTimedOut, 1);
        } else if let What::Fail { error, .. } | What::Info { error, .. } = &event.what {
            let timed_out = error.contains("timed out") || error.contains("timeout");
            sheet.reach(Mark::AckTimedOut, u64::from(timed_out));
        } else if let What::Ok { values, .. } = &event.what {
            let first = values.first().and_then(overheard_core::value::Value::as_str);
            sheet.reach(Mark::AckTimedOut, u64::from(first == Some("timeout")));
        }
    }
    sheet.reach(Mark::JoinRacedBroadcast, case.model.raced);
    // Where only clients were watched, somebody who may hear is no audience either.
    let maybe = u32::from(facts.exact);
    let empty = case.model.sends.iter().filter(|send| send.yes + send.maybe * maybe == 0);
    sheet.reach(Mark::EmptyAudience, empty.count() as u64);
    let (volatile, raced) = undelivered(case);
    sheet.reach(Mark::VolatileDropped, volatile);
    sheet.reach(Mark::DisconnectRacedDelivery, raced);
    let Some(plan) = facts.plan else { return };
    for (mark, span) in &plan.must_reach {
        if !sheet.reached.contains_key(mark) {
            let title = format!("`{mark}` did not occur");
            sheet.unknown(codes::NOT_REACHED, title, Some(span.clone()));
        }
    }
}

fn set(case: &Case<'_>, trying: &mut [bool], who: &str, value: bool) -> bool {
    let client = case.facts.clients.find(who).and_then(|client| trying.get_mut(index(client)));
    client.is_some_and(|flag| std::mem::replace(flag, value))
}

/// Volatile messages that did not arrive, and messages whose receiver was disconnected meanwhile.
fn undelivered(case: &Case<'_>) -> (u64, u64) {
    let (mut volatile, mut raced) = (0, 0);
    for (sid, owed) in case.model.owed.iter().enumerate() {
        let socket = &case.facts.sockets[sid];
        let ends = || {
            let seen = socket.lives.iter().filter_map(|life| life.end.as_ref());
            seen.map(|(end, _)| *end).chain(socket.left.iter().map(|(left, _)| *left))
        };
        for (owed, arrived) in owed.iter().zip(&case.deliveries.arrived[sid]) {
            let send = &case.model.sends[index(owed.send)];
            if *arrived != NEVER || !owed.must {
                continue;
            }
            if send.volatile {
                volatile += 1;
            } else if ends().any(|end| end > send.at.lo && end < case.facts.closing) {
                raced += 1;
            }
        }
    }
    (volatile, raced)
}
