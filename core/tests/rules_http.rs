//! The rules of HTTP long-polling: overlaps, bodies, limits, answers and their order.

#[path = "support/rig.rs"]
mod rig;
mod support;

use std::collections::VecDeque;

use overheard_core::codec::engine::Packet;
use overheard_core::engine::{EngineConfig, EngineEvent, Input, Method};
use overheard_core::wire::{RequestId, WsEnd, WsId};
use proptest::prelude::*;
use rig::{Rig, too_large};
use support::complete;

/// EIO-POLL-01, EIO-ERR-07: the first GET is answered, the second refused, the session gone.
#[test]
fn a_second_get_ends_the_session() {
    let mut rig = Rig::default();
    let peer = rig.polling();
    let first = rig.get(&peer.query);
    let second = rig.get(&peer.query);
    assert_eq!(rig.answer(first), Some((200, "1".into())));
    assert_eq!(rig.answer(second), Some((400, String::new())));
    assert_eq!(rig.log(), ["close:transport error:overlap from client"]);
    assert_eq!(rig.poll(&peer.query), (400, UNKNOWN_SID.into()));
    rig.assert_baseline();
}

/// EIO-POLL-02: the POST under way is cut, and its body no longer counts.
#[test]
fn a_second_post_ends_the_session_and_cuts_the_first() {
    let mut rig = Rig::default();
    let peer = rig.polling();
    let get = rig.get(&peer.query);
    let first = rig.start(Method::Post, &peer.query, &[]);
    let second = rig.start(Method::Post, &peer.query, &[]);
    assert!(rig.is_cut(first) && rig.answer(first).is_none());
    assert_eq!(rig.answer(second), Some((400, String::new())));
    assert_eq!(rig.answer(get), Some((200, "1".into())));
    assert_eq!(rig.log(), ["close:transport error:data request overlap from client"]);
    rig.feed(complete(first, "4late"));
    assert_eq!(rig.log(), [""; 0], "EIO-CLOSE-06: nothing comes of an ended session");
    rig.assert_baseline();
}

/// EIO-POLL-02: with a GET too many, a POST under way is cut as well.
#[test]
fn an_overlap_of_gets_cuts_the_post_under_way() {
    let mut rig = Rig::default();
    let peer = rig.polling();
    let post = rig.start(Method::Post, &peer.query, &[]);
    let _first = rig.get(&peer.query);
    let second = rig.get(&peer.query);
    assert_eq!(rig.answer(second), Some((400, String::new())), "EIO-POLL-01");
    assert!(rig.is_cut(post));
    rig.assert_baseline();
}

/// EIO-POLL-03: one of each is normal, however they interleave.
#[test]
fn a_get_and_a_post_may_overlap() {
    let mut rig = Rig::default();
    let peer = rig.polling();
    let get = rig.get(&peer.query);
    let post = rig.start(Method::Post, &peer.query, &[]);
    rig.send(peer.conn, "down");
    assert_eq!(rig.answer(get), Some((200, "4down".into())));
    let again = rig.get(&peer.query);
    rig.feed(complete(post, "4up"));
    assert_eq!(rig.answer(post), Some((200, "ok".into())));
    assert_eq!(rig.answer(again), None);
    assert_eq!(rig.log(), ["msg:up"]);
}

/// EIO-POLL-04.
#[test]
fn other_methods_get_500_and_change_nothing() {
    let mut rig = Rig::default();
    let peer = rig.polling();
    let get = rig.get(&peer.query);
    let other = rig.start(Method::Other, &peer.query, &[]);
    assert_eq!(rig.answer(other), Some((500, String::new())));
    rig.send(peer.conn, "alive");
    assert_eq!(rig.answer(get), Some((200, "4alive".into())));
    assert_eq!(rig.log(), [""; 0]);
}

