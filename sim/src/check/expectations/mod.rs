//! What the file itself expects: each waiting step against the inboxes, and what no step asks for.

mod acks;
mod connection;
mod expect;
mod inbox;
mod never;

use overheard_core::value::Value;
use smol_str::SmolStr;

use self::inbox::Inbox;
use super::sheet::{Sheet, concern, show_time};
use super::{Case, codes};
use crate::matching::Env;
use crate::oracle::facts::{NEVER, Pos};
use crate::oracle::names::{index, number};
use crate::oracle::steps::Place;
use crate::plan::{Action, ClientId, Pattern, Plan, Step, Template, Within};
use crate::verdict::{Finding, Property, Tally};

/// A file's expectations on their way through its steps.
struct Judge<'c, 'a> {
    case: &'c Case<'a>,
    plan: &'a Plan,
    inboxes: Vec<Inbox>,
    env: Env,
}

/// Judges all steps in the order of the file.
pub(super) fn check(case: &Case<'_>, plan: &Plan, sheet: &mut Sheet) {
    // The plan is the one that the facts know; its lifetime is longer there.
    let Some(plan) = case.facts.plan.filter(|known| known.name == plan.name) else { return };
    let inboxes = inbox::fill(case);
    let mut judge = Judge { case, plan, inboxes, env: Env::default() };
    connection::refusals(&judge, sheet);
    for place in &case.steps {
        judge.step(sheet, place);
    }
    judge.unclaimed(sheet);
}

impl<'a> Judge<'_, 'a> {
    fn step(&mut self, sheet: &mut Sheet, place: &Place<'a>) {
        let step = place.step;
        let carried_out = self.begin(step.id.0).is_some() || self.case.facts.steps.is_empty();
        let judged = match &step.action {
            Action::Emit(emit) => emit.ack.is_some() || emit.ack_fails,
            Action::Raw(raw) => raw.closes.is_some(),
            Action::Server(_) => true,
            Action::Expect(_)
            | Action::Never(_)
            | Action::ExpectConnection(_)
            | Action::ExpectRooms { .. } => true,
            Action::Connect { .. }
            | Action::Disconnect { .. }
            | Action::Advance(_)
            | Action::Fault { .. }
            | Action::Heal(_)
            | Action::Together(_) => false,
        };
        if !judged {
            return;
        }
        if !carried_out {
            // A run that was cut short says so itself.
            if self.case.facts.complete() {
                let title = "this step was not carried out".to_owned();
                sheet.unknown(codes::NOT_CARRIED_OUT, title, Some(step.span.clone()));
            }
            return;
        }
        match &step.action {
            Action::Emit(emit) => self.emit(sheet, step, emit),
            Action::Server(action) => self.server(sheet, step, action),
            Action::Expect(expect) => self.expect(sheet, place, expect),
            Action::Never(never) => self.never(sheet, place, never),
            Action::ExpectConnection(expect) => self.connection(sheet, place, expect),
            Action::ExpectRooms { at, namespace, rooms } => {
                self.rooms(sheet, step, at, namespace, rooms);
            }
            Action::Raw(raw) => self.raw(sheet, step, raw),
            Action::Connect { .. }
            | Action::Disconnect { .. }
            | Action::Advance(_)
            | Action::Fault { .. }
            | Action::Heal(_)
            | Action::Together(_) => {}
        }
    }

    /// Counts something that the file expects.
    fn tally<'s>(&self, sheet: &'s mut Sheet) -> &'s mut Tally {
        sheet.tally(Property::File, "expectations", "expectations")
    }

    /// When a step began.
    fn begin(&self, step: u32) -> Option<Pos> {
        self.case.facts.steps.get(&step)?.begin
    }

    /// When the acting step before a step ended: the beginning of its window.
    fn acted(&self, place: &Place<'_>) -> Pos {
        let ended = place.previous.and_then(|step| self.case.facts.steps.get(&step)?.end);
        ended.or_else(|| self.begin(place.step.id.0)).unwrap_or_default()
    }

    /// When the acting step before a step began.
    fn act_began(&self, place: &Place<'_>) -> Pos {
        let began = place.previous.and_then(|step| self.begin(step));
        began.unwrap_or_default()
    }

    /// The last virtual nanosecond of a window, and the place behind it at the latest.
    fn deadline(&self, place: &Place<'_>, within: Within) -> (u64, Pos) {
        let facts = &self.case.facts;
        match within {
            Within::Time(time) => {
                let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
                (facts.time(self.acted(place)).saturating_add(nanos), NEVER)
            }
            Within::Eventually => {
                let from = self.begin(place.step.id.0).unwrap_or_default();
                (u64::MAX, facts.quiet_after(from))
            }
        }
    }

    /// Makes the environment that of a step.
    fn enter(&mut self, step: &Step, namespace: &str, clients: &[ClientId]) {
        self.env.namespace = SmolStr::from(namespace);
        self.env.index = 0;
        let pos = self.begin(step.id.0).unwrap_or_else(|| self.case.facts.last());
        for client in clients {
            let sid = self.sid(*client, namespace, pos);
            let key = (*client, self.env.namespace.clone());
            match sid.map(|sid| self.case.facts.sids.name(sid).clone()) {
                Some(name) => self.env.sids.insert(key, name),
                None => self.env.sids.remove(&key),
            };
        }
    }

    /// The socket that a client had, or the first one that it got.
    fn sid(&self, client: ClientId, namespace: &str, pos: Pos) -> Option<u32> {
        let sockets = &self.case.facts.place(client.0, namespace)?.sockets;
        let connected = |sid: &&u32| {
            let lives = &self.case.facts.sockets[index(**sid)].lives;
            lives.first().is_some_and(|life| life.from <= pos)
        };
        sockets.iter().rev().find(connected).or_else(|| sockets.first()).copied()
    }

    fn client(&self, client: ClientId) -> &'a str {
        self.plan.clients.get(index(client.0)).map_or("", |client| client.name.as_str())
    }

    /// A finding about a step.
    fn about(
        &self,
        code: &codes::Code,
        step: &Step,
        pos: Option<Pos>,
        title: String,
        label: String,
    ) -> Finding {
        let mut finding = self.case.finding(code, pos, title);
        finding.check = self.case.label(Some(step.id.0), label);
        finding
    }

    /// Labels a finding with the step that caused a delivery.
    fn caused(&self, finding: &mut Finding, pos: Pos) {
        if let Some(send) = self.case.deliveries.send_of(pos) {
            let send = &self.case.model.sends[index(send)];
            let sender = send.from.map(|sid| self.case.facts.owner(sid));
            concern(finding, sender);
            let event = self.case.facts.events[index(send.cause)].n;
            let at = show_time(self.case.facts.time(send.cause));
            let text = format!("sent here at {at} as #{event}");
            finding.cause = self.case.label(send.step, text);
            finding.notes.push(self.case.who_hears(send));
        }
    }
}

