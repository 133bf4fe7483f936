//! What a plan needs of its server and its network beyond the chat contract. A server that is not
//! ours, or a network that is, may not have it; such a plan is skipped, and the reason told.

use std::collections::BTreeMap;
use std::fmt;

use super::{Action, ClientId, Fault, Plan, Sabotage, ServerPlan, Step, StepId};

/// Something that not every server or network has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The server's application acts on its own account: `broadcast`, `move`, `kick`,
    /// `close-server`.
    ServerActs,
    /// The same, and a client can ask for it by the chat contract without being noticed.
    Hand,
    /// The server's table of rooms: `expect-rooms`.
    RoomTables,
    /// A bug that is planted in the server.
    Sabotage(Sabotage),
    /// The artefacts of the reference: `quirks: reference`.
    Quirks,
    /// A peer that is not a Socket.IO client: `raw`.
    Raw,
    /// The server process dies and comes up again: `crash`.
    Restart,
    /// Faults between a whole rack and the server: `partition`, `hold`.
    Racks,
    /// Faults of single connections: `cut`, `half-close`, `stall`, `black-hole`, `delay`, `chop`,
    /// `refuse`, and a network with `chop`.
    Links,
    /// An option of the server that the file sets, by its name in the file.
    Option(&'static str),
    /// So many clients.
    Clients(usize),
}

/// How far a server is in our hands, the further the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hands {
    /// It runs, and is known by its address.
    Running,
    /// A command starts it, with options, and it can be killed.
    Started,
    /// It is our own, and we look into it.
    BuiltIn,
}

impl Hands {
    /// Its name in lists.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Started => "started",
            Self::BuiltIn => "built-in",
        }
    }
}

impl Need {
    /// How far a server must be in our hands at least. Connections are ours to break, and clients
    /// can ask for their rooms; a running server may happen to have an option.
    #[must_use]
    pub const fn hands(&self) -> Hands {
        match self {
            Self::Hand
            | Self::RoomTables
            | Self::Raw
            | Self::Racks
            | Self::Links
            | Self::Clients(_) => Hands::Running,
            Self::Restart | Self::Option(_) => Hands::Started,
            Self::ServerActs | Self::Sabotage(_) | Self::Quirks => Hands::BuiltIn,
        }
    }

    /// Its name: the same for each option and each number of clients.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ServerActs => "server-acts",
            Self::Hand => "hand",
            Self::RoomTables => "room-tables",
            Self::Sabotage(_) => "sabotage",
            Self::Quirks => "quirks",
            Self::Raw => "raw",
            Self::Restart => "restart",
            Self::Racks => "racks",
            Self::Links => "links",
            Self::Option(_) => "option",
            Self::Clients(_) => "clients",
        }
    }
}

/// What it means, as the end of a sentence that begins with "it needs".
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServerActs => f.write_str("the server's application to act on its own account"),
            Self::Hand => {
                f.write_str("a client more, which acts in the place of the server's application")
            }
            Self::RoomTables => f.write_str("a look at the server's table of rooms"),
            Self::Sabotage(bug) => write!(f, "the bug `{}` to be planted", bug.name()),
            Self::Quirks => f.write_str("the quirks of the reference"),
            Self::Raw => f.write_str("a peer that writes raw bytes"),
            Self::Restart => f.write_str("the server to die and to be started again"),
            Self::Racks => f.write_str("faults between a rack and the server"),
            Self::Links => f.write_str("faults of single connections"),
            Self::Option(name) => write!(f, "the server's option `{name}`"),
            Self::Clients(1) => f.write_str("1 client"),
            Self::Clients(count) => write!(f, "{count} clients"),
        }
    }
}

/// What a plan needs, each with the steps that need it: none where it is the whole plan.
pub type Needs = BTreeMap<Need, Vec<StepId>>;

/// What a plan needs.
#[must_use]
pub fn needs(plan: &Plan) -> Needs {
    let mut needs = Needs::new();
    needs.insert(Need::Clients(plan.clients.len()), Vec::new());
    let whole = |need| (need, Vec::new());
    needs.extend(plan.sabotage.map(|bug| whole(Need::Sabotage(bug))));
    needs.extend(plan.server.reference_quirks.then(|| whole(Need::Quirks)));
    needs.extend(plan.network.chop.map(|_| whole(Need::Links)));
    needs.extend(options(&plan.server).map(|name| whole(Need::Option(name))));
    for step in &plan.steps {
        of_step(step, plan.hand, &mut needs);
    }
    needs
}

