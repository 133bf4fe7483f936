//! Runs every vector of every `packets*.json` in `tests/vectors` through the codecs.
//!
//! A further file of this format that is dropped there runs without a change here. The expected
//! values of the vectors were asserted against the reference's own packages.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::wildcard_enum_match_arm, reason = "other shapes of vectors are refused alike")]

use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};
use std::fs;
use std::path::Path;

use bytes::Bytes;
use bytestring::ByteString;
use overheard_core::codec::engine::{self, BinaryForm, Data, PacketType, payload};
use overheard_core::codec::sio::{
    AckId, Body, Coercions, DecodeError, Decoder, DecoderConfig, Packet,
};
use overheard_core::codec::webtransport;
use overheard_core::value::{Number, Object, Value};
use overheard_core::wire::Frame;

/// Vectors from which core differs on purpose: id, rule, reason, and what core answers.
const OVERRIDES: &[(&str, &str, &str, DecodeError)] = &[(
    "SV-32",
    "SIO-ENC-15",
    "a string is UTF-8, which has no lone surrogate: the payload is refused",
    DecodeError::InvalidPayload,
)];

/// JavaScript values of the encode-only section that cannot exist here, and why.
const CANNOT_EXIST: &[(&str, &str)] = &[
    (
        r#"{type:2,nsp:"/",data:["e",undefined,()=>1,Symbol("s")]}"#,
        "`Value` has no undefined, function or symbol; its `Null` is what they become",
    ),
    (r#"{type:2,nsp:"/",data:["e",new Date(0)]}"#, "`Value` has no date"),
    (r#"{type:2,nsp:"/",data:["e",new Map([[1,2]]),new Set([1])]}"#, "`Value` has no map or set"),
    (r#"{type:2,nsp:"/",data:["e",{a:undefined,b:1}]}"#, "`Value` has no undefined"),
    (r#"{type:2,nsp:"/",data:["e",1n]}"#, "`Value` has no big integer"),
    ("a.b=a", "`Value` is a tree"),
    ("{toJSON(){return {f:Buffer}}}", "`Value` has no methods"),
    (
        r#"{type:4,nsp:"/",data:{message:undefined,data:undefined}}"#,
        "`Value` has no undefined; the caller leaves such members out",
    ),
    (r#"{type:3,nsp:"/",id:1,data:[undefined]}"#, "`Value` has no undefined"),
];

/// Lenient vectors that strict decoding refuses: those of SIO-ENC-13, and the empty text.
const STRICT_REFUSES: &[&str] = &[
    "SL-01", "SL-02", "SL-03", "SL-04", "SL-17", "SL-18", "SL-19", "SL-20", "SL-27", "SL-28",
    "SL-29", "SL-30", "SL-31", "SL-32",
];

/// SIO-ENC-01, SIO-ENC-02, SIO-ENC-05, SIO-ENC-06, SIO-ENC-12.
#[test]
fn valid_packets_decode() {
    each("socketio_packets_valid", |vector| {
        let expected = packet(vector.get("packet"));
        for coercions in [Coercions::Javascript, Coercions::Strict] {
            let decoded = decode(vector.array("frames"), coercions);
            match OVERRIDES.iter().find(|(id, ..)| *id == vector.name()) {
                Some((_, _, _, error)) => same("error", &decoded, &Err((0, *error)))?,
                None => same("packet", &decoded, &Ok(vec![expected.clone()]))?,
            }
        }
        Ok(())
    });
}

/// SIO-ENC-01, SIO-ENC-02, SIO-ENC-05: byte for byte.
#[test]
fn valid_packets_encode() {
    each("socketio_packets_valid", |vector| {
        if OVERRIDES.iter().any(|(id, ..)| *id == vector.name()) {
            return Ok(());
        }
        let encoded = packet(vector.get("packet")).encode();
        same("text", &&*encoded.text, &vector.str("engine_message"))?;
        let frames: Vec<Frame> = vector.array("frames").iter().map(frame).collect();
        same("Socket.IO text", &Frame::text(encoded.socketio_text()), &frames[0])?;
        same("frames", &encoded.frames().skip(1).collect::<Vec<_>>(), &frames[1..].to_vec())?;
        same("attachments", &Some(encoded.attachments.len() as i64), &vector.int("attachments"))
    });
}

/// SIO-ENC-02, SIO-ENC-05, SIO-ENC-15.
#[test]
fn encode_only_packets_encode() {
    let mut asserted = 0;
    each("socketio_encode_only", |vector| {
        let js = vector.str("js");
        if let Some((_, reason)) = CANNOT_EXIST.iter().find(|(text, _)| *text == js) {
            println!("{} cannot exist: {reason}", vector.name());
            return Ok(());
        }
        let Some(packet) = javascript(js) else {
            println!("SKIPPED {}: {js} is in neither table of this test", vector.name());
            return Ok(());
        };
        asserted += 1;
        let by_version = object(vector.get("frames"));
        let frames = by_version.iter().next().and_then(|(_, frames)| frames.as_array());
        let frames: Vec<Frame> = frames.unwrap().iter().map(frame).collect();
        let encoded = packet.encode();
        same("Socket.IO text", &Frame::text(encoded.socketio_text()), &frames[0])?;
        same("frames", &encoded.frames().skip(1).collect::<Vec<_>>(), &frames[1..].to_vec())
    });
    assert!(asserted >= 4, "SIO-ENC-15: only {asserted} values were encoded");
}

/// What Rust can say of the encode-only section.
fn javascript(js: &str) -> Option<Packet> {
    let event = |args: Vec<Value>| Some(Packet::event("/", None, args));
    let float = |float| Value::Number(Number::Float(float));
    match js {
        r#"{type:2,nsp:"/",data:["e",NaN,Infinity,-Infinity]}"# => {
            event(vec!["e".into(), float(f64::NAN), float(f64::INFINITY), float(f64::NEG_INFINITY)])
        }
        r#"{type:2,nsp:"/",data:["e",-0]}"# => event(vec!["e".into(), float(-0.0)]),
        r#"{type:2,nsp:"/",data:["e",Uint8Array.of(1,2)]}"# => {
            event(vec!["e".into(), Bytes::from_static(&[1, 2]).into()])
        }
        r#"{type:2,nsp:"",data:["e"]}"# => Some(Packet::event("", None, vec!["e".into()])),
        _ => None,
    }
}

/// SIO-ENC-03, SIO-ENC-04, SIO-ENC-09, SIO-ENC-11, SIO-ENC-13, EDGE-14.
#[test]
fn lenient_packets_decode_as_in_javascript() {
    let mut refused = BTreeSet::new();
    each("socketio_packets_lenient", |vector| {
        let expected = Ok(vec![packet(vector.get("packet"))]);
        same("packet", &decode(vector.array("frames"), Coercions::Javascript), &expected)?;
        match decode(vector.array("frames"), Coercions::Strict) {
            Ok(strict) => same("packet in strict mode", &Ok(strict), &expected),
            Err(_) => {
                refused.insert(vector.name());
                let written = packet(vector.get("packet")).encode();
                let frame = vector.array("frames")[0].as_str();
                let canonical = frame == Some(written.socketio_text());
                if canonical { Err("strict mode refuses what is written".into()) } else { Ok(()) }
            }
        }
    });
    for id in STRICT_REFUSES {
        assert!(refused.remove(*id), "SIO-ENC-13: strict mode takes {id}");
    }
}

/// SIO-ENC-06, SIO-ENC-07.
#[test]
fn incomplete_packets_wait_for_their_attachments() {
    each("socketio_packets_incomplete", |vector| {
        for coercions in [Coercions::Javascript, Coercions::Strict] {
            let mut decoder = decoder(coercions);
            let frames = vector.array("frames");
            same("packets", &push_all(&mut decoder, frames), &Ok(Vec::new()))?;
            same("waiting", &decoder.is_waiting(), &true)?;
            same("text", &decoder.push_text("2[\"a\"]"), &Err(DecodeError::UnexpectedText))?;
        }
        Ok(())
    });
}

/// SIO-ENC-07, SIO-ENC-08, SIO-ENC-09, SIO-ENC-10, SIO-ENC-12, SIO-ENC-14, SIO-ERR-02: the error's
/// text and the frame at which it comes.
#[test]
fn invalid_packets_fail_with_the_words_of_the_reference() {
    each("socketio_packets_invalid", |vector| {
        let frames = vector.array("frames");
        match decode(frames, Coercions::Javascript) {
            Ok(packets) => return Err(format!("decoded to {packets:?}")),
            Err((index, error)) => {
                same("error", &error.to_string().as_str(), &vector.str("error"))?;
                same("frame", &Some(index), &vector.int("fails_at_frame"))?;
            }
        }
        match decode(frames, Coercions::Strict) {
            Ok(packets) => Err(format!("strict mode decoded to {packets:?}")),
            Err(_) => Ok(()),
        }
    });
}

/// EIO-PKT-01, EIO-PKT-02.
#[test]
fn engine_text_packets_both_ways() {
    each("engineio_packets_text", |vector| {
        let (packet, encoded) = (engine_packet(vector.get("packet")), text(vector.get("encoded")));
        same("decoded", &engine::Packet::decode_text(&encoded), &Ok(packet.clone()))?;
        for form in [BinaryForm::Raw, BinaryForm::Base64] {
            same("encoded", &packet.encode(form), &Frame::Text(encoded.clone()))?;
        }
        Ok(())
    });
}

/// EIO-PKT-03.
#[test]
fn engine_binary_packets_both_ways() {
    each("engineio_packets_binary", |vector| {
        let packet = engine::Packet::binary(bytes(vector.get("data")));
        let raw = Frame::Binary(bytes(vector.get("websocket_binary_frame")));
        let base64 = Frame::Text(text(vector.get("polling_or_b64_text")));
        same("raw", &packet.encode(BinaryForm::Raw), &raw)?;
        same("base64", &packet.encode(BinaryForm::Base64), &base64)?;
        same("decoded raw", &engine::Packet::decode(&raw), &Ok(packet.clone()))?;
        same("decoded base64", &engine::Packet::decode(&base64), &Ok(packet))
    });
}

/// EIO-PKT-02, EIO-PKT-03.
#[test]
fn engine_lenient_packets_decode() {
    each("engineio_packets_lenient", |vector| {
        let decoded = engine::Packet::decode_text(&text(vector.get("encoded")));
        same("decoded", &decoded, &Ok(engine_packet(vector.get("packet"))))
    });
}

/// EIO-PKT-07.
#[test]
fn engine_invalid_packets_are_parser_errors() {
    each("engineio_packets_invalid", |vector| {
        let decoded = engine::Packet::decode_text(&text(vector.get("encoded")));
        same("decoded", &decoded, &engine_result(vector.get("decoded")))
    });
}

/// EIO-PKT-03, EIO-PKT-04.
#[test]
fn payloads_both_ways() {
    each("engineio_payloads", |vector| {
        let packets: Vec<_> = vector.array("packets").iter().map(engine_packet).collect();
        let body = text(vector.get("payload"));
        let decoded: Result<Vec<_>, _> = payload::decode(&body).collect();
        same("decoded", &decoded, &Ok(packets.clone()))?;
        same("encoded", &payload::encode(&packets), &body)?;
        let frames: Vec<_> = packets.iter().map(|packet| packet.encode(BinaryForm::Raw)).collect();
        same("joined", &payload::encode_frames(&frames), &body)
    });
}

/// EIO-PKT-05.
#[test]
fn payloads_stop_at_the_first_invalid_packet() {
    each("engineio_payloads_invalid", |vector| {
        let expected: Vec<_> = vector.array("packets").iter().map(engine_result).collect();
        let body = text(vector.get("payload"));
        same("decoded", &payload::decode(&body).collect::<Vec<_>>(), &expected)
    });
}

/// EIO-PKT-08.
#[test]
fn webtransport_encodes() {
    each("engineio_webtransport.encode", |vector| {
        let encoded = webtransport::encode(&engine_packet(vector.get("packet")));
        let (header, payload) =
            (bytes_of_hex(vector.str("header_hex")), vector.int("payload_length"));
        let (start, rest) = encoded.split_at(header.len().min(encoded.len()));
        same("header", &start, &&header[..])?;
        same("length", &Some(rest.len() as i64), &payload)?;
        match vector.0.get("payload_hex").and_then(Value::as_str) {
            Some(hex) => same("payload", &rest, &&bytes_of_hex(hex)[..]),
            None => Ok(()),
        }
    });
}

/// EIO-PKT-08, in one piece and byte by byte.
#[test]
fn webtransport_decodes() {
    each("engineio_webtransport.decode", |vector| {
        let expected = vec![Ok(engine_packet(vector.get("packet")))];
        let input = bytes_of_hex(vector.str("bytes_hex"));
        for piece in [1, input.len()] {
            same("decoded", &webtransport_decode(&input, piece, 1_000_000), &expected)?;
        }
        Ok(())
    });
}

/// EIO-PKT-08.
#[test]
fn webtransport_refuses_bad_lengths_as_soon_as_the_header_is_read() {
    each("engineio_webtransport.invalid", |vector| {
        let max_payload = vector.int("maxPayload").and_then(|max| u64::try_from(max).ok());
        let input = bytes_of_hex(vector.str("bytes_hex"));
        for piece in [1, input.len()] {
            let decoded = webtransport_decode(&input, piece, max_payload.unwrap());
            same("decoded", &decoded, &vec![engine_result(vector.get("decoded"))])?;
        }
        Ok(())
    });
}

/// SIO-ERR-03.
#[test]
fn an_empty_message_has_the_words_of_the_reference() {
    let expected = "Cannot read properties of undefined (reading 'base64')";
    assert_eq!(DecodeError::EmptyMessage.to_string(), expected);
}

fn webtransport_decode(
    input: &[u8],
    piece: usize,
    max_payload: u64,
) -> Vec<Result<engine::Packet, engine::ParserError>> {
    let mut decoder = webtransport::Decoder::new(max_payload);
    let mut packets = Vec::new();
    for mut chunk in input.chunks(piece) {
        loop {
            match decoder.push(&mut chunk) {
                Ok(Some(packet)) => packets.push(Ok(packet)),
                Ok(None) => break,
                Err(error) => {
                    packets.push(Err(error));
                    return packets;
                }
            }
        }
    }
    packets
}

fn decoder(coercions: Coercions) -> Decoder {
    Decoder::new(DecoderConfig { coercions, ..DecoderConfig::default() })
}

fn decode(frames: &[Value], coercions: Coercions) -> Result<Vec<Packet>, (i64, DecodeError)> {
    push_all(&mut decoder(coercions), frames)
}

fn push_all(decoder: &mut Decoder, frames: &[Value]) -> Result<Vec<Packet>, (i64, DecodeError)> {
    let mut packets = Vec::new();
    for (index, value) in (0..).zip(frames) {
        let pushed = match frame(value) {
            Frame::Text(text) => decoder.push_text(&text),
            Frame::Binary(data) => decoder.push_binary(data),
        };
        packets.extend(pushed.map_err(|error| (index, error))?);
    }
    Ok(packets)
}

/// One entry of a section.
struct Vector<'a>(&'a Object);

impl<'a> Vector<'a> {
    fn get(&self, key: &str) -> &'a Value {
        self.0.get(key).unwrap_or_else(|| panic!("{}: no `{key}`", self.name()))
    }

    fn str(&self, key: &str) -> &'a str {
        self.get(key).as_str().unwrap_or_else(|| panic!("{}: `{key}` is no text", self.name()))
    }

    fn array(&self, key: &str) -> &'a [Value] {
        self.get(key).as_array().unwrap_or_else(|| panic!("{}: `{key}` is no array", self.name()))
    }

    fn int(&self, key: &str) -> Option<i64> {
        self.get(key).as_int()
    }

    fn name(&self) -> String {
        let text = |key| self.0.get(key).and_then(Value::as_str);
        text("id").or_else(|| text("note")).unwrap_or("?").to_owned()
    }
}

