//! `overheard serve` as a process, over real TCP: what it answers, how it is told, what it bounds, and
//! how it ends.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::panic, reason = "a test fails by panicking")]

mod hostile;
mod limits;
#[cfg(all(feature = "jemalloc", target_os = "linux"))]
mod memory;
mod options;
mod shutdown;
mod site;
mod slow;
mod support;
