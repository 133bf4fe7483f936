//! `OVERHEARD_LOG`: what the network itself says, on stderr, virtual time first.

use std::fmt;

use overheard::report::time;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

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
    let Some(level) = &environment.log else { return Ok(()) };
    let level: LevelFilter = level.parse().map_err(|_| {
        Failure::usage(format!(
            "the variable OVERHEARD_LOG: expected off, error, warn, info, debug or trace, found \
             `{level}`"
        ))
    })?;
    let log = tracing_subscriber::fmt().with_max_level(level).with_timer(Virtual);
    log.with_ansi(false).with_writer(std::io::stderr).init();
    Ok(())
}
