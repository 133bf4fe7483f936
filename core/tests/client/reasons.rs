//! Why sockets are disconnected, cause by cause (appendix B of the rules), and what follows.

use overheard_core::client::{Command, DisconnectReason, SocketOptions};
use overheard_core::wire::WsEnd;
use serde_json::Value as Json;

use crate::driver::{Rig, facts, ms};

/// CLI-03: the reasons are those of the reference, and no others.
#[test]
fn reasons_are_those_of_the_reference() {
    for client in facts("disconnect_reasons_client") {
        reasons_are(&client);
    }
}

fn reasons_are(client: &Json) {
    let names = |key: &str| -> Vec<String> {
        let names = client[key].as_array().unwrap().iter();
        names.map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let mut expect = names("typed");
    expect.extend(names("undocumented"));
    expect.sort();
    let mut seen = DisconnectReason::ALL.map(|reason| reason.to_string());
    seen.sort();
    assert_eq!(seen[..], expect[..], "CLI-03");
    let stays: Vec<String> = DisconnectReason::ALL
        .into_iter()
        .filter(|reason| !reason.reconnects())
        .map(|reason| reason.to_string())
        .collect();
    assert_eq!(stays, names("no_auto_reconnect"), "CLI-04");
}

/// CLI-03, CLI-04: each cause that was observed of the reference gives the client's reason, and
/// the client connects again or not as that reason says.
#[test]
fn causes_give_the_reasons_of_the_reference() {
    let mut judged = 0;
    let facts = facts("disconnect_reasons");
    for fact in facts.iter().flat_map(|list| list.as_array().unwrap()) {
        let Some(reason) = fact["client"].as_str() else { continue };
        let cause = fact["cause"].as_str().unwrap();
        let (mut rig, socket) = Rig::connected(SocketOptions::default());
        match cause {
            "server sends an undecodable Socket.IO packet" => rig.ws_text("4x"),
            "server sends an undecodable Engine.IO packet" => rig.ws_text("x"),
            "client calls socket.io.engine.close()" => rig.command(Command::CloseEngine),
            _ => {
                // What the server was seen to write.
                for wire in fact["wire_to_client"].as_array().unwrap() {
                    match wire.as_str().unwrap() {
                        "CLOSE:1005" if rig.websockets.is_empty() => {}
                        "CLOSE:1005" => rig.ws_end(WsEnd::Closed),
                        packet => rig.ws_text(&format!("4{}", &packet[1..])),
                    }
                }
            }
        }
        check(&mut rig, cause, reason);
        assert!(rig.client.sid(socket).is_none());
        judged += 1;
    }
    assert!(judged >= 7, "every cause with a client reason");
}

/// CLI-03, EIO-HB-08: the causes that the vectors do not have.
#[test]
fn other_causes() {
    type Act = fn(&mut Rig);
    let causes: [(&str, &str, Act); 6] = [
        ("silence", "ping timeout", |rig| rig.advance(ms(45_000))),
        ("client disconnect", "io client disconnect", |rig| {
            let socket = rig.socket("/");
            rig.disconnect(socket);
        }),
        ("WebSocket error", "transport error", |rig| {
            rig.ws_end(WsEnd::ProtocolError("x".into()));
        }),
        ("an attachment without event", "parse error", |rig| rig.ws_text("bAQID")),
        ("an empty message", "parse error", |rig| rig.ws_text("4")),
        ("a text among attachments", "parse error", |rig| {
            rig.ws_text("451-[\"a\",{\"_placeholder\":true,\"num\":0}]");
            rig.ws_text("42[\"b\"]");
        }),
    ];
    for (cause, reason, act) in causes {
        let (mut rig, _) = Rig::connected(SocketOptions::default());
        act(&mut rig);
        check(&mut rig, cause, reason);
    }
}

/// One disconnection with this reason, then a new connection or none.
fn check(rig: &mut Rig, cause: &str, reason: &str) {
    let events = rig.take_events();
    let ends: Vec<_> = events.iter().filter(|event| event.starts_with("/ disconnect")).collect();
    assert_eq!(ends, [&format!("/ disconnect: {reason}")], "CLI-03: {cause}");
    let reason = DisconnectReason::ALL.into_iter().find(|known| known.as_str() == reason).unwrap();
    rig.attempts = 0;
    rig.advance(ms(1000));
    assert_eq!(rig.attempts, usize::from(reason.reconnects()), "CLI-04: {cause}");
    assert_eq!(rig.client.is_idle(), !reason.reconnects(), "CLI-04: {cause}");
}

/// A socket that still waits for the server's consent is told of the loss, as in the reference.
#[test]
fn waiting_sockets_are_told_too() {
    let (mut rig, _) = Rig::connected(SocketOptions::default());
    let admin = rig.socket("/admin");
    rig.connect(admin);
    rig.ws_end(WsEnd::Closed);
    rig.expect_events(&[
        "close: transport close",
        "/ disconnect: transport close",
        "/admin disconnect: transport close (never connected)",
    ]);
}