/// EIO-POLL-05: an answer made while the body is processed leaves before the `ok`.
#[test]
fn a_body_is_processed_before_the_post_is_answered() {
    let mut rig = Rig::default();
    let peer = rig.polling();
    rig.react = Box::new(|engine, event| {
        if let EngineEvent::Message { conn, .. } = event {
            engine.send_message(*conn, &Packet::message("reply"));
        }
    });
    let get = rig.get(&peer.query);
    let post = rig.start(Method::Post, &peer.query, &[]);
    rig.settled.clear();
    rig.feed(complete(post, "4a\u{1e}4b"));
    assert_eq!(rig.settled, [get, post]);
    assert_eq!(rig.answer(get), Some((200, "4reply".into())), "EIO-POLL-07: one payload");
    assert_eq!(rig.poll(&peer.query), (200, "4reply".into()), "EIO-POLL-06: the second waits");
}

/// EIO-POLL-05, EIO-CLOSE-02, EIO-CLOSE-07: a session that is closed in the middle of a body takes
/// nothing more of it, and the body is still answered `ok`, once.
#[test]
fn a_body_that_has_come_is_answered_though_its_session_closes() {
    for pending in [false, true] {
        let mut rig = Rig::default();
        let peer = rig.polling();
        rig.react = Box::new(|engine, event| {
            if let EngineEvent::Message { conn, .. } = event {
                engine.close(*conn);
            }
        });
        let get = pending.then(|| rig.get(&peer.query));
        assert_eq!(rig.post(&peer.query, "4a\u{1e}4b"), (200, "ok".into()));
        let end = ["msg:a", "close:forced close"];
        assert_eq!(rig.log(), &end[..=usize::from(pending)]);
        match get {
            Some(get) => assert_eq!(rig.answer(get), Some((200, "1".into()))),
            None => assert_eq!(rig.poll(&peer.query), (200, "6\u{1e}1".into())),
        }
        rig.assert_baseline();
    }
}

