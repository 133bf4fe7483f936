//! A summary in Markdown: a table, and what did not pass below it.

use std::fmt::Write as _;

use super::human::one_line;
use super::{End, Run, Scenario, seed, time};

/// GitHub refuses a step's summary beyond 1 MiB; other steps want to say something too.
const MAX_BYTES: usize = 900_000;

/// The whole summary.
#[must_use]
pub fn summary(end: &End) -> String {
    let mut text = String::from("## Overheard\n\n");
    let _ = writeln!(text, "{}.", end.sentence());
    if let Some(losses) = end.losses() {
        let _ = writeln!(text, "\nAllowed: {}.", escaped(&losses));
    }
    if let Some(reason) = &end.stopped {
        let _ = writeln!(text, "\nStopped: {}.", escaped(reason));
    }
    let bad: Vec<&Scenario> =
        end.scenarios.iter().filter(|scenario| scenario.status.is_bad()).collect();
    if !bad.is_empty() || !end.invalid.is_empty() {
        text.push_str("\n| | scenario | seed | what |\n|---|---|---|---|\n");
    }
    for invalid in &end.invalid {
        let title = invalid.errors().next().map_or("", |error| error.title.as_str());
        let file = escaped(&invalid.file);
        let _ = writeln!(text, "| INVALID | {file} | | {} |", escaped(title));
    }
    for scenario in &bad {
        let first = scenario.bad().next();
        let seed = first.map(|run| seed(run.seed)).unwrap_or_default();
        let (file, what) = (escaped(&scenario.file), escaped(&what(scenario)));
        let _ = writeln!(text, "| {} | {file} | {seed} | {what} |", scenario.status.word());
    }
    for scenario in &bad {
        details(&mut text, scenario);
    }
    shortened(text)
}

/// One sentence about a scenario that did not pass.
fn what(scenario: &Scenario) -> String {
    let told = scenario.bad().next().and_then(Run::title).map(str::to_owned);
    told.or_else(|| scenario.unreached_sentence()).unwrap_or_default()
}

fn details(text: &mut String, scenario: &Scenario) {
    let Some(run) = scenario.bad().next() else {
        let _ = write!(text, "\n{}", fenced(&scenario.told.plain));
        return;
    };
    let name = escaped(&scenario.name);
    let at = time(run.t);
    let _ = write!(text, "\n<details><summary>{name} (t={at})</summary>\n\n");
    let _ = write!(text, "{}", fenced(&run.story.plain));
    let _ = write!(text, "\n```sh\n{}\n```\n\n</details>\n", one_line(&run.replay));
}

/// A block of text that nothing in it can end.
fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat((longest + 1).max(3));
    format!("{fence}text\n{}\n{fence}\n", text.trim_end())
}

/// A user's text within a line of Markdown.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '#' | '~' => {
                escaped.push('\\');
                escaped.push(c);
            }
            _ => escaped.push(c),
        }
    }
    escaped
}

fn shortened(mut text: String) -> String {
    if text.len() > MAX_BYTES {
        // Whole lines only; what is open stays open, and GitHub closes it.
        let end = text.as_bytes()[..MAX_BYTES].iter().rposition(|byte| *byte == b'\n');
        text.truncate(end.map_or(0, |end| end + 1));
        text.push_str("\nThe rest is left out: it would be too long. See the log.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{MAX_BYTES, fenced, summary};
    use crate::report::sample;

    #[test]
    fn a_row_for_everything_that_did_not_pass() {
        let text = summary(&sample::end());
        assert_eq!(text.lines().filter(|line| line.starts_with("| ")).count(), 5);
        assert!(
            text.contains("| FAIL | rooms/a.yaml | 0x1 | alice got \\`chat\\`, but must not |")
        );
        assert!(text.contains("<summary>a &lt;room&gt; \\| \\`message\\`"), "{text}");
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn a_fence_is_longer_than_any_inside() {
        assert!(fenced("a ```` b").starts_with("`````text\n"));
    }

    #[test]
    fn it_is_never_too_long() {
        let mut end = sample::end();
        let failed = end.scenarios[2].clone();
        end.scenarios = vec![failed; 10_000];
        assert!(summary(&end).len() < MAX_BYTES + 1_000);
    }
}
