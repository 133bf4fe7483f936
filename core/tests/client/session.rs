//! Polling and WebSocket sessions: requests, batches, heartbeats.

use overheard_core::client::{ClientConfig, TimerKind, Transport};
use overheard_core::value::Value;
use overheard_core::wire::{Frame, WsEnd};

use crate::driver::{HANDSHAKE, Rig, ms, polling_only, ws_only};

/// EIO-HS-01, EIO-POLL-03: a GET without sid, then one GET and one POST side by side.
#[test]
fn polling_opens_with_a_get_and_connects_with_a_post() {
    let mut rig = Rig::new(polling_only());
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.expect_wire(&["GET EIO=4&transport=polling"]);
    rig.answer_get(HANDSHAKE);
    rig.expect_wire(&["POST 40", "GET EIO=4&transport=polling&sid=E"]);
    rig.answer_get("40{\"sid\":\"s1\"}");
    rig.answer_post();
    rig.expect_events(&["open", "/ connect s1"]);
    rig.answer_get("42[\"a\",1]|42[\"b\"]");
    rig.expect_events(&["/ a [1]", "/ b []"]);
    rig.expect_wire(&["GET EIO=4&transport=polling&sid=E"; 2]);
}

#[test]
fn application_query_stands_before_the_protocol() {
    let query = vec![("tok en".to_owned(), "a&b".to_owned())];
    let config = ClientConfig { query, timestamp_requests: true, ..polling_only() };
    let mut rig = Rig::new(config);
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.expect_wire(&["GET tok+en=a%26b&EIO=4&transport=polling&t=00000000"]);
}

/// EIO-POLL-02: what is emitted while a POST is in flight waits for its answer, in order.
#[test]
fn emits_during_a_post_wait_and_are_batched() {
    let mut rig = connected_by_polling(1_000_000);
    let socket = rig.socket("/");
    for name in ["a", "b", "c"] {
        rig.emit(socket, name);
    }
    rig.expect_wire(&["POST 42[\"a\"]"]);
    rig.answer_post();
    rig.expect_wire(&["POST 42[\"b\"]|42[\"c\"]"]);
    rig.answer_post();
    rig.expect_wire(&[]);
}

/// EIO-POLL-12: a body of several packets has at most maxPayload bytes; one packet is never split.
#[test]
fn batches_respect_max_payload() {
    for max in [1, 12, 13, 14, 20, 27, 28, 100] {
        let mut rig = connected_by_polling(max);
        let socket = rig.socket("/");
        let names = ["é", "bb", "cc", "dddddddddddddddddddddd", "e", "f"];
        for name in names {
            rig.emit(socket, name);
        }
        let mut received = Vec::new();
        while rig.pending(true).is_some() {
            let body = rig.answer_post();
            let packets: Vec<_> = body.split('\u{1e}').map(str::to_owned).collect();
            let fits = body.len() <= usize::try_from(max).unwrap();
            assert!(fits || packets.len() == 1, "EIO-POLL-12: {max} bytes, {body:?}");
            received.extend(packets);
        }
        assert_eq!(received, names.map(|name| format!("42[{name:?}]")), "EIO-POLL-12, {max}");
    }
}

/// A server that announces no limit has none.
#[test]
fn max_payload_zero_is_no_limit() {
    let mut rig = connected_by_polling(0);
    let socket = rig.socket("/");
    for name in ["a", "b", "c"] {
        rig.emit(socket, name);
    }
    rig.answer_post();
    assert_eq!(rig.answer_post(), "42[\"b\"]\u{1e}42[\"c\"]");
}

