//! Opening, losing and reopening the connection.

use overheard_core::client::{
    Client, ClientConfig, Command, ConnectionState, Input, SocketOptions, TimerKind,
};
use overheard_core::time::Instant;
use overheard_core::wire::WsEnd;

use crate::driver::{Fixed, HANDSHAKE, Rig, ms, polling_only, ws_only};

/// CLI-05: the delays of attempts without jitter, the names of the events, and their order.
#[test]
fn attempts_back_off_and_tell() {
    let (mut rig, _) = Rig::connected(SocketOptions::default());
    rig.ws_end(WsEnd::Closed);
    rig.expect_events(&["close: transport close", "/ disconnect: transport close"]);
    for (attempt, delay) in [1000, 2000, 4000, 5000, 5000].into_iter().enumerate() {
        rig.advance(ms(delay - 1));
        rig.expect_events(&[]);
        rig.advance(ms(1));
        rig.expect_events(&[&format!("reconnect_attempt {}", attempt + 1)]);
        rig.ws_end(WsEnd::Closed);
        rig.expect_events(&[
            "error: websocket error",
            "/ connect_error: websocket error",
            "reconnect_error: websocket error",
        ]);
    }
    rig.advance(ms(5000));
    rig.ws_handshake(HANDSHAKE);
    rig.expect_events(&["reconnect_attempt 6", "open", "reconnect 6"]);
    assert_eq!(rig.wire.last().unwrap(), "40");
    rig.ws_end(WsEnd::Closed);
    rig.take_events();
    rig.advance(ms(1000));
    rig.expect_events(&["reconnect_attempt 1"]);
}

/// CLI-05: an attempt takes at most 20 seconds; its remains are cancelled before the next one.
#[test]
fn attempts_time_out() {
    for config in [ws_only(), polling_only()] {
        let mut rig = Rig::new(config);
        let socket = rig.socket("/");
        rig.connect(socket);
        assert_eq!(rig.timer(), Some((20_000, TimerKind::Connect)));
        rig.advance(ms(20_000));
        rig.expect_events(&["error: timeout", "/ connect_error: timeout"]);
        assert_eq!(rig.timer(), Some((21_000, TimerKind::Reconnect)));
        assert!(rig.requests.is_empty() && rig.websockets.is_empty());
    }
    let mut rig = Rig::new(ClientConfig { timeout: None, ..ws_only() });
    rig.command(Command::Open);
    assert_eq!(rig.timer(), None);
}

/// J-14, CLI-05: limit n means n attempts after the first; then the machine is idle, and a new
/// connect starts over.
#[test]
fn limit_means_limit() {
    for limit in [0, 1, 2, 5] {
        let config = ClientConfig { reconnection_attempts: Some(limit), ..ws_only() };
        let mut rig = Rig::new(config);
        let socket = rig.socket("/");
        for _ in 0..2 {
            rig.attempts = 0;
            rig.connect(socket);
            for _ in 0..10 {
                rig.fail_all();
                rig.advance(ms(5000));
            }
            assert_eq!(rig.attempts, 1 + limit as usize, "J-14: limit {limit}");
            let failed = rig.take_events().iter().filter(|e| *e == "reconnect_failed").count();
            assert_eq!(failed, 1);
            assert!(rig.client.is_idle());
        }
    }
}

/// J-06: another namespace, or `Open`, during the loop starts no second one.
#[test]
fn the_loop_alone_says_when() {
    let config = ClientConfig { reconnection_attempts: Some(2), ..ws_only() };
    let mut rig = Rig::new(config);
    let [root, admin] = ["/", "/admin"].map(|nsp| rig.socket(nsp));
    rig.connect(root);
    rig.fail_all();
    rig.connect(admin);
    rig.command(Command::Open);
    assert_eq!(rig.attempts, 1, "J-06: the loop waits");
    rig.advance(ms(1000));
    rig.connect(admin);
    rig.command(Command::Open);
    assert_eq!(rig.attempts, 2, "J-06: an attempt is in flight");
    for _ in 0..5 {
        rig.fail_all();
        rig.advance(ms(5000));
    }
    assert_eq!(rig.attempts, 3, "J-06: the limit holds");
}

