//! Shards: `--partition slice:1/4` is the first of four jobs in CI.

use std::str::FromStr;

/// Which scenarios belong to this shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Partition {
    /// Every n-th scenario of the list.
    Slice(Shard),
    /// By the name of the file: adding a scenario moves no other.
    Hash(Shard),
}

/// One of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    /// From 1.
    number: u64,
    /// How many there are.
    of: u64,
}

impl Shard {
    const fn has(self, number: u64) -> bool {
        number % self.of == self.number - 1
    }
}

impl Partition {
    /// Whether a scenario belongs to the shard.
    pub(crate) fn has(self, index: usize, file: &str) -> bool {
        match self {
            Self::Slice(shard) => shard.has(index as u64),
            Self::Hash(shard) => shard.has(fnv1a(file.as_bytes())),
        }
    }
}

/// FNV-1a: the same on every machine and in every version.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl FromStr for Partition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected slice:M/N or hash:M/N with 1 <= M <= N, found `{text}`");
        let (kind, shard) = text.split_once(':').ok_or_else(wrong)?;
        let (number, of) = shard.split_once('/').ok_or_else(wrong)?;
        let number = number.parse().map_err(|_| wrong())?;
        let of = of.parse().map_err(|_| wrong())?;
        if number == 0 || number > of {
            return Err(wrong());
        }
        match kind {
            "slice" => Ok(Self::Slice(Shard { number, of })),
            "hash" => Ok(Self::Hash(Shard { number, of })),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Partition;

    #[test]
    fn every_scenario_is_in_exactly_one_shard() {
        for kind in ["slice", "hash"] {
            let shards: Vec<Partition> =
                (1..=4).map(|m| format!("{kind}:{m}/4").parse().unwrap()).collect();
            for index in 0..100 {
                let file = format!("scenarios/{index}.yaml");
                let owners = shards.iter().filter(|shard| shard.has(index, &file)).count();
                assert_eq!(owners, 1, "{kind} {index}");
            }
        }
    }

    #[test]
    fn mistakes_are_told() {
        for wrong in ["", "slice", "slice:0/4", "slice:5/4", "slice:1/0", "count:1/4", "hash:a/b"] {
            assert!(wrong.parse::<Partition>().is_err(), "{wrong}");
        }
    }
}
