//! Words to write histories and plans with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use overheard::check::{judge, judge_history};
use overheard::history::{
    Action as Act, Args, Audience, Counters, EndReason, Event, Header, History, Operation, VERSION,
    What,
};
use overheard::plan::{
    Action, Answer, Bounds, ClientId, ClientNamespace, ClientPlan, NetworkPlan, Plan, ServerPlan,
    Step, StepId, Unclaimed,
};
use overheard::span::Span;
use overheard::verdict::{Outcome, Verdict};
use overheard_core::value::Value;
use serde_json::{Value as Json, json};
use smol_str::{SmolStr, format_smolstr};

/// A value.
pub(crate) fn value(json: Json) -> Value {
    serde_json::from_value(json).unwrap()
}

/// Arguments.
pub(crate) fn args(json: Json) -> Args {
    let Value::Array(values) = value(json) else { panic!("arguments are a list") };
    Arc::new(values)
}

/// The first socket id of a client in `/`.
pub(crate) fn sid(who: &str) -> SmolStr {
    format_smolstr!("sid-{who}")
}

/// A history in the making.
pub(crate) struct Story {
    pub(crate) history: History,
    pub(crate) step: Option<u32>,
    pub(crate) t: u64,
    ops: u64,
}

impl Story {
    /// A run of clients that are connected to `/`.
    pub(crate) fn of(clients: &[&str]) -> Self {
        let mut story = Self::bare(clients);
        for client in clients {
            story.enters(client);
        }
        story
    }

    /// A run of clients that are not connected yet.
    pub(crate) fn bare(clients: &[&str]) -> Self {
        let header = Header {
            overheard_history: VERSION,
            scenario: "a story".into(),
            file: "story.yaml".into(),
            seed: "0x1".into(),
            network: "lan".into(),
            clients: clients.iter().map(|name| (*name).to_owned()).collect(),
        };
        Self { history: History { header, events: Vec::new() }, step: None, t: 0, ops: 0 }
    }

    /// Adds an event, a millisecond after the one before.
    pub(crate) fn add(&mut self, who: &str, what: What) -> u64 {
        let n = self.history.events.len() as u64;
        self.t += 1_000_000;
        let (who, step) = (who.into(), self.step);
        self.history.events.push(Event { n, t: self.t, who, what, parent: None, step });
        n
    }

    /// Virtual time passes.
    pub(crate) fn waits(&mut self, seconds: u64) {
        self.t += seconds * 1_000_000_000;
    }

    /// A client is let into `/`.
    pub(crate) fn enters(&mut self, who: &str) {
        self.enters_as(who, "/", &sid(who), false);
    }

    pub(crate) fn enters_as(&mut self, who: &str, nsp: &str, sid: &str, recovered: bool) {
        self.add(who, What::Opened { transport: "websocket".into() });
        self.let_in(who, nsp, sid, recovered);
        self.connects(who, nsp, sid, recovered);
    }

    pub(crate) fn let_in(&mut self, who: &str, nsp: &str, sid: &str, recovered: bool) {
        let (nsp, sid, client) = (nsp.into(), sid.into(), Some(who.into()));
        self.add("server", What::Entered { nsp, sid, recovered, client });
    }

    pub(crate) fn connects(&mut self, who: &str, nsp: &str, sid: &str, recovered: bool) {
        self.add(who, What::Connected { nsp: nsp.into(), sid: sid.into(), recovered });
    }

    /// The server sees a socket leave.
    pub(crate) fn leaves(&mut self, sid: &str, reason: &str) {
        let (nsp, sid) = ("/".into(), sid.into());
        self.add("server", What::Left { nsp, sid, reason: reason.into() });
    }

    /// A client sees its disconnection.
    pub(crate) fn ends(&mut self, who: &str, reason: &str) {
        self.add(who, What::Disconnected { nsp: "/".into(), reason: reason.into() });
    }

    /// Both sides lose the connection.
    pub(crate) fn breaks(&mut self, who: &str) {
        self.ends(who, "transport close");
        self.leaves(&sid(who), "transport close");
    }

    /// A client emits; returns the operation.
    pub(crate) fn invokes(&mut self, who: &str, event: &str, values: Json) -> u64 {
        self.invokes_in("/", who, event, values)
    }

