//! TAP version 14: one test point per run, per scenario that must reach marks, and per file that
//! cannot be run.

use std::fmt::Write as _;

use super::human::one_line;
use super::{Invalid, Run, Scenario, Start, Status, seed};
use crate::check::NOT_REACHED;

/// Writes TAP.
#[derive(Clone, Debug, Default)]
pub struct Tap {
    number: usize,
}

impl Tap {
    /// The version and the plan.
    #[must_use]
    pub fn begin(&self, start: &Start) -> String {
        let points = start.runs + start.invalid + start.marked;
        format!(
            "TAP version 14\n1..{points}{}\n",
            if points == 0 { " # nothing selected" } else { "" }
        )
    }

    fn point(&mut self, ok: bool, description: &str) -> String {
        self.number += 1;
        let word = if ok { "ok" } else { "not ok" };
        let text = one_line(description).replace('\\', "\\\\").replace('#', "\\#");
        format!("{word} {} - {text}\n", self.number)
    }

    /// A file that cannot be run.
    #[must_use]
    pub fn invalid(&mut self, invalid: &Invalid) -> String {
        let mut text = self.point(false, &invalid.file);
        let title = invalid.errors().next().map_or("", |error| error.title.as_str());
        let code = invalid.errors().next().map_or("", |error| error.code);
        text.push_str(&block(&[("severity", "invalid"), ("code", code), ("message", title)]));
        text
    }

    /// A run that is over. Unknown is not ok.
    #[must_use]
    pub fn run(&mut self, run: &Run) -> String {
        let description = format!("{}: {} (seed {})", run.file, run.scenario, seed(run.seed));
        let mut text = self.point(!run.status.is_bad(), &description);
        if run.status == Status::Skip {
            text.truncate(text.trim_end().len());
            let _ = writeln!(text, " # SKIP {}", one_line(run.title().unwrap_or_default()));
        }
        if !run.status.is_bad() {
            return text;
        }
        let finding = run.verdict.as_ref().and_then(|verdict| verdict.findings.first());
        let place = finding.and_then(|finding| finding.check.as_ref().or(finding.cause.as_ref()));
        let place = place.map(|label| label.span.to_string()).unwrap_or_default();
        text.push_str(&block(&[
            ("severity", &run.status.word().to_lowercase()),
            ("code", run.code().unwrap_or_default()),
            ("message", run.title().unwrap_or_default()),
            ("at", &place),
            ("replay", &run.replay),
            ("trace", run.trace.as_deref().unwrap_or_default()),
        ]));
        text
    }

    /// A scenario whose runs are over: a point about its marks, if it has any.
    #[must_use]
    pub fn scenario(&mut self, scenario: &Scenario) -> String {
        if scenario.must_reach.is_empty() || scenario.played < scenario.planned {
            return String::new();
        }
        let marks: Vec<String> =
            scenario.must_reach.iter().map(|(mark, _)| mark.to_string()).collect();
        let description = format!("{}: {} occurred", scenario.file, marks.join(", "));
        let sentence = scenario.unreached_sentence();
        let mut text = self.point(sentence.is_none(), &description);
        if let Some(sentence) = sentence {
            let members =
                [("severity", "unknown"), ("code", NOT_REACHED), ("message", sentence.as_str())];
            text.push_str(&block(&members));
        }
        text
    }

    /// The rest is not run.
    #[must_use]
    pub fn bail_out(reason: &str) -> String {
        format!("Bail out! {}\n", one_line(reason))
    }
}

/// A block of YAML; a text of JSON is one of YAML.
fn block(members: &[(&str, &str)]) -> String {
    let mut text = String::from("  ---\n");
    for (key, value) in members.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(text, "  {key}: {}", serde_json::Value::from(*value));
    }
    text.push_str("  ...\n");
    text
}

#[cfg(test)]
mod tests {
    use super::Tap;
    use crate::report::{Start, Status, sample};

    #[test]
    fn points_are_numbered_and_escaped() {
        let mut tap = Tap::default();
        let start = Start { runs: 2, ..Start::default() };
        assert_eq!(tap.begin(&start), "TAP version 14\n1..2\n");
        let ok = tap.run(&sample::run(Status::Pass));
        let expected = "ok 1 - rooms/a.yaml: a <room> | `message`, 100% \\#   \\\\ (seed 0x1)\n";
        assert_eq!(ok, expected);
        let not_ok = tap.run(&sample::run(Status::Fail));
        assert!(not_ok.starts_with("not ok 2 - "), "{not_ok}");
        assert!(not_ok.contains("  at: \"rooms/a.yaml:8:5\"\n"), "{not_ok}");
        assert!(not_ok.ends_with("  ...\n"));
        assert!(tap.run(&sample::run(Status::Unknown)).starts_with("not ok 3 - "));
    }
}
