//! GitHub Actions: lines for people, at most nine annotations, and a summary in Markdown.

use std::fmt::Write as _;

use super::human::Human;
use super::{End, Invalid, Run, Scenario, Start};
use crate::check::NOT_REACHED;
use crate::span::Span;

/// GitHub shows ten errors of a step and drops the rest: the tenth says where to look.
const MAX_ERRORS: usize = 9;

/// Writes for GitHub Actions.
#[derive(Clone, Debug, Default)]
pub struct Github {
    human: Human,
    errors: usize,
    more: usize,
    grouped: bool,
}

impl Github {
    /// With lines of this kind.
    #[must_use]
    pub fn new(human: Human) -> Self {
        Self { human, ..Self::default() }
    }

    /// Before the first run.
    #[must_use]
    pub fn begin(&self, start: &Start) -> String {
        harmless(&self.human.begin(start))
    }

    /// A file that cannot be run.
    #[must_use]
    pub fn invalid(&mut self, invalid: &Invalid) -> String {
        let mut text = self.ungroup();
        text.push_str(&harmless(&self.human.invalid(invalid)));
        for error in invalid.errors() {
            let span = Some(&error.primary.span);
            text.push_str(&self.annotate(&invalid.file, span, error.code, &error.title));
        }
        text
    }

    /// A scenario whose runs are over. Those that pass are folded away.
    #[must_use]
    pub fn scenario(&mut self, scenario: &Scenario) -> String {
        let lines = harmless(&self.human.scenario(scenario));
        if !scenario.status.is_bad() {
            let open = if self.grouped || lines.is_empty() { "" } else { "::group::passed\n" };
            self.grouped |= !lines.is_empty();
            return format!("{open}{lines}");
        }
        let mut text = self.ungroup();
        text.push_str(&lines);
        if let Some(run) = scenario.bad().next() {
            text.push_str(&self.annotate_run(run));
        } else if let Some(sentence) = scenario.unreached_sentence() {
            let diagnostic = scenario.unreached_diagnostic();
            let span = diagnostic.as_ref().map(|diagnostic| &diagnostic.primary.span);
            text.push_str(&self.annotate(&scenario.file, span, NOT_REACHED, &sentence));
        }
        text
    }

    fn annotate_run(&mut self, run: &Run) -> String {
        if let Some(trouble) = &run.trouble {
            return self.annotate(&run.file, None, run.status.word(), trouble);
        }
        let Some(verdict) = &run.verdict else { return String::new() };
        let mut text = String::new();
        for finding in &verdict.findings {
            let span = finding.check.as_ref().or(finding.cause.as_ref()).map(|label| &label.span);
            let message = format!("{}\nreplay: {}", finding.title, run.replay);
            text.push_str(&self.annotate(&run.file, span, finding.code, &message));
        }
        for unknown in verdict.unknowns.iter().filter(|_| verdict.findings.is_empty()) {
            let span = unknown.span.as_ref();
            text.push_str(&self.annotate(&run.file, span, unknown.code, &unknown.title));
        }
        text
    }

    fn annotate(&mut self, file: &str, span: Option<&Span>, title: &str, message: &str) -> String {
        if self.errors == MAX_ERRORS {
            self.more += 1;
            return String::new();
        }
        self.errors += 1;
        let span = span.filter(|span| !span.file.is_empty());
        let file = span.map_or(file, |span| &span.file);
        let mut text = format!("::error file={}", property(file));
        if let Some(span) = span {
            let _ = write!(text, ",line={},col={}", span.line, span.column);
        }
        let _ = writeln!(text, ",title={}::{}", property(title), data(message));
        text
    }

    fn ungroup(&mut self) -> String {
        if std::mem::take(&mut self.grouped) { "::endgroup::\n".to_owned() } else { String::new() }
    }

    /// After the last run.
    #[must_use]
    pub fn end(&mut self, end: &End) -> String {
        let mut text = self.ungroup();
        if self.more > 0 {
            let message = format!("and {} more: see the summary and the log", self.more);
            let _ = writeln!(text, "::error title=overheard::{}", data(&message));
        }
        text.push_str(&harmless(&self.human.end(end)));
        text
    }
}

/// A value behind `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The runner takes lines of a user's text for commands if they look like it.
fn harmless(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with("::") || line.contains("##[") {
            harmless.push_str("| ");
        }
        harmless.push_str(&line.replace("##[", "# #["));
    }
    harmless
}

#[cfg(test)]
mod tests {
    use super::{Github, MAX_ERRORS};
    use crate::report::{End, Status, sample};

    #[test]
    fn at_most_nine_errors_and_one_that_counts_the_rest() {
        let mut github = Github::default();
        let failing = sample::end().scenarios[3].clone();
        assert_eq!(failing.status, Status::Fail);
        let mut text: String = (0..30).map(|_| github.scenario(&failing)).collect();
        text.push_str(&github.end(&End::default()));
        let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("::")).collect();
        assert_eq!(errors.len(), MAX_ERRORS + 1);
        let first = "::error file=rooms/a.yaml,line=8,col=5,title=OH0301::alice got `chat`, but \
                     must not%0Areplay: overheard replay rooms/a.yaml --seed 0x1";
        assert_eq!(errors[0], first);
        assert!(errors[MAX_ERRORS].ends_with("::and 21 more: see the summary and the log"));
    }

    #[test]
    fn what_passed_is_folded_and_a_users_text_is_no_command() {
        let mut github = Github::default();
        let end = sample::end();
        let passed = github.scenario(&end.scenarios[0]);
        assert!(passed.starts_with("::group::passed\n        PASS "), "{passed}");
        let failed = github.scenario(&end.scenarios[3]);
        assert!(failed.starts_with("::endgroup::\n        FAIL "), "{failed}");
        assert!(failed.contains("\n| ::error::injected\n"), "{failed}");
    }
}
