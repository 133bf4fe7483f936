//! JSON lines for machines: versioned, written as it happens, described by [`SCHEMA`].

use serde::Serialize;

use super::{End, Invalid, Run, Scenario, Start, Status, seed};
use crate::diagnostic::{Diagnostic, Severity};
use crate::verdict::Verdict;

/// The version of the format. Fields and types of lines are only ever added.
pub const VERSION: u32 = 1;

/// The JSON Schema of one line.
pub const SCHEMA: &str = include_str!("report.v1.schema.json");

/// A line.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
enum Line<'a> {
    SuiteStarted {
        overheard_report: u32,
        scenarios: usize,
        runs: usize,
        invalid: usize,
        seed: String,
    },
    FileInvalid {
        file: &'a str,
        diagnostics: Vec<Problem<'a>>,
    },
    RunFinished {
        file: &'a str,
        scenario: &'a str,
        seed: String,
        status: Status,
        t: u64,
        events: u64,
        hash: &'a str,
        replay: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        trace: Option<&'a str>,
        /// Only if it was played more than once.
        #[serde(skip_serializing_if = "is_one")]
        attempts: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        trouble: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        verdict: Option<&'a Verdict>,
    },
    ScenarioFinished {
        file: &'a str,
        scenario: &'a str,
        tags: &'a [String],
        status: Status,
        runs: usize,
        unreached: Vec<String>,
    },
    SuiteFinished {
        passed: usize,
        skipped: usize,
        failed: usize,
        unknown: usize,
        nondeterministic: usize,
        broken: usize,
        invalid: usize,
        not_run: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        stopped: Option<&'a str>,
        exit_code: u8,
        wall_ms: u64,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_one(attempts: &u32) -> bool {
    *attempts == 1
}

#[derive(Debug, Serialize)]
struct Problem<'a> {
    severity: &'static str,
    code: &'a str,
    title: &'a str,
    label: &'a str,
    file: &'a str,
    line: u32,
    column: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
}

impl<'a> From<&'a Diagnostic> for Problem<'a> {
    fn from(diagnostic: &'a Diagnostic) -> Self {
        let span = &diagnostic.primary.span;
        Self {
            severity: match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            code: diagnostic.code,
            title: &diagnostic.title,
            label: &diagnostic.primary.text,
            file: &span.file,
            line: span.line,
            column: span.column,
            help: diagnostic.help.as_deref(),
        }
    }
}

fn line(line: &Line<'_>) -> String {
    // Strings, numbers and maps with string keys: there is nothing that JSON cannot say.
    let mut text = serde_json::to_string(line).unwrap_or_default();
    text.push('\n');
    text
}

/// Before the first run.
#[must_use]
pub fn begin(start: &Start) -> String {
    line(&Line::SuiteStarted {
        overheard_report: VERSION,
        scenarios: start.scenarios,
        runs: start.runs,
        invalid: start.invalid,
        seed: seed(start.seed),
    })
}

/// A file that cannot be run.
#[must_use]
pub fn invalid(invalid: &Invalid) -> String {
    let diagnostics = invalid.diagnostics.iter().map(Problem::from).collect();
    line(&Line::FileInvalid { file: &invalid.file, diagnostics })
}

/// What is said about a file, without a line around it.
#[must_use]
pub fn diagnostic(diagnostic: &Diagnostic) -> String {
    let mut text = serde_json::to_string(&Problem::from(diagnostic)).unwrap_or_default();
    text.push('\n');
    text
}

/// A run that is over.
#[must_use]
pub fn run(run: &Run) -> String {
    line(&Line::RunFinished {
        file: &run.file,
        scenario: &run.scenario,
        seed: seed(run.seed),
        status: run.status,
        t: run.t,
        events: run.events,
        hash: &run.hash,
        replay: &run.replay,
        trace: run.trace.as_deref(),
        attempts: run.attempts,
        trouble: run.trouble.as_deref(),
        verdict: run.verdict.as_ref(),
    })
}

/// A scenario whose runs are over.
#[must_use]
pub fn scenario(scenario: &Scenario) -> String {
    line(&Line::ScenarioFinished {
        file: &scenario.file,
        scenario: &scenario.name,
        tags: &scenario.tags,
        status: scenario.status,
        runs: scenario.played,
        unreached: scenario.unreached.iter().map(ToString::to_string).collect(),
    })
}

/// After the last run.
#[must_use]
pub fn end(end: &End) -> String {
    line(&Line::SuiteFinished {
        passed: end.count(Status::Pass),
        skipped: end.count(Status::Skip),
        failed: end.count(Status::Fail),
        unknown: end.count(Status::Unknown),
        nondeterministic: end.count(Status::Nondeterministic),
        broken: end.count(Status::Broken),
        invalid: end.invalid.len(),
        not_run: end.not_run,
        stopped: end.stopped.as_deref(),
        exit_code: end.exit,
        wall_ms: u64::try_from(end.wall.as_millis()).unwrap_or(u64::MAX),
    })
}
