//! Random numbers from a seed, in streams that do not disturb each other.
//!
//! A stream is found by its name: what one part draws changes nothing for another one, and what is
//! drawn for one client changes nothing for the others. The numbers are the same on every platform.

use std::time::Duration;

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Stream(Pcg64);

impl Stream {
    /// The stream of this name, as in `network` or `network/alice`.
    #[must_use]
    pub fn new(seed: u64, name: &str) -> Self {
        Self(Pcg64::seed_from_u64(mix(seed, name)))
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`, each as likely as the others; 0 if `bound` is.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        // Draws from the incomplete last range are thrown away.
        let rest = (u64::MAX % bound + 1) % bound;
        loop {
            let number = self.next_u64();
            if number <= u64::MAX - rest {
                return number % bound;
            }
        }
    }

    /// A duration from `min` to `max`, both possible, in whole nanoseconds.
    pub fn duration(&mut self, min: Duration, max: Duration) -> Duration {
        let width = max.saturating_sub(min).as_nanos();
        let width = u64::try_from(width).unwrap_or(u64::MAX - 1).saturating_add(1);
        min + Duration::from_nanos(self.below(width))
    }
}

/// Seed and name in 64 bits: FNV-1a over both, and a finish that spreads every bit.
fn mix(seed: u64, name: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in seed.to_le_bytes().into_iter().chain(name.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_for_ever() {
        let mut stream = Stream::new(0x5eed, "network");
        let first: Vec<u64> = (0..3).map(|_| stream.next_u64()).collect();
        assert_eq!(
            first,
            [10_237_765_038_398_462_684, 10_903_703_879_983_055_630, 8_371_194_807_877_382_181]
        );
    }

    #[test]
    fn streams_differ_by_name_and_by_seed() {
        let first = |seed, name| Stream::new(seed, name).next_u64();
        assert_ne!(first(1, "ids"), first(1, "network"));
        assert_ne!(first(1, "ids"), first(2, "ids"));
        assert_eq!(first(1, "ids"), first(1, "ids"));
    }

    #[test]
    fn every_number_below_the_bound_comes() {
        let mut stream = Stream::new(1, "test");
        let mut seen = [0_u32; 6];
        for _ in 0..6_000 {
            seen[usize::try_from(stream.below(6)).unwrap()] += 1;
        }
        assert!(seen.iter().all(|count| (800..1_200).contains(count)), "{seen:?}");
        assert_eq!(stream.below(0), 0);
        assert_eq!(stream.below(1), 0);
    }

    #[test]
    fn durations_stay_within_their_range() {
        let mut stream = Stream::new(1, "test");
        let (min, max) = (Duration::from_nanos(5), Duration::from_nanos(7));
        for _ in 0..100 {
            assert!((min..=max).contains(&stream.duration(min, max)));
        }
        assert_eq!(stream.duration(max, max), max);
    }
}
