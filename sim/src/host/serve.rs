//! A server process of a simulation: takes connections in, and carries what arrives on them to the
//! machine.

use std::cell::Cell;
use std::rc::Rc;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use overheard_core::app::App;
use overheard_core::engine::Input;
use overheard_core::wire::{Frame, WsEnd, WsId};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::visit::Visit;
use super::{Host, Recorded, SERVER};
use crate::history::What;
use crate::net::socket::Socket;
use crate::net::websocket::{Feed, pump};
use crate::net::{Accepted, BoxIo, Network};

/// Runs a server process: opens the door, and serves until it is dropped.
pub(crate) async fn serve<A: App + 'static>(host: Rc<Host<A, Recorded>>, network: Rc<dyn Network>) {
    let recorder = host.watch.recorder();
    let mut listener = match network.listen().await {
        Ok(listener) => listener,
        Err(error) => return recorder.broken(format!("the server cannot listen: {error}")),
    };
    recorder.record(SERVER, What::Up);
    let mut tasks = JoinSet::new();
    tasks.spawn_local(recorder.guard("the server's clerk", host.clone().clerk()));
    loop {
        tokio::select! {
            biased;
            accepted = listener.accept() => match accepted {
                Ok(accepted) => {
                    let task = connection(host.clone(), accepted);
                    tasks.spawn_local(recorder.guard("a connection of the server", task));
                }
                Err(error) => recorder.broken(format!("the server cannot accept: {error}")),
            },
            _ = tasks.join_next() => {}
            () = host.closing.notified() => break,
        }
    }
    drop(listener);
    while tasks.join_next().await.is_some() {}
}

/// One TCP connection, to its end.
async fn connection<A: App + 'static>(host: Rc<Host<A, Recorded>>, accepted: Accepted) {
    let Accepted { io, caller } = accepted;
    let switched: Rc<Cell<Option<WsId>>> = Rc::default();
    let service = service_fn(|request| {
        let (host, switched, client) = (host.clone(), switched.clone(), caller.client());
        async move { Visit::new(host, client, switched).answer(request).await }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    let http = http.auto_date_header(false).serve_connection(TokioIo::new(io), service);
    let parts = http.without_shutdown().await;
    let Some(ws) = switched.get() else { return };
    let feed = HostFeed { host: host.clone(), client: caller.client(), ws };
    let outbox = host.state.borrow().outlet(ws);
    match (parts, outbox) {
        (Ok(parts), Some(outbox)) => {
            let io = parts.io.into_inner();
            let socket = websocket(io, &parts.read_buf, host.engine.max_http_buffer_size);
            pump(socket, &outbox, &feed).await;
        }
        (Ok(_), None) => {}
        (Err(_), _) => feed.ended(WsEnd::Closed),
    }
    host.state.borrow_mut().sockets.remove(&ws);
}

fn websocket(io: BoxIo, read: &[u8], most: usize) -> Socket {
    let config = WebSocketConfig::default()
        .max_message_size(Some(most))
        .max_frame_size(Some(most))
        .max_write_buffer_size(usize::MAX);
    Socket::accepted(io, read, config)
}

/// Tells the machine what happens on a WebSocket.
struct HostFeed<A> {
    host: Rc<Host<A, Recorded>>,
    client: Option<u32>,
    ws: WsId,
}

impl<A: App> Feed for HostFeed<A> {
    fn frames(&self, frames: Vec<Frame>) {
        self.host.input(self.client, Input::WsFrames { ws: self.ws, frames });
    }

    fn flushed(&self, _: u32) {
        self.host.input(self.client, Input::WsFlushed(self.ws));
    }

    fn ended(&self, end: WsEnd) {
        self.host.input(self.client, Input::WsClosed { ws: self.ws, end });
    }
}
