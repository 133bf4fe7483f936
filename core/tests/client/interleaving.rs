//! Nothing is lost, repeated or reordered, whatever the timing of polling and of the upgrade.

use std::collections::VecDeque;

use overheard_core::client::{ClientConfig, Input, SocketHandle, SocketOptions, Transport};
use overheard_core::wire::{Frame, RequestId, WsEnd, WsId};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::driver::{HANDSHAKE, HANDSHAKE_UPGRADE, Rig, ms};

/// A server that is slow in every way: each step moves one thing on.
struct SlowServer {
    rig: Rig,
    socket: SocketHandle,
    /// Packets for the client.
    outgoing: VecDeque<String>,
    /// Events of the client, in the order of their arrival.
    received: Vec<String>,
    sent_by_client: u32,
    sent_by_server: u32,
    probed: bool,
    upgraded: bool,
}

#[derive(Clone, Copy, Debug)]
enum Move {
    ClientEmits,
    ServerEmits,
    AnswersPost,
    AnswersGet,
    OpensWs,
    ReadsWs,
    WritesWs,
    Flushes,
}

impl SlowServer {
    fn new(config: ClientConfig, handshake: &str) -> Self {
        let polling = config.transports[0] == Transport::Polling;
        let mut rig = Rig::new(config);
        let socket = rig.socket("/");
        rig.auto_flush = false;
        rig.connect(socket);
        if polling {
            rig.answer_get(handshake);
        } else {
            rig.ws_handshake(handshake);
        }
        Self {
            rig,
            socket,
            outgoing: VecDeque::new(),
            received: Vec::new(),
            sent_by_client: 0,
            sent_by_server: 0,
            probed: false,
            upgraded: !polling,
        }
    }

    fn on_packet(&mut self, packet: &str) {
        match packet {
            "40" => self.outgoing.push_front("40{\"sid\":\"s\"}".to_owned()),
            "2probe" => self.probed = true,
            "5" => self.upgraded = true,
            event => self.received.push(event.to_owned()),
        }
    }

    fn open_ws(&self) -> Option<WsId> {
        self.rig.websockets.iter().find(|(_, ws)| ws.opened).map(|(id, _)| *id)
    }

    fn payload(&mut self) -> String {
        let noop = self.outgoing.is_empty().then(|| "6".to_owned());
        let packets: Vec<_> = self.outgoing.drain(..).chain(noop).collect();
        packets.join("|")
    }

    fn step(&mut self, step: Move) {
        match step {
            Move::ClientEmits => {
                self.rig.emit(self.socket, &self.sent_by_client.to_string());
                self.sent_by_client += 1;
            }
            Move::ServerEmits => {
                self.outgoing.push_back(format!("42[\"{}\"]", self.sent_by_server));
                self.sent_by_server += 1;
            }
            Move::AnswersPost => {
                if self.rig.pending(true).is_some() {
                    let body = self.rig.answer_post();
                    for packet in body.split('\u{1e}') {
                        self.on_packet(packet);
                    }
                }
            }
            Move::AnswersGet => {
                // The handshake's successor; a real server holds it until it has something, or
                // frees it with a noop during an upgrade.
                let get: Option<RequestId> = self.rig.pending(false);
                if get.is_some() && (self.probed || !self.outgoing.is_empty()) {
                    let payload = self.payload();
                    self.rig.answer_get(&payload);
                }
            }
            Move::OpensWs => {
                if self.rig.websockets.values().any(|ws| !ws.opened) {
                    self.rig.ws_open();
                }
            }
            Move::ReadsWs => {
                let Some(ws) = self.open_ws() else { return };
                let frame = self.rig.websockets.get_mut(&ws).unwrap().sent.pop_front();
                if let Some(Frame::Text(text)) = frame {
                    self.on_packet(&text);
                    if text == "2probe" {
                        self.rig.input(Input::WsFrames { ws, frames: vec![Frame::text("3probe")] });
                    }
                }
            }
            Move::WritesWs => {
                let Some(ws) = self.open_ws().filter(|_| self.upgraded) else { return };
                let frames: Vec<_> = self.outgoing.drain(..).map(Frame::text).collect();
                self.rig.input(Input::WsFrames { ws, frames });
            }
            Move::Flushes => {
                if self.rig.websockets.values().any(|ws| ws.unflushed > 0) {
                    self.rig.ws_flush();
                }
            }
        }
    }

    /// Moves everything on until nothing moves.
    fn settle(&mut self) {
        let all = [
            Move::AnswersPost,
            Move::AnswersGet,
            Move::OpensWs,
            Move::ReadsWs,
            Move::WritesWs,
            Move::Flushes,
        ];
        for _ in 0..200 {
            for step in all {
                self.step(step);
            }
        }
    }
}

