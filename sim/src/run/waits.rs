//! Steps that wait. They only set the pace: whether what they wait for has come is judged later,
//! from the history.

use overheard_core::client::Transport;
use smol_str::SmolStr;

use super::world::World;
use crate::history::{Event, What};
use crate::matching::{Env, event_matches};
use crate::net::clock::nanos;
use crate::plan::{
    ClientId, ConnectionState, Count, EventPattern, Expect, ExpectConnection, Never, TransportName,
    Until, Wanted, Within,
};
use crate::recorder::Inbox;

/// What is waited for at one client, and how far it has come.
struct Waiting<'a> {
    client: ClientId,
    nsp: SmolStr,
    wanted: Order<'a>,
    /// How many of the one pattern.
    count: usize,
    /// Places of the inbox that were taken.
    taken: Vec<usize>,
    /// Patterns that were found, for those in any order.
    found: Vec<bool>,
    /// All patterns before this one were found.
    first: usize,
    /// The place of the inbox to go on from.
    next: usize,
}

/// In which order patterns are found.
enum Order<'a> {
    Only(&'a EventPattern),
    AsGiven(Vec<&'a EventPattern>),
    Any(Vec<&'a EventPattern>),
}

impl Waiting<'_> {
    fn needed(&self) -> usize {
        match &self.wanted {
            Order::Only(_) => self.count,
            Order::AsGiven(patterns) | Order::Any(patterns) => patterns.len(),
        }
    }

    /// Looks at what is new in the inbox; whether everything is there.
    fn look(&mut self, inbox: &Inbox, events: &[Event], env: &mut Env) -> bool {
        env.namespace = self.nsp.clone();
        for place in inbox.unclaimed(self.next) {
            if self.taken.len() >= self.needed() {
                break;
            }
            self.next = place + 1;
            let Some(event) = inbox.events.get(place).and_then(|n| events.get(*n)) else {
                continue;
            };
            if self.takes(event, env) {
                self.taken.push(place);
            }
        }
        self.taken.len() >= self.needed()
    }

    fn takes(&mut self, event: &Event, env: &Env) -> bool {
        let What::Received { nsp, event, args, .. } = &event.what else { return false };
        if *nsp != self.nsp {
            return false;
        }
        let matches = |pattern: &EventPattern| event_matches(pattern, event, args, env);
        match &self.wanted {
            Order::Only(pattern) => matches(pattern),
            Order::AsGiven(patterns) => {
                patterns.get(self.taken.len()).is_some_and(|pattern| matches(pattern))
            }
            Order::Any(patterns) => {
                let mut open = self.first..patterns.len();
                let open = open.find(|place| !self.found[*place] && matches(patterns[*place]));
                let Some(place) = open else { return false };
                self.found[place] = true;
                while self.found.get(self.first) == Some(&true) {
                    self.first += 1;
                }
                true
            }
        }
    }
}

impl World {
    fn window(&self, within: Within) -> Option<u64> {
        match within {
            Within::Time(time) => Some(self.acted.get().saturating_add(nanos(time))),
            Within::Eventually => None,
        }
    }

    /// Waits until what is expected is there, or cannot come any more.
    pub(super) async fn expect(&self, expect: &Expect) {
        let sent: Vec<EventPattern> = match &expect.what {
            Wanted::AllOf { label, .. } => {
                let sent = self.sent.borrow().get(label).cloned().unwrap_or_default();
                sent.into_iter().map(|event| EventPattern { event, args: None }).collect()
            }
            Wanted::One(_) | Wanted::Order(_) | Wanted::AnyOrder(_) => Vec::new(),
        };
        let (count, to_the_end) = match expect.count {
            Count::AtLeast(count) => (count, false),
            Count::Exactly(count) => (count, true),
            Count::AtMost(count) => (count, true),
        };
        let start = |client: &ClientId| Waiting {
            client: *client,
            nsp: expect.namespace.as_str().into(),
            wanted: match &expect.what {
                Wanted::One(pattern) => Order::Only(pattern),
                Wanted::Order(patterns) => Order::AsGiven(patterns.iter().collect()),
                Wanted::AnyOrder(patterns) => Order::Any(patterns.iter().collect()),
                Wanted::AllOf { .. } => Order::Any(sent.iter().collect()),
            },
            count: usize::try_from(count).unwrap_or(usize::MAX),
            taken: Vec::new(),
            found: match &expect.what {
                Wanted::AnyOrder(patterns) => vec![false; patterns.len()],
                Wanted::AllOf { .. } => vec![false; sent.len()],
                Wanted::One(_) | Wanted::Order(_) => Vec::new(),
            },
            first: 0,
            next: 0,
        };
        let mut waiting: Vec<Waiting<'_>> = expect.at.iter().map(start).collect();
        let to_the_end = to_the_end && matches!(expect.what, Wanted::One(_));
        self.watch(&mut waiting, self.window(expect.within), to_the_end).await;
        self.claim(&waiting, expect);
    }

    async fn watch(&self, waiting: &mut [Waiting<'_>], window: Option<u64>, to_the_end: bool) {
        let mut all_there = || {
            // Each is looked at, so that all have taken what is theirs.
            waiting.iter_mut().fold(true, |all, one| {
                let client = one.client.0;
                self.recorder.with_inbox(client, |inbox, events, env| one.look(inbox, events, env))
                    && all
            })
        };
        let settle = nanos(self.plan.bounds.settle);
        match window {
            Some(window) => {
                self.until(window, || all_there() && !to_the_end).await;
            }
            None => {
                tokio::select! {
                    biased;
                    _ = self.until(u64::MAX, || all_there() && !to_the_end) => {}
                    _ = self.quiet(settle, false) => {}
                }
            }
        }
    }

    /// Takes what was found out of the inboxes, and keeps what is to be captured.
    fn claim(&self, waiting: &[Waiting<'_>], expect: &Expect) {
        for (number, one) in waiting.iter().enumerate() {
            self.recorder.with_inbox(one.client.0, |inbox, events, env| {
                if number == 0
                    && let Some(place) = one.taken.first()
                    && let Some(event) = inbox.events.get(*place).and_then(|n| events.get(*n))
                    && let What::Received { args, .. } = &event.what
                {
                    for (name, index) in &expect.capture {
                        let value = args.get(*index).cloned();
                        env.captures.extend(value.map(|value| (name.clone(), value)));
                    }
                }
                for place in &one.taken {
                    inbox.claim(*place);
                }
            });
        }
    }

    /// Waits for the end of the window of what must never come.
    pub(super) async fn never(&self, never: &Never) {
        match &never.until {
            Until::Quiet => {
                self.quiet(nanos(self.plan.bounds.settle), false).await;
            }
            Until::Time(time) => {
                let at = self.now().saturating_add(nanos(*time));
                self.recorder.clock().sleep_until(at).await;
            }
            // It ends further down.
            Until::Label(_) => {}
        }
    }

    /// Waits for what must become of connections.
    pub(super) async fn expect_connection(&self, expect: &ExpectConnection) {
        let nsp = SmolStr::from(&*expect.namespace);
        let holds = || expect.at.iter().all(|client| self.is_so(*client, &nsp, &expect.state));
        match self.window(expect.within) {
            Some(window) => {
                self.until(window, holds).await;
            }
            None => {
                let settle = nanos(self.plan.bounds.settle);
                tokio::select! {
                    biased;
                    _ = self.until(u64::MAX, holds) => {}
                    _ = self.quiet(settle, false) => {}
                }
            }
        }
    }

    fn is_so(&self, client: ClientId, nsp: &SmolStr, wanted: &ConnectionState) -> bool {
        let known = self.recorder.state(client.0, nsp);
        match wanted {
            ConnectionState::Connected => {
                matches!(known, Some(ConnectionState::Connected | ConnectionState::Recovered))
            }
            ConnectionState::Recovered => known == Some(ConnectionState::Recovered),
            ConnectionState::Disconnected(reason) => match known {
                Some(ConnectionState::Disconnected(known)) => reason.is_none() || *reason == known,
                Some(_) | None => false,
            },
            ConnectionState::Refused(message) => match known {
                Some(ConnectionState::Refused(known)) => message.is_none() || *message == known,
                Some(_) | None => false,
            },
            ConnectionState::Transport(name) => {
                let transport = self.peer(client).and_then(|peer| peer.transport());
                match name {
                    TransportName::Polling => transport == Some(Transport::Polling),
                    TransportName::WebSocket => transport == Some(Transport::WebSocket),
                }
            }
        }
    }
}
