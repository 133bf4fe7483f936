//! `OVERHEARD_LOG`: what the network itself says, on stderr, virtual time first; and what a server
//! that listens says, with the wall's.

use std::fmt;

use overheard::report::time;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use super::commands::serve::options::LogFormat;
use super::context::Context;
use super::environment::Environment;
use super::exit::Failure;

/// Virtual time, where there is one.
struct Virtual;

impl FormatTime for Virtual {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        match turmoil::sim_elapsed() {
            Some(elapsed) => {
                let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
                write!(w, "{:>12}", time(nanos))
            }
            None => write!(w, "{:>12}", "-"),
        }
    }
}

/// Listens if somebody wants to know.
pub(crate) fn start(environment: &Environment) -> Result<(), Failure> {
    let Some(level) = level(environment)? else { return Ok(()) };
    let log = tracing_subscriber::fmt().with_max_level(level).with_timer(Virtual);
    log.with_ansi(false).with_writer(std::io::stderr).init();
    Ok(())
}

/// Listens to a server.
pub(crate) fn start_server(environment: &Environment, format: LogFormat) -> Result<(), Failure> {
    let level = level(environment)?.unwrap_or(LevelFilter::INFO);
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    // Nobody may be there to read it any more.
    let log = log.log_internal_errors(false);
    match format {
        LogFormat::Text => log.with_ansi(Context::coloured_stderr()).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}

fn level(environment: &Environment) -> Result<Option<LevelFilter>, Failure> {
    let level = environment.log.as_deref().map(|level| {
        level.parse().map_err(|_| {
            Failure::usage(format!(
                "the variable OVERHEARD_LOG: expected off, error, warn, info, debug or trace, \
                 found `{level}`"
            ))
        })
    });
    level.transpose()
}
