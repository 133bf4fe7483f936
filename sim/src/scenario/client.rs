//! Readers for one client's options.

use std::time::Duration;

use overheard_core::value::Object;
use regex::Regex;

use super::cx::Cx;
use super::fields::Fields;
use super::node::Node;
use super::server::{namespace_name, transports};
use super::{Client, codes, values};
use crate::diagnostic::Diagnostic;
use crate::plan::{Answer, ClientNamespace, ServerPlan, TransportName};
use crate::span::Span;

pub(super) const CLIENT: &[&str] = &[
    "namespace",
    "namespaces",
    "auth",
    "refused",
    "transports",
    "upgrade",
    "rack",
    "latency",
    "jitter",
    "connect",
    "reconnection",
    "reconnection-delay",
    "reconnection-delay-max",
    "retries",
    "ack-timeout",
    "answer",
];

pub(super) const MEMBERSHIP: &[&str] = &["auth", "refused"];

/// What surrounds the clients and limits their options.
pub(super) struct Around<'a> {
    pub(super) racks: u8,
    pub(super) server: &'a ServerPlan,
}

impl Client {
    pub(super) fn new(name: &str, span: &Span) -> Self {
        Self {
            name: name.into(),
            span: span.clone(),
            rack: None,
            latency: None,
            jitter: None,
            transports: vec![TransportName::Polling, TransportName::WebSocket],
            upgrade: true,
            namespaces: vec![ClientNamespace { name: "/".into(), auth: None, refused: None }],
            connect: true,
            reconnection: true,
            reconnection_delay: Duration::from_secs(1),
            reconnection_delay_max: Duration::from_secs(5),
            retries: 0,
            ack_timeout: None,
            answer: Answer::Echo,
        }
    }

    /// Whether it enters this namespace.
    pub(super) fn enters(&self, namespace: &str) -> bool {
        self.namespaces.iter().any(|entered| entered.name == namespace)
    }

    pub(super) fn read(&mut self, cx: &mut Cx, fields: &Fields<'_>, around: &Around<'_>) {
        if let Some(node) = fields.get("rack") {
            let rack: Option<u8> = cx.integer(node, "`rack`", 1..=i64::from(around.racks));
            self.rack = rack.map(|rack| rack - 1);
        }
        self.latency = fields.get("latency").and_then(|node| cx.latency(node, "`latency`"));
        self.jitter = fields.get("jitter").and_then(|node| cx.jitter(node));
        if let Some(list) = fields.get("transports").and_then(|node| transports(cx, node)) {
            self.transports = list;
        }
        let mut flag = |key: &str, to: &mut bool| {
            if let Some(flag) =
                fields.get(key).and_then(|node| cx.boolean(node, &format!("`{key}`")))
            {
                *to = flag;
            }
        };
        flag("upgrade", &mut self.upgrade);
        flag("connect", &mut self.connect);
        flag("reconnection", &mut self.reconnection);
        let mut time =
            |key: &str| fields.get(key).and_then(|node| cx.some_time(node, &format!("`{key}`")));
        let (delay, most) = (time("reconnection-delay"), time("reconnection-delay-max"));
        self.ack_timeout = time("ack-timeout");
        self.reconnection_delay = delay.unwrap_or(self.reconnection_delay);
        let least = self.reconnection_delay_max.max(self.reconnection_delay);
        self.reconnection_delay_max = most.unwrap_or(least);
        if let Some(retries) =
            fields.get("retries").and_then(|node| cx.integer(node, "`retries`", 0..=1_000))
        {
            self.retries = retries;
        }
        if self.retries > 0 {
            let help = "an event is sent again when no ack has come in time: say in which time";
            fields.depends(cx, "retries", "ack-timeout", help);
        }
        if let Some(answer) = fields.get("answer").and_then(|node| answer(cx, node, fields)) {
            self.answer = answer;
        }
        self.namespaces(cx, fields);
        self.check(cx, Some(fields), around);
    }

