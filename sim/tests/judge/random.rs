//! Random chats on a tiny server that keeps the rules, written down twice: with the server's own
//! events, and as the clients alone saw them. Neither is ever accused. A delivery that is dropped,
//! doubled, moved or made up is found in the first.

use std::collections::{BTreeSet, VecDeque};

use overheard::check::judge_history;
use overheard::history::{Event, History, What};
use overheard::verdict::{Outcome, Verdict};
use serde_json::{Value as Json, json};

use crate::dsl::*;

const NAMES: [&str; 4] = ["alice", "bob", "carol", "dave"];
const ROOMS: [&str; 3] = ["tea", "milk", "lobby"];

/// Numbers that look random.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }
}

/// What is on its way to a client.
enum Packet {
    Event(&'static str, Json),
    Answer(u64, Json),
}

struct World {
    story: Story,
    dice: Dice,
    rooms: Vec<BTreeSet<String>>,
    up: Vec<VecDeque<(u64, &'static str, Json)>>,
    down: Vec<VecDeque<Packet>>,
    said: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let home = |name: &&str| BTreeSet::from([sid(name).to_string(), "lobby".to_owned()]);
        Self {
            story: Story::of(&NAMES),
            dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            rooms: NAMES.iter().map(home).collect(),
            up: NAMES.iter().map(|_| VecDeque::new()).collect(),
            down: NAMES.iter().map(|_| VecDeque::new()).collect(),
            said: 0,
        }
    }

    fn turn(&mut self) {
        let client = self.dice.below(4);
        match self.dice.below(3) {
            0 => self.asks(client),
            1 => self.accepts(client),
            _ => self.arrives(client),
        }
    }

    fn some_rooms(&mut self) -> Vec<&'static str> {
        ROOMS.into_iter().filter(|_| self.dice.below(3) == 0).collect()
    }

    /// A client asks for something.
    fn asks(&mut self, client: usize) {
        let room = ROOMS[self.dice.below(3)];
        let (to, except) = (self.some_rooms(), self.some_rooms());
        let from = if self.dice.coin() { "socket" } else { "namespace" };
        // Some texts are said more than once.
        self.said += usize::from(self.dice.below(4) > 0);
        let text = format!("text {}", self.said);
        let (event, args) = match self.dice.below(7) {
            0 | 1 => ("join", json!([room])),
            2 => ("leave", json!([room])),
            3 => ("chat", json!([text, { "to": to, "except": except }])),
            4 => {
                let options = json!({ "to": to, "join": [room], "from": from });
                ("move", json!([options]))
            }
            5 => ("leave", json!([sid(NAMES[client]).as_str()])),
            _ => {
                let options = json!({ "to": to, "except": except, "from": from, "event": "note",
                    "args": [text] });
                ("broadcast", json!([options]))
            }
        };
        let op = self.story.invokes(NAMES[client], event, args.clone());
        self.up[client].push_back((op, event, args));
    }

    /// The server does what a client asked for.
    fn accepts(&mut self, client: usize) {
        let Some((op, event, args)) = self.up[client].pop_front() else { return };
        let own = sid(NAMES[client]);
        self.story.accepts(&own, event, args.clone());
        let options = args.get(usize::from(event == "chat")).cloned().unwrap_or_default();
        match event {
            "join" => _ = self.rooms[client].insert(args[0].as_str().unwrap().to_owned()),
            "leave" => _ = self.rooms[client].remove(args[0].as_str().unwrap()),
            "move" => {
                let room = options["join"][0].as_str().unwrap().to_owned();
                for other in self.selected(client, &options, &[]) {
                    self.rooms[other].insert(room.clone());
                }
            }
            "chat" => {
                let values = json!([args[0], { "from": own.as_str() }]);
                self.sends(client, &options, &["lobby"], "chat", &values);
            }
            _ => self.sends(client, &options, &[], "note", &options["args"]),
        }
        self.down[client].push_back(Packet::Answer(op, json!(["ok"])));
    }

    fn sends(
        &mut self,
        client: usize,
        options: &Json,
        default: &[&str],
        event: &'static str,
        args: &Json,
    ) {
        for other in self.selected(client, options, default) {
            self.down[other].push_back(Packet::Event(event, args.clone()));
        }
    }

