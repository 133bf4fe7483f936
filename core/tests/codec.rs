//! Properties of the codecs: what is encoded decodes to itself, however it is cut, and no bytes
//! whatsoever do harm.

use bytes::Bytes;
use bytestring::ByteString;
use overheard_core::codec::engine::{
    self, BinaryForm, Data, Handshake, HandshakeError, PacketType, payload,
};
use overheard_core::codec::sio::{
    AckId, Body, Coercions, DecodeError, Decoder, DecoderConfig, Packet, RESERVED_EVENTS,
    encode_ack, encode_event, json,
};
use overheard_core::codec::webtransport;
use overheard_core::limits::{
    MAX_ACK_ID_CHARS, MAX_JSON_DEPTH, MAX_NAMESPACE_BYTES, MAX_SAFE_INTEGER,
};
use overheard_core::value::{Number, Object, Value};
use overheard_core::wire::Frame;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Names that mean something to JavaScript or to the protocol.
const ODD_NAMES: [&str; 10] = [
    "",
    "__proto__",
    "constructor",
    "toString",
    "_placeholder",
    "num",
    "error",
    "length",
    "0",
    "\u{1e}",
];

fn odd_text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), select(&ODD_NAMES[..]).prop_map(String::from), "[a-c]{0,3}"]
}

fn binary() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..20).prop_map(Bytes::from)
}

fn number() -> impl Strategy<Value = Number> {
    let safe = MAX_SAFE_INTEGER as i64;
    let float = any::<f64>().prop_filter("finite", |float| float.is_finite());
    prop_oneof![
        (-safe..=safe).prop_map(Number::Int),
        float.prop_map(Number::from_f64),
        (-1_000_000..1_000_000_i32, 0..25_i32)
            .prop_map(|(int, shift)| Number::from_f64(f64::from(int) / 10_f64.powi(shift))),
    ]
}

/// Payload values. An object with `_placeholder: true` cannot be told from an attachment, so that
/// none is made.
fn value(with_binary: bool) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number().prop_map(Value::Number),
        odd_text().prop_map(Value::String),
        binary().prop_map(move |data| if with_binary { data.into() } else { Value::Null }),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let members = vec((odd_text(), inner.clone()), 0..5).prop_map(object);
        prop_oneof![vec(inner, 0..5).prop_map(Value::Array), members.prop_map(Value::Object)]
    })
}

fn object(members: Vec<(String, Value)>) -> Object {
    let harmless = |(key, value)| match (key, value) {
        (key, Value::Bool(true)) if key == "_placeholder" => (key, Value::Null),
        member => member,
    };
    members.into_iter().map(harmless).collect()
}

fn plain_object() -> impl Strategy<Value = Object> {
    vec((odd_text(), value(false)), 0..4).prop_map(object)
}

fn event_name() -> impl Strategy<Value = Value> {
    let text = odd_text().prop_filter("not reserved", |name| !RESERVED_EVENTS.contains(&&**name));
    prop_oneof![3 => text.prop_map(Value::String), 1 => number().prop_map(Value::Number)]
}

fn body() -> impl Strategy<Value = Body> {
    let event = (event_name(), vec(value(true), 0..4)).prop_map(|(name, mut args)| {
        args.insert(0, name);
        args
    });
    let error =
        prop_oneof![odd_text().prop_map(Value::String), plain_object().prop_map(Value::Object)];
    prop_oneof![
        1 => proptest::option::of(plain_object()).prop_map(Body::Connect),
        1 => Just(Body::Disconnect),
        4 => event.prop_map(|args| Body::Event(Some(args))),
        3 => vec(value(true), 0..4).prop_map(|args| Body::Ack(Some(args))),
        1 => select(vec![Body::Event(None), Body::Ack(None)]),
        1 => proptest::option::of(error).prop_map(Body::ConnectError),
    ]
}

fn packet() -> impl Strategy<Value = Packet> {
    let nsp = prop_oneof!["/", "/[a-z?=/0-9\\[\"{-]{0,8}", "/[^,]{0,8}"];
    let id = proptest::option::of(prop_oneof![0..20_u64, 0..=MAX_SAFE_INTEGER]);
    (nsp, id, body()).prop_map(|(nsp, id, body)| Packet {
        nsp: nsp.into(),
        id: id.map(AckId::Exact),
        body,
    })
}

