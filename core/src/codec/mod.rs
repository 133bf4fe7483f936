//! The Engine.IO and Socket.IO codecs: bytes to packets and back, with every bound named.
//!
//! They know packets, not sessions: what a packet means in a given state is decided by the
//! machines.

pub mod engine;
pub mod jsonp;
pub mod sio;
pub mod webtransport;
