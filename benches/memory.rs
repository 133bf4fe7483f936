//! What is kept in memory, as the allocator sees it.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What an allocator adds to a chunk, header and rounding.
const CHUNK_OVERHEAD_BYTES: usize = 16;

/// What is allocated and not freed since the start.
pub(crate) struct Kept(Region<'static, System>);

impl Kept {
    /// Starts.
    pub(crate) fn start() -> Self {
        Self(Region::new(ALLOCATOR))
    }

    /// Bytes, with what the allocator adds to each chunk.
    pub(crate) fn bytes(&self) -> f64 {
        let change = self.0.change();
        let chunks = change.allocations.saturating_sub(change.deallocations);
        let bytes = change.bytes_allocated.saturating_sub(change.bytes_deallocated);
        (bytes + chunks * CHUNK_OVERHEAD_BYTES) as f64
    }
}
