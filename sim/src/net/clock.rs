//! Virtual time, as the network keeps it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use overheard_core::time::Instant;
use tokio::runtime::{Handle, Id};
use tokio::time::Instant as TokioInstant;

/// Reads the time since the beginning of the run, in nanoseconds. It never goes back.
#[derive(Clone, Debug)]
pub(crate) struct Clock(Rc<Source>);

#[derive(Debug)]
enum Source {
    /// The clock of one tokio runtime.
    Tokio(TokioInstant),
    /// Each host of turmoil has a runtime of its own; their hands differ within a tick.
    Turmoil { last: Cell<u64>, here: Cell<Option<Here>> },
}

/// What a host's clock has shown at some time. Looking the time up among the hosts of a simulation
/// takes several times as long as asking the clock of the runtime, which goes as fast.
#[derive(Clone, Copy, Debug)]
struct Here {
    runtime: Id,
    then: TokioInstant,
    elapsed: u64,
}

/// Nanoseconds since the simulation began, on the current host.
fn elapsed(here: &Cell<Option<Here>>) -> u64 {
    let Ok(handle) = Handle::try_current() else { return looked_up() };
    let runtime = handle.id();
    if let Some(known) = here.get().filter(|known| known.runtime == runtime) {
        let elapsed = known.elapsed.saturating_add(nanos(known.then.elapsed()));
        debug_assert!(
            turmoil::sim_elapsed().is_none_or(|looked_up| nanos(looked_up) == elapsed),
            "the runtime's clock goes as the host's"
        );
        return elapsed;
    }
    let (then, elapsed) = (TokioInstant::now(), looked_up());
    here.set(Some(Here { runtime, then, elapsed }));
    elapsed
}

/// The same from turmoil itself.
fn looked_up() -> u64 {
    turmoil::sim_elapsed().map_or(0, nanos)
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
        Self(Rc::new(Source::Turmoil { last: Cell::new(0), here: Cell::new(None) }))
    }

    /// Nanoseconds since the beginning.
    #[must_use]
    pub(crate) fn now(&self) -> u64 {
        match &*self.0 {
            Source::Tokio(start) => nanos(start.elapsed()),
            Source::Turmoil { last, here } => {
                last.set(last.get().max(elapsed(here)));
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
