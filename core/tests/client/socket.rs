//! Sockets: connecting, holding back, order, volatile events, several namespaces.

use overheard_core::client::{Client, ClientConfig, Command, Emit, Limits, Refusal, SocketOptions};

use crate::driver::{Fixed, HANDSHAKE, Rig, args, facts, ms, object, polling_only, ws_only};
use crate::session::connected_by_polling;

/// CLI-01: emits before the connection are held back and sent in order; volatile ones are not.
#[test]
fn emits_are_held_back_until_connected() {
    let mut rig = Rig::new(ws_only());
    let socket = rig.socket("/");
    rig.emit(socket, "before connect");
    rig.connect(socket);
    rig.emit(socket, "before handshake");
    rig.emit_volatile(socket, "volatile");
    rig.ws_handshake(HANDSHAKE);
    rig.emit(socket, "before consent");
    rig.expect_events(&["/ dropped volatile", "open"]);
    rig.ws_text("40{\"sid\":\"s1\"}");
    rig.emit(socket, "after");
    rig.expect_wire(&[
        "WS EIO=4&transport=websocket",
        "40",
        "42[\"before connect\"]",
        "42[\"before handshake\"]",
        "42[\"before consent\"]",
        "42[\"after\"]",
    ]);
}

/// CLI-02, SIO-ORD-05: early events, held-back emits, the head of the retry queue, `connect`.
#[test]
fn order_on_connect() {
    let options = SocketOptions { retries: 1, ack_timeout: Some(ms(1000)), ..Default::default() };
    let mut rig = Rig::new(ws_only());
    let socket = rig.socket_with("/", options);
    rig.command(Command::ListenAny { socket, incoming: true, outgoing: true });
    rig.connect(socket);
    rig.ws_handshake(HANDSHAKE);
    rig.emit(socket, "queued");
    // A volatile emit does not use the queue, and is held back when the transport is writable.
    rig.emit_volatile(socket, "held");
    rig.ws_text("42[\"early\",1]");
    rig.ws_text("42[\"early\",2]");
    rig.take_events();
    rig.ws_text("40{\"sid\":\"s1\"}");
    rig.expect_events(&[
        "/ in [\"early\",1]",
        "/ early [1]",
        "/ in [\"early\",2]",
        "/ early [2]",
        "/ out [\"held\"]",
        "/ out [\"queued\"]",
        "/ connect s1",
    ]);
    assert_eq!(rig.wire[2..], ["42[\"held\"]", "420[\"queued\"]"]);
}

/// CLI-10: a volatile event is dropped while the transport is busy, connected or not.
#[test]
fn volatile_is_dropped_while_the_transport_is_busy() {
    let (mut rig, socket) = Rig::connected(SocketOptions::default());
    rig.auto_flush = false;
    rig.emit_volatile(socket, "first");
    rig.emit_volatile(socket, "second");
    rig.expect_wire(&["42[\"first\"]"]);
    rig.expect_events(&["/ dropped second"]);
    rig.ws_flush();
    rig.emit_volatile(socket, "third");
    rig.expect_wire(&["42[\"third\"]"]);

    let mut rig = connected_by_polling(1_000_000);
    rig.emit(socket, "posted");
    rig.emit_volatile(socket, "mid-POST");
    rig.expect_events(&["/ dropped mid-POST"]);
    rig.answer_post();
    rig.emit_volatile(socket, "between");
    assert_eq!(rig.answer_post(), "42[\"between\"]", "CLI-10: a pending GET does not matter");
    let get = rig.pending(false).unwrap();
    rig.fail(get);
    rig.take_events();
    rig.emit_volatile(socket, "lost connection");
    rig.expect_events(&["/ dropped lost connection"]);
}

/// CLI-11: the namespaces of a client share one connection; each has one socket.
#[test]
fn namespaces_share_one_connection() {
    let mut rig = Rig::new(ws_only());
    let [root, admin] = ["/", "/admin"].map(|nsp| rig.socket(nsp));
    assert_eq!(rig.socket("admin"), admin, "CLI-11");
    assert_eq!(rig.socket(""), root, "CLI-11");
    rig.connect(root);
    rig.connect(admin);
    rig.ws_handshake(HANDSHAKE);
    rig.expect_wire(&["WS EIO=4&transport=websocket", "40", "40/admin,"]);
    rig.ws_text("40/admin,{\"sid\":\"a\"}");
    rig.ws_text("40{\"sid\":\"r\"}");
    rig.ws_text("42/admin,[\"x\"]");
    rig.expect_events(&["open", "/admin connect a", "/ connect r", "/admin x []"]);
    assert_eq!(rig.attempts, 1, "CLI-11");
}

