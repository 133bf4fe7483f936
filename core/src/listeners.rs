//! The listeners of one socket, for an application that dispatches events to many of them.
//!
//! The machine tells each event once and knows no listeners. An application that has several per
//! event, as applications of the reference have, keeps a [`Listeners`] per socket and asks it
//! whom to call, in which order (`UTIL-06`, `UTIL-10`):
//!
//! - [`Event::Incoming`](crate::server::Event::Incoming): [`Listeners::any`];
//! - [`Event::Received`](crate::server::Event::Received): [`Listeners::take`];
//! - [`Event::Outgoing`](crate::server::Event::Outgoing): [`Listeners::any_outgoing`].
//!
//! A listener is whatever the application calls it by: a number, a name, a variant of an enum. It
//! may be registered several times, and is then heard several times.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use smol_str::SmolStr;

use crate::server::{Command, EventName, SocketRef};
use crate::value::Value;

#[derive(Clone, Debug)]
struct Named<L> {
    listener: L,
    once: bool,
}

/// The listeners of one socket (`UTIL-10`).
#[derive(Clone, Debug)]
pub struct Listeners<L> {
    named: BTreeMap<SmolStr, Vec<Named<L>>>,
    any: Vec<L>,
    any_outgoing: Vec<L>,
}

impl<L> Default for Listeners<L> {
    fn default() -> Self {
        Self { named: BTreeMap::new(), any: Vec::new(), any_outgoing: Vec::new() }
    }
}

impl<L: Clone + PartialEq> Listeners<L> {
    /// Nobody listens.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `socket.on(name, listener)`. A number is heard under its decimal digits, as in JavaScript.
    pub fn on(&mut self, name: impl Into<SmolStr>, listener: L) {
        self.named.entry(name.into()).or_default().push(Named { listener, once: false });
    }

    /// `socket.once(name, listener)`: heard by the next event of that name only.
    pub fn once(&mut self, name: impl Into<SmolStr>, listener: L) {
        self.named.entry(name.into()).or_default().push(Named { listener, once: true });
    }

    /// `socket.off(name, listener)`: takes back the latest registration, as emitters of the
    /// reference do. Returns whether there was one.
    pub fn off(&mut self, name: &str, listener: &L) -> bool {
        let Some(named) = self.named.get_mut(name) else { return false };
        let Some(at) = named.iter().rposition(|named| named.listener == *listener) else {
            return false;
        };
        named.remove(at);
        if named.is_empty() {
            self.named.remove(name);
        }
        true
    }

    /// `socket.removeAllListeners(name)`.
    pub fn off_all(&mut self, name: &str) {
        self.named.remove(name);
    }

    /// Who hears an event, in the order of registration. Those that wanted to hear it once are
    /// gone afterwards. An event that nobody hears is dropped without notice.
    pub fn take(&mut self, name: &EventName) -> Vec<L> {
        if let Value::Number(number) = name.value() {
            return self.take_named(&format!("{number}"));
        }
        name.as_str().map_or_else(Vec::new, |name| self.take_named(name))
    }

    /// As [`Listeners::take`], for an event of the server itself: `error`, `disconnecting` or
    /// `disconnect`, which have no [`EventName`].
    pub fn take_named(&mut self, name: &str) -> Vec<L> {
        let Some(named) = self.named.get_mut(name) else { return Vec::new() };
        let heard = named.iter().map(|named| named.listener.clone()).collect();
        named.retain(|named| !named.once);
        if named.is_empty() {
            self.named.remove(name);
        }
        heard
    }

    /// `socket.onAny(listener)`: heard after the catch-all listeners that are there.
    pub fn on_any(&mut self, listener: L) {
        self.any.push(listener);
    }

    /// `socket.prependAny(listener)`: heard before them.
    pub fn prepend_any(&mut self, listener: L) {
        self.any.insert(0, listener);
    }

    /// `socket.offAny(listener)`: takes back the first registration in the order of hearing, or
    /// without a listener all of them. Returns whether there was one.
    pub fn off_any(&mut self, listener: Option<&L>) -> bool {
        take_back(&mut self.any, listener)
    }

    /// The catch-all listeners of incoming events, in the order of hearing.
    #[must_use]
    pub fn any(&self) -> &[L] {
        &self.any
    }

    /// `socket.onAnyOutgoing(listener)` (`BC-13`).
    pub fn on_any_outgoing(&mut self, listener: L) {
        self.any_outgoing.push(listener);
    }

    /// `socket.prependAnyOutgoing(listener)`.
    pub fn prepend_any_outgoing(&mut self, listener: L) {
        self.any_outgoing.insert(0, listener);
    }

