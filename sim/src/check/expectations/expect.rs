//! `expect`: what must have been received.

use std::fmt::Write as _;

use super::inbox::Item;
use super::{Judge, count_of, mentioned};
use crate::check::codes::{NOT_MET, TOO_MANY, WRONG_ORDER};
use crate::check::sheet::{Sheet, concern, show_time};
use crate::matching::{event_matches, near_miss};
use crate::oracle::names::index;
use crate::oracle::steps::Place;
use crate::plan::{ClientId, Count, EventPattern, Expect, Pattern, Template, Wanted};
use crate::verdict::Finding;

/// Near misses that a finding lists.
const MISSES: usize = 3;

/// A window of one client's inbox.
#[derive(Clone, Copy)]
struct Window {
    client: ClientId,
    deadline: (u64, u32),
}

impl<'a> Judge<'_, 'a> {
    pub(super) fn expect(&mut self, sheet: &mut Sheet, place: &Place<'a>, expect: &'a Expect) {
        let patterns = self.patterns(expect);
        let values = patterns.iter().filter_map(|pattern| pattern.args.as_ref()).flatten();
        let clients = mentioned(values);
        self.enter(place.step, &expect.namespace, &clients);
        let deadline = self.deadline(place, expect.within);
        for (turn, client) in expect.at.iter().enumerate() {
            self.tally(sheet).judged += 1;
            let window = Window { client: *client, deadline };
            let found = match &expect.what {
                Wanted::One(pattern) => self.counted(sheet, place, pattern, expect.count, window),
                Wanted::Order(_) => self.listed(sheet, place, &patterns, true, window),
                Wanted::AllOf { as_sent, .. } => {
                    self.listed(sheet, place, &patterns, *as_sent, window)
                }
                Wanted::AnyOrder(_) => self.listed(sheet, place, &patterns, false, window),
            };
            if turn == 0
                && let Some(at) = found
            {
                self.capture(expect, *client, at);
            }
        }
    }

    fn patterns(&self, expect: &Expect) -> Vec<EventPattern> {
        match &expect.what {
            Wanted::One(pattern) => vec![pattern.clone()],
            Wanted::Order(patterns) | Wanted::AnyOrder(patterns) => patterns.clone(),
            Wanted::AllOf { label, .. } => self.sent_by(label, &expect.namespace),
        }
    }

    /// Everything that the step with a label sent, as patterns.
    fn sent_by(&self, label: &str, namespace: &str) -> Vec<EventPattern> {
        let facts = &self.case.facts;
        let labelled = |place: &&Place<'_>| place.step.label.as_deref() == Some(label);
        let Some(place) = self.case.steps.iter().find(labelled) else { return Vec::new() };
        let mut numbers = vec![place.step.id.0];
        numbers.extend(inner_steps(place.step));
        let nsp = facts.nsps.find(namespace);
        let sends = self.case.model.sends.iter().filter(|send| {
            Some(send.nsp) == nsp && send.step.is_some_and(|step| numbers.contains(&step))
        });
        let pattern = |content| {
            let values = facts.contents.args(content).iter().cloned();
            let args = values.map(|value| Pattern::Value(Template::Value(value))).collect();
            EventPattern { event: facts.contents.event(content).to_string(), args: Some(args) }
        };
        sends.map(|send| pattern(send.content)).collect()
    }

    fn capture(&mut self, expect: &Expect, client: ClientId, at: usize) {
        let pos = self.inboxes[index(client.0)].items[at].pos;
        if let Some((_, _, args)) = self.case.facts.received(pos) {
            for (name, index) in &expect.capture {
                if let Some(value) = args.get(*index) {
                    self.env.captures.insert(name.clone(), value.clone());
                }
            }
        }
    }

    /// Open deliveries that match a pattern, early enough or not, from a place on.
    fn matches(&mut self, pattern: &EventPattern, client: ClientId, from: usize) -> Vec<usize> {
        let facts = &self.case.facts;
        let nsp = facts.nsps.find(&self.env.namespace);
        let name = facts.find_event_name(&pattern.event);
        let (Some(nsp), Some(name)) = (nsp, name) else { return Vec::new() };
        let Some(inbox) = self.inboxes.get_mut(index(client.0)) else { return Vec::new() };
        let open: Vec<usize> = inbox.open(nsp, name).filter(|at| *at >= from).collect();
        let items = &inbox.items;
        let env = &self.env;
        let holds = |item: &Item| {
            let received = facts.received(item.pos);
            received.is_some_and(|(_, event, args)| event_matches(pattern, event, args, env))
        };
        open.into_iter().filter(|at| holds(&items[*at])).collect()
    }

    /// The first open delivery that matches and is early enough. It looks no further, so that a
    /// long list that arrived in its order costs one look for each.
    fn first_match(
        &mut self,
        pattern: &EventPattern,
        window: Window,
        from: usize,
    ) -> Option<usize> {
        let facts = &self.case.facts;
        let nsp = facts.nsps.find(&self.env.namespace)?;
        let name = facts.find_event_name(&pattern.event)?;
        let inbox = self.inboxes.get_mut(index(window.client.0))?;
        let next = inbox.open(nsp, name).next().filter(|at| *at >= from);
        let quick = next.filter(|at| self.is_match(pattern, window, *at));
        quick.or_else(|| {
            let all = self.matches(pattern, window.client, from);
            all.into_iter().find(|at| self.in_time(window, *at))
        })
    }

    fn is_match(&self, pattern: &EventPattern, window: Window, at: usize) -> bool {
        let pos = self.inboxes[index(window.client.0)].items[at].pos;
        let received = self.case.facts.received(pos);
        let holds =
            received.is_some_and(|(_, event, args)| event_matches(pattern, event, args, &self.env));
        holds && self.in_time(window, at)
    }

    fn in_time(&self, window: Window, at: usize) -> bool {
        let pos = self.inboxes[index(window.client.0)].items[at].pos;
        let (time, end) = window.deadline;
        pos < end && self.case.facts.time(pos) <= time
    }

    fn claim(&mut self, client: ClientId, at: usize) {
        self.inboxes[index(client.0)].items[at].claimed = true;
    }

    /// So many of one; returns the first.
    fn counted(
        &mut self,
        sheet: &mut Sheet,
        place: &Place<'_>,
        pattern: &EventPattern,
        count: Count,
        window: Window,
    ) -> Option<usize> {
        let all = self.matches(pattern, window.client, 0);
        let timely: Vec<usize> =
            all.iter().copied().filter(|at| self.in_time(window, *at)).collect();
        let (least, most, takes) = match count {
            Count::Exactly(count) => (count, count, u32::MAX),
            Count::AtLeast(count) => (count, u32::MAX, count),
            Count::AtMost(count) => (0, count, u32::MAX),
        };
        let takes = usize::try_from(takes).unwrap_or(usize::MAX);
        for at in timely.iter().take(takes) {
            self.claim(window.client, *at);
        }
        if matches!(count, Count::AtLeast(count) if count > 1) {
            for at in &all {
                self.inboxes[index(window.client.0)].items[*at].tolerated = true;
            }
        }
        let found = count_of(&timely);
        let name = self.client(window.client);
        let shown = show_pattern(pattern);
        if found < least {
            let title = if least == 1 {
                format!("{name} did not get {shown} in time")
            } else {
                format!("{name} got {shown} {found} times in time, and should get it {least} times")
            };
            let late = all.get(timely.len()).copied();
            sheet.find(self.not_met(place, pattern, window, (title, late)));
        } else if found > most {
            let title = format!("{name} got {shown} {found} times, and should get it {most} times");
            let at = timely[usize::try_from(most).unwrap_or(usize::MAX)];
            let pos = self.inboxes[index(window.client.0)].items[at].pos;
            let label = "this is one too many".to_owned();
            let mut finding = self.about(&TOO_MANY, place.step, Some(pos), title, label);
            concern(&mut finding, [name]);
            self.caused(&mut finding, pos);
            sheet.find(finding);
        }
        timely.first().copied()
    }

    /// Each of a list once; returns the first.
    fn listed(
        &mut self,
        sheet: &mut Sheet,
        place: &Place<'_>,
        patterns: &[EventPattern],
        ordered: bool,
        window: Window,
    ) -> Option<usize> {
        let name = self.client(window.client);
        let (mut first, mut from) = (None, 0);
        for pattern in patterns {
            let Some(at) = self.first_match(pattern, window, from) else {
                let shown = show_pattern(pattern);
                let before = self.matches(pattern, window.client, 0).into_iter().next();
                if let Some(at) = before.filter(|at| self.in_time(window, *at)) {
                    self.claim(window.client, at);
                    let pos = self.inboxes[index(window.client.0)].items[at].pos;
                    let title = format!("{name} got {shown} too early: the order is another one");
                    let label = "in this order".to_owned();
                    let mut finding = self.about(&WRONG_ORDER, place.step, Some(pos), title, label);
                    concern(&mut finding, [name]);
                    self.caused(&mut finding, pos);
                    sheet.find(finding);
                    continue;
                }
                let title = format!("{name} did not get {shown} in time");
                sheet.find(self.not_met(place, pattern, window, (title, before)));
                continue;
            };
            self.claim(window.client, at);
            first = first.or(Some(at));
            if ordered {
                from = at + 1;
            }
        }
        first
    }

    /// A finding with everything that helps: what came too late, what was close, what arrived.
    fn not_met(
        &self,
        place: &Place<'_>,
        pattern: &EventPattern,
        window: Window,
        (title, late): (String, Option<usize>),
    ) -> Finding {
        let facts = &self.case.facts;
        let items = &self.inboxes[index(window.client.0)].items;
        let (time, end) = window.deadline;
        let until = if end < facts.last() || time == u64::MAX {
            "not received before the run was quiet".to_owned()
        } else {
            format!("not received by {}", show_time(time))
        };
        let pos = late.map(|at| items[at].pos);
        let mut finding = self.about(&NOT_MET, place.step, pos, title, until);
        let name = self.client(window.client);
        concern(&mut finding, [name]);
        if let Some(pos) = pos {
            let (event, at) = (facts.events[index(pos)].n, show_time(facts.time(pos)));
            finding.notes.push(format!("it came too late, at {at} as #{event}"));
            self.caused(&mut finding, pos);
        } else {
            finding.t = time.min(facts.events.last().map_or(0, |event| event.t));
        }
        let open = items.iter().filter(|item| !item.claimed);
        let misses = open.filter_map(|item| {
            let (_, event, args) =
                facts.received(item.pos).filter(|(nsp, ..)| *nsp == self.env.namespace)?;
            let difference = near_miss(pattern, event, args, &self.env)?;
            let shown = self.case.show_received(item.pos);
            Some(format!("closest event at {name}: {shown}, {difference}"))
        });
        finding.notes.extend(misses.take(MISSES));
        finding.notes.push(self.arrived(window.client, place));
        finding
    }

    /// What a client received since the previous acting step, in words.
    fn arrived(&self, client: ClientId, place: &Place<'_>) -> String {
        let (name, from) = (self.client(client), self.act_began(place));
        let items = &self.inboxes[index(client.0)].items;
        let at = items.partition_point(|item| item.pos < from);
        let mut text = String::new();
        for item in items[at..].iter().take(super::super::LISTED) {
            let comma = if text.is_empty() { "" } else { ", " };
            // Writing to a string cannot fail.
            _ = write!(text, "{comma}{}", self.case.show_received(item.pos));
        }
        match items.len() - at {
            0 => format!("nothing arrived at {name}"),
            all if all > super::super::LISTED => {
                let more = all - super::super::LISTED;
                format!("arrived at {name}: {text} and {more} more")
            }
            _ => format!("arrived at {name}: {text}"),
        }
    }
}

