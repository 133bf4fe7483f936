//! Connections end for a reason: a silent peer is dropped in time, and a live one never, whatever
//! others send.

use std::time::Duration;

use overheard_core::value::Value;

use super::Case;
use super::codes::{BYSTANDER, LIVE_DROPPED, SILENT_KEPT};
use super::links::clients;
use super::sheet::{Sheet, concern, show_time};
use crate::history::{Action, What};
use crate::oracle::facts::{FaultTime, Life, Pos};
use crate::oracle::names::index;
use crate::plan::{self, ClientPlan, Plan};
use crate::verdict::Property;

/// Heartbeats of the reference (`EIO-HS-03`).
const PING_INTERVAL: Duration = Duration::from_secs(25);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// What processing and rounding may take besides the link's delay.
const SLACK: u64 = 1_000_000_000;

/// Attachments that one packet may have by default.
const MOST: usize = 10;

/// The largest message of the reference, in bytes.
const LARGEST: usize = 1_000_000;

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Judges how connections ended, and which should have.
pub(super) fn check(case: &Case<'_>, sheet: &mut Sheet) {
    let Some(plan) = case.facts.plan else { return };
    let hostile = case.steps.iter().any(|place| matches!(place.step.action, plan::Action::Raw(_)));
    for client in clients(&case.facts) {
        let Some(options) = plan.clients.get(index(client)) else { continue };
        for sid in case.sockets_of(client) {
            for life in &case.facts.sockets[index(sid)].lives {
                live(case, sheet, (plan, options), client, life, hostile);
            }
        }
        if case.facts.exact {
            for fault in case.links.faults_of(client) {
                silent(case, sheet, (plan, options), client, fault);
            }
        }
    }
}

impl Case<'_> {
    /// The sockets of a client, by number.
    pub(crate) fn sockets_of(&self, client: u32) -> impl Iterator<Item = u32> {
        let places = self.facts.places.range((client, 0)..=(client, u32::MAX));
        places.flat_map(|(_, place)| place.sockets.iter().copied())
    }

    /// Whether the server died or closed between two places, or shortly before.
    pub(crate) fn server_ended(&self, from: Pos, to: Pos) -> bool {
        let events = &self.facts.events[index(from)..index(to)];
        events.iter().any(|event| {
            matches!(event.what, What::Down | What::Acted { action: Action::Close, .. })
        })
    }
}

fn live(
    case: &Case<'_>,
    sheet: &mut Sheet,
    (plan, options): (&Plan, &ClientPlan),
    client: u32,
    life: &Life,
    hostile: bool,
) {
    let facts = &case.facts;
    let (property, checker) =
        if hostile { (Property::P19, "bystanders") } else { (Property::P14, "heartbeat") };
    let tally = sheet.tally(property, checker, "connections");
    tally.judged += 1;
    let Some((end, reason)) = &life.end else { return };
    if *end > facts.closing || reason.starts_with("io ") {
        return;
    }
    let timeout = plan.server.ping_timeout.unwrap_or(PING_TIMEOUT);
    let short = nanos(options.slowest()).saturating_mul(4).saturating_add(SLACK / 2);
    let excuse = if case.links.touched(facts, client, life.from, *end) {
        Some("faulted link")
    } else if case.server_ended(life.from, *end) {
        Some("the server ended")
    } else if plan.server.reference_quirks {
        Some("quirks of the reference")
    } else if reason == "ping timeout" && nanos(timeout) <= short {
        Some("heartbeat shorter than the link")
    } else if too_large(case, plan, client, life.from, *end) {
        Some("a message over the limit")
    } else if too_many_attachments(case, client, life.from, *end) {
        Some("too many attachments")
    } else {
        None
    };
    if let Some(reason) = excuse {
        *tally.allowed.entry(reason).or_default() += 1;
        return;
    }
    let name = facts.client(client);
    let (code, title) = if hostile {
        (&BYSTANDER, format!("{name} lost its connection ({reason}), and did nothing wrong"))
    } else {
        (&LIVE_DROPPED, format!("the connection of {name} ended ({reason}) without a cause"))
    };
    let mut finding = case.finding(code, Some(*end), title);
    concern(&mut finding, [name]);
    sheet.find(finding);
}

