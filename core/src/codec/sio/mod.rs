//! Socket.IO v5 packets (`SIO-ENC-01`, `SIO-ENC-02`).
//!
//! Everything is read as the reference's parser 4.2.7 reads it, except that
//! - a payload with a lone surrogate (`"\ud800"`), which UTF-8 cannot hold, is refused;
//! - so is one that nests deeper than [`MAX_JSON_DEPTH`](crate::limits::MAX_JSON_DEPTH), a longer
//!   namespace than [`MAX_NAMESPACE_BYTES`](crate::limits::MAX_NAMESPACE_BYTES) and a longer ack id
//!   than [`MAX_ACK_ID_CHARS`](crate::limits::MAX_ACK_ID_CHARS);
//! - `undefined`, which a fractional placeholder gives (`SIO-ENC-09`), is `null`;
//! - keys of objects that look like array indices keep their place;
//! - a member `__proto__` beside an attachment is sent, which the reference's encoder loses;
//! - after an error the decoder reads nothing more.

mod binary;
mod decode;
mod encode;
pub mod json;
mod number;

use core::fmt;

use alloc::vec::Vec;

use smol_str::SmolStr;

pub use self::decode::{Coercions, DecodeError, Decoder, DecoderConfig, RESERVED_EVENTS};
pub use self::encode::{Encoded, encode_ack, encode_event};
use crate::limits::MAX_SAFE_INTEGER;
use crate::value::{Number, Object, Value};

/// An ack id (`SIO-ACK-02`).
#[derive(Clone, Copy, Debug)]
pub enum AckId {
    /// A whole number, as every encoder writes it.
    Exact(u64),
    /// What JavaScript's `Number()` made of an odd spelling: NaN, or a number too large to be
    /// exact (`SIO-ENC-13`). Written back as JavaScript prints it.
    Inexact(f64),
}

/// A decoded packet: binary attachments already stand in its data.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    /// The namespace, with its leading slash; `/` when none was written.
    pub nsp: SmolStr,
    /// The ack id. Only events and acks mean it, but any packet may carry one (`SIO-ENC-13`).
    pub id: Option<AckId>,
    /// Type and payload.
    pub body: Body,
}

/// A packet's type with the payload that this type allows (`SIO-ENC-10`).
///
/// `None` means that no JSON followed, which decoders accept for every type (`SIO-ENC-11`).
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// A request to enter a namespace, with its auth payload, or the server's consent.
    Connect(Option<Object>),
    /// The end of a socket.
    Disconnect,
    /// An event: its name (a string or a number) and its arguments.
    Event(Option<Vec<Value>>),
    /// The answer to an event.
    Ack(Option<Vec<Value>>),
    /// The server's refusal: an object or a string.
    ConnectError(Option<Value>),
}

impl PartialEq for AckId {
    /// NaN equals itself, so that packets can be compared; no ack is looked up by it.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(a), Self::Exact(b)) => a == b,
            (Self::Inexact(a), Self::Inexact(b)) => a == b || (a.is_nan() && b.is_nan()),
            (Self::Exact(_), Self::Inexact(_)) | (Self::Inexact(_), Self::Exact(_)) => false,
        }
    }
}

impl From<f64> for AckId {
    fn from(float: f64) -> Self {
        match Number::from_f64(float) {
            Number::Int(int) => u64::try_from(int).map_or(Self::Inexact(float), Self::Exact),
            Number::Float(float) => Self::Inexact(float),
        }
    }
}

impl fmt::Display for AckId {
    /// As JavaScript prints the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Exact(id) => write!(f, "{id}"),
            Self::Inexact(id) => write!(f, "{}", Number::Float(id)),
        }
    }
}

impl AckId {
    /// The id, when it is one that an ack can be looked up by.
    #[must_use]
    pub const fn exact(self) -> Option<u64> {
        match self {
            Self::Exact(id) if id <= MAX_SAFE_INTEGER => Some(id),
            Self::Exact(_) | Self::Inexact(_) => None,
        }
    }
}

impl Packet {
    /// A request to enter a namespace, or the server's consent.
    pub fn connect(nsp: impl Into<SmolStr>, payload: Option<Object>) -> Self {
        Self { nsp: nsp.into(), id: None, body: Body::Connect(payload) }
    }

    /// The server's refusal.
    pub fn connect_error(nsp: impl Into<SmolStr>, error: impl Into<Value>) -> Self {
        Self { nsp: nsp.into(), id: None, body: Body::ConnectError(Some(error.into())) }
    }

    /// The end of a socket.
    pub fn disconnect(nsp: impl Into<SmolStr>) -> Self {
        Self { nsp: nsp.into(), id: None, body: Body::Disconnect }
    }

    /// An event: name and arguments, and the id of the ack that is asked for.
    pub fn event(nsp: impl Into<SmolStr>, id: Option<u64>, args: Vec<Value>) -> Self {
        Self { nsp: nsp.into(), id: id.map(AckId::Exact), body: Body::Event(Some(args)) }
    }

    /// The answer to an event.
    pub fn ack(nsp: impl Into<SmolStr>, id: AckId, args: Vec<Value>) -> Self {
        Self { nsp: nsp.into(), id: Some(id), body: Body::Ack(Some(args)) }
    }
}