/// Checks each vector of a section of each file, and fails with the list of all that failed.
fn each(section: &str, mut check: impl FnMut(&Vector<'_>) -> Result<(), String>) {
    let (mut failures, mut count) = (String::new(), 0);
    for (file, document) in files() {
        let found =
            section.split('.').try_fold(&document, |value, key| value.as_object()?.get(key));
        for value in found.and_then(Value::as_array).unwrap_or_default() {
            let vector = Vector(object(value));
            count += 1;
            if let Err(failure) = check(&vector) {
                let note = vector.0.get("note").and_then(Value::as_str).unwrap_or_default();
                writeln!(failures, "{file}: {} ({note}): {failure}", vector.name()).unwrap();
            }
        }
    }
    assert!(count > 0, "no vector in {section}");
    assert!(failures.is_empty(), "of {count} vectors in {section} failed:\n{failures}");
}

/// All `packets*.json`, sorted by name.
fn files() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap().to_owned();
        if name.starts_with("packets") && name.ends_with(".json") {
            let text = without_lone_surrogates(&fs::read_to_string(&path).unwrap());
            let value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
            files.push((name, value));
        }
    }
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    files
}

/// Replaces escapes of lone surrogates, which no Rust string can hold, by U+FFFD.
fn without_lone_surrogates(json: &str) -> String {
    let unit = |text: &str| {
        let hex = text.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(hex, 16).ok()
    };
    let (mut out, mut rest) = (String::new(), json);
    while let Some(at) = rest.find('\\') {
        let (plain, escape) = rest.split_at(at);
        out.push_str(plain);
        let (first, second) = (unit(escape), escape.get(6..).and_then(unit));
        let (kept, len) = match (first, second) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (&escape[..12], 12),
            (Some(0xd800..=0xdfff), _) => ("\\ufffd", 6),
            (Some(_), _) => (&escape[..6], 6),
            (None, _) => (&escape[..2], 2),
        };
        out.push_str(kept);
        rest = &escape[len..];
    }
    out + rest
}

