//! Readers for `clients`: names, maps of names to options, and groups.

use std::collections::{BTreeMap, BTreeSet};

use super::client::{Around, CLIENT};
use super::cx::{Cx, did_you_mean};
use super::fields::Fields;
use super::node::{Entry, Node};
use super::{Client, codes};
use crate::diagnostic::Diagnostic;
use crate::plan::ClientId;
use crate::span::Span;

/// Clients of a scenario: five times as many as a simulation was ever tried with.
const MAX_CLIENTS: i64 = 50_000;

pub(super) const GROUP: &[&str] = &["count", "name"];

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
                let error = Diagnostic::error(codes::EMPTY, title, &node.span, "nobody is here");
                cx.report(error.help("for example `clients: [alice, bob]`"));
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
        let Some(scalar) = node.written().filter(|_| !node.is_null()) else {
            return cx.wrong(node, "the name of a client", "a text");
        };
        let name = scalar.text.as_str();
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
        let mut seen = BTreeSet::new();
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
                if cx.is_fed_up() {
                    break;
                }
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
        let used = self.group_of.iter().zip(&self.used).filter(|(_, used)| **used);
        let used_groups: BTreeSet<&Option<String>> = used.map(|(group, _)| group).collect();
        for ((client, group), used) in self.all.iter().zip(&self.group_of).zip(&self.used) {
            if *used || (group.is_some() && used_groups.contains(group)) {
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
