//! The one place where a run looks at a real clock: to give up when it takes too long.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Looks at the clock only once in so many questions.
const EVERY: u32 = 256;

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
