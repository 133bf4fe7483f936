//! The members of one room: a set of slots that changes its shape with its size.
//!
//! | shape | when | why |
//! |---|---|---|
//! | in the record | up to nine | no memory of its own, no second cache line |
//! | sorted list | otherwise | four bytes per member, streams in slot order |
//! | list and bitmap | dense enough | alone the list streams, in a union the bitmap is or-ed |
//! | bitmap | large | a list of this size costs too much to keep sorted |

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Slot;
use super::bitmap::{Bitmap, BitmapIter};

/// Members kept in the room's record: as many as fill its cache line.
const FEW: usize = 9;
/// Below this a bitmap saves nothing, as the whole list is about two cache lines.
const BITMAP_MIN: usize = 32;
/// From one member in so many slots on, a bitmap costs at most two bytes per member.
const BITMAP_DENSITY: usize = 16;
/// From this size on, a bitmap of up to sixteen bytes per member is worth its memory: unions of
/// such rooms are the slowest broadcasts there are, and most small rooms, which are many, have none.
const SPARSE_BITMAP_MIN: usize = 88;
/// One member in so many slots makes the sixteen bytes of [`SPARSE_BITMAP_MIN`].
const SPARSE_BITMAP_DENSITY: usize = 128;
/// Above this a dense room drops its list: decoding its bitmap is as fast, joining faster.
const LIST_DENSE_MAX: usize = 4096;
/// Above this any room drops its list: an insertion would move more than 32 KiB on average.
const LIST_MAX: usize = 16_384;

/// The members of one room.
#[derive(Debug)]
pub(super) enum Members {
    /// The first `len` of `slots`, ascending.
    Few { len: u8, slots: [Slot; FEW] },
    /// Ascending.
    List(Vec<Slot>),
    /// The same set twice.
    Both { list: Vec<Slot>, bits: Box<Bitmap> },
    /// `len` bits are set.
    Bits { len: u32, bits: Bitmap },
}

/// The shapes in the order of growing rooms.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Shape {
    Few,
    List,
    Both,
    Bits,
}

impl Shape {
    /// The best shape for `len` members among `span` slots.
    fn of(len: usize, span: usize) -> Self {
        if len <= FEW {
            return Self::Few;
        }
        if len > LIST_MAX || (len > LIST_DENSE_MAX && len * BITMAP_DENSITY >= span) {
            return Self::Bits;
        }
        if (len >= BITMAP_MIN && len * BITMAP_DENSITY >= span)
            || (len >= SPARSE_BITMAP_MIN && len * SPARSE_BITMAP_DENSITY >= span)
        {
            return Self::Both;
        }
        Self::List
    }
}

