//! `overheard target check`, against our own server and against what is none, or not quite one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::thread::Builder;

use serde_json::Value;

/// Compares with a file below `snapshots/cli`.
macro_rules! snapshot {
    ($name:expr, $text:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../snapshots/cli"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!($name, $text));
    }};
}

fn overheard(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_overheard"));
    command.args(arguments).stdin(Stdio::null());
    command.env_clear().env("LC_ALL", "C.UTF-8").current_dir(std::env::temp_dir());
    command
}

/// Our own server; it ends with the test.
struct Served {
    process: Child,
    address: SocketAddr,
}

impl Served {
    fn with(options: &str) -> Self {
        let mut command = overheard(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("OVERHEARD_SERVER", options).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut lines =
            BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.find_map(|line| {
            line.strip_prefix("listening on http://").map(|address| address.parse().unwrap())
        });
        Self { process, address: address.unwrap() }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A server that answers the first bytes of each connection with these.
fn answering(bytes: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let serve = move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            drop(stream.read(&mut [0; 4096]));
            drop(stream.write_all(bytes));
        }
    };
    drop(Builder::new().spawn(serve).unwrap());
    address
}

/// Texts of the same length that change places on the way: what the client says, and what it hears.
type Changes = &'static [(&'static str, &'static str)];

/// Our own server, as one that says something else.
fn spoiled(server: &Served, said: Changes, heard: Changes) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (address, server) = (listener.local_addr().unwrap(), server.address);
    let serve = move || {
        for client in listener.incoming() {
            let (Ok(client), Ok(server)) = (client, TcpStream::connect(server)) else { return };
            let (client, server) = (Arc::new(client), Arc::new(server));
            for (from, to, changes) in [(&client, &server, said), (&server, &client, heard)] {
                let (from, to) = (from.clone(), to.clone());
                drop(Builder::new().spawn(move || carry(&from, &to, changes)).unwrap());
            }
        }
    };
    drop(Builder::new().spawn(serve).unwrap());
    address
}

