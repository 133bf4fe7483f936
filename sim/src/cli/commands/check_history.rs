//! `overheard check-history`: judges a history, wherever it came from.

use std::path::Path;

use clap::Args;
use overheard::check;
use overheard::diagnostic::Sources;
use overheard::report::{Status, human, story};

use super::replay::read_trace;
use crate::cli::context::{Context, out, say};
use crate::cli::engine::{self, World};
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::values::ValueArgs;
use crate::cli::{seeds, suite};

const EXAMPLES: &str = "\
Examples:
  overheard check-history trace.jsonl                      by the rules alone
  overheard check-history trace.jsonl --scenario a.yaml    and by what the file expects
  overheard check-history trace.jsonl --format json";

/// Judge a history, wherever it came from.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckHistoryArgs {
    /// A history as JSON lines (see `overheard schema history`)
    #[arg(value_name = "FILE")]
    file: String,
    /// The scenario that it is of; without it only the rules judge
    #[arg(long, value_name = "FILE")]
    scenario: Option<String>,
    /// The seed, if the history's own is not meant
    #[arg(short, long, value_name = "SEED", value_parser = seeds::parse, requires = "scenario")]
    seed: Option<u64>,
    /// human, or json: the whole verdict, on stdout
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Human, hide_possible_values = true)]
    format: Format,
    #[command(flatten)]
    pub(crate) values: ValueArgs,
}

/// How the verdict is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Human,
    Json,
}

/// Runs the command.
pub(crate) fn execute(args: &CheckHistoryArgs, context: &Context) -> Outcome {
    let history = read_trace(&args.file)?;
    let (verdict, sources) = match &args.scenario {
        None => (check::judge_history(&history), Sources::new()),
        Some(scenario) => {
            let loaded = match engine::load_file(scenario)? {
                Ok(loaded) => loaded,
                Err(rejected) => {
                    let invalid = engine::invalid(scenario, &rejected);
                    say(&format!("{}\n", invalid.text.get(Context::coloured_stderr())))?;
                    return Ok(Exit::Invalid);
                }
            };
            let own = || seeds::parse(&history.header.seed);
            let seed = args.seed.map_or_else(own, Ok).map_err(|error| {
                Failure::new(Exit::Invalid, format!("the history's header: {error}"))
                    .help("--seed 1")
            })?;
            let mut plan = engine::plan(&loaded, seed, &World::default());
            // On a server that is not ours there may have been a client more.
            if history.header.clients.len() > plan.clients.len() {
                plan = plan.with_hand();
            }
            let verdict = check::judge(&plan, &history);
            (verdict, loaded.sources)
        }
    };
    let status = Status::from(verdict.outcome);
    if args.format == Format::Json {
        let text = serde_json::to_string(&verdict)
            .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
        out(&(text + "\n"))?;
        return Ok(suite::exit_of(status));
    }
    let coloured = Context::coloured_stderr();
    let events = overheard::report::many(history.events.len(), "event");
    if !context.quiet || status.is_bad() {
        let human = human::Human { coloured, quiet: false };
        say(&human.verdict(status, &args.file, &events))?;
    }
    if status.is_bad() {
        let ladder = engine::ladder(&history, &verdict);
        let shown = super::super::discover::shown(Path::new(&args.file));
        let command = format!("the whole story: overheard trace show {shown}");
        let around =
            story::Around { sources: &sources, ladder: &ladder, help: &command, trace: None };
        say(story::story(&verdict, &around).get(coloured))?;
    }
    Ok(suite::exit_of(status))
}