impl Members {
    pub(super) const NONE: Self = Self::Few { len: 0, slots: [Slot::FIRST; FEW] };

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few { len, .. } => usize::from(*len),
            Self::List(list) | Self::Both { list, .. } => list.len(),
            Self::Bits { len, .. } => *len as usize,
        }
    }

    /// The members as an ascending list, where there is one.
    #[inline]
    pub(super) fn list(&self) -> Option<&[Slot]> {
        match self {
            Self::Few { len, slots } => Some(&slots[..usize::from(*len)]),
            Self::List(list) | Self::Both { list, .. } => Some(list),
            Self::Bits { .. } => None,
        }
    }

    /// The members as a bitmap, where there is one.
    #[inline]
    pub(super) fn bits(&self) -> Option<&Bitmap> {
        match self {
            Self::Few { .. } | Self::List(_) => None,
            Self::Both { bits, .. } => Some(bits),
            Self::Bits { bits, .. } => Some(bits),
        }
    }

    pub(super) fn contains(&self, slot: Slot) -> bool {
        match (self.bits(), self.list()) {
            (Some(bits), _) => bits.contains(slot),
            (None, Some(list)) => list.binary_search(&slot).is_ok(),
            (None, None) => false,
        }
    }

    /// The members in ascending order.
    pub(super) fn iter(&self) -> MembersIter<'_> {
        match self {
            Self::Few { len, slots } => MembersIter::List(slots[..usize::from(*len)].iter()),
            Self::List(list) | Self::Both { list, .. } => MembersIter::List(list.iter()),
            Self::Bits { bits, .. } => MembersIter::Bits(bits.iter()),
        }
    }

    /// Adds a slot, of `span` slots in all; whether it was absent.
    pub(super) fn insert(&mut self, slot: Slot, span: usize) -> bool {
        let inserted = match self {
            Self::Few { len, slots } => {
                let count = usize::from(*len);
                let at = rank(&slots[..count], slot);
                if slots[..count].get(at) == Some(&slot) {
                    return false;
                }
                if count == FEW {
                    self.reshape(Shape::List);
                    return self.insert(slot, span);
                }
                slots.copy_within(at..count, at + 1);
                slots[at] = slot;
                *len += 1;
                return true;
            }
            Self::List(list) => insert_sorted(list, slot),
            Self::Both { list, bits } => bits.insert(slot) && insert_sorted(list, slot),
            Self::Bits { len, bits } => {
                let inserted = bits.insert(slot);
                *len += u32::from(inserted);
                inserted
            }
        };
        if inserted {
            self.settle(span);
        }
        inserted
    }

    /// Removes a slot, of `span` slots in all; whether it was present.
    pub(super) fn remove(&mut self, slot: Slot, span: usize) -> bool {
        let removed = match self {
            Self::Few { len, slots } => {
                let count = usize::from(*len);
                let at = rank(&slots[..count], slot);
                if slots[..count].get(at) != Some(&slot) {
                    return false;
                }
                slots.copy_within(at + 1..count, at);
                *len -= 1;
                return true;
            }
            Self::List(list) => remove_sorted(list, slot),
            Self::Both { list, bits } => bits.remove(slot) && remove_sorted(list, slot),
            Self::Bits { len, bits } => {
                let removed = bits.remove(slot);
                *len -= u32::from(removed);
                removed
            }
        };
        if removed {
            self.settle(span);
        }
        removed
    }

    /// Grows into a better shape at once, shrinks only at half the size: a room at the border
    /// must not be rebuilt by every join and leave.
    fn settle(&mut self, span: usize) {
        let len = self.len();
        let shape = self.shape();
        let wanted = Shape::of(len, span);
        if wanted > shape || Shape::of(2 * len, span) < shape {
            self.reshape(wanted);
        }
    }

    fn shape(&self) -> Shape {
        match self {
            Self::Few { .. } => Shape::Few,
            Self::List(_) => Shape::List,
            Self::Both { .. } => Shape::Both,
            Self::Bits { .. } => Shape::Bits,
        }
    }

    #[cold]
    fn reshape(&mut self, shape: Shape) {
        let old = core::mem::replace(self, Self::NONE);
        let len = old.len();
        let (list, bits) = match old {
            Self::Few { len, slots } => (slots[..usize::from(len)].to_vec(), None),
            Self::List(list) => (list, None),
            Self::Both { list, bits } => (list, Some(*bits)),
            Self::Bits { bits, .. } if shape == Shape::Bits => (Vec::new(), Some(bits)),
            Self::Bits { len, bits } => {
                let mut list = Vec::with_capacity(len as usize);
                list.extend(bits.iter());
                (list, Some(bits))
            }
        };
        *self = match shape {
            Shape::Few => {
                let mut slots = [Slot::FIRST; FEW];
                slots[..list.len()].copy_from_slice(&list);
                // At most FEW, or the shape would be another.
                Self::Few { len: u8::try_from(list.len()).unwrap_or(0), slots }
            }
            Shape::List => Self::List(list),
            Shape::Both => {
                let bits = bits.unwrap_or_else(|| Bitmap::of(&list));
                Self::Both { list, bits: Box::new(bits) }
            }
            Shape::Bits => Self::Bits {
                // There are fewer slots than u32 values.
                len: u32::try_from(len).unwrap_or(u32::MAX),
                bits: bits.unwrap_or_else(|| Bitmap::of(&list)),
            },
        };
    }

    /// Reads what a removal is going to need first, so that the misses of several rooms overlap.
    #[inline]
    pub(super) fn touch(&self) -> u32 {
        match self {
            Self::Few { len, .. } => u32::from(*len),
            Self::List(list) | Self::Both { list, .. } => {
                // One of each cache line, as far as all of them are going to be searched.
                list.iter().take(2 * COUNTED).step_by(16).fold(0, |all, slot| all ^ slot.0)
            }
            Self::Bits { len, .. } => *len,
        }
    }
}

/// Below this many slots, counting all smaller ones beats a search by halves: the cache lines
/// arrive in parallel, and nothing is mispredicted.
const COUNTED: usize = 128;

