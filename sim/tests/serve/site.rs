//! The page, the health, the figures, and answers to pages of other origins.

use std::io::Read as _;

use crate::support::{Client, Served};

#[test]
fn the_chat_page_is_served_under_a_strict_policy() {
    let served = Served::new(&[]);
    let page = served.get("/");
    assert_eq!((page.status, page.header("content-type")), (200, vec!["text/html; charset=utf-8"]));
    assert_eq!(page.header("x-content-type-options"), ["nosniff"]);
    let policy = page.header("content-security-policy");
    assert!(policy[0].starts_with("default-src 'none'; script-src 'sha256-"), "{policy:?}");
    assert!(!policy[0].contains("unsafe"), "{policy:?}");
    // What the policy would keep a browser from doing.
    let text = page.text();
    for refused in ["<script src", "<link rel=\"stylesheet\"", " style=\"", " onclick=", "eval("] {
        assert!(!text.contains(refused), "{refused}");
    }
    let head = served.request("HEAD", "/", "", b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), [page.body.len().to_string()]);
}

#[test]
fn what_is_not_there_or_not_meant_is_said_so() {
    let served = Served::new(&[]);
    assert_eq!(served.get("/nowhere").status, 404);
    assert_eq!(served.get("/socket.io").status, 404);
    for path in ["/", "/healthz", "/metrics"] {
        let refused = served.request("POST", path, "", b"x");
        assert_eq!((refused.status, refused.header("allow")), (405, vec!["get, head"]), "{path}");
    }
    let health = served.get("/healthz");
    assert_eq!((health.status, health.text().as_str()), (200, "ok"));
}

#[test]
fn figures_follow_what_happens() {
    let served = Served::new(&[]);
    let mut client = Client::new(&served);
    client.ask(r#"["join","tea"]"#);
    let figures = served.get("/metrics");
    assert!(figures.header("content-type")[0].starts_with("application/openmetrics-text"));
    assert!(figures.text().ends_with("# EOF\n"));
    for (name, count) in [("sessions", 1), ("sockets", 1), ("rooms", 3), ("memberships", 3)] {
        assert_eq!(served.metric(name), count, "{name}");
    }
    assert_eq!(served.metric("events_received_total"), 1);
    client.ws.close(None).unwrap();
    served.until("the end", |served| served.metric("sessions") == 0);
    let reason = r#"sockets_disconnected_total{reason="transport close"}"#;
    assert_eq!(served.metric(reason), 1);
}

#[test]
fn other_origins_are_answered_as_the_reference_answers_them() {
    let path = "/socket.io/?EIO=4&transport=polling";
    let closed = Served::new(&[]);
    assert_eq!(closed.request("OPTIONS", path, "origin: https://a.example\r\n", b"").status, 400);
    assert!(closed.get(path).header("access-control-allow-origin").is_empty());

    let flags =
        ["--cors-origin", "https://a.example,https://b.example", "--cors-credentials", "true"];
    let served = Served::new(&flags);
    let asks = "origin: https://b.example\r\naccess-control-request-headers: x-token\r\n";
    let preflight = served.request("OPTIONS", path, asks, b"");
    assert_eq!((preflight.status, preflight.body.len()), (204, 0));
    assert_eq!(preflight.header("access-control-allow-origin"), ["https://b.example"]);
    assert_eq!(preflight.header("access-control-allow-credentials"), ["true"]);
    assert_eq!(
        preflight.header("access-control-allow-methods"),
        ["get,head,put,patch,post,delete"]
    );
    assert_eq!(preflight.header("access-control-allow-headers"), ["x-token"]);
    // Refusals can be read, too.
    let refused = served.request("GET", "/socket.io/?EIO=3", "origin: https://a.example\r\n", b"");
    assert_eq!(refused.status, 400);
    assert_eq!(refused.header("access-control-allow-origin"), ["https://a.example"]);
    // I-22: an origin that only looks alike.
    for foreign in ["https://a.example.evil", "https://xa.example", "null"] {
        let answer = served.request("GET", path, &format!("origin: {foreign}\r\n"), b"");
        assert!(answer.header("access-control-allow-origin").is_empty(), "{foreign}");
        assert_eq!(answer.header("vary"), ["origin"]);
    }
    assert_eq!(
        Served::new(&["--cors-origin", "*"]).get(path).header("access-control-allow-origin"),
        ["*"]
    );
}

#[test]
fn long_polls_are_compressed_for_who_takes_it() {
    let served = Served::new(&["--http-compression", "1000"]);
    let session = served.poll();
    assert_eq!(served.request("POST", &session, "", b"40").text(), "ok");
    served.get(&session);
    let long = "x".repeat(5_000);
    let takes = "accept-encoding: br, gzip\r\n";
    for (headers, text, is_compressed) in
        [(takes, &*long, true), ("", &*long, false), (takes, "short", false)]
    {
        let body = format!(r#"420["echo","{text}"]"#);
        assert_eq!(served.request("POST", &session, "", body.as_bytes()).text(), "ok");
        let answer = served.request("GET", &session, headers, b"");
        assert_eq!(answer.header("content-encoding").contains(&"gzip"), is_compressed);
        let mut plain = answer.body.clone();
        if is_compressed {
            plain.clear();
            flate2::read::GzDecoder::new(&answer.body[..]).read_to_end(&mut plain).unwrap();
        }
        assert_eq!(String::from_utf8(plain).unwrap(), format!(r#"430["ok","{text}"]"#));
    }
}