fn carry(mut from: &TcpStream, mut to: &TcpStream, changes: Changes) {
    let mut buffer = [0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        for (old, new) in changes {
            assert_eq!(old.len(), new.len(), "lengths stand in headers");
            let bytes = &mut buffer[..count];
            let places = bytes.windows(old.len()).enumerate();
            let places = places.filter(|(_, window)| *window == old.as_bytes());
            for place in places.map(|(place, _)| place).collect::<Vec<_>>() {
                bytes[place..place + old.len()].copy_from_slice(new.as_bytes());
            }
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    drop(to.shutdown(std::net::Shutdown::Both));
}

fn check(url: &str, more: &[&str]) -> Output {
    overheard(&[&["target", "check", url][..], more].concat()).output().unwrap()
}

/// What a person sees, without the port.
fn seen(address: SocketAddr) -> String {
    let done = check(&format!("http://{address}"), &[]);
    assert!(done.stdout.is_empty(), "human text goes to stderr");
    let text = String::from_utf8(done.stderr).unwrap();
    let port = format!("127.0.0.1:{}", address.port());
    format!("exit code {}\n{}", done.status.code().unwrap(), text.replace(&port, "127.0.0.1:PORT"))
}

/// Statuses by part, and the last line.
fn lines(address: SocketAddr) -> (Vec<Value>, Value) {
    let done = check(&format!("http://{address}"), &["--reporter", "json"]);
    let text = String::from_utf8(done.stdout).unwrap();
    let mut lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.pop().unwrap();
    assert_eq!(last["exit-code"], done.status.code().unwrap());
    (lines, last)
}

fn not_ok(parts: &[Value]) -> Vec<[&str; 3]> {
    let parts = parts.iter().filter(|line| line["type"] == "part-checked");
    let bad = parts.filter(|line| line["status"] != "ok");
    bad.map(|line| ["part", "status", "message"].map(|key| line[key].as_str().unwrap())).collect()
}

#[test]
fn our_own_server_speaks_the_contract() {
    let options = r#"{"namespaces":{"/staff":{"token":"t","seats":2},"/hall":{"seats":2}},
        "dynamic":["^/room-\\d+$"],"recovery":9000}"#;
    snapshot!("target-check-ok", seen(Served::with(options).address));
}

#[test]
fn what_is_missing_and_what_is_wrong_is_said_with_its_section() {
    let server = Served::with(r#"{"transports":["polling"]}"#);
    let said = &[("[\"leave\"", "[\"leeve\""), ("[\"kick\"", "[\"kack\"")];
    let heard = &[("no such socket", "no such person"), ("[\"timeout\"]", "[\"late-it\"]")];
    let (parts, last) = lines(spoiled(&server, said, heard));
    assert_eq!(parts[0]["type"], "target-found");
    assert_eq!(parts[0]["contract"], 1);
    let bad = not_ok(&parts);
    let statuses: Vec<_> = bad.iter().map(|[part, status, _]| (*part, *status)).collect();
    let expected = [
        ("leave", "missing"),
        ("tell", "wrong"),
        ("tell: timeout", "wrong"),
        ("kick", "missing"),
        ("kick: close", "missing"),
    ];
    assert_eq!(statuses, expected);
    assert_eq!(bad[0][2], "the event `leave` is not known");
    assert!(bad[1][2].contains("no such person"), "{bad:?}");
    let leave = parts.iter().find(|line| line["part"] == "leave").unwrap();
    assert_eq!(leave["section"], "Events");
    assert_eq!(leave["link"], "CONTRACT.md#events");
    assert_eq!((&last["missing"], &last["wrong"]), (&3.into(), &2.into()));
    assert_eq!(last["exit-code"], 1);
    let headings = headings();
    for part in &parts[1..] {
        let section = part["section"].as_str().unwrap();
        assert!(headings.iter().any(|heading| heading == section), "{section}: {headings:?}");
    }
}

/// The sections of the contract's page.
fn headings() -> Vec<String> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../CONTRACT.md");
    let page = std::fs::read_to_string(page).unwrap();
    let headings = page.lines().filter_map(|line| line.strip_prefix("##"));
    headings.map(|line| line.trim_start_matches('#').trim().replace('`', "")).collect()
}

#[test]
fn other_applications_and_versions_are_told_apart() {
    let server = Served::with(r#"{"transports":["polling"]}"#);
    let other = spoiled(&server, &[("\"about\"", "\"abort\"")], &[]);
    snapshot!("target-check-other-app", seen(other));
    let later = spoiled(&server, &[], &[("\"contract\":1", "\"contract\":2")]);
    snapshot!("target-check-other-contract", seen(later));
}

#[test]
fn what_is_no_server_of_socketio_is_told_apart() {
    let closed = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.local_addr().unwrap()
    };
    let page = answering(
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 18\r\nconnection: close\r\n\r\n<h1>Not found</h1>",
    );
    let old = answering(
        b"HTTP/1.1 200 OK\r\ncontent-length: 24\r\nconnection: close\r\n\r\n21:0{\"sid\":\"a\",\"b\":\"cde\"}",
    );
    let mail = answering(b"220 mail.example ESMTP\r\n");
    let texts = [closed, page, old, mail].map(seen).join("\n");
    snapshot!("target-check-none", texts);
}

#[test]
fn what_is_no_place_is_a_mistake_of_the_command_line() {
    for (url, code, words) in [
        ("127.0.0.1:3000", 2, "is not a URL"),
        ("https://127.0.0.1:3000", 2, "not TLS"),
        ("http://no-such-host.invalid:3000", 5, "is not known"),
    ] {
        let done = check(url, &[]);
        let text = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(code), "{text}");
        assert!(text.contains(words), "{text}");
    }
}
