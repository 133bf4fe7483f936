//! Scenarios as tests of your own crate: `overheard` as a dev-dependency.
//!
//! A folder of files is one test binary with `harness = false`, one test per file, for `cargo
//! test` and nextest alike:
//!
//! ```no_run
//! // tests/scenarios.rs
//! fn main() -> std::process::ExitCode {
//!     overheard::testing::Folder::new("scenarios").run()
//! }
//! ```
//!
//! One scenario inside a Rust test, perhaps written by [`crate::generate`]:
//!
//! ```no_run
//! # fn text() -> String { String::new() }
//! overheard::testing::Check::default().text(&text()).expect("the rules hold");
//! ```

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::check;
use crate::diagnostic::render;
use crate::history::History;
use crate::plan::{Mark, Plan, Sabotage};
use crate::report::ladder::{self, Style};
use crate::report::story::{Around, story};
use crate::run::{self, NetworkKind, RunOptions};
use crate::scenario::{Loaded, PlanOptions, load};
use crate::verdict::{Outcome, Verdict};

/// How scenarios are played inside tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// On which network. The memory network by default: the same verdicts, in less time.
    pub network: NetworkKind,
    /// The seed to begin with.
    pub seed: u64,
    /// How many seeds; the file's own number if absent.
    pub seeds: Option<u32>,
    /// A bug to plant, to see a test fail.
    pub sabotage: Option<Sabotage>,
}

impl Default for Check {
    fn default() -> Self {
        Self { network: NetworkKind::Memory, seed: 1, seeds: None, sabotage: None }
    }
}

/// A scenario that did not pass.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What the verdict is; none if the file cannot be run.
    pub verdict: Option<Box<Verdict>>,
    /// The seed that shows it.
    pub seed: u64,
    /// The whole story, as the command line tells it.
    pub story: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.story)
    }
}

impl std::error::Error for Failure {}

impl Check {
    /// Plays the scenario of this text. Files that it uses are read from the file system.
    ///
    /// # Errors
    /// It cannot be run, or does not pass.
    pub fn text(&self, text: &str) -> Result<(), Failure> {
        self.named("scenario.yaml", text)
    }

    /// Plays a scenario file.
    ///
    /// # Errors
    /// It cannot be read or run, or does not pass.
    pub fn file(&self, path: &Path) -> Result<(), Failure> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| Failure {
            verdict: None,
            seed: self.seed,
            story: format!("cannot read {name}: {error}"),
        })?;
        self.named(&name, &text)
    }

    fn named(&self, name: &str, text: &str) -> Result<(), Failure> {
        let read = |path: &str| std::fs::read_to_string(path).map_err(|error| error.to_string());
        let loaded = load(name, text, &read).map_err(|rejected| {
            let told = rejected.diagnostics.iter();
            let told = told.map(|diagnostic| render(diagnostic, &rejected.sources, false));
            let story = told.collect::<Vec<_>>().join("\n\n");
            Failure { verdict: None, seed: self.seed, story }
        })?;
        let seeds = u64::from(self.seeds.unwrap_or_else(|| loaded.scenario.seeds()).max(1));
        // A mark is reached if one of the seeds reaches it.
        let mut unreached: Option<(BTreeSet<Mark>, Failure)> = None;
        for seed in self.seed..self.seed.saturating_add(seeds) {
            let (plan, history) = self.play(&loaded, seed);
            let verdict = check::judge(&plan, &history);
            let missing = missing(&plan, &verdict);
            let is_only_marks = verdict.outcome == Outcome::Unknown
                && verdict.unknowns.iter().all(|unknown| unknown.code == check::NOT_REACHED);
            if verdict.outcome != Outcome::Pass && !is_only_marks {
                return Err(failure(&loaded, &plan, &history, verdict));
            }
            unreached = match unreached.take() {
                None if seed == self.seed && !missing.is_empty() => {
                    Some((missing, failure(&loaded, &plan, &history, verdict)))
                }
                Some((before, failure)) => {
                    let still: BTreeSet<_> = before.intersection(&missing).copied().collect();
                    (!still.is_empty()).then_some((still, failure))
                }
                None => None,
            };
        }
        unreached.map_or(Ok(()), |(_, failure)| Err(failure))
    }

    fn play(&self, loaded: &Loaded, seed: u64) -> (Plan, History) {
        let options = PlanOptions { network: None, sabotage: self.sabotage };
        let plan = loaded.scenario.plan(seed, &options);
        let options = RunOptions { network: self.network, ..RunOptions::default() };
        let history = run::run(&plan, &options);
        (plan, history)
    }
}

