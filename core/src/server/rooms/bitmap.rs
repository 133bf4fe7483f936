//! Bitmaps over slots, and turning their words back into lists of slots at several per step.

use alloc::vec::Vec;

use super::Slot;

/// Words of one block: selections go block by block, and 64 words (4,096 slots) stay in the
/// first-level cache together with what is decoded from them.
pub(super) const BLOCK_WORDS: usize = 64;

/// Words needed for `slots` slots.
pub(super) fn words_for(slots: usize) -> usize {
    slots.div_ceil(64)
}

/// A set of slots, one bit each; absent words at the end are zero.
#[derive(Debug, Default)]
pub(super) struct Bitmap {
    words: Vec<u64>,
}

impl Bitmap {
    pub(super) fn of(slots: &[Slot]) -> Self {
        let mut words = Vec::new();
        if let Some(last) = slots.last() {
            words.resize(last.index() / 64 + 1, 0);
        }
        let mut bitmap = Self { words };
        for &slot in slots {
            bitmap.insert(slot);
        }
        bitmap
    }

    /// Adds a slot; whether it was absent.
    pub(super) fn insert(&mut self, slot: Slot) -> bool {
        let word = slot.index() / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let before = self.words[word];
        self.words[word] |= bit(slot);
        before & bit(slot) == 0
    }

    /// Removes a slot; whether it was present.
    pub(super) fn remove(&mut self, slot: Slot) -> bool {
        match self.words.get_mut(slot.index() / 64) {
            Some(word) => {
                let before = *word;
                *word &= !bit(slot);
                before & bit(slot) != 0
            }
            None => false,
        }
    }

    pub(super) fn contains(&self, slot: Slot) -> bool {
        self.words.get(slot.index() / 64).is_some_and(|word| word & bit(slot) != 0)
    }

    /// The words of a block, fewer than [`BLOCK_WORDS`] (or none) at the end.
    pub(super) fn block(&self, block: usize) -> &[u64] {
        let start = (block * BLOCK_WORDS).min(self.words.len());
        let end = (start + BLOCK_WORDS).min(self.words.len());
        &self.words[start..end]
    }

    /// The set bits of a word, zero beyond the end.
    pub(super) fn word(&self, word: usize) -> u64 {
        self.words.get(word).copied().unwrap_or(0)
    }

    /// The slots in ascending order.
    pub(super) fn iter(&self) -> BitmapIter<'_> {
        BitmapIter { words: &self.words, word: 0, base: Slot::FIRST }
    }
}

/// The bit of a slot in its word.
pub(super) fn bit(slot: Slot) -> u64 {
    1 << (slot.0 % 64)
}

/// The slots of a [`Bitmap`] in ascending order.
#[derive(Clone, Debug)]
pub(super) struct BitmapIter<'a> {
    words: &'a [u64],
    word: u64,
    /// The slot after the bits of `word`.
    base: Slot,
}

impl Iterator for BitmapIter<'_> {
    type Item = Slot;

    fn next(&mut self) -> Option<Slot> {
        while self.word == 0 {
            let (first, rest) = self.words.split_first()?;
            self.word = *first;
            self.words = rest;
            self.base = Slot(self.base.0.wrapping_add(64));
        }
        let low = self.word.trailing_zeros();
        self.word &= self.word - 1;
        Some(Slot(self.base.0.wrapping_sub(64) + low))
    }
}

/// For every byte the positions of its set bits, in order; eight lanes wide, so that a byte is
/// decoded by two loads, two additions and two stores.
static POSITIONS: [[u32; 8]; 256] = positions();

const fn positions() -> [[u32; 8]; 256] {
    let mut table = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut at, mut bit) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                table[byte][at] = bit;
                at += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    table
}

/// Byte i of the result is how many bits are set in the bytes 0 to i.
#[inline]
fn running_counts(word: u64) -> u64 {
    let pairs = word - ((word >> 1) & 0x5555_5555_5555_5555);
    let nibbles = (pairs & 0x3333_3333_3333_3333) + ((pairs >> 2) & 0x3333_3333_3333_3333);
    let bytes = (nibbles + (nibbles >> 4)) & 0x0f0f_0f0f_0f0f_0f0f;
    bytes.wrapping_mul(0x0101_0101_0101_0101)
}

/// Slots handed over at once: 2 KiB, which stays in the first-level cache.
const BATCH: usize = 512;
/// Words decoded between two looks at whether the batch is full.
pub(super) const GROUP: usize = 8;
/// What the decoding of one word may write: its slots and the unused lanes of its last byte.
const WINDOW: usize = 64 + 8;

