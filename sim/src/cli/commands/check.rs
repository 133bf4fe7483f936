//! `overheard check`: looks for mistakes in scenario files, and runs nothing.

use clap::Args;
use overheard::diagnostic::{Diagnostic, Severity, Sources, render};
use overheard::report::many;

use crate::cli::context::{Context, out, say};
use crate::cli::engine;
use crate::cli::exit::{Exit, Outcome};
use crate::cli::select::Selection;
use crate::cli::values::ValueArgs;

const EXAMPLES: &str = "\
Examples:
  overheard check                          all files below scenarios/
  overheard check a.yaml --deny-warnings   in CI";

/// Look for mistakes in scenario files, and run nothing.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// Files, folders or globs [default: scenarios]
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// Warnings are errors
    #[arg(long)]
    deny_warnings: bool,
    /// human, or json: one diagnostic a line, on stdout
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Human, hide_possible_values = true)]
    format: Format,
    #[command(flatten)]
    pub(crate) values: ValueArgs,
}

/// How mistakes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Human,
    Json,
}

/// Runs the command.
pub(crate) fn execute(args: CheckArgs, context: &Context) -> Outcome {
    let selection = Selection { paths: args.paths, ..Selection::default() };
    let files = selection.files(&context.config)?;
    let (mut errors, mut warnings) = (0, 0);
    for found in &files {
        let (diagnostics, sources) = match engine::load_file(&found.path)? {
            Ok(loaded) => (loaded.warnings, loaded.sources),
            Err(rejected) => (rejected.diagnostics, rejected.sources),
        };
        for diagnostic in &diagnostics {
            match diagnostic.severity {
                Severity::Error => errors += 1,
                Severity::Warning => warnings += 1,
            }
            tell(diagnostic, &sources, args.format)?;
        }
    }
    if !context.quiet && args.format == Format::Human {
        let (files, errors) = (many(files.len(), "file"), many(errors, "error"));
        say(&format!("{files}: {errors}, {}\n", many(warnings, "warning")))?;
    }
    Ok(if errors > 0 || (args.deny_warnings && warnings > 0) {
        Exit::Invalid
    } else if files.is_empty() {
        Exit::Nothing
    } else {
        Exit::Passed
    })
}

fn tell(
    diagnostic: &Diagnostic,
    sources: &Sources,
    format: Format,
) -> Result<(), crate::cli::exit::Failure> {
    match format {
        Format::Human => {
            let text = render(diagnostic, sources, Context::coloured_stderr());
            say(&format!("{}\n\n", text.trim_end()))
        }
        Format::Json => out(&overheard::report::json::diagnostic(diagnostic)),
    }
}
