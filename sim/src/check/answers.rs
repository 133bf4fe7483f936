//! Each operation ends once, and with the contract's answer.

use std::collections::{BTreeMap, VecDeque};

use foldhash::fast::FixedState;
use overheard_core::value::Value;
use smol_str::SmolStr;

use super::Case;
use super::codes::{ANSWER_LOST, Code, SETTLED_TWICE, UNSETTLED, WRONG_ANSWER};
use super::sheet::{Sheet, concern};
use crate::history::{Args, What};
use crate::matching::show;
use crate::oracle::facts::{NEVER, Op, Pos, Table};
use crate::oracle::model::Answer;
use crate::oracle::names::{index, same_list};
use crate::verdict::{Finding, Property};

/// Virtual time that an answer may take besides four times the link's delay.
const SLACK: u64 = 1_000_000_000;

/// Judges every operation that waits for something, and every answer.
pub(super) fn check(case: &Case<'_>, sheet: &mut Sheet) {
    let facts = &case.facts;
    for op in &facts.ops {
        sheet.tally(Property::P09, "answers", "operations").judged += 1;
        if let [_, second, ..] = op.settled[..] {
            let title = format!("an operation of {} ended more than once", facts.client(op.client));
            let mut finding = about(case, &SETTLED_TWICE, op, title);
            finding.event = Some(facts.events[index(second)].n);
            sheet.find(finding);
        }
    }
    let answers = Answers::of(case);
    for (op, answer) in &case.model.answers {
        let op = &facts.ops[index(*op)];
        match op.answer(facts) {
            Some(values) => {
                if let Some(wrong) = answers.wrong(case, answer, values) {
                    let shown: Vec<String> = values.iter().map(show).collect();
                    let client = facts.client(op.client);
                    let title = format!(
                        "{client} was answered [{}], and should have been answered {wrong}",
                        shown.join(", ")
                    );
                    sheet.find(about(case, &WRONG_ANSWER, op, title));
                }
            }
            None if answer.at_once() => unanswered(case, sheet, op),
            None => {}
        }
    }
    answers.broadcasts(case, sheet);
}

fn about(case: &Case<'_>, code: &Code, op: &Op, title: String) -> Finding {
    let pos = op.settled.first().copied().unwrap_or(op.invoke);
    let mut finding = case.finding(code, Some(pos), title);
    concern(&mut finding, [case.facts.client(op.client)]);
    let shown = op.emit.map(|emit| case.facts.contents.show(emit.content));
    let text = shown.map_or_else(|| "asked for here".to_owned(), |shown| format!("{shown}, here"));
    finding.cause = case.label(case.facts.step(op.invoke), text);
    finding
}

/// No answer, although it was due at once.
fn unanswered(case: &Case<'_>, sheet: &mut Sheet, op: &Op) {
    let facts = &case.facts;
    let Some(emit) = op.emit else { return };
    let settled = op.settled.first().copied();
    let until = settled.unwrap_or(NEVER);
    let mut allow = |reason| {
        *sheet.tally(Property::P09, "answers", "operations").allowed.entry(reason).or_default() +=
            1;
    };
    if case.ends_after(op.client, emit.nsp, op.invoke) < until {
        return allow("connection lost");
    }
    if case.links.touched(facts, op.client, op.invoke, until) {
        return allow("faulted link");
    }
    let client = facts.client(op.client);
    let Some(settled) = settled else {
        if facts.complete() && op.invoke < facts.closing {
            let title = format!("an operation of {client} never ended");
            sheet.find(about(case, &UNSETTLED, op, title));
        }
        return;
    };
    // Without the time of arrival nothing can be said: perhaps it never arrived.
    let Some(accepted) = emit.accepted else { return };
    let plan = facts.plan.and_then(|plan| plan.clients.get(index(op.client)));
    let latency =
        plan.map_or(SLACK, |client| u64::try_from(client.slowest().as_nanos()).unwrap_or(u64::MAX));
    let due = facts.time(accepted).saturating_add(latency.saturating_mul(4)).saturating_add(SLACK);
    if facts.time(settled) < due {
        return allow("gave up too early");
    }
    let title = format!("{client} was never answered, although the server had its event");
    sheet.find(about(case, &ANSWER_LOST, op, title));
}

/// What clients answered, by message.
struct Answers(Table<u32, Vec<Args>>);

