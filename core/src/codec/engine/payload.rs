//! Polling payloads: packets joined by U+001E (`EIO-PKT-04`).

use core::iter::FusedIterator;

use alloc::string::String;

use bytestring::ByteString;

use super::{Data, Packet, ParserError, base64};
use crate::wire::Frame;

/// What stands between two packets; nothing escapes it (`EIO-PKT-04`).
pub const SEPARATOR: char = '\u{1e}';

/// Decodes the body of a request, packet by packet.
///
/// Nothing is decoded before it is asked for. Texts share the memory of `body`.
#[must_use]
pub fn decode(body: &ByteString) -> Packets<'_> {
    Packets { body, rest: Some(body) }
}

/// The packets of a payload, up to and including the first invalid one (`EIO-PKT-05`).
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    body: &'a ByteString,
    rest: Option<&'a str>,
}

impl Iterator for Packets<'_> {
    type Item = Result<Packet, ParserError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest?;
        let (first, rest) = match rest.split_once(SEPARATOR) {
            Some((first, rest)) => (first, Some(rest)),
            None => (rest, None),
        };
        let packet = Packet::decode_text(&self.body.slice_ref(first));
        self.rest = if packet.is_ok() { rest } else { None };
        Some(packet)
    }
}

impl FusedIterator for Packets<'_> {}

/// Encodes packets to one payload, binary as base64 (`EIO-PKT-03`, `EIO-PKT-04`).
#[must_use]
pub fn encode<'a>(packets: impl IntoIterator<Item = &'a Packet>) -> ByteString {
    let mut out = String::new();
    for (index, packet) in packets.into_iter().enumerate() {
        separate(index, &mut out);
        match &packet.data {
            Data::None => out.push_str(packet.kind.digit()),
            Data::Text(text) => {
                out.push_str(packet.kind.digit());
                out.push_str(text);
            }
            Data::Binary(data) => base64::push_text(data, &mut out),
        }
    }
    out.into()
}

/// Joins encoded packets to one payload, binary as base64 (`EIO-PKT-03`, `EIO-PKT-04`).
#[must_use]
pub fn encode_frames(frames: &[Frame]) -> ByteString {
    if let [Frame::Text(text)] = frames {
        return text.clone();
    }
    let len: usize = frames.iter().map(|frame| frame_len(frame) + 1).sum();
    let mut out = String::with_capacity(len);
    for (index, frame) in frames.iter().enumerate() {
        separate(index, &mut out);
        match frame {
            Frame::Text(text) => out.push_str(text),
            Frame::Binary(data) => base64::push_text(data, &mut out),
        }
    }
    out.into()
}

fn separate(index: usize, out: &mut String) {
    if index > 0 {
        out.push(SEPARATOR);
    }
}

/// Bytes that a frame takes in a payload, without separator.
#[must_use]
pub fn frame_len(frame: &Frame) -> usize {
    match frame {
        Frame::Text(text) => text.len(),
        Frame::Binary(data) => base64::text_len(data.len()),
    }
}

/// How many of these frames a client may put in one request, so that its body has no more than
/// `max_payload` bytes; at least one, because a frame is never split (`EIO-POLL-12`).
///
/// The reference guesses the size of base64 slightly too low; here it is exact.
#[must_use]
pub fn batch_len(frames: &[Frame], max_payload: u64) -> usize {
    let mut total: u64 = 0;
    for (index, frame) in frames.iter().enumerate() {
        let separator = u64::from(index > 0);
        total = total.saturating_add(separator).saturating_add(frame_len(frame) as u64);
        if index > 0 && total > max_payload {
            return index;
        }
    }
    frames.len()
}