/// CLI-12: packets of other namespaces are dropped; the last namespace closes the connection.
#[test]
fn the_last_namespace_closes_the_connection() {
    let (mut rig, root) = Rig::connected(SocketOptions::default());
    let admin = rig.socket("/admin");
    for packet in ["42/other,[\"x\"]", "42/admin,[\"x\"]", "41/admin,", "40/admin,{\"sid\":\"a\"}"]
    {
        rig.ws_text(packet);
    }
    rig.expect_events(&[]);
    rig.connect(admin);
    rig.ws_text("40/admin,{\"sid\":\"a\"}");
    rig.forget();
    rig.disconnect(root);
    rig.expect_wire(&["41"]);
    rig.expect_events(&["/ disconnect: io client disconnect"]);
    rig.ws_text("42[\"crossing\"]");
    rig.expect_events(&[]);
    rig.disconnect(admin);
    rig.expect_wire(&["41/admin,", "close"]);
    rig.expect_events(&["close: forced close", "/admin disconnect: io client disconnect"]);
    rig.advance(ms(100_000));
    assert!(rig.client.is_idle(), "CLI-12");
}

/// CLI-13: an event and the disconnection right behind it are both written, on any transport.
#[test]
fn emit_then_disconnect_writes_both() {
    let (mut rig, socket) = Rig::connected(SocketOptions::default());
    rig.auto_flush = false;
    rig.emit(socket, "bye");
    rig.disconnect(socket);
    rig.expect_events(&["close: forced close", "/ disconnect: io client disconnect"]);
    rig.expect_wire(&["42[\"bye\"]"]);
    rig.ws_flush();
    rig.expect_wire(&["41"]);
    rig.ws_flush();
    rig.expect_wire(&["close"]);
    assert!(rig.client.is_idle());

    let mut rig = connected_by_polling(1_000_000);
    rig.emit(socket, "bye");
    rig.disconnect(socket);
    let bodies = [rig.answer_post(), rig.answer_post(), rig.answer_post()];
    assert_eq!(bodies, ["42[\"bye\"]", "41", "1"], "CLI-13");
    assert!(rig.client.is_idle());
}

/// SIO-ENC-12: the names that the reference refuses are refused, and only those.
#[test]
fn reserved_names_are_refused() {
    let facts = facts("reserved_event_names");
    let lists = facts.iter().map(|facts| facts["emit_and_wire"].as_array().unwrap());
    let names: Vec<_> = lists.flatten().collect();
    assert!(!names.is_empty());
    let (mut rig, socket) = Rig::connected(SocketOptions::default());
    for name in names {
        rig.emit(socket, name.as_str().unwrap());
        rig.expect_events(&["/ refused: the event name is reserved"]);
        rig.expect_wire(&[]);
    }
    for name in ["connection", "error", "message", "ping", "__proto__", "constructor", ""] {
        rig.emit(socket, name);
        rig.expect_events(&[]);
        rig.expect_wire(&[&format!("42[{name:?}]")]);
    }
}

/// SIO-CONN-02, NSP-MW-04, CLI-04: CONNECT carries auth; a refusal carries data and ends the
/// socket's wish to be connected.
#[test]
fn a_refused_socket_reports_why_and_stays_out() {
    let mut rig = Rig::new(ws_only());
    let auth = Some(object("{\"token\":\"t\"}"));
    let admin = rig.socket_with("/admin", SocketOptions { auth, ..Default::default() });
    let root = rig.socket("/");
    rig.connect(admin);
    rig.connect(root);
    rig.ws_handshake(HANDSHAKE);
    assert_eq!(rig.wire[1], "40/admin,{\"token\":\"t\"}");
    rig.ws_text("40{\"sid\":\"r\"}");
    rig.take_events();
    rig.ws_text("44/admin,{\"message\":\"no\",\"data\":{\"code\":1}}");
    rig.expect_events(&["/admin connect_error: no {\"code\":1}"]);
    assert!(!rig.client.is_active(admin), "CLI-04");
    rig.command(Command::SetAuth { socket: admin, auth: Some(object("{\"token\":\"u\"}")) });
    rig.forget();
    rig.connect(admin);
    rig.expect_wire(&["40/admin,{\"token\":\"u\"}"]);
    for (body, shown) in [("\"text\"", "text"), ("{}", ""), ("", "")] {
        rig.ws_text(&format!("44/admin,{body}"));
        rig.expect_events(&[&format!("/admin connect_error: {shown}")]);
        rig.connect(admin);
    }
}