/// J-08: forbidding to reconnect ends the loop, waiting or in flight.
#[test]
fn forbidding_reconnection_ends_the_loop() {
    for in_flight in [false, true] {
        let mut rig = Rig::new(ws_only());
        let socket = rig.socket("/");
        rig.connect(socket);
        rig.fail_all();
        if in_flight {
            rig.advance(ms(1000));
        }
        let before = rig.attempts;
        rig.command(Command::SetReconnection(false));
        rig.fail_all();
        rig.advance(ms(100_000));
        assert_eq!(rig.attempts, before, "J-08, P20");
        assert!(rig.client.is_idle());
        rig.command(Command::SetReconnection(true));
        rig.connect(socket);
        rig.ws_handshake(HANDSHAKE);
        rig.ws_end(WsEnd::Closed);
        rig.advance(ms(1000));
        assert_eq!(rig.attempts, before + 2, "J-13: it works again");
    }
}

/// J-08: what was forbidden and allowed again is allowed: with a connection, and with an attempt
/// in flight.
#[test]
fn allowing_reconnection_takes_the_ban_back() {
    for in_flight in [false, true] {
        let (mut rig, _) = Rig::connected(SocketOptions::default());
        if in_flight {
            rig.ws_end(WsEnd::Closed);
            rig.advance(ms(1000));
        }
        rig.command(Command::SetReconnection(false));
        rig.command(Command::SetReconnection(true));
        rig.attempts = 0;
        rig.ws_end(WsEnd::Closed);
        rig.advance(ms(2000));
        assert_eq!(rig.attempts, 1, "J-08: in flight {in_flight}");
    }
}

/// J-13: a disconnection in the middle of the loop leaves an idle machine that reconnects later.
#[test]
fn disconnect_during_the_loop_leaves_it_idle() {
    for in_flight in [false, true] {
        let mut rig = Rig::new(ws_only());
        let socket = rig.socket("/");
        rig.connect(socket);
        rig.fail_all();
        if in_flight {
            rig.advance(ms(1000));
        }
        let before = rig.attempts;
        rig.disconnect(socket);
        assert!(rig.client.is_idle(), "J-13, P20: in flight {in_flight}");
        rig.advance(ms(100_000));
        assert_eq!(rig.attempts, before, "P20: stop means stop");
        rig.connect(socket);
        rig.ws_handshake(HANDSHAKE);
        rig.ws_text("40{\"sid\":\"s\"}");
        rig.ws_end(WsEnd::Closed);
        rig.advance(ms(1000));
        assert_eq!(rig.attempts, before + 2, "J-13: lost later, it reconnects");
    }
}

/// J-09: a broken packet closes the old connection before another is opened.
#[test]
fn a_parse_error_closes_the_old_connection() {
    let (mut rig, _) = Rig::connected(SocketOptions::default());
    rig.ws_text("42[\"before\"]");
    rig.ws_text("42{\"broken\"");
    rig.expect_wire(&["close"]);
    rig.expect_events(&["/ before []", "close: parse error", "/ disconnect: parse error"]);
    assert!(rig.websockets.is_empty(), "J-09");
    rig.advance(ms(1000));
    assert_eq!(rig.websockets.len(), 1, "J-09");
}

/// J-18: connecting while the old connection still writes opens one other; the old one ends.
#[test]
fn connect_during_teardown_leaves_one_connection() {
    let (mut rig, socket) = Rig::connected(SocketOptions::default());
    rig.auto_flush = false;
    for _ in 0..10 {
        rig.emit(socket, "bye");
        rig.disconnect(socket);
        rig.connect(socket);
        rig.ws_handshake(HANDSHAKE);
        rig.ws_text("40{\"sid\":\"s\"}");
    }
    assert!(rig.websockets.len() <= 1 + 4 + 1, "J-18: old ones are cut off at a bound");
    rig.auto_flush = true;
    rig.disconnect(socket);
    assert!(rig.websockets.is_empty(), "J-18");
    assert!(rig.client.is_idle());
}

