//! What one broadcast hands over to each recipient, and how many sockets a run takes.

use overheard_core::server::rooms::Slot;

/// Handles of a queue: a power of two, so that its end costs no division.
const HANDLES: usize = 8;

/// One recipient's outgoing queue, as a cache line of its own: the least that a server touches
/// for each recipient.
#[derive(Clone, Debug, Default)]
#[repr(align(64))]
pub struct Line {
    len: u32,
    handles: [u32; HANDLES],
}

/// The queues of all sockets, by slot.
#[derive(Debug)]
pub struct Lines(Vec<Line>);

impl Lines {
    /// Empty queues.
    #[must_use]
    pub fn new(sockets: u32) -> Self {
        Self(vec![Line::default(); sockets as usize])
    }

    /// Appends the handle of a packet to a socket's queue; a full queue starts over.
    #[inline]
    pub fn deliver(&mut self, slot: Slot, handle: u32) {
        let line = &mut self.0[slot.index()];
        line.handles[line.len as usize % HANDLES] = handle;
        line.len = line.len.wrapping_add(1);
    }
}

/// The sizes S to run: `OVERHEARD_BENCH_SOCKETS`, as in `1000,100000`, or a modest default.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "criterion leaves no arguments to a benchmark")]
pub fn sizes() -> Vec<u32> {
    let chosen = std::env::var("OVERHEARD_BENCH_SOCKETS").unwrap_or_default();
    let sizes: Vec<u32> = chosen.split(',').filter_map(|size| size.trim().parse().ok()).collect();
    if sizes.is_empty() { vec![1_000, 10_000] } else { sizes }
}
