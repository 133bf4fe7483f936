//! Readers for `clients`: names, maps of names to options, and groups.

use std::collections::BTreeMap;
use std::time::Duration;

use overheard_core::value::Object;
use regex::Regex;

use super::cx::{Cx, Fields, did_you_mean};
use super::node::{Entry, Node};
use super::server::{namespace_name, transports};
use super::{Client, codes, values};
use crate::diagnostic::Diagnostic;
use crate::plan::{Answer, ClientId, ClientNamespace, ServerPlan, TransportName};
use crate::span::Span;

/// Clients of a scenario: five times as many as a simulation was ever tried with.
const MAX_CLIENTS: i64 = 50_000;

pub(super) const CLIENT: &[&str] = &[
    "namespace",
    "namespaces",
    "auth",
    "refused",
    "transports",
    "upgrade",
    "rack",
    "latency",
    "connect",
    "reconnection",
    "reconnection-delay",
    "reconnection-delay-max",
    "retries",
    "ack-timeout",
    "answer",
];

pub(super) const GROUP: &[&str] = &["count", "name"];

pub(super) const MEMBERSHIP: &[&str] = &["auth", "refused"];

/// Names that mean something else in steps and in histories.
const RESERVED: [&str; 4] = ["all", "server", "net", "run"];

/// The clients of a scenario and how they are called.
#[derive(Debug, Default)]
pub(super) struct Clients {
    pub(super) all: Vec<Client>,
    by_name: BTreeMap<String, ClientId>,
    /// By the prefix of their pattern.
    groups: BTreeMap<String, Vec<ClientId>>,
    /// Whether some step speaks of it.
    used: Vec<bool>,
    /// Groups count as one.
    group_of: Vec<Option<String>>,
}

/// What surrounds the clients and limits their options.
pub(super) struct Around<'a> {
    pub(super) racks: u8,
    pub(super) server: &'a ServerPlan,
}

impl Clients {
    pub(super) fn read(cx: &mut Cx, node: &Node, around: &Around<'_>) -> Self {
        let mut clients = Self::default();
        match (node.list(), node.map()) {
            (Some(items), _) => {
                for item in items {
                    match item.map() {
                        Some(entries) if is_group(entries) => clients.group(cx, item, around),
                        Some(entries) => clients.map(cx, entries, around),
                        None => clients.single(cx, item, None, around),
                    }
                }
            }
            (_, Some(entries)) if is_group(entries) => clients.group(cx, node, around),
            (_, Some(entries)) => clients.map(cx, entries, around),
            (None, None) => cx.wrong(node, "`clients`", "a list of names, or a map"),
        }
        if clients.all.is_empty() && (node.list().is_some() || node.map().is_some()) {
            let empty =
                node.list().is_some_and(<[_]>::is_empty) || node.map().is_some_and(<[_]>::is_empty);
            if empty {
                let title = "a scenario needs at least one client";
                cx.error(codes::EMPTY, title, &node.span, "nobody is here");
            }
        }
        clients
    }

    fn map(&mut self, cx: &mut Cx, entries: &[Entry], around: &Around<'_>) {
        for entry in entries {
            let name = &entry.key;
            let what = format!("the client `{}`", name.value);
            let options = if entry.value.is_null() {
                None
            } else {
                let fields = cx.fields(&entry.value, &what, &name.span, CLIENT);
                if fields.is_none() {
                    // Known by name, so that steps can speak of it.
                    self.add(cx, Client::new(&name.value, &name.span), None);
                    continue;
                }
                fields
            };
            self.named(cx, &name.value, &name.span, options.as_ref(), around);
        }
    }

    fn single(
        &mut self,
        cx: &mut Cx,
        node: &Node,
        options: Option<&Fields<'_>>,
        around: &Around<'_>,
    ) {
        let Some(name) = cx.text(node, "the name of a client") else { return };
        self.named(cx, name, &node.span, options, around);
    }

    fn named(
        &mut self,
        cx: &mut Cx,
        name: &str,
        span: &Span,
        options: Option<&Fields<'_>>,
        around: &Around<'_>,
    ) {
        if cx.name(name, span, "a client").is_none() {
            return;
        }
        let mut client = Client::new(name, span);
        match options {
            Some(fields) => client.read(cx, fields, around),
            None => client.check(cx, None, around),
        }
        self.add(cx, client, None);
    }