fn inner_steps(step: &crate::plan::Step) -> Vec<u32> {
    let crate::plan::Action::Together(steps) = &step.action else { return Vec::new() };
    steps.iter().flat_map(|step| std::iter::once(step.id.0).chain(inner_steps(step))).collect()
}

/// A pattern as a person reads it.
pub(super) fn show_pattern(pattern: &EventPattern) -> String {
    let Some(args) = &pattern.args else { return format!("`{}`", pattern.event) };
    let args: Vec<String> = args.iter().map(show_one).collect();
    format!("{}({})", pattern.event, args.join(", "))
}

fn show_one(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Any => "_".to_owned(),
        Pattern::Value(template) => show_template(template),
        Pattern::Contains(text) => format!("{{contains: {text:?}}}"),
        Pattern::Matches(regex) => format!("{{matches: /{regex}/}}"),
        Pattern::Type(kind) => format!("{{type: {}}}", format!("{kind:?}").to_lowercase()),
        Pattern::Array(items) => {
            let items: Vec<String> = items.iter().map(show_one).collect();
            format!("[{}]", items.join(","))
        }
        Pattern::AnyOrder(items) => {
            let items: Vec<String> = items.iter().map(show_one).collect();
            format!("{{any-order: [{}]}}", items.join(","))
        }
        Pattern::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(key, member)| format!("{key:?}:{}", show_one(member)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

fn show_template(template: &Template) -> String {
    match template {
        Template::Value(value) => crate::matching::show(value),
        Template::Index => "$i".to_owned(),
        Template::Sid(client) => format!("$sid({})", client.0),
        Template::Capture(name) => format!("${name}"),
        Template::Array(items) => {
            let items: Vec<String> = items.iter().map(show_template).collect();
            format!("[{}]", items.join(","))
        }
        Template::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(key, member)| format!("{key:?}:{}", show_template(member)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
    }
}
