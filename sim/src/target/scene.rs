//! A small scenario that shows one part of the contract.

use std::time::Duration;

use overheard_core::codec::sio::json;
use overheard_core::value::{Object, Value};

use super::{About, Status};
use crate::check;
use crate::history::{Args, Event, History, Operation, What};
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
        if let Some((_, values)) = answers(&history).next() {
            return Answered::Values(values.clone());
        }
        match refusals(&history).next() {
            Some((message, _)) => Answered::NotConnected(format!("it is refused with `{message}`")),
            None if is_connected(&history) => Answered::Nothing,
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
        let lacks = answers(&history).find_map(|(event, values)| self.lacks(event, values));
        let is_silent = is_connected(&history) && answers(&history).next().is_none();
        let silent = unanswered(&history).filter(|_| is_silent);
        let silent = silent.map(|event| format!("the event `{event}` is not answered"));
        lacks
            .or_else(|| silent.map(|message| (Status::Missing, message)))
            .unwrap_or_else(|| (Status::Wrong, complaint(&verdict)))
    }

    /// What an answer says that the server does not have.
    fn lacks(&self, event: &str, values: &[Value]) -> Option<(Status, String)> {
        let [Value::String(error), Value::String(why)] = values else { return None };
        match why.as_str() {
            _ if error != "error" => None,
            "not supported" => {
                let message = format!("the server says that its library has no `{event}`");
                Some((Status::Skipped, message))
            }
            "unknown event" if !self.asks_unknown => {
                Some((Status::Missing, format!("the event `{event}` is not known")))
            }
            _ => None,
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

/// Whether anybody was let in.
fn is_connected(history: &History) -> bool {
    history.events.iter().any(|event| matches!(event.what, What::Connected { .. }))
}

/// What was emitted and answered.
fn answers(history: &History) -> impl Iterator<Item = (&str, &Args)> {
    history.events.iter().filter_map(|event| {
        let What::Ok { op, values } = &event.what else { return None };
        let (_, event) = questions(history).find(|(number, _)| number == op)?;
        Some((event, values))
    })
}

/// Events that ask for an answer, by the number of the operation.
fn questions(history: &History) -> impl Iterator<Item = (u64, &str)> {
    history.events.iter().filter_map(|event| {
        let What::Invoke { op, operation } = &event.what else { return None };
        let Operation::Emit { event, ack: true, .. } = operation else { return None };
        Some((*op, event.as_str()))
    })
}

/// The first question that got no answer.
fn unanswered(history: &History) -> Option<&str> {
    let is_answer =
        |event: &Event, number| matches!(event.what, What::Ok { op, .. } if op == number);
    let is_answered = |op| history.events.iter().any(|event| is_answer(event, op));
    questions(history).find(|(op, _)| !is_answered(*op)).map(|(_, event)| event)
}

/// Who was refused: the message and the data.
fn refusals(history: &History) -> impl Iterator<Item = (&str, Option<&Value>)> {
    history.events.iter().filter_map(|event| {
        let What::Refused { message, data, .. } = &event.what else { return None };
        Some((message.as_str(), data.as_ref()))
    })
}

/// A refusal for want of a token, without what says so to a program.
fn without_data(history: &History) -> Option<String> {
    let code = |data: &Value| data.as_object()?.get("code")?.as_str().map(str::to_owned);
    let mut refusals = refusals(history).filter(|(message, _)| *message == "not authorized");
    let (_, data) =
        refusals.find(|(_, data)| data.and_then(code).as_deref() != Some("unauthorized"))?;
    let found = data.map_or_else(|| "no data".to_owned(), json::stringify);
    Some(format!("the refusal has {found}, and should have {{\"code\":\"unauthorized\"}}"))
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
