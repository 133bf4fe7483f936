//! Identifiers, and the source of unguessable bytes that the caller hands in.

use core::fmt;

use alloc::string::String;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use smol_str::SmolStr;

/// Where identifiers get their secrecy from; core has no randomness of its own.
///
/// A real server fills the bytes from the operating system's generator: socket ids, session ids
/// and recovery ids are bearer secrets (`EIO-HS-05`). A simulation fills them from its seed.
pub trait IdSource: fmt::Debug + Send {
    /// Twelve bytes that nobody outside can guess.
    fn next_bytes(&mut self) -> [u8; 12];
}

/// Makes 20-character ids in the shape of the reference: twelve random bytes and a counter of 24
/// bits, in URL-safe base64 (`EIO-HS-05`).
#[derive(Debug)]
pub(crate) struct IdMaker {
    source: alloc::boxed::Box<dyn IdSource>,
    counter: u32,
}

impl IdMaker {
    pub(crate) fn new(source: alloc::boxed::Box<dyn IdSource>) -> Self {
        Self { source, counter: 0 }
    }

    /// A new id, distinct from the 2^24 before it whatever the source returns.
    pub(crate) fn next_id(&mut self) -> SmolStr {
        let mut bytes = [0_u8; 15];
        bytes[..12].copy_from_slice(&self.source.next_bytes());
        bytes[12..].copy_from_slice(&self.counter.to_be_bytes()[1..]);
        self.counter = self.counter.wrapping_add(1) & 0x00ff_ffff;
        let mut text = String::with_capacity(20);
        URL_SAFE.encode_string(bytes, &mut text);
        SmolStr::from(text)
    }

    /// A seeded hasher for tables whose keys a client can choose.
    pub(crate) fn keyed_state(&mut self) -> KeyedState {
        let bytes = self.source.next_bytes();
        let mut low = [0_u8; 8];
        low.copy_from_slice(&bytes[..8]);
        KeyedState::with_seed(u64::from_le_bytes(low))
    }
}

/// The hasher of tables whose keys a client can choose.
///
/// Its seed comes from the [`IdSource`], so that a client of a real server cannot build collisions
/// and a simulation repeats itself. No code iterates over such a table.
pub type KeyedState = foldhash::fast::FixedState;