proptest! {
    /// EIO-POLL-06, EIO-POLL-07: whatever the order of sends and GETs, the payloads add up to
    /// what was sent, in order, and each GET has exactly one; packets leave at once while a GET is
    /// pending and only then.
    #[test]
    fn payloads_add_up_to_what_was_sent(steps in prop::collection::vec(any::<bool>(), 0..60)) {
        let mut rig = Rig::default();
        let peer = rig.polling();
        let (mut sent, mut gets, mut waiting) = (Vec::new(), Vec::new(), VecDeque::new());
        let mut pending: Option<RequestId> = None;
        for (index, is_send) in steps.into_iter().enumerate() {
            prop_assert_eq!(rig.engine.is_writable(peer.conn), pending.is_some());
            if is_send {
                rig.send(peer.conn, &format!("{index}"));
                sent.push(format!("4{index}"));
                waiting.push_back(format!("4{index}"));
            } else if pending.is_none() {
                let get = rig.get(&peer.query);
                gets.push(get);
                pending = Some(get);
            }
            if let Some(get) = pending && !waiting.is_empty() {
                let all = waiting.drain(..).collect::<Vec<_>>().join("\u{1e}");
                prop_assert_eq!(rig.answer(get), Some((200, all)));
                pending = None;
            }
        }
        prop_assert!(pending.is_none_or(|get| rig.answer(get).is_none()));
        let received = gets.iter().filter_map(|get| rig.answer(*get)).map(|(_, body)| body);
        let received: Vec<_> = received.chain(waiting).collect();
        prop_assert_eq!(received.join("\u{1e}"), sent.join("\u{1e}"));
    }

    /// EIO-PKT-05, EIO-ERR-08: what stands before the invalid packet is delivered, what stands
    /// behind it is not; the POST is answered `ok` and a pending GET `1`.
    #[test]
    fn an_invalid_packet_ends_the_session_behind_those_before_it(
        before in 0_usize..4,
        invalid in prop_oneof![
            Just(String::new()),
            "[^0-6b\u{1e}][^\u{1e}]{0,3}".prop_map(|text| text),
        ],
        behind in 0_usize..3,
    ) {
        let mut rig = Rig::default();
        let peer = rig.polling();
        let get = rig.get(&peer.query);
        let mut packets: Vec<_> = (0..before).map(|index| format!("4{index}")).collect();
        packets.push(invalid);
        packets.extend((0..behind).map(|_| "4never".to_owned()));
        prop_assert_eq!(rig.post(&peer.query, &packets.join("\u{1e}")), (200, "ok".into()));
        let mut expected: Vec<_> = (0..before).map(|index| format!("msg:{index}")).collect();
        expected.push("close:parse error".into());
        prop_assert_eq!(rig.log(), expected);
        prop_assert_eq!(rig.answer(get), Some((200, "1".into())));
        rig.assert_baseline();
    }

    /// EIO-POLL-10, EDGE-13: bytes count, not characters; one too many is refused with 413 and
    /// nothing of it is delivered, and the session lives on.
    #[test]
    fn the_limit_of_a_body_is_in_bytes_and_inclusive(
        limit in 8_usize..40,
        wide in any::<bool>(),
        over in 0_usize..3,
    ) {
        let config = EngineConfig { max_http_buffer_size: limit, ..EngineConfig::default() };
        let mut rig = Rig::new(config);
        let peer = rig.polling();
        let mut body = String::from(if wide { "4é" } else { "4" });
        while body.len() < limit + over {
            body.push('x');
        }
        let request = rig.start(Method::Post, &peer.query, &[]);
        prop_assert_eq!(rig.wire.bodies_wanted.pop_front(), Some((request, limit)));
        rig.feed(complete(request, body.clone()));
        if over == 0 {
            prop_assert_eq!(rig.answer(request), Some((200, "ok".into())));
            prop_assert_eq!(rig.log(), [format!("msg:{}", &body[1..])]);
        } else {
            prop_assert_eq!(rig.answer(request), Some((413, String::new())));
            prop_assert_eq!(rig.log(), [""; 0]);
        }
        prop_assert_eq!(rig.post(&peer.query, "4next"), (200, "ok".into()));
        prop_assert_eq!(rig.log(), ["msg:next"]);
    }
}

/// EIO-POLL-10: the host need not read more than the limit to say so.
#[test]
fn a_body_that_was_not_read_to_its_end_gets_413() {
    let mut rig = Rig::default();
    let peer = rig.polling();
    let get = rig.get(&peer.query);
    let post = rig.start(Method::Post, &peer.query, &[]);
    rig.feed(too_large(post));
    assert_eq!(rig.answer(post), Some((413, String::new())));
    assert_eq!(rig.answer(get), None, "EDGE-13: the session is not touched");
    assert_eq!(rig.post(&peer.query, "4next"), (200, "ok".into()));
    assert_eq!(rig.log(), ["msg:next"]);
}

/// EIO-POLL-08.
#[test]
fn an_aborted_request_ends_the_session() {
    let mut rig = Rig::default();
    let peer = rig.polling();
    let get = rig.get(&peer.query);
    rig.feed(Input::RequestAborted(get));
    assert_eq!(rig.log(), ["close:transport error:poll connection closed prematurely"]);
    assert_eq!(rig.answer(get), None);
    rig.assert_baseline();

    let peer = rig.polling();
    let get = rig.get(&peer.query);
    let post = rig.start(Method::Post, &peer.query, &[]);
    rig.feed(Input::RequestAborted(post));
    assert_eq!(rig.log(), ["close:transport error:data request connection closed prematurely"]);
    assert_eq!(rig.answer(get), Some((200, "1".into())));
    assert!(rig.answer(post).is_none() && !rig.is_cut(post));
    rig.assert_baseline();
}

