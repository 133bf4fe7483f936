//! `overheard man`: manual pages.

use std::path::PathBuf;

use clap::{Args, Command, CommandFactory as _};

use crate::cli::args::Cli;
use crate::cli::context::out;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::files;

const EXAMPLES: &str = "\
Examples:
  overheard man | man -l -
  overheard man --out target/man      a page per command";

/// Print the manual page.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ManArgs {
    /// Write a page per command into this folder instead
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn execute(args: &ManArgs) -> Outcome {
    let mut command = Cli::command();
    command.build();
    let Some(folder) = &args.out else {
        return out(&page(command)?).map(|()| Exit::Passed);
    };
    let names: Vec<String> =
        command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    for name in names {
        if let Some(command) = command.find_subcommand(&name) {
            let path = folder.join(format!("overheard-{name}.1"));
            files::write(&path, &page(command.clone())?)?;
        }
    }
    files::write(&folder.join("overheard.1"), &page(command)?)?;
    Ok(Exit::Passed)
}

fn page(command: Command) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut bytes)
        .map_err(|error| Failure::output("the page", &error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
