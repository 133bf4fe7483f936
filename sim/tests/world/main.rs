//! Worlds: plans built by hand, run on the networks, and what their histories say.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a question is about one kind of event")]

mod determinism;
mod faults;
mod raws;
mod retold;
mod sabotages;
mod stories;
mod support;
mod transcripts;
