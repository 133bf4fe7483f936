//! Writes a history down, and keeps what a run has to know of it while it goes on.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt;
use overheard_core::value::Value;
use smol_str::SmolStr;

use crate::history::{Args, EndReason, Event, Operation, What};
use crate::matching::Env;
use crate::net::clock::Clock;
use crate::plan::{ClientId, ConnectionState};
use crate::signal::Signal;

/// Who writes the events of the run itself.
pub(crate) const RUN: SmolStr = SmolStr::new_static("run");

/// What is known of an operation.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    pub(crate) step: Option<u32>,
    /// The event of its invocation.
    pub(crate) invoked: Option<u64>,
    pub(crate) done: bool,
    /// Until when a run waits for it before it calls itself quiet.
    pub(crate) waits_until: u64,
}

/// An emit: the number of its event, the event's name and its arguments.
type Sent = (u64, SmolStr, Args);

#[derive(Debug, Default)]
struct Notes {
    events: Vec<Event>,
    last_time: u64,
    ops: BTreeMap<u64, Op>,
    next_op: u64,
    /// The time of the last thing that counts as news.
    news: u64,
    env: Env,
    shared: Shared,
    /// Emits of each client that the server has not accepted.
    sent: BTreeMap<(SmolStr, SmolStr), VecDeque<Sent>>,
    inboxes: BTreeMap<u32, Inbox>,
    states: BTreeMap<(u32, SmolStr), ConnectionState>,
}

/// Most lists of arguments that may be shared with somebody who has not received them yet.
const MOST_SHARED: usize = 1024;

/// Arguments that were received lately. What one has received the next one most often receives in
/// the same order, perhaps without what it has said itself.
#[derive(Debug, Default)]
struct Shared {
    recent: VecDeque<Args>,
    /// How many were there before the first of them.
    forgotten: usize,
    /// How many there were when each client received its last ones.
    seen: BTreeMap<u32, usize>,
}

impl Shared {
    fn share(&mut self, client: u32, args: Vec<Value>) -> Args {
        let seen = self.seen.entry(client).or_default();
        let next = seen.saturating_sub(self.forgotten);
        let last = self.recent.len().saturating_sub(1);
        let is_known = |place: &usize| self.recent.get(*place).is_some_and(|known| **known == args);
        let known = [next, next + 1, last].into_iter().find(is_known);
        let place = known.unwrap_or_else(|| {
            if self.recent.len() == MOST_SHARED {
                self.recent.pop_front();
                self.forgotten += 1;
            }
            self.recent.push_back(Arc::new(args));
            self.recent.len() - 1
        });
        *seen = self.forgotten + place + 1;
        self.recent[place].clone()
    }
}

/// What a client has received, and what of it an `expect` has taken.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// Numbers of events.
    pub(crate) events: Vec<usize>,
    claimed: Vec<bool>,
    first: usize,
}

impl Inbox {
    /// Places of what nobody has claimed, from one on.
    pub(crate) fn unclaimed(&self, from: usize) -> impl Iterator<Item = usize> + '_ {
        (self.first.max(from)..self.events.len()).filter(|place| !self.is_claimed(*place))
    }

    fn is_claimed(&self, place: usize) -> bool {
        self.claimed.get(place).copied().unwrap_or(false)
    }

    /// Takes the event at a place.
    pub(crate) fn claim(&mut self, place: usize) {
        if self.claimed.len() <= place {
            self.claimed.resize(place + 1, false);
        }
        self.claimed[place] = true;
        while self.is_claimed(self.first) {
            self.first += 1;
        }
    }
}

#[derive(Debug)]
struct Inner {
    clock: Clock,
    names: Vec<SmolStr>,
    notes: RefCell<Notes>,
    changed: Signal,
    most_events: usize,
    stopped: RefCell<Option<EndReason>>,
    /// Whether attempts to connect again count as news.
    troubled: Cell<bool>,
    /// Whether the server is somebody else's.
    foreign: Cell<bool>,
}

/// Whether an answer says, in the words of the contract, that there is no API for a request.
fn is_not_supported(what: &What) -> bool {
    let What::Ok { values, .. } = what else { return false };
    let [error, why] = values.as_slice() else { return false };
    error.as_str() == Some("error") && why.as_str() == Some("not supported")
}

/// The history that is being written, for everybody on this thread.
#[derive(Clone, Debug)]
pub(crate) struct Recorder(Rc<Inner>);

