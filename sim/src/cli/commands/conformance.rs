//! `overheard conformance`: one table from the reports of several servers.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use overheard::report::conformance::{Column, ConformanceError, table};

use crate::cli::context::out;
use crate::cli::engine::read_text;
use crate::cli::exit::{Exit, Failure, Outcome};

const EXAMPLES: &str = "\
Examples:
  overheard run --report json=sim.jsonl
  overheard run --start 'node server.mjs' --report json=node.jsonl
  overheard conformance 'core=sim.jsonl' 'Node=node.jsonl'
  overheard conformance 'Node=node.jsonl' --known 'Node=known-failures.txt'";

/// Make a table of families and servers from reports (run --report json=FILE).
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConformanceArgs {
    /// A column: its name and its report
    #[arg(required = true, value_name = "NAME=FILE")]
    columns: Vec<NamedFile>,
    /// Why failures of a column are known: lines `SCENARIO: WHY`; may be repeated
    #[arg(long, value_name = "NAME=FILE")]
    known: Vec<NamedFile>,
}

/// `NAME=FILE`.
#[derive(Clone, Debug)]
struct NamedFile {
    name: String,
    path: PathBuf,
}

impl FromStr for NamedFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, path)) if !name.is_empty() && !path.is_empty() => {
                Ok(Self { name: name.to_owned(), path: path.into() })
            }
            Some(_) | None => Err(format!("expected NAME=FILE, found `{text}`")),
        }
    }
}

/// Runs the command.
pub(crate) fn execute(args: &ConformanceArgs) -> Outcome {
    let wrong = |path: &Path, error: &ConformanceError| {
        Failure::new(Exit::Invalid, format!("{}: {error}", path.display()))
    };
    let mut columns = Vec::new();
    for file in &args.columns {
        let text = read_text(&file.path)?;
        let mut column =
            Column::read(&file.name, &text).map_err(|error| wrong(&file.path, &error))?;
        for known in args.known.iter().filter(|known| known.name == file.name) {
            let text = read_text(&known.path)?;
            column.explain(&text).map_err(|error| wrong(&known.path, &error))?;
        }
        columns.push(column);
    }
    if let Some(lost) =
        args.known.iter().find(|known| !args.columns.iter().any(|column| column.name == known.name))
    {
        return Err(Failure::usage(format!("--known names no column: {}", lost.name)));
    }
    out(&table(&columns))?;
    Ok(Exit::Passed)
}