fn engine_packet() -> impl Strategy<Value = engine::Packet> {
    let text = (select(&PacketType::ALL[..]), "[^\u{1e}]{0,12}")
        .prop_map(|(kind, text)| engine::Packet { kind, data: Data::text(text) });
    prop_oneof![3 => text, 1 => vec(any::<u8>(), 1..200).prop_map(engine::Packet::binary)]
}

fn decoder(coercions: Coercions) -> Decoder {
    Decoder::new(DecoderConfig { coercions, max_attachments: 1000, ..DecoderConfig::default() })
}

/// A frame as the decoder sees it.
fn push(decoder: &mut Decoder, frame: &Frame) -> Result<Option<Packet>, DecodeError> {
    match frame {
        Frame::Text(text) => decoder.push_text(text.strip_prefix('4').unwrap_or(text)),
        Frame::Binary(data) => decoder.push_binary(data.clone()),
    }
}

/// How many values there are in a packet, and how many bytes of text.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Binary(_) => 1,
        Value::String(text) => 1 + text.len(),
        Value::Array(items) => 1 + items.iter().map(weight).sum::<usize>(),
        Value::Object(object) => {
            1 + object.iter().map(|(key, value)| key.len() + weight(value)).sum::<usize>()
        }
    }
}

fn packet_weight(packet: &Packet) -> usize {
    let payload = match &packet.body {
        Body::Connect(Some(auth)) => auth.iter().map(|(key, v)| key.len() + weight(v)).sum(),
        Body::Event(Some(args)) | Body::Ack(Some(args)) => args.iter().map(weight).sum(),
        Body::ConnectError(Some(error)) => weight(error),
        Body::Connect(None)
        | Body::Disconnect
        | Body::Event(None)
        | Body::Ack(None)
        | Body::ConnectError(None) => 0,
    };
    packet.nsp.len() + payload
}

