//! Runs every vector of every `session-transcripts*.json` in `tests/vectors` through the server
//! machine.
//!
//! A further file of this format that is dropped there runs without a change here. Each vector
//! runs with the reference's artefacts, and once more with the defaults, unless it cites a rule of
//! [`MENDED`].
#![expect(
    clippy::unwrap_used,
    clippy::unwrap_in_result,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![expect(clippy::too_many_lines, clippy::wildcard_enum_match_arm, reason = "a step is one table")]

mod operations;
mod steps;
#[path = "../support/mod.rs"]
mod support;
mod world;

use bytes::Bytes;
use overheard_core::server::{AckTicket, Command, ServerConfig};
use overheard_core::value::Value;
use support::vectors::{Vector, each, known_sections};
use world::{World, strings};

/// Rules whose artefacts the defaults mend: vectors that cite them are run with the reference's
/// artefacts only.
const MENDED: &[(&str, &str)] = &[
    ("SIO-ENC-13", "the protocol document wants JavaScript's number spellings refused"),
    ("SIO-ENC-11", "the protocol document wants an event without payload refused"),
    ("NSP-12", "a packet in flight must not take the other namespaces down"),
    ("EDGE-05", "the same, seen from the client"),
    ("EDGE-04", "the last event before a DISCONNECT is handled, not lost"),
    ("SIO-ORD-04", "packets are handled one after the other"),
    ("EDGE-07", "a socket that has left its namespace writes nothing"),
    ("SIO-ACK-08", "the same for acks"),
    ("SIO-CONN-08", "one connection has at most one socket in a namespace"),
];

fn play(vector: &Vector, config: ServerConfig) {
    let mut world = World::new(vector.get("server").as_object().unwrap(), config);
    for step in vector.array("steps") {
        vector.at(step);
        world.step(step);
    }
}

fn rules(vector: &Vector) -> Vec<String> {
    strings(Some(vector.get("rules")))
}

#[test]
fn transcripts_are_those_of_the_reference() {
    known_sections("session-transcripts", &["conventions", "steps", "vectors"]);
    each("session-transcripts", "vectors", |vector| play(vector, ServerConfig::reference()));
}

#[test]
fn transcripts_hold_with_the_defaults_but_for_what_they_mend() {
    each("session-transcripts", "vectors", |vector| {
        let mended = |rule: &String| MENDED.iter().any(|(id, _)| id == rule);
        if !rules(vector).iter().any(mended) {
            play(vector, ServerConfig::default());
        }
    });
}

/// A ticket can be used once: this would not compile twice (`SIO-ACK-01`).
#[test]
fn an_ack_ticket_is_spent_by_answering() {
    fn answer(ticket: AckTicket) -> Command {
        Command::Ack { ticket, args: vec![Value::Binary(Bytes::new())] }
    }
    let _: fn(AckTicket) -> Command = answer;
}
