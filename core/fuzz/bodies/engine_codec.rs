//! Engine.IO packets, payloads, streams and handshakes from any bytes (EIO-PKT-02 to EIO-PKT-08).

use bytestring::ByteString;
use overheard_core::codec::engine::{BinaryForm, Data, Handshake, Packet, ParserError, payload};
use overheard_core::codec::{jsonp, webtransport};
use overheard_core::wire::Frame;

/// A bound that some lengths of a random stream keep.
const MAX_PAYLOAD: u64 = 300;

/// Decodes the bytes in every way there is; what decodes must encode to the same again.
pub(crate) fn run(data: &[u8]) {
    let text = ByteString::from(String::from_utf8_lossy(data).into_owned());
    if let Ok(packet) = Packet::decode_text(&text) {
        round_trip(&packet);
    }
    round_trip(&Packet::decode_binary(data.to_vec().into()));
    whole_payload(&text);
    stream(data);
    if let Ok(handshake) = Handshake::parse(&text) {
        assert_eq!(Handshake::parse(&handshake.to_json()), Ok(handshake), "EIO-HS-02");
    }
    let response = jsonp::response(&text, &text);
    assert!(!response.contains(['\u{2028}', '\u{2029}']), "EIO-POLL-11: {response:?}");
    if let Some(body) = jsonp::body(data) {
        whole_payload(&body);
    }
}

fn round_trip(packet: &Packet) {
    for form in [BinaryForm::Raw, BinaryForm::Base64] {
        let decoded = Packet::decode(&packet.encode(form));
        assert_eq!(decoded.as_ref(), Ok(packet), "EIO-PKT-02: {form:?}");
    }
}

fn whole_payload(body: &ByteString) {
    let decoded: Vec<_> = payload::decode(body).collect();
    let separators = body.matches(payload::SEPARATOR).count();
    assert!(decoded.len() <= separators + 1, "EIO-PKT-04: {} packets", decoded.len());
    let packets: Vec<Packet> = decoded.iter().flatten().cloned().collect();
    assert!(decoded.len() - packets.len() <= 1, "EIO-PKT-05: more than one error");
    let size: usize = packets.iter().map(data_bytes).sum();
    assert!(size <= body.len(), "EIO-PKT-04: {size} bytes of {}", body.len());
    if packets.is_empty() {
        return;
    }
    let encoded = payload::encode(&packets);
    let frames: Vec<Frame> = packets.iter().map(|packet| packet.encode(BinaryForm::Raw)).collect();
    assert_eq!(payload::encode_frames(&frames), encoded, "EIO-PKT-04");
    let again: Result<Vec<_>, _> = payload::decode(&encoded).collect();
    assert_eq!(again, Ok(packets), "EIO-PKT-04");
}

fn data_bytes(packet: &Packet) -> usize {
    1 + match &packet.data {
        Data::None => 0,
        Data::Text(text) => text.len(),
        Data::Binary(data) => data.len(),
    }
}

/// The first byte says how large the pieces are in which the rest arrives.
fn stream(data: &[u8]) {
    let Some((&size, stream)) = data.split_first() else { return };
    let (whole, end) = read(stream, stream.len().max(1), MAX_PAYLOAD);
    let pieces = read(stream, usize::from(size).max(1), MAX_PAYLOAD);
    assert_eq!(pieces, (whole.clone(), end), "EIO-PKT-08");
    let encoded: Vec<u8> = whole.iter().flat_map(webtransport::encode).collect();
    let empty = |packet: &Packet| packet.data == Data::Binary(bytes::Bytes::new());
    // `b` and nothing else is an empty binary message, which cannot be sent in this framing.
    if !whole.iter().any(empty) {
        // Text that was not UTF-8 has become longer, so that the bound is another.
        assert_eq!(read(&encoded, 7, u64::MAX), (whole, None), "EIO-PKT-08");
    }
}

fn read(stream: &[u8], size: usize, max_payload: u64) -> (Vec<Packet>, Option<ParserError>) {
    let mut decoder = webtransport::Decoder::new(max_payload);
    let mut packets = Vec::new();
    for mut piece in stream.chunks(size) {
        loop {
            match decoder.push(&mut piece) {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(error) => return (packets, Some(error)),
            }
        }
    }
    (packets, None)
}
