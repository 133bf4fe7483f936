//! The rules of handshakes and refusals: which requests are let in, in which order they are
//! checked, and what the others are told.

#[path = "support/rig.rs"]
mod rig;
mod support;

use std::collections::BTreeSet;

use overheard_core::engine::{
    EngineConfig, EngineLimits, EngineQuirks, EngineStats, Input, Method, RequestDecision,
    Transports,
};
use overheard_core::wire::WsEnd;
use rig::Rig;

/// What may be wrong with a request, in the order in which it is looked for.
const FAULTS: [&str; 7] = ["transport", "origin", "sid", "method", "plain", "forbidden", "version"];

/// EIO-HS-07, EIO-ERR-01, EIO-ERR-02, EIO-ERR-03: of everything that is wrong with a request, the
/// first in the order of the rule is answered; all 128 combinations.
#[test]
fn the_first_fault_in_the_order_of_the_checks_is_answered() {
    for faults in 0_u32..1 << FAULTS.len() {
        let has = |name: &str| faults >> FAULTS.iter().position(|it| *it == name).unwrap() & 1 == 1;
        let mut rig = Rig::new(EngineConfig { check_requests: true, ..EngineConfig::default() });
        let (query, method, origin) = request_with(&has);
        let request = rig.start(method, &query, &[("origin", origin)]);
        decide(&mut rig, has("forbidden"));
        let (code, refusal) = if has("transport") {
            (0, "TransportUnknown")
        } else if has("origin") {
            (3, "InvalidOrigin")
        } else if has("sid") {
            (1, "SidUnknown")
        } else if has("method") {
            (2, "BadHandshakeMethod")
        } else if has("plain") {
            (3, "TransportHandshake")
        } else if has("forbidden") {
            (4, "Forbidden(None)")
        } else if has("version") {
            (5, "UnsupportedVersion")
        } else {
            assert_eq!(rig.log(), ["check", "open"]);
            continue;
        };
        let status = if code == 4 { 403 } else { 400 };
        let message = MESSAGES[code];
        let body = format!(r#"{{"code":{code},"message":"{message}"}}"#);
        assert_eq!(rig.answer(request), Some((status, body)), "{faults:b}");
        let headers = &rig.wire.responses[&request].headers;
        assert_eq!(*headers, [("Content-Type", "application/json".to_owned())]);
        assert_eq!(rig.log().last(), Some(&format!("refused:{refusal}")), "{faults:b}");
        rig.assert_baseline();
    }
}

/// EIO-HS-07, EIO-WS-06: the same for a switch to WebSocket; always 400, with the message alone.
/// With the reference's artefact a wrong version is found after the switch.
#[test]
fn a_refused_switch_is_answered_in_http() {
    for (faults, quirk) in (0_u32..1 << FAULTS.len()).flat_map(|it| [(it, false), (it, true)]) {
        let has = |name: &str| {
            name != "plain" && faults >> FAULTS.iter().position(|it| *it == name).unwrap() & 1 == 1
        };
        let quirks = EngineQuirks { late_websocket_refusal: quirk, ..EngineQuirks::default() };
        let mut rig =
            Rig::new(EngineConfig { check_requests: true, quirks, ..EngineConfig::default() });
        let (query, method, origin) = request_with(&has);
        let query = query.replace("=polling", "=websocket");
        let ws = rig.ws_with(method, &query, &[("origin", origin)]);
        decide(&mut rig, has("forbidden"));
        let first = FAULTS.iter().find(|fault| has(fault));
        let code = match first.copied() {
            Some("transport") => 0,
            Some("origin") => 3,
            Some("sid") => 1,
            Some("method") => 2,
            Some("forbidden") => 4,
            Some("version") => 5,
            _ => {
                assert_eq!(rig.rx(ws)[0], "OPEN", "EIO-HS-01");
                continue;
            }
        };
        if code == 5 && quirk {
            assert_eq!(rig.rx(ws), ["OPEN", "BROKEN"]);
        } else {
            assert_eq!(rig.rx(ws), [format!("HTTP 400 {}", MESSAGES[code])], "{faults:b}");
        }
        rig.assert_baseline();
    }
}

/// EIO-HS-06: exactly the text `4`.
#[test]
fn other_versions_are_refused() {
    for version in ["", "&EIO=3", "&EIO=abc", "&EIO=04", "&EIO=4.0", "&EIO=+4", "&EIO=", "&eio=4"] {
        let mut rig = Rig::default();
        let (status, body) = rig.poll(&format!("transport=polling{version}"));
        assert_eq!((status, &*body), (400, UNSUPPORTED), "{version}");
        assert_eq!(rig.log(), ["refused:UnsupportedVersion"]);
    }
}

/// EIO-HS-06, VER-02: a known session does not change the version either.
#[test]
fn a_request_of_a_session_keeps_the_version() {
    let mut rig = Rig::default();
    let peer = rig.polling();
    for version in ["", "&EIO=3"] {
        let query = format!("transport=polling&sid={}{version}", peer.sid);
        assert_eq!(rig.poll(&query), (400, BAD_REQUEST.into()));
        let ws = rig.ws(&query.replace("polling", "websocket"));
        assert_eq!(rig.rx(ws), ["HTTP 400 Bad request"]);
        assert_eq!(rig.log(), ["refused:ProtocolMismatch", "refused:ProtocolMismatch"]);
    }
    assert_eq!(rig.post(&peer.query, "4alive"), (200, "ok".into()));
}

/// EIO-ERR-04.
#[test]
fn unknown_and_disabled_transports_are_refused() {
    let polling = EngineConfig { transports: Transports::PollingOnly, ..EngineConfig::default() };
    let websocket =
        EngineConfig { transports: Transports::WebSocketOnly, ..EngineConfig::default() };
    let cases = [
        (&polling, "EIO=4&transport=websocket"),
        (&websocket, "EIO=4&transport=polling"),
        (&polling, "EIO=4"),
        (&polling, "EIO=4&transport="),
        (&polling, "EIO=4&transport=constructor"),
        (&polling, "EIO=4&transport=__proto__"),
        (&polling, "EIO=4&transport=webtransport"),
        (&polling, "EIO=4&transport=Polling"),
    ];
    for (config, query) in cases {
        let mut rig = Rig::new(config.clone());
        let unknown = r#"{"code":0,"message":"Transport unknown"}"#;
        assert_eq!(rig.poll(query), (400, unknown.into()), "{query}");
        let ws = rig.ws(query);
        assert_eq!(rig.rx(ws), ["HTTP 400 Transport unknown"], "{query}");
        assert_eq!(rig.log(), ["refused:TransportUnknown", "refused:TransportUnknown"]);
    }
}

/// EIO-HS-07: what HTTP does not allow in a header, and what it does.
#[test]
fn an_origin_with_invalid_characters_is_refused() {
    for (origin, refused) in [
        ("http://example.com", false),
        ("tab\tand \u{e9}", false),
        ("", false),
        ("nul\0", true),
        ("line\n", true),
        ("del\u{7f}", true),
        ("wide \u{100}", true),
    ] {
        let mut rig = Rig::default();
        let headers = [("origin", origin)];
        let request = rig.start(Method::Get, "EIO=4&transport=polling", &headers);
        let (status, body) = rig.answer(request).unwrap();
        assert_eq!(status == 400, refused, "{origin:?}");
        assert_eq!(body == BAD_REQUEST, refused);
    }
}

/// EIO-ERR-06, EIO-ERR-07: an id that never was, and one whose session has ended.
#[test]
fn an_id_without_a_session_is_unknown() {
    let ends: [fn(&mut Rig, &rig::Peer); 4] = [
        |rig, _| rig.close_all(),
        |rig, _| rig.advance(45_000),
        |rig, peer| assert_eq!(rig.post(&peer.query, "1").0, 200),
        |rig, peer| assert_eq!(rig.post(&peer.query, "x").0, 200),
    ];
    for end in ends {
        let mut rig = Rig::default();
        let peer = rig.polling();
        end(&mut rig, &peer);
        rig.log();
        assert_eq!(rig.poll(&peer.query), (400, UNKNOWN_SID.into()));
        assert_eq!(rig.post(&peer.query, "4x"), (400, UNKNOWN_SID.into()));
        let ws = rig.ws(&peer.upgrade);
        assert_eq!(rig.rx(ws), ["HTTP 400 Session ID unknown"]);
        assert_eq!(rig.log(), ["refused:SidUnknown"; 3]);
        rig.assert_baseline();
    }
}

/// EIO-UP-07, EIO-HS-07: a plain request on a WebSocket session is refused, whichever transport it
/// names, and a plain request may not name WebSocket on a polling session either.
#[test]
fn plain_requests_name_the_polling_transport_of_their_session() {
    let mut rig = Rig::default();
    let polling = rig.polling();
    let (ws, websocket) = rig.websocket();
    let queries = [&polling.upgrade, &websocket.upgrade, &websocket.query];
    for query in queries {
        assert_eq!(rig.poll(query), (400, BAD_REQUEST.into()));
        assert_eq!(rig.post(query, "4x"), (400, BAD_REQUEST.into()));
    }
    assert_eq!(rig.log(), ["refused:TransportMismatch"; 6]);
    rig.tx(ws, ["4a"]);
    assert_eq!(rig.post(&polling.query, "4b"), (200, "ok".into()));
    assert_eq!(rig.log(), ["msg:a", "msg:b"]);
}

/// EIO-HS-07: a WebSocket that names the polling transport is let in and closed.
#[test]
fn a_websocket_cannot_be_a_polling_transport() {
    let mut rig = Rig::default();
    let peer = rig.polling();
    for query in ["EIO=4&transport=polling", &peer.query] {
        let ws = rig.ws(query);
        assert_eq!(rig.rx(ws), ["OPEN", "CLOSE:1005"]);
    }
    assert_eq!(rig.log(), [""; 0]);
    assert_eq!(rig.post(&peer.query, "4alive"), (200, "ok".into()));
}

/// EIO-HS-08, EIO-ERR-02, EIO-ERR-05: the application is asked for handshakes alone, and may answer
/// late, with its own words.
#[test]
fn allow_request_runs_for_handshakes_alone() {
    let mut rig = Rig::new(EngineConfig { check_requests: true, ..EngineConfig::default() });
    let cases = [
        (RequestDecision::Forbid(None), 403, r#"{"code":4,"message":"Forbidden"}"#),
        (RequestDecision::Forbid(Some(String::new())), 403, r#"{"code":4,"message":"Forbidden"}"#),
        (
            RequestDecision::Forbid(Some("no \"x\"".into())),
            403,
            r#"{"code":4,"message":"no \"x\""}"#,
        ),
        (RequestDecision::Fail, 400, BAD_REQUEST),
    ];
    for (decision, status, body) in cases {
        let request = rig.get("EIO=4&transport=polling");
        let ws = rig.ws("EIO=4&transport=websocket");
        rig.advance(60_000);
        assert!(rig.answer(request).is_none() && rig.rx(ws).is_empty(), "nobody has decided");
        for ticket in std::mem::take(&mut rig.tickets) {
            assert!(rig.engine.decide_request(ticket, decision.clone()));
            assert!(!rig.engine.decide_request(ticket, RequestDecision::Allow), "only once");
        }
        rig.run();
        assert_eq!(rig.answer(request), Some((status, body.into())));
        assert!(rig.rx(ws)[0].starts_with("HTTP 400 "), "EIO-WS-06");
        let refused = if status == 403 { "refused:Forbidden" } else { "refused:MiddlewareFailure" };
        let log = rig.log();
        assert!(log[2].starts_with(refused) && log[3].starts_with(refused), "{log:?}");
        rig.assert_baseline();
    }
    let request = rig.get("EIO=4&transport=polling");
    let ticket = rig.tickets.pop().unwrap();
    assert!(!rig.engine.decide_id(ticket, Ok("x".into())), "it is not asked for an id");
    rig.engine.decide_request(ticket, RequestDecision::Allow);
    rig.run();
    let (status, open) = rig.answer(request).unwrap();
    assert_eq!(status, 200);
    let sid = &open[9..29];
    rig.log();
    let _get = rig.get(&format!("EIO=4&transport=polling&sid={sid}"));
    let ws = rig.ws(&format!("EIO=4&transport=websocket&sid={sid}"));
    assert_eq!(rig.rx(ws), ["OPEN"]);
    assert_eq!(rig.log(), [""; 0], "neither a poll nor an upgrade is asked about");
}

/// EIO-HS-08: a client that gives up is forgotten, and the late answer is no error.
#[test]
fn a_client_may_give_up_while_the_application_decides() {
    for custom_ids in [false, true] {
        let config =
            EngineConfig { check_requests: !custom_ids, custom_ids, ..EngineConfig::default() };
        let mut rig = Rig::new(config);
        let request = rig.get("EIO=4&transport=polling");
        let ws = rig.ws("EIO=4&transport=websocket");
        assert_eq!(rig.engine.stats().pending_handshakes, 2);
        rig.feed(Input::RequestAborted(request));
        rig.end(ws, WsEnd::Closed);
        rig.assert_baseline();
        for ticket in std::mem::take(&mut rig.tickets) {
            assert!(!rig.engine.decide_request(ticket, RequestDecision::Allow));
            assert!(!rig.engine.decide_id(ticket, Ok("id".into())));
        }
        rig.run();
        assert!(rig.answer(request).is_none() && rig.rx(ws).is_empty());
        rig.assert_baseline();
    }
}

/// EIO-HS-05: the application's id is used; one that is taken, empty or failed is refused.
#[test]
fn the_application_may_choose_ids() {
    let mut rig = Rig::new(EngineConfig { custom_ids: true, ..EngineConfig::default() });
    let first = rig.get("EIO=4&transport=polling");
    let ticket = rig.tickets.pop().unwrap();
    assert!(!rig.engine.decide_request(ticket, RequestDecision::Allow), "it asks for an id");
    rig.advance(10);
    rig.engine.decide_id(ticket, Ok("my id".into()));
    rig.run();
    assert!(rig.answer(first).unwrap().1.starts_with(r#"0{"sid":"my id","#));
    assert_eq!(rig.log(), ["choose", "open"]);
    assert_eq!(rig.post("EIO=4&transport=polling&sid=my+id", "4a"), (200, "ok".into()));
    rig.log();
    for id in [Ok("my id".into()), Ok("".into()), Err("no ids today".into())] {
        let request = rig.get("EIO=4&transport=polling");
        let ticket = rig.tickets.pop().unwrap();
        rig.engine.decide_id(ticket, id);
        rig.run();
        assert_eq!(rig.answer(request), Some((400, BAD_REQUEST.into())));
        assert_eq!(rig.log(), ["choose", "refused:IdGeneration"]);
    }
    assert_eq!(rig.post("EIO=4&transport=polling&sid=my%20id", "4b"), (200, "ok".into()));
    assert_eq!(rig.log(), ["msg:b"], "the owner of the id is not touched");
}

/// EIO-HS-05, EIO-WS-06: without an id a WebSocket is refused before the switch, or, as the
/// reference does it, broken after it; never answered in HTTP after the switch.
#[test]
fn a_websocket_without_an_id_is_refused() {
    for (quirk, waits, refused) in
        [(false, &[][..], &["HTTP 400 Bad request"][..]), (true, &["OPEN"][..], &["BROKEN"][..])]
    {
        let quirks = EngineQuirks { late_websocket_refusal: quirk, ..EngineQuirks::default() };
        let config = EngineConfig { custom_ids: true, quirks, ..EngineConfig::default() };
        let mut rig = Rig::new(config);
        let ws = rig.ws("EIO=4&transport=websocket");
        assert_eq!(rig.rx(ws), waits);
        let ticket = rig.tickets.pop().unwrap();
        rig.engine.decide_id(ticket, Err("none".into()));
        rig.run();
        assert_eq!(rig.rx(ws), refused);
        rig.assert_baseline();

        let ws = rig.ws("EIO=4&transport=websocket");
        let ticket = rig.tickets.pop().unwrap();
        rig.engine.decide_id(ticket, Ok("chosen".into()));
        rig.run();
        let got = rig.rx(ws);
        assert_eq!(got.len(), 2, "accepted once: {got:?}");
        assert!(got[1].starts_with(r#"0{"sid":"chosen","#));
    }
}

/// EIO-HS-05: the shape, and no id twice.
#[test]
fn ids_have_20_characters_and_do_not_repeat() {
    let mut rig = Rig::default();
    let mut seen = BTreeSet::new();
    for _ in 0..500 {
        let sid = rig.polling().sid;
        assert_eq!(sid.len(), 20);
        assert!(sid.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'), "{sid}");
        assert!(seen.insert(sid));
    }
}

/// EIO-HS-10.
#[test]
fn the_initial_packet_stands_right_behind_the_handshake() {
    let config = EngineConfig { initial_packet: Some("hello".into()), ..EngineConfig::default() };
    let mut rig = Rig::new(config);
    let (_, body) = rig.poll("EIO=4&transport=polling");
    let packets: Vec<_> = body.split('\u{1e}').collect();
    assert!(packets.len() == 2 && packets[0].starts_with("0{"));
    assert_eq!(packets[1], "4hello");
    let ws = rig.ws("EIO=4&transport=websocket");
    let got = rig.rx(ws);
    assert!(got.len() == 3 && got[1].starts_with("0{"), "EIO-HS-01: {got:?}");
    assert_eq!(got[2], "4hello");
}

/// EIO-HS-01, EIO-HS-02, EIO-HS-04: the open packet says what the options say, in both transports.
#[test]
fn the_open_packet_tells_the_options() {
    for (transports, allow_upgrades, offered) in [
        (Transports::Both, true, r#""websocket""#),
        (Transports::Both, false, ""),
        (Transports::PollingOnly, true, ""),
    ] {
        let config = EngineConfig {
            transports,
            allow_upgrades,
            ping_interval: core::time::Duration::from_millis(1234),
            ping_timeout: core::time::Duration::from_millis(567),
            max_http_buffer_size: 4321,
            ..EngineConfig::default()
        };
        let mut rig = Rig::new(config);
        let (_, body) = rig.poll("EIO=4&transport=polling");
        let rest = r#""pingInterval":1234,"pingTimeout":567,"maxPayload":4321}"#;
        assert!(body.starts_with(r#"0{"sid":""#), "EIO-HS-02: five members, in this order");
        assert_eq!(body[29..], format!(r#"","upgrades":[{offered}],{rest}"#));
        if transports == Transports::Both {
            let ws = rig.ws("EIO=4&transport=websocket");
            assert_eq!(rig.rx(ws)[1][29..], format!(r#"","upgrades":[],{rest}"#));
        }
    }
    let mut rig = Rig::new(EngineConfig { allow_upgrades: false, ..EngineConfig::default() });
    let (ws, _) = rig.upgraded();
    rig.tx(ws, ["4not offered, but accepted"]);
    assert_eq!(rig.log(), ["msg:not offered, but accepted"], "EIO-HS-04");
}

/// EIO-ERR-02: over the limit of sessions handshakes are refused, those that waited for the
/// application included; a place that becomes free is given away again.
#[test]
fn the_number_of_sessions_is_limited() {
    let limits = EngineLimits { sessions: 2, ..EngineLimits::default() };
    let config = EngineConfig { limits, check_requests: true, ..EngineConfig::default() };
    let mut rig = Rig::new(config);
    let requests: Vec<_> = (0..3).map(|_| rig.get("EIO=4&transport=polling")).collect();
    let ws = rig.ws("EIO=4&transport=websocket");
    decide(&mut rig, false);
    let statuses: Vec<_> = requests.iter().map(|it| rig.answer(*it).unwrap().0).collect();
    assert_eq!(statuses, [200, 200, 403]);
    assert_eq!(rig.answer(requests[2]).unwrap().1, FULL);
    assert_eq!(rig.rx(ws), ["HTTP 400 Server is full"]);
    assert_eq!(rig.poll("EIO=4&transport=polling"), (403, FULL.into()), "not even asked");
    let full = EngineStats { sessions: 2, timers: 2, ..EngineStats::default() };
    assert_eq!(rig.engine.stats(), full);
    rig.close_all();
    rig.assert_baseline();
    let request = rig.get("EIO=4&transport=polling");
    decide(&mut rig, false);
    assert_eq!(rig.answer(request).unwrap().0, 200);
}

/// EIO-ERR-02: nor may more handshakes wait for the application than the limit says.
#[test]
fn the_number_of_waiting_handshakes_is_limited() {
    let limits = EngineLimits { pending_handshakes: 2, ..EngineLimits::default() };
    let config = EngineConfig { limits, check_requests: true, ..EngineConfig::default() };
    let mut rig = Rig::new(config);
    let request = rig.get("EIO=4&transport=polling");
    let _ws = rig.ws("EIO=4&transport=websocket");
    assert_eq!(rig.poll("EIO=4&transport=polling"), (403, FULL.into()));
    let ws = rig.ws("EIO=4&transport=websocket");
    assert_eq!(rig.rx(ws), ["HTTP 400 Server is full"]);
    rig.feed(Input::RequestAborted(request));
    let _waits = rig.get("EIO=4&transport=polling");
    assert_eq!(rig.engine.stats().pending_handshakes, 2);
}

/// A request that has the faults, and else is a polling handshake: query, method and origin.
fn request_with(has: &dyn Fn(&str) -> bool) -> (String, Method, &'static str) {
    let transport = match (has("transport"), has("plain")) {
        (true, _) => "foo",
        (false, true) => "websocket",
        (false, false) => "polling",
    };
    let sid = if has("sid") { "&sid=nobody" } else { "" };
    let version = if has("version") { 3 } else { 4 };
    let method = if has("method") { Method::Post } else { Method::Get };
    let origin = if has("origin") { "a\u{1}b" } else { "http://a.b" };
    (format!("EIO={version}&transport={transport}{sid}"), method, origin)
}

/// Answers all who wait.
fn decide(rig: &mut Rig, forbid: bool) {
    for ticket in std::mem::take(&mut rig.tickets) {
        let decision = if forbid { RequestDecision::Forbid(None) } else { RequestDecision::Allow };
        assert!(rig.engine.decide_request(ticket, decision));
    }
    rig.run();
}

/// EIO-ERR-01.
const MESSAGES: [&str; 6] = [
    "Transport unknown",
    "Session ID unknown",
    "Bad handshake method",
    "Bad request",
    "Forbidden",
    "Unsupported protocol version",
];

const UNKNOWN_SID: &str = r#"{"code":1,"message":"Session ID unknown"}"#;
const BAD_REQUEST: &str = r#"{"code":3,"message":"Bad request"}"#;
const UNSUPPORTED: &str = r#"{"code":5,"message":"Unsupported protocol version"}"#;
const FULL: &str = r#"{"code":4,"message":"Server is full"}"#;