proptest! {
    /// SIO-ENC-01, SIO-ENC-02, SIO-ENC-05, SIO-ENC-06, SIO-ENC-07: packets one after another come
    /// out as they went in, each with its last frame, in both modes.
    #[test]
    fn socketio_packets_round_trip(packets in vec(packet(), 1..4)) {
        for coercions in [Coercions::Javascript, Coercions::Strict] {
            let mut decoder = decoder(coercions);
            for packet in &packets {
                let encoded = packet.encode();
                prop_assert!(encoded.text.starts_with('4'));
                let frames: Vec<_> = encoded.frames().collect();
                let (last, first) = frames.split_last().unwrap();
                for frame in first {
                    prop_assert_eq!(push(&mut decoder, frame), Ok(None));
                    prop_assert!(decoder.is_waiting());
                }
                prop_assert_eq!(push(&mut decoder, last), Ok(Some(packet.clone())));
                prop_assert!(!decoder.is_waiting());
            }
        }
    }

    /// SIO-ENC-05, CSR-04: the encoders of borrowed parts write what packets write.
    #[test]
    fn borrowed_parts_encode_like_packets(
        packet in packet(),
        id in proptest::option::of(0..100_u64),
        args in vec(value(true), 1..4),
        extra in proptest::option::of(odd_text()),
    ) {
        let mut all = args.clone();
        all.extend(extra.clone().map(Value::String));
        let event = Packet::event(packet.nsp.clone(), id, all);
        prop_assert_eq!(encode_event(&packet.nsp, id, &args, extra.as_deref()), event.encode());
        let ack = Packet::ack(packet.nsp.clone(), AckId::Exact(7), args.clone());
        prop_assert_eq!(encode_ack(&packet.nsp, AckId::Exact(7), &args), ack.encode());
    }

    /// SIO-ENC-07: while attachments are owed, text of any namespace is an error, and bytes are one
    /// at any other time; a decoder that failed stays failed until it is reset.
    #[test]
    fn attachments_follow_their_header_at_once(
        packet in packet(), intruder in packet(), at in any::<Index>(),
    ) {
        let encoded = packet.encode();
        let frames: Vec<_> = encoded.frames().collect();
        let at = at.index(frames.len());
        let mut decoder = decoder(Coercions::Javascript);
        for frame in &frames[..at] {
            prop_assert_eq!(push(&mut decoder, frame), Ok(None));
        }
        let held: usize = encoded.attachments.iter().take(at.saturating_sub(1)).map(Bytes::len).sum();
        prop_assert_eq!(decoder.buffered_bytes(), held);
        let (intruder, error) = if at == 0 {
            (Frame::Binary(Bytes::new()), DecodeError::UnexpectedBinary)
        } else {
            (Frame::Text(intruder.encode().text), DecodeError::UnexpectedText)
        };
        prop_assert_eq!(push(&mut decoder, &intruder), Err(error));
        prop_assert_eq!(decoder.buffered_bytes(), 0);
        for frame in &frames {
            prop_assert_eq!(push(&mut decoder, frame), Err(error));
        }
        decoder.reset();
        prop_assert!(push(&mut decoder, &frames[0]).is_ok());
    }

    /// SIO-ENC-13, P19: whatever arrives, a packet is never larger than what it came from, and what
    /// strict mode takes, JavaScript's coercions read in the same way.
    #[test]
    fn hostile_text_decodes_in_proportion_or_not_at_all(
        packet in packet(),
        edits in vec((any::<Index>(), any::<bool>(), hostile_piece()), 0..4),
        attachments in 0..12_usize,
    ) {
        let mut text: Vec<char> = packet.encode().socketio_text().chars().collect();
        for (at, replace, piece) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + usize::from(replace)).min(text.len());
            text.splice(at..end, piece.chars());
        }
        let text: String = text.into_iter().collect();
        let data = Bytes::from_static(b"12345678");
        let run = |coercions| {
            let mut decoder = decoder(coercions);
            let mut last = decoder.push_text(&text);
            for _ in 0..attachments {
                if last == Ok(None) {
                    last = decoder.push_binary(data.clone());
                }
            }
            last
        };
        let (javascript, strict) = (run(Coercions::Javascript), run(Coercions::Strict));
        if let Ok(Some(packet)) = &javascript {
            prop_assert!(packet_weight(packet) <= text.len() + 1, "{packet:?} from {text:?}");
        }
        if strict.is_ok() {
            prop_assert_eq!(&strict, &javascript);
        }
    }

    /// EIO-PKT-02, EIO-PKT-03.
    #[test]
    fn engine_packets_round_trip(packet in engine_packet()) {
        for form in [BinaryForm::Raw, BinaryForm::Base64] {
            prop_assert_eq!(&engine::Packet::decode(&packet.encode(form)), &Ok(packet.clone()));
        }
    }

    /// EIO-PKT-04, EIO-PKT-05: and texts share the memory of the body.
    #[test]
    fn payloads_round_trip(packets in vec(engine_packet(), 1..6), garbage in "[^0-6b\u{1e}].{0,3}") {
        let body = payload::encode(&packets);
        let frames: Vec<_> = packets.iter().map(|packet| packet.encode(BinaryForm::Raw)).collect();
        prop_assert_eq!(&payload::encode_frames(&frames), &body);
        let decoded: Result<Vec<_>, _> = payload::decode(&body).collect();
        prop_assert_eq!(&decoded, &Ok(packets.clone()));
        let memory = body.as_bytes().as_ptr_range();
        for packet in decoded.unwrap() {
            if let Data::Text(text) = packet.data {
                prop_assert!(memory.contains(&text.as_bytes().as_ptr()));
            }
        }
        let spoiled = ByteString::from(format!("{body}\u{1e}{garbage}\u{1e}{body}"));
        let decoded: Vec<_> = payload::decode(&spoiled).collect();
        prop_assert_eq!(decoded.len(), packets.len() + 1);
        prop_assert_eq!(decoded.last(), Some(&Err(engine::ParserError)));
    }

    /// EIO-PKT-05, EIO-PKT-07: any text is a payload of as many packets as it has bytes at most.
    #[test]
    fn hostile_payloads_decode_in_proportion(body in "[0-9b\u{1e}= AQ/é_-]{0,60}") {
        let body = ByteString::from(body);
        let mut data_bytes = 0;
        for packet in payload::decode(&body).flatten() {
            data_bytes += match packet.data {
                Data::None => 1,
                Data::Text(text) => 1 + text.len(),
                Data::Binary(data) => 1 + data.len(),
            };
        }
        prop_assert!(data_bytes <= body.len());
    }

    /// EIO-PKT-03: what is not base64 changes nothing, except that `=` ends it.
    #[test]
    fn base64_ignores_noise(
        data in vec(any::<u8>(), 0..30),
        noise in vec("[ !\n\u{e9}.,:@]{0,2}", 1..6),
        rest in "[=][A-Za-z0-9=é]{0,6}",
        url_safe in any::<bool>(),
    ) {
        let packet = engine::Packet::binary(data);
        let Frame::Text(encoded) = packet.encode(BinaryForm::Base64) else { panic!("not text") };
        let mut noisy = String::from("b");
        for (char, noise) in encoded.trim_end_matches('=').chars().skip(1).zip(noise.iter().cycle()) {
            noisy.push_str(noise);
            noisy.push(char);
        }
        if url_safe {
            noisy = noisy.replace('+', "-").replace('/', "_");
        }
        noisy.push_str(&rest);
        prop_assert_eq!(engine::Packet::decode_text(&noisy.into()), Ok(packet));
    }

    /// EIO-PKT-08: in pieces of any size.
    #[test]
    fn webtransport_round_trips_under_any_chunking(
        packets in vec(webtransport_packet(), 0..5), cuts in vec(1..80_usize, 1..8),
    ) {
        let stream: Vec<u8> = packets.iter().flat_map(webtransport::encode).collect();
        let mut decoder = webtransport::Decoder::new(70_000);
        let (mut rest, mut decoded) = (&stream[..], Vec::new());
        for size in cuts.iter().cycle() {
            let (mut piece, after) = rest.split_at((*size).min(rest.len()));
            while let Some(packet) = decoder.push(&mut piece).unwrap() {
                decoded.push(packet);
            }
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(decoded, packets);
    }

    /// EIO-PKT-08: any bytes, in any pieces, give the same packets up to the same error.
    #[test]
    fn hostile_streams_decode_alike_in_pieces(bytes in vec(any::<u8>(), 0..300), size in 1..9_usize) {
        let run = |size: usize| {
            let mut decoder = webtransport::Decoder::new(200);
            let mut packets = Vec::new();
            for mut piece in bytes.chunks(size) {
                loop {
                    match decoder.push(&mut piece) {
                        Ok(Some(packet)) => packets.push(packet),
                        Ok(None) => break,
                        Err(error) => return (packets, Some(error)),
                    }
                }
            }
            (packets, None)
        };
        prop_assert_eq!(run(size), run(bytes.len().max(1)));
    }

    /// EIO-POLL-12: as many frames as fit, and at least one.
    #[test]
    fn batches_fit_and_are_as_long_as_possible(
        packets in vec(engine_packet(), 1..8), max in 0..400_u64,
    ) {
        let frames: Vec<_> = packets.iter().map(|packet| packet.encode(BinaryForm::Raw)).collect();
        let count = payload::batch_len(&frames, max);
        let size = |count: usize| payload::encode_frames(&frames[..count]).len() as u64;
        prop_assert!(count == 1 || size(count) <= max);
        prop_assert!(count == frames.len() || size(count + 1) > max);
    }

    /// EIO-HS-02.
    #[test]
    fn handshakes_round_trip(
        sid in odd_text(), upgrades in vec(odd_text(), 0..3), times in any::<(u32, u32)>(),
        max_payload in 0..=MAX_SAFE_INTEGER, broken in 0..5_usize,
    ) {
        let handshake = Handshake {
            sid: sid.into(),
            upgrades: upgrades.into_iter().map(Into::into).collect(),
            ping_interval: std::time::Duration::from_millis(times.0.into()),
            ping_timeout: std::time::Duration::from_millis(times.1.into()),
            max_payload,
        };
        let text = handshake.to_json();
        prop_assert_eq!(Handshake::parse(&text), Ok(handshake));
        let keys = ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"];
        let Some(Value::Object(members)) = json::parse(&text) else { panic!("no object") };
        prop_assert_eq!(members.iter().map(|(key, _)| key).collect::<Vec<_>>(), keys);
        let without: Object =
            members.iter().filter(|(key, _)| *key != keys[broken]).map(|(k, v)| (k, v.clone())).collect();
        let parsed = Handshake::parse(&json::stringify(&Value::Object(without)));
        prop_assert_eq!(parsed, Err(HandshakeError(Some(keys[broken]))));
    }

    /// SIO-ENC-15: JSON reads back as it was written, and writes the same again.
    #[test]
    fn json_round_trips(value in value(false)) {
        let text = json::stringify(&value);
        let parsed = json::parse(&text);
        prop_assert_eq!(parsed.as_ref(), Some(&value));
        prop_assert!(text.bytes().all(|byte| byte >= b' '), "EIO-PKT-04: {text:?}");
        // By serde alone: other digits, the same value.
        let text = serde_json::to_string(&value).unwrap();
        let object: Option<Object> = serde_json::from_str(&text).ok();
        prop_assert_eq!(object.as_ref(), value.as_object());
        prop_assert_eq!(serde_json::from_str(&text).ok(), Some(value));
    }
}

