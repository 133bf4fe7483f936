//! What is told about runs: one model, and a writer for each format.
//!
//! Everything here is text from values. Virtual time is the only time in it, but for the wall time
//! of the summary, so that the same seeds give the same text on every machine.

pub mod conformance;
pub mod drawn;
pub mod github;
pub mod html;
pub mod human;
pub mod json;
#[cfg(feature = "cli")]
pub mod junit;
pub mod ladder;
pub mod markdown;
pub mod picture;
pub mod story;
pub mod tap;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use crate::check::{DELIVERIES, NOT_REACHED};
use crate::diagnostic::{Diagnostic, Severity};
use crate::plan::Mark;
use crate::span::Span;
use crate::verdict::{Outcome, Verdict};

/// What became of a run or a scenario, the worse the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Everything is as it must be.
    Pass,
    /// It was not played: the server under test cannot do what it needs.
    Skip,
    /// It cannot be said.
    Unknown,
    /// Something is not as it must be.
    Fail,
    /// The same seed gave two histories.
    Nondeterministic,
    /// The simulator itself failed.
    Broken,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Pass, Self::Skip, Self::Unknown, Self::Fail, Self::Nondeterministic, Self::Broken];

    /// Whether somebody has to look at it.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        match self {
            Self::Pass | Self::Skip => false,
            Self::Unknown | Self::Fail | Self::Nondeterministic | Self::Broken => true,
        }
    }

    /// The word at the beginning of a line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Skip => "SKIP",
            Self::Unknown => "UNKNOWN",
            Self::Fail => "FAIL",
            Self::Nondeterministic => "NONDET",
            Self::Broken => "BROKEN",
        }
    }

    /// The word in sentences that count.
    #[must_use]
    pub const fn participle(self) -> &'static str {
        match self {
            Self::Pass => "passed",
            Self::Skip => "skipped",
            Self::Unknown => "unknown",
            Self::Fail => "failed",
            Self::Nondeterministic => "not deterministic",
            Self::Broken => "broken",
        }
    }
}

impl From<Outcome> for Status {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Pass => Self::Pass,
            Outcome::Unknown => Self::Unknown,
            Outcome::Fail => Self::Fail,
        }
    }
}

/// A text in colour, and without.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// Without.
    pub plain: String,
    /// With escape sequences.
    pub coloured: String,
}

impl Text {
    /// One of them.
    #[must_use]
    pub fn get(&self, coloured: bool) -> &str {
        if coloured { &self.coloured } else { &self.plain }
    }
}

/// One scenario played with one seed.
#[derive(Clone, Debug)]
pub struct Run {
    /// The scenario's file.
    pub file: String,
    /// Its name.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// What became of it.
    pub status: Status,
    /// Virtual nanoseconds that it lasted.
    pub t: u64,
    /// Events of its history.
    pub events: u64,
    /// The rolling hash of its history.
    pub hash: String,
    /// What was judged, if it came to that.
    pub verdict: Option<Verdict>,
    /// Marks that the file asks for and this run did not reach.
    pub unreached: BTreeSet<Mark>,
    /// Why it is skipped, broken, not deterministic, or unknown without a verdict.
    pub trouble: Option<String>,
    /// What is shown of it if it did not pass.
    pub story: Text,
    /// The command that plays it again.
    pub replay: String,
    /// Where its history is kept.
    pub trace: Option<String>,
    /// How often it was played until it came out so: more than once is flaky.
    pub attempts: u32,
}

impl Run {
    /// The code of what matters most, if it did not pass.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        let verdict = self.verdict.as_ref()?;
        let finding = verdict.findings.first().map(|finding| finding.code);
        finding.or_else(|| verdict.unknowns.first().map(|unknown| unknown.code))
    }

    /// One sentence about what matters most, if it did not pass.
    #[must_use]
    pub fn title(&self) -> Option<&str> {
        let finding = || Some(self.verdict.as_ref()?.findings.first()?.title.as_str());
        let unknown = || Some(self.verdict.as_ref()?.unknowns.first()?.title.as_str());
        self.trouble.as_deref().or_else(finding).or_else(unknown)
    }
}

/// A file that cannot be run.
#[derive(Clone, Debug)]
pub struct Invalid {
    /// The file.
    pub file: String,
    /// Why.
    pub diagnostics: Vec<Diagnostic>,
    /// The same for people.
    pub text: Text,
}

impl Invalid {
    /// Only the errors.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| match diagnostic.severity {
            Severity::Error => true,
            Severity::Warning => false,
        })
    }
}

/// All runs of one scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its file.
    pub file: String,
    /// Its name.
    pub name: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// The runs that did not pass, and the first one.
    pub runs: Vec<Run>,
    /// How many there were.
    pub played: usize,
    /// How many there should have been.
    pub planned: usize,
    /// Marks that one of them must reach.
    pub must_reach: Vec<(Mark, Span)>,
    /// What is shown if none did.
    pub told: Text,
    /// Marks that no run reached.
    pub unreached: BTreeSet<Mark>,
    /// Deliveries that were lost in its runs, and allowed to be, by reason.
    pub losses: BTreeMap<&'static str, u64>,
    /// What became of it: the worst of its runs, and unknown if a mark was not reached.
    pub status: Status,
}

