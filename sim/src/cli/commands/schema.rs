//! `overheard schema`: JSON Schemas of all formats.

use clap::Args;

use crate::cli::config;
use crate::cli::context::out;
use crate::cli::exit::{Exit, Outcome};

const EXAMPLES: &str = "\
Examples:
  overheard schema scenario > scenario.v1.json   for editors:
                 # yaml-language-server: $schema=scenario.v1.json
  overheard schema report                        one line of --reporter json";

/// Print the JSON Schema of a format.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SchemaArgs {
    /// scenario, history (one line of a trace), report (one line of JSON) or config
    #[arg(value_name = "FORMAT", value_enum, hide_possible_values = true)]
    format: Format,
}

/// A format that has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Scenario,
    #[value(alias = "trace")]
    History,
    Report,
    Config,
}

/// Runs the command.
pub(crate) fn execute(args: &SchemaArgs) -> Outcome {
    let text = match args.format {
        Format::Scenario => pretty(&overheard::scenario::schema()),
        Format::History => pretty(&overheard::history::schema()),
        Format::Report => overheard::report::json::SCHEMA.to_owned(),
        Format::Config => config::SCHEMA.to_owned(),
    };
    out(&(text.trim_end().to_owned() + "\n"))?;
    Ok(Exit::Passed)
}

fn pretty(schema: &serde_json::Value) -> String {
    format!("{schema:#}")
}
