//! Histories as JSON lines, and the first line in which two of them differ.

use std::fmt;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use overheard_core::value::Value;
use serde::Serialize;

use super::{Event, Header, History, VERSION, What, values};

/// A history that cannot be read, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ReadError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// There is no line at all.
    #[error("the history is empty: its first line says which version and scenario it is of")]
    Empty,
    /// The first line is no header.
    #[error("this is no header of a history: {0}")]
    Header(String),
    /// The format is newer than this program.
    #[error("version {0} of the format is not known: this program reads version {VERSION}")]
    Version(u32),
    /// The line is no event.
    #[error("this is no event: {0}")]
    Event(String),
    /// The ordinal is not the next one.
    #[error("this event should be number {expected}, and says {found}")]
    Ordinal {
        /// The number that comes next.
        expected: u64,
        /// The number that is there.
        found: u64,
    },
    /// Time runs backwards.
    #[error("this event is at {found} ns, before the one above it at {previous} ns")]
    Time {
        /// The time of the event before.
        previous: u64,
        /// The time that is there.
        found: u64,
    },
    /// An event names itself or a later one as its cause.
    #[error("the cause of this event is said to be event {0}, which is not before it")]
    Parent(u64),
}

/// Reads a history. Empty lines are skipped.
///
/// # Errors
/// The first line that cannot be read, or that breaks the order of events.
pub fn read(text: &str) -> Result<History, ReadError> {
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.trim().is_empty());
    let fail = |line, problem| ReadError { line, problem };
    let (line, first) = lines.next().ok_or_else(|| fail(1, Problem::Empty))?;
    let header: Header = serde_json::from_str(first)
        .map_err(|error| fail(line, Problem::Header(without_place(&error))))?;
    if header.overheard_history != VERSION {
        return Err(fail(line, Problem::Version(header.overheard_history)));
    }
    let mut events: Vec<Event> = Vec::new();
    for (line, text) in lines {
        let event: Event = serde_json::from_str(text)
            .map_err(|error| fail(line, Problem::Event(without_place(&error))))?;
        if let Some(problem) = out_of_order(&events, &event) {
            return Err(fail(line, problem));
        }
        events.push(event);
    }
    Ok(History { header, events })
}

fn out_of_order(before: &[Event], event: &Event) -> Option<Problem> {
    let (expected, previous) =
        before.last().map_or((0, 0), |last| (last.n.saturating_add(1), last.t));
    if event.n != expected {
        return Some(Problem::Ordinal { expected, found: event.n });
    }
    if event.t < previous {
        return Some(Problem::Time { previous, found: event.t });
    }
    event.parent.filter(|parent| *parent >= event.n).map(Problem::Parent)
}

/// serde's message; the line number in it is always 1, as it sees one line at a time.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((message, _)) if error.column() > 0 => {
            format!("{message} (column {})", error.column())
        }
        Some((message, _)) => message.to_owned(),
        None => text,
    }
}

/// Writes a history: the header, then one event a line.
#[must_use]
pub fn write(history: &History) -> String {
    let mut text = to_json(&history.header);
    text.push('\n');
    for event in &history.events {
        write_line(&mut text, event);
    }
    text
}

/// Adds one event and the end of its line.
pub fn write_line(text: &mut String, event: &Event) {
    text.push_str(&to_json(event));
    text.push('\n');
}

/// A line of a history. All its types can be written: no map has keys that are not text.
pub(super) fn to_json(line: &impl Serialize) -> String {
    serde_json::to_string(line).unwrap_or_else(|error| unwritable(&error))
}

/// Lines of the events of a history, one after the other. Most events of a large one are deliveries
/// of the same to many, whose arguments are made text only once.
pub(super) struct Lines<'h> {
    events: std::slice::Iter<'h, Event>,
    line: Vec<u8>,
    /// The text of arguments, by where these are: the history holds them there.
    args: HashMap<*const Vec<Value>, Vec<u8>, FixedState>,
}

/// Most lists of arguments whose text is kept.
const MOST_TEXTS: usize = 1024;

impl<'h> Lines<'h> {
    pub(super) fn of(history: &'h History) -> Self {
        let args = HashMap::with_hasher(FixedState::default());
        Self { events: history.events.iter(), line: Vec::new(), args }
    }

    /// The next line, without its end.
    pub(super) fn next_line(&mut self) -> Option<&[u8]> {
        let event = self.events.next()?;
        self.line.clear();
        if self.delivery(event).is_none() {
            self.line.clear();
            append_json(&mut self.line, event);
        }
        Some(&self.line)
    }

