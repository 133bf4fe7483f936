//! The client's part in connection state recovery.

use overheard_core::client::{ClientConfig, OffsetRule, Quirks, SocketHandle, SocketOptions};
use overheard_core::wire::WsEnd;

use crate::driver::{HANDSHAKE, Rig, ms, object, ws_only};

fn connected(config: ClientConfig, auth: Option<&str>) -> (Rig, SocketHandle) {
    let mut rig = Rig::new(config);
    let auth = auth.map(object);
    let socket = rig.socket_with("/", SocketOptions { auth, ..Default::default() });
    rig.connect(socket);
    rig.ws_handshake(HANDSHAKE);
    rig.ws_text("40{\"sid\":\"s1\",\"pid\":\"p1\"}");
    (rig, socket)
}

/// The CONNECT packet of the next connection.
fn reconnect(rig: &mut Rig) -> String {
    rig.ws_end(WsEnd::Closed);
    rig.advance(ms(1000));
    rig.ws_handshake(HANDSHAKE);
    rig.take_events();
    rig.wire.last().unwrap().clone()
}

/// CSR-05: pid and offset go first, auth behind them; without a stored event there is no offset.
#[test]
fn connect_carries_pid_and_offset() {
    let (mut rig, _) = connected(ws_only(), Some("{\"token\":\"t\"}"));
    assert_eq!(reconnect(&mut rig), "40{\"pid\":\"p1\",\"token\":\"t\"}", "CSR-05");
    rig.ws_text("40{\"sid\":\"s1\",\"pid\":\"p1\"}");
    rig.expect_events(&["/ connect s1 recovered"]);
    rig.ws_text("42[\"a\",1,\"off1\"]");
    rig.expect_events(&["/ a [1,\"off1\"]"]);
    rig.ws_text("42[\"a\",2]");
    assert_eq!(reconnect(&mut rig), "40{\"pid\":\"p1\",\"offset\":\"off1\",\"token\":\"t\"}");
    rig.ws_text("40{\"sid\":\"s2\",\"pid\":\"p2\"}");
    rig.expect_events(&["/ connect s2"]);
    assert_eq!(reconnect(&mut rig), "40{\"pid\":\"p2\",\"offset\":\"off1\",\"token\":\"t\"}");
    rig.ws_text("40{\"sid\":\"s3\"}");
    rig.expect_events(&["/ connect s3"]);
    assert_eq!(reconnect(&mut rig), "40{\"token\":\"t\"}", "CSR-01: recovery is off now");
}

/// CSR-01: without a pid nothing is an offset.
#[test]
fn no_pid_no_offset() {
    let (mut rig, _) = Rig::connected(SocketOptions::default());
    rig.ws_text("42[\"a\",\"text\"]");
    assert_eq!(reconnect(&mut rig), "40");
}

/// CSR-07: replayed events come before the consent, are delivered before `connect`, and move the
/// offset.
#[test]
fn replayed_events_come_before_connect() {
    let (mut rig, socket) = connected(ws_only(), None);
    rig.ws_text("42[\"a\",\"o1\"]");
    reconnect(&mut rig);
    rig.ws_text("42[\"b\",\"o2\"]");
    rig.ws_text("42[\"c\",\"o3\"]");
    rig.expect_events(&[]);
    rig.ws_text("40{\"sid\":\"s1\",\"pid\":\"p1\"}");
    rig.expect_events(&["/ b [\"o2\"]", "/ c [\"o3\"]", "/ connect s1 recovered"]);
    assert_eq!(rig.client.sid(socket).unwrap(), "s1");
    assert_eq!(reconnect(&mut rig), "40{\"pid\":\"p1\",\"offset\":\"o3\"}");
}

/// CSR-08: the connection breaks in the middle of a replay: the next one brings each event once.
#[test]
fn a_broken_replay_is_not_delivered_twice() {
    let (mut rig, _) = connected(ws_only(), None);
    rig.ws_text("42[\"a\",\"o1\"]");
    reconnect(&mut rig);
    rig.ws_text("42[\"b\",\"o2\"]");
    assert_eq!(reconnect(&mut rig), "40{\"pid\":\"p1\",\"offset\":\"o1\"}");
    rig.ws_text("42[\"b\",\"o2\"]");
    rig.ws_text("40{\"sid\":\"s1\",\"pid\":\"p1\"}");
    rig.expect_events(&["/ b [\"o2\"]", "/ connect s1 recovered"]);
}

/// CSR-12: any trailing string becomes the offset; an option knows better. An event with an ack
/// has its callback there.
#[test]
fn any_trailing_string_is_an_offset() {
    let (mut rig, _) = connected(ws_only(), None);
    rig.ws_text("42[\"a\",\"o1\"]");
    rig.ws_text("420[\"ask\",\"not me\"]");
    assert_eq!(reconnect(&mut rig), "40{\"pid\":\"p1\",\"offset\":\"o1\"}");
    rig.ws_text("40{\"sid\":\"s1\",\"pid\":\"p1\"}");
    rig.ws_text("42[\"status\",\"connected\"]");
    assert_eq!(reconnect(&mut rig), "40{\"pid\":\"p1\",\"offset\":\"connected\"}", "CSR-12");
    rig.ws_text("40{\"sid\":\"s1\",\"pid\":\"p1\"}");
    rig.ws_text("42[\"bare\"]");
    assert_eq!(reconnect(&mut rig), "40{\"pid\":\"p1\",\"offset\":\"bare\"}", "CSR-12: a name");

    let offsets = OffsetRule::Only(|text| text.starts_with('o'));
    let quirks = Quirks { offsets, ..Quirks::default() };
    let (mut rig, _) = connected(ClientConfig { quirks, ..ws_only() }, None);
    for event in ["42[\"a\",\"o1\"]", "42[\"status\",\"connected\"]", "42[\"odd name\"]"] {
        rig.ws_text(event);
    }
    assert_eq!(reconnect(&mut rig), "40{\"pid\":\"p1\",\"offset\":\"o1\"}", "CSR-12");
}
