//! How fast runs are. Nothing is asserted about time: figures are printed.

use std::time::{Duration, Instant};

use overheard::plan::{Action, ClientId, Emit};
use overheard::run::NetworkKind::{self, Memory, Turmoil};
use overheard::run::{RunOptions, run};

use crate::support::{Story, client, emit, ms, text};

/// So many clients in one room, each saying something so often.
fn room(size: u32, times: u32, every: Duration) -> Story {
    let mut story = Story::new(&[]);
    story.plan.network.racks = 8;
    story.plan.server.ping_interval = Some(ms(25_000));
    story.plan.server.ping_timeout = Some(ms(20_000));
    story.plan.clients = (0..size)
        .map(|number| {
            let mut client = client(&format!("c{number}"), u64::from(number));
            client.rack = u8::try_from(number % 8).unwrap();
            client
        })
        .collect();
    let from = (0..size).map(ClientId).collect();
    let say = Emit { from, ack: None, times, every, ..emit(0, "chat", &[text("hello, room")]) };
    story.step(Action::Emit(say)).advance(1000)
}

#[expect(clippy::disallowed_methods, reason = "this measures real time")]
fn measure(what: &str, story: &Story, network: NetworkKind) {
    let begun = Instant::now();
    let history = run(&story.plan, &RunOptions { network, max_wall: None });
    let took = begun.elapsed();
    let is_received =
        |what: &overheard::history::What| matches!(what, overheard::history::What::Received { .. });
    let received = history.events.iter().filter(|event| is_received(&event.what)).count();
    let virtual_seconds = history.events.last().unwrap().t / 1_000_000_000;
    println!(
        "{what} on {}: {took:?}, {received} deliveries in {virtual_seconds} s of virtual time, {} each",
        network.name(),
        format_args!("{:?}", took / u32::try_from(received.max(1)).unwrap()),
    );
}

#[test]
#[ignore = "measures; run it optimised, with --nocapture"]
fn runs() {
    for _ in 0..3 {
        let case = room(32, 62, ms(968));
        measure("32 clients, 60 s", &case, Turmoil);
        measure("32 clients, 60 s", &case, Memory);
        let case = room(1000, 1, ms(0));
        measure("1,000 clients, each once", &case, Turmoil);
        measure("1,000 clients, each once", &case, Memory);
    }
}
