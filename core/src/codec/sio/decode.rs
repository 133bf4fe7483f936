//! Text and binary messages to Socket.IO packets (`SIO-ENC-03`, `SIO-ENC-06` to `SIO-ENC-14`).

use core::fmt;

use alloc::vec::Vec;

use bytes::Bytes;
use smol_str::SmolStr;

use super::{AckId, Body, Packet, binary, json, number};
use crate::limits::{MAX_ACK_ID_CHARS, MAX_ATTACHMENTS, MAX_NAMESPACE_BYTES, MAX_SAFE_INTEGER};
use crate::value::Value;

/// Event names that a peer may not send (`SIO-ENC-12`).
pub const RESERVED_EVENTS: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// Which spellings of a header are taken (`SIO-ENC-13`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coercions {
    /// Those that the reference takes because JavaScript coerces text to numbers.
    #[default]
    Javascript,
    /// Only those that an encoder writes.
    Strict,
}

/// The options of a [`Decoder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecoderConfig {
    /// Attachments that one packet may announce (`SIO-ENC-08`).
    pub max_attachments: usize,
    /// Which spellings of a header are taken.
    pub coercions: Coercions,
    /// Bytes of a namespace name.
    pub max_namespace_bytes: usize,
    /// Characters of an ack id.
    pub max_ack_id_chars: usize,
}

impl Default for DecoderConfig {
    fn default() -> Self {
        Self {
            max_attachments: MAX_ATTACHMENTS,
            coercions: Coercions::Javascript,
            max_namespace_bytes: MAX_NAMESPACE_BYTES,
            max_ack_id_chars: MAX_ACK_ID_CHARS,
        }
    }
}

/// Why a message is no packet. Displayed as the reference words it (`SIO-ERR-02`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// An Engine.IO message without data (`SIO-ERR-03`). [`Decoder::push_text`] never returns it
    /// for JavaScript's coercions, which take an empty text for a CONNECT: the caller knows that
    /// there was no text.
    EmptyMessage,
    /// The first character is not one of the seven types: the digit that it is, or nothing.
    UnknownPacketType(Option<u8>),
    /// A binary packet whose number of attachments is missing, zero or no whole number.
    IllegalAttachments,
    /// More attachments than allowed (`SIO-ENC-08`).
    TooManyAttachments,
    /// A placeholder that names no attachment (`SIO-ENC-09`).
    IllegalPlaceholder,
    /// A payload that is no JSON, or not what its type allows (`SIO-ENC-10`, `SIO-ENC-12`).
    InvalidPayload,
    /// A namespace over the bound of [`DecoderConfig`]. The reference has no such bound.
    NamespaceTooLong,
    /// An ack id over the bound of [`DecoderConfig`], or, in strict mode, too large to be exact.
    /// The reference has no such bound.
    AckIdTooLong,
    /// Text while attachments are owed (`SIO-ENC-07`).
    UnexpectedText,
    /// Bytes while no attachment is owed (`SIO-ENC-07`).
    UnexpectedBinary,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyMessage => {
                f.write_str("Cannot read properties of undefined (reading 'base64')")
            }
            Self::UnknownPacketType(Some(digit)) => write!(f, "unknown packet type {digit}"),
            Self::UnknownPacketType(None) => f.write_str("unknown packet type NaN"),
            Self::IllegalAttachments => f.write_str("Illegal attachments"),
            Self::TooManyAttachments => f.write_str("too many attachments"),
            Self::IllegalPlaceholder => f.write_str("illegal attachments"),
            Self::InvalidPayload | Self::NamespaceTooLong | Self::AckIdTooLong => {
                f.write_str("invalid payload")
            }
            Self::UnexpectedText => f.write_str("got plaintext data when reconstructing a packet"),
            Self::UnexpectedBinary => {
                f.write_str("got binary data when not reconstructing a packet")
            }
        }
    }
}

impl core::error::Error for DecodeError {}

/// Turns the messages of one connection into packets. All its namespaces share one decoder
/// (`SIO-ENC-07`).
///
/// A decoder that has failed is finished, because its connection is (`SIO-ERR-01`): it drops what
/// it held, and returns the same error to all later messages, until [`Decoder::reset`].
#[derive(Clone, Debug)]
pub struct Decoder {
    config: DecoderConfig,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Ready,
    /// A header has arrived, `missing` attachments have not (`SIO-ENC-06`).
    Waiting {
        packet: Packet,
        attachments: Vec<Bytes>,
        missing: usize,
    },
    Failed(DecodeError),
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(DecoderConfig::default())
    }
}

