//! Engine.IO v4 and Socket.IO v5 as pure state machines: connections, namespaces, rooms,
//! broadcasts with `except`, acks and recovery.
//!
//! # What this is not
//!
//! There is no socket here, no clock, no task, no thread and no randomness; the crate is `no_std`
//! and depends on nothing that has them. It speaks the protocols, not their carriers: HTTP and
//! WebSocket framing are the host's. It keeps no global state, and no order of it depends on a
//! hash. Who wants a server that listens puts a host around it.
//!
//! # Contract
//!
//! Every machine has the same verbs: `handle(now, input)`, `poll_output()` until it returns
//! `None`, and `poll_timeout()`, which names the next deadline and what it is for. Outputs are
//! drained before the next input, and time never goes back; a breach is a
//! [`server::ContractError`], and the input is not taken. What the application answers to an event
//! takes effect before the next output, as if it were called synchronously.
//!
//! # A run by hand
//!
//! ```
//! use overheard_core::app::{Hosted, NoApp};
//! use overheard_core::engine::{Input, Method, Output, RequestHead};
//! use overheard_core::id::IdSource;
//! use overheard_core::server::{Server, ServerConfig};
//! use overheard_core::time::Instant;
//! use overheard_core::wire::{Frame, WsId};
//!
//! /// A real server asks the operating system here.
//! #[derive(Debug)]
//! struct Seed(u8);
//!
//! impl IdSource for Seed {
//!     fn next_bytes(&mut self) -> [u8; 12] {
//!         self.0 += 1;
//!         [self.0; 12]
//!     }
//! }
//!
//! let now = Instant::from_millis(1_000);
//! let config = ServerConfig::default();
//! let server = Server::new(config, Box::new(Seed(0)), Box::new(Seed(100)), now);
//! let mut server = Hosted::new(server, NoApp);
//!
//! // A client opens a WebSocket and asks for the main namespace.
//! let ws = WsId(1);
//! let head = RequestHead {
//!     method: Method::Get,
//!     path: "/socket.io/".into(),
//!     query: "EIO=4&transport=websocket".into(),
//!     headers: vec![],
//! };
//! let connect = vec![Frame::text("40")];
//! let mut written = Vec::new();
//! for input in [Input::WsRequest { ws, head }, Input::WsFrames { ws, frames: connect }] {
//!     server.handle(now, input)?;
//!     while let Some(output) = server.poll_output(&mut ()) {
//!         if let Output::WsSend(ws) = output {
//!             server.take_frames(ws, &mut written);
//!             // The host writes them now, and says so when the network has taken them.
//!         }
//!     }
//!     server.handle(now, Input::WsFlushed(ws))?;
//!     while let Some(output) = server.poll_output(&mut ()) {
//!         if let Output::WsSend(ws) = output {
//!             server.take_frames(ws, &mut written);
//!         }
//!     }
//! }
//! let Frame::Text(reply) = &written[1] else { panic!("a text frame") };
//! assert!(reply.starts_with("40{\"sid\":"));
//! # Ok::<(), overheard_core::server::ContractError>(())
//! ```
//!
//! # Time and ids
//!
//! [`time::Instant`] counts nanoseconds from an origin of the caller's. [`id::IdSource`] gives the
//! unguessable bytes of all ids. A run is a function of its options, these two and its inputs:
//! the same ones give the same outputs, byte for byte.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod app;
pub mod chat;
pub mod client;
pub mod codec;
pub mod engine;
pub mod event;
pub mod id;
pub mod limits;
pub mod listeners;
pub mod server;
#[cfg(test)]
mod testing;
pub mod time;
mod timers;
pub mod value;
pub mod wire;
