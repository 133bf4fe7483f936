//! Numbers as JavaScript holds and prints them (`SIO-ENC-15`).

use core::fmt;

use alloc::string::String;

use crate::limits::MAX_SAFE_INTEGER;

/// A JSON number as JavaScript reads it, but with whole numbers kept exact.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// A whole number.
    Int(i64),
    /// Anything else, also infinite when it overflowed on the wire. NaN and infinities are
    /// written as `null` (`SIO-ENC-15`).
    Float(f64),
}

impl Number {
    /// The number that JavaScript holds as `float`: whole ones are [`Number::Int`] as long as
    /// JavaScript tells all of them apart, and minus zero is zero, as it is written.
    #[must_use]
    pub fn from_f64(float: f64) -> Self {
        const LARGEST: f64 = 9_007_199_254_740_991.0;
        // Every `f64` in this range that is whole is an `i64`, so that the cast is exact; others
        // lose their fraction and are not equal any more.
        #[expect(clippy::cast_possible_truncation, reason = "checked by the comparison")]
        let int = float as i64;
        #[expect(clippy::cast_precision_loss, reason = "the range is checked first")]
        if (-LARGEST..=LARGEST).contains(&float) && int as f64 == float {
            Self::Int(int)
        } else {
            Self::Float(float)
        }
    }

    /// The number as JavaScript would hold it.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "that is what JavaScript does")]
            Self::Int(int) => int as f64,
            Self::Float(float) => float,
        }
    }
}

impl PartialEq for Number {
    /// NaN equals itself, so that payloads can be compared.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a == b,
            (a, b) => {
                let (a, b) = (a.as_f64(), b.as_f64());
                a == b || (a.is_nan() && b.is_nan())
            }
        }
    }
}

impl From<u64> for Number {
    /// Whole numbers that JavaScript does not tell from others become what it makes of them.
    fn from(int: u64) -> Self {
        match i64::try_from(int) {
            Ok(exact) if int <= MAX_SAFE_INTEGER => Self::Int(exact),
            #[expect(clippy::cast_precision_loss, reason = "that is what JavaScript does")]
            _ => Self::Float(int as f64),
        }
    }
}

impl fmt::Display for Number {
    /// As JavaScript prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Int(int) => write!(f, "{int}"),
            Self::Float(float) if float.is_nan() => f.write_str("NaN"),
            Self::Float(float) => {
                if float < 0.0 {
                    f.write_str("-")?;
                }
                if float.is_infinite() { f.write_str("Infinity") } else { write_finite(f, float) }
            }
        }
    }
}

/// Writes the shortest digits that read back as the same number, in positional notation from 1e-6
/// up to 1e21. The sign is written by the caller.
fn write_finite(f: &mut fmt::Formatter<'_>, float: f64) -> fmt::Result {
    // serde_json finds the digits that JavaScript finds: of two candidates that are equally close
    // it takes the even one, while `core::fmt` takes the larger.
    let text = serde_json::to_string(&float.abs()).map_err(|_| fmt::Error)?;
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all: String = [whole, fraction].concat();
    let digits = all.trim_start_matches('0');
    let leading_zeros = all.len() - digits.len();
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() {
        return f.write_str("0");
    }
    // The number is 0.<digits> times 10 to the power of `point`. All of these are below 1,000.
    let exponent: i32 = exponent.parse().map_err(|_| fmt::Error)?;
    let signed = |count: usize| i32::try_from(count).map_err(|_| fmt::Error);
    let point = exponent + signed(whole.len())? - signed(leading_zeros)?;
    let count = signed(digits.len())?;
    let (first, rest) = digits.split_at(1);
    match point {
        1..=21 if count <= point => {
            f.write_str(digits)?;
            (count..point).try_for_each(|_| f.write_str("0"))
        }
        1..=21 => {
            let (before, after) = digits.split_at(usize::try_from(point).map_err(|_| fmt::Error)?);
            write!(f, "{before}.{after}")
        }
        -5..=0 => {
            f.write_str("0.")?;
            (point..0).try_for_each(|_| f.write_str("0"))?;
            f.write_str(digits)
        }
        _ if rest.is_empty() => write!(f, "{first}e{:+}", point - 1),
        _ => write!(f, "{first}.{rest}e{:+}", point - 1),
    }
}
