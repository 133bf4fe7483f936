//! Hostile peers.

use std::time::Duration;

use bytes::Bytes;
use overheard::history::What;
use overheard::plan::{Action, Raw, TransportName};
use overheard_core::value::Value;

use crate::support::{Story, Told, ms, text};

fn raw(transport: TransportName, send: Vec<Value>) -> Raw {
    let enter = vec!["/".to_owned()];
    Raw { transport, enter, send, bytes: None, closes: None, linger: ms(500) }
}

fn endings(told: &Told) -> Vec<String> {
    let endings = told.events().iter().filter(|event| event.who.starts_with("raw-"));
    let endings = endings.filter_map(|event| match &event.what {
        What::Disconnected { reason, .. } => Some(reason.to_string()),
        _ => None,
    });
    endings.collect()
}

#[test]
fn who_breaks_the_protocol_is_thrown_out() {
    let big = "x".repeat(2_000_000);
    for transport in [TransportName::WebSocket, TransportName::Polling] {
        let story = Story::new(&["alice"])
            .step(Action::Raw(raw(transport, vec![text("42[\"echo\"]")])))
            .step(Action::Raw(raw(transport, vec![text("x")])))
            .step(Action::Raw(raw(transport, vec![text("4garbage")])))
            .emit(0, "echo", &[]);
        for told in story.on_both() {
            assert_eq!(endings(&told), ["open", "closed", "closed"], "{transport:?}");
        }
    }
    let story = Story::new(&["alice"])
        .step(Action::Raw(raw(TransportName::WebSocket, vec![text(&big)])))
        .step(Action::Raw(raw(
            TransportName::WebSocket,
            vec![Value::Binary(Bytes::from_static(b"\x00"))],
        )))
        .step(Action::Raw(Raw {
            bytes: Some(b"not http at all\r\n\r\n".to_vec()),
            linger: Duration::from_secs(1),
            ..raw(TransportName::Polling, Vec::new())
        }))
        .emit(0, "echo", &[]);
    for told in story.on_both() {
        assert_eq!(endings(&told), ["closed", "closed", "closed"]);
    }
}
