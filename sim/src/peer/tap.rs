//! Listens on the wire, for what a client's application would not be told: a second answer to the
//! same event, and events for a namespace that has refused it.
//!
//! A well-behaved client drops both. But the bytes have reached it, and whoever sent them is wrong.

use std::rc::Rc;

use overheard_core::client::Input;
use overheard_core::codec::engine::payload::SEPARATOR;
use overheard_core::codec::sio::json;
use overheard_core::value::Value;
use overheard_core::wire::Frame;
use smol_str::SmolStr;

use super::{Peer, ok};
use crate::history::{Args, What};
use crate::plan::ConnectionState;

/// An answer: in which namespace, and to which event.
type Answered = (SmolStr, u64);

/// What was heard on the wire before the machine got it.
#[derive(Debug, Default)]
pub(super) struct Heard {
    answers: Vec<Answered>,
    strays: Vec<(SmolStr, Value)>,
}

impl Peer {
    /// Hands in messages of a WebSocket or the answer to a request, with an ear on the wire.
    pub(super) fn input_from_wire(self: &Rc<Self>, input: Input) {
        let heard = self.listen(&input);
        self.input(input);
        if !heard.answers.is_empty() || !heard.strays.is_empty() {
            self.note_heard(heard);
        }
    }

    fn listen(&self, input: &Input) -> Heard {
        let mut heard = Heard::default();
        if let Input::WsFrames { frames, .. } = input {
            for frame in frames {
                if let Frame::Text(text) = frame {
                    self.listen_to(text, &mut heard);
                }
            }
        }
        if let Input::HttpResponse { body, .. } = input {
            let text = std::str::from_utf8(body).unwrap_or_default();
            text.split(SEPARATOR).for_each(|packet| self.listen_to(packet, &mut heard));
        }
        heard
    }

    fn listen_to(&self, packet: &str, heard: &mut Heard) {
        if let Some(rest) = packet.strip_prefix("43") {
            heard.answers.extend(answer(rest));
        } else if let Some(rest) = packet.strip_prefix("42") {
            if !self.refused.get() {
                return;
            }
            let (nsp, payload) = split_namespace(rest);
            let refused = self.recorder.state(self.number, &nsp);
            if matches!(refused, Some(ConnectionState::Refused(_))) {
                let payload = payload.trim_start_matches(|digit: char| digit.is_ascii_digit());
                heard.strays.extend(json::parse(payload).map(|event| (nsp, event)));
            }
        }
    }

    fn note_heard(&self, heard: Heard) {
        for (nsp, event) in heard.strays {
            let Value::Array(event) = event else { continue };
            let mut args = event.into_iter();
            let Some(Value::String(event)) = args.next() else { continue };
            let (event, args) = (event.into(), self.recorder.share(self.number, args.collect()));
            let what = What::Received { nsp, event, args, offset: None, ack: false };
            self.recorder.received(self.number, self.name.clone(), what);
        }
        let mut state = self.state.borrow_mut();
        let mut acked = std::mem::take(&mut state.acked).into_iter();
        for answer in heard.answers {
            if let Some(op) = state.answered.get(&answer).copied() {
                self.recorder.record(self.name.clone(), ok(op, Args::default()));
            } else if let Some(op) = acked.next() {
                state.answered.insert(answer, op);
            }
        }
    }
}

fn split_namespace(text: &str) -> (SmolStr, &str) {
    match text.split_once(',') {
        Some((nsp, rest)) if nsp.starts_with('/') => (nsp.into(), rest),
        Some(_) | None => ("/".into(), text),
    }
}

fn answer(text: &str) -> Option<Answered> {
    let (nsp, rest) = split_namespace(text);
    let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    Some((nsp, rest.get(..digits)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart_by_namespace_and_number() {
        assert_eq!(answer("12[\"ok\"]"), Some(("/".into(), 12)));
        assert_eq!(answer("/a,0[]"), Some(("/a".into(), 0)));
        assert_eq!(answer("[]"), None);
    }
}
