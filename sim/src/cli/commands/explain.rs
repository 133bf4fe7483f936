//! `overheard explain`: what a code means.

use clap::Args;
use overheard::diagnostic::{codes, explain};

use crate::cli::context::out;
use crate::cli::exit::{Exit, Failure, Outcome};

const EXAMPLES: &str = "\
Examples:
  overheard explain OH0301
  overheard explain            all codes";

/// Explain a code of a message.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExplainArgs {
    /// The code, as in OH0301; all are listed without it
    code: Option<String>,
}

/// Runs the command.
pub(crate) fn execute(args: &ExplainArgs) -> Outcome {
    let Some(code) = &args.code else {
        let mut text = String::new();
        for code in codes() {
            let about = explain(code).unwrap_or_default();
            text.push_str(code);
            text.push_str("  ");
            text.push_str(about.lines().next().unwrap_or_default());
            text.push('\n');
        }
        return out(&text).map(|()| Exit::Passed);
    };
    let Some(about) = explain(code) else {
        let unknown = Failure::usage(format!("there is no code `{code}`"));
        return Err(unknown.help("`overheard explain` lists all codes"));
    };
    out(&format!("{}\n\n{about}\n", code.to_uppercase()))?;
    Ok(Exit::Passed)
}
