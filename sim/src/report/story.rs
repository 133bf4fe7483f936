//! What is shown of a run that did not pass: the user's own lines, what happened around the
//! failure, and one command that plays it again. It fits in 30 lines.

use std::fmt::Write as _;

use super::Text;
use super::human::one_line;
use crate::diagnostic::{self, Diagnostic, Severity, Sources};
use crate::span::Span;
use crate::verdict::{Finding, Label, Outcome, Unknown, Verdict};

/// Lines of a whole block, with the line that names the scenario.
pub const MAX_LINES: usize = 30;

/// Lines of the ladder, at least.
const MIN_LADDER: usize = 6;

/// Sentences behind the drawing.
const MAX_NOTES: usize = 4;

/// Further findings that are named.
const MAX_OTHERS: usize = 3;

/// What surrounds a verdict.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The user's files.
    pub sources: &'a Sources,
    /// What happened around the first finding, drawn.
    pub ladder: &'a str,
    /// What to type, and what for.
    pub help: &'a str,
    /// Where the history is kept.
    pub trace: Option<&'a str>,
}

/// The block of a verdict.
#[must_use]
pub fn story(verdict: &Verdict, around: &Around<'_>) -> Text {
    Text { plain: block(verdict, around, false), coloured: block(verdict, around, true) }
}

/// The block of a run that has no verdict: one sentence, and what to do.
#[must_use]
pub fn trouble(title: &str, lines: &[String], help: &str, trace: Option<&str>) -> Text {
    let mut plain = format!("error: {}\n", one_line(title));
    for line in lines {
        let _ = writeln!(plain, "   = note: {line}");
    }
    plain.push_str(&tail(help, trace));
    Text { coloured: plain.clone(), plain }
}

fn block(verdict: &Verdict, around: &Around<'_>, coloured: bool) -> String {
    let (diagnostic, notes) = match (verdict.findings.first(), verdict.unknowns.first()) {
        (Some(finding), _) => (of_finding(finding), notes_of(finding)),
        (None, Some(unknown)) => (of_unknown(unknown), Vec::new()),
        (None, None) => return tail(around.help, around.trace),
    };
    let drawn = diagnostic::render(&diagnostic, around.sources, coloured);
    let mut head = drawn.trim_end().to_owned();
    head.push('\n');
    if !diagnostic.primary.span.file.is_empty() {
        head.push_str("   |\n");
    }
    let mut end = String::new();
    for note in notes.iter().take(MAX_NOTES) {
        let _ = writeln!(end, "   = note: {}", one_line(note));
    }
    let skip_first = usize::from(verdict.outcome == Outcome::Fail);
    let others = verdict.findings.iter().skip(skip_first);
    for other in others.clone().take(MAX_OTHERS) {
        let at = other.check.as_ref().map(|label| format!(" ({})", label.span));
        let title = one_line(&other.title);
        let _ = writeln!(end, "   = also: {}: {title}{}", other.code, at.unwrap_or_default());
    }
    let more = others.count().saturating_sub(MAX_OTHERS);
    if more > 0 {
        let _ = writeln!(end, "   = also: {more} more");
    }
    end.push_str(&tail(around.help, around.trace));
    let used = head.lines().count() + end.lines().count() + 1;
    let left = MAX_LINES.saturating_sub(used + 1).max(MIN_LADDER);
    if !around.ladder.trim().is_empty() {
        head.push('\n');
        for line in around.ladder.lines().take(left) {
            let _ = writeln!(head, "{line}");
        }
    }
    head + &end
}

/// The last lines: what to type, and what to send.
fn tail(help: &str, trace: Option<&str>) -> String {
    let mut text = String::new();
    if let Some(trace) = trace {
        let _ = writeln!(text, "   = trace: {trace}");
    }
    let _ = writeln!(text, "   = help: {help}");
    text
}

fn of_finding(finding: &Finding) -> Diagnostic {
    let nowhere = Label { span: Span::default(), text: String::new() };
    let (primary, context) = match (&finding.check, &finding.cause) {
        (Some(check), Some(cause)) if check.span != cause.span => (check, vec![cause.clone()]),
        (Some(check), _) => (check, Vec::new()),
        (None, Some(cause)) => (cause, Vec::new()),
        (None, None) => (&nowhere, Vec::new()),
    };
    Diagnostic {
        severity: Severity::Error,
        code: finding.code,
        title: finding.title.clone(),
        primary: primary.clone(),
        context,
        help: None,
        suggestion: None,
    }
}

fn notes_of(finding: &Finding) -> Vec<String> {
    let mut notes = finding.notes.clone();
    if !finding.rules.is_empty() {
        notes.push(format!(
            "{}, see `overheard explain {}`",
            finding.rules.join(", "),
            finding.code
        ));
    }
    notes
}

fn of_unknown(unknown: &Unknown) -> Diagnostic {
    let span = unknown.span.clone().unwrap_or_default();
    Diagnostic {
        severity: Severity::Warning,
        ..Diagnostic::error(unknown.code, unknown.title.clone(), &span, "this could not be judged")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Status, sample};

    #[test]
    fn a_failure_fits_in_thirty_lines() {
        let mut sources = Sources::new();
        sources.insert("rooms/a.yaml", "steps:\n  - never: { at: alice }\n".repeat(20));
        let mut verdict = sample::run(Status::Fail).verdict.unwrap();
        let mut finding = verdict.findings[0].clone();
        finding.notes = (0..20).map(|n| format!("note {n}")).collect();
        verdict.findings = vec![finding; 10];
        let ladder = "  1.000ms  alice\n".repeat(40);
        let around = Around {
            sources: &sources,
            ladder: &ladder,
            help: "replay: overheard replay rooms/a.yaml --seed 0x1",
            trace: Some("t.jsonl"),
        };
        let text = story(&verdict, &around).plain;
        assert!(text.lines().count() < MAX_LINES, "{text}");
        assert!(text.contains("error[OH0301]: alice got `chat`, but must not"), "{text}");
        assert!(text.contains("--> rooms/a.yaml"), "{text}");
        assert!(text.ends_with("   = help: replay: overheard replay rooms/a.yaml --seed 0x1\n"));
    }
}
