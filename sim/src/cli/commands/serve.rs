//! `overheard serve`: the built-in chat on a real port.

use std::net::SocketAddr;

use clap::Args;
use overheard::serve::{Server, Settings};
use overheard_core::chat::{ChatConfig, Gate};

use crate::cli::context::{Context, out};
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::signals::{self, Signals};

const EXAMPLES: &str = "\
Examples:
  overheard serve                             the chat on http://127.0.0.1:3000
  overheard serve --listen 127.0.0.1:0        on a free port, which it prints";

/// Serve the built-in chat.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    /// Where it listens; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
}

/// Runs the command.
pub(crate) fn execute(args: &ServeArgs, _context: &Context) -> Outcome {
    // The second signal ends the process at once.
    let _signals = Signals::listen()?;
    let chat = ChatConfig::supervised(Gate::default());
    let settings = Settings { listen: args.listen, chat, ..Settings::default() };
    let failed = |error: overheard::serve::ServeError| Failure::usage(error.to_string());
    let server = Server::bind(settings).map_err(failed)?;
    out(&format!("listening on http://{}\n", server.address()))?;
    server.run(signals::first()).map_err(failed)?;
    Ok(Exit::Passed)
}
