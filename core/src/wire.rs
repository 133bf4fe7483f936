//! What crosses the border between a machine and the host that does its I/O.

use bytes::Bytes;
use bytestring::ByteString;

/// One HTTP request, as the host counts them. Never reused within a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// One WebSocket, as the host counts them. Never reused within a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WsId(pub u64);

/// One WebSocket message: one Engine.IO packet (`EIO-WS-01`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A text message.
    Text(ByteString),
    /// A binary message.
    Binary(Bytes),
}

impl Frame {
    /// A text frame.
    pub fn text(text: impl Into<ByteString>) -> Self {
        Self::Text(text.into())
    }

    /// Payload bytes, without framing.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(data) => data.len(),
        }
    }

    /// Whether the payload has no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How a WebSocket ended, as the host saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WsEnd {
    /// The peer closed it or the TCP connection ended, cleanly or not (`EIO-WS-05`).
    Closed,
    /// The peer broke the WebSocket protocol; the text is for people (`EIO-WS-05`).
    ProtocolError(ByteString),
    /// A message was larger than the announced limit (`EIO-WS-03`).
    TooLarge,
}
