//! A hand for servers that are not ours: a client that asks for what the server's application does
//! on its own account in a file.
//!
//! By the chat contract a client can make a server broadcast, move and kick. What the API of a
//! socket selects is never that socket, so that a request of a client which is in no room and which
//! nobody else addresses means exactly whom the application's own call would mean. Where the
//! client's presence could be noticed, there is no hand, and the plan goes on needing more.

use std::collections::BTreeSet;
use std::time::Duration;

use overheard_core::value::{Object, Value};

use super::{
    Action, Answer, ClientId, ClientNamespace, ClientPlan, Emit, Fault, Pattern, Plan, RoomName,
    ServerAction, Step, StepId, Target, Template, TransportName,
};
use crate::rng::Stream;

/// Most attachments of an event that the official servers read.
const ATTACHMENTS: usize = 10;

/// `maxHttpBufferSize` of the reference, in bytes.
const BUFFER: usize = 1_000_000;

/// How much longer than the server the hand waits for the answers of others.
const LONGER: Duration = Duration::from_secs(5);

impl Plan {
    /// The same with a client that acts in the place of the server's application, if that changes
    /// nothing for the others; otherwise the plan as it is.
    #[must_use]
    pub fn with_hand(mut self) -> Self {
        let Some(hand) = Hand::of(&self) else { return self };
        let mut last = 0;
        for step in &mut self.steps {
            hand.take_over(step, &mut last);
        }
        self.steps.splice(0..0, hand.leave_the_lobby(&self, last));
        self.clients.push(hand.client);
        self.hand = Some(hand.id);
        self
    }
}

/// The client, before it is one of the plan.
struct Hand {
    id: ClientId,
    client: ClientPlan,
}

impl Hand {
    fn of(plan: &Plan) -> Option<Self> {
        let mut look = Look::default();
        plan.steps.iter().for_each(|step| look.at(step));
        let server = &plan.server;
        // A place that it takes is one that somebody else may miss.
        let unnoticed = look.possible && plan.hand.is_none() && server.max_connections.is_none();
        if !unnoticed || look.needed.is_empty() || !look.needed.is_disjoint(&look.heard) {
            return None;
        }
        let most = server.max_http_buffer_size.unwrap_or(BUFFER);
        if look.weight > most / 2 || look.attachments > ATTACHMENTS {
            return None;
        }
        let enters = look.needed.iter().map(|name| entry(plan, name));
        let namespaces = enters.collect::<Option<Vec<_>>>()?;
        let rack = (0..plan.network.racks).find(|rack| !look.racks.contains(rack))?;
        let all = [TransportName::WebSocket, TransportName::Polling];
        let speaks = server.transports.as_deref().unwrap_or(&all);
        let transport = all.into_iter().find(|transport| speaks.contains(transport))?;
        let taken = |name: &String| plan.clients.iter().any(|client| client.name == *name);
        let mut names = (1..).map(|n| if n == 1 { "hand".to_owned() } else { format!("hand{n}") });
        let name = names.find(|name| !taken(name))?;
        let client = ClientPlan {
            seed: Stream::new(plan.seed, &format!("clients/{name}")).next_u64(),
            name,
            span: plan.steps.first()?.span.clone(),
            rack,
            latency: plan.network.latency_min,
            jitter: Duration::ZERO,
            transports: vec![transport],
            upgrade: false,
            namespaces,
            connect: true,
            reconnection: true,
            reconnection_delay: Duration::from_secs(1),
            reconnection_delay_max: Duration::from_secs(5),
            retries: 0,
            ack_timeout: None,
            answer: Answer::Never,
        };
        Some(Self { id: ClientId(u32::try_from(plan.clients.len()).ok()?), client })
    }

    /// What the application does becomes a request of the hand.
    fn take_over(&self, step: &mut Step, last: &mut u32) {
        *last = step.id.0.max(*last);
        match &mut step.action {
            Action::Together(steps) => {
                steps.iter_mut().for_each(|step| self.take_over(step, last));
            }
            Action::Server(action) => {
                if let Some(emit) = self.request(action) {
                    step.action = Action::Emit(emit);
                }
            }
            Action::Connect { .. }
            | Action::Disconnect { .. }
            | Action::Emit(_)
            | Action::Raw(_)
            | Action::Advance(_)
            | Action::Fault { .. }
            | Action::Heal(_)
            | Action::Expect(_)
            | Action::Never(_)
            | Action::ExpectConnection(_)
            | Action::ExpectRooms { .. } => {}
        }
    }