    fn group(&mut self, cx: &mut Cx, node: &Node, around: &Around<'_>) {
        let known: Vec<&str> = GROUP.iter().chain(CLIENT).copied().collect();
        let Some(fields) = cx.fields(node, "a group of clients", &node.span, &known) else {
            return;
        };
        let count = fields
            .need(cx, "count")
            .and_then(|node| cx.integer::<u32>(node, "`count`", 1..=MAX_CLIENTS));
        let Some(pattern) = fields.need(cx, "name") else { return };
        let Some(text) = cx.text(pattern, "`name`") else { return };
        let parts: Vec<&str> = text.split("$n").collect();
        let [prefix, suffix] = parts[..] else {
            let title = format!("the name `{text}` of a group must contain `$n` once");
            let error =
                Diagnostic::error(codes::BAD_PATTERN, title, &pattern.span, "the same for all");
            let error = error.help("`$n` is the number of the client, from 1");
            let error = if parts.len() == 1 {
                error.suggest(&pattern.span, format!("{text}$n"))
            } else {
                error
            };
            cx.report(error);
            return;
        };
        let sample = format!("{prefix}1{suffix}");
        if cx.name(&sample, &pattern.span, "a client").is_none() {
            return;
        }
        let mut client = Client::new("", &pattern.span);
        client.read(cx, &fields, around);
        let prefix = prefix.to_owned();
        for number in 1..=count.unwrap_or(1) {
            let name = format!("{prefix}{number}{suffix}");
            self.add(cx, Client { name, ..client.clone() }, Some(&prefix));
        }
    }

    fn add(&mut self, cx: &mut Cx, client: Client, group: Option<&String>) {
        let (name, span) = (&client.name, &client.span);
        if RESERVED.contains(&name.as_str()) {
            let title = format!("a client cannot be called `{name}`");
            let error = Diagnostic::error(codes::BAD_NAME, title, span, "this name has a meaning");
            let others = RESERVED.map(|name| format!("`{name}`")).join(", ");
            cx.report(error.help(format!("any other name but {others} will do")));
            return;
        }
        if let Some(first) = self.by_name.get(name) {
            let title = format!("two clients are called `{name}`");
            let error = Diagnostic::error(codes::DUPLICATE_CLIENT, title, span, "again");
            let first = &self.client(*first).span;
            cx.report(error.context(first, "first here").help("give one of them another name"));
            return;
        }
        if i64::try_from(self.all.len()).unwrap_or(i64::MAX) >= MAX_CLIENTS {
            let title = format!("a scenario has at most {MAX_CLIENTS} clients");
            cx.error(codes::BUDGET, title, span, "too many with this one");
            return;
        }
        let id = ClientId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        self.by_name.insert(name.clone(), id);
        if let Some(prefix) = group {
            self.groups.entry(prefix.clone()).or_default().push(id);
        }
        self.group_of.push(group.cloned());
        self.used.push(false);
        self.all.push(client);
    }

    pub(super) fn client(&self, id: ClientId) -> &Client {
        // Ids are made by `add` alone, together with the client.
        &self.all[usize::try_from(id.0).unwrap_or(usize::MAX)]
    }

    /// One client by name.
    pub(super) fn one(&mut self, cx: &mut Cx, name: &str, span: &Span) -> Option<ClientId> {
        if let Some(id) = self.by_name.get(name).copied() {
            self.mark(id);
            return Some(id);
        }
        let many = name == "all" || self.groups.contains_key(name.trim_end_matches('*'));
        let title = if many && (name == "all" || name.ends_with('*')) {
            format!("one client must be named here, and `{name}` is several")
        } else {
            format!("no client is called `{name}`")
        };
        cx.report(self.unknown(
            Diagnostic::error(codes::UNKNOWN_CLIENT, title, span, "not declared under `clients`"),
            name,
            span,
        ));
        None
    }

    fn unknown(&self, error: Diagnostic, name: &str, span: &Span) -> Diagnostic {
        let mut known: Vec<String> = self
            .group_of
            .iter()
            .zip(&self.all)
            .filter(|(group, _)| group.is_none())
            .map(|(_, client)| client.name.clone())
            .collect();
        known.extend(self.groups.keys().map(|prefix| format!("{prefix}*")));
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let error = match super::cx::nearest(name, &known).and_then(|near| self.by_name.get(near)) {
            Some(id) => error.context(&self.client(*id).span, "a client with a similar name"),
            None => error,
        };
        did_you_mean(error, name, span, &known, "the clients are")
    }

