//! How long a plan takes where time cannot be skipped.

use std::time::Duration;

use crate::plan::{Action, Step, Until};

/// What the steps of a plan spend waiting, whatever the server does.
pub(super) fn least(steps: &[Step]) -> Duration {
    steps.iter().map(|step| of_step(&step.action)).sum()
}

fn of_step(action: &Action) -> Duration {
    match action {
        Action::Advance(by) => *by,
        Action::Emit(emit) => emit.every.saturating_mul(emit.times.saturating_sub(1)),
        Action::Together(steps) => {
            steps.iter().map(|step| of_step(&step.action)).max().unwrap_or_default()
        }
        Action::Never(never) => match never.until {
            Until::Time(time) => time,
            Until::Quiet | Until::Label(_) => Duration::ZERO,
        },
        Action::Raw(raw) => raw.linger,
        Action::Connect { .. }
        | Action::Disconnect { .. }
        | Action::Server(_)
        | Action::Fault { .. }
        | Action::Heal(_)
        | Action::Expect(_)
        | Action::ExpectConnection(_)
        | Action::ExpectRooms { .. } => Duration::ZERO,
    }
}