    fn namespaces(&mut self, cx: &mut Cx, fields: &Fields<'_>) {
        let help = "`namespace` is for one, `namespaces` for several";
        let list = fields.get("namespaces");
        if fields.conflict(cx, &["namespace", "namespaces"], help) {
            return;
        }
        let Some(list) = list else {
            let name = match fields.get("namespace") {
                Some(node) => read_namespace(cx, node),
                None => Some("/".into()),
            };
            if let Some(name) = name {
                self.namespaces = vec![membership(cx, name, fields)];
            }
            return;
        };
        let help = "write `namespaces: { /name: { auth: …, refused: … } }`";
        fields.conflict(cx, &["namespaces", "auth"], help);
        fields.conflict(cx, &["namespaces", "refused"], help);
        let mut namespaces: Vec<ClientNamespace> = Vec::new();
        match list.map() {
            Some(entries) => {
                for entry in entries {
                    let name = entry.key.value.clone();
                    let Some(()) = namespace_name(cx, &name, &entry.key.span) else { continue };
                    if entry.value.is_null() {
                        namespaces.push(ClientNamespace { name, auth: None, refused: None });
                        continue;
                    }
                    let what = format!("the namespace `{name}` of a client");
                    if let Some(fields) =
                        cx.fields(&entry.value, &what, &entry.key.span, MEMBERSHIP)
                    {
                        namespaces.push(membership(cx, name, &fields));
                    }
                }
            }
            None => {
                for node in cx.list(list, "`namespaces`").unwrap_or_default() {
                    let Some(name) = read_namespace(cx, node) else { continue };
                    if namespaces.iter().any(|known| known.name == name) {
                        cx.report(super::server::repeated(node, "`namespaces`"));
                        continue;
                    }
                    namespaces.push(ClientNamespace { name, auth: None, refused: None });
                }
                if list.list().is_some_and(<[_]>::is_empty) {
                    cx.error(codes::EMPTY, "`namespaces` is empty", &list.span, "nothing to enter");
                }
            }
        }
        if !namespaces.is_empty() {
            self.namespaces = namespaces;
        }
    }

    /// Looks at the client as a whole.
    pub(super) fn check(&self, cx: &mut Cx, fields: Option<&Fields<'_>>, around: &Around<'_>) {
        for entered in &self.namespaces {
            let known = entered.name == "/"
                || around.server.namespaces.iter().any(|namespace| namespace.name == entered.name)
                || around.server.dynamic.iter().any(|pattern| {
                    Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(&entered.name))
                });
            if known || entered.refused.is_some() {
                continue;
            }
            let place = fields
                .and_then(|fields| fields.get("namespace").or_else(|| fields.get("namespaces")));
            let span = place.map_or(&self.span, |node| &node.span);
            let title = format!("the server has no namespace `{}`", entered.name);
            let error =
                Diagnostic::error(codes::NO_SUCH_NAMESPACE, title, span, "nobody can enter it");
            let known: Vec<&str> =
                around.server.namespaces.iter().map(|known| known.name.as_str()).collect();
            let help = match super::cx::nearest(&entered.name, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "declare it, as in `server: {{ namespaces: {{ {}: {{}} }} }}`, \
                     or expect the refusal: `refused: Invalid namespace`",
                    entered.name
                ),
            };
            cx.report(error.help(help));
        }
        let only_one = self.transports.len() == 1;
        if let (true, Some(span)) =
            (only_one && self.upgrade, fields.and_then(|fields| fields.key("upgrade")))
        {
            let title = "a client with one transport has nothing to upgrade to";
            cx.error(codes::CONFLICT, title, span, "cannot happen");
        }
        if self.reconnection_delay_max < self.reconnection_delay
            && let Some(node) = fields.and_then(|fields| fields.get("reconnection-delay-max"))
        {
            let title = "`reconnection-delay-max` is less than `reconnection-delay`";
            cx.error(codes::RANGE, title, &node.span, "the smaller one");
        }
    }
}

fn read_namespace(cx: &mut Cx, node: &Node) -> Option<String> {
    let name = cx.text(node, "the name of a namespace")?;
    namespace_name(cx, name, &node.span)?;
    Some(name.into())
}

/// A namespace with the `auth` and `refused` that stand beside it.
fn membership(cx: &mut Cx, name: String, fields: &Fields<'_>) -> ClientNamespace {
    let auth = fields.get("auth").and_then(|node| auth(cx, node));
    let refused = fields.get("refused").and_then(|node| {
        let message = cx.words(node, "`refused`")?;
        Some((message.to_owned(), node.span.clone()))
    });
    ClientNamespace { name, auth, refused }
}

/// An auth payload.
pub(super) fn auth(cx: &mut Cx, node: &Node) -> Option<Object> {
    if node.map().is_none() {
        cx.wrong(node, "`auth`", "a map");
        cx.help_last("for example `auth: { token: s3cret }`");
        return None;
    }
    let value = values::constant(cx, node)?;
    if value.as_object().is_none() {
        cx.error(codes::WRONG_TYPE, "`auth` must be a map", &node.span, "these are bytes");
    }
    value.as_object().cloned()
}

fn answer(cx: &mut Cx, node: &Node, fields: &Fields<'_>) -> Option<Answer> {
    if let Some(items) = node.list() {
        let values: Vec<_> = items.iter().map(|item| values::constant(cx, item)).collect();
        return values.into_iter().collect::<Option<_>>().map(Answer::With);
    }
    if node.map().is_some() {
        let at = fields.key("answer").unwrap_or(&node.span);
        let fields = cx.fields(node, "`answer`", at, &["after"])?;
        let node = fields.need(cx, "after")?;
        return cx.some_time(node, "`after`").map(Answer::Late);
    }
    let known = [(0, "echo"), (1, "never")];
    let word = cx.word(node, "`answer`", &known)?;
    Some(if word == 0 { Answer::Echo } else { Answer::Never })
}