fn same<T: Debug + PartialEq>(what: &str, actual: &T, expected: &T) -> Result<(), String> {
    if actual == expected {
        return Ok(());
    }
    Err(format!("{what}:\n    actual   {actual:?}\n    expected {expected:?}"))
}

fn object(value: &Value) -> &Object {
    value.as_object().unwrap_or_else(|| panic!("{value:?} is no object"))
}

fn text(value: &Value) -> ByteString {
    value.as_str().unwrap_or_else(|| panic!("{value:?} is no text")).into()
}

fn bytes_of_hex(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect()
}

fn bytes(value: &Value) -> Bytes {
    match plain(value) {
        Some(Value::Binary(data)) => data,
        other => panic!("{other:?} is not binary"),
    }
}

fn frame(value: &Value) -> Frame {
    match value.as_str() {
        Some(text) => Frame::text(text),
        None => Frame::Binary(bytes(value)),
    }
}

/// A value of a vector without its `$bin`, `$num` and `$undefined` forms; nothing for undefined.
fn plain(value: &Value) -> Option<Value> {
    let or_null = |value| plain(value).unwrap_or(Value::Null);
    Some(match value {
        Value::Array(items) => Value::Array(items.iter().map(or_null).collect()),
        Value::Object(object) => {
            if let Some(hex) = object.get("$bin").and_then(Value::as_str) {
                return Some(Value::Binary(bytes_of_hex(hex).into()));
            }
            if let Some(number) = object.get("$num").and_then(Value::as_str) {
                return Some(Value::Number(Number::Float(number.parse().unwrap())));
            }
            if object.get("$undefined").is_some() {
                return None;
            }
            Value::Object(object.iter().map(|(key, value)| (key, or_null(value))).collect())
        }
        other => other.clone(),
    })
}

