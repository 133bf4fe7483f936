//! Seeds: how they are written, and which ones a scenario is played with.

use std::fmt;
use std::str::FromStr;

/// A seed on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeedChoice {
    /// This one.
    Fixed(u64),
    /// Any; it is printed.
    Random,
}

impl FromStr for SeedChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "random" { Ok(Self::Random) } else { parse(text).map(Self::Fixed) }
    }
}

impl fmt::Display for SeedChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(seed) => f.write_str(&show(*seed)),
            Self::Random => f.write_str("random"),
        }
    }
}

/// A seed in decimal, or in hexadecimal after `0x`.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let digits = text.replace('_', "");
    let seed = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    seed.map_err(|_| format!("expected a seed such as 7 or 0x5eed (64 bits), found `{text}`"))
}

/// A seed as every message writes it.
pub(crate) fn show(seed: u64) -> String {
    format!("{seed:#x}")
}

/// Which seeds a scenario is played with: so many, from the first on, wrapping around.
pub(crate) fn range(first: u64, count: u32) -> impl Iterator<Item = u64> {
    (0..u64::from(count)).map(move |offset| first.wrapping_add(offset))
}

/// A seed that nobody chose, from the entropy of the process.
pub(crate) fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let seed = std::hash::RandomState::new().build_hasher().finish();
    // Short enough to be typed, long enough to be new.
    seed & 0xffff_ffff
}

#[cfg(test)]
mod tests {
    use super::{SeedChoice, parse, range, show};

    #[test]
    fn seeds_are_read_as_they_are_shown() {
        for seed in [0, 1, 0x5eed, u64::MAX] {
            assert_eq!(parse(&show(seed)), Ok(seed));
            assert_eq!(parse(&seed.to_string()), Ok(seed));
        }
        assert_eq!("random".parse(), Ok(SeedChoice::Random));
        for wrong in ["", "0x", "-1", "5eed", "0x10000000000000000", "1.5"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_range_wraps_around() {
        assert_eq!(range(u64::MAX, 3).collect::<Vec<_>>(), [u64::MAX, 0, 1]);
    }
}
