//! Hostile bytes over real TCP, beside a bystander: the list of the pure core, broken WebSocket
//! frames, and a flood of connections.

#[path = "../../../core/tests/support/hostile_bytes.rs"]
mod bytes;

use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use overheard_core::engine::Method;
use overheard_core::wire::Frame;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Client, Served};

/// Namespaces as the list knows them.
const FLAGS: [&str; 12] = [
    "--max-http-buffer-size",
    "4096",
    "--namespace",
    "/b",
    "--namespace",
    "/no,token=s3cret",
    "--namespace",
    "/gate,auth-delay=1h",
    "--dynamic",
    r"^/dyn-\d+$",
    "--cleanup-empty-child-namespaces",
    "true",
];

#[test]
fn hostile_packets_over_websocket_harm_nobody() {
    let served = Served::new(&FLAGS);
    let mut bystander = Client::new(&served);
    let namespaces = served.metric("namespaces");
    for (number, burst) in bytes::all().into_iter().enumerate() {
        let mut hostile =
            if number % 2 == 0 { Client::new(&served) } else { Client::open(&served) };
        for frame in burst {
            let message = match frame {
                Frame::Text(text) => Message::text(text.to_string()),
                Frame::Binary(bytes) => Message::binary(bytes),
            };
            // It may have been thrown out already.
            if hostile.ws.send(message).is_err() {
                break;
            }
        }
        if number % 50 == 0 {
            bystander.notices_nothing();
        }
    }
    bystander.notices_nothing();
    served.only_one_is_left();
    assert_eq!(served.metric("namespaces"), namespaces);
}

#[test]
fn hostile_bodies_harm_nobody() {
    let served = Served::new(&FLAGS);
    let mut bystander = Client::new(&served);
    let packet = |frame: Frame| match frame {
        Frame::Text(text) => text.into_bytes().to_vec(),
        Frame::Binary(bytes) => format!("b{}", BASE64_STANDARD.encode(bytes)).into_bytes(),
    };
    let bodies = bytes::all()
        .into_iter()
        .map(|burst| burst.into_iter().map(packet).collect::<Vec<_>>().join(&b'\x1e'));
    let no_text = bytes::NO_TEXT.iter().map(|body| body.to_vec());
    for (number, body) in bodies.chain(no_text).enumerate() {
        let session = served.poll();
        let answer = served.request("POST", &session, "", &body);
        assert!([200, 400, 413].contains(&answer.status) || answer.head.is_empty(), "{answer:?}");
        served.request("POST", &session, "", b"1");
        if number % 50 == 0 {
            bystander.notices_nothing();
        }
    }
    bystander.notices_nothing();
    served.only_one_is_left();
}

#[test]
fn hostile_requests_are_answered_and_harm_nobody() {
    let served = Served::new(&FLAGS);
    let mut bystander = Client::new(&served);
    for (method, query, headers) in bytes::ATTEMPTS {
        let session = served.poll();
        let sid = session.rsplit('=').next().unwrap();
        let method = match method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Other => "PUT",
        };
        let headers: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let query = query.replace("SID", sid);
        let waits = method == "GET" && query.contains("transport=polling") && query.contains(sid);
        if waits && query.contains("EIO=4") {
            // A poll that nothing comes of is given up.
            served.request("POST", &session, "", b"40");
        }
        let path = format!("/socket.io/?{query}");
        let answer = served.request(method, &path, &headers, b"");
        assert!(answer.status > 0, "{path}");
        served.request("POST", &session, "", b"1");
    }
    bystander.notices_nothing();
    served.until("handshakes without a socket are closed", |served| served.metric("sessions") < 20);
}

#[test]
fn broken_websocket_frames_harm_nobody() {
    let served = Served::new(&FLAGS);
    let mut bystander = Client::new(&served);
    let broken: [&[u8]; 12] = [
        b"GET / HTTP/1.1\r\n\r\n",
        // Not masked.
        b"\x81\x0242",
        // Reserved bits, and codes that do not exist.
        b"\xf1\x80\0\0\0\0",
        b"\x83\x80\0\0\0\0",
        b"\x8f\x80\0\0\0\0",
        // A control frame in parts, and one that is too long.
        b"\x09\x80\0\0\0\0",
        b"\x89\xfe\x00\x80\0\0\0\0",
        // A continuation of nothing.
        b"\x80\x80\0\0\0\0",
        // Text that is none.
        b"\x81\x82\0\0\0\0\xff\xfe",
        // A length of nearly everything, and one whose first bit may not be set.
        b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0",
        b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0",
        // Half a head, and nothing more.
        b"\x81",
    ];
    for bytes in broken {
        // Behind a session, and in the same segment as the request for it: I-08.
        let mut behind = Client::new(&served);
        behind.ws.get_mut().write_all(bytes).unwrap();
        let mut within = served.tcp();
        let mut request = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: x\r\n\
            connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
            sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            .to_vec();
        request.extend_from_slice(bytes);
        within.write_all(&request).unwrap();
        bystander.notices_nothing();
    }
    served.only_one_is_left();
}

#[test]
fn a_flood_of_connections_harms_nobody_and_leaves_nothing() {
    let served = Served::new(&["--max-tcp-connections", "200"]);
    let mut bystander = Client::new(&served);
    let before = served.resident();
    for round in 0..10 {
        let flood: Vec<_> =
            (0..300).map(|_| std::net::TcpStream::connect(served.address)).collect();
        for (number, tcp) in flood.iter().enumerate() {
            let Ok(mut tcp) = tcp.as_ref() else { continue };
            // Refused ones are closed, and cannot be written to.
            let _: std::io::Result<()> = match number % 3 {
                0 => tcp.write_all(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n"),
                1 => tcp.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
                _ => Ok(()),
            };
        }
        bystander.notices_nothing();
        drop(flood);
        served.until(&format!("round {round} is over"), |served| {
            served.get("/healthz").status == 200
        });
    }
    served.only_one_is_left();
    let grown = served.resident().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes more than before");
}