    pub(crate) fn invokes_in(&mut self, nsp: &str, who: &str, event: &str, values: Json) -> u64 {
        let op = self.ops;
        self.ops += 1;
        let (nsp, event) = (nsp.into(), event.into());
        let operation =
            Operation::Emit { nsp, event, args: args(values), ack: true, volatile: false };
        self.add(who, What::Invoke { op, operation });
        op
    }

    /// The server accepts an event.
    pub(crate) fn accepts(&mut self, sid: &str, event: &str, values: Json) {
        self.accepts_in("/", sid, event, values);
    }

    pub(crate) fn accepts_in(&mut self, nsp: &str, sid: &str, event: &str, values: Json) {
        let (nsp, sid, event) = (nsp.into(), sid.into(), event.into());
        self.add("server", What::Accepted { nsp, sid, event, args: args(values), ack: true });
    }

    pub(crate) fn ok(&mut self, who: &str, op: u64, values: Json) {
        self.add(who, What::Ok { op, values: args(values) });
    }

    /// A client emits an event, which arrives, and is answered `"ok"` and this.
    pub(crate) fn asks(&mut self, who: &str, event: &str, values: Json, answer: Json) {
        let op = self.invokes(who, event, values.clone());
        self.accepts(&sid(who), event, values);
        self.ok(who, op, answer);
    }

    /// The same for events that are answered with nothing more.
    pub(crate) fn does(&mut self, who: &str, event: &str, values: Json) {
        self.asks(who, event, values, json!(["ok"]));
    }

    /// A client says something to a room.
    pub(crate) fn says(&mut self, who: &str, text: &str, room: &str) {
        self.does(who, "chat", json!([text, { "to": room }]));
    }

    /// A client hears what another one said.
    pub(crate) fn hears(&mut self, who: &str, text: &str, from: &str) -> u64 {
        self.receives(who, "chat", json!([text, { "from": sid(from).as_str() }]))
    }

    pub(crate) fn receives(&mut self, who: &str, event: &str, values: Json) -> u64 {
        self.receives_in("/", who, event, values)
    }

    pub(crate) fn receives_in(&mut self, nsp: &str, who: &str, event: &str, values: Json) -> u64 {
        let (nsp, event, args) = (nsp.into(), event.into(), args(values));
        self.add(who, What::Received { nsp, event, args, offset: None, ack: false })
    }

    pub(crate) fn receives_kept(&mut self, who: &str, event: &str, values: Json, offset: &str) {
        let (nsp, event, args) = ("/".into(), event.into(), args(values));
        let offset = Some(offset.into());
        self.add(who, What::Received { nsp, event, args, offset, ack: false });
    }

    /// The application sends.
    pub(crate) fn broadcasts(&mut self, to: &[&str], event: &str, values: Json) {
        let op = 1_000 + self.history.events.len() as u64;
        let to = Audience {
            nsp: "/".into(),
            to: to.iter().map(|room| SmolStr::from(*room)).collect(),
            except: Vec::new(),
        };
        let (event, args) = (event.into(), args(values));
        let action = Act::Broadcast { to, event, args, volatile: false, ack: false };
        self.add("server", What::Acted { op, action });
    }

    pub(crate) fn faults(&mut self, id: u32, what: &str, clients: &[&str]) {
        let clients = clients.iter().map(|name| SmolStr::from(*name)).collect();
        self.add("net", What::Fault { id, what: what.into(), clients });
    }

    pub(crate) fn heals(&mut self, id: u32, touched: u64) {
        self.add("net", What::Healed { id, touched });
    }

    /// A table of rooms, by socket; its other half is made from it.
    pub(crate) fn rooms(&mut self, rows: &[(&str, &[&str])]) {
        let mut rooms: BTreeMap<SmolStr, Vec<SmolStr>> = BTreeMap::new();
        let mut sids = Vec::new();
        for (sid, names) in rows {
            for name in *names {
                rooms.entry((*name).into()).or_default().push((*sid).into());
            }
            let names = names.iter().map(|name| SmolStr::from(*name)).collect();
            sids.push((SmolStr::from(*sid), names));
        }
        let rooms = rooms.into_iter().collect();
        self.add("server", What::Rooms { nsp: "/".into(), sids, rooms });
    }

    /// A step of the file begins.
    pub(crate) fn begins(&mut self, step: u32) {
        self.step = Some(step);
        self.add("run", What::StepBegin);
    }

    /// The step is over.
    pub(crate) fn ends_step(&mut self) {
        self.add("run", What::StepEnd);
        self.step = None;
    }

