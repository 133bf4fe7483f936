//! Readers for what surrounds the clients: network, bounds and the options of the server.

use std::time::Duration;

use regex::Regex;

use super::cx::Cx;
use super::fields::Fields;
use super::node::Node;
use super::{Network, Preset, codes};
use crate::diagnostic::Diagnostic;
use crate::plan::{Bounds, NamespacePlan, ServerPlan, TransportName};
use crate::span::Span;

pub(super) const NETWORK: &[&str] = &["latency", "jitter", "chop"];

pub(super) const BOUNDS: &[&str] = &["virtual", "quiet", "settle", "events"];

pub(super) const SERVER: &[&str] = &[
    "ping-interval",
    "ping-timeout",
    "connect-timeout",
    "upgrade-timeout",
    "max-http-buffer-size",
    "transports",
    "allow-upgrades",
    "recovery",
    "cleanup-empty-child-namespaces",
    "max-connections",
    "quirks",
    "namespaces",
    "dynamic",
];

pub(super) const NAMESPACE: &[&str] = &["token", "seats", "auth-delay"];

pub(super) const TRANSPORTS: [(TransportName, &str); 2] =
    [(TransportName::Polling, "polling"), (TransportName::WebSocket, "websocket")];

pub(super) const QUIRKS: [(bool, &str); 2] = [(false, "mended"), (true, "reference")];

impl Network {
    pub(super) fn preset(preset: Preset) -> Self {
        let (latency, jitter) = (preset.latency(), preset.jitter());
        Self { name: preset.name().into(), latency, jitter, chop: None }
    }
}

pub(super) fn network(cx: &mut Cx, node: &Node, at: &Span) -> Option<Network> {
    if node.written().is_some() && !node.is_null() {
        return cx.word(node, "`network`", &Preset::ALL).map(Network::preset);
    }
    let fields = cx.fields(node, "`network`", at, NETWORK)?;
    let lan = Preset::Lan.latency();
    let latency = fields.get("latency").map_or(Some(lan), |node| cx.latency(node, "`latency`"));
    let jitter = fields.get("jitter").map_or(Some(Duration::ZERO), |node| cx.jitter(node));
    let chop = match fields.get("chop") {
        Some(node) => Some(cx.integer(node, "`chop`", 1..=65_536)?),
        None => None,
    };
    Some(Network { name: "custom".into(), latency: latency?, jitter: jitter?, chop })
}

pub(super) fn bounds(cx: &mut Cx, node: &Node, at: &Span) -> Option<Bounds> {
    let fields = cx.fields(node, "`bounds`", at, BOUNDS)?;
    let mut bounds = Bounds::default();
    let mut time = |key, to: &mut Duration| {
        if let Some(time) = fields.get(key).and_then(|node| cx.some_time(node, &format!("`{key}`")))
        {
            *to = time;
        }
    };
    time("virtual", &mut bounds.max_virtual);
    time("quiet", &mut bounds.quiet);
    time("settle", &mut bounds.settle);
    if let Some(node) = fields.get("events") {
        bounds.max_events = cx.integer(node, "`events`", 1..=1_000_000_000)?;
    }
    Some(bounds)
}

pub(super) fn server(cx: &mut Cx, node: &Node, at: &Span) -> Option<ServerPlan> {
    let fields = cx.fields(node, "`server`", at, SERVER)?;
    let mut time = |key| fields.get(key).and_then(|node| cx.some_time(node, &format!("`{key}`")));
    let mut server = ServerPlan {
        ping_interval: time("ping-interval"),
        ping_timeout: time("ping-timeout"),
        connect_timeout: time("connect-timeout"),
        upgrade_timeout: time("upgrade-timeout"),
        recovery: time("recovery"),
        ..ServerPlan::default()
    };
    let size = fields.get("max-http-buffer-size");
    server.max_http_buffer_size =
        size.and_then(|node| cx.integer(node, "`max-http-buffer-size`", 1..=1 << 30));
    let most = fields.get("max-connections");
    server.max_connections =
        most.and_then(|node| cx.integer(node, "`max-connections`", 1..=1_000_000));
    server.transports = fields.get("transports").and_then(|node| transports(cx, node));
    server.allow_upgrades =
        fields.get("allow-upgrades").and_then(|node| cx.boolean(node, "`allow-upgrades`"));
    let cleanup = "cleanup-empty-child-namespaces";
    server.cleanup_empty_child_namespaces =
        fields.get(cleanup).and_then(|node| cx.boolean(node, &format!("`{cleanup}`")));
    let quirks = fields.get("quirks").and_then(|node| cx.word(node, "`quirks`", &QUIRKS));
    server.reference_quirks = quirks.unwrap_or(false);
    server.namespaces = namespaces(cx, &fields);
    server.dynamic = dynamic(cx, &fields);
    Some(server)
}