    fn request(&self, action: &ServerAction) -> Option<Emit> {
        let (event, mut members, target) = match action {
            ServerAction::Broadcast { target, event, args, volatile, ack, .. } => {
                let mut members = vec![
                    ("event".to_owned(), text(event)),
                    ("args".to_owned(), Template::Array(args.clone())),
                    ("volatile".to_owned(), Template::Value((*volatile).into())),
                ];
                let timeout = ack.as_ref().map(|(timeout, _)| *timeout);
                let timeout = timeout.and_then(|time| i64::try_from(time.as_millis()).ok());
                let timeout = timeout.map(|time| Template::Value(time.into()));
                members.extend(timeout.map(|time| ("timeout".to_owned(), time)));
                (if ack.is_some() { "ask" } else { "broadcast" }, members, target)
            }
            ServerAction::Move { target, join, leave } => {
                let names = |rooms: &[String]| Template::Array(rooms.iter().map(text).collect());
                let members =
                    vec![("join".to_owned(), names(join)), ("leave".to_owned(), names(leave))];
                ("move", members, target)
            }
            ServerAction::Kick { target, close } => {
                ("kick", vec![("close".to_owned(), Template::Value((*close).into()))], target)
            }
            ServerAction::Close => return None,
        };
        members.push(("to".to_owned(), rooms(&target.to)));
        members.push(("except".to_owned(), rooms(&target.except)));
        let mut emit = self.asks(&target.namespace, event, Template::Object(members));
        if let ServerAction::Broadcast { ack, times, every, .. } = action {
            (emit.times, emit.every) = (*times, *every);
            if let Some((timeout, answers)) = ack {
                // Whether all have answered in time is for the rules to judge.
                emit.ack = Some(vec![Pattern::Any, Pattern::AnyOrder(answers.clone())]);
                emit.timeout = Some(timeout.saturating_add(LONGER));
            }
        }
        Some(emit)
    }

    /// Where there is a lobby, it is in it like everybody else, and must not be.
    fn leave_the_lobby(&self, plan: &Plan, last: u32) -> Option<Step> {
        let main = self.client.namespaces.iter().any(|nsp| nsp.name == "/");
        let first = plan.steps.first().filter(|_| main)?;
        let action = Action::Emit(self.asks("/", "leave", text("lobby")));
        let id = StepId(last.checked_add(1)?);
        Some(Step { id, span: first.span.clone(), label: None, action })
    }

    /// A request that must be answered with "ok".
    fn asks(&self, namespace: &str, event: &str, argument: Template) -> Emit {
        Emit {
            from: vec![self.id],
            namespace: namespace.to_owned(),
            event: event.to_owned(),
            args: vec![argument],
            ack: Some(vec![Pattern::Value(text("ok"))]),
            timeout: None,
            ack_fails: false,
            volatile: false,
            times: 1,
            every: Duration::ZERO,
            no_wait: false,
        }
    }
}

/// How the hand enters a namespace, if there it is one of as many as like.
fn entry(plan: &Plan, name: &str) -> Option<ClientNamespace> {
    let gate = plan.server.namespaces.iter().find(|nsp| nsp.name == name);
    let open = match gate {
        Some(gate) => gate.seats.is_none(),
        // One that is made on demand goes with its last member.
        None => name == "/",
    };
    let token = gate.and_then(|gate| gate.token.as_deref());
    let auth = token.map(|token| [("token", token)].into_iter().collect::<Object>());
    open.then(|| ClientNamespace { name: name.to_owned(), auth, refused: None })
}

fn text(text: impl AsRef<str>) -> Template {
    Template::Value(text.as_ref().into())
}

fn rooms(names: &[RoomName]) -> Template {
    let name = |name: &RoomName| match name {
        RoomName::Named(name) => text(name),
        RoomName::Own(client) => Template::Sid(*client),
    };
    Template::Array(names.iter().map(name).collect())
}

/// What a plan does, as far as a hand could be in its way.
struct Look {
    /// Whether a hand can do all that the application does, and is there whenever it must.
    possible: bool,
    /// Namespaces in which the application acts.
    needed: BTreeSet<String>,
    /// Namespaces in which a client's request means everybody, which is noticed.
    heard: BTreeSet<String>,
    /// Racks that are cut off, from 0.
    racks: BTreeSet<u8>,
    /// The size of what the application sends, in bytes.
    weight: usize,
    attachments: usize,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            possible: true,
            needed: BTreeSet::new(),
            heard: BTreeSet::new(),
            racks: BTreeSet::new(),
            weight: 0,
            attachments: 0,
        }
    }
}

