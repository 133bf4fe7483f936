//! Progress on stderr, while somebody looks.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::choices::Progress;
use super::context::Context;

/// A bar, a counter, or nothing.
#[derive(Debug)]
pub(crate) struct Bar(Option<ProgressBar>);

/// Starts to show progress.
pub(crate) fn start(progress: Progress, runs: usize, quiet: bool) -> Bar {
    let template = match progress {
        Progress::None => return Bar(None),
        Progress::Auto if quiet || !Context::stderr_is_terminal() || runs < 2 => return Bar(None),
        Progress::Auto | Progress::Bar => "{bar:30.cyan} {pos}/{len} runs {msg}",
        Progress::Counter => "{pos}/{len} runs {msg}",
    };
    let bar = ProgressBar::with_draw_target(u64::try_from(runs).ok(), ProgressDrawTarget::stderr());
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style);
    Bar(Some(bar))
}

impl Bar {
    /// Writes something else meanwhile.
    pub(crate) fn suspend<R>(&self, write: impl FnOnce() -> R) -> R {
        match &self.0 {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// One more is over.
    pub(crate) fn step(&self, bad: u32) {
        if let Some(bar) = &self.0 {
            if bad > 0 {
                bar.set_message(format!("({bad} did not pass)"));
            }
            bar.inc(1);
        }
    }

    /// All are over.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
