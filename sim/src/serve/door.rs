//! Takes connections in, and sees them out.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;

use bytes::BytesMut;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use overheard_core::app::Hosted;
use overheard_core::chat::Chat;
use overheard_core::id::IdSource;
use overheard_core::server::{Command, Server};
use overheard_core::time::Duration;
use overheard_core::wire::WsId;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::line::{Place, Scratch, pump};
use super::metrics::{Held, Metrics};
use super::site::Site;
use super::watch::Live;
use super::wire::Wire;
use super::{Limits, ServeError, Settings};
use crate::host::Host;
use crate::host::watch::Watch as _;

/// How long no connection is taken in when the process may open no more files.
const OUT_OF_FILES: Duration = Duration::from_millis(50);

/// Bytes of a connection's buffer while it speaks HTTP; it grows to that for large bodies only.
const HTTP_BUFFER: usize = 64 << 10;

/// Bytes read from a WebSocket at a time: requests of a chat are small.
const READ_BUFFER: usize = 2048;

/// What one that is turned away is told.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\n\
    content-length: 24\r\nconnection: close\r\nretry-after: 1\r\n\r\ntoo many TCP connections";

/// Ids that nobody can guess.
#[derive(Debug)]
struct RandomIds;

impl IdSource for RandomIds {
    fn next_bytes(&mut self) -> [u8; 12] {
        let mut bytes = [0; 12];
        // Tried once before the first use; a system that had random numbers does not run out.
        let _: Result<(), getrandom::Error> = getrandom::fill(&mut bytes);
        bytes
    }
}

/// The server, for all its connections.
pub(super) struct House {
    pub(super) host: Rc<Host<Chat, Live>>,
    pub(super) metrics: Rc<Metrics>,
    pub(super) limits: Limits,
    site: Site,
    scratch: Scratch,
    /// Open TCP connections, and how many there may be.
    guests: Cell<usize>,
    most_guests: usize,
    left: Notify,
    /// Whether the server is about to end.
    leaving: watch::Sender<bool>,
}

impl House {
    fn new(settings: &Settings) -> Result<Rc<Self>, ServeError> {
        getrandom::fill(&mut [0; 12])
            .map_err(|error| ServeError::Random(io::Error::other(error)))?;
        let metrics = Rc::new(Metrics::new());
        let live = Live::new(metrics.clone(), settings.limits.body_timeout);
        let mut config = settings.server.clone();
        settings.chat.apply(&mut config);
        let engine = config.engine.clone();
        let server = Server::new(config, Box::new(RandomIds), Box::new(RandomIds), live.now());
        let app = Chat::new(settings.chat.clone());
        Ok(Rc::new(Self {
            host: Host::new(Hosted::new(server, app), engine, live),
            metrics,
            limits: settings.limits,
            site: Site::new(settings.cors.clone()),
            scratch: Rc::new(RefCell::new(BytesMut::new())),
            guests: Cell::new(0),
            most_guests: settings.limits.tcp_connections.unwrap_or_else(files_allow),
            left: Notify::new(),
            leaving: watch::Sender::new(false),
        }))
    }

    /// Whether the server is about to end.
    pub(super) fn is_leaving(&self) -> bool {
        *self.leaving.borrow()
    }

    /// What the server holds.
    pub(super) fn held(&self) -> Held {
        let stats = self.host.see(|hosted| hosted.server().stats());
        Held { stats, tcp_connections: self.guests.get() }
    }
}

/// How many connections the process may have open: as many files as it is allowed at most, less what
/// it needs itself.
#[cfg(unix)]
fn files_allow() -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let lower = limit.current;
    limit.current = limit.maximum;
    let files = if setrlimit(Resource::Nofile, limit).is_ok() { limit.maximum } else { lower };
    let files = files.and_then(|files| usize::try_from(files).ok());
    files.map_or(usize::MAX, |files| files.saturating_sub(Limits::RESERVE))
}

#[cfg(not(unix))]
const fn files_allow() -> usize {
    usize::MAX
}

/// One TCP connection, counted for as long as it lives.
struct Guest(Rc<House>);

impl Guest {
    fn new(house: &Rc<House>) -> Self {
        house.guests.set(house.guests.get() + 1);
        Self(house.clone())
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.guests.set(self.0.guests.get() - 1);
        self.0.left.notify_waiters();
    }
}

/// When a connection was last asked for something.
struct Idle {
    requests: Cell<usize>,
    since: Cell<Instant>,
}

/// A request that is being answered.
struct Busy(Rc<Idle>);

