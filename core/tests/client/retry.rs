//! The retry queue.

use overheard_core::client::{AckStyle, ClientConfig, Quirks, SocketHandle, SocketOptions};
use overheard_core::wire::WsEnd;

use crate::driver::{HANDSHAKE, Rig, ms, ws_only};

fn retrying(retries: u32, ack_timeout: Option<u64>, quirk: bool) -> (Rig, SocketHandle) {
    let quirks = Quirks { retries_need_ack_timeout: quirk, ..Quirks::default() };
    let mut rig = Rig::new(ClientConfig { quirks, ..ws_only() });
    let ack_timeout = ack_timeout.map(ms);
    let socket = rig.socket_with("/", SocketOptions { retries, ack_timeout, auth: None });
    rig.connect(socket);
    rig.ws_handshake(HANDSHAKE);
    rig.ws_text("40{\"sid\":\"s1\"}");
    rig.forget();
    (rig, socket)
}

/// CLI-06: one event at a time, in order; the next one goes when the head is acked.
#[test]
fn queue_keeps_order_one_at_a_time() {
    let (mut rig, socket) = retrying(3, Some(1000), false);
    rig.ask(socket, "a", 1, AckStyle::Callback, None);
    rig.emit(socket, "b");
    rig.ask(socket, "c", 3, AckStyle::Promise, None);
    rig.expect_wire(&["420[\"a\"]"]);
    rig.ws_text("430[1,2]");
    rig.expect_events(&["/ ack 1: [1,2]"]);
    rig.expect_wire(&["421[\"b\"]"]);
    rig.ws_text("431[]");
    rig.expect_wire(&["422[\"c\"]"]);
    rig.ws_text("432[1,2]");
    rig.expect_events(&["/ ack 3: [1]"]);
    assert_eq!(rig.client.unsent(socket), 0);
}

/// CLI-06, CLI-08: n+1 tries, each with a new ack id; then the event is discarded and the next one
/// gets its turn.
#[test]
fn unanswered_events_are_discarded_after_all_tries() {
    let (mut rig, socket) = retrying(2, Some(100), false);
    rig.ask(socket, "a", 1, AckStyle::Callback, None);
    rig.emit(socket, "b");
    rig.advance(ms(299));
    rig.expect_wire(&["420[\"a\"]", "421[\"a\"]", "422[\"a\"]"]);
    rig.expect_events(&[]);
    rig.advance(ms(1));
    rig.expect_events(&["/ ack 1: operation has timed out"]);
    rig.expect_wire(&["423[\"b\"]"]);
    rig.ws_text("420[\"late\"]");
    rig.ws_text("432[]");
    assert_eq!(rig.client.unsent(socket), 1, "CLI-08: a late answer counts for nothing");
    rig.ws_text("433[]");
    assert_eq!(rig.client.unsent(socket), 0);
}

/// CLI-06: the head is sent again on the next connection; duplicates are possible, loss is not.
#[test]
fn head_is_sent_again_after_reconnection() {
    for ack_timeout in [Some(60_000), None] {
        let (mut rig, socket) = retrying(3, ack_timeout, false);
        rig.emit(socket, "a");
        rig.emit(socket, "b");
        rig.ws_end(WsEnd::Closed);
        rig.advance(ms(1000));
        rig.ws_handshake(HANDSHAKE);
        rig.forget();
        rig.ws_text("40{\"sid\":\"s2\"}");
        rig.expect_wire(&["421[\"a\"]"]);
        rig.ws_text("431[]");
        rig.expect_wire(&["422[\"b\"]"]);
    }
}

/// CLI-06: without an ack timeout a lost connection is no failed try, however often it happens.
#[test]
fn lost_connections_discard_nothing_without_ack_timeout() {
    let (mut rig, socket) = retrying(1, None, false);
    rig.ask(socket, "a", 1, AckStyle::Callback, None);
    for id in 1..6 {
        rig.ws_end(WsEnd::Closed);
        rig.advance(ms(1000));
        rig.ws_handshake(HANDSHAKE);
        rig.ws_text("40{\"sid\":\"s2\"}");
        assert_eq!(rig.wire.last().unwrap(), &format!("42{id}[\"a\"]"), "CLI-06");
    }
    rig.take_events();
    rig.ws_text("435[\"ok\"]");
    rig.expect_events(&["/ ack 1: [\"ok\"]"]);
}

