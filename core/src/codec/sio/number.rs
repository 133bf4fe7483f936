//! JavaScript's `Number()`: what it makes of odd spellings in headers (`SIO-ENC-13`).

/// What JavaScript takes for white space, and so for a part of a number.
pub(super) const fn is_white_space(c: char) -> bool {
    matches!(
        c,
        '\t'..='\r'
            | ' '
            | '\u{a0}'
            | '\u{1680}'
            | '\u{2000}'..='\u{200a}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{202f}'
            | '\u{205f}'
            | '\u{3000}'
            | '\u{feff}'
    )
}

/// `Number(text)`.
pub(super) fn from_js(text: &str) -> f64 {
    let text = text.trim_matches(is_white_space);
    if text.is_empty() {
        return 0.0;
    }
    for (prefix, upper, radix) in [("0x", "0X", 16), ("0o", "0O", 8), ("0b", "0B", 2)] {
        if let Some(digits) = text.strip_prefix(prefix).or_else(|| text.strip_prefix(upper)) {
            return from_digits(digits, radix);
        }
    }
    match text.strip_prefix(['+', '-']).unwrap_or(text) {
        "Infinity" => {}
        // Rust also reads `inf` and `nan`, in any case.
        unsigned if unsigned.starts_with(|c: char| c == '.' || c.is_ascii_digit()) => {}
        _ => return f64::NAN,
    }
    text.parse().unwrap_or(f64::NAN)
}

/// Digits of another radix; not rounded as exactly as JavaScript does above 2^53.
fn from_digits(digits: &str, radix: u32) -> f64 {
    let value = digits.chars().try_fold(0.0, |sum, c| {
        let digit = c.to_digit(radix)?;
        Some(sum * f64::from(radix) + f64::from(digit))
    });
    value.filter(|_| !digits.is_empty()).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `SIO-ENC-13`; each result is Node's.
    #[test]
    fn reads_numbers_as_javascript_does() {
        for (text, number) in [
            ("", 0.0),
            (" \u{feff}\n", 0.0),
            ("1e0", 1.0),
            ("0x1", 1.0),
            ("0XfF", 255.0),
            ("0o17", 15.0),
            ("0b101", 5.0),
            ("+1", 1.0),
            (" 1", 1.0),
            ("1.0", 1.0),
            ("1.", 1.0),
            (".5", 0.5),
            ("01", 1.0),
            ("+.5e1", 5.0),
            ("-2", -2.0),
            ("Infinity", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("1e400", f64::INFINITY),
        ] {
            assert_eq!(from_js(text), number, "SIO-ENC-13: Number({text:?})");
        }
        for text in [
            "1 2", "a", "inf", "+inf", "nan", "NaN", "infinity", "0x", "-0x1", "1_0", ".", "+",
            "e1", "1e", "1e+", "++1", "\u{85}1", "٢", "0x1.0", "INFINITY",
        ] {
            assert!(from_js(text).is_nan(), "SIO-ENC-13: Number({text:?})");
        }
    }
}