impl Look {
    fn at(&mut self, step: &Step) {
        match &step.action {
            Action::Together(steps) => steps.iter().for_each(|step| self.at(step)),
            Action::Server(action) => self.at_server(action),
            Action::Emit(emit) => self.at_emit(emit),
            Action::Fault { fault, .. } => match fault {
                // What the application of a dead server does is done by nobody.
                Fault::Crash => self.possible = false,
                Fault::Partition { rack } | Fault::Hold { rack } => _ = self.racks.insert(*rack),
                Fault::Cut { .. }
                | Fault::HalfClose { .. }
                | Fault::Stall { .. }
                | Fault::BlackHole { .. }
                | Fault::Delay { .. }
                | Fault::Chop { .. }
                | Fault::Refuse { .. } => {}
            },
            Action::Connect { .. }
            | Action::Disconnect { .. }
            | Action::Raw(_)
            | Action::Advance(_)
            | Action::Heal(_)
            | Action::Expect(_)
            | Action::Never(_)
            | Action::ExpectConnection(_)
            | Action::ExpectRooms { .. } => {}
        }
    }

    fn at_server(&mut self, action: &ServerAction) {
        let (Target { namespace, .. }, args) = match action {
            ServerAction::Broadcast { target, args, .. } => (target, &args[..]),
            ServerAction::Move { target, .. } | ServerAction::Kick { target, .. } => {
                (target, &[][..])
            }
            ServerAction::Close => return self.possible = false,
        };
        self.needed.insert(namespace.clone());
        let sizes = args.iter().map(template_size);
        let (weight, attachments) = sizes.fold((0, 0), add);
        self.weight = self.weight.max(weight);
        self.attachments = self.attachments.max(attachments);
    }

    /// Requests whose answer tells of the hand, or that do something to it.
    fn at_emit(&mut self, emit: &Emit) {
        let selects = ["who", "ask", "move", "kick"].contains(&emit.event.as_str());
        let names_a_room = match emit.args.first() {
            Some(Template::Object(members)) => {
                members.iter().any(|(key, to)| key == "to" && has_rooms(to))
            }
            Some(Template::Value(Value::Object(object))) => {
                object.get("to").is_some_and(|to| has_rooms(&Template::Value(to.clone())))
            }
            Some(_) | None => false,
        };
        if selects && !names_a_room {
            self.heard.insert(emit.namespace.clone());
        }
    }
}

/// Whether there is a room in the value of `to`.
fn has_rooms(to: &Template) -> bool {
    match to {
        Template::Array(rooms) => !rooms.is_empty(),
        Template::Value(Value::Array(rooms)) => !rooms.is_empty(),
        Template::Value(Value::String(_)) | Template::Sid(_) => true,
        Template::Value(_) | Template::Index | Template::Capture(_) | Template::Object(_) => false,
    }
}

fn add(a: (usize, usize), b: (usize, usize)) -> (usize, usize) {
    (a.0.saturating_add(b.0), a.1.saturating_add(b.1))
}

/// About how many bytes and attachments.
fn template_size(template: &Template) -> (usize, usize) {
    match template {
        Template::Value(value) => value_size(value),
        Template::Index | Template::Sid(_) | Template::Capture(_) => (32, 0),
        Template::Array(items) => items.iter().map(template_size).fold((2, 0), add),
        Template::Object(members) => {
            let member = |(key, value): &(String, Template)| {
                add((key.len().saturating_add(4), 0), template_size(value))
            };
            members.iter().map(member).fold((2, 0), add)
        }
    }
}

