//! Who is told of results: one reporter while they come, and files at the end.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use overheard::report::github::Github;
use overheard::report::human::Human;
use overheard::report::tap::Tap;
use overheard::report::{End, Invalid, Run, Scenario, Start, json, junit, markdown};

use super::choices::ReporterName;
use super::config::{Config, DEFAULT_PROFILE, Reports};
use super::context::{Context, out, say};
use super::exit::Failure;
use super::files;
use super::settings::{Origin, Sourced};

/// The format of a report file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReportFormat {
    Junit,
    Json,
    Markdown,
}

/// `junit=FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReportFile {
    pub(crate) format: ReportFormat,
    pub(crate) path: PathBuf,
}

impl FromStr for ReportFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected junit=FILE, json=FILE or md=FILE, found `{text}`");
        let (format, path) = text.split_once('=').ok_or_else(wrong)?;
        let format = match format {
            "junit" => ReportFormat::Junit,
            "json" => ReportFormat::Json,
            "md" => ReportFormat::Markdown,
            _ => return Err(wrong()),
        };
        if path.is_empty() { Err(wrong()) } else { Ok(Self { format, path: path.into() }) }
    }
}

impl ReportFile {
    /// The files of the command line, and those of profiles whose format it does not name.
    pub(crate) fn resolve(named: &[Self], config: &Config) -> Vec<Sourced<Self>> {
        let mut files: Vec<Sourced<Self>> =
            named.iter().map(|file| Sourced::new(file.clone(), Origin::CommandLine)).collect();
        let profiles = [
            (&config.chosen.report, config.profile.as_str()),
            (&config.default.report, DEFAULT_PROFILE),
        ];
        for (reports, name) in profiles {
            for (format, path) in paths(reports) {
                if !files.iter().any(|file| file.value.format == format) {
                    let file = Self { format, path: config.path_from_root(path) };
                    files.push(Sourced::new(file, Origin::Profile(name.to_owned())));
                }
            }
        }
        files
    }

    fn text(&self, end: &End, start: &Start) -> String {
        match self.format {
            ReportFormat::Junit => junit::report(end),
            ReportFormat::Markdown => markdown::summary(end),
            ReportFormat::Json => json_file(end, start),
        }
    }
}

fn paths(reports: &Reports) -> impl Iterator<Item = (ReportFormat, &PathBuf)> {
    let all = [
        (ReportFormat::Junit, &reports.junit),
        (ReportFormat::Json, &reports.json),
        (ReportFormat::Markdown, &reports.md),
    ];
    all.into_iter().filter_map(|(format, path)| path.as_ref().map(|path| (format, path)))
}

/// The same lines as those of the reporter, but for runs that passed among others.
fn json_file(end: &End, start: &Start) -> String {
    let mut text = json::begin(start);
    for invalid in &end.invalid {
        text.push_str(&json::invalid(invalid));
    }
    for scenario in &end.scenarios {
        for run in &scenario.runs {
            text.push_str(&json::run(run));
        }
        text.push_str(&json::scenario(scenario));
    }
    text.push_str(&json::end(end));
    text
}

/// Writes every report file; all are tried, the first failure is told.
pub(crate) fn write_files(
    files: &[Sourced<ReportFile>],
    end: &End,
    start: &Start,
) -> Result<(), Failure> {
    let mut result = Ok(());
    for file in files {
        let written = files::write(&file.value.path, &file.value.text(end, start));
        result = result.and(written);
    }
    result
}

/// Appends the summary of GitHub Actions.
pub(crate) fn append_summary(path: &Path, end: &End) -> Result<(), Failure> {
    files::append(path, &markdown::summary(end))
}

/// Tells of results as they come.
#[derive(Debug)]
pub(crate) enum Reporter {
    Human(Human),
    Json,
    Tap(Tap),
    Github(Github),
}

impl Reporter {
    /// The reporter of this name.
    pub(crate) fn new(name: ReporterName, context: &Context) -> Self {
        let quiet = context.quiet;
        match name {
            ReporterName::Human => {
                Self::Human(Human { coloured: Context::coloured_stderr(), quiet })
            }
            ReporterName::Json => Self::Json,
            ReporterName::Tap => Self::Tap(Tap::default()),
            ReporterName::Github => {
                Self::Github(Github::new(Human { coloured: Context::coloured_stdout(), quiet }))
            }
        }
    }

    fn write(&self, text: &str) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        match self {
            Self::Human(_) => say(text),
            Self::Json | Self::Tap(_) | Self::Github(_) => out(text),
        }
    }

    /// Before the first run.
    pub(crate) fn begin(&mut self, start: &Start) -> Result<(), Failure> {
        let text = match self {
            Self::Human(human) => human.begin(start),
            Self::Json => json::begin(start),
            Self::Tap(tap) => tap.begin(start),
            Self::Github(github) => github.begin(start),
        };
        self.write(&text)
    }

    /// A file that cannot be run.
    pub(crate) fn invalid(&mut self, invalid: &Invalid) -> Result<(), Failure> {
        let text = match self {
            Self::Human(human) => human.invalid(invalid),
            Self::Json => json::invalid(invalid),
            Self::Tap(tap) => tap.invalid(invalid),
            Self::Github(github) => github.invalid(invalid),
        };
        self.write(&text)
    }

    /// A run that is over.
    pub(crate) fn run(&mut self, run: &Run) -> Result<(), Failure> {
        let text = match self {
            Self::Human(_) | Self::Github(_) => return Ok(()),
            Self::Json => json::run(run),
            Self::Tap(tap) => tap.run(run),
        };
        self.write(&text)
    }

    /// A scenario whose runs are over.
    pub(crate) fn scenario(&mut self, scenario: &Scenario) -> Result<(), Failure> {
        let text = match self {
            Self::Human(human) => human.scenario(scenario),
            Self::Github(github) => github.scenario(scenario),
            Self::Json => json::scenario(scenario),
            Self::Tap(tap) => tap.scenario(scenario),
        };
        self.write(&text)
    }

    /// After the last run.
    pub(crate) fn end(&mut self, end: &End) -> Result<(), Failure> {
        let text = match self {
            Self::Human(human) => human.end(end),
            Self::Github(github) => github.end(end),
            Self::Json => json::end(end),
            Self::Tap(_) => end.stopped.as_deref().map(Tap::bail_out).unwrap_or_default(),
        };
        self.write(&text)
    }
}