/// EIO-POLL-08: only a request that waits can be aborted.
#[test]
fn reports_about_unknown_requests_and_websockets_change_nothing() {
    let mut rig = Rig::default();
    let peer = rig.polling();
    let (ws, _) = rig.websocket();
    let get = rig.get(&peer.query);
    rig.send(peer.conn, "a");
    let post = rig.start(Method::Post, &peer.query, &[]);
    rig.feed(complete(post, "4a"));
    assert_eq!(rig.log(), ["msg:a"]);
    let before = rig.engine.stats();
    for request in [get, post, RequestId(1 << 40)] {
        rig.feed(Input::RequestAborted(request));
        rig.feed(complete(request, "4again"));
        rig.feed(too_large(request));
    }
    let unknown = WsId(1 << 40);
    rig.feed(Input::WsFlushed(unknown));
    rig.tx(unknown, ["4x"]);
    rig.end(unknown, WsEnd::Closed);
    rig.end(unknown, WsEnd::TooLarge);
    rig.feed(Input::Timeout);
    assert_eq!(rig.log(), [""; 0]);
    assert_eq!(rig.engine.stats(), before);
    rig.send(peer.conn, "b");
    assert_eq!(rig.poll(&peer.query), (200, "4b".into()));
    rig.tx(ws, ["4c"]);
    assert_eq!(rig.log(), ["msg:c"]);
}

/// EIO-POLL-08: the host may report bodies and aborts in any order before it asks what to do;
/// no body counts twice.
#[test]
fn a_body_counts_once_however_the_reports_come() {
    let mut rig = Rig::default();
    let peer = rig.polling();
    let post = rig.start(Method::Post, &peer.query, &[]);
    rig.engine.handle(rig.now, complete(post, "4once"));
    rig.engine.handle(rig.now, complete(post, "4twice"));
    rig.engine.handle(rig.now, Input::RequestAborted(post));
    rig.run();
    assert_eq!(rig.log(), ["msg:once"]);
    assert_eq!(rig.answer(post), None, "nobody waits for it");
    rig.close_all();
    rig.assert_baseline();
}

/// EIO-POLL-09: this exact type is refused, and none that looks like it.
#[test]
fn only_the_exact_octet_stream_type_is_refused() {
    let accepted = [
        "application/octet-stream; charset=binary",
        "Application/Octet-Stream",
        "application/octet-stream ",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
        "",
    ];
    for kind in accepted {
        let mut rig = Rig::default();
        let peer = rig.polling();
        let post = rig.start(Method::Post, &peer.query, &[("content-type", kind)]);
        rig.feed(complete(post, "bAQID"));
        assert_eq!(rig.answer(post), Some((200, "ok".into())), "{kind}");
        assert_eq!(rig.log(), ["msg:<010203>"], "EIO-PKT-03");
    }
    let mut rig = Rig::default();
    let peer = rig.polling();
    let get = rig.get(&peer.query);
    let headers = [("content-type", "application/octet-stream")];
    let post = rig.start(Method::Post, &peer.query, &headers);
    assert_eq!(rig.answer(post), Some((400, String::new())));
    assert_eq!(rig.answer(get), Some((200, "1".into())));
    assert_eq!(rig.log(), ["close:transport error:invalid content"]);
    assert!(rig.wire.bodies_wanted.is_empty());
    rig.assert_baseline();
}