/// The clients whose ids patterns mention.
fn mentioned<'p>(patterns: impl IntoIterator<Item = &'p Pattern>) -> Vec<ClientId> {
    let mut clients = Vec::new();
    patterns.into_iter().for_each(|pattern| mentioned_by(pattern, &mut clients));
    clients
}

fn mentioned_by(pattern: &Pattern, clients: &mut Vec<ClientId>) {
    match pattern {
        Pattern::Value(template) => mentioned_in(template, clients),
        Pattern::Array(items) | Pattern::AnyOrder(items) => {
            items.iter().for_each(|item| mentioned_by(item, clients))
        }
        Pattern::Object(members) => {
            members.iter().for_each(|(_, member)| mentioned_by(member, clients));
        }
        Pattern::Any | Pattern::Contains(_) | Pattern::Matches(_) | Pattern::Type(_) => {}
    }
}

fn mentioned_in(template: &Template, clients: &mut Vec<ClientId>) {
    match template {
        Template::Sid(client) => clients.push(*client),
        Template::Array(items) => items.iter().for_each(|item| mentioned_in(item, clients)),
        Template::Object(members) => {
            members.iter().for_each(|(_, member)| mentioned_in(member, clients));
        }
        Template::Value(_) | Template::Index | Template::Capture(_) => {}
    }
}

/// How many, as a number for comparing.
fn count_of<T>(items: &[T]) -> u32 {
    number(items.len())
}

/// A list of values as a person reads it.
fn show_list(values: &[Value]) -> String {
    let shown: Vec<String> = values.iter().map(crate::matching::show).collect();
    format!("[{}]", shown.join(", "))
}
