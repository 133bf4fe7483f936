//! Kleene's three-valued logic.

use std::ops::{BitAnd, BitOr, Not};

/// Whether something is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tri {
    /// It is not.
    No,
    /// It may be: the history does not say.
    Maybe,
    /// It is.
    Yes,
}

impl From<bool> for Tri {
    fn from(flag: bool) -> Self {
        if flag { Self::Yes } else { Self::No }
    }
}

impl BitAnd for Tri {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        self.min(other)
    }
}

impl BitOr for Tri {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.max(other)
    }
}

impl Not for Tri {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Maybe => Self::Maybe,
            Self::Yes => Self::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tri::{Maybe, No, Yes};

    #[test]
    fn kleenes_tables() {
        assert_eq!(
            [Yes & Yes, Yes & Maybe, Maybe & Maybe, Yes & No, Maybe & No],
            [Yes, Maybe, Maybe, No, No]
        );
        assert_eq!(
            [No | No, No | Maybe, Maybe | Maybe, No | Yes, Maybe | Yes],
            [No, Maybe, Maybe, Yes, Yes]
        );
        assert_eq!([!Yes, !Maybe, !No], [No, Maybe, Yes]);
    }
}