impl Recorder {
    pub(crate) fn new(clock: Clock, names: Vec<SmolStr>, most_events: usize) -> Self {
        Self(Rc::new(Inner {
            clock,
            names,
            notes: RefCell::default(),
            changed: Signal::default(),
            most_events,
            stopped: RefCell::default(),
            troubled: Cell::new(false),
            foreign: Cell::new(false),
        }))
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Raised by each event.
    pub(crate) fn changed(&self) -> &Signal {
        &self.0.changed
    }

    /// A client's name.
    pub(crate) fn name(&self, client: u32) -> Option<&SmolStr> {
        self.0.names.get(usize::try_from(client).ok()?)
    }

    /// Writes an event down; its number.
    pub(crate) fn record(&self, who: SmolStr, what: What) -> u64 {
        self.write(who, what, None, None)
    }

    /// The same, with what caused it and the step that it belongs to.
    pub(crate) fn write(
        &self,
        who: SmolStr,
        what: What,
        parent: Option<u64>,
        step: Option<u32>,
    ) -> u64 {
        let mut notes = self.0.notes.borrow_mut();
        let t = self.0.clock.now().max(notes.last_time);
        notes.last_time = t;
        if self.is_news(&what) {
            notes.news = t;
        }
        let n = notes.events.len() as u64;
        notes.events.push(Event { n, t, who, what, parent, step });
        if notes.events.len() >= self.0.most_events {
            drop(notes);
            let most = self.0.most_events;
            self.stop(EndReason::Bound(format!("the history has reached {most} events")));
        }
        self.0.changed.raise();
        n
    }

    fn is_news(&self, what: &What) -> bool {
        let is_of_the_run = matches!(
            what,
            What::StepBegin | What::StepEnd | What::Quiet | What::Rooms { .. } | What::Counters(_)
        );
        let is_attempt = matches!(what, What::Reconnecting { .. });
        !(is_of_the_run || is_attempt && self.0.troubled.get())
    }

    /// While a fault is at work, attempts to connect again are no news.
    pub(crate) fn set_troubled(&self, troubled: bool) {
        self.0.troubled.set(troubled);
    }

    /// The time of the last news.
    pub(crate) fn last_news(&self) -> u64 {
        self.0.notes.borrow().news
    }

    /// The run cannot go on.
    pub(crate) fn stop(&self, reason: EndReason) {
        self.0.stopped.borrow_mut().get_or_insert(reason);
        self.0.changed.raise();
    }

    /// Why the run cannot go on.
    pub(crate) fn stopped(&self) -> Option<EndReason> {
        self.0.stopped.borrow().clone()
    }

    /// The world itself has failed.
    pub(crate) fn broken(&self, message: impl Into<String>) {
        self.stop(EndReason::Broken(message.into()));
    }

    /// Runs a task whose panic ends the run, instead of being swallowed.
    pub(crate) fn guard<F: Future<Output = ()>>(
        &self,
        what: &'static str,
        task: F,
    ) -> impl Future<Output = ()> + use<F> {
        let this = self.clone();
        async move {
            if let Err(panic) = AssertUnwindSafe(task).catch_unwind().await {
                let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
                this.broken(format!("{what} panicked: {}", text.unwrap_or_default()));
            }
        }
    }

    /// A number for an operation.
    pub(crate) fn new_op(&self, step: Option<u32>, waits: Option<u64>) -> u64 {
        let mut notes = self.0.notes.borrow_mut();
        let op = notes.next_op;
        notes.next_op += 1;
        let waits_until = waits.map_or(0, |waits| self.0.clock.now().saturating_add(waits));
        notes.ops.insert(op, Op { step, invoked: None, done: false, waits_until });
        op
    }

    /// A client asks for something.
    pub(crate) fn invoke(&self, who: &SmolStr, op: u64, operation: Operation) {
        let sent = match &operation {
            Operation::Emit { nsp, event, args, .. } => {
                Some((nsp.clone(), event.clone(), args.clone()))
            }
            Operation::Connect { .. } | Operation::Disconnect { .. } => None,
        };
        let step = self.op(op).and_then(|op| op.step);
        let n = self.write(who.clone(), What::Invoke { op, operation }, None, step);
        let mut notes = self.0.notes.borrow_mut();
        if let Some(op) = notes.ops.get_mut(&op) {
            op.invoked = Some(n);
        }
        if let Some((nsp, event, args)) = sent {
            notes.sent.entry((who.clone(), nsp)).or_default().push_back((n, event, args));
        }
    }

    /// The invocation of what the server has accepted from a client.
    pub(crate) fn accepted(
        &self,
        who: &SmolStr,
        nsp: &SmolStr,
        event: &str,
        args: &[Value],
    ) -> Option<u64> {
        let mut notes = self.0.notes.borrow_mut();
        let sent = notes.sent.get_mut(&(who.clone(), nsp.clone()))?;
        let matches = |(_, name, given): &Sent| name == event && given[..] == *args;
        let place = sent.iter().position(matches)?;
        sent.remove(place).map(|(n, ..)| n)
    }

    /// The server is somebody else's: what its library has no API for is no failure.
    pub(crate) fn set_foreign(&self) {
        self.0.foreign.set(true);
    }

    /// An operation has ended, and is written down so.
    pub(crate) fn finish(&self, who: &SmolStr, op: u64, what: What) {
        let Some(known) = self.op(op) else { return };
        if self.0.foreign.get() && is_not_supported(&what) {
            let asked = known.invoked.and_then(|n| self.event_asked(n)).unwrap_or_default();
            let told = format!("it needs `{asked}`, and the server says that its library has none");
            self.stop(EndReason::Skipped(told));
        }
        self.write(who.clone(), what, known.invoked, known.step);
        self.done(op);
    }

    /// The event that an invocation emits.
    fn event_asked(&self, n: u64) -> Option<SmolStr> {
        let notes = self.0.notes.borrow();
        let what = &notes.events.get(usize::try_from(n).ok()?)?.what;
        let What::Invoke { operation: Operation::Emit { event, .. }, .. } = what else {
            return None;
        };
        Some(event.clone())
    }

    /// Nothing more is to be said of an operation.
    pub(crate) fn done(&self, op: u64) {
        if let Some(op) = self.0.notes.borrow_mut().ops.get_mut(&op) {
            op.done = true;
        }
        self.0.changed.raise();
    }

    /// What is known of an operation.
    pub(crate) fn op(&self, op: u64) -> Option<Op> {
        self.0.notes.borrow().ops.get(&op).cloned()
    }

    /// Whether an operation has ended.
    pub(crate) fn is_done(&self, op: u64) -> bool {
        self.0.notes.borrow().ops.get(&op).is_none_or(|op| op.done)
    }

    /// Until when operations that have not ended are waited for.
    pub(crate) fn ops_wait_until(&self) -> u64 {
        let mut notes = self.0.notes.borrow_mut();
        notes.ops.retain(|_, op| !op.done);
        let open = notes.ops.values().filter(|op| !op.done);
        open.map(|op| op.waits_until).max().unwrap_or(0)
    }

    /// Arguments that a client has received, to be shared with the next receivers of the same.
    pub(crate) fn share(&self, client: u32, args: Vec<Value>) -> Args {
        self.0.notes.borrow_mut().shared.share(client, args)
    }

    /// A client's application is told of an event.
    pub(crate) fn received(&self, client: u32, who: SmolStr, what: What) {
        let n = self.record(who, what);
        let mut notes = self.0.notes.borrow_mut();
        let inbox = notes.inboxes.entry(client).or_default();
        inbox.events.push(usize::try_from(n).unwrap_or(usize::MAX));
    }

    /// Looks at a client's inbox, with the events of the history, and what patterns need.
    pub(crate) fn with_inbox<T>(
        &self,
        client: u32,
        see: impl FnOnce(&mut Inbox, &[Event], &mut Env) -> T,
    ) -> T {
        let notes = &mut *self.0.notes.borrow_mut();
        let inbox = notes.inboxes.entry(client).or_default();
        see(inbox, &notes.events, &mut notes.env)
    }

    /// What has become of a client's socket.
    pub(crate) fn set_state(&self, client: u32, nsp: SmolStr, state: ConnectionState) {
        self.0.notes.borrow_mut().states.insert((client, nsp), state);
        self.0.changed.raise();
    }

    /// What became of a client's socket last.
    pub(crate) fn state(&self, client: u32, nsp: &SmolStr) -> Option<ConnectionState> {
        self.0.notes.borrow().states.get(&(client, nsp.clone())).cloned()
    }

    /// A client's socket has this id now.
    pub(crate) fn set_sid(&self, client: u32, nsp: SmolStr, sid: SmolStr) {
        self.0.notes.borrow_mut().env.sids.insert((ClientId(client), nsp), sid);
    }

    /// Looks at what templates and patterns need.
    pub(crate) fn with_env<T>(&self, see: impl FnOnce(&mut Env) -> T) -> T {
        see(&mut self.0.notes.borrow_mut().env)
    }

    /// Takes the events out, at the end, which is written down if nobody has come to that.
    pub(crate) fn take_events(&self) -> Vec<Event> {
        let has_ended = {
            let notes = self.0.notes.borrow();
            notes.events.last().is_some_and(|event| matches!(event.what, What::End { .. }))
        };
        if !has_ended {
            let broken = || EndReason::Broken("the run has stopped in the middle".to_owned());
            let reason = self.stopped().unwrap_or_else(broken);
            self.record(RUN, What::End { reason });
        }
        std::mem::take(&mut self.0.notes.borrow_mut().events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_a_foreign_library_has_no_api_for_skips_the_run() {
        let said = |words: [&str; 2]| Args::new(words.map(Value::from).to_vec());
        let run = |foreign: bool, words| {
            let recorder = Recorder::new(Clock::of_runtime(), vec!["alice".into()], 100);
            if foreign {
                recorder.set_foreign();
            }
            let (who, op) = (SmolStr::from("alice"), recorder.new_op(None, None));
            let (nsp, event) = ("/".into(), "kick".into());
            let (args, ack) = (Args::default(), true);
            recorder.invoke(&who, op, Operation::Emit { nsp, event, args, volatile: false, ack });
            recorder.finish(&who, op, What::Ok { op, values: said(words) });
            recorder.stopped()
        };
        let why = "it needs `kick`, and the server says that its library has none";
        let skipped = Some(EndReason::Skipped(why.to_owned()));
        assert_eq!(run(true, ["error", "not supported"]), skipped);
        assert_eq!(run(true, ["error", "bad arguments"]), None);
        assert_eq!(run(false, ["error", "not supported"]), None);
    }
}
