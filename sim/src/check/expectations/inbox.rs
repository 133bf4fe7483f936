//! What each client received, and which of it steps have asked for.

use std::collections::BTreeMap;

use crate::check::Case;
use crate::check::links::clients;
use crate::history::What;
use crate::oracle::facts::{NEVER, Pos};
use crate::oracle::names::index;

/// A delivery.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) pos: Pos,
    /// Whether a step has asked for it.
    pub(super) claimed: bool,
    /// Whether a step that asks for so many or more would also take it.
    pub(super) tolerated: bool,
}

/// What one client received, in order.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pub(super) items: Vec<Item>,
    /// Places by namespace and event.
    named: BTreeMap<(u32, u32), Named>,
}

#[derive(Debug, Default)]
struct Named {
    at: Vec<usize>,
    /// Those before are claimed.
    first: usize,
}

/// The inboxes of all clients.
pub(super) fn fill(case: &Case<'_>) -> Vec<Inbox> {
    let mut inboxes: Vec<Inbox> = clients(&case.facts).map(|_| Inbox::default()).collect();
    for (pos, event) in (0..).zip(case.facts.events) {
        if let What::Received { nsp, event: name, .. } = &event.what
            && let Some(client) = case.facts.clients.find(&event.who)
            && let Some(nsp) = case.facts.nsps.find(nsp)
            && let Some(inbox) = inboxes.get_mut(index(client))
        {
            let place = inbox.items.len();
            inbox.items.push(Item { pos, claimed: false, tolerated: false });
            let name = case.facts.find_event_name(name).unwrap_or(NEVER);
            inbox.named.entry((nsp, name)).or_default().at.push(place);
        }
    }
    inboxes
}

impl Inbox {
    /// Places of deliveries of an event that no step has asked for yet, in order.
    pub(super) fn open(&mut self, nsp: u32, name: u32) -> impl Iterator<Item = usize> {
        let items = &self.items;
        let (at, first) = match self.named.get_mut(&(nsp, name)) {
            Some(named) => {
                while named.at.get(named.first).is_some_and(|at| items[*at].claimed) {
                    named.first += 1;
                }
                (&named.at[..], named.first)
            }
            None => (&[][..], 0),
        };
        at[first..].iter().copied().filter(|at| !items[*at].claimed)
    }
}