    /// Writes a delivery as serde writes it, field by field; `None` if it is none.
    fn delivery(&mut self, event: &'h Event) -> Option<()> {
        let Event { n, t, who, what, parent: None, step: None } = event else { return None };
        let What::Received { nsp, event, args, offset, ack } = what else { return None };
        let line = &mut self.line;
        append(line, "{\"n\":", n)?;
        append(line, ",\"t\":", t)?;
        append(line, ",\"who\":", who)?;
        append(line, ",\"kind\":\"received\",\"nsp\":", nsp)?;
        append(line, ",\"event\":", event)?;
        line.extend_from_slice(b",\"args\":");
        if self.args.len() >= MOST_TEXTS {
            self.args.clear();
        }
        let text = self.args.entry(Arc::as_ptr(args)).or_insert_with(|| {
            let mut text = Vec::new();
            append_json(&mut text, &values::List(args));
            text
        });
        line.extend_from_slice(text);
        if let Some(offset) = offset {
            append(line, ",\"offset\":", offset)?;
        }
        line.extend_from_slice(if *ack { b",\"ack\":true}" } else { b"}" });
        Some(())
    }
}

/// A key with what stands before it, and its value.
fn append(line: &mut Vec<u8>, key: &str, value: &impl Serialize) -> Option<()> {
    line.extend_from_slice(key.as_bytes());
    serde_json::to_writer(line, value).ok()
}

/// The same behind other bytes.
fn append_json(bytes: &mut Vec<u8>, line: &impl Serialize) {
    let before = bytes.len();
    if let Err(error) = serde_json::to_writer(&mut *bytes, line) {
        bytes.truncate(before);
        bytes.extend_from_slice(unwritable(&error).as_bytes());
    }
}

fn unwritable(error: &serde_json::Error) -> String {
    format!("{{\"unwritable\":\"{error}\"}}")
}

/// The first place where two histories differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The number of the event; none if the headers differ.
    pub event: Option<u64>,
    /// The line of the first history, if it is that long.
    pub left: Option<String>,
    /// The line of the second history, if it is that long.
    pub right: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = "(the history ends)";
        match self.event {
            Some(event) => writeln!(f, "the histories differ from event {event} on")?,
            None => writeln!(f, "the headers of the histories differ")?,
        }
        writeln!(f, "  - {}", self.left.as_deref().unwrap_or(end))?;
        write!(f, "  + {}", self.right.as_deref().unwrap_or(end))
    }
}

/// The first place where two histories differ, if they do.
#[must_use]
pub fn first_difference(a: &History, b: &History) -> Option<Difference> {
    if a.header != b.header {
        let (left, right) = (Some(to_json(&a.header)), Some(to_json(&b.header)));
        return Some(Difference { event: None, left, right });
    }
    let longest = a.events.len().max(b.events.len());
    let index = (0..longest).find(|index| a.events.get(*index) != b.events.get(*index))?;
    let line = |history: &History| history.events.get(index).map(to_json);
    let event = a.events.get(index).or_else(|| b.events.get(index)).map(|event| event.n);
    Some(Difference { event, left: line(a), right: line(b) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::EndReason;

    #[test]
    fn deliveries_are_written_as_serde_writes_them() {
        let args = Arc::new(vec![Value::from("a \"quoted\" text"), Value::Binary(vec![7].into())]);
        let received = |n, offset: Option<&str>, ack| {
            let (nsp, event, args) = ("/\n".into(), "x\u{7f}é".into(), args.clone());
            let what = What::Received { nsp, event, args, offset: offset.map(Into::into), ack };
            Event { n, t: u64::MAX - n, who: "alice".into(), what, parent: None, step: None }
        };
        let end = What::End { reason: EndReason::Complete };
        let events = vec![
            received(0, None, false),
            received(1, Some("aZ.1"), true),
            Event { parent: Some(0), ..received(2, None, true) },
            Event { step: Some(3), ..received(3, None, false) },
            Event { what: end, ..received(4, None, false) },
        ];
        let header = Header {
            overheard_history: VERSION,
            scenario: String::new(),
            file: String::new(),
            seed: String::new(),
            network: String::new(),
            clients: Vec::new(),
        };
        let history = History { header, events };
        let mut lines = Lines::of(&history);
        for event in &history.events {
            assert_eq!(lines.next_line(), Some(to_json(event).as_bytes()));
        }
        assert_eq!(lines.next_line(), None);
    }
}