/// SIO-ORD-02, EIO-PKT-03: a binary event and its attachment are contiguous on both transports.
#[test]
fn attachments_follow_their_event() {
    let emit = |rig: &mut Rig| {
        let socket = rig.socket("/");
        let bytes = Value::from(bytes::Bytes::from_static(&[1, 2, 3]));
        for name in ["a", "b"] {
            let emit = overheard_core::client::Emit::new(name, vec![bytes.clone()]);
            rig.command(overheard_core::client::Command::Emit { socket, emit });
        }
    };
    let mut rig = connected_by_polling(1_000_000);
    emit(&mut rig);
    let placeholder = "{\"_placeholder\":true,\"num\":0}";
    let first = format!("451-[\"a\",{placeholder}]");
    assert_eq!(rig.answer_post(), first);
    let second = format!("bAQID\u{1e}451-[\"b\",{placeholder}]\u{1e}bAQID");
    assert_eq!(rig.answer_post(), second);

    let (mut rig, _) = Rig::connected(overheard_core::client::SocketOptions::default());
    emit(&mut rig);
    let second = format!("451-[\"b\",{placeholder}]");
    rig.expect_wire(&[&first, "b\"\\x01\\x02\\x03\"", &second, "b\"\\x01\\x02\\x03\""]);
    rig.ws_frames(vec![
        Frame::text(format!("451-[\"c\",{placeholder}]")),
        Frame::text("2"),
        Frame::Binary(bytes::Bytes::from_static(b"x")),
    ]);
    let events = rig.take_events();
    assert_eq!(events.len(), 2, "SIO-ENC-07: a ping may stand between: {events:?}");
    assert!(events[1].starts_with("/ c ["), "{events:?}");
}

/// EIO-HB-01, EIO-HB-08: a pong for each ping, and the deadline counts from the last ping only.
#[test]
fn only_pings_move_the_deadline() {
    for config in [ws_only(), polling_only()] {
        let polling = config.transports == [Transport::Polling];
        let mut rig = Rig::new(config);
        let socket = rig.socket("/");
        rig.connect(socket);
        let say = |rig: &mut Rig, text: &str| {
            if polling { rig.answer_get(text) } else { rig.ws_text(text) }
        };
        if !polling {
            rig.ws_open();
        }
        rig.advance(ms(100));
        say(&mut rig, HANDSHAKE);
        assert_eq!(rig.timer(), Some((45_100, TimerKind::Ping)), "EIO-HB-08: from the handshake");
        rig.advance(ms(24_900));
        say(&mut rig, "2");
        assert_eq!(rig.timer(), Some((70_000, TimerKind::Ping)), "EIO-HB-08: from the ping");
        rig.advance(ms(10_000));
        say(&mut rig, "40{\"sid\":\"s\"}");
        say(&mut rig, "42[\"x\"]");
        assert_eq!(rig.timer(), Some((70_000, TimerKind::Ping)), "EIO-HB-08: other packets");
        if polling {
            rig.answer_post();
        }
        assert!(rig.wire.iter().any(|line| line == "3" || line == "POST 3"), "EIO-HB-01");
        rig.take_events();
        rig.advance(ms(34_999));
        rig.expect_events(&[]);
        rig.advance(ms(1));
        rig.expect_events(&["close: ping timeout", "/ disconnect: ping timeout"]);
    }
}

/// EIO-HB-08: an emit finds out that the timer is late; its packet is held back, not lost.
#[test]
fn a_late_timer_is_caught_at_the_next_emit() {
    let (mut rig, socket) = Rig::connected(overheard_core::client::SocketOptions::default());
    rig.now = rig.now + ms(45_000);
    rig.emit(socket, "in time");
    rig.expect_wire(&["42[\"in time\"]"]);
    rig.now = rig.now + ms(1);
    rig.emit(socket, "kept");
    rig.expect_events(&["close: ping timeout", "/ disconnect: ping timeout"]);
    rig.expect_wire(&["close"]);
    rig.advance(ms(1000));
    rig.ws_handshake(HANDSHAKE);
    rig.ws_text("40{\"sid\":\"s2\"}");
    assert_eq!(rig.wire.last().unwrap(), "42[\"kept\"]");
}

/// EIO-WS-05: a close is a close, a broken protocol an error.
#[test]
fn websocket_ends_have_their_reasons() {
    let ends = [
        (WsEnd::Closed, "transport close"),
        (WsEnd::ProtocolError("bad opcode".into()), "transport error"),
        (WsEnd::TooLarge, "transport error"),
    ];
    for (end, reason) in ends {
        let (mut rig, _) = Rig::connected(overheard_core::client::SocketOptions::default());
        rig.ws_end(end);
        let events = rig.take_events();
        assert_eq!(events.last().unwrap(), &format!("/ disconnect: {reason}"), "EIO-WS-05");
    }
}

