//! Bugs in what is written: on WebSockets, and in the answers to polls.

use bytes::Bytes;
use overheard_core::codec::engine::payload::SEPARATOR;
use overheard_core::engine::Response;
use overheard_core::wire::Frame;
use smol_str::SmolStr;

use super::{Link, State};
use crate::plan::Sabotage;

/// Every so many deliveries one is lost.
const LOST: u64 = 10;

/// Every so many deliveries one comes twice.
const TWICE: u64 = 5;

/// A packet: one frame, and its attachments behind it.
type Packet = Vec<Frame>;

impl State {
    pub(super) fn spoil_frames(&mut self, bug: Sabotage, link: &Link, frames: &mut Vec<Frame>) {
        if is_about_frames(bug) {
            for packet in packets(std::mem::take(frames)) {
                self.spoil_packet(bug, link, packet, frames);
            }
        }
    }

    pub(super) fn spoil_response(&mut self, bug: Sabotage, link: &Link, response: &mut Response) {
        if !is_about_frames(bug) || response.status != 200 {
            return;
        }
        let Ok(body) = std::str::from_utf8(&response.body) else { return };
        if body == "ok" {
            return;
        }
        let mut frames: Vec<Frame> =
            body.split(SEPARATOR).map(|text| Frame::text(text.to_owned())).collect();
        self.spoil_frames(bug, link, &mut frames);
        let texts: Vec<&str> = frames.iter().map(text_of).collect();
        response.body = Bytes::from(texts.join(&SEPARATOR.to_string()));
        if response.body.is_empty() {
            // Nothing is no payload: the reference sends a noop where there is nothing to say.
            response.body = Bytes::from_static(b"6");
        }
    }

    /// Whether this is the first packet that a recovered session has missed: those are written in
    /// front of the consent.
    fn is_first_missed(&mut self, link: &Link, head: &str, is_event: bool) -> bool {
        let place = (link.clone(), namespace(head));
        if head.starts_with("40") {
            self.entered.insert(place);
            return false;
        }
        is_event && !self.entered.contains(&place) && self.gaps.insert(place)
    }

    fn spoil_packet(
        &mut self,
        bug: Sabotage,
        link: &Link,
        mut packet: Packet,
        into: &mut Vec<Frame>,
    ) {
        let head = packet.first().map_or("", text_of).to_owned();
        let is_event = head.starts_with("42") || head.starts_with("45");
        match bug {
            Sabotage::AckTwice if head.starts_with("43") => into.extend(packet.iter().cloned()),
            Sabotage::DeliveryLost if is_event => {
                self.count += 1;
                if self.count.is_multiple_of(LOST) {
                    return;
                }
            }
            Sabotage::DeliveryTwice if is_event => {
                self.count += 1;
                if self.count.is_multiple_of(TWICE) {
                    into.extend(packet.iter().cloned());
                }
            }
            Sabotage::BinaryMangled => packet.iter_mut().for_each(mangle),
            Sabotage::RefusedStillHears if head.starts_with("40") => {
                if let Some(place) = self.refused.iter().position(|(sid, _)| head.contains(&**sid))
                {
                    let (_, refusal) = self.refused.remove(place);
                    into.push(Frame::text(refusal));
                }
            }
            Sabotage::HeardAfterKick => {
                if head.starts_with("41") && matches!(link, Link::Ws(_)) {
                    // It is not told, so that it goes on listening.
                    self.ghosts.insert((link.clone(), namespace(&head)));
                    return;
                }
            }
            Sabotage::RecoveryGap if self.is_first_missed(link, &head, is_event) => return,
            Sabotage::HeartbeatDead if head.starts_with("0{") => {
                if let Some((dead, alive)) = &self.interval {
                    packet = vec![Frame::text(head.replace(dead, alive))];
                }
            }
            _ => {}
        }
        into.extend(packet);
    }
}

/// Whether a bug changes frames at all.
const fn is_about_frames(bug: Sabotage) -> bool {
    matches!(
        bug,
        Sabotage::AckTwice
            | Sabotage::DeliveryLost
            | Sabotage::DeliveryTwice
            | Sabotage::BinaryMangled
            | Sabotage::RefusedStillHears
            | Sabotage::HeardAfterKick
            | Sabotage::RecoveryGap
            | Sabotage::HeartbeatDead
    )
}

fn text_of(frame: &Frame) -> &str {
    match frame {
        Frame::Text(text) => text,
        Frame::Binary(_) => "",
    }
}

/// Whether a frame is an attachment: bytes, or their base64 in the answer to a poll.
fn is_attachment(frame: &Frame) -> bool {
    match frame {
        Frame::Binary(_) => true,
        Frame::Text(text) => text.starts_with('b'),
    }
}

fn packets(frames: Vec<Frame>) -> Vec<Packet> {
    let mut packets: Vec<Packet> = Vec::new();
    for frame in frames {
        match packets.last_mut() {
            Some(packet) if is_attachment(&frame) => packet.push(frame),
            Some(_) | None => packets.push(vec![frame]),
        }
    }
    packets
}

/// The namespace of a packet.
fn namespace(head: &str) -> SmolStr {
    let rest = head.get(2..).unwrap_or_default();
    let rest = rest.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '-');
    if !rest.starts_with('/') {
        return "/".into();
    }
    rest.split(',').next().unwrap_or_default().into()
}

/// Changes the first byte of an attachment.
fn mangle(frame: &mut Frame) {
    match frame {
        Frame::Binary(bytes) if !bytes.is_empty() => {
            let mut changed = bytes.to_vec();
            changed[0] ^= 0xff;
            *bytes = changed.into();
        }
        Frame::Text(text) if text.starts_with('b') && text.len() > 1 => {
            // The first digit carries the upper bits of the first byte.
            let other = if text.as_bytes()[1] == b'A' { "B" } else { "A" };
            *text = format!("b{other}{}", text.get(2..).unwrap_or_default()).into();
        }
        Frame::Binary(_) | Frame::Text(_) => {}
    }
}
