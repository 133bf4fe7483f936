//! JSON as JavaScript reads and writes it, on serde_json's parser and escapes.
//!
//! What differs from `JSON.parse` is listed in [the module above](super).

use core::fmt::Write as _;

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use serde::de::{DeserializeSeed as _, IgnoredAny};

use crate::value::{Number, Object, Overflows, Value, ValueSeed};

/// Parses a text as `JSON.parse` does; nothing when it is not valid.
///
/// Takes time in proportion to the text (sorting the keys of large objects aside), and at most
/// some 80 times its memory: the worst texts are full of tiny nested arrays (`[[[0]]],`).
#[must_use]
pub fn parse(text: &str) -> Option<Value> {
    read(text, ValueSeed::default()).ok().or_else(|| parse_with_overflow(text))
}

fn read(text: &str, seed: ValueSeed<'_>) -> serde_json::Result<Value> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = seed.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Parses a text in which a number is too large for an `f64`: serde_json refuses it, JavaScript
/// reads infinity. Such numbers are replaced by 0 and put right while the value is built.
fn parse_with_overflow(text: &str) -> Option<Value> {
    let (patched, ordinals) = without_overflows(text);
    if ordinals.is_empty() {
        return None;
    }
    let mut overflows = Overflows::new(ordinals);
    read(&patched, ValueSeed { overflows: Some(&mut overflows) }).ok()
}

/// The text with `0` in the place of each number that overflows, and which of its numbers these
/// are. Finds numbers by the one property that matters here: they stand outside of strings.
fn without_overflows(text: &str) -> (Cow<'_, str>, Vec<(usize, f64)>) {
    let bytes = text.as_bytes();
    let (mut patched, mut ordinals) = (Cow::Borrowed(text), Vec::new());
    let (mut at, mut copied, mut ordinal) = (0, 0, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => at += string_len(&bytes[at..]),
            b'-' | b'0'..=b'9' => {
                let len = bytes[at..].iter().take_while(|byte| is_number_byte(**byte)).count();
                if let Some(infinity) = overflow(&text[at..at + len]) {
                    if ordinals.is_empty() {
                        patched = Cow::Owned(String::with_capacity(text.len()));
                    }
                    let patched = patched.to_mut();
                    patched.push_str(&text[copied..at]);
                    patched.push('0');
                    copied = at + len;
                    ordinals.push((ordinal, infinity));
                }
                at += len;
                ordinal += 1;
            }
            _ => at += 1,
        }
    }
    if !ordinals.is_empty() {
        patched.to_mut().push_str(&text[copied..]);
    }
    (patched, ordinals)
}

/// Bytes of the string that starts here, with its quotes.
fn string_len(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

const fn is_number_byte(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
}

/// The infinity that a token stands for, when it is a JSON number that overflows.
fn overflow(token: &str) -> Option<f64> {
    let float: f64 = token.parse().ok()?;
    let is_json = || serde_json::from_str::<IgnoredAny>(token).is_ok();
    (float.is_infinite() && is_json()).then_some(float)
}

/// Writes a value as `JSON.stringify` does, byte for byte. Bytes are written as Node.js writes a
/// `Buffer`: `{"type":"Buffer","data":[…]}`.
#[must_use]
pub fn stringify(value: &Value) -> String {
    let mut writer = Writer::new(String::new(), Bytes::Inline);
    writer.value(value);
    writer.finish()
}

/// Appends a JSON string to `out`.
pub(crate) fn push_string(out: String, text: &str) -> String {
    let mut writer = Writer::new(out, Bytes::Inline);
    writer.string(text);
    writer.finish()
}

/// What is written for bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bytes {
    /// What `JSON.stringify` makes of a `Buffer`.
    Inline,
    /// A placeholder with the number of the next attachment (`SIO-ENC-05`).
    Placeholder(usize),
}

/// Writes JSON behind what is already in a text.
#[derive(Debug)]
pub(super) struct Writer {
    out: String,
    bytes: Bytes,
}

