//! A picture of the moments around a finding: who sent what to whom, and when.
//!
//! The columns are the clients that the finding is about, at most four, and the server. The lines
//! are events: the cause, the finding, and what those clients did in between and around them.

use std::fmt::Write as _;

use smol_str::SmolStr;

use crate::history::{Event, History, Operation, What};
use crate::matching::show_event;
use crate::verdict::Finding;

/// Lines of a picture, its head included.
const LINES: usize = 12;

/// Columns of clients.
const CLIENTS: usize = 4;

/// The width of a column, which an arrow and the beginning of its text fill: fewer columns have
/// more room.
const fn width(clients: usize) -> usize {
    match clients {
        0..=2 => 28,
        3 => 20,
        _ => 15,
    }
}

/// The width of the time.
const TIME: usize = 14;

/// The signs that a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Lines and arrows.
    Unicode,
    /// Dashes and bars.
    Ascii,
}

/// What an event is in the picture.
enum Mark {
    /// From a client to the server.
    Up(usize, String),
    /// From the server to a client.
    Down(usize, String),
    /// At a client.
    At(String),
    /// At the server.
    Server(String),
}

/// Draws the moments around a finding; empty if it is about no event and no client.
#[must_use]
pub fn ladder(history: &History, finding: &Finding, style: Style) -> String {
    let clients: Vec<&str> = finding.clients.iter().take(CLIENTS).map(String::as_str).collect();
    if clients.is_empty() {
        return String::new();
    }
    let centre = finding.event.map_or_else(
        || history.events.partition_point(|event| event.t <= finding.t),
        |number| history.events.partition_point(|event| event.n < number),
    );
    let chosen = choose(history, &clients, centre, finding.event);
    let mut text = head(&clients);
    for event in chosen {
        if let Some(mark) = mark_of(event, &clients) {
            let here = finding.event == Some(event.n);
            text.push('\n');
            text.push_str(&line(event, &mark, clients.len(), here, style));
        }
    }
    text
}

/// The events to be drawn, at most so many, in order: mostly those before the finding.
fn choose<'h>(
    history: &'h History,
    clients: &[&str],
    centre: usize,
    event: Option<u64>,
) -> Vec<&'h Event> {
    let shown = |event: &&Event| mark_of(event, clients).is_some();
    let centre = centre.min(history.events.len());
    let (before, after) = history.events.split_at(centre);
    let here = usize::from(event.is_some());
    let later: Vec<&Event> = after.iter().filter(shown).take(here + 2).collect();
    let room = LINES - 1 - later.len();
    let mut chosen: Vec<&Event> = before.iter().rev().filter(shown).take(room).collect();
    chosen.reverse();
    chosen.extend(later);
    chosen
}

fn mark_of(event: &Event, clients: &[&str]) -> Option<Mark> {
    let column = |who: &SmolStr| clients.iter().position(|name| *name == who.as_str());
    let at = |event: &Event, text: &str| {
        column(&event.who).map(|_| Mark::At(format!("{}: {text}", event.who)))
    };
    match &event.what {
        What::Invoke { operation, .. } => {
            let column = column(&event.who)?;
            let text = match operation {
                Operation::Emit { event, args, .. } => show_event(event, args),
                Operation::Connect { nsp, .. } => format!("connect {nsp}"),
                Operation::Disconnect { nsp } => format!("disconnect {nsp}"),
            };
            Some(Mark::Up(column, text))
        }
        What::Received { event: name, args, .. } => {
            Some(Mark::Down(column(&event.who)?, show_event(name, args)))
        }
        What::Ok { values, .. } => Some(Mark::Down(column(&event.who)?, show_event("ack", values))),
        What::Answered { values, .. } => {
            Some(Mark::Up(column(&event.who)?, show_event("ack", values)))
        }
        What::Refused { nsp, message, .. } => {
            Some(Mark::Down(column(&event.who)?, format!("refused {nsp}: {message}")))
        }
        What::Connected { nsp, .. } => {
            Some(Mark::Down(column(&event.who)?, format!("connected {nsp}")))
        }
        What::Fail { error, .. } | What::Info { error, .. } => at(event, error),
        What::Disconnected { reason, .. } => at(event, reason),
        What::Reconnecting { attempt } => at(event, &format!("attempt {attempt}")),
        What::Fault { what, clients: named, .. } => {
            let about = named.is_empty() || named.iter().any(|name| column(name).is_some());
            about.then(|| Mark::Server(format!("fault: {what}")))
        }
        What::Acted { action, .. } => Some(Mark::Server(acted(action))),
        What::Down => Some(Mark::Server("the server dies".to_owned())),
        What::Up => Some(Mark::Server("the server is up".to_owned())),
        What::Rooms { .. }
        | What::Counters(_)
        | What::BroadcastAcked { .. }
        | What::StepBegin
        | What::StepEnd
        | What::Quiet
        | What::AllHealed
        | What::Closing
        | What::End { .. }
        | What::Opened { .. }
        | What::Upgraded
        | What::Dropped { .. }
        | What::Entered { .. }
        | What::Left { .. }
        | What::Accepted { .. }
        | What::Healed { .. } => None,
    }
}

