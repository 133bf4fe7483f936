//! A raw client over polling or WebSocket: the same verbs for both, one packet per line.
#![allow(
    dead_code,
    clippy::panic,
    reason = "each test binary uses a part of it, and fails by panicking"
)]

use overheard_core::engine::{Input, Method};
use overheard_core::wire::{RequestId, WsId};

use crate::support::vectors::hex;
use crate::support::world::World;

/// What carries a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    Polling,
    WebSocket,
}

#[derive(Clone, Debug)]
enum Wire {
    /// The query of its requests, and the GET that waits.
    Polling(String, Option<RequestId>),
    WebSocket(WsId),
}

/// A client that opened a session.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    wire: Wire,
    /// The server has ended the session.
    pub(crate) is_closed: bool,
}

impl Raw {
    /// Opens a session.
    pub(crate) fn open(world: &mut World, carrier: Carrier) -> Self {
        let wire = match carrier {
            Carrier::Polling => Wire::Polling(world.open_polling(), None),
            Carrier::WebSocket => Wire::WebSocket(world.open()),
        };
        Self { wire, is_closed: false }
    }

    /// Sends text packets that arrive together.
    pub(crate) fn send(&mut self, world: &mut World, packets: &[&str]) {
        match &self.wire {
            Wire::WebSocket(ws) => world.tx(*ws, packets.iter().copied()),
            Wire::Polling(query, _) => {
                let query = query.clone();
                world.http(Method::Post, &query, &packets.join("\u{1e}"));
            }
        }
    }

    /// Messages that came since the last look, without the `4`: text as it is, binary as `<hex>`.
    /// Pings are answered. Afterwards the transport is writable: a GET waits.
    pub(crate) fn receive(&mut self, world: &mut World) -> Vec<String> {
        let mut messages = Vec::new();
        loop {
            let packets = self.packets(world);
            if packets.is_empty() {
                return messages;
            }
            for packet in packets {
                match packet.chars().next() {
                    Some('4') => messages.push(packet[1..].to_owned()),
                    Some('<') => messages.push(packet),
                    Some('2') => self.send(world, &["3"]),
                    Some('0' | '6') => {}
                    _ => self.is_closed = true,
                }
            }
        }
    }

    fn packets(&mut self, world: &mut World) -> Vec<String> {
        match &mut self.wire {
            Wire::WebSocket(ws) => world.rx(*ws),
            Wire::Polling(..) if self.is_closed => Vec::new(),
            Wire::Polling(query, get) => {
                let request = get.unwrap_or_else(|| world.http(Method::Get, query, ""));
                *get = Some(request);
                let Some((status, body)) = world.answer(request) else { return Vec::new() };
                *get = None;
                assert_eq!(status, 200, "{body}");
                body.split('\u{1e}').map(plain).collect()
            }
        }
    }

    /// The GET that waits.
    pub(crate) const fn waiting(&self) -> Option<RequestId> {
        match &self.wire {
            Wire::Polling(_, get) => *get,
            Wire::WebSocket(_) => None,
        }
    }

    /// The query of its requests, unless it is a WebSocket.
    pub(crate) fn query(&self) -> Option<&str> {
        match &self.wire {
            Wire::Polling(query, _) => Some(query),
            Wire::WebSocket(_) => None,
        }
    }

    pub(crate) const fn websocket(&self) -> Option<WsId> {
        match &self.wire {
            Wire::Polling(..) => None,
            Wire::WebSocket(ws) => Some(*ws),
        }
    }

    /// The network takes the session away.
    pub(crate) fn cut(&mut self, world: &mut World) {
        match &mut self.wire {
            Wire::WebSocket(ws) => world.cut(*ws),
            Wire::Polling(query, get) => match get.take() {
                Some(request) => world.feed(Input::RequestAborted(request)),
                None => {
                    let query = query.clone();
                    world.http(Method::Post, &query, "1");
                }
            },
        }
        self.is_closed = true;
    }
}

/// A packet of a payload as it would be on a WebSocket.
fn plain(packet: &str) -> String {
    let Some(base64) = packet.strip_prefix('b') else { return packet.to_owned() };
    let text = format!("b{base64}").into();
    let decoded = overheard_core::codec::engine::Packet::decode_text(&text);
    match decoded.map(|packet| packet.data) {
        Ok(overheard_core::codec::engine::Data::Binary(data)) => format!("<{}>", hex(&data)),
        other => panic!("no base64 in {packet}: {other:?}"),
    }
}
