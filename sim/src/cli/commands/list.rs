//! `overheard list`: which scenarios there are.

use clap::Args;
use overheard::report::human::one_line;
use overheard::report::many;
use serde_json::json;

use crate::cli::context::{Context, out, say};
use crate::cli::engine;
use crate::cli::exit::{Exit, Outcome};
use crate::cli::select::Selection;

const EXAMPLES: &str = "\
Examples:
  overheard list --tag rooms          which scenarios are about rooms?
  overheard list --format names       for scripts: a file a line
  overheard list --partition slice:1/4";

/// List scenarios.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    selection: Selection,
    /// human, json (a scenario a line) or names
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Human, hide_possible_values = true)]
    format: Format,
}

/// How scenarios are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Human,
    Json,
    Names,
}

/// Runs the command.
pub(crate) fn execute(args: &ListArgs, context: &Context) -> Outcome {
    let selected = args.selection.load(context)?;
    for loaded in &selected.scenarios {
        let scenario = &loaded.scenario;
        let (file, tags) = (scenario.file(), scenario.tags());
        let line = match args.format {
            Format::Names => file.to_owned(),
            Format::Human => {
                let tags =
                    if tags.is_empty() { String::new() } else { format!(" [{}]", tags.join(", ")) };
                format!("{file}: {}{tags}", one_line(scenario.name()))
            }
            Format::Json => {
                let clients: Vec<&str> = scenario.clients().collect();
                let (rules, seeds) = (scenario.rules(), scenario.seeds());
                json!({"file": file, "name": scenario.name(), "tags": tags, "rules": rules,
                       "seeds": seeds, "clients": clients})
                .to_string()
            }
        };
        out(&(line + "\n"))?;
    }
    for (file, rejected) in &selected.rejected {
        let invalid = engine::invalid(file, rejected);
        say(&format!("{}\n\n", invalid.text.get(Context::coloured_stderr()).trim_end()))?;
    }
    if args.format == Format::Human && !context.quiet {
        say(&format!("{}\n", many(selected.scenarios.len(), "scenario")))?;
    }
    Ok(if !selected.rejected.is_empty() {
        Exit::Invalid
    } else if selected.scenarios.is_empty() {
        Exit::Nothing
    } else {
        Exit::Passed
    })
}
