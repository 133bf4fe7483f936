//! Random scenarios: small programs that are valid by construction, for property tests.
//!
//! A [`Story`] is what proptest draws and shrinks; [`Story::to_yaml`] writes it down as a scenario
//! file, which is also what runs. So a failing case needs no decoder: the file that proptest
//! prints is the regression, and it replays with its seed.
//!
//! Preconditions live in the generator: who emits is connected, a fault heals, a message is like
//! no other. Nothing is filtered away, and every smaller story is valid too.

use std::fmt::Write as _;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use serde_json::{Value, json};

/// Names of clients, in order.
const NAMES: [&str; 8] = ["ann", "ben", "cat", "dan", "eve", "fay", "gus", "hal"];
/// Names of rooms; one is hostile to tables with prototypes.
const ROOMS: [&str; 4] = ["tea", "ops", "__proto__", "a b"];

/// What stories are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Clients, 1 to 8.
    pub clients: u8,
    /// Most moves.
    pub moves: usize,
    /// Whether connections break and links stall.
    pub faults: bool,
    /// Whether the server itself acts too; a live target cannot.
    pub server_moves: bool,
    /// Whether a second namespace is used beside `/`.
    pub supervisors: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { clients: 5, moves: 24, faults: true, server_moves: true, supervisors: true }
    }
}

/// A scenario that was drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    transports: Vec<Transport>,
    supervisors: bool,
    recovery: bool,
    /// Milliseconds that pieces of all streams tremble by.
    jitter: u8,
    moves: Vec<Turn>,
}

/// How a client connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Polling,
    WebSocket,
    Upgrade,
}

/// One move. Clients are numbers, rounded to those that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Turn {
    Join { who: u8, room: u8, waits: bool },
    Leave { who: u8, room: u8, waits: bool },
    Say { who: u8, to: Vec<u8>, except: Vec<Room>, from_all: bool, volatile: bool },
    Ask { who: u8, to: Vec<u8>, except: Vec<Room> },
    Tell { who: u8, whom: u8 },
    Supervise { who: u8 },
    Server { to: Vec<u8>, except: Vec<Room> },
    Regroup { to: Vec<u8>, join: u8, leave: u8 },
    Kick { room: u8 },
    Reconnect { who: u8 },
    Cut { who: u8 },
    Stall { who: u8, ms: u16 },
    Tremble { who: u8, least: u16, width: u16 },
    Chop { who: u8, bytes: u8 },
    Wait { ms: u16 },
}

/// What may be excepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Named(u8),
    Own(u8),
}

fn rooms() -> impl Strategy<Value = Vec<u8>> {
    vec(0..4_u8, 0..3)
}

fn excepts() -> impl Strategy<Value = Vec<Room>> {
    vec(prop_oneof![(0..4_u8).prop_map(Room::Named), (0..8_u8).prop_map(Room::Own)], 0..3)
}

fn moves(options: Options) -> impl Strategy<Value = Turn> {
    let who = 0..options.clients.max(1);
    let plain = prop_oneof![
        6 => (who.clone(), 0..4_u8, any::<bool>())
            .prop_map(|(who, room, waits)| Turn::Join { who, room, waits }),
        3 => (who.clone(), 0..4_u8, any::<bool>())
            .prop_map(|(who, room, waits)| Turn::Leave { who, room, waits }),
        10 => (who.clone(), rooms(), excepts(), any::<bool>(), proptest::bool::weighted(0.1))
            .prop_map(|(who, to, except, from_all, volatile)| {
                Turn::Say { who, to, except, from_all, volatile }
            }),
        2 => (who.clone(), rooms(), excepts())
            .prop_map(|(who, to, except)| Turn::Ask { who, to, except }),
        2 => (who.clone(), 0..8_u8).prop_map(|(who, whom)| Turn::Tell { who, whom }),
        1 => who.clone().prop_map(|who| Turn::Supervise { who }),
        1 => who.clone().prop_map(|who| Turn::Reconnect { who }),
        1 => (1..2_000_u16).prop_map(|ms| Turn::Wait { ms }),
    ];
    let server = prop_oneof![
        4 => (rooms(), excepts()).prop_map(|(to, except)| Turn::Server { to, except }),
        2 => (rooms(), 0..4_u8, 0..4_u8)
            .prop_map(|(to, join, leave)| Turn::Regroup { to, join, leave }),
        1 => (0..4_u8).prop_map(|room| Turn::Kick { room }),
    ];
    let faults = prop_oneof![
        2 => who.clone().prop_map(|who| Turn::Cut { who }),
        1 => (who.clone(), 1..1_500_u16).prop_map(|(who, ms)| Turn::Stall { who, ms }),
        1 => (who.clone(), 0..200_u16, 0..400_u16)
            .prop_map(|(who, least, width)| Turn::Tremble { who, least, width }),
        1 => (who, select(vec![1_u8, 2, 3, 7])).prop_map(|(who, bytes)| Turn::Chop { who, bytes }),
    ];
    let mut kinds = vec![(20, plain.boxed())];
    if options.server_moves {
        kinds.push((3, server.boxed()));
    }
    if options.faults {
        kinds.push((2, faults.boxed()));
    }
    Union::new_weighted(kinds)
}

