//! Engine.IO v4 packets: one character and data (`EIO-PKT-01`, `EIO-PKT-02`).

mod base64;
mod handshake;
pub mod payload;

use core::fmt;

use alloc::string::String;

use bytes::Bytes;
use bytestring::ByteString;

pub use self::handshake::{Handshake, HandshakeError};
use crate::wire::Frame;

/// The seven packet types, by their digit on the wire (`EIO-PKT-01`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PacketType {
    /// `0`: the server's handshake.
    Open,
    /// `1`: the end of a polling session.
    Close,
    /// `2`: the server's heartbeat, or the client's probe.
    Ping,
    /// `3`: the answer to either.
    Pong,
    /// `4`: data.
    Message,
    /// `5`: the client switches to the probed transport.
    Upgrade,
    /// `6`: nothing; frees a pending poll.
    Noop,
}

/// What a packet carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// Nothing: a packet of one character has no data, not empty data (`EIO-PKT-02`).
    None,
    /// Text, never empty.
    Text(ByteString),
    /// Bytes, only in messages (`EIO-PKT-03`).
    Binary(Bytes),
}

/// One Engine.IO packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Its type.
    pub kind: PacketType,
    /// Its data.
    pub data: Data,
}

/// How bytes are written (`EIO-PKT-03`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryForm {
    /// As a binary frame without a type, on WebSocket.
    Raw,
    /// As `b` and padded base64: in polling payloads, and on WebSocket when the client asked for it
    /// (`b64=1`).
    Base64,
}

/// A text that is no packet; it closes the session (`EIO-PKT-07`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParserError;

impl fmt::Display for ParserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("parser error")
    }
}

impl core::error::Error for ParserError {}

impl PacketType {
    /// All types, by their digit.
    pub const ALL: [Self; 7] =
        [Self::Open, Self::Close, Self::Ping, Self::Pong, Self::Message, Self::Upgrade, Self::Noop];

    /// The packet of this type without data, as written.
    #[must_use]
    pub const fn digit(self) -> &'static str {
        match self {
            Self::Open => "0",
            Self::Close => "1",
            Self::Ping => "2",
            Self::Pong => "3",
            Self::Message => "4",
            Self::Upgrade => "5",
            Self::Noop => "6",
        }
    }

    fn from_digit(digit: u8) -> Option<Self> {
        Self::ALL.get(usize::from(digit.checked_sub(b'0')?)).copied()
    }
}

impl Data {
    /// Text as data; empty text is no data (`EIO-PKT-02`).
    pub fn text(text: impl Into<ByteString>) -> Self {
        let text = text.into();
        if text.is_empty() { Self::None } else { Self::Text(text) }
    }
}

impl Packet {
    const fn bare(kind: PacketType) -> Self {
        Self { kind, data: Data::None }
    }

    fn with_text(kind: PacketType, text: impl Into<ByteString>) -> Self {
        Self { kind, data: Data::text(text) }
    }

    /// The server's handshake, as JSON ([`Handshake::to_json`]).
    pub fn open(handshake: impl Into<ByteString>) -> Self {
        Self::with_text(PacketType::Open, handshake)
    }

    /// The end of a polling session.
    #[must_use]
    pub const fn close() -> Self {
        Self::bare(PacketType::Close)
    }

    /// A heartbeat.
    #[must_use]
    pub const fn ping() -> Self {
        Self::bare(PacketType::Ping)
    }

    /// The client's first packet on a transport to which it wants to upgrade.
    #[must_use]
    pub fn ping_probe() -> Self {
        Self::with_text(PacketType::Ping, ByteString::from_static("probe"))
    }

    /// The answer to a heartbeat.
    #[must_use]
    pub const fn pong() -> Self {
        Self::bare(PacketType::Pong)
    }

    /// The answer to a probe.
    #[must_use]
    pub fn pong_probe() -> Self {
        Self::with_text(PacketType::Pong, ByteString::from_static("probe"))
    }

    /// A text message.
    pub fn message(text: impl Into<ByteString>) -> Self {
        Self::with_text(PacketType::Message, text)
    }

    /// A binary message.
    pub fn binary(data: impl Into<Bytes>) -> Self {
        Self { kind: PacketType::Message, data: Data::Binary(data.into()) }
    }

    /// The client switches to the probed transport.
    #[must_use]
    pub const fn upgrade() -> Self {
        Self::bare(PacketType::Upgrade)
    }

    /// Nothing; frees a pending poll.
    #[must_use]
    pub const fn noop() -> Self {
        Self::bare(PacketType::Noop)
    }

    /// Decodes one text frame, or one packet of a payload. Text data shares the memory of `text`.
    ///
    /// A text that starts with `b` is a binary message in base64, on any transport; invalid base64
    /// is never an error (`EIO-PKT-03`).
    ///
    /// # Errors
    /// When the first character is neither `0` to `6` nor `b`, or there is none (`EIO-PKT-07`).
    pub fn decode_text(text: &ByteString) -> Result<Self, ParserError> {
        let first = *text.as_bytes().first().ok_or(ParserError)?;
        if first == b'b' {
            return Ok(Self::binary(base64::decode(&text[1..])));
        }
        let kind = PacketType::from_digit(first).ok_or(ParserError)?;
        Ok(Self::with_text(kind, text.slice_ref(&text[1..])))
    }

    /// Decodes one binary frame: always a message (`EIO-PKT-03`).
    #[must_use]
    pub const fn decode_binary(data: Bytes) -> Self {
        Self { kind: PacketType::Message, data: Data::Binary(data) }
    }

    /// Decodes a WebSocket frame.
    ///
    /// # Errors
    /// As [`Packet::decode_text`].
    pub fn decode(frame: &Frame) -> Result<Self, ParserError> {
        match frame {
            Frame::Text(text) => Self::decode_text(text),
            Frame::Binary(data) => Ok(Self::decode_binary(data.clone())),
        }
    }

    /// Encodes the packet for one frame. Binary data is a message, whatever `kind` says
    /// (`EIO-PKT-03`).
    #[must_use]
    pub fn encode(&self, binary: BinaryForm) -> Frame {
        match (&self.data, binary) {
            (Data::None, _) => Frame::Text(ByteString::from_static(self.kind.digit())),
            (Data::Text(text), _) => {
                let mut out = String::with_capacity(1 + text.len());
                out.push_str(self.kind.digit());
                out.push_str(text);
                Frame::Text(out.into())
            }
            (Data::Binary(data), BinaryForm::Raw) => Frame::Binary(data.clone()),
            (Data::Binary(data), BinaryForm::Base64) => Frame::Text(binary_text(data)),
        }
    }
}

/// Bytes as a text frame: `b` and padded base64 (`EIO-PKT-03`).
#[must_use]
pub fn binary_text(data: &[u8]) -> ByteString {
    let mut out = String::with_capacity(base64::text_len(data.len()));
    base64::push_text(data, &mut out);
    out.into()
}
