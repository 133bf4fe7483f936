//! Histories written by hand, and what is said about them: each checker accepts and rejects.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it is about")]

mod accepts;
mod breakage;
mod dsl;
mod expectations;
mod intervals;
mod lines;
mod progress;
mod properties;
mod random;
mod rejects;
mod schema;
mod whole;
