//! The move from polling to WebSocket.

use overheard_core::client::{ClientConfig, Command, Transport};
use overheard_core::wire::WsEnd;

use crate::driver::{HANDSHAKE, HANDSHAKE_UPGRADE, Rig};

/// A connected polling session whose candidate is open and has sent its probe.
fn probing() -> Rig {
    let mut rig = Rig::new(ClientConfig::default());
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.answer_get(HANDSHAKE_UPGRADE);
    rig.answer_post();
    rig.answer_get("40{\"sid\":\"s1\"}");
    rig.ws_open();
    rig.forget();
    rig
}

/// EIO-UP-01, EIO-UP-09: probe, answer, both requests come back, `5`, and only then what was held
/// back; no GET is pending when `5` is sent.
#[test]
fn upgrade_waits_for_both_requests() {
    let mut rig = Rig::new(ClientConfig::default());
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.answer_get(HANDSHAKE_UPGRADE);
    rig.expect_wire(&[
        "GET EIO=4&transport=polling",
        "POST 40",
        "WS EIO=4&transport=websocket&sid=E",
        "GET EIO=4&transport=polling&sid=E",
    ]);
    rig.answer_post();
    rig.answer_get("40{\"sid\":\"s1\"}");
    rig.ws_open();
    rig.emit(socket, "posted");
    rig.forget();
    rig.auto_flush = false;
    rig.ws_text("3probe");
    rig.emit(socket, "held");
    rig.emit(socket, "held too");
    rig.expect_wire(&[]);
    rig.answer_get("42[\"late\"]|6");
    rig.expect_events(&["/ late []"]);
    rig.expect_wire(&[]);
    assert_eq!(rig.answer_post(), "42[\"posted\"]");
    rig.expect_wire(&["5"]);
    rig.expect_events(&["upgraded"]);
    assert_eq!(rig.client.transport(), Some(Transport::WebSocket));
    assert!(rig.requests.is_empty(), "EIO-UP-09: no GET is left");
    rig.ws_flush();
    rig.expect_wire(&["42[\"held\"]", "42[\"held too\"]"]);
    rig.ws_text("42[\"by ws\"]");
    rig.expect_events(&["/ by ws []"]);
}

/// EIO-UP-02: noops while probing do not end polling.
#[test]
fn noops_while_probing_are_polled_again() {
    let mut rig = probing();
    for _ in 0..3 {
        rig.answer_get("6");
        rig.expect_wire(&["GET EIO=4&transport=polling&sid=E"]);
    }
    rig.expect_events(&[]);
}

/// EIO-UP-04: a wrong answer, or a candidate that ends, costs the candidate only.
#[test]
fn a_failed_probe_leaves_polling_alone() {
    for answer in ["3", "3other", "2probe", "42[\"x\"]", "x", "6"] {
        let mut rig = probing();
        let socket = rig.socket("/");
        rig.ws_text(answer);
        rig.expect_wire(&["close"]);
        rig.expect_events(&["upgrade failed: probe error"]);
        rig.emit(socket, "a");
        rig.answer_get("42[\"b\"]");
        assert_eq!(rig.answer_post(), "42[\"a\"]", "EIO-UP-04: after {answer:?}");
        rig.expect_events(&["/ b []"]);
    }
}

/// EIO-UP-04: the candidate is lost between its answer and the switch: polling goes on, and what
/// was held back is posted.
#[test]
fn losing_the_candidate_while_pausing_resumes_polling() {
    for get_first in [true, false] {
        let mut rig = probing();
        let socket = rig.socket("/");
        rig.emit(socket, "posted");
        rig.ws_text("3probe");
        rig.emit(socket, "held");
        if get_first {
            rig.answer_get("6");
        }
        rig.forget();
        rig.ws_end(WsEnd::Closed);
        rig.expect_events(&["upgrade failed: probe error: transport closed"]);
        assert!(rig.pending(false).is_some(), "polling goes on");
        assert_eq!(rig.answer_post(), "42[\"posted\"]");
        assert_eq!(rig.answer_post(), "42[\"held\"]");
        rig.answer_get("42[\"b\"]");
        rig.expect_events(&["/ b []"]);
    }
}

/// EIO-UP-10: the end of the session closes the candidate.
#[test]
fn closing_the_session_closes_the_candidate() {
    let mut rig = probing();
    rig.answer_get("1");
    rig.expect_wire(&["close"]);
    rig.expect_events(&["close: transport close", "/ disconnect: transport close"]);
    assert!(rig.websockets.is_empty());
}

/// A close during the pause waits for the switch, so that nothing that was written is lost.
#[test]
fn close_while_pausing_waits_for_the_switch() {
    let mut rig = probing();
    let socket = rig.socket("/");
    rig.ws_text("3probe");
    rig.emit(socket, "held");
    rig.forget();
    rig.disconnect(socket);
    rig.expect_wire(&[]);
    rig.answer_get("6");
    rig.expect_wire(&["5", "42[\"held\"]", "41", "close"]);
}

/// The same when nothing was written: `5`, then the end; or, without the candidate, the end of
/// polling.
#[test]
fn engine_close_while_pausing_waits_for_the_upgrade() {
    for candidate_dies in [false, true] {
        let mut rig = probing();
        rig.ws_text("3probe");
        rig.auto_flush = false;
        rig.forget();
        rig.command(Command::CloseEngine);
        rig.expect_wire(&[]);
        rig.expect_events(&[]);
        if candidate_dies {
            rig.ws_end(WsEnd::Closed);
            rig.expect_wire(&["POST 1"]);
        } else {
            rig.answer_get("6");
            rig.expect_wire(&["5", "close"]);
        }
        let events = rig.take_events();
        assert_eq!(events.last().unwrap(), "/ disconnect: forced close");
    }
}

/// What was held back while polling paused is posted at once when the candidate is lost.
#[test]
fn held_back_packets_are_posted_when_the_candidate_dies() {
    let mut rig = probing();
    let socket = rig.socket("/");
    rig.ws_text("3probe");
    rig.emit(socket, "held");
    rig.forget();
    rig.ws_end(WsEnd::Closed);
    rig.expect_wire(&["POST 42[\"held\"]"]);
}

#[test]
fn no_probe_without_offer_or_option() {
    let no_option = ClientConfig { upgrade: false, ..ClientConfig::default() };
    let no_transport = crate::driver::polling_only();
    for (config, handshake) in [
        (no_option, HANDSHAKE_UPGRADE),
        (no_transport, HANDSHAKE_UPGRADE),
        (ClientConfig::default(), HANDSHAKE),
    ] {
        let mut rig = Rig::new(config);
        rig.command(Command::Open);
        rig.answer_get(handshake);
        rig.expect_events(&["open"]);
        assert!(rig.websockets.is_empty());
    }
}
