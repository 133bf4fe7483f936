//! `overheard new`: a first scenario that runs green.

use std::path::{Path, PathBuf};

use clap::Args;
use overheard::scenario::{format, retell};

use super::replay::read_trace;
use crate::cli::context::{Context, say};
use crate::cli::discover::shown;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::files;

const EXAMPLES: &str = "\
Examples:
  overheard new room                       scenarios/room.yaml: who hears, and who must not
  overheard new staff/entry --template auth
  overheard new lost --template fault      a connection that breaks and comes back
  overheard new kept --from .overheard/traces/scenarios.room-0x1.jsonl
                                           what happened in that run, in plain steps";

/// Write a new scenario.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct NewArgs {
    /// Its name: scenarios/NAME.yaml, or a path that ends in .yaml
    name: String,
    /// What it begins with: room, auth or fault
    #[arg(short, long, value_name = "TEMPLATE", value_enum, default_value_t = Template::Room, hide_possible_values = true)]
    template: Template,
    /// Tell again what happened in this trace, in plain steps
    #[arg(long, value_name = "TRACE", conflicts_with = "template")]
    from: Option<String>,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

/// What a scenario begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Template {
    Room,
    Auth,
    Fault,
}

impl Template {
    const fn text(self) -> &'static str {
        match self {
            Self::Room => include_str!("../templates/room.yaml"),
            Self::Auth => include_str!("../templates/auth.yaml"),
            Self::Fault => include_str!("../templates/fault.yaml"),
        }
    }
}

/// Runs the command.
pub(crate) fn execute(args: &NewArgs, context: &Context) -> Outcome {
    let is_path = args.name.ends_with(".yaml") || args.name.ends_with(".yml");
    let path = if is_path {
        PathBuf::from(&args.name)
    } else {
        Path::new("scenarios").join(format!("{}.yaml", args.name))
    };
    let shown = shown(&path);
    if path.exists() && !args.force {
        let taken = Failure::usage(format!("{shown} is there already"));
        return Err(taken.help("--force writes over it"));
    }
    let text = match &args.from {
        Some(trace) => told_again(trace)?,
        None => args.template.text().to_owned(),
    };
    files::write(&path, &text)?;
    if !context.quiet {
        say(&format!("{shown} is written\nnext: overheard run {shown}\n"))?;
    }
    Ok(Exit::Passed)
}

/// A trace as a scenario; its file says what the trace does not, if it is still where it was.
fn told_again(trace: &str) -> Result<String, Failure> {
    let history = read_trace(trace)?;
    let source = std::fs::read_to_string(&history.header.file).ok();
    let text = retell(&history, source.as_deref());
    // What cannot be laid out is left as it is: `overheard check` says what is wrong with it.
    Ok(format(&history.header.file, &text).unwrap_or(text))
}