/// Slots on their way to the caller.
#[derive(Debug)]
pub(super) struct Batch {
    slots: Vec<Slot>,
    len: usize,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self { slots: alloc::vec![Slot::FIRST; BATCH + 64 * GROUP + WINDOW], len: 0 }
    }

    /// Whether the batch must be flushed before the next words.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.len >= BATCH
    }

    /// The slots so far; the batch is empty afterwards, and so before anybody can panic over them.
    #[inline]
    pub(super) fn take(&mut self) -> &[Slot] {
        let len = core::mem::take(&mut self.len);
        &self.slots[..len]
    }

    /// Adds one slot; the batch must not be full.
    #[inline]
    pub(super) fn push(&mut self, slot: Slot) {
        self.slots[self.len] = slot;
        self.len += 1;
    }

    /// Adds the slots of up to [`GROUP`] words, the first of whose bits is slot `base`; the batch
    /// must not be full. `FEW` is how many bits a word has at most in all likelihood, if that is a
    /// few, or 0: a guess, which costs time only.
    #[inline]
    pub(super) fn push_words<const FEW: usize>(&mut self, words: &[u64], base: u32) {
        let (mut len, mut base) = (self.len, base);
        for &word in words {
            // Not full, so the window is there.
            let Some(window) = self.slots[len..].first_chunk_mut::<WINDOW>() else { return };
            len += if FEW == 0 {
                decode(word, base, window)
            } else {
                decode_few::<FEW>(word, base, window)
            };
            base = base.wrapping_add(64);
        }
        self.len = len;
    }
}

/// The slots of a word that has at most `FEW` bits set in all likelihood; how many they are.
/// Unconditional writes cost less than a branch per bit that cannot be predicted.
#[inline]
fn decode_few<const FEW: usize>(word: u64, base: u32, window: &mut [Slot; WINDOW]) -> usize {
    let (mut rest, mut count) = (word, 0);
    for slot in &mut window[..FEW] {
        *slot = Slot(base.wrapping_add((rest | 1 << 63).trailing_zeros()));
        count += usize::from(rest != 0);
        rest &= rest.wrapping_sub(1);
    }
    if rest != 0 {
        decode_rest(rest, base, &mut window[FEW..]);
        count += rest.count_ones() as usize;
    }
    // Few are counted on the way, more at once.
    if FEW > 4 { word.count_ones() as usize } else { count }
}

/// The slots of the bits that were too many for [`decode_few`].
#[inline(never)]
fn decode_rest(mut rest: u64, base: u32, window: &mut [Slot]) {
    for slots in window.chunks_exact_mut(4) {
        // Four at a time: mostly that is all.
        for slot in slots {
            *slot = Slot(base.wrapping_add((rest | 1 << 63).trailing_zeros()));
            rest &= rest.wrapping_sub(1);
        }
        if rest == 0 {
            return;
        }
    }
}

/// The slots of a word; how many they are.
#[inline]
fn decode(word: u64, base: u32, window: &mut [Slot; WINDOW]) -> usize {
    if word == u64::MAX {
        for (slot, at) in window[..64].iter_mut().zip(0..) {
            *slot = Slot(base.wrapping_add(at));
        }
        return 64;
    }
    let counts = running_counts(word);
    decode_bytes(word, counts << 8, base, window);
    (counts >> 56) as usize
}

/// Byte by byte through a table: eight lanes are written, as many kept as bits are set.
#[inline]
fn decode_bytes(word: u64, starts: u64, base: u32, window: &mut [Slot; WINDOW]) {
    for byte in 0..8_u32 {
        // At most 56 bits are set in the bytes before the last.
        let start = (starts >> (8 * byte) & 63) as usize;
        let from = base.wrapping_add(8 * byte);
        let lanes = &POSITIONS[(word >> (8 * byte) & 255) as usize];
        for (slot, lane) in window[start..start + 8].iter_mut().zip(lanes) {
            *slot = Slot(from.wrapping_add(*lane));
        }
    }
}

/// Up to so many blocks all words are looked at: cheaper than to note which ones are touched.
const FEW_BLOCKS: usize = 4;

/// A block with more words touched than this is looked at as a whole.
pub(super) const FEW_TOUCHED: u32 = 32;

/// A bitmap that is empty between selections, and cleaned by walking what was touched.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    words: Vec<u64>,
    /// One bit for each word that may be set: one of these covers a block.
    touched: Vec<u64>,
}