fn namespaces(cx: &mut Cx, fields: &Fields<'_>) -> Vec<NamespacePlan> {
    let Some(node) = fields.get("namespaces") else { return Vec::new() };
    let Some(entries) = node.map() else {
        cx.wrong(node, "`namespaces` of the server", "a map of names to options");
        return Vec::new();
    };
    let mut namespaces = Vec::new();
    for entry in entries {
        let name = &entry.key.value;
        let Some(()) = namespace_name(cx, name, &entry.key.span) else { continue };
        if name == "/" {
            let title = "the namespace `/` has no gate: the chat application lets everybody in";
            let error = Diagnostic::error(codes::CONFLICT, title, &entry.key.span, "always open");
            cx.report(error.help("put the gate before another namespace"));
            continue;
        }
        let mut plan = NamespacePlan {
            name: name.clone(),
            token: None,
            seats: None,
            auth_delay: Default::default(),
        };
        if !entry.value.is_null() {
            let what = format!("the namespace `{name}`");
            let Some(options) = cx.fields(&entry.value, &what, &entry.key.span, NAMESPACE) else {
                continue;
            };
            plan.token =
                options.get("token").and_then(|node| cx.text(node, "`token`")).map(Into::into);
            plan.seats =
                options.get("seats").and_then(|node| cx.integer(node, "`seats`", 1..=1_000_000));
            let delay = options.get("auth-delay");
            let delay = delay.and_then(|node| cx.duration(node, "`auth-delay`"));
            plan.auth_delay = delay.unwrap_or_default();
        }
        namespaces.push(plan);
    }
    namespaces
}

fn dynamic(cx: &mut Cx, fields: &Fields<'_>) -> Vec<String> {
    let Some(list) = fields.get("dynamic").and_then(|node| cx.list(node, "`dynamic`")) else {
        return Vec::new();
    };
    let mut patterns = Vec::new();
    for node in list {
        let Some(text) = cx.words(node, "a pattern of `dynamic`") else { continue };
        if let Err(error) = Regex::new(text) {
            cx.report(bad_regex(&error, &node.span));
            continue;
        }
        patterns.push(text.to_owned());
    }
    patterns
}

/// A regular expression that cannot be read, with the parser's last line: the lines above it draw
/// the place, which the span does better.
pub(super) fn bad_regex(error: &regex::Error, span: &Span) -> Diagnostic {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    let reason = last.strip_prefix("error: ").unwrap_or(last);
    let title = format!("the regular expression cannot be read: {reason}");
    Diagnostic::error(codes::BAD_REGEX, title, span, "in this expression")
}

pub(super) fn transports(cx: &mut Cx, node: &Node) -> Option<Vec<TransportName>> {
    let list = cx.list(node, "`transports`")?;
    let mut transports = Vec::new();
    for node in list {
        let transport = cx.word(node, "a transport", &TRANSPORTS)?;
        if transports.contains(&transport) {
            cx.report(repeated(node, "`transports`"));
            continue;
        }
        transports.push(transport);
    }
    if transports.is_empty() {
        cx.error(codes::EMPTY, "`transports` is empty", &node.span, "no way to connect");
        return None;
    }
    Some(transports)
}

/// A warning about an element that stands in a list before.
pub(super) fn repeated(node: &Node, list: &str) -> Diagnostic {
    let title = format!("{list} names {node} twice");
    Diagnostic::warning(codes::REPEATED, title, &node.span, "again").help("remove it")
}

/// Checks the name of a namespace.
pub(super) fn namespace_name(cx: &mut Cx, name: &str, span: &Span) -> Option<()> {
    let reason = if !name.starts_with('/') {
        "it does not begin with `/`"
    } else if name.contains([',', '?']) {
        "it has a `,` or `?` in it, which the protocol cannot carry"
    } else {
        return Some(());
    };
    let title = format!("`{name}` cannot be the name of a namespace");
    let mut error = Diagnostic::error(codes::BAD_NAMESPACE, title, span, reason);
    if !name.starts_with('/') && !name.is_empty() {
        error = error.help("put a slash in front of it").suggest(span, format!("/{name}"));
    }
    cx.report(error);
    None
}
