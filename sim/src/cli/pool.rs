//! Jobs side by side, results in the order of the jobs: the text is the same for any number of
//! workers.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// How often the collector looks up.
const TICK: Duration = Duration::from_millis(50);

/// The stack of a run's thread: deep enough for what a debug build does.
const STACK: usize = 8 << 20;

/// The name of threads whose panics are kept quiet, as they are reported; a run's own thread is
/// called so too.
const GUARDED: &str = "run";

/// Panics of guarded threads, as the hook saw them.
static PANICS: Mutex<Vec<Seen>> = Mutex::new(Vec::new());

/// A panic.
struct Seen {
    thread: ThreadId,
    message: String,
    /// As in ` at src/lib.rs:1:1`.
    place: String,
}

/// Does jobs on a fixed number of workers, and hands over results in the order of the jobs, until
/// `collect` breaks off or `stop` says so. Returns whether everything was collected; jobs that are
/// still under way are left to themselves then.
pub(crate) fn run<J, R>(
    jobs: Vec<J>,
    workers: usize,
    work: impl Fn(&J) -> R + Send + Sync + 'static,
    stop: impl Fn() -> bool,
    mut collect: impl FnMut(R) -> ControlFlow<()>,
) -> std::io::Result<bool>
where
    J: Send + Sync + 'static,
    R: Send + 'static,
{
    let count = jobs.len();
    let shared = Arc::new((jobs, work, AtomicUsize::new(0), AtomicBool::new(false)));
    let (sender, receiver) = mpsc::channel();
    for _ in 0..workers.clamp(1, count.max(1)) {
        let (shared, sender) = (Arc::clone(&shared), sender.clone());
        thread::Builder::new().name("worker".to_owned()).spawn(move || {
            let (jobs, work, next, over) = &*shared;
            while !over.load(Ordering::Relaxed) {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(job) = jobs.get(index) else { break };
                if sender.send((index, work(job))).is_err() {
                    break;
                }
            }
        })?;
    }
    drop(sender);
    let mut early = BTreeMap::new();
    let mut next = 0;
    let mut collected = || -> ControlFlow<()> {
        while next < count {
            if stop() {
                return ControlFlow::Break(());
            }
            match receiver.recv_timeout(TICK) {
                Ok((index, result)) => {
                    early.insert(index, result);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return ControlFlow::Break(()),
            }
            while let Some(result) = early.remove(&next) {
                next += 1;
                collect(result)?;
            }
        }
        ControlFlow::Continue(())
    };
    let complete = collected().is_continue();
    shared.3.store(true, Ordering::Relaxed);
    Ok(complete)
}

/// Why a guarded piece of work has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It panicked, with this message.
    Panicked(String),
    /// It took too long on the wall's clock, and is left to itself.
    TooLong,
    /// The system gave no thread.
    NoThread(String),
}

/// Does something on a fresh thread, and survives its panics and its endless loops.
pub(crate) fn guarded<R: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, Trouble> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let spawned =
        thread::Builder::new().name(GUARDED.to_owned()).stack_size(STACK).spawn(move || {
            let result = panic::catch_unwind(AssertUnwindSafe(work));
            // Nobody listens any more if it took too long.
            let _ = sender.send(result.map_err(|_| thread::current().id()));
        });
    let handle = spawned.map_err(|error| Trouble::NoThread(error.to_string()))?;
    match receiver.recv_timeout(limit) {
        Ok(Ok(result)) => {
            let _ = handle.join();
            Ok(result)
        }
        Ok(Err(id)) => Err(Trouble::Panicked(take_panic(id))),
        Err(RecvTimeoutError::Timeout) => Err(Trouble::TooLong),
        Err(RecvTimeoutError::Disconnected) => {
            Err(Trouble::Panicked("the thread died without a word".to_owned()))
        }
    }
}

fn take_panic(id: ThreadId) -> String {
    let seen = take(|seen| seen.thread == id).pop();
    let text = seen.map(|seen| format!("{}{}", seen.message, seen.place));
    text.unwrap_or_else(|| "a panic without a message".to_owned())
}

/// Where a run panicked that ended in these words.
pub(crate) fn place_of_panic(words: &str) -> String {
    let place = take(|seen| words.ends_with(&seen.message)).pop().map(|seen| seen.place);
    place.unwrap_or_default()
}

fn take(wanted: impl Fn(&Seen) -> bool) -> Vec<Seen> {
    let mut panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
    panics.extract_if(.., |seen| wanted(seen)).collect()
}

/// Keeps panics of guarded threads for their reports; others are printed as always.
pub(crate) fn keep_panics_quiet(with_backtrace: bool) {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if thread::current().name() == Some(GUARDED) && !with_backtrace {
            let payload = info.payload();
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            let seen = Seen {
                thread: thread::current().id(),
                message: text.unwrap_or("a panic without a message").to_owned(),
                place: info.location().map(|place| format!(" at {place}")).unwrap_or_default(),
            };
            PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
        } else {
            print(info);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::{Trouble, guarded, run};
    use std::ops::ControlFlow;
    use std::time::Duration;

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let mut seen = Vec::new();
        let slow_first = |job: &u64| {
            let spins = if *job == 0 { 2_000_000 } else { 1 };
            (0..spins).fold(*job, |job, _| std::hint::black_box(job))
        };
        let complete = run(
            (0..50).collect(),
            4,
            slow_first,
            || false,
            |result| {
                seen.push(result);
                ControlFlow::Continue(())
            },
        );
        assert!(complete.unwrap());
        assert_eq!(seen, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn it_can_be_broken_off() {
        let mut seen = 0;
        let complete = run(
            (0..50).collect(),
            2,
            |job: &u64| *job,
            || false,
            |_| {
                seen += 1;
                if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        );
        assert!(!complete.unwrap());
        assert_eq!(seen, 3);
        assert!(
            !run(vec![1], 1, |job: &u64| *job, || true, |_| ControlFlow::Continue(())).unwrap()
        );
    }

    #[test]
    fn panics_and_endless_loops_are_survived() {
        assert_eq!(guarded(Duration::from_secs(60), || 1), Ok(1));
        let panicked = guarded(Duration::from_secs(60), || panic!("on purpose"));
        assert!(matches!(panicked, Err(Trouble::Panicked(_))));
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let stuck = guarded(Duration::from_millis(1), move || receiver.recv().is_ok());
        assert_eq!(stuck, Err(Trouble::TooLong));
        drop(sender);
    }
}
