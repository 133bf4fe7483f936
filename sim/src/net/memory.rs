//! A network of in-memory pipes: one paused tokio runtime, where idle time costs nothing.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::rc::Rc;

use futures_util::future::{FutureExt, LocalBoxFuture};

use super::pipe::{Pipe, Stream};
use super::postman::Postman;
use super::switchboard::{End, Weather};
use super::{Accepted, BoxIo, Caller, Listener, Network};
use crate::signal::Signal;

/// Connections that wait to be accepted.
#[derive(Default)]
struct Door {
    open: std::cell::Cell<bool>,
    queue: RefCell<VecDeque<(Stream, Option<u32>)>>,
    news: Signal,
}

/// The network.
#[derive(Clone)]
pub(crate) struct Memory {
    weather: Weather,
    postman: Rc<Postman>,
    door: Rc<Door>,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

impl Memory {
    /// A network without a server. The postman has to be spawned.
    pub(crate) fn new(weather: Weather, postman: Rc<Postman>) -> Self {
        Self { weather, postman, door: Rc::default() }
    }
}

impl Network for Memory {
    fn listen(&self) -> LocalBoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let door = self.door.clone();
        door.open.set(true);
        std::future::ready(Ok(Box::new(Waiting(door)) as Box<dyn Listener>)).boxed_local()
    }

    fn connect(&self, end: &Rc<End>) -> LocalBoxFuture<'static, io::Result<BoxIo>> {
        let (this, end) = (self.clone(), end.clone());
        async move {
            if !end.may_connect().await {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let Weather { clock, board } = &this.weather;
            clock.sleep_until(clock.now() + end.round_trip()).await;
            if !this.door.open.get() {
                board.found_nobody();
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let (near, far) = Pipe::open(&end, board, clock, &this.postman);
            this.door.queue.borrow_mut().push_back((far, end.client()));
            this.door.news.raise();
            Ok(Box::new(near) as BoxIo)
        }
        .boxed_local()
    }
}

/// The open door; it closes when this is dropped.
struct Waiting(Rc<Door>);

impl Listener for Waiting {
    fn accept(&mut self) -> LocalBoxFuture<'_, io::Result<Accepted>> {
        async {
            loop {
                let seen = self.0.news.count();
                let next = self.0.queue.borrow_mut().pop_front();
                if let Some((stream, client)) = next {
                    let caller = Caller::lookup(move || client);
                    return Ok(Accepted { io: Box::new(stream), caller });
                }
                self.0.news.changed(seen).await;
            }
        }
        .boxed_local()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.open.set(false);
        self.0.queue.borrow_mut().clear();
    }
}
