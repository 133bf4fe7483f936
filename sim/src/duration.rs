//! Durations as files and flags write them: a number and a unit, as in `250ms` or `1.5s`.

use std::time::Duration;

use thiserror::Error;

/// Units, the longest names first, with their nanoseconds.
const UNITS: [(&str, u64); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// The longest duration that is taken: virtual time is counted in 64 bits of nanoseconds, and
/// sums must not overflow.
const MAX_NANOS: u64 = 1_000 * 24 * 3_600_000_000_000;

/// Why a text is not a duration.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DurationError {
    /// There is no unit behind the number.
    #[error("a duration needs a unit: `{0}` could be milliseconds or seconds")]
    NoUnit(String),
    /// The unit does not exist.
    #[error("there is no unit `{0}`: the units are `ns`, `us`, `ms`, `s`, `m` and `h`")]
    UnknownUnit(String),
    /// There is no number in front of the unit, or something else is.
    #[error("`{0}` is not a duration: a duration is a number and a unit, as in `250ms` or `1.5s`")]
    NoNumber(String),
    /// It is finer than a nanosecond.
    #[error("`{0}` is finer than a nanosecond, and time is counted in whole nanoseconds")]
    TooFine(String),
    /// It is too long.
    #[error("`{0}` is too long: at most 1000 days (24000h)")]
    TooLong(String),
}

/// Reads a duration.
///
/// # Errors
/// The text is none; the error says why.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (number, unit) = text.split_at(digits);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let dotted = number.contains('.');
    if whole.is_empty() || fraction.contains('.') || (dotted && fraction.is_empty()) {
        return Err(DurationError::NoNumber(text.into()));
    }
    if unit.is_empty() {
        return Err(DurationError::NoUnit(text.into()));
    }
    let Some((_, nanos)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        let plain = unit.chars().all(char::is_alphabetic);
        let unit = unit.to_owned();
        return Err(if plain {
            DurationError::UnknownUnit(unit)
        } else {
            DurationError::NoNumber(text.into())
        });
    };
    let too_long = || DurationError::TooLong(text.into());
    let whole: u64 = whole.parse().map_err(|_| too_long())?;
    let mut total = whole.checked_mul(*nanos).ok_or_else(too_long)?;
    let mut place = *nanos;
    for digit in fraction.trim_end_matches('0').bytes() {
        if place % 10 != 0 {
            return Err(DurationError::TooFine(text.into()));
        }
        place /= 10;
        total = total.checked_add(u64::from(digit - b'0') * place).ok_or_else(too_long)?;
    }
    if total > MAX_NANOS {
        return Err(too_long());
    }
    Ok(Duration::from_nanos(total))
}

/// Writes a duration so that [`parse`] reads it: the largest unit that leaves a whole number.
#[must_use]
pub fn display(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let fits = |unit: &&(&str, u64)| nanos.is_multiple_of(u128::from(unit.1)) && nanos > 0;
    let (name, unit) = UNITS.iter().rev().find(fits).unwrap_or(&("s", 1_000_000_000));
    format!("{}{name}", nanos / u128::from(*unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_unit() {
        let nanos = |text| parse(text).unwrap().as_nanos();
        assert_eq!(nanos("5ns"), 5);
        assert_eq!(nanos("10us"), 10_000);
        assert_eq!(nanos("250ms"), 250_000_000);
        assert_eq!(nanos("1.5s"), 1_500_000_000);
        assert_eq!(nanos("2m"), 120_000_000_000);
        assert_eq!(nanos("1h"), 3_600_000_000_000);
        assert_eq!(nanos("0s"), 0);
        assert_eq!(nanos("0.25m"), 15_000_000_000);
        assert_eq!(nanos("1.50s"), 1_500_000_000);
    }

    #[test]
    fn says_what_is_wrong() {
        let error = |text: &str| parse(text).unwrap_err();
        assert_eq!(error("250"), DurationError::NoUnit("250".into()));
        assert_eq!(error("2.5"), DurationError::NoUnit("2.5".into()));
        assert_eq!(error("5 ms"), DurationError::NoNumber("5 ms".into()));
        assert_eq!(error("5sec"), DurationError::UnknownUnit("sec".into()));
        assert_eq!(error("-5s"), DurationError::NoNumber("-5s".into()));
        assert_eq!(error(""), DurationError::NoNumber(String::new()));
        assert_eq!(error("1.s"), DurationError::NoNumber("1.s".into()));
        assert_eq!(error("1.2.3s"), DurationError::NoNumber("1.2.3s".into()));
        assert_eq!(error("0.5ns"), DurationError::TooFine("0.5ns".into()));
        assert_eq!(error("24001h"), DurationError::TooLong("24001h".into()));
        let many = "99999999999999999999s";
        assert_eq!(error(many), DurationError::TooLong(many.into()));
    }

    #[test]
    fn writes_what_it_reads() {
        for text in ["5ns", "10us", "250ms", "1500ms", "2m", "1h", "90s", "0s"] {
            assert_eq!(display(parse(text).unwrap()), text);
        }
    }
}
