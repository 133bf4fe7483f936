//! Socket.IO packets from any bytes, in both modes (SIO-ENC-02 to SIO-ENC-15, SIO-ERR-02).

use bytes::Bytes;
use overheard_core::codec::sio::{
    AckId, Body, Coercions, DecodeError, Decoder, DecoderConfig, Packet,
};
use overheard_core::value::{Number, Value};
use overheard_core::wire::Frame;

/// Stands between two frames: a byte that no UTF-8 has.
const NEXT_FRAME: u8 = 0xff;
/// The first byte of a binary frame.
const BINARY_FRAME: u8 = 0xfe;

/// The first byte chooses the limit of attachments; the rest is a sequence of frames.
pub(crate) fn run(data: &[u8]) {
    let Some((&max_attachments, data)) = data.split_first() else { return };
    let config =
        DecoderConfig { max_attachments: max_attachments.into(), ..DecoderConfig::default() };
    let mut javascript = Decoder::new(config);
    let mut strict = Decoder::new(DecoderConfig { coercions: Coercions::Strict, ..config });
    let mut received = 0;
    for frame in data.split(|byte| *byte == NEXT_FRAME) {
        let frame = match frame.split_first() {
            Some((&BINARY_FRAME, data)) => Frame::Binary(Bytes::copy_from_slice(data)),
            _ => Frame::text(String::from_utf8_lossy(frame).into_owned()),
        };
        received += frame.len() + 1;
        let (loose, tight) = (push(&mut javascript, &frame), push(&mut strict, &frame));
        if tight.is_ok() {
            assert_eq!(tight, loose, "SIO-ENC-13: strict mode reads {frame:?} in its own way");
        }
        assert!(javascript.buffered_bytes() <= received, "P19");
        match loose {
            Ok(Some(packet)) => {
                assert!(!javascript.is_waiting(), "SIO-ENC-06");
                round_trip(&packet);
            }
            Ok(None) => assert!(javascript.is_waiting(), "SIO-ENC-06"),
            Err(error) => {
                assert!(!error.to_string().is_empty(), "SIO-ERR-02");
                assert_eq!(push(&mut javascript, &frame), Err(error), "SIO-ERR-01");
                assert_eq!(javascript.buffered_bytes(), 0, "SIO-ERR-01");
                return;
            }
        }
    }
}

fn push(decoder: &mut Decoder, frame: &Frame) -> Result<Option<Packet>, DecodeError> {
    match frame {
        Frame::Text(text) => decoder.push_text(text),
        Frame::Binary(data) => decoder.push_binary(data.clone()),
    }
}

/// What was decoded encodes, and decodes to the same again, unless it has a number that JSON or
/// the header cannot hold (SIO-ENC-13, SIO-ENC-15).
fn round_trip(packet: &Packet) {
    let encoded = packet.encode();
    if matches!(packet.id, Some(AckId::Inexact(_))) || !is_finite(&packet.body) {
        return;
    }
    let mut decoder =
        Decoder::new(DecoderConfig { max_attachments: usize::MAX, ..DecoderConfig::default() });
    let mut result = decoder.push_text(encoded.socketio_text());
    for data in encoded.attachments {
        assert_eq!(result, Ok(None), "SIO-ENC-06");
        result = decoder.push_binary(data);
    }
    assert_eq!(result.as_ref().map(Option::as_ref), Ok(Some(packet)), "SIO-ENC-02");
}

fn is_finite(body: &Body) -> bool {
    let finite = |value: &Value| match value {
        Value::Number(Number::Float(float)) => float.is_finite(),
        _ => true,
    };
    match body {
        Body::Connect(Some(auth)) => auth.iter().all(|(_, value)| every(value, &finite)),
        Body::Event(Some(args)) | Body::Ack(Some(args)) => {
            args.iter().all(|value| every(value, &finite))
        }
        Body::ConnectError(Some(error)) => every(error, &finite),
        _ => true,
    }
}

fn every(value: &Value, check: &impl Fn(&Value) -> bool) -> bool {
    check(value)
        && match value {
            Value::Array(items) => items.iter().all(|item| every(item, check)),
            Value::Object(object) => object.iter().all(|(_, member)| every(member, check)),
            _ => true,
        }
}
