//! Clients connect again by themselves when they should, and only then.

use std::time::Duration;

use super::Case;
use super::codes::{ATTEMPTS, Code, RECONNECTS};
use super::sheet::{Sheet, concern};
use crate::history::{Event, Operation, What};
use crate::oracle::facts::Pos;
use crate::plan::ClientPlan;
use crate::verdict::Property;

/// What is known of a client's connection.
#[derive(Debug, Default)]
struct State {
    /// The number of its last attempt since it was connected.
    attempt: u32,
    /// When it was last disconnected or tried.
    last: Option<u64>,
    /// Namespaces that it is in.
    inside: u32,
    /// Whether its last disconnection was on purpose.
    on_purpose: bool,
    /// Whether its application has asked for something since, so that it may count anew.
    restart: bool,
}

/// Judges every attempt to connect again.
pub(super) fn check(case: &Case<'_>, sheet: &mut Sheet) {
    let mut states: Vec<State> = Vec::new();
    states.resize_with(case.facts.clients.count(), State::default);
    for (pos, event) in (0..).zip(case.facts.events) {
        let Some(client) = case.facts.clients.find(&event.who) else { continue };
        let plan = case.facts.plan.and_then(|plan| plan.clients.get(client as usize));
        if let Some(state) = states.get_mut(client as usize) {
            turn(case, sheet, state, plan, pos, event);
        }
    }
}

fn turn(
    case: &Case<'_>,
    sheet: &mut Sheet,
    state: &mut State,
    plan: Option<&ClientPlan>,
    pos: Pos,
    event: &Event,
) {
    if let What::Invoke { operation: Operation::Connect { .. }, .. } = event.what {
        state.on_purpose = false;
        // Whoever asks for it starts over, unless it is at it already.
        state.restart = true;
        state.last = None;
    } else if let What::Invoke { operation: Operation::Disconnect { .. }, .. } = event.what {
        state.restart = true;
        state.last = None;
    } else if let What::Opened { .. } = event.what {
        state.attempt = 0;
    } else if let What::Connected { .. } = event.what {
        state.inside += 1;
        state.on_purpose = false;
    } else if let What::Disconnected { reason, .. } = &event.what {
        state.inside = state.inside.saturating_sub(1);
        state.on_purpose = reason == "io server disconnect" || reason == "io client disconnect";
        state.last = Some(event.t);
    } else if let What::Reconnecting { attempt } = event.what {
        sheet.tally(Property::P20, "reconnection", "attempts").judged += 1;
        let who = event.who.as_str();
        let mut find = |code: &Code, title: String| {
            let mut finding = case.finding(code, Some(pos), title);
            concern(&mut finding, [who]);
            sheet.find(finding);
        };
        if plan.is_some_and(|plan| !plan.reconnection) {
            find(&RECONNECTS, format!("{who} connects again, and its reconnection is off"));
        } else if state.on_purpose && state.inside == 0 {
            find(&RECONNECTS, format!("{who} connects again, and was disconnected on purpose"));
        } else if attempt != state.attempt + 1 && !(state.restart && attempt == 1) {
            let wanted = state.attempt + 1;
            find(&ATTEMPTS, format!("attempt {attempt} of {who} should be number {wanted}"));
        } else if let (Some(plan), Some(last)) = (plan, state.last)
            && event.t.saturating_sub(last) < least_delay(plan, attempt)
        {
            let waited = Duration::from_nanos(event.t.saturating_sub(last));
            find(&ATTEMPTS, format!("{who} waited only {waited:?} before attempt {attempt}"));
        }
        state.attempt = attempt;
        state.restart = false;
        state.last = Some(event.t);
    }
}

/// The shortest delay before an attempt: half of it may be taken off by chance (`CLI-05`).
fn least_delay(plan: &ClientPlan, attempt: u32) -> u64 {
    let doubled = plan.reconnection_delay.saturating_mul(1 << attempt.saturating_sub(1).min(20));
    let delay = (doubled / 2).min(plan.reconnection_delay_max);
    // Delays are whole milliseconds, and the chance never takes off quite a half.
    u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX).saturating_sub(1_000_000)
}