/// CLI-04: the last socket's refusal closes the connection and nothing is tried again.
#[test]
fn a_refusal_of_the_only_socket_closes_the_connection() {
    let mut rig = Rig::new(ws_only());
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.ws_handshake(HANDSHAKE);
    rig.ws_text("44{\"message\":\"no\"}");
    rig.expect_events(&["open", "close: forced close", "/ connect_error: no"]);
    rig.advance(ms(100_000));
    assert_eq!((rig.attempts, rig.client.is_idle()), (1, true), "CLI-04");
}

/// SIO-CONN-08, J-17: CONNECT goes out once until it is answered, whatever the application does.
#[test]
fn connect_is_sent_once_until_answered() {
    let (mut rig, _) = Rig::connected(SocketOptions::default());
    let admin = rig.socket("/admin");
    rig.connect(admin);
    rig.connect(admin);
    rig.disconnect(admin);
    rig.expect_wire(&["40/admin,"]);
    rig.connect(admin);
    rig.expect_wire(&[]);
    rig.ws_text("40/admin,{\"sid\":\"a\"}");
    rig.expect_events(&["/admin connect a"]);
    rig.disconnect(admin);
    rig.connect(admin);
    rig.expect_wire(&["41/admin,", "40/admin,"]);
}

/// CLI-04: after the server's DISCONNECT a socket can be connected again on the same connection.
#[test]
fn a_socket_comes_back_after_the_server_disconnected_it() {
    let (mut rig, root) = Rig::connected(SocketOptions::default());
    let admin = rig.socket("/admin");
    rig.connect(admin);
    rig.ws_text("40/admin,{\"sid\":\"a\"}");
    rig.forget();
    rig.ws_text("41");
    rig.ws_text("41");
    rig.expect_events(&["/ disconnect: io server disconnect"]);
    rig.connect(root);
    rig.expect_wire(&["40"]);
    rig.ws_text("40{\"sid\":\"s2\"}");
    rig.expect_events(&["/ connect s2"]);
}

/// Events of a socket that was refused in the end are not those of its next life.
#[test]
fn early_events_of_a_refused_socket_are_forgotten() {
    let (mut rig, _) = Rig::connected(SocketOptions::default());
    let admin = rig.socket("/admin");
    rig.connect(admin);
    rig.ws_text("42/admin,[\"early\"]");
    rig.ws_text("44/admin,{\"message\":\"no\"}");
    rig.connect(admin);
    rig.ws_text("40/admin,{\"sid\":\"a\"}");
    rig.expect_events(&["/admin connect_error: no", "/admin connect a"]);
}

/// SIO-DISC-05: disconnecting what is not connected says nothing.
#[test]
fn disconnecting_twice_is_silent() {
    let (mut rig, socket) = Rig::connected(SocketOptions::default());
    rig.disconnect(socket);
    rig.forget();
    rig.disconnect(socket);
    let never = rig.socket("/never");
    rig.disconnect(never);
    rig.command(Command::Close);
    rig.expect_events(&[]);
    rig.expect_wire(&[]);
}

/// A server of version 2 answers CONNECT without a sid.
#[test]
fn a_consent_without_sid_is_an_error() {
    let mut rig = Rig::new(ws_only());
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.ws_handshake(HANDSHAKE);
    for body in ["", "{}", "{\"sid\":\"\"}", "{\"sid\":1}"] {
        rig.take_events();
        rig.ws_text(&format!("40{body}"));
        let events = rig.take_events();
        assert!(events[0].starts_with("/ connect_error: the server's CONNECT has no sid"));
    }
    assert_eq!(rig.client.sid(socket), None);
}

/// SIO-ENC-11, SIO-ENC-10: an event without payload reaches catch-all listeners only; a number is
/// a name.
#[test]
fn odd_event_names() {
    let (mut rig, socket) = Rig::connected(SocketOptions::default());
    rig.command(Command::ListenAny { socket, incoming: true, outgoing: false });
    rig.ws_text("42");
    rig.expect_events(&["/ in []"]);
    rig.ws_text("42[7,\"x\"]");
    rig.expect_events(&["/ in [7,\"x\"]", "/ 7 [\"x\"]"]);
}