impl Decoder {
    /// A decoder at the beginning of a connection.
    #[must_use]
    pub const fn new(config: DecoderConfig) -> Self {
        Self { config, state: State::Ready }
    }

    /// Whether attachments are owed.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting { .. })
    }

    /// Bytes of attachments that are held for a packet that is not complete.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        match &self.state {
            State::Waiting { attachments, .. } => attachments.iter().map(Bytes::len).sum(),
            State::Ready | State::Failed(_) => 0,
        }
    }

    /// Forgets an incomplete packet and an error.
    pub fn reset(&mut self) {
        self.state = State::Ready;
    }

    /// Takes the data of a text message (without the Engine.IO type). Returns the packet, unless
    /// its attachments have yet to arrive.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn push_text(&mut self, text: &str) -> Result<Option<Packet>, DecodeError> {
        match self.state {
            State::Ready => {}
            State::Waiting { .. } => return Err(self.fail(DecodeError::UnexpectedText)),
            State::Failed(error) => return Err(error),
        }
        let (packet, missing) = decode(text, &self.config).map_err(|error| self.fail(error))?;
        if missing == 0 {
            return Ok(Some(packet));
        }
        // No capacity is reserved: the announced number is only a claim.
        self.state = State::Waiting { packet, attachments: Vec::new(), missing };
        Ok(None)
    }

    /// Takes the data of a binary message. Returns the packet that it completes.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn push_binary(&mut self, data: Bytes) -> Result<Option<Packet>, DecodeError> {
        match &mut self.state {
            State::Ready => return Err(self.fail(DecodeError::UnexpectedBinary)),
            State::Failed(error) => return Err(*error),
            State::Waiting { attachments, missing, .. } => {
                attachments.push(data);
                *missing -= 1;
                if *missing > 0 {
                    return Ok(None);
                }
            }
        }
        let State::Waiting { mut packet, attachments, .. } =
            core::mem::replace(&mut self.state, State::Ready)
        else {
            return Ok(None);
        };
        if let Body::Event(Some(args)) | Body::Ack(Some(args)) = &mut packet.body {
            for arg in args {
                binary::substitute(arg, &attachments).map_err(|error| self.fail(error))?;
            }
        }
        Ok(Some(packet))
    }

    fn fail(&mut self, error: DecodeError) -> DecodeError {
        self.state = State::Failed(error);
        error
    }
}

/// The seven types on the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WireType {
    Connect,
    Disconnect,
    Event,
    Ack,
    ConnectError,
    BinaryEvent,
    BinaryAck,
}

/// Decodes a header, and says how many attachments follow.
fn decode(text: &str, config: &DecoderConfig) -> Result<(Packet, usize), DecodeError> {
    let mut rest = text;
    let kind = take_type(&mut rest, config.coercions)?;
    let missing = match kind {
        WireType::BinaryEvent | WireType::BinaryAck => take_attachments(&mut rest, config)?,
        WireType::Connect
        | WireType::Disconnect
        | WireType::Event
        | WireType::Ack
        | WireType::ConnectError => 0,
    };
    let nsp = take_namespace(&mut rest, config)?;
    let id = take_id(&mut rest, config)?;
    let payload = if rest.is_empty() {
        None
    } else {
        Some(json::parse(rest).ok_or(DecodeError::InvalidPayload)?)
    };
    Ok((Packet { nsp, id, body: body(kind, payload)? }, missing))
}

fn take_type(rest: &mut &str, coercions: Coercions) -> Result<WireType, DecodeError> {
    let mut chars = rest.chars();
    let first = chars.next();
    let digit = match (first, coercions) {
        (None, Coercions::Strict) => return Err(DecodeError::EmptyMessage),
        (None, Coercions::Javascript) => 0,
        (Some(c), Coercions::Javascript) if number::is_white_space(c) => 0,
        (Some(c), _) => {
            let digit = c.to_digit(10).and_then(|digit| u8::try_from(digit).ok());
            digit.ok_or(DecodeError::UnknownPacketType(None))?
        }
    };
    *rest = chars.as_str();
    Ok(match digit {
        0 => WireType::Connect,
        1 => WireType::Disconnect,
        2 => WireType::Event,
        3 => WireType::Ack,
        4 => WireType::ConnectError,
        5 => WireType::BinaryEvent,
        6 => WireType::BinaryAck,
        unknown => return Err(DecodeError::UnknownPacketType(Some(unknown))),
    })
}