    /// `socket.offAnyOutgoing(listener)`, as [`Listeners::off_any`].
    pub fn off_any_outgoing(&mut self, listener: Option<&L>) -> bool {
        take_back(&mut self.any_outgoing, listener)
    }

    /// The catch-all listeners of outgoing events, in the order of hearing.
    #[must_use]
    pub fn any_outgoing(&self) -> &[L] {
        &self.any_outgoing
    }

    /// The command that makes the server tell exactly the catch-all events that somebody hears.
    /// Give it whenever catch-all listeners came or went.
    #[must_use]
    pub fn subscription(&self, socket: SocketRef) -> Command {
        let (incoming, outgoing) = (!self.any.is_empty(), !self.any_outgoing.is_empty());
        Command::Subscribe { socket, incoming, outgoing }
    }
}

fn take_back<L: PartialEq>(listeners: &mut Vec<L>, listener: Option<&L>) -> bool {
    match listener {
        None => !core::mem::take(listeners).is_empty(),
        Some(listener) => match listeners.iter().position(|other| other == listener) {
            Some(at) => {
                listeners.remove(at);
                true
            }
            None => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Number;

    fn heard(listeners: &mut Listeners<u32>, name: &str) -> Vec<u32> {
        listeners.take(&EventName::new(name).unwrap())
    }

    #[test]
    fn listeners_hear_in_the_order_of_registration_and_once_means_once() {
        // UTIL-06, UTIL-10
        let mut listeners = Listeners::new();
        listeners.on("a", 1);
        listeners.once("a", 2);
        listeners.on("a", 3);
        listeners.once("b", 4);
        assert_eq!(heard(&mut listeners, "a"), [1, 2, 3]);
        assert_eq!(heard(&mut listeners, "a"), [1, 3]);
        assert_eq!(heard(&mut listeners, "b"), [4]);
        assert!(heard(&mut listeners, "b").is_empty());
        assert!(heard(&mut listeners, "nobody listens").is_empty());
    }

    #[test]
    fn off_takes_back_the_latest_registration_of_that_name() {
        // UTIL-10
        let mut listeners = Listeners::new();
        for listener in [1, 2, 1, 3] {
            listeners.on("a", listener);
        }
        assert!(!listeners.off("b", &1) && !listeners.off("a", &9));
        assert!(listeners.off("a", &1));
        assert_eq!(heard(&mut listeners, "a"), [1, 2, 3]);
        assert!(listeners.off("a", &1) && !listeners.off("a", &1));
        listeners.off_all("a");
        assert!(heard(&mut listeners, "a").is_empty());
        assert!(listeners.named.is_empty(), "nothing is kept for a name that nobody hears");
    }

    #[test]
    fn numbers_and_their_digits_are_one_name() {
        // UTIL-10
        let mut listeners = Listeners::new();
        listeners.on("7", 1);
        listeners.on("1.5", 2);
        assert_eq!(listeners.take(&EventName::number(Number::Int(7))), [1]);
        assert_eq!(listeners.take(&EventName::number(Number::Float(1.5))), [2]);
        assert_eq!(heard(&mut listeners, "7"), [1]);
    }

    #[test]
    fn reserved_names_are_heard_but_not_by_events_of_clients() {
        // SIO-DISC-03, SIO-ERR-05
        let mut listeners = Listeners::new();
        listeners.once("disconnecting", 1);
        listeners.on("error", 2);
        assert_eq!(listeners.take_named("disconnecting"), [1]);
        assert_eq!(heard(&mut listeners, "error"), [2], "a client may emit `error`");
    }

    #[test]
    fn catch_all_listeners_prepend_append_and_go() {
        // UTIL-06, BC-13
        let mut listeners = Listeners::new();
        listeners.on_any(2);
        listeners.on_any(3);
        listeners.prepend_any(1);
        listeners.prepend_any(3);
        assert_eq!(listeners.any(), [3, 1, 2, 3]);
        assert!(listeners.off_any(Some(&3)), "the first in the order of hearing");
        assert_eq!(listeners.any(), [1, 2, 3]);
        listeners.on_any_outgoing(5);
        listeners.prepend_any_outgoing(4);
        assert!(!listeners.off_any_outgoing(Some(&1)), "the two lists are separate");
        assert_eq!(listeners.any_outgoing(), [4, 5]);
        assert!(listeners.off_any(None) && !listeners.off_any(None));
        assert!(listeners.any().is_empty() && listeners.off_any_outgoing(None));
    }
}