/// CLI-01 has no limit in the reference; here each bound refuses one command and changes nothing.
#[test]
fn bounds_refuse_one_command() {
    let limits = Limits {
        sockets: 1,
        send_buffer: 2,
        retry_queue: 2,
        write_buffer: 2,
        pending_acks: 2,
        receive_buffer: 2,
    };
    let mut rig = Rig::new(ClientConfig { limits, ..ws_only() });
    let socket = rig.socket("/");
    let refused = rig.client.socket("/two", SocketOptions::default());
    assert_eq!(refused, Err(Refusal::TooManySockets));
    for name in ["a", "b", "c"] {
        rig.emit(socket, name);
    }
    rig.expect_events(&["/ refused: too many events wait for the connection"]);
    rig.connect(socket);
    rig.ws_handshake(HANDSHAKE);
    rig.ws_text("40{\"sid\":\"s\"}");
    assert_eq!(rig.wire[2..], ["42[\"a\"]", "42[\"b\"]"]);
    rig.forget();
    rig.auto_flush = false;
    for name in ["d", "e", "f", "g"] {
        rig.emit(socket, name);
    }
    rig.expect_events(&["/ refused: too many packets wait for the transport"]);
    rig.ws_flush();
    rig.expect_wire(&["42[\"d\"]", "42[\"e\"]", "42[\"f\"]"]);
    rig.ws_flush();
    for token in 0..3 {
        rig.ask(socket, "q", token, overheard_core::client::AckStyle::Callback, None);
    }
    rig.expect_events(&["/ refused: too many acks are pending"]);
    rig.ws_frames(vec![overheard_core::wire::Frame::text("41")]);
    rig.forget();
    rig.ws_flush();
    rig.connect(socket);
    rig.ws_handshake(HANDSHAKE);
    for _ in 0..3 {
        rig.ws_text("42[\"early\"]");
    }
    let events = rig.take_events();
    assert_eq!(events.last().unwrap(), "/ disconnect: parse error (never connected)");
}

#[test]
fn names_that_cannot_be_written_are_refused() {
    let mut client = Client::new(ws_only(), Box::new(Fixed(0.0)), Default::default());
    let refused = client.socket("/a,b", SocketOptions::default());
    assert_eq!(refused, Err(Refusal::InvalidNamespace));
}

/// SIO-ACK-01: an event is answered once, by the socket that received it; a later life of the
/// socket does not answer for it (SIO-CONN-05).
#[test]
fn answers_belong_to_one_life_of_a_socket() {
    let (mut rig, socket) = Rig::connected(SocketOptions::default());
    for id in 0..3 {
        rig.ws_text(&format!("42{id}[\"q\"]"));
    }
    rig.expect_events(&["/ q? []"; 3]);
    let mut handles = std::mem::take(&mut rig.acks);
    rig.command(Command::Answer { ack: handles.pop().unwrap(), args: args("[1,\"x\"]") });
    rig.expect_wire(&["432[1,\"x\"]"]);
    rig.ws_end(overheard_core::wire::WsEnd::Closed);
    rig.advance(ms(1000));
    rig.ws_handshake(HANDSHAKE);
    rig.forget();
    rig.command(Command::Answer { ack: handles.pop().unwrap(), args: Vec::new() });
    rig.expect_wire(&[]);
    rig.ws_text("40{\"sid\":\"s2\"}");
    rig.command(Command::Answer { ack: handles.pop().unwrap(), args: Vec::new() });
    rig.expect_wire(&[]);
    rig.emit(socket, "alive");
    rig.expect_wire(&["42[\"alive\"]"]);
}

/// The connection closes: what is emitted meanwhile waits for the next one.
#[test]
fn emits_while_closing_are_held_back() {
    let mut rig = Rig::new(polling_only());
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.answer_get(HANDSHAKE);
    rig.answer_post();
    rig.answer_get("40{\"sid\":\"s1\"}");
    rig.emit(socket, "posted");
    rig.command(Command::CloseEngine);
    rig.emit(socket, "kept");
    rig.answer_post();
    rig.answer_post();
    rig.advance(ms(1000));
    rig.answer_get(HANDSHAKE);
    rig.answer_post();
    rig.answer_get("40{\"sid\":\"s2\"}");
    assert_eq!(rig.answer_post(), "42[\"kept\"]");
}

#[test]
fn arguments_are_sent_as_given() {
    let (mut rig, socket) = Rig::connected(SocketOptions::default());
    let emit = Emit::new("a", args("[1,\"x\",{\"b\":[null,true]}]"));
    rig.command(Command::Emit { socket, emit });
    rig.expect_wire(&["42[\"a\",1,\"x\",{\"b\":[null,true]}]"]);
}
