//! Where checkers write down what they find and how much they judged.

use std::collections::BTreeMap;

use super::Case;
use super::codes::Code;
use crate::oracle::facts::Pos;
use crate::plan::Mark;
use crate::span::Span;
use crate::verdict::{Finding, Label, Property, Tally, Unknown};

/// Findings of one code that are shown. A broken rule as a rule is broken a thousand times.
const SHOWN: u64 = 20;

/// What the checkers have written so far.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    pub(crate) findings: Vec<Finding>,
    pub(crate) unknowns: Vec<Unknown>,
    pub(crate) reached: BTreeMap<Mark, u64>,
    tallies: Vec<Tally>,
    counts: BTreeMap<&'static str, u64>,
}

impl Sheet {
    /// Adds a finding, unless there are enough of its kind.
    pub(crate) fn find(&mut self, finding: Finding) {
        let count = self.counts.entry(finding.code).or_default();
        *count += 1;
        if *count <= SHOWN {
            self.findings.push(finding);
        }
    }

    /// Adds an unknown.
    pub(crate) fn unknown(&mut self, code: &'static str, title: String, span: Option<Span>) {
        self.unknowns.push(Unknown { code, title, span });
    }

    /// The tally of a checker, made when it is first needed.
    pub(crate) fn tally(
        &mut self,
        property: Property,
        checker: &'static str,
        unit: &'static str,
    ) -> &mut Tally {
        let known = self.tallies.iter().position(|tally| tally.checker == checker);
        let at = known.unwrap_or_else(|| {
            let allowed = BTreeMap::new();
            self.tallies.push(Tally { property, checker, unit, judged: 0, allowed });
            self.tallies.len() - 1
        });
        &mut self.tallies[at]
    }

    /// Counts a situation.
    pub(crate) fn reach(&mut self, mark: Mark, times: u64) {
        if times > 0 {
            *self.reached.entry(mark).or_default() += times;
        }
    }

    /// Everything in order, with what was left out counted.
    pub(crate) fn finish(mut self) -> (Vec<Finding>, Vec<Unknown>, Vec<Tally>) {
        self.findings.sort_by_key(|finding| (finding.event.unwrap_or(u64::MAX), finding.code));
        for (code, count) in self.counts {
            let last = self.findings.iter_mut().rfind(|finding| finding.code == code);
            if let (Some(more), Some(last)) = (count.checked_sub(SHOWN + 1), last) {
                last.notes.push(format!("and {} more of this kind", more + 1));
            }
        }
        (self.findings, self.unknowns, self.tallies)
    }
}

impl Case<'_> {
    /// A finding at an event.
    pub(crate) fn finding(&self, code: &Code, pos: Option<Pos>, title: String) -> Finding {
        let event = pos.and_then(|pos| self.facts.events.get(pos as usize));
        Finding {
            code: code.code,
            property: code.property,
            rules: code.rules.to_vec(),
            title,
            check: None,
            cause: None,
            event: event.map(|event| event.n),
            clients: Vec::new(),
            t: event.or_else(|| self.facts.events.last()).map_or(0, |event| event.t),
            notes: Vec::new(),
        }
    }

    /// A label at the line of a step.
    pub(crate) fn label(&self, step: Option<u32>, text: impl Into<String>) -> Option<Label> {
        let span = self.by_number.get(&step?)?.span.clone();
        Some(Label { span, text: text.into() })
    }
}

/// Adds names to a finding's clients, each once.
pub(crate) fn concern<'n>(finding: &mut Finding, names: impl IntoIterator<Item = &'n str>) {
    for name in names {
        if !finding.clients.iter().any(|known| known == name) {
            finding.clients.push(name.to_owned());
        }
    }
}

/// Virtual time as a person reads it.
pub(crate) fn show_time(nanos: u64) -> String {
    format!("t={}.{:03}ms", nanos / 1_000_000, nanos / 1_000 % 1_000)
}
