//! `Value` in serde's data model, so that serde_json's parser does the parsing.

use core::fmt;
use core::iter::Peekable;

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::{IntoIter, Vec};

use bytes::Bytes;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::{Number, Object, Value};

impl Serialize for Number {
    /// NaN and infinities are `null` in JSON, by serde_json's rule.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Int(int) => serializer.serialize_i64(int),
            Self::Float(float) => serializer.serialize_f64(float),
        }
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in self.iter() {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl Serialize for Value {
    /// Bytes are serde's bytes: formats without them write an array of numbers.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(object) => object.serialize(serializer),
            Self::Binary(bytes) => serializer.serialize_bytes(bytes),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueSeed::default())
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Object(object) => Ok(object),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Binary(_) => Err(D::Error::custom("expected an object")),
        }
    }
}

/// Numbers of a text that are too large for an `f64`, by their ordinal among all its numbers, with
/// the infinity that each stands for.
#[derive(Debug)]
pub(crate) struct Overflows {
    next_ordinal: usize,
    left: Peekable<IntoIter<(usize, f64)>>,
}

impl Overflows {
    /// From ordinals in ascending order.
    pub(crate) fn new(ordinals: Vec<(usize, f64)>) -> Self {
        Self { next_ordinal: 0, left: ordinals.into_iter().peekable() }
    }

    fn next(&mut self) -> Option<f64> {
        let ordinal = self.next_ordinal;
        self.next_ordinal += 1;
        self.left.next_if(|&(at, _)| at == ordinal).map(|(_, infinity)| infinity)
    }
}

/// Builds a value; numbers known to overflow become infinite (`SIO-ENC-15`).
#[derive(Debug, Default)]
pub(crate) struct ValueSeed<'a> {
    pub(crate) overflows: Option<&'a mut Overflows>,
}

impl ValueSeed<'_> {
    fn reborrow(&mut self) -> ValueSeed<'_> {
        ValueSeed { overflows: self.overflows.as_deref_mut() }
    }

    fn number(self, number: Number) -> Value {
        match self.overflows.and_then(Overflows::next) {
            Some(infinity) => Value::Number(Number::Float(infinity)),
            None => Value::Number(number),
        }
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, int: i64) -> Result<Value, E> {
        let number = match u64::try_from(int) {
            Ok(int) => Number::from(int),
            #[expect(clippy::cast_precision_loss, reason = "that is what JavaScript does")]
            Err(_) => Number::from_f64(int as f64),
        };
        Ok(self.number(number))
    }

    fn visit_u64<E>(self, int: u64) -> Result<Value, E> {
        Ok(self.number(Number::from(int)))
    }

    fn visit_f64<E>(self, float: f64) -> Result<Value, E> {
        Ok(self.number(Number::from_f64(float)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(Value::Binary(Bytes::copy_from_slice(bytes)))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Value, E> {
        Ok(Value::Binary(bytes.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self.reborrow())? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = map.next_key()? {
            members.push((key, map.next_value_seed(self.reborrow())?));
        }
        Ok(Value::Object(Object::from_members(members)))
    }
}
