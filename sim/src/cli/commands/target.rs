//! `overheard target check`: does a running server speak the chat contract?

use std::fmt::Write as _;

use clap::{Args, Subcommand, ValueEnum};
use overheard::net::{Place, PlaceError};
use overheard::report::{self, human, many};
use overheard::target::{self, About, Checked, Status, Unreachable};
use serde::Serialize;

use crate::cli::context::{Context, out, say};
use crate::cli::exit::{Exit, Failure, Outcome};

const EXAMPLES: &str = "\
Examples:
  overheard target check http://127.0.0.1:3000
  overheard target check http://127.0.0.1:3000/chat/      an engine with another path
  overheard target check http://127.0.0.1:3000 --reporter json";

const MORE: &str = "\
Each part of the contract (CONTRACT.md) is one line: ok, missing, wrong, or skipped with the reason;
behind it stand what was expected and what came, and the section to read. It takes some ten seconds,
during which nobody else should use the server.

Human text goes to stderr, JSON lines to stdout: one of target-found, part-checked and
target-checked. Exit codes: 0 if nothing is missing or wrong, 1 if something is, 5 if there is no
server of the contract to be checked.";

/// Check servers that play scenarios.
#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    #[command(subcommand)]
    command: TargetCommand,
}

#[derive(Debug, Subcommand)]
enum TargetCommand {
    /// Check a running server against the chat contract, part by part
    #[command(after_help = EXAMPLES, after_long_help = format!("{MORE}\n\n{EXAMPLES}"))]
    Check {
        /// Where it is: http://HOST:PORT
        #[arg(value_name = "URL")]
        url: String,
        /// While results come: human or json
        #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Human,
              hide_possible_values = true)]
        reporter: Format,
    },
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Human,
    Json,
}

/// A line for machines.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
enum Line<'a> {
    TargetFound { url: &'a str, contract: i64, server: &'a str },
    PartChecked { part: &'a str, status: &'a str, section: &'a str, link: String, message: &'a str },
    TargetChecked { ok: usize, skipped: usize, missing: usize, wrong: usize, exit_code: u8 },
}

/// Runs the command.
pub(crate) fn execute(args: &TargetArgs, context: &Context) -> Outcome {
    let TargetCommand::Check { url, reporter } = &args.command;
    let place = Place::find(url).map_err(|error| match error {
        PlaceError::NotAUrl(_) | PlaceError::Scheme(_) => Failure::usage(error.to_string()),
        PlaceError::Unknown { .. } => Failure::new(Exit::Unknown, error.to_string())
            .help("look at the name of the host in the URL"),
    })?;
    let about = target::ask(&place).map_err(|error| unreachable(&error))?;
    let reporter = Reporter { format: *reporter, quiet: context.quiet };
    reporter.found(url, &about)?;
    let mut counts = Counts::default();
    let mut told = Ok(());
    target::check(&place, &about, |checked| {
        counts.add(checked.status);
        if told.is_ok() {
            told = reporter.part(checked);
        }
    });
    told?;
    let exit = if counts.missing + counts.wrong > 0 { Exit::Failed } else { Exit::Passed };
    reporter.end(&counts, exit)?;
    Ok(exit)
}

fn unreachable(error: &Unreachable) -> Failure {
    Failure::new(Exit::Unknown, error.to_string()).help(error.help())
}

/// How many parts ended how.
#[derive(Debug, Default)]
struct Counts {
    ok: usize,
    skipped: usize,
    missing: usize,
    wrong: usize,
}

impl Counts {
    const fn add(&mut self, status: Status) {
        let count = match status {
            Status::Ok => &mut self.ok,
            Status::Skipped => &mut self.skipped,
            Status::Missing => &mut self.missing,
            Status::Wrong => &mut self.wrong,
        };
        *count += 1;
    }
}

/// Tells of results as they come.
struct Reporter {
    format: Format,
    quiet: bool,
}

impl Reporter {
    fn found(&self, url: &str, about: &About) -> Result<(), Failure> {
        match self.format {
            Format::Human if self.quiet => Ok(()),
            Format::Human => say(&format!("{:>8} {} at {url}\n", "Checking", about.server)),
            Format::Json => json(&Line::TargetFound {
                url,
                contract: overheard_core::chat::CONTRACT,
                server: &about.server,
            }),
        }
    }

    fn part(&self, checked: &Checked) -> Result<(), Failure> {
        let Checked { part, section, status, message } = checked;
        match self.format {
            Format::Human if self.quiet && *status <= Status::Skipped => Ok(()),
            Format::Human => {
                let style = human::style(match status {
                    Status::Ok => report::Status::Pass,
                    Status::Skipped => report::Status::Skip,
                    Status::Missing | Status::Wrong => report::Status::Fail,
                });
                let mut text = format!("{style}{:>8}{style:#} {part}", status.word());
                if !message.is_empty() {
                    let _ = write!(text, ": {message} ({})", checked.link());
                }
                say(&(text + "\n"))
            }
            Format::Json => json(&Line::PartChecked {
                part,
                status: status.word(),
                section,
                link: checked.link(),
                message,
            }),
        }
    }

    fn end(&self, counts: &Counts, exit: Exit) -> Result<(), Failure> {
        let Counts { ok, skipped, missing, wrong } = *counts;
        match self.format {
            Format::Human => {
                let parts = many(ok + skipped + missing + wrong, "part");
                let text = format!("{ok} ok, {missing} missing, {wrong} wrong, {skipped} skipped");
                say(&format!("{:>8} {parts}: {text}\n", "Summary"))
            }
            Format::Json => {
                json(&Line::TargetChecked { ok, skipped, missing, wrong, exit_code: exit.code() })
            }
        }
    }
}

fn json(line: &Line<'_>) -> Result<(), Failure> {
    let text = serde_json::to_string(line)
        .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    out(&(text + "\n"))
}
