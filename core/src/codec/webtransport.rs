//! WebTransport framing: packets in a byte stream, each behind its length (`EIO-PKT-08`).

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;

use super::engine::{BinaryForm, Packet, ParserError};
use crate::limits::MAX_SAFE_INTEGER;
use crate::wire::Frame;

/// The bit of the header's first byte that says that the payload is binary.
const BINARY: u8 = 0x80;
/// The length that means: the length follows in two bytes.
const LENGTH_16: u8 = 126;
/// The length that means: the length follows in eight bytes.
const LENGTH_64: u8 = 127;

/// Encodes one packet, header and payload.
///
/// An empty binary message cannot be sent: receivers refuse the length 0 (`EIO-PKT-08`).
#[must_use]
pub fn encode(packet: &Packet) -> Bytes {
    let frame = packet.encode(BinaryForm::Raw);
    let (flag, payload) = match &frame {
        Frame::Text(text) => (0, text.as_bytes().as_ref()),
        Frame::Binary(data) => (BINARY, data.as_ref()),
    };
    let mut out = Vec::with_capacity(9 + payload.len());
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(len), _) if len < LENGTH_16 => out.push(flag | len),
        (_, Ok(len)) => {
            out.push(flag | LENGTH_16);
            out.extend_from_slice(&len.to_be_bytes());
        }
        _ => {
            out.push(flag | LENGTH_64);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
    out.into()
}

/// Decodes a byte stream that arrives in arbitrary pieces.
///
/// It holds at most `max_payload` bytes and a header, and never reserves what has not arrived.
#[derive(Clone, Debug)]
pub struct Decoder {
    max_payload: u64,
    buffer: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Header,
    Length { binary: bool, bytes: usize },
    Payload { binary: bool, bytes: usize },
    Failed,
}

impl Decoder {
    /// A decoder at the beginning of a stream, for packets of at most `max_payload` bytes.
    #[must_use]
    pub const fn new(max_payload: u64) -> Self {
        Self { max_payload, buffer: Vec::new(), state: State::Header }
    }

    /// Takes bytes from the front of `input` until one packet is complete or `input` is empty.
    ///
    /// Call it until it returns `Ok(None)`: then all of `input` was taken.
    ///
    /// # Errors
    /// When a length is 0, larger than `max_payload` or larger than 2^53 − 1, as soon as the header
    /// has arrived, or when the payload is no packet. The stream cannot be read any further: all
    /// later calls fail (`EIO-PKT-08`).
    pub fn push(&mut self, input: &mut &[u8]) -> Result<Option<Packet>, ParserError> {
        let result = self.advance(input);
        if result.is_err() {
            self.state = State::Failed;
            self.buffer = Vec::new();
        }
        result
    }

    fn advance(&mut self, input: &mut &[u8]) -> Result<Option<Packet>, ParserError> {
        loop {
            match self.state {
                State::Header => {
                    let Some((&first, rest)) = input.split_first() else { return Ok(None) };
                    *input = rest;
                    self.state = self.header(first)?;
                }
                State::Length { binary, bytes } => {
                    if !self.fill(bytes, input) {
                        return Ok(None);
                    }
                    let length =
                        self.buffer.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
                    self.buffer.clear();
                    self.state = self.payload(binary, length)?;
                }
                State::Payload { binary, bytes } => {
                    if !self.fill(bytes, input) {
                        return Ok(None);
                    }
                    self.state = State::Header;
                    let payload = core::mem::take(&mut self.buffer);
                    return if binary {
                        Ok(Some(Packet::decode_binary(payload.into())))
                    } else {
                        Packet::decode_text(&decode_utf8(payload)).map(Some)
                    };
                }
                State::Failed => return Err(ParserError),
            }
        }
    }

    fn header(&self, first: u8) -> Result<State, ParserError> {
        let binary = first & BINARY != 0;
        let length = first & !BINARY;
        // The reference takes the marks of a longer length for lengths first, and so do we.
        let state = self.payload(binary, length.into())?;
        Ok(match length {
            LENGTH_16 => State::Length { binary, bytes: 2 },
            LENGTH_64 => State::Length { binary, bytes: 8 },
            _ => state,
        })
    }

    fn payload(&self, binary: bool, length: u64) -> Result<State, ParserError> {
        if length == 0 || length > self.max_payload || length > MAX_SAFE_INTEGER {
            return Err(ParserError);
        }
        let bytes = usize::try_from(length).map_err(|_| ParserError)?;
        Ok(State::Payload { binary, bytes })
    }

    /// Whether the buffer has so many bytes, after taking what is missing from `input`.
    fn fill(&mut self, bytes: usize, input: &mut &[u8]) -> bool {
        let missing = bytes.saturating_sub(self.buffer.len()).min(input.len());
        let (taken, rest) = input.split_at(missing);
        self.buffer.extend_from_slice(taken);
        *input = rest;
        self.buffer.len() == bytes
    }
}

/// Decodes text as browsers do: a byte order mark is dropped, and what is not UTF-8 is replaced.
fn decode_utf8(bytes: Vec<u8>) -> ByteString {
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    let text = ByteString::from(text);
    match text.strip_prefix('\u{feff}') {
        Some(rest) => text.slice_ref(rest),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(mut stream: &[u8], max_payload: u64) -> Result<Option<Packet>, ParserError> {
        Decoder::new(max_payload).push(&mut stream)
    }

    /// `EIO-PKT-08`: whatever the limit is, JavaScript cannot count further.
    #[test]
    fn lengths_end_where_javascript_stops_counting() {
        let header = |length: u64| [&[LENGTH_64][..], &length.to_be_bytes()].concat();
        assert_eq!(decode(&header(MAX_SAFE_INTEGER), u64::MAX), Ok(None));
        assert_eq!(decode(&header(MAX_SAFE_INTEGER + 1), u64::MAX), Err(ParserError));
    }

    /// `EIO-PKT-08`: text is decoded as by a `TextDecoder`.
    #[test]
    fn text_loses_a_byte_order_mark_and_what_is_not_utf8() {
        assert_eq!(decode(b"\x06\xef\xbb\xbf4hi", 99), Ok(Some(Packet::message("hi"))));
        assert_eq!(decode(b"\x034h\xff", 99), Ok(Some(Packet::message("h\u{fffd}"))));
        assert_eq!(decode(b"\x03\xef\xbb\xbf", 99), Err(ParserError));
    }
}
