//! `overheard trace`: shows, exports and compares traces.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use overheard::history::{self, Event, History};
use overheard::report::{drawn, html, picture};

use super::replay::{read_trace, virtual_time};
use crate::cli::context::{Context, out, say};
use crate::cli::exit::{Exit, Outcome};
use crate::cli::files;

/// Show, export or compare traces.
#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    #[command(subcommand)]
    command: TraceCommand,
}

#[derive(Debug, Subcommand)]
enum TraceCommand {
    /// Tell what happened, an event a line
    #[command(
        after_help = "Examples:\n  overheard trace show t.jsonl --client bob\n  overheard trace show t.jsonl --at 3.204ms --around 10"
    )]
    Show(ShowArgs),
    /// Draw it: mermaid, chrome, html, svg or shiviz
    #[command(
        after_help = "Examples:\n  overheard trace export t.jsonl --to html -o t.html\n  overheard trace export t.jsonl --to mermaid --at 3.204ms"
    )]
    Export(ExportArgs),
    /// Say where two traces begin to differ
    #[command(
        after_help = "Exit codes: 0 the same, 6 the same scenario and seed differ, 1 they are of different runs"
    )]
    Diff {
        /// A trace
        #[arg(value_name = "FILE")]
        left: String,
        /// Another one
        #[arg(value_name = "FILE")]
        right: String,
    },
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// A trace
    #[arg(value_name = "FILE")]
    file: String,
    /// Only events of this client (or server, net, run); may be repeated
    #[arg(long, value_name = "NAME")]
    client: Vec<String>,
    /// Only events around this virtual time
    #[arg(long, value_name = "TIME", value_parser = virtual_time)]
    at: Option<Duration>,
    /// So many before and after
    #[arg(long, value_name = "N", default_value_t = 10, requires = "at")]
    around: usize,
    /// The run's own bookkeeping too
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Args)]
struct ExportArgs {
    /// A trace
    #[arg(value_name = "FILE")]
    file: String,
    /// mermaid (at most 60 messages), chrome (for chrome://tracing and Perfetto), html (one page),
    /// svg (at most 200 events) or shiviz (a log with vector clocks)
    #[arg(long, value_name = "FORMAT", value_enum, hide_possible_values = true)]
    to: Format,
    /// Write to this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Around this virtual time, where there is not room for everything
    #[arg(long, value_name = "TIME", value_parser = virtual_time)]
    at: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Mermaid,
    Chrome,
    Html,
    Svg,
    Shiviz,
}

/// Runs the command.
pub(crate) fn execute(args: &TraceArgs, context: &Context) -> Outcome {
    match &args.command {
        TraceCommand::Show(args) => show(args),
        TraceCommand::Export(args) => export(args),
        TraceCommand::Diff { left, right } => diff(left, right, context),
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn show(args: &ShowArgs) -> Outcome {
    let history = read_trace(&args.file)?;
    let named = |event: &Event| {
        args.client.is_empty() || args.client.iter().any(|name| *name == event.who.as_str())
    };
    let wanted = |event: &Event| named(event) && (args.all || picture::matters(event));
    let places = BTreeMap::new();
    let text = match args.at {
        None => picture::story(&history, &places, &wanted),
        Some(at) => {
            let kept: Vec<&Event> = history.events.iter().filter(|event| wanted(event)).collect();
            let place = kept.partition_point(|event| event.t < nanos(at));
            let from = place.saturating_sub(args.around);
            let to = kept.len().min(place.saturating_add(args.around).saturating_add(1));
            let range = kept[from..to].first().zip(kept[from..to].last());
            let (first, last) = range.map_or((1, 0), |(first, last)| (first.n, last.n));
            picture::story(&history, &places, &|event| {
                wanted(event) && (first..=last).contains(&event.n)
            })
        }
    };
    out(&text)?;
    Ok(Exit::Passed)
}

fn export(args: &ExportArgs) -> Outcome {
    let history = read_trace(&args.file)?;
    let text = match args.to {
        Format::Mermaid => picture::mermaid(&history, args.at.map(nanos)),
        Format::Chrome => picture::chrome(&history),
        Format::Html => html::page(&history, source(&history).as_deref()),
        Format::Svg => drawn::svg(&history, args.at.map(nanos)),
        Format::Shiviz => drawn::shiviz(&history),
    };
    match &args.output {
        Some(path) => files::write(path, &text)?,
        None => out(&text)?,
    }
    Ok(Exit::Passed)
}

/// The scenario, if it is still where it was.
fn source(history: &History) -> Option<String> {
    let path = Path::new(&history.header.file);
    let is_yaml = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
    if is_yaml { std::fs::read_to_string(path).ok() } else { None }
}

fn diff(left: &str, right: &str, context: &Context) -> Outcome {
    let (left, right) = (read_trace(left)?, read_trace(right)?);
    let Some(difference) = history::first_difference(&left, &right) else {
        if !context.quiet {
            say("the same, byte for byte\n")?;
        }
        return Ok(Exit::Passed);
    };
    out(&format!("{difference}\n"))?;
    let same_run = left.header == right.header;
    Ok(if same_run { Exit::Nondeterminism } else { Exit::Failed })
}
