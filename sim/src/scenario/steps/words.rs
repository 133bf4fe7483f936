//! The built-in steps and their keys.

use crate::diagnostic::Diagnostic;
use crate::plan::Direction;
use crate::scenario::codes;
use crate::scenario::cx::{Cx, nearest};
use crate::scenario::node::{Entry, Node};
use crate::span::Spanned;

/// Every built-in step with its keys, besides `id`. `together` and `repeat` hold other steps.
pub(in crate::scenario) const STEPS: &[(&str, &[&str])] = &[
    ("connect", &["who", "auth"]),
    ("disconnect", &["who", "namespace"]),
    (
        "emit",
        &[
            "from",
            "event",
            "args",
            "namespace",
            "ack",
            "ack-fails",
            "timeout",
            "wait",
            "volatile",
            "times",
            "every",
        ],
    ),
    (
        "broadcast",
        &[
            "namespace",
            "to",
            "except",
            "event",
            "args",
            "volatile",
            "ack",
            "timeout",
            "times",
            "every",
        ],
    ),
    ("move", &["namespace", "to", "except", "join", "leave"]),
    ("kick", &["namespace", "to", "except", "close"]),
    ("close-server", &[]),
    ("raw", &["transport", "enter", "send", "bytes", "closes", "linger"]),
    ("advance", &["by"]),
    ("together", &[]),
    ("repeat", &["times", "steps"]),
    (
        "expect",
        &[
            "at",
            "event",
            "args",
            "namespace",
            "exactly",
            "at-least",
            "at-most",
            "within",
            "eventually",
            "capture",
            "order",
            "any-order",
            "all-of",
        ],
    ),
    ("never", &["at", "event", "args", "namespace", "for", "since", "until"]),
    ("expect-connection", &["at", "namespace", "state", "reason", "within", "eventually"]),
    ("expect-rooms", &["at", "namespace", "rooms"]),
    ("cut", &["who"]),
    ("half-close", &["who"]),
    ("stall", &["who", "direction", "for"]),
    ("black-hole", &["who", "direction", "for"]),
    ("delay", &["who", "by", "for"]),
    ("chop", &["who", "bytes", "for"]),
    ("refuse", &["who", "for"]),
    ("partition", &["rack", "for"]),
    ("hold", &["rack", "for"]),
    ("crash", &["restart"]),
    ("heal", &["what"]),
];

pub(in crate::scenario) const DIRECTIONS: [(Direction, &str); 3] =
    [(Direction::Up, "up"), (Direction::Down, "down"), (Direction::Both, "both")];

/// Words of `state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scenario) enum State {
    Connected,
    Recovered,
    Disconnected,
    Refused,
    Polling,
    WebSocket,
}

pub(in crate::scenario) const STATES: [(State, &str); 6] = [
    (State::Connected, "connected"),
    (State::Recovered, "recovered"),
    (State::Disconnected, "disconnected"),
    (State::Refused, "refused"),
    (State::Polling, "polling"),
    (State::WebSocket, "websocket"),
];

/// Names that only the protocol itself emits (`BC-09`).
pub(in crate::scenario) const RESERVED_EVENTS: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// The names of the built-in steps.
pub(in crate::scenario) fn step_names() -> impl Iterator<Item = &'static str> {
    STEPS.iter().map(|(name, _)| *name)
}

/// Reports a step that is not a map with one key.
pub(in crate::scenario) fn not_a_step(cx: &mut Cx, node: &Node) {
    let error = |title, label: &str| Diagnostic::error(codes::NOT_A_STEP, title, &node.span, label);
    let shape = "a step is a map with one key: `- emit: { from: alice, event: chat }`";
    if let Some(name) = node.text() {
        let title = format!("a step is a map with one key, and this is the text `{name}`");
        let error = error(title, "not a step");
        let fixed = nearest(name, &step_names().collect::<Vec<_>>());
        cx.report(match fixed {
            Some(step) => {
                error.help("add a colon, and its keys").suggest(&node.span, format!("{step}: {{}}"))
            }
            None => error.help(shape),
        });
        return;
    }
    let Some(entries) = node.map() else {
        let title = format!("a step is a map with one key, and this is {node}");
        cx.report(error(title, "not a step").help(shape));
        return;
    };
    let step = entries.iter().find(|entry| step_names().any(|name| name == entry.key.value));
    let other =
        entries.iter().find(|entry| step.is_none_or(|step| step.key.span != entry.key.span));
    let (Some(step), Some(other)) = (step, other) else {
        cx.report(
            error(
                format!("a step is a map with one key, and this one has {}", entries.len()),
                "not a step",
            )
            .help(shape),
        );
        return;
    };
    let name = &step.key.value;
    let keys = STEPS.iter().find(|(known, _)| known == name).map_or(&[][..], |(_, keys)| keys);
    let title = format!("a step is a map with one key, and this one has {}", entries.len());
    let label = format!("`{}` stands beside `{name}`", other.key.value);
    let error = Diagnostic::error(codes::NOT_A_STEP, title, &other.key.span, label)
        .context(&step.key.span, "the step");
    let belongs = keys.contains(&other.key.value.as_str()) || other.key.value == "id";
    let another = step_names().any(|name| name == other.key.value);
    cx.report(if belongs {
        let moved = format!("move it in: `{name}: {{ …, {}: … }}`", other.key.value);
        error.help(format!("{moved}, or indent it further than `{name}`"))
    } else if another {
        error.help("begin another step with `- `")
    } else {
        error.help(shape)
    });
}

/// Reports a step that does not exist.
pub(in crate::scenario) fn unknown_step<'v>(
    cx: &mut Cx,
    key: &Spanned<String>,
    verbs: impl Iterator<Item = &'v str>,
) {
    let verbs: Vec<&str> = verbs.collect();
    let mut known: Vec<&str> = verbs.clone();
    step_names().for_each(|name| known.push(name));
    let title = format!("there is no step `{}`", key.value);
    let label = "neither built in nor a verb under `use`";
    let error = Diagnostic::error(codes::UNKNOWN_STEP, title, &key.span, label);
    let error = match nearest(&key.value, &known) {
        Some(near) => error.help(format!("did you mean `{near}`?")).suggest(&key.span, near),
        None if CHAT_VERBS.contains(&key.value.as_str()) => error.help(
            "it is a verb of the chat application: `use: [verbs/chat.yaml]`, relative to this file",
        ),
        None => match elsewhere(&key.value) {
            Some(help) => error.help(help),
            None => {
                let names = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
                error.help(format!("there are {}", names.join(", ")))
            }
        },
    };
    cx.report(error);
}

/// Verbs of `scenarios/verbs/chat.yaml`.
const CHAT_VERBS: [&str; 8] = ["join", "leave", "say", "tell", "ask", "who", "rooms", "set"];

/// What people look for under another name.
fn elsewhere(name: &str) -> Option<&'static str> {
    Some(match name {
        "wait" | "sleep" | "pause" => "virtual time passes by `advance: { by: 1s }`",
        "send" => "clients send by `emit`, the server by `broadcast`",
        "on" | "receive" | "assert" => "what must be received is an `expect`",
        "reconnect" => "a client comes back by `connect: { who: … }`, or by itself after a `cut`",
        "drop" | "kill" | "reset" => "`cut` resets connections, `black-hole` loses bytes silently",
        _ => return None,
    })
}

/// The only entry of a step.
pub(in crate::scenario) fn only_entry<'n>(cx: &mut Cx, node: &'n Node) -> Option<&'n Entry> {
    if let Some([entry]) = node.map() {
        return Some(entry);
    }
    not_a_step(cx, node);
    None
}
