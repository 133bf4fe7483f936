//! Wakes readers when their bytes arrive: one timer for all pipes of a runtime.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fmt;
use std::rc::Rc;

use tokio::sync::Notify;

use super::clock::Clock;
use super::pipe::{Pipe, Way};

/// Where something arrives, and when.
struct Delivery {
    at: u64,
    /// The order in which it was handed in.
    number: u64,
    pipe: Rc<Pipe>,
    way: Way,
}

impl Delivery {
    const fn turn(&self) -> (u64, u64) {
        (self.at, self.number)
    }
}

impl PartialEq for Delivery {
    fn eq(&self, other: &Self) -> bool {
        self.turn() == other.turn()
    }
}

impl Eq for Delivery {}

impl PartialOrd for Delivery {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Delivery {
    /// The greatest is the first whose turn it is.
    fn cmp(&self, other: &Self) -> Ordering {
        other.turn().cmp(&self.turn())
    }
}

/// What is due, by time, and by the order in which it was handed in.
pub(crate) struct Postman {
    clock: Clock,
    due: RefCell<BinaryHeap<Delivery>>,
    handed_in: Cell<u64>,
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
        let (due, handed_in) = (RefCell::default(), Cell::new(0));
        Rc::new(Self { clock, due, handed_in, armed, news: Notify::new() })
    }

    /// Wakes the reader of a pipe at that time.
    pub(super) fn at(&self, at: u64, pipe: Rc<Pipe>, way: Way) {
        let number = self.handed_in.replace(self.handed_in.get() + 1);
        self.due.borrow_mut().push(Delivery { at, number, pipe, way });
        if at < self.armed.get() {
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
            let next = self.due.borrow().peek().map(|first| first.at);
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
            while let Some(Delivery { pipe, way, .. }) = self.take(now) {
                pipe.arrived(way);
            }
        }
    }

    fn take(&self, now: u64) -> Option<Delivery> {
        let mut due = self.due.borrow_mut();
        if due.peek()?.at <= now { due.pop() } else { None }
    }
}
