//! The oracle: who is in which room when, and who must, may or must not hear each message.
//!
//! It knows the chat contract, and reads in a history what was asked of the server. It never calls
//! the server, the client or the chat application, and shares no logic with them. Its state is
//! plain sets: sockets, and for each room the sockets in it.
//!
//! Where the history says when operations took effect (`accepted`, `acted`, `entered`, `left`),
//! each has a point in time and every answer is yes or no. Where only clients were watched, it has
//! an interval from `invoke` to `ok`, and what overlaps a message is a maybe ([`Tri`]):
//!
//! > hears(s) = (one of the targets has s, or there is no target) and no except has s, nor is s in
//! > the room named like the sender, for a socket's own message, and s is connected

pub mod contract;
mod exact;
pub mod facts;
mod interval;
pub mod lane;
pub mod model;
pub mod names;
mod reading;
pub mod rooms;
pub mod steps;
pub mod tables;
pub mod tri;

pub use self::facts::Facts;
pub use self::model::Model;
pub use self::tri::Tri;
