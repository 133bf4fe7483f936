//! Plans in a few words, and questions to histories.

use std::collections::BTreeMap;
use std::time::Duration;

use overheard::check::judge;
use overheard::history::{EndReason, Event, History, What};
use overheard::plan::{
    Action, Answer, Bounds, ClientId, ClientNamespace, ClientPlan, Count, Emit, EventPattern,
    Expect, Fault, NetworkPlan, Never, Pattern, Plan, ServerPlan, Since, Step, StepId, Template,
    TransportName, Unclaimed, Until, Wanted, Within,
};
use overheard::run::{NetworkKind, RunOptions, run};
use overheard::span::Span;
use overheard::verdict::{Outcome, Verdict};
use overheard_core::value::{Object, Value};

/// Milliseconds.
pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A plan that grows.
pub(crate) struct Story {
    pub(crate) plan: Plan,
}

impl Story {
    /// Clients of these names in `/`, over WebSocket.
    pub(crate) fn new(names: &[&str]) -> Self {
        let clients = names.iter().zip(1..).map(|(name, seed)| client(name, seed)).collect();
        let network = NetworkPlan {
            name: "lan".to_owned(),
            latency_min: ms(1),
            latency_max: ms(1),
            jitter: Duration::ZERO,
            chop: None,
            racks: 2,
            seed: 7,
        };
        let plan = Plan {
            name: "a story".to_owned(),
            file: "story.yaml".to_owned(),
            seed: 0x5eed,
            rules: Vec::new(),
            network,
            server: ServerPlan {
                ping_interval: Some(ms(3000)),
                ping_timeout: Some(ms(2000)),
                connect_timeout: Some(ms(4000)),
                id_seed: 11,
                ..ServerPlan::default()
            },
            clients,
            hand: None,
            steps: Vec::new(),
            unclaimed: Unclaimed::Allow,
            must_reach: Vec::new(),
            bounds: Bounds::default(),
            sabotage: None,
        };
        Self { plan }
    }

    pub(crate) fn client(&mut self, number: usize) -> &mut ClientPlan {
        &mut self.plan.clients[number]
    }

    pub(crate) fn step(mut self, action: Action) -> Self {
        let id = StepId(u32::try_from(self.plan.steps.len()).unwrap());
        self.plan.steps.push(Step { id, span: Span::default(), label: None, action });
        self
    }

    /// An emit that waits for its ack.
    pub(crate) fn emit(self, from: u32, event: &str, args: &[Value]) -> Self {
        self.step(Action::Emit(emit(from, event, args)))
    }

    /// An emit that does not wait.
    pub(crate) fn shout(self, from: u32, event: &str, args: &[Value]) -> Self {
        self.step(Action::Emit(Emit { ack: None, ..emit(from, event, args) }))
    }

    pub(crate) fn expect(self, at: &[u32], event: &str) -> Self {
        self.step(Action::Expect(expect(at, event, Within::Time(ms(5000)))))
    }

    pub(crate) fn never(self, at: &[u32], event: &str) -> Self {
        let what = Some(EventPattern { event: event.to_owned(), args: None });
        self.step(Action::Never(Never {
            at: at.iter().copied().map(ClientId).collect(),
            namespace: Some("/".to_owned()),
            what,
            since: Since::PreviousAct,
            until: Until::Quiet,
        }))
    }

    pub(crate) fn fault(self, fault: Fault, lasts: Option<Duration>) -> Self {
        self.step(Action::Fault { fault, lasts })
    }

    pub(crate) fn advance(self, millis: u64) -> Self {
        self.step(Action::Advance(ms(millis)))
    }

    pub(crate) fn heal(self) -> Self {
        self.step(Action::Heal(None))
    }

    /// Runs on both networks; what is received has to be the same.
    pub(crate) fn on_both(&self) -> [Told; 2] {
        let told = [self.run(NetworkKind::Memory), self.run(NetworkKind::Turmoil)];
        for told in &told {
            told.is_complete();
        }
        for client in &self.plan.clients {
            let name = &client.name;
            let [memory, turmoil] = &told;
            assert_eq!(memory.received(name), turmoil.received(name));
        }
        told
    }

    pub(crate) fn run(&self, network: NetworkKind) -> Told {
        let history = run(&self.plan, &RunOptions { network, ..RunOptions::default() });
        let verdict = judge(&self.plan, &history);
        Told { history, verdict }
    }
}

pub(crate) fn client(name: &str, seed: u64) -> ClientPlan {
    let main = ClientNamespace { name: "/".to_owned(), auth: None, refused: None };
    ClientPlan {
        name: name.to_owned(),
        span: Span::default(),
        rack: u8::try_from(seed % 2).unwrap(),
        latency: ms(1 + seed % 3),
        jitter: Duration::ZERO,
        transports: vec![TransportName::WebSocket],
        upgrade: true,
        namespaces: vec![main],
        connect: true,
        reconnection: true,
        reconnection_delay: ms(1000),
        reconnection_delay_max: ms(5000),
        retries: 0,
        ack_timeout: None,
        answer: Answer::Echo,
        seed,
    }
}

