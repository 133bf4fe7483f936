//! The client's deadlines, in the order in which they fire.

use alloc::collections::BTreeMap;

use super::event::{SocketHandle, TimerKind};
use super::limits::MIN_TIMER;
use crate::time::{Duration, Instant};

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimerKey {
    /// An attempt to connect takes too long.
    Connect,
    /// The wait before the next attempt is over.
    Reconnect,
    /// A connection has seen no heartbeat, by the number of its engine.
    Ping(u64),
    /// An ack has not come.
    Ack(SocketHandle, u64),
}

impl TimerKey {
    const fn kind(self) -> TimerKind {
        match self {
            Self::Connect => TimerKind::Connect,
            Self::Reconnect => TimerKind::Reconnect,
            Self::Ping(_) => TimerKind::Ping,
            Self::Ack(..) => TimerKind::Ack,
        }
    }
}

/// A timer that was armed, to cancel it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Armed {
    at: Instant,
    number: u64,
}

/// All armed timers; those of one instant in the order in which they were armed.
#[derive(Debug, Default)]
pub(super) struct Timers {
    armed: BTreeMap<Armed, TimerKey>,
    next: u64,
}

impl Timers {
    pub(super) fn arm(&mut self, now: Instant, after: Duration, key: TimerKey) -> Armed {
        let armed = Armed { at: now + after.max(MIN_TIMER), number: self.next };
        self.next += 1;
        self.armed.insert(armed, key);
        armed
    }

    /// Cancels a timer; one that has fired is none.
    pub(super) fn cancel(&mut self, armed: &mut Option<Armed>) {
        if let Some(armed) = armed.take() {
            self.armed.remove(&armed);
        }
    }

    pub(super) fn earliest(&self) -> Option<(Instant, TimerKind)> {
        self.armed.first_key_value().map(|(armed, key)| (armed.at, key.kind()))
    }

    /// The number of the next timer, for [`Timers::pop_due`].
    pub(super) const fn mark(&self) -> u64 {
        self.next
    }

    /// Takes the next timer that is due and was armed before the `mark`, so that a loop over it
    /// ends although timers arm timers, even at the end of time.
    pub(super) fn pop_due(&mut self, now: Instant, mark: u64) -> Option<TimerKey> {
        let armed = *self
            .armed
            .range(..=Armed { at: now, number: u64::MAX })
            .map(|(armed, _)| armed)
            .find(|armed| armed.number < mark)?;
        self.armed.remove(&armed)
    }

    pub(super) fn len(&self) -> usize {
        self.armed.len()
    }
}
