//! The one place where a run looks at a real clock: to give up when it takes too long, and to know
//! the offsets of servers whose clock is real.

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime};

/// Looks at the clock only once in so many questions.
const EVERY: u32 = 256;

/// Milliseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "a server with a real clock writes it into offsets")]
pub(crate) fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A limit of real time.
#[derive(Debug)]
pub(crate) struct Wall {
    until: Option<Instant>,
    asked: Cell<u32>,
}

impl Wall {
    #[expect(clippy::disallowed_methods, reason = "a limit of real time needs a real clock")]
    pub(crate) fn new(limit: Option<Duration>) -> Self {
        Self { until: limit.map(|limit| Instant::now() + limit), asked: Cell::new(0) }
    }

    /// Whether the time is over.
    #[expect(clippy::disallowed_methods, reason = "a limit of real time needs a real clock")]
    pub(crate) fn is_over(&self) -> bool {
        let Some(until) = self.until else { return false };
        let asked = self.asked.replace(self.asked.get().wrapping_add(1));
        asked.is_multiple_of(EVERY) && Instant::now() >= until
    }
}
