//! Comparing the server's table of rooms with the model's.

use std::collections::{BTreeMap, BTreeSet};

use smol_str::SmolStr;

use super::facts::{Facts, Pos};
use super::model::Model;
use super::names::number;

/// Where a table of rooms is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableFault {
    /// The table.
    pub pos: Pos,
    /// The socket that it is about, if it is about one.
    pub sid: Option<u32>,
    /// Whether the table contradicts itself, rather than the model.
    pub inner: bool,
    /// What is wrong.
    pub text: String,
}

type Index = BTreeMap<SmolStr, BTreeSet<SmolStr>>;

fn index_of(pairs: &[(SmolStr, Vec<SmolStr>)]) -> Index {
    pairs.iter().map(|(key, names)| (key.clone(), names.iter().cloned().collect())).collect()
}

fn reverse(index: &Index) -> Index {
    let mut reversed = Index::new();
    for (key, names) in index {
        for name in names {
            reversed.entry(name.clone()).or_default().insert(key.clone());
        }
    }
    reversed
}

fn list<'a>(names: impl IntoIterator<Item = &'a SmolStr>) -> String {
    let mut text = String::new();
    for name in names {
        if text.chars().count() > 80 {
            text.push('…');
            break;
        }
        text.push_str(if text.is_empty() { "" } else { ", " });
        text.push_str(name);
    }
    if text.is_empty() { "none".to_owned() } else { text }
}

impl Model {
    /// Compares a table with the model, and its two halves with each other.
    pub(super) fn compare(
        &mut self,
        facts: &Facts<'_>,
        pos: Pos,
        nsp: &str,
        sids: &[(SmolStr, Vec<SmolStr>)],
        rooms: &[(SmolStr, Vec<SmolStr>)],
    ) {
        let (forward, backward) = (index_of(sids), index_of(rooms));
        self.rows += u64::from(number(forward.len() + backward.len()));
        self.compare_halves(pos, &forward, &backward);
        let Some(nsp) = facts.nsps.find(nsp) else { return };
        let mut expected: BTreeMap<&SmolStr, (u32, BTreeSet<SmolStr>)> = BTreeMap::new();
        for sid in self.rooms.sockets(nsp).filter(|sid| !self.rooms.is_lost(*sid)) {
            let names = self.rooms.of(sid).iter().map(|room| self.names.name(*room).clone());
            expected.insert(facts.sids.name(sid), (sid, names.collect()));
        }
        let nothing = BTreeSet::new();
        for (name, (sid, wanted)) in &expected {
            let found = forward.get(*name).unwrap_or(&nothing);
            if found != wanted {
                let missing = list(wanted.difference(found));
                let extra = list(found.difference(wanted));
                let text = format!(
                    "{} should be in {}: missing {missing}, too many {extra}",
                    facts.owner(*sid),
                    list(wanted)
                );
                self.tables.push(TableFault { pos, sid: Some(*sid), inner: false, text });
            }
        }
        for (name, found) in &forward {
            if !expected.contains_key(name) && !found.is_empty() {
                let sid = facts.sids.find_in(nsp, name);
                let text = format!("`{name}` is not connected, and is in {}", list(found));
                self.tables.push(TableFault { pos, sid, inner: false, text });
            }
        }
    }

    fn compare_halves(&mut self, pos: Pos, forward: &Index, backward: &Index) {
        let reversed = reverse(forward);
        let mut fault = |text| {
            self.tables.push(TableFault { pos, sid: None, inner: true, text });
        };
        for (room, members) in backward {
            if members.is_empty() {
                fault(format!("the room `{room}` exists, and nobody is in it"));
            } else if reversed.get(room) != Some(members) {
                let by_sid = reversed.get(room).map_or_else(|| "none".to_owned(), list);
                let by_room = list(members);
                fault(format!("`{room}` has {by_room} by room, and {by_sid} by socket"));
            }
        }
        for (room, members) in &reversed {
            if !backward.contains_key(room) {
                let by_sid = list(members);
                fault(format!("`{room}` has {by_sid} by socket, and does not exist by room"));
            }
        }
    }
}
