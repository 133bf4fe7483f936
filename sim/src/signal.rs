//! A change that tasks of one thread wait for.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Counts changes, and wakes who waits for the next one, in the order in which they began to.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    count: Cell<u64>,
    waiting: RefCell<Vec<Waker>>,
}

impl Signal {
    /// How many changes there were.
    pub(crate) fn count(&self) -> u64 {
        self.count.get()
    }

    /// Something has changed.
    pub(crate) fn raise(&self) {
        self.count.set(self.count.get() + 1);
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.is_empty() {
            waiting.drain(..).for_each(Waker::wake);
        }
    }

    /// Waits until the count is not `seen` any more.
    pub(crate) async fn changed(&self, seen: u64) {
        poll_fn(|cx| {
            if self.count.get() != seen {
                return Poll::Ready(());
            }
            let mut waiting = self.waiting.borrow_mut();
            if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}
