//! From a history back to a scenario: the same acts at the same times, in plain steps.
//!
//! What a history does not say is taken from the file that it was played from, if that is there:
//! the server's options, the network and the clients. Expectations are not taken over. The rules
//! judge every delivery anyway, and what the story is kept for is its author's to say.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use overheard_core::value::Value;
use smol_str::SmolStr;

use crate::duration;
use crate::history::{Action, Audience, Event, History, Operation, What};

/// What is taken from the scenario as it stands there.
const KEPT: [&str; 6] = ["tags", "network", "racks", "server", "clients", "bounds"];

/// A scenario file in which happens what happened in this history.
#[must_use]
pub fn retell(history: &History, source: Option<&str>) -> String {
    let header = &history.header;
    let mut text = format!("# From a trace of {}, seed {}", header.file, header.seed);
    text.push_str(
        ": it is the same with that seed.\n# Say with `expect` and `never` what it is kept for.\n",
    );
    let name = Value::from(format!("{}, told again", header.scenario));
    let _ = writeln!(text, "version: 1\nname: {}", json(&name));
    text.push_str(&kept(history, source));
    text.push_str("unclaimed: allow\n\nsteps:\n");
    let steps = Teller::of(history).steps();
    text.push_str(if steps.is_empty() { "  - advance: { by: 1s }\n" } else { &steps });
    text
}

/// The blocks of a file that say in which world it is played.
fn kept(history: &History, source: Option<&str>) -> String {
    let header = &history.header;
    let links = header.network.split_once(',').map(|(_, links)| links);
    let mut text = String::new();
    for block in source.map(blocks).unwrap_or_default() {
        let key = block.split(':').next().unwrap_or_default();
        if KEPT.contains(&key) && !(key == "network" && links.is_some()) {
            text.push_str(&block);
        }
    }
    if let Some(links) = links {
        let _ = writeln!(text, "network: {links}");
    }
    if source.is_none() {
        let _ = writeln!(text, "clients: [{}]", header.clients.join(", "));
    }
    text
}

/// The top level of a file: each key with everything below it, without comments between them.
fn blocks(source: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    for line in source.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        match blocks.last_mut().filter(|_| line.starts_with([' ', '-', '}', ']'])) {
            Some(block) => {
                block.push_str(line);
                block.push('\n');
            }
            None => blocks.push(format!("{line}\n")),
        }
    }
    blocks
}

/// An answer to an operation.
#[derive(Clone, Copy)]
struct Answer {
    n: u64,
    t: u64,
    values: usize,
}

struct Teller<'h> {
    history: &'h History,
    /// Whose socket an id is, and in which namespace.
    sids: BTreeMap<(SmolStr, SmolStr), SmolStr>,
    /// The answers to operations.
    answers: BTreeMap<u64, Answer>,
    /// Faults that last until they are mended.
    broken: Vec<u32>,
    text: String,
    indent: usize,
    /// The time up to which is told.
    told: u64,
}

impl<'h> Teller<'h> {
    fn of(history: &'h History) -> Self {
        let mut sids = BTreeMap::new();
        let mut answers = BTreeMap::new();
        let mut begun = 0;
        for event in history.events.iter().rev() {
            if let What::Connected { nsp, sid, .. } = &event.what {
                sids.insert((nsp.clone(), sid.clone()), event.who.clone());
            } else if let What::Ok { op, values } = &event.what {
                answers.insert(*op, Answer { n: event.n, t: event.t, values: values.len() });
            } else if let What::StepBegin = event.what {
                begun = event.t;
            }
        }
        Self {
            history,
            sids,
            answers,
            broken: Vec::new(),
            text: String::new(),
            indent: 2,
            told: begun,
        }
    }

