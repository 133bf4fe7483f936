//! `overheard config show`: which values apply, and where they come from.

use std::fmt::{Display, Write as _};

use clap::{Args, Subcommand};

use super::run::{RunArgs, Settings};
use crate::cli::context::{Context, out};
use crate::cli::exit::{Exit, Outcome};
use crate::cli::reporting::ReportFormat;
use crate::cli::select::Selection;
use crate::cli::settings::Sourced;

/// Show the configuration.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print the values that apply
    #[command(
        after_help = "Examples:\n  overheard config show --origin\n  overheard config show --profile ci"
    )]
    Show {
        /// With where each value comes from
        #[arg(long)]
        origin: bool,
    },
}

/// Values as lines.
struct Lines {
    text: String,
    origin: bool,
}

impl Lines {
    fn add<T>(&mut self, key: &str, value: &Sourced<T>, shown: impl Display) {
        let line = format!("{key} = {shown}");
        let _ = if self.origin {
            writeln!(self.text, "{line:<44} # {}", value.origin)
        } else {
            writeln!(self.text, "{line}")
        };
    }

    fn quoted<T: Display>(&mut self, key: &str, value: &Sourced<T>) {
        self.add(key, value, serde_json::Value::from(value.value.to_string()));
    }

    fn plain<T: Display>(&mut self, key: &str, value: &Sourced<T>) {
        self.add(key, value, &value.value);
    }
}

/// Runs the command.
pub(crate) fn execute(args: &ConfigArgs, context: &Context) -> Outcome {
    let ConfigCommand::Show { origin } = args.command;
    let settings = Settings::resolve(&RunArgs::default(), context)?;
    let mut lines = Lines { text: String::new(), origin };
    let paths = Selection::default().paths(&context.config);
    lines.add("paths", &paths, serde_json::Value::from(paths.value.clone()));
    if let Some(seed) = &settings.seed {
        lines.quoted("seed", seed);
    }
    if let Some(seeds) = &settings.seeds {
        lines.plain("seeds", seeds);
    }
    lines.plain("jobs", &settings.jobs);
    lines.quoted("network", &settings.network);
    lines.plain("fail-fast", &settings.fail_fast);
    lines.quoted("verify-determinism", &settings.verify_determinism);
    lines.quoted("max-wall", &settings.max_wall);
    lines.quoted("reporter", &settings.reporter);
    lines.quoted("trace", &settings.trace);
    let folder = serde_json::Value::from(settings.trace_dir.value.display().to_string());
    lines.add("trace-dir", &settings.trace_dir, folder);
    lines.quoted("no-tests", &settings.no_tests);
    for report in &settings.reports {
        let key = match report.value.format {
            ReportFormat::Junit => "report.junit",
            ReportFormat::Json => "report.json",
            ReportFormat::Markdown => "report.md",
        };
        lines.add(key, report, serde_json::Value::from(report.value.path.display().to_string()));
    }
    lines.quoted("color", &context.color);
    lines.quoted("show-progress", &context.progress);
    let file = context.config.path.as_ref().map(|path| path.display().to_string());
    let file = file.unwrap_or_else(|| "no overheard.toml".to_owned());
    out(&format!("# {file}, profile {}\n{}", context.config.profile, lines.text))?;
    Ok(Exit::Passed)
}
