//! Histories in words, and as pictures for other tools: Mermaid and Chrome's trace viewer.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use overheard_core::value::Value;
use serde_json::{Value as Json, json};

use super::time;
use crate::history::{Action, Audience, EndReason, Event, History, Operation, What};
use crate::plan::{Action as StepAction, Step};

/// Mermaid gives up on long diagrams, and so do readers.
const MAX_MESSAGES: usize = 60;

/// Characters of arguments that are shown.
const MAX_ARGS: usize = 60;

/// What happened, in a few words.
#[must_use]
pub fn describe(what: &What) -> String {
    match what {
        What::StepBegin => "step begins".to_owned(),
        What::StepEnd => "step is over".to_owned(),
        What::Quiet => "quiet".to_owned(),
        What::AllHealed => "all faults are healed".to_owned(),
        What::Closing => "the clients leave".to_owned(),
        What::End { reason } => format!("the end: {}", end(reason)),
        What::Invoke { op, operation } => format!("{} [op {op}]", asked(operation)),
        What::Ok { op, values } => format!("ok{} [op {op}]", args(values)),
        What::Fail { op, error } => format!("failed: {error} [op {op}]"),
        What::Info { op, error } => format!("unsure: {error} [op {op}]"),
        What::Connected { nsp, sid, recovered } | What::Entered { nsp, sid, recovered, .. } => {
            let how = if *recovered { "recovered" } else { "connected" };
            format!("{how} in {nsp} as {sid}")
        }
        What::Refused { nsp, message, .. } => format!("refused in {nsp}: {message}"),
        What::Disconnected { nsp, reason } => format!("disconnected from {nsp}: {reason}"),
        What::Opened { transport } => format!("opened {transport}"),
        What::Upgraded => "upgraded to websocket".to_owned(),
        What::Reconnecting { attempt } => format!("reconnecting, attempt {attempt}"),
        What::Received { nsp, event, args: values, .. } => {
            format!("got {event}{}{}", args(values), within(nsp))
        }
        What::Answered { nsp, values } => format!("answered {}{}", args(values), within(nsp)),
        What::Dropped { op } => format!("dropped its volatile event [op {op}]"),
        What::Left { nsp, sid, reason } => format!("{sid} left {nsp}: {reason}"),
        What::Accepted { nsp, sid, event, args: values, .. } => {
            format!("accepted {event}{} of {sid}{}", args(values), within(nsp))
        }
        What::Acted { op, action } => format!("{} [op {op}]", acted(action)),
        What::BroadcastAcked { op, responses, timed_out } => {
            let late = if *timed_out { ", some are missing" } else { "" };
            format!("answers {}{late} [op {op}]", args(responses))
        }
        What::Rooms { nsp, rooms, .. } => format!("rooms of {nsp}: {}", rooms.len()),
        What::Counters(counters) => {
            format!("{} connections, {} sockets", counters.connections, counters.sockets)
        }
        What::Up => "up".to_owned(),
        What::Down => "down".to_owned(),
        What::Fault { id, what, .. } => format!("fault {id}: {what}"),
        What::Healed { id, touched } => format!("fault {id} is over, {touched} touched"),
    }
}

fn end(reason: &EndReason) -> String {
    match reason {
        EndReason::Complete => "complete".to_owned(),
        EndReason::Bound(why) => format!("given up: {why}"),
        EndReason::Broken(why) => format!("broken: {why}"),
        EndReason::Skipped(why) => format!("not played: {why}"),
        EndReason::NoServer(why) => format!("no server: {why}"),
        EndReason::ServerDied(how) => format!("the server ended by itself: {how}"),
    }
}

fn asked(operation: &Operation) -> String {
    match operation {
        Operation::Connect { nsp, .. } => format!("connect to {nsp}"),
        Operation::Disconnect { nsp } => format!("disconnect from {nsp}"),
        Operation::Emit { nsp, event, args: values, .. } => {
            format!("emit {event}{}{}", args(values), within(nsp))
        }
    }
}

fn acted(action: &Action) -> String {
    match action {
        Action::Broadcast { to, event, args: values, .. } => {
            format!("broadcast {event}{} to {}", args(values), audience(to))
        }
        Action::Move { who, join, leave } => {
            format!("move {} into {join:?} out of {leave:?}", audience(who))
        }
        Action::Kick { who, .. } => format!("kick {}", audience(who)),
        Action::Close => "close the server".to_owned(),
    }
}

