//! What all readers share: the list of mistakes, and how values of one kind are read.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::codes;
use super::node::{Entry, Node, Word};
use crate::diagnostic::Diagnostic;
use crate::duration::{self, DurationError};
use crate::span::Span;

/// Mistakes, as they are found.
#[derive(Debug, Default)]
pub(super) struct Cx {
    diagnostics: Vec<Diagnostic>,
    /// Calls of verbs that are being unfolded, the outermost first.
    calls: Vec<Span>,
}

impl Cx {
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        let mut diagnostic = diagnostic;
        for call in self.calls.iter().rev() {
            let place = &diagnostic.primary.span;
            let inside =
                place.file == call.file && call.start <= place.start && place.end <= call.end;
            let shown = diagnostic.context.iter().any(|label| label.span == *call);
            if !inside && !shown {
                diagnostic = diagnostic.context(call, "while unfolding this");
            }
        }
        self.diagnostics.push(diagnostic);
    }

    pub(super) fn error(
        &mut self,
        code: &'static str,
        title: impl Into<String>,
        at: &Span,
        label: &str,
    ) {
        self.report(Diagnostic::error(code, title, at, label));
    }

    /// Everything that was reported, once each, in the order of the files.
    pub(super) fn finish(self) -> Vec<Diagnostic> {
        let mut seen = BTreeSet::new();
        let mut unique = self.diagnostics;
        unique.retain(|one| seen.insert((one.code, one.primary.span.clone(), one.title.clone())));
        unique
    }

    /// How many mistakes there are; reading goes on, but some checks need a clean slate.
    pub(super) fn count(&self) -> usize {
        self.diagnostics.len()
    }

    pub(super) fn enter_call(&mut self, call: &Span) {
        self.calls.push(call.clone());
    }

    pub(super) fn leave_call(&mut self) {
        self.calls.pop();
    }

    /// The outermost call that is being unfolded.
    pub(super) fn outer_call(&self) -> Option<&Span> {
        self.calls.first()
    }

    /// Adds to the help of what was reported last.
    pub(super) fn help_last(&mut self, more: &str) {
        if let Some(last) = self.diagnostics.last_mut() {
            last.help = Some(match last.help.take() {
                Some(help) => format!("{help}; {more}"),
                None => more.into(),
            });
        }
    }

    /// Reports that a value is of the wrong kind.
    pub(super) fn wrong(&mut self, node: &Node, what: &str, wanted: &str) {
        self.report(wrong(node, what, wanted));
    }

    /// A text.
    pub(super) fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match node.word() {
            Some(Word::Text(text)) => Some(text),
            Some(Word::Bool(_) | Word::Int(_) | Word::Float(_)) => {
                let written = node.written().map(|scalar| scalar.text.clone()).unwrap_or_default();
                let error = wrong(node, what, "a text").help("quote it");
                self.report(error.suggest(&node.span, format!("\"{written}\"")));
                None
            }
            Some(Word::Null) | None => {
                self.wrong(node, what, "a text");
                None
            }
        }
    }

    /// A text with something in it.
    pub(super) fn words<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        let text = self.text(node, what)?;
        if text.trim().is_empty() {
            self.error(codes::EMPTY, format!("{what} is empty"), &node.span, "nothing in it");
            return None;
        }
        Some(text)
    }

    pub(super) fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        match node.word() {
            Some(Word::Bool(flag)) => Some(flag),
            Some(Word::Text(text)) => {
                let meant = match text.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "y" | "true" => Some("true"),
                    "no" | "off" | "n" | "false" => Some("false"),
                    _ => None,
                };
                let mut error = wrong(node, what, "`true` or `false`");
                if let Some(meant) = meant {
                    error = error.help(format!("write `{meant}`")).suggest(&node.span, meant);
                }
                self.report(error);
                None
            }
            Some(Word::Null | Word::Int(_) | Word::Float(_)) | None => {
                self.wrong(node, what, "`true` or `false`");
                None
            }
        }
    }

    /// A whole number within limits.
    pub(super) fn integer<T: TryFrom<i64>>(
        &mut self,
        node: &Node,
        what: &str,
        limits: RangeInclusive<i64>,
    ) -> Option<T> {
        let (min, max) = (*limits.start(), *limits.end());
        let Some(Word::Int(int)) = node.word() else {
            let mut error = wrong(node, what, "a whole number");
            let quoted = node.text().and_then(|text| text.parse::<i64>().ok());
            if let Some(int) = quoted {
                error = error.help("remove the quotes").suggest(&node.span, int.to_string());
            }
            self.report(error);
            return None;
        };
        self.octal(node);
        if !limits.contains(&int) {
            let title = format!("{what} is between {min} and {max}, and not {int}");
            let error = Diagnostic::error(codes::RANGE, title, &node.span, "out of range");
            self.report(error);
            return None;
        }
        T::try_from(int).ok()
    }

    /// Warns about a number that others would read as octal.
    pub(super) fn octal(&mut self, node: &Node) {
        let Some(scalar) = node.written().filter(|scalar| scalar.looks_octal()) else { return };
        let title = format!("`{}` is the number {} here", scalar.text, decimal(&scalar.text));
        let warning = Diagnostic::warning(codes::OCTAL, title, &node.span, "begins with a zero")
            .help("quote it if it is a text; otherwise remove the zeros");
        self.report(warning);
    }

    pub(super) fn duration(&mut self, node: &Node, what: &str) -> Option<Duration> {
        let scalar = node.written();
        let word = node.word();
        let text = match (word, scalar) {
            (Some(Word::Text(_) | Word::Int(_) | Word::Float(_)), Some(scalar)) => &scalar.text,
            _ => {
                self.wrong(node, what, "a duration, as in `250ms`");
                return None;
            }
        };
        match duration::parse(text) {
            Ok(duration) => Some(duration),
            Err(error) => {
                self.report(bad_duration(&error, what, &node.span));
                None
            }
        }
    }

    /// A duration that is not zero.
    pub(super) fn some_time(&mut self, node: &Node, what: &str) -> Option<Duration> {
        let duration = self.duration(node, what)?;
        if duration.is_zero() {
            let title = format!("{what} must be longer than nothing");
            self.error(codes::RANGE, title, &node.span, "no time at all");
            return None;
        }
        Some(duration)
    }

    /// A duration, or a range of them.
    pub(super) fn latency(&mut self, node: &Node, what: &str) -> Option<(Duration, Duration)> {
        let Some((min, max)) = node.text().and_then(|text| text.split_once("..")) else {
            let both = self.duration(node, what)?;
            return Some((both, both));
        };
        let min =
            duration::parse(min.trim()).map_err(|error| bad_duration(&error, what, &node.span));
        let max =
            duration::parse(max.trim()).map_err(|error| bad_duration(&error, what, &node.span));
        match (min, max) {
            (Ok(min), Ok(max)) if min <= max => Some((min, max)),
            (Ok(min), Ok(max)) => {
                let (min, max) = (duration::display(min), duration::display(max));
                let title = format!("the range of {what} runs backwards");
                let error =
                    Diagnostic::error(codes::RANGE, title, &node.span, "the larger one first");
                let error = error.help("the smaller one stands first");
                self.report(error.suggest(&node.span, format!("{max}..{min}")));
                None
            }
            (Err(error), _) | (_, Err(error)) => {
                self.report(error.help("a range is two durations: `5ms..20ms`"));
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        node: &Node,
        what: &str,
        known: &[(T, &str)],
    ) -> Option<T> {
        let text = self.text(node, what)?;
        if let Some((value, _)) = known.iter().find(|(_, name)| *name == text) {
            return Some(*value);
        }
        let names: Vec<&str> = known.iter().map(|(_, name)| *name).collect();
        let title = format!("{what} cannot be `{text}`");
        let error =
            Diagnostic::error(codes::UNKNOWN_WORD, title, &node.span, "not a word that is known");
        self.report(did_you_mean(error, text, &node.span, &names, "it is one of"));
        None
    }

    pub(super) fn list<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        let list = node.list();
        if list.is_none() {
            let mut error = wrong(node, what, "a list");
            if let Some(scalar) = node.written().filter(|_| !node.is_null()) {
                let quote = if scalar.plain { "" } else { "\"" };
                let listed = format!("[{quote}{}{quote}]", scalar.text);
                error = error.help("a list of one is a list, too").suggest(&node.span, listed);
            }
            self.report(error);
        }
        list
    }

    /// A list, or one thing that stands for a list of one.
    pub(super) fn one_or_many<'n>(&mut self, node: &'n Node) -> &'n [Node] {
        node.list().unwrap_or(std::slice::from_ref(node))
    }

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
        for entry in entries {
            let key = &entry.key;
            if known.contains(&key.value.as_str()) {
                continue;
            }
            let title = format!("{what} has no key `{}`", key.value);
            let error =
                Diagnostic::error(codes::UNKNOWN_KEY, title, &key.span, "not a key that is known");
            let error = match hint(what, &key.value) {
                Some(help) => error.help(help),
                None => did_you_mean(error, &key.value, &key.span, known, "its keys are"),
            };
            self.report(error);
        }
        Some(Fields { what: what.into(), at: at.clone(), entries })
    }

    /// The name of a client, a label, a verb or a parameter.
    pub(super) fn name<'n>(&mut self, text: &'n str, span: &Span, what: &str) -> Option<&'n str> {
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic());
        let rest = bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if first && rest && text.len() <= 64 {
            return Some(text);
        }
        let title = format!("`{text}` cannot be the name of {what}");
        let error = Diagnostic::error(codes::BAD_NAME, title, span, "not a name");
        let help =
            "names begin with a letter and go on with letters, digits, `-` and `_`, at most 64";
        self.report(error.help(help));
        None
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
        if node.is_none() {
            let title = format!("{} needs the key `{key}`", self.what);
            cx.error(codes::MISSING_KEY, title, &self.at, &format!("`{key}` is missing"));
        }
        node
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

