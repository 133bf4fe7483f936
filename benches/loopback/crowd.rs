//! A thousand clients in one room, and one of them that keeps so many broadcasts in flight.

use std::cell::RefCell;
use std::io::{self, Cursor};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;
use tokio::time::Duration;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// Makes a frame of 104 bytes of what is delivered.
const PAD: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/// How long a figure is not taken yet.
const WARM_UP: Duration = Duration::from_millis(500);

/// How long a broadcast may be under way.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    /// Deliveries per second.
    pub(crate) rate: f64,
    /// The 99th percentile of the time from sending to receiving, in milliseconds.
    pub(crate) p99: f64,
}

#[derive(Debug, Default)]
struct Heard {
    /// How often each broadcast has arrived.
    times: Vec<usize>,
    /// Nanoseconds since the start at which each was sent.
    sent: Vec<u64>,
    /// Microseconds that deliveries took, while it is measured.
    took: Vec<u32>,
    measuring: bool,
    /// Broadcasts to be sent.
    due: usize,
}

/// The clients.
pub(crate) struct Crowd {
    readers: Vec<tokio::task::JoinHandle<io::Result<()>>>,
    heard: Rc<RefCell<Heard>>,
    due: Rc<Notify>,
    /// The first one talks; the others keep their connections open.
    voices: Vec<OwnedWriteHalf>,
    start: Instant,
    publish: fn(&str) -> String,
}

fn frame(text: &str) -> Vec<u8> {
    let header = FrameHeader {
        opcode: OpCode::Data(Data::Text),
        // Masked with zeros: what is sent stays as it is.
        mask: Some([0; 4]),
        ..FrameHeader::default()
    };
    let mut bytes = Vec::new();
    // Writing into memory does not fail.
    drop(header.format(text.len() as u64, &mut bytes));
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

impl Crowd {
    /// Connects them, one after the other.
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
    pub(crate) async fn connect(
        address: SocketAddr,
        size: usize,
        publish: fn(&str) -> String,
    ) -> io::Result<Self> {
        let (heard, due) = (Rc::<RefCell<Heard>>::default(), Rc::new(Notify::new()));
        let start = Instant::now();
        let mut readers = Vec::new();
        let mut voices = Vec::new();
        for _ in 0..size {
            let mut tcp = TcpStream::connect(address).await?;
            tcp.set_nodelay(true)?;
            let request = format!(
                "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {address}\r\n\
                 Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            );
            tcp.write_all(request.as_bytes()).await?;
            let rest = after_head(&mut tcp).await?;
            tcp.write_all(&frame("40")).await?;
            let (mut read, write) = tcp.into_split();
            let rest = until_joined(&mut read, rest).await?;
            voices.push(write);
            let (heard, due) = (heard.clone(), due.clone());
            readers.push(tokio::task::spawn_local(async move {
                listen(read, rest, size, start, &heard, &due).await
            }));
        }
        // Some let a client in before it is in the room.
        tokio::time::sleep(WARM_UP).await;
        Ok(Self { readers, heard, due, voices, start, publish })
    }

    /// Keeps `in_flight` broadcasts in flight for as long.
    pub(crate) async fn measure(&mut self, in_flight: usize, time: Duration) -> io::Result<Figure> {
        self.heard.borrow_mut().due = in_flight;
        self.talk(WARM_UP).await?;
        self.heard.borrow_mut().measuring = true;
        let begun = self.start.elapsed();
        self.talk(time).await?;
        let seconds = (self.start.elapsed() - begun).as_secs_f64();
        let mut took = {
            let mut heard = self.heard.borrow_mut();
            heard.measuring = false;
            std::mem::take(&mut heard.took)
        };
        let home = self.all_home(in_flight);
        if tokio::time::timeout(PATIENCE, home).await.is_err() {
            return Err(io::Error::other("a broadcast has not reached everybody"));
        }
        let rate = took.len() as f64 / seconds;
        let place = took.len() * 99 / 100;
        if took.is_empty() {
            return Err(io::Error::other("nothing was delivered"));
        }
        let (_, p99, _) = took.select_nth_unstable(place);
        Ok(Figure { rate, p99: f64::from(*p99) / 1e3 })
    }

    /// Waits until the last broadcasts have arrived.
    async fn all_home(&self, in_flight: usize) {
        loop {
            {
                let mut heard = self.heard.borrow_mut();
                heard.due = 0;
                let mut last = heard.times.iter().rev().take(in_flight);
                if last.all(|times| *times >= self.readers.len()) {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn talk(&mut self, time: Duration) -> io::Result<()> {
        let over = tokio::time::sleep(time);
        tokio::pin!(over);
        loop {
            let mut bytes = Vec::new();
            {
                let mut heard = self.heard.borrow_mut();
                for _ in 0..std::mem::take(&mut heard.due) {
                    let sent = nanos(self.start);
                    let number = heard.times.len();
                    let value = format!(r#"{{"n":{number:08},"pad":"{PAD}"}}"#);
                    let value = value.replacen(":0", ":1", 1);
                    bytes.extend(frame(&(self.publish)(&value)));
                    heard.times.push(0);
                    heard.sent.push(sent);
                }
            }
            if let Some(voice) = self.voices.first_mut() {
                voice.write_all(&bytes).await?;
            }
            tokio::select! {
                biased;
                () = self.due.notified() => {}
                () = &mut over => return Ok(()),
            }
            if self.readers.iter().any(tokio::task::JoinHandle::is_finished) {
                return Err(io::Error::other("the server has closed a connection"));
            }
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.readers.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

fn nanos(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Reads to the end of the head of the answer; what came behind it.
async fn after_head(tcp: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        if tcp.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            return Ok(bytes.split_off(end + 4));
        }
    }
}

/// Waits until the namespace has let it in; what came behind that.
async fn until_joined(tcp: &mut OwnedReadHalf, mut bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    loop {
        let mut joined = false;
        let used = each_frame(&bytes, |payload| joined |= payload.starts_with(b"40"));
        bytes.drain(..used);
        if joined {
            return Ok(bytes);
        }
        if tcp.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Hands out whole frames; how many bytes they were.
fn each_frame(bytes: &[u8], mut each: impl FnMut(&[u8])) -> usize {
    let mut cursor = Cursor::new(bytes);
    let mut used = 0;
    while let Ok(Some((_, length))) = FrameHeader::parse(&mut cursor) {
        let head = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
        let end = head + usize::try_from(length).unwrap_or(usize::MAX);
        let Some(payload) = bytes.get(head..end) else { break };
        each(payload);
        used = end;
        cursor.set_position(end as u64);
    }
    used
}

async fn listen(
    mut tcp: OwnedReadHalf,
    mut bytes: Vec<u8>,
    size: usize,
    start: Instant,
    heard: &RefCell<Heard>,
    due: &Notify,
) -> io::Result<()> {
    bytes.reserve(32 << 10);
    loop {
        if tcp.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let now = nanos(start);
        let mut heard = heard.borrow_mut();
        let heard = &mut *heard;
        let used = each_frame(&bytes, |payload| {
            // 42["m",{"n":10000000,…
            let Some(digits) = payload.get(13..20) else { return };
            if !payload.starts_with(br#"42["m",{"n":"#) {
                return;
            }
            let number = digits.iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
            heard.times[number] += 1;
            if heard.measuring {
                let took = (now - heard.sent[number]) / 1_000;
                heard.took.push(u32::try_from(took).unwrap_or(u32::MAX));
            }
            if heard.times[number] == size {
                heard.due += 1;
                due.notify_one();
            }
        });
        bytes.drain(..used);
    }
}