/// EIO-POLL-11.
#[test]
fn jsonp_wraps_answers_and_unwraps_bodies() {
    let mut rig = Rig::default();
    let peer = rig.polling();
    let query = format!("{}&j=1a2", peer.query);
    rig.send(peer.conn, "\"\u{2028}\u{2029}</");
    let get = rig.get(&query);
    let expected = "___eio[12](\"4\\\"\\u2028\\u2029</\");";
    assert_eq!(rig.answer(get), Some((200, expected.into())));
    let headers = &rig.wire.responses[&get].headers;
    assert!(headers.contains(&("Content-Type", "text/javascript; charset=UTF-8".into())));
    let body = "d=4a%1E4line%5Cnnext%5C%5Cn";
    assert_eq!(rig.post(&query, body), (200, "ok".into()));
    assert_eq!(rig.log(), ["msg:a", "msg:line\nnext\\n"]);
    assert_eq!(rig.post(&query, "e=4a"), (200, "ok".into()));
    assert_eq!(rig.log(), [""; 0], "a body without the field carries nothing");
    let without = rig.get(&peer.query);
    rig.send(peer.conn, "plain");
    assert_eq!(rig.answer(without), Some((200, "4plain".into())), "each GET says so itself");
}

/// EIO-PKT-02: a body that is no UTF-8 is text with replacement characters.
#[test]
fn invalid_utf_8_is_replaced() {
    let mut rig = Rig::default();
    let peer = rig.polling();
    let post = rig.start(Method::Post, &peer.query, &[]);
    rig.feed(complete(post, &b"4a\xff\xe2\x82b\x1e4"[..]));
    assert_eq!(rig.answer(post), Some((200, "ok".into())));
    assert_eq!(rig.log(), ["msg:a\u{fffd}\u{fffd}b", "msg"]);
}

/// A way for a session to end, and the reason that is told.
type End = (&'static str, fn(&mut Rig, &rig::Peer));

/// EIO-POLL-02, EIO-CLOSE-05: however a session ends, the POST under way is cut at once.
#[test]
fn a_post_under_way_is_cut_when_its_session_ends() {
    let ends: [End; 4] = [
        ("ping timeout", |rig, _| rig.advance(45_000)),
        ("forced close", |rig, _| rig.close_all()),
        ("forced close", |rig, peer| {
            rig.get(&peer.query);
            rig.close(peer.conn);
        }),
        ("forced close", |rig, peer| {
            rig.close(peer.conn);
            assert_eq!(rig.wire.destroyed.len(), 1, "a graceful close does not wait for it");
            rig.advance(30_000);
        }),
    ];
    for (reason, end) in ends {
        let mut rig = Rig::default();
        let peer = rig.polling();
        let post = rig.start(Method::Post, &peer.query, &[]);
        end(&mut rig, &peer);
        assert!(rig.is_cut(post), "{reason}");
        rig.feed(complete(post, "4late"));
        assert_eq!(rig.log(), [format!("close:{reason}")]);
        rig.assert_baseline();
    }
}

/// EIO-HS-11: content types, caching, and the wish to compress from the threshold on.
#[test]
fn answers_carry_their_headers_and_compress_from_the_threshold_on() {
    for (threshold, size, compress) in [
        (Some(1024), 1023, false),
        (Some(1024), 1024, true),
        (Some(10), 10, true),
        (Some(10), 9, false),
        (None, 5000, false),
    ] {
        let config = EngineConfig { http_compression: threshold, ..EngineConfig::default() };
        let mut rig = Rig::new(config);
        let peer = rig.polling();
        rig.send(peer.conn, &"x".repeat(size - 1));
        let get = rig.get(&peer.query);
        let response = &rig.wire.responses[&get];
        assert_eq!(response.compress, compress, "{threshold:?} {size}");
        let plain = ("Content-Type", "text/plain; charset=UTF-8".to_owned());
        let uncached = ("cache-control", "no-store".to_owned());
        assert_eq!(response.headers, [plain, uncached.clone()]);
        let post = rig.start(Method::Post, &peer.query, &[]);
        rig.feed(complete(post, "4a"));
        let response = &rig.wire.responses[&post];
        let html = ("Content-Type", "text/html".to_owned());
        assert_eq!(response.headers, [html, uncached]);
        assert!(!response.compress && response.body == "ok");
    }
}

/// EIO-ERR-02 for code 1.
const UNKNOWN_SID: &str = r#"{"code":1,"message":"Session ID unknown"}"#;
