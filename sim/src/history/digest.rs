//! A rolling hash of a history: the cheap half of "the same seed gives the same bytes".

use std::fmt;

use super::{Event, Header, History, lines};

const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// FNV-1a with 128 bits over the lines as they are written: the same on every machine, in every
/// build, and cheap to extend while a run goes on. It tells runs apart; it is no seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u128);

impl Default for Digest {
    fn default() -> Self {
        Self(OFFSET)
    }
}

impl Digest {
    /// Adds the first line.
    pub fn header(&mut self, header: &Header) {
        self.line(&lines::to_json(header));
    }

    /// Adds an event.
    pub fn event(&mut self, event: &Event) {
        self.line(&lines::to_json(event));
    }

    /// Adds a line as it is written, without its end.
    pub fn line(&mut self, line: &str) {
        self.bytes(line.as_bytes());
        self.bytes(b"\n");
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let hash =
            bytes.iter().fold(self.0, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME));
        self.0 = hash;
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The hash of a whole history.
#[must_use]
pub fn digest(history: &History) -> Digest {
    let mut digest = Digest::default();
    digest.header(&history.header);
    let mut lines = lines::Lines::of(history);
    while let Some(line) = lines.next_line() {
        digest.bytes(line);
        digest.bytes(b"\n");
    }
    digest
}
