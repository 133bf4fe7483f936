//! A small scenario that shows one part of the contract.

use std::time::Duration;

use overheard_core::codec::sio::json;
use overheard_core::value::{Object, Value};

use super::{About, Status};
use crate::check;
use crate::history::{Args, History, Operation, What};
use crate::net::Place;
use crate::plan::{Plan, ServerOptions, TransportName};
use crate::run::{self, NetworkKind, RunOptions, Target};
use crate::scenario::{PlanOptions, load};
use crate::verdict::{Finding, Outcome, Verdict};

/// How long one scene may take.
const MOST: Duration = Duration::from_secs(30);

/// How long an answer may take, unless its step says otherwise.
const PATIENCE: Duration = Duration::from_secs(2);

/// A scenario without its head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scene {
    clients: String,
    steps: String,
    /// Whether its clients have transports of their own.
    own_transports: bool,
    /// Whether an unknown event is what it is about.
    asks_unknown: bool,
}

/// What came back to a question.
pub(super) enum Answered {
    /// These values.
    Values(Args),
    /// No answer.
    Nothing,
    /// Who asks was not let in.
    NotConnected(String),
}

impl Scene {
    /// Clients and steps as they stand in a scenario file; clients enter by the transports that the
    /// server has.
    pub(super) fn new(clients: impl Into<String>, steps: impl Into<String>) -> Self {
        Self {
            clients: clients.into(),
            steps: steps.into(),
            own_transports: false,
            asks_unknown: false,
        }
    }

    /// Clients that say themselves by which transports they enter.
    pub(super) fn with_own_transports(self) -> Self {
        Self { own_transports: true, ..self }
    }

    /// It is about an event that nobody knows.
    pub(super) fn about_unknown_events(self) -> Self {
        Self { asks_unknown: true, ..self }
    }

    /// Plays it, and gives back the first answer.
    pub(super) fn ask(&self, place: &Place, about: &About) -> Answered {
        let Ok((_, history)) = self.play(place, about) else { return Answered::Nothing };
        let answer = history.events.iter().find_map(|event| match &event.what {
            What::Ok { values, .. } if !values.is_empty() => Some(values.clone()),
            _ => None,
        });
        if let Some(values) = answer {
            return Answered::Values(values);
        }
        let connected =
            history.events.iter().any(|event| matches!(event.what, What::Connected { .. }));
        let refused = history.events.iter().find_map(|event| match &event.what {
            What::Refused { message, .. } => Some(format!("it is refused with `{message}`")),
            _ => None,
        });
        match refused {
            Some(why) => Answered::NotConnected(why),
            None if connected => Answered::Nothing,
            None => Answered::NotConnected("CONNECT is not answered".to_owned()),
        }
    }

    /// Plays it and judges it: the status, and what was expected and what came.
    pub(super) fn check(&self, place: &Place, about: &About) -> (Status, String) {
        let (plan, history) = match self.play(place, about) {
            Ok(played) => played,
            Err(reason) => return (Status::Skipped, reason),
        };
        let verdict = check::judge(&plan, &history);
        if let Some(without) = without_data(&history) {
            return (Status::Wrong, without);
        }
        if verdict.outcome == Outcome::Pass {
            return (Status::Ok, String::new());
        }
        for (event, values) in answers(&history) {
            match &values[..] {
                [Value::String(error), Value::String(why)] if error == "error" => {
                    if why == "not supported" {
                        let message = format!("the server says that its library has no `{event}`");
                        return (Status::Skipped, message);
                    }
                    if why == "unknown event" && !self.asks_unknown {
                        return (Status::Missing, format!("the event `{event}` is not known"));
                    }
                }
                _ => {}
            }
        }
        let (asked, unanswered) = unanswered(&history);
        match unanswered {
            Some(event) if asked == 1 || answers(&history).next().is_none() => {
                (Status::Missing, format!("the event `{event}` is not answered"))
            }
            Some(_) | None => (Status::Wrong, complaint(&verdict)),
        }
    }