impl Scratch {
    /// Makes room for `slots` slots.
    pub(super) fn grow(&mut self, slots: usize) {
        let words = words_for(slots);
        if words > self.words.len() {
            let blocks = words.div_ceil(BLOCK_WORDS);
            self.words.resize(blocks * BLOCK_WORDS, 0);
            self.touched.resize(blocks, 0);
        }
    }

    /// How many blocks cover all slots.
    pub(super) fn blocks(&self) -> usize {
        self.touched.len()
    }

    pub(super) fn is_clean(&self) -> bool {
        self.touched.iter().all(|&word| word == 0) && self.words.iter().all(|&word| word == 0)
    }

    /// Cleans everything, after a caller's panic in the middle of a selection.
    pub(super) fn reset(&mut self) {
        self.words.fill(0);
        self.touched.fill(0);
    }

    /// Adds ascending slots. What is touched of a block is gathered in a register: through memory
    /// each addition would wait for the one before.
    pub(super) fn insert(&mut self, slots: &[Slot]) {
        if self.touched.len() <= FEW_BLOCKS {
            self.touched.fill(u64::MAX);
            for &slot in slots {
                self.words[slot.index() / 64] |= bit(slot);
            }
            return;
        }
        let (mut block, mut touched) = (0, 0_u64);
        for &slot in slots {
            let word = slot.index() / 64;
            self.words[word] |= bit(slot);
            if word / BLOCK_WORDS != block {
                self.touched[block] |= touched;
                (block, touched) = (word / BLOCK_WORDS, 0);
            }
            touched |= 1 << (word % BLOCK_WORDS);
        }
        if touched != 0 {
            self.touched[block] |= touched;
        }
    }

    pub(super) fn remove(&mut self, slots: &[Slot]) {
        for &slot in slots {
            self.words[slot.index() / 64] &= !bit(slot);
        }
    }

    /// How many words of a block may be set.
    pub(super) fn touched(&self, block: usize) -> u32 {
        self.touched[block].count_ones()
    }

    /// Takes the words of a block that may be set, with their place in the block, and cleans them.
    #[inline]
    pub(super) fn drain_block(&mut self, block: usize, mut each: impl FnMut(usize, u64)) {
        let mut touched = core::mem::take(&mut self.touched[block]);
        let words = &mut self.words[block * BLOCK_WORDS..][..BLOCK_WORDS];
        while touched != 0 {
            let at = touched.trailing_zeros() as usize;
            touched &= touched - 1;
            each(at, core::mem::take(&mut words[at]));
        }
    }

    /// Combines a block with `words`, and cleans it.
    #[inline]
    pub(super) fn drain_into(
        &mut self,
        block: usize,
        words: &mut [u64; BLOCK_WORDS],
        combine: impl Fn(u64, u64) -> u64,
    ) {
        if self.touched(block) <= FEW_TOUCHED {
            self.drain_block(block, |at, word| words[at] = combine(words[at], word));
            return;
        }
        self.touched[block] = 0;
        let mine = &mut self.words[block * BLOCK_WORDS..][..BLOCK_WORDS];
        for (word, other) in words.iter_mut().zip(&*mine) {
            *word = combine(*word, *other);
        }
        mine.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn words_decode_to_their_bits(words in proptest::collection::vec(
            prop_oneof![Just(0), Just(u64::MAX), any::<u64>(), any::<u64>().prop_map(|w| w & w >> 9 & w << 7), any::<u64>().prop_map(|w| w | w >> 3 | w << 5)],
            0..200,
        ), few in prop::sample::select(&[0, 2, 4, 8][..])) {
            let mut batch = Batch::new();
            let mut got = Vec::new();
            for (words, at) in words.chunks(GROUP).zip(0..) {
                let base = at * 64 * 8;
                if batch.is_full() {
                    got.extend_from_slice(batch.take());
                }
                match few {
                    0 => batch.push_words::<0>(words, base),
                    2 => batch.push_words::<2>(words, base),
                    4 => batch.push_words::<4>(words, base),
                    _ => batch.push_words::<8>(words, base),
                }
            }
            got.extend_from_slice(batch.take());
            let bitmap = Bitmap { words };
            prop_assert!(got.iter().copied().eq(bitmap.iter()));
            prop_assert!(got.is_sorted());
            let bits: u32 = bitmap.words.iter().map(|word| word.count_ones()).sum();
            prop_assert_eq!(got.len(), bits as usize);
            for slot in got {
                prop_assert!(bitmap.contains(slot));
            }
        }
    }
}