/// Whether a client sent something that a server may refuse for its size.
fn too_large(case: &Case<'_>, plan: &Plan, client: u32, from: Pos, to: Pos) -> bool {
    let limit = plan.server.max_http_buffer_size.unwrap_or(LARGEST);
    let first = case.facts.ops.partition_point(|op| op.invoke < from);
    let ops = case.facts.ops[first..].iter().take_while(|op| op.invoke < to);
    ops.filter(|op| op.client == client).filter_map(|op| op.emit).any(|emit| {
        let size: usize = case.facts.contents.args(emit.content).iter().map(size).sum();
        // Text may be escaped and bytes may be sent as base-64.
        size.saturating_mul(2).saturating_add(256) > limit
    })
}

/// Whether a client sent, or was sent, a packet with more attachments than either side takes
/// (`SIO-ENC-08`).
fn too_many_attachments(case: &Case<'_>, client: u32, from: Pos, to: Pos) -> bool {
    let facts = &case.facts;
    let within = |pos: Pos| from < pos && pos < to;
    let many = |content| facts.contents.args(content).iter().map(attachments).sum::<usize>() > MOST;
    let mut emits = facts.ops.iter().filter(|op| op.client == client && within(op.invoke));
    emits.any(|op| op.emit.is_some_and(|emit| many(emit.content)))
        || case.sockets_of(client).any(|sid| {
            case.model.owed[index(sid)].iter().any(|owed| {
                let send = &case.model.sends[index(owed.send)];
                within(send.at.lo) && many(send.content)
            })
        })
}

fn attachments(value: &Value) -> usize {
    match value {
        Value::Binary(_) => 1,
        Value::Array(items) => items.iter().map(attachments).sum(),
        Value::Object(object) => object.iter().map(|(_, value)| attachments(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 20,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(size).sum::<usize>() + 2,
        Value::Object(object) => {
            object.iter().map(|(key, value)| key.len() + 4 + size(value)).sum::<usize>() + 2
        }
        Value::Binary(bytes) => bytes.len() + 50,
    }
}

fn silent(
    case: &Case<'_>,
    sheet: &mut Sheet,
    (plan, options): (&Plan, &ClientPlan),
    client: u32,
    fault: &FaultTime,
) {
    if !matches!(fault.kind.as_str(), "black-hole" | "partition" | "stall" | "hold") {
        return;
    }
    let facts = &case.facts;
    let interval = plan.server.ping_interval.unwrap_or(PING_INTERVAL);
    let timeout = plan.server.ping_timeout.unwrap_or(PING_TIMEOUT);
    let slack = nanos(options.slowest()).saturating_mul(4).saturating_add(SLACK);
    let began = facts.time(fault.from);
    let deadline = began.saturating_add(nanos(interval + timeout)).saturating_add(slack);
    let end = facts.events.last().map_or(0, |event| event.t);
    // While it lasts nothing is heard; what happens after it is another story.
    let open = if fault.touched.is_none() { end } else { facts.time(fault.to) };
    if deadline > open.min(end) || case.server_ended(0, facts.last()) {
        return;
    }
    for sid in case.sockets_of(client) {
        let socket = &facts.sockets[index(sid)];
        let entered = socket.entered.iter().rev().find(|pos| **pos < fault.from);
        let Some(entered) = entered else { continue };
        let left = socket.left.iter().map(|(pos, _)| *pos).find(|pos| pos > entered);
        if left.is_some_and(|left| left < fault.from) {
            continue;
        }
        sheet.tally(Property::P14, "silence-noticed", "peers").judged += 1;
        if left.is_none_or(|left| facts.time(left) > deadline) {
            let name = facts.client(client);
            let (since, until) = (show_time(began), show_time(deadline));
            let title = format!("{name} was silent since {since}, and still there at {until}");
            let mut finding = case.finding(&SILENT_KEPT, Some(fault.from), title);
            concern(&mut finding, [name]);
            finding.cause = case.label(facts.step(fault.from), "silent from here on");
            sheet.find(finding);
        }
    }
}