/// Stories of this kind, which shrink to fewer and simpler moves.
pub fn stories(options: Options) -> impl Strategy<Value = Story> {
    let transport = select(vec![Transport::WebSocket, Transport::Polling, Transport::Upgrade]);
    let clients = usize::from(options.clients.clamp(1, 8));
    (
        vec(transport, clients),
        any::<bool>().prop_map(move |wanted| wanted && options.supervisors),
        any::<bool>(),
        select(vec![0_u8, 3, 60]).prop_map(move |ms| if options.faults { ms } else { 0 }),
        vec(moves(options), 1..=options.moves.max(1)),
    )
        .prop_map(|(transports, supervisors, recovery, jitter, moves)| Story {
            transports,
            supervisors,
            recovery,
            jitter,
            moves,
        })
}

impl Story {
    /// The story as a scenario file.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut file = String::from("version: 1\nname: a random story\ntags: [generated]\n");
        file.push_str("unclaimed: allow\n");
        if self.jitter > 0 {
            line(&mut file, 0, &format!("network: {{ jitter: {}ms }}", self.jitter));
        }
        if self.supervisors || self.recovery {
            file.push_str("server:\n");
        }
        if self.recovery {
            file.push_str("  recovery: 2m\n");
        }
        if self.supervisors {
            file.push_str("  namespaces: { /supervisors: { token: secret, seats: 16 } }\n");
        }
        file.push_str("clients:\n");
        for (at, transport) in self.transports.iter().enumerate() {
            let transports = match transport {
                Transport::Polling => "transports: [polling]",
                Transport::WebSocket => "transports: [websocket]",
                Transport::Upgrade => "transports: [polling, websocket]",
            };
            let namespaces = if self.supervises(at) {
                ", namespaces: { /: {}, /supervisors: { auth: { token: secret } } }"
            } else {
                ""
            };
            line(&mut file, 2, &format!("{}: {{ {transports}{namespaces} }}", NAMES[at]));
        }
        file.push_str("steps:\n");
        for (number, one) in self.moves.iter().enumerate() {
            self.write_move(&mut file, number, one);
        }
        file
    }

    /// The first two clients are supervisors, if there are any.
    const fn supervises(&self, client: usize) -> bool {
        self.supervisors && client < 2
    }

    fn client(&self, number: u8) -> &'static str {
        NAMES[usize::from(number) % self.transports.len()]
    }

    fn write_move(&self, file: &mut String, number: usize, one: &Turn) {
        let text = format!("m{number}");
        match one {
            Turn::Join { who, room, waits } => {
                self.request(file, *who, "join", &[json!(name(*room))], *waits);
            }
            Turn::Leave { who, room, waits } => {
                self.request(file, *who, "leave", &[json!(name(*room))], *waits);
            }
            Turn::Say { who, to, except, from_all, volatile } => {
                let mut options = self.options(to, except);
                options["event"] = json!("said");
                options["args"] = json!([text]);
                if *from_all {
                    options["from"] = json!("namespace");
                }
                if *volatile {
                    options["volatile"] = json!(true);
                }
                self.request(file, *who, "broadcast", &[options], true);
            }
            Turn::Ask { who, to, except } => {
                let mut options = self.options(to, except);
                options["event"] = json!("asked");
                options["args"] = json!([text]);
                options["timeout"] = json!(3_000);
                self.request(file, *who, "ask", &[options], false);
            }
            Turn::Tell { who, whom } => {
                let whom = format!("$sid({})", self.client(*whom));
                let options =
                    json!({ "id": whom, "event": "told", "args": [text], "timeout": 3_000 });
                self.request(file, *who, "tell", &[options], false);
            }
            Turn::Supervise { who } => {
                if self.supervisors {
                    let who = NAMES[usize::from(*who) % self.transports.len().min(2)];
                    let options = json!({ "event": "said", "args": [text] });
                    step(
                        file,
                        &format!(
                            "emit: {{ from: {who}, namespace: /supervisors, event: broadcast, args: [{options}] }}"
                        ),
                    );
                } else {
                    step(file, "advance: { by: 1ms }");
                }
            }
            Turn::Server { to, except } => {
                let (to, except) = (named(to), self.excepted(except));
                step(
                    file,
                    &format!(
                        "broadcast: {{ namespace: /, to: {to}, except: {except}, event: said, args: [{text}] }}"
                    ),
                );
            }
            Turn::Regroup { to, join, leave } => {
                let (to, join, leave) = (named(to), json!([name(*join)]), json!([name(*leave)]));
                let all = format!("namespace: /, to: {to}, join: {join}, leave: {leave}");
                step(file, &format!("move: {{ {all} }}"));
            }
            Turn::Kick { .. }
            | Turn::Reconnect { .. }
            | Turn::Cut { .. }
            | Turn::Stall { .. }
            | Turn::Tremble { .. }
            | Turn::Chop { .. }
            | Turn::Wait { .. } => self.write_trouble(file, one),
        }
    }

    /// Moves that do not say anything.
    fn write_trouble(&self, file: &mut String, one: &Turn) {
        match one {
            Turn::Kick { room } => {
                step(file, &format!("kick: {{ namespace: /, to: {} }}", json!([name(*room)])));
                // Who was put out comes back when asked to.
                step(file, "advance: { by: 1s }");
                step(file, "connect: { who: all }");
            }
            Turn::Reconnect { who } => {
                let who = self.client(*who);
                step(file, &format!("disconnect: {{ who: {who} }}"));
                step(file, &format!("connect: {{ who: {who} }}"));
            }
            Turn::Cut { who } => {
                let who = self.client(*who);
                step(file, &format!("cut: {{ who: {who} }}"));
                step(file, &format!("connect: {{ who: {who} }}"));
            }
            Turn::Stall { who, ms } => {
                let who = self.client(*who);
                step(file, &format!("stall: {{ who: {who}, for: {ms}ms }}"));
                Self::touch(file, who);
            }
            Turn::Tremble { who, least, width } => {
                let (who, most) = (self.client(*who), least + width.max(&1));
                step(file, &format!("delay: {{ who: {who}, by: {least}ms..{most}ms, for: 2s }}"));
                Self::touch(file, who);
            }
            Turn::Chop { who, bytes } => {
                let who = self.client(*who);
                step(file, &format!("chop: {{ who: {who}, bytes: {bytes}, for: 2s }}"));
                Self::touch(file, who);
            }
            Turn::Wait { ms } => step(file, &format!("advance: {{ by: {ms}ms }}")),
            Turn::Join { .. }
            | Turn::Leave { .. }
            | Turn::Say { .. }
            | Turn::Ask { .. }
            | Turn::Tell { .. }
            | Turn::Supervise { .. }
            | Turn::Server { .. }
            | Turn::Regroup { .. } => {}
        }
    }

    /// Something for a fault to touch: without it the verdict would be unknown.
    fn touch(file: &mut String, who: &str) {
        step(
            file,
            &format!("emit: {{ from: {who}, event: echo, args: [touched], ack: [ok, touched] }}"),
        );
    }

    /// An event of the chat contract.
    fn request(&self, file: &mut String, who: u8, event: &str, args: &[Value], waits: bool) {
        let args = Value::from(args.to_vec());
        let ack = if waits { ", ack: [ok]" } else { "" };
        let who = self.client(who);
        step(file, &format!("emit: {{ from: {who}, event: {event}, args: {args}{ack} }}"));
    }

    fn options(&self, to: &[u8], except: &[Room]) -> Value {
        let to: Vec<_> = to.iter().map(|room| name(*room)).collect();
        let except: Vec<_> = except
            .iter()
            .map(|room| match room {
                Room::Named(room) => name(*room).to_owned(),
                Room::Own(client) => format!("$sid({})", self.client(*client)),
            })
            .collect();
        json!({ "to": to, "except": except })
    }

    fn excepted(&self, except: &[Room]) -> String {
        let rooms = except.iter().map(|room| match room {
            Room::Named(room) => json!(name(*room)).to_string(),
            Room::Own(client) => format!("sid({})", self.client(*client)),
        });
        format!("[{}]", rooms.collect::<Vec<_>>().join(", "))
    }
}

fn name(room: u8) -> &'static str {
    ROOMS[usize::from(room) % ROOMS.len()]
}

fn named(rooms: &[u8]) -> Value {
    rooms.iter().map(|room| name(*room)).collect()
}

fn step(file: &mut String, step: &str) {
    line(file, 2, &format!("- {step}"));
}

fn line(file: &mut String, indent: usize, text: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(file, "{:indent$}{text}", "");
}
