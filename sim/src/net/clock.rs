//! Virtual time, as the network keeps it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use overheard_core::time::Instant;
use tokio::time::Instant as TokioInstant;

/// Reads the time since the beginning of the run, in nanoseconds. It never goes back.
#[derive(Clone, Debug)]
pub(crate) struct Clock(Rc<Source>);

#[derive(Debug)]
enum Source {
    /// The clock of one tokio runtime.
    Tokio(TokioInstant),
    /// Each host of turmoil has a runtime of its own; their hands differ within a tick.
    Turmoil(Cell<u64>),
}

impl Clock {
    /// The clock of the current runtime, from now on.
    #[must_use]
    pub(crate) fn of_runtime() -> Self {
        Self(Rc::new(Source::Tokio(TokioInstant::now())))
    }

    /// The clock of the current turmoil simulation.
    #[must_use]
    pub(crate) fn of_turmoil() -> Self {
        Self(Rc::new(Source::Turmoil(Cell::new(0))))
    }

    /// Nanoseconds since the beginning.
    #[must_use]
    pub(crate) fn now(&self) -> u64 {
        match &*self.0 {
            Source::Tokio(start) => nanos(start.elapsed()),
            Source::Turmoil(last) => {
                let elapsed = turmoil::sim_elapsed().map_or(0, nanos);
                last.set(last.get().max(elapsed));
                last.get()
            }
        }
    }

    /// The same, as core counts it.
    #[must_use]
    pub(crate) fn instant(&self) -> Instant {
        Instant::from_nanos(self.now())
    }

    /// Waits until that many nanoseconds since the beginning.
    pub(crate) async fn sleep_until(&self, at: u64) {
        loop {
            // What is left is counted by the runtime that waits.
            let Some(left) = at.checked_sub(self.now()).filter(|left| *left > 0) else { return };
            tokio::time::sleep(Duration::from_nanos(left)).await;
        }
    }
}

/// Whole nanoseconds, at most 584 years.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