fn missing(plan: &Plan, verdict: &Verdict) -> BTreeSet<Mark> {
    let wanted = plan.must_reach.iter().map(|(mark, _)| *mark);
    wanted.filter(|mark| verdict.reached.get(mark).is_none_or(|count| *count == 0)).collect()
}

fn failure(loaded: &Loaded, plan: &Plan, history: &History, verdict: Verdict) -> Failure {
    let drawn = verdict.findings.first();
    let drawn = drawn.map(|finding| ladder::ladder(history, finding, Style::Unicode));
    let around = Around {
        sources: &loaded.sources,
        ladder: drawn.as_deref().unwrap_or_default(),
        help: &format!("replay: overheard run {} --seed {:#x}", plan.file, plan.seed),
        trace: None,
    };
    let story = story(&verdict, &around).plain;
    Failure { verdict: Some(Box::new(verdict)), seed: plan.seed, story }
}

/// The scenario files of a folder as tests.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    check: Check,
    without: Vec<String>,
}

impl Folder {
    /// All files below a folder, but those in folders called `verbs` or `invalid`. A relative path
    /// is relative to the package, where cargo starts tests.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), check: Check::default(), without: Vec::new() }
    }

    /// Plays them in this manner.
    #[must_use]
    pub const fn check(mut self, check: Check) -> Self {
        self.check = check;
        self
    }

    /// Ignores the files with this tag, unless ignored tests are asked for.
    #[must_use]
    pub fn without_tag(mut self, tag: &str) -> Self {
        self.without.push(tag.to_owned());
        self
    }

    /// Runs them as the arguments of the command line say, as every test binary does.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let arguments = Arguments::from_args();
        let mut files = Vec::new();
        if let Err(error) = find(&self.root, &mut files) {
            let text = format!("cannot read {}: {error}", self.root.display());
            let trial = Trial::test("scenarios", move || Err(Failed::from(text)));
            return libtest_mimic::run(&arguments, vec![trial]).exit_code();
        }
        files.sort();
        let trials = files.into_iter().map(|path| self.trial(path)).collect();
        libtest_mimic::run(&arguments, trials).exit_code()
    }

    fn trial(&self, path: PathBuf) -> Trial {
        let name = path.strip_prefix(&self.root).unwrap_or(&path).display().to_string();
        let name = name.trim_end_matches(".yaml").replace(std::path::MAIN_SEPARATOR, "::");
        // A file that cannot be read says so when it is its turn.
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let read = |path: &str| std::fs::read_to_string(path).map_err(|error| error.to_string());
        let loaded = load(&path.display().to_string(), &text, &read);
        let is_left_out = loaded.is_ok_and(|loaded| {
            loaded.scenario.tags().iter().any(|tag| self.without.contains(tag))
        });
        let check = self.check;
        Trial::test(name, move || {
            check.file(&path).map_err(|failure| Failed::from(failure.to_string()))
        })
        .with_ignored_flag(is_left_out)
    }
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            // What tools install beside scenarios is not meant either.
            let is_meant = !["verbs", "invalid", "node_modules"].contains(&&*name);
            if is_meant && !name.starts_with('.') {
                find(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    Ok(())
}
