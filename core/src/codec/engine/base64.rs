//! Binary messages as text, read as leniently as Node.js reads base64 (`EIO-PKT-03`).

use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use bytes::Bytes;

/// Bits that stand beyond the last byte are ignored, and so is a missing padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Characters of `b` and the base64 of so many bytes.
pub(super) const fn text_len(bytes: usize) -> usize {
    1 + bytes.div_ceil(3) * 4
}

/// Appends `b` and padded base64.
pub(super) fn push_text(data: &[u8], out: &mut String) {
    out.push('b');
    STANDARD.encode_string(data, out);
}

/// Decodes base64 (without the `b`); never fails.
pub(super) fn decode(text: &str) -> Bytes {
    LENIENT.decode(text).unwrap_or_else(|_| decode_odd(text)).into()
}

/// What Node.js 20 makes of a text that is not plain base64: of each UTF-16 unit it sees the low
/// byte, it takes both alphabets, ignores other characters, stops at the first `=`, and drops a
/// last character that alone makes no byte.
fn decode_odd(text: &str) -> Vec<u8> {
    let mut kept = Vec::with_capacity(text.len());
    for unit in text.encode_utf16() {
        match unit.to_le_bytes()[0] {
            b'=' => break,
            b'-' => kept.push(b'+'),
            b'_' => kept.push(b'/'),
            byte if byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/' => kept.push(byte),
            _ => {}
        }
    }
    if kept.len() % 4 == 1 {
        kept.pop();
    }
    // Only characters of the alphabet are left, in a number that makes whole bytes.
    LENIENT.decode(kept).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `EIO-PKT-03`; each result was printed by Node.js 20.
    #[test]
    fn reads_odd_base64_as_node_does() {
        for (text, bytes) in [
            ("Q", &b""[..]),
            ("QU", b"A"),
            ("QUJ", b"AB"),
            ("QUJDR", b"ABC"),
            ("QU*JDR", b"ABC"),
            ("=QUJD", b""),
            ("A=B=", b""),
            ("QQ=QQ", b"A"),
            ("QQ===", b"A"),
            ("QUI\u{141}", b"AB\0"),
            ("QQ\u{13d}QQ", b"A"),
            ("\u{151}\u{151}\u{151}\u{151}", b"\x41\x04\x10"),
            ("ab\0cd", b"\x69\xb7\x1d"),
            ("AB-_+/", b"\0\x1f\xbf\xfb"),
            ("QUI-QQ QQQ", b"AB\x3e\x41\x04\x10"),
        ] {
            assert_eq!(decode(text), bytes, "EIO-PKT-03: {text:?}");
        }
    }
}
