//! The least that such a simulation can be on turmoil: frames with their length in front, a server
//! that passes them on, and clients that count.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::task::{JoinSet, spawn_local};
use tokio::time::{Instant, sleep_until};
use turmoil::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use turmoil::net::{TcpListener, TcpStream};

use crate::traffic::{FRAME, RACKS, Speaker, Traffic};
use crate::{Figure, Watch};

pub(crate) const SERVER: &str = "server";
pub(crate) const PORT: u16 = 80;

/// Bytes of a frame's length.
const PREFIX: usize = size_of::<u32>();

/// What stands in front of a payload of that many bytes.
fn prefix(bytes: usize) -> [u8; PREFIX] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}

/// When the talking begins: everybody has come in.
pub(crate) const BEGIN: Duration = Duration::from_secs(1);

/// Plays it with this server and these clients.
pub(crate) fn run<S, C>(
    traffic: &Traffic,
    tick: Duration,
    serve: fn(Traffic) -> S,
    client: fn(Traffic, Rc<Cell<u64>>) -> C,
) -> io::Result<Figure>
where
    S: Future<Output = turmoil::Result> + 'static,
    C: Future<Output = turmoil::Result> + 'static,
{
    let started = Watch::start();
    let (traffic, heard) = (*traffic, Rc::new(Cell::new(0)));
    // As ours: what turmoil adds to the delays of connections is nothing but its ticks.
    let mut sim = turmoil::Builder::new()
        .rng_seed(1)
        .tick_duration(tick)
        .min_message_latency(Duration::ZERO)
        .max_message_latency(Duration::ZERO)
        .tcp_capacity(1024.max(2 * traffic.clients))
        .simulation_duration(Duration::from_secs(3600))
        .build();
    sim.host(SERVER, move || serve(traffic));
    for rack in 0..RACKS {
        let heard = heard.clone();
        sim.client(format!("rack-{rack}"), async move {
            let here = (0..traffic.clients).filter(|client| Traffic::rack(*client) == rack);
            let mut clients = JoinSet::new();
            for _ in here {
                clients.spawn_local(client(traffic, heard.clone()));
            }
            while let Some(client) = clients.join_next().await {
                client??;
            }
            Ok(())
        });
    }
    sim.run().map_err(|error| io::Error::other(error.to_string()))?;
    Ok(Figure::played(heard.get(), started))
}

/// What waits to be written to one client.
#[derive(Default)]
struct Line {
    pending: RefCell<Vec<u8>>,
    news: Notify,
}

#[derive(Default)]
struct Room(RefCell<Vec<Rc<Line>>>);

impl Room {
    fn say(&self, payload: &[u8]) {
        for line in self.0.borrow().iter() {
            let mut pending = line.pending.borrow_mut();
            pending.extend(prefix(payload.len()));
            pending.extend_from_slice(payload);
            line.news.notify_one();
        }
    }
}

pub(crate) async fn serve(traffic: Traffic) -> turmoil::Result {
    let room = Rc::new(Room::default());
    let begin = Instant::now() + BEGIN;
    let listener = TcpListener::bind((IpAddr::V4(Ipv4Addr::UNSPECIFIED), PORT)).await?;
    if traffic.speaker == Speaker::Server {
        spawn_local(speak(traffic, begin, room.clone()));
    }
    loop {
        let (stream, _) = listener.accept().await?;
        let (reads, writes) = stream.into_split();
        let line = Rc::new(Line::default());
        room.0.borrow_mut().push(line.clone());
        spawn_local(pass_on(room.clone(), reads));
        spawn_local(write(line, writes));
    }
}

async fn speak(traffic: Traffic, begin: Instant, room: Rc<Room>) {
    for time in 0..traffic.times {
        sleep_until(begin + traffic.every * time).await;
        room.say(&[b'x'; FRAME - PREFIX]);
    }
}

async fn pass_on(room: Rc<Room>, mut reads: OwnedReadHalf) -> io::Result<()> {
    let mut bytes = Vec::new();
    while reads.read_buf(&mut bytes).await? > 0 {
        take_frames(&mut bytes, |payload| room.say(payload));
    }
    Ok(())
}

/// Writes all that waits at once, as our own server does.
async fn write(line: Rc<Line>, mut writes: OwnedWriteHalf) -> io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        line.news.notified().await;
        std::mem::swap(&mut bytes, &mut *line.pending.borrow_mut());
        writes.write_all(&bytes).await?;
        bytes.clear();
    }
}

pub(crate) async fn client(traffic: Traffic, heard: Rc<Cell<u64>>) -> turmoil::Result {
    let begin = Instant::now() + BEGIN;
    let stream = TcpStream::connect((SERVER, PORT)).await?;
    let (mut reads, mut writes) = stream.into_split();
    if traffic.speaker == Speaker::Clients {
        spawn_local(async move {
            let mut frame = prefix(FRAME - PREFIX).to_vec();
            frame.resize(FRAME, b'x');
            for time in 0..traffic.times {
                sleep_until(begin + traffic.every * time).await;
                writes.write_all(&frame).await?;
            }
            // The line stays open: somebody may still have something to say.
            std::future::pending::<io::Result<()>>().await
        });
    }
    let (mut bytes, mut count) = (Vec::new(), 0);
    while count < traffic.heard_by_each() && reads.read_buf(&mut bytes).await? > 0 {
        take_frames(&mut bytes, |payload| count += usize::from(payload.len() == FRAME - PREFIX));
    }
    heard.set(heard.get() + count as u64);
    sleep_until(begin + traffic.every * traffic.times).await;
    Ok(())
}

/// Hands over what is whole, and keeps the rest.
fn take_frames(bytes: &mut Vec<u8>, mut take: impl FnMut(&[u8])) {
    let mut rest = &bytes[..];
    while let Some((length, behind)) = rest.split_first_chunk::<PREFIX>() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some((payload, behind)) = behind.split_at_checked(length) else { break };
        take(payload);
        rest = behind;
    }
    let taken = bytes.len() - rest.len();
    bytes.drain(..taken);
}
