//! The client machine against scripted server bytes, in virtual time.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod acks;
mod contract;
mod driver;
mod hostile;
mod interleaving;
mod manager;
mod reasons;
mod recovery;
mod retry;
mod session;
mod socket;
mod upgrade;
