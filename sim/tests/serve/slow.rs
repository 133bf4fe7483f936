//! A client that does not read: what waits for it is bounded, and nobody else waits.

use crate::support::{Client, Served};

/// Bytes that may wait for one client.
const BOUND: usize = 256 << 10;

/// Messages, and bytes of each: together far more than the buffers of the system take.
const MESSAGES: usize = 300;
const SIZE: usize = 64 << 10;

#[test]
fn who_does_not_read_is_dropped_and_holds_nobody_up() {
    let bound = BOUND.to_string();
    let served = Served::new(&["--max-buffered-bytes", &bound]);
    let mut bystander = Client::new(&served);
    let (mut talker, mut reader) = (Client::new(&served), Client::new(&served));
    let mut slow = Client::new(&served);
    for client in [&mut talker, &mut reader, &mut slow] {
        assert_eq!(client.ask(r#"["join","tea"]"#), r#"["ok"]"#);
    }
    let before = served.resident();
    let text = "x".repeat(SIZE);
    let mut most = 0;
    for number in 0..MESSAGES {
        let event =
            format!(r#"["broadcast",{{"to":"tea","event":"m","args":[{number},"{text}"]}}]"#);
        assert_eq!(talker.ask(&event), r#"["ok"]"#);
        let got = reader.next();
        assert!(got.starts_with(&format!(r#"42["m",{number},"#)), "{}", &got[..30]);
        most = most.max(served.metric("buffered_bytes"));
    }
    // Whether it is queued or already taken for writing.
    let bound = BOUND as u64;
    assert!(bound / 2 < most && most <= bound, "{most} bytes waited");
    let reason = r#"sessions_closed_total{reason="transport error"}"#;
    assert_eq!(served.metric(reason), 1, "the slow one was dropped");
    bystander.notices_nothing();
    // What the allocator keeps.
    let grown = served.resident().saturating_sub(before);
    assert!(grown < 12 << 20, "{grown} bytes more than before");
    drop((talker, reader, slow));
    served.only_one_is_left();
}

#[test]
fn who_reads_nothing_at_all_is_given_up() {
    let served = Served::new(&["--write-timeout", "300ms"]);
    let mut bystander = Client::new(&served);
    let mut greedy = Client::new(&served);
    // Asks for more than it ever reads, until nothing can be written any more.
    let text = "x".repeat(SIZE);
    for number in 0..MESSAGES {
        let event = format!(r#"42{number}["echo","{text}"]"#);
        let message = tokio_tungstenite::tungstenite::Message::text(event);
        if greedy.ws.send(message).is_err() {
            break;
        }
    }
    served.until("its end", |served| served.metric("sessions") == 1);
    bystander.notices_nothing();
    served.only_one_is_left();
}
