//! The command line as clap reads it. Every command's own arguments are in the command's file.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::choices::Color;
use super::commands::{
    check, check_history, completions, config, conformance, explain, fmt, isolated, list, man, new,
    replay, run, schema, serve, target, targets, trace,
};
use super::values::ValueArgs;

const EXAMPLES: &str = "\
Start here:
  overheard new room           write a first scenario
  overheard run                run everything below scenarios/
  overheard explain OH0301     what a code in a message means";

const EXIT_CODES: &str = "\
Exit codes:
    0  everything that was selected passed
    1  something is not as the files expect or the rules demand
    2  the command line, the environment or the configuration is wrong
    3  a scenario file is wrong
    4  nothing was selected
    5  something could not be judged
    6  the same seed gave two histories
   70  Overheard itself is wrong
   74  something could not be written (a full disk, a closed pipe)
   78  a server was told an option that it does not know
  130  interrupted (SIGINT), 143 terminated (SIGTERM); reports are written first
  If several apply: 70, 6, 3, 1, 5, 4.

Environment:
  OVERHEARD_PROFILE, OVERHEARD_SEED, OVERHEARD_JOBS, OVERHEARD_TARGET, OVERHEARD_CONFIG,
  OVERHEARD_REPORTER, OVERHEARD_COLOR, OVERHEARD_SHOW_PROGRESS   as the flags of the same name
  OVERHEARD_VAR_<NAME>      a value for a variable of scenario files, as --var
  OVERHEARD_SECRET_<NAME>   the same, written nowhere, as --secret
  OVERHEARD_LOG             what turmoil says: off, error, warn, info, debug or trace
  CI                        plays one run in twenty twice, to verify determinism
  GITHUB_ACTIONS            makes `github` the default reporter
  GITHUB_STEP_SUMMARY       a summary in Markdown is appended to this file
  NO_COLOR, CLICOLOR, CLICOLOR_FORCE, TERM   colours

The command line comes first, then the environment, the chosen profile of overheard.toml, its
profile `default`, and what is built in.";

static NOTHING: ValueArgs = ValueArgs::none();

/// Deterministic simulation and testing of chat semantics: who heard, who missed, who overheard.
#[derive(Debug, Parser)]
#[command(
    name = "overheard",
    version,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"),
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Read this file instead of overheard.toml
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub(crate) config: Option<PathBuf>,
    /// Use this profile of overheard.toml
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub(crate) profile: Option<String>,
    /// Colour text
    #[arg(long, global = true, value_name = "WHEN", value_enum, hide_short_help = true)]
    pub(crate) color: Option<Color>,
    /// Say less: only what is wrong
    #[arg(short, long, global = true, hide_short_help = true)]
    pub(crate) quiet: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run scenarios
    Run(Box<run::RunArgs>),
    /// Play one run for another process, and write its history down
    #[command(hide = true)]
    Isolated(isolated::IsolatedArgs),
    /// Look for mistakes in scenario files, and run nothing
    Check(check::CheckArgs),
    /// Format scenario files
    Fmt(fmt::FmtArgs),
    /// List scenarios
    List(list::ListArgs),
    /// List what scenarios need of a server
    Targets(targets::TargetsArgs),
    /// Write a new scenario
    New(new::NewArgs),
    /// Run once more, and tell the story
    Replay(replay::ReplayArgs),
    /// Serve the built-in chat on a real port
    Serve(Box<serve::ServeArgs>),
    /// Check servers that play scenarios
    Target(target::TargetArgs),
    /// Judge a history
    CheckHistory(check_history::CheckHistoryArgs),
    /// Show, export or compare traces
    Trace(trace::TraceArgs),
    /// Print the schema of a format
    Schema(schema::SchemaArgs),
    /// Make a table of servers from reports
    Conformance(conformance::ConformanceArgs),
    /// Explain a code
    Explain(explain::ExplainArgs),
    /// Show the configuration
    Config(config::ConfigArgs),
    /// Print completions for a shell
    Completions(completions::CompletionsArgs),
    /// Print the manual page
    Man(man::ManArgs),
}

impl Command {
    /// The values that it gives to variables of scenario files.
    pub(crate) fn values(&self) -> &ValueArgs {
        match self {
            Self::Run(args) => &args.values,
            Self::Isolated(args) => &args.values,
            Self::Check(args) => &args.values,
            Self::Replay(args) => &args.values,
            Self::CheckHistory(args) => &args.values,
            Self::Fmt(_)
            | Self::List(_)
            | Self::Targets(_)
            | Self::New(_)
            | Self::Serve(_)
            | Self::Target(_)
            | Self::Trace(_)
            | Self::Schema(_)
            | Self::Conformance(_)
            | Self::Explain(_)
            | Self::Config(_)
            | Self::Completions(_)
            | Self::Man(_) => &NOTHING,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::Cli;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    /// The arguments of an example: no comment, no redirection.
    fn arguments(line: &str) -> Option<Vec<String>> {
        let line = line.trim().strip_prefix("overheard ")?;
        let line = line.split("  ").next()?.split(" > ").next()?.split(" < ").next()?;
        let line = line.split(" | ").next()?;
        // Quotes occur around expressions only.
        let parts = line.split('\'').enumerate();
        let words =
            parts.flat_map(
                |(n, part)| {
                    if n % 2 == 1 { vec![part] } else { part.split_whitespace().collect() }
                },
            );
        Some(std::iter::once("overheard").chain(words).map(str::to_owned).collect())
    }

    fn examples(command: &clap::Command, found: &mut Vec<String>) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        found.extend(
            help.lines().filter(|line| line.trim().starts_with("overheard ")).map(str::to_owned),
        );
        for command in command.get_subcommands() {
            examples(command, found);
        }
    }

    #[test]
    fn every_example_of_the_help_can_be_typed() {
        let mut found = Vec::new();
        examples(&Cli::command(), &mut found);
        assert!(found.len() > 25, "{found:?}");
        for example in found {
            let arguments = arguments(&example).unwrap();
            let parsed = Cli::try_parse_from(&arguments);
            assert!(parsed.is_ok(), "{arguments:?}: {}", parsed.unwrap_err());
        }
    }
}
