//! A server of its own for each test, and clients that do as they are told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

/// When a test gives up on something that does not come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server.
pub(crate) struct Served {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    _folder: TempDir,
}

/// The command line of the server, in a folder with this overheard.toml, without any variable of
/// ours.
pub(crate) fn command(file: &str) -> (Command, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("overheard.toml"), file).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_overheard"));
    command.current_dir(folder.path()).env_clear().arg("serve");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    (command, folder)
}

impl Served {
    /// A server with these flags, on a free port.
    pub(crate) fn new(flags: &[&str]) -> Self {
        let (mut command, folder) = command("");
        command.args(["--listen", "127.0.0.1:0"]).args(flags);
        Self::start(command, folder)
    }

    /// The same, with all that it has to say.
    pub(crate) fn talkative(flags: &[&str]) -> Self {
        let (mut command, folder) = command("");
        command.env("OVERHEARD_LOG", "debug").args(["--listen", "127.0.0.1:0"]).args(flags);
        Self::start(command, folder)
    }

    /// Starts it, and waits until it listens.
    pub(crate) fn start(mut command: Command, folder: TempDir) -> Self {
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on http://");
        let address = address.unwrap_or_else(|| panic!("{line:?}")).parse().unwrap();
        Self { child, address, _folder: folder }
    }

    /// What it says on stderr.
    pub(crate) fn log(&mut self) -> Log {
        Log(BufReader::new(self.child.stderr.take().unwrap()))
    }

    pub(crate) fn tcp(&self) -> TcpStream {
        let tcp = TcpStream::connect(self.address).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.set_write_timeout(Some(PATIENCE)).unwrap();
        tcp
    }

    /// Sends a request on a connection of its own, and reads to the end of that.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Reply {
        let mut tcp = self.tcp();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
             content-length: {length}\r\n{headers}\r\n"
        );
        tcp.write_all(head.as_bytes()).unwrap();
        // One that is refused early may not take the whole body.
        let _: std::io::Result<()> = tcp.write_all(body);
        Reply::read(tcp)
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.request("GET", path, "", b"")
    }

    /// A figure of `/metrics`.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("overheard_{name} ")));
        line.map_or(0, |value| value.parse().unwrap())
    }

    /// Waits until something holds.
    #[expect(clippy::disallowed_methods, reason = "a real server takes real time")]
    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        for _ in 0..400 {
            if holds(self) {
                return;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("it never came: {what}\n{}", self.get("/metrics").text());
    }

    /// Waits until nothing is held but one client in `/` and its rooms.
    pub(crate) fn only_one_is_left(&self) {
        let one = [
            // The other one asks for the figures.
            ("tcp_connections", 2),
            ("sessions", 1),
            ("websockets", 1),
            ("requests", 0),
            ("sockets", 1),
            ("sockets_waiting", 0),
            ("rooms", 2),
            ("memberships", 2),
            ("acks", 0),
            ("frames", 0),
            ("buffered_bytes", 0),
        ];
        for (name, count) in one {
            self.until(&format!("{name} {count}"), |served| served.metric(name) == count);
        }
    }

    /// Bytes of memory that the process has, in the sense of the system.
    pub(crate) fn resident(&self) -> usize {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<usize>().ok());
        kilobytes.unwrap_or(0) * 1024
    }

    /// A polling session: the path of its requests.
    pub(crate) fn poll(&self) -> String {
        let path = "/socket.io/?EIO=4&transport=polling";
        let open = self.get(path).text();
        let open: serde_json::Value = serde_json::from_str(&open[1..]).unwrap();
        format!("{path}&sid={}", open["sid"].as_str().unwrap())
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}

/// What a server says on stderr.
pub(crate) struct Log(BufReader<ChildStderr>);

impl Log {
    /// Reads on until there is a line with this in it.
    pub(crate) fn until(&mut self, text: &str) -> String {
        let mut read = String::new();
        loop {
            let from = read.len();
            assert!(self.0.read_line(&mut read).unwrap() > 0, "{text} is not in {read}");
            if read[from..].contains(text) {
                return read.split_off(from);
            }
        }
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// Reads until the connection ends.
    pub(crate) fn read(mut tcp: TcpStream) -> Self {
        let mut bytes = Vec::new();
        // A reset behind the answer is as good as an end.
        if let Err(error) = tcp.read_to_end(&mut bytes) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
        }
        Self::parse(&bytes)
    }

    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let Some(end) = end else { return Self { status: 0, head: String::new(), body: vec![] } };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body: bytes[end + 4..].to_vec() }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The values of a header.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let name = format!("{name}: ");
        self.head.lines().filter_map(|line| line.strip_prefix(&name)).collect()
    }
}

/// A client over WebSocket, in `/`.
pub(crate) struct Client {
    pub(crate) ws: WebSocket<TcpStream>,
    asked: u32,
}

impl Client {
    pub(crate) fn new(served: &Served) -> Self {
        let mut client = Self::open(served);
        client.send("40");
        assert!(client.next().starts_with("40{"));
        client
    }

    /// One that has not said a word yet.
    pub(crate) fn open(served: &Served) -> Self {
        let url = format!("ws://{}/socket.io/?EIO=4&transport=websocket", served.address);
        let (ws, _) = client(url, served.tcp()).unwrap();
        let mut client = Self { ws, asked: 0 };
        assert!(client.next().starts_with("0{"));
        client
    }

    pub(crate) fn send(&mut self, text: impl Into<String>) {
        self.ws.send(Message::text(text.into())).unwrap();
    }

    /// The next packet that is not the heartbeat's.
    pub(crate) fn next(&mut self) -> String {
        match self.next_message() {
            Ok(text) => text,
            Err(close) => panic!("closed: {close:?}"),
        }
    }

    /// The same, or how the server closed.
    pub(crate) fn next_message(&mut self) -> Result<String, Option<CloseFrame>> {
        loop {
            match self.ws.read() {
                Ok(Message::Text(text)) if text == "2" => self.send("3"),
                Ok(Message::Text(text)) => return Ok(text.to_string()),
                Ok(Message::Close(close)) => return Err(close),
                Ok(other) => panic!("{other:?}"),
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Asks with an event, and is answered before anything else comes.
    pub(crate) fn ask(&mut self, event: &str) -> String {
        self.asked += 1;
        let number = self.asked;
        self.send(format!("42{number}{event}"));
        let answer = self.next();
        let answer = answer.strip_prefix(&format!("43{number}"));
        answer.unwrap_or_else(|| panic!("no answer to {event}")).to_owned()
    }

    /// Still there, and has heard nothing.
    pub(crate) fn notices_nothing(&mut self) {
        assert_eq!(self.ask(r#"["echo","still here"]"#), r#"["ok","still here"]"#);
    }
}