impl Answers {
    fn of(case: &Case<'_>) -> Self {
        let mut table: Table<u32, Vec<Args>> = Table::with_hasher(FixedState::with_seed(10));
        // Where the cause is not written down, clients answer what they got first, first.
        let mut open: BTreeMap<(&str, &str), VecDeque<Pos>> = BTreeMap::new();
        for (pos, event) in (0..).zip(case.facts.events) {
            let who = event.who.as_str();
            if let What::Received { nsp, ack: true, .. } = &event.what {
                open.entry((who, nsp)).or_default().push_back(pos);
            } else if let What::Disconnected { nsp, .. } = &event.what {
                open.remove(&(who, nsp.as_str()));
            } else if let What::Answered { nsp, values } = &event.what {
                let parent = event.parent.and_then(|parent| u32::try_from(parent).ok());
                let first = open.get_mut(&(who, nsp.as_str())).and_then(VecDeque::pop_front);
                if let Some(send) = parent.or(first).and_then(|pos| case.deliveries.send_of(pos)) {
                    table.entry(send).or_default().push(Args::clone(values));
                }
            }
        }
        Self(table)
    }

    fn to(&self, send: u32) -> &[Args] {
        self.0.get(&send).map_or(&[], Vec::as_slice)
    }

    /// What the answer should have been, if it was not.
    fn wrong(&self, case: &Case<'_>, answer: &Answer, values: &[Value]) -> Option<String> {
        let (first, rest) = match values {
            [first, rest @ ..] => (first.as_str().unwrap_or_default(), rest),
            [] => return Some("with a word first".to_owned()),
        };
        match answer {
            Answer::Exactly(wanted) => (first != "ok" || !same_list(wanted, rest)).then(|| {
                let all: Vec<String> =
                    std::iter::once(&Value::from("ok")).chain(wanted).map(show).collect();
                format!("[{}]", all.join(", "))
            }),
            Answer::Ids(wanted) => {
                let mut wanted: Vec<&str> = wanted.iter().map(SmolStr::as_str).collect();
                let got = rest.first().and_then(Value::as_array).map(|ids| {
                    let mut ids: Vec<&str> = ids.iter().filter_map(Value::as_str).collect();
                    ids.sort_unstable();
                    ids
                });
                wanted.sort_unstable();
                let right = first == "ok" && got.as_ref() == Some(&wanted);
                (!right).then(|| format!("[\"ok\", [{}]]", wanted.join(", ")))
            }
            Answer::Ok => (first != "ok").then(|| "\"ok\"".to_owned()),
            Answer::Error => (first != "error").then(|| "\"error\"".to_owned()),
            Answer::Any => None,
            Answer::Asked(send) => {
                let responses = rest.first().and_then(Value::as_array).unwrap_or_default();
                match first {
                    "ok" => self.responses(case, *send, responses, false),
                    "timeout" => self.responses(case, *send, responses, true),
                    _ => Some("with \"ok\" or \"timeout\"".to_owned()),
                }
            }
            Answer::Told(send) => {
                let given = self.to(*send);
                let known = given.is_empty() || given.iter().any(|given| same_list(given, rest));
                match first {
                    "ok" if known => None,
                    "ok" => Some("what the other socket answered".to_owned()),
                    "timeout" => None,
                    _ => Some("with \"ok\" or \"timeout\"".to_owned()),
                }
            }
        }
    }

    /// What is wrong with gathered answers: all of them, each once, or some after a timeout.
    fn responses(
        &self,
        case: &Case<'_>,
        send: u32,
        responses: &[Value],
        timed_out: bool,
    ) -> Option<String> {
        let message = &case.model.sends[index(send)];
        let (least, most) = (message.yes as usize, (message.yes + message.maybe) as usize);
        let got = responses.len();
        if got > most || (!timed_out && got < least) {
            return Some(format!("with {least} answers, one of each who heard it"));
        }
        let mut given: Vec<&Value> =
            self.to(send).iter().map(|values| values.first().unwrap_or(&Value::Null)).collect();
        // Peers that are not in the plan answer as well.
        if given.len() < got {
            return None;
        }
        for response in responses {
            let Some(at) = given.iter().position(|value| *value == response) else {
                return Some(format!("without {}, which nobody answered", show(response)));
            };
            given.swap_remove(at);
        }
        None
    }

    /// The answers to messages of the application itself.
    fn broadcasts(&self, case: &Case<'_>, sheet: &mut Sheet) {
        for (pos, event) in (0..).zip(case.facts.events) {
            if let What::BroadcastAcked { op, responses, timed_out } = &event.what
                && let Some(send) = case.model.server_sends.get(op)
            {
                sheet.tally(Property::P09, "answers", "operations").judged += 1;
                if let Some(wrong) = self.responses(case, *send, responses, *timed_out) {
                    let shown: Vec<String> = responses.iter().map(show).collect();
                    let title = format!(
                        "a broadcast was answered [{}], and should have been answered {wrong}",
                        shown.join(", ")
                    );
                    let mut finding = case.finding(&WRONG_ANSWER, Some(pos), title);
                    let step = case.model.sends[index(*send)].step;
                    finding.cause = case.label(step, "sent here");
                    sheet.find(finding);
                }
            }
        }
    }
}
