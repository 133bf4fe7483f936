//! `--network`: which simulated network carries the bytes, and how long its links take.

use std::fmt;
use std::str::FromStr;

use overheard::run::NetworkKind;
use overheard::scenario::Preset;

/// A network, its links, or both: `memory`, `wifi`, `memory,wifi`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct NetworkChoice {
    /// What carries the bytes.
    pub(crate) kind: Option<NetworkKind>,
    /// Links instead of the file's.
    pub(crate) links: Option<Preset>,
}

/// What can be chosen.
const KINDS: [NetworkKind; 3] = [NetworkKind::Turmoil, NetworkKind::Memory, NetworkKind::Tcp];

impl FromStr for NetworkChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut choice = Self::default();
        for word in text.split(',') {
            let kind = KINDS.into_iter().find(|kind| kind.name() == word);
            let links = Preset::from_name(word);
            let twice = (kind.is_some() && choice.kind.is_some())
                || (links.is_some() && choice.links.is_some());
            if (kind.is_none() && links.is_none()) || twice {
                return Err(format!(
                    "expected turmoil, memory or tcp, and lan, wifi, mobile or satellite, as in \
                     `memory` or `turmoil,wifi`, found `{text}`"
                ));
            }
            choice.kind = choice.kind.or(kind);
            choice.links = choice.links.or(links);
        }
        Ok(choice)
    }
}

impl fmt::Display for NetworkChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [self.kind.map(NetworkKind::name), self.links.map(Preset::name)];
        f.write_str(&words.into_iter().flatten().collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::NetworkChoice;

    #[test]
    fn a_network_its_links_or_both() {
        for text in ["memory", "turmoil", "tcp", "wifi", "memory,satellite"] {
            assert_eq!(text.parse::<NetworkChoice>().unwrap().to_string(), text);
        }
        for wrong in ["", "udp", "wifi,lan", "memory,turmoil", "memory,"] {
            assert!(wrong.parse::<NetworkChoice>().is_err(), "{wrong}");
        }
    }
}
