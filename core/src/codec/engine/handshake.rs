//! The JSON of the first packet of a session (`EIO-HS-02`).

use core::fmt;
use core::time::Duration;

use alloc::string::String;
use alloc::vec::Vec;

use smol_str::SmolStr;

use crate::codec::sio::json;
use crate::value::{Number, Object, Value};

/// What the server tells a client when a session opens (`EIO-HS-02`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The session's id.
    pub sid: SmolStr,
    /// Transports to which the client may upgrade.
    pub upgrades: Vec<SmolStr>,
    /// Time between two heartbeats; written in whole milliseconds.
    pub ping_interval: Duration,
    /// Time to answer a heartbeat; written in whole milliseconds.
    pub ping_timeout: Duration,
    /// Bytes of the largest payload that the server takes.
    pub max_payload: u64,
}

/// A handshake that a client cannot read: the name of the first member that is missing or of the
/// wrong type, or nothing when it is no JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeError(pub Option<&'static str>);

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(member) => write!(f, "the handshake has no valid `{member}`"),
            None => f.write_str("the handshake is no JSON object"),
        }
    }
}

impl core::error::Error for HandshakeError {}

impl Handshake {
    /// The five members, in the order of the reference (`EIO-HS-02`).
    #[must_use]
    pub fn to_json(&self) -> String {
        let upgrades: Vec<Value> =
            self.upgrades.iter().map(|name| Value::from(name.as_str())).collect();
        let object: Object = [
            ("sid", Value::from(self.sid.as_str())),
            ("upgrades", Value::Array(upgrades)),
            ("pingInterval", millis(self.ping_interval)),
            ("pingTimeout", millis(self.ping_timeout)),
            ("maxPayload", whole(self.max_payload)),
        ]
        .into_iter()
        .collect();
        json::stringify(&Value::Object(object))
    }

    /// Reads the data of an open packet; members that it does not know are ignored.
    ///
    /// # Errors
    /// When a member is missing or of the wrong type.
    pub fn parse(text: &str) -> Result<Self, HandshakeError> {
        let value = json::parse(text).ok_or(HandshakeError(None))?;
        let object = value.as_object().ok_or(HandshakeError(None))?;
        let number = |name| {
            let int = object.get(name).and_then(Value::as_int);
            int.and_then(|int| u64::try_from(int).ok()).ok_or(HandshakeError(Some(name)))
        };
        let sid = object.get("sid").and_then(Value::as_str).ok_or(HandshakeError(Some("sid")))?;
        let upgrades = object
            .get("upgrades")
            .and_then(Value::as_array)
            .and_then(|names| names.iter().map(|name| name.as_str().map(SmolStr::from)).collect())
            .ok_or(HandshakeError(Some("upgrades")))?;
        Ok(Self {
            sid: sid.into(),
            upgrades,
            ping_interval: Duration::from_millis(number("pingInterval")?),
            ping_timeout: Duration::from_millis(number("pingTimeout")?),
            max_payload: number("maxPayload")?,
        })
    }
}

fn millis(duration: Duration) -> Value {
    whole(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

fn whole(number: u64) -> Value {
    Value::Number(Number::from(number))
}
