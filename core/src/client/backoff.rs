//! How long to wait before the next attempt to connect (`CLI-05`).

use core::fmt;
use core::time::Duration;

/// Where a client gets its chance from; core has none of its own.
pub trait Random: fmt::Debug + Send {
    /// A number in `[0, 1)`, as `Math.random()`. Anything outside counts as 0.
    fn next_f64(&mut self) -> f64;
}

/// Attempts after which the delay no longer grows: 2^63 ms is over any maximum.
const MAX_EXPONENT: u32 = 63;

/// The delay before each attempt, doubled each time, with jitter (`CLI-05`).
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    min: Duration,
    max: Duration,
    jitter: f64,
    attempts: u32,
}

impl Backoff {
    pub(super) const fn new(min: Duration, max: Duration, jitter: f64) -> Self {
        Self { min, max, jitter, attempts: 0 }
    }

    /// Attempts since the last success.
    pub(super) const fn attempts(&self) -> u32 {
        self.attempts
    }

    pub(super) const fn reset(&mut self) {
        self.attempts = 0;
    }

    /// The delay before the next attempt, which it counts.
    ///
    /// One random number decides both the size and the sign of the jitter, as in the reference, so
    /// that not the whole range is reached (`CLI-05`).
    pub(super) fn next_delay(&mut self, random: &mut dyn Random) -> Duration {
        let exponent = self.attempts.min(MAX_EXPONENT);
        // The counter also runs without a limit and must not overflow.
        self.attempts = self.attempts.saturating_add(1);
        let mut millis = as_millis(self.min) * power_of_two(exponent);
        if self.jitter > 0.0 && self.jitter <= 1.0 {
            let number = unit(random.next_f64());
            let deviation = floor(number * self.jitter * millis);
            // The first decimal of the number decides the sign.
            let subtract = floor(number * 10.0) % 2.0 < 1.0;
            millis = if subtract { millis - deviation } else { millis + deviation };
        }
        from_millis(millis.min(as_millis(self.max)))
    }
}

fn unit(number: f64) -> f64 {
    if (0.0..1.0).contains(&number) { number } else { 0.0 }
}

fn as_millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Whole milliseconds; what JavaScript does with `| 0`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the fraction is meant to be cut off; casts of floats saturate"
)]
const fn from_millis(millis: f64) -> Duration {
    Duration::from_millis(millis as u64)
}

/// 2^`exponent`, for an exponent of at most 63.
#[expect(clippy::cast_precision_loss, reason = "a power of two is exact")]
const fn power_of_two(exponent: u32) -> f64 {
    (1_u64 << exponent) as f64
}

/// Core's floats have no `floor` without std; numbers here are positive.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "numbers from 2^53 are whole already and stay as they are"
)]
const fn floor(number: f64) -> f64 {
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    if number < WHOLE { (number as u64) as f64 } else { number }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::testing::facts;
    use std::vec::Vec;

    #[derive(Debug)]
    struct Fixed(f64);

    impl Random for Fixed {
        fn next_f64(&mut self) -> f64 {
            self.0
        }
    }

    fn delay(attempt: u32, number: f64) -> u64 {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5), 0.5);
        backoff.attempts = attempt;
        backoff.next_delay(&mut Fixed(number)).as_millis().try_into().unwrap()
    }

    /// CLI-05: the ranges that were observed of the reference, reached exactly.
    #[test]
    fn delays_span_the_ranges_of_the_reference() {
        for facts in facts("client_backoff_ms") {
            let ranges = facts["observed_min_max_by_attempt"].as_array().unwrap();
            assert!(!ranges.is_empty());
            for (attempt, range) in ranges.iter().enumerate() {
                let delays: Vec<u64> = (0..100_000)
                    .map(|step| delay(u32::try_from(attempt).unwrap(), f64::from(step) / 100_000.0))
                    .collect();
                let seen = [delays.iter().min().unwrap(), delays.iter().max().unwrap()];
                let expect = [range[0].as_u64().unwrap(), range[1].as_u64().unwrap()];
                assert_eq!(seen, [&expect[0], &expect[1]], "attempt {attempt} (CLI-05)");
            }
        }
    }

    /// J-14, CLI-05: the counter of endless attempts does not overflow, the delay keeps its maximum.
    #[test]
    fn endless_attempts_stay_at_the_maximum() {
        for attempt in [10, 62, 63, 64, 1000, u32::MAX - 1, u32::MAX] {
            for number in [0.0, 0.89, 0.999] {
                assert_eq!(delay(attempt, number), 5000, "attempt {attempt}");
            }
        }
    }

    #[test]
    fn chance_outside_its_range_counts_as_zero() {
        for number in [f64::NAN, -1.0, 1.0, f64::INFINITY] {
            assert_eq!(delay(0, number), 1000);
        }
    }
}