    fn selected(&self, client: usize, options: &Json, default: &[&str]) -> Vec<usize> {
        let list = |key: &str| -> Vec<String> {
            let items = options[key].as_array().cloned().unwrap_or_default();
            items.iter().map(|room| room.as_str().unwrap().to_owned()).collect()
        };
        let (mut to, mut except) = (list("to"), list("except"));
        if to.is_empty() {
            to = default.iter().map(|room| (*room).to_owned()).collect();
        }
        if options["from"] != "namespace" {
            except.push(sid(NAMES[client]).to_string());
        }
        let is_in = |other: usize, rooms: &[String]| {
            rooms.iter().any(|room| self.rooms[other].contains(room))
        };
        let hears =
            |other: &usize| (to.is_empty() || is_in(*other, &to)) && !is_in(*other, &except);
        (0..4).filter(hears).collect()
    }

    /// Something arrives at a client.
    fn arrives(&mut self, client: usize) {
        match self.down[client].pop_front() {
            Some(Packet::Event(event, args)) => {
                self.story.receives(NAMES[client], event, args);
            }
            Some(Packet::Answer(op, values)) => self.story.ok(NAMES[client], op, values),
            None => {}
        }
    }

    fn finish(mut self) -> History {
        for client in 0..4 {
            while !self.up[client].is_empty() {
                self.accepts(client);
            }
        }
        let tables: Vec<(String, Vec<String>)> = NAMES
            .iter()
            .zip(&self.rooms)
            .map(|(name, rooms)| (sid(name).to_string(), rooms.iter().cloned().collect()))
            .collect();
        let rows: Vec<(&str, Vec<&str>)> = tables
            .iter()
            .map(|(sid, rooms)| (sid.as_str(), rooms.iter().map(String::as_str).collect()))
            .collect();
        let rows: Vec<(&str, &[&str])> =
            rows.iter().map(|(sid, rooms)| (*sid, rooms.as_slice())).collect();
        self.story.rooms(&rows);
        for client in 0..4 {
            while !self.down[client].is_empty() {
                self.arrives(client);
            }
        }
        self.story.rests();
        self.story.history
    }
}

fn played(seed: u64) -> History {
    let mut world = World::new(seed);
    for _ in 0..200 {
        world.turn();
    }
    world.finish()
}

/// The history without anything that only the server knows.
fn as_clients_saw(history: &History) -> History {
    let mut seen = history.clone();
    seen.events.retain(|event| event.who != "server");
    number(&mut seen.events);
    seen
}

fn number(events: &mut [Event]) {
    for (n, event) in (0..).zip(events) {
        event.n = n;
    }
}

#[track_caller]
fn is_clean(verdict: &Verdict, seed: u64) {
    assert_eq!(verdict.findings.len(), 0, "seed {seed}: {:#?}", verdict.findings);
    assert_ne!(verdict.outcome, Outcome::Fail);
}

#[test]
fn a_server_that_keeps_the_rules_is_never_accused() {
    for seed in 1..300 {
        let history = played(seed);
        is_clean(&judge_history(&history), seed);
        is_clean(&judge_history(&as_clients_saw(&history)), seed);
    }
}

#[test]
fn each_change_of_a_delivery_is_found() {
    for seed in 1..100 {
        let history = played(seed);
        let deliveries: Vec<usize> = (0..history.events.len())
            .filter(|at| matches!(history.events[*at].what, What::Received { .. }))
            .collect();
        let mut dice = Dice(seed);
        let at = deliveries[dice.below(deliveries.len())];
        let delivery = history.events[at].clone();
        let changed = |change: &dyn Fn(&mut Vec<Event>)| {
            let mut history = history.clone();
            change(&mut history.events);
            number(&mut history.events);
            judge_history(&history)
        };
        let dropped = changed(&|events| _ = events.remove(at));
        assert_eq!(codes(&dropped), ["OH0302"], "seed {seed}: {dropped:#?}");
        let doubled = changed(&|events| events.insert(at + 1, delivery.clone()));
        // Of equal texts, the last one may have been for others.
        let found = codes(&doubled);
        assert!(["OH0301", "OH0303"].contains(&found[0]), "seed {seed}: {doubled:#?}");
        let made_up = changed(&|events| {
            if let What::Received { event, .. } = &mut events[at].what {
                *event = "other".into();
            }
        });
        assert_eq!(made_up.outcome, Outcome::Fail, "seed {seed}");
        let elsewhere = changed(&|events| {
            let other = NAMES.iter().find(|name| **name != delivery.who).unwrap();
            events[at].who = (*other).into();
        });
        assert_eq!(elsewhere.outcome, Outcome::Fail, "seed {seed}");
    }
}