/// How many slots of an ascending list are below `slot`.
#[inline]
fn rank(list: &[Slot], slot: Slot) -> usize {
    let mut start = 0;
    let mut end = list.len();
    while end - start > COUNTED {
        let middle = start + (end - start) / 2;
        if list[middle] < slot {
            start = middle + 1;
        } else {
            end = middle;
        }
    }
    let below: u32 = list[start..end].iter().map(|&other| u32::from(other < slot)).sum();
    start + below as usize
}

fn insert_sorted(list: &mut Vec<Slot>, slot: Slot) -> bool {
    let at = if list.last().is_none_or(|&last| last < slot) {
        list.len()
    } else {
        let at = rank(list, slot);
        if list[at] == slot {
            return false;
        }
        at
    };
    if list.len() == list.capacity() {
        // A quarter instead of double: most memory of a namespace is in these lists.
        list.reserve_exact((list.len() / 4).max(6));
    }
    list.insert(at, slot);
    true
}

fn remove_sorted(list: &mut Vec<Slot>, slot: Slot) -> bool {
    let at = rank(list, slot);
    if list.get(at) != Some(&slot) {
        return false;
    }
    list.remove(at);
    if list.capacity() > 4 * FEW && list.len() < list.capacity() / 2 {
        list.shrink_to(list.len() + list.len() / 4);
    }
    true
}

/// The members of a room in slot order.
#[derive(Clone, Debug)]
pub(super) enum MembersIter<'a> {
    List(core::slice::Iter<'a, Slot>),
    Bits(BitmapIter<'a>),
}

impl Iterator for MembersIter<'_> {
    type Item = Slot;

    fn next(&mut self) -> Option<Slot> {
        match self {
            Self::List(slots) => slots.next().copied(),
            Self::Bits(bits) => bits.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Every shape holds the same set, and a shape is left when it no longer fits.
    #[track_caller]
    fn check(members: &Members, twin: &BTreeSet<u32>, span: usize) {
        assert_eq!(members.len(), twin.len());
        assert!(members.iter().map(|slot| slot.0).eq(twin.iter().copied()));
        if let Some(list) = members.list() {
            assert!(list.iter().map(|slot| slot.0).eq(twin.iter().copied()));
            assert!(list.len() <= LIST_MAX);
        }
        if let Some(bits) = members.bits() {
            assert!(bits.iter().map(|slot| slot.0).eq(twin.iter().copied()));
        }
        assert!(members.shape() >= Shape::of(twin.len(), span), "too small a shape");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Ranges of slots enter and leave, so that few operations cross every threshold.
        #[test]
        fn members_equal_a_plain_set(
            span in prop_oneof![Just(64_usize), Just(1_000), Just(70_000), Just(500_000)],
            steps in proptest::collection::vec(
                (any::<bool>(), any::<u32>(), 1_u32..9, prop_oneof![4 => 1_u32..40, 1 => 1_u32..6_000, 1 => 15_000_u32..20_000]),
                1..24,
            ),
        ) {
            let mut members = Members::NONE;
            let mut twin = BTreeSet::new();
            for (enter, start, stride, count) in steps {
                for at in 0..count {
                    let slot = start.wrapping_add(at * stride) % u32::try_from(span)?;
                    if enter {
                        prop_assert_eq!(members.insert(Slot(slot), span), twin.insert(slot));
                    } else {
                        prop_assert_eq!(members.remove(Slot(slot), span), twin.remove(&slot));
                    }
                }
                check(&members, &twin, span);
                for probe in [start, start.wrapping_add(1), 0, 63, 64] {
                    prop_assert_eq!(members.contains(Slot(probe)), twin.contains(&probe));
                }
            }
            while let Some(slot) = twin.pop_first() {
                prop_assert!(members.remove(Slot(slot), span));
            }
            prop_assert_eq!(members.shape(), Shape::Few);
        }
    }

    #[test]
    fn every_shape_is_reached_and_left() {
        let span = 20_000_usize;
        let mut members = Members::NONE;
        let mut seen = std::vec![members.shape()];
        for slot in 0..18_000 {
            assert!(members.insert(Slot(slot), span));
            seen.push(members.shape());
        }
        for slot in 0..18_000 {
            assert!(members.remove(Slot(slot), span));
            seen.push(members.shape());
        }
        seen.dedup();
        let up_and_down = [
            Shape::Few,
            Shape::List,
            Shape::Both,
            Shape::Bits,
            Shape::Both,
            Shape::List,
            Shape::Few,
        ];
        assert_eq!(seen, up_and_down);
    }

    #[test]
    fn a_record_fills_one_cache_line() {
        assert_eq!(size_of::<Members>(), 40);
    }
}
