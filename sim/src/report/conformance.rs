//! One table from reports of many servers: families of scenarios against servers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Deserialize;

use super::many;
use super::markdown::escaped;

/// What one server did: its name, and its report (JSON lines).
#[derive(Clone, Debug)]
pub struct Column {
    name: String,
    results: BTreeMap<String, Judged>,
    /// Why a failure is known, by file.
    known: BTreeMap<String, String>,
}

/// What became of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Judged {
    Passed,
    Failed(String),
    Left(String),
}

/// A report or a list of known failures that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ConformanceError {
    /// A line is not one of a report.
    #[error("line {line} is not one of a report: {source}")]
    NotAReport {
        /// From 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// The report tells of no scenario.
    #[error("no scenario was finished in it: is it the report of a run (`--report json=FILE`)?")]
    Empty,
    /// A line of a list has no reason.
    #[error("line {0} of the known failures is not `FILE: WHY`")]
    NoReason(usize),
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Line {
    RunFinished {
        file: String,
        status: String,
        trouble: Option<String>,
        verdict: Option<Told>,
    },
    ScenarioFinished {
        file: String,
        status: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Told {
    findings: Vec<Found>,
    unknowns: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    code: String,
    #[serde(default)]
    rules: Vec<String>,
    title: String,
}

impl Found {
    fn words(&self) -> String {
        let rules = self.rules.join(", ");
        let rules = if rules.is_empty() { rules } else { format!(" ({rules})") };
        format!("{}: {}{rules}", self.code, self.title)
    }
}

impl Column {
    /// Reads a report.
    ///
    /// # Errors
    /// It is not one, or of nothing.
    pub fn read(name: &str, report: &str) -> Result<Self, ConformanceError> {
        let mut reasons: BTreeMap<String, String> = BTreeMap::new();
        let mut results = BTreeMap::new();
        for (number, line) in (1..).zip(report.lines()).filter(|(_, line)| !line.is_empty()) {
            let line = serde_json::from_str(line);
            match line.map_err(|source| ConformanceError::NotAReport { line: number, source })? {
                Line::RunFinished { file, status, trouble, verdict } if status != "pass" => {
                    let found = verdict.and_then(|told| {
                        told.findings.into_iter().chain(told.unknowns).next().map(|it| it.words())
                    });
                    let reason = trouble.or(found).unwrap_or(status);
                    reasons.entry(file).or_insert(reason);
                }
                Line::ScenarioFinished { file, status } => {
                    let reason = reasons.get(&file).cloned();
                    let reason = || reason.unwrap_or_else(|| "a mark was not reached".to_owned());
                    let judged = match status.as_str() {
                        "pass" => Judged::Passed,
                        "skip" | "unknown" => Judged::Left(reason()),
                        _ => Judged::Failed(reason()),
                    };
                    results.insert(file, judged);
                }
                Line::RunFinished { .. } | Line::Other => {}
            }
        }
        if results.is_empty() {
            return Err(ConformanceError::Empty);
        }
        Ok(Self { name: name.to_owned(), results, known: BTreeMap::new() })
    }

    /// Adds why failures are known: a line `FILE: WHY` each, with `~` in front of those that do not
    /// come every time; `#` begins a comment.
    ///
    /// # Errors
    /// A line has no reason.
    pub fn explain(&mut self, known: &str) -> Result<(), ConformanceError> {
        for (number, line) in (1..).zip(known.lines()) {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let (file, why) = line.split_once(": ").ok_or(ConformanceError::NoReason(number))?;
            // `~` marks a failure that does not come every time, `?` what cannot be judged there.
            let file = file.trim_start_matches(['~', '?']).to_owned();
            self.known.insert(file, why.trim().to_owned());
        }
        Ok(())
    }

    fn of_family<'a>(&'a self, family: &'a str) -> impl Iterator<Item = &'a Judged> {
        self.results.iter().filter(move |(file, _)| self::family(file) == family).map(|(_, it)| it)
    }

    fn cell<'a>(judged: impl Iterator<Item = &'a Judged>) -> String {
        let (mut passed, mut failed, mut left) = (0_usize, 0_usize, 0_usize);
        for one in judged {
            match one {
                Judged::Passed => passed += 1,
                Judged::Failed(_) => failed += 1,
                Judged::Left(_) => left += 1,
            }
        }
        let failed = if failed == 0 { String::new() } else { format!(", **{failed} failed**") };
        let left = if left == 0 { String::new() } else { format!(", {left} –") };
        format!("{passed}{failed}{left}")
    }
}

/// The folder of a scenario.
fn family(file: &str) -> &str {
    let mut parts = file.rsplit('/');
    parts.next();
    parts.next().unwrap_or("")
}

/// The table, what failed, and what was not judged.
#[must_use]
pub fn table(columns: &[Column]) -> String {
    let mut text = String::from("| scenarios |");
    for column in columns {
        let _ = write!(text, " {} |", escaped(&column.name));
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(columns.len()));
    text.push('\n');
    let families: BTreeSet<&str> =
        columns.iter().flat_map(|column| column.results.keys()).map(|file| family(file)).collect();
    for family in families {
        let _ = write!(text, "| {family} |");
        for column in columns {
            let _ = write!(text, " {} |", Column::cell(column.of_family(family)));
        }
        text.push('\n');
    }
    text.push_str("| **all** |");
    for column in columns {
        let _ = write!(text, " {} |", Column::cell(column.results.values()));
    }
    text.push_str("\n\nPassed, failed, and – not judged.\n");
    failures(&mut text, columns);
    leftovers(&mut text, columns);
    text
}

fn failures(text: &mut String, columns: &[Column]) {
    text.push_str("\n## What failed, and who is wrong\n\n");
    let mut rows = String::new();
    for column in columns {
        for (file, judged) in &column.results {
            if let Judged::Failed(what) = judged {
                let why = column.known.get(file).map_or("not looked into", String::as_str);
                let _ = writeln!(
                    rows,
                    "| {} | `{file}` | {} | {} |",
                    escaped(&column.name),
                    escaped(what),
                    escaped(why)
                );
            }
        }
    }
    if rows.is_empty() {
        text.push_str("Nothing.\n");
    } else {
        text.push_str("| server | scenario | what | why |\n|---|---|---|---|\n");
        text.push_str(&rows);
    }
}

fn leftovers(text: &mut String, columns: &[Column]) {
    text.push_str("\n## What was not judged, and why\n\n");
    let mut any = false;
    for column in columns {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for judged in column.results.values() {
            if let Judged::Left(reason) = judged {
                *reasons.entry(reason).or_default() += 1;
            }
        }
        if reasons.is_empty() {
            continue;
        }
        any = true;
        let _ = writeln!(text, "{}:\n", escaped(&column.name));
        for (reason, count) in reasons {
            let _ = writeln!(text, "- {}: {}", many(count, "scenario"), escaped(reason));
        }
        text.push('\n');
    }
    if !any {
        text.push_str("Nothing.\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{json, sample};

    fn column(name: &str) -> Column {
        let end = sample::end();
        let mut report = String::new();
        for scenario in &end.scenarios {
            let mut scenario = scenario.clone();
            let file = format!("rooms/{}.yaml", scenario.status.word());
            scenario.file.clone_from(&file);
            for run in &mut scenario.runs {
                run.file.clone_from(&file);
                report.push_str(&json::run(run));
            }
            report.push_str(&json::scenario(&scenario));
        }
        Column::read(name, &report).unwrap()
    }

    #[test]
    fn every_status_has_its_place() {
        let mut ours = column("ours");
        ours.explain("# known\nrooms/FAIL.yaml: a quirk | of theirs\n").unwrap();
        let text = table(&[ours, column("theirs")]);
        assert!(text.starts_with("| scenarios | ours | theirs |\n|---|---|---|\n"), "{text}");
        assert!(text.contains("| rooms | 1, **3 failed**, 2 – | 1, **3 failed**, 2 – |"), "{text}");
        let failed = "| ours | `rooms/FAIL.yaml` | OH0301: alice got \\`chat\\`, but must not \
                      (BC-TGT-01) | a quirk \\| of theirs |";
        assert!(text.contains(failed), "{text}");
        assert!(text.contains("| theirs | `rooms/FAIL.yaml` |"), "{text}");
        assert!(text.contains("not looked into"), "{text}");
        assert!(text.contains("- 1 scenario: it is broken"), "{text}");
    }

    #[test]
    fn what_is_no_report_is_refused() {
        assert!(matches!(Column::read("a", ""), Err(ConformanceError::Empty)));
        let error = Column::read("a", "{\"type\":\"x\"}\nnonsense").unwrap_err().to_string();
        assert!(error.starts_with("line 2 is not"), "{error}");
        assert!(column("a").explain("scenarios/a.yaml").is_err());
    }
}