impl Scenario {
    /// A scenario of which nothing has been played.
    #[must_use]
    pub fn new(file: &str, name: &str, tags: &[String], planned: usize) -> Self {
        Self {
            file: file.to_owned(),
            name: name.to_owned(),
            tags: tags.to_vec(),
            runs: Vec::new(),
            played: 0,
            planned,
            must_reach: Vec::new(),
            told: Text::default(),
            unreached: BTreeSet::new(),
            losses: BTreeMap::new(),
            status: Status::Pass,
        }
    }

    /// Adds a run. Only those that did not pass are kept, and one to tell of.
    pub fn add(&mut self, run: Run) {
        self.unreached = if self.played == 0 {
            run.unreached.clone()
        } else {
            self.unreached.intersection(&run.unreached).copied().collect()
        };
        self.played += 1;
        let tallies = run.verdict.iter().flat_map(|verdict| &verdict.tallies);
        for tally in tallies.filter(|tally| tally.checker == DELIVERIES) {
            for (reason, count) in &tally.allowed {
                *self.losses.entry(reason).or_default() += count;
            }
        }
        if run.status == Status::Skip {
            self.unreached.clear();
        }
        self.status = self.status.max(run.status);
        if run.status.is_bad() || run.attempts > 1 || self.runs.is_empty() {
            self.runs.push(run);
        }
    }

    /// Whether all its runs have been played; then a mark that none reached makes it unknown.
    pub fn finish(&mut self) -> bool {
        let complete = self.played == self.planned;
        if complete && !self.unreached.is_empty() {
            self.status = self.status.max(Status::Unknown);
        }
        complete
    }

    /// Runs that passed only when they were played again.
    pub fn flaky(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|run| run.attempts > 1 && !run.status.is_bad())
    }

    /// The runs that did not pass.
    pub fn bad(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|run| run.status.is_bad())
    }

    /// Why it was not played.
    #[must_use]
    pub fn skipped(&self) -> Option<&str> {
        let run = self.runs.first().filter(|_| self.status == Status::Skip)?;
        run.trouble.as_deref()
    }

    /// A sentence about marks that no run reached.
    #[must_use]
    pub fn unreached_sentence(&self) -> Option<String> {
        let marks: Vec<String> = self.unreached.iter().map(Mark::to_string).collect();
        let runs = if self.played == 1 { "the run" } else { "any run" };
        let marks = marks.join(", ");
        (!marks.is_empty())
            .then(|| format!("the scenario exists for {marks}, which did not occur in {runs}"))
    }

    /// The same beside the user's line.
    #[must_use]
    pub fn unreached_diagnostic(&self) -> Option<Diagnostic> {
        let missed = self.must_reach.iter().filter(|(mark, _)| self.unreached.contains(mark));
        let mut spans = missed.map(|(_, span)| span);
        let label = "did not occur";
        let first =
            Diagnostic::warning(NOT_REACHED, self.unreached_sentence()?, spans.next()?, label);
        Some(spans.fold(first, |diagnostic, span| diagnostic.context(span, label)))
    }
}

/// What is known before the first run.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// Scenarios that will be played.
    pub scenarios: usize,
    /// Runs of all of them.
    pub runs: usize,
    /// The first seed.
    pub seed: u64,
    /// The seed in words of the command line, if it is the same for all.
    pub seeds: String,
    /// Files that cannot be.
    pub invalid: usize,
    /// Scenarios that must reach marks.
    pub marked: usize,
}

/// What is known at the end.
#[derive(Clone, Debug, Default)]
pub struct End {
    /// Scenarios that were played.
    pub scenarios: Vec<Scenario>,
    /// Files that cannot be run.
    pub invalid: Vec<Invalid>,
    /// Runs that were given up, by `--fail-fast` or a signal.
    pub not_run: usize,
    /// The first seed.
    pub seed: u64,
    /// Why the rest was not run.
    pub stopped: Option<String>,
    /// The exit code.
    pub exit: u8,
    /// How long everything took.
    pub wall: Duration,
}