/// EIO-POLL-02, EIO-CLOSE-03: a polling session ends with `1` behind the POST in flight; then its
/// GET is cancelled.
#[test]
fn polling_says_goodbye_after_the_post_in_flight() {
    let mut rig = connected_by_polling(1_000_000);
    let socket = rig.socket("/");
    rig.emit(socket, "a");
    rig.forget();
    rig.command(overheard_core::client::Command::CloseEngine);
    rig.expect_events(&[]);
    rig.answer_post();
    rig.expect_wire(&["POST 1"]);
    rig.expect_events(&["close: forced close", "/ disconnect: forced close"]);
    rig.answer_post();
    rig.expect_wire(&["abort GET"]);

    // The heartbeat ends while a POST hangs: the goodbye waits for it.
    let mut rig = connected_by_polling(1_000_000);
    rig.emit(socket, "a");
    rig.forget();
    rig.advance(ms(45_000));
    rig.expect_wire(&[]);
    rig.answer_post();
    rig.expect_wire(&["POST 1"]);
    rig.answer_get("6");
    rig.answer_post();
    rig.expect_wire(&[]);
}

/// EIO-CLOSE-02: `1` in a payload ends the session; what stands before it counts, not what follows.
#[test]
fn close_packet_ends_a_polling_session() {
    let mut rig = connected_by_polling(1_000_000);
    rig.answer_get("42[\"a\"]|1|42[\"b\"]");
    rig.expect_events(&["/ a []", "close: transport close", "/ disconnect: transport close"]);
    rig.expect_wire(&[]);
}

/// EIO-CLOSE-03: over WebSocket `1` means nothing.
#[test]
fn close_packet_over_websocket_is_ignored() {
    let (mut rig, _) = Rig::connected(overheard_core::client::SocketOptions::default());
    for packet in ["1", "3", "5", "6", HANDSHAKE] {
        rig.ws_text(packet);
    }
    rig.expect_events(&[]);
    rig.expect_wire(&[]);
}

/// SIO-ENC-07: a packet that was cut off by the end of the connection does not spoil the next.
#[test]
fn half_a_packet_is_forgotten_with_its_connection() {
    let (mut rig, _) = Rig::connected(overheard_core::client::SocketOptions::default());
    rig.ws_text("451-[\"a\",{\"_placeholder\":true,\"num\":0}]");
    rig.ws_end(WsEnd::Closed);
    rig.advance(ms(1000));
    rig.ws_handshake(HANDSHAKE);
    rig.take_events();
    rig.ws_text("40{\"sid\":\"s2\"}");
    rig.expect_events(&["/ connect s2"]);
}

/// `remember_upgrade` opens with WebSocket when it worked the last time.
#[test]
fn remembered_upgrade_opens_with_websocket() {
    let polling = "GET EIO=4&transport=polling";
    for (remember, end, expect) in [
        (false, WsEnd::Closed, polling),
        (true, WsEnd::Closed, "WS EIO=4&transport=websocket"),
        (true, WsEnd::TooLarge, polling),
    ] {
        let config = ClientConfig { remember_upgrade: remember, ..ClientConfig::default() };
        let mut rig = Rig::new(config);
        let socket = rig.socket("/");
        rig.connect(socket);
        rig.answer_get(crate::driver::HANDSHAKE_UPGRADE);
        rig.answer_post();
        rig.ws_open();
        rig.ws_text("3probe");
        rig.answer_get("6");
        rig.ws_end(end);
        rig.forget();
        rig.advance(ms(1000));
        rig.expect_wire(&[expect]);
    }
}

#[test]
fn a_client_without_transports_fails() {
    let config = ClientConfig { transports: Vec::new(), reconnection: false, ..ws_only() };
    let mut rig = Rig::new(config);
    let socket = rig.socket("/");
    rig.connect(socket);
    let text = "No transports available";
    rig.expect_events(&[&format!("error: {text}"), &format!("/ connect_error: {text}")]);
    assert!(rig.client.is_idle());
}

pub(crate) fn connected_by_polling(max_payload: u64) -> Rig {
    let mut rig = Rig::new(polling_only());
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.answer_get(&HANDSHAKE.replace("1000000", &max_payload.to_string()));
    rig.answer_post();
    rig.answer_get("40{\"sid\":\"s1\"}");
    rig.forget();
    rig
}
