//! Event payloads: JSON with binary leaves, as JavaScript clients send them.
//!
//! Objects keep the order of their members, because encoded packets are compared byte for byte;
//! `serde_json::Value` cannot do that without std, and has no place for binary.
//!
//! One order differs from JavaScript's: there, keys that look like array indices come first, in
//! ascending order, wherever they were written.

mod number;
mod serde_impls;

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

pub use self::number::Number;
pub(crate) use self::serde_impls::{Overflows, ValueSeed};
use crate::limits::SMALL_OBJECT_MEMBERS;

/// A payload value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`; also what `undefined` becomes inside arrays (`SIO-ENC-15`).
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Self>),
    /// An object.
    Object(Object),
    /// Bytes, sent as an attachment (`SIO-ENC-05`).
    Binary(Bytes),
}

/// An object: members in the order in which they were first set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object(Vec<(String, Value)>);

impl Object {
    /// An object without members.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The value of a member.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Sets a member; one that exists keeps its place, as in JavaScript.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        let (key, value) = (key.into(), value.into());
        match self.0.iter_mut().find(|(name, _)| *name == key) {
            Some((_, slot)) => *slot = value,
            None => self.0.push((key, value)),
        }
    }

    /// Builds an object from members of which some may have the same key: the last value counts, at
    /// the place of the first, as in JavaScript. Costs n·log n whatever the keys are.
    #[must_use]
    pub fn from_members(mut members: Vec<(String, Value)>) -> Self {
        if members.len() <= SMALL_OBJECT_MEMBERS {
            let mut object = Self(Vec::with_capacity(members.len()));
            for (key, value) in members {
                object.insert(key, value);
            }
            return object;
        }
        let mut order: Vec<usize> = (0..members.len()).collect();
        order.sort_by(|&a, &b| members[a].0.cmp(&members[b].0).then(a.cmp(&b)));
        let mut repeated = Vec::new();
        let mut moves = Vec::new();
        for same in order.chunk_by(|&a, &b| members[a].0 == members[b].0) {
            if let [first, .., last] = *same {
                moves.push((first, last));
                repeated.extend_from_slice(&same[1..]);
            }
        }
        for (first, last) in moves {
            members.swap(first, last);
        }
        if !repeated.is_empty() {
            repeated.sort_unstable();
            let mut repeated = repeated.into_iter().peekable();
            let mut index = 0..;
            members.retain(|_| {
                let index = index.next();
                repeated.next_if(|&next| Some(next) == index).is_none()
            });
        }
        Self(members)
    }

    /// The members in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The values of the members in order, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Object {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(members: I) -> Self {
        Self::from_members(
            members.into_iter().map(|(key, value)| (key.into(), value.into())).collect(),
        )
    }
}

impl IntoIterator for Object {
    type Item = (String, Value);
    type IntoIter = alloc::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

// The memory of a parsed payload is a multiple of this.
const _: () = assert!(size_of::<Value>() <= 40);

impl Value {
    /// The text, when this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The members, when this is an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&Object> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }

    /// The elements, when this is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Self]> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    /// The whole number, when this is one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        if let Self::Number(Number::Int(int)) = self { Some(*int) } else { None }
    }

    /// The bytes, when this is binary.
    #[must_use]
    pub fn as_binary(&self) -> Option<&Bytes> {
        if let Self::Binary(bytes) = self { Some(bytes) } else { None }
    }

    /// Whether there are bytes in it, at any depth.
    #[must_use]
    pub fn has_binary(&self) -> bool {
        match self {
            Self::Binary(_) => true,
            Self::Array(items) => items.iter().any(Self::has_binary),
            Self::Object(members) => members.iter().any(|(_, value)| value.has_binary()),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => false,
        }
    }

    /// The truth value, when this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(flag) = self { Some(*flag) } else { None }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<i64> for Value {
    fn from(int: i64) -> Self {
        Self::Number(Number::Int(int))
    }
}

impl From<f64> for Value {
    fn from(float: f64) -> Self {
        Self::Number(Number::from_f64(float))
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        Self::Number(number)
    }
}

impl From<Bytes> for Value {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

impl<T: Into<Self>> FromIterator<T> for Value {
    /// An array.
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::Array(items.into_iter().map(Into::into).collect())
    }
}

impl From<Vec<Self>> for Value {
    fn from(items: Vec<Self>) -> Self {
        Self::Array(items)
    }
}
