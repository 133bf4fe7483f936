//! The parts of the contract, as scenes.

use super::About;
use super::scene::Scene;
use crate::plan::{NamespaceOptions, ServerOptions};

/// Most seats that are filled: each is a connection.
const MOST_SEATS: usize = 50;

/// A part, and how it is shown, or why it cannot be.
pub(super) struct Part {
    /// What it is.
    pub(super) name: String,
    /// The section of `CONTRACT.md`.
    pub(super) section: &'static str,
    /// How it is shown.
    pub(super) scene: Result<Scene, String>,
}

/// Three people in `/`.
const PEOPLE: &str = "[alice, bob, carol]";

/// One who never answers among them.
const MUTE: &str = "{ alice: {}, bob: { answer: never }, carol: {} }";

/// Parts of `/`: name, section, clients, steps.
const COMMON: &[(&str, &str, &str, &str)] = &[
    (
        "lobby",
        "Lobby",
        PEOPLE,
        "
- emit: { from: alice, event: broadcast, args: [{ event: note, to: lobby }], ack: [ok] }
- expect: { at: [bob, carol], event: note, args: [], within: 2s }",
    ),
    (
        "echo",
        "Events",
        PEOPLE,
        "
- emit: { from: alice, event: echo, args: [1.5, \"ü\", null, { a: [true] }], ack: [ok, 1.5, \"ü\", null, { a: [true] }] }
- emit: { from: alice, event: echo, ack: [ok] }",
    ),
    (
        "bytes",
        "Events",
        PEOPLE,
        "
- emit: { from: alice, event: echo, args: [{ hex: \"00ff\" }, { a: { hex: \"01\" } }], ack: [ok, { hex: \"00ff\" }, { a: { hex: \"01\" } }] }
- emit: { from: alice, event: broadcast, args: [{ event: file, args: [{ hex: \"00ff\" }] }], ack: [ok] }
- expect: { at: [bob, carol], event: file, args: [{ hex: \"00ff\" }], within: 2s }",
    ),
    (
        "rooms",
        "Events",
        PEOPLE,
        "
- emit: { from: alice, event: join, args: [[tea, milk, salt]], ack: [ok] }
- emit: { from: alice, event: rooms, ack: [ok, [$sid(alice), lobby, tea, milk, salt]] }",
    ),
    (
        "join",
        "Events",
        PEOPLE,
        "
- emit: { from: alice, event: join, args: [tea], ack: [ok] }
- emit: { from: bob, event: join, args: [[milk, tea]], ack: [ok] }
- emit: { from: carol, event: broadcast, args: [{ event: note, to: tea }], ack: [ok] }
- expect: { at: [alice, bob], event: note, args: [], within: 2s }",
    ),
    (
        "leave",
        "Events",
        PEOPLE,
        "
- emit: { from: [alice, bob], event: join, args: [[tea, milk]], ack: [ok] }
- emit: { from: alice, event: leave, args: [tea], ack: [ok] }
- emit: { from: carol, event: broadcast, args: [{ event: note, to: tea }], ack: [ok] }
- expect: { at: bob, event: note, args: [], within: 2s }
- never: { at: alice, event: note }",
    ),
    (
        "chat",
        "Events",
        PEOPLE,
        "
- emit: { from: alice, event: chat, args: [hi], ack: [ok] }
- expect: { at: [bob, carol], event: chat, args: [hi, { from: $sid(alice) }], within: 2s }
- emit: { from: alice, event: chat, args: [psst, { to: $sid(bob) }], ack: [ok] }
- expect: { at: bob, event: chat, args: [psst, { from: $sid(alice) }], within: 2s }
- never: { at: alice, event: chat }
- never: { at: carol, event: chat, args: [psst, _] }",
    ),
    (
        "broadcast",
        "Events",
        PEOPLE,
        "
- emit: { from: alice, event: broadcast, args: [{ event: note, args: [1, { a: b }] }], ack: [ok] }
- expect: { at: [bob, carol], event: note, args: [1, { a: b }], within: 2s }
- never: { at: alice, event: note }",
    ),
    (
        "to and except",
        "Selection",
        PEOPLE,
        "
- emit: { from: [bob, carol], event: join, args: [[tea, milk]], ack: [ok] }
- emit: { from: carol, event: join, args: [salt], ack: [ok] }
- emit: { from: alice, event: broadcast, args: [{ event: note, to: [tea, milk], except: salt }], ack: [ok] }
- expect: { at: bob, event: note, args: [], exactly: 1, within: 1s }
- never: { at: carol, event: note }",
    ),
    (
        "from the namespace",
        "Selection",
        PEOPLE,
        "
- emit: { from: alice, event: broadcast, args: [{ event: note, from: namespace }], ack: [ok] }
- expect: { at: [alice, bob, carol], event: note, args: [], within: 2s }",
    ),
    (
        "ask",
        "ask and tell",
        PEOPLE,
        "
- emit: { from: alice, event: ask, args: [{ event: lunch, args: [yes, no] }], ack: [ok, [\"yes\", \"yes\"]], timeout: 8s }
- emit: { from: alice, event: ask, args: [{ event: lunch, to: nowhere }], ack: [ok, []], timeout: 8s }",
    ),
    (
        "ask: timeout",
        "ask and tell",
        MUTE,
        "
- emit: { from: alice, event: ask, args: [{ event: lunch, args: [1], timeout: 200 }], ack: [timeout, [1]], timeout: 4s }",
    ),
    (
        "tell",
        "ask and tell",
        PEOPLE,
        "
- emit: { from: alice, event: tell, args: [{ id: $sid(bob), event: lunch, args: [1, 2] }], ack: [ok, 1, 2], timeout: 8s }
- emit: { from: alice, event: tell, args: [{ id: nobody, event: lunch }], ack: [error, no such socket] }
- never: { at: carol, event: lunch }",
    ),
    (
        "tell: timeout",
        "ask and tell",
        MUTE,
        "
- emit: { from: alice, event: tell, args: [{ id: $sid(bob), event: lunch, timeout: 200 }], ack: [timeout], timeout: 4s }",
    ),
    (
        "who",
        "Events",
        PEOPLE,
        "
- emit: { from: alice, event: who, args: [{ to: $sid(bob) }], ack: [ok, [$sid(bob)]] }
- emit: { from: alice, event: who, args: [{ to: nowhere }], ack: [ok, []] }",
    ),
    (
        "move",
        "Events",
        PEOPLE,
        "
- emit: { from: alice, event: move, args: [{ to: $sid(bob), join: [attic], leave: [lobby] }], ack: [ok] }
- emit: { from: alice, event: broadcast, args: [{ event: up, to: attic }], ack: [ok] }
- expect: { at: bob, event: up, args: [], within: 2s }
- emit: { from: alice, event: broadcast, args: [{ event: down, to: lobby }], ack: [ok] }
- expect: { at: carol, event: down, args: [], within: 2s }
- never: { at: bob, event: down }",
    ),
    (
        "kick",
        "Events",
        PEOPLE,
        "
- emit: { from: alice, event: kick, args: [{ to: $sid(bob) }], ack: [ok] }
- expect-connection: { at: bob, state: disconnected, within: 2s }
- expect-connection: { at: carol, state: connected, within: 2s }",
    ),
    (
        "kick: close",
        "Events",
        PEOPLE,
        "
- emit: { from: alice, event: kick, args: [{ to: $sid(bob), close: true }], ack: [ok] }
- expect-connection: { at: bob, state: disconnected, within: 2s }",
    ),
    (
        "set and get",
        "Events",
        PEOPLE,
        "
- emit: { from: alice, event: get, ack: [ok, {}] }
- emit: { from: alice, event: set, args: [name, { first: Al }], ack: [ok] }
- emit: { from: alice, event: get, ack: [ok, { name: { first: Al } }] }
- emit: { from: bob, event: get, ack: [ok, {}] }",
    ),
    (
        "without an ack",
        "Answers",
        PEOPLE,
        "
- emit: { from: alice, event: join, args: [tea] }
- emit: { from: alice, event: echo, ack: [ok] }
- emit: { from: bob, event: broadcast, args: [{ event: note, to: tea }] }
- expect: { at: alice, event: note, args: [], within: 2s }",
    ),
    (
        "error: bad arguments",
        "Answers",
        PEOPLE,
        "
- emit: { from: alice, event: join, ack: [error, bad arguments] }
- emit: { from: alice, event: join, args: [[tea, 1]], ack: [error, bad arguments] }
- emit: { from: alice, event: broadcast, args: [{ event: note, args: 1 }], ack: [error, bad arguments] }
- emit: { from: alice, event: broadcast, args: [{ event: note, to: {} }], ack: [error, bad arguments] }
- emit: { from: alice, event: broadcast, args: [{ event: note, from: me }], ack: [error, bad arguments] }
- emit: { from: alice, event: broadcast, args: [{ event: note, volatile: 1 }], ack: [error, bad arguments] }
- emit: { from: alice, event: ask, args: [{ event: note, timeout: -1 }], ack: [error, bad arguments] }
- emit: { from: alice, event: set, args: [key], ack: [error, bad arguments] }",
    ),
    (
        "error: bad event name",
        "Answers",
        PEOPLE,
        "
- emit: { from: alice, event: broadcast, args: [{}], ack: [error, bad event name] }
- emit: { from: alice, event: broadcast, args: [{ event: 1 }], ack: [error, bad event name] }
- emit: { from: alice, event: broadcast, args: [{ event: connect }], ack: [error, bad event name] }
- emit: { from: alice, event: ask, args: [{ event: disconnecting }], ack: [error, bad event name] }",
    ),
    (
        "unknown namespaces",
        "Namespaces",
        "{ nobody: { namespace: /no-such-namespace-here, refused: Invalid namespace } }",
        "- advance: { by: 1ms }",
    ),
];

/// All parts that a server with these options has.
pub(super) fn parts(about: &About) -> Vec<Part> {
    let options = &about.options;
    let mut parts = transports(options);
    let common = COMMON.iter().map(|(name, section, clients, steps)| Part {
        name: (*name).to_owned(),
        section,
        scene: Ok(Scene::new(*clients, *steps)),
    });
    parts.extend(common);
    parts.push(Part {
        name: "error: unknown event".to_owned(),
        section: "Answers",
        scene: Ok(Scene::new(
            PEOPLE,
            "- emit: { from: alice, event: dance, ack: [error, unknown event] }",
        )
        .about_unknown_events()),
    });
    for (name, gate) in &options.namespaces {
        let is_secret = about.secret.contains(name);
        parts.extend(gates(name, gate, is_secret));
    }
    parts.extend(options.dynamic.iter().map(|pattern| dynamic(pattern)));
    parts
}

fn transports(options: &ServerOptions) -> Vec<Part> {
    let has = |name: &str| {
        options.transports.as_ref().is_none_or(|names| names.iter().any(|known| known == name))
    };
    let part = |name: &str, clients: String, state: &str| Part {
        name: name.to_owned(),
        section: "Connection",
        scene: Ok(Scene::new(
            clients,
            format!(
                "- expect-connection: {{ at: alice, state: {state}, within: 5s }}\n\
                 - emit: {{ from: alice, event: echo, args: [1], ack: [ok, 1] }}"
            ),
        )
        .with_own_transports()),
    };
    let mut parts = Vec::new();
    for name in ["polling", "websocket"].into_iter().filter(|name| has(name)) {
        parts.push(part(name, format!("{{ alice: {{ transports: [{name}] }} }}"), name));
    }
    if has("polling") && has("websocket") && options.allow_upgrades != Some(false) {
        let clients = "{ alice: { transports: [polling, websocket] } }".to_owned();
        parts.push(part("upgrade", clients, "websocket"));
    }
    parts
}

/// A text as YAML has it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn gates(name: &str, gate: &NamespaceOptions, is_secret: bool) -> Vec<Part> {
    let part =
        |what: &str, scene| Part { name: format!("{name}: {what}"), section: "Namespaces", scene };
    let nsp = quoted(name);
    let refused = format!("namespace: {nsp}, refused: not authorized");
    let strangers =
        format!("a: {{ {refused} }}, b: {{ {refused}, auth: {{ token: not the token }} }}");
    let pause = "- advance: { by: 1ms }";
    if is_secret {
        let reason = "the server keeps the token for itself";
        return vec![
            part("strangers", Ok(Scene::new(format!("{{ {strangers} }}"), pause))),
            part("entry", Err(reason.to_owned())),
        ];
    }
    let auth = gate.token.as_deref().map(|token| format!(", auth: {{ token: {} }}", quoted(token)));
    let auth = auth.unwrap_or_default();
    let mut parts = Vec::new();
    if gate.token.is_some() {
        parts.push(part("strangers", Ok(Scene::new(format!("{{ {strangers} }}"), pause))));
    }
    let echo =
        format!("- emit: {{ from: a, namespace: {nsp}, event: echo, args: [1], ack: [ok, 1] }}");
    parts.push(part(
        "entry",
        Ok(Scene::new(format!("{{ a: {{ namespace: {nsp}{auth} }} }}"), echo)),
    ));
    if let Some(seats) = gate.seats {
        parts.push(part("seats", self::seats(&nsp, &auth, seats)));
    }
    parts
}

/// So many sit down, and one more finds no seat.
fn seats(nsp: &str, auth: &str, seats: usize) -> Result<Scene, String> {
    if seats > MOST_SEATS {
        return Err(format!(
            "{seats} seats are more than are filled to see whether there is one more"
        ));
    }
    let member = |name: &str, refused: &str| {
        format!("{name}: {{ namespace: {nsp}{auth}, connect: false{refused} }}")
    };
    let names: Vec<String> = (1..=seats).map(|number| format!("s{number}")).collect();
    let mut clients: Vec<String> = names.iter().map(|name| member(name, "")).collect();
    clients.push(member("late", ", refused: namespace is full"));
    let who = names.iter().map(String::as_str).chain(["late"]);
    let steps: Vec<String> = who.map(|name| format!("- connect: {{ who: {name} }}")).collect();
    Ok(Scene::new(format!("{{ {} }}", clients.join(", ")), steps.join("\n")))
}

/// A name that the pattern lets in.
fn dynamic(pattern: &str) -> Part {
    let scene = sample(pattern).map(|name| {
        let nsp = quoted(&name);
        Scene::new(
            format!("{{ a: {{ namespace: {nsp} }} }}"),
            format!(
                "- emit: {{ from: a, namespace: {nsp}, event: echo, args: [1], ack: [ok, 1] }}"
            ),
        )
    });
    Part { name: format!("namespaces like {pattern}"), section: "Namespaces", scene }
}

fn sample(pattern: &str) -> Result<String, String> {
    use proptest::strategy::{Strategy, ValueTree};
    use proptest::test_runner::TestRunner;

    let none = || "no name was found that matches".to_owned();
    let body = pattern.trim_start_matches('^').trim_end_matches('$').replace("\\d", "[0-9]");
    let names = proptest::string::string_regex(&body).map_err(|_| none())?;
    let regex = regex::Regex::new(pattern).map_err(|error| error.to_string())?;
    let mut runner = TestRunner::deterministic();
    let found = (0..100).find_map(|_| {
        let name = names.new_tree(&mut runner).ok()?.current();
        let name = if name.starts_with('/') { name } else { format!("/{name}") };
        (name.len() < 100 && regex.is_match(&name)).then_some(name)
    });
    found.ok_or_else(none)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_for_patterns() {
        let name = sample("^/room-\\d+$").unwrap();
        assert!(name.starts_with("/room-"), "{name}");
        assert!(sample("^/never$x").is_err());
    }
}