    /// The clients that a step means.
    pub(super) fn many(&mut self, cx: &mut Cx, node: &Node, what: &str) -> Option<Vec<ClientId>> {
        let items = cx.one_or_many(node);
        if items.is_empty() {
            let error = Diagnostic::error(
                codes::EMPTY,
                format!("{what} names nobody"),
                &node.span,
                "an empty list",
            );
            cx.report(
                error.help("a client's name, a list of names, `all`, or `c*` for a group `c$n`"),
            );
            return None;
        }
        let mut ids = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        let mut complete = true;
        for item in items {
            let Some(name) = cx.text(item, &format!("a client of {what}")) else {
                complete = false;
                continue;
            };
            let meant = if name == "all" {
                self.used.fill(true);
                (0..u32::try_from(self.all.len()).unwrap_or(u32::MAX)).map(ClientId).collect()
            } else if let Some(group) =
                name.strip_suffix('*').and_then(|prefix| self.groups.get(prefix))
            {
                let group = group.clone();
                group.iter().for_each(|id| self.mark(*id));
                group
            } else if let Some(id) = self.by_name.get(name).copied() {
                self.mark(id);
                vec![id]
            } else {
                complete = false;
                self.not_found(cx, name, &item.span);
                continue;
            };
            if items.len() > 1 && meant.len() == 1 && seen.contains(&meant[0]) {
                cx.report(super::server::repeated(item, what));
            }
            ids.extend(meant.into_iter().filter(|id| seen.insert(*id)));
        }
        complete.then_some(ids)
    }

    fn not_found(&self, cx: &mut Cx, name: &str, span: &Span) {
        let title = if name.ends_with('*') {
            format!("no group of clients is called `{name}`")
        } else {
            format!("no client is called `{name}`")
        };
        let error =
            Diagnostic::error(codes::UNKNOWN_CLIENT, title, span, "not declared under `clients`");
        cx.report(self.unknown(error, name, span));
    }

    fn mark(&mut self, id: ClientId) {
        if let Some(used) = usize::try_from(id.0).ok().and_then(|id| self.used.get_mut(id)) {
            *used = true;
        }
    }

    /// Warns about clients that no step speaks of; of a group one is enough.
    pub(super) fn lint(&self, cx: &mut Cx) {
        let used_groups: Vec<&Option<String>> = self
            .group_of
            .iter()
            .zip(&self.used)
            .filter(|(_, used)| **used)
            .map(|(group, _)| group)
            .collect();
        for ((client, group), used) in self.all.iter().zip(&self.group_of).zip(&self.used) {
            if *used || (group.is_some() && used_groups.contains(&group)) {
                continue;
            }
            let name =
                group.as_ref().map_or_else(|| client.name.clone(), |prefix| format!("{prefix}*"));
            let title = format!("no step speaks of `{name}`");
            let warning =
                Diagnostic::warning(codes::UNUSED_CLIENT, title, &client.span, "not used");
            let help = "remove it, or say what it must never hear: \
                        `- never: { at: …, event: … }`";
            cx.report(warning.help(help));
        }
    }
}

fn is_group(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| {
        entry.key.value == "count" && entry.value.map().is_none() && !entry.value.is_null()
    })
}

impl Client {
    fn new(name: &str, span: &Span) -> Self {
        Self {
            name: name.into(),
            span: span.clone(),
            rack: None,
            latency: None,
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

    fn read(&mut self, cx: &mut Cx, fields: &Fields<'_>, around: &Around<'_>) {
        if let Some(node) = fields.get("rack") {
            let rack: Option<u8> = cx.integer(node, "`rack`", 1..=i64::from(around.racks));
            self.rack = rack.map(|rack| rack - 1);
        }
        self.latency = fields.get("latency").and_then(|node| cx.latency(node, "`latency`"));
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
        self.reconnection_delay_max =
            most.unwrap_or(self.reconnection_delay_max.max(self.reconnection_delay));
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
    fn check(&self, cx: &mut Cx, fields: Option<&Fields<'_>>, around: &Around<'_>) {
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
        return None;
    }
    values::constant(cx, node)?.as_object().cloned()
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
