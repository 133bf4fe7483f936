//! Finding for each arrival what it is an arrival of, when all that is known is its content.
//!
//! A lane is what was put in at one end, in order. An arrival takes the first of its content behind
//! the one that was taken last; as long as nothing is lost or overtaken, that is the next one. What
//! is taken from before was overtaken. Everything is linear in the number of both.

use foldhash::fast::FixedState;

use super::facts::Table;
use super::names::{index, number};

/// What was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// This, which was put in behind everything that was taken before.
    InOrder(u32),
    /// This, which something that was put in later has overtaken.
    Late(u32),
    /// Nothing has this content, or everything that has is taken.
    Nothing,
}

/// Things in order.
#[derive(Debug, Default)]
pub struct Lane {
    contents: Vec<u32>,
    taken: Vec<bool>,
    next: usize,
    /// Made when it is needed first: as a rule everything arrives in order.
    by_content: Option<Table<u32, Places>>,
}

/// The places of one content. Those before `passed` are behind the front of the lane, those before
/// `late` are gone as well.
#[derive(Debug, Default)]
struct Places {
    at: Vec<u32>,
    passed: usize,
    late: usize,
}

impl Lane {
    /// Puts something in.
    pub fn push(&mut self, content: u32) {
        if let Some(table) = &mut self.by_content {
            table.entry(content).or_default().at.push(number(self.contents.len()));
        }
        self.contents.push(content);
        self.taken.push(false);
    }

    /// Takes something out.
    pub fn take(&mut self, content: u32) -> Taken {
        if self.contents.get(self.next) == Some(&content) && !self.taken[self.next] {
            return self.in_order(self.next);
        }
        let contents = &self.contents;
        let table = self.by_content.get_or_insert_with(|| {
            let mut table = Table::with_hasher(FixedState::with_seed(2));
            for (at, content) in contents.iter().enumerate() {
                let places: &mut Places = table.entry(*content).or_default();
                places.at.push(number(at));
            }
            table
        });
        let Some(places) = table.get_mut(&content) else { return Taken::Nothing };
        while places.at.get(places.passed).is_some_and(|at| index(*at) < self.next) {
            places.passed += 1;
        }
        if let Some(at) = places.at.get(places.passed) {
            let at = index(*at);
            return self.in_order(at);
        }
        while places.late < places.passed && self.taken[index(places.at[places.late])] {
            places.late += 1;
        }
        if places.late == places.passed {
            return Taken::Nothing;
        }
        let at = places.at[places.late];
        self.taken[index(at)] = true;
        Taken::Late(at)
    }

    fn in_order(&mut self, at: usize) -> Taken {
        self.taken[at] = true;
        self.next = at + 1;
        Taken::InOrder(number(at))
    }

    /// Whether something was taken.
    #[must_use]
    pub fn is_taken(&self, at: u32) -> bool {
        self.taken[index(at)]
    }
}

#[cfg(test)]
mod tests {
    use super::Taken::{InOrder, Late, Nothing};
    use super::*;

    fn lane(contents: &[u32]) -> Lane {
        let mut lane = Lane::default();
        contents.iter().for_each(|content| lane.push(*content));
        lane
    }

    #[test]
    fn in_order_with_losses() {
        let mut lane = lane(&[1, 2, 1, 3]);
        assert_eq!(
            [2, 1, 3].map(|content| lane.take(content)),
            [InOrder(1), InOrder(2), InOrder(3)]
        );
        assert!(!lane.is_taken(0));
    }

    #[test]
    fn what_is_overtaken_is_late_once() {
        let mut lane = lane(&[1, 2, 3]);
        assert_eq!(
            [2, 1, 1, 3, 9].map(|content| lane.take(content)),
            [InOrder(1), Late(0), Nothing, InOrder(2), Nothing]
        );
    }

    #[test]
    fn equal_contents_are_taken_from_the_front() {
        let mut lane = lane(&[7, 8, 7]);
        assert_eq!(
            [8, 7, 7, 7].map(|content| lane.take(content)),
            [InOrder(1), InOrder(2), Late(0), Nothing]
        );
        lane.push(7);
        assert_eq!(lane.take(7), InOrder(3));
    }
}