impl Writer {
    pub(super) fn new(out: String, bytes: Bytes) -> Self {
        Self { out, bytes }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    pub(super) fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.raw("null"),
            Value::Bool(true) => self.raw("true"),
            Value::Bool(false) => self.raw("false"),
            Value::Number(number) => self.number(*number),
            Value::String(text) => self.string(text),
            Value::Array(items) => self.array(items, None),
            Value::Object(object) => self.object(object),
            Value::Binary(data) => self.binary(data),
        }
    }

    /// An array, with one more string at its end if there is one.
    pub(super) fn array(&mut self, items: &[Value], extra: Option<&str>) {
        self.raw("[");
        for (index, item) in items.iter().enumerate() {
            self.comma(index);
            self.value(item);
        }
        if let Some(extra) = extra {
            self.comma(items.len());
            self.string(extra);
        }
        self.raw("]");
    }

    pub(super) fn object(&mut self, object: &Object) {
        self.raw("{");
        for (index, (key, value)) in object.iter().enumerate() {
            self.comma(index);
            self.string(key);
            self.raw(":");
            self.value(value);
        }
        self.raw("}");
    }

    fn raw(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn comma(&mut self, index: usize) {
        if index > 0 {
            self.raw(",");
        }
    }

    fn string(&mut self, text: &str) {
        if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
            // Writing a string to memory cannot fail.
            self.raw(&serde_json::to_string(text).unwrap_or_default());
        } else {
            self.raw("\"");
            self.raw(text);
            self.raw("\"");
        }
    }

    fn number(&mut self, number: Number) {
        match number {
            Number::Float(float) if !float.is_finite() => self.raw("null"),
            Number::Int(_) | Number::Float(_) => self.fmt(format_args!("{number}")),
        }
    }

    fn binary(&mut self, data: &[u8]) {
        match &mut self.bytes {
            Bytes::Placeholder(next) => {
                let num = *next;
                *next += 1;
                self.fmt(format_args!("{{\"_placeholder\":true,\"num\":{num}}}"));
            }
            Bytes::Inline => {
                self.raw("{\"type\":\"Buffer\",\"data\":[");
                for (index, byte) in data.iter().enumerate() {
                    self.comma(index);
                    self.fmt(format_args!("{byte}"));
                }
                self.raw("]}");
            }
        }
    }

    fn fmt(&mut self, args: core::fmt::Arguments<'_>) {
        let written = self.out.write_fmt(args);
        debug_assert!(written.is_ok(), "writing to memory cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A repeated key keeps its place and takes the last value, in small objects and in large ones.
        #[test]
        fn repeated_keys_keep_their_place(members in vec(("[a-f]{1,2}", 0..9_i64), 0..60)) {
            let mut expected = Object::new();
            for (key, value) in &members {
                expected.insert(key.as_str(), *value);
            }
            let text: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            let parsed = parse(&format!("{{{}}}", text.join(",")));
            prop_assert_eq!(parsed, Some(Value::Object(expected)));
        }

        /// SIO-ENC-15: numbers too large for an `f64` are infinite wherever they stand, and digits in
        /// strings are not numbers.
        #[test]
        fn overflowing_numbers_are_infinite(
            items in vec(prop_oneof![
                Just(("1e400", Value::Number(Number::Float(f64::INFINITY)))),
                Just(("-9.9E+999", Value::Number(Number::Float(f64::NEG_INFINITY)))),
                Just(("1e-400", 0_i64.into())),
                Just(("-12", (-12_i64).into())),
                Just(("\"1e400\\\"1e400\\\\\"", "1e400\"1e400\\".into())),
                Just(("{\"1e400\":5}", Value::Object([("1e400", 5_i64)].into_iter().collect()))),
            ], 0..8),
        ) {
            let text: Vec<_> = items.iter().map(|(text, _)| *text).collect();
            let values = items.iter().map(|(_, value)| value.clone()).collect();
            let parsed = parse(&format!("[{} ]", text.join(" , ")));
            prop_assert_eq!(parsed, Some(Value::Array(values)));
        }
    }

    /// SIO-ENC-15: the same text as `JSON.stringify`; the right column was printed by Node.js.
    #[test]
    fn numbers_are_written_as_in_javascript() {
        for (float, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (1e-6, "0.000001"),
            (1.5e-6, "0.0000015"),
            (1e-7, "1e-7"),
            (1.25e-7, "1.25e-7"),
            (5e-324, "5e-324"),
            (123_456_789.125, "123456789.125"),
            (9_007_199_254_740_992.0, "9007199254740992"),
            (1e20, "100000000000000000000"),
            (123e18, "123000000000000000000"),
            (1e21, "1e+21"),
            (-1.5e300, "-1.5e+300"),
            (f64::MAX, "1.7976931348623157e+308"),
            (174_454_221_629_168.62, "174454221629168.62"),
            (f64::NAN, "null"),
            (f64::INFINITY, "null"),
            (f64::NEG_INFINITY, "null"),
        ] {
            assert_eq!(stringify(&Value::Number(Number::Float(float))), text);
            assert_eq!(stringify(&Value::from(float)), text);
        }
    }

    /// What JavaScript refuses, or core on purpose, is refused also where a number overflows.
    #[test]
    fn invalid_json_is_refused() {
        for text in [
            "",
            " ",
            "[1,]",
            "[01]",
            "[+1]",
            "[.5]",
            "[1.]",
            "[1e]",
            "[1.e400]",
            "[+1e400]",
            "[01e400]",
            "[1e400",
            "[1e400]]",
            "[\"a]",
            "['a']",
            "\u{feff}[]",
            "[\u{a0}]",
            "[NaN]",
            "[Infinity]",
            "[\"\u{1e}\"]",
            "[\"\\x\"]",
            "{a:1}",
            "[\"\\ud800\"]",
            "[\"\\udc00\\ud800\"]",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
