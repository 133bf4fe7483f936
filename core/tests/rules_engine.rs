//! The rules of Engine.IO sessions: packets, WebSocket frames, the ways to close, and bounds.
#![expect(clippy::panic, reason = "a test fails by panicking")]

#[path = "support/rig.rs"]
mod rig;
mod support;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use bytes::Bytes;
use overheard_core::codec::engine::Packet;
use overheard_core::engine::{
    ConnId, EngineConfig, EngineEvent, EngineLimits, EngineQuirks, EngineStats, Input, Method,
};
use overheard_core::event::CloseReason;
use overheard_core::wire::{Frame, RequestId, WsEnd, WsId};
use proptest::prelude::*;
use rig::{Peer, Rig};
use support::complete;

/// EIO-PKT-06: packets that mean nothing on an open session are ignored; EIO-CLOSE-03: the close
/// packet among them, over WebSocket.
#[test]
fn packets_without_meaning_are_ignored() {
    let mut rig = Rig::default();
    let (ws, _) = rig.websocket();
    rig.tx(ws, ["0", r#"0{"sid":"x"}"#, "1", "1x", "5", "5x", "6", "6x", "4alive"]);
    assert_eq!(rig.log(), ["msg:alive"]);
    let peer = rig.polling();
    let body = ["0", "5", "6", "4alive"].join("\u{1e}");
    assert_eq!(rig.post(&peer.query, &body), (200, "ok".into()));
    assert_eq!(rig.log(), ["msg:alive"]);
}

/// EIO-PKT-02, EIO-PKT-03: what messages carry, in both transports and both ways of binary.
#[test]
fn messages_arrive_as_they_were_sent() {
    let mut rig = Rig::default();
    let (ws, peer) = rig.websocket();
    let binary = Frame::Binary(Bytes::from_static(&[4, 0, 255]));
    let empty = Frame::Binary(Bytes::new());
    rig.tx(ws, ["4", "4text", "bAQID", "4with\u{1e}separator"]);
    rig.feed(Input::WsFrames { ws, frames: vec![binary, empty] });
    let all =
        ["msg", "msg:text", "msg:<010203>", "msg:with\u{1e}separator", "msg:<0400ff>", "msg:<>"];
    assert_eq!(rig.log(), all, "EIO-PKT-04: the separator is data here");
    rig.send(peer.conn, "text");
    rig.send_packet(peer.conn, &Packet::binary(&[4_u8, 0, 255][..]));
    assert_eq!(rig.rx(ws), ["4text", "<0400ff>"], "EIO-WS-01");
    let peer = rig.polling();
    rig.send(peer.conn, "text");
    rig.send_packet(peer.conn, &Packet::binary(&[4_u8, 0, 255][..]));
    assert_eq!(rig.poll(&peer.query), (200, "4text\u{1e}bBAD/".into()), "EIO-PKT-04");
}

/// EIO-PKT-03: `b64=1` in the request of the WebSocket that is used.
#[test]
fn a_client_may_ask_for_binary_as_text() {
    for (query, wanted) in [("", false), ("&b64=1", true), ("&b64=", false)] {
        let expected = if wanted { "bAQID" } else { "<010203>" };
        let mut rig = Rig::default();
        let ws = rig.ws(&format!("EIO=4&transport=websocket{query}"));
        let conn = Rc::new(RefCell::new(None));
        let seen = Rc::clone(&conn);
        rig.react = Box::new(move |_, event| {
            if let EngineEvent::Open { conn } = event {
                *seen.borrow_mut() = Some(*conn);
            }
        });
        rig.rx(ws);
        let peer = rig.polling();
        let upgrade = rig.ws(&format!("{}{query}", peer.upgrade));
        rig.tx(upgrade, ["2probe", "5"]);
        rig.rx(upgrade);
        rig.send_packet(peer.conn, &Packet::binary(&[1_u8, 2, 3][..]));
        assert_eq!(rig.rx(upgrade), [expected], "{query}");
        let ws = rig.ws(&format!("EIO=4&transport=websocket{query}"));
        rig.rx(ws);
        let conn = conn.borrow().expect("a session");
        rig.send_packet(conn, &Packet::binary(&[1_u8, 2, 3][..]));
        assert_eq!(rig.rx(ws), [expected], "{query}");
    }
}

proptest! {
    /// EIO-PKT-07, EIO-WS-04: anything that is no packet ends a WebSocket session; what stood
    /// before it counts, what stood behind it does not.
    #[test]
    fn a_frame_that_is_no_packet_ends_the_session(
        invalid in prop_oneof![Just(String::new()), "[^0-6b].{0,3}".prop_map(|text| text)],
    ) {
        let mut rig = Rig::default();
        let (ws, _) = rig.websocket();
        rig.tx(ws, ["4before", &invalid, "4behind"]);
        prop_assert_eq!(rig.log(), ["msg:before", "close:parse error"]);
        prop_assert_eq!(rig.rx(ws), ["CLOSE:1005"]);
        rig.assert_baseline();
    }

    /// EIO-WS-03: the limit of a message is in bytes, inclusive, whoever counts them.
    #[test]
    fn the_limit_of_a_message_is_in_bytes_and_inclusive(
        limit in 4_usize..40,
        wide in any::<bool>(),
        binary in any::<bool>(),
        over in 0_usize..3,
    ) {
        let config = EngineConfig { max_http_buffer_size: limit, ..EngineConfig::default() };
        let mut rig = Rig::new(config);
        let (ws, _) = rig.websocket();
        let mut text = String::from(if wide { "4é" } else { "4" });
        while text.len() < limit + over {
            text.push('x');
        }
        let frame = if binary { Frame::Binary(text.into()) } else { Frame::text(text) };
        rig.feed(Input::WsFrames { ws, frames: vec![frame] });
        if over == 0 {
            prop_assert!(rig.log()[0].starts_with("msg:") && rig.rx(ws).is_empty());
        } else {
            prop_assert_eq!(rig.log(), [TOO_LARGE]);
            prop_assert_eq!(rig.rx(ws), ["CLOSE:1009"]);
            rig.assert_baseline();
        }
    }

    /// EIO-WS-02: frames leave in order, and none while those before are on their way; the
    /// transport is writable when all were flushed.
    #[test]
    fn frames_leave_in_order_one_flush_at_a_time(
        steps in prop::collection::vec(any::<bool>(), 0..40),
    ) {
        let mut rig = Rig::default();
        rig.hold_flush = true;
        let ws = rig.ws("EIO=4&transport=websocket");
        rig.feed(Input::WsFlushed(ws));
        let conn = opened(&mut rig);
        let (mut sent, mut got, mut busy) = (Vec::new(), Vec::new(), false);
        rig.rx(ws);
        for (index, is_send) in steps.into_iter().enumerate() {
            prop_assert_eq!(rig.engine.is_writable(conn), !busy);
            if is_send {
                rig.send(conn, &index.to_string());
                sent.push(format!("4{index}"));
                let now = rig.rx(ws);
                prop_assert_eq!(now.is_empty(), busy, "frames leave when the transport is free");
                got.extend(now);
                busy = true;
            } else {
                rig.feed(Input::WsFlushed(ws));
                let now = rig.rx(ws);
                busy = !now.is_empty();
                got.extend(now);
                prop_assert_eq!(&got, &sent, "one flush takes all that waits");
            }
        }
        rig.feed(Input::WsFlushed(ws));
        got.extend(rig.rx(ws));
        prop_assert_eq!(got, sent);
    }
}

/// EIO-WS-03: the host may find the size out by itself.
#[test]
fn an_oversize_message_found_by_the_host_ends_the_session() {
    let mut rig = Rig::default();
    let (ws, _) = rig.websocket();
    rig.end(ws, WsEnd::TooLarge);
    assert_eq!(rig.log(), [TOO_LARGE]);
    assert_eq!(rig.rx(ws), ["CLOSE:1009"]);
    rig.assert_baseline();
}

/// EIO-WS-05, EIO-CLOSE-05.
#[test]
fn the_end_of_a_websocket_names_its_cause() {
    for (end, reason) in [
        (WsEnd::Closed, "close:transport close"),
        (WsEnd::ProtocolError("bad opcode".into()), "close:transport error:bad opcode"),
    ] {
        let mut rig = Rig::default();
        let (ws, peer) = rig.websocket();
        rig.hold_flush = true;
        rig.send(peer.conn, "on its way");
        rig.send(peer.conn, "waits");
        rig.end(ws, end.clone());
        assert_eq!(rig.log(), [reason]);
        rig.rx(ws);
        rig.end(ws, end);
        rig.tx(ws, ["4late"]);
        rig.feed(Input::WsFlushed(ws));
        assert_eq!(rig.log(), [""; 0], "EIO-CLOSE-06: once");
        assert!(rig.rx(ws).is_empty(), "a WebSocket that ended is not closed again");
        rig.assert_baseline();
    }
}

/// What makes a server close, and the reason it tells.
type Cause = (&'static str, fn(&mut Rig, WsId, &Peer));

/// EIO-WS-04: a close frame without status, whatever makes the server close.
#[test]
fn the_server_closes_websockets_without_a_status() {
    let causes: [Cause; 5] = [
        ("forced close", |rig, _, peer| rig.close(peer.conn)),
        ("forced close", |rig, _, _| rig.close_all()),
        ("parse error", |rig, ws, _| rig.tx(ws, ["x"])),
        ("transport error:invalid heartbeat direction", |rig, ws, _| rig.tx(ws, ["2"])),
        ("ping timeout", |rig, _, _| rig.advance(45_000)),
    ];
    for (reason, cause) in causes {
        let mut rig = Rig::default();
        let (ws, peer) = rig.websocket();
        cause(&mut rig, ws, &peer);
        assert_eq!(rig.rx(ws).last().map(String::as_str), Some("CLOSE:1005"), "{reason}");
        assert_eq!(rig.log(), [format!("close:{reason}")]);
        rig.assert_baseline();
    }
}

/// EIO-CLOSE-01, EIO-CLOSE-07: what is queued leaves first, whether it was announced to the host
/// or waits for the transport; what comes later is dropped, both ways.
#[test]
fn a_graceful_close_flushes_what_is_queued() {
    for burst in 0..4 {
        for busy in [false, true] {
            let mut rig = Rig::default();
            let (ws, peer) = rig.websocket();
            rig.hold_flush = busy;
            let mut expected = Vec::new();
            if busy {
                rig.send(peer.conn, "first");
                expected.push("4first".to_owned());
            }
            for index in 0..burst {
                rig.engine.send_message(peer.conn, &Packet::message(index.to_string()));
                expected.push(format!("4{index}"));
            }
            rig.engine.close(peer.conn);
            assert!(!rig.engine.is_open(peer.conn), "EIO-CLOSE-01: closing");
            rig.engine.send_message(peer.conn, &Packet::message("late"));
            rig.tx(ws, ["4late"]);
            rig.hold_flush = false;
            rig.run();
            expected.push("CLOSE:1005".into());
            assert_eq!(rig.rx(ws), expected, "burst of {burst}, busy: {busy}");
            assert_eq!(rig.log(), ["close:forced close"]);
            rig.assert_baseline();
        }
    }
}

/// EIO-CLOSE-02: without a GET the close packet waits for one, behind what is buffered; what is
/// posted meanwhile is answered `ok` and ignored.
#[test]
fn a_polling_close_waits_for_a_get() {
    for buffered in [false, true] {
        let mut rig = Rig::default();
        let peer = rig.polling();
        if buffered {
            rig.send(peer.conn, "a");
            rig.send(peer.conn, "b");
        }
        rig.close(peer.conn);
        rig.close(peer.conn);
        rig.send(peer.conn, "late");
        assert_eq!(rig.post(&peer.query, "4ignored\u{1e}x\u{1e}2"), (200, "ok".into()));
        if buffered {
            assert_eq!(rig.poll(&peer.query), (200, "4a\u{1e}4b".into()), "EIO-CLOSE-01");
            assert_eq!(rig.post(&peer.query, "4ignored"), (200, "ok".into()));
        }
        rig.advance(29_999);
        assert_eq!(rig.log(), [""; 0]);
        assert_eq!(rig.poll(&peer.query), (200, "6\u{1e}1".into()));
        assert_eq!(rig.log(), ["close:forced close"]);
        rig.assert_baseline();
    }
}

/// EIO-CLOSE-02: 30 s without a GET are the end; a pending GET gets the close packet at once.
#[test]
fn a_polling_close_ends_without_a_get_too() {
    let mut rig = Rig::default();
    let peer = rig.polling();
    rig.close(peer.conn);
    rig.advance(29_999);
    assert_eq!(rig.log(), [""; 0]);
    rig.advance(1);
    assert_eq!(rig.log(), ["close:forced close"]);
    rig.assert_baseline();

    let peer = rig.polling();
    let get = rig.get(&peer.query);
    rig.close(peer.conn);
    assert_eq!(rig.answer(get), Some((200, "1".into())));
    assert_eq!(rig.log(), ["close:forced close"]);
    rig.assert_baseline();
}

/// EIO-CLOSE-03: a client's close packet over polling; also while the server is closing.
#[test]
fn a_posted_close_packet_ends_the_session() {
    for closing in [false, true] {
        let mut rig = Rig::default();
        let peer = rig.polling();
        let get = (!closing).then(|| rig.get(&peer.query));
        if closing {
            rig.close(peer.conn);
        }
        let body = "4before\u{1e}1\u{1e}4behind";
        assert_eq!(rig.post(&peer.query, body), (200, "ok".into()));
        let log = rig.log();
        assert_eq!(log[usize::from(!closing)..], ["close:transport close"]);
        if let Some(get) = get {
            assert_eq!(log[0], "msg:before");
            assert_eq!(rig.answer(get), Some((200, "6".into())));
        }
        rig.assert_baseline();
    }
}

/// EIO-CLOSE-04: the end of the server drops what polling sessions have buffered.
#[test]
fn the_end_of_the_server_drops_what_is_buffered() {
    let mut rig = Rig::default();
    let buffered = rig.polling();
    rig.send(buffered.conn, "dropped");
    let pending = rig.polling();
    let get = rig.get(&pending.query);
    let (ws, _) = rig.websocket();
    rig.close_all();
    assert_eq!(rig.log(), ["close:forced close"; 3]);
    assert_eq!(rig.answer(get), Some((200, "1".into())));
    assert_eq!(rig.rx(ws), ["CLOSE:1005"]);
    assert_eq!(rig.poll(&buffered.query).0, 400, "EIO-ERR-07");
    rig.assert_baseline();
}

/// EIO-CLOSE-05: the words of the reference.
#[test]
fn close_reasons_are_those_of_the_reference() {
    let reasons = [
        (CloseReason::PingTimeout, "ping timeout"),
        (CloseReason::ParseError, "parse error"),
        (CloseReason::TransportError("why".into()), "transport error"),
        (CloseReason::TransportClose, "transport close"),
        (CloseReason::ForcedClose, "forced close"),
    ];
    for (reason, text) in reasons {
        assert_eq!(reason.as_str(), text);
        assert_eq!(reason.to_string(), text);
    }
}

/// BC-ORD-04: a client that does not read cannot make the server hold more than the limit; a
/// single packet may be larger, or it could never be sent.
#[test]
fn a_client_that_does_not_read_is_cut_at_the_limit() {
    let limits = EngineLimits { buffered_bytes: 10, ..EngineLimits::default() };
    let config = EngineConfig { limits, ..EngineConfig::default() };
    let full = "close:transport error:write buffer is full";
    let mut rig = Rig::new(config);
    let peer = rig.polling();
    rig.send(peer.conn, "larger than the limit");
    assert_eq!(rig.poll(&peer.query).0, 200);
    rig.send(peer.conn, "aaaa");
    rig.send(peer.conn, "aaaa");
    assert_eq!(rig.log(), [""; 0], "exactly the limit");
    rig.send(peer.conn, "");
    assert_eq!(rig.log(), [full]);
    rig.assert_baseline();

    let (ws, peer) = rig.websocket();
    rig.hold_flush = true;
    for text in ["aaaa", "aaaa"] {
        rig.send(peer.conn, text);
    }
    assert_eq!(rig.log(), [""; 0], "exactly the limit, of which half is on its way");
    rig.feed(Input::WsFlushed(ws));
    rig.send(peer.conn, "bbbb");
    assert_eq!(rig.log(), [""; 0], "what has left does not count");
    rig.send(peer.conn, "");
    assert_eq!(rig.log(), [full]);
    assert_eq!(rig.rx(ws), ["4aaaa", "4aaaa", "CLOSE:1005"]);
    rig.assert_baseline();
}

/// One step of a client, the server or the host that may do anything at all.
#[derive(Clone, Debug)]
enum Chaos {
    OpenPolling,
    OpenWebSocket,
    Get,
    StartPost,
    Body(&'static str),
    TooLarge,
    Abort(usize),
    Candidate,
    Frame(usize, &'static str),
    End(usize, WsEnd),
    Flush(usize),
    HoldFlush(bool),
    Send,
    Close,
    Wait(u64),
}

fn chaos() -> impl Strategy<Value = Chaos> {
    let packets =
        ["4a", "4", "2", "2probe", "3", "5", "6", "1", "x", "", "bAQ", "4a\u{1e}1", "4a\u{1e}x"];
    let packet = || prop::sample::select(packets.to_vec());
    let ends = vec![WsEnd::Closed, WsEnd::TooLarge, WsEnd::ProtocolError("x".into())];
    let likely = || prop::sample::select(vec!["2probe", "5", "3", "4a"]);
    prop_oneof![
        1 => Just(Chaos::OpenPolling),
        1 => Just(Chaos::OpenWebSocket),
        4 => Just(Chaos::Get),
        4 => Just(Chaos::StartPost),
        4 => packet().prop_map(Chaos::Body),
        1 => Just(Chaos::TooLarge),
        1 => (0_usize..40).prop_map(Chaos::Abort),
        2 => Just(Chaos::Candidate),
        2 => (0_usize..6, packet()).prop_map(|(ws, packet)| Chaos::Frame(ws, packet)),
        6 => (0_usize..6, likely()).prop_map(|(ws, packet)| Chaos::Frame(ws, packet)),
        1 => (0_usize..6, prop::sample::select(ends)).prop_map(|(ws, end)| Chaos::End(ws, end)),
        2 => (0_usize..6).prop_map(Chaos::Flush),
        1 => any::<bool>().prop_map(Chaos::HoldFlush),
        4 => Just(Chaos::Send),
        1 => Just(Chaos::Close),
        3 => prop_oneof![0_u64..200, 0_u64..31_000].prop_map(Chaos::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// EIO-CLOSE-06, EIO-POLL-01, EIO-POLL-02 under anything that clients and hosts may do:
    /// each session opens once and closes once, and nothing comes of it before or after; each
    /// request is answered, cut or given up, exactly once; at the end nothing is left.
    #[test]
    fn every_session_and_request_ends_once(
        steps in prop::collection::vec(chaos(), 1..80),
        reference in any::<bool>(),
    ) {
        let quirks =
            if reference { EngineQuirks::reference() } else { EngineQuirks::default() };
        let mut rig = Rig::new(EngineConfig { quirks, ..EngineConfig::default() });
        let open: Rc<RefCell<BTreeMap<ConnId, bool>>> = Rc::default();
        let seen = Rc::clone(&open);
        rig.react = Box::new(move |_, event| check_life(&mut seen.borrow_mut(), event));
        let mut clients = Clients { peer: rig.polling(), posts: Vec::new(), aborted: BTreeSet::new() };
        for step in steps {
            clients.step(&mut rig, step);
            prop_assert_eq!(
                rig.engine.stats().sessions,
                open.borrow().values().filter(|open| **open).count()
            );
        }
        rig.close_all();
        rig.hold_flush = false;
        rig.run();
        prop_assert!(open.borrow().values().all(|open| !open), "EIO-CLOSE-06");
        rig.assert_baseline();
        for request in (0..rig.wire.next_request).map(RequestId) {
            let settled = rig.settled.contains(&request);
            prop_assert_eq!(settled, !clients.aborted.contains(&request), "{:?}", request);
        }
        for ws in (0..rig.wire.next_ws).map(WsId) {
            let closes = rig.rx(ws).iter().filter(|got| got.starts_with("CLOSE")).count();
            prop_assert!(closes <= 1, "{ws:?} is closed {closes} times");
        }
    }
}

/// The clients of the chaos: the last one that opened a session acts.
struct Clients {
    peer: Peer,
    posts: Vec<RequestId>,
    aborted: BTreeSet<RequestId>,
}

impl Clients {
    fn step(&mut self, rig: &mut Rig, step: Chaos) {
        match step {
            Chaos::OpenPolling => self.peer = rig.polling(),
            Chaos::OpenWebSocket => {
                let hold = std::mem::replace(&mut rig.hold_flush, false);
                self.peer = rig.websocket().1;
                rig.hold_flush = hold;
            }
            Chaos::Get => {
                rig.get(&self.peer.query);
            }
            Chaos::StartPost => {
                let post = rig.start(Method::Post, &self.peer.query, &[]);
                self.posts.push(post);
            }
            Chaos::Body(text) => {
                if let Some(post) = self.posts.pop() {
                    rig.feed(complete(post, text));
                }
            }
            Chaos::TooLarge => {
                if let Some(post) = self.posts.pop() {
                    rig.feed(rig::too_large(post));
                }
            }
            Chaos::Abort(back) => {
                let request = RequestId(rig.wire.next_request.saturating_sub(back as u64 + 1));
                if !rig.settled.contains(&request) {
                    self.aborted.insert(request);
                }
                rig.feed(Input::RequestAborted(request));
            }
            Chaos::Candidate => {
                rig.ws(&self.peer.upgrade);
            }
            Chaos::Frame(back, text) => rig.tx(recent(rig, back), [text]),
            Chaos::End(back, end) => {
                let ws = recent(rig, back);
                if rig.wire.inboxes.contains_key(&ws) {
                    rig.end(ws, end);
                }
            }
            Chaos::Flush(back) => rig.feed(Input::WsFlushed(recent(rig, back))),
            Chaos::HoldFlush(hold) => rig.hold_flush = hold,
            Chaos::Send => rig.send(self.peer.conn, "down"),
            Chaos::Close => rig.close(self.peer.conn),
            Chaos::Wait(ms) => rig.advance(ms),
        }
    }
}

/// Of the last WebSockets, that many back.
fn recent(rig: &Rig, back: usize) -> WsId {
    WsId(rig.wire.next_ws.wrapping_sub(back as u64 + 1))
}

/// EIO-CLOSE-06: events of a session come between its opening and its close.
fn check_life(open: &mut BTreeMap<ConnId, bool>, event: &EngineEvent) {
    match event {
        EngineEvent::Open { conn } => {
            assert!(open.insert(*conn, true).is_none(), "opened twice");
        }
        EngineEvent::Close { conn, .. } => {
            assert_eq!(open.insert(*conn, false), Some(true), "closed, but not open");
        }
        EngineEvent::Message { conn, .. }
        | EngineEvent::Heartbeat { conn }
        | EngineEvent::Upgrading { conn }
        | EngineEvent::Upgraded { conn } => {
            assert_eq!(open.get(conn), Some(&true), "{event:?} of a session that is not open");
        }
        EngineEvent::ConnectionError { .. } => {}
        EngineEvent::CheckRequest { .. } | EngineEvent::ChooseId { .. } => {
            panic!("not asked for: {event:?}")
        }
    }
}

/// The baseline is nothing, also when frames are shared or wait in several places.
#[test]
fn nothing_is_left_of_frames_that_were_never_read() {
    let mut rig = Rig::default();
    let (ws, first) = rig.websocket();
    let second = rig.polling();
    let candidate = rig.ws(&second.upgrade);
    rig.hold_flush = true;
    rig.tx(candidate, ["2probe"]);
    for conn in [first.conn, second.conn] {
        for text in ["a", "b", "c"] {
            rig.send(conn, text);
        }
    }
    let held = rig.engine.stats();
    assert_eq!((held.sessions, held.websockets, held.frames), (2, 2, 5));
    rig.end(ws, WsEnd::Closed);
    rig.end(candidate, WsEnd::Closed);
    rig.advance(45_000);
    assert_eq!(rig.engine.stats(), EngineStats::default());
    rig.assert_baseline();
}

/// The session that the first event opened.
fn opened(rig: &mut Rig) -> ConnId {
    rig.last.expect("a session")
}

/// EIO-WS-03.
const TOO_LARGE: &str = "close:transport error:RangeError: Max payload size exceeded";
