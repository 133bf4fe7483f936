//! `overheard completions`: what a shell needs to complete a command line.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::args::Cli;
use crate::cli::context::out;
use crate::cli::exit::{Exit, Outcome};

const EXAMPLES: &str = "\
Examples:
  overheard completions bash > ~/.local/share/bash-completion/completions/overheard
  overheard completions fish > ~/.config/fish/completions/overheard.fish";

/// Print completions for a shell.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// bash, elvish, fish, powershell or zsh
    #[arg(value_enum, hide_possible_values = true)]
    shell: Shell,
}

/// Runs the command.
pub(crate) fn execute(args: &CompletionsArgs) -> Outcome {
    let mut bytes = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "overheard", &mut bytes);
    out(&String::from_utf8_lossy(&bytes))?;
    Ok(Exit::Passed)
}
