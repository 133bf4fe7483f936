//! Reads the requests of the chat contract.

use std::{fmt, time::Duration};

use rmpv::{Value, ext::from_value};
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeTuple as _, Serializer};
use socketioxide::{SocketIo, extract::SocketRef, operators::BroadcastOperators};

const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// All arguments of an event or an ack: a tuple, whose length nobody knows.
pub struct Args(pub Vec<Value>);

impl Serialize for Args {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|value| tuple.serialize_element(value))?;
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for Args {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(0, ArgsVisitor)
    }
}

struct ArgsVisitor;

impl<'de> Visitor<'de> for ArgsVisitor {
    type Value = Args;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Args, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(Args(values))
    }
}

/// What ends a request with another answer than "ok".
pub enum Failure {
    Error(&'static str),
    Timeout(Vec<Value>),
}

pub const BAD: Failure = Failure::Error("bad arguments");

pub fn read<T: for<'a> Deserialize<'a>>(value: &Value) -> Result<T, Failure> {
    from_value(value.clone()).map_err(|_| BAD)
}

/// One room, or an array of rooms.
pub fn rooms(value: &Value) -> Result<Vec<String>, Failure> {
    if value.is_str() { Ok(vec![read(value)?]) } else { read(value) }
}

/// The options of a request.
pub struct Options<'a>(pub &'a [(Value, Value)]);

impl<'a> Options<'a> {
    pub fn of(value: Option<&'a Value>) -> Result<Self, Failure> {
        value.map_or(Ok(Self(&[])), |value| value.as_map().map(|members| Self(members)).ok_or(BAD))
    }

    pub fn get<T>(
        &self,
        name: &str,
        default: T,
        read: fn(&Value) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let member = self.0.iter().find(|(key, _)| key.as_str() == Some(name));
        member.map_or(Ok(default), |(_, value)| read(value))
    }

    /// Those whom they mean.
    pub fn select(&self, io: &SocketIo, socket: &SocketRef) -> Result<BroadcastOperators, Failure> {
        let all = match self.get("from", "socket".into(), read::<String>)?.as_str() {
            "socket" => socket.broadcast(),
            "namespace" => io.of(socket.ns()).ok_or(BAD)?,
            _ => return Err(BAD),
        };
        let all =
            all.to(self.get("to", vec![], rooms)?).except(self.get("except", vec![], rooms)?);
        let all = if self.get("volatile", false, read)? { all.volatile() } else { all };
        Ok(if self.get("local", false, read)? { all.local() } else { all })
    }

    /// The event to send, and how long its answers may take.
    pub fn message(&self) -> Result<(String, Args, Duration), Failure> {
        let event = self.get("event", String::new(), read).unwrap_or_default();
        let timeout =
            self.get("timeout", Some(5000), read)?.map_or(Duration::MAX, Duration::from_millis);
        let is_known = !event.is_empty() && !RESERVED.contains(&event.as_str());
        let event = if is_known { event } else { return Err(Failure::Error("bad event name")) };
        Ok((event, Args(self.get("args", vec![], read)?), timeout))
    }
}

pub fn texts<T: ToString>(names: &[T]) -> Value {
    Value::Array(names.iter().map(|name| name.to_string().into()).collect())
}
