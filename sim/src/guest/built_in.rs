//! Our own server as a guest: what a guest's verdicts are worth is seen where both are known.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use futures_util::future::{FutureExt, LocalBoxFuture};

use super::{Guest, GuestError, GuestListener, GuestOptions};
use crate::host::serve::serve;
use crate::net::clock::Clock;
use crate::net::{Accepted, BoxIo, Caller, End, Listener, Network};
use crate::plan::Sabotage;
use crate::recorder::Recorder;
use crate::run::world::process;

/// The built-in chat server as a guest, perhaps with a bug in it. Nobody sees what it writes down,
/// so that it is judged as anybody's server is.
#[must_use]
pub fn built_in(sabotage: Option<Sabotage>) -> impl Guest {
    move |listener: GuestListener, options: GuestOptions| async move {
        let unread = Recorder::new(Clock::of_turmoil(), Vec::new(), usize::MAX);
        let mut plan = options.server().clone();
        // A process after a crash has other ids.
        plan.id_seed = options.seed();
        let host = process(&plan, sabotage, 0, &unread).map_err(GuestError::Failed)?;
        let door = Rc::new(Door(RefCell::new(Some(listener))));
        serve(host, door).await;
        Err(GuestError::Failed(format!("{:?}", unread.stopped())))
    }
}

/// A network of one listener.
struct Door(RefCell<Option<GuestListener>>);

impl Network for Door {
    fn listen(&self) -> LocalBoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let listener = self.0.borrow_mut().take().ok_or_else(|| io::ErrorKind::AddrInUse.into());
        async { listener.map(|listener| Box::new(listener) as Box<dyn Listener>) }.boxed_local()
    }

    fn connect(&self, _: &Rc<End>) -> LocalBoxFuture<'static, io::Result<BoxIo>> {
        async { Err(io::ErrorKind::Unsupported.into()) }.boxed_local()
    }
}

impl Listener for GuestListener {
    fn accept(&mut self) -> LocalBoxFuture<'_, io::Result<Accepted>> {
        async {
            let (stream, _) = Self::accept(self).await?;
            Ok(Accepted { io: Box::new(stream), caller: Caller::lookup(|| None) })
        }
        .boxed_local()
    }
}