fn value_size(value: &Value) -> (usize, usize) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => (24, 0),
        Value::String(text) => (text.len().saturating_add(2), 0),
        Value::Binary(bytes) => (bytes.len().saturating_add(32), 1),
        Value::Array(items) => items.iter().map(value_size).fold((2, 0), add),
        Value::Object(object) => {
            let member = |(key, value): (&str, &Value)| {
                add((key.len().saturating_add(4), 0), value_size(value))
            };
            object.iter().map(member).fold((2, 0), add)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Hands, Need, needs};
    use crate::scenario::{PlanOptions, load};

    fn plan(head: &str, steps: &str) -> Plan {
        let text = format!("version: 1\nname: a test\n{head}\nsteps:\n{steps}");
        let loaded = load("a.yaml", &text, &|_| Err(String::new()));
        let loaded = loaded.unwrap_or_else(|rejected| panic!("{:#?}", rejected.diagnostics));
        loaded.scenario.plan(1, &PlanOptions::default())
    }

    fn shown(emit: &Emit) -> String {
        let args: Vec<String> = emit
            .args
            .iter()
            .map(|arg| crate::matching::fill(arg, &crate::matching::Env::default()))
            .map(|arg| arg.map_or_else(|| "?".to_owned(), |arg| crate::matching::show(&arg)))
            .collect();
        format!("{} {}({}) ×{}", emit.namespace, emit.event, args.join(", "), emit.times)
    }

    #[test]
    fn what_the_application_does_becomes_requests_of_one_client_more() {
        let head = "server: { namespaces: { /staff: { token: s3cret } }, transports: [polling] }\n\
                    clients:\n  hand: {}\n  bob: { namespace: /staff, auth: { token: s3cret } }\n";
        let steps = "
  - broadcast: { event: note, args: [1], to: tea, except: [milk], times: 3 }
  - together:
      - move: { to: tea, join: [milk], leave: [tea] }
      - kick: { namespace: /staff, to: [a, b], close: true }
  - broadcast: { namespace: /staff, event: q, ack: [1, _], timeout: 250ms }
";
        let before = plan(head, steps);
        assert!(needs(&before).contains_key(&Need::ServerActs));
        let plan = before.with_hand();
        let needs = needs(&plan);
        assert_eq!(needs.get(&Need::Hand).map(Vec::len), Some(5), "one is to leave the lobby");
        assert!(needs.keys().all(|need| need.hands() < Hands::BuiltIn));
        let hand = plan.clients.last().unwrap();
        assert_eq!((hand.name.as_str(), plan.hand), ("hand2", Some(ClientId(2))));
        assert_eq!(hand.transports, [TransportName::Polling]);
        let enters: Vec<_> =
            hand.namespaces.iter().map(|nsp| (nsp.name.as_str(), nsp.auth.is_some())).collect();
        assert_eq!(enters, [("/", false), ("/staff", true)]);
        let mut said = Vec::new();
        for step in &plan.steps {
            let steps = if let Action::Together(steps) = &step.action {
                &steps[..]
            } else {
                std::slice::from_ref(step)
            };
            for step in steps {
                let Action::Emit(emit) = &step.action else { panic!("{step:?}") };
                assert_eq!(emit.from, [ClientId(2)]);
                said.push(shown(emit));
            }
        }
        assert_eq!(
            said,
            [
                r#"/ leave("lobby") ×1"#,
                r#"/ broadcast({"event":"note","args":[1],"volatile":false,"to":["tea"],"ex…) ×3"#,
                r#"/ move({"join":["milk"],"leave":["tea"],"to":["tea"],"except":[]}) ×1"#,
                r#"/staff kick({"close":true,"to":["a","b"],"except":[]}) ×1"#,
                r#"/staff ask({"event":"q","args":[],"volatile":false,"timeout":250,"to":[…) ×1"#,
            ]
        );
        let ids: BTreeSet<_> = plan.steps.iter().map(|step| step.id).collect();
        assert_eq!(ids.len(), plan.steps.len(), "no two steps have one number");
    }

    /// Each of these would be another story with one client more.
    #[test]
    fn where_it_would_be_noticed_there_is_no_hand() {
        let note = "  - broadcast: { event: note }\n";
        let two = "clients: [alice, bob]\n";
        let some = [
            ("server: { max-connections: 3 }\n", note.to_owned()),
            (
                "server: { max-http-buffer-size: 20 }\n",
                "  - broadcast: { event: note, args: [some long text] }\n".to_owned(),
            ),
            ("", format!("{note}  - emit: {{ from: alice, event: who, args: [{{}}] }}\n")),
            ("", format!("{note}  - emit: {{ from: alice, event: kick, args: [{{ to: [] }}] }}\n")),
            (
                "",
                format!("{note}  - emit: {{ from: alice, event: ask, args: [{{ event: q }}] }}\n"),
            ),
            ("", format!("{note}  - crash: {{ restart: 1s }}\n")),
            ("", format!("{note}  - hold: {{ rack: 1, for: 1s }}\n")),
            ("", format!("{note}  - close-server:\n")),
            ("", "  - advance: { by: 1s }\n".to_owned()),
        ];
        for (server, steps) in some {
            let plan = plan(&format!("{server}{two}"), &steps).with_hand();
            assert_eq!((plan.hand, plan.clients.len()), (None, 2), "{server}{steps}");
        }
        for server in ["{ dynamic: ['^/x$'] }", "{ namespaces: { /x: { seats: 3 } } }"] {
            let head = format!("server: {server}\nclients: {{ alice: {{ namespace: /x }} }}\n");
            let steps = "  - broadcast: { namespace: /x, event: note }\n";
            assert_eq!(plan(&head, steps).with_hand().hand, None, "{server}");
        }
        let asked =
            format!("{note}  - emit: {{ from: alice, event: who, args: [{{ to: tea }}] }}\n");
        assert!(plan(two, &asked).with_hand().hand.is_some(), "a room that it is not in");
        let held = format!("{note}  - hold: {{ rack: 1, for: 1s }}\n");
        let racks = plan(&format!("racks: 2\n{two}"), &held).with_hand();
        assert_eq!(racks.clients.last().map(|hand| hand.rack), Some(1), "on the rack that is free");
    }
}
