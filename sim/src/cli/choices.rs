//! The words that flags and configuration choose from.

use std::fmt;

use clap::ValueEnum;
use serde::Deserialize;

/// Gives a choice the name that the command line knows it by.
macro_rules! shown_as_on_the_command_line {
    ($($name:ty),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let value = self.to_possible_value();
                f.write_str(value.as_ref().map_or("", |value| value.get_name()))
            }
        }
    )+};
}

shown_as_on_the_command_line!(ReporterName, TraceKeeping, Progress, Color, NoTests, Verification);

/// How results are written while they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ReporterName {
    /// Lines for people, on stderr.
    Human,
    /// JSON lines on stdout (see `overheard schema report`).
    Json,
    /// TAP version 14 on stdout.
    Tap,
    /// Lines for people with annotations for GitHub Actions, on stdout.
    Github,
}

/// Which histories are kept as files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TraceKeeping {
    /// Those of runs that did not pass.
    RetainOnFailure,
    /// All.
    On,
    /// None.
    Off,
}

/// How progress is shown on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Progress {
    /// A bar if stderr is a terminal.
    Auto,
    /// A bar.
    Bar,
    /// Only numbers.
    Counter,
    /// Nothing.
    None,
}

/// When text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` or the like is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What it means that nothing was selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NoTests {
    /// Success.
    Pass,
    /// Success, with a warning.
    Warn,
    /// Exit code 4.
    Fail,
}

/// Which runs are played twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verification {
    /// All.
    On,
    /// One in twenty.
    Sample,
    /// None.
    Off,
}

/// Reads a choice from the environment.
pub(crate) fn parse<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, false).map_err(|_| {
        let known = T::value_variants().iter().filter_map(T::to_possible_value);
        let known: Vec<String> = known.map(|value| value.get_name().to_owned()).collect();
        format!("expected one of {}, found `{text}`", known.join(", "))
    })
}
