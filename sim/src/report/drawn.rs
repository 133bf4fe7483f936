//! Histories as files for other viewers: an SVG picture, and a log for ShiViz.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use super::picture::{describe, matters};
use super::time;
use crate::history::{Event, History, What};

/// Events of a picture: more of them nobody reads at once.
const MAX_EVENTS: usize = 200;

/// Characters of one event's text.
const MAX_TEXT: usize = 70;

const LEFT: usize = 110;
const TOP: usize = 48;
const COLUMN: usize = 130;
const ROW: usize = 22;

/// Colours for light and dark backgrounds alike.
const STYLE: &str = "\
svg { background: #fff; color: #222; font: 12px monospace; }
@media (prefers-color-scheme: dark) { svg { background: #181818; color: #ddd; } }
text { fill: currentColor; } .line { stroke: #8888; } .dim { opacity: .6; }
.cause { stroke: #07f; fill: none; } .dot { fill: #07f; } .broken { fill: #d33; }";

/// A picture: a column for each client, the server and the network, a row for each event, and a
/// line from each cause. At most 200 events around a time, or the first ones.
#[must_use]
pub fn svg(history: &History, at: Option<u64>) -> String {
    let told: Vec<&Event> = history.events.iter().filter(|event| matters(event)).collect();
    let around = at.map_or(0, |at| told.partition_point(|event| event.t < at));
    let first = around.saturating_sub(MAX_EVENTS / 2).min(told.len().saturating_sub(MAX_EVENTS));
    let shown = &told[first..told.len().min(first + MAX_EVENTS)];
    let columns = columns(history, shown);
    let words = LEFT + COLUMN * columns.len();
    let height = TOP + ROW * (shown.len() + 1);
    let mut text = head(history, &columns, words + 8 * MAX_TEXT, height);
    let rows: BTreeMap<u64, usize> = shown.iter().map(|event| event.n).zip(0..).collect();
    let place = |event: &Event| {
        let column = columns.get(event.who.as_str())?;
        let row = rows.get(&event.n)?;
        Some((LEFT + COLUMN * column, TOP + ROW * row + ROW / 2))
    };
    for event in shown {
        let parent = event.parent.and_then(|n| usize::try_from(n).ok());
        let cause = parent.and_then(|n| history.events.get(n)).and_then(place);
        if let Some(here) = place(event) {
            text.push_str(&row(event, here, cause, words));
        }
    }
    if shown.len() < told.len() {
        let (from, to) = (first + 1, first + shown.len());
        let note = format!("events {from} to {to} of {}", told.len());
        let _ = writeln!(text, "<text class=\"dim\" x=\"8\" y=\"{}\">{note}</text>", height - 6);
    }
    text.push_str("</svg>\n");
    text
}

/// The title, and a line for everybody.
fn head(history: &History, columns: &BTreeMap<&str, usize>, width: usize, height: usize) -> String {
    let header = &history.header;
    let title = format!("{} ({}, seed {})", header.scenario, header.file, header.seed);
    let title = escaped(&title);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\">\n<style>{STYLE}</style>\n<title>{title}</title>\n\
         <text x=\"8\" y=\"16\">{title}</text>\n"
    );
    let bottom = height - ROW;
    for (name, at) in columns {
        let x = LEFT + COLUMN * at;
        let _ = writeln!(
            text,
            "<line class=\"line\" x1=\"{x}\" x2=\"{x}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
             <text x=\"{x}\" y=\"38\" text-anchor=\"middle\" font-weight=\"bold\">{}</text>",
            escaped(name)
        );
    }
    text
}

/// An event, the line from its cause, and what it is at the column of words.
fn row(
    event: &Event,
    (x, y): (usize, usize),
    cause: Option<(usize, usize)>,
    words: usize,
) -> String {
    let line = cause.map_or_else(String::new, |(from_x, from_y)| {
        format!("<path class=\"cause\" d=\"M{from_x},{from_y}L{x},{y}\"/>")
    });
    let class = if is_trouble(&event.what) { "broken" } else { "dot" };
    let told: String = describe(&event.what).chars().take(MAX_TEXT).collect();
    format!(
        "{line}<text class=\"dim\" x=\"{}\" y=\"{base}\" text-anchor=\"end\">{}</text>\
         <circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"4\"/>\
         <text x=\"{words}\" y=\"{base}\">#{} {}: {}</text>\n",
        LEFT - 40,
        time(event.t),
        event.n,
        escaped(&event.who),
        escaped(&told),
        base = y + 4,
    )
}

/// Who is seen, in the order of the file; the server stands behind the clients.
fn columns<'h>(history: &'h History, shown: &[&'h Event]) -> BTreeMap<&'h str, usize> {
    let mut columns = BTreeMap::new();
    let clients = history.header.clients.iter().map(String::as_str);
    let known = clients.chain(["server", "net", "run"]);
    let others = shown.iter().map(|event| event.who.as_str());
    for name in known.chain(others) {
        if shown.iter().any(|event| event.who == name) {
            let next = columns.len();
            columns.entry(name).or_insert(next);
        }
    }
    columns
}

/// What went wrong, or was broken on purpose.
const fn is_trouble(what: &What) -> bool {
    matches!(
        what,
        What::Fault { .. }
            | What::Down
            | What::Disconnected { .. }
            | What::Refused { .. }
            | What::Fail { .. }
            | What::Info { .. }
    )
}

/// A user's text within XML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A log with vector clocks, for ShiViz: an event on one line, who it happened to and its clock on
/// the next, which is what `(?<event>.*)\n(?<host>\S*) (?<clock>{.*})` reads.
#[must_use]
pub fn shiviz(history: &History) -> String {
    let mut now: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    let mut then: BTreeMap<u64, BTreeMap<&str, u64>> = BTreeMap::new();
    let mut text = String::new();
    for event in history.events.iter().filter(|event| matters(event)) {
        let who = event.who.as_str();
        let clock = now.entry(who).or_default();
        for (name, ticks) in event.parent.and_then(|n| then.get(&n)).into_iter().flatten() {
            let known = clock.entry(name).or_default();
            *known = (*known).max(*ticks);
        }
        *clock.entry(who).or_default() += 1;
        then.insert(event.n, clock.clone());
        let told = super::human::one_line(&describe(&event.what));
        let _ = writeln!(text, "{} #{} {told}\n{who} {}", time(event.t), event.n, json!(clock));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{escaped, shiviz, svg};
    use crate::history::{Event, Header, History, What};

    /// Three events of alice's, each the cause of one at the server.
    fn history() -> History {
        let header = Header {
            overheard_history: 1,
            scenario: "<b> & \"c\"".into(),
            file: "a.yaml".into(),
            seed: "0x1".into(),
            network: "memory".into(),
            clients: vec!["alice".into()],
        };
        let event = |n: u64| Event {
            n,
            t: n * 1_000,
            who: if n.is_multiple_of(2) { "alice".into() } else { "server".into() },
            what: What::Upgraded,
            parent: (n % 2 == 1).then(|| n - 1),
            step: None,
        };
        History { header, events: (0..6).map(event).collect() }
    }

    #[test]
    fn clocks_tick_by_one_and_know_their_causes() {
        let log = shiviz(&history());
        let clocks: Vec<&str> = log.lines().skip(1).step_by(2).collect();
        let wanted = [
            "alice {\"alice\":1}",
            "server {\"alice\":1,\"server\":1}",
            "alice {\"alice\":2}",
            "server {\"alice\":2,\"server\":2}",
            "alice {\"alice\":3}",
            "server {\"alice\":3,\"server\":3}",
        ];
        assert_eq!(clocks, wanted);
    }

    #[test]
    fn a_picture_has_an_arrow_for_each_cause_and_trusts_no_text() {
        let picture = svg(&history(), None);
        assert_eq!(picture.matches("<path class=\"cause\"").count(), 3);
        assert_eq!(picture.matches("<circle").count(), 6);
        assert!(
            picture.contains("<title>&lt;b&gt; &amp; &quot;c&quot; (a.yaml, seed 0x1)</title>")
        );
        assert_eq!(escaped("a\u{0}\u{1b}b\n"), "a  b ");
    }

    #[test]
    fn a_long_story_is_drawn_around_a_time() {
        let mut history = history();
        let last = history.events[4].clone();
        history.events.extend((6..1_000).map(|n| Event { n, t: n * 1_000, ..last.clone() }));
        for (at, first) in [(None, "#0 "), (Some(500_000), "#400 "), (Some(u64::MAX), "#800 ")] {
            let picture = svg(&history, at);
            assert_eq!(picture.matches("<circle").count(), 200);
            let told = picture.split('>').find(|text| text.starts_with('#')).unwrap();
            assert!(told.starts_with(first), "{told}");
        }
    }
}
