//! `overheard fmt`: formats scenario files; comments stay.

use std::io::Read as _;
use std::path::Path;

use clap::Args;
use overheard::diagnostic::render;
use overheard::scenario::{Rejected, format};

use crate::cli::context::{Context, out, say};
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::select::Selection;
use crate::cli::{engine, files};

const EXAMPLES: &str = "\
Examples:
  overheard fmt                  all files below scenarios/
  overheard fmt --check          which ones would change? (exit code 1 if any)
  overheard fmt --stdin < a.yaml";

/// Format scenario files; comments stay.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct FmtArgs {
    /// Files, folders or globs [default: scenarios]
    #[arg(value_name = "PATH", conflicts_with = "stdin")]
    paths: Vec<String>,
    /// Write nothing, but say what would change
    #[arg(long)]
    check: bool,
    /// From stdin to stdout
    #[arg(long)]
    stdin: bool,
}

/// Runs the command.
pub(crate) fn execute(args: FmtArgs, context: &Context) -> Outcome {
    if args.stdin {
        return from_stdin(args.check);
    }
    let selection = Selection { paths: args.paths, ..Selection::default() };
    let files = selection.files_and_verbs(&context.config)?;
    let mut exit = if files.is_empty() { Exit::Nothing } else { Exit::Passed };
    for found in &files {
        let text = engine::read_text(Path::new(&found.path))?;
        let formatted = match format(&found.path, &text) {
            Ok(formatted) => formatted,
            Err(rejected) => {
                complain(&rejected)?;
                exit = exit.or_worse(Exit::Invalid);
                continue;
            }
        };
        let Some(line) = first_change(&text, &formatted) else { continue };
        if args.check {
            say(&format!("{}:{line}: would be formatted\n", found.path))?;
            exit = exit.or_worse(Exit::Failed);
        } else {
            files::write(Path::new(&found.path), &formatted)?;
            if !context.quiet {
                say(&format!("{}: formatted\n", found.path))?;
            }
        }
    }
    Ok(exit)
}

fn from_stdin(check: bool) -> Outcome {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| Failure::read("stdin", &error))?;
    match format("<stdin>", &text) {
        Ok(formatted) if check => Ok(if formatted == text { Exit::Passed } else { Exit::Failed }),
        Ok(formatted) => out(&formatted).map(|()| Exit::Passed),
        Err(rejected) => complain(&rejected).map(|()| Exit::Invalid),
    }
}

fn complain(rejected: &Rejected) -> Result<(), Failure> {
    for diagnostic in &rejected.diagnostics {
        let text = render(diagnostic, &rejected.sources, Context::coloured_stderr());
        say(&format!("{}\n\n", text.trim_end()))?;
    }
    Ok(())
}

/// The first line that changes.
fn first_change(before: &str, after: &str) -> Option<usize> {
    if before == after {
        return None;
    }
    let same = before.lines().zip(after.lines()).take_while(|(before, after)| before == after);
    Some(same.count() + 1)
}
