//! Wakes readers when their bytes arrive: one timer for all pipes of a runtime.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use tokio::sync::Notify;

use super::clock::Clock;
use super::pipe::{Pipe, Way};

/// What is due, by time, and by the order in which it was handed in.
pub(crate) struct Postman {
    clock: Clock,
    due: RefCell<BTreeMap<u64, Vec<(Rc<Pipe>, Way)>>>,
    /// The time that the round below waits for.
    armed: Cell<u64>,
    news: Notify,
}

impl fmt::Debug for Postman {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postman").field("armed", &self.armed.get()).finish_non_exhaustive()
    }
}

impl Postman {
    /// One without work; [`Postman::rounds`] has to be spawned on its runtime.
    pub(crate) fn new(clock: Clock) -> Rc<Self> {
        let armed = Cell::new(u64::MAX);
        Rc::new(Self { clock, due: RefCell::default(), armed, news: Notify::new() })
    }

    /// Wakes the reader of a pipe at that time.
    pub(super) fn at(&self, due: u64, pipe: Rc<Pipe>, way: Way) {
        self.due.borrow_mut().entry(due).or_default().push((pipe, way));
        if due < self.armed.get() {
            self.news.notify_one();
        }
    }

    /// Forgets everything, at the end: what waits here holds on to it.
    pub(crate) fn forget(&self) {
        self.due.borrow_mut().clear();
    }

    /// Does its rounds, for ever.
    pub(crate) async fn rounds(self: Rc<Self>) {
        loop {
            let next = self.due.borrow().first_key_value().map(|(at, _)| *at);
            self.armed.set(next.unwrap_or(u64::MAX));
            let Some(at) = next else {
                self.news.notified().await;
                continue;
            };
            if at > self.clock.now() {
                tokio::select! {
                    biased;
                    () = self.news.notified() => {}
                    () = self.clock.sleep_until(at) => {}
                }
            }
            let now = self.clock.now();
            while let Some(batch) = self.take(now) {
                for (pipe, way) in batch {
                    pipe.arrived(way);
                }
            }
        }
    }

    fn take(&self, now: u64) -> Option<Vec<(Rc<Pipe>, Way)>> {
        let mut due = self.due.borrow_mut();
        let first = due.first_entry()?;
        (*first.key() <= now).then(|| first.remove())
    }
}
