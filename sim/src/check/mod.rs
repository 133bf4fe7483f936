//! The checkers: a history is judged against the twenty properties and its file's expectations.
//!
//! Each checker is a module with its codes, and counts how much it judged; what a lost connection,
//! a volatile message or a fault excuses is counted by reason. Everything is a function of plan and
//! history, linear in the history's length.

mod answers;
mod codes;
mod deliveries;
mod expectations;
mod extras;
mod gate;
mod heartbeat;
mod leftovers;
mod lifecycle;
mod links;
mod losses;
mod marks;
mod progress;
mod reconnect;
mod recovery;
mod requests;
mod sheet;

use std::collections::BTreeMap;

pub use self::codes::{EXPLAIN, NOT_REACHED};
use self::deliveries::Deliveries;
use self::links::Links;
use self::sheet::Sheet;
use crate::history::{EndReason, History};
use crate::matching::show_event;
use crate::oracle::facts::{Facts, NEVER, Op, Pos};
use crate::oracle::lane::Taken;
use crate::oracle::model::{Model, Send};
use crate::oracle::names::index;
use crate::oracle::steps::{self, Place};
use crate::plan::{Plan, Step};
use crate::verdict::{Outcome, Property, Verdict};

/// The checker that counts deliveries which were missed, or allowed to be.
pub const DELIVERIES: &str = "deliveries";

/// Deliveries that a finding lists.
const LISTED: usize = 5;

/// Everything that the checkers look at.
#[derive(Debug)]
pub(crate) struct Case<'a> {
    pub(crate) facts: Facts<'a>,
    pub(crate) model: Model,
    pub(crate) deliveries: Deliveries,
    pub(crate) links: Links,
    pub(crate) steps: Vec<Place<'a>>,
    pub(crate) by_number: BTreeMap<u32, &'a Step>,
}

/// Judges a run of a plan.
#[must_use]
pub fn judge(plan: &Plan, history: &History) -> Verdict {
    let same = plan.clients.iter().map(|client| &client.name).eq(&history.header.clients);
    verdict(Some(plan), history, same)
}

/// Judges a history whose plan is not there: by the rules alone.
#[must_use]
pub fn judge_history(history: &History) -> Verdict {
    verdict(None, history, true)
}

fn verdict(plan: Option<&Plan>, history: &History, same: bool) -> Verdict {
    let plan = plan.filter(|_| same);
    let mut facts = Facts::read(history, plan);
    let model = Model::of(&mut facts);
    let deliveries = Deliveries::of(&facts, &model);
    let links = Links::of(&facts);
    let steps = plan.map(steps::flatten).unwrap_or_default();
    let by_number = steps.iter().map(|place| (place.step.id.0, place.step)).collect();
    let case = Case { facts, model, deliveries, links, steps, by_number };
    let mut sheet = Sheet::default();
    if !same {
        let title = "the history is of another plan: its clients are others".to_owned();
        sheet.unknown(codes::OTHER_PLAN, title, None);
    }
    if was_played(&case.facts) {
        check(&case, plan, &mut sheet);
    }
    unknowns(&case, &mut sheet);
    let reached = std::mem::take(&mut sheet.reached);
    let (findings, unknowns, tallies) = sheet.finish();
    let outcome = match (findings.is_empty(), unknowns.is_empty()) {
        (false, _) => Outcome::Fail,
        (true, false) => Outcome::Unknown,
        (true, true) => Outcome::Pass,
    };
    Verdict { outcome, findings, unknowns, tallies, reached }
}

/// Whether anything is to be expected of a run at all.
const fn was_played(facts: &Facts<'_>) -> bool {
    !matches!(facts.end, Some(EndReason::Skipped(_) | EndReason::NoServer(_)))
}

fn check(case: &Case<'_>, plan: Option<&Plan>, sheet: &mut Sheet) {
    extras::check(case, sheet);
    losses::check(case, sheet);
    lifecycle::check(case, sheet);
    gate::check(case, sheet);
    leftovers::check(case, sheet);
    requests::check(case, sheet);
    answers::check(case, sheet);
    progress::check(case, sheet);
    heartbeat::check(case, sheet);
    recovery::check(case, sheet);
    reconnect::check(case, sheet);
    if let Some(plan) = plan {
        expectations::check(case, plan, sheet);
    }
    marks::check(case, sheet);
}

