//! Every bound of the client, each with the reason for its number.
//!
//! JavaScript's client has none of them (`CLI-01`: "without limit"): its process dies instead.
//! Over a bound that the application reached, a command is refused with a [`Refusal`] and nothing
//! else happens; over one that the server reached, the connection is closed.
//!
//! [`Refusal`]: super::Refusal

use core::time::Duration;

/// Namespaces of one client. Applications use a handful; each costs a search when the last one of
/// a connection leaves.
pub const MAX_SOCKETS: usize = 1024;

/// Events that one socket holds back while it is not connected (`CLI-01`): a minute of a busy
/// client (a hundred events per second), with room to spare.
pub const MAX_SEND_BUFFER: usize = 16_384;

/// Events in the queue of a socket with `retries` (`CLI-06`): as many as may be held back.
pub const MAX_RETRY_QUEUE: usize = 16_384;

/// Packets that wait for a transport that is busy. Above it the server reads slower than the
/// application writes, and has for thousands of round trips.
pub const MAX_WRITE_BUFFER: usize = 65_536;

/// Acks that one socket waits for. A callback without a timeout waits for ever (`CLI-09`), so a
/// server that never answers would fill the memory.
pub const MAX_PENDING_ACKS: usize = 65_536;

/// Events that a server may send to a socket before its CONNECT: what a recovery replays
/// (`CSR-07`), which is two minutes of a namespace with five hundred events per second.
pub const MAX_RECEIVE_BUFFER: usize = 65_536;

/// Connections that were given up but still write what was buffered. An application that connects
/// and disconnects in a loop adds one each time; the oldest is cut off.
pub const MAX_DEPARTING: usize = 4;

/// The shortest timer, as in JavaScript, where `setTimeout(f, 0)` waits for a millisecond. It also
/// keeps virtual time moving: no chain of timers can fire for ever at one instant.
pub const MIN_TIMER: Duration = Duration::from_millis(1);
