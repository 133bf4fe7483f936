//! Lines for people, in the manner of nextest: a word, what it is about, and nothing that depends
//! on the machine but the last line.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::{End, Invalid, Run, Scenario, Start, Status, many, seed, time};

/// Width of the word at the beginning of a line.
const WORD: usize = 12;

/// Most seeds that are named behind the first bad one.
const MAX_SEEDS: usize = 8;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const CYAN: Style = AnsiColor::Cyan.on_default();

/// Writes for people.
#[derive(Clone, Copy, Debug, Default)]
pub struct Human {
    /// With escape sequences.
    pub coloured: bool,
    /// Only what did not pass, and the summary.
    pub quiet: bool,
}

/// The colour of a status; its word is always there too.
#[must_use]
pub const fn style(status: Status) -> Style {
    let colour = match status {
        Status::Pass => AnsiColor::Green,
        Status::Skip => AnsiColor::Cyan,
        Status::Unknown => AnsiColor::Yellow,
        Status::Fail | Status::Nondeterministic | Status::Broken => AnsiColor::Red,
    };
    colour.on_default().bold()
}

impl Human {
    fn paint(self, style: Style, text: &str) -> String {
        if self.coloured {
            format!("{}{text}{}", style.render(), style.render_reset())
        } else {
            text.to_owned()
        }
    }

    fn line(self, style: Style, word: &str, rest: &str) -> String {
        let gap = " ".repeat(WORD.saturating_sub(word.chars().count()));
        format!("{gap}{} {rest}\n", self.paint(style, word))
    }

    /// What became of something, on one line.
    #[must_use]
    pub fn verdict(self, status: Status, file: &str, about: &str) -> String {
        let about = self.paint(DIM, &format!("({about})"));
        self.line(style(status), status.word(), &format!("{} {about}", self.paint(CYAN, file)))
    }

    /// Before the first run.
    #[must_use]
    pub fn begin(self, start: &Start) -> String {
        if self.quiet {
            return String::new();
        }
        let scenarios = many(start.scenarios, "scenario");
        let runs = many(start.runs, "run");
        let rest = format!("{scenarios}, {runs}, {}", start.seeds);
        self.line(BOLD, "Running", &rest)
    }

    /// A file that cannot be run.
    #[must_use]
    pub fn invalid(self, invalid: &Invalid) -> String {
        let word = self.line(style(Status::Fail), "INVALID", &invalid.file);
        format!("{word}{}\n\n", invalid.text.get(self.coloured).trim_end())
    }

    /// A scenario whose runs are over.
    #[must_use]
    pub fn scenario(self, scenario: &Scenario) -> String {
        let status = scenario.status;
        if self.quiet && !status.is_bad() {
            return String::new();
        }
        let about = match scenario.skipped() {
            Some(reason) => format!("({reason})"),
            None => self.about(scenario),
        };
        let flaky = scenario.flaky().count();
        let about =
            if flaky > 0 { format!("{about} FLAKY: {}", many(flaky, "run")) } else { about };
        let file = self.paint(CYAN, &scenario.file);
        let rest = format!("{file}: {} {}", one_line(&scenario.name), self.paint(DIM, &about));
        let mut text = self.line(style(status), status.word(), &rest);
        let mut bad = scenario.bad();
        if let Some(run) = bad.next() {
            text.push_str(run.story.get(self.coloured).trim_end());
            text.push('\n');
            text.push_str(&self.others(bad));
            text.push('\n');
        }
        let told = scenario.told.get(self.coloured).trim_end();
        if !told.is_empty() {
            let _ = writeln!(text, "{told}\n");
        }
        text
    }

    fn about(self, scenario: &Scenario) -> String {
        let bad = scenario.bad().count();
        match (scenario.runs.first(), scenario.played) {
            (Some(run), 1) => format!("(seed {}, t={})", seed(run.seed), time(run.t)),
            (_, played) if bad > 0 => format!("({bad} of {})", many(played, "seed")),
            (_, played) => format!("({})", many(played, "seed")),
        }
    }

    /// Seeds that did not pass either.
    fn others<'a>(self, others: impl Iterator<Item = &'a Run>) -> String {
        let seeds: Vec<String> = others.map(|run| seed(run.seed)).collect();
        if seeds.is_empty() {
            return String::new();
        }
        let named = seeds.iter().take(MAX_SEEDS).cloned().collect::<Vec<_>>().join(", ");
        let more = seeds.len().saturating_sub(MAX_SEEDS);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("   = note: nor did it pass with seed {named}{more}\n")
    }

    /// After the last run.
    #[must_use]
    pub fn end(self, end: &End) -> String {
        let mut text = String::new();
        if let Some(reason) = &end.stopped {
            text.push_str(&self.line(style(Status::Unknown), "Stopped", reason));
        }
        let worst = end.scenarios.iter().map(|scenario| scenario.status).max();
        let worst = worst.unwrap_or(Status::Pass);
        let worst = if end.invalid.is_empty() { worst } else { worst.max(Status::Fail) };
        let wall = self.paint(DIM, &format!("[{:.3}s]", end.wall.as_secs_f64()));
        let rest = format!("{} {wall}", end.sentence());
        text.push_str(&self.line(style(worst), "Summary", &rest));
        if let Some(losses) = end.losses() {
            text.push_str(&self.line(DIM, "Allowed", &losses));
        }
        for scenario in end.scenarios.iter().filter(|scenario| scenario.status.is_bad()) {
            let first = scenario.bad().next().map(|run| format!(" (seed {})", seed(run.seed)));
            let rest = format!("{}{}", scenario.file, first.unwrap_or_default());
            text.push_str(&self.line(style(scenario.status), scenario.status.word(), &rest));
        }
        for invalid in &end.invalid {
            text.push_str(&self.line(style(Status::Fail), "INVALID", &invalid.file));
        }
        if worst.is_bad() {
            text.push_str(&self.line(DIM, "Seed", &seed(end.seed)));
        }
        text
    }
}

/// A user's text on one line, without control characters.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::Human;
    use crate::report::{Start, Status, sample};

    #[test]
    fn a_line_per_scenario_and_a_block_per_failure() {
        let end = sample::end();
        let human = Human::default();
        let start =
            Start { scenarios: 5, runs: 5, seeds: "seed 0x1".to_owned(), ..Start::default() };
        let mut text = human.begin(&start);
        for scenario in &end.scenarios {
            text.push_str(&human.scenario(scenario));
        }
        text.push_str(&human.end(&end));
        assert!(text.contains("     Running 5 scenarios, 5 runs, seed 0x1\n"), "{text}");
        assert!(
            text.contains("        FAIL rooms/a.yaml: a <room> | `message` (seed 0x1, t=1.204s)")
        );
        let summary = "6 scenarios, 6 runs: 1 passed, 1 skipped, 1 unknown, 1 failed, 1 not \
                       deterministic, 1 broken [0.000s]";
        assert!(text.contains(summary), "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'));
    }

    #[test]
    fn quiet_says_only_what_is_wrong() {
        let human = Human { quiet: true, coloured: true };
        let end = sample::end();
        assert_eq!(human.scenario(&end.scenarios[0]), "");
        assert_eq!(human.scenario(&end.scenarios[1]), "");
        assert!(human.scenario(&end.scenarios[3]).contains(Status::Fail.word()));
    }
}