/// The connection is closed before its handshake: that attempt is over, and the next one planned.
#[test]
fn a_close_before_the_handshake_fails_the_attempt() {
    let mut rig = Rig::new(ws_only());
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.ws_open();
    rig.ws_end(WsEnd::Closed);
    rig.expect_events(&["error: transport close", "/ connect_error: transport close"]);
    assert_eq!(rig.timer(), Some((1000, TimerKind::Reconnect)));
}

/// A handshake that cannot be read fails the attempt.
#[test]
fn a_broken_handshake_fails_the_attempt() {
    for handshake in ["0", "0{}", "0[]", "0{\"sid\":1}", "0x", "x", ""] {
        let mut rig = Rig::new(polling_only());
        let socket = rig.socket("/");
        rig.connect(socket);
        rig.answer_get(handshake);
        rig.expect_events(&["error: server error", "/ connect_error: server error"]);
        assert_eq!(rig.client.state(), ConnectionState::Closed);
        assert_eq!(rig.timer(), Some((1000, TimerKind::Reconnect)));
    }
}

/// CLI-05: a status that is not 200 is an error, on either request.
#[test]
fn http_errors_are_transport_errors() {
    for post in [false, true] {
        for status in [Some(400), Some(413), Some(204), Some(500), None] {
            let mut rig = crate::session::connected_by_polling(1_000_000);
            let socket = rig.socket("/");
            if post {
                rig.emit(socket, "a");
            }
            let request = rig.pending(post).unwrap();
            match status {
                Some(status) => rig.respond(request, status, b"42[\"x\"]"),
                None => rig.fail(request),
            }
            let message = if post { "xhr post error" } else { "xhr poll error" };
            rig.expect_events(&[
                &format!("error: {message}"),
                "close: transport error",
                "/ disconnect: transport error",
            ]);
        }
    }
}

/// P20: a server that speaks before its handshake does not keep a connection that is given up.
#[test]
fn packets_before_the_handshake_do_not_delay_the_end() {
    for packet in ["2", "40{\"sid\":\"s\"}", "42[\"x\"]", "6"] {
        let mut rig = Rig::new(polling_only());
        let socket = rig.socket("/");
        rig.connect(socket);
        rig.answer_get(packet);
        rig.disconnect(socket);
        rig.expect_events(&["close: forced close"]);
        assert!(rig.client.is_idle(), "P20: after {packet:?}");
    }
}

/// P19: at the end of time every timer is due at once, and still each input ends.
#[test]
fn the_end_of_time_is_no_endless_loop() {
    let end = Instant::from_nanos(u64::MAX);
    let mut client = Client::new(ws_only(), Box::new(Fixed(0.0)), end);
    client.handle(end, Input::Command(Command::Open)).unwrap();
    for _ in 0..10 {
        while client.poll_output().is_some() {}
        assert_eq!(client.poll_timeout().map(|(at, _)| at), Some(end));
        client.handle(end, Input::Timeout).unwrap();
    }
}

/// Without reconnection a failed connection stays closed.
#[test]
fn no_reconnection_when_it_is_off() {
    let mut rig = Rig::new(ClientConfig { reconnection: false, ..ws_only() });
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.fail_all();
    rig.advance(ms(100_000));
    assert!(rig.client.is_idle());
    rig.connect(socket);
    rig.ws_handshake(HANDSHAKE);
    rig.ws_text("40{\"sid\":\"s\"}");
    rig.ws_end(WsEnd::Closed);
    rig.advance(ms(100_000));
    assert_eq!(rig.attempts, 2);
    assert!(rig.client.is_idle());
}
