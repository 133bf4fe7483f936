//! Bounds below the protocol and of its sizes; each time a bystander notices nothing, and nothing is
//! left behind.

use std::io::{Read as _, Write as _};

use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::support::{Client, Reply, Served};

#[test]
fn one_connection_too_many_is_told_so() {
    let served = Served::new(&["--max-tcp-connections", "40"]);
    let mut bystander = Client::new(&served);
    let crowd: Vec<_> = (0..39).map(|_| served.tcp()).collect();
    for _ in 0..50 {
        let refused = Reply::read(served.tcp());
        assert_eq!((refused.status, refused.text().as_str()), (503, "too many TCP connections"));
        assert_eq!(refused.header("connection"), ["close"]);
    }
    bystander.notices_nothing();
    drop(crowd);
    served.until("there is room again", |served| served.get("/healthz").status == 200);
    served.only_one_is_left();
    assert!(served.metric(r#"tcp_refused_total{reason="too many"}"#) >= 50);
    bystander.notices_nothing();
}

#[test]
fn a_session_too_many_is_refused_as_the_reference_would() {
    let served = Served::new(&["--max-connections", "1"]);
    let mut bystander = Client::new(&served);
    let refused = served.get("/socket.io/?EIO=4&transport=polling");
    assert_eq!(refused.status, 403);
    assert_eq!(refused.text(), r#"{"code":4,"message":"Server is full"}"#);
    bystander.notices_nothing();
}

#[test]
fn a_head_that_does_not_come_is_not_waited_for() {
    let served = Served::new(&["--header-timeout", "200ms"]);
    let mut bystander = Client::new(&served);
    for sent in ["", "GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: "] {
        let mut slow = served.tcp();
        slow.write_all(sent.as_bytes()).unwrap();
        let mut answer = Vec::new();
        slow.read_to_end(&mut answer).unwrap();
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{sent}");
    }
    bystander.notices_nothing();
    served.only_one_is_left();
}

#[test]
fn a_head_that_is_too_long_is_refused() {
    let served = Served::new(&["--max-header-size", "8192"]);
    let mut bystander = Client::new(&served);
    let long = format!("x-long: {}\r\n", "x".repeat(10_000));
    assert_eq!(served.request("GET", "/healthz", &long, b"").status, 431);
    let many = "x: y\r\n".repeat(500);
    assert_eq!(served.request("GET", "/healthz", &many, b"").status, 431);
    bystander.notices_nothing();
    served.only_one_is_left();
}

#[test]
fn a_body_that_does_not_come_ends_its_session() {
    let served = Served::new(&["--body-timeout", "200ms"]);
    let mut bystander = Client::new(&served);
    let session = served.poll();
    let mut slow = served.tcp();
    let head = format!("POST {session} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n42");
    slow.write_all(head.as_bytes()).unwrap();
    assert_eq!(Reply::read(slow).status, 408);
    served.until("its end", |served| served.metric("sessions") == 1);
    bystander.notices_nothing();
    served.only_one_is_left();
}

#[test]
fn a_connection_that_asks_for_nothing_is_closed() {
    let served = Served::new(&["--idle-timeout", "200ms"]);
    // A WebSocket is not idle, whatever is said on it.
    let mut bystander = Client::new(&served);
    let mut idle = served.tcp();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let answer = Reply::read(idle);
    assert_eq!((answer.status, answer.header("connection").len()), (200, 0));
    bystander.notices_nothing();
    served.only_one_is_left();
}

#[test]
fn what_is_too_large_is_refused_over_polling_and_closes_a_websocket() {
    let served = Served::new(&["--max-http-buffer-size", "10000"]);
    let mut bystander = Client::new(&served);
    let session = served.poll();
    assert_eq!(served.request("POST", &session, "", b"40").text(), "ok");
    for size in [10_001, 5_000_000] {
        let body = vec![b'4'; size];
        assert_eq!(served.request("POST", &session, "", &body).status, 413, "{size}");
    }
    // EIO-POLL-10: the session lives.
    assert!(served.get(&session).text().starts_with("40{"));
    assert_eq!(served.request("POST", &session, "", b"1").text(), "ok");

    for size in [10_001, 5_000_000] {
        let mut large = Client::new(&served);
        // It may be cut before all of it is written.
        let sent = large.ws.send(Message::text("4".repeat(size)));
        if sent.is_ok() {
            // A reset can overtake the close frame.
            if let Ok(Message::Close(close)) = large.ws.read() {
                assert_eq!(close.unwrap().code, CloseCode::Size, "{size}");
            }
        }
    }
    bystander.notices_nothing();
    served.only_one_is_left();
    let reason = r#"sessions_closed_total{reason="transport error"}"#;
    assert_eq!(served.metric(reason), 2);
}