/// Pieces of packets, and what JavaScript takes for a number.
fn hostile_piece() -> impl Strategy<Value = String> {
    let pieces = [
        "5",
        "51-",
        "511-",
        "6",
        "-",
        "/",
        ",",
        "[",
        "]",
        "{",
        "}",
        "\"",
        " ",
        "\u{a0}",
        "\u{feff}",
        "0x1-",
        "1e0-",
        "1.5-",
        "99999999999999999999",
        "1e400",
        "\\ud800",
        "\\u0000",
        "😀",
        "{\"_placeholder\":true,\"num\":0}",
        "{\"_placeholder\":true,\"num\":0.5}",
        "{\"_placeholder\":true,\"num\":-1}",
        "[\"connect\"]",
        "[\"a\"]",
        "null",
        "[[[[[[[[",
    ];
    prop_oneof![
        select(pieces.to_vec()).prop_map(String::from),
        any::<char>().prop_map(String::from)
    ]
}

/// Packets of all three header forms.
fn webtransport_packet() -> impl Strategy<Value = engine::Packet> {
    let long = select(vec![124, 125, 126, 127, 300, 65_534, 65_535, 65_536]);
    prop_oneof![
        4 => engine_packet(),
        1 => long.clone().prop_map(|len| engine::Packet::message("x".repeat(len))),
        1 => long.prop_map(|len| engine::Packet::binary(vec![7; len])),
    ]
}

