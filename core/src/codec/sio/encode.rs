//! Socket.IO packets to text and attachments (`SIO-ENC-02`, `SIO-ENC-05`).

use core::fmt::Write as _;

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;

use super::json::{self, Writer};
use super::{AckId, Body, Packet, binary};
use crate::value::Value;
use crate::wire::Frame;

/// Room for type, namespace and id of most packets.
const HEADER_BYTES: usize = 48;

/// An encoded packet: one text message, then its attachments as binary messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The Engine.IO message, with its leading `4`: the text frame of a WebSocket as it is.
    pub text: ByteString,
    /// What follows it, each as a binary message of its own (`SIO-ENC-07`).
    pub attachments: Vec<Bytes>,
}

impl Encoded {
    /// The Socket.IO packet without the Engine.IO type.
    #[must_use]
    pub fn socketio_text(&self) -> &str {
        self.text.get(1..).unwrap_or_default()
    }

    /// The frames in the order in which they are sent.
    pub fn frames(&self) -> impl Iterator<Item = Frame> {
        let text = core::iter::once(Frame::Text(self.text.clone()));
        text.chain(self.attachments.iter().cloned().map(Frame::Binary))
    }

    /// Bytes of text and attachments together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.attachments.iter().fold(self.text.len(), |sum, data| sum + data.len())
    }

    /// Never: there is always a type.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

/// Encodes an event from borrowed parts: `args` is its name and its arguments, as in
/// [`Body::Event`]; `extra` is one more string at the end, the recovery offset (`CSR-04`).
#[must_use]
pub fn encode_event(nsp: &str, id: Option<u64>, args: &[Value], extra: Option<&str>) -> Encoded {
    encode_array(['2', '5'], nsp, id.map(AckId::Exact), Some(args), extra)
}

/// Encodes an ack from borrowed parts.
#[must_use]
pub fn encode_ack(nsp: &str, id: AckId, args: &[Value]) -> Encoded {
    encode_array(['3', '6'], nsp, Some(id), Some(args), None)
}

impl Packet {
    /// Encodes the packet. Only events and acks have attachments; bytes in other payloads are
    /// written as Node.js writes a `Buffer` (`SIO-ENC-05`).
    #[must_use]
    pub fn encode(&self) -> Encoded {
        let plain = |kind, payload: Option<&Value>| {
            let mut text = header(kind, 0, &self.nsp, self.id);
            if let Some(payload) = payload {
                let mut writer = Writer::new(text, json::Bytes::Inline);
                writer.value(payload);
                text = writer.finish();
            }
            Encoded { text: text.into(), attachments: Vec::new() }
        };
        match &self.body {
            Body::Connect(None) => plain('0', None),
            Body::Connect(Some(auth)) => {
                let mut writer =
                    Writer::new(header('0', 0, &self.nsp, self.id), json::Bytes::Inline);
                writer.object(auth);
                Encoded { text: writer.finish().into(), attachments: Vec::new() }
            }
            Body::Disconnect => plain('1', None),
            Body::Event(args) => {
                encode_array(['2', '5'], &self.nsp, self.id, args.as_deref(), None)
            }
            Body::Ack(args) => encode_array(['3', '6'], &self.nsp, self.id, args.as_deref(), None),
            Body::ConnectError(error) => plain('4', error.as_ref()),
        }
    }
}

/// `kinds` are the types without and with attachments.
fn encode_array(
    kinds: [char; 2],
    nsp: &str,
    id: Option<AckId>,
    args: Option<&[Value]>,
    extra: Option<&str>,
) -> Encoded {
    let mut attachments = Vec::new();
    for arg in args.unwrap_or_default() {
        binary::collect(arg, &mut attachments);
    }
    let kind = kinds[usize::from(!attachments.is_empty())];
    let mut text = header(kind, attachments.len(), nsp, id);
    if let Some(args) = args {
        let mut writer = Writer::new(text, json::Bytes::Placeholder(0));
        writer.array(args, extra);
        text = writer.finish();
    }
    Encoded { text: text.into(), attachments }
}

/// `4<type>[<attachments>-][<namespace>,][<id>]` (`SIO-ENC-02`).
fn header(kind: char, attachments: usize, nsp: &str, id: Option<AckId>) -> String {
    let mut text = String::with_capacity(HEADER_BYTES + nsp.len());
    text.push('4');
    text.push(kind);
    let mut written = Ok(());
    if attachments > 0 {
        written = write!(text, "{attachments}-");
    }
    if !nsp.is_empty() && nsp != "/" {
        text.push_str(nsp);
        text.push(',');
    }
    if let Some(id) = id {
        written = written.and_then(|()| write!(text, "{id}"));
    }
    debug_assert!(written.is_ok(), "writing to memory cannot fail");
    text
}
