//! The command line, from the outside: help, exit codes, formats, files.
#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ci;
mod exits;
mod formats;
mod help;
mod isolate;
mod signals;
mod stories;
mod support;
mod values;
