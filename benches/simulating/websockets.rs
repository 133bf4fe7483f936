//! The bare run with the least that a Socket.IO server cannot do without: frames are messages of
//! WebSockets. Nobody looks into them.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_async_with_config, client_async_with_config};
use turmoil::net::{TcpListener, TcpStream};

use crate::eddies::{BEGIN, PORT, SERVER};
use crate::traffic::{FRAME, Speaker, Traffic};

/// Bytes of the header of a short frame from a server.
const HEADER: usize = 2;

type Socket = WebSocketStream<TcpStream>;

/// What waits to be written to one client.
#[derive(Default)]
struct Line {
    pending: RefCell<Vec<Message>>,
    news: Notify,
}

#[derive(Default)]
struct Room(RefCell<Vec<Rc<Line>>>);

impl Room {
    fn say(&self, text: &Utf8Bytes) {
        for line in self.0.borrow().iter() {
            line.pending.borrow_mut().push(Message::Text(text.clone()));
            line.news.notify_one();
        }
    }
}

/// Thousands of connections with little to say on each.
fn config() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(4096)
}

fn text() -> Result<Utf8Bytes, Error> {
    Ok(Utf8Bytes::try_from(Bytes::from(vec![b'x'; FRAME - HEADER]))?)
}

/// The server.
pub(crate) async fn serve(traffic: Traffic) -> turmoil::Result {
    let room = Rc::new(Room::default());
    let begin = Instant::now() + BEGIN;
    let listener = TcpListener::bind((IpAddr::V4(Ipv4Addr::UNSPECIFIED), PORT)).await?;
    if traffic.speaker == Speaker::Server {
        spawn_local(speak(traffic, begin, room.clone()));
    }
    loop {
        let (stream, _) = listener.accept().await?;
        spawn_local(enter(room.clone(), stream));
    }
}

async fn enter(room: Rc<Room>, stream: TcpStream) -> Result<(), Error> {
    let (writes, reads) = accept_async_with_config(stream, Some(config())).await?.split();
    let line = Rc::new(Line::default());
    room.0.borrow_mut().push(line.clone());
    spawn_local(write(line, writes));
    pass_on(room, reads).await
}

async fn speak(traffic: Traffic, begin: Instant, room: Rc<Room>) -> Result<(), Error> {
    for time in 0..traffic.times {
        sleep_until(begin + traffic.every * time).await;
        room.say(&text()?);
    }
    Ok(())
}

async fn pass_on(room: Rc<Room>, mut reads: SplitStream<Socket>) -> Result<(), Error> {
    while let Some(message) = reads.next().await {
        if let Message::Text(text) = message? {
            room.say(&text);
        }
    }
    Ok(())
}

/// Writes all that waits at once, as our own server does.
async fn write(line: Rc<Line>, mut writes: SplitSink<Socket, Message>) -> Result<(), Error> {
    let mut messages = Vec::new();
    loop {
        line.news.notified().await;
        std::mem::swap(&mut messages, &mut *line.pending.borrow_mut());
        for message in messages.drain(..) {
            writes.feed(message).await?;
        }
        writes.flush().await?;
    }
}

/// A client.
pub(crate) async fn client(traffic: Traffic, heard: Rc<Cell<u64>>) -> turmoil::Result {
    let begin = Instant::now() + BEGIN;
    let stream = TcpStream::connect((SERVER, PORT)).await?;
    let opened = client_async_with_config(format!("ws://{SERVER}/"), stream, Some(config())).await;
    let (mut writes, mut reads) = opened.map_err(io::Error::other)?.0.split();
    if traffic.speaker == Speaker::Clients {
        spawn_local(async move {
            for time in 0..traffic.times {
                sleep_until(begin + traffic.every * time).await;
                writes.send(Message::Text(text()?)).await?;
            }
            // The line stays open: somebody may still have something to say.
            std::future::pending::<Result<(), Error>>().await
        });
    }
    let mut count = 0;
    while count < traffic.heard_by_each()
        && let Some(message) = reads.next().await
    {
        count += usize::from(message.map_err(io::Error::other)?.len() == FRAME - HEADER);
    }
    heard.set(heard.get() + count as u64);
    sleep_until(begin + traffic.every * traffic.times).await;
    Ok(())
}