fn wrong(node: &Node, what: &str, wanted: &str) -> Diagnostic {
    let title = format!("{what} must be {wanted}");
    Diagnostic::error(codes::WRONG_TYPE, title, &node.span, format!("this is {node}"))
}

fn bad_duration(error: &DurationError, what: &str, span: &Span) -> Diagnostic {
    let title = error.to_string();
    let label = format!("{what} is a duration");
    let diagnostic = Diagnostic::error(codes::DURATION, title, span, label);
    match error {
        DurationError::NoUnit(number) => {
            let help = format!("say which unit is meant: `{number}ms`, `{number}s`, …");
            diagnostic.help(help)
        }
        DurationError::NoNumber(text) if text.contains(' ') => {
            let joined: String = text.split_whitespace().collect();
            match duration::parse(&joined) {
                Ok(_) => diagnostic.help("no space before the unit").suggest(span, joined),
                Err(_) => diagnostic,
            }
        }
        DurationError::UnknownUnit(_)
        | DurationError::NoNumber(_)
        | DurationError::TooFine(_)
        | DurationError::TooLong(_) => diagnostic,
    }
}

/// Adds the known name that is nearest, or else all of them.
pub(super) fn did_you_mean(
    error: Diagnostic,
    found: &str,
    span: &Span,
    known: &[&str],
    these: &str,
) -> Diagnostic {
    if let Some(near) = nearest(found, known) {
        return error.help(format!("did you mean `{near}`?")).suggest(span, near);
    }
    if known.is_empty() || known.len() > 40 {
        return error;
    }
    let names = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    error.help(format!("{these} {names}"))
}

/// The known name that is nearest to a name, if one is near.
pub(super) fn nearest<'k>(found: &str, known: &[&'k str]) -> Option<&'k str> {
    let plain = |name: &str| name.to_lowercase().replace(['_', ' '], "-");
    let found = plain(found);
    let length = found.chars().count();
    let ranked =
        known.iter().map(|name| (strsim::damerau_levenshtein(&found, &plain(name)), *name));
    let best = ranked.min_by_key(|(distance, _)| *distance);
    best.filter(|(distance, _)| *distance <= (length / 3).max(1) && length > 1)
        .map(|(_, name)| name)
}

fn decimal(digits: &str) -> &str {
    let trimmed = digits.trim_start_matches(['+', '-', '0']);
    if trimmed.is_empty() { "0" } else { trimmed }
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
        ("the scenario", "app" | "servers" | "bus") => {
            "there is one server, the built-in chat server; its options stand under `server`"
        }
        _ => return None,
    })
}
