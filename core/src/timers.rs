//! Deadlines of a machine, in the order in which they fall due.

use alloc::collections::BTreeMap;

use crate::time::Instant;

/// The handle of an armed timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerKey {
    deadline: Instant,
    sequence: u64,
}

/// Armed timers. Those of one instant fire in the order in which they were armed, so that a run
/// repeats itself.
#[derive(Debug)]
pub(crate) struct Timers<T> {
    armed: BTreeMap<TimerKey, T>,
    sequence: u64,
}

impl<T> Timers<T> {
    pub(crate) const fn new() -> Self {
        Self { armed: BTreeMap::new(), sequence: 0 }
    }

    pub(crate) fn arm(&mut self, deadline: Instant, timer: T) -> TimerKey {
        let key = TimerKey { deadline, sequence: self.sequence };
        self.sequence += 1;
        self.armed.insert(key, timer);
        key
    }

    /// Disarms a timer; one that has fired is no error.
    pub(crate) fn cancel(&mut self, key: &mut Option<TimerKey>) {
        if let Some(key) = key.take() {
            self.armed.remove(&key);
        }
    }

    /// The earliest deadline and what waits for it.
    pub(crate) fn next(&self) -> Option<(Instant, &T)> {
        self.armed.first_key_value().map(|(key, timer)| (key.deadline, timer))
    }

    /// The earliest timer that is due, with its deadline.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<T> {
        let (deadline, _) = self.next()?;
        if deadline > now {
            return None;
        }
        self.armed.pop_first().map(|(_, timer)| timer)
    }

    pub(crate) fn len(&self) -> usize {
        self.armed.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_of_one_instant_fire_in_the_order_they_were_armed() {
        let mut timers = Timers::new();
        timers.arm(Instant::from_millis(2), 'c');
        timers.arm(Instant::from_millis(1), 'a');
        let mut cancelled = Some(timers.arm(Instant::from_millis(1), 'x'));
        timers.arm(Instant::from_millis(1), 'b');
        timers.cancel(&mut cancelled);
        assert_eq!(timers.pop_due(Instant::ZERO), None);
        let now = Instant::from_millis(2);
        assert_eq!([timers.pop_due(now), timers.pop_due(now)], [Some('a'), Some('b')]);
        assert_eq!([timers.pop_due(now), timers.pop_due(now)], [Some('c'), None]);
    }
}
