//! The systems that are compared, each behind the same questions.

pub(crate) mod node;
pub(crate) mod overheard;
pub(crate) mod socketioxide;

use std::hint::black_box;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Samples of each figure in a round, of which the median counts.
    pub(crate) samples: usize,
    /// The length of each.
    pub(crate) milliseconds: u64,
}

/// What one system took in one round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    /// For each case: nanoseconds per broadcast, recipients, checksum.
    pub(crate) cases: Vec<CaseResult>,
    /// For each case, a list of recipients alone; only of systems that can do that.
    pub(crate) resolve: Vec<f64>,
    /// Nanoseconds per join, leave, disconnection, and connection with nine joins.
    pub(crate) churn: Vec<f64>,
}

/// One case of one system in one round.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CaseResult {
    /// The name of the case.
    pub(crate) name: String,
    /// Nanoseconds per broadcast.
    pub(crate) nanoseconds: f64,
    /// Recipients of all its broadcasts together.
    pub(crate) recipients: u64,
    /// The sum of their numbers, each plus one.
    pub(crate) checksum: u64,
}

/// The timed operations, in the order of [`Round::churn`].
pub(crate) const CHURN: [&str; 4] = ["join", "leave", "disconnect", "connect + 9 joins"];

/// A system with W(S) in it.
pub(crate) trait System {
    /// Its name in tables.
    fn name(&self) -> &'static str;
    /// Bytes per membership, all in.
    fn bytes_per_membership(&self) -> f64;
    /// Everything once.
    fn round(&mut self) -> Round;
}

/// A time of this thread: another process on this core must not count.
#[derive(Debug)]
pub(crate) struct Timer {
    wall: Instant,
    cpu: Duration,
}

fn cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

impl Timer {
    /// Starts.
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
    pub(crate) fn start() -> Self {
        Self { cpu: cpu(), wall: Instant::now() }
    }

    /// The lesser of wall and CPU time since the start, in nanoseconds.
    pub(crate) fn nanoseconds(&self) -> f64 {
        let wall = self.wall.elapsed();
        wall.min(cpu().saturating_sub(self.cpu)).as_secs_f64() * 1e9
    }
}

/// The median.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Nanoseconds per call: the median of samples that are long enough each.
pub(crate) fn per_call(effort: Effort, mut call: impl FnMut()) -> f64 {
    let mut sample = |batch: usize| {
        let timer = Timer::start();
        for _ in 0..batch {
            call();
        }
        timer.nanoseconds()
    };
    let wanted = Duration::from_millis(effort.milliseconds).as_secs_f64() * 1e9;
    let mut batch = 1;
    loop {
        let took = sample(batch);
        if took >= wanted {
            break;
        }
        batch = if took < wanted / 50.0 {
            batch * 8
        } else {
            (batch * 11).div_ceil(10).max((batch as f64 * wanted / took * 1.1) as usize)
        };
    }
    median((0..effort.samples).map(|_| sample(batch) / batch as f64).collect())
}

/// Nanoseconds per operation of a list that can be done once.
pub(crate) fn per_operation<T>(
    operations: impl ExactSizeIterator<Item = T>,
    each: impl FnMut(T),
) -> f64 {
    let count = operations.len();
    let timer = Timer::start();
    operations.for_each(each);
    black_box(timer.nanoseconds() / count as f64)
}