/// SIO-ENC-02: each bound holds exactly.
#[test]
fn bounds_are_exact() {
    let decode = |text: &str| Decoder::default().push_text(text);
    let nsp = |bytes: usize| format!("0/{},", "n".repeat(bytes - 1));
    assert!(decode(&nsp(MAX_NAMESPACE_BYTES)).is_ok());
    assert_eq!(decode(&nsp(MAX_NAMESPACE_BYTES + 1)), Err(DecodeError::NamespaceTooLong));
    let id = |chars: usize| format!("2{}[\"a\"]", "9".repeat(chars));
    assert!(decode(&id(MAX_ACK_ID_CHARS)).is_ok());
    assert_eq!(decode(&id(MAX_ACK_ID_CHARS + 1)), Err(DecodeError::AckIdTooLong));
    for error in [DecodeError::NamespaceTooLong, DecodeError::AckIdTooLong] {
        assert_eq!(error.to_string(), "invalid payload", "SIO-ERR-02");
    }
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(json::parse(&nested(MAX_JSON_DEPTH)).is_some());
    assert_eq!(json::parse(&nested(MAX_JSON_DEPTH + 1)), None);
}

/// SIO-ENC-08, P19: hostile packets of a megabyte are done in a moment: a test that hangs fails.
#[test]
fn large_hostile_packets_terminate() {
    let million = |piece: &str| piece.repeat(1_000_000 / piece.len());
    let members: Vec<_> = (0..100_000).map(|n| format!("\"{}\":1", n / 2)).collect();
    let object = format!("0{{{}}}", members.join(","));
    let Ok(Some(Packet { body: Body::Connect(Some(auth)), .. })) =
        Decoder::default().push_text(&object)
    else {
        panic!("no CONNECT");
    };
    assert_eq!(auth.len(), 50_000);
    for text in [
        format!("5{}-[\"m\"]", million("9")),
        format!("5{}", million("0x")),
        format!("2{}", million("9")),
        format!("2{}", million(" ")),
        format!("2/{}", million("é")),
        format!("2{}", million("[")),
        format!("2[\"a\",{}", million("1e400,")),
        format!("2[\"{}", million("\\")),
        million("\u{3000}"),
    ] {
        assert!(Decoder::default().push_text(&text).is_err(), "{}", &text[..12]);
    }
    let digits = format!("2[\"a\",{}.{}e5]", million("7"), million("3"));
    assert!(Decoder::default().push_text(&digits).is_ok());
    let body = ByteString::from(million("2\u{1e}"));
    assert_eq!(payload::decode(&body).filter(Result::is_ok).count(), 500_000);
}