fn take_attachments(rest: &mut &str, config: &DecoderConfig) -> Result<usize, DecodeError> {
    let (count, after) = rest.split_once('-').ok_or(DecodeError::IllegalAttachments)?;
    *rest = after;
    if config.coercions == Coercions::Strict {
        let is_plain = !count.starts_with('0') && count.bytes().all(|byte| byte.is_ascii_digit());
        if !is_plain {
            return Err(DecodeError::IllegalAttachments);
        }
    }
    let count = number::from_js(count);
    // Also false for NaN. A number of 2^53 and more is whole.
    let is_positive_integer = count >= 1.0 && count.is_finite() && count % 1.0 == 0.0;
    if !is_positive_integer {
        return Err(DecodeError::IllegalAttachments);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive and whole; the cast saturates"
    )]
    let count = count as usize;
    if count > config.max_attachments {
        return Err(DecodeError::TooManyAttachments);
    }
    Ok(count)
}

fn take_namespace(rest: &mut &str, config: &DecoderConfig) -> Result<SmolStr, DecodeError> {
    if !rest.starts_with('/') {
        return Ok(SmolStr::new_static("/"));
    }
    let (nsp, after) = rest.split_once(',').unwrap_or((rest, ""));
    if nsp.len() > config.max_namespace_bytes {
        return Err(DecodeError::NamespaceTooLong);
    }
    *rest = after;
    Ok(SmolStr::new(nsp))
}

fn take_id(rest: &mut &str, config: &DecoderConfig) -> Result<Option<AckId>, DecodeError> {
    let strict = config.coercions == Coercions::Strict;
    let belongs = |c: char| c.is_ascii_digit() || (!strict && number::is_white_space(c));
    let len = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
    let (id, after) = rest.split_at(len);
    if strict && after.starts_with(number::is_white_space) {
        return Err(DecodeError::InvalidPayload);
    }
    if id.is_empty() {
        return Ok(None);
    }
    if id.chars().nth(config.max_ack_id_chars).is_some() {
        return Err(DecodeError::AckIdTooLong);
    }
    *rest = after;
    match id.parse() {
        Ok(exact) if exact <= MAX_SAFE_INTEGER => Ok(Some(AckId::Exact(exact))),
        _ if strict => Err(DecodeError::AckIdTooLong),
        _ => Ok(Some(AckId::from(number::from_js(id)))),
    }
}

/// What the type allows as payload (`SIO-ENC-10`). No payload at all is always allowed
/// (`SIO-ENC-11`).
fn body(kind: WireType, payload: Option<Value>) -> Result<Body, DecodeError> {
    match (kind, payload) {
        (WireType::Connect, None) => Ok(Body::Connect(None)),
        (WireType::Connect, Some(Value::Object(auth))) => Ok(Body::Connect(Some(auth))),
        (WireType::Disconnect, None) => Ok(Body::Disconnect),
        (WireType::Event | WireType::BinaryEvent, None) => Ok(Body::Event(None)),
        (WireType::Event | WireType::BinaryEvent, Some(Value::Array(args)))
            if is_event_name(args.first()) =>
        {
            Ok(Body::Event(Some(args)))
        }
        (WireType::Ack | WireType::BinaryAck, None) => Ok(Body::Ack(None)),
        (WireType::Ack | WireType::BinaryAck, Some(Value::Array(args))) => {
            Ok(Body::Ack(Some(args)))
        }
        (WireType::ConnectError, None) => Ok(Body::ConnectError(None)),
        (WireType::ConnectError, Some(error @ (Value::String(_) | Value::Object(_)))) => {
            Ok(Body::ConnectError(Some(error)))
        }
        _ => Err(DecodeError::InvalidPayload),
    }
}

fn is_event_name(name: Option<&Value>) -> bool {
    match name {
        Some(Value::Number(_)) => true,
        Some(Value::String(name)) => !RESERVED_EVENTS.contains(&name.as_str()),
        _ => false,
    }
}