    fn play(&self, place: &Place, about: &About) -> Result<(Plan, History), String> {
        let text = format!(
            "version: 1\nname: a part of the chat contract\nunclaimed: allow\n\
             bounds: {{ quiet: 100ms, settle: 4s }}\nserver: {}\nclients: {}\nsteps:\n{}\n",
            server(&about.options),
            self.clients,
            self.steps
        );
        let none = |_: &str| Err("a part uses no file".to_owned());
        let loaded = load("part.yaml", &text, &none).map_err(|rejected| {
            let titles = rejected.diagnostics.iter().map(|diagnostic| diagnostic.title.clone());
            format!("its scenario cannot be made: {}", titles.collect::<Vec<_>>().join("; "))
        })?;
        let mut plan = loaded.scenario.plan(1, &PlanOptions::default());
        for client in &mut plan.clients {
            client.ack_timeout = client.ack_timeout.or(Some(PATIENCE));
        }
        if !self.own_transports
            && let Some(names) = &about.options.transports
        {
            let known = [TransportName::Polling, TransportName::WebSocket];
            for client in &mut plan.clients {
                client.transports.clear();
                client.transports.extend(
                    known.into_iter().filter(|known| names.iter().any(|name| name == known.word())),
                );
            }
        }
        // What it needs of the server is there: it was made from what the server has.
        let has = Box::new(ServerOptions::from(&plan.server));
        let target = Target::At(place.clone(), has);
        let options = RunOptions { network: NetworkKind::Tcp, target, max_wall: Some(MOST) };
        let history = run::run(&plan, &options);
        Ok((plan, history))
    }
}

/// The options that a scenario has to know: what may be entered, and whether events have offsets.
fn server(options: &ServerOptions) -> String {
    let mut object = Object::default();
    let namespaces: Object = options
        .namespaces
        .iter()
        .map(|(name, gate)| {
            let mut members = Object::default();
            if let Some(token) = &gate.token {
                members.insert("token", token.as_str());
            }
            if let Some(seats) = gate.seats.and_then(|seats| i64::try_from(seats).ok()) {
                members.insert("seats", seats);
            }
            (name.clone(), members)
        })
        .collect();
    object.insert("namespaces", namespaces);
    let patterns = options.dynamic.iter().map(|pattern| pattern.as_str().into());
    object.insert("dynamic", patterns.collect::<Vec<Value>>());
    if let Some(recovery) = options.recovery {
        object.insert("recovery", format!("{recovery}ms"));
    }
    json::stringify(&object.into())
}

/// What was emitted and answered.
fn answers(history: &History) -> impl Iterator<Item = (&str, &Args)> {
    history.events.iter().filter_map(|event| match &event.what {
        What::Ok { op, values } => Some((emitted(history, *op)?, values)),
        _ => None,
    })
}

/// How many events asked for an answer, and the first one that got none.
fn unanswered(history: &History) -> (usize, Option<&str>) {
    let mut asked = 0;
    let mut first = None;
    for event in &history.events {
        if let What::Invoke { op, operation: Operation::Emit { event, ack: true, .. } } =
            &event.what
        {
            asked += 1;
            let is_answered = history.events.iter().any(
                |other| matches!(&other.what, What::Ok { op: answered, .. } if answered == op),
            );
            if !is_answered {
                first = first.or(Some(event.as_str()));
            }
        }
    }
    (asked, first)
}

fn emitted(history: &History, number: u64) -> Option<&str> {
    history.events.iter().find_map(|event| match &event.what {
        What::Invoke { op, operation: Operation::Emit { event, .. } } if *op == number => {
            Some(event.as_str())
        }
        _ => None,
    })
}

/// A refusal for want of a token, without what says so to a program.
fn without_data(history: &History) -> Option<String> {
    history.events.iter().find_map(|event| match &event.what {
        What::Refused { message, data, .. } if message == "not authorized" => {
            let code = data.as_ref().and_then(Value::as_object).and_then(|data| data.get("code"));
            let found = data.as_ref().map_or_else(|| "no data".to_owned(), json::stringify);
            (code.and_then(Value::as_str) != Some("unauthorized")).then(|| {
                format!("the refusal has {found}, and should have {{\"code\":\"unauthorized\"}}")
            })
        }
        _ => None,
    })
}

/// What a verdict says first: what the part itself expects, before what the rules add.
fn complaint(verdict: &Verdict) -> String {
    let own = |finding: &&Finding| finding.check.is_some();
    let finding = verdict.findings.iter().find(own).or_else(|| verdict.findings.first());
    match (finding, verdict.unknowns.first()) {
        (Some(finding), _) => match &finding.check {
            Some(label) if !label.text.is_empty() => format!("{}: {}", finding.title, label.text),
            Some(_) | None => finding.title.clone(),
        },
        (None, Some(unknown)) => unknown.title.clone(),
        (None, None) => "it could not be judged".to_owned(),
    }
}
