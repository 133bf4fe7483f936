//! Scenario files, read from the outside.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking"
)]

mod documentation;
mod format;
mod invalid;
mod schema;
mod support;
mod valid;
