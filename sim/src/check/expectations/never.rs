//! `never`, and deliveries that no step asks for.

use std::collections::BTreeSet;

use super::expect::show_pattern;
use super::{Judge, mentioned};
use crate::check::codes::{NEVER_BROKEN, UNCLAIMED};
use crate::check::sheet::{Sheet, concern, show_time};
use crate::matching::event_matches;
use crate::oracle::facts::{NEVER, Pos};
use crate::oracle::names::index;
use crate::oracle::steps::Place;
use crate::plan::{ClientId, Never, Since, Unclaimed, Until};
use crate::verdict::{Finding, Property};

impl<'a> Judge<'_, 'a> {
    pub(super) fn never(&mut self, sheet: &mut Sheet, place: &Place<'a>, never: &Never) {
        let args = never.what.iter().filter_map(|pattern| pattern.args.as_ref()).flatten();
        let clients = mentioned(args);
        self.enter(place.step, never.namespace.as_deref().unwrap_or("/"), &clients);
        let (since, time, until) = self.never_window(place, never);
        for client in &never.at {
            self.tally(sheet).judged += 1;
            let broken = self.first_in(*client, never, since, (time, until));
            let Some(pos) = broken else { continue };
            let name = self.client(*client);
            let shown = self.case.show_received(pos);
            let (event, at) = (self.case.facts.events[index(pos)].n, self.case.facts.time(pos));
            let what = never.what.as_ref().map_or_else(|| "anything".to_owned(), show_pattern);
            let label = format!("broken at {}: #{event} {shown}", show_time(at));
            if let Some(known) = of_rule(sheet, event) {
                known.check = self.case.label(Some(place.step.id.0), label);
                continue;
            }
            let title = format!("{name} got {shown}, and must never get {what}");
            let mut finding = self.about(&NEVER_BROKEN, place.step, Some(pos), title, label);
            concern(&mut finding, [name]);
            self.caused(&mut finding, pos);
            sheet.find(finding);
        }
    }

    /// From where, until when, and before what.
    fn never_window(&self, place: &Place<'_>, never: &Never) -> (Pos, u64, Pos) {
        let facts = &self.case.facts;
        let begin = self.begin(place.step.id.0).unwrap_or_default();
        let labelled = |label: &String| {
            let step =
                self.case.steps.iter().find(|known| known.step.label.as_ref() == Some(label));
            step.and_then(|step| self.begin(step.step.id.0))
        };
        let since = match &never.since {
            Since::PreviousAct => self.act_began(place),
            Since::Label(label) => labelled(label).unwrap_or(begin),
        };
        let (time, until) = match &never.until {
            Until::Quiet => (u64::MAX, facts.quiet_after(begin)),
            Until::Time(time) => {
                let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
                (facts.time(begin).saturating_add(nanos), NEVER)
            }
            Until::Label(label) => (u64::MAX, labelled(label).unwrap_or(facts.closing)),
        };
        (since, time, until)
    }

    /// The first delivery in a window that must never be.
    fn first_in(
        &self,
        client: ClientId,
        never: &Never,
        since: Pos,
        (time, until): (u64, Pos),
    ) -> Option<Pos> {
        let facts = &self.case.facts;
        let items = &self.inboxes.get(index(client.0))?.items;
        let first = items.partition_point(|item| item.pos < since);
        let inside = items[first..]
            .iter()
            .map(|item| item.pos)
            .take_while(|pos| *pos < until && facts.time(*pos) <= time);
        let is_meant = |pos: &Pos| {
            let Some((nsp, event, args)) = facts.received(*pos) else { return false };
            let is_this = |pattern| event_matches(pattern, event, args, &self.env);
            never.namespace.as_ref().is_none_or(|wanted| nsp == wanted)
                && never.what.as_ref().is_none_or(is_this)
        };
        inside.into_iter().find(is_meant)
    }

    /// What no step has asked for.
    pub(super) fn unclaimed(&self, sheet: &mut Sheet) {
        if self.plan.unclaimed == Unclaimed::Allow || !self.case.facts.complete() {
            return;
        }
        let facts = &self.case.facts;
        let known: BTreeSet<u64> =
            sheet.findings.iter().filter_map(|finding| finding.event).collect();
        for (client, inbox) in (0..).zip(&self.inboxes) {
            if self.plan.hand == Some(ClientId(client)) {
                continue;
            }
            let name = facts.client(client);
            for item in &inbox.items {
                if item.claimed || item.tolerated || item.pos > facts.closing {
                    continue;
                }
                let event = facts.events[index(item.pos)].n;
                if known.contains(&event) {
                    continue;
                }
                let title = format!(
                    "{name} got {}, and no step asks for it",
                    self.case.show_received(item.pos)
                );
                let mut finding = self.case.finding(&UNCLAIMED, Some(item.pos), title);
                concern(&mut finding, [name]);
                self.caused(&mut finding, item.pos);
                sheet.find(finding);
            }
        }
    }
}

/// The finding of a rule about the same delivery: it says more, and one is enough.
fn of_rule(sheet: &mut Sheet, event: u64) -> Option<&mut Finding> {
    sheet.findings.iter_mut().find(|finding| {
        finding.event == Some(event)
            && finding.property != Property::File
            && finding.check.is_none()
    })
}
