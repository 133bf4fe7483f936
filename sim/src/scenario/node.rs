//! The tree of a YAML file: plain data in which everything knows where it stands.

use std::fmt;

use crate::span::{Span, Spanned};

/// A value of a file.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) data: Data,
    pub(super) span: Span,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Data {
    /// A text, a number, a boolean or nothing.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Spanned<String>,
    pub(super) value: Node,
}

/// A value that has no parts, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scalar {
    pub(super) text: String,
    /// Written without quotes, so that `5`, `true` and `_` are not texts.
    pub(super) plain: bool,
}

/// What a scalar means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Word<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
}

impl Scalar {
    /// Its meaning by the core schema of YAML 1.2: `yes`, `no`, `on` and `off` are texts.
    pub(super) fn word(&self) -> Word<'_> {
        let text = self.text.as_str();
        if !self.plain {
            return Word::Text(text);
        }
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Word::Null,
            "true" | "True" | "TRUE" => Word::Bool(true),
            "false" | "False" | "FALSE" => Word::Bool(false),
            _ => number(text).unwrap_or(Word::Text(text)),
        }
    }

    /// Whether it is a number that starts with 0 and would be octal for many readers.
    pub(super) fn looks_octal(&self) -> bool {
        let digits = self.text.strip_prefix(['-', '+']).unwrap_or(&self.text);
        let octal = |byte: u8| byte.is_ascii_digit();
        self.plain && digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(octal)
    }
}

fn number(text: &str) -> Option<Word<'static>> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let radix = |prefix, radix| {
        let digits: &str = unsigned.strip_prefix(prefix)?;
        let digits = digits.bytes().all(|byte| byte.is_ascii_alphanumeric()).then_some(digits)?;
        (unsigned.len() == text.len()).then_some(())?;
        i64::from_str_radix(digits, radix).ok()
    };
    if let Some(int) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Some(Word::Int(int));
    }
    if unsigned == ".inf" {
        let infinite = if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY };
        return Some(Word::Float(infinite));
    }
    if text == ".nan" {
        return Some(Word::Float(f64::NAN));
    }
    // Rust reads more than YAML does, as in `infinity`.
    let first = unsigned.strip_prefix('.').unwrap_or(unsigned).bytes().next()?;
    let allowed = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    if !first.is_ascii_digit() || !unsigned.bytes().all(allowed) {
        return None;
    }
    let int = text.parse().ok().map(Word::Int);
    int.or_else(|| text.parse().ok().map(Word::Float))
}

impl Node {
    /// Its meaning, if it has no parts.
    pub(super) fn word(&self) -> Option<Word<'_>> {
        match &self.data {
            Data::Scalar(scalar) => Some(scalar.word()),
            Data::List(_) | Data::Map(_) => None,
        }
    }

    /// Its text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self.word()? {
            Word::Text(text) => Some(text),
            Word::Null | Word::Bool(_) | Word::Int(_) | Word::Float(_) => None,
        }
    }

    /// Its text as it was written, if it has no parts.
    pub(super) fn written(&self) -> Option<&Scalar> {
        match &self.data {
            Data::Scalar(scalar) => Some(scalar),
            Data::List(_) | Data::Map(_) => None,
        }
    }

    /// Its elements, if it is a list.
    pub(super) fn list(&self) -> Option<&[Self]> {
        match &self.data {
            Data::List(items) => Some(items),
            Data::Scalar(_) | Data::Map(_) => None,
        }
    }

    /// Its entries, if it is a map.
    pub(super) fn map(&self) -> Option<&[Entry]> {
        match &self.data {
            Data::Map(entries) => Some(entries),
            Data::Scalar(_) | Data::List(_) => None,
        }
    }

    /// The value of a key, if it is a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.map()?.iter().find(|entry| entry.key.value == key).map(|entry| &entry.value)
    }

    /// How many values it consists of.
    pub(super) fn size(&self) -> usize {
        match &self.data {
            Data::Scalar(_) => 1,
            Data::List(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Data::Map(entries) => 1 + entries.iter().map(|entry| entry.value.size()).sum::<usize>(),
        }
    }

    /// Whether it says nothing.
    pub(super) fn is_null(&self) -> bool {
        self.word() == Some(Word::Null)
    }

    /// Whether both say the same, wherever they stand.
    pub(super) fn same(&self, other: &Self) -> bool {
        match (&self.data, &other.data) {
            (Data::Scalar(one), Data::Scalar(other)) => one == other,
            (Data::List(one), Data::List(other)) => {
                one.len() == other.len()
                    && one.iter().zip(other).all(|(one, other)| one.same(other))
            }
            (Data::Map(one), Data::Map(other)) => {
                let same = |(one, other): (&Entry, &Entry)| {
                    one.key.value == other.key.value && one.value.same(&other.value)
                };
                one.len() == other.len() && one.iter().zip(other).all(same)
            }
            (Data::Scalar(_) | Data::List(_) | Data::Map(_), _) => false,
        }
    }
}

/// What was found, in words: `the number 5`, `a list`.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scalar = match &self.data {
            Data::Scalar(scalar) => scalar,
            Data::List(_) => return f.write_str("a list"),
            Data::Map(_) => return f.write_str("a map"),
        };
        match scalar.word() {
            Word::Null => f.write_str("nothing"),
            Word::Bool(flag) => write!(f, "the boolean `{flag}`"),
            Word::Int(_) | Word::Float(_) => write!(f, "the number `{}`", scalar.text),
            Word::Text("") => f.write_str("an empty text"),
            Word::Text(text) if text.chars().count() <= 40 => write!(f, "the text `{text}`"),
            Word::Text(_) => f.write_str("a text"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        let plain = |text: &str| Scalar { text: text.into(), plain: true };
        let cases = [
            ("~", Word::Null),
            ("", Word::Null),
            ("true", Word::Bool(true)),
            ("yes", Word::Text("yes")),
            ("no", Word::Text("no")),
            ("on", Word::Text("on")),
            ("5", Word::Int(5)),
            ("-5", Word::Int(-5)),
            ("+5", Word::Int(5)),
            ("012", Word::Int(12)),
            ("0o17", Word::Int(15)),
            ("0xff", Word::Int(255)),
            ("1.5", Word::Float(1.5)),
            ("1e3", Word::Float(1000.0)),
            (".5", Word::Float(0.5)),
            ("9223372036854775808", Word::Float(9_223_372_036_854_775_808.0)),
            ("-.inf", Word::Float(f64::NEG_INFINITY)),
            ("infinity", Word::Text("infinity")),
            ("nan", Word::Text("nan")),
            ("5ms", Word::Text("5ms")),
            ("1.2.3", Word::Text("1.2.3")),
            ("-", Word::Text("-")),
            ("e5", Word::Text("e5")),
            ("0x", Word::Text("0x")),
            ("0x-5", Word::Text("0x-5")),
        ];
        for (text, word) in cases {
            assert_eq!(plain(text).word(), word, "{text}");
        }
        assert_eq!(Scalar { text: "5".into(), plain: false }.word(), Word::Text("5"));
    }

    #[test]
    fn octal_looking_numbers_are_seen() {
        let looks = |text: &str| Scalar { text: text.into(), plain: true }.looks_octal();
        assert!(looks("012") && looks("-08") && looks("00"));
        assert!(!looks("0") && !looks("10") && !looks("0.5") && !looks("0x1") && !looks(""));
    }
}