/// A Socket.IO packet as the vectors write it.
fn packet(value: &Value) -> Packet {
    let packet = object(value);
    let data = packet.get("data").and_then(plain);
    let args = |data: Option<Value>| match data {
        None => None,
        Some(Value::Array(args)) => Some(args),
        Some(other) => panic!("{other:?} is no array"),
    };
    let body = match packet.get("type").and_then(Value::as_int) {
        Some(0) => Body::Connect(data.map(|data| object(&data).clone())),
        Some(1) => Body::Disconnect,
        Some(2) => Body::Event(args(data)),
        Some(3) => Body::Ack(args(data)),
        Some(4) => Body::ConnectError(data),
        other => panic!("{other:?} is no packet type"),
    };
    let id = packet.get("id").and_then(plain).map(|id| match id {
        Value::Number(Number::Int(id)) => AckId::Exact(id.try_into().unwrap()),
        Value::Number(Number::Float(id)) => AckId::Inexact(id),
        other => panic!("{other:?} is no ack id"),
    });
    Packet { nsp: packet.get("nsp").and_then(Value::as_str).unwrap().into(), id, body }
}

/// An Engine.IO packet as the vectors write it, or the error packet.
fn engine_result(value: &Value) -> Result<engine::Packet, engine::ParserError> {
    let error = object(value).get("type").and_then(Value::as_str) == Some("error");
    if error { Err(engine::ParserError) } else { Ok(engine_packet(value)) }
}

fn engine_packet(value: &Value) -> engine::Packet {
    let packet = object(value);
    let kind = match packet.get("type").and_then(Value::as_str) {
        Some("open") => PacketType::Open,
        Some("close") => PacketType::Close,
        Some("ping") => PacketType::Ping,
        Some("pong") => PacketType::Pong,
        Some("message") => PacketType::Message,
        Some("upgrade") => PacketType::Upgrade,
        Some("noop") => PacketType::Noop,
        other => panic!("{other:?} is no packet type"),
    };
    let count = |value: &Value| usize::try_from(value.as_int().unwrap()).unwrap();
    let data = if let Some(zeros) = packet.get("zero_bytes") {
        Data::Binary(vec![0; count(zeros)].into())
    } else if let Some([what, times]) = packet.get("data_repeat").and_then(Value::as_array) {
        Data::text(what.as_str().unwrap().repeat(count(times)))
    } else {
        match packet.get("data").and_then(plain) {
            None => Data::None,
            Some(Value::String(text)) => Data::Text(text.into()),
            Some(Value::Binary(data)) => Data::Binary(data),
            Some(other) => panic!("{other:?} is no data"),
        }
    };
    engine::Packet { kind, data }
}
