//! `overheard serve`: the built-in chat on a real port.

pub(crate) mod options;
mod resolve;
mod told;
mod values;

use clap::Args;
use overheard::serve::{ServeError, Server};

use self::options::ServeOptions;
use crate::cli::context::{Context, out, say};
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::log;
use crate::cli::signals;

const EXAMPLES: &str = "\
Examples:
  overheard serve                            the chat page on http://127.0.0.1:3000
  overheard serve --listen 127.0.0.1:0       on a free port, which it prints
  overheard serve --supervisors-token s3cret --recovery 2m
  overheard serve --namespace /staff,token=s3cret,seats=3 --dynamic '^/room-\\d+$'";

const MORE: &str = "\
Where options come from, the first that says something:
  1. flags, as above
  2. the environment: OVERHEARD_SERVE_PING_INTERVAL=10s and so on, one for each flag
  3. PORT, and the JSON object OVERHEARD_SERVER, as CONTRACT.md says
  4. the table [serve] of overheard.toml: ping-interval = \"10s\" and so on; namespaces are tables,
     [serve.namespaces.\"/staff\"] with token, seats and auth-delay

It answers GET / (the chat page), /healthz and /metrics besides the protocol. Logs go to stderr;
OVERHEARD_LOG is off, error, warn, info (the default), debug or trace. SIGINT and SIGTERM end it in
good order, with exit code 0; the second one at once.";

/// Serve the built-in chat on a real port.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{MORE}"))]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    options: ServeOptions,
}

/// Runs the command.
pub(crate) fn execute(args: ServeArgs, context: &Context) -> Outcome {
    let told = told::options(&context.environment)?;
    let options = args.options.or(told).or(context.config.serve.clone());
    log::start_server(&context.environment, options.log_format.unwrap_or_default())?;
    let (settings, token) = resolve::settings(options)?;
    signals::second_ends_all()?;
    let server = Server::bind(settings).map_err(|error| failure(&error))?;
    if let Some(token) = token
        && !context.quiet
    {
        say(&format!("supervisors enter with the token {token}\n"))?;
    }
    out(&format!("listening on http://{}\n", server.address()))?;
    server.run(signals::first()).map_err(|error| failure(&error))?;
    Ok(Exit::Passed)
}

fn failure(error: &ServeError) -> Failure {
    let message = error.to_string();
    match error {
        ServeError::Listen { .. } => {
            Failure::usage(message).help("--listen names another address; port 0 takes a free port")
        }
        ServeError::Runtime(_) | ServeError::Random(_) | ServeError::Stopped => {
            Failure::new(Exit::Internal, message)
        }
    }
}
