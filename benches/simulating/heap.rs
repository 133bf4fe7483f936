//! The least that such a simulation can be on one runtime with a paused clock: a heap of what is
//! under way, and a channel for everybody who waits for it.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::io;
use std::rc::Rc;

use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinSet, LocalSet, spawn_local};
use tokio::time::{Instant, sleep_until};

use crate::traffic::{FRAME, Speaker, Traffic};
use crate::{Figure, Watch};

type Frame = Rc<[u8]>;

/// When it arrives, in which order it was sent, to whom it goes, and what it is.
type UnderWay = Reverse<(Instant, u64, usize, Frame)>;

/// The network: clients by number, and the server behind them.
struct Network {
    traffic: Traffic,
    heap: RefCell<BinaryHeap<UnderWay>>,
    sent: Cell<u64>,
    doors: Vec<UnboundedSender<Frame>>,
    news: Notify,
}

/// Plays it.
pub(crate) fn run(traffic: &Traffic) -> io::Result<Figure> {
    let started = Watch::start();
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let heard = LocalSet::new().block_on(&runtime, play(*traffic))?;
    Ok(Figure::played(heard, started))
}

async fn play(traffic: Traffic) -> io::Result<u64> {
    let (doors, rooms): (Vec<_>, Vec<_>) =
        (0..=traffic.clients).map(|_| unbounded_channel()).unzip();
    let (heap, sent) = (RefCell::default(), Cell::default());
    let network = Rc::new(Network { traffic, heap, sent, doors, news: Notify::new() });
    let begin = Instant::now();
    let end = begin + traffic.every * traffic.times;
    spawn_local(carry(network.clone()));
    let mut clients = JoinSet::new();
    for (number, heard) in rooms.into_iter().enumerate() {
        if number == traffic.clients {
            spawn_local(serve(network.clone(), heard));
        } else {
            clients.spawn_local(listen(traffic, heard));
            if traffic.speaker == Speaker::Clients {
                spawn_local(speak(network.clone(), begin, number));
            }
        }
    }
    if traffic.speaker == Speaker::Server {
        spawn_local(broadcast(network, begin));
    }
    let mut heard = 0;
    while let Some(client) = clients.join_next().await {
        heard += client?;
    }
    sleep_until(end).await;
    Ok(heard)
}

impl Network {
    fn send(&self, client: usize, to: usize, frame: Frame) {
        let due = Instant::now() + self.traffic.latency(client);
        let number = self.sent.replace(self.sent.get() + 1);
        self.heap.borrow_mut().push(Reverse((due, number, to, frame)));
        self.news.notify_one();
    }

    fn send_to_all(&self, frame: &Frame) {
        (0..self.traffic.clients).for_each(|client| self.send(client, client, frame.clone()));
    }

    fn take(&self, now: Instant) -> Option<(usize, Frame)> {
        let mut heap = self.heap.borrow_mut();
        let first = heap.peek_mut().filter(|first| first.0.0 <= now)?;
        let Reverse((_, _, to, frame)) = PeekMut::pop(first);
        Some((to, frame))
    }
}

/// Carries what is due to who waits for it.
async fn carry(network: Rc<Network>) {
    loop {
        let now = Instant::now();
        while let Some((to, frame)) = network.take(now) {
            // Who has heard all has gone.
            drop(network.doors[to].send(frame));
        }
        let next = network.heap.borrow().peek().map(|Reverse((due, ..))| *due);
        match next {
            None => network.news.notified().await,
            Some(due) => tokio::select! {
                biased;
                () = network.news.notified() => {}
                () = sleep_until(due) => {}
            },
        }
    }
}

async fn serve(network: Rc<Network>, mut heard: UnboundedReceiver<Frame>) {
    while let Some(frame) = heard.recv().await {
        network.send_to_all(&frame);
    }
}

async fn broadcast(network: Rc<Network>, begin: Instant) {
    let traffic = network.traffic;
    for time in 0..traffic.times {
        sleep_until(begin + traffic.every * time).await;
        network.send_to_all(&vec![b'x'; FRAME].into());
    }
}

async fn speak(network: Rc<Network>, begin: Instant, client: usize) {
    let traffic = network.traffic;
    for time in 0..traffic.times {
        sleep_until(begin + traffic.every * time).await;
        network.send(client, traffic.clients, vec![b'x'; FRAME].into());
    }
}

async fn listen(traffic: Traffic, mut heard: UnboundedReceiver<Frame>) -> u64 {
    let mut count = 0;
    while count < traffic.heard_by_each()
        && let Some(frame) = heard.recv().await
    {
        count += usize::from(frame.len() == FRAME);
    }
    count as u64
}