/// SIO-ENC-05: CONNECT and CONNECT_ERROR have no attachments: bytes become what Node.js writes.
#[test]
fn only_events_and_acks_have_attachments() {
    let auth: Object = [("k", Bytes::from_static(&[1, 2]))].into_iter().collect();
    let json = "{\"k\":{\"type\":\"Buffer\",\"data\":[1,2]}}";
    let connect = Packet::connect("/", Some(auth.clone())).encode();
    assert_eq!((connect.socketio_text(), connect.attachments.len()), (&*format!("0{json}"), 0));
    let error = Packet::connect_error("/a", auth.clone()).encode();
    assert_eq!((error.socketio_text(), error.attachments.len()), (&*format!("4/a,{json}"), 0));
    assert_eq!(Packet::disconnect("/a").encode().socketio_text(), "1/a,");
}

/// SIO-ENC-09: what is a placeholder, and what it may name. Nothing in an attachment is looked at.
#[test]
fn placeholders_name_attachments_by_a_number_in_range() {
    let decode = |placeholder: &str| {
        let mut decoder = Decoder::default();
        let text = format!("52-[\"e\",{{\"x\":[{placeholder}]}}]");
        assert_eq!(decoder.push_text(&text), Ok(None));
        assert_eq!(decoder.push_binary(Bytes::from_static(b"a")), Ok(None));
        match decoder.push_binary(Bytes::from_static(b"b")) {
            Ok(Some(Packet { body: Body::Event(Some(args)), .. })) => {
                let inner = args[1].as_object().and_then(|object| object.get("x")).unwrap();
                Ok(inner.as_array().unwrap()[0].clone())
            }
            other => other.map(|_| panic!("no event")),
        }
    };
    let with_num = |num: &str| decode(&format!("{{\"_placeholder\":true,\"num\":{num}}}"));
    for (num, data) in [("0", "a"), ("-0", "a"), ("1.0", "b"), ("1", "b"), ("10e-1", "b")] {
        assert_eq!(with_num(num), Ok(Bytes::from(data).into()), "{num}");
    }
    for num in ["0.5", "1.5", "1e-300"] {
        assert_eq!(with_num(num), Ok(Value::Null), "{num}");
    }
    for num in ["2", "-1", "2.5", "-0.5", "1e400", "9007199254740993", "null", "true", "[0]"] {
        assert_eq!(with_num(num), Err(DecodeError::IllegalPlaceholder), "{num}");
    }
    for flag in ["false", "1", "null", "\"true\"", "true,\"_placeholder\":0"] {
        let object = format!("{{\"_placeholder\":{flag},\"num\":0}}");
        assert_eq!(decode(&object).unwrap(), json::parse(&object).unwrap(), "{flag}");
    }
    let nested = "{\"num\":1,\"y\":{\"_placeholder\":true,\"num\":9},\"_placeholder\":true}";
    assert_eq!(decode(nested), Ok(Bytes::from("b").into()));
}

/// SIO-ENC-13: ids that JavaScript cannot hold exactly are written as it prints them, and strict
/// mode refuses them.
#[test]
fn inexact_ack_ids_print_as_in_javascript() {
    for (written, printed) in [
        ("9007199254740991", "9007199254740991"),
        ("9007199254740992", "9007199254740992"),
        ("9007199254740993", "9007199254740992"),
        ("123456789012345678901234", "1.2345678901234569e+23"),
        ("1 2", "NaN"),
        (&"9".repeat(310), "Infinity"),
    ] {
        let text = format!("2{written}[\"a\"]");
        let packet = Decoder::default().push_text(&text).unwrap().unwrap();
        assert_eq!(packet.encode().socketio_text(), format!("2{printed}[\"a\"]"));
        let is_exact = written == "9007199254740991";
        assert_eq!(packet.id.and_then(AckId::exact).is_some(), is_exact);
        let strict = decoder(Coercions::Strict).push_text(&text);
        assert_eq!(strict.is_ok(), is_exact, "{written}");
    }
    assert_eq!(AckId::Exact(MAX_SAFE_INTEGER + 1).exact(), None);
}