    /// Nothing more happens, and everybody leaves.
    pub(crate) fn rests(&mut self) {
        self.add("run", What::AllHealed);
        self.waits(1);
        self.add("run", What::Quiet);
        self.add("run", What::Closing);
        let inside: Vec<(SmolStr, SmolStr)> = self.inside();
        for (nsp, sid) in inside {
            let reason = "client namespace disconnect".into();
            self.add("server", What::Left { nsp, sid, reason });
        }
        self.add("server", What::Counters(Counters { last: true, ..Counters::default() }));
        self.add("run", What::End { reason: EndReason::Complete });
    }

    fn inside(&self) -> Vec<(SmolStr, SmolStr)> {
        let mut inside = Vec::new();
        for event in &self.history.events {
            if let What::Entered { nsp, sid, .. } = &event.what {
                if !inside.iter().any(|(_, known)| known == sid) {
                    inside.push((nsp.clone(), sid.clone()));
                }
            } else if let What::Left { sid, .. } = &event.what {
                inside.retain(|(_, known)| known != sid);
            }
        }
        inside
    }

    /// The verdict of the rules, after everything has come to rest.
    pub(crate) fn judged(&mut self) -> Verdict {
        self.rests();
        judge_history(&self.history)
    }

    /// The verdict with a plan, after everything has come to rest.
    pub(crate) fn judged_by(&mut self, plan: &Plan) -> Verdict {
        self.rests();
        judge(plan, &self.history)
    }
}

/// alice and bob are in tea, carol is not.
pub(crate) fn tea() -> Story {
    let mut story = Story::of(&["alice", "bob", "carol"]);
    story.does("alice", "join", json!(["tea"]));
    story.does("bob", "join", json!(["tea"]));
    story
}

/// The codes of a verdict's findings.
pub(crate) fn codes(verdict: &Verdict) -> Vec<&str> {
    verdict.findings.iter().map(|finding| finding.code).collect()
}

/// Everything is as it must be.
#[track_caller]
pub(crate) fn passes(verdict: &Verdict) {
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
}

/// Exactly this is found.
#[track_caller]
pub(crate) fn finds(verdict: &Verdict, wanted: &[&str]) {
    assert_eq!(codes(verdict), wanted, "{verdict:#?}");
}

/// How many losses were allowed for a reason.
pub(crate) fn allowed(verdict: &Verdict, reason: &str) -> u64 {
    verdict.tallies.iter().filter_map(|tally| tally.allowed.get(reason)).sum()
}

/// A place in the file.
pub(crate) fn span(line: u32) -> Span {
    Span { file: "story.yaml".into(), start: 0, end: 1, line, column: 3 }
}

/// A client of a plan.
pub(crate) fn client(name: &str) -> ClientPlan {
    ClientPlan {
        name: name.into(),
        span: span(1),
        rack: 0,
        latency: Duration::from_millis(1),
        jitter: Duration::ZERO,
        transports: Vec::new(),
        upgrade: true,
        namespaces: vec![ClientNamespace { name: "/".into(), auth: None, refused: None }],
        connect: true,
        reconnection: true,
        reconnection_delay: Duration::from_secs(1),
        reconnection_delay_max: Duration::from_secs(5),
        retries: 0,
        ack_timeout: None,
        answer: Answer::Echo,
        seed: 1,
    }
}

/// A plan of clients and steps; steps are numbered from 0 and stand on lines from 10.
pub(crate) fn plan(clients: &[&str], actions: Vec<Action>) -> Plan {
    let step = |(number, action): (u32, Action)| Step {
        id: StepId(number),
        span: span(10 + number),
        label: Some(format!("s{number}")),
        action,
    };
    Plan {
        name: "a story".into(),
        file: "story.yaml".into(),
        seed: 1,
        rules: Vec::new(),
        hand: None,
        network: NetworkPlan {
            name: "lan".into(),
            latency_min: Duration::from_micros(100),
            latency_max: Duration::from_millis(1),
            jitter: Duration::ZERO,
            chop: None,
            racks: 1,
            seed: 1,
        },
        server: ServerPlan::default(),
        clients: clients.iter().map(|name| client(name)).collect(),
        steps: (0..).zip(actions).map(step).collect(),
        unclaimed: Unclaimed::Allow,
        must_reach: Vec::new(),
        bounds: Bounds::default(),
        sabotage: None,
    }
}

/// A client by its place.
pub(crate) const fn who(place: u32) -> ClientId {
    ClientId(place)
}
