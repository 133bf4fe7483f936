//! Acks of emitted events: answers, timeouts, disconnection.

use overheard_core::client::{AckStyle, AckToken, Command, Emit, SocketOptions, TimerKind};
use overheard_core::wire::WsEnd;

use crate::driver::{HANDSHAKE, Rig, ms, ws_only};
use AckStyle::{Callback, Promise};

/// SIO-ACK-03, SIO-ACK-04: a callback gets all arguments, a promise the first; unknown and
/// repeated answers are ignored.
#[test]
fn answers_settle_once() {
    let (mut rig, socket) = Rig::connected(SocketOptions::default());
    rig.ask(socket, "a", 10, Callback, None);
    rig.ask(socket, "b", 11, Promise, None);
    rig.ask(socket, "c", 12, Callback, Some(ms(50)));
    rig.expect_wire(&["420[\"a\"]", "421[\"b\"]", "422[\"c\"]"]);
    for answer in ["43[1]", "433[1]", "43", "43999999999999999999[1]", "4311 [1]"] {
        rig.ws_text(answer);
    }
    rig.expect_events(&[]);
    for answer in ["432[]", "431[1,2]", "430[1,2]", "430[3]", "431[3]", "432[3]"] {
        rig.ws_text(answer);
    }
    rig.expect_events(&["/ ack 12: []", "/ ack 11: [1]", "/ ack 10: [1,2]"]);
    assert_eq!(rig.timer().unwrap().1, TimerKind::Ping, "J-20: an answer ends its timer");
    rig.ask(socket, "d", 13, Callback, None);
    rig.ws_text("433");
    rig.expect_events(&["/ ack 13: []"]);
    rig.advance(ms(1000));
    rig.expect_events(&[]);
}

/// D-02, SIO-ACK-05: a late answer is ignored; the time runs from the emit, also while the event
/// is held back, which is then not sent at all.
#[test]
fn late_answers_are_ignored() {
    let (mut rig, socket) = Rig::connected(SocketOptions::default());
    rig.ask(socket, "a", 1, Callback, Some(ms(50)));
    rig.advance(ms(49));
    rig.expect_events(&[]);
    rig.advance(ms(1));
    rig.expect_events(&["/ ack 1: operation has timed out"]);
    rig.ws_text("430[1]");
    rig.expect_events(&[]);

    let mut rig = Rig::new(ws_only());
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.emit(socket, "before");
    rig.ask(socket, "held", 1, Promise, Some(ms(50)));
    rig.emit(socket, "after");
    rig.advance(ms(50));
    rig.expect_events(&["/ ack 1: operation has timed out"]);
    rig.ws_handshake(HANDSHAKE);
    rig.ws_text("40{\"sid\":\"s\"}");
    assert_eq!(rig.wire[2..], ["42[\"before\"]", "42[\"after\"]"]);
}

/// The socket's ack timeout holds where the emit names none.
#[test]
fn ack_timeout_of_the_socket_is_the_default() {
    let options = SocketOptions { ack_timeout: Some(ms(100)), ..Default::default() };
    let (mut rig, socket) = Rig::connected(options);
    rig.ask(socket, "a", 1, Callback, None);
    rig.ask(socket, "b", 2, Callback, Some(ms(50)));
    rig.advance(ms(50));
    rig.expect_events(&["/ ack 2: operation has timed out"]);
    rig.advance(ms(50));
    rig.expect_events(&["/ ack 1: operation has timed out"]);
}

/// CLI-09: on disconnection, promises and timed acks fail, plain callbacks are dropped, and those
/// of held-back events live on.
#[test]
fn disconnection_settles_what_was_sent() {
    let (mut rig, socket) = Rig::connected(SocketOptions::default());
    rig.ask(socket, "plain", 1, Callback, None);
    rig.ask(socket, "timed", 2, Callback, Some(ms(60_000)));
    rig.ask(socket, "promise", 3, Promise, None);
    rig.ws_end(WsEnd::Closed);
    rig.expect_events(&[
        "close: transport close",
        "/ disconnect: transport close",
        "/ ack 1: the callback was dropped at disconnection",
        "/ ack 2: socket has been disconnected",
        "/ ack 3: socket has been disconnected",
    ]);
    assert_eq!(rig.timer(), Some((1000, TimerKind::Reconnect)), "J-20: no timer of an ack is left");
    rig.command(Command::SetReconnection(false));
    assert!(rig.client.is_idle(), "J-20");
    rig.command(Command::SetReconnection(true));
    rig.connect(socket);
    rig.ws_end(WsEnd::Closed);
    rig.take_events();
    rig.ask(socket, "held", 4, Callback, None);
    rig.ask(socket, "held", 5, Promise, None);
    rig.advance(ms(1000));
    rig.ws_open();
    rig.ws_end(WsEnd::Closed);
    rig.advance(ms(2000));
    rig.ws_handshake(HANDSHAKE);
    rig.ws_end(WsEnd::Closed);
    rig.advance(ms(1000));
    rig.ws_handshake(HANDSHAKE);
    rig.ws_text("40{\"sid\":\"s2\"}");
    rig.take_events();
    assert_eq!(rig.wire[rig.wire.len() - 2..], ["423[\"held\"]", "424[\"held\"]"]);
    rig.ws_text("433[1]");
    rig.ws_text("434[2]");
    rig.expect_events(&["/ ack 4: [1]", "/ ack 5: [2]"]);
    assert_eq!(rig.client.pending_acks(socket), 0);
}

/// SIO-ACK-09: a dropped volatile event waits for its ack in vain.
#[test]
fn dropped_volatile_times_out() {
    let mut rig = Rig::new(ws_only());
    let socket = rig.socket("/");
    let emit = Emit::new("v", []).with_ack(AckToken(1), Callback, Some(ms(50))).volatile();
    rig.command(Command::Emit { socket, emit });
    rig.advance(ms(50));
    rig.expect_events(&["/ dropped v", "/ ack 1: operation has timed out"]);
}