/// The options that a plan sets, by their names in files.
fn options(server: &ServerPlan) -> impl Iterator<Item = &'static str> {
    let options = [
        ("ping-interval", server.ping_interval.is_some()),
        ("ping-timeout", server.ping_timeout.is_some()),
        ("connect-timeout", server.connect_timeout.is_some()),
        ("upgrade-timeout", server.upgrade_timeout.is_some()),
        ("max-http-buffer-size", server.max_http_buffer_size.is_some()),
        ("transports", server.transports.is_some()),
        ("allow-upgrades", server.allow_upgrades.is_some()),
        ("recovery", server.recovery.is_some()),
        ("cleanup-empty-child-namespaces", server.cleanup_empty_child_namespaces.is_some()),
        ("max-connections", server.max_connections.is_some()),
        ("namespaces", !server.namespaces.is_empty()),
        ("dynamic", !server.dynamic.is_empty()),
    ];
    options.into_iter().filter_map(|(name, is_set)| is_set.then_some(name))
}

fn of_step(step: &Step, hand: Option<ClientId>, needs: &mut Needs) {
    let need = match &step.action {
        Action::Server(_) => Need::ServerActs,
        Action::ExpectRooms { .. } => Need::RoomTables,
        Action::Raw(_) => Need::Raw,
        Action::Fault { fault, .. } => of_fault(fault),
        Action::Emit(emit) if hand.is_some_and(|hand| emit.from == [hand]) => Need::Hand,
        Action::Together(steps) => {
            return steps.iter().for_each(|step| of_step(step, hand, needs));
        }
        Action::Connect { .. }
        | Action::Disconnect { .. }
        | Action::Emit(_)
        | Action::Advance(_)
        | Action::Heal(_)
        | Action::Expect(_)
        | Action::Never(_)
        | Action::ExpectConnection(_) => return,
    };
    needs.entry(need).or_default().push(step.id);
}

const fn of_fault(fault: &Fault) -> Need {
    match fault {
        Fault::Cut { .. }
        | Fault::HalfClose { .. }
        | Fault::Stall { .. }
        | Fault::BlackHole { .. }
        | Fault::Delay { .. }
        | Fault::Chop { .. }
        | Fault::Refuse { .. } => Need::Links,
        Fault::Partition { .. } | Fault::Hold { .. } => Need::Racks,
        Fault::Crash => Need::Restart,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{PlanOptions, load};

    const EVERYTHING: &str = "\
version: 1
name: everything that not every server has
server:
  quirks: reference
  ping-interval: 1s
  namespaces: { /ops: { seats: 1 } }
clients: [alice, bob]
steps:
  - broadcast: { event: news }
  - kick: { to: lobby }
  - raw: { bytes: { hex: '00' } }
  - together:
      - crash: { restart: 1s }
      - hold: { rack: 1, for: 1s }
      - cut: { who: bob }
  - expect-rooms: { at: alice, rooms: [lobby] }
";

    fn told(text: &str, options: &PlanOptions) -> Vec<(String, usize)> {
        let loaded = load("a.yaml", text, &|_| Err(String::new())).unwrap();
        let needs = needs(&loaded.scenario.plan(1, options));
        needs.iter().map(|(need, steps)| (need.to_string(), steps.len())).collect()
    }

    #[test]
    fn a_plan_says_what_it_needs_and_which_steps_need_it() {
        let options = PlanOptions { sabotage: Some(Sabotage::AckLost), ..PlanOptions::default() };
        let needs = told(EVERYTHING, &options);
        let needs: Vec<_> = needs.iter().map(|(need, steps)| (need.as_str(), *steps)).collect();
        assert_eq!(
            needs,
            [
                ("the server's application to act on its own account", 2),
                ("a look at the server's table of rooms", 1),
                ("the bug `ack-lost` to be planted", 0),
                ("the quirks of the reference", 0),
                ("a peer that writes raw bytes", 1),
                ("the server to die and to be started again", 1),
                ("faults between a rack and the server", 1),
                ("faults of single connections", 1),
                ("the server's option `namespaces`", 0),
                ("the server's option `ping-interval`", 0),
                ("2 clients", 0),
            ]
        );
    }

    #[test]
    fn a_plan_of_clients_that_talk_needs_nothing_but_clients() {
        let text = "version: 1\nname: a word\nclients: [alice]\n\
                    steps: [{ emit: { from: alice, event: echo, ack: [ok] } }]\n";
        assert_eq!(told(text, &PlanOptions::default()), [("1 client".to_owned(), 0)]);
    }
}