fn unknowns(case: &Case<'_>, sheet: &mut Sheet) {
    match case.facts.end {
        Some(EndReason::Complete) => {}
        Some(EndReason::Bound(which)) => {
            let title = format!("the run was ended by a bound: {which}");
            sheet.unknown(codes::BOUND, title, None);
        }
        Some(EndReason::Broken(why)) => {
            let title = format!("the simulated world failed: {why}");
            sheet.unknown(codes::BROKEN, title, None);
        }
        Some(EndReason::Skipped(why)) => {
            sheet.unknown(codes::NOT_PLAYED, format!("it was not played: {why}"), None);
        }
        Some(EndReason::NoServer(why)) => {
            sheet.unknown(codes::NO_SERVER, format!("there is no server: {why}"), None);
        }
        Some(EndReason::ServerDied(how)) => {
            let title = format!("the server ended by itself: {how}");
            sheet.find(case.finding(&codes::SERVER_DIED, None, title));
        }
        None => sheet.unknown(codes::NO_END, "the history has no end".to_owned(), None),
    }
    for fault in &case.facts.faults {
        if fault.touched == Some(0) {
            let step = case.facts.step(fault.from);
            let span = step.and_then(|step| case.by_number.get(&step)).map(|step| &step.span);
            let title = format!("the fault `{}` touched nothing", fault.kind);
            sheet.unknown(codes::IDLE_FAULT, title, span.cloned());
        }
    }
    let sends = case.model.sends.iter().any(|send| send.yes + send.maybe > 0);
    let heard = case.facts.sockets.iter().any(|socket| !socket.received.is_empty());
    let judged = sheet.tally(Property::P01, DELIVERIES, "deliveries").judged;
    let expected = sheet.tally(Property::File, "expectations", "expectations").judged;
    if sends && !heard && judged == 0 && expected == 0 {
        let title = "messages were sent, and no delivery could be judged".to_owned();
        sheet.unknown(codes::NOTHING_JUDGED, title, None);
    }
}

impl Case<'_> {
    /// The operation that an arrival belongs to.
    pub(crate) fn op_of(&self, taken: Taken) -> Option<&Op> {
        match taken {
            Taken::InOrder(op) | Taken::Late(op) => self.facts.ops.get(index(op)),
            Taken::Nothing => None,
        }
    }

    /// A delivery as a person reads it.
    pub(crate) fn show_received(&self, pos: Pos) -> String {
        self.facts
            .received(pos)
            .map_or_else(String::new, |(_, event, args)| show_event(event, args))
    }

    /// For whom a message was, in words.
    pub(crate) fn who_hears(&self, send: &Send) -> String {
        let name = |room: &smol_str::SmolStr| match self.facts.sids.find(room) {
            Some(sid) => format!("the room of {}", self.facts.owner(sid)),
            None => format!("`{room}`"),
        };
        let list =
            |rooms: &[smol_str::SmolStr]| rooms.iter().map(name).collect::<Vec<_>>().join(", ");
        let to = if send.to.is_empty() { "everybody".to_owned() } else { list(&send.to) };
        let except = match &send.except[..] {
            [] => String::new(),
            except => format!(", except {}", list(except)),
        };
        let nsp = self.facts.nsps.name(send.nsp);
        let maybe = match send.maybe {
            0 => String::new(),
            maybe => format!(", and perhaps {maybe} more"),
        };
        format!("it was for {to}{except} in `{nsp}`: {} hear it{maybe}", send.yes)
    }

    /// What a socket received from a place on, in words.
    pub(crate) fn what_came(&self, sid: u32, from: Pos) -> String {
        let received = &self.facts.sockets[index(sid)].received;
        let at = received.partition_point(|received| received.pos < from);
        let shown: Vec<String> = received[at..]
            .iter()
            .take(LISTED)
            .map(|received| self.facts.contents.show(received.content))
            .collect();
        let owner = self.facts.owner(sid);
        match (shown.len(), received.len() - at) {
            (0, _) => format!("nothing arrived at {owner} afterwards"),
            (few, all) if few < all => {
                format!("arrived at {owner}: {} and {} more", shown.join(", "), all - few)
            }
            _ => format!("arrived at {owner}: {}", shown.join(", ")),
        }
    }

    /// When a client's socket was disconnected next, before everybody left.
    pub(crate) fn ends_after(&self, client: u32, nsp: u32, pos: Pos) -> Pos {
        let place = self.facts.places.get(&(client, nsp));
        let lives = place
            .into_iter()
            .flat_map(|place| &place.sockets)
            .flat_map(|sid| &self.facts.sockets[index(*sid)].lives);
        let ends = lives.filter_map(|life| life.end.as_ref().map(|(end, _)| *end));
        ends.filter(|end| *end > pos && *end < self.facts.closing).min().unwrap_or(NEVER)
    }
}