/// CLI-06: with one, each lost connection is a try that failed.
#[test]
fn lost_connections_use_up_tries_with_ack_timeout() {
    let (mut rig, socket) = retrying(1, Some(60_000), false);
    rig.ask(socket, "a", 1, AckStyle::Callback, None);
    rig.ws_end(WsEnd::Closed);
    rig.advance(ms(1000));
    rig.ws_handshake(HANDSHAKE);
    rig.ws_text("40{\"sid\":\"s2\"}");
    rig.take_events();
    rig.ws_end(WsEnd::Closed);
    let events = rig.take_events();
    assert_eq!(events.last().unwrap(), "/ ack 1: socket has been disconnected");
    assert_eq!(rig.client.unsent(socket), 0);
}

/// CLI-06: an event that was held back and tried again is answered twice; the second answer is not
/// taken for one to the next event.
#[test]
fn a_second_answer_does_not_acknowledge_the_next_event() {
    let (mut rig, socket) = retrying(3, Some(60_000), false);
    rig.now = rig.now + ms(45_001);
    rig.ask(socket, "a", 1, AckStyle::Callback, None);
    rig.emit(socket, "b");
    rig.advance(ms(1000));
    rig.ws_handshake(HANDSHAKE);
    rig.forget();
    rig.ws_text("40{\"sid\":\"s2\"}");
    rig.expect_wire(&["420[\"a\"]", "421[\"a\"]"]);
    rig.ws_text("430[]");
    rig.expect_wire(&["422[\"b\"]"]);
    rig.ws_text("431[]");
    assert_eq!(rig.client.unsent(socket), 1, "CLI-06: b is not acked");
    rig.ws_text("432[]");
    assert_eq!(rig.client.unsent(socket), 0);
}

/// CLI-07: without an ack timeout the reference sends each event n+1 times although it is acked,
/// unless the answer begins with `null`. Here that is an option.
#[test]
fn retries_without_ack_timeout() {
    let (mut rig, socket) = retrying(2, None, false);
    rig.ask(socket, "a", 1, AckStyle::Callback, None);
    rig.ws_text("430[\"ok\",2]");
    rig.expect_wire(&["420[\"a\"]"]);
    rig.expect_events(&["/ ack 1: [\"ok\",2]"]);

    let (mut rig, socket) = retrying(2, None, true);
    rig.ask(socket, "a", 1, AckStyle::Callback, None);
    for id in 0..3 {
        rig.expect_wire(&[&format!("42{id}[\"a\"]")]);
        rig.expect_events(&[]);
        rig.ws_text(&format!("43{id}[\"ok\",2]"));
    }
    rig.expect_events(&["/ ack 1: [\"ok\"]"]);
    rig.expect_wire(&[]);
    rig.ask(socket, "b", 2, AckStyle::Callback, None);
    rig.ws_text("433[null,2]");
    rig.expect_events(&["/ ack 2: [2]"]);
    assert_eq!(rig.client.unsent(socket), 0);

    let (mut rig, socket) = retrying(2, Some(1000), true);
    rig.ask(socket, "a", 1, AckStyle::Callback, None);
    rig.ws_text("430[\"ok\"]");
    rig.expect_events(&["/ ack 1: [\"ok\"]"]);
}

/// CLI-06: volatile emits do not use the queue.
#[test]
fn volatile_overtakes_the_queue() {
    let (mut rig, socket) = retrying(1, Some(1000), false);
    rig.emit(socket, "a");
    rig.emit(socket, "b");
    rig.emit_volatile(socket, "v");
    rig.expect_wire(&["420[\"a\"]", "42[\"v\"]"]);
}
