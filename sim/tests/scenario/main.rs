//! Scenario files, read from the outside.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::unwrap_in_result,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking"
)]

mod documentation;
mod format;
mod invalid;
mod mutations;
mod plans;
mod schema;
mod support;
mod valid;
