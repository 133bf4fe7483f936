//! The shell around the library: it reads the command line, the files and the environment, and
//! writes what the library says.

mod args;
mod choices;
mod commands;
mod config;
mod context;
mod discover;
mod engine;
mod environment;
mod exit;
mod files;
mod isolate;
mod last;
mod log;
mod network;
mod partition;
mod play;
mod pool;
mod progress;
mod reporting;
mod seeds;
mod select;
mod settings;
mod signals;
mod suite;
mod tags;
mod target;
mod values;

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use clap::Parser as _;
use overheard::guest::AnyGuest;

use self::args::{Cli, Command};
use self::config::Config;
use self::context::{Context, mention};
use self::environment::Environment;
use self::exit::{Exit, Failure, Outcome};

/// Runs the command line of this process, with a guest as the server.
pub(crate) fn with_guest(guest: AnyGuest) -> ExitCode {
    target::bring(guest);
    main()
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let environment = Environment::read();
    pool::keep_panics_quiet(environment.backtrace);
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| start(environment)));
    let outcome = outcome.unwrap_or_else(|_| {
        Err(Failure::new(Exit::Internal, "this is a bug of Overheard")
            .help("please report it with the message above and the command line"))
    });
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            complain(&failure);
            failure.exit.into()
        }
    }
}

fn start(environment: Environment) -> Outcome {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and versions are errors to clap, but not to people.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Passed };
            let printed = error.print();
            return printed.map(|()| exit).map_err(|error| Failure::output("help", &error));
        }
    };
    if !matches!(cli.command, Command::Serve(_)) {
        log::start(&environment)?;
    }
    let global = cli.global;
    values::take(cli.command.values())?;
    let config = Config::load(&environment, global.config.as_deref(), global.profile.as_deref())?;
    let context = Context::new(environment, config, global.color, global.quiet)?;
    match cli.command {
        Command::Run(args) => commands::run::execute(&args, &context),
        Command::Isolated(args) => commands::isolated::execute(&args),
        Command::Check(args) => commands::check::execute(args, &context),
        Command::Fmt(args) => commands::fmt::execute(args, &context),
        Command::Conformance(args) => commands::conformance::execute(&args),
        Command::List(args) => commands::list::execute(&args, &context),
        Command::Targets(args) => commands::targets::execute(&args, &context),
        Command::New(args) => commands::new::execute(&args, &context),
        Command::Replay(args) => commands::replay::execute(&args, &context),
        Command::Serve(args) => commands::serve::execute(*args, &context),
        Command::Target(args) => commands::target::execute(&args, &context),
        Command::CheckHistory(args) => commands::check_history::execute(&args, &context),
        Command::Trace(args) => commands::trace::execute(&args, &context),
        Command::Schema(args) => commands::schema::execute(&args),
        Command::Explain(args) => commands::explain::execute(&args),
        Command::Config(args) => commands::config::execute(&args, &context),
        Command::Completions(args) => commands::completions::execute(&args),
        Command::Man(args) => commands::man::execute(&args),
    }
}

/// Says why a command could not go on.
fn complain(failure: &Failure) {
    let red = overheard::report::human::style(overheard::report::Status::Fail);
    let mut text = format!("{red}error{red:#}: {}\n", failure.message);
    if let Some(help) = &failure.help {
        text.push_str("  help: ");
        text.push_str(help);
        text.push('\n');
    }
    mention(&text);
}
