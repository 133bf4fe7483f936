//! The table of rooms, read out in both directions, to be compared with what it should be.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use smol_str::SmolStr;

use super::Server;
use super::namespace::Namespace;

/// Who is where in one namespace. Both directions are read separately: that they agree is for the
/// reader to check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomTable {
    /// The rooms of each connected socket in join order, by socket id, in the order of the ids.
    pub sids: Vec<(SmolStr, Vec<SmolStr>)>,
    /// The ids of the sockets in each room, sorted, by name, in the order of the names.
    pub rooms: Vec<(SmolStr, Vec<SmolStr>)>,
}

impl Server {
    /// The names of all namespaces, sorted.
    #[must_use]
    pub fn namespace_names(&self) -> Vec<SmolStr> {
        let names: BTreeSet<_> = self.namespaces.values().map(|nsp| nsp.name.clone()).collect();
        names.into_iter().collect()
    }

    /// The table of rooms of a namespace.
    #[must_use]
    pub fn room_table(&self, nsp: &str) -> Option<RoomTable> {
        let id = self.namespace_id(nsp)?;
        self.namespaces.get(id.0).map(Namespace::room_table)
    }
}

impl Namespace {
    fn room_table(&self) -> RoomTable {
        let mut table = RoomTable::default();
        for place in &self.sockets {
            let Some(socket) = place.socket.as_deref().filter(|socket| socket.is_connected())
            else {
                continue;
            };
            let slot = self.rooms.slot_of(&socket.sid);
            let rooms = slot.into_iter().flat_map(|slot| self.rooms.rooms_of(slot).cloned());
            table.sids.push((socket.sid.clone(), rooms.collect()));
        }
        table.sids.sort_unstable();
        let own = table.sids.iter().map(|(sid, _)| sid.clone());
        let names: BTreeSet<SmolStr> = self.rooms.names().cloned().chain(own).collect();
        for name in names {
            let members = self.rooms.members(&name).filter_map(|slot| self.rooms.sid(slot));
            let mut members: Vec<SmolStr> = members.cloned().collect();
            members.sort_unstable();
            if !members.is_empty() {
                table.rooms.push((name, members));
            }
        }
        table
    }
}