impl Idle {
    fn new() -> Rc<Self> {
        Rc::new(Self { requests: Cell::new(0), since: Cell::new(Instant::now()) })
    }

    fn busy(self: &Rc<Self>) -> Busy {
        self.requests.set(self.requests.get() + 1);
        Busy(self.clone())
    }

    /// Waits until nothing was asked for as long as `most`.
    async fn over(&self, most: Duration) {
        loop {
            let since = if self.requests.get() > 0 { Instant::now() } else { self.since.get() };
            if since.elapsed() >= most {
                return;
            }
            tokio::time::sleep_until(since + most).await;
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.requests.set(self.0.requests.get() - 1);
        self.0.since.set(Instant::now());
    }
}

/// Serves until `stop` is over, and then until everybody has left.
pub(super) async fn serve(
    settings: Settings,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let house = House::new(&settings)?;
    let mut clerk = tokio::task::spawn_local(house.host.clone().clerk());
    let mut stop = pin!(stop);
    tracing::info!(address = ?listener.local_addr().ok(), most = house.most_guests, "listening");
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            _ = &mut clerk => return Err(ServeError::Stopped),
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => take_in(&house, tcp),
                // The connection is gone already, or there are no more files.
                Err(error) => {
                    tracing::warn!(%error, "cannot take a connection in");
                    tokio::time::sleep(OUT_OF_FILES).await;
                }
            },
        }
    }
    drop(listener);
    tracing::info!("stopping");
    house.leaving.send_replace(true);
    house.host.act(vec![Command::Close]);
    let everybody_left = async {
        loop {
            let left = house.left.notified();
            if house.guests.get() == 0 {
                return;
            }
            left.await;
        }
    };
    if tokio::time::timeout(settings.shutdown_grace, everybody_left).await.is_err() {
        tracing::warn!(connections = house.guests.get(), "connections are cut");
    }
    house.host.die();
    Ok(())
}

fn take_in(house: &Rc<House>, tcp: TcpStream) {
    house.metrics.tcp_accepted.inc();
    if house.guests.get() >= house.most_guests {
        house.metrics.tcp_refused.of("too many").inc();
        // An empty buffer of the system takes these few bytes; if not, closing says enough.
        let _: io::Result<usize> = tcp.try_write(FULL);
        return;
    }
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%error, "a connection has gone at once");
        return;
    }
    let wire = Wire::new(tcp, house.limits.write_timeout);
    tokio::task::spawn_local(http(Guest::new(house), wire));
}

/// Speaks HTTP on a connection, to its end or until it is a WebSocket.
async fn http(guest: Guest, wire: Wire) {
    let house = guest.0.clone();
    let switched: Rc<Cell<Option<WsId>>> = Rc::default();
    let idle = Idle::new();
    let service = service_fn(|request| {
        let (house, switched, busy) = (house.clone(), switched.clone(), idle.busy());
        Box::pin(async move {
            let answer = house.site.answer(&house, switched, request).await;
            drop(busy);
            answer
        })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(house.limits.header_timeout)
        .max_header_size(house.limits.header_bytes)
        .max_buf_size(HTTP_BUFFER)
        .serve_connection(TokioIo::new(wire), service);
    let mut leaving = house.leaving.subscribe();
    let mut ends = false;
    let over = loop {
        tokio::select! {
            biased;
            over = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break over,
            // It is not waited for when the whole server has gone.
            _ = leaving.wait_for(|leaving| *leaving), if !ends => {}
            () = idle.over(house.limits.idle_timeout), if !ends => {}
        }
        Pin::new(&mut connection).graceful_shutdown();
        ends = true;
    };
    let parts = over.map(|()| connection.into_parts());
    let Some(ws) = switched.get() else { return };
    let place = Place::new(house.host.clone(), ws);
    let (Ok(parts), Some(line)) = (parts, house.host.outlet(ws)) else { return };
    let wire = parts.io.into_inner();
    let most = house.host.engine().max_http_buffer_size;
    let config = WebSocketConfig::default()
        .max_message_size(Some(most))
        .max_frame_size(Some(most))
        .read_buffer_size(READ_BUFFER)
        // What is written through it goes to the wire at once, which has the buffer.
        .write_buffer_size(0);
    let read = parts.read_buf.to_vec();
    let socket = WebSocketStream::from_partially_read(wire, read, Role::Server, Some(config)).await;
    let scratch = house.scratch.clone();
    // A task of its own, since this one's memory is that of an HTTP connection.
    tokio::task::spawn_local(async move {
        pump(socket, line, place, scratch).await;
        drop(guest);
    });
}