    fn steps(mut self) -> String {
        let events = &self.history.events;
        let end = events.iter().position(|event| {
            matches!(event.what, What::AllHealed | What::Closing | What::End { .. })
        });
        let events = &events[..end.unwrap_or(events.len())];
        let acts: Vec<&Event> = events.iter().filter(|event| is_act(event)).collect();
        // What is said at one time is said side by side, and all of it is waited for.
        let mut left = &acts[..];
        while let Some(first) = left.first() {
            let same = |event: &&&Event| event.t == first.t && is_emit(event) && is_emit(first);
            let (group, rest) = left.split_at(left.iter().take_while(same).count().max(1));
            let next = rest.first().map_or(u64::MAX, |next| next.n);
            self.group(group, next);
            left = rest;
        }
        // What came last had time to arrive.
        let last = events.last().map_or(0, |event| event.t);
        self.wait(last);
        self.text
    }

    fn group(&mut self, group: &[&Event], next: u64) {
        let answered = group.iter().filter_map(|event| self.answer(event));
        let latest = answered.filter(|answer| answer.n < next).map(|answer| answer.t).max();
        if let (Some(_), [first, _, ..]) = (latest, group) {
            self.wait(first.t);
            self.text.push_str("  - together:\n");
            self.indent = 6;
        }
        for event in group {
            self.act(event, next);
        }
        self.indent = 2;
        self.told = latest.unwrap_or(self.told);
    }

    fn answer(&self, event: &Event) -> Option<Answer> {
        if let What::Invoke { op, .. } = &event.what { self.answers.get(op).copied() } else { None }
    }

    fn act(&mut self, event: &Event, next: u64) {
        if let What::Invoke { operation, .. } = &event.what {
            let step = self.asked(event, operation, next);
            self.add(event.t, &step);
        } else if let What::Acted { action, .. } = &event.what {
            self.add(event.t, &self.acted(action));
        } else if let What::Fault { id, what, clients } = &event.what {
            self.add(event.t, &fault(*id, what, clients));
            if !matches!(what.as_str(), "cut" | "half-close") {
                self.broken.push(*id);
            }
        } else if let What::Healed { id, .. } = &event.what
            && self.broken.contains(id)
        {
            self.add(event.t, &format!("heal: {{ what: fault-{id} }}"));
        }
    }

    fn add(&mut self, t: u64, step: &str) {
        self.wait(t);
        let line = format!("{:indent$}- {step}\n", "", indent = self.indent);
        // Entering several namespaces is one step.
        if !(step.starts_with("connect") && self.text.ends_with(&line)) {
            self.text.push_str(&line);
        }
    }

    fn wait(&mut self, t: u64) {
        if let Some(gap) = t.checked_sub(self.told).filter(|gap| *gap > 0) {
            let by = duration::display(std::time::Duration::from_nanos(gap));
            let _ = writeln!(self.text, "  - advance: {{ by: {by} }}");
            self.told = t;
        }
    }

    fn asked(&self, asked: &Event, operation: &Operation, next: u64) -> String {
        let who = &asked.who;
        match operation {
            Operation::Connect { .. } => format!("connect: {{ who: {who} }}"),
            Operation::Disconnect { nsp } => {
                format!("disconnect: {{ who: {who}, namespace: {nsp} }}")
            }
            Operation::Emit { nsp, event, args, ack, volatile } => {
                let args = self.values(nsp, args);
                let mut step = format!("emit: {{ from: {who}, namespace: {nsp}, ");
                let _ = write!(step, "event: {}, args: [{args}]", word(event));
                if *volatile {
                    step.push_str(", volatile: true");
                }
                if let Some(answer) = self.answer(asked).filter(|_| *ack) {
                    let waits = if answer.n < next { "" } else { ", wait: false" };
                    let _ = write!(step, ", ack: [{}]{waits}", vec!["_"; answer.values].join(", "));
                }
                step.push_str(" }");
                step
            }
        }
    }

