//! From a name to a dense number: the table of rooms by name, and of sockets by id.

use core::hash::{BuildHasher, Hasher};

use hashbrown::HashTable;

use crate::id::KeyedState;

/// The seeded hash of a name, cut to the bits that the tables keep.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct NameHash(u32);

impl NameHash {
    #[inline]
    pub(super) fn of(keyed: &KeyedState, name: &str) -> Self {
        let mut hasher = keyed.build_hasher();
        hasher.write(name.as_bytes());
        Self((hasher.finish() >> 32) as u32)
    }

    /// hashbrown takes the bucket from the low bits and a tag from the high ones.
    fn spread(self) -> u64 {
        u64::from(self.0) << 32 | u64::from(self.0)
    }
}

/// Numbers by the hash of their name; the names stay with what they name.
///
/// An entry keeps the hash: growing the table then reads no name, which would be a cache miss
/// each, and a lookup compares at most the right name.
#[derive(Debug, Default)]
pub(super) struct NameTable {
    entries: HashTable<(NameHash, u32)>,
}

impl NameTable {
    /// The number whose name has this hash and satisfies `is_name`.
    #[inline]
    pub(super) fn find(&self, hash: NameHash, is_name: impl Fn(u32) -> bool) -> Option<u32> {
        self.entries
            .find(hash.spread(), |entry| entry.0 == hash && is_name(entry.1))
            .map(|entry| entry.1)
    }

    /// The number that very probably has the name with this hash, if any has: for reading ahead.
    #[inline]
    pub(super) fn guess(&self, hash: NameHash) -> Option<u32> {
        self.find(hash, |_| true)
    }

    /// Adds a number whose name is not in the table.
    pub(super) fn insert(&mut self, hash: NameHash, number: u32) {
        self.entries.insert_unique(hash.spread(), (hash, number), |entry| entry.0.spread());
    }

    pub(super) fn remove(&mut self, hash: NameHash, number: u32) {
        if let Ok(entry) = self.entries.find_entry(hash.spread(), |entry| entry.1 == number) {
            entry.remove();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
