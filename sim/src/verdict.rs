//! What is said about a run: pass, fail or unknown, and why.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::plan::Mark;
use crate::span::Span;

/// One of the twenty properties that a chat server promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[expect(missing_docs, reason = "`Property::statement` says what each is")]
pub enum Property {
    P01,
    P02,
    P03,
    P04,
    P05,
    P06,
    P07,
    P08,
    P09,
    P10,
    P11,
    P12,
    P13,
    P14,
    P15,
    P19,
    P20,
    /// What the file itself expects.
    File,
}

/// Pass, fail or unknown. Unknown is never green.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Everything that was judged is as it must be, and everything that must be judged was.
    Pass,
    /// It cannot be said.
    Unknown,
    /// Something is not as it must be.
    Fail,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Unknown => "unknown",
            Self::Fail => "fail",
        })
    }
}

/// What is said about one run.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The sum of it.
    pub outcome: Outcome,
    /// What is wrong, in the order of the history.
    pub findings: Vec<Finding>,
    /// Why it cannot be said.
    pub unknowns: Vec<Unknown>,
    /// How much each checker judged.
    pub tallies: Vec<Tally>,
    /// Situations that occurred, and how often.
    pub reached: BTreeMap<Mark, u64>,
}

impl Serialize for Mark {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Something that is not as it must be.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The code, as in `OH0301`: `overheard explain` says more.
    pub code: &'static str,
    /// The property that is broken.
    pub property: Property,
    /// The rules that say so.
    pub rules: Vec<&'static str>,
    /// One sentence: who, what, and what should have been.
    pub title: String,
    /// The user's line that must have been met.
    pub check: Option<Label>,
    /// The user's line that caused what happened.
    pub cause: Option<Label>,
    /// The event that shows it, if one does.
    pub event: Option<u64>,
    /// The clients that it is about: the columns of the ladder.
    pub clients: Vec<String>,
    /// Virtual nanoseconds.
    pub t: u64,
    /// More sentences: what did arrive, near misses, the rule in words.
    pub notes: Vec<String>,
}

/// A line of the user's, with what is to be said about it.
#[derive(Clone, Debug, Serialize)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What.
    pub text: String,
}

/// Why a run cannot be judged, or not all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unknown {
    /// The code, as in `OH0401`.
    pub code: &'static str,
    /// One sentence.
    pub title: String,
    /// The user's line that it is about.
    pub span: Option<Span>,
}

/// How much a checker judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Of which property.
    pub property: Property,
    /// The checker's name.
    pub checker: &'static str,
    /// What it counted, as in `deliveries`.
    pub unit: &'static str,
    /// How many of them were judged.
    pub judged: u64,
    /// Losses that were allowed, by reason.
    pub allowed: BTreeMap<&'static str, u64>,
}