fn acted(action: &crate::history::Action) -> String {
    use crate::history::Action;
    match action {
        Action::Broadcast { event, args, .. } => show_event(event, args),
        Action::Move { .. } => "move".to_owned(),
        Action::Kick { .. } => "kick".to_owned(),
        Action::Close => "close".to_owned(),
    }
}

fn pad(text: &str, width: usize) -> String {
    let mut cut: String = text.chars().take(width).collect();
    let length = cut.chars().count();
    cut.extend(std::iter::repeat_n(' ', width - length));
    cut
}

fn head(clients: &[&str]) -> String {
    let mut text = format!("   {}", pad("t (virtual)", TIME));
    let (first, others) = clients.split_first().unwrap_or((&"", &[]));
    for name in [first, &"server"].into_iter().chain(others) {
        text.push_str(&pad(name, width(clients.len()) + 1));
    }
    text.trim_end().to_owned()
}

/// The signs of a style.
struct Signs {
    bar: char,
    dash: char,
    left: char,
    right: char,
    wrong: &'static str,
}

impl Style {
    const fn signs(self) -> Signs {
        match self {
            Self::Unicode => {
                Signs { bar: '│', dash: '─', left: '◀', right: '▶', wrong: "✗" }
            }
            Self::Ascii => Signs { bar: '|', dash: '-', left: '<', right: '>', wrong: "<- here" },
        }
    }

    fn words(self, text: &str) -> String {
        match self {
            Self::Unicode => text.to_owned(),
            Self::Ascii => text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect(),
        }
    }
}

/// One event: the first client's line, the server's, and those of the others, with an arrow from
/// one of them to the server or back.
fn line(event: &Event, mark: &Mark, clients: usize, here: bool, style: Style) -> String {
    let signs = style.signs();
    let time = format!("{}.{:03}ms", event.t / 1_000_000, event.t / 1_000 % 1_000);
    let mut text = format!("   {}{}", pad(&time, TIME), signs.bar);
    let segments: Vec<String> = (0..clients).map(|at| segment(mark, at, clients, style)).collect();
    for (at, segment) in segments.iter().enumerate() {
        text.push_str(segment);
        let crossed = segments.get(at + 1).is_some_and(|next| next.starts_with(signs.dash))
            && segment.ends_with(signs.dash);
        text.push(if crossed { signs.dash } else { signs.bar });
    }
    // Writing to a string cannot fail.
    _ = write!(text, "  #{}", event.n);
    if let Mark::Server(words) | Mark::At(words) = mark {
        _ = write!(text, "  {}", style.words(words));
    }
    if here {
        _ = write!(text, "  {}", signs.wrong);
    }
    text
}

/// What is drawn between two lines: the first segment is between the first client and the server,
/// the others lead from the server to the other clients.
fn segment(mark: &Mark, at: usize, clients: usize, style: Style) -> String {
    let (signs, width) = (style.signs(), width(clients));
    let (client, up, words) = match mark {
        Mark::Up(client, words) => (*client, true, words),
        Mark::Down(client, words) => (*client, false, words),
        Mark::At(_) | Mark::Server(_) => return " ".repeat(width),
    };
    let drawn = if client == 0 { at == 0 } else { (1..=client).contains(&at) };
    if !drawn {
        return " ".repeat(width);
    }
    // The words stand in the first of several segments.
    let words = if at <= 1 { style.words(words) } else { String::new() };
    let mut middle: String = words.chars().take(width - 3).collect();
    middle.insert(0, signs.dash);
    let length = middle.chars().count();
    middle.extend(std::iter::repeat_n(signs.dash, width - 1 - length));
    let to_the_right = (client == 0) == up;
    let tip = match (client, to_the_right) {
        (0, _) => true,
        (_, true) => at == client,
        (_, false) => at == 1,
    };
    match (tip, to_the_right) {
        (true, true) => format!("{middle}{}", signs.right),
        (true, false) => format!("{}{middle}", signs.left),
        (false, _) => format!("{middle}{}", signs.dash),
    }
}
