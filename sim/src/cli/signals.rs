//! SIGINT and SIGTERM: the first one ends a command in good order, the second one at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::exit::{Exit, Failure};

/// Which signals have come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signals {
    interrupted: Arc<AtomicBool>,
    terminated: Arc<AtomicBool>,
}

impl Signals {
    /// Listens from here on.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let signals = Self::default();
        let pairs = [
            (SIGINT, Exit::Interrupted, &signals.interrupted),
            (SIGTERM, Exit::Terminated, &signals.terminated),
        ];
        for (signal, exit, flag) in pairs {
            let code = i32::from(exit.code());
            flag::register_conditional_shutdown(signal, code, Arc::clone(flag))
                .and_then(|_| flag::register(signal, Arc::clone(flag)))
                .map_err(|error| cannot_listen(&error))?;
        }
        Ok(signals)
    }

    /// How the command ends, if a signal has come.
    pub(crate) fn exit(&self) -> Option<Exit> {
        if self.terminated.load(Ordering::Relaxed) {
            Some(Exit::Terminated)
        } else if self.interrupted.load(Ordering::Relaxed) {
            Some(Exit::Interrupted)
        } else {
            None
        }
    }
}

/// From here on the second signal, whichever it is, ends the process at once.
pub(crate) fn second_ends_all() -> Result<(), Failure> {
    let one_came = Arc::new(AtomicBool::new(false));
    for (signal, exit) in [(SIGINT, Exit::Interrupted), (SIGTERM, Exit::Terminated)] {
        flag::register_conditional_shutdown(signal, i32::from(exit.code()), one_came.clone())
            .and_then(|_| flag::register(signal, one_came.clone()))
            .map_err(|error| cannot_listen(&error))?;
    }
    Ok(())
}

fn cannot_listen(error: &std::io::Error) -> Failure {
    Failure::new(Exit::Internal, format!("cannot listen to signals: {error}"))
}

/// Waits for the first signal. Needs a runtime.
pub(crate) async fn first() {
    // Without signals nothing ends the process in good order; its user finds other ways.
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        {
            tokio::select! {
                biased;
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