fn moves() -> impl Strategy<Value = Move> {
    prop::sample::select(
        &[
            Move::ClientEmits,
            Move::ServerEmits,
            Move::AnswersPost,
            Move::AnswersGet,
            Move::OpensWs,
            Move::ReadsWs,
            Move::WritesWs,
            Move::Flushes,
        ][..],
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// EIO-UP-03, SIO-ORD-01, I20, CLI-01: both directions, exactly once and in order.
    #[test]
    fn no_loss_and_no_reordering(
        steps in vec(moves(), 0..120),
        which in 0..3_usize,
        max_payload in prop::sample::select(&[10_u32, 30, 1_000_000][..]),
    ) {
        let transports = [
            vec![Transport::Polling, Transport::WebSocket],
            vec![Transport::Polling],
            vec![Transport::WebSocket],
        ][which].clone();
        let handshake = if which == 0 { HANDSHAKE_UPGRADE } else { HANDSHAKE };
        let handshake = handshake.replace("1000000", &max_payload.to_string());
        let mut server = SlowServer::new(ClientConfig { transports, ..Default::default() }, &handshake);
        for step in steps {
            server.step(step);
        }
        server.settle();
        let expect: Vec<_> = (0..server.sent_by_client).map(|n| format!("42[\"{n}\"]")).collect();
        prop_assert_eq!(&server.received, &expect, "SIO-ORD-01: to the server");
        let events = server.rig.take_events();
        let heard: Vec<_> = events.iter().filter(|event| event.ends_with(" []")).collect();
        let expect: Vec<_> = (0..server.sent_by_server).map(|n| format!("/ {n} []")).collect();
        prop_assert_eq!(heard, expect.iter().collect::<Vec<_>>(), "SIO-ORD-01: to the client");
        if which == 0 {
            prop_assert!(server.upgraded && events.iter().any(|event| event == "upgraded"));
            prop_assert!(server.rig.requests.is_empty(), "EIO-UP-09: no request is left");
        }
    }
}

/// One thing that happens to a client whose connection is bad.
#[derive(Clone, Copy, Debug)]
enum Blow {
    Emit,
    /// The server reads one frame, and answers it or not.
    Read(bool),
    /// What is on its way is lost with the connection.
    Cut,
    Wait(u16),
}

/// A server behind a bad connection: it opens each, and remembers what it read of all of them.
struct Patient {
    rig: Rig,
    socket: SocketHandle,
    received: Vec<u32>,
    emitted: u32,
}

impl Patient {
    fn new(retries: u32) -> Self {
        let mut rig = Rig::new(crate::driver::ws_only());
        let ack_timeout = (retries > 0).then(|| ms(400));
        let options = SocketOptions { retries, ack_timeout, auth: None };
        let socket = rig.socket_with("/", options);
        rig.connect(socket);
        Self { rig, socket, received: Vec::new(), emitted: 0 }
    }

    fn step(&mut self, blow: Blow) {
        match blow {
            Blow::Emit => {
                self.rig.emit(self.socket, &self.emitted.to_string());
                self.emitted += 1;
            }
            Blow::Read(answers) => self.read(answers),
            Blow::Cut if self.rig.websockets.is_empty() => {}
            Blow::Cut => self.rig.ws_end(WsEnd::Closed),
            Blow::Wait(millis) => self.rig.advance(ms(millis.into())),
        }
    }

    fn read(&mut self, answers: bool) {
        let Some(ws) = self.rig.websockets.values_mut().next() else { return };
        if !ws.opened {
            return self.rig.ws_handshake(HANDSHAKE);
        }
        let Some(Frame::Text(text)) = ws.sent.pop_front() else { return };
        if text == "40" {
            return self.rig.ws_text("40{\"sid\":\"s\"}");
        }
        let (id, name) = text[2..].split_once("[\"").unwrap();
        self.received.push(name.trim_end_matches("\"]").parse().unwrap());
        if answers && !id.is_empty() {
            self.rig.ws_text(&format!("43{id}[]"));
        }
    }
}

fn blows() -> impl Strategy<Value = Blow> {
    prop_oneof![
        4 => Just(Blow::Emit),
        6 => Just(Blow::Read(true)),
        3 => Just(Blow::Read(false)),
        1 => Just(Blow::Cut),
        2 => (0..3000_u16).prop_map(Blow::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// CLI-06: with retries without end, each event arrives at least once, and for the first time
    /// in order, whatever happens to the connection.
    #[test]
    fn retries_lose_nothing(blows in vec(blows(), 0..120)) {
        let mut server = Patient::new(u32::MAX);
        for blow in blows {
            server.step(blow);
        }
        for _ in 0..4 * server.emitted + 60 {
            server.step(Blow::Wait(100));
            server.step(Blow::Read(true));
        }
        prop_assert_eq!(server.rig.client.unsent(server.socket), 0, "CLI-06");
        let mut first = Vec::new();
        for event in server.received {
            if !first.contains(&event) {
                first.push(event);
            }
        }
        prop_assert_eq!(first, (0..server.emitted).collect::<Vec<_>>(), "CLI-06");
    }

    /// DG-02, DG-06, CLI-01: without retries each event arrives at most once and in order, and
    /// what was emitted without a connection is not lost.
    #[test]
    fn plain_emits_arrive_at_most_once(blows in vec(blows(), 0..120)) {
        let mut server = Patient::new(0);
        for blow in blows {
            server.step(blow);
        }
        server.step(Blow::Cut);
        let lost_at_most = server.emitted;
        for _ in 0..3 {
            server.step(Blow::Emit);
        }
        for _ in 0..4 * server.emitted + 100 {
            server.step(Blow::Wait(100));
            server.step(Blow::Read(true));
        }
        prop_assert!(server.received.is_sorted_by(|a, b| a < b), "DG-02: {:?}", server.received);
        let last: Vec<_> =
            server.received.iter().copied().filter(|event| *event >= lost_at_most).collect();
        prop_assert_eq!(last, (lost_at_most..server.emitted).collect::<Vec<_>>(), "CLI-01");
    }
}
