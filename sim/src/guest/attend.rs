//! The life of one process of a guest, as the simulation sees it.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use futures_util::FutureExt;

use super::{AnyGuest, GuestError, GuestListener, GuestOptions};
use crate::history::EndReason;
use crate::net::eddy::Eddy;
use crate::recorder::Recorder;
use crate::run::world::ServerSeat;

/// Runs a process of a guest to its end, which ends the run: a server does not stop by itself.
pub(crate) async fn attend(
    guest: AnyGuest,
    network: Eddy,
    options: GuestOptions,
    (seat, recorder): (Rc<ServerSeat>, Recorder),
) {
    let listener = match network.open_door().await {
        Ok(listener) => GuestListener::new(listener),
        Err(error) => return recorder.broken(format!("the guest cannot listen: {error}")),
    };
    seat.came_up();
    let life = async { guest.serve(listener, options).await };
    let reason = match AssertUnwindSafe(life).catch_unwind().await {
        Ok(Err(GuestError::Cannot(what))) => {
            EndReason::Skipped(format!("the guest cannot: {what}"))
        }
        Ok(Err(GuestError::Failed(why))) => EndReason::ServerDied(why),
        Ok(Ok(())) => EndReason::ServerDied("it stopped serving".to_owned()),
        Err(panic) => EndReason::ServerDied(format!("it panicked: {}", message(&*panic))),
    };
    recorder.stop(reason);
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}
