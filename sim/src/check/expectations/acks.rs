//! Answers to the file's own emits and broadcasts.

use overheard_core::value::Value;

use super::{Judge, mentioned, show_list};
use crate::check::codes::{ACK_CAME, ACK_DIFFERS, NOT_CARRIED_OUT};
use crate::check::sheet::{Sheet, concern};
use crate::history::What;
use crate::matching::{args_differ, unmet};
use crate::oracle::facts::{Op, Pos};
use crate::oracle::names::index;
use crate::plan::{Emit, Pattern, ServerAction, Step};

impl<'a> Judge<'_, 'a> {
    pub(super) fn emit(&mut self, sheet: &mut Sheet, step: &'a Step, emit: &'a Emit) {
        let case = self.case;
        self.enter(step, &emit.namespace, &mentioned(emit.ack.iter().flatten()));
        let mine = |op: &&Op| case.facts.step(op.invoke) == Some(step.id.0) && op.emit.is_some();
        let first = self.begin(step.id.0).unwrap_or_default();
        let from = case.facts.ops.partition_point(|op| op.invoke < first);
        let mut turns = vec![0_u32; emit.from.len()];
        let mut seen = 0_u64;
        for op in case.facts.ops[from..].iter().filter(mine) {
            self.tally(sheet).judged += 1;
            seen += 1;
            let place = emit.from.iter().position(|client| client.0 == op.client);
            if let Some(turn) = place.and_then(|place| turns.get_mut(place)) {
                self.env.index = *turn;
                *turn += 1;
            }
            self.answer(sheet, step, emit, op);
        }
        let wanted = u64::from(emit.times.max(1)) * emit.from.len() as u64;
        if seen < wanted && case.facts.complete() {
            let title = format!("this step emitted {seen} times instead of {wanted}");
            sheet.unknown(NOT_CARRIED_OUT, title, Some(step.span.clone()));
        }
    }

    fn answer(&self, sheet: &mut Sheet, step: &Step, emit: &Emit, op: &Op) {
        let facts = &self.case.facts;
        let name = facts.client(op.client);
        let shown = op.emit.map(|emit| facts.contents.show(emit.content)).unwrap_or_default();
        let settled = op.settled.first().copied();
        let answer = op.answer(facts);
        let (code, title, label) = match (answer, &emit.ack) {
            (Some(values), _) if emit.ack_fails => {
                let title = format!("{shown} of {name} was answered, and should not be");
                (&ACK_CAME, title, format!("answered {}", show_list(values)))
            }
            (Some(values), Some(wanted)) => match args_differ(wanted, values, &self.env) {
                None => return,
                Some(difference) => {
                    let title = format!("the answer to {shown} of {name} is another one");
                    (&ACK_DIFFERS, title, in_answer(&difference))
                }
            },
            (None, Some(_)) if !emit.ack_fails => {
                // What was cut off with the run is not known.
                if settled.is_none() && !facts.complete() {
                    return;
                }
                let title = format!("{shown} of {name} was not answered");
                (&ACK_DIFFERS, title, op.error(facts).unwrap_or("no answer").to_owned())
            }
            _ => return,
        };
        let mut finding = self.about(code, step, settled.or(Some(op.invoke)), title, label);
        concern(&mut finding, [name]);
        sheet.find(finding);
    }

    pub(super) fn server(&mut self, sheet: &mut Sheet, step: &'a Step, action: &'a ServerAction) {
        let ServerAction::Broadcast { target, ack: Some((_, wanted)), .. } = action else { return };
        self.enter(step, &target.namespace, &mentioned(wanted));
        let facts = &self.case.facts;
        let begin = self.begin(step.id.0).unwrap_or_default();
        let (mut asked, mut answered) = (Vec::new(), 0);
        for (pos, event) in (begin..).zip(&facts.events[index(begin)..]) {
            if let What::Acted { op, .. } = &event.what
                && event.step == Some(step.id.0)
            {
                asked.push(*op);
            } else if let What::BroadcastAcked { op, responses, .. } = &event.what
                && let Some(turn) = asked.iter().position(|known| known == op)
            {
                self.env.index = u32::try_from(turn).unwrap_or(u32::MAX);
                self.tally(sheet).judged += 1;
                answered += 1;
                self.responses(sheet, step, wanted, responses, pos);
            }
        }
        if answered < asked.len() && facts.complete() {
            let title = "a broadcast that asked for answers never got them".to_owned();
            let label = "no answers".to_owned();
            sheet.find(self.about(&ACK_DIFFERS, step, None, title, label));
        }
    }

    /// The patterns are those of the list of answers, in any order: who answers first is chance.
    fn responses(
        &self,
        sheet: &mut Sheet,
        step: &Step,
        wanted: &[Pattern],
        responses: &[Value],
        pos: Pos,
    ) {
        let as_many = wanted.len() == responses.len();
        if as_many && unmet(wanted, responses, &self.env).is_none() {
            return;
        }
        let title = format!("the answers to a broadcast are {}", show_list(responses));
        let label = format!("{} answers are expected", wanted.len());
        sheet.find(self.about(&ACK_DIFFERS, step, Some(pos), title, label));
    }
}

/// What differs in an answer, whose values are not called arguments.
fn in_answer(difference: &str) -> String {
    difference.replacen("args[", "answer[", 1)
}