pub(crate) fn emit(from: u32, event: &str, args: &[Value]) -> Emit {
    Emit {
        from: vec![ClientId(from)],
        namespace: "/".to_owned(),
        event: event.to_owned(),
        args: args.iter().cloned().map(Template::Value).collect(),
        ack: Some(vec![Pattern::Any]),
        timeout: None,
        ack_fails: false,
        volatile: false,
        times: 1,
        every: Duration::ZERO,
        no_wait: false,
    }
}

pub(crate) fn expect(at: &[u32], event: &str, within: Within) -> Expect {
    Expect {
        at: at.iter().copied().map(ClientId).collect(),
        namespace: "/".to_owned(),
        what: Wanted::One(EventPattern { event: event.to_owned(), args: None }),
        count: Count::AtLeast(1),
        within,
        capture: BTreeMap::new(),
    }
}

/// A text.
pub(crate) fn text(text: &str) -> Value {
    Value::from(text)
}

/// An object of texts.
pub(crate) fn object(members: &[(&str, &str)]) -> Value {
    Value::Object(members.iter().copied().collect::<Object>())
}

/// A history with questions.
pub(crate) struct Told {
    pub(crate) history: History,
    pub(crate) verdict: Verdict,
}

impl Told {
    pub(crate) fn events(&self) -> &[Event] {
        &self.history.events
    }

    /// The run came to its end, with nothing left on the server.
    pub(crate) fn is_complete(&self) -> &Self {
        let What::End { reason } = &self.events().last().unwrap().what else { panic!("no end") };
        assert_eq!(*reason, EndReason::Complete, "{}", self.lines());
        let last = self.events().iter().find_map(|event| match &event.what {
            What::Counters(counters) if counters.last => Some(*counters),
            _ => None,
        });
        let last = last.unwrap();
        assert_eq!((last.connections, last.sockets, last.timers), (0, 0, 0), "{last:?}");
        assert_eq!(self.verdict.outcome, Outcome::Pass, "{}\n{}", self.findings(), self.lines());
        self
    }

    /// What the judge has found, a line each.
    pub(crate) fn findings(&self) -> String {
        let found = self.verdict.findings.iter();
        let found = found.map(|finding| format!("{} {}\n", finding.code, finding.title));
        let unknown = self.verdict.unknowns.iter();
        let unknown = unknown.map(|unknown| format!("{} {}\n", unknown.code, unknown.title));
        found.chain(unknown).collect()
    }

    /// What a client has received: events with their arguments, as JSON, with names of clients in
    /// place of their ids.
    pub(crate) fn received(&self, who: &str) -> Vec<String> {
        let names: Vec<(String, String)> = self
            .events()
            .iter()
            .filter_map(|event| match &event.what {
                What::Connected { sid, .. } => Some((sid.to_string(), event.who.to_string())),
                _ => None,
            })
            .collect();
        self.of(who, |what| match what {
            What::Received { event, args, .. } => {
                let text = format!("{event} {}", serde_json::to_string(&**args).unwrap());
                Some(names.iter().fold(text, |text, (sid, name)| text.replace(sid, name)))
            }
            _ => None,
        })
    }

    /// Everything of somebody's that `see` sees.
    pub(crate) fn of<T>(&self, who: &str, see: impl Fn(&What) -> Option<T>) -> Vec<T> {
        self.of_events(who, |event| see(&event.what))
    }

    /// The same, with all that is said of an event.
    pub(crate) fn of_events<T>(&self, who: &str, see: impl Fn(&Event) -> Option<T>) -> Vec<T> {
        let own = self.events().iter().filter(|event| event.who == who);
        own.filter_map(see).collect()
    }

    /// How many events of somebody's satisfy `is`.
    pub(crate) fn count(&self, who: &str, is: impl Fn(&What) -> bool) -> usize {
        self.of(who, |what| is(what).then_some(())).len()
    }

    /// What each fault has touched.
    pub(crate) fn touched(&self) -> Vec<u64> {
        self.of("net", |what| match what {
            What::Healed { touched, .. } => Some(*touched),
            _ => None,
        })
    }

    /// The whole history, as JSON lines.
    pub(crate) fn lines(&self) -> String {
        let mut lines = serde_json::to_string(&self.history.header).unwrap();
        for event in self.events() {
            lines.push('\n');
            lines.push_str(&serde_json::to_string(event).unwrap());
        }
        lines
    }
}