impl End {
    /// Scenarios of this status.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.scenarios.iter().filter(|scenario| scenario.status == status).count()
    }

    /// One sentence about losses that were allowed, if there were any.
    #[must_use]
    pub fn losses(&self) -> Option<String> {
        let mut losses: BTreeMap<&str, u64> = BTreeMap::new();
        for (reason, count) in self.scenarios.iter().flat_map(|scenario| &scenario.losses) {
            *losses.entry(reason).or_default() += count;
        }
        let all: u64 = losses.values().sum();
        let mut losses: Vec<(u64, &str)> =
            losses.into_iter().map(|(reason, count)| (count, reason)).collect();
        losses.sort_by(|a, b| b.cmp(a));
        let reasons = losses.iter().map(|(count, reason)| format!("{count} ({reason})"));
        let reasons = reasons.collect::<Vec<_>>().join(", ");
        let deliveries =
            if all == 1 { "1 delivery was" } else { &format!("{all} deliveries were") };
        (all > 0).then(|| format!("{deliveries} lost, and may be: {reasons}"))
    }

    /// Runs that were played.
    #[must_use]
    pub fn played(&self) -> usize {
        self.scenarios.iter().map(|scenario| scenario.played).sum()
    }

    /// One sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let mut parts = Vec::new();
        for status in Status::ALL {
            let count = self.count(status);
            if count > 0 || status == Status::Pass {
                parts.push(format!("{count} {}", status.participle()));
            }
        }
        if !self.invalid.is_empty() {
            parts.push(format!("{} invalid", self.invalid.len()));
        }
        if self.not_run > 0 {
            parts.push(format!("{} not run", many(self.not_run, "run")));
        }
        let scenarios = many(self.scenarios.len(), "scenario");
        let runs = many(self.played(), "run");
        format!("{scenarios}, {runs}: {}", parts.join(", "))
    }
}

/// `1 run`, `2 runs`.
#[must_use]
pub fn many(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// A seed as every message writes it.
#[must_use]
pub fn seed(seed: u64) -> String {
    format!("{seed:#x}")
}

/// Virtual time as messages write it: `3.204ms`.
#[must_use]
pub fn time(nanos: u64) -> String {
    let (unit, name) = match nanos {
        0..1_000 => return format!("{nanos}ns"),
        1_000..1_000_000 => (1_000, "us"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        1_000_000_000.. => (1_000_000_000, "s"),
    };
    format!("{}.{:03}{name}", nanos / unit, nanos % unit / (unit / 1_000))
}

/// Runs for tests of the writers.
#[cfg(test)]
pub(crate) mod sample {
    use super::*;
    use crate::verdict::{Finding, Label, Property};

    pub(crate) fn run(status: Status) -> Run {
        let span = Span { file: "rooms/a.yaml".into(), start: 10, end: 20, line: 8, column: 5 };
        let finding = Finding {
            code: "OH0301",
            property: Property::P01,
            rules: vec!["BC-TGT-01"],
            title: "alice got `chat`, but must not".to_owned(),
            check: Some(Label { span, text: "broken at t=3.204ms".to_owned() }),
            cause: None,
            event: Some(7),
            clients: vec!["alice".to_owned()],
            t: 3_204_000,
            notes: Vec::new(),
        };
        let outcome = if status == Status::Fail { Outcome::Fail } else { Outcome::Pass };
        Run {
            file: "rooms/a.yaml".to_owned(),
            scenario: "a <room> | `message`, 100% # \u{7} \\".to_owned(),
            seed: 1,
            status,
            t: 1_204_000_000,
            events: 42,
            hash: "00ff".to_owned(),
            verdict: Some(Verdict {
                outcome,
                findings: if status == Status::Fail { vec![finding] } else { Vec::new() },
                unknowns: Vec::new(),
                tallies: Vec::new(),
                reached: BTreeMap::new(),
            }),
            unreached: BTreeSet::new(),
            trouble: (status > Status::Fail || status == Status::Skip)
                .then(|| "it is broken".to_owned()),
            story: Text {
                plain: "error[OH0301]: alice got `chat`\n::error::injected\n".to_owned(),
                coloured: "\u{1b}[31merror\u{1b}[0m".to_owned(),
            },
            replay: "overheard replay rooms/a.yaml --seed 0x1".to_owned(),
            trace: (status > Status::Pass).then(|| ".overheard/traces/a-0x1.jsonl".to_owned()),
            attempts: 1,
        }
    }

    /// A suite with one scenario of each status.
    pub(crate) fn end() -> End {
        let scenarios = Status::ALL.into_iter().map(|status| {
            let mut scenario = Scenario::new("rooms/a.yaml", "a <room> | `message`", &[], 1);
            scenario.add(run(status));
            scenario.finish();
            scenario
        });
        End { scenarios: scenarios.collect(), exit: 70, seed: 1, ..End::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short_and_exact_to_three_places() {
        assert_eq!(time(999), "999ns");
        assert_eq!(time(3_204_567), "3.204ms");
        assert_eq!(time(61_000_000_000), "61.000s");
    }

    #[test]
    fn a_mark_that_one_run_reached_is_reached() {
        let mut scenario = Scenario::new("a.yaml", "a", &[], 2);
        let mut run = sample::run(Status::Pass);
        run.unreached = [Mark::Upgraded, Mark::Recovered].into();
        scenario.add(run.clone());
        assert!(!scenario.finish());
        run.unreached = [Mark::Upgraded].into();
        scenario.add(run);
        assert!(scenario.finish());
        assert_eq!(scenario.status, Status::Unknown);
        assert_eq!(scenario.unreached, [Mark::Upgraded].into());
    }
}