    fn acted(&self, action: &Action) -> String {
        match action {
            Action::Broadcast { to, event, args, volatile, .. } => {
                let args = self.values(&to.nsp, args);
                let (to, event) = (self.audience(to), word(event));
                let volatile = if *volatile { ", volatile: true" } else { "" };
                format!("broadcast: {{ {to}, event: {event}, args: [{args}]{volatile} }}")
            }
            Action::Move { who, join, leave } => {
                let (to, join, leave) = (self.audience(who), rooms(join), rooms(leave));
                format!("move: {{ {to}, join: [{join}], leave: [{leave}] }}")
            }
            Action::Kick { who, close } => {
                format!("kick: {{ {}, close: {close} }}", self.audience(who))
            }
            Action::Close => "close-server:".to_owned(),
        }
    }

    fn audience(&self, audience: &Audience) -> String {
        let mut text = format!("namespace: {}", audience.nsp);
        for (key, names) in [("to", &audience.to), ("except", &audience.except)] {
            if !names.is_empty() {
                let names = names.iter().map(|name| match self.owner(&audience.nsp, name) {
                    Some(owner) => format!("sid({owner})"),
                    None => word(name),
                });
                let _ = write!(text, ", {key}: [{}]", names.collect::<Vec<_>>().join(", "));
            }
        }
        text
    }

    fn owner(&self, nsp: &SmolStr, sid: &str) -> Option<&SmolStr> {
        self.sids.get(&(nsp.clone(), sid.into()))
    }

    fn values(&self, nsp: &SmolStr, values: &[Value]) -> String {
        let values: Vec<String> = values.iter().map(|value| self.value(nsp, value)).collect();
        values.join(", ")
    }

    fn value(&self, nsp: &SmolStr, value: &Value) -> String {
        match value {
            Value::String(text) => match self.owner(nsp, text) {
                Some(owner) => format!("$sid({owner})"),
                None if text.starts_with('$') => word(&format!("${text}")),
                None => word(text),
            },
            Value::Binary(bytes) => {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("{{ hex: \"{hex}\" }}")
            }
            Value::Array(values) => format!("[{}]", self.values(nsp, values)),
            Value::Object(object) => {
                let members = object
                    .iter()
                    .map(|(key, value)| format!("{}: {}", word(key), self.value(nsp, value)));
                format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => json(value),
        }
    }
}

/// Whether a step is made of it. Who connects before the first step does so by itself.
const fn is_act(event: &Event) -> bool {
    matches!(event.what, What::Invoke { .. }) && (event.step.is_some() || is_emit(event))
        || matches!(event.what, What::Acted { .. } | What::Fault { .. } | What::Healed { .. })
}

const fn is_emit(event: &Event) -> bool {
    matches!(event.what, What::Invoke { operation: Operation::Emit { .. }, .. })
}

/// A fault in the words that the history has for it, as a step.
fn fault(id: u32, what: &str, clients: &[SmolStr]) -> String {
    let (kind, rest) = what.split_once(' ').unwrap_or((what, ""));
    let who = clients.join(", ");
    let how = match kind {
        "stall" | "black-hole" => format!(", direction: {rest}"),
        "delay" => format!(", by: {}", rest.replace('µ', "u")),
        "chop" => format!(", bytes: {rest}"),
        _ => String::new(),
    };
    match kind {
        "crash" => format!("crash: {{ id: fault-{id} }}"),
        "partition" | "hold" => {
            let rack = rest.trim_start_matches("rack ");
            format!("{kind}: {{ rack: {rack}, id: fault-{id} }}")
        }
        "cut" | "half-close" => format!("{kind}: {{ who: [{who}] }}"),
        _ => format!("{kind}: {{ who: [{who}]{how}, id: fault-{id} }}"),
    }
}

fn rooms(names: &[SmolStr]) -> String {
    names.iter().map(|name| word(name)).collect::<Vec<_>>().join(", ")
}

/// A text in quotes: nothing in it means anything.
fn word(text: &str) -> String {
    json(&Value::from(text))
}

fn json(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