fn audience(audience: &Audience) -> String {
    let to = if audience.to.is_empty() { "all".to_owned() } else { audience.to.join(", ") };
    let except = if audience.except.is_empty() {
        String::new()
    } else {
        format!(" except {}", audience.except.join(", "))
    };
    format!("{to}{except}{}", within(&audience.nsp))
}

fn within(nsp: &str) -> String {
    if nsp == "/" { String::new() } else { format!(" in {nsp}") }
}

/// Arguments as in a call, shortened.
#[must_use]
pub fn args(values: &[Value]) -> String {
    let texts: Vec<String> = values.iter().map(value).collect();
    let text = texts.join(", ");
    if text.chars().count() > MAX_ARGS {
        let short: String = text.chars().take(MAX_ARGS).collect();
        format!("({short}…)")
    } else {
        format!("({text})")
    }
}

fn value(value: &Value) -> String {
    crate::matching::show(value)
}

/// Where the steps of a plan stand, by their numbers.
#[must_use]
pub fn places(steps: &[Step]) -> BTreeMap<u32, String> {
    let mut places = BTreeMap::new();
    for step in steps {
        places.insert(step.id.0, format!("{}:{}", step.span.file, step.span.line));
        if let StepAction::Together(inner) = &step.action {
            places.append(&mut self::places(inner));
        }
    }
    places
}

/// One line per event, for people. Steps are named by their places, where these are known.
#[must_use]
pub fn story(
    history: &History,
    places: &BTreeMap<u32, String>,
    keep: &dyn Fn(&Event) -> bool,
) -> String {
    let header = &history.header;
    let mut text = format!("{} ({}, seed {})\n", header.scenario, header.file, header.seed);
    let width = header.clients.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(6);
    for event in history.events.iter().filter(|event| keep(event)) {
        let step = match event.step.map(|step| (step, places.get(&step))) {
            Some((_, Some(place))) => format!("  ({place})"),
            Some((step, None)) => format!("  (step {step})"),
            None => String::new(),
        };
        let (t, n) = (time(event.t), format!("#{}", event.n));
        let told = super::human::one_line(&describe(&event.what));
        let _ = writeln!(text, "{t:>12}  {n:<7} {:<width$}  {told}{step}", event.who);
    }
    text
}

/// Whether an event says something about the world, and not about the run.
#[must_use]
pub fn matters(event: &Event) -> bool {
    !matches!(
        event.what,
        What::StepBegin | What::StepEnd | What::Rooms { .. } | What::Counters(_) | What::Quiet
    )
}

/// A message between a client and the server.
struct Message<'a> {
    event: &'a Event,
    up: bool,
    text: String,
}

fn message(event: &Event) -> Option<Message<'_>> {
    let up = match &event.what {
        What::Invoke { .. } | What::Answered { .. } => true,
        What::Received { .. }
        | What::Ok { .. }
        | What::Connected { .. }
        | What::Refused { .. }
        | What::Disconnected { .. } => false,
        What::StepBegin
        | What::StepEnd
        | What::Quiet
        | What::AllHealed
        | What::Closing
        | What::End { .. }
        | What::Fail { .. }
        | What::Info { .. }
        | What::Opened { .. }
        | What::Upgraded
        | What::Reconnecting { .. }
        | What::Dropped { .. }
        | What::Entered { .. }
        | What::Left { .. }
        | What::Accepted { .. }
        | What::Acted { .. }
        | What::BroadcastAcked { .. }
        | What::Rooms { .. }
        | What::Counters(_)
        | What::Up
        | What::Down
        | What::Fault { .. }
        | What::Healed { .. } => return None,
    };
    Some(Message { event, up, text: describe(&event.what) })
}

