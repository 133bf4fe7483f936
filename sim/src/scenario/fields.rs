//! Maps whose keys are known: unknown, missing and contradicting keys, and what was meant.

use super::codes;
use super::cx::{Cx, did_you_mean, nearest};
use super::node::{Entry, Node};
use crate::diagnostic::Diagnostic;
use crate::span::Span;

impl Cx {
    /// The entries of a map with these keys.
    pub(super) fn fields<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        at: &Span,
        known: &[&str],
    ) -> Option<Fields<'n>> {
        let Some(entries) = node.map() else {
            let keys = known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            let place = if node.span.start == node.span.end { at } else { &node.span };
            let title = format!("{what} is a map, and this is {node}");
            let error = Diagnostic::error(codes::WRONG_TYPE, title, place, "not a map");
            self.report(error.help(format!("its keys are {keys}")));
            return None;
        };
        let mut meant = Vec::new();
        for entry in entries {
            let key = &entry.key;
            if known.contains(&key.value.as_str()) {
                continue;
            }
            let title = format!("{what} has no key `{}`", key.value);
            let error =
                Diagnostic::error(codes::UNKNOWN_KEY, title, &key.span, "not a key that is known");
            meant.extend(nearest(&key.value, known).map(str::to_owned));
            let error = match hint(what, &key.value) {
                Some(help) => error.help(help),
                None => did_you_mean(error, &key.value, &key.span, known, "its keys are"),
            };
            self.report(error);
        }
        Some(Fields { what: what.into(), at: at.clone(), entries, meant })
    }
}

/// The entries of a map whose keys are known.
#[derive(Clone, Debug)]
pub(super) struct Fields<'n> {
    /// What the map is, as in `` `emit` ``.
    pub(super) what: String,
    /// Where it begins: its key or itself.
    pub(super) at: Span,
    entries: &'n [Entry],
    /// Keys that unknown ones were probably meant to be.
    meant: Vec<String>,
}

impl<'n> Fields<'n> {
    /// The entry of a key.
    pub(super) fn entry(&self, key: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| entry.key.value == key)
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The place of a key.
    pub(super) fn key(&self, key: &str) -> Option<&'n Span> {
        self.entry(key).map(|entry| &entry.key.span)
    }

    /// The value of a key that must be there.
    pub(super) fn need(&self, cx: &mut Cx, key: &str) -> Option<&'n Node> {
        let node = self.get(key);
        if node.is_none() && !self.is_meant(key) {
            let title = format!("{} needs the key `{key}`", self.what);
            let label = format!("`{key}` is missing");
            let error = Diagnostic::error(codes::MISSING_KEY, title, &self.at, label);
            cx.report(match example(&self.what, key) {
                Some(example) => error.help(format!("for example `{example}`")),
                None => error,
            });
        }
        node
    }

    /// Whether a key that is not known was probably meant to be this one.
    pub(super) fn is_meant(&self, key: &str) -> bool {
        self.meant.iter().any(|meant| meant == key)
    }

    /// The first two of these keys that stand here together.
    pub(super) fn conflict(&self, cx: &mut Cx, keys: &[&str], help: &str) -> bool {
        let present: Vec<&Span> = keys.iter().filter_map(|key| self.key(key)).collect();
        let [first, second, ..] = present[..] else { return false };
        let name = |span: &Span| {
            let entry = self.entries.iter().find(|entry| entry.key.span == *span);
            entry.map(|entry| entry.key.value.clone()).unwrap_or_default()
        };
        let (one, other) = (name(first), name(second));
        let title = format!("{} cannot have both `{one}` and `{other}`", self.what);
        let error = Diagnostic::error(codes::CONFLICT, title, second, "excludes the other one");
        cx.report(error.context(first, "given here").help(help));
        true
    }

    /// Reports a key that has no effect without another one.
    pub(super) fn depends(&self, cx: &mut Cx, key: &str, on: &str, help: &str) {
        if let (Some(span), None) = (self.key(key), self.key(on)) {
            let title = format!("`{key}` has no effect without `{on}`");
            let error = Diagnostic::error(codes::DEPENDS, title, span, "alone it says nothing");
            cx.report(error.help(help));
        }
    }
}

/// What a key that is missing may look like.
fn example(what: &str, key: &str) -> Option<&'static str> {
    Some(match (what, key) {
        (_, "version") => "version: 1",
        ("the scenario", "name") => "name: a room message reaches the room once",
        ("the scenario", "clients") => "clients: [alice, bob]",
        ("the scenario", "steps") => "steps: [{ emit: { from: alice, event: chat, args: [hi] } }]",
        ("a group of clients", "name") => "name: c$n",
        ("a group of clients", "count") => "count: 10",
        (_, "who") => "who: [alice, bob]",
        (_, "from") => "from: alice",
        (_, "at") => "at: [alice, bob]",
        (_, "event") => "event: chat",
        (_, "times") => "times: 10",
        (_, "by") => "by: 1s",
        (_, "bytes") => "bytes: 3",
        (_, "rack") => "rack: 1",
        (_, "what") => "what: all",
        (_, "state") => "state: connected",
        (_, "rooms") => "rooms: [lobby]",
        _ => return None,
    })
}

/// Keys that people try, and what they look for.
fn hint(what: &str, key: &str) -> Option<&'static str> {
    Some(match (what, key) {
        ("`emit`", "to" | "except" | "room" | "rooms") => {
            "clients choose no rooms by themselves; the chat contract takes them as an argument: \
             `args: [hi, { to: tea }]`"
        }
        ("`broadcast`", "from" | "by") => {
            "`broadcast` is the server's own; a client broadcasts by an event of the chat contract: \
             `emit: { from: alice, event: broadcast, args: [{ to: tea, event: news }] }`"
        }
        ("`never`", "within") => "the window of a `never` is `for: 1s`, or `since` and `until`",
        ("`expect`", "for") => "an `expect` has a time limit: `within: 1s`",
        ("`cut`" | "`half-close`", "for") => {
            "it happens once; `refuse` keeps a client out for a while, `black-hole` loses all bytes"
        }
        ("the scenario", "app" | "servers" | "bus") => {
            "there is one server, the built-in chat server; its options stand under `server`"
        }
        _ => return None,
    })
}
