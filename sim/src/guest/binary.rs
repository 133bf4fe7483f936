//! A guest's own executable.

use std::process::ExitCode;

use super::{AnyGuest, Guest};

/// The command line of `overheard` with a guest as the server: `run`, `replay`, and all the rest.
/// Each run has a process of its own, unless `--isolate=off`: the executable starts itself.
#[must_use]
pub fn main(guest: impl Guest) -> ExitCode {
    crate::cli::with_guest(AnyGuest::new(guest))
}
