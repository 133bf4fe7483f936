//! Payload values in JSON, without loss: bytes and infinite numbers have a form of their own.
//!
//! `{"$bin": "00ff"}` is bytes, `{"$num": "Infinity"}` a number that JSON cannot write, and
//! `{"$esc": {…}}` an object that would be taken for one of these three.

use std::fmt::Write as _;
use std::sync::Arc;

use overheard_core::value::{Number, Object, Value};
use serde::ser::{SerializeMap as _, Serializer};
use serde::{Deserialize, Deserializer, Serialize};

use super::Args;

const BINARY: &str = "$bin";
const NUMBER: &str = "$num";
const ESCAPED: &str = "$esc";

/// Lists of values, for serde's `with`.
pub(super) mod list {
    use super::{Arc, Args, Deserialize as _, Deserializer, Readable, Serializer, Value, Written};

    pub(in super::super) fn serialize<S: Serializer>(
        values: &Args,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(Written))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Args, D::Error> {
        let values: Vec<Readable> = Vec::deserialize(deserializer)?;
        Ok(Arc::new(values.into_iter().map(|readable| readable.0).collect::<Vec<Value>>()))
    }
}

/// Values that may be missing, for serde's `with`.
pub(super) mod maybe {
    use super::Written;
    use super::{Deserialize as _, Deserializer, Readable, Serialize as _, Serializer, Value};

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(in super::super) fn serialize<S: Serializer>(
        value: &Option<Value>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().map(Written).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Value>, D::Error> {
        Ok(Option::<Readable>::deserialize(deserializer)?.map(|readable| readable.0))
    }
}

/// A list of values as it is written.
pub(super) struct List<'a>(pub(super) &'a Args);

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        list::serialize(self.0, serializer)
    }
}

/// A value as it is written.
struct Written<'a>(&'a Value);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Binary(bytes) => {
                let mut hex = String::with_capacity(2 * bytes.len());
                for byte in bytes {
                    // Writing to a string cannot fail.
                    _ = write!(hex, "{byte:02x}");
                }
                single(serializer, BINARY, &hex)
            }
            Value::Number(number @ Number::Float(float)) if !float.is_finite() => {
                single(serializer, NUMBER, &number.to_string())
            }
            Value::Array(items) => serializer.collect_seq(items.iter().map(Written)),
            Value::Object(object) if is_special(object) => {
                single(serializer, ESCAPED, &Members(object))
            }
            Value::Object(object) => Members(object).serialize(serializer),
            plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                plain.serialize(serializer)
            }
        }
    }
}

/// The members of an object, whatever they look like.
struct Members<'a>(&'a Object);

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, Written(value))))
    }
}

fn single<S: Serializer>(
    serializer: S,
    key: &str,
    value: &(impl Serialize + ?Sized),
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(key, value)?;
    map.end()
}

/// Whether an object would be read as something else.
fn is_special(object: &Object) -> bool {
    object.len() == 1 && object.iter().any(|(key, _)| [BINARY, NUMBER, ESCAPED].contains(&key))
}

/// A value that was read.
struct Readable(Value);

impl<'de> Deserialize<'de> for Readable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Value::deserialize(deserializer)?;
        unwrap(raw).map(Self).map_err(serde::de::Error::custom)
    }
}

/// Undoes [`Written`].
fn unwrap(value: Value) -> Result<Value, String> {
    match value {
        Value::Array(items) => {
            items.into_iter().map(unwrap).collect::<Result<Vec<_>, _>>().map(Value::Array)
        }
        Value::Object(object) if is_special(&object) => unwrap_special(object),
        Value::Object(object) => unwrap_members(object).map(Value::Object),
        plain @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Binary(_)) => Ok(plain),
    }
}

fn unwrap_members(object: Object) -> Result<Object, String> {
    let members: Result<Vec<_>, String> =
        object.into_iter().map(|(key, value)| Ok((key, unwrap(value)?))).collect();
    Ok(Object::from_members(members?))
}

fn unwrap_special(object: Object) -> Result<Value, String> {
    match object.into_iter().next() {
        Some((key, Value::Object(inner))) if key == ESCAPED => {
            unwrap_members(inner).map(Value::Object)
        }
        Some((key, Value::String(text))) if key == BINARY => {
            bytes(&text).map(|bytes| Value::Binary(bytes.into()))
        }
        Some((key, Value::String(text))) if key == NUMBER => match text.as_str() {
            "Infinity" => Ok(Value::Number(Number::Float(f64::INFINITY))),
            "-Infinity" => Ok(Value::Number(Number::Float(f64::NEG_INFINITY))),
            "NaN" => Ok(Value::Number(Number::Float(f64::NAN))),
            _ => Err(format!("`{text}` is no number for `{NUMBER}`")),
        },
        other => Err(format!(
            "`{}` has a value of the wrong type",
            other.map(|(key, _)| key).unwrap_or_default()
        )),
    }
}

fn bytes(hex: &str) -> Result<Vec<u8>, String> {
    let digits: Option<Vec<u32>> = hex.chars().map(|digit| digit.to_digit(16)).collect();
    let pairs = digits.filter(|digits| digits.len() % 2 == 0).map(|digits| {
        let byte = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).unwrap_or_default();
        digits.chunks_exact(2).map(byte).collect()
    });
    pairs.ok_or_else(|| format!("`{hex}` is no even number of hexadecimal digits"))
}