/// A sequence diagram of at most 60 messages around a time, or of the first ones.
#[must_use]
pub fn mermaid(history: &History, at: Option<u64>) -> String {
    let messages: Vec<Message<'_>> = history.events.iter().filter_map(message).collect();
    let around = at.map_or(0, |at| messages.partition_point(|message| message.event.t < at));
    let first = around.saturating_sub(MAX_MESSAGES / 2);
    let first = first.min(messages.len().saturating_sub(MAX_MESSAGES));
    let shown = &messages[first..messages.len().min(first + MAX_MESSAGES)];
    let mut text = String::from("sequenceDiagram\n");
    let known = |name: &str| history.header.clients.iter().position(|client| client == name);
    let mut used: Vec<usize> =
        shown.iter().filter_map(|message| known(&message.event.who)).collect();
    used.sort_unstable();
    used.dedup();
    for client in used {
        let _ = writeln!(
            text,
            "    participant c{client} as {}",
            entity(&history.header.clients[client])
        );
    }
    text.push_str("    participant server\n");
    if shown.len() < messages.len() {
        let (from, to) = (first + 1, first + shown.len());
        let _ =
            writeln!(text, "    Note over server: messages {from} to {to} of {}", messages.len());
    }
    for message in shown {
        let Some(client) = known(&message.event.who) else { continue };
        let told = entity(&message.text);
        let t = time(message.event.t);
        let n = message.event.n;
        let _ = if message.up {
            writeln!(text, "    c{client}->>server: {told} (no. {n}, {t})")
        } else {
            writeln!(text, "    server->>c{client}: {told} (no. {n}, {t})")
        };
    }
    text
}

/// A user's text within Mermaid.
fn entity(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_alphanumeric() || " .,()/_-:!?'+=[]".contains(c) {
            escaped.push(c);
        } else if c.is_control() {
            escaped.push(' ');
        } else {
            let _ = write!(escaped, "#{};", u32::from(c));
        }
    }
    escaped
}

/// Trace events for `chrome://tracing` and Perfetto: a row per client, a slice per operation, an
/// arrow per cause.
#[must_use]
pub fn chrome(history: &History) -> String {
    let mut rows: BTreeMap<&str, usize> = BTreeMap::new();
    let fixed = ["run", "net", "server"];
    let clients = history.header.clients.iter().map(String::as_str);
    for name in fixed.into_iter().chain(clients) {
        let next = rows.len();
        rows.entry(name).or_insert(next);
    }
    let row = |event: &Event| rows.get(event.who.as_str()).copied().unwrap_or_default();
    let mut events: Vec<Json> = rows
        .iter()
        .map(|(name, row)| {
            json!({"name": "thread_name", "ph": "M", "pid": 1, "tid": row, "args": {"name": name}})
        })
        .collect();
    let mut open: BTreeMap<u64, &Event> = BTreeMap::new();
    for event in &history.events {
        let (name, tid, ts) = (describe(&event.what), row(event), micros(event.t));
        let args = json!({"n": event.n, "step": event.step});
        events.push(json!({"name": name, "ph": "i", "s": "t", "pid": 1, "tid": tid, "ts": ts, "args": args}));
        if let What::Invoke { op, .. } = &event.what {
            open.insert(*op, event);
        }
        if let What::Ok { op, .. } | What::Fail { op, .. } | What::Info { op, .. } = &event.what
            && let Some(begun) = open.remove(op)
        {
            let (name, ts) = (describe(&begun.what), micros(begun.t));
            let dur = micros(event.t - begun.t);
            let tid = row(begun);
            events
                .push(json!({"name": name, "ph": "X", "pid": 1, "tid": tid, "ts": ts, "dur": dur}));
        }
        let parent = event.parent.and_then(|n| usize::try_from(n).ok());
        if let Some(cause) = parent.and_then(|n| history.events.get(n)) {
            let from = (row(cause), micros(cause.t));
            events.push(json!({"name": "cause", "cat": "cause", "ph": "s", "id": event.n, "pid": 1, "tid": from.0, "ts": from.1}));
            events.push(json!({"name": "cause", "cat": "cause", "ph": "f", "bp": "e", "id": event.n, "pid": 1, "tid": tid, "ts": ts}));
        }
    }
    let header = &history.header;
    let other = json!({"scenario": header.scenario, "file": header.file, "seed": header.seed});
    format!("{}\n", json!({"displayTimeUnit": "ns", "otherData": other, "traceEvents": events}))
}

/// Microseconds with their nanoseconds.
fn micros(nanos: u64) -> Json {
    let text = format!("{}.{:03}", nanos / 1_000, nanos % 1_000);
    text.parse::<serde_json::Number>().map_or(Json::Null, Json::Number)
}
