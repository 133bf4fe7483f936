//! What all readers share: the list of mistakes, and how values of one kind are read.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::codes;
use super::node::{Node, Word};
use crate::diagnostic::{Diagnostic, Severity};
use crate::duration::{self, DurationError};
use crate::span::Span;

/// Mistakes after which nothing more is looked for.
const MANY: usize = 200;

/// Names among which a similar one is looked for.
const MANY_NAMES: usize = 2_000;

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

    /// Whether so much is wrong that more of it helps nobody, and only costs time.
    pub(super) const fn is_fed_up(&self) -> bool {
        self.diagnostics.len() >= MANY
    }

    /// Whether something is wrong already.
    pub(super) fn failed(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
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
            let title = format!("{what} must be longer than zero");
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

    /// The most that something takes longer by chance: from nothing to that much.
    pub(super) fn jitter(&mut self, node: &Node) -> Option<Duration> {
        if node.text().is_some_and(|text| text.contains("..")) {
            let title = "`jitter` is one duration: the most that a piece takes longer";
            let error = Diagnostic::error(codes::RANGE, title, &node.span, "a range");
            let help = "the least is `latency`: `{ latency: 20ms, jitter: 5ms }`";
            self.report(error.help(help));
            return None;
        }
        self.duration(node, "`jitter`")
    }

    /// A duration, or a range of them, in which something takes time.
    pub(super) fn some_range(&mut self, node: &Node, what: &str) -> Option<(Duration, Duration)> {
        let range = self.latency(node, what)?;
        if range.1.is_zero() {
            let title = format!("{what} must be longer than zero");
            self.error(codes::RANGE, title, &node.span, "no time at all");
            return None;
        }
        Some(range)
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        node: &Node,
        what: &str,
        known: &[(T, &str)],
    ) -> Option<T> {
        let text = node.text().unwrap_or_default();
        if let Some((value, _)) = known.iter().find(|(_, name)| *name == text) {
            return Some(*value);
        }
        let names: Vec<&str> = known.iter().map(|(_, name)| *name).collect();
        let title = match node.text() {
            Some(text) => format!("{what} cannot be `{text}`"),
            None => format!("{what} cannot be {node}"),
        };
        let label = "not a word that is known";
        let error = Diagnostic::error(codes::UNKNOWN_WORD, title, &node.span, label);
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
        let one = std::slice::from_ref(node);
        node.list().unwrap_or(one)
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
        DurationError::UnknownUnit(unit) => match known_unit(unit) {
            Some(known) => diagnostic.help(format!("did you mean `{known}`?")),
            None => diagnostic,
        },
        DurationError::NoNumber(_) | DurationError::TooFine(_) | DurationError::TooLong(_) => {
            diagnostic
        }
    }
}

/// The unit that is meant by a longer word.
fn known_unit(unit: &str) -> Option<&'static str> {
    Some(match unit.to_lowercase().as_str() {
        "nsec" | "nanos" | "nanosecond" | "nanoseconds" => "ns",
        "usec" | "micros" | "µs" | "μs" | "microsecond" | "microseconds" => "us",
        "msec" | "millis" | "millisecond" | "milliseconds" => "ms",
        "sec" | "secs" | "second" | "seconds" => "s",
        "min" | "mins" | "minute" | "minutes" => "m",
        "hr" | "hrs" | "hour" | "hours" => "h",
        _ => return None,
    })
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
    if known.len() > MANY_NAMES || length > 100 {
        return None;
    }
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
